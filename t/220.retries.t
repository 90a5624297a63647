# Tries of a call: their number, id and time, and the answer if all of them
# fail.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: a call is sent again after a 5xx reply, with the same Payer-Request-ID
--- config perl: checkout()
--- faults
create: status=503 times=2
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 3
--- books
1: links=1
--- error_log
payer: "create" failed: Payer had an error, status 503, try 1 of 3
payer: "create" failed: Payer had an error, status 503, try 2 of 3
--- after
my @ids = map { /^payer-request-id: (\S+)$/mi } sent('create');
is(@ids, 3, 'each try has an id');
is($ids[1], $ids[0], 'the second has that of the first');
is($ids[2], $ids[0], 'the third as well');


=== TEST 2: payer_tries limits the number of tries
--- config perl: checkout(payer_tries => 2)
--- faults
create: status=503 times=0
--- request
GET /checkout?order=1
--- error_code: 502
--- json
type: outcome-unknown
payerStatus: ^503$
--- calls
token: 1
create: 2
--- error_log
[error]
payer: "create" failed: Payer had an error, status 503, try 2 of 2


=== TEST 3: payer_tries 1 sends a call once
--- config perl: checkout(payer_tries => 1)
--- faults
create: status=500 times=0
--- request
GET /checkout?order=1
--- error_code: 502
--- calls
token: 1
create: 1


=== TEST 4: a call is not sent again after Payer has refused it
--- config perl: checkout()
--- faults
create: status=403 times=0 body={}
--- request
GET /checkout?order=1
--- error_code: 502
--- calls
token: 1
create: 1


=== TEST 5: a call is sent again after a connection reset, and creates one link
--- config perl: checkout()
--- faults
create: reset
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 2
--- books
1: links=1
--- after
my @ids = map { /^payer-request-id: (\S+)$/mi } sent('create');
is($ids[1], $ids[0], 'both have the same id');


=== TEST 6: a call is sent again after a reset in the middle of the response header
--- faults
read: reset-in-headers
--- config perl: operations()
--- request
GET /payment?paymentId=1
--- error_code: 404
--- calls
token: 1
read: 2


=== TEST 7: a call is sent again if Payer has closed the kept connection
--- config perl: checkout()
--- faults
create: close
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my ($token) = journal('token');
my @create = journal('create');
is($create[0]{connection}, $token->{connection}, 'the first went over it');
isnt($create[1]{connection}, $token->{connection}, 'the second over another');


=== TEST 8: an order is not lost if the reply to its create is lost
--- config perl: checkout()
--- faults
create: lost-reply
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 3
--- books
1: links=2 amount=12900
--- after
my @ids = map { /^payer-request-id: (\S+)$/mi } sent('create');
is($ids[1], $ids[0], 'the same id shows whether Payer did it');
isnt($ids[2], $ids[0], 'and a new link needs a new one');
my $to = get('/checkout?order=1')->header('Location');
is($to, books('1')->{url}, 'the buyer has the newest link');


=== TEST 9: repeated 409 replies to a create end with 502
--- config perl: checkout()
--- faults
create: status=409 times=0 body={}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
payerStatus: ^409$
--- calls
token: 1
create: 2


=== TEST 10: if Payer does not listen, the answer says that nothing has happened
--- bare
--- http_config perl: bare_http('127.0.0.1:' . free_port())
--- config perl
road(proxy_pass => 'http://payer/')
    . checkout(payer_insecure_upstream => 'on')
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
detail: no token
--- response_body_unlike
outcome-unknown
--- error_log
payer: the token request of client "4711" got no reply, status 0


=== TEST 11: a call is sent again after the time in Retry-After
--- config perl: checkout()
--- faults
create: status=429 headers={"Retry-After":"1"}
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 303, 'the link is made');
cmp_ok($r->time, '>=', 1, 'a second later');
is(calls()->{create}, 2, 'by the second call');


=== TEST 12: a Retry-After beyond payer_timeout is passed to the client immediately
--- config perl: checkout(payer_timeout => '5s')
--- faults
create: status=429 headers={"Retry-After":"60"}
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 503, 'try later');
is($r->header('Retry-After'), 60, 'how much later');
cmp_ok($r->time, '<', 2, 'at once');
is(calls()->{create}, 1, 'nobody asked again');


=== TEST 13: a call is sent again after a reply with a date in Retry-After
--- config perl: checkout()
--- faults
create: status=503 headers={"Retry-After":"Sat,01Jan2000"}
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 2


=== TEST 14: payer_timeout aborts a call without a reply
--- config perl: checkout(payer_timeout => '400ms')
--- faults
create: silence
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 504, 'too late');
cmp_ok($r->time, '>=', 0.35, 'not before the time');
cmp_ok($r->time, '<', 2, 'and not long after it');
like($r->json->{type}, qr/outcome-unknown/, 'the outcome at Payer is unknown');


=== TEST 15: payer_timeout aborts a call whose reply stops in the middle
--- config perl: checkout(payer_timeout => '400ms')
--- faults
create: stall
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 504, 'too late');
cmp_ok($r->time, '>=', 0.35, 'not before the time');
cmp_ok($r->time, '<', 2, 'and not long after it');
like($r->json->{type}, qr/outcome-unknown/, 'the outcome at Payer is unknown');


=== TEST 16: payer_timeout aborts a call whose reply arrives too slowly
--- config perl: checkout(payer_timeout => '400ms')
--- faults
create: drip chunk=1 pause=0.05
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 504, 'too late');
cmp_ok($r->time, '>=', 0.35, 'not before the time');
cmp_ok($r->time, '<', 2, 'and not long after it');


=== TEST 17: payer_timeout aborts a token request without a reply
--- config perl: checkout(payer_timeout => '400ms')
--- faults
token: silence
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 504, 'too late');
cmp_ok($r->time, '>=', 0.35, 'not before the time');
cmp_ok($r->time, '<', 2, 'and not long after it');
ok(!$r->json->{type}, 'nothing was asked of Payer');
is(calls()->{create}, undef, 'no call was made');


=== TEST 18: payer_timeout aborts a token request whose reply stops in the middle
--- config perl: checkout(payer_timeout => '400ms')
--- faults
token: stall
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 504, 'too late');
cmp_ok($r->time, '>=', 0.35, 'not before the time');
cmp_ok($r->time, '<', 2, 'and not long after it');


=== TEST 19: payer_timeout limits all tries together
--- config perl: checkout(payer_timeout => '400ms')
--- faults
create: delay=0.25 status=503 times=0
--- request
GET /
--- after
my $r = get('/checkout?order=1');
like($r->status, qr/^50[24]$/, 'too late, for this try or for another');
cmp_ok($r->time, '>=', 0.35, 'not before the time');
cmp_ok($r->time, '<', 2, 'and not long after it');


=== TEST 20: a visit after a failed one creates the link with a new Payer-Request-ID
--- config perl: checkout(payer_timeout => '300ms')
--- faults
create: silence
--- request
GET /checkout?order=1
--- error_code: 504
--- after
my $r = get('/checkout?order=1');
is($r->status, 303, 'the next visit has its link');
my @ids = map { /^payer-request-id: (\S+)$/mi } sent('create');
isnt($ids[1], $ids[0], 'which is another request');



=== TEST 21: after a lost reply the outcome is unknown if the next try gets no token
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: lost-reply', 'capture: status=401 body={}',
    'token: status=500 times=0');
my $r = post('/capture', json => { reference => '1', amount => 400 });

is(books('1')->{captured}, 400, 'Payer has captured it');
is($r->status, 504, 'the outcome is unknown here');
like($r->json->{type}, qr/outcome-unknown/, 'and the answer says so');
is($r->json->{requestId}, $r->header('Payer-Request-Id'), 'with the id');



=== TEST 22: after a lost reply the outcome is unknown if Payer returns 403 to the next try
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: lost-reply', 'capture: status=403 times=0 body={}');
my $r = post('/capture', json => { reference => '1', amount => 400 });

is($r->status, 504, 'the outcome is unknown here');
like($r->json->{type}, qr/outcome-unknown/, 'and the answer says so');



=== TEST 23: after a lost reply the outcome is unknown if Payer is too busy for the next try
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: lost-reply', 'capture: status=429 times=0 body={}');
my $r = post('/capture', json => { reference => '1', amount => 400 });

is($r->status, 504, 'the outcome is unknown here');
like($r->json->{type}, qr/outcome-unknown/, 'and the answer says so');



=== TEST 24: after a 401 without a new token the outcome is not unknown
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: status=401 body={}', 'token: status=500 times=0');
my $r = post('/capture', json => { reference => '1', amount => 400 });

is($r->status, 502, 'it failed');
ok(!$r->json->{type}, 'and nothing is unknown');
is(books('1')->{captured}, 0, 'nothing has happened');
