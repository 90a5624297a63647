# Known orders: paid, paid with another amount, refunded, cancelled, ended; and
# when they can be paid again.

use lib 't/lib';
use Payer::Test;
use Payer::Worth;

use Test::More ();

# the log of this block, for one pattern

sub logged {
    my ($pattern, $name) = @_;

    Test::More::ok(wait_until(sub { error_log_text() =~ $pattern }), $name);
}

worth();
run_payer_tests();

__DATA__

=== TEST 1: the checkout of a paid order redirects to payer_return_success
--- after
buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'paid');
to_thanks(told('1', 12900), 'the same amount');
to_thanks(told('1', 12899), 'less, of the shop');
to_thanks(get('/public?order=1&amount=100&currency=SEK'), 'less, of anybody');
is(books('1')->{links}, 1, 'one link');



=== TEST 2: if the shop raises the amount after the payment, 409 and 402 are returned
--- config
server_name localhost;
location /office/ { payer_office; payer_allow 127.0.0.1; }
--- after
my $odd = sub {
    my $page = get('/office/orders?attention=1', headers => { Host => 'localhost' })->json;
    return join ' ', map { "$_->{reference}:@{ $_->{attention} }" } @{ $page->{orders} };
};
buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'passed before');
is_problem(told('1', 99900), 409, 'amount-differs', 'refused');
logged(qr/\[error\].*order "1" was paid with 12900 SEK, but 99900 SEK is required/, 'both sums in the log');
is(books('1')->{links}, 1, 'no other link');
is(get('/thanks?order=1')->status, 402, 'not passed any more, though it had just been read');
is_problem(told('1', 99900), 409, 'amount-differs', 'refused again');
is($odd->(), '1:amount_differs', 'the office finds it');
to_thanks(told('1', 12900), 'until the shop wants what was paid');
is(get('/thanks?order=1')->status, 200, 'passed again');
is($odd->(), '', 'and the office has nothing to find');



=== TEST 3: an order that was paid in another currency is not paid
--- after
buy_paid('1', 12900);
is_problem(told('1', 100, 'NOK'), 409, 'amount-differs', 'refused');
logged(qr/\[error\].*was paid with 12900 SEK, but 100 NOK is required/, 'in the log');
is(get('/thanks?order=1')->status, 402, 'not passed');



=== TEST 4: a signed link or a public order with another amount does not change the stored amount
--- after
buy_paid('1', 12900);
is_problem(get(signed_link('1', 99900, time + 600)), 409, 'amount-differs', 'a signed link for more');
is_problem(get('/public?order=1&amount=99900&currency=SEK'), 409, 'amount-differs', 'and anybody');
is(get('/thanks?order=1')->status, 200, 'and who has paid is passed');



=== TEST 5: a payment by a signed link does not pay a signed link with a larger amount
--- after
to_widget(get(signed_link('1', 1000, time + 600)), 'the cheap one');
pay('1');
is_problem(get(signed_link('1', 99900, time + 600)), 409, 'amount-differs', 'the dear one');
to_thanks(get(signed_link('1', 1000, time + 600)), 'the cheap one again');



=== TEST 6: an amount that the shop has raised applies to signed links for the same order, too
--- after
buy_paid('1', 12900);
is_problem(told('1', 99900), 409, 'amount-differs', 'the shop');
is_problem(get(signed_link('1', 12900, time + 600)), 409, 'amount-differs', 'a signed link for the old sum does not lead to a page that is shut');



=== TEST 7: a reused order number of the shop with another amount gets 409
--- after
buy_paid('1', 1000);
is_problem(told('1', 99900), 409, 'amount-differs', 'the second order is not paid by the first');
is(get('/thanks?order=1')->status, 402, 'and is not passed');



=== TEST 8: a released order is unpaid and can be paid again
--- after
my $old = buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'paid');
operate('release', '1');
is(get('/thanks?order=1')->status, 402, 'released: not passed, at once');
to_widget(told('1', 12900), 'the shop sells it again');
is(books('1')->{links}, 2, 'under the same number');
is(get('/thanks?order=1')->status, 402, 'not paid yet');
pay('1');
is(get('/thanks?order=1')->status, 200, 'paid again');
is(post('/capture', json => { paymentId => $old })->status, 400, 'the old payment is still known to Payer');



=== TEST 9: a refunded order is unpaid and can be paid again
--- after
buy_paid('1', 12900);
operate('capture', '1');
is(get('/thanks?order=1')->status, 200, 'captured');
operate('refund', '1', amount => 12900);
is(get('/thanks?order=1')->status, 402, 'refunded: not passed, at once');
to_widget(told('1', 500), 'the shop sells it again, for another sum');
pay('1');
is(get('/thanks?order=1')->status, 200, 'paid again');
is(books('1')->{amount}, 500, 'that one');



=== TEST 10: an old signed link does not reopen a released order
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'sold');
pay('1');
is(get('/thanks?order=1')->status, 200, 'paid');
to_thanks(get($link), 'which it says, too');
operate('release', '1');
is_problem(get($link), 409, 'order-cancelled', 'released');
is_problem(get($link), 409, 'order-cancelled', 'and stays so');
is(books('1')->{links}, 1, 'no second link');
to_widget(told('1', 12900), 'the shop does');



=== TEST 11: an old signed link does not reopen a cancelled order
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'sold');
operate('cancel', '1');
is_problem(get($link), 409, 'order-cancelled', 'cancelled');
is(books('1')->{liveLinks}, 0, 'nobody can pay it');
to_widget(told('1', 12900), 'the shop sells it again');



=== TEST 12: an old signed link does not reopen a refunded order
--- after
my $link = signed_link('1', 12900, time + 600);
get($link);
pay('1');
operate('capture', '1');
operate('refund', '1', amount => 12900);
is_problem(get($link), 409, 'order-cancelled', 'refunded');
is_problem(get(signed_link('2', 12900, time + 600)), 409, 'order-cancelled', 'never used, and so perhaps an old one')
    if buy_paid('2') && operate('release', '2');
to_widget(get(signed_link('2', 12900, time + 700)), 'a later one is a new one');



=== TEST 13: a signed link that expires later than all earlier ones reopens the order
--- after
my $t = time;
my $first = signed_link('1', 12900, $t + 600);
my $second = signed_link('1', 12900, $t + 700);
to_widget(get($first), 'the first');
to_widget(get($second), 'the second was used, too');
operate('cancel', '1');
is_problem(get($first), 409, 'order-cancelled', 'the first does not');
is_problem(get($second), 409, 'order-cancelled', 'the second neither');
my $third = signed_link('1', 12900, $t + 701);
to_widget(get($third), 'the third does');
to_widget(get($first), 'and then the order is open for all of them');
operate('cancel', '1');
is_problem(get($third), 409, 'order-cancelled', 'the third has been used now');



=== TEST 14: an order whose link was replaced is not cancelled
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'one sum');
to_widget(get(signed_link('1', 9900, time + 600)), 'another sum');
to_widget(get($link), 'the first one again');
is(books('1')->{liveLinks}, 1, 'one link is alive');



=== TEST 15: an order whose authorization has ended at Payer can be paid again
--- after
my $old = buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'paid');
faults({ match => 'read', action => 'edit', set => { 'payment.status' => 'CANCELLED' }, times => 2 });
my $r = get('/thanks?order=1');
$r = get('/thanks?order=1') until $r->status != 200;
is($r->status, 402, 'ended');
is_problem(get(signed_link('1', 12900, time + 600)), 409, 'order-cancelled', 'a signed link does not sell it');
to_widget(told('1', 12900), 'the shop does');
is(books('1')->{links}, 2, 'a new link');
--- gate
payer_verify_cache 0;



=== TEST 16: payer_verify and a checkout as its error page do not redirect in a loop
--- config
location = /round {
    payer_verify $arg_order;
    error_page 402 = /payer/again;
    recursive_error_pages on;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
}
location = /payer/again {
    internal;
    payer_checkout;
    payer_reference      $payer_reference public;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /round?order=$payer_reference;
    payer_return_fail    /cart;
    payer_return_back    /cart;
}
--- after
buy_paid('1', 12900);
operate('release', '1');
to_widget(get('/round?order=1'), 'released: sold again');
buy_paid('2', 12900);
told('2', 99900);
is_problem(get('/round?order=2'), 409, 'amount-differs', 'dearer since');
buy_paid('3', 1000);
to_widget(get('/round?order=4'), 'an order that is not paid is sold');



=== TEST 17: with an unknown status the link is kept, and the status is logged
--- after
to_widget(told('1', 12900), 'a link');
faults({ match => 'read', action => 'edit', times => 0, set => { 'payment.status' => 'ABANDONED' } });
faults('cancel: status=400 body={}');
is(get('/thanks?order=1')->status, 503, 'not known');
is(told('1', 500)->status, 503, 'the old link might be payable');
logged(qr/\[error\].*"ABANDONED"/, 'the word in the log');
is(books('1')->{links}, 1, 'no other link');



=== TEST 18: a status in payer_status_dead means that the order can get a new link
--- config
payer_status_dead GONE ABANDONED;
--- after
to_widget(told('1', 12900), 'a link');
faults({ match => 'read', action => 'edit', times => 0, set => { 'payment.status' => 'ABANDONED' } });
faults('cancel: status=400 body={}');
is(get('/thanks?order=1')->status, 402, 'not paid');
to_widget(told('1', 500), 'sold again');
is(books('1')->{links}, 2, 'by another link');



=== TEST 19: a known status in payer_status_dead is rejected
--- config
payer_status_dead AUTHORIZED;
--- must_die
--- error_log
invalid status "AUTHORIZED", it must not be one of those that the module knows



=== TEST 20: payer_verify returns 402 after a full refund, in one part or several
--- after
buy_paid('1', 12900);
operate('capture', '1');
operate('refund', '1', amount => 6450);
is(get('/thanks?order=1')->status, 200, 'one half: passed');
operate('refund', '1', amount => 6450);
is(get('/thanks?order=1')->status, 402, 'two halves: 402');

buy_paid('2', 12900);
operate('capture', '2');
operate('refund', '2');
is(get('/thanks?order=2')->status, 402, 'without an amount: 402');

buy_paid('3', 12900);
operate('capture', '3', amount => 5000);
operate('refund', '3');
is(get('/thanks?order=3')->status, 200, 'the rest may still be captured: passed');
operate('release', '3');
is(get('/thanks?order=3')->status, 402, 'the rest was released, too: 402');



=== TEST 21: two simultaneous refunds are added up
--- after
sim_config(refunded_amount => 0);
buy_paid('1', 12900);
operate('capture', '1');
faults({ match => 'refund', delay_after => 0.4, times => 0 });
my @r = together(map { [ POST => '/refund', json => { reference => '1', amount => $_ } ] } 6000, 6900);
is($_->status, 200, 'refunded') for @r;
is(get('/thanks?order=1')->status, 402, 'and 402 is returned');



=== TEST 22: an old signed link does not reopen an order whose cancel had no reply and is found out by payer_reconcile
--- config
payer_tries 1;
location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'sold');
faults('cancel: lost-reply');
like(post('/cancel', json => { reference => '1' }, headers => { 'Content-Type' => 'application/json', 'Idempotency-Key' => 'k' })->status, qr/^50/, 'the outcome is unknown');
is(post('/reconcile')->json->{stillUnknown}, 0, 'it is found out');
is_problem(get($link), 409, 'order-cancelled', 'cancelled');
is(books('1')->{links}, 1, 'no second link');



=== TEST 23: an old signed link does not reopen an order whose release had no reply, before it was seen paid
--- config
payer_tries 1;
location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'sold');
pay('1');
faults('release: lost-reply');
like(post('/release', json => { reference => '1' }, headers => { 'Content-Type' => 'application/json', 'Idempotency-Key' => 'k' })->status, qr/^50/, 'the outcome is unknown');
is(post('/reconcile')->json->{stillUnknown}, 0, 'it is found out');
is_problem(get($link), 409, 'order-cancelled', 'released');
is(books('1')->{links}, 1, 'no second link');



=== TEST 24: nor while the outcome of the cancel or the release is unknown
--- config
payer_tries 1;
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'sold');
faults('cancel: lost-reply');
like(post('/cancel', json => { reference => '1' }, headers => { 'Content-Type' => 'application/json', 'Idempotency-Key' => 'k' })->status, qr/^50/, 'a cancel');
is_problem(get($link), 409, 'order-cancelled', 'the link');
is(books('1')->{links}, 1, 'no second link');
to_widget(told('1', 12900), 'the shop sells it again');

$link = signed_link('2', 12900, time + 600);
to_widget(get($link), 'sold');
pay('2');
faults('release: lost-reply');
like(post('/release', json => { reference => '2' }, headers => { 'Content-Type' => 'application/json', 'Idempotency-Key' => 'k' })->status, qr/^50/, 'a release');
is_problem(get($link), 409, 'order-cancelled', 'the link');
is(books('2')->{links}, 1, 'no second link');
to_widget(told('2', 12900), 'the shop sells it again');
