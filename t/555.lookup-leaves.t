# Several requests wait for one response of the shop, and the client of the
# first one goes away, resets its stream, or its time expires: the others are
# answered.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET;
use Payer::HostileH2;
use Payer::Shop;
use Payer::Test;

our $api = $ENV{TEST_NGINX_API_PORT} = shop_start();
our $http2 = free_port();

my $order = 'json {"total":"129.00","currency":"SEK","status":"pending",'
    . '"key":"k"}';


# One place for all; /short has less time than the shop may take.  No more than
# one question at a time: who leaves gives its place back.

sub places {
    my $lookup = <<'EOF';
            payer_lookup        /_shop/order?id=$arg_id;
            payer_lookup_field  $s_total    /total;
            payer_lookup_field  $s_currency /currency;
            payer_lookup_field  $s_status   /status;
            payer_lookup_field  $s_key      /key;
            payer_lookup_match  $s_key      $arg_key;
            payer_lookup_open   $s_status   pending;
            payer_lookup_inflight 1;

            payer_checkout;
            payer_reference       $arg_id;
            payer_amount          $s_total major;
            payer_currency        $s_currency;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
EOF

    return <<"EOF";
        listen 127.0.0.1:$http2 http2;

        location = /pay   { $lookup payer_timeout 4s; }
        location = /short { $lookup payer_timeout 400ms; }

        location = /_shop/order {
            internal;
            proxy_pass  http://127.0.0.1:$api/orders/\$arg_id;
        }
EOF
}


sub asked { return scalar shop_requests() }

sub after_first { return ('delay=' . shift() . " $order", $order) }

sub waiters { return map { [ GET => '/pay?id=1&key=k' ] } 1 .. 5 }


# Asks over HTTP/2, and is waited for until the shop was asked.

sub ask_over_http2 {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $http2) or die "connect: $!\n";
    my $head = join '', map { Payer::HostileH2::_literal(@$_) }
        [ ':method', 'GET' ], [ ':scheme', 'http' ],
        [ ':path', '/pay?id=1&key=k' ], [ ':authority', 'localhost' ];

    print $socket "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        Payer::HostileH2::frame(4, 0, 0, ''),
        Payer::HostileH2::frame(1, 5, 1, $head);
    $socket->flush;

    wait_until(\&asked) or die "the shop is not asked\n";

    return $socket;
}


# Somewhat later, while this process waits for answers.

sub later {
    my ($what) = @_;

    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    select undef, undef, undef, 0.4;
    $what->();
    POSIX::_exit(0);
}


sub all_are_sent_to_pay {
    my (@answers) = @_;

    is(join(' ', map { $_->status } @answers),
        join(' ', (303) x @answers), 'the others are sent to pay');
    is(asked(), 2, 'the shop was asked once more, for all of them');
    is(books('1')->{links}, 1, 'one link');

    is(get('/pay?id=2&key=k')->status, 303, 'the place is free again');
}

run_payer_tests();

__DATA__

=== TEST 1: waiting requests get the lookup if the requesting client closes its connection
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(::after_first(3));

my (undef, @r) = together([ GET => '/pay?id=1&key=k', hang_up => 0.4 ],
    ::waiters());

::all_are_sent_to_pay(@r);
cmp_ok($_->time, '<', 2.5, 'and do not wait for what nobody asks for')
    for @r;



=== TEST 2: waiting requests get the lookup if the requesting client resets its stream
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(::after_first(3));

my $first = ::ask_over_http2();
my $pid = ::later(sub {
    print $first Payer::HostileH2::frame(3, 0, 1, pack 'N', 8);
    $first->flush;
});
my @r = together(::waiters());
waitpid $pid, 0;

::all_are_sent_to_pay(@r);
cmp_ok($_->time, '<', 2.5, 'and do not wait for what nobody asks for')
    for @r;



=== TEST 3: waiting requests get the lookup if the requesting client over HTTP/2 has gone
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(::after_first(3));

my $first = ::ask_over_http2();
my $pid = ::later(sub { shutdown $first, 2 });
my @r = together(::waiters());
waitpid $pid, 0;

::all_are_sent_to_pay(@r);



=== TEST 4: waiting requests get the lookup if the payer_timeout of the requesting one expires
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(::after_first(1.5));

my ($short, @r) = together([ GET => '/short?id=1&key=k' ], ::waiters());

is($short->status, 503, 'the shop did not say in time');
cmp_ok($short->time, '<', 1, 'which is said in its own time');
::all_are_sent_to_pay(@r);



=== TEST 5: the other requests get the lookup if a waiting client closes its connection
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(::after_first(0.8));

my @waiters = ::waiters();
push @{ $waiters[2] }, hang_up => 0.2;

my @r = together(@waiters);
splice @r, 2, 1;

is(join(' ', map { $_->status } @r), '303 303 303 303', 'sent to pay');
is(::asked(), 1, 'the shop was asked once');
is(get('/pay?id=2&key=k')->status, 303, 'the place is free again');
