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
