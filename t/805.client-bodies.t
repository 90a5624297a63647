# The body of a client's request, whenever it arrives: it is read completely
# before anything waits, it belongs to its request only, and no byte of it is
# parsed as a request.

use lib 't/lib';
use Payer::Test;
use Payer::Cert;
use Payer::Conf;
use Payer::Events;
use Payer::Shop;
use Payer::Split;

use IO::Socket::INET;

our %port = map { $_ => free_port() } qw(https http2 https2);

master_on();
workers(1);

sub fronts {
    return <<"EOF_CONF" . events_server() . operations();
        listen 127.0.0.1:$port{https} ssl;
        listen 127.0.0.1:$port{http2} http2;
        listen 127.0.0.1:$port{https2} ssl http2;
        @{[ certificate('localhost') ]}

        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /metrics { payer_metrics; payer_allow 127.0.0.1; }
        location = /hello { return 200 "hello\\n"; }
EOF_CONF
}

sub each_front {
    my ($check) = @_;

    for my $front (qw(http https http2 https2)) {
        local $Test::Builder::Level = $Test::Builder::Level;
        my ($before) = worker_pids();

        $check->($front, sub {
            Payer::Split->new($front, $port{$front} // nginx_port(), @_)
        });

        my ($after) = worker_pids();
        is($after, $before, "$front: the same worker");
    }
}

sub pause { select undef, undef, undef, $_[0] }

# Another request of the same connection is answered.

sub still_there {
    my ($front, $client) = @_;
    my $r = $client->answer($client->begin(GET => '/hello'));

    is($r && $r->body, "hello\n", "$front: the next request is answered");
}

run_payer_tests();

__DATA__

=== TEST 1: an event callback is answered once if its body arrives late
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
each_front(sub {
    my ($front, $connect) = @_;

    for my $size (14, 600, 60000) {
        my $token = paid_event("late-$front-$size");
        Payer::Sim::faults('event: delay=0.3');

        my $client = $connect->();
        my $s = $client->begin(POST => "/events?token=$token",
            'Content-Length' => $size);

        pause(0.2);
        $client->more($s, 'x');
        pause(0.2);
        $client->end($s, 'x' x ($size - 1));

        my $r = $client->answer($s);
        is($r && $r->status, 200, "$front: $size bytes that come late");
        is(event_of($token)->{acked}, 1, "$front: the event is through");

        still_there($front, $client);
    }
});



=== TEST 2: an event callback is answered if its body arrives right after the header
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
each_front(sub {
    my ($front, $connect) = @_;
    my $client = $connect->();

    for (1 .. 20) {
        my $s = $client->begin(POST => '/events?token=none',
            'Content-Length' => 14);

        $client->end($s, 'x' x 14);

        my $r = $client->answer($s);
        is($r && $r->status, 404, "$front: an answer");
    }
});



=== TEST 3: a request inside the body of a checkout is not processed
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
each_front(sub {
    my ($front, $connect) = @_;
    my $hidden = "GET /hello HTTP/1.1\r\nHost: shop\r\n\r\n";

    for my $pause (0, 0.2) {
        my $order = "hidden-$front-$pause";
        Payer::Sim::faults('create: delay=0.4');

        my $client = $connect->();
        my $s = $client->begin(POST => "/checkout?order=$order",
            'Content-Length' => 290);

        pause($pause);
        $client->more($s, 'x' x 200);
        pause($pause);
        $client->end($s, $hidden . 'x' x (90 - length $hidden));

        my $r = $client->answer($s);
        is($r && $r->status, 303, "$front: the buyer is sent to pay");
        is(books($order)->{links}, 1, "$front: by one link");

        unlike($client->rest, qr/HTTP/, "$front: there is one answer");
        still_there($front, $client);
    }
});



=== TEST 4: a create that is sent again while the client's body arrives is complete
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
each_front(sub {
    my ($front, $connect) = @_;

    Payer::Sim::faults("create: status=503 delay=0.2");

    my $client = $connect->();
    my $s = $client->begin(POST => "/checkout?order=again-$front",
        'Content-Length' => 290);

    for (1 .. 10) { $client->more($s, 'x' x 28); pause(0.05) }
    $client->end($s, 'x' x 10);

    my $r = $client->answer($s);
    is($r && $r->status, 303, "$front: the buyer is sent to pay");
    still_there($front, $client);
});



=== TEST 5: payer_reconcile with a body and a pipelined request get one answer each
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
each_front(sub {
    my ($front, $connect) = @_;

    get("/checkout?order=rec-$front-$_") for 1 .. 3;
    Payer::Sim::faults('read: delay=0.2 times=2');

    my $client = $connect->();
    my $first = $client->begin(POST => '/reconcile', 'Content-Length' => 100);

    pause(0.1);
    $client->more($first, 'x' x 50);
    pause(0.1);
    $client->end($first, 'x' x 50);
    my $second = $client->begin(GET => '/hello');

    my $r = $client->answer($first);
    is($r && $r->status, 200, "$front: reconciled");
    $r = $client->answer($second);
    is($r && $r->body, "hello\n", "$front: the request behind it");
});



=== TEST 6: each handler answers once and in order if the body arrives late
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
my %status = (
    'POST /checkout?order=late' => 303,
    'PUT /checkout?order=late' => 405,
    'POST /events?token=none' => 404,
    'PUT /events?token=none' => 405,
    'POST /reconcile' => 200,
    'GET /reconcile' => 405,
    'POST /metrics' => 405,
    'GET /metrics' => 200,
    'GET /payment' => 415,
    'POST /capture' => 415,
    'GET /capture' => 405,
    'GET /subscriptions' => 415,
    'POST /subscriptions' => 415,
    'GET /checkout?order=' => 400,
);

each_front(sub {
    my ($front, $connect) = @_;

    for my $what (sort keys %status) {
        for my $pause (0, 0.05) {
            my $client = $connect->();
            my $s = $client->begin(split(' ', $what), 'Content-Length' => 70);

            pause($pause);
            $client->more($s, 'GET /hello HTTP/1.1');
            pause($pause);
            $client->end($s, "\r\nHost: shop\r\n\r\n" . 'x' x 35);

            my $r = $client->answer($s);
            is($r && $r->status, $status{$what}, "$front: $what");
            still_there($front, $client);
        }
    }
});



=== TEST 7: each handler reads chunked bodies
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
each_front(sub {
    my ($front, $connect) = @_;
    my $client = $connect->();
    my $chunk = $front =~ /2/ ? sub { $_[0] }
              : sub { sprintf "%x\r\n%s\r\n", length $_[0], $_[0] };
    my $s = $client->begin(POST => "/checkout?order=chunked-$front",
        'Transfer-Encoding' => 'chunked');

    for (1 .. 5) {
        my $piece = $chunk->('x' x 100);
        $client->more($s, substr $piece, 0, 20);
        pause(0.02);
        $client->more($s, substr $piece, 20);
    }
    $client->end($s, $front =~ /2/ ? '' : "0\r\n\r\n");

    my $r = $client->answer($s);
    is($r && $r->status, 303, "$front: a checkout");
    still_there($front, $client);
});



=== TEST 8: a request with Expect gets 100 Continue, and is processed after its body
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
for my $front (qw(http https)) {
    my $client = Payer::Split->new($front, $port{$front} // nginx_port());
    my $s = $client->begin(POST => "/checkout?order=expect-$front",
        'Content-Length' => 10, Expect => '100-continue');

    like($client->rest, qr{\AHTTP/1.1 100 Continue\r\n\r\n\z}, 'go on');
    is(books("expect-$front"), undef, 'nothing is made yet');
    $client->end($s, 'x' x 10);

    is($client->answer($s)->status, 303, 'the buyer is sent to pay');
    still_there($front, $client);
}



=== TEST 9: a request with an incomplete body leaves no lock and no record
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /hello
--- after
for my $path ('/checkout?order=short', '/events?token=none', '/reconcile',
    '/capture')
{
    for my $front (qw(http https)) {
        my $client = Payer::Split->new($front, $port{$front} // nginx_port());
        my $s = $client->begin(POST => $path, 'Content-Length' => 100);

        $client->more($s, 'x' x 50);
        $client->half_close;
        $client->rest(2);
        ok($client->closed, "$front: the connection of $path is closed");
        $client->close;
    }
}

is(books('short'), undef, 'nothing was made');
--- calls: none



=== TEST 10: client_body_timeout ends the wait for a body
--- http_config eval: ::shop_upstream()
--- config eval
"client_body_timeout 300ms;" . ::fronts()
--- request
GET /hello
--- after
for my $path ('/checkout?order=never', '/events?token=none', '/reconcile') {
    my $client = Payer::Split->new(http => nginx_port());
    my $s = $client->begin(POST => $path, 'Content-Length' => 100);

    $client->more($s, 'x' x 50);
    $client->rest(5);
    ok($client->closed, "the connection of $path is closed");
}
--- calls: none



=== TEST 11: a body above client_max_body_size is rejected with and without Content-Length
--- config perl
my @max = (client_max_body_size => '1k');
checkout(@max) . operations(@max) . <<'EOF_CONF'
        location = /hello { return 200 "hello\n"; }
        location = /events { payer_events; client_max_body_size 1k; }
        location = /reconcile {
            payer_reconcile;
            payer_allow 127.0.0.1;
            client_max_body_size 1k;
        }
EOF_CONF
--- request
GET /hello
--- after
for my $path ('/checkout?order=large', '/events?token=none', '/reconcile',
    '/capture')
{
    my $client = Payer::Split->new(http => nginx_port());

    is($client->answer($client->begin(POST => $path,
        'Content-Length' => 1025))->status, 413, "$path: by its length");

    $client = Payer::Split->new(http => nginx_port());
    my $s = $client->begin(POST => $path, 'Transfer-Encoding' => 'chunked');

    $client->more($s, "300\r\n" . 'x' x 0x300 . "\r\n");
    pause(0.05);
    $client->end($s, "300\r\n" . 'x' x 0x300 . "\r\n0\r\n\r\n");
    is($client->answer($s)->status, 413, "$path: in pieces");
}
--- calls: none



=== TEST 12: payer_timeout does not include the time in which the client sends its body
--- http_config eval: ::shop_upstream()
--- config eval
"payer_timeout 1s;" . ::fronts()
--- request
GET /hello
--- after
each_front(sub {
    my ($front, $connect) = @_;
    my $order = "slow-$front";

    get("/checkout?order=$order");
    pay($order);

    my $client = $connect->();
    my $body = qq({"reference":"$order","amount":900});
    my $s = $client->begin(POST => '/capture',
        'Content-Type' => 'application/json',
        'Content-Length' => length $body);

    pause(1.2);
    $client->end($s, $body);

    my $r = $client->answer($s);
    is($r && $r->status, 200, "$front: captured");
    is(books($order)->{captured}, 900, "$front: as much as was said");

    $client = $connect->();
    $s = $client->begin(POST => "/checkout?order=$order-2",
        'Content-Length' => 10);
    pause(1.2);
    $client->end($s, 'x' x 10);
    $r = $client->answer($s);
    is($r && $r->status, 303, "$front: a link");
});
