# An operation is stored before it is sent, and its outcome before it is
# returned, so that a repeat with the same Idempotency-Key is never executed
# twice.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;

our $shop = <<'EOF';
        location = /checkout {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          10000;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /capture { payer_capture; payer_allow 127.0.0.1; }
        location = /cancel  { payer_cancel;  payer_allow 127.0.0.1; }
        location = /refund  { payer_refund;  payer_allow 127.0.0.1; }
        location = /release { payer_release; payer_allow 127.0.0.1; }
EOF

# an order that the buyer has paid
sub paid {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link\n";
    pay($order);
}

sub capture {
    my ($key, %params) = @_;

    return post('/capture', json => {%params},
                headers => { 'Content-Type' => 'application/json',
                             $key ? ('Idempotency-Key' => $key) : () });
}

run_payer_tests();

__DATA__

=== TEST 1: a repeat with the same key returns the recorded answer without a call
--- config eval: $::shop
--- request
GET /checkout?order=1
--- error_code: 303
--- then
paid(1);
my $one = capture('k1', reference => '1', amount => 4000);
my $two = capture('k1', reference => '1', amount => 4000);
is($one->status, 200, 'the first is done');
is($two->status, 200, 'the second is answered alike');
is($two->body, $one->body, 'with the same body');
is($two->header('Payer-Request-Id'), $one->header('Payer-Request-Id'),
   'and the same request id');
is($two->header('Idempotency-Replayed'), 'true', 'and says that it is old');
is($one->header('Idempotency-Replayed'), undef, 'which the first does not');
--- calls
token: 1
create: 1
capture: 1
--- books
1: captured=4000



=== TEST 2: two different keys are two operations
--- config eval: $::shop
--- request
GET /checkout?order=2
--- error_code: 303
--- then
paid(2);
my $one = capture('a', reference => '2', amount => 4000);
my $two = capture('b', reference => '2', amount => 4000);
is($two->status, 200, 'the second is done, too');
isnt($two->header('Payer-Request-Id'), $one->header('Payer-Request-Id'),
     'under another request id');
--- books
2: captured=8000



=== TEST 3: each request without a key is a new operation
--- config eval: $::shop
--- request
GET /checkout?order=3
--- error_code: 303
--- then
paid(3);
capture(undef, reference => '3', amount => 3000);
capture(undef, reference => '3', amount => 3000);
--- books
3: captured=6000



=== TEST 4: the same key with other parameters is rejected with 422
--- config eval: $::shop
--- request
GET /checkout?order=4
--- error_code: 303
--- then
paid(4);
capture('k', reference => '4', amount => 4000);
my $r = capture('k', reference => '4', amount => 4001);
is($r->status, 422, 'unprocessable');
like($r->json->{detail}, qr/other parameters/, 'and it says why');
is(capture('k', reference => '4', amount => 4000,
           releaseRemainingFunds => JSON::PP::true())->status, 422,
   'also for another flag');
--- calls
token: 1
create: 1
capture: 1
--- books
4: captured=4000



=== TEST 5: a request with a key that is in progress gets 409
--- config eval: $::shop
--- request
GET /checkout?order=5
--- error_code: 303
--- then
paid(5);
faults('capture: delay=0.7');
my @r = together(map { [ POST => '/capture?reference=5&amount=1000',
                         headers => { 'Idempotency-Key' => 'twin' } ] } 1, 2);
is(join(' ', sort map { $_->status } @r), '200 409', 'one of them waits');
my ($busy) = grep { $_->status == 409 } @r;
like($busy->json->{detail}, qr/under way/, 'and it says why');
ok($busy->header('Retry-After'), 'and when to come again');
is(post('/capture?reference=5&amount=1000',
        headers => { 'Idempotency-Key' => 'twin' })->status, 200,
   'later it gets the answer');
--- books
5: captured=1000



=== TEST 6: a capture whose reply was lost is sent again with the same id, and read after a 409
--- config eval: $::shop
--- request
GET /checkout?order=6
--- error_code: 303
--- then
paid(6);
faults('capture: lost-reply');
my $r = capture('k', reference => '6', amount => 2500);
is($r->status, 200, 'done');
is($r->json->{payment}{capturedAmount}, 2500, 'as the payment shows');
my @ids = map { $_->{headers} } journal('capture');
is(scalar @ids, 2, 'sent twice');
--- calls
token: 1
create: 1
capture: 2
read: 1
--- books
6: captured=2500



=== TEST 7: an operation without a reply is unknown, and a repeat settles it
--- config eval
$::shop . "payer_tries 1;"
--- request
GET /checkout?order=7
--- error_code: 303
--- then
paid(7);
faults('capture: lost-reply');
my $r = capture('k', reference => '7', amount => 2500);
is($r->status, 504, 'the outcome is unknown');
is($r->json->{type}, 'outcome-unknown', 'which is its type');
is($r->json->{requestId}, $r->header('Payer-Request-Id'), 'with its id');
my $again = capture('k', reference => '7', amount => 2500);
is($again->status, 200, 'the repeat tells that it was done');
is($again->header('Payer-Request-Id'), $r->header('Payer-Request-Id'),
   'under the same id');
is(capture('k', reference => '7', amount => 2500)
   ->header('Idempotency-Replayed'), 'true', 'and from then on it is recorded');
--- calls
token: 1
create: 1
capture: 2
read: 1
--- books
7: captured=2500



=== TEST 8: an operation that did not reach Payer is executed by a repeat
--- config eval
$::shop . "payer_tries 1;"
--- request
GET /checkout?order=8
--- error_code: 303
--- then
paid(8);
faults('capture: status=401 times=2');
my $r = capture('k', reference => '8', amount => 2500);
is($r->status, 502, 'our credentials are no business of the caller');
is($r->json->{payerStatus}, 401, 'but it says what happened');
is(capture('k', reference => '8', amount => 2500)->status, 200, 'then done');
--- books
8: captured=2500



=== TEST 9: a refusal is recorded and returned to a repeat
--- config eval: $::shop
--- request
GET /checkout?order=9
--- error_code: 303
--- then
my $one = capture('k', reference => '9', amount => 2500);
my $two = capture('k', reference => '9', amount => 2500);
is($one->status, 400, 'not authorized yet');
is($two->status, 400, 'and again');
is($two->body, $one->body, 'with the same words');
--- calls
token: 1
create: 1
capture: 1



=== TEST 10: an Idempotency-Key that is not printable or too long is rejected
--- config eval: $::shop
--- request
GET /checkout?order=10
--- error_code: 303
--- then
is(capture('x' x 256, reference => '10')->status, 400, 'too long');
is(capture("\xc3\xa5", reference => '10')->status, 400, 'not ASCII');
is(capture('x' x 255, reference => '10')->status, 400, 'and 255 go to Payer');
--- calls
token: 1
create: 1
capture: 1



=== TEST 11: the same key is independent for different operations and payments
--- config eval: $::shop
--- request
GET /checkout?order=11
--- error_code: 303
--- then
paid(11);
paid(12);
my $one = capture('k', reference => '11', amount => 5000);
my $two = capture('k', reference => '12', amount => 5000);
my $three = post('/refund?reference=11&amount=1000',
                 headers => { 'Idempotency-Key' => 'k' });
is(join(' ', map { $_->status } $one, $two, $three), '200 200 200', 'all done');
my %ids = map { $_->header('Payer-Request-Id') => 1 } $one, $two, $three;
is(scalar keys %ids, 3, 'under three ids');
--- books
11: captured=5000 refunded=1000
12: captured=5000



=== TEST 12: a capture without an amount captures the whole amount once
--- config eval: $::shop
--- request
GET /checkout?order=13
--- error_code: 303
--- then
paid(13);
faults('capture: lost-reply');
is(capture('all', reference => '13')->status, 200, 'read back');
is(capture('all', reference => '13')->status, 200, 'replayed');
--- books
13: captured=10000



=== TEST 13: a cancel whose reply was lost is read back as cancelled
--- config eval: $::shop
--- request
GET /checkout?order=14
--- error_code: 303
--- then
faults('cancel: lost-reply');
my $r = request('PUT', '/cancel?reference=14');
is($r->status, 200, 'done');
is($r->json->{payment}{status}, 'CANCELLED', 'as the payment shows');
--- calls
token: 1
create: 1
cancel: 2
read: 1
--- books
14: status=CANCELLED



=== TEST 14: a refund whose reply was lost stays unknown if no read shows it
--- config eval: $::shop
--- request
GET /checkout?order=15
--- error_code: 303
--- then
paid(15);
capture('c', reference => '15');
faults('refund: lost-reply',
    'read: edit times=0 drop=["payment.refundedAmount"]');
my $r = post('/refund?reference=15&amount=700',
             headers => { 'Idempotency-Key' => 'r' });
is($r->status, 504, 'this read does not show refunds');
is($r->json->{type}, 'outcome-unknown', 'so it stays unknown');
is(post('/refund?reference=15&amount=700',
        headers => { 'Idempotency-Key' => 'r' })->status, 504, 'for good');
--- books
15: refunded=700



=== TEST 15: a 200 reply that is not JSON is an unknown outcome
--- config eval: $::shop
--- request
GET /checkout?order=16
--- error_code: 303
--- then
paid(16);
faults('capture: garbage');
my $r = capture('g', reference => '16', amount => 100);
is($r->status, 502, 'a bad gateway');
is($r->json->{type}, 'outcome-unknown', 'and unknown');
like(error_log_text(), qr/the reply to "capture" is not UTF-8/,
     'and the log says why');
--- books
16: captured=0



=== TEST 16: after a lost reply a refusal of the next try leaves the outcome unknown
--- config eval: $::shop
--- request
GET /checkout?order=17
--- error_code: 303
--- then
paid(17);

for my $fault ('status=429 times=0', 'status=403', 'reset times=0') {
    faults('capture: lost-reply', "capture: $fault");
    my $r = capture(undef, reference => '17', amount => 100);
    is($r->status, 504, "lost, then $fault: nobody knows");
    is($r->json->{type}, 'outcome-unknown', 'and no outcome is guessed');
    sim('DELETE', 'faults');
}

faults('capture: lost-reply', 'capture: status=401', 'token: status=500');
my $r = capture(undef, reference => '17', amount => 100);
is($r->status, 504, 'lost, then no token: unknown');
is($r->json->{type}, 'outcome-unknown', 'and no outcome is guessed');
--- books
17: captured=400



=== TEST 17: a 200 reply that is a foreign page is an unknown outcome of cancel and release
--- config eval: $::shop
--- request
GET /checkout?order=18
--- error_code: 303
--- then
my @pages = (
    { body => "\n<html>Please log in</html>" },
    { octets => '{"message": "cut' },
    { octets => "{\"a\": \"\xff\"}" },
);

for my $page (@pages) {
    faults({ match => 'cancel', status => 200, %$page });
    my $r = request('PUT', '/cancel', json => { reference => '18' });
    is($r->status, 502, 'a bad gateway');
    is($r->json->{type}, 'outcome-unknown', 'and unknown');
}

like(error_log_text(), qr/the reply to "cancel" is HTML/,
     'and the log says why');

for my $page ({ body => '' }, { body => " \r\n" }, { body => 'OK' },
    { body => { a => 1 } }, { octets => '[]' })
{
    faults({ match => 'cancel', status => 200, %$page });
    is(request('PUT', '/cancel', json => { reference => '18' })->status, 200,
       'what Payer may well have written');
}
--- books
18: liveLinks=1



=== TEST 18: a repeat by reference applies to the payment of the first use of its key
--- config eval: $::shop
--- request
GET /checkout?order=19
--- error_code: 303
--- then
my %again = (json => { reference => '19' },
    headers => { 'Idempotency-Key' => 'cancel-19' });

my $r = request('PUT', '/cancel', %again);
is($r->status, 200, 'the link is cancelled');
my $first = $r->header('Payer-Payment-Id');

is(get('/checkout?order=19')->status, 303, 'the order is sold again');
my $second = payment('19');
isnt($second, $first, 'by another payment');

$r = request('PUT', '/cancel', %again);
is($r->status, 200, 'the repeat is answered');
is($r->header('Payer-Payment-Id'), $first, 'for the first payment');
is(calls()->{cancel}, 1, 'and not sent');

paid(19);
is(capture('capture-19', reference => '19')->status, 200, 'captured');
my $refund = sub {
    return request('POST', '/refund', json => { reference => '19' },
        headers => { 'Idempotency-Key' => 'refund-19' });
};
is($refund->()->status, 200, 'given back');
is(get('/checkout?order=19')->status, 303, 'sold for the third time');
paid(19);
is(capture('capture-19-again', reference => '19')->status, 200, 'captured');
is($refund->()->status, 200, 'the repeat of the refund');
is(calls()->{refund}, 1, 'gives nothing back of the new sale');



=== TEST 19: a paymentId given with the reference selects the payment
--- config eval: $::shop
--- request
GET /checkout?order=20
--- error_code: 303
--- then
my $named = sub {
    my ($payment) = @_;

    return request('PUT', '/cancel',
        json => { reference => '20', paymentId => $payment },
        headers => { 'Idempotency-Key' => 'cancel-20' });
};

my $first = payment('20');
is(request('PUT', '/cancel', json => { reference => '20' },
           headers => { 'Idempotency-Key' => 'cancel-20' })->status, 200,
   'the link is cancelled by the number alone');

is(get('/checkout?order=20')->status, 303, 'the order is sold again');
my $second = payment('20');
isnt($second, $first, 'by another payment');

my $r = $named->($second);
is($r->status, 200, 'the second payment is cancelled');
is($r->header('Payer-Payment-Id'), $second, 'as its id says');
is(calls()->{cancel}, 2, 'by a call of its own');



=== TEST 20: a key that was used with a paymentId is not bound to the reference
--- config eval: $::shop
--- request
GET /checkout?order=21
--- error_code: 303
--- then
my %key = (headers => { 'Idempotency-Key' => 'cancel-21' });

is(request('PUT', '/cancel', %key,
           json => { reference => '21', paymentId => payment('21') })->status,
   200, 'the link is cancelled by both');

is(get('/checkout?order=21')->status, 303, 'the order is sold again');
my $second = payment('21');

my $r = request('PUT', '/cancel', %key, json => { reference => '21' });
is($r->status, 200, 'the number alone');
is($r->header('Payer-Payment-Id'), $second, 'is the payment of now');
