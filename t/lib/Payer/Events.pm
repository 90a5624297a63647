package Payer::Events;

# What the tests of payer_events share: a server with a checkout, the events
# and the shop behind it, and events whose callback the test itself makes.
#
#     use Payer::Events;
#
#     --- http_config eval: ::shop_upstream()
#     --- config eval: ::events_server()
#     --- after
#     my $token = paid_event('1001');         # paid, and Payer has an event
#     is(callback($token)->status, 200);

use strict;
use warnings;

use Exporter qw(import);

use Payer::Shop;
use Payer::Sim  ();
use Payer::Test ();

our @EXPORT = qw(
    shop_upstream events_server buying paid_event callback subscribe
    event_of shop_heads
);

$ENV{TEST_NGINX_SHOP_PORT} = shop_start();

# Nobody listens there: Payer calls in vain, and the tests call instead.
my $nowhere = 'http://127.0.0.1:' . Payer::Test::free_port() . '/';


sub shop_upstream {
    return "upstream shop { server 127.0.0.1:$ENV{TEST_NGINX_SHOP_PORT}; }\n";
}


# The locations that a purchase needs.

sub buying {
    return <<'EOF';
        location = /checkout {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          12900;
            payer_currency        SEK;
            payer_language        sv;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /subscriptions {
            payer_subscriptions;
            payer_allow  127.0.0.1;
        }
EOF
}


# events_server('payer_tries 1;', 'proxy_read_timeout 1s;'): further lines of
# the location for events, and of the shop's

sub events_server {
    my ($events, $shop) = map { $_ // '' } @_[ 0, 1 ];

    return buying() . <<"EOF";
        location = /events {
            payer_events;
            payer_event_pass  /shop/event;
            $events
        }

        location = /shop/event {
            internal;
            $shop
            proxy_pass  http://shop;
        }
EOF
}


sub subscribe {
    my (%option) = (type => 'CARD_PAYMENT_AUTHORIZED', url => $nowhere, @_);

    my $r = Payer::Test::post('/subscriptions', form => \%option);

    die "no subscription: $r\n" unless $r->status == 204;
}


# The buyer pays, and Payer has one event to tell, which it tells nobody:
# returns its token.

sub paid_event {
    my ($order, %pay) = @_;

    shop_reset();
    Payer::Sim::sim_config(event_calls => 1);
    subscribe();

    Payer::Test::get("/checkout?order=$order")->status == 303
        or die "no checkout of order $order\n";

    my $before = @{ Payer::Sim::events() };
    Payer::Sim::pay($order, %pay);

    Payer::Test::wait_until(sub { @{ Payer::Sim::events() } > $before })
        or die "Payer has no event of order $order\n";

    # the journal is to begin with the callback
    Payer::Sim::sim('DELETE', 'journal');

    return Payer::Sim::events()->[-1]{token};
}


sub callback {
    my ($token, @option) = @_;
    return Payer::Test::get("/events?token=$token", @option);
}


# What Payer knows of the event: fetched, acked, calls, ...

sub event_of {
    my ($token) = @_;

    my ($event) = grep { $_->{token} eq $token } @{ Payer::Sim::events() };
    return $event;
}


# What the shop got, as the headers in a hash, names in small letters.

sub shop_heads {
    return map {
        +{ map { lc $_->[0] => $_->[1] } @{ $_->{headers} } }
    } shop_requests();
}

1;
