package Payer::Lookup;

# A shop that has an order API like WooCommerce's, and nginx in front of it
# that asks there (payer_lookup):
#
#     use Payer::Lookup;
#     lookup_start();
#
#     --- http_config eval: ::page()
#     --- config eval: ::lookup(payer_lookup_only => undef)
#
#     shop_answers(wc(total => '259.00'));
#     my $r = received(1001, 'wc_order_abc');

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use Payer::Shop;
use Payer::Test ();

our @EXPORT = qw(lookup_start page lookup wc received lookups);

my ($api, $page);


sub lookup_start {
    $api  = shop_start();
    $page = Payer::Test::free_port();
}


# The page behind nginx, which knows nothing of Payer.

sub page {
    return <<"EOT";
    server {
        listen 127.0.0.1:$page;
        location / {
            return 200 "THANK YOU \$uri outcome=\$http_x_outcome total=\$http_x_total\\n";
        }
        location /cart/ { return 200 "CART\\n"; }
    }
    upstream shop { server 127.0.0.1:$api; }
EOT
}


# lookup(): the configuration of a WooCommerce shop; changes by directive, undef
# leaves one out; "more" is put into the thank-you location.

sub lookup {
    my (%change) = @_;

    my %lines = (
        payer_lookup       => '/_shop/order?id=$wc_order',
        payer_lookup_match => '$wc_key $arg_key',
        payer_lookup_only  => '$wc_method bacs',
        payer_lookup_open  => '$wc_status pending on-hold failed',
        payer_lookup_paid  => '$wc_status processing completed',
        payer_lookup_field => [
            '$wc_total /total', '$wc_currency /currency',
            '$wc_status /status', '$wc_key /order_key',
            '$wc_method /payment_method',
        ],
        payer_verify_amount => '$wc_total major $wc_currency',
    );

    my $more = delete $change{more} // '';
    my $api  = delete $change{api}  // '';
    my $pay  = delete $change{pay}  // '';

    %lines = (%lines, %change);

    my $text = '';

    for my $name (sort keys %lines) {
        next unless defined $lines{$name};
        $text .= "            $name $_;\n"
            for ref $lines{$name} ? @{ $lines{$name} } : $lines{$name};
    }

    return <<"EOT";
        location ~ ^/checkout/order-received/(?<wc_order>[^/]+)/?\$ {
$text
            payer_verify          \$wc_order;
            error_page 402        = \@pay;
            recursive_error_pages on;
            proxy_set_header      X-Outcome \$payer_outcome;
            proxy_set_header      X-Total   \$wc_total;
            proxy_pass            http://127.0.0.1:$page;
            $more
        }
        location \@pay {
            payer_checkout;
            payer_reference      \$payer_reference;
            payer_amount         \$wc_total major;
            payer_currency       \$wc_currency;
            payer_return_success /checkout/order-received/\$payer_reference/?key=\$arg_key;
            payer_return_fail    /cart/?payment=failed;
            payer_return_back    /cart/;
            $pay
        }
        location /cart/ { proxy_pass http://127.0.0.1:$page; }
        location = /_shop/order {
            internal;
            proxy_set_header Authorization "Basic c2hvcDpzZWNyZXQ=";
            proxy_set_header X-Forwarded-Proto https;
            proxy_pass http://shop/wp-json/wc/v3/orders/\$arg_id;
            $api
        }
EOT
}


# An order as WooCommerce has it.

sub wc {
    my (%change) = @_;

    return 'json ' . JSON::PP->new->canonical->encode({
        id => 1001, total => '129.50', currency => 'SEK',
        status => 'pending', order_key => 'wc_order_abc',
        payment_method => 'bacs', %change,
    });
}


# A visit to the thank-you page.

sub received {
    return Payer::Test::get("/checkout/order-received/$_[0]/?key=$_[1]");
}


# How often the shop was asked.

sub lookups { return scalar shop_requests() }

1;
