# The test library can fail: each check that it adds is tested with a wrong
# value, and with a missing or broken module.

use strict;
use warnings;

use Cwd        qw(abs_path);
use File::Path qw(make_path);
use FindBin;
use Test::More;

my $lib = abs_path("$FindBin::Bin/lib");
my $dir = abs_path("$FindBin::Bin/..") . '/build/t/001.harness-fails';

make_path($dir);

my @wrong = (
    [ 'calls, one too few', "--- calls\ntoken: 1", 'calls' ],
    [
        'calls, one too many',
        "--- calls: none\n--- before\n_call('/oauth2/token');", 'calls'
    ],
    [ 'sent, and it was not', "--- sent\ntoken: grant", 'token was sent with' ],
    [
        'sent, and it should not',
        "--- sent\n!token: oauth2\n--- before\n_call('/oauth2/token');",
        'token was sent without'
    ],
    [ 'books', "--- books\n1: links=1", 'links of order 1' ],
    [ 'json of another value', "--- json\nstatus: ^2", 'status of the answer' ],
    [ 'json of no field', "--- json\ndetail: .", 'detail of the answer' ],
    [ 'after, false', "--- after\nok(0, 'this is false');", 'this is false' ],
    [ 'after, died', "--- after\ndie 'with a reason';", 'with a reason' ],
    [ 'before, died', "--- before\ndie 'with a reason';", 'with a reason' ],
    [ 'faults', "--- faults\ntoken: nonsense", 'unknown action nonsense' ],
    [ 'alert, none came', "--- alert: segfault", 'logs the alert' ],
    [
        'an alert in the log',
        "--- after\nopen my \$fh, '>>', error_log_path();\n"
            . 'print $fh "2000/01/01 00:00:00 [alert] 1#1: oops\\n";',
        'raised an alert'
    ],
    [ 'status', "--- error_code: 404", 'status code' ],
    [ 'a misspelt section', "--- call: none", 'section call is unknown' ],
);


sub run_file {
    my ($name, $blocks, %env) = @_;

    my $file = "$dir/$name.t";
    open my $fh, '>', $file or die "open $file: $!\n";
    print $fh <<"EOF", $blocks;
BEGIN { unshift \@INC, \$ENV{PAYER_TEST_LIB} }
use Payer::Test;
sub _call { HTTP::Tiny->new->get(Payer::Sim::url() . \$_[0]) }
run_payer_tests();
__DATA__
EOF
    close $fh;

    $env{PAYER_TEST_LIB} = $lib;
    local @ENV{ keys %env } = values %env;
    my $said = `$^X \Q$file\E 2>&1`;

    return ($?, $said);
}


sub block {
    my ($n, $sections) = @_;

    # the section in question may replace what is said here
    my $answer = $sections =~ /error_code/ ? '' : '--- error_code: 200';

    return <<"EOF";
=== TEST $n: block
--- config
location = /x { return 200 '{"status": 418}'; }
--- request
GET /x
$answer
$sections
EOF
}


# All in one file, since a start of nginx for each is what costs.

my ($status, $said) = run_file('wrong',
    join "\n", map { block($_ + 1, $wrong[$_][1]) } 0 .. $#wrong);

isnt($status, 0, 'the file fails');

for my $i (0 .. $#wrong) {
    my ($what, undef, $message) = @{ $wrong[$i] };
    my $n = $i + 1;

    ok($said =~ /^not ok \d+ - (?:(?:\S+ )?TEST $n:.*)?\Q$message\E/m,
        "$what fails");
}

diag($said) unless Test::More->builder->is_passing;

($status, $said) = run_file('right', block(1, '--- calls: none'));
is($status, 0, 'the same block without anything wrong passes') or diag($said);

($status, $said) = run_file('directive',
    block(1, "--- http_config\nno_such_directive;"));
isnt($status, 0, 'with a directive that nobody knows the file fails');
like($said, qr/refuses the configuration.*no_such_directive/s, 'and says so');
unlike($said, qr/^Bail out/m, 'without ending what comes after it');

($status, $said) = run_file('missing', block(1, ''),
    PAYER_MODULE => "$dir/no-such-module.so");
isnt($status, 0, 'without the module the file fails');
like($said, qr/no-such-module\.so is not there: run make/, 'and says so');
unlike($said, qr/^ok|skip/mi, 'and nothing is skipped');

open my $fh, '>', "$dir/broken.so" or die "open: $!\n";
print $fh "no module\n";
close $fh;

($status, $said) = run_file('broken', block(1, ''),
    PAYER_MODULE => "$dir/broken.so");
isnt($status, 0, 'with a broken module the file fails');
like($said, qr/does not take the module/, 'and says so');

SKIP: {
    skip 'this nginx has the module built in', 2
        if ($ENV{PAYER_MODULE} // '') eq 'static';

    ($status, $said) = run_file('static', block(1, ''),
        PAYER_MODULE => 'static');
    isnt($status, 0, 'with an nginx that lacks the module the file fails');
    like($said, qr/unknown directive "payer_zone"/, 'and says so');
}

# A file that does not end is ended, where nobody watches.

open $fh, '>', "$dir/endless.t" or die "open: $!\n";
print $fh "fork; print qq(ok 1\\n) if \$\$ % 2; sleep 60;\n";
close $fh;

{
    local @ENV{qw(CI PAYER_TEST_LIMIT)} = ('true', 1);
    my $began = time;

    $said = `\Q$lib\E/../../tools/prove \Q$dir/endless.t\E 2>&1`;
    isnt($?, 0, 'a file that does not end fails in CI');
    like($said, qr/exited 124/, 'and its end is that of timeout');
    cmp_ok(time - $began, '<', 30, 'after its limit, with what it has started');
}

done_testing();
