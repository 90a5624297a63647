# payer_present confirm: a page whose button sends a POST.  A GET, for example
# of a mail scanner or a preview, creates nothing.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

$ENV{TEST_NGINX_H2_PORT} = free_port();
our $SHOP = $ENV{TEST_NGINX_SHOP_PORT} = free_port();


# What a browser sends when the button is pressed.

sub press {
    my ($path, @args) = @_;

    return post($path, form => {}, @args);
}

run_payer_tests();

__DATA__

=== TEST 1: GET shows the order with a button and creates nothing
--- config perl: checkout(payer_present => 'confirm', payer_language => 'en')
--- request
GET /checkout?order=1001
--- error_code: 200
--- response_headers
Content-Type: text/html; charset=utf-8
Cache-Control: no-store
Referrer-Policy: same-origin
X-Content-Type-Options: nosniff
! Location
--- response_body_like: \A<!DOCTYPE html>\n<html lang="en">\n.*<meta charset="utf-8">.*<meta name="robots" content="noindex">.*<title>Card payment</title>.*<dd>1001</dd>.*<dd>129\.00 SEK</dd>.*<form method="post">\n<button>Pay by card</button>\n</form>\n</main>\n</body>\n</html>\n\z
--- calls: none



=== TEST 2: HEAD returns the headers of the page and creates nothing
--- config perl: checkout(payer_present => 'confirm')
--- request
HEAD /checkout?order=1001
--- error_code: 200
--- response_headers_like
Content-Type: text/html; charset=utf-8
Content-Length: [1-9]\d{2,}
--- response_body:
--- calls: none



=== TEST 3: the button creates the link, and a second POST gets the same one
--- config perl: checkout(payer_present => 'confirm')
--- request
POST /checkout?order=1001
--- error_code: 303
--- response_headers_like
Location: ^http://127\.0\.0\.1:\d+/widget/[0-9a-f]+$
--- after
is(press('/checkout?order=1001')->header('Location'), books('1001')->{url}, 'the same link');
is(get('/checkout?order=1001')->status, 200, 'who looks again sees the page');
--- books
1001: links=1



=== TEST 4: the policy of the page permits its form and style only
--- config perl: checkout(payer_present => 'confirm')
--- request
GET /checkout?order=1001
--- response_headers_like
Content-Security-Policy: ^default-src 'none'; style-src 'nonce-([0-9a-f-]{36})'; base-uri 'none'; form-action 'self' https: http:; frame-ancestors 'none'$
--- after
my %seen;

for (1 .. 3) {
    my $r = get('/checkout?order=1001');
    my ($nonce) = $r->header('Content-Security-Policy') =~ /nonce-([^']+)/;

    is(++$seen{$nonce}, 1, "$nonce is new");
    is(scalar(() = $r->body =~ /<style nonce="$nonce">/g), 1, 'and used');
}

unlike(get('/checkout?order=1001')->body, qr/<script|<img|https?:/, 'nothing from elsewhere');



=== TEST 5: the order number is escaped in the page
--- config perl: checkout(payer_present => 'confirm')
--- request
GET /checkout?order=%3Cb%3E%22%26%C3%A5
--- error_code: 200
--- response_body_like: <dd>&lt;b&gt;&quot;&amp;\xc3\xa5</dd>
--- calls: none



=== TEST 6: the amount has the decimals of its currency in the format of the language
--- config perl
join '', map {
    my ($currency, $amount, $name) = @$_;
    checkout("= /$name", payer_present => 'confirm', payer_language => '$arg_l', payer_currency => $currency, payer_amount => $amount)
} [ 'SEK', 5, 'few' ], [ 'SEK', 123456, 'many' ], [ 'JPY', 130, 'none' ], [ 'KWD', 1234, 'three' ]
--- request eval
[ map { "GET $_->[0]?order=1001&l=$_->[1]" } [ '/few', 'en' ], [ '/many', 'en' ], [ '/none', 'en' ], [ '/three', 'en' ], [ '/many', 'sv' ], [ '/many', 'fi' ] ]
--- response_body_like eval
[ qr/>0\.05 SEK</, qr/>1234\.56 SEK</, qr/>130 JPY</, qr/>1\.234 KWD</, qr/>1234,56 SEK</, qr/>1234,56 SEK</ ]
--- calls: none



=== TEST 7: the texts of the page are in the language of the order
--- config perl: checkout(payer_present => 'confirm', payer_language => '$arg_l')
--- request eval
[ map { "GET /checkout?order=1001&l=$_" } qw(sv en nb nn no da fi de is) ]
--- response_body_like eval
[ qr/lang="sv".*>Betala med kort</s, qr/lang="en".*>Pay by card</s,
    qr/lang="nb".*>Betal med kort</s, qr/lang="nn".*>Betal med kort</s,
    qr/lang="no".*>Betal med kort</s, qr/lang="da".*>Betal med kort</s,
    qr/lang="fi".*>Maksa kortilla</s, qr/lang="de".*>Mit Karte bezahlen</s,
    qr/lang="en".*>Pay by card</s ]



=== TEST 8: an invalid order is rejected by GET
--- config perl
checkout(payer_present => 'confirm', payer_amount => '$price')
--- http_config
map $arg_product $price { blanket 12900; }
--- request
GET /checkout?order=1001&product=nothing
--- error_code: 400
--- json
field: ^payer_amount$
--- calls: none



=== TEST 9: a link with an invalid signature is rejected by GET
--- config perl
write_file('link.key', "key\n", 0600);
checkout(payer_present => 'confirm', payer_amount => '$arg_amount',
    payer_signature => '$arg_sig $arg_order:$arg_amount',
    payer_signature_key_file => '../../link.key')
--- request
GET /checkout?order=1001&amount=1&sig=00
--- error_code: 403
--- calls: none



=== TEST 10: a paid order is redirected to payer_return_success by GET
--- config perl
checkout(payer_present => 'confirm') . '
location = /payment { payer_payment; payer_allow all; }'
--- request
POST /checkout?order=1001
--- error_code: 303
--- after
pay('1001');
is(get('/payment?reference=1001')->status, 200, 'Payer is asked');

my $r = get('/checkout?order=1001');

is($r->status, 303, 'the buyer is sent');
like($r->header('Location'), qr{/thanks\?order=1001\z}, 'to thanks');



=== TEST 11: a shop that returns 402 for GET and POST gets the page for GET and the redirect for POST
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_SHOP_PORT;
        location / {
            add_header X-Payer-Reference 1001 always;
            add_header X-Payer-Amount    12900 always;
            return 402;
        }
    }
--- config perl
<<"END"
    location = /buy {
        proxy_pass             http://127.0.0.1:$main::SHOP;
        proxy_intercept_errors on;
        error_page 402         = \@pay;
    }
END
. checkout('@pay', payer_present => 'confirm',
    payer_reference => '$upstream_http_x_payer_reference',
    payer_amount => '$upstream_http_x_payer_amount')
--- request
GET /buy
--- error_code: 200
--- response_body_like: <form method="post">
--- after
is_deeply(calls(), {}, 'Payer is not called');
is(press('/buy')->status, 303, 'the button leads on');
is(books('1001')->{links}, 1, 'to a link');



=== TEST 12: after X-Accel-Redirect the method of the client's request is used
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_SHOP_PORT;
        location / {
            add_header X-Accel-Redirect  /pay;
            add_header X-Payer-Reference 1001;
            add_header X-Payer-Amount    12900;
            return 200;
        }
    }
--- config perl
"    listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;
    location /buy { proxy_pass http://127.0.0.1:$main::SHOP; }
" . checkout('= /pay', internal => '', payer_present => 'confirm',
    payer_reference => '$upstream_http_x_payer_reference',
    payer_amount => '$upstream_http_x_payer_amount')
--- request
GET /buy
--- error_code: 200
--- response_body_like: <form method="post">
--- after
my $h2 = "--http2-prior-knowledge http://127.0.0.1:$ENV{TEST_NGINX_H2_PORT}/buy";
my $status = q(-sS -m 10 -o /dev/null -w '%{http_code}');

is(scalar qx(curl $status $h2), 200, 'a page over HTTP/2, too');
is_deeply(calls(), {}, 'Payer is not called');
is(press('/buy')->status, 303, 'the button leads on');
is(scalar qx(curl $status -X POST $h2), 303, 'over HTTP/2, too');
is(books('1001')->{links}, 1, 'to one link');



=== TEST 13: the page stores nothing
--- config perl
checkout(payer_present => 'confirm') . '
location = /payment { payer_payment; payer_allow all; }'
--- request
GET /checkout?order=1001
--- error_code: 200
--- after
is(get('/payment?reference=1001')->status, 404, 'the order is not known');
