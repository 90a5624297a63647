# EverShop, as it is published, over PostgreSQL, behind the configuration of
# docs/shops/evershop.md: from the product to the thank-you page.

use lib 't/lib', 't/shops/lib', 't/browser';
use Payer::Test simulator => 0;
use Payer::Docs;

use Browser;
use EverShop;
use File::Path qw(make_path);
use JSON::PP   qw(encode_json);
use Middle;

my $SITE = 'https://shop.example';
my $dir  = work_dir();

my $shop   = EverShop->new("$dir/evershop");
my $middle = Middle->new($shop->port, "$dir/middle");

my $site = serve(example('docs/shops/evershop.md', 'evershop'),
    [ qr/server 127\.0\.0\.1:8081;/, 'server 127.0.0.1:' . $middle->port . ';' ],
    [ qr/payer_sweep +1m;/, 'payer_sweep 1s; payer_notify_retry 1h interval=1s max=2s;' ]);

is(visit('/payer/subscriptions', '-d', 'type=CARD_PAYMENT_AUTHORIZED', '-d',
    "url=$SITE/payer/events")->{status}, 204, 'events are subscribed');

bought_and_paid();
told_after_the_event();
told_by_the_sweep();
told_when_the_shop_is_up_again();
pages_that_are_not_yours();
cancelled_by_staff();
raised_by_staff();
in_the_shop_itself();
bad_weather();
more_than_the_shop_answers();
in_a_browser();

unlike($site->log, qr/\[(?:alert|emerg|crit)\]/, 'nginx has no alarm');
Test::More::done_testing();


# As the buyer of the last order, whom the shop knows by a cookie.

sub visit { return $site->curl("$SITE$_[0]", $shop->jar, @_[ 1 .. $#_ ]) }

sub order_of { return ($_[0] =~ m{/success/([0-9a-f-]{36})})[0] }


sub bought {
    my $page = $shop->buy($site, $_[0] // 1);

    return ($page, order_of($page));
}


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


# The payment status of the order in the shop, as soon as it is this one.

sub becomes {
    my ($order, $status, $what) = @_;

    wait_until(sub { $shop->order($order)->{payment} eq $status }, 15);
    is($shop->order($order)->{payment}, $status, $what);
}


sub logged {
    my ($pattern, $what) = @_;

    wait_until(sub { $site->log =~ $pattern }, 15);
    like($site->log, $pattern, $what);
}


sub bought_and_paid {
    my ($page, $order) = bought(3);

    my $r = visit($page);
    is($r->{status}, 303, 'who has not paid is sent to pay');
    like($r->{headers}{location}, qr{/widget/}, 'at Payer');
    is(books($order)->{amount}, 14985, 'three of 49.95');
    is(books($order)->{currency}, 'SEK', 'in the currency of the shop');

    my $link = $r->{headers}{location};
    is(visit($_)->{headers}{location}, $link, "the same link: $_")
        for "$page/", $page =~ s/checkout/Checkout/r, "$page?ajax=true",
        $page =~ s/success/succe%73s/r;

    $r = visit("/unpaid/$order");
    is($r->{status}, 200, 'who presses Back finds a page');
    like($r->{body}, qr{href="$page"}, 'with the way to the payment');
    is($shop->order($order)->{payment}, 'pending', 'the order waits');

    pay($order);

    $r = visit("$page?paid=1");
    is($r->{status}, 200, 'who has paid is let through');
    like($r->{body}, qr/checkout-success/, 'to the thank-you page of the shop');
    is($site->curl("$SITE$page")->{status}, 302,
        'which is for the session of the buyer');

    becomes($order, 'paid', 'the shop is told');
    is($shop->order($order)->{status}, 'processing', 'and the order goes on');
    is(event_of($order)->{status}, 200, 'the event comes later');
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


# Who is the first to see that the buyer has paid; the return is above.

sub told_after_the_event {
    my ($page, $order) = bought();

    visit($page);
    pay($order);
    is(event_of($order)->{status}, 200, 'the event is taken');
    becomes($order, 'paid', 'and the shop is told');
}


sub told_by_the_sweep {
    my ($page, $order) = bought();

    visit($page);
    pay($order);
    becomes($order, 'paid', 'nobody comes, and the shop is told all the same');
}


sub told_when_the_shop_is_up_again {
    my ($page, $order) = bought();

    visit($page);
    $middle->is('down');
    pay($order);
    is(event_of($order)->{status}, 200, 'the event is taken without the shop');

    logged(qr/did not accept the notification "paid".*order: "$order"/,
        'the shop is down, and cannot be told');
    is($shop->order($order)->{payment}, 'pending', 'it does not know');

    $middle->is('pass');
    becomes($order, 'paid', 'and is told when it is up again');
}


sub pages_that_are_not_yours {
    my ($page, $order) = bought();
    my $before = { %{ calls() } };

    for my $wrong ($order =~ s/.{4}\z/0000/r, '0' x 8 . '-0000' x 3 . '-' . '0' x 12,
        uc $order, $order =~ s/-//gr, "%7B$order%7D", "$order/x", "$order%20",
        "$order%00", '')
    {
        is(visit("/checkout/success/$wrong")->{status},
            $wrong =~ /%00/ ? 400 : 404, "order $wrong is not there");
    }

    is(visit('/checkout/success')->{status}, 404, 'no order');
    is(visit("/_shop/order?id=$order")->{status}, 404,
        'the location of the lookup is not the buyer\'s');
    is(visit("/_shop/paid?id=$order")->{status}, 404,
        'nor that of the notification');

    for my $path ('/api/cod/captures', '/API/cod/captures/',
        '/api/c%6Fd/captures', '/en/api/cod/captures', '//api//cod/captures')
    {
        is(visit($path, '-H', 'Content-Type: application/json', '-d',
            encode_json({ order_id => $order }))->{status}, 404,
            "$path is out of reach");
    }

    is(visit('/Admin/orders')->{status}, 403, 'and so is the back office');
    is($shop->order($order)->{payment}, 'pending', 'nobody has paid');
    is_deeply(calls(), $before, 'and Payer was not asked');
}


sub cancelled_by_staff {
    my ($page, $order) = bought(2);

    visit($page);
    $shop->cancel($order);

    is(visit($page)->{status}, 409, 'a canceled order cannot be paid');
    is(books($order)->{status}, 'CANCELLED', 'and its link is gone');

    # the same, but the buyer had the card page open and was quicker
    ($page, $order) = bought(2);
    visit($page);
    pay($order);
    $middle->is('down');
    event_of($order);
    $shop->cancel($order);
    $middle->is('pass');

    logged(qr/"paid" was not sent: the shop says that the order is not open, order: "$order"/,
        'the log says that the order was canceled');
    is($shop->order($order)->{payment}, 'canceled',
        'an old link does not bring back a canceled order');
}


sub raised_by_staff {
    my ($page, $order) = bought(1);

    visit($page);
    $shop->set_total($order, 99.90);
    is(visit($page)->{status}, 303, 'the total was raised before the payment');
    is(books($order)->{amount}, 9990, 'and the new one is paid');

    pay($order);
    $shop->set_total($order, 199.80);
    is(visit("$page?paid=1")->{status}, 409, 'raised after it: not enough');
    logged(qr/"paid" was not sent.*order: "$order"/, 'the shop is not told');
    is($shop->order($order)->{payment}, 'pending', 'and does not ship');
}


sub in_the_shop_itself {
    my ($page, $order) = bought();

    visit($page);
    $shop->paid_by_hand($order);

    is(visit($page)->{status}, 200, 'paid at the counter: let through');
    is(books($order)->{status}, 'CANCELLED', 'nobody pays it once more');
}


sub bad_weather {
    my ($page, $order) = bought();
    my $before = { %{ calls() } };

    for my $weather (qw(down 429 html half slow)) {
        $middle->is($weather);

        my $r = visit($page);
        is($r->{status}, 503, "the shop is $weather: not now");
        is($r->{headers}{'retry-after'}, $weather eq '429' ? 17 : 3,
            'with Retry-After');
        is_deeply(calls(), $before, 'Payer was not asked');
    }

    $middle->is('pass');
    is(visit($page)->{status}, 303, 'the sun comes out');
    pay($order);
    becomes($order, 'paid', 'the shop is told');
}


# 120 API calls a minute from one address: lookups do not count as nginx's.

sub more_than_the_shop_answers {
    my ($page, $order) = bought();
    my $query = encode_json({ query => '{order(uuid:"x"){uuid}}' });
    my $status;

    for (1 .. 130) {
        $status = visit('/api/graphql', '--interface', '127.0.0.2', '-H', 'Content-Type: application/json',
            '-d', $query)->{status};
        last if $status == 429;
    }

    is($status, 429, 'the shop has had enough of this address');
    is(visit($page)->{status}, 303, 'a lookup is not counted with it');
}


# The product's page is the shop's; what its scripts would send is sent for them,
# and the browser goes where they would lead.

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
            "--host-resolver-rules=MAP shop.example:443 127.0.0.1:$site->{tls}",
        ],
    );

    $browser->open("$SITE/coffee");
    $browser->script(<<'EOT', encode_json($shop->form_of_the_buyer('-')));
        function send(path, form) {
            var x = new XMLHttpRequest();
            x.open('POST', '/api/' + path, false);
            x.setRequestHeader('Content-Type', 'application/json');
            x.send(JSON.stringify(form));
            return JSON.parse(x.responseText).data;
        }
        var cart = send('cart/mine/items', { sku: 'coffee', qty: 3 }).cartId;
        var form = JSON.parse(arguments[0]);
        form.cart_id = cart;
        var order = send('carts/' + cart + '/checkout', form);
        window.location.href = '/checkout/success/' + order.uuid;
EOT

    $browser->find('#number');
    $browser->screenshot('evershop-card');
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
        sub { $browser->url =~ m{/checkout/success/} && $browser->text('body') });

    like($text, qr/149\.85/, 'paid, the buyer sees the thank-you page');
    like($browser->url, qr{/checkout/success/[0-9a-f-]{36}\?paid=1\z},
        'of the order');
    $browser->screenshot('evershop-thanks');
    $browser->quit;
}
