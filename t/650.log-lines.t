# What an operator reads in the error log: which order a line is about, at a
# level that is shown without further settings.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

my $uuid = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

# the lines that match, of which each names all of what is given

sub lines { grep { /$_[0]/ } split /\n/, error_log_text() }

sub is_named {
    my ($pattern, %name) = @_;

    my @lines = lines($pattern);

    is(scalar(@lines), 1, "one line: $pattern") or diag(error_log_text());
    return if @lines != 1;

    for (qw(order payment)) {
        like($lines[0], qr/, $_: "\Q$name{$_}\E"/, "names the $_")
            if defined $name{$_};
    }

    like($lines[0], qr/, Payer-Request-ID: "$uuid"/, 'names the call')
        if $name{call};
    unlike($lines[0], qr/ while /, 'and nothing else that nginx did');
}

sub paid {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link\n";
    pay($order);
    return payment($order);
}

run_payer_tests();

__DATA__

=== TEST 1: a capture that Payer refuses is logged with its order, whatever the URL was
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('6021');
is(post('/capture', json => { reference => '6021', amount => 99_999_999 })->status, 400, 'refused');
is_named(qr/\[error\].* payer: "capture" was refused with status 400: "[^"]+"/,
    order => '6021', payment => $id, call => 1);



=== TEST 2: a refund that Payer refuses, asked for by its payment id
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('6022');
is(post('/refund', json => { paymentId => $id, amount => 100 })->status, 400, 'refused');
is_named(qr/\[error\].* payer: "refund" was refused with status 400: "[^"]+"/,
    order => '6022', payment => $id, call => 1);



=== TEST 3: an operation whose outcome nobody knows says so, and which
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('6023');
faults('capture: lost-reply times=0');
is(post('/capture', json => { reference => '6023' })->status, 504, 'unknown');
is_named(qr/\[error\].* payer: the outcome of "capture" is unknown: /,
    order => '6023', payment => $id, call => 1);



=== TEST 4: a checkout that Payer refuses names the order that it is about
--- config perl: checkout()
--- request
GET /
--- then
faults('create: status=400');
is(get('/checkout?order=6024')->status, 502, 'refused');
is_named(qr/\[error\].* payer: "create" was refused with status 400: /,
    order => '6024', call => 1);



=== TEST 5: a call that is repeated names the order in each line
--- config perl: checkout()
--- request
GET /
--- then
faults('create: status=503 times=1');
is(get('/checkout?order=6025')->status, 303, 'a link');
is_named(qr/\[warn\].* payer: "create" failed: Payer had an error, status 503, try 1 of 3/,
    order => '6025', call => 1);



=== TEST 6: a message of Payer's does not make a line of its own
--- config perl: checkout()
--- request
GET /
--- then
faults({ match => 'create', action => 'reply', status => 400,
    body => '{"message":"one\ntwo\u0001three"}' });
is(get('/checkout?order=6026')->status, 502, 'refused');
is_named(qr/"create" was refused with status 400: "one two three"/, order => '6026');
