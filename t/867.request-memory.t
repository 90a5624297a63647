# The memory of one request does not grow with what it waits for, nor with the
# calls that it makes.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

master_on();
workers(1);

# What a worker holds, in kB.

sub holds {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/smaps_rollup" or die "smaps_rollup: $!\n";
    my ($kb) = join('', <$fh>) =~ /^Anonymous:\s+(\d+) kB/m;

    return $kb;
}

run_payer_tests();

__DATA__

=== TEST 1: a reconcile of many reads gives the memory of each call back
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


=== TEST 2: visits that wait for another one of their order take no more memory
--- config perl
"payer_timeout 30s;" . checkout()
. 'location = /thanks { payer_verify $arg_order; }'
--- faults
create: delay=9
--- request
GET /
--- after
my $visits = 300;
my ($worker) = worker_pids();
my $before = holds($worker);
my $pid = fork // die "fork: $!\n";

if (!$pid) {
    my @r = together(map { [ GET => '/checkout?order=1001', timeout => 40 ] }
        1 .. $visits);

    POSIX::_exit((grep { $_->status == 303 } @r) == $visits ? 0 : 1);
}

sub open_of { return scalar(() = glob "/proc/$worker/fd/*") }

ok(wait_until(sub { open_of() > $visits }, 8), 'all visits are there');

# until the last one has been read and waits
my $waiting = 0;

wait_until(sub {
    my $now = holds($worker);
    my $same = $now == $waiting;
    $waiting = $now;
    select undef, undef, undef, 0.2;
    return $same;
}, 5);

my ($most, $looks) = (0, 0);

# what the answers take at the end is not what waiting takes

while (open_of() > $visits) {
    my $now = holds($worker);

    $most = $now if $now > $most;
    $looks++;
    select undef, undef, undef, 0.05;
}

waitpid $pid, 0;

is($?, 0, 'all were sent to the link');
is(calls()->{create}, 1, 'of which there is one');

# the memory of a sanitizer itself does not stand still

if (!$ENV{ASAN_OPTIONS}) {
    cmp_ok($looks, '>', 20, 'they were watched for more than a second');
    cmp_ok($most - $waiting, '<', $visits,
        'while they waited each took less than 1 kB') or diag
        "$before kB before, $waiting kB when all waited, $most kB at most";
}
