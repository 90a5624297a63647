# The memory of a request does not grow while it waits, nor with the number of
# its calls.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use POSIX ();
use Time::HiRes qw(time);

master_on();
workers(1);

# What a worker holds, in kB.

sub holds {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/smaps_rollup" or die "smaps_rollup: $!\n";
    my ($kb) = join('', <$fh>) =~ /^Anonymous:\s+(\d+) kB/m;

    return $kb;
}


# Seconds of the processor that a worker has used.

sub used {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or die "stat: $!\n";
    my @fields = split ' ', (<$fh> =~ s/.*\) //r);

    return ($fields[11] + $fields[12]) / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}


sub open_of { return scalar(() = glob "/proc/$_[0]/fd/*") }


# Requests of a process of their own: its id when all of them are there.

sub many {
    my ($worker, $n, $path, $good) = @_;

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        my @r = together(map { [ GET => $path, timeout => 40 ] } 1 .. $n);

        POSIX::_exit((grep { $_->status == $good } @r) == $n ? 0 : 1);
    }

    wait_until(sub { open_of($worker) > $n }, 11) or die "they do not come\n";

    # until the last one has been read and waits
    my $waiting = 0;

    wait_until(sub {
        my $same = holds($worker) == $waiting;
        $waiting = holds($worker);
        select undef, undef, undef, 0.2;
        return $same;
    }, 5);

    return $pid;
}


# What a worker takes while so many wait: seconds, how many of them on the
# processor, and memory in kB when it began, and at most.

sub watch {
    my ($worker, $n) = @_;

    my ($start, $used, $before) = (time, used($worker), holds($worker));
    my $most = $before;

    # what the answers take at the end is not what waiting takes
    my ($now, $busy) = ($start, $used);

    while (open_of($worker) > $n) {
        ($now, $busy) = (time, used($worker));
        $most = holds($worker) if holds($worker) > $most;
        select undef, undef, undef, 0.1;
    }

    return ($now - $start, $busy - $used, $before, $most);
}

run_payer_tests();

__DATA__

=== TEST 1: payer_reconcile frees the memory of each read
--- config perl
"payer_timeout 60s; location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }"
. checkout()
--- request
GET /
--- after
my ($worker) = worker_pids();

together(map { [ GET => "/checkout?order=$_" ] } 20 * $_ - 19 .. 20 * $_)
    for 1 .. 10;

my $before = holds($worker);
my $most = 0;
my $pid = fork // die "fork: $!\n";

if (!$pid) {
    my $r = request(POST => '/reconcile?limit=1000', timeout => 60);
    POSIX::_exit($r->status == 200 && $r->json->{examined} == 200 ? 0 : 1);
}

while (waitpid($pid, POSIX::WNOHANG()) == 0) {
    my $now = holds($worker);
    $most = $now if $now > $most;
    select undef, undef, undef, 0.02;
}

is($?, 0, 'all were read');

# A sanitizer keeps what was freed for a while.
cmp_ok($most - $before, '<', $ENV{ASAN_OPTIONS} ? 200 * 60 : 200 * 6,
    'each took less than 6 kB') or diag "$before kB before, $most at most";


=== TEST 2: requests that wait for a link use neither memory nor processor time
--- config perl
"payer_timeout 30s;" . checkout()
. 'location = /thanks { payer_verify $arg_order; }'
--- faults
create: delay=12
--- request
GET /
--- after
my $visits = 300;
my ($worker) = worker_pids();
my $pid = many($worker, $visits, '/checkout?order=1001', 303);
my ($seconds, $busy, $before, $most) = watch($worker, $visits);

waitpid $pid, 0;

is($?, 0, 'all were sent to the link');
is(calls()->{create}, 1, 'of which there is one');
cmp_ok($seconds, '>', 2, 'they were watched for some time');

# the memory of a sanitizer itself does not stand still

if (!$ENV{ASAN_OPTIONS}) {
    cmp_ok($most, '<=', 1.01 * $before, 'the memory is what it was')
        or diag "$before kB when all waited, $most kB at most";
    cmp_ok($busy / $seconds, '<=', 0.05, 'and the processor is idle');
}



=== TEST 3: requests in payer_verify_wait use neither memory nor processor time
--- config perl
"payer_timeout 30s;" . checkout()
. 'location = /thanks { payer_verify $arg_order; payer_verify_wait 7s; }'
--- request
GET /checkout?order=1001
--- error_code: 303
--- after
my $visits = 300;
my ($worker) = worker_pids();

# the memory that a visit takes is that of the first ones, too
waitpid many($worker, 50, '/thanks?order=1001', 402), 0;

my $nobody = holds($worker);
my $pid = many($worker, $visits, '/thanks?order=1001', 402);
my ($seconds, $busy, $before, $most) = watch($worker, $visits);

waitpid $pid, 0;

is($?, 0, 'nobody has paid');
cmp_ok($seconds, '>', 2, 'they were watched for some time');
cmp_ok(calls()->{read}, '<', 30, 'Payer was asked once a second');

if (!$ENV{ASAN_OPTIONS}) {
    cmp_ok($most - $nobody, '<', 20 * $visits, 'less than 20 kB for each')
        or diag "$nobody kB without them, $before kB with them, $most at most";
    cmp_ok($busy / $seconds, '<=', 0.1, 'and the processor is idle');
}



=== TEST 4: event callbacks that wait for the first one use neither memory nor processor time
--- config perl
my $port = $ENV{TEST_NGINX_SHOP_PORT} = free_port();
"payer_timeout 30s;" . checkout() . "location = /events {
    payer_events; payer_event_pass /shop-event; }
location = /shop-event { internal; proxy_pass http://127.0.0.1:$port; }"
--- request
GET /checkout?order=1001
--- error_code: 303
--- faults
event: delay=12
--- after
my $visits = 200;
my ($worker) = worker_pids();
my $pid = many($worker, $visits, '/events?token=nobody-knows-this-token', 404);
my ($seconds, $busy, $before, $most) = watch($worker, $visits);

waitpid $pid, 0;

is($?, 0, 'each is told that there is no such event');
cmp_ok($seconds, '>', 2, 'they were watched for some time');

if (!$ENV{ASAN_OPTIONS}) {
    cmp_ok($most, '<=', 1.01 * $before, 'the memory is what it was')
        or diag "$before kB when all waited, $most kB at most";
    cmp_ok($busy / $seconds, '<=', 0.05, 'and the processor is idle');
}
