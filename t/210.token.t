# The bearer token: requested once, shared by all worker processes, and not
# disclosed.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use IO::Socket::INET;
use MIME::Base64 ();

master_on();
workers(4);

run_payer_tests();

__DATA__

=== TEST 1: one token is requested for 100 checkouts in 4 worker processes
--- config perl: checkout()
--- request
GET /
--- after
is(scalar worker_pids(), 4, 'four workers');

my @r = together(map { [ GET => "/checkout?order=$_" ] } 1 .. 100);

is((grep { $_->status == 303 } @r), 100, 'all have a link');
is(calls()->{token}, 1, 'one token');
is(calls()->{create}, 100, 'and a hundred links');


=== TEST 2: simultaneous first requests wait for one token request
--- config perl: checkout()
--- faults
token: delay=0.4
--- request
GET /
--- after
my @r = together(map { [ GET => "/checkout?order=$_" ] } 1 .. 20);

is((grep { $_->status == 303 } @r), 20, 'all have a link');
is(calls()->{token}, 1, 'one token');
cmp_ok($_->time, '>=', 0.35, 'who came with the others waited') for $r[0];


=== TEST 3: a token is kept after a reload
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
reload();
is(get('/checkout?order=2')->status, 303, 'a link by new workers');
is(calls()->{token}, 1, 'with the old token');


=== TEST 4: a token that is about to expire is renewed by one request, while others use the old one
--- config perl: checkout()
--- before
sim_config(token_ttl => 1000, expires_in => 5);
--- request
GET /checkout?order=1
--- error_code: 303
--- after
# It is renewed in the last tenth of its life, and used up to the last fiftieth.
select undef, undef, undef, 4.55;
faults('token: delay=0.6');

my @r = together(map { [ GET => "/checkout?order=a$_" ] } 1 .. 10);

is((grep { $_->status == 303 } @r), 10, 'all have a link');
is(calls()->{token}, 2, 'one of them asked for a new token');
is((grep { $_->time > 0.5 } @r), 1, 'and no other waited for it');


=== TEST 5: an expired token is not used
--- config perl: checkout()
--- before
sim_config(expires_in => 1);
--- request
GET /checkout?order=1
--- error_code: 303
--- after
select undef, undef, undef, 1;
is(get('/checkout?order=2')->status, 303, 'a link');
is(calls()->{token}, 2, 'by another token');
is(calls()->{create}, 2, 'which was good at once');


=== TEST 6: a token without expires_in is cached
--- config perl: checkout()
--- before
sim_config(expires_in => undef);
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/checkout?order=2')->status, 303, 'a link');
is(calls()->{token}, 1, 'by the same token');


=== TEST 7: a token with expires_in of 0 or of a very large value is accepted
--- config perl: checkout()
--- before
sim_config(expires_in => 0);
--- request
GET /checkout?order=1
--- error_code: 303
--- after
sim_config(expires_in => 99999999999);
revoke();
is(get('/checkout?order=2')->status, 303, 'a link');


=== TEST 8: expires_in that is not a number is ignored
--- config perl: checkout()
--- before
sim_config(expires_in => 'soon');
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/checkout?order=2')->status, 303, 'a link');
is(calls()->{token}, 1, 'by the same token');


=== TEST 9: a revoked token is replaced and the call is sent again
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
revoke();
is(get('/checkout?order=2')->status, 303, 'a link all the same');
is(calls()->{token}, 2, 'with a new token');
is(calls()->{create}, 3, 'by a second call');

my @ids = map { /^payer-request-id: (\S+)$/mi } sent('create');
is($ids[2], $ids[1], 'with the same id');


=== TEST 10: simultaneous 401 replies request one new token
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
revoke();
my @r = together(map { [ GET => "/checkout?order=b$_" ] } 1 .. 20);
is((grep { $_->status == 303 } @r), 20, 'all have a link');
is(calls()->{token}, 2, 'with one new token');


=== TEST 11: a second 401 for one call is the final result
--- config perl: checkout()
--- faults
create: status=401 times=0 body={}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
payerStatus: ^401$
--- calls
token: 2
create: 2


=== TEST 12: a 401 does not count as one of payer_tries
--- config perl: checkout(payer_tries => 1)
--- faults
create: status=401 body={}
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 2
create: 2


=== TEST 13: wrong credentials are logged at the error level
--- config perl
checkout(payer_client_id => '4712')
--- request
GET /checkout?order=1
--- error_code: 502
--- json
detail: no token
--- calls
token: 1
--- error_log
payer: the token request of client "4712" was refused, status 401


=== TEST 14: requests that waited for a failed token request are answered, and the next request asks again
--- config perl: checkout()
--- faults
token: delay=0.3 status=500
--- request
GET /
--- after
my @r = together(map { [ GET => "/checkout?order=$_" ] } 1 .. 10);

is((grep { $_->status == 502 } @r), 10, 'no token for any of them');
is(calls()->{token}, 1, 'they did not all ask');
is(get('/checkout?order=11')->status, 303, 'the next one did');
is(calls()->{token}, 2, 'once');


=== TEST 15: requests that waited for a token until payer_timeout are answered
--- config perl: checkout(payer_timeout => '500ms')
--- faults
token: silence
--- request
GET /
--- after
my @r = together(map { [ GET => "/checkout?order=$_" ] } 1 .. 6);

is((grep { $_->status == 504 } @r), 6, 'too late for all of them');
cmp_ok($_->time, '<', 2, 'but not later') for @r;
is(get('/checkout?order=7')->status, 303, 'the next one asked again');


=== TEST 16: a valid token is used if its renewal fails
--- config perl: checkout()
--- before
sim_config(token_ttl => 1000, expires_in => 5);
--- request
GET /checkout?order=1
--- error_code: 303
--- after
select undef, undef, undef, 4.55;
faults('token: status=500 times=0');

is(get("/checkout?order=c$_")->status, 303, 'a link') for 1 .. 3;
cmp_ok(calls()->{token}, '<', 4, 'without asking for each of them');
like(error_log_text(), qr/payer: the token request of client "4711" was refused, status 500/,
    'the operator is told');


=== TEST 17: a token lease of a killed worker process expires
--- config perl: checkout(payer_timeout => '300ms')
--- faults
token: silence
--- request
GET /
--- timeout: 12
--- after
my @before = worker_pids();
my $buyer = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . nginx_port());
print $buyer "GET /checkout?order=1 HTTP/1.1\r\nHost: a\r\n\r\n";
wait_until(sub { calls()->{token} });
kill 'KILL', @before;

ok(wait_until(sub {
    my @now = worker_pids();
    my %old = map { $_ => 1 } @before;
    return @now == 4 && !grep { $old{$_} } @now;
}), 'the master has started other workers');

# a lease outlives the longest fetch by five seconds
ok(wait_until(sub { get('/checkout?order=2')->status == 303 }, 8),
    'the lease of the dead one runs out');
--- alert
exited on signal 9


=== TEST 18: two merchants have separate tokens
--- config perl
write_file('other.secret', "other\n", 0600);
checkout() . checkout('= /other', payer_client_id => '4712',
    payer_client_secret_file => "$ENV{TEST_NGINX_DIR}/other.secret")
--- before
sim_config(merchants => { 4712 => 'other' });
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/other?order=1')->status, 303, 'the other merchant has a link');
is(calls()->{token}, 2, 'by a token of its own');

my ($first, $second) = @{ sim('GET', 'books')->{payments} };
is($first->{agent}, 4711, 'the first link is the first merchant\'s');
is($second->{agent}, 4712, 'the second is the other\'s, of the same order');


=== TEST 19: two locations of one merchant share a token
--- config perl: checkout() . checkout('= /other', payer_currency => 'NOK')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/other?order=2')->status, 303, 'a link');
is(calls()->{token}, 1, 'by the same token');


=== TEST 20: a changed secret requests a new token
--- config perl
write_file('turn.secret', "api-key-of-the-test-merchant\n", 0600);
checkout(payer_client_secret_file => "$ENV{TEST_NGINX_DIR}/turn.secret")
--- request
GET /checkout?order=1
--- error_code: 303
--- after
write_file('turn.secret', "no-longer-this\n", 0600);
reload();
is(get('/checkout?order=2')->status, 502, 'the old token is not that of the new secret');
is(calls()->{token}, 2, 'so it was asked for');


=== TEST 21: a token above the size limit is rejected
--- config perl: checkout()
--- before
faults({ match => 'token', action => 'reply',
    body => { access_token => 'x' x 20000, expires_in => 60 } });
--- request
GET /checkout?order=1
--- error_code: 502
--- error_log
payer: the token request of client "4711" got a reply that has too large a token, status 200


=== TEST 22: a token of several kilobytes is accepted
--- config perl: checkout()
--- before
faults({ match => 'token', action => 'reply',
    body => { access_token => 'x' x 2000, expires_in => 60 } },
    { match => 'create', action => 'edit', status => 200,
        body => { paymentId => 'p1', url => 'https://a.example/' } });
--- request
GET /checkout?order=1
--- error_code: 303
--- sent
create: ^(?i:authorization): Bearer x{2000}$


=== TEST 23: a token with a line break is rejected
--- config perl: checkout()
--- before
faults({ match => 'token', action => 'reply',
    body => { access_token => "x\r\nX-Evil: 1", expires_in => 60 } });
--- request
GET /checkout?order=1
--- error_code: 502
--- calls
token: 1


=== TEST 24: payer_path token sets the path of the token request
--- config perl: checkout(payer_path => 'token /login/token')
--- request
GET /checkout?order=1
--- error_code: 502
--- sent
unknown: ^POST /login/token$


=== TEST 25: the secret and the token are not in any log, also at the debug level
--- config perl: checkout() . operations()
--- log_level: debug
--- request
GET /checkout?order=1
--- error_code: 303
--- after
revoke();
faults('create: status=500', 'token: skip=1 status=500');
get('/checkout?order=2');
post('/capture', form => { reference => 1, amount => 1 });
revoke();
faults('token: status=500 times=0');
get('/checkout?order=3');

my $log = error_log_text();
my ($agent, $secret) = merchant();
my $basic = MIME::Base64::encode_base64("$agent:$secret", '');
my @tokens = map { /^authorization: Bearer (\S+)$/mi } map { sent($_) }
    qw(create capture);

cmp_ok(@tokens, '>=', 3, 'tokens were used');
like($log, qr/\[debug\]/, 'the log is at level debug');

for my $word ($secret, $basic, $basic =~ s/=+$//r,
    MIME::Base64::encode_base64($secret, '') =~ s/=+$//r, @tokens)
{
    is(index($log, $word), -1, 'a secret is not in the log');
}

my $link = books('1')->{url};
like($link, qr{^http}, 'there is a payment page');
is(index($log, $link), -1, 'nor is its address');



=== TEST 26: 503 is returned if the token endpoint is too busy
--- config perl: checkout()
--- faults
token: status=429 headers={"Retry-After":"7"}
token: status=408
--- request
GET /checkout?order=1
--- error_code: 503
--- response_headers
Retry-After: 7
--- json
detail: no token
payerStatus: ^429$
--- error_log
payer: the token request of client "4711" was refused temporarily, status 429
--- after
my $r = get('/checkout?order=1');
is($r->status, 503, '408, too');
is($r->header('Retry-After'), 1, 'in a moment');
is(get('/checkout?order=1')->status, 303, 'then there is one');
