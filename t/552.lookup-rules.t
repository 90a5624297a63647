# payer_lookup: which values belong together, and which are kept with a
# request.

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Lookup;

lookup_start();

log_level("info");

run_payer_tests();


# The shop's API location alone, for configurations of their own.

sub shop_location {
    my ($path, $more) = @_;

    return <<"EOT";
        location = /_shop/order {
            internal;
            proxy_pass http://shop$path;
            @{[ $more // '' ]}
        }
EOT
}


sub lines { map { $_->{line} =~ /^(\S+ \S+)/ } shop_requests() }

__DATA__

=== TEST 1: $payer_reference is encoded in the lookup location, and .. gets 404
--- http_config eval: ::page()
--- config eval
::shop_location('/orders/$payer_reference/x') . '
location = /thanks {
    payer_lookup        /_shop/order?a=$arg_a;
    payer_lookup_field  $t /total;
    payer_verify        $arg_a-$payer_reference$t;
}
location = /pay {
    payer_lookup        /_shop/order?a=$arg_a;
    payer_lookup_field  $wc_total /total;
    payer_checkout;
    payer_reference     "$arg_a" public;
    payer_amount        $wc_total major;
    payer_currency      SEK;
    payer_return_success /t; payer_return_fail /f; payer_return_back /b;
}
location = /mail {
    payer_lookup        /_shop/order?a=$arg_a chars=email;
    payer_lookup_field  $wc_total /total;
    payer_checkout;
    payer_reference     "no/$arg_a?x" public;
    payer_amount        $wc_total major;
    payer_currency      SEK;
    payer_return_success /t; payer_return_fail /f; payer_return_back /b;
}
'
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
is(get('/mail?a=a%40b.se')->status, 303, 'an address');
is((lines())[0], 'GET /orders/no%2Fa%40b.se%3Fx/x', 'unreserved characters only');
shop_reset();
shop_answers(wc());
is(get("/mail?a=$_")->status, 404, "\"$_\" is no address")
    for qw(a+b.se a%2540b .. a%2Fb a%26b);
is(get("/mail?a=$_")->status, 400, "\"$_\" is no number at all")
    for qw(a%0Ab a%00b %);
is(get("/pay?a=$_")->status, 404, "\"$_\" is no number")
    for qw(. .. a.b a%40b a%2Bb %2E%2E);
is(lookups(), 0, 'the shop was not asked');
is(get('/mail?a=a%2Bb%40x')->status, 303, 'a plus that is encoded');
is((lines())[0], 'GET /orders/no%2Fa%2Bb%40x%3Fx/x', 'stays one');



=== TEST 2: lookups that differ in $payer_reference are not shared
--- http_config eval: ::page()
--- config eval
::shop_location('/orders/$payer_reference') . '
location = /pay {
    payer_lookup        /_shop/order?a=1;
    payer_lookup_field  $wc_total /total;
    payer_checkout;
    payer_reference     $payer_reference public;
    payer_amount        $wc_total major;
    payer_currency      SEK;
    payer_return_success /t; payer_return_fail /f; payer_return_back /b;
}
location = /thanks {
    payer_verify $arg_order;
    error_page 402 = /pay;
}
'
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('delay=0.3 ' . wc(total => '1.00'), 'delay=0.3 ' . wc(total => '2.00'));
my @r = together([ GET => '/thanks?order=1' ], [ GET => '/thanks?order=2' ]);
is(join(' ', map { $_->status } @r), '303 303', 'two orders');
is(lookups(), 2, 'two questions');
is(join(' ', sort(lines())), 'GET /orders/1 GET /orders/2', 'of two orders');
is(join(' ', sort map { books($_)->{amount} } 1, 2), '100 200', 'two amounts');
shop_answers('404', wc(total => '4.00'));
is(get('/thanks?order=3')->status, 404, 'an order that is not there');
is(get('/thanks?order=4')->status, 303, 'and one that is, in the same second');



=== TEST 3: the order number can be a field of the response
--- http_config eval: ::page()
--- config eval
::shop_location('/wc/$arg_id') . '
location = /thanks {
    payer_lookup        /_shop/order?id=$arg_id;
    payer_lookup_field  $wc_number /id;
    payer_lookup_field  $wc_total /total;
    payer_lookup_field  $wc_key /order_key;
    payer_lookup_match  $wc_key $arg_key;
    payer_verify        woo-$wc_number;
    payer_verify_amount $wc_total major SEK;
    error_page 402      = @pay;
    return 200 "THANKS $payer_reference";
}
location @pay {
    payer_checkout;
    payer_reference     $payer_reference;
    payer_amount        $wc_total major;
    payer_currency      SEK;
    payer_return_success /t; payer_return_fail /f; payer_return_back /b;
}
location = /direct {
    payer_lookup        /_shop/order?id=$arg_id;
    payer_lookup_field  $wc_number /id;
    payer_lookup_field  $wc_total /total;
    payer_lookup_field  $wc_key /order_key;
    payer_lookup_match  $wc_key $arg_key;
    payer_checkout;
    payer_reference     woo-$wc_number;
    payer_amount        $wc_total major;
    payer_currency      SEK;
    payer_return_success /t; payer_return_fail /f; payer_return_back /b;
}
' =~ s/return 200 "THANKS[^;]*;//r
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
is(get('/thanks?id=0001001&key=wc_order_abc')->status, 303, 'whatever it is asked for');
is(books('woo-1001')->{amount}, 12950, 'is this order');
is(lookups(), 1, 'one question');
is(get('/direct?id=1001&key=wc_order_abc')->status, 303, 'and at the checkout itself');
is(books('woo-1001')->{links}, 1, 'the same link');
is(get('/direct?id=1001&key=x')->status, 404, 'not without the key');
is(get('/thanks?id=1001&key=x')->status, 404, 'nor there');
shop_answers('500');
is(get('/thanks?id=1001&key=wc_order_abc')->status, 503, 'nor without the shop');
is(get('/direct?id=1001&key=wc_order_abc')->status, 503, 'nor there');



=== TEST 4: a checkout with a field of a lookup and without a lookup gets 503
--- http_config eval: ::page()
--- config eval
::shop_location('/wc/$arg_id') . ::lookup() =~ s/location = \/_shop.*?\n        }//sr . '
location = /bare { error_page 418 = @pay; return 418; }
location = /mix {
    payer_verify $arg_other;
    error_page 402 = @pay;
}
location = /start {
    payer_lookup        /_shop/order?id=$arg_id;
    payer_lookup_field  $wc_total /total;
    payer_verify        $arg_id;
    error_page 402      = /mix?other=2;
    recursive_error_pages on;
}
'
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
my $r = get('/mix?other=2');
is($r->status, 503, 'no lookup');
ok($r->header('Retry-After'), 'with Retry-After');
like(error_log_text(), qr/\[error\].*uses fields of a lookup, but there was no lookup of this order in the request/, 'and the log says so');
is(get('/start?id=1001')->status, 503, 'a lookup of another order');
is(get('/bare?id=1001')->status, 400, 'no order at all');
is(calls()->{create}, undef, 'nothing was made');



=== TEST 5: a later location with a constant amount uses the result of the lookup
--- http_config eval: ::page()
--- config eval
::lookup(payer_verify_amount => undef) =~ s/payer_amount .*?;/payer_amount 100;/r =~ s/payer_currency .*?;/payer_currency SEK;/r =~ s/payer_reference .*?;/payer_reference \$payer_reference public;/r
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(status => 'cancelled'));
is(received(1001, 'wc_order_abc')->status, 409, 'closed');
is(calls()->{create}, undef, 'nothing was made');
shop_answers(wc());
is(received(1001, 'wc_order_abc')->status, 303, 'open');
is(lookups(), 2, 'one question a visit');



=== TEST 6: a location with the same URI reuses the response, another URI replaces all fields
--- http_config eval: ::page()
--- config eval
::shop_location('/wc/$arg_id') . '
location = /a {
    payer_lookup        /_shop/order?id=$arg_id;
    payer_lookup_field  $wc_total /total;
    payer_lookup_field  $wc_status /status;
    payer_verify        $arg_id;
    error_page 402      = /b;
    recursive_error_pages on;
}
location = /b {
    payer_lookup        /_shop/order?id=$arg_id;
    payer_lookup_field  $wc_total /total;
    payer_lookup_field  $wc_currency /currency;
    payer_verify        $arg_id;
    payer_verify_amount $wc_total major $wc_currency;
    error_page 402      = /c?id=77;
    recursive_error_pages on;
}
location = /c {
    payer_lookup        /_shop/order?id=$arg_id;
    payer_lookup_field  $wc_total /total;
    payer_verify        $arg_id;
    error_page 402      = @end;
}
location @end {
    add_header X-Fields "total=$wc_total currency=$wc_currency status=$wc_status" always;
    return 200;
}
'
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(), wc(total => '7.00'));
my $r = get('/a?id=1001');
is($r->header('X-Fields'), 'total=7.00 currency= status=', 'the fields of the last one only');
is(join(' ', lines()), 'GET /wc/1001 GET /wc/77', 'two questions for three locations');



=== TEST 7: the link of an order that is paid or cancelled in the shop is cancelled
--- http_config eval: ::page()
--- config eval
::lookup() . '
location = /gate {
    payer_lookup        /_shop/order?id=$arg_id;
    payer_lookup_field  $wc_status /status;
    payer_lookup_field  $wc_method /payment_method;
    payer_lookup_only   $wc_method bacs;
    payer_lookup_open   $wc_status pending on-hold failed;
    payer_lookup_paid   $wc_status processing completed;
    payer_verify        $arg_id;
    add_header          X-Outcome $payer_outcome always;
    try_files           /none =204;
}
'
--- request
GET /nothing
--- error_code: 404
--- after
for my $case (
    [ 21, { status => 'cancelled' }, 402 ],
    [ 22, { status => 'processing' }, 204 ],
    [ 23, { status => 'cancelled', payment_method => 'invoice' }, 204 ])
{
    my ($id, $now, $status) = @$case;
    shop_answers(wc());
    is(received($id, 'wc_order_abc')->status, 303, "order $id has a link");
    shop_answers(wc(%$now));
    is(get("/gate?id=$id")->status, $status, 'then the shop says otherwise');
    is(books($id)->{status}, 'CANCELLED', 'the link is cancelled');
    is(get("/gate?id=$id")->status, $status, 'and it stays so');
}
shop_answers(wc());
is(received(24, 'wc_order_abc')->status, 303, 'a link');
shop_answers(wc(payment_method => 'invoice'));
is(get('/gate?id=24')->status, 204, 'that is not ours now');
is(books('24')->{status}, 'INITIATED', 'is left alone while the order is open');



=== TEST 8: a payment known here has priority over the state in the shop
--- http_config eval: ::page()
--- config eval: ::lookup() . 'location = /refund { payer_refund; payer_allow 127.0.0.1; } location = /cap { payer_capture; payer_allow 127.0.0.1; }'
--- request
GET /nothing
--- error_code: 404
--- after
shop_answers(wc());
is(received(31, 'wc_order_abc')->status, 303, 'a link');
pay('31');
shop_answers(wc(status => 'cancelled'));
my $r = received(31, 'wc_order_abc');
is($r->status, 200, 'paid, and cancelled in the shop afterwards');
like($r->body, qr/outcome=paid/, 'is paid');
shop_answers(wc(status => 'processing'));
like(received(31, 'wc_order_abc')->body, qr/outcome=paid/, 'and so with the shop\'s word');
is(post('/cap?reference=31')->status, 200, 'captured');
is(post('/refund?reference=31&amount=12950')->status, 200, 'refunded');
is(received(31, 'wc_order_abc')->status, 409, 'the shop\'s word does not open the page again');



=== TEST 9: an order that was paid before it was cancelled in the shop is passed
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_answers(wc());
is(received(41, 'wc_order_abc')->status, 303, 'a link');
pay('41');
shop_answers(wc(status => 'cancelled'));
is(received(41, 'wc_order_abc')->status, 200, 'paid meanwhile');
is(books('41')->{status}, 'AUTHORIZED', 'and not cancelled');
