# payer_lookup: the shop's own API returns the price of an order, and whether
# it can be paid.  The payment begins at the shop's thank-you page.

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Lookup;

lookup_start();

log_level("info");

run_payer_tests();


__DATA__

=== TEST 1: an unpaid order is redirected to Payer with the amount from the shop's API
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
my $r = received(1001, 'wc_order_abc');
is($r->status, 303, 'sent to pay');
is(books('1001')->{amount}, 12950, 'the amount of the API');
is(books('1001')->{currency}, 'SEK', 'and its currency');
is(lookups(), 1, 'one question for gate and checkout');

my ($q) = shop_requests();
like($q->{line}, qr{^GET /wp-json/wc/v3/orders/1001 HTTP/1\.}, 'a GET');
my %h = map { lc $_->[0] => $_->[1] } @{ $q->{headers} };
is($h{authorization}, 'Basic c2hvcDpzZWNyZXQ=', 'with the shop\'s key');
is($h{cookie}, undef, 'and nothing of the buyer\'s');



=== TEST 2: a paid order is passed with one further lookup
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
is(received(1001, 'wc_order_abc')->status, 303, 'sent to pay');
pay('1001');
my $r = received(1001, 'wc_order_abc');
is($r->status, 200, 'passed');
like($r->body, qr{THANK YOU /checkout/order-received/1001/ outcome=paid total=129\.50}, 'to the page, which gets the fields');
is(lookups(), 2, 'two visits, two questions');



=== TEST 3: a wrong key gets 404, like an order that does not exist
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
my $wrong = received(1001, 'wc_order_xyz');
is($wrong->status, 404, 'a wrong key');
is(get('/checkout/order-received/1001/')->status, 404, 'no key');
is(received(1001, '')->status, 404, 'an empty key');
shop_answers('404');
my $none = received(1002, 'wc_order_abc');
is($none->status, 404, 'no such order');
is($none->body, $wrong->body, 'the same page');
is(calls()->{create}, undef, 'nothing was made');



=== TEST 4: an invalid order number gets 404 without a lookup
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
for my $id ('1%3F', '1%26_method=DELETE', '1%23', '1%2F2', '..', '.',
    '1%252F', '1%0d%0a', '1%00', '1"', "1'", '1%20', 'x' x 65, '%C3%A5',
    '1;', '1?id=2', '1%5C', '*', '1,2')
{
    my $path = $id =~ /\?/ ? "/checkout/order-received/$id&key=wc_order_abc"
        : "/checkout/order-received/$id/?key=wc_order_abc";
    next if $id eq '1?id=2';
    my $r = get($path);
    like($r->status, qr/^40[04]$/, "\"$id\"");
}
is(lookups(), 0, 'the shop was not asked');
is(received('x' x 64, 'wc_order_abc')->status, 303, '64 characters are taken');



=== TEST 5: an order paid by another method is passed with the outcome other
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(payment_method => 'invoice'));
my $r = received(1001, 'wc_order_abc');
is($r->status, 200, 'the page');
like($r->body, qr/outcome=other/, 'and the word for it');
is(calls()->{create}, undef, 'no link');



=== TEST 6: an order that is paid in the shop is passed with the outcome shop
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(status => 'processing'));
my $r = received(1001, 'wc_order_abc');
is($r->status, 200, 'the page');
like($r->body, qr/outcome=shop/, 'and the word for it');
is(calls()->{create}, undef, 'no link');



=== TEST 7: an order that is not open in the shop gets 409
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(status => 'cancelled'));
my $r = received(1001, 'wc_order_abc');
is($r->status, 409, 'a conflict');
like($r->json->{type}, qr/order-closed/, 'of this type');
is(calls()->{create}, undef, 'no link');



=== TEST 8: the usable link of an order cancelled in the shop is cancelled
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
is(received(1001, 'wc_order_abc')->status, 303, 'sent to pay');
shop_answers(wc(status => 'cancelled'));
is(received(1001, 'wc_order_abc')->status, 409, 'closed');
is(books('1001')->{status}, 'CANCELLED', 'the link is cancelled at Payer');



=== TEST 9: an error of the shop's API returns 503, and nothing is created
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
for my $answer ('401', '403', '500', '503', 'cut', 'close',
    'html <html>busy</html>', 'json {"total":', 'json [1]', '302 Location: /',
    'json {"order_key":"wc_order_abc","currency":"SEK","status":"pending","payment_method":"bacs"}',
    'json {"order_key":"wc_order_abc","total":null,"currency":"SEK","status":"pending","payment_method":"bacs"}')
{
    shop_answers($answer);
    my $r = received(1001, 'wc_order_abc');
    my $expected = $answer eq 'json [1]' ? 404 : 503;
    is($r->status, $expected, "answer $answer");
    ok($r->header('Retry-After'), 'with Retry-After') if $expected == 503;
}
shop_answers('429 Retry-After: 17');
my $r = received(1001, 'wc_order_abc');
is($r->status, 503, 'too many requests');
is($r->header('Retry-After'), 17, 'with the shop\'s own time');
is(calls()->{create}, undef, 'nothing was made');
like(error_log_text(), qr{\[error\].*"/total" is missing in the reply}, 'the log names the pointer');
like(error_log_text(), qr{lookup "/_shop/order\?id=1001"}, 'and the order');
--- no_error_log
[alert]
[crit]



=== TEST 10: identical simultaneous lookups share one request
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('delay=0.5 ' . wc());
my @r = together(map { [ GET => '/checkout/order-received/1001/?key=wc_order_abc' ] } 1 .. 20);
is(join(' ', map { $_->status } @r), join(' ', (303) x 20), 'all are sent to pay');
is(lookups(), 1, 'by one question');
is(books('1001')->{links}, 1, 'and one link');



=== TEST 11: a wrong key is rejected in a shared lookup
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('delay=0.5 ' . wc());
my @r = together(
    [ GET => '/checkout/order-received/1001/?key=wc_order_abc' ],
    [ GET => '/checkout/order-received/1001/?key=wc_order_xyz' ],
);
is($r[0]->status, 303, 'the buyer');
is($r[1]->status, 404, 'somebody else');
is(lookups(), 1, 'by one question');



=== TEST 12: an order whose total was raised after the payment gets 409
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
is(received(1001, 'wc_order_abc')->status, 303, 'sent to pay');
pay('1001');
is(received(1001, 'wc_order_abc')->status, 200, 'paid');
shop_answers(wc(total => '259.00'));
my $r = received(1001, 'wc_order_abc');
is($r->status, 409, 'raised');
like($r->json->{type}, qr/amount-differs/, 'the amount differs');



=== TEST 13: only headers listed in payer_lookup_header are passed to the shop
--- http_config eval: ::page()
--- config eval: ::lookup(payer_lookup_header => 'Cookie X-Shop')
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('delay=0.3 ' . wc());
my $url = '/checkout/order-received/1001/?key=wc_order_abc';
my @r = together(
    map { [ GET => $url, headers => { Cookie => "s=$_", 'X-Other' => 'x', Referer => 'y' } ] } 1 .. 3);
is(join(' ', map { $_->status } @r), '303 303 303', 'all are sent to pay');
my @q = shop_requests();
is(scalar @q, 3, 'what a buyer\'s header takes part in is asked for him alone');
my %cookies;
for my $q (@q) {
    my %h = map { lc $_->[0] => $_->[1] } @{ $q->{headers} };
    $cookies{ $h{cookie} // 'none' } = 1;
    is($h{'x-other'} // $h{referer}, undef, 'no other header');
}
is(join(' ', sort keys %cookies), 's=1 s=2 s=3', 'each with his own');



=== TEST 14: payer_lookup_inflight limits simultaneous lookups
--- http_config eval: ::page()
--- config eval: ::lookup(payer_lookup_inflight => 2)
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('delay=0.5 ' . wc());
my @r = together(map { [ GET => "/checkout/order-received/$_/?key=wc_order_abc" ] } 1001 .. 1005);
is(join(' ', sort map { $_->status } @r), '303 303 503 503 503', 'two are asked, the others are told to come again');
is(lookups(), 2, 'the shop was asked twice');
ok($_->header('Retry-After'), 'with Retry-After') for grep { $_->status == 503 } @r;
is(received(1003, 'wc_order_abc')->status, 303, 'later there is room again');
like(error_log_text(), qr/the limit of "payer_lookup_inflight" is reached/, 'and the log says why');
--- no_error_log
[alert]



=== TEST 40: the duration of lookups is counted in the metrics
--- http_config eval: ::page()
--- config eval: ::lookup() . 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }'
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
my $count = sub {
    return get('/metrics')->body
        =~ /^payer_lookup_duration_seconds_count(?:\{[^}]*\})? (\d+)$/m
        ? $1 : undef;
};
my $before = $count->();
ok(defined $before, 'there is such a metric');
is(received(1001, 'wc_order_abc')->status, 303, 'sent to pay');
is($count->(), $before + 1, 'one more');
