package Payer::Scenes;

# Everything that the module does, one scene for each, for tests that look at
# how it does it.
#
#     --- config eval: $Payer::Scenes::shop
#     --- http_config eval: $Payer::Scenes::prices
#
#     for my $scene (scenes()) {
#         my $order = new_order($scene);
#         my $r = $scene->{act}->($order);
#         ...
#     }
#
# A scene has a name, what has to be there before it, the act, the status that
# it ends with when nothing is in its way, and what must hold for the order
# whatever was in its way: a function that returns what does not.

use strict;
use warnings;

use Exporter qw(import);

use Payer::Sim qw(sim books pay payment revoke faults);

our @EXPORT = qw(scenes new_order);

our $shop = <<'EOF';
        payer_timeout  5s;

        payer_currency        SEK;
        payer_amount          $payer_test_amount;
        payer_reference       $arg_order public;
        payer_return_success  /thanks;
        payer_return_fail     /cart;
        payer_return_back     /cart;

        location = /checkout { payer_checkout; }
        location = /json     { payer_checkout; payer_present json; }
        location = /iframe   { payer_checkout; payer_present iframe; }
        location = /confirm  { payer_checkout; payer_present confirm; }
        location = /page     { payer_checkout; payer_present /page.gif; }
        location = /page.gif { internal; empty_gif; }

        location = /thanks {
            payer_verify        $arg_order;
            payer_verify_cache  0;
            empty_gif;
        }

        location = /auto {
            payer_verify        $arg_order;
            payer_verify_cache  0;
            payer_auto_capture  on;
            empty_gif;
        }

        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /cancel    { payer_cancel;    payer_allow 127.0.0.1; }
        location = /release   { payer_release;   payer_allow 127.0.0.1; }
        location = /refund    { payer_refund;    payer_allow 127.0.0.1; }
        location = /payment   { payer_payment;   payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /metrics   { payer_metrics;   payer_allow 127.0.0.1; }

        location = /subscriptions {
            payer_subscriptions;
            payer_allow  127.0.0.1;
        }

        location = /events {
            payer_events;
            payer_event_pass  /shop-event;
        }

        location = /shop-event { internal; return 204; }
EOF

our $prices = <<'EOF';
    map $arg_price $payer_test_amount {
        default  10000;
        new      8000;
    }
EOF

for my $name (qw(get post)) {
    no strict 'refs';
    *{$name} = sub { &{"Payer::Test::$name"}(@_) };
}

my $serial = 0;

# what buyers have seen: order => { URL => 1 }; and order => token of its event
my (%seen, %event);


sub scene {
    my ($name, $status, $before, $act, $wrong) = @_;

    return {
        name   => $name,
        status => $status,
        before => $before,
        act    => $act,
        wrong  => $wrong // \&nothing,
    };
}


sub scenes {
    my $buy = visit('/checkout');

    return (
        scene('first visit',    303, \&nothing,  $buy, \&links_wrong),
        scene('another visit',  303, \&visited,  $buy, \&links_wrong),
        scene('new token',      303, \&no_token, $buy, \&links_wrong),
        scene('other price',    303, \&visited,
            visit('/checkout', '&price=new'), \&links_wrong),
        scene('paid before',    303, \&paid,     $buy, \&links_wrong),
        scene('visit, JSON',    200, \&nothing,  visit('/json'),
            \&links_wrong),
        scene('visit, iframe',  200, \&nothing,  visit('/iframe')),
        scene('visit, confirm', 200, \&nothing,  visit('/confirm')),
        scene('visit, a page',  200, \&nothing,  visit('/page')),
        scene('gate, paid',     200, \&paid,     look('/thanks?order=')),
        scene('gate, not paid', 402, \&visited,  look('/thanks?order=')),
        scene('auto capture',   200, \&paid,     look('/auto?order='),
            sum_wrong(captured => 10000)),
        scene('capture',        200, \&paid,     operation('capture', 4000),
            sum_wrong(captured => 4000)),
        scene('release',        200, \&paid,     operation('release'),
            sum_wrong(released => 10000)),
        scene('refund',         200, \&sold,     operation('refund', 4000),
            sum_wrong(refunded => 4000)),
        scene('cancel',         200, \&visited,  operation('cancel')),
        scene('payment',        200, \&paid,     look('/payment?reference=')),
        scene('event',          200, \&told,     \&callback),
        scene('reconcile',      200, \&in_doubt, \&reconciled,
            sum_wrong(captured => 10000)),
        scene('subscriptions',  200, \&nothing,  look('/subscriptions?')),
        scene('metrics',        200, \&nothing,  look('/metrics?')),
    );
}


sub new_order {
    my ($scene) = @_;

    my $order = 'o' . ++$serial;

    $scene->{before}->($order);

    return $order;
}


# Acts.

sub visit {
    my ($uri, $more) = @_;

    return sub {
        my ($order) = @_;

        my $r = get("$uri?order=$order" . ($more // ''));
        my ($url) = $r->status == 303 ? $r->header('Location')
            : $r->body =~ m{"url":"([^"]+)"};

        $seen{$order}{$url} = 1 if ($url // '') =~ m{/widget/};

        return $r;
    };
}


sub look {
    my ($uri) = @_;

    return sub { get($uri . $_[0]) };
}


sub operation {
    my ($name, $amount) = @_;

    return sub {
        my ($order) = @_;

        my $query = "reference=$order" . ($amount ? "&amount=$amount" : '');

        return post("/$name?$query",
            headers => { 'Idempotency-Key' => "$name-$order" });
    };
}


sub callback { return get("/events?token=$event{ $_[0] }") }

sub reconciled { return post('/reconcile') }


# What is there before.

sub nothing { return }


sub no_token { revoke() }


sub visited {
    my ($order) = @_;

    my $r = visit('/checkout')->($order);

    $r->status == 303 or die "no checkout of order $order: $r\n";
}


sub paid {
    my ($order) = @_;

    visited($order);
    pay($order);
}


sub sold {
    my ($order) = @_;

    paid($order);

    my $r = post("/capture?reference=$order&amount=10000");

    $r->status == 200 or die "no capture of order $order: $r\n";
}


# Where Payer calls nobody listens: the test itself makes the callback.

sub told {
    my ($order) = @_;

    my %kind = (type => 'CARD_PAYMENT_REFUNDED');
    my $r = post('/subscriptions',
        form => { %kind, url => 'http://[::1]:1/' });

    $r->status == 204 or die "no subscription: $r\n";

    sim('POST', 'config', { event_calls => 1 });
    paid($order);

    my $made = sim('POST', 'events', { %kind, paymentId => payment($order) });

    $event{$order} = $made->{tokens}[0];
}


sub in_doubt {
    my ($order) = @_;

    paid($order);
    faults('capture: lost-reply times=0');
    operation('capture', 10000)->($order);
    sim('DELETE', 'faults');
}


# What must not be.

sub links_wrong {
    my ($order) = @_;

    my $books = sim('GET', "books?reference=$order");
    my @alive = grep { $_->{live} && $seen{$order}{ $_->{url} } }
        @{ $books->{payments} };

    return @alive > 1 ? scalar(@alive) . ' live links were handed out' : undef;
}


sub sum_wrong {
    my ($sum, $amount) = @_;

    return sub {
        my $is = books($_[0])->{$sum};

        return $is > $amount ? "$is is $sum" : undef;
    };
}

1;
