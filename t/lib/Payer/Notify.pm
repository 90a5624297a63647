package Payer::Notify;

# A shop that is told what has become of its orders (payer_notify):
#
#     use Payer::Notify;
#
#     told_shop();
#     run_payer_tests();
#
#     --- config eval: ::telling('payer_notify_on paid captured;')
#     --- after
#
#     order('1001');
#     pay('1001');
#     is(thanks('1001')->status, 200);
#     my ($told) = told_of(1);            # waits until the shop was told once
#     is($told->{type}, 'paid');

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use Payer::Shop;
use Payer::Sim  ();
use Payer::Test ();

our @EXPORT = qw(told_shop telling order thanks told told_of);

$ENV{TEST_NGINX_SHOP_PORT} = shop_start();

my $json = JSON::PP->new->utf8;


# To be called once, before run_payer_tests(): each block has the shop, and
# those without a request of their own begin with one for nothing.

sub told_shop {
    Test::Nginx::Socket::add_block_preprocessor(sub {
        my ($block) = @_;

        shop_reset();

        $block->set_value('http_config', ($block->http_config // '')
            . "upstream shop { server 127.0.0.1:$ENV{TEST_NGINX_SHOP_PORT}; }\n");
        $block->set_value('request', 'GET /nothing')
            unless defined $block->request || defined $block->must_die;
        $block->set_value('error_code', 404)
            unless defined $block->error_code || defined $block->must_die;
    });
}


# telling('payer_notify_on paid;', 'proxy_read_timeout 1s;'): further lines of
# the server, and of the location where the shop is told

sub telling {
    my ($server, $shop) = map { $_ // '' } @_[ 0, 1 ];

    $server = "payer_notify /_shop/paid?id=\$payer_reference;\n$server"
        unless $server =~ /payer_notify\s/;
    $server = "payer_sweep 1s;\n$server" unless $server =~ /payer_sweep/;

    return <<"EOF";
        $server

        location = /checkout {
            payer_checkout;
            payer_reference       \$arg_order public;
            payer_amount          12900;
            payer_currency        SEK;
            payer_return_success  /thanks?order=\$payer_reference;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /thanks {
            payer_verify        \$arg_order;
            payer_verify_cache  1s;
            empty_gif;
        }

        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /cancel    { payer_cancel;    payer_allow 127.0.0.1; }
        location = /release   { payer_release;   payer_allow 127.0.0.1; }
        location = /refund    { payer_refund;    payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /metrics   { payer_metrics;   payer_allow 127.0.0.1; }

        location = /events    { payer_events; }
        location = /subscriptions {
            payer_subscriptions;
            payer_allow 127.0.0.1;
        }

        location = /_shop/paid {
            internal;
            $shop
            proxy_pass http://shop;
        }
EOF
}


sub order {
    my ($order) = @_;

    my $r = Payer::Test::get("/checkout?order=$order");

    die "no checkout of order $order: $r\n" unless $r->status == 303;
}


sub thanks { return Payer::Test::get("/thanks?order=$_[0]") }


# What the shop was told: each request with its headers in small letters, and
# the members of its body.

sub told {
    my @told;

    for my $request (grep { $_->{line} =~ m{/_shop/} } shop_requests()) {
        my %head = map { lc $_->[0] => $_->[1] } @{ $request->{headers} };
        my $body = eval { $json->decode($request->{body}) } // {};

        push @told, { %$body, line => $request->{line}, head => \%head,
            text => $request->{body}, answer => $request->{answer} };
    }

    return @told;
}


# The same as soon as there are so many.

sub told_of {
    my ($n, $seconds) = @_;

    Payer::Test::wait_until(sub { told() >= $n }, $seconds // 10);

    return told();
}

1;
