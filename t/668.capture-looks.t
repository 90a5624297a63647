# Before an automatic capture the shop is asked: an order that is cancelled
# there, or costs more now, is not captured.

use strict;
use warnings;

use lib 't/lib';
use Payer::Weather;
use Payer::Test;
use Payer::Lookup;
use Payer::Shop;

master_on();
lookup_start();

our $day = 86400;

sub limit {
    return 'payer_sweep 200ms; payer_authorization_limit 6d capture;' . lookup()
        . 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }';
}

sub auto { return 'payer_sweep 200ms; payer_auto_capture on;' . lookup() }

sub authorized {
    shop_answers(wc());
    my $r = received(1001, 'wc_order_abc');
    $r->status == 303 or die "no link: " . $r->status . "\n";
    pay('1001');
    wait_until(sub { calls()->{read} && error_log_text() !~ /pending/ }, 5);
}

sub lines { return scalar(() = error_log_text() =~ /$_[0]/g) }

sub last_run { get('/metrics')->body =~ /^payer_sweep_last_run_timestamp_seconds (\d+)$/m && $1 }

sub runs {
    for (1 .. $_[0]) {
        my $before = last_run();
        wait_until(sub { last_run() > $before }, 10) or die "no run\n";
    }
}

add_block_preprocessor(sub { clock_is_off(0); shop_reset() });

run_payer_tests();

__DATA__

=== TEST 1: an old authorization of an order that is open in the shop is captured
--- http_config eval: main::page()
--- config eval: main::limit()
--- request
GET /cart/
--- after
authorized();
clock_is_off(6.01 * $::day);
ok(wait_until(sub { books('1001')->{captured} }, 10), 'captured');
is(books('1001')->{captured}, 12950, 'in full');



=== TEST 2: an old authorization of an order that is paid in the shop is captured
--- http_config eval: main::page()
--- config eval: main::limit()
--- request
GET /cart/
--- after
authorized();
shop_answers(wc(status => 'processing'));
clock_is_off(6.01 * $::day);
ok(wait_until(sub { books('1001')->{captured} }, 10), 'captured');



=== TEST 3: an old authorization of an order cancelled in the shop is not captured and logged once
--- http_config eval: main::page()
--- config eval: main::limit()
--- request
GET /cart/
--- after
authorized();
shop_answers(wc(status => 'cancelled'));
clock_is_off(6.01 * $::day);
ok(wait_until(sub { lines(qr/\[error\].* not captured automatically: the shop says that the order is not open, order: "1001"/) }, 10), 'named');
runs(2);
is(books('1001')->{captured}, 0, 'not captured');
is(lines(qr/\[error\].* not captured automatically: /), 1, 'not in each run');



=== TEST 4: an old authorization of an order that costs more now is not captured
--- http_config eval: main::page()
--- config eval: main::limit()
--- request
GET /cart/
--- after
authorized();
shop_answers(wc(total => '259.00'));
clock_is_off(6.01 * $::day);
ok(wait_until(sub { lines(qr/\[error\].* not captured automatically: the order costs more in the shop now/) }, 10), 'named');
runs(1);
is(books('1001')->{captured}, 0, 'not captured');



=== TEST 5: while the shop does not answer the lookup nothing is captured, and it is tried again
--- http_config eval: main::page()
--- config eval: main::limit()
--- request
GET /cart/
--- after
authorized();
shop_answers('500');
clock_is_off(6.01 * $::day);
ok(wait_until(sub { lines(qr/not captured automatically for now: the shop did not answer/) }, 10), 'told');
is(books('1001')->{captured}, 0, 'not captured');
shop_answers(wc());
ok(wait_until(sub { books('1001')->{captured} }, 10), 'captured when it answers again');



=== TEST 6: payer_auto_capture makes the lookup, too
--- http_config eval: main::page()
--- config eval: main::auto()
--- request
GET /cart/
--- after
shop_answers(wc());
is(received(1001, 'wc_order_abc')->status, 303, 'a link');
shop_answers(wc(status => 'cancelled'));
pay('1001');
ok(wait_until(sub { lines(qr/\[error\].* not captured automatically: the shop says that the order is not open, order: "1001"/) }, 10), 'named');
is(books('1001')->{captured}, 0, 'not captured');
