# The lines of docs/events.md with which a shop verifies a notification accept
# those of nginx, and nothing else.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Docs;
use Payer::Shop;
use Payer::Notify;

use Digest::SHA qw(hmac_sha256_hex);

our $key = 'a key of the shop that is long enough';
our $old = 'the key that the shop had before it';

our %example = examples('docs/events.md');

my $json = JSON::PP->new->utf8->canonical;


# Each program says 1 or 0 of headers, as its own language has them.

sub php {
    my ($head, $secret) = @_;

    my %server = map { 'HTTP_' . (uc($_) =~ tr/-/_/r) => $head->{$_} } keys %$head;
    my $file = write_file('verify.php', $example{'verify-php'} . '
$_SERVER = array_merge($_SERVER, json_decode(stream_get_contents(STDIN), true));
echo payer_verified($argv[1]) ? 1 : 0;
');

    return _said($json->encode(\%server), 'php', $file, $secret);
}


sub node {
    my ($head, $secret) = @_;

    my $file = write_file('verify.js', $example{'verify-node'} . '
const headers = JSON.parse(require("fs").readFileSync(0));
process.stdout.write(payerVerified(headers, process.argv[2]) ? "1" : "0");
');

    return _said($json->encode($head), 'node', $file, $secret);
}


sub _said {
    my ($input, @command) = @_;

    my $file = write_file('verify.json', $input);
    open my $in, '<', $file or die "$file: $!\n";
    open my $stdin, '<&', \*STDIN or die "dup: $!\n";
    open STDIN, '<&', $in or die "dup: $!\n";
    open my $out, '-|', @command or die "$command[0]: $!\n";
    my $said = do { local $/; <$out> };
    close $out;
    open STDIN, '<&', $stdin or die "dup: $!\n";

    return $said;
}


sub keys_of {
    write_file('notify.key', "$key\n");
    write_file('old.key',    "$old\n");

    return join '', map { 'payer_notify_key_file ' . work_dir() . "/$_.key;" } @_;
}


sub notified {
    order('1001');
    pay('1001');
    thanks('1001');

    return (told_of(1))[0]{head};
}

# The header of the same notification, well signed, so many seconds ago.

sub signed_ago {
    my ($head, $seconds) = @_;

    my $t = time - $seconds;
    my $message = join "\n", $t, map { $head->{"x-payer-$_"} }
        qw(notify-id notify-type reference payment-id status amount currency);

    return { %$head, 'payer-signature' => "t=$t,v1="
        . hmac_sha256_hex($message, $key) };
}

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: the documented lines accept a signed notification, and reject what was changed, is old, or has another key
--- config eval: ::telling(::keys_of('notify'))
--- after
my $head = notified();

for my $program (qw(php node)) {
    my $verified = \&$program;

    is($verified->($head, $::key), 1, "$program: accepted");
    is($verified->($head, "$::key."), 0, "$program: not with another key");

    for my $name (grep { /^x-payer-(?!notify-attempt)/ } sort keys %$head) {
        is($verified->({ %$head, $name => "$head->{$name}1" }, $::key), 0, "$program: not with another $name");
    }

    my $earlier = time - 1000;
    is($verified->({ %$head, 'payer-signature' => $head->{'payer-signature'} =~ s/t=\d+/t=$earlier/r }, $::key), 0, "$program: not with another time");
    is($verified->(signed_ago($head, 10), $::key), 1, "$program: a moment ago");
    is($verified->(signed_ago($head, 1000), $::key), 0, "$program: not if it is old");
    is($verified->({ %$head, 'payer-signature' => '' }, $::key), 0, "$program: not without a signature");
    is($verified->({ %$head, 'payer-signature' => 't=,v1=' }, $::key), 0, "$program: not with an empty one");
}



=== TEST 2: while a key is changed, the documented lines accept both
--- config eval: ::telling(::keys_of('notify', 'old'))
--- after
my $head = notified();

for my $program (qw(php node)) {
    my $verified = \&$program;

    is($verified->($head, $::key), 1, "$program: the new key");
    is($verified->($head, $::old), 1, "$program: the old one");
    is($verified->($head, 'a third one that nobody has'), 0, "$program: no other");
}
