# Messages in the error log: each names its order, at a level that is logged by
# default.

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

=== TEST 1: a refused capture is logged with its order, independent of the URL
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('6021');
is(post('/capture', json => { reference => '6021', amount => 99_999_999 })->status, 400, 'refused');
is_named(qr/\[error\].* payer: "capture" was refused with status 400: "[^"]+"/,
    order => '6021', payment => $id, call => 1);



=== TEST 2: a refused refund by paymentId is logged with its order
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('6022');
is(post('/refund', json => { paymentId => $id, amount => 100 })->status, 400, 'refused');
is_named(qr/\[error\].* payer: "refund" was refused with status 400: "[^"]+"/,
    order => '6022', payment => $id, call => 1);



=== TEST 3: an unknown outcome is logged with its order
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('6023');
faults('capture: lost-reply times=0');
is(post('/capture', json => { reference => '6023' })->status, 504, 'unknown');
is_named(qr/\[error\].* payer: the outcome of "capture" is unknown: /,
    order => '6023', payment => $id, call => 1);



=== TEST 4: a refused create is logged with its order
--- config perl: checkout()
--- request
GET /
--- then
faults('create: status=400');
is(get('/checkout?order=6024')->status, 502, 'refused');
is_named(qr/\[error\].* payer: "create" was refused with status 400: /,
    order => '6024', call => 1);



=== TEST 5: each try of a call is logged with its order
--- config perl: checkout()
--- request
GET /
--- then
faults('create: status=503 times=1');
is(get('/checkout?order=6025')->status, 303, 'a link');
is_named(qr/\[warn\].* payer: "create" failed: Payer had an error, status 503, try 1 of 3/,
    order => '6025', call => 1);



=== TEST 6: line breaks in Payer's message do not begin a log line
--- config perl: checkout()
--- request
GET /
--- then
faults({ match => 'create', action => 'reply', status => 400,
    body => '{"message":"one\ntwo\u0001three"}' });
is(get('/checkout?order=6026')->status, 502, 'refused');
is_named(qr/"create" was refused with status 400: "one two three"/, order => '6026');



=== TEST 7: a 404 to the cancel of a replaced link is logged with payer_path cancel
--- config perl
checkout() . checkout('= /dearer', payer_amount => 20000, payer_path => 'cancel "/api/v2/payments/{paymentId}/cards/void"')
--- request
GET /
--- then
is(get('/checkout?order=6027')->status, 303, 'a link');
my $id = payment('6027');
is(get('/dearer?order=6027')->status, 503, 'it cannot be replaced');
is_named(qr/\[error\].* payer: the link is not cancelled: Payer answered 404, but the payment is still "INITIATED"; check "payer_path cancel"/,
    order => '6027', payment => $id);
is_named(qr{\[error\].* payer: "/api/v2/payments/\Q$id\E/cards/void" may not be a path of Payer's API: check "payer_path cancel"},
    order => '6027', payment => $id, call => 1);



=== TEST 8: a 400 to the cancel of a usable link is logged with payer_path cancel
--- config perl
checkout() . checkout('= /dearer', payer_amount => 20000)
--- request
GET /
--- then
is(get('/checkout?order=6028')->status, 303, 'a link');
faults('cancel: status=400 times=0');
is(get('/dearer?order=6028')->status, 503, 'it cannot be replaced');
is_named(qr/\[warn\].* payer: the request was answered with 503: the old link of the order is still in use/,
    order => '6028', payment => payment('6028'));
is_named(qr/\[error\].* payer: the link is not cancelled: Payer answered 400, .*; check "payer_path cancel"/,
    order => '6028', payment => payment('6028'));



=== TEST 9: a refused cancel of a paid link is not logged as an error
--- config perl
checkout() . checkout('= /dearer', payer_amount => 20000)
--- request
GET /
--- then
is(get('/checkout?order=6029')->status, 303, 'a link');
pay('6029');
isnt(get('/dearer?order=6029')->status, 500, 'no other link');
unlike(error_log_text(), qr/\[error\].* payer: .*cancel/, 'nobody has to do anything');



=== TEST 10: a cancel by the back office with a wrong path is logged with payer_path cancel
--- config perl
checkout() . operations(payer_path => 'cancel "/api/v2/payments/{paymentId}/cards/void"')
--- request
GET /
--- then
is(get('/checkout?order=6030')->status, 303, 'a link');
post('/cancel', json => { reference => '6030' });
is_named(qr{\[error\].* payer: "/api/v2/.*/cards/void" may not be a path of Payer's API: check "payer_path cancel"},
    order => '6030', payment => payment('6030'), call => 1);



=== TEST 11: the reason of each 402 is logged at the info level
--- config perl
checkout() . operations() . 'location = /thanks { payer_verify $arg_order; empty_gif; }'
--- request
GET /
--- then
is(get('/thanks?order=none')->status, 402, 'not known');
is_named(qr/\[info\].* payer: not paid: the order is not known here/, order => 'none');

is(get('/thanks')->status, 402, 'none');
is_named(qr/\[info\].* payer: not paid: the request does not name an order/);

get('/checkout?order=6032');
is(get('/thanks?order=6032')->status, 402, 'not paid');
is_named(qr/\[info\].* payer: not paid: the order is initiated here, and was "INITIATED" at Payer when it was last read/,
    order => '6032', payment => payment('6032'));

is(post('/cancel', json => { reference => '6032' })->status, 200, 'cancelled');
is(get('/thanks?order=6032')->status, 402, 'cancelled');
is_named(qr/\[info\].* payer: not paid: the order is cancelled here/,
    order => '6032', payment => payment('6032'));



=== TEST 12: a cancelled order that is authorized at Payer is logged at the error level
--- config perl
checkout() . operations()
--- request
GET /
--- then
is(get('/checkout?order=6033')->status, 303, 'a link');
pay('6033', card => '3ds', threeds => 'start');
is(post('/cancel', json => { reference => '6033' })->status, 200, 'cancelled');
pay('6033', card => '3ds', threeds => 'approve');
is(get('/payment?reference=6033')->status, 200, 'read');
is_named(qr/\[error\].* payer: the order is cancelled here, but "AUTHORIZED" at Payer/,
    order => '6033', payment => payment('6033'));



=== TEST 13: an unknown status is logged with its order
--- config perl
checkout() . checkout('= /dearer', payer_amount => 20000)
--- request
GET /
--- then
is(get('/checkout?order=6034')->status, 303, 'a link');
faults('cancel: status=400 times=0',
    { match => 'read', action => 'edit', set => { 'payment.status' => 'SEALED' }, times => 0 });
is(get('/dearer?order=6034')->status, 503, 'it cannot be replaced');
is_named(qr/\[error\].* payer: the reply to "read" has a status that is not known here, payment status "SEALED"/,
    order => '6034', payment => payment('6034'));
