package Payer::Worth;

# What the tests of sums share: a shop that names an order with each request,
# a signed and a public way to the same orders, a gate, and the back office.
# A file that uses it gets, in each block that is not --- bare:
#
#   /buy?order=&amount=&currency=  the shop: X-Accel-Redirect with what the
#                                  arguments say
#   /signed?...&expires=&sig=      the same in a signed link
#   /public?...                    the same for anybody
#   /dear?order=&amount=           the same to /dear/thanks, if a block has one
#   /thanks?order=                 behind payer_verify; a block's --- gate
#                                  stands in that location, too
#   /capture, /cancel, ...         the operations
#
# A block's own --- config comes in addition.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Exporter qw(import);
use Payer::Conf;
use Payer::Test simulator => 1;
use Test::More ();

our @EXPORT = qw(worth told signed_link buy_paid is_problem to_widget to_thanks
    operate);

my $KEY = 'the-key-that-shop-and-nginx-share';


# worth(): to be called once, before run_payer_tests()

sub worth {
    my $port = $ENV{TEST_NGINX_SHOP_PORT} = free_port();

    write_file('link.key', "$KEY\n", 0600);

    Payer::Test::know_sections(qw(gate server));

    Test::Nginx::Socket::add_block_preprocessor(sub {
        my ($block) = @_;
        return if defined $block->bare;

        $block->set_value('http_config',
            ($block->http_config // '') . _shop($port));
        $block->set_value('config',
            _locations($block, $port) . ($block->config // ''));
        $block->set_value('request', 'GET /nothing')
            unless defined $block->request || defined $block->must_die;
        $block->set_value('error_code', 404)
            unless defined $block->error_code || defined $block->must_die;
    });
}


sub _shop {
    my ($port) = @_;

    return <<"EOF_CONF";
    server {
        listen       127.0.0.1:$port;
        default_type text/plain;

        location = /buy {
            add_header X-Accel-Redirect /payer/checkout;
            add_header X-Payer-Reference \$arg_order;
            add_header X-Payer-Amount    \$arg_amount;
            add_header X-Payer-Currency  \$arg_currency;
            return 200 "not seen";
        }
        location = /dear {
            add_header X-Accel-Redirect /dear/thanks?o=\$arg_order;
            add_header X-Payer-Amount   \$arg_amount;
            return 200 "not seen";
        }
        location / {
            return 200 "THANK YOU: \$http_x_payer_sums\\n";
        }
    }
EOF_CONF
}


sub _locations {
    my ($block, $port) = @_;

    my $gate = $block->gate // '';

    my @order = (
        payer_amount   => '$arg_amount',
        payer_currency => '$arg_currency',
        payer_return_success => '/thanks?order=$payer_reference'
    );

    return "payer_timeout 5s;\n"
        . checkout('= /payer/checkout',
            internal        => '',
            payer_reference => '$upstream_http_x_payer_reference',
            payer_amount    => '$upstream_http_x_payer_amount',
            payer_currency  => '$upstream_http_x_payer_currency')
        . checkout('= /signed', @order,
            payer_reference          => '$arg_order',
            payer_signature          =>
                '$arg_sig $arg_order:$arg_amount:$arg_currency:$arg_expires',
            payer_signature_expires  => '$arg_expires',
            payer_signature_key_file => "$ENV{TEST_NGINX_DIR}/link.key")
        . checkout('= /public',
            set => [ '$sum $arg_amount', '$in $arg_currency' ],
            payer_amount   => '$sum trusted',
            payer_currency => '$in trusted')
        . operations()
        . <<"EOF_CONF";
        location = /buy { proxy_pass http://127.0.0.1:$port; }
        location = /thanks {
            payer_verify \$arg_order;
            $gate
            proxy_set_header X-Payer-Sums "status=\$payer_status authorized=\$payer_authorized_amount captured=\$payer_captured_amount refunded=\$payer_refunded_amount currency=\$payer_currency";
            proxy_pass http://127.0.0.1:$port;
        }
        location = /nothing { return 404; }
EOF_CONF
}


# told('1001', 12900): the shop sends the buyer to pay

sub told {
    my ($order, $amount, $currency) = (@_, 'SEK');

    return get("/buy?order=$order&amount=$amount&currency=$currency");
}


# signed_link('1001', 12900, time + 600)

sub signed_link {
    my ($order, $amount, $expires, $currency) = @_;

    $currency //= 'SEK';

    my $sig = hmac_sha256_hex("$order:$amount:$currency:$expires", $KEY);

    return "/signed?order=$order&amount=$amount&currency=$currency"
        . "&expires=$expires&sig=$sig";
}


# buy_paid('1001', 12900): the shop, and the buyer pays

sub buy_paid {
    my ($order, $amount) = (@_, 12900);

    my $r = told($order, $amount);
    die "no checkout of order $order: $r\n" unless $r->status == 303;

    pay($order);

    return payment($order);
}


# operate('refund', '1001', amount => 100): has to be done

sub operate {
    my ($what, $order, %with) = @_;

    my $r = post("/$what", json => { reference => $order, %with });
    die "no $what of order $order: $r\n" unless $r->status == 200;

    return $r;
}


sub is_problem {
    my ($r, $status, $type, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $got = $r->status == $status ? eval { $r->json->{type} } : undef;

    return Test::More::ok(defined $got && $got eq $type, $name)
        || Test::More::diag($r);
}


sub to_widget {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok(
        $r->status == 303 && $r->header('Location') =~ m{/widget/}, $name)
        || Test::More::diag($r);
}


sub to_thanks {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok(
        $r->status == 303 && $r->header('Location') =~ m{/thanks\?}, $name)
        || Test::More::diag($r);
}

1;
