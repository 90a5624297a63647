package Payer::Gate;

# A shop with a thank-you page behind payer_verify, for the tests of the gate.
# A file that uses it gets, in each block that is not --- bare:
#
#   /checkout  takes order, amount and currency from the query.  "internal"
#              keeps buyers out; the tests come in through /buy
#   /thanks    behind payer_verify $arg_order, proxied to the shop; a block
#              that says --- thanks has these lines in that location, too, and
#              one that says --- gate has them instead of payer_verify's
#   the shop   says "THANK YOU" and what it was told of the payment
#
# A block's own --- config comes in addition.

use strict;
use warnings;

use Exporter qw(import);
use Payer::Test simulator => 1;
use Test::More ();

our @EXPORT = qw(shop order paid thanks is_thanked is_refused cancel);


# shop(): to be called once, before run_payer_tests()

sub shop {
    my $port = $ENV{TEST_NGINX_SHOP_PORT} = free_port();

    Payer::Test::know_sections(qw(gate thanks));

    Test::Nginx::Socket::add_block_preprocessor(sub {
        my ($block) = @_;
        return if defined $block->bare;

        $block->set_value('http_config',
            ($block->http_config // '') . _shop($port));
        $block->set_value('config',
            _locations($block) . ($block->config // ''));
        $block->set_value('request', 'GET /nothing')
            unless defined $block->request || defined $block->must_die;
        $block->set_value('error_code', 404)
            unless defined $block->error_code || defined $block->must_die;
    });
}


sub _shop {
    my ($port) = @_;

    return <<"EOF";
    server {
        listen       127.0.0.1:$port;
        default_type text/plain;

        location / {
            return 200 "THANK YOU for \$arg_order: status=\$http_x_payer_status payment=\$http_x_payer_payment outcome=\$http_x_payer_outcome \$request_method\\n";
        }
        location = /cart {
            return 200 "The basket: status=\$http_x_payer_status\\n";
        }
        location = /cacheable {
            add_header Cache-Control "public, max-age=3600";
            add_header Surrogate-Control "max-age=3600";
            return 200 "THANK YOU, everybody\\n";
        }
    }
EOF
}


sub _locations {
    my ($block) = @_;

    my $gate  = $block->gate // 'payer_verify $arg_order;';
    my $extra = $block->thanks // '';

    return <<"EOF";
        payer_timeout 5s;

        proxy_set_header X-Payer-Status  \$payer_status;
        proxy_set_header X-Payer-Payment \$payer_payment_id;
        proxy_set_header X-Payer-Outcome \$payer_outcome;

        location = /buy { rewrite ^ /checkout; }
        location = /checkout {
            internal;
            payer_checkout;
            payer_reference      \$arg_order public;
            set \$wanted           \$arg_amount;
            set \$wanted_currency  \$arg_currency;
            payer_amount         \$wanted trusted;
            payer_currency       \$wanted_currency trusted;
            payer_return_success /thanks?order=\$payer_reference;
            payer_return_fail    /failed;
            payer_return_back    /cart;
        }
        location = /cancel { payer_cancel; payer_allow 127.0.0.1; }
        location = /thanks {
            $gate
            $extra
            proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_SHOP_PORT};
        }
        location = /nothing { return 404; }
EOF
}


# order('1001'), order('1001', amount => 100, currency => 'NOK'): a checkout

sub order {
    my ($reference, %option) = @_;

    my $amount   = $option{amount}   // 12900;
    my $currency = $option{currency} // 'SEK';

    my $r = get("/buy?order=$reference&amount=$amount&currency=$currency");

    die "no checkout of order $reference: $r\n" unless $r->status == 303;

    return $r->header('Location');
}


# paid('1001'): the same, and the buyer pays

sub paid {
    my ($reference, %option) = @_;

    order($reference, %option);

    my $outcome = pay($reference)->{outcome};
    die "order $reference was not paid: $outcome\n"
        unless $outcome eq 'authorized';

    return;
}


sub cancel {
    my ($reference) = @_;

    my $r = post('/cancel', json => { reference => $reference });
    die "no cancel of order $reference: $r\n" unless $r->status == 200;

    return;
}


sub thanks { return get("/thanks?order=$_[0]") }


sub is_thanked {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok($r->status == 200 && $r->body =~ /THANK YOU/, $name)
        || Test::More::diag($r);
}


sub is_refused {
    my ($r, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok(
        $r->status == $status && $r->raw !~ /THANK YOU/, $name)
        || Test::More::diag($r);
}

1;
