# Storms: nginx is reloaded, replaced, told to quit and killed under the load
# of buyers and a back office.
#
#     STORM_SECONDS=n    how long each of them lasts (4)

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Life;
use Payer::Storm;
use List::Util qw(sum);
use Time::HiRes qw(sleep time);

master_on();
workers(2);
worker_connections(256);
log_level('notice');

# In a small zone a claim that is not given back is soon missed; what the
# memory store keeps needs room.

sub memory { return payer_http() =~ s/payer 1m/payer 64m/r }

sub lmdb {
    my $lmdb = 'lmdb:' . work_dir() . '/payments';
    return payer_http() =~ s/payer_store .*?;/payer_store  $lmdb;/r
        =~ s/payer 1m/payer 64k/r;
}

sub lines {
    my ($pattern) = @_;
    return scalar(() = error_log_text() =~ /$pattern/g);
}

sub hup { kill 'HUP', nginx_pid() // die "nginx is gone\n" }

sub reloads { return lines('SIGHUP\) received') }

# What the master has: kilobytes in memory, and descriptors.

sub possessions {
    my $pid = nginx_pid() // die "nginx is gone\n";

    open my $fh, '<', "/proc/$pid/status" or die "$pid: $!\n";
    my ($size) = do { local $/; <$fh> } =~ /^VmRSS:\s+(\d+)/m;

    return ($size, scalar(() = glob "/proc/$pid/fd/*"));
}

# One binary upgrade after the other; every other one is taken back.

our ($upgraded, $upgrade) = (0);

sub go_on_upgrading {
    $upgrade //= upgrade($upgraded % 2);

    if ($upgrade->()) {
        $upgraded++;
        undef $upgrade;
    }
}

sub end_upgrade {
    wait_until(sub { go_on_upgrading() if $upgrade; !$upgrade }, 10)
        or die "an upgrade does not end\n";
}

# How many calls Payer has had.

sub at_payer { return sum values %{ calls() } }

# All are in the middle of a call to Payer when the server is told to quit.

sub quit_in_the_middle {
    my ($storm, $round) = @_;

    my @new   = map { "new-$round-$_" } 1 .. 8;
    my @paid  = map { "paid-$round-$_" } 1 .. 8;
    my @going = map { "going-$round-$_" } 1 .. 8;

    $storm->wave([
        (map { [ $_, qw(visit pay thanks) ] } @paid),
        (map { [ $_, qw(visit pay) ] } @going),
    ]);

    faults('create|capture|read: delay=0.6 times=0');

    my $master = nginx_pid();
    my $before = at_payer();

    $storm->wave(
        [ (map { [ $_, 'visit' ] } @new), (map { [ $_, 'capture' ] } @paid),
          (map { [ $_, 'thanks' ] } @going) ],
        [ 0.02, sub {
            return if !$master || at_payer() < $before + 24;
            kill 'QUIT', $master;
            undef $master;
        } ],
    );

    is($master, undef, 'all were under way when the server was told to quit');

    sim('DELETE', 'faults');
    wait_until(sub { !nginx_pid() }, 10) or die "nginx does not quit\n";
    start();
}

run_payer_tests();

__DATA__

=== TEST 1: payments continue during reloads every 100 ms with the memory store
--- bare
--- http_config perl: memory()
--- config perl: payer_server() . storm_conf('10s')
--- request
GET /
--- ignore_response
--- then
storm('reload, memory',
    every  => [ [ 0.1, \&hup ] ],
    events => sub { reloads() . ' reloads' },
);
is(calls()->{token}, 1, 'the token was fetched once');



=== TEST 2: payments continue during reloads every 100 ms with the lmdb store
--- bare
--- http_config perl: lmdb()
--- config perl: payer_server() . storm_conf('10s')
--- request
GET /
--- ignore_response
--- then
my (@before, @after);

reload() for 1 .. 6;
@before = possessions();

storm('reload, lmdb',
    every  => [ [ 0.1, \&hup ] ],
    events => sub { reloads() . ' reloads' },
    then   => sub {
        wait_until(sub { worker_pids() == 2 }, 20);
        reload();
        wait_until(sub { (@after = possessions())[1] <= $before[1] }, 5);
        restart('KILL');
    },
);
is(calls()->{token}, 1, 'the token was fetched once');
cmp_ok($after[0] - $before[0], '<', 128, 'the master is no larger than after the first ones')
    if slow() == 1;
cmp_ok($after[1], '<=', $before[1], 'nor has it more descriptors');



=== TEST 3: payments continue during binary upgrades and rollbacks
--- bare
--- main_config
    env ASAN_OPTIONS;
    env UBSAN_OPTIONS;
--- http_config perl: lmdb()
--- config perl: payer_server() . storm_conf('10s')
--- request
GET /
--- ignore_response
--- then
storm('upgrade',
    every  => [ [ 0.05, \&go_on_upgrading ] ],
    events => sub { "$::upgraded upgrades" },
    then   => sub { end_upgrade(); restart('KILL') },
);
cmp_ok($::upgraded, '>=', 2, 'there and back');



=== TEST 4: calls in progress are completed when nginx quits
--- bare
--- http_config perl: lmdb()
--- config perl: payer_server() . storm_conf('10s')
--- request
GET /
--- ignore_response
--- then
my $rounds = int(storm_seconds() / 1.5);
my $storm = Payer::Storm->new('quit', events => sub { "$rounds quits" });
quit_in_the_middle($storm, $_) for 1 .. $rounds;
$storm->reckon;



=== TEST 5: payments continue when worker processes are killed
--- bare
--- http_config perl: lmdb()
--- config perl: payer_server() . storm_conf(3 * slow() . 's')
--- request
GET /checkout?order=token
--- error_code: 303
--- then
my $kills = 0;
storm('kill',
    every    => [ [ 0.3, sub {
        my @workers = worker_pids();
        $kills += kill 'KILL', $workers[ rand @workers ];
    } ] ],
    rules    => {
        closed  => 1,
        # all is waiting for a claim of the dead, the last two when too
        # little of payer_timeout is left for the call
        refused => qr/^(?:409 the first request with this key is still under way|503 another request for this order takes too long|503 |504 no token in time|504 Payer did not reply in time)$/,
    },
    patience => (3 + 5 + 4) * slow(),
    events   => sub { "$kills kills" },
    then     => sub { restart('KILL') },
);
storm_table();
--- alert: exited on signal 9
