# Configurations that would lose money, disclose secrets or admit any client
# are rejected with a reason.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: a complete configuration with verified TLS is accepted
--- bare
--- http_config perl: bare_http()
--- config perl
road() . checkout() . operations(payer_allow => '127.0.0.1 10.0.0.0/8 ::1')
--- request
GET /checkout
--- error_code: 400
--- no_error_log
[emerg]
[crit]



=== TEST 2: an internal checkout is accepted with the amount from the shop's response
--- bare
--- http_config perl: bare_http()
--- config perl
road() . checkout(
    internal        => '',
    payer_reference => '$upstream_http_x_payer_reference',
    payer_amount    => '$upstream_http_x_payer_amount',
)
--- request
GET /checkout
--- error_code: 404



=== TEST 3: payer_capture without payer_allow is rejected
--- config
    location = /capture { payer_capture; }
--- must_die
--- error_log
"payer_capture" in location "/capture" has no "payer_allow", which specifies its clients



=== TEST 4: payer_cancel without payer_allow is rejected
--- config
    location = /cancel { payer_cancel; }
--- must_die
--- error_log
"payer_cancel" in location "/cancel" has no "payer_allow"



=== TEST 5: payer_release without payer_allow is rejected
--- config
    location = /release { payer_release; }
--- must_die
--- error_log
"payer_release" in location "/release" has no "payer_allow"



=== TEST 6: payer_refund without payer_allow is rejected
--- config
    location = /refund { payer_refund; }
--- must_die
--- error_log
"payer_refund" in location "/refund" has no "payer_allow"



=== TEST 7: payer_payment without payer_allow is rejected
--- config
    location = /payment { payer_payment; }
--- must_die
--- error_log
"payer_payment" in location "/payment" has no "payer_allow"



=== TEST 8: an operation in an internal location without payer_allow is rejected
--- config
    location = /capture { internal; payer_capture; }
--- must_die
--- error_log
"payer_capture" in location "/capture" has no "payer_allow"



=== TEST 9: allow and deny do not replace payer_allow
--- config
    location = /capture { payer_capture; allow 127.0.0.1; deny all; }
--- must_die
--- error_log
"payer_capture" in location "/capture" has no "payer_allow"



=== TEST 10: an amount from an argument is rejected
--- config perl: checkout(payer_amount => '$arg_amount')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$arg_amount" in location "/checkout", which has no "payer_signature" of it



=== TEST 11: an amount from an argument in braces is rejected
--- config perl: checkout(payer_amount => '"${arg_amount}00"')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$arg_amount" in location "/checkout"



=== TEST 12: an amount from an argument with a name in upper case is rejected
--- config perl: checkout(payer_amount => '$ARG_Amount')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$ARG_Amount" in location "/checkout"



=== TEST 13: an amount of several variables is rejected if one of them is an argument
--- config perl: checkout(payer_amount => '"$upstream_http_x$arg_amount"')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$arg_amount" in location "/checkout"



=== TEST 14: an amount from a cookie is rejected
--- config perl: checkout(payer_amount => '$cookie_amount major')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$cookie_amount" in location "/checkout"



=== TEST 15: an amount from a request header is rejected
--- config perl: checkout(payer_amount => '$http_x_payer_amount')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$http_x_payer_amount" in location "/checkout"



=== TEST 16: an amount from $args is rejected
--- config perl: checkout(payer_amount => '$args')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$args" in location "/checkout"



=== TEST 17: an amount from $query_string is rejected
--- config perl: checkout(payer_amount => '$query_string')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$query_string" in location "/checkout"



=== TEST 18: an amount from the request body is rejected
--- config perl: checkout(payer_amount => '$request_body')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$request_body" in location "/checkout"



=== TEST 19: an amount from a numbered capture of the URI is rejected
--- config perl: checkout('~ ^/pay/([0-9]+)$', payer_amount => '$1')
--- must_die
--- error_log
"payer_amount" cannot use the numbered capture "$1", which any later regular expression replaces; use a named capture



=== TEST 20: an amount from a named capture of the URI is rejected
--- config perl: checkout('~ ^/pay/(?<sum>[0-9]+)$', payer_amount => '$sum')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$sum" in location



=== TEST 21: a currency from an argument is rejected
--- config perl: checkout(payer_currency => '$arg_currency')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_currency" uses "$arg_currency" in location "/checkout"



=== TEST 22: an amount of the server level is rejected in the location that inherits it
--- config perl
'payer_amount $arg_amount;' . checkout(payer_amount => undef)
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$arg_amount" in location "/checkout"



=== TEST 23: an amount from an argument is rejected in a named location, too
--- config perl: checkout('@pay', payer_amount => '$arg_amount')
--- must_die
--- error_log
the buyer can choose what to pay: "payer_amount" uses "$arg_amount" in location "@pay"



=== TEST 24: an amount from a map of constants is accepted
--- http_config
    map $arg_product $price { tea 4500; coffee 5900; }
--- config perl: checkout(payer_amount => '$price')
--- request
GET /checkout?order=1&product=milk
--- error_code: 400
--- json
field: ^payer_amount$
--- calls: none



=== TEST 25: payer_api without its location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl: checkout()
--- must_die
--- error_log
there is no location "/_payer/" in this server, which "payer_api" of location "/checkout" names



=== TEST 26: payer_api with an exact location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
checkout() . 'location = /_payer/ { internal; proxy_pass https://payer/; }'
--- must_die
--- error_log
there is no location "/_payer/" in this server



=== TEST 27: payer_api with a location of another server is rejected
--- bare
--- http_config perl
bare_http() . "server { listen 127.0.0.1:" . free_port() . "; "
    . road() . "}"
--- config perl: checkout()
--- must_die
--- error_log
there is no location "/_payer/" in this server



=== TEST 28: an API location that is not internal is rejected
--- bare
--- http_config perl: bare_http()
--- config perl: road(internal => undef) . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" is not internal, so that any client could call Payer through it



=== TEST 29: an API location without proxy_pass is rejected
--- bare
--- http_config perl: bare_http()
--- config perl: road(proxy_pass => undef) . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has no "proxy_pass"



=== TEST 30: an API location with fastcgi_pass is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road(proxy_pass => undef, fastcgi_pass => 'payer') . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has no "proxy_pass"



=== TEST 31: an API location with plain http is rejected
--- bare
--- http_config perl: bare_http()
--- config perl: road(proxy_pass => 'http://payer/') . checkout()
--- must_die
--- error_log
"proxy_pass" of location "/_payer/" would send credentials over plain http, use https, or "payer_insecure_upstream on" with a simulator



=== TEST 32: an API location with plain http is accepted with payer_insecure_upstream
--- bare
--- http_config perl: bare_http()
--- config perl
road(proxy_pass => 'http://payer/')
    . checkout(payer_insecure_upstream => 'on')
--- request
GET /checkout
--- error_code: 400



=== TEST 33: payer_insecure_upstream of one location does not apply to another
--- bare
--- http_config perl: bare_http()
--- config perl
road(proxy_pass => 'http://payer/')
    . checkout(payer_insecure_upstream => 'on')
    . operations()
--- must_die
--- error_log
"proxy_pass" of location "/_payer/" would send credentials over plain http



=== TEST 34: an API location with unverified TLS is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road(
    include                  => undef,
    proxy_next_upstream      => 'off',
    proxy_ignore_client_abort => 'on'
) . checkout()
--- must_die
--- error_log
location "/_payer/" would send credentials over unverified TLS, set "proxy_ssl_verify on", or "payer_insecure_upstream on" with a simulator



=== TEST 35: proxy_pass with a variable in the API location is accepted with a warning
--- bare
--- http_config perl: bare_http()
--- config perl
'set $host_of_payer b2b.payer.se;'
    . road(proxy_pass => 'https://$host_of_payer') . checkout()
--- request
GET /checkout
--- error_code: 400
--- error_log
"proxy_pass" of location "/_payer/" has variables, so that it cannot be checked whether credentials are sent over verified TLS



=== TEST 36: proxy_ignore_client_abort off in the API location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road(
    include                       => undef,
    proxy_next_upstream           => 'off',
    proxy_ssl_verify              => 'on',
    proxy_ssl_trusted_certificate => '/etc/ssl/certs/ca-certificates.crt'
) . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has "proxy_ignore_client_abort" off: a buyer who closes the connection would abort a call to Payer, include payer_api.conf in it



=== TEST 37: proxy_next_upstream that is not off in the API location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road(include => undef, proxy_ignore_client_abort => 'on') . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has "proxy_next_upstream" other than off: nginx would send a call to Payer twice



=== TEST 38: proxy_next_upstream for an error status in the API location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road(
    include                   => undef,
    proxy_ignore_client_abort => 'on',
    proxy_next_upstream       => 'http_503 non_idempotent'
) . checkout()
--- must_die
--- error_log
"proxy_next_upstream" other than off



=== TEST 39: proxy_method in the API location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl: road(proxy_method => 'POST') . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has "proxy_method"



=== TEST 40: an inherited proxy_set_body in the API location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl: 'proxy_set_body "{}";' . road() . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has "proxy_set_body"



=== TEST 41: proxy_cache in the API location is rejected
--- bare
--- http_config perl
bare_http() . "proxy_cache_path $ENV{TEST_NGINX_DIR}/cache keys_zone=c:1m;"
--- config perl
road(
    include                   => undef,
    proxy_cache               => 'c',
    proxy_ignore_client_abort => 'on',
    proxy_next_upstream       => 'off'
) . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has "proxy_cache"



=== TEST 42: proxy_intercept_errors in the API location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road(
    include                   => undef,
    proxy_intercept_errors    => 'on',
    proxy_ignore_client_abort => 'on',
    proxy_next_upstream       => 'off'
) . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has "proxy_intercept_errors" on



=== TEST 43: proxy_pass_request_headers off in the API location is rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road(
    include                    => undef,
    proxy_pass_request_headers => 'off',
    proxy_ignore_client_abort  => 'on',
    proxy_next_upstream        => 'off'
) . checkout()
--- must_die
--- error_log
location "/_payer/" of "payer_api" has "proxy_pass_request_headers" or "proxy_pass_request_body" off



=== TEST 44: a secret file that others can read is accepted with a warning
--- config perl
write_file('open.secret', "x\n", 0644);
checkout(payer_client_secret_file => "$ENV{TEST_NGINX_DIR}/open.secret")
--- request
GET /checkout
--- error_code: 400
--- error_log eval
qr/\[warn\] .*secret file ".*open\.secret" is accessible to others, its mode should be 0600/



=== TEST 45: a secret file that only its owner can read is accepted without a warning
--- config perl: checkout()
--- request
GET /checkout
--- error_code: 400
--- no_error_log
accessible to others



=== TEST 145: white space and a byte order mark around a secret are ignored with a warning
--- config perl
my $secret = (Payer::Test::merchant())[1];
write_file('spaced.secret', "\xef\xbb\xbf \t$secret \r\n", 0600);
checkout(payer_client_secret_file => "$ENV{TEST_NGINX_DIR}/spaced.secret")
--- request
GET /checkout?order=1001
--- error_code: 303
--- calls
token: 1
create: 1
--- error_log eval
qr/\[warn\] .*white space or a byte order mark around the secret in ".*spaced\.secret" was ignored/



=== TEST 146: CRLF at the end of a secret is ignored without a warning
--- config perl
my $secret = (Payer::Test::merchant())[1];
write_file('line.secret', "$secret\r\n", 0600);
checkout(payer_client_secret_file => "$ENV{TEST_NGINX_DIR}/line.secret")
--- request
GET /checkout?order=1001
--- error_code: 303
--- no_error_log
white space or a byte order mark



=== TEST 147: a secret of white space only is rejected
--- http_config
--- config perl
write_file('white.secret', "\xef\xbb\xbf \t \n", 0600);
"payer_client_secret_file $ENV{TEST_NGINX_DIR}/white.secret;"
--- bare
--- must_die
--- error_log eval
qr/secret file ".*white\.secret" is empty/



=== TEST 148: underscores_in_headers with payer_verify logs a warning
--- config
underscores_in_headers on;
location = /thanks { payer_verify $arg_order; root html; }
location = /more   { payer_verify $arg_order; root html; }
--- request
GET /thanks
--- error_code: 402
--- grep_error_log: "underscores_in_headers" is on in the server of "payer_verify"
--- grep_error_log_out
"underscores_in_headers" is on in the server of "payer_verify"



=== TEST 46: a missing secret file is rejected
--- config
    payer_client_secret_file  $TEST_NGINX_DIR/no-such.secret;
    location = /x { return 204; }
--- bare
--- must_die
--- error_log eval
qr/\[emerg\] .*open\(\) ".*no-such\.secret" failed \(2: /



=== TEST 47: an empty secret file is rejected
--- bare
--- config perl
write_file('empty.secret', "\r\n", 0600);
"payer_client_secret_file $ENV{TEST_NGINX_DIR}/empty.secret;"
--- must_die
--- error_log eval
qr/secret file ".*empty\.secret" is empty/



=== TEST 48: a secret file with two lines is rejected, and the secret is not logged
--- bare
--- config perl
write_file('two.secret', "first-line\nsecond-line\n", 0600);
"payer_client_secret_file $ENV{TEST_NGINX_DIR}/two.secret;"
--- must_die
--- error_log eval
qr/secret file ".*two\.secret" has more than one line or a control character/
--- no_error_log
first-line
second-line



=== TEST 49: a secret that is too long is rejected
--- bare
--- config perl
write_file('long.secret', 'x' x 2000, 0600);
"payer_client_secret_file $ENV{TEST_NGINX_DIR}/long.secret;"
--- must_die
--- error_log eval
qr/secret file ".*long\.secret" is larger than \d+ bytes/



=== TEST 50: a directory as the secret file is rejected
--- bare
--- config
    payer_client_secret_file  $TEST_NGINX_DIR;
--- must_die
--- error_log
[emerg]
read() "



=== TEST 51: the test host and the live host in one configuration are rejected
--- bare
--- http_config perl: bare_http()
--- config perl
road()
    . checkout(payer_api => '/_payer host=b2b.payer.se')
    . checkout('= /try', payer_api => '/_payer host=STAGE-b2b.payer.se')
--- must_die
--- error_log
location "/try" calls "stage-b2b.payer.se" and location "/checkout" calls "b2b.payer.se": test and live payments cannot share a "payer_zone"



=== TEST 52: two merchants of the same host in one zone are accepted
--- bare
--- http_config perl: bare_http()
--- config perl
road()
    . checkout(payer_api => '/_payer host=b2b.payer.se')
    . checkout('= /other', payer_api => '/_payer host=b2b.payer.se',
        payer_client_id => '4712')
--- request
GET /other
--- error_code: 400



=== TEST 53: a checkout without payer_zone is rejected
--- bare
--- http_config perl
my $http = bare_http(); $http =~ s/payer_zone[^;]*;//; $http =~ s/payer_store[^;]*;//; $http
--- config perl: road() . checkout()
--- must_die
--- error_log
"payer_checkout" in location "/checkout" needs a "payer_zone"



=== TEST 54: a checkout together with another content handler is rejected
--- config perl
checkout(proxy_pass => 'http://payer/')
--- must_die
--- error_log
"payer_checkout" in location "/checkout" is overridden by another handler of that location



=== TEST 55: an operation together with another content handler is rejected
--- config
    location = /capture {
        payer_capture;
        payer_allow  127.0.0.1;
        empty_gif;
    }
--- must_die
--- error_log
"payer_capture" in location "/capture" is overridden by another handler of that location



=== TEST 56: an unknown constant currency is rejected
--- config perl: checkout(payer_currency => 'ABC')
--- must_die
--- error_log
invalid currency "ABC" of "payer_currency"



=== TEST 57: a constant currency in lower case is rejected
--- config perl: checkout(payer_currency => 'sek')
--- must_die
--- error_log
invalid currency "sek" of "payer_currency"



=== TEST 58: a constant amount of zero is rejected
--- config perl: checkout(payer_amount => '0')
--- must_die
--- error_log
invalid amount "0" of "payer_amount"



=== TEST 59: a constant amount with decimals in minor units is rejected
--- config perl: checkout(payer_amount => '129.00')
--- must_die
--- error_log
invalid amount "129.00" of "payer_amount"



=== TEST 60: a constant amount in yen with decimals is rejected
--- config perl: checkout(payer_amount => '129.50 major', payer_currency => 'JPY')
--- must_die
--- error_log
invalid amount "129.50" of "payer_amount"



=== TEST 61: a constant payer_max_amount that is not an amount is rejected
--- config perl: checkout(payer_max_amount => '-1')
--- must_die
--- error_log
invalid amount "-1" of "payer_max_amount"



=== TEST 62: a constant language of three letters is rejected
--- config perl: checkout(payer_language => 'swe')
--- must_die
--- error_log
invalid language "swe" of "payer_language"



=== TEST 63: constants are checked even if the currency of the amount is a variable
--- http_config
    map $arg_land $currency { default SEK; }
--- config perl
checkout(
    payer_amount   => '129.00 major',
    payer_currency => '$currency',
    payer_language => 'swe'
)
--- must_die
--- error_log
invalid language "swe" of "payer_language"



=== TEST 64: an order number from an argument is rejected
--- config perl: checkout(payer_reference => '$arg_order')
--- must_die
--- error_log
the buyer can choose which order to pay: "payer_reference" uses "$arg_order" in location "/checkout", which has no "payer_signature"; if any client may pay this amount for any order number, add "public"



=== TEST 65: a return address with a space is rejected
--- config perl
checkout(payer_return_success => '"/thank you?order=$payer_reference"')
--- must_die
--- error_log
invalid address "/thank you?order=$payer_reference" of "payer_return_success"
