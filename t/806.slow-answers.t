# Answers that the client reads slowly or not at all, and a time limit that
# applies wherever a call waits.

use lib 't/lib';
use Payer::Test;
use Payer::Cert;
use Payer::Conf;
use Payer::Split;

use IO::Socket::INET;

our %port = map { $_ => free_port() } qw(http2 https2 slow);

master_on();
workers(1);

# bound, and never answered
our $deaf = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1');

sub fronts {
    my $more = shift // '';

    return <<"EOF_CONF" . checkout(payer_present => 'iframe') . operations();
        listen 127.0.0.1:$port{http2} http2;
        listen 127.0.0.1:$port{https2} ssl http2;
        listen 127.0.0.1:$port{slow} sndbuf=8k;
        @{[ certificate('localhost') ]}
        $more
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /metrics { payer_metrics; payer_allow 127.0.0.1; }
EOF_CONF
}

# A payment of which Payer says much.

sub large_payment {
    my ($order, $size) = @_;

    get("/checkout?order=$order");

    my $books = books($order);

    sim(POST => 'faults', { match => 'read', times => 0, status => 200,
        body => { paymentId => $books->{paymentId}, status => 'INITIATED',
            externalPaymentReference => $order, amount => 12900,
            currencyCode => 'SEK', note => 'x' x $size } });
}

sub descriptors { return scalar(() = glob "/proc/$_[0]/fd/*") }

run_payer_tests();

__DATA__

=== TEST 1: an answer to a slow client is complete
--- config eval: ::fronts()
--- request
GET /metrics
--- after
large_payment('large', 200_000);

for my $front (qw(http2 https2)) {
    my $client = Payer::Split->new($front, $port{$front}, window => 1000);
    my $s = $client->begin(GET => '/payment?reference=large');

    is($client->answer($s, 0.3), undef, "$front: not yet");
    for (1 .. 25) { $client->take(10_000, $s); $client->rest(0.01) }

    my $r = $client->answer($s);
    is($r && $r->status, 200, "$front: in the end");
    cmp_ok(length $r->body, '>', 200_000, "$front: all of it");
}

my $client = Payer::Split->new(http => $port{slow});
my $s = $client->begin(GET => '/payment?reference=large');
select undef, undef, undef, 0.3;
my $r = $client->answer($s);
cmp_ok(length $r->body, '>', 200_000, 'over HTTP/1.1, too');
is($r->error, undef, 'as long as it says');



=== TEST 2: an answer that the client does not read leaves no connection
--- config eval: ::fronts()
--- request
GET /metrics
--- after
large_payment('large', 1000);
my ($worker) = worker_pids();

my $leave = sub {
    for my $path ('/checkout?order=large', '/payment?reference=large',
        '/reconcile', '/metrics', '/payment?reference=none')
    {
        for (1 .. 10) {
            my $client = Payer::Split->new('http2', $port{http2}, window => 0);

            $client->begin(GET => $path);
            $client->rest(0.02);
            $client->close;
        }
    }
    get('/metrics');
};

$leave->();
my $before;
wait_until(sub { $before = descriptors($worker) });
$leave->();
ok(wait_until(sub { descriptors($worker) <= $before + 2 }), 'as many as before')
    or diag descriptors($worker) . " and $before before";

reload();
ok(wait_until(sub { !grep { $_ == $worker } worker_pids() }),
    'the worker ends after a reload');



=== TEST 3: send_timeout closes the connection of a client that does not read
--- config eval: ::fronts('send_timeout 500ms;')
--- request
GET /metrics
--- after
large_payment('large', 250_000);

my $client = Payer::Split->new(http => $port{slow});
$client->begin(GET => '/payment?reference=large');
select undef, undef, undef, 1.5;
is($client->answer(1, 5), undef, 'half an answer');
ok($client->closed, 'and the connection is closed');

$client = Payer::Split->new('http2', $port{http2}, window => 10);
my $r = $client->answer($client->begin(GET => '/payment?reference=large'), 5);
is($r && $r->error, 'reset', 'over HTTP/2 the stream is reset');



=== TEST 4: payer_timeout applies while the name of Payer's host is resolved
--- bare
--- http_config perl
bare_http() . "resolver 127.0.0.1:" . $deaf->sockport . ';'
--- config perl
"payer_timeout 700ms; payer_insecure_upstream on; location /_payer/ {
    internal;
    include $ENV{TEST_NGINX_ROOT}/conf/payer_api.conf;
    set \$name payer.example;
    rewrite ^/_payer(/.*)\$ \$1 break;
    proxy_pass http://\$name;
}" . checkout() . operations()
--- request
GET /checkout?order=1
--- error_code: 504
--- json
detail: token
--- after
my $r = get('/checkout?order=2');
is($r->status, 504, 'and again');
cmp_ok($r->time, '<', 1.5, 'in time');
my ($two, $three) = together([ GET => '/checkout?order=2' ],
    [ POST => '/capture', form => { paymentId => 'p1' } ]);
is($_->status, 504, 'two at once') for $two, $three;



=== TEST 5: payer_timeout applies while limit_req of the API location delays a call
--- bare
--- http_config perl
bare_http('simulator')
. 'limit_req_zone $server_name zone=calls:1m rate=6r/m;'
--- config perl
"payer_timeout 700ms; payer_insecure_upstream on;"
. road(proxy_pass => 'http://payer/', limit_req => 'zone=calls burst=9')
. checkout() . 'location = /hello { return 200 "hello\n"; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $client = Payer::Split->new(http => nginx_port());
my $r = $client->answer($client->begin(GET => '/checkout?order=2'), 3);

is($r && $r->status, 504, 'the next one');
is($client->answer($client->begin(GET => '/hello'), 3)->body, "hello\n",
    'the connection goes on');
is(books('2'), undef, 'nothing was sent');
