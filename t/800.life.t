# The life cycle of a server: slow calls, closed client connections, reloads,
# and shutdowns.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use IO::Socket::INET;

our $h2 = free_port();

master_on();
workers(1);
worker_connections(256);

# How many files and sockets a process has open, when it does not change any
# more.

sub descriptors {
    my ($pid) = @_;
    my $before = -1;
    my $now;

    wait_until(sub {
        $now = () = glob "/proc/$pid/fd/*";
        my $same = $now == $before;
        $before = $now;
        select undef, undef, undef, 0.1 unless $same;
        return $same;
    });

    return $now;
}

# A request that nobody waits for yet.

sub begin {
    my ($method, $path, @headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . nginx_port())
        or die "connect: $!\n";
    print $socket join "\r\n", "$method $path HTTP/1.1", 'Host: shop',
        'Connection: close', @headers, '', '';

    return $socket;
}

# What came back in the end.

sub finish {
    my ($socket) = @_;

    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 10;
    my $text = do { local $/; <$socket> };
    alarm 0;

    return $text // '';
}

# Has this call reached Payer?

sub under_way {
    my ($call) = @_;
    wait_until(sub { calls()->{$call} }) or die "no call $call\n";
}

sub gone {
    my ($pid, $seconds) = @_;

    return wait_until(sub {
        open my $fh, '<', "/proc/$pid/stat" or return 1;
        return (<$fh> // '') =~ /^\d+ \(.*\) [ZX]/;
    }, $seconds);
}

run_payer_tests();

__DATA__

=== TEST 1: a worker process that waits for Payer serves other requests
--- config perl
checkout() . operations() . 'location = /hello { return 200 "hello"; }'
--- faults
create: delay=2 times=0
--- request
GET /
--- after
my @r = together(
    (map { [ GET => "/checkout?order=$_" ] } 1 .. 20),
    (map { [ GET => '/hello' ] } 1 .. 20),
    [ GET => '/index.html' ],
    [ GET => '/payment?reference=1' ],
);

is((grep { $_->status == 303 } @r), 20, 'all buyers have their links');
cmp_ok($_->time, '>=', 1.9, 'when Payer has made them') for $r[0], $r[19];
cmp_ok($_->time, '<', 1, 'nobody else waited') for @r[ 20, 39, 40, 41 ];
cmp_ok($_->time, '<', 4, 'nor did one buyer for the other') for $r[0], $r[19];



=== TEST 2: if a buyer closes the connection during a create, the link is stored
--- config perl: checkout()
--- faults
create: delay=0.5
--- request
GET /
--- after
my $r = request(GET => '/checkout?order=1', hang_up => 0.1);
is($r->error, 'hung up', 'the buyer left');

ok(wait_until(sub { books('1') }), 'Payer has made the link');
$r = get('/checkout?order=1');
is($r->status, 303, 'the next visit');
is($r->header('Location'), books('1')->{url}, 'has it');
is(calls()->{create}, 1, 'without a call');



=== TEST 3: if a buyer closes the connection during a create over HTTP/2, the link is stored
--- http_config perl
"server {
    listen 127.0.0.1:$h2 http2;
    " . payer_server() . checkout() . "
}"
--- config perl: checkout()
--- faults
create: delay=0.5
--- request
GET /
--- after
my $said = `curl -s -w '%{http_code}' --max-time 0.2 --http2-prior-knowledge 'http://127.0.0.1:$h2/checkout?order=1'`;
is($said, '000', 'the buyer left');

ok(wait_until(sub { books('1') }), 'Payer has made the link');
my $r;
ok(wait_until(sub { $r = get('/checkout?order=1') }), 'the next visit');
is($r->status, 303, 'goes on');
is($r->header('Location'), books('1')->{url}, 'to that link');
is(calls()->{create}, 1, 'without a call');



=== TEST 4: closed client connections leave no open file descriptors
--- config perl: checkout()
--- faults
create: delay=0.3 times=0
--- request
GET /
--- after
my ($worker) = worker_pids();

my $leave = sub {
    my ($name) = @_;
    together(map { [ GET => "/checkout?order=$name$_", hang_up => 0.05 ] } 1 .. 30);
    wait_until(sub { books("${name}30") && books("${name}1") });
    # the connections that are kept for Payer's next calls are in both counts
    return descriptors($worker);
};

my $first = $leave->('a');
is($leave->('b'), $first, 'as many as before');
is((worker_pids())[0], $worker, 'in the same worker');



=== TEST 5: closed client connections over HTTP/2 leave no open file descriptors
--- http_config perl
"server {
    listen 127.0.0.1:$h2 http2;
    " . payer_server() . checkout() . "
}"
--- config
--- faults
create: delay=0.3 times=0
--- request
GET /
--- after
my ($worker) = worker_pids();

my $started = 0;

my $leave = sub {
    my ($name) = @_;
    my $url = "http://127.0.0.1:$h2/checkout?order=$name";
    system "curl -Z --parallel-immediate -s --no-progress-meter -m 0.2 --http2-prior-knowledge '$url\[1-20]'";

    ok(wait_until(sub { (calls()->{create} // 0) >= $started + 20 }), 'they came');
    $started = calls()->{create};
    wait_until(sub { !grep { !defined $_->{status} } journal('create') });

    return descriptors($worker);
};

my $first = $leave->('a');
is($leave->('b'), $first, 'as many as before');
is((worker_pids())[0], $worker, 'in the same worker');



=== TEST 6: a closed client connection does not prevent a worker process from exiting gracefully
--- config perl: checkout()
--- faults
create: delay=0.3
--- request
GET /
--- after
request(GET => '/checkout?order=1', hang_up => 0.1);
my ($worker) = worker_pids();
kill 'QUIT', $worker;
ok(gone($worker, 3), 'no timer is left when the call is over');
is(books('1')->{links}, 1, 'which was made');



=== TEST 7: if a buyer closes the connection during a token request, the token is stored
--- config perl: checkout()
--- faults
token: delay=0.4
--- request
GET /
--- after
request(GET => '/checkout?order=1', hang_up => 0.1);
is(get('/checkout?order=2')->status, 303, 'the next buyer');
is(calls()->{token}, 1, 'goes on with it');



=== TEST 8: if a client closes the connection during a capture, a repeat finds it done
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: delay=0.4');

my %capture = (json => { reference => '1', amount => 400 },
    headers => { 'Idempotency-Key' => 'once' });

my $r = request(POST => '/capture', %capture, hang_up => 0.1);
is($r->error, 'hung up', 'the caller left');
wait_until(sub { books('1')->{captured} });

ok(wait_until(sub { ($r = post('/capture', %capture))->status == 200 }), 'the repeat');
is($r->header('Idempotency-Replayed'), 'true', 'gets the first answer');
is(calls()->{capture}, 1, 'without a call');
is(books('1')->{captured}, 400, 'and it was captured once');



=== TEST 9: a call in progress is completed during a reload
--- config perl: checkout()
--- faults
create: delay=0.8
--- request
GET /
--- after
my $buyer = begin(GET => '/checkout?order=1');
under_way('create');

my ($old) = worker_pids();
kill 'HUP', nginx_pid();

ok(wait_until(sub { (worker_pids())[-1] != $old }), 'a new worker');
my $r = get('/checkout?order=1');
my $answer = finish($buyer);

like($answer, qr{^HTTP/1.1 303 }, 'the old one answers its buyer');
is($r->status, 303, 'and a visit in between');
is($r->header('Location'), books('1')->{url}, 'waited for that link');
is(calls()->{create}, 1, 'which was made once');
ok(gone($old, 3), 'the old worker quits');



=== TEST 10: a rejected configuration does not change the running one
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- alert: payer_amount
--- after
my $file = $Test::Nginx::Util::ConfFile;
my $good = do { local (@ARGV, $/) = $file; <> };

write_file($file, $good =~ s/payer_amount 12900/payer_amount \$arg_amount/r);
kill 'HUP', nginx_pid();
ok(wait_until(sub { error_log_text() =~ /the buyer can choose what to pay/ }), 'it is refused');
write_file($file, $good);

is(get('/checkout?order=1')->header('Location'), books('1')->{url}, 'and nothing has changed');
is(calls()->{create}, 1, 'at all');



=== TEST 11: a graceful shutdown waits for a call in progress
--- config perl: checkout()
--- faults
create: delay=0.5
--- request
GET /
--- after
my $buyer = begin(GET => '/checkout?order=1');
under_way('create');
my $master = nginx_pid();
kill 'QUIT', $master;

like(finish($buyer), qr{^HTTP/1.1 303 .*^Location: \Q@{[ books('1')->{url} ]}\E\r$}ms, 'the buyer has the link');
ok(gone($master, 3), 'and then nginx quits');



=== TEST 12: a fast shutdown does not wait for a call in progress
--- config perl: checkout() . operations()
--- faults
create: silence
--- request
GET /
--- after
my $buyer = begin(GET => '/checkout?order=1');
under_way('create');
my $master = nginx_pid();
kill 'TERM', $master;
ok(gone($master, 3), 'nginx is gone');
finish($buyer);
ok(error_log_text() !~ /exited on signal/, 'and nothing crashed');



=== TEST 13: worker_shutdown_timeout ends a checkout in progress without a crash
--- main_config
    worker_shutdown_timeout  300ms;
--- config perl: checkout() . operations()
--- faults
create: silence
--- request
GET /
--- after
my $buyer = begin(GET => '/checkout?order=1');
under_way('create');
my $master = nginx_pid();
kill 'QUIT', $master;
ok(gone($master, 5), 'nginx is gone');
finish($buyer);
ok(error_log_text() !~ /exited on signal/, 'and nothing crashed');



=== TEST 14: an order is known after a worker process was killed
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- alert
exited on signal 9
--- after
my ($old) = worker_pids();
kill 'KILL', $old;
ok(wait_until(sub { my ($now) = worker_pids(); $now && $now != $old && $now != nginx_pid() }), 'another one takes its place');

my $r = get('/checkout?order=1');
is($r->header('Location'), books('1')->{url}, 'the link is known');
is(calls()->{create}, 1, 'without a call');
is(calls()->{token}, 1, 'and so is the token');



=== TEST 15: calls succeed again after Payer was unavailable
--- config perl: checkout(payer_tries => 1)
--- faults
create: reset times=5
--- request
GET /
--- after
get("/checkout?order=$_") for 1 .. 5;
is(get('/checkout?order=6')->status, 303, 'at once');



=== TEST 16: worker_shutdown_timeout ends an operation in progress without a crash
--- main_config
    worker_shutdown_timeout  300ms;
--- config perl: checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
faults('capture: silence');

my $capture = begin(POST => '/capture?reference=1');
under_way('capture');
my $master = nginx_pid();
kill 'QUIT', $master;
ok(gone($master, 5), 'nginx is gone');
finish($capture);
ok(error_log_text() !~ /exited on signal/, 'and nothing crashed');
