# Sending again: how often, with which id, how long, and what is said when it was
# all in vain.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: a call that Payer could not take is sent again, with the same id
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


=== TEST 2: payer_tries ends it
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


=== TEST 3: one try is one call
--- config perl: checkout(payer_tries => 1)
--- faults
create: status=500 times=0
--- request
GET /checkout?order=1
--- error_code: 502
--- calls
token: 1
create: 1


=== TEST 4: a refusal is not asked for again
--- config perl: checkout()
--- faults
create: status=403 times=0 body={}
--- request
GET /checkout?order=1
--- error_code: 502
--- calls
token: 1
create: 1


=== TEST 5: a connection that is reset costs a try, and makes one link
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


=== TEST 6: so does a reset in the middle of the headers
--- faults
read: reset-in-headers
--- config perl: operations()
--- request
GET /payment?paymentId=1
--- error_code: 404
--- calls
token: 1
read: 2


=== TEST 7: a kept connection that Payer has closed meanwhile costs a try
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


=== TEST 8: a reply that was lost does not lose the order
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


=== TEST 9: Payer that has always done it already is given up
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


=== TEST 10: nobody listens: the answer says that nothing has happened
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


=== TEST 11: Retry-After is waited for
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


=== TEST 12: a Retry-After beyond payer_timeout is passed on at once
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


=== TEST 13: a Retry-After that is a date is no reason to fail
--- config perl: checkout()
--- faults
create: status=503 headers={"Retry-After":"Sat,01Jan2000"}
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 2


=== TEST 14: payer_timeout ends a call that nobody answers
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
like($r->json->{type}, qr/outcome-unknown/, 'nobody knows what Payer did');


=== TEST 15: payer_timeout ends a reply that stops in the middle
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
like($r->json->{type}, qr/outcome-unknown/, 'nobody knows what Payer did');


=== TEST 16: payer_timeout ends a reply that comes in drips
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


=== TEST 17: payer_timeout ends a token request that nobody answers
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


=== TEST 18: payer_timeout ends a token that stops in the middle
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


=== TEST 19: payer_timeout is for all tries together
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


=== TEST 20: a visit after one that came to nothing makes the link
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



=== TEST 21: a lost reply stays in doubt when the next try gets no token
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
is($r->status, 504, 'nobody here knows');
like($r->json->{type}, qr/outcome-unknown/, 'and the answer says so');
is($r->json->{requestId}, $r->header('Payer-Request-Id'), 'with the id');



=== TEST 22: a lost reply stays in doubt when Payer does not let us in any more
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: lost-reply', 'capture: status=403 times=0 body={}');
my $r = post('/capture', json => { reference => '1', amount => 400 });

is($r->status, 504, 'nobody here knows');
like($r->json->{type}, qr/outcome-unknown/, 'and the answer says so');



=== TEST 23: a lost reply stays in doubt when Payer is too busy afterwards
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: lost-reply', 'capture: status=429 times=0 body={}');
my $r = post('/capture', json => { reference => '1', amount => 400 });

is($r->status, 504, 'nobody here knows');
like($r->json->{type}, qr/outcome-unknown/, 'and the answer says so');



=== TEST 24: a call that was only turned away is in no doubt
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
