# A read of a payment is applied in one way for all handlers: only if it is
# about this payment, this order and its currency.  An automatic capture is
# sent only if the record, as it is stored now, proves the payment.

use strict;
use warnings;

use lib 't/lib';
use Payer::Weather;
use Payer::Test;
use Payer::Gate;

our $office = <<'EOF';
        payer_tries 1;

        location = /payment   { payer_payment;   payer_allow 127.0.0.1; }
        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /refund    { payer_refund;    payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
EOF

our $auto = "payer_auto_capture on;\n" . $office;

# a read that says something else

sub edited {
    my (%set) = @_;

    sim('DELETE', 'faults');
    faults({ match => 'read', action => 'edit', times => 0,
        set => { map { ("payment.$_" => $set{$_}) } keys %set } });
}


# runs the code while Payer takes its time for a request, and gives the answer
# to that request

sub meanwhile {
    my ($request, $call, $code) = @_;

    my $before = calls()->{$call} // 0;
    my $child = open(my $out, '-|') // die "fork: $!\n";

    if ($child == 0) {
        print request(@$request)->status, "\n";
        close STDOUT;
        POSIX::_exit(0);
    }

    wait_until(sub { (calls()->{$call} // 0) > $before }, 5)
        or die "no call $call\n";
    $code->();

    my $status = <$out>;
    close $out;
    chomp $status;

    return $status;
}

# the Payer-Request-ID of each request of this call

sub request_ids {
    my ($call) = @_;

    return map { /^Payer-Request-ID: (\S+)/im } sent($call);
}

workers(2);
master_on();

add_block_preprocessor(sub { clock_is_off(0) });

shop();
run_payer_tests();

__DATA__

=== TEST 1: a cancelled order is not captured by a read that began before the cancel
--- config eval: $::auto
--- then
order('1');
sim('POST', 'pay', { reference => '1', threeds => 'start', card => '3ds' });

# the copy that reconcile has found is older than the cancel
faults({ match => 'read', action => 'edit', delay_after => 1,
    set => { 'payment.status' => 'AUTHORIZED',
        'payment.authorizedAmount' => 12900 } });
meanwhile([ POST => '/reconcile' ], 'read', sub { cancel('1') });
is(calls()->{capture} // 0, 0, 'nothing is captured');



=== TEST 2: an authorization of less than the order is not captured automatically
--- config eval: $::auto
--- then
order('1');
pay('1');
edited(authorizedAmount => 5);
post('/reconcile') for 1 .. 2;
get('/payment?reference=1');
is_refused(thanks('1'), 402, 'it is not paid');
is(calls()->{capture} // 0, 0, 'nor captured');
--- books
1: captured=0



=== TEST 3: a reply about another payment does not change the order
--- config eval: $::office
--- then
order('1');
edited(id => 'another', status => 'AUTHORIZED', authorizedAmount => 12900);
is(get('/payment?reference=1')->status, 502, 'the back office gets no such reply');
is(get('/payment?paymentId=' . payment('1'))->status, 502, 'by its id neither');
post('/reconcile');
sim('DELETE', 'faults');
faults('read: close times=0');
isnt(get('/buy?order=1&amount=12900&currency=SEK')->header('Location'),
    'http://localhost/thanks?order=1', 'the buyer is not thanked');
unlike(get('/buy?order=1&amount=12900&currency=SEK')->header('Location'),
    qr/thanks/, 'but may pay');
is_refused(thanks('1'), 503, 'nothing is known');
like(error_log_text(), qr/does not name the requested payment/,
    'which is logged');



=== TEST 4: a reply with another order or currency does not change the order
--- config eval: $::office
--- then
order('1');

for my $other ({ externalPaymentReference => '2' }, { currencyCode => 'JPY' })
{
    edited(%$other, status => 'AUTHORIZED', authorizedAmount => 12900);
    get('/payment?reference=1');
    is(post('/reconcile')->json->{stillUnknown}, 1, 'reconcile says so');
    unlike(get('/buy?order=1&amount=12900&currency=SEK')->header('Location'),
        qr/thanks/, 'the buyer may pay');
}



=== TEST 5: a reply about another cancelled payment does not cancel the link
--- config eval: $::office
--- then
order('1');
faults('cancel: status=409');
faults({ match => 'read', action => 'edit', set => {
    'payment.id' => 'another', 'payment.status' => 'CANCELLED' } });
isnt(get('/buy?order=1&amount=9900&currency=SEK')->status, 303, 'no other link');
sim('DELETE', 'faults');

faults('cancel: status=409');
faults({ match => 'read', action => 'edit', set => {
    'payment.externalPaymentReference' => 'another',
    'payment.status' => 'CANCELLED' } });
isnt(get('/buy?order=1&amount=9900&currency=SEK')->status, 303, 'nor here');
--- books
1: links=1 liveLinks=1



=== TEST 6: a reply with a truncated reference, or one in another case, gets 503
--- config eval: $::office
--- then
paid('Order-1');

for my $shape (qw(ORDER-1 Order- order-1)) {
    edited(externalPaymentReference => $shape);
    is_refused(thanks('Order-1'), 503, $shape);
}

like(error_log_text(), qr/names the order in another form/, 'it is logged');
edited(externalPaymentReference => 'Order-12');
is_refused(thanks('Order-1'), 402, 'another order is another order');



=== TEST 7: a read of an operation in doubt does not use a reply about another payment
--- config eval: $::office
--- then
paid('1');
faults('capture: status=409');
edited(id => 'another', status => 'FULLY_CAPTURED', capturedAmount => 12900);
faults('capture: status=409');
my $r = post('/capture?reference=1', headers => { 'Idempotency-Key' => 'k' });
is($r->status, 504, 'it is unknown');
sim('DELETE', 'faults');
is(post('/capture?reference=1', headers => { 'Idempotency-Key' => 'k' })
   ->status, 200, 'and then done');
--- books
1: captured=12900



=== TEST 8: a slow payer_reconcile does not delete an operation that a repeat has settled
--- config eval: $::office
--- then
paid('1');
faults('capture: reset');
my @capture = ('/capture?reference=1&amount=2500',
    headers => { 'Idempotency-Key' => 'k' });
is(post(@capture)->status, 504, 'the outcome is unknown');

# by now a read that does not show it counts
clock_is_off(610);
faults('read: delay_after=1');
meanwhile([ POST => '/reconcile' ], 'read', sub {
    is(post(@capture)->status, 200, 'the repeat captures');
});
is(post(@capture)->header('Idempotency-Replayed'), 'true', 'and is known');
--- books
1: captured=2500



=== TEST 9: an automatic capture is tried again after a foreign page, not after a refusal of Payer
--- config eval: $::auto
--- then
paid('1');
faults({ match => 'capture', status => 404, body => "<html>not here</html>\n",
    headers => { 'Content-Type' => 'text/html' } });
is_thanked(thanks('1'), 'thanked');
is(books('1')->{captured}, 0, 'nothing is captured');
post('/reconcile');
is(books('1')->{captured}, 12900, 'it is tried again');

paid('2');
faults('capture: status=400 body={"message":"no"}');
is_thanked(thanks('2'), 'thanked');
post('/reconcile');
is(books('2')->{captured}, 0, "Payer's word is final");



=== TEST 10: an automatic capture is tried again after a lost reply and a refusal
--- config eval: $::auto
--- then
paid('1');
faults('capture: reset', 'capture: status=400 body={"message":"no"}');
is_thanked(thanks('1'), 'thanked');
is_thanked(thanks('1'), 'and again');
is(books('1')->{captured}, 0, 'nothing is captured');
post('/reconcile');
is(books('1')->{captured}, 12900, 'it is tried again');



=== TEST 11: an automatic capture that was not done is sent with another id
--- config eval: $::auto
--- then
paid('1');
faults('capture: status=500');
is_thanked(thanks('1'), 'thanked');
is(books('1')->{captured}, 0, 'it is not known whether it was captured');

faults('capture: status=409 times=0 body={"message":"handled"}');
is_thanked(thanks('1'), 'and again');
clock_is_off(610);
is_thanked(thanks('1'), 'after ten minutes nothing shows');
sim('DELETE', 'faults');

is_thanked(thanks('1'), 'so the next visit tries anew');
is(books('1')->{captured}, 12900, 'and it is captured');

my @ids = request_ids('capture');
is($ids[0], $ids[-2], 'in doubt it was the same request');
isnt($ids[-1], $ids[0], 'and then another one');



=== TEST 12: an automatic capture that payer_reconcile found not done is sent with another id
--- config eval: $::auto
--- then
paid('1');
faults('capture: status=500');
is_thanked(thanks('1'), 'thanked');
faults('capture: status=409 times=1 body={"message":"handled"}');
post('/reconcile');
is(books('1')->{captured}, 0, 'in doubt');
clock_is_off(610);
post('/reconcile');
is(books('1')->{captured}, 12900, 'captured after ten minutes');

my @ids = request_ids('capture');
isnt($ids[-1], $ids[0], 'by another request');



=== TEST 13: a refund that was sent before the capture's reply was stored counts
--- config eval: $::office
--- then
# a read does not show the sum
sim_config(refunded_amount => 0);
paid('1');
get('/payment?reference=1');

faults('capture: delay_after=0.4', 'refund: delay_after=0.8');
my $refund;
my $capture = meanwhile([ POST => '/capture?reference=1' ], 'capture', sub {
    wait_until(sub { books('1')->{captured} }, 5);
    $refund = post('/refund?reference=1&amount=12900');
});

is($capture, 200, 'captured');
is($refund->status, 200, 'refunded');
is_refused(thanks('1'), 402, 'the order is not paid any more');
--- books
1: captured=12900 refunded=12900
