# Unknown and pending outcomes are read back from Payer, and nothing is sent
# again.

use strict;
use warnings;

use lib 't/lib';
use Payer::Weather;
use Payer::Test;

our $shop = <<'EOF';
        payer_tries 1;

        location = /checkout {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          10000;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /refund    { payer_refund;    payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
EOF

sub checkout {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link\n";
}

sub summary {
    my $r = post('/reconcile' . ($_[0] // ''));

    $r->status == 200 or return $r->status . ' ' . $r->body;

    my $json = $r->json;
    return join ' ', map { "$_=$json->{$_}" } grep { $_ ne 'next' }
                     sort keys %$json;
}

add_block_preprocessor(sub { clock_is_off(0) });

run_payer_tests();

__DATA__

=== TEST 1: payer_reconcile of an empty store reads nothing
--- config eval: $::shop
--- request
POST /reconcile
--- error_code: 200
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- response_body chomp
{"examined":0,"settled":0,"done":0,"notDone":0,"unknown":0,"stillUnknown":0,"failed":0,"expiredLinks":0,"oldAuthorizations":0}
--- calls: none



=== TEST 2: an order whose buyer did not return is found paid
--- config eval: $::shop
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
like(summary(), qr/examined=1 .*settled=1/, 'found out');
like(get('/checkout?order=1')->header('Location'), qr{/thanks$},
     'from then on it goes where a paid order goes');
like(summary(), qr/examined=0 /, 'and needs no reading any more');
--- calls
token: 1
create: 1
read: 1



=== TEST 3: an unpaid order is not changed
--- config eval: $::shop
--- request
GET /checkout?order=2
--- error_code: 303
--- then
like(summary(), qr/examined=1 .*settled=0/, 'nothing to settle');
is(get('/checkout?order=2')->status, 303, 'the link is still good');
--- calls
token: 1
create: 1
read: 1



=== TEST 4: a capture whose reply was lost is settled, and a repeat gets the recorded answer
--- config eval: $::shop
--- request
GET /checkout?order=3
--- error_code: 303
--- then
pay('3');
faults('capture: lost-reply');
my %k = (headers => { 'Idempotency-Key' => 'k' });
is(post('/capture?reference=3&amount=4000', %k)->status, 504, 'unknown');
like(summary(), qr/settled=2 stillUnknown=0/, 'the capture and the order');
my $r = post('/capture?reference=3&amount=4000', %k);
is($r->status, 200, 'done');
is($r->header('Idempotency-Replayed'), 'true', 'from the record');
is($r->json->{payment}{capturedAmount}, 4000, 'which is what Payer said');
--- calls
token: 1
create: 1
capture: 1
read: 1
--- books
3: captured=4000



=== TEST 5: a capture that was not done is deleted and not sent again
--- config eval: $::shop
--- request
GET /checkout?order=4
--- error_code: 303
--- then
pay('4');
my %k = (headers => { 'Idempotency-Key' => 'k' });
faults('capture: status=500');
is(post('/capture?reference=4&amount=4000', %k)->status, 502, 'cannot tell');
like(summary(), qr/stillUnknown=1/, 'it does not show, and may still come');
clock_is_off(610);
like(summary(), qr/settled=1 stillUnknown=0/, 'after ten minutes it was not done');
is(books('4')->{captured}, 0, 'reconcile captures nothing');
is(post('/capture?reference=4&amount=4000', %k)->status, 200, 'a repeat does');
--- books
4: captured=4000



=== TEST 6: a refund in doubt that a read does not show stays unknown
--- config eval: $::shop
--- request
GET /checkout?order=5
--- error_code: 303
--- then
pay('5');
post('/capture?reference=5');
faults('refund: lost-reply',
    'read: edit times=0 drop=["payment.refundedAmount"]');
is(post('/refund?reference=5&amount=700')->status, 504, 'unknown');
clock_is_off(610);
like(summary(), qr/stillUnknown=1/, 'and it stays so');
--- books
5: refunded=700



=== TEST 7: while Payer cannot be reached a problem is returned
--- config eval: $::shop
--- request
GET /checkout?order=6
--- error_code: 303
--- then
faults('read: close');
my $r = post('/reconcile');
is($r->status, 502, 'a bad gateway');
is($r->json->{operation}, 'reconcile', 'of this operation');
like(summary(), qr/examined=1/, 'and the next run works');



=== TEST 8: records are read in several limited calls with a cursor
--- config eval: $::shop
--- request
GET /checkout?order=7
--- error_code: 303
--- then
checkout("a$_") for 1 .. 6;
pay("a$_")      for 1 .. 6;
my ($after, @examined) = ('');
for (1 .. 10) {
    my $json = post("/reconcile?limit=3$after")->json;
    push @examined, $json->{examined};
    last unless $json->{next};
    $after = "&after=$json->{next}";
}
is("@examined", '3 3 1', 'each order once');
--- calls
token: 1
create: 7
read: 7



=== TEST 9: invalid parameters are rejected
--- config eval: $::shop
--- request
POST /reconcile?limit=0
--- error_code: 400
--- json
detail: limit
--- then
is(post("/reconcile?$_")->status, 400, $_)
    for qw(limit=1001 limit=x days=0 days=366 after=%21 after=eHl6 after=);



=== TEST 10: methods other than POST are rejected
--- config eval: $::shop
--- request
GET /reconcile
--- error_code: 405
--- response_headers
Allow: POST



=== TEST 11: a client that payer_allow does not list is rejected
--- config
        location = /reconcile { payer_reconcile; payer_allow 10.0.0.0/8; }
--- request
POST /reconcile
--- error_code: 403
--- calls: none



=== TEST 12: payer_reconcile without payer_allow is rejected
--- config
        location = /reconcile { payer_reconcile; }
--- must_die
--- error_log
"payer_reconcile" in location "/reconcile" has no "payer_allow"
--- alert: has no "payer_allow"



=== TEST 13: a repeat does not mistake another capture for the one in doubt
--- config eval: $::shop
--- request
GET /checkout?order=14
--- error_code: 303
--- then
my @one = ('/capture?reference=14&amount=4000',
           headers => { 'Idempotency-Key' => 'one' });

faults('capture: lost-reply');
is(post(@one)->status, 504, 'refused before the buyer paid, and unknown');

pay('14');
is(post('/capture?reference=14&amount=4000')->status, 200, 'another is done');

isnt(post(@one)->status, 200, 'a repeat is not answered with that');
clock_is_off(610);
like(summary(), qr/stillUnknown=0/, 'nor is it left open');
isnt(post(@one)->status, 200, 'for good');
--- books
14: captured=4000



=== TEST 14: payer_reconcile does not mistake another capture for the one in doubt
--- config eval: $::shop
--- request
GET /checkout?order=15
--- error_code: 303
--- then
my @one = ('/capture?reference=15&amount=4000',
           headers => { 'Idempotency-Key' => 'one' });

faults('capture: lost-reply');
is(post(@one)->status, 504, 'refused before the buyer paid, and unknown');

pay('15');
is(post('/capture?reference=15&amount=4000')->status, 200, 'another is done');

like(summary(), qr/stillUnknown=1/, 'it may still come');
clock_is_off(610);
like(summary(), qr/stillUnknown=0/, 'it is settled');
isnt(post(@one)->status, 200, 'and was not done');
--- books
15: captured=4000



=== TEST 15: of two captures in doubt with the same amount none is settled
--- config eval: $::shop
--- request
GET /checkout?order=16
--- error_code: 303
--- then
my ($one, $two) = map {
    [ '/capture?reference=16&amount=4000',
      headers => { 'Idempotency-Key' => $_ } ]
} qw(one two);

pay('16');
faults('capture: lost-reply', 'capture: reset');
is(post(@$one)->status, 504, 'one was done');
is(post(@$two)->status, 504, 'the other was not');
like(summary(), qr/stillUnknown=2/, 'and a read cannot tell which');

is(post(@$two)->status, 200, 'the same key sends it again');
like(summary(), qr/stillUnknown=0/, 'now it is clear');
is(post(@$one)->status, 200, 'that the first was done, too');
--- books
16: captured=8000



=== TEST 17: repeated calls with a small limit reach all records
--- config eval: $::shop
--- request
GET /
--- then
checkout("b$_") for 1 .. 5;
pay("b$_")      for 1 .. 5;
like(summary('?limit=2'), qr/examined=2 .*settled=2/, 'two');
like(summary('?limit=2'), qr/examined=2 .*settled=2/, 'the next two');
like(summary('?limit=2'), qr/examined=1 .*settled=1/, 'and the last one');
like(summary('?limit=2'), qr/examined=0 /, 'then nothing is left');
--- calls
token: 1
create: 5
read: 5



=== TEST 18: a payment that cannot be read is counted and does not block the others
--- config eval: $::shop
--- request
GET /
--- then
checkout("c$_") for 1 .. 4;
pay("c$_")      for 1 .. 4;
faults({ match => 'read', contains => payment('c1'), status => 500, times => 0 },
    { match => 'read', contains => payment('c3'), status => 404, times => 0 });
like(summary(), qr/examined=4 .*failed=2 .*settled=2 stillUnknown=2/, 'the others are settled');
like(error_log_text(), qr/\[error\].* payer: "read" failed: .*, order: "c1", payment: "\Q@{[ payment('c1') ]}\E"/,
    'the log names the one');
like(error_log_text(), qr/\[error\].* payer: "read" was refused with status 404: .*, order: "c3", payment: "/,
    'and the other');



=== TEST 19: three failed reads in a row end the run, and the next one continues after them
--- config eval: $::shop
--- request
GET /
--- then
checkout("d$_") for 1 .. 5;
pay("d$_")      for 1 .. 5;
faults('read: status=500 times=3');
is(post('/reconcile')->status, 502, 'Payer is not there');
is(calls()->{read}, 3, 'and is not asked for all of them');
faults({ match => 'read', contains => payment('d1'), status => 500, times => 0 });
like(summary('?limit=2'), qr/examined=2 .*settled=2/, 'the next two');
like(summary(), qr/examined=3 .*settled=2/, 'and those before');



=== TEST 20: records younger than an hour are read in each run
--- config eval: $::shop
--- request
GET /
--- then
checkout("e$_") for 1 .. 3;
like(summary(), qr/examined=3 /, 'once');
like(summary(), qr/examined=3 /, 'and again');
like(summary('?limit=2'), qr/examined=2 /, 'two');
like(summary('?limit=2'), qr/examined=2 /, 'the third, and around');
--- calls
token: 1
create: 3
read: 10



=== TEST 21: each merchant has its own cursor
--- config eval
$::shop . <<EOF;
        location /other/ {
            payer_client_id          4712;
            payer_client_secret_file $ENV{TEST_NGINX_SECRET};
            location = /other/checkout {
                payer_checkout;
                payer_reference       \$arg_order public;
                payer_amount          10000;
                payer_currency        SEK;
                payer_return_success  /thanks;
                payer_return_fail     /cart;
                payer_return_back     /cart;
            }
            location = /other/reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        }
EOF
--- request
GET /
--- then
sim_config(merchants => { 4712 => (merchant())[1] });
checkout("f$_") for 1 .. 3;
is(get("/other/checkout?order=g$_")->status, 303, 'a link of the other') for 1 .. 3;
like(summary('?limit=2'), qr/examined=2 /, 'two of the one');
is(post('/other/reconcile?limit=2')->json->{examined}, 2, 'two of the other');
pay('f3');
pay('g3');
is(post('/reconcile?limit=1')->json->{settled}, 1, 'the third of the one');
is(post('/other/reconcile?limit=1')->json->{settled}, 1, 'and of the other');



=== TEST 22: a capture that Payer has handled without effect is settled as not done
--- config eval: $::shop
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
my %k = (headers => { 'Idempotency-Key' => 'k' });
faults('capture: status=500');
is(post('/capture?reference=1&amount=4000', %k)->status, 502, 'cannot tell');
clock_is_off(610);
like(summary(), qr/notDone=1 .*stillUnknown=0/, 'it was not done');

faults('capture: status=409 times=0 body={"message":"handled"}');
is(post('/capture?reference=1&amount=4000', %k)->status, 504,
    'a repeat that Payer does not let in is unknown');
like(summary(), qr/stillUnknown=1/, 'for ten minutes');
clock_is_off(1230);
like(summary(), qr/notDone=1 .*stillUnknown=0/, 'and then it was not done');
is(post('/capture?reference=1&amount=4000', %k)->status, 409,
    'which a further repeat is told');
--- books
1: captured=0



=== TEST 23: a misspelled or repeated argument does not start a run
--- config
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
--- request
GET /nothing
--- error_code: 404
--- after
for my $query ('operaton=1&outcome=done', 'limit=1&limit=2', 'Limit=1') {
    is(post("/reconcile?$query")->status, 400, $query);
}
is(post('/reconcile?limit=1')->status, 200, 'the right one does');
