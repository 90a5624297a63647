# A decision made without a reply of Payer, since there is no token, is stored
# before anything that depends on it; and the next write of the same request
# does not replace it.

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

our $places = events_server('payer_auto_capture on;') . operations() . <<'EOF';
        payer_timeout 2s;
        location = /look { payer_reconcile; payer_allow 127.0.0.1; }
        location = /all  { payer_reconcile; payer_allow 127.0.0.1;
                           payer_auto_capture on; }
EOF

# Payer takes the token for a bad one, and does not give another.
our @no_token = ('token: status=503');


# The disk gets slower as soon as this is so, and a moment has passed.

sub slower_when {
    my ($ms, $condition) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        select undef, undef, undef, 0.01 until $condition->();
        select undef, undef, undef, 0.05;
        disk_takes($ms);
        POSIX::_exit(0);
    }

    return $pid;
}

run_payer_tests();

__DATA__

=== TEST 1: an event is not acknowledged while a failed automatic capture is being stored
--- http_config eval: ::shop_upstream()
--- config eval: $::places
--- request
GET /
--- after
my ($worker) = worker_pids();
my $token = paid_event('1');

Payer::Sim::faults('capture: status=401', @::no_token);
shop_answers('delay=0.15 204', '204');
disk_takes(400);

my $pid = slower_when(3000, sub { shop_requests() });
my $r = callback($token);
waitpid $pid, 0;

is(calls()->{capture}, 1, 'the capture was refused');
is($r->status, 503, 'the event is not stored yet');
is(event_of($token)->{acked}, 0, 'and not acknowledged');

disk_takes(0);
ok(wait_until(sub { callback($token)->status == 200 }, 10), 'a repeat is');
is(event_of($token)->{acked}, 1, 'acknowledged');
is(scalar(shop_requests()), 1, 'the shop got it once');
is((worker_pids())[0], $worker, 'the worker lives');



=== TEST 2: payer_reconcile does not send a capture before its intent is stored
--- http_config eval: ::shop_upstream()
--- config eval: $::places
--- request
GET /
--- after
my ($worker) = worker_pids();

for my $order (1 .. 3) {
    get("/checkout?order=$order");
    pay($order);
}

is(post('/look')->json->{settled}, 3, 'three orders that are paid');

my $tokens = calls()->{token};

Payer::Sim::faults('capture: status=401', @::no_token);
disk_takes(400);

my $pid = slower_when(3000, sub { calls()->{token} > $tokens });
my $r = post('/all');
waitpid $pid, 0;

is(calls()->{capture}, 1, 'the second capture waits for the disk');

disk_takes(0);
ok(wait_until(sub { post('/all'); (calls()->{capture} // 0) >= 4 }, 10),
    'then they are sent');
is(books($_)->{captured}, 12900, "order $_ is captured") for 1 .. 3;
is((worker_pids())[0], $worker, 'the worker lives');



=== TEST 3: an operation keeps its key locked while its unknown outcome is being stored
--- http_config eval: ::shop_upstream()
--- config eval: $::places
--- request
GET /
--- after
get('/checkout?order=1');
pay('1');

my @capture = (POST => '/capture', json => { reference => '1' },
    headers => { 'Idempotency-Key' => 'k' });

Payer::Sim::faults('capture: delay=0.3 status=409', 'read: status=401',
    @::no_token);

my $pid = slower_when(3000, sub { calls()->{capture} });
my $r = request(@capture);
waitpid $pid, 0;

is($r->status, 504, 'the outcome is unknown');
is($r->json->{type}, 'outcome-unknown', 'which is said');
is(request(@capture)->status, 409, 'the key is in use while it is written');
is(calls()->{capture}, 1, 'and nothing is sent again');

disk_takes(0);
ok(wait_until(sub { request(@capture)->status == 200 }, 15),
    'a repeat does it in the end');
is(books('1')->{captured}, 12900, 'once');



=== TEST 4: a request with many consecutive writes does not terminate the worker process
--- http_config eval: ::shop_upstream()
--- config eval: $::places
--- request
GET /
--- after
my ($worker) = worker_pids();

for my $order (1 .. 6) {
    get("/checkout?order=$order");
    pay($order);
}

post('/look');
disk_takes(60);
Payer::Sim::faults('capture: status=401 times=0', 'token: status=503 times=0');

for my $round (1 .. 4) {
    my $r = post('/all');

    like($r->status, qr/^(?:200|502|503|504)$/, 'an answer');
    # what was freed is used again
    get('/checkout?order=1', timeout => 3) for 1 .. 8;
}

sim('DELETE', 'faults');
disk_takes(0);
is((worker_pids())[0], $worker, 'the worker lives');
ok(wait_until(sub { post('/all'); 6 == grep { books($_)->{captured} == 12900 }
    1 .. 6 }, 10), 'all are captured in the end');
