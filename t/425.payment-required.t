# The shop returns 402 with the order in headers, which also works through
# another nginx in front of the shop, unlike X-Accel-Redirect.

use lib 't/lib';
use Payer::Test;

our $SHOP = $ENV{TEST_NGINX_SHOP_PORT} = free_port();
our $MIDDLE = $ENV{TEST_NGINX_MIDDLE_PORT} = free_port();

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('http_config', ($block->http_config // '') . <<"END");
    server {
        listen 127.0.0.1:$MIDDLE;
        location / { proxy_pass http://127.0.0.1:$SHOP; }
        location /passes/ {
            proxy_pass         http://127.0.0.1:$SHOP/;
            proxy_ignore_headers X-Accel-Redirect;
            proxy_pass_header  X-Accel-Redirect;
        }
    }
    server {
        listen 127.0.0.1:$SHOP;
        location / {
            add_header X-Payer-Reference \$arg_order always;
            add_header X-Payer-Amount    \$arg_amount always;
            add_header X-Payer-Currency  SEK always;
            return 402 "Please pay";
        }
        location /accel {
            add_header X-Accel-Redirect  /pay;
            add_header X-Payer-Reference \$arg_order;
            add_header X-Payer-Amount    \$arg_amount;
            add_header X-Payer-Currency  SEK;
            return 200 "Please pay";
        }
        location /closed { return 200 "the shop's own page\\n"; }
    }
END

    my $equals = $block->equals // '= ';
    chomp $equals;

    $block->set_value('config', <<"END" . ($block->config // ''));
    location /shop/ {
        proxy_pass             http://127.0.0.1:$MIDDLE/;
        proxy_intercept_errors on;
        error_page 402         $equals\@pay;
        recursive_error_pages  on;
    }
    location \@pay {
        payer_checkout;
        payer_reference      \$upstream_http_x_payer_reference;
        payer_amount         \$upstream_http_x_payer_amount;
        payer_currency       \$upstream_http_x_payer_currency;
        payer_return_success /thanks;
        payer_return_fail    /failed;
        payer_return_back    /cart;
        error_page 400       /shop/closed;
    }
END
    $block->set_value('request', 'GET /shop/closed') unless defined $block->request;
});

Payer::Test::know_sections(qw(equals));
run_payer_tests();

__DATA__

=== TEST 1: a 402 from a shop behind another nginx redirects to the payment page
--- request
POST /shop/buy?order=1001&amount=12900
address=somewhere
--- error_code: 303
--- response_headers_like
Location: ^http://127\.0\.0\.1:\d+/widget/
--- response_headers
Cache-Control: no-store
--- books
1001: status=INITIATED amount=12900 currency=SEK
--- no_error_log
without an equals sign



=== TEST 2: error_page 402 without an equals sign redirects, too, and logs a warning at start
--- equals eval: ' '
--- request
GET /shop/buy?order=1001&amount=12900
--- error_code: 303
--- books
1001: status=INITIATED amount=12900
--- error_log
"error_page 402 @pay" of location "/shop/" leads to "payer_checkout" without an equals sign, write "error_page 402 = @pay"



=== TEST 3: an order that the checkout rejects is shown by its error_page
--- request
GET /shop/buy?order=1001&amount=nothing
--- error_code: 400
--- response_body
the shop's own page
--- calls: none



=== TEST 4: the amount is taken from the shop's response only, not from the client's headers
--- after
my $r = get('/shop/closed?order=1001&amount=1',
    headers => { 'X-Payer-Amount' => 1, 'X-Payer-Reference' => '1001' });
is($r->status, 200, 'a page that asks for no payment');
is_deeply(calls(), {}, 'leads to none');
$r = get('/shop/buy?order=1002&amount=12900', headers => { 'X-Payer-Amount' => 1 });
is(books('1002')->{amount}, 12900, "a buyer's header is not the shop's");



=== TEST 5: X-Accel-Redirect passes an inner nginx with the two documented directives
--- config
location = /pay {
    internal;
    payer_checkout;
    payer_reference      $upstream_http_x_payer_reference;
    payer_amount         $upstream_http_x_payer_amount;
    payer_currency       $upstream_http_x_payer_currency;
    payer_return_success /thanks;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
--- request
GET /shop/passes/accel?order=1001&amount=12900
--- error_code: 303
--- books
1001: status=INITIATED amount=12900 currency=SEK
