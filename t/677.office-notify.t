# The office: notifications are sent again.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Notify;

our $office = 'server_name localhost;
    location /office/ { payer_office; payer_allow 127.0.0.1; payer_office_operate 1; }';

sub act {
    return post("/office/order/$_[0]", json => $_[1],
        headers => { Host => 'localhost', 'X-Payer-Office' => 1 });
}


sub in_office { return get("/office/order?reference=$_[0]", headers => { Host => 'localhost' })->json }

sub notifications {
    return grep { $_->{what} eq 'notification' } @{ in_office($_[0])->{history} };
}

# what needs attention, as "ORDER:REASON ORDER:REASON,REASON"

sub needing {
    my ($args) = @_;

    my $page = get('/office/orders?attention=1' . ($args // ''), headers => { Host => 'localhost' })->json;

    return join ' ', map { "$_->{reference}:" . join ',', @{ $_->{attention} } } @{ $page->{orders} };
}

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: an accepted notification is in the history and can be sent again with its id
--- config eval: ::telling() . $::office
--- after
order('1001');
pay('1001');
thanks('1001');
my ($first) = told_of(1);
ok(wait_until(sub { my ($n) = notifications('1001'); $n && $n->{result} eq 'taken' }), 'taken');
is((notifications('1001'))[0]{by}, 'paid', 'of which type');
my $r = act('notify', { reference => '1001', reason => 'the shop was restored' });
is($r->status, 200, 'sent again');
is($r->json->{notifications}, 1, 'one');
my (undef, $again) = told_of(2);
is($again->{id}, $first->{id}, 'under the same id');
ok(wait_until(sub { my ($n) = notifications('1001'); $n && $n->{result} eq 'taken' }), 'taken again');



=== TEST 2: order/notify sends nothing for an order without notifications
--- config eval: ::telling() . $::office
--- after
order('1001');
is(act('notify', { reference => '1001' })->status, 404, 'nothing to tell');
is(act('notify', { reference => '1002' })->status, 404, 'nor of an order that is not known');



=== TEST 3: an order with an owed notification needs attention until it is accepted
--- config eval: ::telling('payer_notify_retry 1h interval=1s max=1s;') . $::office
--- after
order('1001');
is_deeply(in_office('1001')->{attention}, [], 'nothing yet');
shop_answers('500', '500', '204');
pay('1001');
thanks('1001');
ok(wait_until(sub { needing() eq '1001:notification_owed' }), 'refused by the shop: found in the list');
is("@{ in_office('1001')->{attention} }", 'notification_owed', 'the order says so, too');
like(get('/office/orders?attention=1&format=csv', headers => { Host => 'localhost' })->body, qr/,notification_owed\r$/m, 'and the CSV');
is(needing('&q=100'), '1001:notification_owed', 'found by a text');
post('/capture?reference=1001')->status == 200 or die "not captured\n";
is(needing(), '1001:notification_owed', 'another change of the order leaves that as it is');
ok(wait_until(sub { needing() eq '' }, 20), 'taken at last');
is("@{ in_office('1001')->{attention} }", '', 'and no more to be looked at');



=== TEST 4: an order with a notification that was given up needs attention until it is accepted
--- config eval: ::telling('payer_notify_retry 2s interval=1s max=1s;') . $::office
--- after
order('1001');
order('1002');
shop_answers(map {'500'} 1 .. 9);
pay('1001');
thanks('1001');
ok(wait_until(sub { my ($n) = notifications('1001'); $n && $n->{result} eq 'given_up' }, 20), 'given up');
is(needing(), '1001:notification_owed', 'found');
shop_answers('204');
is(act('notify', { reference => '1001' })->status, 200, 'sent again by hand');
ok(wait_until(sub { needing() eq '' }, 20), 'taken, and no more in the list');



=== TEST 5: an order needs attention if one of two notifications was given up
--- config eval: ::telling('payer_notify_on paid captured; payer_notify_retry 2s interval=1s max=1s;') . $::office
--- after
order('1001');
shop_answers('500', '500', '500', '500');
pay('1001');
thanks('1001');
ok(wait_until(sub { my ($n) = notifications('1001'); $n && $n->{result} eq 'given_up' }, 20), 'the first one is given up');
shop_answers('204');
post('/capture?reference=1001')->status == 200 or die "not captured\n";
ok(wait_until(sub { grep { $_->{by} eq 'captured' && $_->{result} eq 'taken' } notifications('1001') }, 20), 'the second one is taken');
is(needing(), '1001:notification_owed', 'the order is in the list all the same');
