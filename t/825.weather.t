# The effect of a wrong clock and a failing disk on one order at a time;
# t/820.storm-weather.t tests them under load.

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

# The files are root's, or else those of who runs the tests.

my $nobody = join ' ', 'nobody', scalar getgrgid((getpwnam 'nobody')[3]);

sub take_store_away { change_user('root', $nobody, 0400) }
sub give_store_back { change_user($nobody, 'root', 0600) }

sub change_user {
    my ($from, $to, $mode) = @_;

    my $file = $Test::Nginx::Util::ConfFile;
    my $conf = do { local (@ARGV, $/) = $file; <> };

    $conf =~ s/^user $from;/user $to;/m
        ? write_file($file, $conf)
        : chmod $mode, work_dir() . '/payments/data.mdb';
}

run_payer_tests();

__DATA__

=== TEST 1: no record is deleted when the clock jumps ahead by a year and back
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $first = books('1')->{url};
clock_is_off($::year);
get("/checkout?order=other-$_") for 1 .. 20;
like(error_log_text(), qr/the clock jumped ahead/, 'nginx noticed');
restart('KILL');
get("/checkout?order=more-$_") for 1 .. 20;
clock_is_off(0);

is(get('/checkout?order=1')->header('Location'), $first, 'the link is known');



=== TEST 2: a full memory store deletes no valid record when the clock jumps ahead by a year and back
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



=== TEST 3: a link with a creation time in the future is replaced
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



=== TEST 4: a capture whose outcome cannot be stored is returned and logged
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



=== TEST 5: with a failing disk new orders are not sent, and stored links are presented
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $first = books('1')->{url};
my %capture = (json => { reference => '1', amount => 4000 }, headers => { 'Idempotency-Key' => 'once' });

disk_is_broken();
is(get('/checkout?order=2')->status, 503, 'no link for another order');
is(post('/capture', %capture)->status, 503, 'no operation');
is(get('/checkout?order=1')->header('Location'), $first, 'the link that is known');
is(calls()->{create}, 1, 'Payer was not called');
is(calls()->{capture}, undef, 'for either');
like(error_log_text(), qr{1 of 1 writes failed, "order/4711/2" among them: }, 'the log says why');

disk_is_good();
is(get('/checkout?order=2')->status, 303, 'at once when the disk is good again');



=== TEST 6: a reload is rejected if the store is not writable for the worker processes
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $first = books('1')->{url};
my @workers = worker_pids();

take_store_away();
kill 'HUP', nginx_pid();
ok(wait_until(sub { error_log_text() =~ /is not writable for the user of the workers \(13: / }), 'a reload is refused');
is_deeply([ worker_pids() ], \@workers, 'the old workers stay');
is(get('/checkout?order=2')->status, 303, 'and write');

give_store_back();
ok(reload(), 'then new ones come');
is(get('/checkout?order=3')->status, 303, 'and write');
is(calls()->{token}, 1, 'with the token of the old ones');

take_store_away();
ok(!eval { restart('QUIT'); 1 }, 'nginx does not start with them, either');
give_store_back();
start();
is(get('/checkout?order=1')->header('Location'), $first, 'and then it does');
--- alert: is not writable



=== TEST 7: a reload corrects the mode of the store's directory
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
chmod 0, work_dir() . '/payments' or die "chmod: $!\n";
reload();
is(get('/checkout?order=2')->status, 303, 'by a reload');
is((stat work_dir() . '/payments')[2] & 0777, 0700, 'which makes it theirs');



=== TEST 8: an empty data.mdb of a full disk is not reported as damaged
--- before
mkdir work_dir() . '/payments';
write_file(work_dir() . '/payments/data.mdb', '', 0600);
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303



=== TEST 9: a capture of a killed worker process is settled after the clock was set back
--- config perl: checkout() . operations() . 'location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my %capture = (json => { reference => '1', amount => 4000 }, headers => { 'Idempotency-Key' => 'once' });

clock_is_off($::year);
pay('1');
faults('capture: delay_after=3');

killed(sub {
    my @workers = worker_pids();
    my $child = fork // die "fork: $!\n";

    if ($child == 0) {
        wait_until(sub { calls()->{capture} });
        kill 'KILL', @workers;
        POSIX::_exit(0);
    }

    is(post('/capture', %capture)->status, 0, 'no answer');
    waitpid $child, 0;
});

sim('DELETE', 'faults');
clock_is_off(0);
reconcile('/reconcile');
is(books('1')->{captured}, 4000, 'Payer has captured');
is(post('/capture', %capture)->header('Idempotency-Replayed'), 'true', 'and the record knows');
--- alert: exited on signal 9



=== TEST 10: an operation without a token does not report a failure of the store
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
restart('KILL');
faults('token: status=500 times=0');
is(post('/capture?reference=1')->status, 502, 'no token, no capture');
is(post('/capture', json => { reference => '1' }, headers => { 'Idempotency-Key' => 'k' })->status, 502, 'with a key, too');
unlike(error_log_text(), qr{could not be stored}, 'nothing was wrong with the store');



=== TEST 11: no record is deleted when nginx starts with a clock that is 400 days ahead
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $first = books('1')->{url};
clock_is_off(400 * $::day);
restart('KILL');
get("/checkout?order=other-$_") for 1 .. 20;
restart('KILL');
get("/checkout?order=more-$_") for 1 .. 20;
clock_is_off(440 * $::day);
restart('KILL');
get("/checkout?order=again-$_") for 1 .. 20;
like(error_log_text(), qr/or the clock jumped ahead: no record expires for 31 days/, 'nginx noticed');
clock_is_off(0);
restart('KILL');

is(get('/checkout?order=1')->header('Location'), $first, 'the link is known');



=== TEST 12: expired records are deleted after half a day, also after a restart
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
for my $half (1 .. 140) {
    clock_is_off($half * $::day / 2);
    restart('KILL') if $half == 70;
    get("/checkout?order=day-$half");
}

get("/checkout?order=last-$_") for 1 .. 40;
unlike(error_log_text(), qr/no record expires/, 'no leap was seen');
is(post('/capture?reference=1')->status, 404, 'the order of 70 days ago is not known');
clock_is_off(0);
