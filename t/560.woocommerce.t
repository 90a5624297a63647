# The configuration of docs/shops/woocommerce.md is run unchanged, in front of
# a program that answers like WooCommerce.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;
use Payer::Woo;

my $SITE = 'https://shop.example';

my $woo  = woo_start();
my $site = serve(example('docs/shops/woocommerce.md', 'woocommerce'),
    [ qr/server 127\.0\.0\.1:8081;/, "server 127.0.0.1:$woo;" ],
    [ qr/\b127\.0\.0\.1:8082\b/, '127.0.0.1:' . free_port() ]);

is(visit('/payer/subscriptions', '-d', 'type=CARD_PAYMENT_AUTHORIZED',
    '-d', "url=$SITE/payer/events")->{status}, 204, 'events are subscribed');

bought();
totals();
keys_and_numbers();
other_methods();
staff_cancel();
staff_raise();
completed();
overload();
wrong_credentials();

unlike($site->log, qr/\[(?:warn|crit|alert|emerg)\](?!.*(?:the checkout was rejected|answered with 409|payer_amount: the amount))/,
    'nginx has nothing else to say');
Test::More::done_testing();


sub visit { return $site->curl("$SITE$_[0]", @_[ 1 .. $#_ ]) }

sub typed {
    my ($operation, $order, @more) = @_;

    return visit("/payer/$operation", '-d', "reference=$order", @more);
}


# Payer's call of the last event of an order.

sub event_of {
    my ($order) = @_;
    my ($event) = grep { ($_->{reference} // '') eq $order }
        reverse @{ sim('GET', 'events') };

    return visit("/payer/events?token=$event->{token}");
}


sub bought {
    my $page = woo_order(1001);
    my $r    = visit($page);

    is($r->{status}, 303, 'who has not paid is sent to pay');
    is(books('1001')->{amount}, 12950, 'the amount of the API');
    is(books('1001')->{currency}, 'SEK', 'in its currency');

    my ($sent) = sent('create');
    like($sent, qr{"redirectOnSuccessURL":"\Q$SITE$page\E&paid=1"},
        'success leads to the thank-you page, key and all');
    unlike($sent, qr/ck_shop|Y2tf|cs_secret/, 'Payer sees no key of the shop');

    is(visit($page)->{headers}{location}, $r->{headers}{location},
        'a second visit has the same link');

    $r = visit('/unpaid/1001?key=wc_order_Key1001');
    like($r->{body}, qr{href="/checkout/order-received/1001/\?key=wc_order_Key1001"},
        'who gives up finds the way back');
    unlike(visit('/unpaid/1001?key="><script>')->{body}, qr/script/,
        'and no script of others');

    is(woo(1001)->{status}, 'on-hold', 'the order waits');
    pay('1001');

    $r = visit("$page&paid=1");
    is($r->{status}, 200, 'a request for the paid order is passed');
    like($r->{body}, qr/Order number: 1001/, 'to the page of the order');

    is(event_of('1001')->{status}, 200, 'the event is taken');
    is(woo(1001)->{status}, 'processing', 'the order is in work');
    is(woo(1001)->{transaction_id}, payment('1001'),
        'with the number of the payment');
    ok(woo(1001)->{date_paid}, 'and counts as paid');

    is(visit($page)->{status}, 200, 'the page stays open');
    is(typed('capture', 1001)->{status}, 200, 'captured');
    is(typed('refund', 1001, '-d', 'amount=2950')->{status}, 200,
        'a part is given back');
    is(visit($page)->{status}, 200, 'the page stays open');
    is(typed('refund', 1001, '-d', 'amount=10000')->{status}, 200, 'the rest');
    is(visit($page)->{status}, 409, 'the page is closed');
    is(books('1001')->{links}, 1, 'nothing new is sold');
}


# Shops without decimals, with too many, and with öre that are none.

sub totals {
    my %want = ('130' => 13000, '129.5000' => 12950, '1299.9' => 129990);
    my $id   = 1100;

    for my $total (sort keys %want) {
        is(visit(woo_order(++$id, total => $total))->{status}, 303, $total);
        is(books("$id")->{amount}, $want{$total}, "is $want{$total}");
    }

    for my $total ('129.505', '-5.00', '0.00', '1 299.00', '') {
        isnt(visit(woo_order(++$id, total => $total))->{status}, 303,
            "\"$total\" is no amount");
    }

    is(visit(woo_order(++$id, total => '5000', currency => 'JPY'))->{status},
        303, 'yen have no öre');
    is(books("$id")->{amount}, 5000, 'and are counted as they are');
}


sub keys_and_numbers {
    my $page   = woo_order(1201);
    my $before = { %{ calls() } };
    my $wrong  = visit('/checkout/order-received/1201/?key=wc_order_Key1202');
    my $none   = visit('/checkout/order-received/1299/?key=wc_order_Key1201');

    is($wrong->{status}, 404, 'a wrong key');
    is($none->{status}, 404, 'no such order');
    is($none->{body}, $wrong->{body}, 'look the same');
    is(visit('/checkout/order-received/1201/')->{status}, 404, 'no key');

    for my $path ('/checkout/order-received/01201/?key=wc_order_Key1201',
        '/checkout/order-received/1201/x?key=wc_order_Key1201',
        '/Checkout/Order-Received/1201/?key=wc_order_Key1201',
        '/checkout/?order-received=1201&key=wc_order_Key1201',
        '/_shop/order?id=1201')
    {
        is(visit($path)->{status}, 404, "$path is no page");
    }

    is_deeply(calls(), $before, 'Payer was not asked');
    is(visit('/_paid/1201', '--interface', '127.0.0.2')->{status}, 403,
        'a buyer does not tell the shop');
    is(visit('/_paid/1201')->{status}, 204, 'and unpaid is not told');
    is(woo(1201)->{status}, 'on-hold', 'the order waits');
}


sub other_methods {
    my $r = visit(woo_order(1301, payment_method => 'cheque'));

    is($r->{status}, 200, 'an order by cheque is none of ours');
    like($r->{body}, qr/Order number: 1301/, 'its page is shown');
    is(books('1301'), undef, 'and nothing is made');
}


sub staff_cancel {
    my $page = woo_order(1401);

    visit($page);
    woo_staff(1401, status => 'cancelled');

    my $r = visit($page);
    is($r->{status}, 409, 'a cancelled order cannot be paid');
    like($r->{body}, qr/cannot be paid/, 'says the page');
    is(books('1401')->{status}, 'CANCELLED', 'its link is gone');

    # the buyer had the card page open
    visit(woo_order(1402));
    pay('1402');
    woo_staff(1402, status => 'cancelled');
    event_of('1402');
    is(woo(1402)->{status}, 'cancelled', 'an event does not bring it back');
}


sub staff_raise {
    my $page = woo_order(1501);

    visit($page);
    woo_staff(1501, total => '259.00');
    is(visit($page)->{status}, 303, 'raised before the payment: a new link');
    is(books('1501')->{liveLinks}, 1, 'one can be paid');
    is(books('1501')->{amount}, 25900, 'for the new amount');

    $page = woo_order(1502);
    visit($page);
    pay('1502');
    woo_staff(1502, total => '259.00');

    is(event_of('1502')->{status}, 200, 'raised after it: the event is over');
    is(woo(1502)->{status}, 'on-hold', 'and the order is not paid');
    is(visit($page)->{status}, 409, 'nor its page open');
    like($site->log, qr/\[error\].*1502/, 'the log says so');
}


sub completed {
    my $page = woo_order(1601);

    visit($page);
    pay('1601');
    woo_staff(1601, status => 'completed');
    is(event_of('1601')->{status}, 200, 'a completed order');
    is(woo(1601)->{status}, 'completed', 'is not thrown back');

    $page = woo_order(1602);
    visit($page);
    woo_staff(1602, status => 'processing');
    is(visit($page)->{status}, 200, 'paid at the counter: passed');
    is(books('1602')->{status}, 'CANCELLED', 'nobody pays it once more');
}


sub overload {
    my $page   = woo_order(1701);
    my $before = { %{ calls() } };

    for my $mood (qw(overload html busy slow)) {
        woo_mood($mood);

        my $r = visit($page);
        is($r->{status}, 503, "the shop is $mood: later");
        like($r->{headers}{'retry-after'}, $mood eq 'busy' ? qr/\A17\z/ : qr/\A\d+\z/,
            'with Retry-After');
        is_deeply(calls(), $before, 'Payer was not asked');
    }

    woo_mood('polite');
    is(visit($page)->{status}, 303, 'polite again: to pay');
    pay('1701');

    woo_mood('overload');
    isnt(int(event_of('1701')->{status} / 100), 2,
        'an event that the shop does not take is not taken');
    woo_mood('polite');
    is(event_of('1701')->{status}, 200, 'and is taken later');
    is(woo(1701)->{status}, 'processing', 'once');
}


# The key that the shop does not know, and a shop that believes to be on http.

sub wrong_credentials {
    my $text = example('docs/shops/woocommerce.md', 'woocommerce');
    my %wrong = (
        'a wrong key' => [ qr/Y2tfc2hvcDpjc19zZWNyZXQ=/, 'Y2tfc2hvcDpub25l' ],
        'no https'    => [ qr/X-Forwarded-Proto https/, 'X-Forwarded-Proto http' ],
    );

    $site->stop;

    for my $what (sort keys %wrong) {
        my $other = serve($text,
            [ qr/server 127\.0\.0\.1:8081;/, "server 127.0.0.1:$woo;" ],
            [ qr/\b127\.0\.0\.1:8082\b/, '127.0.0.1:' . free_port() ],
            $wrong{$what});
        my $r = $other->curl($SITE . woo_order(1801));

        is($r->{status}, 503, "$what: later");
        like($other->log, qr/\[error\].*401/, 'and the log says 401');
        $other->stop;
    }
}
