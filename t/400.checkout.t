# payer_checkout: from the values of an order to its payment link.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Cert;

use JSON::PP ();

our ($shop, $tls, $h2) = map { free_port() } 1 .. 3;

run_payer_tests();

__DATA__

=== TEST 1: GET creates a link and redirects to it, with Cache-Control no-store
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- response_headers_like
Location: http://127\.0\.0\.1:\d+/widget/[0-9a-f]{40}
--- response_headers
Cache-Control: no-store
Content-Length: 0
--- response_body
--- books
1: links=1 amount=12900 currency=SEK


=== TEST 2: HEAD creates a link and redirects to it
--- config perl: checkout()
--- request
HEAD /checkout?order=1
--- error_code: 303
--- response_headers_like
Location: http://127\.0\.0\.1:\d+/widget/[0-9a-f]{40}
--- calls
token: 1
create: 1


=== TEST 3: POST creates a link and redirects to it, regardless of the body
--- config perl: checkout()
--- request
POST /checkout?order=1
amount=1&order=2
--- error_code: 303
--- books
1: links=1 amount=12900
2: links=0


=== TEST 4: a large body of POST is read completely
--- no_http2: nginx answers before it has read it, and curl takes that for an error
--- config perl: checkout()
--- request
GET /
--- after
my $r = post('/checkout?order=1', body => 'x' x 1_000_000);
is($r->status, 303, 'the link');
is(calls()->{create}, 1, 'is made');


=== TEST 5: other methods are rejected with 405 and Allow
--- config perl: checkout()
--- request
PUT /checkout?order=1
x
--- error_code: 405
--- response_headers
Allow: GET, HEAD, POST
--- calls: none


=== TEST 6: a repeated visit gets the same link without a call
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $r = get('/checkout?order=1');
is($r->status, 303, 'the second visit');
is($r->header('Location'), books('1')->{url}, 'has the same link');
is(calls()->{create}, 1, 'and Payer was not asked');
is(calls()->{read}, undef, 'at all');


=== TEST 7: another order gets another link
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $r = get('/checkout?order=2');
isnt($r->header('Location'), books('1')->{url}, 'a link of its own');
is($r->header('Location'), books('2')->{url}, 'that of its payment');


=== TEST 8: the shop passes an order with X-Accel-Redirect
--- http_config perl
'server {
    listen 127.0.0.1:' . $shop . ';
    location = /buy {
        add_header  X-Accel-Redirect   /payer/checkout;
        add_header  X-Payer-Reference  A-1;
        add_header  X-Payer-Amount     4500;
        return 200 "not seen";
    }
}'
--- config perl
"location = /buy { proxy_pass http://127.0.0.1:$shop; }"
    . checkout('= /payer/checkout',
        internal        => '',
        payer_reference => '$upstream_http_x_payer_reference',
        payer_amount    => '$upstream_http_x_payer_amount',
        payer_currency  => 'NOK')
--- more_headers
X-Payer-Amount: 1
--- request
GET /buy
--- error_code: 303
--- response_headers
!X-Payer-Amount
--- books
A-1: links=1 amount=4500 currency=NOK


=== TEST 9: the request to the shop that returns X-Accel-Redirect can be a POST
--- http_config perl
'server {
    listen 127.0.0.1:' . $shop . ';
    location = /buy {
        add_header  X-Accel-Redirect   /payer/checkout;
        add_header  X-Payer-Reference  A-2;
        return 200;
    }
}'
--- config perl
"location = /buy { proxy_pass http://127.0.0.1:$shop; }"
    . checkout('= /payer/checkout',
        internal        => '',
        payer_reference => '$upstream_http_x_payer_reference')
--- request
POST /buy
cart=1
--- error_code: 303
--- books
A-2: links=1


=== TEST 10: an order without an amount from the shop is rejected
--- http_config perl
'server {
    listen 127.0.0.1:' . $shop . ';
    location = /buy {
        add_header  X-Accel-Redirect   /payer/checkout;
        add_header  X-Payer-Reference  A-1;
        return 200;
    }
}'
--- config perl
"location = /buy { proxy_pass http://127.0.0.1:$shop; }"
    . checkout('= /payer/checkout',
        internal        => '',
        payer_reference => '$upstream_http_x_payer_reference',
        payer_amount    => '$upstream_http_x_payer_amount')
--- request
GET /buy
--- error_code: 400
--- json
field: ^payer_amount$
--- calls: none


=== TEST 11: a direct request to an internal checkout returns 404
--- config perl: checkout(internal => '')
--- request
GET /checkout?order=1
--- error_code: 404
--- calls: none


=== TEST 12: the amount can come from a map
--- http_config
    map $arg_product $price { tea 45.00; coffee 59; }
--- config perl: checkout(payer_amount => '$price major')
--- request
GET /checkout?order=1&product=coffee
--- error_code: 303
--- books
1: amount=5900


=== TEST 13: amounts in major units that do not fit the currency exactly are rejected
--- config perl
'set $a $arg_a; set $c $arg_c;'
    . checkout(payer_amount => '$a major trusted', payer_currency => '$c trusted')
--- request
GET /
--- after
my $n = 0;

for (
    [ '129.000', 'SEK', 12900 ], [ '129.0', 'JPY', 129 ],
    [ '129.00', 'SEK', 12900 ], [ '129',     'SEK', 12900 ],
    [ '129.5',  'SEK', 12950 ], [ '0.01',    'EUR', 1 ],
    [ '129',    'JPY', 129 ],   [ '1.234',   'KWD', 1234 ],
    [ '1',      'KWD', 1000 ],  [ '1.2345',  'CLF', 12345 ],
    [ '92233720368547758.07', 'SEK', '9223372036854775807' ],
    ) {
    my ($a, $c, $minor) = @$_;
    $n++;
    get("/checkout?order=$n&a=$a&c=$c");
    like((sent('create'))[-1] // '', qr/"amount":$minor\b/, "$a $c is $minor");
}

my $calls = calls()->{create};

for (
    [ '129.005', 'SEK' ], [ '129.5', 'JPY' ], [ '1.2345', 'KWD' ],
    [ '0', 'SEK' ], [ '0.00', 'SEK' ], [ '-1', 'SEK' ], [ '%2B1', 'SEK' ],
    [ '1e3', 'SEK' ], [ '1,50', 'SEK' ], [ '.5', 'SEK' ], [ '1.', 'SEK' ],
    [ '0129', 'SEK' ], [ '', 'SEK' ], [ '1%20', 'SEK' ], [ '0x10', 'SEK' ],
    [ '92233720368547758.08', 'SEK' ], [ '99999999999999999999', 'JPY' ],
    ) {
    my ($a, $c) = @$_;
    my $r = get("/checkout?order=x&a=$a&c=$c");
    is($r->status, 400, "$a $c is refused");
    is($r->json->{field}, 'payer_amount', "and named");
}

is(calls()->{create}, $calls, 'without a call');


=== TEST 14: amounts in minor units that are not integers are rejected
--- config perl: 'set $a $arg_a;' . checkout(payer_amount => '$a trusted')
--- request
GET /
--- after
is(get('/checkout?order=1&a=9223372036854775807')->status, 303, 'the largest');
like((sent('create'))[-1], qr/"amount":9223372036854775807\b/, 'every digit of it');

is(get("/checkout?order=2&a=$_")->json->{field}, 'payer_amount', "$_ is refused")
    for qw(9223372036854775808 0 00 01 1.0 1e3 -1 1_000 NaN);


=== TEST 15: an amount equal to payer_max_amount is accepted
--- config perl: checkout(payer_max_amount => '12900')
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 16: an amount above payer_max_amount is rejected
--- config perl: checkout(payer_max_amount => q($arg_max))
--- request
GET /checkout?order=1&max=12899
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_max_amount$
detail: .
operation: ^create$
--- calls: none


=== TEST 17: all orders are rejected if the value of payer_max_amount is not an amount
--- config perl: checkout(payer_max_amount => '$arg_none')
--- request
GET /checkout?order=1
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_max_amount$
detail: .
operation: ^create$
--- calls: none


=== TEST 18: an order without a reference is rejected
--- config perl: checkout()
--- request
GET /checkout?
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 19: an empty reference is rejected
--- config perl: checkout()
--- request
GET /checkout?order=
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 20: a reference of 256 bytes is rejected
--- config perl: checkout()
--- request
GET /checkout?order=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 21: a reference with a control character is rejected
--- config perl: checkout()
--- request
GET /checkout?order=a%0Ab
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 22: a reference with DEL is rejected
--- config perl: checkout()
--- request
GET /checkout?order=a%7Fb
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 23: a reference with NUL is rejected
--- config perl: checkout()
--- request
GET /checkout?order=a%00b
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 24: a reference that is not valid UTF-8 is rejected
--- config perl: checkout()
--- request
GET /checkout?order=K%F6p
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 25: a reference with invalid percent-encoding is rejected
--- config perl: checkout()
--- request
GET /checkout?order=a%zz
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 26: a reference with incomplete percent-encoding is rejected
--- config perl: checkout()
--- request
GET /checkout?order=a%4
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_reference$
detail: .
operation: ^create$
--- calls: none


=== TEST 27: an unknown currency is rejected
--- config perl: 'set $c XYZ;' . checkout(payer_currency => '$c trusted')
--- request
GET /checkout?order=1
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_currency$
detail: .
operation: ^create$
--- calls: none


=== TEST 28: a currency in lower case is rejected
--- config perl: 'set $c sek;' . checkout(payer_currency => '$c trusted')
--- request
GET /checkout?order=1
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_currency$
detail: .
operation: ^create$
--- calls: none


=== TEST 29: an empty currency is rejected
--- config perl: 'set $c "";' . checkout(payer_currency => '$c trusted')
--- request
GET /checkout?order=1
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_currency$
detail: .
operation: ^create$
--- calls: none


=== TEST 30: an unknown language does not reject the order
--- config perl: checkout(payer_language => '$arg_lang')
--- request
GET /nothing
--- error_code: 404
--- after
my $n = 0;
for my $l ('swe', 'xx', '%0a', 's') {
    is(get('/checkout?order=' . ++$n . "&lang=$l")->status, 303, "$l is taken");
    like((sent('create'))[-1], qr/"languageCode":"sv"/, 'as Swedish');
}
my $log = error_log_text();
like($log, qr/payer: the language "$_" of "payer_language" is not known, "sv" is used/, "and noted: $_") for 'swe', 'xx';



=== TEST 31: a language with a country and in any case is accepted
--- config perl: checkout(payer_language => '$arg_lang')
--- after
my %seen;
for my $l ('en-GB', 'EN', 'en_US.UTF-8', 'De', 'da,en;q=0.5', 'FI') {
    my $order = ++$seen{n};
    is(get("/checkout?order=$order&lang=$l")->status, 303, "$l is taken");
    my ($sent) = grep { /"externalPaymentReference":"$order"/ } sent('create');
    like($sent, qr/"languageCode":"@{[lc substr $l, 0, 2]}"/, 'as two letters');
}
--- request
GET /nothing
--- error_code: 404



=== TEST 32: an order id that is too long is rejected
--- config perl: checkout(payer_order_id => '$arg_id')
--- request
GET /checkout?order=1&id=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_order_id$
detail: .
operation: ^create$
--- calls: none


=== TEST 33: a return address with a scheme other than http and https is rejected
--- config perl: checkout(payer_return_success => '$arg_to')
--- request
GET /checkout?order=1&to=javascript:alert(1)
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_return_success$
detail: .
operation: ^create$
--- calls: none


=== TEST 34: a return address with userinfo is rejected
--- config perl: checkout(payer_return_fail => '$arg_to')
--- request
GET /checkout?order=1&to=http://a@b/
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_return_fail$
detail: .
operation: ^create$
--- calls: none


=== TEST 35: an empty return address is rejected
--- config perl: checkout(payer_return_back => '$arg_to')
--- request
GET /checkout?order=1
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_return_back$
detail: .
operation: ^create$
--- calls: none


=== TEST 36: a return address without a scheme and a leading slash is rejected
--- config perl: checkout(payer_return_back => '$arg_to')
--- request
GET /checkout?order=1&to=cart
--- error_code: 400
--- response_headers
Cache-Control: no-store
Content-Type: application/problem+json
--- json
status: ^400$
title: ^The order is not valid$
field: ^payer_return_back$
detail: .
operation: ^create$
--- calls: none


=== TEST 37: an empty language is sent as sv, and an empty order id as null
--- config perl
checkout(payer_language => '$arg_lang', payer_order_id => '$arg_id')
--- request
GET /checkout?order=1
--- error_code: 303
--- sent
create: "languageCode":"sv"
create: "orderId":null


=== TEST 38: a reference of 255 bytes is accepted
--- config perl: checkout()
--- request
GET /checkout?order=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
--- error_code: 303


=== TEST 39: a reference from an argument is percent-decoded, and escaped in the return addresses
--- config perl: checkout()
--- request
GET /checkout?order=A%2FB+C%26d%3D1%3f%22%25
--- error_code: 303
--- after
my $body = JSON::PP->new->decode((journal('create'))[0]{body});
is($body->{externalPaymentReference}, 'A/B C&d=1?"%', 'for Payer');
like($body->{redirectOnSuccessURL},
    qr{/thanks\?order=A%2FB%20C%26d%3D1%3F%22%25$}, 'in the address');


=== TEST 40: a reference with Swedish letters is sent in UTF-8
--- config perl: checkout()
--- request
GET /checkout?order=K%C3%B6p-%E2%82%AC
--- error_code: 303
--- after
my $body = JSON::PP->new->decode((journal('create'))[0]{body});
is($body->{externalPaymentReference}, "K\x{f6}p-\x{20ac}", 'for Payer');
like($body->{redirectOnSuccessURL}, qr/order=K%C3%B6p-%E2%82%AC$/, 'in the address');


=== TEST 41: a reference of digits is sent as a JSON string
--- config perl: checkout()
--- request
GET /checkout?order=007
--- error_code: 303
--- sent
create: "externalPaymentReference":"007"


=== TEST 42: quotes in a reference are escaped in the JSON
--- config perl: checkout()
--- request
GET /checkout?order=%22%2C%22amount%22%3A1%2C%22x%22%3A%22%5C
--- error_code: 303
--- after
my $body = JSON::PP->new->decode((journal('create'))[0]{body});
is($body->{externalPaymentReference}, '","amount":1,"x":"\\', 'a text');
is($body->{amount}, 12900, 'and the amount is what it was');


=== TEST 43: return addresses with a leading slash are completed with the name and port of the server
--- no_http3: the addresses are those of http
--- config perl: checkout()
--- request
GET /
--- after
my $url = sub { JSON::PP->new->decode((journal('create'))[-1]{body})->{$_[0]} };
my $port = nginx_port();

get('/checkout?order=1');
is($url->('redirectOnSuccessURL'), "http://localhost:$port/thanks?order=1", 'success');
is($url->('redirectOnFailURL'), "http://localhost:$port/failed", 'fail');
is($url->('backToShopURL'), "http://localhost:$port/cart", 'back');


=== TEST 44: absolute return addresses are sent unchanged
--- config perl
checkout(payer_return_success => 'https://shop.example:8443/thanks?a=b#c',
    payer_return_fail => 'https://$host/failed')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $body = JSON::PP->new->decode((journal('create'))[0]{body});
is($body->{redirectOnSuccessURL}, 'https://shop.example:8443/thanks?a=b#c', 'absolute');
is($body->{redirectOnFailURL}, 'https://localhost/failed', 'of variables');


=== TEST 45: return addresses of a request over TLS have the scheme https
--- http_config perl
"server {
    listen 127.0.0.1:$tls ssl;
    server_name shop.test;
    " . certificate('shop.test') . payer_server() . checkout() . "
}"
--- config
--- request
GET /
--- after
my $said = `curl -s -o /dev/null -w '%{http_code}' --cacert $ENV{TEST_NGINX_DIR}/ca.pem --connect-to shop.test:443:127.0.0.1:$tls https://shop.test/checkout?order=1`;
is($said, 303, 'the link');
like((sent('create'))[0], qr{"backToShopURL":"https:\\?/\\?/shop\.test:$tls\\?/cart"}, 'and the way back');


=== TEST 46: a checkout works over HTTP/2
--- http_config perl
"server {
    listen 127.0.0.1:$h2 http2;
    " . payer_server() . checkout() . operations() . "
}"
--- config
--- request
GET /
--- after
my $curl = "curl -s --http2-prior-knowledge";
my $url = "http://127.0.0.1:$h2";

# A POST without a body: nginx answers before it has read one, which this curl
# takes for an error, also of nginx's own "return 303".
my @said = map { scalar `$curl -o /dev/null -w '%{http_version} %{http_code} %{redirect_url}' $_ '$url/checkout?order=1'` }
    '', '-I', '-X POST';

like($said[$_], qr{^2 303 http://127.*/widget/}, 'a link') for 0 .. 2;
is($said[1], $said[0], 'the same for HEAD');
is($said[2], $said[0], 'and for POST');
is(calls()->{create}, 1, 'made once');

pay('1');
my $capture = `$curl -w ' %{http_code}' -d reference=1 -d amount=1 '$url/capture'`;
like($capture, qr/"referenceId".* 200$/s, 'an operation as well');

my $bad = `$curl -w ' %{http_code} %{content_type}' '$url/checkout'`;
like($bad, qr{payer_reference.* 400 application/problem\+json$}s, 'and a problem');


=== TEST 47: the client connection is kept after a checkout
--- config perl: checkout()
--- pipelined_requests eval
["GET /checkout?order=1", "GET /checkout?order=2", "POST /checkout?order=3\nabc", "GET /checkout", "GET /checkout?order=1"]
--- error_code eval
[303, 303, 303, 400, 303]
--- calls
token: 1
create: 3


=== TEST 48: another amount cancels the old link before a new one is created
--- http_config
    map $arg_cart $price { small 4500; large 5900; }
--- config perl: checkout(payer_amount => '$price', add_header => 'X-Link $payer_link')
--- request
GET /checkout?order=1&cart=small
--- error_code: 303
--- response_headers
X-Link: miss
--- after
my $old = books('1');
my $r = get('/checkout?order=1&cart=large');
is($r->status, 303, 'a link');
is($r->header('X-Link'), 'replaced', 'in place of the old one');

my $books = books('1');
is($books->{links}, 2, 'two were made');
is($books->{liveLinks}, 1, 'one is alive');
is($books->{amount}, 5900, 'that of the new amount');
is($r->header('Location'), $books->{url}, 'and the buyer has it');

my @order = map { $_->{call} } journal();
is("@order", 'token create cancel create', 'first the cancel, then the create');
is(get('/checkout?order=1&cart=large')->header('Location'), $books->{url}, 'it stays');


=== TEST 49: another currency cancels the old link before a new one is created
--- config perl: checkout() . checkout('= /nok', payer_currency => 'NOK')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/nok?order=1')->status, 303, 'a link');
is(books('1')->{liveLinks}, 1, 'the only one');
is(books('1')->{currency}, 'NOK', 'in the new currency');


=== TEST 50: a paid order with a larger amount gets 409 and no second link
--- no_http3: the addresses are those of http
--- config perl: checkout() . checkout('= /more', payer_amount => '99900')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
my $r = get('/more?order=1');
is($r->status, 409, 'refused');
is($r->json->{type}, 'amount-differs', 'and why');
is(books('1')->{links}, 1, 'no new link');
is(calls()->{create}, 1, 'nobody asked for one');

$r = get('/more?order=1');
is($r->status, 409, 'the next time, too');
is(calls()->{cancel}, 1, 'now without asking');
is(calls()->{read}, 1, 'at all');
like(get('/checkout?order=1')->header('Location'), qr{/thanks\?order=1$}, 'what was paid leads to the thank-you page');


=== TEST 51: no new link is created while the old one can still be paid
--- config perl: checkout() . checkout('= /more', payer_amount => '99900')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults('cancel: status=500 times=0');
my $r = get('/more?order=1');
is($r->status, 502, 'an error');
is(books('1')->{links}, 1, 'one link');
is(get('/checkout?order=1')->header('Location'), books('1')->{url}, 'which is still good');
sim('DELETE', 'faults');
is(get('/more?order=1')->status, 303, 'when Payer is well again, the new link');
is(books('1')->{liveLinks}, 1, 'and the old one is cancelled');


=== TEST 52: if the cancel of an unpaid link is refused, the link is kept
--- config perl: checkout() . checkout('= /more', payer_amount => '99900')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults('cancel: status=400 body={}');
my $r = get('/more?order=1');
is($r->status, 503, 'later');
is($r->header('Retry-After'), 1, 'in a second');
is(books('1')->{links}, 1, 'and no second link');


=== TEST 53: a cancel whose reply was lost is read back
--- config perl: checkout() . checkout('= /more', payer_amount => '99900')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults('cancel: lost-reply');
is(get('/more?order=1')->status, 303, 'a link');
is(books('1')->{liveLinks}, 1, 'the only one');
is(books('1')->{amount}, 99900, 'of the new amount');
is(calls()->{read}, 1, 'after a read');


=== TEST 54: a link that Payer does not know is not replaced before its 31 days
--- config perl: checkout() . checkout('= /more', payer_amount => '99900')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults('cancel|read: status=404 times=2 body={}');
is(get('/more?order=1')->status, 502, 'no other link');
is(books('1')->{links}, 1, 'as the first one may be paid');
is(get('/more?order=1')->status, 303, 'then it is cancelled');
is(books('1')->{liveLinks}, 1, 'and there is one live link');


=== TEST 55: a link older than payer_link_ttl is replaced
--- config perl: checkout(payer_link_ttl => '1s')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $old = books('1')->{url};
ok(wait_until(sub { get('/checkout?order=1')->header('Location') ne $old }, 4), 'another link');
is(books('1')->{liveLinks}, 1, 'the old one is cancelled');


=== TEST 56: after a failed create the next visit creates a link
--- config perl: checkout()
--- faults
create: status=400 body={}
--- request
GET /checkout?order=1
--- error_code: 502
--- after
is(get('/checkout?order=1')->status, 303, 'the link');
is(books('1')->{links}, 1, 'the only one');


=== TEST 57: the same order number of two merchants is two orders
--- config perl: checkout() . checkout('= /other', payer_client_id => '4712')
--- before
sim_config(merchants => { 4712 => 'api-key-of-the-test-merchant' });
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/other?order=1')->status, 303, 'the other merchant\'s link');
is(scalar(grep { $_->{live} } @{ sim('GET', 'books')->{payments} }), 2, 'both are alive');


=== TEST 58: two locations of one merchant share their orders
--- config perl: checkout() . checkout('= /again')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/again?order=1')->header('Location'), books('1')->{url}, 'the same link');
is(calls()->{create}, 1, 'made once');


=== TEST 59: error_page replaces an error of the checkout
--- config perl
checkout(error_page => '502 /sorry')
    . 'location = /sorry { return 200 "try later, order $payer_reference\n"; }'
--- faults
create: status=500 times=0
--- request
GET /checkout?order=1
--- error_code: 502
--- response_body
try later, order 1


=== TEST 60: error_page replaces the rejection of an invalid order
--- config perl
checkout(error_page => '400 =200 @what')
    . 'location @what { return 200 "what?\n"; }'
--- request
GET /checkout
--- error_code: 200
--- response_body
what?
--- calls: none


=== TEST 61: a checkout can be the target of error_page
--- config perl
'location = /buy { error_page 402 = /checkout?order=7; return 402; }' . checkout()
--- request
GET /buy
--- error_code: 303
--- books
7: links=1


=== TEST 62: a checkout can be a named location
--- config perl
'location = /buy { try_files /no-such-file @pay; }' . checkout('@pay')
--- request
GET /buy?order=8
--- error_code: 303
--- books
8: links=1


=== TEST 63: a checkout in a subrequest is rejected
--- config perl
'location = /page { mirror /checkout; return 204; } location = /auth { auth_request /checkout?order=9; return 204; }
 location = /real { mirror /checkout; proxy_pass http://payer/nothing; }' . checkout()
--- request
GET /real?order=9
--- error_code: 404
--- calls
unknown: 1


=== TEST 64: payer_present json returns the payment id and the link
--- config perl: checkout(payer_present => 'json')
--- request
GET /checkout?order=1
--- error_code: 200
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- json
paymentId: ^[0-9a-f-]{36}$
url: ^http://127\.0\.0\.1:\d+/widget/[0-9a-f]{40}$


=== TEST 65: HTTP/1.0 without Host gets return addresses with the name of the server
--- config perl: checkout()
--- raw_request eval
"GET /checkout?order=1 HTTP/1.0\r\n\r\n"
--- error_code: 303
--- sent
create: "backToShopURL":"http:\\?/\\?/localhost:[0-9]+\\?/cart"



=== TEST 66: if the link cannot be stored, 503 is returned and no link is presented
--- bare
--- http_config perl: bare_http('simulator') =~ s/payer 1m/payer 64k/r
--- config perl
road(proxy_pass => 'http://payer/') . checkout(payer_insecure_upstream => 'on')
--- request
GET /
--- after
my ($r, $n);

for ($n = 1; $n < 200; $n++) {
    $r = get("/checkout?order=$n-" . 'x' x 200);
    last if $r->status != 303;
}

is($r->status, 503, 'later');
is($r->header('Retry-After'), 1, 'says when');
like($r->header('Content-Type'), qr/problem/, 'as a problem');
cmp_ok($n, '>', 3, 'a few orders fit');
is($r->header('Location'), undef, 'and leads nowhere');

my $calls = calls()->{create};
is(get('/checkout?order=1-' . 'x' x 200)->status, 303, 'known orders go on');
is(calls()->{create}, $calls, 'without a call');
ok(error_log_text() =~ /\[error\].*payer_zone "payer" is full/, 'the operator is told');
