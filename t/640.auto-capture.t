# payer_auto_capture: a payment is captured in full, once, when it is found
# authorized.  The buyer's request is passed in any case.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Gate;

our $auto = <<'EOF';
        payer_auto_capture  on;
        payer_tries         1;

        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
EOF

shop();
run_payer_tests();

__DATA__

=== TEST 1: a request that finds the payment authorized captures it in full
--- config eval: $::auto
--- then
order('1');
pay('1');
is_thanked(thanks('1'), 'thanked');
is_thanked(thanks('1'), 'and again');
--- calls
token: 1
create: 1
read: 2
capture: 1
--- books
1: status=FULLY_CAPTURED captured=12900



=== TEST 2: without payer_auto_capture nothing is captured
--- then
order('2');
pay('2');
is_thanked(thanks('2'), 'thanked');
--- books
2: status=AUTHORIZED captured=0



=== TEST 3: simultaneous requests capture once
--- config eval: $::auto
--- then
order('3');
pay('3');
my @r = together(map { [ GET => '/thanks?order=3' ] } 1 .. 8);
is_thanked($_, 'thanked') for @r;
is(calls()->{capture}, 1, 'one capture');
--- books
3: captured=12900



=== TEST 4: a refused automatic capture is logged, and the request is passed
--- config eval: $::auto
--- then
order('4');
pay('4');
faults('capture: status=400');
is_thanked(thanks('4'), 'thanked');
like(error_log_text(), qr/automatic capture failed: .*, order: "[^"]+", payment: "/, 'logged');
--- books
4: captured=0



=== TEST 5: an automatic capture that did not reach Payer is tried again by payer_reconcile
--- config eval: $::auto
--- then
order('5');
pay('5');
faults('capture: status=401 times=2');
is_thanked(thanks('5'), 'thanked');
is(books('5')->{captured}, 0, 'nothing is captured');
my $json = post('/reconcile')->json;
is($json->{settled}, 1, 'reconcile says so');
--- books
5: status=FULLY_CAPTURED captured=12900



=== TEST 6: an automatic capture whose reply was lost is done once
--- config eval: $::auto
--- then
order('6');
pay('6');
faults('capture: lost-reply');
is_thanked(thanks('6'), 'thanked');
post('/reconcile');
post('/reconcile');
--- books
6: status=FULLY_CAPTURED captured=12900



=== TEST 7: payer_reconcile captures an order whose buyer did not return
--- config eval: $::auto
--- then
order('7');
pay('7');
post('/reconcile');
post('/reconcile');
is(calls()->{capture}, 1, 'once');
--- books
7: status=FULLY_CAPTURED captured=12900



=== TEST 8: an unpaid order is not captured
--- config eval: $::auto
--- then
order('8');
is_refused(thanks('8'), 402, 'refused');
post('/reconcile');
is(calls()->{capture}, undef, 'no capture');



=== TEST 9: after a partial capture by an operation nothing is captured automatically
--- config eval: $::auto
--- then
order('9');
pay('9');
post('/capture?reference=9&amount=1000')->status == 200 or die;
is_thanked(thanks('9'), 'thanked');
post('/reconcile');
--- books
9: status=PARTIALLY_CAPTURED captured=1000
