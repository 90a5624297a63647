# What docs/directives.md and docs/variables.md state and no other test of a
# room shows.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: payer_verify_wait lets the buyer in who is faster than Payer's books
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


=== TEST 2: and without it answers at once
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


=== TEST 3: the secret's relative path begins at the directory of nginx.conf
--- config perl
write_file('relative.secret', (merchant())[1] . "\n", 0600);
checkout(payer_client_secret_file => '../../relative.secret')
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 4: a parameter whose name is not known is refused
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


=== TEST 5: what is captured, and by which request
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


=== TEST 6: the time that Payer took, in seconds
--- config perl
checkout(add_header => '"X-Time" "$payer_api_time" always')
--- faults
create: none delay=0.2
--- request
GET /checkout?order=1
--- error_code: 303
--- response_headers_like
X-Time: 0\.[2-9]\d\d


=== TEST 7: Payer's name is known to the request that calls it, and to no other
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


=== TEST 8: a constant maximum is inclusive, and a link of another age is replaced
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
