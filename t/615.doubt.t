# After a try without a reply no later refusal proves that nothing happened:
# the payment is read, and what it does not show stays unknown for ten minutes.
# A try that was not sent leaves no doubt.

use strict;
use warnings;

use lib 't/lib';
use Payer::Weather;
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

        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /cancel    { payer_cancel;    payer_allow 127.0.0.1; }
        location = /refund    { payer_refund;    payer_allow 127.0.0.1; }
        location = /release   { payer_release;   payer_allow 127.0.0.1; }
        location = /payment   { payer_payment;   payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
EOF

my $refusal = { status => 400, times => 1, body => { message => 'no' } };
my $page = { status => 404, times => 1,
    headers => { 'Content-Type' => 'text/html' },
    body    => "<html><title>404 Not Found</title></html>\n" };

# an order that the buyer has paid

sub paid {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link\n";
    pay($order);
}


# operation('capture', 'k', reference => 1): with a key, or undef

sub operation {
    my ($name, $key, %params) = @_;

    return post("/$name", json => {%params},
                headers => { 'Content-Type' => 'application/json',
                             $key ? ('Idempotency-Key' => $key) : () });
}


sub refused { return { match => $_[0], %$refusal } }

sub page { return { match => $_[0], %$page } }


# how often the simulator did it

sub times_done {
    my ($order, $type) = @_;

    return scalar grep { $_->{operationType} eq $type }
        @{ books($order)->{operations} };
}


sub is_unknown {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->status, 504, $name);
    is($r->json->{type}, 'outcome-unknown', "$name: its type");
    ok(($r->header('Retry-After') // 0) >= 1, "$name: when to ask again");
}

add_block_preprocessor(sub {
    my ($block) = @_;

    clock_is_off(0);
    $block->set_value('config', $shop . ($block->config // ''));
    $block->set_value('request', 'GET /nothing');
    $block->set_value('error_code', 404);
});

run_payer_tests();

__DATA__

=== TEST 1: a capture whose reply was lost and whose resend is refused is read back
--- then
paid('1');
faults('capture: lost-reply', refused('capture'));
my $r = operation('capture', 'k', reference => '1', amount => 2500);
is($r->status, 200, 'it is done');
is($r->json->{payment}{capturedAmount}, 2500, 'as the payment shows');
--- calls
token: 1
create: 1
capture: 2
read: 1
--- books
1: captured=2500



=== TEST 2: a capture whose reply was lost and whose resend gets a foreign page is read back
--- then
paid('1');
faults('capture: lost-reply', page('capture'));
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 200,
   'it is done');
--- books
1: captured=2500



=== TEST 3: a capture in doubt that a read does not show is unknown until it is shown
--- config
payer_tries 2;
--- then
paid('1');
faults('capture: reset', refused('capture'));
my $r = operation('capture', 'k', reference => '1', amount => 2500);
is_unknown($r, 'the outcome is unknown');
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 200,
   'the repeat does it');
--- books
1: captured=2500



=== TEST 4: a capture in doubt that a read does not show is not done after ten minutes
--- then
paid('1');
faults('capture: reset', refused('capture'));
is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
    'the outcome is unknown');

clock_is_off(590);
faults(refused('capture'));
is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
    'nor after nearly ten minutes');

clock_is_off(610);
faults(refused('capture'));
my $r = operation('capture', 'k', reference => '1', amount => 2500);
is($r->status, 400, 'then it was refused');
is($r->json->{message}, 'no', "in Payer's words");
is(operation('capture', 'k', reference => '1', amount => 2500)
   ->header('Idempotency-Replayed'), 'true', 'for good');
--- books
1: captured=0



=== TEST 5: a capture with a 409 that a read does not show yet is unknown
--- then
paid('1');
faults('capture: status=409 times=1', 'capture: status=409 times=1');
for (1 .. 2) {
    is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
        'unknown');
}
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 200,
   'and then done');
--- books
1: captured=2500



=== TEST 6: a capture with a 409 that a read does not show is refused after ten minutes
--- then
paid('1');
faults('capture: status=409 times=1');
is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
    'unknown');
clock_is_off(610);
faults('capture: status=409 times=1');
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 409,
   'refused');
--- books
1: captured=0



=== TEST 7: a refund whose reply was lost is proved by refundedAmount
--- then
paid('1');
operation('capture', 'c', reference => '1');
faults('refund: lost-reply');
is(operation('refund', 'r', reference => '1', amount => 700)->status, 200,
   'done');
is(operation('refund', 'r', reference => '1', amount => 700)
   ->header('Idempotency-Replayed'), 'true', 'and known');
--- books
1: refunded=700



=== TEST 8: a refund that is refused after a lost reply is read back
--- then
paid('1');
operation('capture', 'c', reference => '1');
faults('refund: lost-reply', refused('refund'));
is(operation('refund', 'r', reference => '1', amount => 700)->status, 200,
   'done, as what was refunded shows');

faults('refund: reset', refused('refund'));
is_unknown(operation('refund', 's', reference => '1', amount => 300),
   'one that does not show');
is(operation('refund', 's', reference => '1', amount => 300)->status, 200,
   'and the repeat does it');
--- books
1: refunded=1000



=== TEST 9: a refund in doubt stays unknown if Payer does not report refundedAmount
--- then
paid('1');
operation('capture', 'c', reference => '1');
faults('refund: lost-reply', 'read: edit times=0 drop=["payment.refundedAmount"]');
is_unknown(operation('refund', 'r', reference => '1', amount => 700), 'unknown');
clock_is_off(610);
is_unknown(operation('refund', 'r', reference => '1', amount => 700), 'for good');
--- books
1: refunded=700



=== TEST 10: a release in doubt is read back
--- then
paid('1');
faults('release: lost-reply', refused('release'));
is(operation('release', 'k', reference => '1')->status, 200, 'done');

paid('2');
faults('release: reset', refused('release'));
is_unknown(operation('release', 'k', reference => '2'), 'it does not show');
is(operation('release', 'k', reference => '2')->status, 200, 'the repeat');
--- books
1: released=10000
2: released=10000



=== TEST 11: a cancel in doubt is read back
--- then
get('/checkout?order=1');
faults('cancel: lost-reply', refused('cancel'));
is(operation('cancel', 'k', reference => '1')->status, 200, 'done');
is(books('1')->{status}, 'CANCELLED', 'as Payer says');

get('/checkout?order=2');
faults('cancel: reset', refused('cancel'));
is_unknown(operation('cancel', 'k', reference => '2'), 'the link still lives');
clock_is_off(610);
faults(refused('cancel'));
is_unknown(operation('cancel', 'k', reference => '2'), 'whenever it is asked');
is(operation('cancel', 'k', reference => '2')->status, 200, 'the repeat');

paid('3');
faults('cancel: reset');
is(operation('cancel', 'k', reference => '3')->status, 400,
   'an authorized payment is not cancelled');
--- books
2: status=CANCELLED
3: status=AUTHORIZED



=== TEST 12: a link with an unknown cancel is not presented
--- config
        location = /dearer {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          12000;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }
--- then
my $old = get('/checkout?order=1')->header('Location');
faults('cancel: lost-reply', refused('cancel'));
my $r = get('/dearer?order=1');
is($r->status, 303, 'it is cancelled, and there is a new one');
isnt($r->header('Location'), $old, 'which is presented');
--- books
1: links=2 liveLinks=1



=== TEST 13: a create that is refused after a lost reply is sent with another id
--- then
faults('create: lost-reply', refused('create'));
is(get('/checkout?order=1')->status, 303, 'the buyer has a link');
my %ids = map { $_ => 1 } map { /^payer-request-id: (\S+)/mi } sent('create');
is(scalar keys %ids, 2, 'of another id');



=== TEST 14: a refusal of a repeat is not final if the first call is in doubt
--- config
payer_tries 1;
--- then
paid('1');
faults('capture: lost-reply');
is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
    'the outcome is unknown');
faults(refused('capture'));
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 200,
   'the read shows that it is done');
--- books
1: captured=2500



=== TEST 15: a repeat of an operation in doubt is never reported as not done
--- config
payer_tries 1;
--- then
paid('1');
faults('capture: lost-reply');
is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
    'the outcome is unknown');

for my $fault ('capture: status=401 times=2', 'capture: status=403',
    'capture: status=429', 'capture: status=503')
{
    faults($fault);
    my $r = operation('capture', 'k', reference => '1', amount => 2500);
    is($r->json->{type}, 'outcome-unknown', "$fault: still nobody knows");
    sim('DELETE', 'faults');
}

revoke();
faults('capture: status=401', 'token: status=500');
is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
    'no token');
--- books
1: captured=2500



=== TEST 16: the requestId of the 504 can be used as the key of a repeat
--- config
payer_tries 1;
--- then
paid('1');
faults('capture: lost-reply');
my $r = operation('capture', undef, reference => '1', amount => 2500);
is($r->status, 504, 'the outcome is unknown');
my $id = $r->json->{requestId};
my $again = operation('capture', $id, reference => '1', amount => 2500);
is($again->status, 200, 'the repeat finds it');
is($again->header('Payer-Request-Id'), $id, 'under the same id');
is(operation('capture', $id, reference => '1', amount => 2500)
   ->header('Payer-Request-Id'), $id, 'as a replay does');
--- books
1: captured=2500



=== TEST 17: the requestId of the 504 can be used as the key if the operation had another key
--- config
payer_tries 1;
--- then
paid('1');
faults('capture: lost-reply');
my $r = operation('capture', 'k', reference => '1', amount => 2500);
is($r->status, 504, 'the outcome is unknown');
my $id = $r->json->{requestId};
my $again = operation('capture', $id, reference => '1', amount => 2500);
is($again->status, 200, 'the repeat finds it');
is($again->header('Payer-Request-Id'), $id, 'under the same id');
is(operation('capture', 'k', reference => '1', amount => 2500)
   ->header('Idempotency-Replayed'), 'true', 'which its key knows');
--- books
1: captured=2500



=== TEST 18: a try that did not reach Payer leaves no doubt
--- http_config eval
"upstream dead { server 127.0.0.1:" . Payer::Test::free_port() . "; }"
--- config
        location /_dead/ {
            internal;
            include     $TEST_NGINX_ROOT/conf/payer_api.conf;
            proxy_pass  http://dead/;
        }
        location = /dead/capture {
            payer_capture;
            payer_allow 127.0.0.1;
            payer_api   /_dead;
        }
--- then
paid('1');
my $r = post('/dead/capture', json => { reference => '1', amount => 2500 },
    headers => { 'Content-Type' => 'application/json',
                 'Idempotency-Key' => 'k' });
is($r->status, 502, 'Payer cannot be reached');
is($r->json->{type}, undef, 'and nothing is unknown');

faults(refused('capture'));
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 400,
   'so that a refusal is believed');
is(post('/reconcile')->json->{stillUnknown}, 0, 'nothing is open');



=== TEST 19: a refusal that is a foreign page is not the outcome
--- then
paid('1');
faults(page('capture'));
my $r = operation('capture', 'k', reference => '1', amount => 2500);
is($r->status, 502, 'a bad gateway');
is($r->json->{payerStatus}, 404, 'and what it said');
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 200,
   'the repeat does it');

faults(page('read'));
is(get('/payment?reference=1')->status, 502, 'nor is it what a read says');
--- books
1: captured=2500



=== TEST 20: payer_reconcile does not settle an operation that is not shown before ten minutes
--- config
payer_tries 1;
--- then
paid('1');
faults('capture: reset');
is_unknown(operation('capture', 'k', reference => '1', amount => 2500),
    'the outcome is unknown');
is(post('/reconcile')->json->{stillUnknown}, 1, 'nor does reconcile');
clock_is_off(610);
is(post('/reconcile')->json->{stillUnknown}, 0, 'after ten minutes it does');
is(operation('capture', 'k', reference => '1', amount => 2500)->status, 200,
   'then a repeat does it');
--- books
1: captured=2500



=== TEST 21: payer_reconcile settles a capture that is shown later
--- config
payer_tries 1;
--- then
paid('1');
faults('capture: delay=2 lost-reply');
sim('POST', 'faults', []);
post('/capture', timeout => 1, json => { reference => '1', amount => 2500 },
    headers => { 'Content-Type' => 'application/json',
                 'Idempotency-Key' => 'k' });
post('/reconcile');
ok(wait_until(sub { books('1')->{captured} == 2500 }, 6), 'it is captured');
ok(wait_until(sub {
    post('/reconcile');
    operation('capture', 'k', reference => '1', amount => 2500)
        ->header('Idempotency-Replayed') }, 6), 'and found out');
--- books
1: captured=2500



=== TEST 22: payer_reconcile settles a refund that is done
--- config
payer_tries 1;
--- then
paid('1');
operation('capture', 'c', reference => '1');
faults('refund: lost-reply');
is_unknown(operation('refund', 'r', reference => '1', amount => 700), 'unknown');
is(post('/reconcile')->json->{stillUnknown}, 0, 'reconcile knows');
is(operation('refund', 'r', reference => '1', amount => 700)
   ->header('Idempotency-Replayed'), 'true', 'and so does a repeat');
--- books
1: refunded=700



=== TEST 23: a link that Payer does not know is replaced after 31 days
--- then
my $old = get('/checkout?order=1')->header('Location');
clock_is_off(32 * 86400);
faults('cancel: status=404 body={}', 'read: status=404 body={}');
my $r = get('/checkout?order=1');
is($r->status, 303, 'there is another one');
isnt($r->header('Location'), $old, 'which is new');



=== TEST 24: a 404 that is a foreign page does not prove that a link is unknown
--- then
get('/checkout?order=1');
clock_is_off(32 * 86400);
faults('cancel: status=404 body={}', ::page('read'));
is(get('/checkout?order=1')->status, 502, 'the outcome is unknown');
--- books
1: links=1



=== TEST 25: a payment is not released while the outcome of a capture is unknown
--- config
payer_tries 1;
--- then
paid('1');
faults('capture: lost-reply');
is_unknown(operation('capture', 'c', reference => '1', amount => 2500), 'a capture');
my $r = operation('release', 'r', reference => '1');
is($r->status, 409, 'no release');
is($r->json->{type}, 'outcome-unknown', 'its type');
like($r->json->{detail}, qr/a capture of the payment has no outcome yet/, 'and why');
ok($r->header('Retry-After') >= 1, 'when to ask again');
is(operation('release', undef, reference => '1')->status, 409, 'nor without a key');
is(times_done('1', 'RELEASE'), 0, 'nothing was sent');
is(post('/reconcile')->json->{done}, 1, 'reconcile knows');
is(operation('release', 'r', reference => '1')->status, 200, 'and it is released');
--- books
1: captured=2500 released=7500



=== TEST 26: other payments are released meanwhile
--- config
payer_tries 1;
--- then
paid($_) for 1, 2;
faults('capture: lost-reply');
is_unknown(operation('capture', 'c', reference => '1', amount => 2500), 'a capture');
is(operation('release', 'r', reference => '2')->status, 200, 'a release');



=== TEST 27: a payment is not captured while the outcome of a release is unknown
--- config
payer_tries 1;
--- then
paid('1');
faults('release: reset');
is_unknown(operation('release', 'r', reference => '1'), 'a release');
my $r = operation('capture', 'c', reference => '1', amount => 2500);
is($r->status, 409, 'no capture');
is($r->json->{type}, 'outcome-unknown', 'its type');
like($r->json->{detail}, qr/a release of the payment has no outcome yet/, 'and why');
is(operation('release', 'r', reference => '1')->status, 200, 'the release is repeated');
is(operation('capture', 'c', reference => '1', amount => 2500)->status, 400, 'and Payer decides');
--- books
1: captured=0 released=10000



=== TEST 28: a reply 200 that reports an error does not prove an operation
--- config
payer_tries 1;
--- then
paid('1');
for my $name (qw(capture release)) {
    faults({ match => $name, status => 200, times => 1, body => { error => 'locked' } });
    my $r = operation($name, $name, reference => '1');
    is($r->status, 502, "$name: not done");
    is($r->json->{type}, 'outcome-unknown', "$name: but unknown");
    is(operation($name, $name, reference => '1')->status, 200, "$name: the repeat is") if $name eq 'capture';
}
--- books
1: captured=10000
