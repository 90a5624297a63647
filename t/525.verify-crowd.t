# Many requests with payer_verify: one read serves all requests that were
# received before it began, in all worker processes, and reads of one order
# begin a second apart.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Gate;
use Time::HiRes qw(time);

$ENV{TEST_NGINX_H2_PORT} = free_port();

shop();

sub crowd {
    my ($n, $order) = @_;

    return together(map { [ GET => "/thanks?order=$order&n=$_" ] } 1 .. $n);
}

sub statuses {
    my %n;
    $n{ $_->status }++ for @_;

    return join ' ', map { "$_ x $n{$_}" } sort keys %n;
}


# HTTP/2: a frame, and a request for the page of an order.

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

sub thanks_stream {
    my ($stream) = @_;

    my $fields = join '', map { pack 'C C/a* C/a*', 0, @$_ }
        [':path', '/thanks?order=1001'], [':authority', '127.0.0.1'];

    return frame(1, 5, $stream, "\x82\x86$fields");
}


# The shortest time from one read to the next.

sub shortest {
    my @at = sort { $a <=> $b } map { $_->{time} } journal('read');
    my ($least) = sort { $a <=> $b } map { $at[$_] - $at[ $_ - 1 ] } 1 .. $#at;

    return $least;
}


# What happens while the first visit of the order is waiting for Payer: the
# first visit's status, and what was done meanwhile has returned.

sub while_read {
    my ($order, $what) = @_;

    my $before = calls()->{read} // 0;
    my $child  = fork // die "fork: $!";

    if (!$child) {
        my $r = thanks($order);
        POSIX::_exit($r->status ? $r->status - 200 : 255);
    }

    wait_until(sub { (calls()->{read} // 0) > $before }, 5)
        or die "nobody reads\n";
    my @is = $what->();
    waitpid $child, 0;

    return (($? >> 8) + 200, @is);
}

master_on();
workers(2);
run_payer_tests();

__DATA__

=== TEST 1: simultaneous requests for an unpaid order cause one read per second
--- after
order('1001');
my @r = crowd(200, '1001');
is(statuses(@r), '402 x 200', 'no request is passed');
cmp_ok(calls()->{read}, '<=', 3, 'a few reads: ' . calls()->{read});
cmp_ok(shortest(), '>', 0.95, 'a second apart');



=== TEST 2: simultaneous requests in payer_verify_wait cause one read per second
--- gate
payer_verify $arg_order;
payer_verify_wait 3s;
--- after
order('1001');
my $start = time;
my @r = crowd(200, '1001');
my $took = time - $start;
is(statuses(@r), '402 x 200', 'no request is passed');
cmp_ok($took, '>', 1.9, 'they have waited');
cmp_ok(calls()->{read}, '>=', 2, 'Payer was asked again');
cmp_ok(calls()->{read}, '<=', $took + 2, 'once a second');
cmp_ok(shortest(), '>', 0.95, 'a second apart');



=== TEST 3: all waiting requests are passed when the buyer has paid
--- gate
payer_verify $arg_order;
payer_verify_wait 8s;
--- after
order('1001');
my $child = fork // die "fork: $!";
if (!$child) {
    wait_until(sub { (calls()->{read} // 0) >= 2 }, 5);
    pay('1001');
    POSIX::_exit(0);
}
my @r = crowd(200, '1001');
waitpid $child, 0;
is(statuses(@r), '200 x 200', 'all of them');
cmp_ok(calls()->{read}, '<=', 5, 'by a few reads: ' . calls()->{read});



=== TEST 4: a request received after a read began does not get the result of that read
--- after
order('1001');
faults({ match => 'read', delay_after => 0.7 });
my ($first, $second) = while_read('1001', sub {
    pay('1001');
    return thanks('1001');
});
is($first, 402, 'the first came before the payment');
is_thanked($second, 'the second came after it');
cmp_ok($second->time, '<', 2.5, 'in good time');
is(calls()->{read}, 2, 'by a read of its own');



=== TEST 5: a slow read does not delay a request received after it began
--- gate
payer_verify $arg_order;
payer_timeout 8s;
--- after
order('1001');
faults({ match => 'read', delay => 5 });
my (undef, $r) = while_read('1001', sub { return thanks('1001') });
is_refused($r, 402, 'not paid');
cmp_ok($r->time, '<', 3, 'before the first read has ended');
is(calls()->{read}, 2, 'by another read');



=== TEST 6: after a negative result a buyer who has paid waits for one second at most
--- after
order('1001');
is_refused(thanks('1001'), 402, 'not paid');
pay('1001');
my $r = thanks('1001');
is_thanked($r, 'paid');
cmp_ok($r->time, '<', 1.6, 'soon');
is_thanked(thanks('1001'), 'and from then on');
is(calls()->{read}, 2, 'without another read');



=== TEST 7: with payer_verify_cache 0 a positive result is shared by the requests that waited for it
--- gate
payer_verify $arg_order;
payer_verify_cache 0;
--- after
paid('1001');
faults({ match => 'read', delay => 0.3, times => 0 });
my @r = crowd(100, '1001');
is(statuses(@r), '200 x 100', 'all are passed');
cmp_ok(calls()->{read}, '<=', 4, 'by a few reads: ' . calls()->{read});
is_thanked(thanks('1001'), 'who comes later');
cmp_ok((journal('read'))[-1]{time}, '>', time - 1, 'has a read of his own');



=== TEST 8: a release during a read rejects all requests received afterwards
--- gate
payer_verify $arg_order;
payer_verify_cache 0;
--- config
location = /release { payer_release; payer_allow 127.0.0.1; }
--- after
paid('1001');
faults({ match => 'read', delay_after => 0.6 });
my ($first, $r, @later) = while_read('1001', sub {
    return (post('/release?reference=1001'), crowd(20, '1001'));
});
is($r->status, 200, 'released');
is(statuses(@later), '402 x 20', 'no later request is passed');



=== TEST 9: a failed read is answered with 503 to all requests that waited for it
--- gate
payer_verify $arg_order;
payer_tries 1;
--- after
order('1001');
faults({ match => 'read', action => 'html', times => 0 });
my @r = crowd(100, '1001');
is(statuses(@r), '503 x 100', 'the outcome is unknown');
cmp_ok(calls()->{read}, '<=', 3, 'a few reads: ' . calls()->{read});
ok(!(grep { !$_->header('Retry-After') } @r), 'each is told when to come again');



=== TEST 10: a worker process that is killed during a read does not block the crowd
--- alert: exited on signal 9
--- after
order('1001');
faults({ match => 'read', action => 'silence' });
my @before = worker_pids();
my (undef, $r) = while_read('1001', sub {
    kill 'KILL', @before;
    wait_until(sub { !grep { kill 0, $_ } @before }, 5);
    wait_until(sub { (worker_pids())[1] }, 5);
    return thanks('1001');
});
is_refused($r, 402, 'the next one reads');
cmp_ok($r->time, '<', 3, 'before long');



=== TEST 11: reads of two orders do not wait for each other
--- after
order($_) for qw(1001 1002);
my $start = time;
is_refused(thanks($_), 402, "order $_") for qw(1001 1002);
cmp_ok(time - $start, '<', 0.8, 'without a pause');



=== TEST 12: a read of a replaced payment is not used for the new payment
--- after
order('1001');
faults({ match => 'read', delay_after => 1.5 });
my ($first, $made, $r) = while_read('1001', sub {
    my $made = get('/buy?order=1001&amount=777&currency=SEK');
    pay('1001');
    return ($made, thanks('1001'));
});
is($made->status, 303, 'another amount, another link');
is_thanked($r, 'the payment of now is what counts');



=== TEST 13: the result of a read is used although its client has reset the stream
--- config
    listen 127.0.0.1:$TEST_NGINX_H2_PORT http2;
--- after
order('1001');
is_refused(thanks('1001'), 402, 'a read');

# All are received before the next read can begin.  nginx does not look for a
# reset while payer_verify waits: each of the four has its turn to read.

my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $ENV{TEST_NGINX_H2_PORT});

print $client "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, ''),
    (map { thanks_stream($_), frame(3, 0, $_, pack 'N', 8) } 1, 3, 5, 7),
    thanks_stream(9);

my $start = time;
my $got = '';

while ($got !~ /\x48\x03(\d{3})/ && time - $start < 8) {
    sysread $client, $got, 4096, length $got or last;
}

my ($status) = $got =~ /\x48\x03(\d{3})/;

is($status, 402, 'the one that stays');
cmp_ok(time - $start, '<', 2.5, 'has the first result, not the fifth');
