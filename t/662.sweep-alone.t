# The sweep in a single process without workers, and with few connections.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET;
use Payer::Test;
use Payer::Conf;

our $shop = 'payer_sweep 100ms;' . checkout()
    . 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }';

sub settled {
    my ($order) = @_;

    return wait_until(sub {
        (get("/checkout?order=$order")->header('Location') // '') =~ m{/thanks}
    }, 10);
}

sub skipped { get('/metrics')->body =~ /^payer_sweep_skipped_total (\d+)$/m && $1 }

run_payer_tests();

__DATA__

=== TEST 1: without worker processes the sweep runs in the single process
--- config eval: $::shop
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
ok(settled('1'), 'found out');



=== TEST 2: if few connections are left, the sweep is skipped and counted
--- config eval: $::shop
--- request
GET /checkout?order=1
--- error_code: 303
--- after
# of 512 connections; those that wait in the middle of a request stay
my @held = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => nginx_port()) } 1 .. 475;
print {$_} "GET / HTTP/1.1\r\n" for @held;
ok(wait_until(sub { skipped() > 1 }, 10), 'skipped');
close $_ for @held;
pay('1');
ok(settled('1'), 'it goes on when there are some again');
unlike(error_log_text(), qr/worker_connections are not enough/, 'and took none from them');



=== TEST 3: a reload of the single process during a run does not crash it
--- config eval: $::shop
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults({ match => 'read', action => 'none', delay => 0.3, times => 100 });
ok(wait_until(sub { calls()->{read} }, 10), 'a run is under way');
my $pid = nginx_pid();
kill 'HUP', $pid;
ok(wait_until(sub { error_log_text() =~ /reconfiguring/ }, 10), 'a reload');

# its log is that of the former configuration, so that only a crash would show
my $until = time + 2;
wait_until(sub { !kill(0, $pid) || time > $until }, 10);
ok(kill(0, $pid), 'the reply comes, and the process lives');
