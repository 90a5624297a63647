# Statements of docs/directives.md and docs/variables.md that no other test
# covers.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: payer_verify_wait waits until Payer has updated the status
--- config perl
checkout() . 'location = /thanks {
    payer_verify       $arg_order;
    payer_verify_wait  5s;
    try_files          /dev/null @thanks;
}
location @thanks { payer_verify off; return 200 "thank you\n"; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
faults({ match => 'read', times => 2, action => 'edit',
    set => { 'payment.status' => 'INITIATED' } });
is(get('/thanks?order=1')->body, "thank you\n", 'let in');
--- calls
token: 1
create: 1
read: 3


=== TEST 2: without payer_verify_wait 402 is returned immediately
--- config perl
checkout() . 'location = /thanks {
    payer_verify  $arg_order;
    try_files     /dev/null @thanks;
}
location @thanks { payer_verify off; return 200 "thank you\n"; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
faults({ match => 'read', times => 2, action => 'edit',
    set => { 'payment.status' => 'INITIATED' } });
is(get('/thanks?order=1')->status, 402, 'not let in');
--- calls
token: 1
create: 1
read: 1


=== TEST 3: a relative path of payer_client_secret_file starts at the directory of nginx.conf
--- config perl
write_file('relative.secret', (merchant())[1] . "\n", 0600);
checkout(payer_client_secret_file => '../../relative.secret')
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 4: an unknown parameter of an operation is rejected
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
for my $r (post('/capture', form => { reference => '1', amout => 100 }),
           post('/capture', json => { reference => '1', amout => 100 }),
           post('/capture?reference=1&amout=100'))
{
    is($r->status, 400, 'refused');
    like($r->json->{detail}, qr/name is not known/, 'and it says why');
}
--- books
1: captured=0


=== TEST 5: $payer_captured_amount and $payer_request_id are set by a capture
--- config perl
checkout() . operations(
    add_header => '"X-Seen" "$payer_operation $payer_captured_amount $payer_request_id"'
)
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
my $r = post('/capture', form => { reference => '1', amount => '500' });
is($r->header('X-Seen'), 'capture 500 ' . $r->header('Payer-Request-Id'),
    '$payer_captured_amount and $payer_request_id');
my ($sent) = sent('capture');
my $id = $r->header('Payer-Request-Id');
like($sent, qr/^payer-request-id: \Q$id\E$/mi, 'which Payer has seen');


=== TEST 6: $payer_api_time is the time spent waiting for Payer in seconds
--- config perl
checkout(add_header => '"X-Time" "$payer_api_time" always')
--- faults
create: none delay=0.2
--- request
GET /checkout?order=1
--- error_code: 303
--- response_headers_like
X-Time: 0\.[2-9]\d\d


=== TEST 7: $payer_api_host is set in the request that makes the call only
--- config perl
checkout(add_header => '"X-Host" "[$payer_api_host]"')
. 'location = /other { return 200 "[$payer_api_host]\n"; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- response_headers
X-Host: [127.0.0.1]
--- then
is(get('/other')->body, "[]\n", 'elsewhere it is empty');


=== TEST 8: payer_max_amount is inclusive, and payer_link_ttl replaces an old link
--- config perl
checkout(payer_max_amount => '12900', payer_link_ttl => '1s',
    add_header => '"X-Link" "$payer_link"')
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $replaced = sub { get('/checkout?order=1')->header('X-Link') eq 'replaced' };
ok(wait_until($replaced, 5), 'replaced');
--- books
1: links=2 liveLinks=1
