# Every directive: contexts, invalid arguments, repetition, default and
# inheritance.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: payer_zone can be specified once
--- http_config
    payer_zone other 1m;
--- config
--- must_die
--- error_log
"payer_zone" directive is duplicate


=== TEST 2: payer_zone with an invalid size is rejected
--- bare
--- http_config
    payer_zone payer big;
--- config
--- must_die
--- error_log
invalid zone size "big"


=== TEST 3: payer_zone with a size of less than the minimum is rejected
--- bare
--- http_config
    payer_zone payer 8k;
--- config
--- must_die
--- error_log
zone "payer" is too small


=== TEST 4: payer_zone without a size is rejected
--- bare
--- http_config
    payer_zone payer;
--- config
--- must_die
--- error_log
invalid number of arguments in "payer_zone" directive


=== TEST 5: payer_zone with the name of another module's zone is rejected
--- bare
--- http_config
    limit_req_zone $remote_addr zone=payer:1m rate=1r/s;
    payer_zone payer 1m;
--- config
--- must_die
--- error_log
is already declared for a different use


=== TEST 6: payer_zone is allowed in the http context only
--- bare
--- config
    payer_zone payer 1m;
--- must_die
--- error_log
"payer_zone" directive is not allowed here


=== TEST 7: payer_store can be specified once
--- http_config
    payer_store memory;
--- config
--- must_die
--- error_log
"payer_store" directive is duplicate


=== TEST 8: payer_store is allowed in the http context only
--- bare
--- config
    payer_store memory;
--- must_die
--- error_log
"payer_store" directive is not allowed here


=== TEST 9: an unknown store is rejected
--- bare
--- http_config
    payer_zone payer 1m;
    payer_store mysql:localhost;
--- config
--- must_die
--- error_log
invalid store "mysql:localhost"


=== TEST 10: payer_store memory logs a warning that a restart forgets all payments
--- config
--- request
GET /
--- error_log eval
qr/\[warn\] .*payer_store memory: a restart forgets all payments/


=== TEST 11: without payer_store payments are kept in memory, and a warning is logged
--- bare
--- http_config perl
bare_http() =~ s/payer_store.*//r
--- config perl: road() . checkout()
--- request
GET /checkout
--- error_code: 400
--- error_log eval
qr/\[warn\] .*payer_store memory: a restart forgets all payments/


=== TEST 12: payer_api without a leading slash is rejected
--- config perl: checkout(payer_api => '_payer')
--- must_die
--- error_log
invalid URI prefix "_payer", it must begin with a slash


=== TEST 13: payer_api can be specified once on a level
--- config perl: checkout(payer_api => ['/a', '/b'])
--- must_die
--- error_log
"payer_api" directive is duplicate


=== TEST 14: an unknown parameter of payer_api is rejected
--- config perl: checkout(payer_api => '/_payer name=x')
--- must_die
--- error_log
invalid parameter "name=x"


=== TEST 15: an empty host parameter of payer_api is rejected
--- config perl: checkout(payer_api => '/_payer host=')
--- must_die
--- error_log
invalid parameter "host="


=== TEST 16: payer_api is accepted with a trailing slash
--- config perl: checkout(payer_api => '/_payer/')
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1


=== TEST 17: the host parameter of payer_api is sent in the Host header
--- config perl: checkout(payer_api => '/_payer host=payer.example')
--- request
GET /checkout?order=1
--- error_code: 303
--- sent
token: ^Host: payer\.example$
create: ^Host: payer\.example$


=== TEST 18: without the host parameter the name of the first upstream server is sent in the Host header
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- sent
create: ^Host: 127\.0\.0\.1$


=== TEST 19: payer_client_id can be specified once on a level
--- config perl: checkout(payer_client_id => ['1', '2'])
--- must_die
--- error_log
"payer_client_id" directive is duplicate


=== TEST 20: a client id with a colon is rejected
--- config perl: checkout(payer_client_id => 'a:b')
--- must_die
--- error_log
invalid client id "a:b"


=== TEST 21: a client id with a space is rejected
--- config perl: checkout(payer_client_id => '"a b"')
--- must_die
--- error_log
invalid client id "a b"


=== TEST 22: an empty client id is rejected
--- config perl: checkout(payer_client_id => '""')
--- must_die
--- error_log
invalid client id ""


=== TEST 23: a client id of 129 bytes is rejected
--- config perl: checkout(payer_client_id => 'x' x 129)
--- must_die
--- error_log
invalid client id "xxx


=== TEST 24: payer_client_secret_file can be specified once on a level
--- config perl: checkout(payer_client_secret_file => [($ENV{TEST_NGINX_SECRET}) x 2])
--- must_die
--- error_log
"payer_client_secret_file" directive is duplicate


=== TEST 25: a handler without payer_client_id is rejected
--- bare
--- http_config perl: bare_http() =~ s/payer_client_id .*//r
--- config perl: road() . checkout()
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_client_id"


=== TEST 26: a handler without payer_client_secret_file is rejected
--- bare
--- http_config perl: bare_http() =~ s/payer_client_secret_file .*//r
--- config perl: road() . checkout()
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_client_secret_file"


=== TEST 27: a handler without payer_api is rejected
--- bare
--- http_config perl: bare_http() =~ s/payer_api .*//r
--- config perl: road() . checkout()
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_api"


=== TEST 28: an unknown operation of payer_path is rejected
--- config perl: checkout(payer_path => 'chargeback /x')
--- must_die
--- error_log
unknown operation "chargeback"


=== TEST 29: a path of payer_path without a leading slash is rejected
--- config perl: checkout(payer_path => 'create x')
--- must_die
--- error_log
invalid path "x"


=== TEST 30: a path of payer_path with a query is rejected
--- config perl: checkout(payer_path => 'create /x?y=1')
--- must_die
--- error_log
invalid path "/x?y=1"


=== TEST 31: a path of payer_path with a fragment is rejected
--- config perl: checkout(payer_path => 'create /x#y')
--- must_die
--- error_log
invalid path "/x#y"


=== TEST 32: a path of payer_path with a space is rejected
--- config perl: checkout(payer_path => 'create "/x y"')
--- must_die
--- error_log
invalid path "/x y"


=== TEST 33: a path of a payment without {paymentId} is rejected
--- config perl: checkout(payer_path => 'cancel /api/cancel')
--- must_die
--- error_log
path "/api/cancel" of operation "cancel" must contain "{paymentId}"


=== TEST 133: a path with the id twice or in other braces is rejected
--- config perl
checkout(payer_path => 'cancel "/api/{paymentId}/{reference}"')
--- must_die
--- error_log
path "/api/{paymentId}/{reference}" of operation "cancel" has unknown braces



=== TEST 134: a path of a call without an id is rejected if it has braces
--- config perl
checkout(payer_path => 'create "/api/{paymentId}"')
--- must_die
--- error_log
path "/api/{paymentId}" of operation "create" has unknown braces



=== TEST 135: a path with the id in another case is rejected
--- config perl
checkout(payer_path => 'read "/api/{paymentID}"')
--- must_die
--- error_log
path "/api/{paymentID}" of operation "read" must contain "{paymentId}"



=== TEST 136: payer_link_ttl 0 is rejected
--- config perl
checkout(payer_link_ttl => '0')
--- must_die
--- error_log
"payer_link_ttl" of location "/checkout" is 0



=== TEST 137: an unknown constant language of two letters is accepted with a warning
--- config perl
checkout(payer_language => 'xx')
--- request
GET /checkout?order=1
--- error_code: 303
--- sent
create: "languageCode":"sv"
--- error_log
the language "xx" of "payer_language" is not known, the default is used



=== TEST 34: a path of an event without {token} is rejected
--- config perl: checkout(payer_path => 'ack /api/ack')
--- must_die
--- error_log
path "/api/ack" of operation "ack" must contain "{token}"


=== TEST 35: the path of an operation can be specified once on a level
--- config perl: checkout(payer_path => ['create /a', 'create /b'])
--- must_die
--- error_log
"payer_path" directive is duplicate


=== TEST 36: payer_path with one argument is rejected
--- config perl: checkout(payer_path => 'create')
--- must_die
--- error_log
invalid number of arguments in "payer_path" directive


=== TEST 37: payer_path of the http level is inherited by a server
--- http_config
    payer_path  create  /v9/direct;
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 502
--- calls
token: 1
unknown: 1
--- sent
unknown: ^POST /v9/direct$


=== TEST 38: payer_path of a location replaces the path of the server for the same operation only
--- config perl
'payer_path create /v8/direct; payer_path token /api/v2/nothing;'
    . checkout(payer_path => 'token /oauth2/token')
--- request
GET /checkout?order=1
--- error_code: 502
--- calls
token: 1
unknown: 1
--- sent
unknown: ^POST /v8/direct$


=== TEST 39: payer_timeout with an invalid time is rejected
--- config perl: checkout(payer_timeout => 'soon')
--- must_die
--- error_log
"payer_timeout" directive invalid value


=== TEST 40: payer_timeout can be specified once on a level
--- config perl: checkout(payer_timeout => ['1s', '2s'])
--- must_die
--- error_log
"payer_timeout" directive is duplicate


=== TEST 41: payer_timeout 0 is rejected
--- config perl: checkout(payer_timeout => '0')
--- must_die
--- error_log
"payer_timeout" of location "/checkout" is 0, so that no call could end in time


=== TEST 42: payer_tries with an invalid number is rejected
--- config perl: checkout(payer_tries => 'x')
--- must_die
--- error_log
invalid number


=== TEST 43: payer_tries can be specified once on a level
--- config perl: checkout(payer_tries => [1, 2])
--- must_die
--- error_log
"payer_tries" directive is duplicate


=== TEST 44: payer_tries 0 is rejected
--- config perl: checkout(payer_tries => '0')
--- must_die
--- error_log
value must be between 1 and 10


=== TEST 45: payer_tries above the maximum is rejected
--- config perl: checkout(payer_tries => '11')
--- must_die
--- error_log
value must be between 1 and 10


=== TEST 46: a value of payer_insecure_upstream other than on and off is rejected
--- config perl: checkout(payer_insecure_upstream => 'yes')
--- must_die
--- error_log
invalid value "yes" in "payer_insecure_upstream" directive, it must be "on" or "off"


=== TEST 47: payer_insecure_upstream can be specified once on a level
--- config perl: checkout(payer_insecure_upstream => ['on', 'on'])
--- must_die
--- error_log
"payer_insecure_upstream" directive is duplicate


=== TEST 48: payer_link_ttl with an invalid time is rejected
--- config perl: checkout(payer_link_ttl => 'long')
--- must_die
--- error_log
"payer_link_ttl" directive invalid value


=== TEST 49: payer_link_ttl can be specified once on a level
--- config perl: checkout(payer_link_ttl => ['1d', '2d'])
--- must_die
--- error_log
"payer_link_ttl" directive is duplicate


=== TEST 50: payer_link_ttl of 31 days, the lifetime of Payer's links, is rejected
--- config perl: checkout(payer_link_ttl => '31d')
--- must_die
--- error_log
"payer_link_ttl" of location "/checkout" is not below 31 days, the lifetime of Payer's links


=== TEST 51: payer_reference can be specified once on a level
--- config perl: checkout(payer_reference => [1, 2])
--- must_die
--- error_log
"payer_reference" directive is duplicate


=== TEST 52: payer_amount can be specified once on a level
--- config perl: checkout(payer_amount => [1, 2])
--- must_die
--- error_log
"payer_amount" directive is duplicate


=== TEST 53: payer_max_amount can be specified once on a level
--- config perl: checkout(payer_max_amount => [1, 2])
--- must_die
--- error_log
"payer_max_amount" directive is duplicate


=== TEST 54: payer_currency can be specified once on a level
--- config perl: checkout(payer_currency => [1, 2])
--- must_die
--- error_log
"payer_currency" directive is duplicate


=== TEST 55: payer_language can be specified once on a level
--- config perl: checkout(payer_language => [1, 2])
--- must_die
--- error_log
"payer_language" directive is duplicate


=== TEST 56: payer_order_id can be specified once on a level
--- config perl: checkout(payer_order_id => [1, 2])
--- must_die
--- error_log
"payer_order_id" directive is duplicate


=== TEST 57: payer_return_success can be specified once on a level
--- config perl: checkout(payer_return_success => [1, 2])
--- must_die
--- error_log
"payer_return_success" directive is duplicate


=== TEST 58: payer_return_fail can be specified once on a level
--- config perl: checkout(payer_return_fail => [1, 2])
--- must_die
--- error_log
"payer_return_fail" directive is duplicate


=== TEST 59: payer_return_back can be specified once on a level
--- config perl: checkout(payer_return_back => [1, 2])
--- must_die
--- error_log
"payer_return_back" directive is duplicate


=== TEST 60: a checkout without payer_reference is rejected
--- config perl: checkout(payer_reference => undef)
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_reference"


=== TEST 61: a checkout without payer_amount is rejected
--- config perl: checkout(payer_amount => undef)
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_amount"


=== TEST 62: a checkout without payer_currency is rejected
--- config perl: checkout(payer_currency => undef)
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_currency"


=== TEST 63: a checkout without payer_return_success is rejected
--- config perl: checkout(payer_return_success => undef)
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_return_success"


=== TEST 64: a checkout without payer_return_fail is rejected
--- config perl: checkout(payer_return_fail => undef)
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_return_fail"


=== TEST 65: a checkout without payer_return_back is rejected
--- config perl: checkout(payer_return_back => undef)
--- must_die
--- error_log
"payer_checkout" in location "/checkout" has no "payer_return_back"


=== TEST 66: a unit of payer_amount other than minor and major is rejected
--- config perl: checkout(payer_amount => '129 crowns')
--- must_die
--- error_log
invalid parameter "crowns", it must be one of "minor" and "major", "float", or "trusted"


=== TEST 67: an undefined variable is rejected
--- config perl: checkout(payer_reference => '$no_such')
--- must_die
--- error_log
unknown "no_such" variable


=== TEST 68: an unknown value of payer_present is rejected
--- config perl: checkout(payer_present => 'popup')
--- must_die
--- error_log
invalid presentation "popup", it must be "redirect", "iframe", "json", "confirm" or a URI


=== TEST 69: payer_present can be specified once on a level
--- config perl: checkout(payer_present => ['json', 'redirect'])
--- must_die
--- error_log
"payer_present" directive is duplicate


=== TEST 70: payer_checkout can be specified once in a location
--- config perl: checkout(payer_checkout => ['', ''])
--- must_die
--- error_log
"payer_checkout" directive is duplicate


=== TEST 71: two handlers in one location are rejected
--- config perl: checkout(payer_capture => '', payer_allow => 'all')
--- must_die
--- error_log
"payer_capture" conflicts with "payer_checkout" of the same location


=== TEST 72: an argument of a handler is rejected
--- config perl: checkout(payer_checkout => 'on')
--- must_die
--- error_log
invalid number of arguments in "payer_checkout" directive


=== TEST 73: a handler is allowed in the location context only
--- config
    payer_checkout;
--- must_die
--- error_log
"payer_checkout" directive is not allowed here


=== TEST 74: a handler is not allowed inside if
--- config
    location /x { if ($arg_x) { payer_checkout; } }
--- must_die
--- error_log
"payer_checkout" directive is not allowed here


=== TEST 75: inherited directives are not allowed inside if
--- config
    location /x { if ($arg_x) { payer_amount 100; } }
--- must_die
--- error_log
"payer_amount" directive is not allowed here


=== TEST 76: payer_allow with an empty argument is rejected
--- config perl: operations(payer_allow => '""')
--- must_die
--- error_log
invalid parameter ""


=== TEST 77: payer_allow with a host name is rejected
--- config perl: operations(payer_allow => 'localhost')
--- must_die
--- error_log
invalid parameter "localhost"


=== TEST 78: payer_allow with an incomplete address is rejected
--- config perl: operations(payer_allow => '10.0.0')
--- must_die
--- error_log
invalid parameter "10.0.0"


=== TEST 79: payer_allow without an argument is rejected
--- config
    payer_allow;
--- must_die
--- error_log
invalid number of arguments in "payer_allow" directive


=== TEST 80: an address with bits outside its mask is accepted with a warning
--- config perl: operations(payer_allow => '10.0.0.1/8')
--- request
GET /
--- error_log eval
qr/\[warn\] .*low address bits of 10\.0\.0\.1\/8 are meaningless/


=== TEST 81: the arguments of several payer_allow on one level are added up
--- config perl: operations(payer_allow => ['10.0.0.0/8', '127.0.0.1'])
--- request
GET /payment?reference=1
--- error_code: 404


=== TEST 82: payer_allow of a server is inherited by its locations
--- config perl: 'payer_allow 127.0.0.1;' . operations(payer_allow => undef)
--- request
GET /payment?reference=1
--- error_code: 404


=== TEST 83: payer_allow of a location replaces that of the server
--- config perl: 'payer_allow 127.0.0.1;' . operations(payer_allow => '10.0.0.0/8')
--- request
GET /payment?reference=1
--- error_code: 403


=== TEST 84: payer_allow internal of a location replaces payer_allow all of the server
--- config perl: 'payer_allow all;' . operations(payer_allow => 'internal')
--- request
GET /payment?reference=1
--- error_code: 403


=== TEST 85: the values of an order can be set on three levels
--- http_config
    payer_currency       SEK;
    payer_language       en;
    payer_return_fail    https://shop.example/failed;
--- config
    payer_reference      $arg_order public;
    payer_return_success https://shop.example/thanks;
    payer_return_back    https://shop.example/cart;

    location = /checkout {
        payer_checkout;
        payer_amount     4500;
    }
--- request
GET /checkout?order=7
--- error_code: 303
--- sent
create: "amount":4500\b
create: "currencyCode":"SEK"
create: "externalPaymentReference":"7"
create: "languageCode":"en"
create: "redirectOnSuccessURL":"https:\\?/\\?/shop.example\\?/thanks"
create: "redirectOnFailURL":"https:\\?/\\?/shop.example\\?/failed"
create: "backToShopURL":"https:\\?/\\?/shop.example\\?/cart"


=== TEST 86: a value of an inner level replaces that of an outer level
--- http_config
    payer_currency  SEK;
    payer_amount    100;
    payer_language  en;
    payer_order_id  one;
--- config perl
'payer_currency NOK; payer_amount 200; payer_language da; payer_order_id two;'
    . checkout(payer_currency => 'DKK', payer_amount => '3.00 major',
        payer_language => 'fi', payer_order_id => 'three')
--- request
GET /checkout?order=7
--- error_code: 303
--- sent
create: "amount":300\b
create: "currencyCode":"DKK"
create: "languageCode":"fi"
create: "orderId":"three"


=== TEST 87: an amount in minor units does not inherit the unit major of the server
--- config perl: 'payer_amount 1.00 major;' . checkout(payer_amount => '4500')
--- request
GET /checkout?order=7
--- error_code: 303
--- sent
create: "amount":4500\b


=== TEST 88: a nested location with a checkout inherits the values of the outer location
--- config perl
'location /shop { payer_amount 100; payer_currency EUR;'
    . checkout('= /shop/pay', payer_amount => undef, payer_currency => undef)
    . '}'
--- request
GET /shop/pay?order=7
--- error_code: 303
--- sent
create: "amount":100\b
create: "currencyCode":"EUR"


=== TEST 89: a handler is not inherited by a nested location
--- config perl
checkout('/pay') =~ s/}\s*$/location \/pay\/not { return 204; } }/r
--- request
GET /pay/not
--- error_code: 204
--- calls: none


=== TEST 90: defaults: language sv, no order id, three tries, a redirect
--- config perl: checkout()
--- faults
create: status=503 times=2
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 3
--- sent
create: "languageCode":"sv"
create: "orderId":null


=== TEST 91: a checkout is processed if an if block of its location is entered
--- config perl
checkout() =~ s/}\s*$/if (\$arg_vip) { set \$x 1; add_header X-Vip yes; } }/r
--- request
GET /checkout?order=1&vip=1
--- error_code: 303
--- response_headers
X-Vip: yes
--- calls
token: 1
create: 1


=== TEST 92: limit_except does not disable the handler of its location
--- config perl
checkout() =~ s/}\s*$/limit_except POST { deny 10.0.0.1; } }/r
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 93: deny in limit_except applies to a checkout
--- config perl
checkout() =~ s/}\s*$/limit_except POST { deny all; } }/r
--- request
GET /checkout?order=1
--- error_code: 403
--- calls: none


=== TEST 94: allow in limit_except does not replace payer_allow
--- config perl
operations(payer_allow => '10.0.0.0/8') =~ s/}/limit_except POST { allow all; } }/gr
--- request
GET /payment?reference=1
--- error_code: 403
--- calls: none


=== TEST 95: return in the location of a checkout answers before the checkout
--- config perl: checkout(return => '410')
--- request
GET /checkout?order=1
--- error_code: 410
--- calls: none



=== TEST 96: payer_zone without a name is rejected
--- bare
--- http_config
    payer_zone "" 1m;
--- config
--- must_die
--- error_log
invalid zone name ""
