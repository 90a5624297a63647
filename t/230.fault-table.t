# Faults of peers: each call that the module makes is tested with each fault.
# The results are printed as a table, and compared with the rules in
# Payer::Faults.

use lib 't/lib';
use Payer::Test;
use Payer::FaultTable;
use Payer::Faults;

our @cells = cells([ rows() ], [ columns() ]);
our @few   = cells(['no fault'], [ columns() ]);

# Compares, and says of each cell in what it is not as expected.
sub compared {
    my (@cells) = @_;
    my @wrong = map {
        my $cell = $_;
        my @texts = differences(@$cell{qw(expected seen)});
        @texts ? join('; ', "$cell->{row}, $cell->{call}: $texts[0]",
            @texts[ 1 .. $#texts ]) : ();
    } @cells;

    return @wrong;
}

workers(2);
master_on();

run_payer_tests();

__DATA__

=== TEST 1: each call handles each fault as the table in docs/answers.md says
--- bare
--- http_config eval: ::wide_http()
--- config eval: ::payer_server() . ::locations(@::cells)
--- request
GET /nothing
--- error_code: 404
--- after
run_cells(@::cells);

my @wrong = compared(@::cells);
my ($right, $all) = (@::cells - @wrong, scalar @::cells);

diag(join "\n", '', table(@::cells), "$right of $all cells as expected",
    @wrong);
is($right, $all, 'all cells are as expected');



=== TEST 2: a wrong entry in the table of faults is detected
--- bare
--- http_config eval: ::wide_http()
--- config eval: ::payer_server() . ::locations(@::few)
--- request
GET /nothing
--- error_code: 404
--- after
run_cells(@::few);
is(scalar(compared(@::few)), 0, 'the rules are right');

for my $cell (@::few) {
    my $rule = $cell->{expected};

    for my $part (sort keys %$rule) {
        local $rule->{$part} = "not $rule->{$part}";

        my @found = differences($rule, $cell->{seen});
        ok(@found == 1 && $found[0] =~ /^$part is/,
            "$cell->{call}: a wrong $part");
    }

    local $cell->{expected} = expected('reset before', $cell->{call});
    ok(compared($cell), "$cell->{call}: the rule of another fault");
}



=== TEST 3: a violated invariant is detected
--- bare
--- http_config eval: ::wide_http()
--- config eval: ::payer_server() . ::locations(@::few)
--- request
GET /nothing
--- error_code: 404
--- after
run_cells(@::few);

my %cell = map { $_->{call} => $_ } @::few;
my $spoilt = sub {
    my ($call, %change) = @_;
    return join '; ', never({ %{ $cell{$call} }, %change });
};

is($spoilt->('create'), '', 'a good answer is not complained of');
like($spoilt->('create', links => ['http://127.0.0.1/another']),
    qr/not a link of the order/, 'a link that Payer did not give');

# as if what the answer has in it were the token
my ($told) = $cell{read}{first}->body =~ /"id":"([^"]+)"/;
my %call = (method => 'GET', call => 'read',
    headers => [ [ Authorization => "Bearer $told" ] ]);
like($spoilt->('read', 'second calls' => [\%call]),
    qr/a secret in the answer/, 'a secret in an answer');

my ($capture) = grep { $_->{call} eq 'capture' }
    @{ $cell{capture}{'first calls'} };
my $other = { %$capture, headers => [ [ 'Payer-Request-ID' => 'another' ] ] };
like($spoilt->('capture', 'second calls' => [$other]),
    qr/capture was sent as several requests/, 'a second capture');

my $answer = sub {
    my ($status, $type, $body) = @_;
    return bless { status => $status, body => $body, raw => $body,
        headers => [ [ 'Content-Type' => $type ] ] }, 'Payer::HTTP::Response';
};
my $problem = 'application/problem+json';

like($spoilt->('capture', first => $answer->(504, $problem,
        '{"type": "outcome-unknown", "status": 504, "title": "a", '
            . '"detail": "b", "operation": "capture", "requestId": "c"}')),
    qr/without the id of its request/, 'an unknown outcome of no request');
like($spoilt->('capture', first => $answer->(502, $problem,
        '{"status": 200, "title": "a"}')),
    qr/another status; a problem without title/, 'a problem that says little');
like($spoilt->('capture', first => $answer->(404, 'text/html', 'Not here')),
    qr/neither a problem nor what Payer says/, "a page of nginx's own");
