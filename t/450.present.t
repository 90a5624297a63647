# How the payment page is presented to the buyer: a redirect, a page with a
# frame, JSON, or a page of the shop.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

$ENV{TEST_NGINX_H2_PORT} = free_port();


# The payment link as the simulator made it.

sub widget {
    my ($order) = @_;

    return sim('GET', 'books')->{payments}[-1]{url} unless defined $order;
    return books($order)->{url};
}


# HTTP/2 without TLS: status, headers and body.

sub h2 {
    my (@args) = @_;

    return join '', map { s/\r//r } qx(curl -sS -m 10 -i @args \\
        --http2-prior-knowledge http://127.0.0.1:$ENV{TEST_NGINX_H2_PORT}/checkout?order=1001 2>&1);
}

run_payer_tests();

__DATA__

=== TEST 1: payer_present redirect, the default, redirects to the payment page
--- config perl: checkout()
--- request
GET /checkout?order=1001
--- error_code: 303
--- response_headers_like
Location: http://127\.0\.0\.1:\d+/widget/[0-9a-f]+
Cache-Control: no-store



=== TEST 2: payer_present iframe returns a page with a frame
--- config perl: checkout(payer_present => 'iframe')
--- request
GET /checkout?order=1001
--- error_code: 200
--- response_headers
Content-Type: text/html; charset=utf-8
Cache-Control: no-store
Referrer-Policy: no-referrer
X-Content-Type-Options: nosniff
! Location
--- response_body_like: \A<!DOCTYPE html>\n<html lang="sv">\n.*<meta charset="utf-8">.*<meta name="viewport" content="width=device-width.*<title>Kortbetalning</title>.*<iframe src="http://127\.0\.0\.1:\d+/widget/[0-9a-f]+" title="Kortbetalning" allow="payment"
--- calls
token: 1
create: 1



=== TEST 3: the frame shows the payment link, and the same one in a repeated visit
--- config perl: checkout(payer_present => 'iframe')
--- request
GET /checkout?order=1001
--- after
my ($first) = get('/checkout?order=1001')->body =~ /<iframe src="([^"]+)"/;
my ($again) = post('/checkout?order=1001')->body =~ /<iframe src="([^"]+)"/;

Test::More::is($again, $first, 'the same link');
Test::More::like($first, qr{/widget/\w+\z}, 'a widget');
--- books
1001: links=1



=== TEST 4: the policy of the page permits the payment page, the shop and the page's own script only
--- config perl: checkout(payer_present => 'iframe')
--- faults
create: edit set={"url":"http://pay.example:8443?w=1"}
--- request
GET /checkout?order=1001
--- response_headers_like
Content-Security-Policy: default-src 'none'; frame-src http://pay\.example:8443 'self'; script-src 'nonce-([0-9a-f-]{36})'; style-src 'nonce-\1'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'



=== TEST 5: each page has a new nonce and uses it
--- config perl: checkout(payer_present => 'iframe')
--- request
GET /checkout?order=1001
--- after
my %seen;

for (1 .. 3) {
    my $r = get('/checkout?order=1001');
    my ($nonce) = $r->header('Content-Security-Policy') =~ /nonce-([^']+)/;

    Test::More::is(++$seen{$nonce}, 1, "$nonce is new");
    Test::More::is(scalar(() = $r->body =~ /<(?:script|style) nonce="$nonce">/g),
        2, 'for style and script');
}



=== TEST 6: addresses in the page are escaped for HTML only
--- no_http3: the addresses are those of http
--- config perl
checkout(payer_present => 'iframe',
    payer_return_success => '/thanks?order=$payer_reference&a=1',
    payer_return_fail => '"/cart?p=failed&b=1"')
--- faults
create: edit set={"url":"http://pay.example/w?a=1&lt=2#f"}
--- request
GET /checkout?order=10%2F%22%3E1
--- response_body_like: <iframe src="http://pay\.example/w\?a=1&amp;lt=2#f" .*data-success="http://localhost:\d+/thanks\?order=10%2F%22%3E1&amp;a=1".*data-fail="http://localhost:\d+/cart\?p=failed&amp;b=1".*data-back="http://localhost:\d+/cart".*<a href="http://pay\.example/w\?a=1&amp;lt=2#f">



=== TEST 7: the texts of the page are in the language of the order
--- config perl
checkout(payer_present => 'iframe', payer_language => '$arg_l')
--- request eval
[ map { "GET /checkout?order=1001&l=$_" } qw(sv en nb nn no da fi de) ]
--- response_body_like eval
[ qr/lang="sv".*ppna betalningen/s, qr/lang="en".*Card payment/s,
    qr/lang="nb".*pne betalingen/s, qr/lang="nn".*Opne betalinga/s,
    qr/lang="no".*pne betalingen/s, qr/lang="da".*bn betalingen/s,
    qr/lang="fi".*Korttimaksu/s, qr/lang="de".*Kartenzahlung/s ]



=== TEST 8: the texts of the page are English if the language is unknown
--- config perl
checkout(payer_present => 'iframe', payer_language => 'is')
--- request
GET /checkout?order=1001
--- response_body_like: <html lang="en">.*Open the payment in the whole window
--- sent
create: "languageCode":"is"



=== TEST 9: HEAD creates the link and returns the headers of the page
--- config perl: checkout(payer_present => 'iframe')
--- request
HEAD /checkout?order=1001
--- error_code: 200
--- response_headers_like
Content-Type: text/html; charset=utf-8
Content-Length: [1-9]\d{3}
Content-Security-Policy: default-src 'none'; frame-src .*
--- response_body:
--- books
1001: links=1



=== TEST 10: a paid order is redirected instead of framed
--- config perl
checkout(payer_present => 'iframe')
    . "    location = /payment { payer_payment; payer_allow all; }"
--- request
GET /checkout?order=1001
--- error_code: 200
--- after
pay('1001');
Test::More::is(get('/payment?reference=1001')->status, 200, 'Payer is asked');

my $r = get('/checkout?order=1001');

Test::More::is($r->status, 303, 'the buyer is sent');
Test::More::like($r->header('Location'), qr{/thanks\?order=1001\z}, 'to thanks');



=== TEST 11: payer_present json returns the payment id and the link
--- config perl: checkout(payer_present => 'json')
--- request
GET /checkout?order=1001
--- error_code: 200
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- json
paymentId: ^[A-Za-z0-9_-]{1,64}$
url: ^http://127\.0\.0\.1:\d+/widget/[0-9a-f]+$
--- after
my $said = get('/checkout?order=1001')->json;

Test::More::is_deeply([ sort keys %$said ], [qw(paymentId url)], 'no more');
Test::More::is($said->{paymentId}, payment('1001'), 'the payment');



=== TEST 12: HEAD with payer_present json returns its headers
--- config perl: checkout(payer_present => 'json')
--- request
HEAD /checkout?order=1001
--- error_code: 200
--- response_headers_like
Content-Type: application/json
Content-Length: [1-9]\d*
--- response_body:



=== TEST 13: payer_present with a URI makes the payment available to the page
--- config perl
checkout(payer_present => '/frame?from=module') . <<'END'
    location = /frame {
        internal;
        return 200 "$request_method $arg_from $payer_reference $payer_amount $payer_currency $payer_link\n$payer_url\n$payer_payment_id\n";
    }
END
--- request
GET /checkout?order=1001
--- error_code: 200
--- response_body_like: \AGET module 1001 12900 SEK miss\nhttp://127\.0\.0\.1:\d+/widget/[0-9a-f]+\n[A-Za-z0-9_-]+\n\z



=== TEST 14: payer_present with a URI passes the link to a proxied page in a header
--- no_http2: what is slow here is HTTP/1.0
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_H2_PORT;
        return 200 "$request_method $http_content_length|$http_x_payer_url\n";
    }
--- config perl
checkout(payer_present => '/frame') . <<"END"
    location = /frame {
        internal;
        proxy_set_header X-Payer-Url \$payer_url;
        proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_H2_PORT};
    }
END
--- request
GET /checkout?order=1001
--- error_code: 200
--- response_body_like: \AGET \|http://127\.0\.0\.1:\d+/widget/[0-9a-f]+\n\z
--- after
my $r = post('/checkout?order=1001', form => { basket => 'x' x 5000 });

Test::More::is($r->status, 200, 'also after a POST with a body');
Test::More::like($r->body, qr{\AGET \|http://127\.0\.0\.1:\d+/widget/},
    'that is asked for with GET and without the body');

# The shop waits for what it is promised: a body on its way is not.

my $slow = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => nginx_port());

print $slow "POST /checkout?order=1001 HTTP/1.0\r\n",
    "Host: shop\r\nContent-Length: 3\r\n\r\na";
get('/checkout?order=1001');
print $slow 'bc';

my $answer = join '', <$slow>;

Test::More::like($answer, qr{^GET \|http://127\.0\.0\.1:\d+/widget/}m,
    'also when the body is still on its way');



=== TEST 15: payer_present with a URI works with an SSI template
--- config perl
checkout(payer_present => '/frame.html') . <<'END'
    location = /frame.html {
        internal;
        ssi on;
    }
END
--- faults
create: edit set={"url":"http://pay.example/w?a=1&b=2"}
--- user_files
>>> frame.html
<iframe src="<!--# echo var="payer_url" encoding="entity" -->"></iframe>
--- request
GET /checkout?order=1001
--- response_body
<iframe src="http://pay.example/w?a=1&amp;b=2"></iframe>



=== TEST 16: payer_present with a URI keeps the method HEAD
--- config perl
checkout(payer_present => '/frame') . <<'END'
    location = /frame {
        internal;
        add_header X-Method $request_method;
        add_header X-Url $payer_url;
        return 200 "body";
    }
END
--- request
HEAD /checkout?order=1001
--- error_code: 200
--- response_headers_like
X-Method: HEAD
X-Url: http://127\.0\.0\.1:\d+/widget/[0-9a-f]+
--- response_body:



=== TEST 17: payer_present redirect works over HTTP/2
--- config perl
"    listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;\n" . checkout()
--- request
GET /none
--- error_code: 404
--- suppress_stderr
--- after
Test::More::like(h2(), qr{\AHTTP/2 303.*^location: http://127\.0\.0\.1:\d+/widget/}ms, 'GET');
Test::More::like(h2('-I'), qr{\AHTTP/2 303}, 'HEAD');



=== TEST 18: payer_present iframe works over HTTP/2
--- config perl
"    listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;\n"
    . checkout(payer_present => 'iframe')
--- request
GET /none
--- error_code: 404
--- suppress_stderr
--- after
Test::More::like(h2(), qr{\AHTTP/2 200.*<iframe src="http.*</html>\n\z}s, 'GET');
Test::More::like(h2('-X', 'POST'), qr{\AHTTP/2 200.*</html>\n\z}s, 'POST');
Test::More::like(h2('-I'), qr{\AHTTP/2 200.*content-security-policy.*\n\n\z}s, 'HEAD');



=== TEST 19: payer_present json works over HTTP/2
--- config perl
"    listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;\n"
    . checkout(payer_present => 'json')
--- request
GET /none
--- error_code: 404
--- suppress_stderr
--- after
Test::More::like(h2(), qr{\AHTTP/2 200.*"url":"http[^"]+"\}\s*\z}s, 'GET');
Test::More::like(h2('-I'), qr{\AHTTP/2 200.*\n\n\z}s, 'HEAD');



=== TEST 20: payer_present with a URI works over HTTP/2
--- config perl
"    listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;\n"
    . checkout(payer_present => '/frame')
    . '    location = /frame { internal; return 200 "$request_method $payer_url"; }'
--- request
GET /none
--- error_code: 404
--- suppress_stderr
--- after
Test::More::like(h2(), qr{\AHTTP/2 200.*\n\nGET http://127\S+/widget/\w+\z}s, 'GET');
Test::More::like(h2('-d', 'a=b'), qr{\AHTTP/2 200.*\n\nGET http://127\S+/widget/\w+\z}s, 'POST');



=== TEST 21: a reference in the URI of payer_present does not lead outside the location of the URI
--- config perl
checkout(payer_present => '/pages/$payer_reference.html') . <<'END'
    location /pages/ { internal; }
END
--- user_files
>>> pages/1001.html
the page
>>> secret.html
a secret
--- request
GET /checkout?order=..%2Fsecret
--- error_code: 404
--- response_body_unlike: secret
--- after
Test::More::is(get('/checkout?order=1001')->body, "the page\n", 'a number');
Test::More::is(get('/checkout?order=a%2F..%2F..%2Fsecret')->status, 404,
    'a path in the middle');
Test::More::is(get('/checkout?order=..%252Fsecret')->status, 404,
    'encoded twice');



=== TEST 22: a reference in the URI of payer_present does not add arguments
--- config perl
checkout(payer_present => '/frame?order=$payer_reference&from=module') . <<'END'
    location = /frame {
        internal;
        return 200 "$arg_order $arg_from $payer_reference";
    }
END
--- request
GET /checkout?order=1%26from%3Dbuyer%3F
--- response_body chomp
1%26from%3Dbuyer%3F module 1&from=buyer?
