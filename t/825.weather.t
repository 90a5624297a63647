# What a wrong clock and a bad disk do to one order at a time; under load they
# come in t/820.storm-weather.t.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Test;
use Payer::Conf;
use Payer::Life;

master_on();
workers(2);

our ($day, $year) = (86400, 365 * 86400);

run_payer_tests();

__DATA__

=== TEST 1: a clock that leaps ahead by a year and comes back forgets nothing
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $first = books('1')->{url};
clock_is_off($::year);
get("/checkout?order=other-$_") for 1 .. 20;
like(error_log_text(), qr/the clock leapt ahead/, 'nginx noticed');
clock_is_off(0);

is(get('/checkout?order=1')->header('Location'), $first, 'the link is known');



=== TEST 2: the memory store, too, when it is full
--- bare
--- http_config perl: payer_http() =~ s/payer_store .*?;/payer_store memory;/r =~ s/payer 1m/payer 64k/r
--- config perl: payer_server() . checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $first = books('1')->{url};
clock_is_off($::year);
my $n = 0;
1 while $n++ < 200 && get("/checkout?order=other-$n")->status == 303;
cmp_ok($n, '<', 200, 'it is full');
clock_is_off(0);

is(get('/checkout?order=1')->header('Location'), $first, 'the link is known');



=== TEST 3: a link from the future is replaced, as nobody knows how old it is
--- before
clock_is_off(2 * $::day);
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $first = books('1')->{url};
clock_is_off($::day + 3600);
is(get('/checkout?order=1')->header('Location'), $first, 'a day is nothing');

clock_is_off(0);
is(get('/checkout?order=1')->status, 303, 'two days are');
my ($old, $new) = links('1');
is($old->{status}, 'CANCELLED', 'the old one is dead');
is($new->{status}, 'INITIATED', 'the new one is alive');



=== TEST 4: a capture whose outcome cannot be stored is a capture, and is logged
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my %capture = (json => { reference => '1', amount => 4000 }, headers => { 'Idempotency-Key' => 'once' });

pay('1');
faults('capture: delay_after=1');
my $child = fork // die "fork: $!\n";

if ($child == 0) {
    wait_until(sub { calls()->{capture} });
    disk_is_broken();
    POSIX::_exit(0);
}

my $r = post('/capture', %capture);
waitpid $child, 0;

is($r->status, 200, 'as Payer has captured');
like(error_log_text(), qr{the outcome of "operation/.*/capture/once" could not be stored}, 'the log says what the record lacks');

disk_is_good();
is(post('/capture', %capture)->status, 200, 'the repeat');
is(books('1')->{captured}, 4000, 'does not capture it again');
is(post('/capture', %capture)->header('Idempotency-Replayed'), 'true', 'and has found out how it went');
