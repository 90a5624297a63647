# payer_verify: which requests are passed, which are rejected, and the headers
# for the shop.

use lib 't/lib';
use Payer::Test;
use Payer::Gate;

shop();
run_payer_tests();

__DATA__

=== TEST 1: a request for a paid order is passed with Payer's status
--- after
paid('1001');
my $r = thanks('1001');
is_thanked($r, 'thanked');
like($r->body, qr/status=AUTHORIZED payment=\Q${\ payment('1001') }\E outcome=paid/,
    'status, payment and outcome');
is(calls()->{read}, 1, 'Payer was asked');



=== TEST 2: a request for an unpaid order is rejected with 402
--- after
order('1001');
is_refused(thanks('1001'), 402, 'refused');
is(calls()->{read}, 1, 'Payer was asked');



=== TEST 3: a request for an unknown order is rejected with 402, and Payer is not called
--- after
is_refused(thanks('1001'), 402, 'refused');
--- calls: none



=== TEST 4: a request without an order is rejected with 402
--- after
is_refused(get('/thanks'), 402, 'without the argument');
is_refused(thanks(''), 402, 'with an empty one');
is_refused(thanks('x' x 256), 402, 'with one that is too long');
is_refused(thanks('10%001'), 402, 'with a NUL');
is_refused(thanks('10%zz'), 402, 'with broken percent-encoding');
is_refused(thanks('10%FF'), 402, 'with what is not UTF-8');
--- calls: none



=== TEST 5: the reference is percent-decoded
--- after
order('A%2F1%C3%A5+b');
pay("A/1\x{e5} b");
is_thanked(thanks('%41%2f1%c3%a5%20b'), 'another spelling of the same');
is_refused(thanks('A%252F1'), 402, 'twice encoded is another reference');



=== TEST 6: a request for a partially captured order is passed
--- config
    location = /capture { payer_capture; payer_allow 127.0.0.1; }
--- after
paid('1001');
post('/capture', json => { reference => '1001', amount => 900 });
my $r = thanks('1001');
is_thanked($r, 'a part captured');
like($r->body, qr/PARTIALLY_CAPTURED/, 'Payer said so');



=== TEST 7: a request for a fully captured order is passed
--- config
    location = /capture { payer_capture; payer_allow 127.0.0.1; }
--- after
paid('1001');
is(post('/capture', json => { reference => '1001' })->status, 200, 'captured');
my $r = thanks('1001');
is_thanked($r, 'thanked');
like($r->body, qr/FULLY_CAPTURED/, 'Payer said so');



=== TEST 8: a request for an order whose link has expired is rejected with 402
--- after
order('1001');
advance(32 * 86400);
is_refused(thanks('1001'), 402, 'refused');



=== TEST 9: after a declined card requests are rejected until another card is accepted
--- after
order('1001');
pay('1001', card => 'decline');
is_refused(thanks('1001'), 402, 'declined');
pay('1001', card => '3ds', threeds => 'start');
is_refused(thanks('1001'), 402, 'in 3-D Secure');
pay('1001', threeds => 'approve');
is_thanked(thanks('1001'), 'approved');



=== TEST 10: a cancelled order is not paid even if it is authorized afterwards
--- after
order('1001');
pay('1001', card => '3ds', threeds => 'start');
cancel('1001');
pay('1001', threeds => 'approve');
is(books('1001')->{status}, 'AUTHORIZED', 'Payer reads AUTHORIZED');
is_refused(thanks('1001'), 402, 'and yet the order stays cancelled');
unlike(thanks('1001')->raw, qr/AUTHORIZED/, 'which is not even said');



=== TEST 11: a cancel that was made elsewhere is stored, and later requests are rejected
--- after
order('1001');
faults({ match => 'read', action => 'edit',
    set => { 'payment.status' => 'CANCELLED' } });
is_refused(thanks('1001'), 402, 'cancelled');
pay('1001');
is_refused(thanks('1001'), 402, 'and stays cancelled');



=== TEST 12: a request for an order with an unknown status gets 503
--- after
paid('1001');
faults({ match => 'read', action => 'edit', times => 0,
    set => { 'payment.status' => 'UNDER_REVIEW' } });
my $r = thanks('1001');
is_refused($r, 503, 'not known yet');
cmp_ok($r->header('Retry-After'), '>=', 1, 'with the time to come again');
is_refused(thanks('1001'), 503, 'also the second time');



=== TEST 13: an unknown status returns 503 and does not change the stored record
--- gate
payer_verify $arg_order;
payer_verify_cache 1h;
--- after
order('1001');
pay('1001');
faults({ match => 'read', action => 'edit',
    set => { 'payment.status' => 'DISPUTED' }, skip => 0 });
is_refused(thanks('1001'), 503, 'disputed');
is_thanked(thanks('1001'), 'and then Payer says AUTHORIZED');



=== TEST 14: a reply about another payment, order, currency or a smaller amount is not accepted
--- after
paid('1001');
for my $edit (
    [ 'names another id' => 503, set => { 'payment.id' => 'another' } ],
    [ 'names no id'      => 503, drop => ['payment.id'] ],
    [ 'names another order' => 402,
        set => { 'payment.externalPaymentReference' => '1002' } ],
    [ 'names another currency' => 402,
        set => { 'payment.currencyCode' => 'JPY' } ],
    [ 'has a smaller amount' => 402,
        set => { 'payment.authorizedAmount' => 12899 } ],
    [ 'names no amount at all' => 503, drop =>
        [ 'payment.authorizedAmount', 'payment.capturedAmount' ] ],
    [ 'has neither the currency nor the amount of the order' => 503,
        drop => ['payment.currencyCode'], set => { 'payment.amount' => 1 } ],
    [ 'has no status' => 503, drop => ['payment.status'] ],
    [ 'has a status with a line feed' => 503,
        set => { 'payment.status' => "AUTHORIZED\r\nX: y" } ],
) {
    my ($what, $status, %edit) = @$edit;
    sim('DELETE', 'faults');
    faults({ match => 'read', action => 'edit', %edit });
    is_refused(thanks('1001'), $status, "the reply $what");
}
sim('DELETE', 'faults');
is_thanked(thanks('1001'), 'the true reply lets on');



=== TEST 15: a reply without a currency is accepted if all other fields match
--- after
paid('1001');
faults({ match => 'read', action => 'edit', drop => ['payment.currencyCode'] });
is_thanked(thanks('1001'), 'passed');



=== TEST 16: a reply that cannot be used returns 503
--- gate
payer_verify $arg_order;
payer_timeout 1s;
payer_tries 1;
--- after
paid('1001');
for my $fault (
    { action => 'reset' }, { action => 'close' }, { action => 'silence' },
    { action => 'truncate' }, { action => 'html' }, { action => 'garbage' },
    { action => 'empty' }, { action => 'garbage-head' },
    { action => 'huge' }, { status => 500 }, { status => 503 },
    { status => 404, body => {} }, { status => 403, body => {} },
    { status => 429 }, { status => 204 },
    { status => 302, headers => { Location => '/' } },
    { status => 200, body => [] }, { status => 200, body => 'AUTHORIZED' },
) {
    sim('DELETE', 'faults');
    faults({ match => 'read', %$fault });
    my $r = thanks('1001');
    is_refused($r, 503, $fault->{action} // "status $fault->{status}");
    ok($r->header('Retry-After'), 'with Retry-After');
}
sim('DELETE', 'faults');
is_thanked(thanks('1001'), 'and then it is known');



=== TEST 17: without a token 503 is returned
--- after
paid('1001');
revoke();
faults({ match => 'token', status => 401, times => 0 });
is_refused(thanks('1001'), 503, 'not known');



=== TEST 18: a request for an order whose link is being created gets 503
--- gate
payer_verify $arg_order;
payer_timeout 1s;
payer_tries 1;
--- after
faults({ match => 'create', action => 'close', times => 0 });
get('/buy?order=1001&amount=12900&currency=SEK');
my $r = thanks('1001');
is_refused($r, 503, 'not known');



=== TEST 19: payer_verify off cancels an inherited payer_verify
--- config
    location /members/ {
        payer_verify $arg_order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;

        location /members/free/ {
            payer_verify off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
        }
        location /members/more/ {
            proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
        }
        location ~ /members/.*\.css$ {
            if ($arg_x) { set $y 1; }
            limit_except GET { deny all; }
            proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
        }
    }
--- after
is_refused(get('/members/x'), 402, 'the location');
is_refused(get('/members/more/x'), 402, 'one inside it');
is_refused(get('/members/a.css?x=1'), 402, 'an "if" inside it');
is_refused(request('POST', '/members/a.css'), 403, 'limit_except inside it');
is_thanked(get('/members/free/x'), 'the one with payer_verify off');



=== TEST 20: payer_verify of the server applies to its locations
--- config
    payer_verify $arg_order;
    location = /open { payer_verify off; proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
    location = /buy2 { payer_verify off; rewrite ^ /checkout2; }
    location = /checkout2 {
        internal;
        payer_verify off;
        payer_checkout;
        payer_reference      $arg_order public;
        payer_amount         12900;
        payer_currency       SEK;
        payer_return_success /thanks;
        payer_return_fail    /failed;
        payer_return_back    /cart;
    }
--- request
GET /index.html
--- error_code: 402
--- after
is(get('/buy2?order=1001')->status, 303, 'bought');
is_thanked(get('/open'), 'open');
is_refused(thanks('1001'), 402, 'not paid');
pay('1001');
is_thanked(thanks('1001'), 'paid: calls to Payer are not held up by the gate');



=== TEST 21: $payer_amount and the other variables have the stored values
--- thanks
add_header X-What "$payer_reference $payer_amount $payer_currency $payer_authorized_amount $payer_operation" always;
--- after
paid('1001', amount => 4200, currency => 'NOK');
is(thanks('1001')->header('X-What'), '1001 4200 NOK 4200 verify', 'variables');
--- no_error_log
[error]
