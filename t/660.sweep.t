# Records in doubt are read back without a client and without cron.

use strict;
use warnings;

use lib 't/lib';
use Payer::Weather;
use Payer::Test;
use Payer::Conf;
use Payer::Life;

master_on();
workers(2);

our $staff = <<'EOT';
location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
location = /metrics   { payer_metrics;   payer_allow 127.0.0.1; }
location = /status    { stub_status; }
EOT

# The server's sweep, each 200 ms unless it is said otherwise, and a checkout.

sub sweep {
    my ($time, @more) = @_;

    return "payer_sweep $time;\n" . checkout(@more) . $::staff;
}

sub checked_out {
    get("/checkout?order=$_")->status == 303 or die "no link\n" for @_;
}

# Where a buyer of this order is sent: the store is asked, and not Payer.

sub sent_to { return get("/checkout?order=$_[0]")->header('Location') // '' }

# What this server, if it can, writes of each line in another form.

sub json_log { return `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /^Angie/ }

sub json_lines {
    open my $fh, '<', "$ENV{TEST_NGINX_DIR}/json.log" or return;
    return <$fh>;
}

sub settled {
    my ($order) = @_;
    return wait_until(sub { sent_to($order) =~ m{/thanks} }, 10);
}

sub metric {
    my ($name) = @_;
    my ($value) = get('/metrics')->body =~ /^\Q$name\E (.*)$/m;
    return $value;
}

sub last_run { return metric('payer_sweep_last_run_timestamp_seconds') }


add_block_preprocessor(sub { clock_is_off(0) });

run_payer_tests();

__DATA__

=== TEST 1: an order whose buyer did not return is found paid
--- config perl: sweep('200ms')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
ok(settled('1'), 'without anybody asking');



=== TEST 2: payer_sweep of the http level is inherited by servers
--- http_config
payer_sweep 200ms;
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
ok(settled('1'), 'found');



=== TEST 3: payer_sweep off reads nothing
--- config perl: sweep('off')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
is(last_run(), undef, 'no metric of a run that never comes');
unlike(sent_to('1'), qr{/thanks}, 'not found');
is(post('/reconcile')->json->{settled}, 1, 'until it is asked for');



=== TEST 4: the time of the last run is in the metrics
--- config perl: sweep('200ms')
--- request
GET /metrics
--- error_code: 200
--- after
ok(wait_until(sub { last_run() }, 10), 'it has run');
cmp_ok(abs(last_run() - time()), '<', 5, 'now');
is(metric('payer_sweep_skipped_total'), 0, 'and was never skipped');



=== TEST 5: runs are not in the access log and not counted as connections
--- config perl: sweep('100ms') . 'access_log logs/all.log;'
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
ok(settled('1'), 'swept');

my $first = last_run();
ok(wait_until(sub { last_run() > $first + 1 }, 10), 'many times');

like(get('/status')->body, qr/^Active connections: 1 \n.*\nReading: 0 Writing: 1 Waiting: 0 $/ms, 'one connection, which asks');

open my $fh, '<', "$Test::Nginx::Util::ServRoot/logs/all.log" or die $!;
my @lines = grep { !m{"GET /(checkout|status|metrics)} } <$fh>;
is("@lines", '', 'no line is its own');



=== TEST 6: error messages of a run name payer_sweep instead of a client
--- config perl: sweep('200ms', payer_tries => 1)
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults({ match => 'read', action => 'close', times => 100 });
ok(wait_until(sub { error_log_text() =~ /"read" .*order: "1"/ }, 10), 'there is one');
my ($line) = grep { /"read" .*order: "1"/ } split /\n/, error_log_text();
like($line, qr/, background: payer_sweep, server: /, 'the work');
unlike($line, qr/client:/, 'and nobody else');



=== TEST 7: one worker process at a time sweeps, once per interval
--- config perl: sweep('500ms')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
ok(wait_until(sub { (calls()->{read} // 0) >= 4 }, 20), 'four runs');
my $before = calls()->{read};
my $began = Time::HiRes::time();
wait_until(sub { calls()->{read} >= $before + 4 }, 20);
cmp_ok(Time::HiRes::time() - $began, '>', 1.5, 'two workers are not twice as fast');



=== TEST 8: after a worker process was killed during a run another one sweeps
--- config perl: 'payer_timeout 1s;' . sweep('200ms')
--- request
GET /
--- alert: exited on signal 9
--- after
faults({ match => 'read', action => 'stall', times => 1 });
checked_out('1');
pay('1');
ok(wait_until(sub { calls()->{read} }, 10), 'a run is under way');
kill 'KILL', worker_pids();
ok(wait_until(sub { get('/')->status }, 10), 'there are new ones');
ok(wait_until(sub { sent_to('1') =~ m{/thanks} }, 40), 'which go on');



=== TEST 9: a graceful shutdown waits for a run in progress
--- config perl: sweep('200ms')
--- request
GET /
--- after
faults({ match => 'read', action => 'none', delay => 1, times => 1 });
checked_out('1');
pay('1');
ok(wait_until(sub { calls()->{read} }, 10), 'a run is under way');
my @old = worker_pids();
reload();
ok(wait_until(sub { !grep { alive($_) } @old }, 10), 'the old workers are gone');
like(sent_to('1'), qr{/thanks}, 'after they have written what they had read');
is(calls()->{read}, 1, 'nobody had to ask again');



=== TEST 10: worker_shutdown_timeout ends a run, and the next one reads again
--- main_config
worker_shutdown_timeout 300ms;
--- config perl: 'payer_timeout 3s;' . sweep('200ms')
--- request
GET /
--- after
faults({ match => 'read', action => 'stall', times => 1 });
checked_out('1');
pay('1');
ok(wait_until(sub { calls()->{read} }, 10), 'a run is under way');
my @old = worker_pids();
reload();
ok(wait_until(sub { !grep { alive($_) } @old }, 10), 'the old workers are gone');
ok(wait_until(sub { sent_to('1') =~ m{/thanks} }, 30), 'the new ones find out');



=== TEST 11: in an error log in JSON, as of Angie, a run is named as well
--- config perl
sweep('200ms', payer_tries => 1)
    . (json_log() ? "error_log $ENV{TEST_NGINX_DIR}/json.log info format=json;" : '')
--- request
GET /checkout?order=1
--- error_code: 303
--- after
SKIP: {
skip('this server writes no JSON', 3) unless json_log();
faults({ match => 'read', action => 'close', times => 100 });
my @lines;
ok(wait_until(sub { @lines = grep { /\\"read\\" .*order: \\"1\\"/ } json_lines() }, 10),
    'there is one');
like($lines[0], qr/"background":"payer_sweep","server":"/, 'the work');
unlike($lines[0], qr/"client":/, 'and nobody else');
}
