# Operations: capture, cancel, release, refund, and reading a payment.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

# an order that the buyer has paid: the payment's id

sub paid {
    my ($order, $path) = (@_, '/checkout');

    get("$path?order=$order")->status == 303 or die "no link for $order\n";
    pay($order);

    return payment($order);
}

run_payer_tests();

__DATA__

=== TEST 1: a capture by reference without an amount captures the whole amount
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('1');
my $r = post('/capture', json => { reference => '1' });

is($r->status, 200, "Payer's status");
like($r->json->{referenceId}, qr/^[0-9a-f-]{36}$/, "Payer's body");
like($r->header('Content-Type'), qr{^application/json}, 'of its type');
is($r->header('Payer-Payment-Id'), $id, 'the payment');
like($r->header('Payer-Request-Id'), qr/^[0-9a-f-]{36}$/, 'the request');
is($r->header('Cache-Control'), 'no-store', 'for nobody to keep');
like((sent('capture'))[0], qr/^payer-request-id: \Q@{[ $r->header('Payer-Request-Id') ]}\E$/mi,
    'which is what Payer saw');
--- calls
token: 1
create: 1
capture: 1
--- books
1: status=FULLY_CAPTURED captured=12900



=== TEST 2: a payment is captured by its paymentId
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('1');
my $r = post('/capture', json => { paymentId => $id });
is($r->status, 200, 'done');
is($r->header('Payer-Payment-Id'), $id, 'on this payment');
--- books
1: captured=12900



=== TEST 3: a payment that is not known here is read by its paymentId
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $r = get('/payment?paymentId=00000000-0000-4000-8000-000000000000');
is($r->status, 404, 'Payer is asked, and says no');
is($r->json->{message}, 'Payment not found', 'in its own words');
--- calls
token: 1
read: 1



=== TEST 4: a payment is captured in parts, and the last capture releases the rest
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
is(post('/capture', json => { reference => '1', amount => 4000 })->status, 200, 'a part');
is(books('1')->{status}, 'PARTIALLY_CAPTURED', 'is not everything');
is(post('/capture', json => { reference => '1', amount => 1000,
    releaseRemainingFunds => JSON::PP::true, transactionDescription => 'Köp 1' })->status, 200, 'another');
--- sent
capture: "amount":4000\b
capture: "releaseRemainingFunds":true
capture: "transactionDescription":"K
--- books
1: captured=5000 released=7900



=== TEST 5: parameters are accepted in a form
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
my $r = post('/capture', form => { reference => '1', amount => 400,
    transactionDescription => 'a & b', releaseRemainingFunds => 'false' });
is($r->status, 200, 'done');
--- sent
capture: "amount":400\b
capture: "transactionDescription":"a & b"
capture: "releaseRemainingFunds":false
--- books
1: captured=400



=== TEST 6: parameters are accepted in the query
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('A/1');
is(post('/capture?reference=A%2F1&amount=400')->status, 200, 'done');
is(books('A/1')->{captured}, 400, 'and booked');



=== TEST 7: parameters in both the body and the query are rejected
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
my $r = post('/capture?amount=400', json => { reference => '1' });
is($r->status, 400, 'refused');
like($r->json->{detail}, qr/in the body and in the query/, 'and why');
--- books
1: captured=0



=== TEST 8: Payer's refusal is returned unchanged
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('1');
my $r = post('/capture', json => { reference => '1', amount => 99999 });
is($r->status, 400, "Payer's status");
like($r->json->{message}, qr/exceeds the remaining/, "Payer's body");
is($r->header('Payer-Payment-Id'), $id, 'with the payment');
like($r->header('Payer-Request-Id'), qr/^[0-9a-f-]{36}$/, 'and the request');
--- books
1: captured=0



=== TEST 9: a payment link is cancelled before it is paid
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $r = request(PUT => '/cancel?reference=1');
is($r->status, 200, 'done');
is($r->body, '', 'with nothing to say');
is($r->header('Payer-Payment-Id'), payment('1'), 'but which payment it was');
--- books
1: status=CANCELLED



=== TEST 10: payer_cancel accepts POST
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
is(post('/cancel', json => { reference => '1' })->status, 200, 'done');
like((sent('cancel'))[0], qr/^PUT /, 'Payer gets a PUT');
--- books
1: status=CANCELLED



=== TEST 11: a cancel of a paid order is refused, and the problem names payer_release
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('1');
my $r = request(PUT => '/cancel?reference=1');
is($r->status, 400, 'refused');
is($r->header('Content-Type'), 'application/problem+json', 'as a problem');
my $p = $r->json;
is($p->{status}, 400, 'status');
is($p->{operation}, 'cancel', 'operation');
is($p->{paymentId}, $id, 'payment');
is($p->{requestId}, $r->header('Payer-Request-Id'), 'request');
is($p->{payerStatus}, 400, "Payer's status");
like($p->{detail}, qr/release/, 'the way out');
like($p->{message}, qr/authorized/, "Payer's message");
--- books
1: status=AUTHORIZED



=== TEST 12: after a cancel the order gets a new link
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
request(PUT => '/cancel?reference=1');
is(get('/checkout?order=1')->status, 303, 'a link');
is(get('/checkout?order=1')->header('Location'), books('1')->{url}, 'the new one');
--- books
1: links=2 liveLinks=1



=== TEST 13: an authorization is released
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
my $r = request(PUT => '/release', json => { reference => '1' });
is($r->status, 200, 'done');
is($r->body, '', 'with nothing to say');
--- books
1: released=12900



=== TEST 14: a captured amount is refunded in parts
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
post('/capture', json => { reference => '1' });
my $r = post('/refund', json => { reference => '1', amount => 900, transactionDescription => 'late' });
is($r->status, 200, 'done');
like($r->json->{referenceId}, qr/^[0-9a-f-]{36}$/, "Payer's body");
is(post('/refund', json => { reference => '1', amount => 100 })->status, 200, 'again');
is(post('/refund', json => { reference => '1', amount => 90000 })->status, 400, 'not more than there is');
--- sent
refund: "transactionDescription":"late"
--- books
1: refunded=1000 captured=12900



=== TEST 15: a payment is read
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('1');
for my $query ('reference=1', "paymentId=$id", "reference=1&paymentId=$id") {
    my $r = get("/payment?$query");
    is($r->status, 200, "by $query");
    is($r->json->{payment}{id}, $id, 'the payment');
    is($r->json->{payment}{status}, 'AUTHORIZED', 'as Payer tells it');
    is($r->header('Payer-Payment-Id'), $id, 'and which it is');
    is($r->header('Payer-Request-Id'), undef, 'a read has no request id');
}

my $r = request(HEAD => '/payment?reference=1');
is($r->status, 200, 'HEAD');
is($r->body, '', 'has no body');
--- sent
!read: (?i)payer-request-id



=== TEST 16: an unknown reference gets 404 without a call
--- config perl: checkout() . operations()
--- request
GET /
--- then
for ([ POST => 'capture' ], [ PUT => 'cancel' ], [ PUT => 'release' ],
    [ POST => 'refund' ], [ GET => 'payment' ])
{
    my ($method, $name) = @$_;
    my $r = request($method, "/$name?reference=nobody"
        . ($name eq 'refund' ? '&amount=1' : ''));

    is($r->status, 404, $name);
    is($r->header('Content-Type'), 'application/problem+json', 'a problem');
    is($r->json->{operation}, $name eq 'payment' ? 'read' : $name, 'of it');
}
--- calls: none



=== TEST 17: a reference and the paymentId of another order are rejected
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
my $other = paid('2');
my $r = post('/capture', json => { reference => '1', paymentId => $other });
is($r->status, 400, 'they do not belong together');
--- books
1: captured=0
2: captured=0



=== TEST 18: wrong methods get 405 with Allow
--- config perl: operations()
--- request
GET /
--- then
my %allow = (capture => 'POST', refund => 'POST', cancel => 'PUT, POST',
    release => 'PUT, POST', payment => 'GET, HEAD');

for my $name (sort keys %allow) {
    for my $method (qw(GET POST PUT DELETE PATCH OPTIONS)) {
        next if $allow{$name} =~ /\b$method\b/;

        my $r = request($method, "/$name?reference=1");
        is($r->status, 405, "$method $name");
        is($r->header('Allow'), $allow{$name}, 'Allow');
        is($r->json->{status}, 405, 'and a problem');
    }
}
--- calls: none



=== TEST 19: a client that payer_allow does not list gets 403 for each request
--- config perl: operations(payer_allow => '192.0.2.0/24 ::1')
--- request
GET /
--- then
for my $name (qw(capture cancel release refund payment)) {
    my $r = post("/$name", json => { reference => '1' });
    is($r->status, 403, $name);
    is($r->header('Content-Type'), 'application/problem+json', 'a problem');
    is($r->header('Cache-Control'), 'no-store', 'for nobody to keep');
}
like(error_log_text(), qr/\[error\] .*payer: access forbidden by "payer_allow"/, 'and the log says so');
--- calls: none



=== TEST 20: forwarding headers do not change the address that payer_allow checks
--- config perl: operations(payer_allow => '192.0.2.1')
--- more_headers
X-Forwarded-For: 192.0.2.1
X-Real-IP: 192.0.2.1
Forwarded: for=192.0.2.1
--- request
GET /payment?reference=1
--- error_code: 403



=== TEST 21: a client with a listed address is allowed
--- config perl: operations(payer_allow => '192.0.2.0/24 127.0.0.0/8')
--- request
GET /payment?reference=1
--- error_code: 404



=== TEST 22: payer_allow all allows all clients
--- config perl: operations(payer_allow => 'all')
--- request
GET /payment?reference=1
--- error_code: 404



=== TEST 23: a client with a listed IPv6 address is allowed
--- http_config perl
"server { listen [::1]:$ENV{TEST_NGINX_SERVER_PORT}; "
    . payer_server() . operations(payer_allow => '::1') . "}"
--- config perl: operations(payer_allow => '::1')
--- request
GET /payment?reference=1
--- error_code: 403
--- then
my $url = "http://[::1]:" . nginx_port() . "/payment?reference=1";
is(`curl -gs -o /dev/null -w '%{http_code}' '$url'`, 404, 'by its own address');



=== TEST 24: payer_allow unix: allows clients of a UNIX-domain socket
--- http_config perl
"server { listen unix:$ENV{TEST_NGINX_DIR}/s; "
    . payer_server() . operations(payer_allow => 'unix:') . "}"
--- config perl: operations(payer_allow => 'unix:')
--- request
GET /payment?reference=1
--- error_code: 403
--- then
my $code = `curl -s -o /dev/null -w '%{http_code}' --unix-socket $ENV{TEST_NGINX_DIR}/s 'http://a/payment?reference=1'`;
is($code, 404, 'through the socket');



=== TEST 25: payer_allow internal does not allow a request redirected by error_page
--- config perl
'location = /door { error_page 418 = /payment?reference=1; return 418; }'
    . operations(payer_allow => 'internal')
--- request
GET /payment?reference=1
--- error_code: 403
--- then
is(get('/door')->status, 403, 'an error page is a rule');



=== TEST 26: invalid parameters are rejected with their name and without a call
--- config perl: operations()
--- request
GET /
--- then
for (
    [ 'nothing',              {},                                   'reference or paymentId' ],
    [ 'an empty reference',   { reference => '' },                  'reference' ],
    [ 'a reference too long', { reference => 'x' x 256 },           'reference' ],
    [ 'a line break',         { reference => "a\nb" },              'reference' ],
    [ 'an id of another kind', { paymentId => '../1' },             'paymentId' ],
    [ 'an id too long',       { paymentId => 'x' x 65 },            'paymentId' ],
    [ 'an amount of 0',       { reference => '1', amount => 0 },    'amount' ],
    [ 'below 0',              { reference => '1', amount => -1 },   'amount' ],
    [ 'a fraction',           { reference => '1', amount => 1.5 },  'amount' ],
    [ 'an amount of text',    { reference => '1', amount => '100' }, 'amount' ],
    [ 'an amount of null',    { reference => '1', amount => undef }, 'amount' ],
    [ 'a list for a text',    { reference => ['1'] },               'reference' ],
    [ 'a flag of text',       { reference => '1', releaseRemainingFunds => 'yes' }, 'releaseRemainingFunds' ],
    [ 'a misspelling',        { reference => '1', Amount => 5 },    'amount' ],
    ) {
    my ($what, $params, $names) = @$_;
    my $r = post('/capture', json => $params);

    is($r->status, 400, $what);
    like($r->json->{detail}, qr/$names/, 'and what is wrong with it');
    is($r->json->{operation}, 'capture', 'in which operation');
}

for (
    [ 'an amount of text',   'reference=1&amount=ten' ],
    [ 'an empty amount',     'reference=1&amount=' ],
    [ 'a reference twice',   'reference=1&reference=2' ],
    [ 'broken escapes',      'reference=%zz' ],
    [ 'an amount too large', 'reference=1&amount=9223372036854775808' ],
    ) {
    my ($what, $query) = @$_;
    my $r = post("/capture?$query");
    is($r->status, 400, "$what in the query");
    ok(length $r->json->{detail}, 'and what is wrong with it');
}

my $json = { 'Content-Type' => 'application/json' };
for ('[1]', '"a"', '{', '{"reference":"1"} x', '{"reference":"1","reference":"2"}',
    '{"reference":"1","amount":1e3}', '{"reference":"1","amount":1.0}')
{
    is(post('/capture', body => $_, headers => $json)->status, 400, $_);
}
--- calls: none



=== TEST 27: parameters of other operations are rejected
--- config perl: operations()
--- request
GET /
--- then
for (
    [ PUT  => 'cancel',  'amount' ],
    [ PUT  => 'release', 'amount' ],
    [ PUT  => 'cancel',  'transactionDescription' ],
    [ POST => 'refund',  'releaseRemainingFunds' ],
    [ GET  => 'payment', 'amount' ],
    ) {
    my ($method, $name, $field) = @$_;
    my $value = $field =~ /^rel/ ? 'true' : 1;
    my $r = request($method, "/$name?reference=1&$field=$value");
    is($r->status, 400, "$name takes no $field");
    like($r->json->{detail}, qr/^$field is not a parameter of this operation/, 'and says so');
}
--- calls: none



=== TEST 28: a refund without an amount reads the payment and refunds the remaining amount
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
is(post('/refund', json => { reference => '1' })->status, 409, 'nothing was captured');
post('/capture', json => { reference => '1', amount => 10000 });
post('/refund', json => { reference => '1', amount => 2500 });
is(post('/refund', json => { reference => '1' }, headers => { 'Idempotency-Key' => 'all' })->status, 200, 'refunded');
is(post('/refund', json => { reference => '1' }, headers => { 'Idempotency-Key' => 'all' })->status, 200, 'the same again');
my $r = post('/refund', json => { reference => '1' });
is($r->status, 409, 'nothing is left');
like($r->json->{detail}, qr/nothing of the payment is left/, 'which is said');
is($r->header('Retry-After'), undef, 'and no repeat changes that');
--- sent
refund: "amount":7500\b
!refund: ^\{\}
--- books
1: captured=10000 refunded=10000



=== TEST 29: a body of another content type is rejected
--- config perl: operations()
--- request
GET /
--- then
for my $type ('text/plain', 'application/xml', 'application/jsonp', 'multipart/form-data; boundary=x') {
    my $r = post('/capture', body => '{"reference":"1"}', headers => { 'Content-Type' => $type });
    is($r->status, 415, $type);
    is($r->json->{status}, 415, 'a problem');
}

is(post('/capture', body => '{"reference":"1"}')->status, 415, 'no type at all');
is(post('/capture', body => '{"reference":"1"}',
    headers => { 'Content-Type' => 'Application/JSON; charset=utf-8' })->status, 404, 'the right one in any case');
--- calls: none



=== TEST 30: a body that is too large is rejected
--- config perl: operations()
--- request
GET /
--- then
my $r = post('/capture', json => { reference => '1', transactionDescription => 'x' x 70000 });
is($r->status, 413, 'too large');
is($r->json->{status}, 413, 'a problem');
$r = post('/capture', json => { reference => '1', transactionDescription => 'x' x 60000 });
is($r->status, 404, 'and large is not too large');
--- calls: none



=== TEST 31: a body that arrives in pieces is read completely
--- config perl: checkout() . operations(client_body_buffer_size => '16')
--- request
GET /
--- then
paid('1');
my $body = '{"reference":"1","amount":400,"transactionDescription":"' . 'x' x 3000 . '"}';
my $r = post('/capture', body => $body, chunked => 500, headers => { 'Content-Type' => 'application/json' });
is($r->status, 200, 'done');
--- books
1: captured=400



=== TEST 32: an error of Payer is returned as a problem
--- config perl: checkout() . operations(payer_tries => 1)
--- request
GET /
--- then
my $id = paid('1');
faults('capture: status=403 body={"message":"no"}');
my $r = post('/capture', json => { reference => '1' });
is($r->status, 502, 'our credentials are not the caller\'s');
is($r->json->{payerStatus}, 403, "what Payer said");
is($r->json->{message}, 'no', 'and its words');
is($r->json->{paymentId}, $id, 'on which payment');

faults('read: status=500');
$r = get('/payment?reference=1');
is($r->status, 502, 'a read that failed');
ok(!$r->json->{type}, 'is nothing unknown');

faults('read: status=429 headers={"Retry-After":"7"}');
$r = get('/payment?reference=1');
is($r->status, 503, 'a Payer that is busy');
is($r->header('Retry-After'), 7, 'says when');



=== TEST 33: an operation with an unknown outcome returns outcome-unknown
--- config perl: checkout() . operations(payer_timeout => '300ms')
--- request
GET /
--- then
my $id = paid('1');
faults('capture: silence');
my $r = post('/capture', json => { reference => '1' });
is($r->status, 504, 'no answer in time');
my $p = $r->json;
is($r->header('Content-Type'), 'application/problem+json', 'a problem');
like($p->{type}, qr/outcome-unknown/, 'of this type');
is($p->{status}, 504, 'status');
is($p->{operation}, 'capture', 'operation');
is($p->{paymentId}, $id, 'payment');
is($p->{requestId}, $r->header('Payer-Request-Id'), 'the request that can be asked for');
like($p->{requestId}, qr/^[0-9a-f-]{36}$/, 'by its id');



=== TEST 34: an operation whose reply was lost is sent again with the same id and read back
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
faults('capture: lost-reply');
my $r = post('/capture', json => { reference => '1', amount => 400 });
is($r->status, 200, 'it is known to be done');
my @ids = map { /^payer-request-id: (\S+)$/mi } sent('capture');
is(@ids, 2, 'it was sent twice');
is($ids[1], $ids[0], 'with one id');
--- calls
token: 1
create: 1
capture: 2
read: 1
--- books
1: captured=400



=== TEST 35: the same Idempotency-Key has the same Payer-Request-ID
--- config perl: checkout() . operations(payer_timeout => '300ms', payer_tries => 1)
--- request
GET /
--- then
paid('1');
my %once = (json => { reference => '1', amount => 400 },
    headers => { 'Idempotency-Key' => 'order-1-capture' });
faults('capture: reset', 'capture: reset');
post('/capture', %once) for 1 .. 2;
my $r = post('/capture', %once);
is($r->status, 200, 'at last');
my @ids = map { /^payer-request-id: (\S+)$/mi } sent('capture');
is(scalar(keys %{{ map { $_ => 1 } @ids }}), 1, 'all were one request');
--- books
1: captured=400



=== TEST 36: two operations without a key have different Payer-Request-IDs
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
my @r = map { post('/capture', json => { reference => '1', amount => 400 }) } 1 .. 2;
is($_->status, 200, 'done') for @r;
isnt($r[0]->header('Payer-Request-Id'), $r[1]->header('Payer-Request-Id'), 'each has its id');
--- books
1: captured=800



=== TEST 37: an operation in a mirror subrequest is not executed
--- config perl
'location = /real { mirror /capture; proxy_pass http://payer/nothing; }'
    . operations(payer_allow => 'all')
--- request
POST /real?reference=1
--- error_code: 404
--- calls
unknown: 1



=== TEST 38: a merchant cannot use payments of another merchant
--- config perl
checkout() . operations() . checkout('= /other', payer_client_id => '4712')
--- before
sim_config(merchants => { 4712 => 'api-key-of-the-test-merchant' });
--- request
GET /other?order=1
--- error_code: 303
--- then
is(get('/payment?reference=1')->status, 404, 'not by its reference');
is(get('/payment?paymentId=' . payment('1'))->status, 404, 'nor by its id');



=== TEST 39: payer_path changes the path of an operation
--- config perl
checkout() . operations(payer_path => 'cancel "/api/v3/{paymentId}/void"')
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $id = payment('1');
request(PUT => '/cancel?reference=1');
like((sent('unknown'))[0], qr{^PUT /api/v3/\Q$id\E/void$}m, 'with the id in its place');



=== TEST 40: a refund without a description is sent with one, and a capture without
--- config perl: checkout() . operations()
--- request
GET /
--- then
paid('1');
sim_config(description => 'required');
is(post('/capture', json => { reference => '1' })->status, 200, 'captured');
is(post('/refund', json => { reference => '1', amount => 900 })->status, 200, 'refunded');
is(post('/refund', json => { reference => '1', amount => 900, transactionDescription => '' })->status,
    200, 'an empty one, too');
is(post('/refund', json => { reference => '1', amount => 900, transactionDescription => 'broken' })->status,
    200, "and with the shop's own");
--- sent
refund: "transactionDescription":"Refund"
refund: "transactionDescription":"broken"
!refund: "transactionDescription":""
!capture: transactionDescription



=== TEST 41: the payment read by payer_payment is stored with the order
--- config perl: checkout() . operations()
--- request
GET /
--- then
my $id = paid('1');
is(get('/payment?reference=1')->json->{payment}{status}, 'AUTHORIZED', 'read');
like(get('/checkout?order=1')->header('Location'), qr{/thanks}, 'the order is paid');

paid('2');
is(get('/payment?paymentId=' . payment('2'))->status, 200, 'read by its payment');
like(get('/checkout?order=2')->header('Location'), qr{/thanks}, 'that order, too');
--- calls
token: 1
create: 2
read: 2



=== TEST 42: the detail of an invalid body or query names what is invalid
--- config perl: operations()
--- request
GET /
--- then
our %json = ('Content-Type' => 'application/json');
is(post('/capture', body => '{', headers => {%json})->json->{detail}, 'the body is not JSON', 'not JSON');
is(post('/capture', body => '[]', headers => {%json})->json->{detail}, 'the body is not a JSON object', 'not an object');
is(post('/capture?reference=%zz')->json->{detail}, 'the query is not a form', 'not a form');
is(post('/capture', json => { reference => 1 })->json->{detail}, 'reference is not a text', 'a parameter has its name');
--- calls: none
