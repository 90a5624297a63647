# payer_verify_amount: the amount with which an order must be paid.

use lib 't/lib';
use Payer::Test;
use Payer::Worth;

use Test::More ();

sub logged {
    my ($pattern, $name) = @_;

    Test::More::ok(wait_until(sub { error_log_text() =~ $pattern }), $name);
}

worth();
run_payer_tests();

__DATA__

=== TEST 1: an order paid with at least payer_verify_amount is passed
--- gate
payer_verify_amount 12900 SEK;
--- after
buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'as much');
buy_paid('2', 12901);
is(get('/thanks?order=2')->status, 200, 'more');



=== TEST 2: an order paid with less than payer_verify_amount or in another currency is rejected
--- gate
payer_verify_amount 12900 SEK;
--- after
buy_paid('1', 12899);
is(get('/thanks?order=1')->status, 402, 'less');
logged(qr/\[error\].*order "1" was paid with 12899 SEK, but 12900 SEK is required/, 'both sums in the log');
is(get('/thanks?order=1')->status, 402, 'nor the next time');
told('2', 12900, 'NOK');
pay('2');
is(get('/thanks?order=2')->status, 402, 'another currency');
logged(qr/\[error\].*order "2" was paid with 12900 NOK, but 12900 SEK is required/, 'in the log');



=== TEST 3: an unknown parameter of payer_verify_amount is rejected
--- gate
payer_verify_amount 129 roughly SEK;
--- must_die
--- error_log
invalid parameter "roughly", it must be one of "minor" and "major", "float", or "trusted"



=== TEST 4: payer_verify_amount accepts the parameters of payer_amount
--- config
location = /major { payer_verify $arg_order; payer_verify_amount 129.0000 major SEK; proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
location = /dear { payer_verify $arg_order; payer_verify_amount 129.01 major SEK; proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
location = /rough { payer_verify $arg_order; payer_verify_amount 128.99999999999997 float major SEK; proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
location = /yen { payer_verify $arg_order; set $yen 129; payer_verify_amount $yen trusted major JPY; proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
--- after
buy_paid('1', 12900);
is(get('/major?order=1')->status, 200, 'major');
is(get('/dear?order=1')->status, 402, 'one minor unit more');
is(get('/rough?order=1')->status, 200, 'float');
told('2', 129, 'JPY');
pay('2');
is(get('/yen?order=2')->status, 200, 'a currency without decimals');



=== TEST 5: an amount from the shop's response replaces the stored amount
--- config
location = /dear { proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
location = /dear/thanks {
    internal;
    payer_verify        $arg_o;
    payer_verify_amount $upstream_http_x_payer_amount SEK;
    proxy_pass          http://127.0.0.1:$TEST_NGINX_SHOP_PORT/;
}
--- gate
payer_verify_amount 1 SEK;
--- after
buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'paid');
is_problem(told('1', 20000), 409, 'amount-differs', 'the shop wanted more');
is(get('/thanks?order=1')->status, 402, 'which the page remembers');
is(get('/dear?order=1&amount=12900')->status, 200, 'the shop says what it wants now');
is(get('/dear?order=1&amount=12901')->status, 402, 'or that it is more');



=== TEST 6: values of payer_verify_amount that are not an amount reject all requests
--- gate
set $asked $arg_sum;
payer_verify_amount $asked trusted SEK;
--- after
buy_paid('1', 12900);
is(get('/thanks?order=1&sum=12900')->status, 200, 'a sum');
is(get('/thanks?order=1&sum=')->status, 402, 'nothing');
logged(qr/\[error\].*the values "" and "SEK" of "payer_verify_amount" are not an amount and a currency/, 'in the log');
is(get('/thanks?order=1&sum=0')->status, 402, 'zero');
is(get('/thanks?order=1&sum=-1')->status, 402, 'below zero');
is(get('/thanks?order=1&sum=1.0')->status, 402, 'not in minor units');



=== TEST 7: payer_verify_amount is inherited and has no effect without payer_verify
--- config
payer_verify_amount 20000 SEK;
location = /free { proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
--- after
buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 402, 'inherited');
is(get('/free?order=1')->status, 200, 'no gate');



=== TEST 8: an SSI include with a larger payer_verify_amount than its page is rejected
--- config
location = /page.shtml {
    ssi on;
    ssi_types *;
    payer_verify $arg_order;
    payer_verify_amount 12900 SEK;
}
location = /cheap {
    payer_verify $arg_order;
    payer_verify_amount 100 SEK;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT/part;
}
location = /dear {
    payer_verify $arg_order;
    payer_verify_amount 12901 SEK;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT/part;
}
--- user_files
>>> page.shtml
<!--#include virtual="/cheap" -->
THANK YOU
<!--#include virtual="/dear" -->
--- after
buy_paid('1', 12900);
my $n = () = get('/page.shtml?order=1')->raw =~ /THANK YOU/g;
is($n, 2, 'is not shown with it, one that costs less is');



=== TEST 9: the authorized, captured and refunded amounts are passed to the shop
--- after
buy_paid('1', 12900);
like(get('/thanks?order=1')->body, qr/status=AUTHORIZED authorized=12900 captured=0 refunded=0 currency=SEK/, 'authorized');
operate('capture', '1', amount => 5000);
operate('refund', '1', amount => 700);
operate('refund', '1', amount => 300);
like(get('/thanks?order=1')->body, qr/status=PARTIALLY_CAPTURED authorized=12900 captured=5000 refunded=1000 currency=SEK/, 'captured and refunded');



=== TEST 10: payer_verify without payer_verify_amount and a constant payer_amount log a warning
--- config
location = /gift {
    payer_checkout;
    payer_reference      $request_id;
    payer_amount         100;
    payer_currency       SEK;
    payer_return_success /thanks;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
--- error_log
[warn]
"payer_verify" in location "/thanks" has no "payer_verify_amount", and the amount of location



=== TEST 11: payer_verify with payer_verify_amount logs no warning
--- gate
payer_verify_amount 12900 SEK;
--- no_error_log
has no "payer_verify_amount"



=== TEST 12: a constant payer_verify_amount that is not an amount is rejected
--- gate
payer_verify_amount 0 SEK;
--- must_die
--- error_log
invalid amount "0" of "payer_verify_amount"



=== TEST 13: an unknown currency of payer_verify_amount is rejected
--- gate
payer_verify_amount 100 sek;
--- must_die
--- error_log
invalid currency "sek" of "payer_verify_amount"



=== TEST 14: float without major is rejected
--- gate
payer_verify_amount 100 float SEK;
--- must_die
--- error_log
has "float" without "major"



=== TEST 15: payer_verify_amount can be specified once on a level
--- gate
payer_verify_amount 100 SEK;
payer_verify_amount 100 SEK;
--- must_die
--- error_log
"payer_verify_amount" directive is duplicate
