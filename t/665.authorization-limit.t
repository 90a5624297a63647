# The action for an old authorization: it is logged, captured, or released,
# once.

use strict;
use warnings;

use lib 't/lib';
use Payer::Weather;
use Payer::Test;
use Payer::Conf;
use Payer::Life;

master_on();
workers(2);

our $day = 86400;

# A server with this limit, swept each 200 ms.

sub limit {
    my ($limit, @more) = @_;

    return "payer_sweep 200ms; payer_authorization_limit $limit;\n"
        . checkout(@more)
        . 'location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }'
        . 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }';
}

sub authorized {
    for my $order (@_) {
        get("/checkout?order=$order")->status == 303 or die "no link\n";
        pay($order);
        wait_until(sub { (get("/checkout?order=$order")->header('Location') // '') =~ m{/thanks} }, 10)
            or die "not authorized\n";
    }
}

sub lines { return scalar(() = error_log_text() =~ /$_[0]/g) }

# Runs that began after now.

sub runs {
    my ($n) = @_;

    for (1 .. $n) {
        my $before = _last();
        wait_until(sub { _last() > $before }, 10) or die "no run\n";
    }
}

sub _last { get('/metrics')->body =~ /^payer_sweep_last_run_timestamp_seconds (\d+)$/m && $1 }

add_block_preprocessor(sub { clock_is_off(0) });

run_payer_tests();

__DATA__

=== TEST 1: warn logs an old authorization once, not in each run
--- config perl: limit('6d')
--- request
GET /
--- after
authorized('1', '2');
clock_is_off(6.1 * $::day);
ok(wait_until(sub { lines(qr/\[error\].* payer: the payment was authorized 6 days ago and is not captured, order: "[12]"/) == 2 }, 10), 'both are named');
runs(3);
is(lines(qr/authorized 6 days ago/), 2, 'and not again');
clock_is_off(7.1 * $::day);
ok(wait_until(sub { lines(qr/authorized 7 days ago/) == 2 }, 10), 'until the next day');
is(books('1')->{status}, 'AUTHORIZED', 'nothing was done');



=== TEST 2: before the limit nothing is logged and nothing is captured
--- config perl: limit('6d capture')
--- request
GET /
--- after
authorized('1');
clock_is_off(5.9 * $::day);
runs(3);
is(lines(qr/days ago and is not captured/), 0, 'nothing is said');
is(books('1')->{captured}, 0, 'nothing is captured');



=== TEST 3: capture captures an old authorization in full, once
--- config perl: limit('6d capture')
--- request
GET /
--- after
authorized('1', '2');
clock_is_off(6.01 * $::day);
ok(wait_until(sub { books('1')->{captured} && books('2')->{captured} }, 10), 'captured');
runs(3);
is(calls()->{capture}, 2, 'each once');
is(books('1')->{captured}, 12900, 'in full');
is(lines(qr/days ago and is not captured/), 0, 'there was nothing to warn of');



=== TEST 4: release releases an old authorization, once, and the order is not paid any more
--- config perl: limit('6d release') . 'location = /thanks { payer_verify $arg_order; empty_gif; }'
--- request
GET /
--- after
authorized('1');
is(get('/thanks?order=1')->status, 200, 'paid');
clock_is_off(6.1 * $::day);
ok(wait_until(sub { calls()->{release} }, 10), 'released');
runs(3);
is(calls()->{release}, 1, 'once');
is(get('/thanks?order=1')->status, 402, 'not paid any more');



=== TEST 5: a capture without a reply is read back and not sent twice
--- config perl: limit('6d capture', payer_tries => 1) . 'payer_tries 1;'
--- request
GET /
--- after
authorized('1');
faults('capture: lost-reply');
clock_is_off(6.1 * $::day);
ok(wait_until(sub { books('1')->{captured} }, 10), 'captured');
runs(3);
is(books('1')->{captured}, 12900, 'once');
is(calls()->{capture}, 1, 'by one call');



=== TEST 6: after a worker process was killed during a capture another one continues
--- config perl: 'payer_timeout 1s;' . limit('6d capture')
--- request
GET /
--- alert: exited on signal 9
--- after
authorized('1');
faults({ match => 'capture', action => 'stall', times => 1 });
clock_is_off(6.1 * $::day);
ok(wait_until(sub { calls()->{capture} }, 10), 'one is sent');
kill 'KILL', worker_pids();
ok(wait_until(sub { books('1')->{captured} }, 60), 'captured');
is(books('1')->{captured}, 12900, 'once');



=== TEST 7: a capture that Payer refuses is logged and not sent again
--- config perl: limit('6d capture')
--- request
GET /
--- after
authorized('1');
faults({ match => 'capture', status => 400, times => 100, body => '{"message":"too late"}' });
clock_is_off(6.1 * $::day);
ok(wait_until(sub { lines(qr/automatic capture failed: .*order: "1"/) }, 10), 'named');
runs(2);
is(calls()->{capture}, 1, 'asked for once');
clock_is_off(7.2 * $::day);
ok(wait_until(sub { lines(qr/authorized 7 days ago and is not captured, order: "1"/) }, 10), 'somebody has to look at it');



=== TEST 8: a partially captured payment is not changed
--- config perl: limit('6d release') . operations()
--- request
GET /
--- after
authorized('1');
is(post('/capture?reference=1&amount=4000')->status, 200, 'a part');
clock_is_off(6.1 * $::day);
runs(3);
is(calls()->{release} // 0, 0, 'not released');



=== TEST 9: the age is counted from createdDate of Payer's reply
--- config perl: limit('6d warn')
--- request
GET /
--- after
get("/checkout?order=1")->status == 303 or die "no link\n";
my $then = POSIX::strftime('%Y-%m-%dT%H:%M:%S.000+02:00', gmtime(time() - 8 * $::day + 7200));
faults({ match => 'read', action => 'edit', set => { 'payment.createdDate' => $then }, times => 100 });
pay('1');
ok(wait_until(sub { lines(qr/authorized 8 days ago and is not captured, order: "1"/) }, 10), 'eight days before we have seen it');



=== TEST 10: payer_reconcile applies payer_authorization_limit, too
--- config perl: limit('6d capture') =~ s/200ms/1h/r
--- request
GET /
--- after
get("/checkout?order=1")->status == 303 or die "no link\n";
pay('1');
is(post('/reconcile')->json->{settled}, 1, 'authorized');
clock_is_off(6.1 * $::day);
is(post('/reconcile')->json->{settled}, 1, 'captured');
is(books('1')->{captured}, 12900, 'in full');
