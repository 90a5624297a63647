# The answer of a checkout is for one buyer: cache headers of the shop are not
# sent together with no-store.

use lib 't/lib';
use Payer::Test;
use Payer::Gate;

shop();

# the shop behind X-Accel-Redirect, with the opinions of a shop on caches
our $SHOP = $ENV{TEST_NGINX_CACHED_PORT} = free_port();

sub cache_headers {
    my ($r) = @_;

    return join '; ', map { lc } $r->raw
        =~ /^((?:Cache-Control|Expires|CDN-Cache-Control|Surrogate-Control):[^\r\n]*)/gmi;
}

run_payer_tests();

__DATA__

=== TEST 1: after X-Accel-Redirect the shop's Cache-Control and Expires are not sent with the redirect
--- http_config
server {
    listen 127.0.0.1:$TEST_NGINX_CACHED_PORT;
    location / {
        add_header X-Accel-Redirect $arg_to;
        add_header Cache-Control "public, max-age=3600";
        add_header Expires "Thu, 31 Dec 2037 23:55:55 GMT";
        add_header X-Payer-Reference $arg_order;
        return 200 "moved\n";
    }
}
--- config
location /shop { proxy_pass http://127.0.0.1:$TEST_NGINX_CACHED_PORT; }
location = /pay {
    internal;
    payer_checkout;
    payer_reference      $upstream_http_x_payer_reference;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /thanks;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
location = /framed {
    internal;
    payer_checkout;
    payer_present        /frame;
    payer_reference      $upstream_http_x_payer_reference;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /thanks;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
location = /frame {
    add_header X-Url $payer_url;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT/cacheable;
}
--- after
my $r = get('/shop?to=/pay&order=1001');
is($r->status, 303, 'redirected');
is(cache_headers($r), 'cache-control: no-store', 'no-store, and nothing else');

$r = get('/shop?to=/pay&order=');
is($r->status, 400, 'a problem');
is(cache_headers($r), 'cache-control: no-store', 'the same');

$r = get('/shop?to=/framed&order=1001');
is($r->status, 200, "the shop's own page with the address of the payment page");
like($r->header('X-Url'), qr/widget/, 'which is in it');
is(cache_headers($r), 'cache-control: no-store', 'the same');
