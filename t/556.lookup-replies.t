# payer_lookup: the shop's location and its responses.

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Lookup;
use Payer::Cgi;

use Time::HiRes ();

lookup_start();

our $cgi = cgi_start();

log_level("info");


# A checkout that asks this location, whose field is found like this.

sub asks {
    my ($location, $field, $more) = @_;

    $field //= '/total';

    return <<"EOT";
        location = /pay {
            payer_lookup        /_shop/order?id=\$arg_id;
            payer_lookup_field  \$total "$field";
            @{[ $more // '' ]}
            payer_checkout;
            payer_reference      "\$arg_id" public;
            payer_amount         \$total major float;
            payer_currency       SEK;
            payer_return_success /s;
            payer_return_fail    /f;
            payer_return_back    /b;
            payer_timeout        2s;
        }
        location = /_shop/order { internal; $location }
        location /elsewhere { proxy_pass http://shop/elsewhere; }
EOT
}

our $PROXY = 'proxy_pass http://shop/o/$arg_id;';

run_payer_tests();

__DATA__

=== TEST 1: a regular expression must match exactly once, and its groups are joined
--- http_config eval: ::page()
--- config eval: ::asks($::PROXY, '~<b>([0-9]+)(?: |&nbsp;)?([0-9]*),([0-9]{2}) kr</b>')
--- request
GET /nothing
--- error_code: 404
--- after
my $id = 100;
for my $case (
    ['<p><b>149,85 kr</b>', 1498500], ['<b>1 499,50 kr</b>', 14995000],
    ['<b>1&nbsp;499,50 kr</b>', 14995000], ['<b>1,00 kr</b> <b>2,00 kr</b>', 0],
    ['<b>1,00 kr</b><b>1,00 kr</b>', 0], ['<b>none</b>', 0], ['<b>,50 kr</b>', 0])
{
    my ($page, $amount) = @$case;
    shop_answers("html $page");
    my $r = get('/pay?id=' . ++$id);
    is($r->status, $amount ? 303 : 503, $page);
    is(books($id)->{amount}, $amount, 'its amount') if $amount;
}
like(error_log_text(), qr/matches more than once in the reply/, 'two are none');
like(error_log_text(), qr/does not match in the reply/, 'none is none');



=== TEST 2: a regular expression with many steps does not block the worker process
--- http_config eval: ::page()
--- config eval: ::asks($::PROXY, '~([0-9]+)(?: |&nbsp;)?([0-9]*),([0-9]{2}) <b>kr')
--- request
GET /nothing
--- error_code: 404
--- after
my $id = 200;
for my $text ('1', '12345678_', '1' x 70 . '_', '1' x 130 . '_', '1' x 139 . ',') {
    shop_answers("page 65536 $text <b>1,00 <b>kr");
    my $start = Time::HiRes::time();
    my $r = get('/pay?id=' . ++$id);
    my $took = Time::HiRes::time() - $start;
    cmp_ok($took, '<', 0.5, sprintf '64 KiB of "%.12s...": %.3f s, %d', $text, $took, $r->status);
}
like(error_log_text(), qr/needs too many steps to match/, 'the log says why');



=== TEST 3: amounts in the formats of shops are parsed exactly or rejected
--- http_config eval: ::page()
--- config eval: ::asks($::PROXY)
--- request
GET /nothing
--- error_code: 404
--- after
my $id = 300;
for my $case (['149.85000000000002', 14985], ['"129.5000"', 12950],
    ['129.99', 12999], ['1.4985E2', 14985], ['"22.940000"', 2294], ['74', 7400],
    ['149.856', 0], ['-1', 0], ['"1e400"', 0], ['0', 0], ['true', 0])
{
    my ($text, $amount) = @$case;
    shop_answers(qq(json {"total":$text}));
    is(get('/pay?id=' . ++$id)->status, $amount ? 303 : 400, "total $text");
    is(books($id)->{amount}, $amount, "is $amount") if $amount;
}



=== TEST 4: a field with a control character is missing
--- http_config eval: ::page()
--- config eval: ::asks($::PROXY, '/total', 'payer_lookup_field $note /note optional; add_header X-Note "[$note]" always;')
--- request
GET /nothing
--- error_code: 404
--- after
shop_answers('json {"total":"1.00\\r\\nX-Payer-Status: paid"}');
is(get('/pay?id=401')->status, 503, 'a line of its own');
like(error_log_text(), qr/"\/total" has a control character/, 'the log says why');
for my $note ('a\\nb', 'a\\u0001', 'a\\u007f') {
    shop_answers(qq(json {"total":1,"note":"$note"}));
    is(get('/pay?id=402')->header('X-Note'), '[]', "$note counts as missing");
}
shop_answers(qq(json {"total":1,"note":"\\u00e5 b"}));
is(get('/pay?id=402')->header('X-Note'), "[\xc3\xa5 b]", 'a letter is none');



=== TEST 5: invalid responses return 503 and are not cached
--- http_config eval: ::page()
--- config eval: ::asks("$::PROXY proxy_read_timeout 1s;")
--- request
GET /nothing
--- error_code: 404
--- after
my $pad = 'x' x 262144;
for my $case (
    ["json {\"total\":1,\"x\":\"$pad\"}", qr/is above 256 KiB/],
    ['delay=1.5 json {"total":1}', qr/was not received, status 504/],
    ['close', qr/was not received, status 502/],
    ['cut', qr/was cut off/],
    ['200 Content-Encoding: gzip', qr/is compressed/],
    ['html <p>busy', qr/the reply \S.*, status 200/],
    ['json=206 {"total":1}', qr/is only a part, status 206/],
    ["json \xef\xbb\xbf{\"total\":1}", qr/begins with a byte order mark/],
    ['401', qr/is an error, status 401/], ['403', qr/is an error, status 403/])
{
    my ($answer, $log) = @$case;
    shop_answers($answer);
    my $name = 'answer ' . substr $answer, 0, 20;
    my $r = get('/pay?id=501');
    is($r->status, 503, $name);
    is($r->header('Retry-After'), 3, 'with Retry-After');
    like(error_log_text(), qr{lookup "/_shop/order\?id=501".*$log}, 'the log says why');
    shop_answers('json {"total":1}');
    is(get('/pay?id=502')->status, 303, 'the shop is asked again at once');
}
is(calls()->{create}, 1, 'nothing but the one link was made');



=== TEST 6: 503 has the Retry-After of the shop
--- http_config eval: ::page()
--- config eval: ::asks($::PROXY) . 'location = /gate { payer_lookup /_shop/order?id=$arg_id; payer_lookup_field $total /total; payer_verify $arg_id; try_files /no =204; }'
--- request
GET /nothing
--- error_code: 404
--- after
for my $url ('/pay?id=601', '/gate?id=601') {
    for my $seconds (1, 17, 300) {
        shop_answers("429 Retry-After: $seconds");
        is(get($url)->header('Retry-After'), $seconds, "$url: $seconds");
    }
    shop_answers('429 Retry-After: ' . POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 60)));
    like(get($url)->header('Retry-After'), qr/^(?:5[5-9]|60)$/, "$url: a date");
    shop_answers('429');
    is(get($url)->header('Retry-After'), 3, "$url: nothing");
}



=== TEST 7: a 404 of the shop is cached for one second
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('404', '410', wc());
is(received($_, 'wc_order_abc')->status, 404, "order $_") for 701, 701, 702, 702;
is(lookups(), 2, 'one question each');
is(received(703, 'wrong')->status, 404, 'a wrong key');
is(received(703, 'wc_order_abc')->status, 303, 'is not kept against the right one');
wait_until(sub { received(701, 'wc_order_abc')->status == 303 });
ok(1, 'after a second it is asked for again');



=== TEST 8: a lookup in an if block or behind a rewrite is not sent, and 503 is returned
--- http_config eval: ::page()
--- config eval: ::asks("$::PROXY if (\$arg_id = 801) { set \$x 1; } if (\$arg_id = 802) { rewrite ^ /elsewhere last; } limit_except POST { proxy_pass http://shop/le; }") =~ s/limit_except.*?\}//r
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('json {"total":1}');
is(get("/pay?id=$_")->status, 503, "an if or a rewrite: $_") for 801, 802;
is(lookups(), 0, 'nothing was sent');
is(get('/pay?id=803')->status, 303, 'without it the shop is asked');
like(error_log_text(), qr/a lookup was not sent: it was redirected/, 'the log says so');



=== TEST 9: a lookup in a limit_except block is not sent, and 503 is returned
--- http_config eval: ::page()
--- config eval: ::asks("$::PROXY limit_except POST { deny all; }")
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
is(get('/pay?id=901')->status, 503, 'not sent');
is(lookups(), 0, 'nothing was sent');



=== TEST 10: X-Accel-Redirect in the response to a lookup is ignored
--- http_config eval: ::page()
--- config eval: ::asks($::PROXY)
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('200 X-Accel-Redirect: /elsewhere');
is(get('/pay?id=1001')->status, 503, 'what it says itself is no order');
is(lookups(), 1, 'one question');



=== TEST 11: fastcgi_pass gets the parameters of the lookup, not those of the buyer's request
--- http_config eval: ::page()
--- config eval
my $params = CORE::join '', map { "fastcgi_param $_->[0] $_->[1]; " }
    [ QUERY_STRING => '$query_string' ], [ REQUEST_METHOD => '$request_method' ],
    [ REQUEST_URI => '$request_uri' ], [ DOCUMENT_URI => '$document_uri' ],
    [ SCRIPT_NAME => '/orders/$payer_reference' ], [ COOKIE => '"[$http_cookie]"' ],
    [ FIELD => '"[$total]"' ], [ BUYER => '"[$arg_key]"' ];
::asks("$params fastcgi_pass 127.0.0.1:$::cgi;")
--- request
GET /nothing
--- error_code: 404
--- after
cgi_answers('{"total":"2.50"}', "X-Accel-Redirect: /elsewhere\r\n");
is(get('/pay?key=k&id=1101', headers => { Cookie => 'a=b', 'X-Forwarded-For' => '1.2.3.4' })->status, 303, 'asked');
is(books('1101')->{amount}, 250, 'and answered');
my $p = cgi_request()->{param};
is($p->{REQUEST_METHOD}, 'GET', 'a GET');
is($p->{QUERY_STRING}, 'id=1101', 'its arguments');
is($p->{REQUEST_URI}, '/_shop/order?id=1101', 'its own URI');
is($p->{SCRIPT_NAME}, '/orders/1101', 'and number');
is("$p->{COOKIE}$p->{FIELD}$p->{BUYER}", '[][][]', 'no cookie, field or other argument');
is($p->{HTTP_X_FORWARDED_FOR} // $p->{HTTP_COOKIE}, undef, 'and no header');



=== TEST 12: uwsgi_pass can be used for a lookup
--- http_config eval: ::page()
--- config eval: ::asks("uwsgi_param QUERY_STRING \$query_string; uwsgi_param REQUEST_METHOD \$request_method; uwsgi_pass 127.0.0.1:$::cgi;")
--- request
GET /nothing
--- error_code: 404
--- after
cgi_answers('{"total":"2.50"}');
is(get('/pay?id=1201')->status, 303, 'asked');
is(books('1201')->{amount}, 250, 'and answered');
is(cgi_request()->{param}{QUERY_STRING}, 'id=1201', 'its arguments');



=== TEST 13: a lookup can be a POST with proxy_set_body (GraphQL)
--- http_config eval: ::page()
--- config eval: ::asks('proxy_method POST; proxy_set_header Content-Type application/json; proxy_set_body "{\"query\":\"{order(id:\\\\\"$arg_id\\\\\"){total}}\"}"; proxy_pass http://shop/graphql;', '/data/order/total')
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('json {"data":{"order":{"total":12.5}}}');
is(get('/pay?id=1301')->status, 303, 'asked');
is(books('1301')->{amount}, 1250, 'and answered');
my ($q) = shop_requests();
like($q->{line}, qr{^POST /graphql}, 'by POST');
is($q->{body}, '{"query":"{order(id:\"1301\"){total}}"}', 'with this body');
shop_answers('json {"data":{"order":null}}');
is(get('/pay?id=1302')->status, 503, 'an order that is null');



=== TEST 14: a map of a field with constant results counts as a field
--- http_config eval: 'map $total $units { 7 1234; default ""; } ' . ::page()
--- config eval: ::asks($::PROXY) =~ s/payer_amount .*?;/payer_amount \$units;/r
--- request
GET /nothing
--- error_code: 404
--- after
shop_answers('json {"total":7}');
is(get('/pay?id=1401')->status, 303, 'asked');
is(books('1401')->{amount}, 1234, 'and mapped');
shop_answers('json {"total":8}');
is(get('/pay?id=1402')->status, 400, 'what the map does not know is no amount');



=== TEST 15: the shop's credentials and response are not in the debug log
--- http_config eval: ::page()
--- config eval: ::lookup()
--- log_level: debug
--- request
GET /nothing
--- error_code: 404
--- after
shop_answers(wc(order_key => 'wc_order_a1b2c3'));
is(received(1501, 'wrong')->status, 404, 'a wrong key');
shop_answers(wc(order_key => 'wc_order_a1b2c3', total => undef));
is(received(1501, 'wc_order_A')->status, 404, 'another');
shop_answers('401 WWW-Authenticate: Basic');
is(received(1501, 'wc_order_A')->status, 503, 'none');
my $log = error_log_text();
like($log, qr/\[debug\]/, 'there is one');
unlike($log, qr/c2hvcDpzZWNyZXQ=/, 'the shop\'s key is not in it');
unlike($log, qr/wc_order_a1b2c3/, 'nor the order\'s');



=== TEST 16: the log message of a lookup is one line without the buyer's key
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_answers(wc(status => 'pending" x' . "\xc3\xa5" . 'y' x 100));
is(received(1602, 'wc_order_abc')->status, 409, 'a status that is not open');
my ($line) = error_log_text() =~ m{payer: lookup "/_shop/order\?id=1602": (.*?): closed};
is($line, 'status 200, wc_total="129.50", wc_currency="SEK", wc_status="pending? x??' . 'y' x 28 . '", wc_method="bacs"', 'the line');
unlike(error_log_text() =~ s/request: "[^"]*"//gr, qr/wc_order_abc/, 'no key in any line of ours');



=== TEST 17: a second match that the first one reaches over is a second match
--- http_config eval: ::page()
--- config eval: ::asks($::PROXY, '~<b>Total:</b>\\s*([0-9.]+) kr.*</tr>')
--- request
GET /nothing
--- error_code: 404
--- after
shop_answers("html <tr><b>Total:</b> 1.00 kr</td></tr>");
is(get('/pay?id=1701')->status, 303, 'one');
shop_answers("html <tr><b>Total:</b> 1.00 kr</td> <b>Total:</b> 100.00 kr</td></tr>");
is(get('/pay?id=1702')->status, 503, 'the first of two is not the price');
like(error_log_text(), qr/matches more than once in the reply/, 'the log says why');
