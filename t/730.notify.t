# payer_notify: the shop is notified of changes of an order, regardless of
# their source, until it has accepted the notification.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Notify;

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: the shop is notified when the buyer's return finds the order paid
--- config eval: ::telling()
--- after
order('1001');
pay('1001');
is(thanks('1001')->status, 200, 'the buyer is passed');

my ($told) = told_of(1);
my $head = $told->{head};

like($told->{line}, qr{^POST /_shop/paid\?id=1001 HTTP/1\.}, 'at the URI of the order');
is($told->{type}, 'paid', 'type');
is($told->{reference}, '1001', 'reference');
is($told->{paymentId}, books('1001')->{paymentId}, 'payment');
is($told->{status}, 'AUTHORIZED', 'status');
is($told->{amount}, 12900, 'amount');
is($told->{currency}, 'SEK', 'currency');
is($told->{authorizedAmount}, 12900, 'authorized');
is($told->{capturedAmount}, 0, 'captured');
is($told->{refundedAmount}, 0, 'refunded');
cmp_ok(abs(time - $told->{created}), '<', 60, 'created');
like($told->{id}, qr/^[0-9a-f-]{36}$/, 'id');
is_deeply([ sort grep { !/^(?:line|head|text|answer)$/ } keys %$told ],
    [ qw(amount authorizedAmount capturedAmount created currency id paymentId
    reference refundedAmount status type) ], 'and nothing else');

is($head->{'content-type'}, 'application/json', 'JSON');
is($head->{'x-payer-notify-id'}, $told->{id}, 'id in the header');
is($head->{'x-payer-notify-type'}, 'paid', 'type in the header');
is($head->{'x-payer-notify-attempt'}, 1, 'the first attempt');
is($head->{'x-payer-reference'}, '1001', 'reference in the header');
is($head->{'x-payer-payment-id'}, $told->{paymentId}, 'payment in the header');
is($head->{'x-payer-status'}, 'AUTHORIZED', 'status in the header');
is($head->{'x-payer-amount'}, 12900, 'amount in the header');
is($head->{'x-payer-currency'}, 'SEK', 'currency in the header');
is($head->{'payer-signature'}, undef, 'no signature without a key');

wait_until(sub { error_log_text() =~ /accepted the notification/ });
like(error_log_text(), qr/payer: the shop accepted the notification "paid", attempt 1, order: "1001"/, 'one line of the log');



=== TEST 2: the shop is notified once, regardless of later reads
--- config eval: ::telling()
--- after
order('1001');
pay('1001');
thanks('1001');
told_of(1);
post('/reconcile');
sleep 1.2;
thanks('1001');
is(post('/capture', json => { reference => '1001' })->status, 200, 'captured');
wait_until(sub { get('/metrics')->body =~ /notifications_total\{type="paid",result="taken"\} 1\n/ });
is(scalar(told()), 1, 'the shop was told once');



=== TEST 3: the shop is notified of an order whose event reports the payment
--- config eval: ::telling()
--- after
sim_config(event_calls => 1);
post('/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
    url => 'http://127.0.0.1:' . free_port() . '/' });
order('1001');
my $n = @{ events() };
pay('1001');
wait_until(sub { @{ events() } > $n });
is(get('/events?token=' . events()->[-1]{token})->status, 200, 'the event is through');
is((told_of(1))[0]{type}, 'paid', 'and the shop is told');



=== TEST 4: the shop is notified of an order that the sweep finds paid
--- config eval: ::telling()
--- after
order('1001');
pay('1001');
is((told_of(1, 20))[0]{type}, 'paid', 'the shop is told');



=== TEST 5: operations are notified in order with their sums
--- config eval: ::telling('payer_notify_on paid captured released refunded;')
--- after
order('1001');
pay('1001');
thanks('1001');
post('/capture', json => { reference => '1001', amount => 900 });
post('/refund', json => { reference => '1001', amount => 400 });
post('/capture', json => { reference => '1001', amount => 100 });
post('/release', json => { reference => '1001' });

my @told = told_of(5);
is(join(' ', map { $_->{type} } @told), 'paid captured refunded captured released', 'in their order');
is(join(' ', map { $_->{capturedAmount} } @told), '0 900 900 1000 1000', 'captured');
is(join(' ', map { $_->{refundedAmount} } @told), '0 0 400 400 400', 'refunded');
is(scalar(keys %{ { map { $_->{id} => 1 } @told } }), 5, 'each has an id of its own');



=== TEST 6: types that payer_notify_on does not list are not sent
--- config eval: ::telling('payer_notify_on captured;')
--- after
order('1001');
pay('1001');
thanks('1001');
post('/capture', json => { reference => '1001' });
is(join(' ', map { $_->{type} } told_of(1)), 'captured', 'the capture only');



=== TEST 7: a cancelled order is notified, and a replaced link is not
--- config eval
::telling('payer_notify_on cancelled;') . '
        location = /dearer {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          15000;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }
'
--- after
order('1001');
is(get('/dearer?order=1001')->status, 303, 'the link is replaced');
is(post('/cancel', json => { reference => '1001' })->status, 200, 'the order is cancelled');
my ($told) = told_of(1);
is($told->{type}, 'cancelled', 'told');
is($told->{amount}, 15000, 'of the payment that was cancelled');
is($told->{status}, 'CANCELLED', 'with its state');
is(scalar(told()), 1, 'and nothing else');



=== TEST 8: the URI is evaluated for each order, and its reference is encoded
--- config eval: ::telling()
--- after
get('/checkout?order=A%2F1%26x%3D%C3%A5');
pay("A/1&x=\x{e5}");
thanks('A%2F1%26x%3D%C3%A5');
my ($told) = told_of(1);
like($told->{line}, qr{^POST /_shop/paid\?id=A%2F1%26x%3D%C3%A5 HTTP/1\.}, 'one argument');
is($told->{head}{'x-payer-reference'}, 'A/1&x=%C3%A5', 'the header');
is($told->{reference}, "A/1&x=\x{e5}", 'the body');



=== TEST 9: a notification is repeated with the same id while the shop is down
--- config eval: ::telling('payer_notify_retry 1h interval=1s max=2s;')
--- after
shop_answers('500', 'close', 'cut', '204');
order('1001');
pay('1001');
thanks('1001');
my @told = told_of(4, 30);
is(scalar(@told), 4, 'four attempts');
is(scalar(keys %{ { map { $_->{id} => 1 } @told } }), 1, 'one id');
is(join(' ', map { $_->{head}{'x-payer-notify-attempt'} } @told), '1 2 3 4', 'attempts are counted');
wait_until(sub { error_log_text() =~ /accepted the notification "paid", attempt 4/ });
like(error_log_text(), qr/\[warn\].*did not accept the notification "paid", attempt 1, status 500, the next attempt is in 1 s, order: "1001"/, 'a failed attempt is logged');
like(get('/metrics')->body, qr/^payer_notifications_total\{type="paid",result="failed"\} 3\n/m, 'and counted');



=== TEST 10: notifications of one order are sent in order
--- config eval: ::telling('payer_notify_on paid captured; payer_notify_retry 1h interval=1s max=2s;')
--- after
shop_answers('500', '204');
order('1001');
pay('1001');
thanks('1001');
post('/capture', json => { reference => '1001' });
is(join(' ', map { $_->{type} } told_of(3, 30)), 'paid paid captured', 'in their order');



=== TEST 11: notifications of one order do not wait for those of another
--- config eval: ::telling('payer_notify_retry 1h interval=20s max=20s;')
--- after
shop_answers('500', '204');
order('1001');
pay('1001');
thanks('1001');
told_of(1);
order('1002');
pay('1002');
thanks('1002');
is(join(' ', map { $_->{reference} } told_of(2)), '1001 1002', 'the second one is told');



=== TEST 12: a notification that is not accepted in time is kept, and later ones are sent
--- config eval: ::telling('payer_notify_on paid captured; payer_notify_retry 2s interval=1s max=1s;')
--- after
shop_answers('500');
order('1001');
pay('1001');
thanks('1001');
wait_until(sub { error_log_text() =~ /is not sent again/ }, 30);
like(error_log_text(), qr/\[error\].*the notification "paid" is not sent again after \d attempts, the shop returned status 500, order: "1001"/, 'an error is logged');
my $n = told();
shop_answers('204');
post('/capture', json => { reference => '1001' });
is((told_of($n + 1))[-1]{type}, 'captured', 'the capture is told');
like(get('/metrics')->body, qr/^payer_notifications_total\{type="paid",result="given_up"\} 1\n/m, 'counted');



=== TEST 13: payer_notify_accept requires a value in the response
--- config eval: ::telling('payer_notify_accept /status processing completed; payer_notify_retry 1h interval=1s max=1s;')
--- after
shop_answers('204', 'json {"status":"pending"}', 'json {"error":"no"}', 'html <p>', 'json=500 {"status":"processing"}', 'json {"status":"completed"}');
order('1001');
pay('1001');
thanks('1001');
is(scalar(told_of(6, 30)), 6, 'told until the body said so');
wait_until(sub { error_log_text() =~ /accepted the notification/ });
like(error_log_text(), qr/accepted the notification "paid", attempt 6/, 'then it is taken');



=== TEST 14: payer_notify_accept accepts a regular expression
--- config eval: ::telling('payer_notify_accept ~^OK; payer_notify_retry 1h interval=1s max=1s;')
--- after
shop_answers('html NOK', 'html OK');
order('1001');
pay('1001');
thanks('1001');
is(scalar(told_of(2, 30)), 2, 'told until the body matched');
wait_until(sub { error_log_text() =~ /accepted the notification/ });
like(error_log_text(), qr/accepted the notification "paid", attempt 2/, 'then it is taken');



=== TEST 15: notifications are signed with payer_notify_key_file
--- http_config eval
::write_file('notify.key', "a key of the shop that is long enough\n");
::write_file('old.key', "the key that the shop had before it\n");
''
--- config eval
::telling('payer_notify_key_file ' . ::work_dir() . '/notify.key; payer_notify_key_file ' . ::work_dir() . '/old.key;')
--- after
order('1001');
pay('1001');
thanks('1001');
my ($told) = told_of(1);
my $h = $told->{head};
my ($t, @v) = $h->{'payer-signature'} =~ /^t=(\d+),v1=([0-9a-f]{64}),v1=([0-9a-f]{64})$/;
cmp_ok(abs(time - $t), '<', 60, 'the time is that of the attempt');
my $message = join "\n", $t, map { $h->{$_} } qw(x-payer-notify-id x-payer-notify-type x-payer-reference x-payer-payment-id x-payer-status x-payer-amount x-payer-currency);
is($v[0], hmac_sha256_hex($message, 'a key of the shop that is long enough'), 'signed with the first key');
is($v[1], hmac_sha256_hex($message, 'the key that the shop had before it'), 'and with the second');



=== TEST 16: proxy_method, proxy_set_body and variables can be used in the location
--- config eval
::telling('', 'proxy_method PUT; proxy_set_header X-Type $payer_notify_type;
    proxy_set_body "id=$payer_notify_id&attempt=$payer_notify_attempt&order=$payer_reference&payment=$payer_payment_id&status=$payer_status&sum=$payer_authorized_amount&currency=$payer_currency";')
--- after
order('1001');
pay('1001');
thanks('1001');
my ($told) = told_of(1);
like($told->{line}, qr/^PUT /, 'the method');
is($told->{head}{'x-type'}, 'paid', 'a header');
is($told->{text}, "id=$told->{head}{'x-payer-notify-id'}&attempt=1&order=1001&payment=$told->{head}{'x-payer-payment-id'}&status=AUTHORIZED&sum=12900&currency=SEK", 'the body');



=== TEST 17: an automatic capture is notified
--- config eval: ::telling('payer_notify_on captured; payer_auto_capture on;')
--- after
order('1001');
pay('1001');
thanks('1001');
my ($told) = told_of(1);
is($told->{type}, 'captured', 'told');
is($told->{capturedAmount}, 12900, 'in full');



=== TEST 18: payer_event_pass sends the headers of the order and applies payer_notify_accept
--- config eval
::telling('', '') =~ s{payer_events; }{payer_events; payer_event_pass /_shop/event; payer_notify_accept /ok true; }r . '
        location = /_shop/event { internal; proxy_pass http://shop; }
'
--- after
sim_config(event_calls => 1);
post('/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
    url => 'http://127.0.0.1:' . free_port() . '/' });
order('1001');
my $n = @{ events() };
pay('1001');
wait_until(sub { @{ events() } > $n });
my $url = '/events?token=' . events()->[-1]{token};

shop_answers('json {"ok":false}');

# Payer calls again where nginx was busy
my $r;
wait_until(sub {
    $r = get($url);
    return grep { $_->{line} =~ m{/_shop/event} } told();
});
is($r->status, 503, 'a 2xx that says no is not taken');
my ($event) = grep { $_->{line} =~ m{/_shop/event} } told();
is($event->{head}{'x-payer-reference'}, '1001', 'reference');
is($event->{head}{'x-payer-status'}, 'AUTHORIZED', 'status');
is($event->{head}{'x-payer-amount'}, 12900, 'amount');
is($event->{head}{'x-payer-currency'}, 'SEK', 'currency');
shop_answers('json {"ok":true}');
is(get($url)->status, 200, 'one that says yes is');



=== TEST 19: owed notifications are in the metrics
--- config eval: ::telling('payer_notify_retry 1h interval=3s max=3s;')
--- after
shop_answers('500', '204');
order('1001');
pay('1001');
thanks('1001');
ok(wait_until(sub { get('/metrics')->body =~ /^payer_notifications_owed 1\n/m }, 10), 'one is owed');
like(get('/metrics')->body, qr/^payer_notifications_oldest_seconds \d+\n/m, 'for so long');
ok(wait_until(sub { get('/metrics')->body =~ /^payer_notifications_owed 0\n/m }, 20), 'none, when it is taken');
like(get('/metrics')->body, qr/^payer_notifications_oldest_seconds 0\n/m, 'then there is no oldest');



=== TEST 20: notifications beyond the limit of simultaneous ones are sent before the next sweep
--- config eval: ::telling('payer_sweep 1h;')
--- after
my @orders = (1001 .. 1018);

shop_answers('delay=3 204');

for my $order (@orders) {
    order($order);
    pay($order);
}

thanks($_) for @orders;

is(scalar(told_of(18, 12)), 18, 'each is told');



=== TEST 21: paid is not sent for a payment that was released meanwhile
--- config eval: ::telling('payer_notify_retry 1h interval=2s max=2s;')
--- after
shop_answers('500', '204');
order('1001');
pay('1001');
thanks('1001');
told_of(1);
is(post('/release', json => { reference => '1001' })->status, 200, 'released');
wait_until(sub { error_log_text() =~ /was not sent/ }, 20);
like(error_log_text(), qr/\[error\].*the notification "paid" was not sent: the payment was released, refunded or cancelled since, order: "1001"/, 'an error is logged');
is(scalar(told()), 1, 'the shop is not told again');
like(get('/metrics')->body, qr/^payer_notifications_total\{type="paid",result="conflict"\} 1\n/m, 'counted');



=== TEST 22: paid is sent for a released payment if the release is notified, too
--- config eval: ::telling('payer_notify_on paid released; payer_notify_retry 1h interval=2s max=2s;')
--- after
shop_answers('500', '204');
order('1001');
pay('1001');
thanks('1001');
told_of(1);
is(post('/release', json => { reference => '1001' })->status, 200, 'released');
is(join(' ', map { $_->{type} } told_of(3, 20)), 'paid paid released', 'in their order');



=== TEST 23: paid is not sent for an order that was sold again meanwhile and is not paid
--- config eval: ::telling('payer_notify_retry 1h interval=3s max=3s;')
--- after
shop_answers('500', '204');
order('1001');
pay('1001');
thanks('1001');
told_of(1);
my $first = books('1001')->{paymentId};
post('/release', json => { reference => '1001' });
order('1001');
isnt(books('1001')->{paymentId}, $first, 'the order has another payment');
wait_until(sub { error_log_text() =~ /was not sent/ }, 20);
like(error_log_text(), qr/the notification "paid" was not sent: the payment was released/, 'an error is logged');
is(scalar(told()), 1, 'the shop is not told again');



=== TEST 24: a capture that releases the rest is notified as captured and released, in this order
--- config eval: ::telling('payer_notify_on captured released;')
--- after
order('1001');
pay('1001');
thanks('1001');
post('/capture', json => { reference => '1001', amount => 900, releaseRemainingFunds => JSON::PP::true() });
my @told = told_of(2);
is(join(' ', map { $_->{type} } @told), 'captured released', 'both');
is(join(' ', map { $_->{capturedAmount} } @told), '900 900', 'with the sum');



=== TEST 25: a capture of the whole amount is not notified as released
--- config eval: ::telling('payer_notify_on captured released;')
--- after
order('1001');
order('1002');
pay($_), thanks($_) for qw(1001 1002);
post('/capture', json => { reference => '1001', releaseRemainingFunds => JSON::PP::true() });
post('/release', json => { reference => '1002' });
my @told = told_of(2);
is(join(' ', map { "$_->{reference}-$_->{type}" } sort { $a->{reference} <=> $b->{reference} } @told), '1001-captured 1002-released', 'one each');



=== TEST 26: a capture of a payment not found paid before is notified as paid and captured, in this order
--- config eval: ::telling('payer_notify_on paid captured; payer_sweep 1h;')
--- after
order('1001');
pay('1001');
post('/capture', json => { reference => '1001', amount => 900 });
my @told = told_of(2);
is(join(' ', map { $_->{type} } @told), 'paid captured', 'both, in their order');
is(join(' ', map { $_->{authorizedAmount} } @told), '12900 12900', 'of what was ordered');
is(get('/checkout?order=1001')->header('Location'), 'http://localhost:' . nginx_port() . '/thanks?order=1001', 'and the buyer has paid');



=== TEST 27: two simultaneous captures are notified, the last one with the sum of both
--- config eval: ::telling('payer_notify_on captured;')
--- faults
capture: delay=0.5 times=0
--- after
order('1001');
pay('1001');
thanks('1001');
my @answers = together(map { [ POST => '/capture', json => { reference => '1001', amount => $_ } ] } 900, 300);
is(join(' ', map { $_->status } @answers), '200 200', 'both are done');
ok(wait_until(sub { grep { $_->{capturedAmount} == 1200 } told() }, 10), 'the sum is told');
is((told())[-1]{capturedAmount}, 1200, 'as the last one');
