# payer_events with simultaneous callbacks, killed worker processes and closed
# connections: the shop gets each event once, and none is lost.

use lib 't/lib';
use Payer::Test;
use Payer::Events;
use Payer::Shop;

use IO::Socket::INET;

master_on();
workers(2);
worker_connections(256);

# HTTP/2 without a library: one GET, whose headers are all literals, and then
# a RST_STREAM when the shop has been reached.
sub h2_frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

sub h2_get {
    my ($port, $path) = @_;

    my $literal = sub {
        join '', "\0", map { pack('C', length) . $_ } @_;
    };
    my $headers = join '', map { $literal->(@$_) } (
        [ ':method', 'GET' ], [ ':scheme', 'http' ],
        [ ':authority', 'shop.example' ], [ ':path', $path ],
    );

    my $socket = IO::Socket::INET->new("127.0.0.1:$port") or die "h2: $!\n";

    print {$socket} "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        h2_frame(4, 0, 0, ''), h2_frame(1, 5, 1, $headers);
    $socket->flush;

    return $socket;
}

# the store of a block that brings its own
sub lmdb {
    my $dir = work_dir() . '/lmdb';

    system 'rm', '-rf', $dir;
    mkdir $dir or die "mkdir $dir: $!\n";
    chmod 0777, $dir;

    return payer_http() =~ s/payer_store\s+memory;/payer_store lmdb:$dir;/r
        . shop_upstream();
}

run_payer_tests();

__DATA__

=== TEST 1: simultaneous callbacks of one event pass it to the shop once
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=0.3 204');
my @r = together(map { [ GET => "/events?token=$token" ] } 1 .. 8);

is($_->status, 200, 'each is answered with 200') for @r;
is(scalar(shop_requests()), 1, 'the shop is told once');
is(calls()->{event}, 1, 'and the payload fetched once');



=== TEST 2: a waiting callback delivers the event if the first one could not
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=0.3 500', '204');
my @r = together(map { [ GET => "/events?token=$token" ] } 1 .. 2);

is(join(' ', sort map { $_->status } @r), '200 503', 'one of them went through');
is(scalar(shop_requests()), 2, 'the shop was asked twice');



=== TEST 3: callbacks of different events do not wait for each other
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my @token = map { paid_event($_) } 1001 .. 1004;

shop_answers('delay=0.5 204');
my @r = together(map { [ GET => "/events?token=$_" ] } @token);

is($_->status, 200, 'taken') for @r;
cmp_ok($_->time, '<', 1.5, 'at the same time') for @r;
is(scalar(shop_requests()), 4, 'four events');



=== TEST 4: a waiting callback does not block the worker process
--- http_config eval: ::shop_upstream()
--- config eval
::events_server() . 'location = /hello { return 204; }'
--- request
GET /hello
--- error_code: 204
--- after
my $token = paid_event('1001');

faults('event: delay=0.8');
my @r = together(
    (map { [ GET => "/events?token=$token" ] } 1 .. 50),
    (map { [ GET => '/hello' ] } 1 .. 10),
);

cmp_ok($r[$_]->time, '<', 0.5, 'hello') for 50 .. 59;
is(scalar(grep { $_->status == 200 } @r[ 0 .. 49 ]), 50, 'all were answered');
is(scalar(shop_requests()), 1, 'the shop was told once');



=== TEST 5: if a worker process is killed after the delivery, the event is only acknowledged
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- alert: exited on signal 9
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults('ack: delay=5 action=silence');
my $client = IO::Socket::INET->new('127.0.0.1:' . nginx_port());
print $client "GET /events?token=$token HTTP/1.0\r\n\r\n";

ok(wait_until(sub { calls()->{ack} }), 'it is about to acknowledge');
kill 'KILL', worker_pids();

ok(wait_until(sub { eval { callback($token)->status == 200 } }),
    'the next callback goes through');
is(scalar(shop_requests()), 1, 'and the shop was told once');



=== TEST 6: if a worker process is killed before the shop's response, the event is passed again
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('payer_timeout 1s;')
--- alert: exited on signal 9
--- timeout: 20
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=3 204', '204');
my $client = IO::Socket::INET->new('127.0.0.1:' . nginx_port());
print $client "GET /events?token=$token HTTP/1.0\r\n\r\n";

ok(wait_until(sub { shop_requests() }), 'the shop is at work');
kill 'KILL', worker_pids();

ok(wait_until(sub {
    my $r = eval { callback($token) };
    $r && $r->status == 503
}), 'a callback right after it waits, and is to come again');
is(scalar(shop_requests()), 1, 'nobody knows, so the shop is left alone');

ok(wait_until(sub { callback($token)->status == 200 }, 12),
    'and goes through when the dead worker\'s claim is over');
is(event_of($token)->{acked}, 1, 'the event is acknowledged');



=== TEST 7: a delivery is stored if Payer closes the connection
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('', 'proxy_ignore_client_abort on;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=0.5 204');
my ($r) = together([ GET => "/events?token=$token", hang_up => 0.2 ]);
is($r->error, 'hung up', 'Payer has hung up');

ok(wait_until(sub { event_of($token)->{acked} }), 'it is acknowledged');
is(callback($token)->status, 200, 'the next callback');
is(scalar(shop_requests()), 1, 'the shop was told once');



=== TEST 8: a delivery is stored if Payer resets the HTTP/2 stream
--- http_config eval: ::shop_upstream()
--- config eval
$ENV{TEST_NGINX_H2_PORT} = ::free_port();
"listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;"
    . ::events_server('', 'proxy_ignore_client_abort on;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=0.5 204');
my $socket = h2_get($ENV{TEST_NGINX_H2_PORT}, "/events?token=$token");

ok(wait_until(sub { shop_requests() }), 'the shop is at work');
print {$socket} h2_frame(3, 0, 1, pack 'N', 8);
$socket->flush;

ok(wait_until(sub {
    sim('DELETE', 'journal');
    callback($token)->status == 200 && !calls()->{event}
}), 'the shop\'s word was stored');
is(scalar(shop_requests()), 1, 'it was told once');



=== TEST 9: a delivery is stored if Payer closes the HTTP/2 connection
--- http_config eval: ::shop_upstream()
--- config eval
"listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;"
    . ::events_server('', 'proxy_ignore_client_abort on;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=0.5 204');
my $socket = h2_get($ENV{TEST_NGINX_H2_PORT}, "/events?token=$token");

ok(wait_until(sub { shop_requests() }), 'the shop is at work');
close $socket;

ok(wait_until(sub { callback($token)->status == 200 }), 'the next callback');
is(scalar(shop_requests()), 1, 'the shop was told once');



=== TEST 10: an event is accepted over HTTP/2
--- http_config eval: ::shop_upstream()
--- config eval
"listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;" . ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my $socket = h2_get($ENV{TEST_NGINX_H2_PORT}, "/events?token=$token");

ok(wait_until(sub { event_of($token)->{acked} }), 'it is acknowledged');
is(scalar(shop_requests()), 1, 'the shop was told');
unlike(JSON::PP::encode_json([ shop_requests() ]), qr/"Cookie|evil/,
    'by nothing but our headers');



=== TEST 11: a delivery in progress is completed during a reload
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=0.5 204');
my $client = IO::Socket::INET->new('127.0.0.1:' . nginx_port());
print $client "GET /events?token=$token HTTP/1.0\r\n\r\n";

ok(wait_until(sub { shop_requests() }), 'the shop is at work');
reload();

ok(wait_until(sub { callback($token)->status == 200 }),
    'a callback to the new worker');
like(join('', <$client>), qr{^HTTP/1\.1 200 }, 'the old one is answered');
is(scalar(shop_requests()), 1, 'the shop was told once');



=== TEST 12: an event is passed once with the lmdb store
--- bare
--- http_config eval: ::lmdb()
--- config eval: ::payer_server() . ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=0.2 500', '204');
is(callback($token)->status, 503, 'the shop fails');

my @r = together(map { [ GET => "/events?token=$token" ] } 1 .. 4);
is($_->status, 200, 'the shop takes it') for @r;
is(scalar(shop_requests()), 2, 'once');

like(get('/checkout?order=1001')->header('Location'), qr{/thanks$},
    'the order is paid');

reload();
sim('DELETE', 'journal');
is(callback($token)->status, 200, 'new workers');
is_deeply(calls(), { ack => 1 }, 'only acknowledge');



=== TEST 13: two nginx instances with one store, as during a binary upgrade, pass an event once
--- bare
--- main_config
    env ASAN_OPTIONS;
    env UBSAN_OPTIONS;
--- http_config eval: ::lmdb()
--- config eval: ::payer_server() . ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $old = nginx_pid();
kill 'USR2', $old;
ok(wait_until(sub {
    my $pid = nginx_pid();
    $pid && $pid != $old && worker_pids()
}, 10), 'two masters');
my $new = nginx_pid();

for my $order (2001 .. 2004) {
    my $token = paid_event($order);

    shop_answers('delay=0.3 204');
    my @r = together(map { [ GET => "/events?token=$token" ] } 1 .. 12);

    is((grep { $_->status == 200 } @r), 12, "order $order: all are answered");
    is(scalar(shop_requests()), 1, 'the shop was told once');
}

kill 'QUIT', $new;
ok(wait_until(sub { (nginx_pid() // 0) == $old }, 10), 'back to one');



=== TEST 14: limit_req limits callbacks with made-up tokens
--- http_config eval
::shop_upstream()
    . 'limit_req_zone $binary_remote_addr zone=payer_events:1m rate=1r/s;'
--- config eval
::events_server('limit_req zone=payer_events burst=5 nodelay;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my @r = together(map { [ GET => "/events?token=made-up-$_" ] } 1 .. 100);

cmp_ok(calls()->{event}, '<=', 10, 'Payer heard of few of them');
is(scalar(grep { $_->status == 404 } @r), calls()->{event}, 'which are 404');
is(scalar(grep { $_->status == 503 } @r), 100 - calls()->{event},
    'the others are to come again');
ok(wait_until(sub { callback($token)->status == 200 }),
    'and Payer gets through');



=== TEST 15: callbacks with made-up tokens leave no records and no memory
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- timeout: 30
--- after
# a zone of 1m would be full of some thousand entries
for my $n (1 .. 40) {
    together(map { [ GET => "/events?token=" . 'x' x 200 . "-$n-$_" ] }
        1 .. 50);
}

is(calls()->{event}, 2000, 'two thousand tokens');
is(callback(paid_event('1001'))->status, 200, 'an event goes through');
unlike(error_log_text(), qr/is full|no memory/, 'there was room');



=== TEST 16: with payer_auto_capture an event captures the payment once
--- http_config eval: ::shop_upstream()
--- config eval
'payer_auto_capture on;' . ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my $other = sim('POST', 'events',
    { type => 'CARD_PAYMENT_AUTHORIZED', paymentId => payment('1001') })
    ->{tokens}[0];

my @r = together(map { [ GET => "/events?token=$_" ] } $token, $other);
is($_->status, 200, 'both events are taken') for @r;
is(calls()->{capture}, 1, 'one captures');
is(books('1001')->{captured}, 12900, 'all of it');
is(scalar(shop_requests()), 2, 'the shop was told of both');



=== TEST 17: a payment of less than the order is not captured by an event
--- http_config eval: ::shop_upstream()
--- config eval
'payer_auto_capture on;' . ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults({ match => 'read', action => 'edit',
    set => { 'payment.authorizedAmount' => 100 } });
is(callback($token)->status, 200, 'the event is taken');
is(calls()->{capture}, undef, 'nothing is captured');



=== TEST 18: an authorization after a cancel is not used for an order whose next link is being created
--- http_config eval: ::shop_upstream()
--- config eval
::events_server() . '
location = /more {
    payer_checkout;
    payer_reference       $arg_order public;
    payer_amount          5900;
    payer_currency        SEK;
    payer_return_success  /thanks;
    payer_return_fail     /cart;
    payer_return_back     /cart;
}
location = /gate { payer_verify $arg_order; payer_verify_amount 1 SEK; proxy_pass http://shop; }
'
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe();
is(get('/checkout?order=1001')->status, 303, 'a link');
pay('1001', card => '3ds', threeds => 'start');
my $void = payment('1001');

# the cart has changed, and the reply to the next create is lost
faults('create: lost-reply times=0');
isnt(get('/more?order=1001')->status, 303, 'no second link yet');
sim('DELETE', 'faults');

# the first one is authorized all the same
sim('POST', 'pay', { paymentId => $void, threeds => 'approve' });
wait_until(sub { @{ events() } }) or die "no event\n";
my $token = events()->[-1]{token};
is(callback($token)->status, 200, 'its event is taken');
is(calls()->{read}, undef, 'without a read, as its payment is known to be another one');
is(get('/gate?order=1001')->status, 503, 'and does not make the order paid');
