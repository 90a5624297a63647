# The headers of an event for the shop are those of the order's record, or of a
# read of Payer, and never those of the payload.

use lib 't/lib';
use Payer::Test;
use Payer::Events;
use Payer::Shop;

# a shop that is told all that there is to know, and a dearer cart
sub words {
    return events_server('', <<'EOF') . <<'EOF2';
            proxy_set_header  X-Payer-Status      $payer_status;
            proxy_set_header  X-Payer-Outcome     $payer_outcome;
            proxy_set_header  X-Payer-Authorized  $payer_authorized_amount;
EOF
        location = /dearer {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          15000;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }
        location = /cancel { payer_cancel; payer_allow 127.0.0.1; }
        location = /gate {
            payer_verify         $arg_order;
            payer_verify_amount  1 SEK;
            proxy_pass           http://shop;
        }
EOF2
}

# the payload of the next event
sub payload_says {
    my (%payload) = @_;

    faults({ match => 'event', work => JSON::PP::true(), body => {
        type => 'CARD_PAYMENT_AUTHORIZED', payload => \%payload } });
}

# a payment whose creation was never answered, and its event
sub lost_and_paid {
    my ($order) = @_;

    shop_reset();
    sim_config(event_calls => 1);
    subscribe();

    my $before = @{ events() };

    faults('create: lost-reply');
    is(get("/checkout?order=$order")->status, 504, 'nobody knows of a link');
    pay($order);
    wait_until(sub { @{ events() } > $before }) or die "no event\n";

    sim('DELETE', 'journal');

    return events()->[-1]{token};
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config',
        ($block->http_config // '') . shop_upstream());
    $block->set_value('config', words() . ($block->config // ''));
    $block->set_value('request', 'GET /nothing');
    $block->set_value('error_code', 404);
});

run_payer_tests();

__DATA__

=== TEST 1: the reference passed to the shop is that of the record, not of the payload
--- after
my $token = paid_event('1001');
my $id = payment('1001');

payload_says(paymentId => $id, externalPaymentReference => 'another');
is(callback($token)->status, 200, 'taken');

my ($head) = shop_heads();
is($head->{'x-payer-payment-id'}, $id, 'the payment');
is($head->{'x-payer-reference'}, '1001', 'and the order that has it');



=== TEST 2: a payment of another order does not change the order in the payload
--- after
my $token = paid_event('1001');
my $id = payment('1001');

get('/checkout?order=1002');
payload_says(paymentId => $id, externalPaymentReference => '1002');
is(callback($token)->status, 200, 'taken');
is(get('/gate?order=1001')->status, 204, 'the one is paid');
is(get('/gate?order=1002')->status, 402, 'the other is not');



=== TEST 3: an event of an earlier link has no status for a cancelled order
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe();

is(get('/checkout?order=1001')->status, 303, 'a link');
my $old = payment('1001');
pay('1001', card => '3ds', threeds => 'start');

is(get('/dearer?order=1001')->status, 303, 'another sum, another link');
isnt(payment('1001'), $old, 'of another payment');
is(request('PUT', '/cancel?reference=1001')->status, 200, 'cancelled');

sim('POST', 'pay', { paymentId => $old, threeds => 'approve' });
wait_until(sub { @{ events() } }) or die "no event\n";
is(callback(events()->[-1]{token})->status, 200, 'the event is taken');

my ($head) = shop_heads();
is($head->{'x-payer-event-type'}, 'CARD_PAYMENT_AUTHORIZED', 'the shop gets it');
is($head->{'x-payer-payment-id'}, $old, 'with the payment');
is($head->{'x-payer-reference'}, '1001', 'and the order');
isnt($head->{'x-payer-status'} // '', 'AUTHORIZED', 'but not as paid');
isnt($head->{'x-payer-outcome'} // '', 'paid', 'in any word');
is($head->{'x-payer-authorized'}, undef, 'nor with a sum');



=== TEST 4: an event of an earlier link has no status for an order with another open link
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe();

get('/checkout?order=1001');
my $old = payment('1001');
pay('1001', card => '3ds', threeds => 'start');
is(get('/dearer?order=1001')->status, 303, 'another sum, another link');

sim('POST', 'pay', { paymentId => $old, threeds => 'approve' });
wait_until(sub { @{ events() } }) or die "no event\n";
is(callback(events()->[-1]{token})->status, 200, 'the event is taken');

my ($head) = shop_heads();
isnt($head->{'x-payer-status'} // '', 'AUTHORIZED', 'not as paid');
is($head->{'x-payer-authorized'}, undef, 'nor with a sum');
is(get('/gate?order=1001')->status, 402, 'as the gate says');



=== TEST 5: a payment that is not known here is read, and its order is found
--- config eval: "payer_tries 1;"
--- after
my $token = lost_and_paid('1001');

is(callback($token)->status, 200, 'taken');
is(calls()->{read}, 1, 'Payer is asked once');

my ($head) = shop_heads();
is($head->{'x-payer-reference'}, '1001', 'the order');
is($head->{'x-payer-status'}, 'AUTHORIZED', 'is paid');
is(get('/gate?order=1001')->status, 204, 'as the gate says');



=== TEST 6: if Payer does not reply about an unknown payment, 503 is returned
--- config eval: "payer_tries 1;"
--- after
my $token = lost_and_paid('1001');

for my $fault ('status=503', 'lost-reply', 'html', 'status=404 html') {
    faults("read: $fault");
    is(callback($token)->status, 503, "$fault: not now");
}
is(scalar(shop_requests()), 0, 'the shop is not told');

sim('DELETE', 'faults');
is(callback($token)->status, 200, 'then it is taken');
is(get('/gate?order=1001')->status, 204, 'and the order is paid');



=== TEST 7: an event with an id that is not a payment is passed to the shop
--- after
my $token = paid_event('1001');

payload_says(paymentId => 'of-something-else');
is(callback($token)->status, 200, 'taken');
is((shop_heads())[0]{'x-payer-payment-id'}, 'of-something-else', 'by the shop');
is(event_of($token)->{acked}, 1, 'and acknowledged');
unlike(error_log_text(), qr/\[error\].* payer: /, 'nobody has to act');



=== TEST 8: a payment with another amount is not used for an order in doubt
--- config eval: "payer_tries 1;"
--- after
my $token = lost_and_paid('1001');

faults({ match => 'read', action => 'edit',
    set => { 'payment.amount' => 20000, 'payment.authorizedAmount' => 20000 } });
is(callback($token)->status, 200, 'the shop is told');
is((shop_heads())[0]{'x-payer-status'}, undef, 'nothing of money');
is(get('/gate?order=1001')->status, 503, 'and the order is not paid');



=== TEST 9: no amount is passed for a cancelled order that was authorized afterwards
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe();

get('/checkout?order=1001');
pay('1001', card => '3ds', threeds => 'start');
is(request('PUT', '/cancel?reference=1001')->status, 200, 'cancelled');
pay('1001', threeds => 'approve');
wait_until(sub { @{ events() } }) or die "no event\n";
is(callback(events()->[-1]{token})->status, 200, 'the event is taken');

my ($head) = shop_heads();
is($head->{'x-payer-reference'}, '1001', 'of this order');
is($head->{'x-payer-status'}, undef, 'no word of money');
is($head->{'x-payer-authorized'}, undef, 'and no sum');



=== TEST 10: an event of an earlier link has no status of a later link authorized after its cancel
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe();

get('/checkout?order=1001');
my $old = payment('1001');
is(get('/dearer?order=1001')->status, 303, 'another link');
pay('1001', card => '3ds', threeds => 'start');
is(request('PUT', '/cancel?reference=1001')->status, 200, 'cancelled');
pay('1001', threeds => 'approve');
wait_until(sub { @{ events() } }) or die "no event\n";
is(callback(events()->[-1]{token})->status, 200, 'the event of the later link');

my $token = sim('POST', 'events',
    { type => 'CARD_PAYMENT_AUTHORIZED', paymentId => $old })->{tokens}[0];
is(callback($token)->status, 200, 'and one of the earlier link');

my $head = (shop_heads())[-1];
is($head->{'x-payer-payment-id'}, $old, 'with its payment');
is($head->{'x-payer-status'}, undef, 'no word of money');
is($head->{'x-payer-authorized'}, undef, 'and no sum');
