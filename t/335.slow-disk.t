# A slow disk: no request waits longer than payer_timeout, the writes of a
# request do not disturb each other, and the lock is held until a write is
# complete.

use strict;
use warnings;

use lib 't/lib';
use Payer::SlowDisk;
use Payer::Test;
use Payer::Conf;
use Payer::Events;
use Payer::Shop;

master_on();
workers(1);
disk_takes(0);

sub handlers {
    my ($more) = (@_, '');

    return "payer_timeout 1s;\n$more" . events_server() . operations() . <<'EOF_CONF';
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /thanks { payer_verify $arg_order; proxy_pass http://shop; }
        location = /auto {
            payer_verify $arg_order;
            payer_auto_capture on;
            proxy_pass http://shop;
        }
EOF_CONF
}

run_payer_tests();

__DATA__

=== TEST 1: with a slow disk a decision made without a reply is stored before the request continues
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- request
GET /
--- after
my ($worker) = worker_pids();
my %token = map { $_ => paid_event($_) } 1 .. 6;

disk_takes(60);

for my $fault ('delay=0.45 status=503', 'status=429', 'status=401', 'delay=1.2',
    'close', 'delay=0.95')
{
    my $call = $fault =~ /401/ ? 'token' : 'capture|refund|release|cancel|'
        . 'read|create|event|ack';

    Payer::Sim::revoke();
    Payer::Sim::faults("$call: $fault times=0");

    my @r = together(
        [ GET => "/checkout?order=new-$fault" =~ s/[ =]/-/gr ],
        [ GET => '/thanks?order=1' ],
        [ GET => '/auto?order=2' ],
        [ POST => '/capture', form => { reference => 3, amount => 100 } ],
        [ POST => '/capture', form => { reference => 3, amount => 100 },
            headers => { 'Idempotency-Key' => $fault } ],
        [ POST => '/refund', form => { reference => 4 } ],
        [ POST => '/release', form => { reference => 4 } ],
        [ POST => '/cancel', form => { reference => 5 } ],
        [ GET => "/events?token=$token{6}" ],
        [ POST => '/reconcile' ],
        [ GET => '/payment?reference=5' ],
    );

    cmp_ok($_->status, '>=', 200, "$fault: an answer") for @r;
    Payer::Sim::sim('DELETE', 'faults');
}

disk_takes(0);
is((worker_pids())[0], $worker, 'the worker lives');
is(get('/thanks?order=1')->status, 204, 'and goes on');



=== TEST 2: a first visit with a slow disk is answered within payer_timeout, and no second link is created
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- request
GET /
--- after
disk_takes(3000);
my $r = get('/checkout?order=1');

is($r->status, 503, 'the intent is not stored yet');
cmp_ok($r->time, '<', 1.8, 'which is said in time');

$r = get('/checkout?order=1');
is($r->status, 503, 'the next visit waits for it');
is(calls()->{create}, undef, 'nothing was sent');

disk_takes(0);
ok(wait_until(sub { get('/checkout?order=1')->status == 303 }, 10),
    'when it is stored the order can be paid');
is(calls()->{create}, 1, 'by one link');



=== TEST 3: a link that is stored late is found by the next visit
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- faults
create: delay=0.5
--- request
GET /
--- after
my $pid = fork // die;
if (!$pid) {
    select undef, undef, undef, 0.01 until (calls()->{create} // 0) == 1;
    disk_takes(3000);
    POSIX::_exit(0);
}
my $r = get('/checkout?order=1');
waitpid $pid, 0;

is($r->status, 503, 'the link is not stored yet');
cmp_ok($r->time, '<', 1.8, 'which is said in time');

disk_takes(0);
ok(wait_until(sub { $r = get('/checkout?order=1'); $r->status == 303 }, 10),
    'when it is stored the buyer gets it');
is($r->header('Location'), books('1')->{url}, 'this one');
is(calls()->{create}, 1, 'and no other');



=== TEST 4: an operation whose intent was not stored in time has an unknown outcome
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- request
GET /
--- after
get('/checkout?order=1');
pay('1');
disk_takes(3000);

my @capture = (POST => '/capture', json => { reference => '1' },
    headers => { 'Idempotency-Key' => 'k' });
my $r = request(@capture);

is($r->status, 504, 'the intent is not stored yet');
is($r->json->{type}, 'outcome-unknown', 'so the outcome is unknown');
cmp_ok($r->time, '<', 1.8, 'which is said in time');
is(request(@capture)->status, 409, 'the key stays claimed');
is(calls()->{capture}, undef, 'nothing was sent');

disk_takes(0);
ok(wait_until(sub { $r = request(@capture); $r->status == 200 }, 10),
    'a repeat does it in the end');
is(calls()->{capture}, 1, 'once');



=== TEST 5: a completed capture is returned even if it is stored late
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- faults
capture: delay=0.5
--- request
GET /
--- after
get('/checkout?order=1');
pay('1');

my $pid = fork // die;
if (!$pid) {
    select undef, undef, undef, 0.01 until (calls()->{capture} // 0) == 1;
    disk_takes(3000);
    POSIX::_exit(0);
}

my @capture = (POST => '/capture', json => { reference => '1' },
    headers => { 'Idempotency-Key' => 'k' });
my $r = request(@capture);
waitpid $pid, 0;

is($r->status, 200, 'Payer has done it');
cmp_ok($r->time, '<', 1.8, 'which is said in time');
is(request(@capture)->status, 409, 'the key stays claimed');

disk_takes(0);
ok(wait_until(sub { $r = request(@capture); $r->status == 200 }, 10),
    'a repeat has the same answer');
is($r->header('Idempotency-Replayed'), 'true', 'from the store');
is(calls()->{capture}, 1, 'it was sent once');



=== TEST 6: an event is acknowledged only after it is stored
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- request
GET /
--- after
my $token = paid_event('1');
shop_answers('delay=0.3 204', '204');

my $pid = fork // die;
if (!$pid) {
    select undef, undef, undef, 0.01 until shop_requests();
    disk_takes(3000);
    POSIX::_exit(0);
}

my $r = callback($token);
waitpid $pid, 0;

is($r->status, 503, 'the event is not stored yet');
cmp_ok($r->time, '<', 2.5, 'which is said in time');
is(event_of($token)->{acked}, 0, 'it is not acknowledged');

disk_takes(0);
ok(wait_until(sub { callback($token)->status == 200 }, 10), 'a repeat is');
is(scalar(shop_requests()), 1, 'and the shop got it once');



=== TEST 7: if the buyer closes the connection while the order is stored, the lock is held until then
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- request
GET /
--- after
disk_takes(2000);
request(GET => '/checkout?order=1', hang_up => 0.2);
my $r = get('/checkout?order=1');
is($r->status, 503, 'the next visit waits for it');
disk_takes(0);
ok(wait_until(sub { get('/checkout?order=1')->status == 303 }, 10), 'and goes on');
is(calls()->{create}, 1, 'by one link');



=== TEST 8: a failed automatic capture is stored before the event is stored as processed
--- http_config eval: ::shop_upstream()
--- config eval
"payer_timeout 1s;" . ::events_server('payer_auto_capture on;')
--- request
GET /
--- after
my ($worker) = worker_pids();

for my $n (1 .. 4) {
    my $token = paid_event($n);

    Payer::Sim::faults("event|read: delay=0.44 times=2");
    disk_takes(100 + 50 * $n);
    my $r = callback($token);
    disk_takes(0);

    like($r->status, qr/^(?:200|503)$/, 'an answer');
    Payer::Sim::sim('DELETE', 'faults');
    ok(wait_until(sub { callback($token)->status == 200 }, 10), 'in the end');
    is(scalar(shop_requests()), 1, 'the shop got it once');
}

is((worker_pids())[0], $worker, 'the worker lives');



=== TEST 9: a fast shutdown completes writes that no request waits for
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- request
GET /
--- after
disk_takes(1800);
my @r = together(map { [ GET => "/checkout?order=late-$_" ] } 1 .. 6);
is($_->status, 503, 'the intent is not stored yet') for @r;

kill 'TERM', nginx_pid();
disk_takes(0);
ok(wait_until(sub { !nginx_pid() }, 10), 'nginx is gone');

is(join('', grep { /\[(?:alert|crit)\]/ } split /^/, error_log_text()), '',
    'with nothing wrong');

open my $fh, '<:raw', Payer::Test::work_dir() . '/payments/data.mdb' or die $!;
my $records = do { local $/; <$fh> };

like($records, qr{order/[^/]+/late-$_}, "order $_ is stored") for 1 .. 6;



=== TEST 10: the lock of a completed capture is held until the capture is stored
--- http_config eval: ::shop_upstream()
--- config eval: ::handlers()
--- faults
capture: delay=0.5
--- request
GET /
--- timeout: 40
--- after
get('/checkout?order=1');
pay('1');

my $pid = fork // die;
if (!$pid) {
    select undef, undef, undef, 0.01 until (calls()->{capture} // 0) == 1;
    disk_takes(9000);
    POSIX::_exit(0);
}

my @capture = (POST => '/capture', json => { reference => '1' },
    headers => { 'Idempotency-Key' => 'k' });
my $begin = Time::HiRes::time();
is(request(@capture)->status, 200, 'Payer has done it');
waitpid $pid, 0;

# payer_timeout and 5 seconds are over, and the disk is still at it
select undef, undef, undef, 0.05 until Time::HiRes::time() > $begin + 7.5;
is(request(@capture)->status, 409, 'the key is still locked');
is(calls()->{capture}, 1, 'nothing is sent');

disk_takes(0);
my $r;
ok(wait_until(sub { $r = request(@capture); $r->status == 200 }, 15), 'a repeat has the answer');
is($r->header('Idempotency-Replayed'), 'true', 'from the store');
is(calls()->{capture}, 1, 'it was sent once');
