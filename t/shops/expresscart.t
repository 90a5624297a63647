# expressCart, as it is published, behind the configuration of
# docs/shops/expresscart.md: from the product to the thank-you page.

use lib 't/lib', 't/shops/lib', 't/browser';
use Payer::Test simulator => 0;
use Payer::Docs;

use Browser;
use ExpressCart;
use File::Path qw(make_path);
use Middle;

my $SITE = 'https://shop.example';
my $dir  = work_dir();

my $shop   = ExpressCart->new("$dir/expresscart");
my $middle = Middle->new($shop->port, "$dir/middle");

my $site = serve(example('docs/shops/expresscart.md', 'expresscart'),
    [ qr/server 127\.0\.0\.1:8081;/, 'server 127.0.0.1:' . $middle->port . ';' ],
    [ qr/payer_sweep +1m;/, 'payer_sweep 1s; payer_notify_retry 1h interval=1s max=2s;' ],
    [ qr/^(?= +location \@pay \{)/m, first_of_the_list() ]);

is(visit('/payer/subscriptions', '-d', 'type=CARD_PAYMENT_AUTHORIZED', '-d',
    "url=$SITE/payer/events")->{status}, 204, 'events are subscribed');

bought_and_paid();
told_after_the_return();
told_after_the_event();
told_by_the_sweep();
told_when_the_shop_is_up_again();
pages_that_are_not_yours();
cancelled_by_staff();
in_the_shop_itself();
html_of_the_buyers();
bad_weather();
in_a_browser();

unlike($site->log, qr/\[(?:alert|emerg|crit)\]/, 'nginx has no alarm');
Test::More::done_testing();


sub order_of { return ($_[0] =~ m{/payment/([0-9a-f]{24})})[0] }

sub visit { return $site->curl("$SITE$_[0]", @_[ 1 .. $#_ ]) }

sub typed {
    my ($operation, $order, @more) = @_;

    return visit("/payer/$operation", '-d', "reference=$order", @more);
}


# Payer's call, by hand: the simulator knows no address of ours.
sub event_of {
    my ($order) = @_;
    my ($event) = grep { ($_->{reference} // '') eq $order }
        @{ sim('GET', 'events') };

    return $event && visit("/payer/events?token=$event->{token}");
}


# The order that is first in the JSON list of the back office, where the total
# is a double.

sub first_of_the_list {
    return <<'EOT';

        location ~ "^/first/(?<ec_first>[0-9a-f]{24})$" {
            payer_lookup         /_shop/list?id=$ec_first;
            payer_lookup_field   $list_id    /orders/data/0/_id;
            payer_lookup_field   $list_total /orders/data/0/orderTotal;
            payer_lookup_match   $list_id    $ec_first;
            payer_checkout;
            payer_reference      $ec_first;
            payer_amount         $list_total major float;
            payer_currency       SEK;
            payer_return_success /payment/$payer_reference?paid=1;
            payer_return_fail    /unpaid/$payer_reference;
            payer_return_back    /unpaid/$payer_reference;
        }

        location = /_shop/list {
            internal;
            proxy_set_header apikey 5f0000000000000000000001;
            proxy_pass       http://shop/admin/orders/1;
        }

EOT
}


sub bought_and_paid {
    my $page  = $shop->buy($site, 'coffee', 3);
    my $order = order_of($page);

    is($shop->order($order)->{orderTotal}, 149.85000000000002,
        'the shop has a total that no till knows');

    my $r = visit($page);
    is($r->{status}, 303, 'who has not paid is sent to pay');
    like($r->{headers}{location}, qr{/widget/}, 'at Payer');
    is(books($order)->{amount}, 14985, 'the very amount');

    is(visit("$page/")->{headers}{location}, $r->{headers}{location},
        'with a slash behind it, to the same link');
    is(visit($page =~ s/payment/Payment/r)->{headers}{location},
        $r->{headers}{location}, 'and in other letters');

    is(visit("/first/$order")->{headers}{location}, $r->{headers}{location},
        'the double of the list is the same amount');

    $r = visit("/unpaid/$order");
    is($r->{status}, 200, 'who presses Back finds a page');
    like($r->{body}, qr{href="$page"}, 'with the way to the payment');
    is($shop->order($order)->{orderStatus}, 'Pending', 'the order waits');

    pay($order);

    $r = visit("$page?paid=1");
    is($r->{status}, 200, 'who has paid is let through');
    like($r->{body}, qr/\Q$order\E/, 'to the thank-you page of the shop');
    like($r->{body}, qr/payment (?:was received|has been successfully processed)/,
        'which does not ask for money');

    is(visit('/_shop/paid?id=' . $order)->{status}, 404,
        'the way to tell the shop is not the buyer\'s');

    becomes($order, 'Paid', 'the shop is told');
    is(visit($page)->{status}, 200, 'the page stays open');

    captured_and_refunded($order, $page);
}


sub captured_and_refunded {
    my ($order, $page) = @_;

    is(typed('capture', $order)->{status}, 200, 'captured');
    is(books($order)->{captured}, 14985, 'all of it');
    is(typed('refund', $order, '-d', 'amount=4995')->{status}, 200,
        'one of three comes back');
    is(visit($page)->{status}, 200, 'the page stays open');
    is(typed('refund', $order, '-d', 'amount=9990')->{status}, 200,
        'and the others');
    is(books($order)->{refunded}, 14985, 'all is given back');

    my $r = visit($page);
    is($r->{status}, 409, 'the page is closed');
    like($r->{body}, qr/cannot be paid/, 'and says so');
    is(books($order)->{links}, 1, 'nothing new is sold');
}


# The status of the order in the shop, as soon as it is this one.

sub becomes {
    my ($order, $status, $what) = @_;

    wait_until(sub { $shop->order($order)->{orderStatus} eq $status }, 15);
    is($shop->order($order)->{orderStatus}, $status, $what);
}


sub accepted {
    my ($order) = @_;

    return scalar(() = $site->log
        =~ /accepted the notification "paid".*order: "$order"/g);
}


# Each of the three that can be the first to see that the buyer has paid; the
# others come too late, or not at all.

sub told_after_the_return {
    my $page  = $shop->buy($site, 'coffee', 1);
    my $order = order_of($page);

    visit($page);
    pay($order);
    is(visit("$page?paid=1")->{status}, 200, 'the buyer returns');
    becomes($order, 'Paid', 'and the shop is told');

    event_of($order);
    visit($page);
    wait_until(sub { accepted($order) }, 10);

    $shop->set_status($order, 'Shipped');
    event_of($order);
    visit("$page?paid=1");
    sweeps(2);
    is($shop->order($order)->{orderStatus}, 'Shipped',
        'a parcel that is on its way is not called back');
    is(accepted($order), 1, 'the shop is told once');
}


sub told_after_the_event {
    my $page  = $shop->buy($site, 'coffee', 1);
    my $order = order_of($page);

    visit($page);
    pay($order);
    is(event_of($order)->{status}, 200, 'the event is taken');
    becomes($order, 'Paid', 'and the shop is told');
}


sub told_by_the_sweep {
    my $page  = $shop->buy($site, 'coffee', 1);
    my $order = order_of($page);

    visit($page);
    pay($order);
    becomes($order, 'Paid', 'nobody comes, and the shop is told all the same');
}


sub told_when_the_shop_is_up_again {
    my $page  = $shop->buy($site, 'coffee', 1);
    my $order = order_of($page);

    visit($page);
    $middle->is('down');
    pay($order);
    is(event_of($order)->{status}, 200, 'the event is taken without the shop');

    wait_until(sub {
        $site->log =~ /did not accept the notification "paid".*order: "$order"/
    }, 15);
    like($site->log,
        qr/did not accept the notification "paid".*order: "$order"/,
        'the shop is down, and cannot be told');
    is($shop->order($order)->{orderStatus}, 'Pending', 'it does not know');

    $middle->is('pass');
    becomes($order, 'Paid', 'and is told when it is up again');
}


# So many runs of payer_sweep, each of which looks at what is due.

sub sweeps { select undef, undef, undef, 1.2 * $_[0] }


sub pages_that_are_not_yours {
    my $page   = $shop->buy($site, 'coffee', 1);
    my $order  = order_of($page);
    my $before = { %{ calls() } };

    for my $wrong ($order =~ s/.{4}\z/0000/r, 'f' x 24, uc $order) {
        my $r = visit("/payment/$wrong");
        is($r->{status}, 404, "order $wrong is not there");
    }

    for my $path ('/payment', '/payment/', "/payment/$order/x",
        "/payment/$order%2F..", "/PAYMENT/1", "/payment/$order%20")
    {
        is(visit($path)->{status}, 404, "$path is no page");
    }

    is(visit("/_shop/order?id=$order")->{status}, 404,
        'the page of the back office is out of reach');
    is(visit("/Admin/order/view/$order", '-H', 'apikey: ' . ExpressCart::KEY)
        ->{status}, 403, 'by any name');
    is_deeply(calls(), $before, 'and Payer was not asked');
}


sub cancelled_by_staff {
    my $page  = $shop->buy($site, 'coffee', 2);
    my $order = order_of($page);
    my $link  = visit($page)->{headers}{location};

    $shop->set_status($order, 'Cancelled');

    is(visit($page)->{status}, 409, 'a cancelled order cannot be paid');
    is(books($order)->{status}, 'CANCELLED', 'and its link is gone');

    # the same, but the buyer had the card page open and was quicker
    $page  = $shop->buy($site, 'coffee', 2);
    $order = order_of($page);
    visit($page);
    pay($order);
    $shop->set_status($order, 'Cancelled');

    event_of($order);
    wait_until(sub {
        $site->log =~ /"paid" was not sent: the shop says.*order: "$order"/
    }, 15);
    like($site->log, qr/"paid" was not sent: the shop says that the order is not open, order: "$order"/,
        'the log says that the order was cancelled');
    is($shop->order($order)->{orderStatus}, 'Cancelled',
        'an old link does not bring back a cancelled order');
}


sub in_the_shop_itself {
    my $page  = $shop->buy($site, 'coffee', 1);
    my $order = order_of($page);

    visit($page);
    $shop->set_status($order, 'Paid');

    is(visit($page)->{status}, 200, 'paid at the counter: let through');
    is(books($order)->{status}, 'CANCELLED', 'nobody pays it once more');
}


# A name of an option is what the browser says, and the shop prints it into
# the page of the back office without quoting it.

sub html_of_the_buyers {
    my $line = '<strong> Order total amount: </strong>'
        . '<span class="float-right">kr1.00</span>';
    my $options = JSON::PP->new->encode({ x => { name => $line, value => 1 } });
    my $page = $shop->buy($site, 'coffee', 1, productOptions => $options);
    my $order = order_of($page);

    my $r = visit($page);
    is($r->{status}, 503, 'a second price in the page is no price');
    ok(!(grep { $_->{reference} eq $order }
        @{ sim('GET', 'books')->{payments} }), 'and no link');
    like($site->log, qr/\[error\].*\Q$order\E/, 'the log names the order');
}


sub bad_weather {
    my $page   = $shop->buy($site, 'coffee', 1);
    my $order  = order_of($page);
    my $before = { %{ calls() } };

    for my $weather (qw(down 429 html half slow)) {
        $middle->is($weather);

        my $r = visit($page);
        # a strange page names no order, as that of a missing order does
        is($r->{status}, $weather eq 'html' ? 404 : 503,
            "the shop is $weather: not now");
        ok($r->{headers}{'retry-after'}, 'with Retry-After')
            if $r->{status} == 503;
        is($r->{headers}{'retry-after'}, 17, 'that of the shop')
            if $weather eq '429';
        is_deeply(calls(), $before, 'Payer was not asked');
    }

    $middle->is('pass');
    is(visit($page)->{status}, 303, 'the sun comes out');
    pay($order);

    becomes($order, 'Paid', 'the shop is told');
}


# The scripts of the shop's pages come from elsewhere and do not load here: what
# they would send is sent for them.  The order is placed with the shop's own form.

sub in_a_browser {
    my $why = Browser->missing;

    die "$why\n" if $why;

    my $pictures = root() . '/build/screenshots';
    make_path($pictures);

    my $browser = Browser->new(
        log         => "$dir/chromedriver.log",
        screenshots => $pictures,
        flags       => [
            '--ignore-certificate-errors',
            "--host-resolver-rules=MAP shop.example:443 127.0.0.1:$site->{tls},"
                . ' MAP *.cloudflare.com ~NOTFOUND, MAP *.googleapis.com ~NOTFOUND',
        ],
    );

    $browser->open("$SITE/product/coffee");
    $browser->script(<<'EOT', ExpressCart::form_of_the_buyer());
        function send(path, form) {
            var x = new XMLHttpRequest();
            x.open('POST', path, false);
            x.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
            x.send(form);
        }
        send('/product/addtocart', 'productQuantity=3&productId='
            + document.getElementById('productId').value);
        send('/customer/save', arguments[0]);
EOT
    $browser->open("$SITE/checkout/payment");
    $browser->script(q{document.getElementById('shipping-form').submit()});

    $browser->find('#number');
    $browser->screenshot('expresscart-card');
    $browser->click('#back');
    like($browser->wait_for('the page of who goes back',
        sub { $browser->url =~ m{/unpaid/} && $browser->text('h1') }),
        qr/not paid yet/, 'Back leads to a page of its own');

    $browser->click('a');
    $browser->type('#number', '4111111111111111');
    $browser->type('#expiry', '1239');
    $browser->type('#cvc',    '123');
    $browser->click('#pay');

    my $text = $browser->wait_for('the thank-you page',
        sub { $browser->url =~ m{/payment/} && $browser->text('body') });

    like($text, qr/Order ID:/, 'paid, the buyer sees the thank-you page');
    like($browser->url, qr{/payment/[0-9a-f]{24}\?paid=1\z}, 'of the order');
    $browser->screenshot('expresscart-thanks');
    $browser->quit;
}
