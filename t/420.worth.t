# Orders that are known: paid, paid for another sum, given back, cancelled,
# ended.  Who may sell them again, and who may not.

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

=== TEST 1: an order that was paid goes to the page of success, whoever asks
--- after
buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'paid');
to_thanks(told('1', 12900), 'the same amount');
to_thanks(told('1', 12899), 'less, of the shop');
to_thanks(get('/public?order=1&amount=100&currency=SEK'), 'less, of anybody');
is(books('1')->{links}, 1, 'one link');



=== TEST 2: the shop has raised the sum after it was paid
--- after
buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'let on before');
is_problem(told('1', 99900), 409, 'amount-differs', 'refused');
logged(qr/\[error\].*order "1" was paid with 12900 SEK, but 99900 SEK is required/, 'both sums in the log');
is(books('1')->{links}, 1, 'no other link');
is(get('/thanks?order=1')->status, 402, 'not let on any more, though it had just been read');
is_problem(told('1', 99900), 409, 'amount-differs', 'refused again');
to_thanks(told('1', 12900), 'until the shop wants what was paid');
is(get('/thanks?order=1')->status, 200, 'let on again');



=== TEST 3: paid in another currency is not paid
--- after
buy_paid('1', 12900);
is_problem(told('1', 100, 'NOK'), 409, 'amount-differs', 'refused');
logged(qr/\[error\].*was paid with 12900 SEK, but 100 NOK is required/, 'in the log');
is(get('/thanks?order=1')->status, 402, 'not let on');



=== TEST 4: who only has a link, or types an address, shuts nobody out
--- after
buy_paid('1', 12900);
is_problem(get(signed_link('1', 99900, time + 600)), 409, 'amount-differs', 'a signed link for more');
is_problem(get('/public?order=1&amount=99900&currency=SEK'), 409, 'amount-differs', 'and anybody');
is(get('/thanks?order=1')->status, 200, 'and who has paid is let on');



=== TEST 5: two signed links of different sums: the cheap one does not pay for the dear one
--- after
to_widget(get(signed_link('1', 1000, time + 600)), 'the cheap one');
pay('1');
is_problem(get(signed_link('1', 99900, time + 600)), 409, 'amount-differs', 'the dear one');
to_thanks(get(signed_link('1', 1000, time + 600)), 'the cheap one again');



=== TEST 6: what the shop wants and nobody has paid also holds for other ways to the order
--- after
buy_paid('1', 12900);
is_problem(told('1', 99900), 409, 'amount-differs', 'the shop');
is_problem(get(signed_link('1', 12900, time + 600)), 409, 'amount-differs', 'a signed link for the old sum does not lead to a page that is shut');



=== TEST 7: an order number that is used once more by the shop
--- after
buy_paid('1', 1000);
is_problem(told('1', 99900), 409, 'amount-differs', 'the second order is not paid by the first');
is(get('/thanks?order=1')->status, 402, 'and is not let on');



=== TEST 8: a released order is unpaid, and the shop sells it again
--- after
my $old = buy_paid('1', 12900);
is(get('/thanks?order=1')->status, 200, 'paid');
operate('release', '1');
is(get('/thanks?order=1')->status, 402, 'released: not let on, at once');
to_widget(told('1', 12900), 'the shop sells it again');
is(books('1')->{links}, 2, 'under the same number');
is(get('/thanks?order=1')->status, 402, 'not paid yet');
pay('1');
is(get('/thanks?order=1')->status, 200, 'paid again');
is(post('/capture', json => { paymentId => $old })->status, 400, 'the old payment is still known to Payer');



=== TEST 9: a refunded order is unpaid, and the shop sells it again
--- after
buy_paid('1', 12900);
operate('capture', '1');
is(get('/thanks?order=1')->status, 200, 'captured');
operate('refund', '1', amount => 12900);
is(get('/thanks?order=1')->status, 402, 'refunded: not let on, at once');
to_widget(told('1', 500), 'the shop sells it again, for another sum');
pay('1');
is(get('/thanks?order=1')->status, 200, 'paid again');
is(books('1')->{amount}, 500, 'that one');



=== TEST 10: a signed link does not sell again what we have released
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



=== TEST 11: nor what we have cancelled
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'sold');
operate('cancel', '1');
is_problem(get($link), 409, 'order-cancelled', 'cancelled');
is(books('1')->{liveLinks}, 0, 'nobody can pay it');
to_widget(told('1', 12900), 'the shop sells it again');



=== TEST 12: nor what we have refunded
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



=== TEST 13: a signed link that ends later than all before it opens the order again
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



=== TEST 14: a link that was only replaced is not a cancelled order
--- after
my $link = signed_link('1', 12900, time + 600);
to_widget(get($link), 'one sum');
to_widget(get(signed_link('1', 9900, time + 600)), 'another sum');
to_widget(get($link), 'the first one again');
is(books('1')->{liveLinks}, 1, 'one link is alive');



=== TEST 15: an authorization that ended at Payer is unpaid, and the shop sells it again
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



=== TEST 16: buyers do not go round between the gate and the checkout
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



=== TEST 17: a status that nobody knows keeps the order, and the log says which
--- after
to_widget(told('1', 12900), 'a link');
faults({ match => 'read', action => 'edit', times => 0, set => { 'payment.status' => 'ABANDONED' } });
faults('cancel: status=400 body={}');
is(get('/thanks?order=1')->status, 503, 'not known');
is(told('1', 500)->status, 503, 'the old link might be payable');
logged(qr/\[error\].*"ABANDONED"/, 'the word in the log');
is(books('1')->{links}, 1, 'no other link');



=== TEST 18: one that payer_status_dead names is over
--- config
payer_status_dead GONE ABANDONED;
--- after
to_widget(told('1', 12900), 'a link');
faults({ match => 'read', action => 'edit', times => 0, set => { 'payment.status' => 'ABANDONED' } });
faults('cancel: status=400 body={}');
is(get('/thanks?order=1')->status, 402, 'not paid');
to_widget(told('1', 500), 'sold again');
is(books('1')->{links}, 2, 'by another link');



=== TEST 19: a status that is known cannot be declared dead
--- config
payer_status_dead AUTHORIZED;
--- must_die
--- error_log
invalid status "AUTHORIZED", it must not be one of those that the module knows



=== TEST 20: the page is shut when all that was captured was given back, in parts or at once
--- after
buy_paid('1', 12900);
operate('capture', '1');
operate('refund', '1', amount => 6450);
is(get('/thanks?order=1')->status, 200, 'one half: open');
operate('refund', '1', amount => 6450);
is(get('/thanks?order=1')->status, 402, 'two halves: shut');

buy_paid('2', 12900);
operate('capture', '2');
operate('refund', '2');
is(get('/thanks?order=2')->status, 402, 'without an amount: shut');

buy_paid('3', 12900);
operate('capture', '3', amount => 5000);
operate('refund', '3');
is(get('/thanks?order=3')->status, 200, 'the rest may still be captured: open');
operate('release', '3');
is(get('/thanks?order=3')->status, 402, 'the rest was released, too: shut');



=== TEST 21: two refunds at the same time are added up, too
--- after
sim_config(refunded_amount => 0);
buy_paid('1', 12900);
operate('capture', '1');
faults({ match => 'refund', delay_after => 0.4, times => 0 });
my @r = together(map { [ POST => '/refund', json => { reference => '1', amount => $_ } ] } 6000, 6900);
is($_->status, 200, 'refunded') for @r;
is(get('/thanks?order=1')->status, 402, 'and the page is shut');
