# The back office: the shop is notified again.

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

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: what the shop has taken is in the history, and is sent again by hand under its id
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



=== TEST 2: of an order without notifications nothing is sent
--- config eval: ::telling() . $::office
--- after
order('1001');
is(act('notify', { reference => '1001' })->status, 404, 'nothing to tell');
is(act('notify', { reference => '1002' })->status, 404, 'nor of an order that is not known');



=== TEST 3: an order of which the shop was not notified needs attention until it is
--- config eval: ::telling('payer_notify_retry 1h interval=1s max=1s;') . $::office
--- after
order('1001');
is_deeply(in_office('1001')->{attention}, [], 'nothing yet');
shop_answers('500', '500', '204');
pay('1001');
thanks('1001');
ok(wait_until(sub { "@{ in_office('1001')->{attention} }" eq 'notification_owed' }), 'refused by the shop');
ok(wait_until(sub { "@{ in_office('1001')->{attention} }" eq '' }, 20), 'taken at last');
