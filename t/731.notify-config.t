# payer_notify: configurations that are rejected, and warnings.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Notify;

# The shop's location, where the shop is told.
sub place { return "location = /_shop/paid { $_[0] }" }

our $checkout = <<'EOF';
        location = /checkout {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          12900;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }
EOF

our $shop = place('internal; proxy_pass http://shop;');

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: payer_notify to a missing location is rejected
--- http_config eval
::payer_http() . 'server { listen 127.0.0.1:1;' . ::payer_server() . $::checkout . '
        payer_notify /_shop/paid;
        location = /_shop/other { internal; proxy_pass http://shop; }
    }'
--- bare
--- config
--- must_die
--- error_log
there is no location for "/_shop/paid" in the server of location "/checkout", which "payer_notify" names
--- alert: there is no location



=== TEST 2: payer_notify to a location that is not internal is rejected
--- config eval: $::checkout . ::place('proxy_pass http://shop;') . 'payer_notify /_shop/paid;'
--- must_die
--- error_log
is not internal
--- alert: not internal



=== TEST 3: payer_notify to a location without a proxy is rejected
--- config eval: $::checkout . ::place('internal;') . 'payer_notify /_shop/paid;'
--- must_die
--- error_log
does not pass requests to the shop
--- alert: does not pass



=== TEST 4: payer_notify with variables in the path is rejected
--- config eval: $::checkout . $::shop . 'payer_notify /_shop/$arg_x;'
--- must_die
--- error_log
invalid URI "/_shop/$arg_x", its path must begin with a slash and have no variables
--- alert: invalid URI



=== TEST 5: an unknown type of payer_notify_on is rejected
--- config eval: $::checkout . $::shop . 'payer_notify /_shop/paid; payer_notify_on paid sold;'
--- must_die
--- error_log
invalid type "sold"
--- alert: invalid type



=== TEST 6: payer_notify_accept with a pointer and without values is rejected
--- config eval: $::checkout . $::shop . 'payer_notify /_shop/paid; payer_notify_accept /status;'
--- must_die
--- error_log
"/status" must be followed by a value
--- alert: /status



=== TEST 7: payer_notify_retry with max less than interval is rejected
--- config eval: $::checkout . $::shop . 'payer_notify /_shop/paid; payer_notify_retry 1h interval=1h max=1m;'
--- must_die
--- error_log
"max" is less than "interval"
--- alert: less than



=== TEST 8: payer_notify with payer_sweep off is rejected
--- config eval: $::checkout . $::shop . 'payer_notify /_shop/paid; payer_sweep off;'
--- must_die
--- error_log
"payer_notify" has no effect with "payer_sweep off"
--- alert: payer_sweep off



=== TEST 9: payer_notify with payer_lookup_header is rejected
--- config eval
$::checkout . $::shop . 'payer_notify /_shop/paid;
    location = /_shop/order { internal; proxy_pass http://shop; }
    location = /thanks {
        payer_lookup        /_shop/order?id=$arg_order;
        payer_lookup_field  $wc_total /total;
        payer_lookup_header Cookie;
        payer_verify        $arg_order;
        payer_verify_amount $wc_total SEK;
        empty_gif;
    }'
--- must_die
--- error_log
"payer_lookup_header" cannot be used together with "payer_notify /_shop/paid"
--- alert: payer_lookup_header



=== TEST 10: variables of a client's request in the location log a warning
--- config eval: $::checkout . ::place('internal; proxy_set_header X-A $http_x_a; proxy_pass http://shop;') . 'payer_notify /_shop/paid;'
--- request
GET /nothing
--- error_code: 404
--- after
like(error_log_text(), qr/\[warn\].*location "\/_shop\/paid" uses "\$http_x_a", which belongs to a request of a buyer/, 'a warning');



=== TEST 11: payer_notify off cancels an inherited payer_notify
--- config eval: $::checkout =~ s/payer_checkout;/payer_checkout; payer_notify off;/r . $::shop . 'payer_notify /_shop/paid; payer_sweep off;'
--- request
GET /nothing
--- error_code: 404



=== TEST 12: the length of the evaluated URI counts, not that of the names of variables
--- config eval: $::checkout . $::shop . 'payer_notify /_shop/paid?id=$payer_reference&x=' . 'x' x (512 - length('/_shop/paid?id=1001&x=')) . ';'
--- request
GET /checkout?order=1001
--- error_code: 303
--- after
is(get('/checkout?order=10010')->status, 503, 'a longer value does');
like(error_log_text(), qr/has more than 512 bytes for this order/, 'which is logged');



=== TEST 13: payer_notify with a URI that is too long for every order is rejected
--- config eval: $::checkout . $::shop . 'payer_notify /_shop/paid?id=$payer_reference&x=' . 'x' x 500 . ';'
--- must_die
--- error_log
it is longer than 512 bytes



=== TEST 14: payer_notify with a location that returns a response itself is rejected
--- config eval: $::checkout . ::place('internal; proxy_pass http://shop; return 200;') . 'payer_notify /_shop/paid;'
--- must_die
--- error_log
location "/_shop/paid" of "payer_notify /_shop/paid" has "return", so that the shop is never notified



=== TEST 15: payer_notify with a location that rewrites to another location is rejected
--- config eval: $::checkout . ::place('internal; proxy_pass http://shop; rewrite ^ /cart last;') . 'payer_notify /_shop/paid;'
--- must_die
--- error_log
location "/_shop/paid" of "payer_notify /_shop/paid" has "rewrite", so that the shop is never notified



=== TEST 16: payer_notify to the location of payer_api is rejected
--- config eval: $::checkout . 'payer_notify /_payer/told;'
--- must_die
--- error_log
location "/_payer/" of "payer_notify /_payer/told" is that of "payer_api", which passes requests to Payer and not to the shop



=== TEST 17: payer_notify in a server that has no location of this module causes a warning
--- config eval: $::shop . 'payer_notify /_shop/paid;'
--- error_log
"payer_notify /_shop/paid" has no effect: no location of the server calls Payer, so that nothing is sent



=== TEST 18: payer_notify with payer_sweep off is rejected in such a server, too
--- config eval: $::shop . 'payer_notify /_shop/paid; payer_sweep off;'
--- must_die
--- error_log
"payer_notify" has no effect with "payer_sweep off"



=== TEST 19: payer_event_pass to the location of payer_api is rejected
--- config eval: $::checkout . 'location = /events { payer_events; payer_event_pass /_payer/told; }'
--- must_die
--- error_log
location "/_payer/" of "payer_event_pass /_payer/told" is that of "payer_api", which passes requests to Payer and not to the shop



=== TEST 20: payer_lookup to the location of payer_api is rejected
--- config eval: $::checkout =~ s{payer_checkout;}{payer_checkout; payer_lookup /_payer/order?id=\$arg_order; payer_lookup_field \$wc_total /total; payer_lookup_field \$wc_key /key; payer_lookup_match \$wc_key \$arg_key; payer_lookup_open \$wc_total open;}r
--- must_die
--- error_log
location "/_payer/" of "payer_lookup /_payer/order" is that of "payer_api", which passes requests to Payer and not to the shop
