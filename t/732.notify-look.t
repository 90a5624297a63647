# payer_notify with payer_lookup: the shop is asked before a notification of
# the type "paid", and before an automatic capture.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Notify;

master_on();
workers(1);

# The shop that asks and is told; "more" is for the server.
sub looking {
    my ($more, $told) = map { $_ // '' } @_[ 0, 1 ];

    return <<"EOF";
        payer_sweep  1s;
        payer_notify /_shop/paid?id=\$payer_reference;
        payer_notify_retry 1h interval=1s max=1s;

        payer_lookup       /_shop/order?id=\$arg_order;
        payer_lookup_field \$wc_total    /total;
        payer_lookup_field \$wc_currency /currency;
        payer_lookup_field \$wc_status   /status;
        payer_lookup_open  \$wc_status   pending;
        payer_lookup_paid  \$wc_status   processing;
        $more

        location = /checkout {
            payer_checkout;
            payer_reference       \$arg_order public;
            payer_amount          \$wc_total major;
            payer_currency        \$wc_currency;
            payer_return_success  /thanks?order=\$payer_reference;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /thanks {
            payer_verify        \$arg_order;
            payer_verify_amount \$wc_total major \$wc_currency;
            empty_gif;
        }

        location = /metrics { payer_metrics; payer_allow 127.0.0.1; }

        location = /_shop/order {
            internal;
            proxy_pass http://shop/orders/\$arg_id;
        }

        location = /_shop/paid {
            internal;
            $told
            proxy_pass http://shop;
        }
EOF
}


# What the shop says of the order.
sub wc {
    my ($status, $total) = @_;

    $total //= '129.00';
    return qq(json {"total":"$total","currency":"SEK","status":"$status"});
}


# The buyer pays and comes back; the shop answers the checkout, the return, and
# whoever comes then.
sub sold {
    shop_answers(wc('pending'), wc('pending'), @_);
    order('1001');
    pay('1001');
    is(thanks('1001')->status, 200, 'the buyer is passed');
}


sub paid_told { return grep { $_->{line} =~ m{/_shop/paid} } told() }

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: paid is sent after a lookup if the order is open in the shop
--- config eval: ::looking()
--- after
sold(wc('pending'), '204');
wait_until(sub { paid_told() >= 1 }, 10);
my @lines = map { $_->{line} } shop_requests();
is($lines[2], 'GET /orders/1001 HTTP/1.0', 'a look at the order');
is($lines[3], 'POST /_shop/paid?id=1001 HTTP/1.0', 'then it is told');



=== TEST 2: paid is not sent for an order cancelled in the shop
--- config eval: ::looking('server_name localhost; location /office/ { payer_office; payer_allow 127.0.0.1; }')
--- after
sold(wc('cancelled'));
wait_until(sub { error_log_text() =~ /was not sent/ }, 10);
like(error_log_text(), qr/\[error\].*the notification "paid" was not sent: the shop says that the order is not open, order: "1001"/, 'an error is logged');
sleep 1.5;
is(scalar(paid_told()), 0, 'and the shop is not told');
like(get('/metrics')->body, qr/^payer_notifications_total\{type="paid",result="conflict"\} 1\n/m, 'counted');
like(get('/metrics')->body, qr/^payer_notifications_owed 0\n/m, 'nothing is owed any more');
is_deeply(get('/office/order?reference=1001', headers => { Host => 'localhost' })->json->{attention}, ['notification_conflict'], 'the office shows it');
is_deeply(get('/office/orders?attention=1', headers => { Host => 'localhost' })->json->{orders}[0]{attention}, ['notification_conflict'], 'and finds it');



=== TEST 3: paid is not sent for an order that costs more now
--- config eval: ::looking()
--- after
sold(wc('pending', '259.00'));
wait_until(sub { error_log_text() =~ /was not sent/ }, 10);
like(error_log_text(), qr/was not sent: the order costs more in the shop now than was paid/, 'an error is logged');
is(scalar(paid_told()), 0, 'and the shop is not told');



=== TEST 4: paid is not sent for an order that is already paid in the shop
--- config eval: ::looking()
--- after
sold(wc('processing'));
wait_until(sub { error_log_text() =~ /was not sent/ }, 10);
like(error_log_text(), qr/the notification "paid" was not sent, the order is already paid in the shop, order: "1001"/, 'it counts as told');
is(scalar(paid_told()), 0, 'the shop is not told');



=== TEST 5: the lookup is repeated while the shop does not answer
--- config eval: ::looking()
--- after
sold('json=500 {}', wc('pending'), '204');
wait_until(sub { paid_told() >= 1 }, 20);
is(scalar(paid_told()), 1, 'then the shop is told');
like(error_log_text(), qr/did not accept the notification "paid", attempt 1, status 0 to the lookup/, 'the failed look is logged');



=== TEST 6: an order cancelled in the shop is not captured automatically
--- config eval: ::looking('payer_auto_capture on;')
--- after
shop_answers(wc('pending'), wc('cancelled'));
order('1001');
pay('1001');
wait_until(sub { error_log_text() =~ /not captured automatically/ }, 20);
is(books('1001')->{captured}, 0, 'nothing is captured');
like(error_log_text(), qr/\[error\].*the payment is not captured automatically: the shop says that the order is not open, order: "1001"/, 'an error is logged');



=== TEST 7: an order that is open in the shop is captured automatically
--- config eval: ::looking('payer_auto_capture on;')
--- after
sold(wc('pending'), '204');
is(books('1001')->{captured}, 12900, 'captured');



=== TEST 8: paid is sent and a warning is logged if no location has the lookup any more
--- config eval: ::looking()
--- after
sold('json=500 {}');

my $conf = $Test::Nginx::Util::ConfFile;
open my $fh, '<', $conf or die "open $conf: $!\n";
my $text = join '', <$fh>;
$text =~ s{/_shop/order}{/_shop/other}g;
write_file($conf, $text);
reload();

shop_answers('204');
wait_until(sub { paid_told() >= 1 }, 20);
cmp_ok(scalar(paid_told()), '>=', 1, 'the shop is told');
like(error_log_text(), qr/\[warn\].*payer: no location has the lookup "\/_shop\/order\?id=1001" of this order, so that the shop is not asked, order: "1001"/, 'without a look');
