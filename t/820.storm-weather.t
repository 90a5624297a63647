# Storms: the clock jumps, the disk is full and fails, the store is not
# accessible, and descriptors run out, under the load of buyers and a back
# office.
#
#     STORM_SECONDS=n    how long each of them lasts (4)

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Test;
use Payer::Conf;
use Payer::Life;
use Payer::Storm;
use Time::HiRes qw(sleep time);

master_on();
workers(2);
worker_connections(256);
log_level('notice');

our ($day, $year) = (86400, 365 * 86400);

our @JUMPS = ($day, 0, -$day, $day, $year, -$year, 0, 10 * $year, $day);

# How many files and sockets each worker may have open.

sub descriptors {
    my ($limit) = @_;

    for my $pid (worker_pids()) {
        system('prlimit', '--pid', $pid, "--nofile=$limit:") == 0
            or die "prlimit: $?\n";
    }
}

run_payer_tests();

__DATA__

=== TEST 1: payments continue while the clock jumps
--- bare
--- http_config perl: payer_http()
--- config perl: payer_server() . storm_conf('10s')
--- request
GET /
--- ignore_response
--- then
my $jumps = 0;
storm('clock',
    every  => [ [ 0.2, sub { clock_is_off($::JUMPS[ $jumps++ % @::JUMPS ]) } ] ],
    rules  => { replace => 1 },
    patience => 5 * slow(),
    events => sub { "$jumps jumps" },
    calm   => sub { clock_is_off(0) },
    then   => sub { restart('KILL') },
);



=== TEST 2: payments continue while the disk is full or fails
--- bare
--- http_config perl: payer_http()
--- config perl: payer_server() . storm_conf('10s')
--- request
GET /
--- ignore_response
--- then
my @weather = (\&disk_is_full, \&disk_is_good, \&disk_is_broken, \&disk_is_good);
my $turns = 0;
storm('disk',
    every    => [ [ 0.4, sub { $weather[ $turns++ % @weather ]->() } ] ],
    rules    => {
        refused => qr/^503 (?:the (?:order|link) could not be stored|the store could not be read|the operation could not be stored, and so it was not sent|)$/,
        settle  => 1,
    },
    patience => 5 * slow(),
    events   => sub { failed_writes() . ' failed writes' },
    calm     => \&disk_is_good,
    then     => sub { restart('KILL') },
);



=== TEST 3: payments continue while no file descriptors are left
--- bare
--- http_config perl: payer_http()
--- config perl: payer_server() . storm_conf('10s')
--- request
GET /
--- ignore_response
--- then
my $turns = 0;
storm('descriptors',
    every    => [ [ 0.5, sub { descriptors($turns++ % 2 ? 1024 : 22) } ] ],
    rules    => { refused => qr/^(?:502 (?:Payer could not be reached|no token)|503 )$/ },
    patience => 5 * slow(),
    events   => sub { int($turns / 2) . ' times' },
    calm     => sub { descriptors(1024) },
    then     => sub { restart('KILL') },
);
storm_table();
--- alert: Too many open files
