# A payment at Payer whose record was lost with the store is taken in again by
# staff.

use lib 't/lib';

# the store that a restart empties
BEGIN { delete $ENV{PAYER_TEST_STORE} }

use Payer::Test;
use Payer::Conf;
use Payer::Life;

master_on();

sub paid {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link for $order\n";
    pay($order);

    return payment($order);
}


sub act {
    my ($what, $json) = @_;

    return post("/office/order/$what", json => $json,
        headers => { Host => 'localhost', 'X-Payer-Office' => 1 });
}


sub order {
    return get("/office/order?reference=$_[0]", headers => { Host => 'localhost' })->json;
}

run_payer_tests();

__DATA__

=== TEST 1: after the loss of the store a payment is taken in again by order/read
--- config perl
checkout() . operations() . 'server_name localhost;
location /office/ { payer_office; payer_allow 127.0.0.1; payer_office_operate 1; }'
--- request
GET /
--- then
my $id = paid('1');
post('/capture', json => { reference => '1', amount => 300 });
restart('QUIT');
is(post('/refund', json => { reference => '1', amount => 10 })->status, 404, 'nothing is known');
is(act('read', { reference => '2', paymentId => $id })->status, 409, 'Payer says whose payment it is');
my $r = act('read', { reference => '1', paymentId => $id, reason => 'the disk was lost' });
is($r->status, 200, 'taken in');
is(order('1')->{state}, 'partially_captured', 'its state is known');
is(order('1')->{amount}, 12900, 'and its amount');
is(post('/refund', json => { reference => '1', amount => 10 })->status, 200, 'and it can be refunded');
