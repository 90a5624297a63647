# What becomes of a lookup: its result is kept with the request over
# X-Accel-Redirect, its log lines name the order, and a worker process that is
# killed meanwhile leaves nothing behind.

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Lookup;

use IO::Socket::INET;

master_on();
workers(1);
lookup_start();
log_level('info');


# The shop's page sends nginx on to /inner.

sub sends_on {
    return page() =~ s{(location / \{)}{$1 add_header X-Accel-Redirect /inner;}r;
}


# ... which has no lookup of its own.

sub inner {
    my ($text, %change) = @_;

    return lookup(%change) . "location = /inner { internal; $text }\n";
}


# A request that nobody waits for.

sub begin {
    my ($path) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . nginx_port())
        or die "connect: $!\n";
    print $socket "GET $path HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";

    return $socket;
}

run_payer_tests();

__DATA__

=== TEST 1: a location reached by X-Accel-Redirect uses the lookup of the first one
--- http_config eval: ::sends_on()
--- config eval
::inner('payer_verify $payer_reference; payer_verify_amount $wc_total major $wc_currency;
    add_header X-Total $wc_total; empty_gif;')
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc());
is(received(1001, 'wc_order_abc')->status, 303, 'sent to pay');
pay('1001');

my $before = lookups();
my $r = received(1001, 'wc_order_abc');
is($r->status, 200, 'passed there, too');
is($r->header('X-Total'), '129.50', 'with the field');
is(lookups() - $before, 1, 'the shop was asked once');



=== TEST 2: a checkout reached by X-Accel-Redirect uses the result of the lookup
--- http_config eval: ::sends_on()
--- config eval
::inner('payer_checkout; payer_reference $payer_reference; payer_amount $wc_total major;
    payer_currency $wc_currency; payer_return_success /; payer_return_fail /;
    payer_return_back /;')
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(payment_method => 'cod'));
my $r = received(1001, 'wc_order_abc');
is($r->status, 409, 'an order that is not ours is not sold');
is(lookups(), 1, 'the shop was asked once');
is(calls()->{create}, undef, 'nothing was sent to Payer');



=== TEST 3: a location reached by X-Accel-Redirect with an order of another lookup asks again
--- http_config eval: ::sends_on()
--- config eval
::inner('rewrite ^ /checkout/order-received/1002/ last;')
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(payment_method => 'cod'), wc(id => 1002, order_key => 'other'));
my $r = received(1001, 'wc_order_abc');
is($r->status, 404, 'the key of one order does not open another');
is(lookups(), 2, 'the shop was asked for each');



=== TEST 4: each log message of a lookup ends with the order
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers(wc(), '500', wc(total => undef), wc(order_key => 'other'));
received(1001, 'wc_order_abc');
received(1002, 'wc_order_abc') for 1 .. 3;

my @lines = grep { /payer: lookup/ } split /\n/, error_log_text();
cmp_ok(scalar @lines, '>=', 4, 'four lookups have lines');
is(join("\n", grep { !/, order: "100[12]", client: / } @lines), '',
    'each names its order before what nginx adds');
is(join("\n", grep { /wc_order_abc(?!.*, client)/ } map { s/, client: .*//r } @lines), '',
    'and the field of payer_lookup_match in none');



=== TEST 5: a worker process killed during a lookup leaves no lock
--- http_config eval: ::page()
--- config eval: ::lookup(payer_lookup_inflight => 1)
--- request
GET /nothing
--- error_code: 404
--- alert
exited on signal 9
--- after
shop_reset();
shop_answers('delay=20 ' . wc());
my $buyer = begin('/checkout/order-received/1001/?key=wc_order_abc');
ok(wait_until(sub { lookups() == 1 }), 'the shop is being asked');

my ($old) = worker_pids();
kill 'KILL', $old;
ok(wait_until(sub { my ($now) = worker_pids(); $now && $now != $old && $now != nginx_pid() }),
    'another worker process takes its place');

shop_reset();
shop_answers(wc());
is(received(1001, 'wc_order_abc')->status, 303, 'the order can be paid');
is(books('1001')->{amount}, 12950, 'with one link');
is(calls()->{create}, 1, 'that was created once');
