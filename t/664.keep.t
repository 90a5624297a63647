# payer_keep: how long records are kept.

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Test;
use Payer::Conf;

my $now;

# The days go by one after the other, for nothing is dropped when the clock
# leaps; each day has a write, which drops a little of what may go.

sub days {
    my ($days) = @_;

    for (1 .. $days * 24 / 12) {
        $now += 12 * 3600;
        clock_is_off($now);
        get("/checkout?order=other-$now");
    }
}

add_block_preprocessor(sub { clock_is_off($now = 0) });

run_payer_tests();

__DATA__

=== TEST 1: payer_keep unpaid sets how long an unpaid order is kept
--- config perl: 'payer_keep unpaid=200d;' . checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
days(120);
is(post('/capture', json => { reference => '1' })->status, 400, 'it is known, and not paid');



=== TEST 2: without payer_keep an unpaid order is deleted and a paid one is kept
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
get('/checkout?order=2');
pay('2');
is(post('/capture', json => { reference => '2', amount => 100 })->status, 200, 'paid');
days(100);
is(post('/capture', json => { reference => '1' })->status, 404, 'unpaid');
is(get('/payment?reference=2')->status, 200, 'paid');



=== TEST 3: payer_keep paid sets how long a paid order is kept
--- config perl: 'payer_keep paid=50d;' . checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
is(post('/capture', json => { reference => '1', amount => 100 })->status, 200, 'paid');
days(48);
is(post('/refund', json => { reference => '1', amount => 10 })->status, 200, 'before that it is known');
days(100);
is(post('/refund', json => { reference => '1', amount => 10 })->status, 404, 'then it is forgotten');



=== TEST 4: payer_keep operations sets how long an operation is replayed
--- config perl: 'payer_keep operations=120d;' . checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
my @call = ('/capture', headers => { 'Idempotency-Key' => 'k' }, json => { reference => '1', amount => 100 });
is(post(@call)->status, 200, 'captured');
days(95);
is(post(@call)->header('Idempotency-Replayed'), 'true', 'after more than 90 days');
--- books
1: captured=100



=== TEST 5: order/erase does not extend the time for which an operation is kept
--- config perl
'payer_keep operations=4d; server_name localhost;' . checkout() . operations() . '
location /office/ { payer_office; payer_allow 127.0.0.1; payer_office_operate 1; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
my $capture = sub {
    my ($key) = @_;
    return post('/capture', headers => { 'Idempotency-Key' => $key }, json => { reference => '1', amount => 100 });
};
is($capture->('k')->status, 200, 'captured');
days(3);
my $r = post('/office/order/erase', headers => { Host => 'localhost', 'X-Payer-Office' => 1 }, json => { reference => '1' });
is($r->status, 200, 'erased');
is($capture->('k')->header('Idempotency-Replayed'), 'true', 'the repeat has its answer');
days(3);
is($capture->('k')->header('Idempotency-Replayed'), undef, 'and none after the time that it was to stay');
