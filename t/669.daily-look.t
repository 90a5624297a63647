# Once a day the sweep asks the shop about links that are not paid: those of
# orders that are closed there, or paid by other means, are cancelled.

use strict;
use warnings;

use lib 't/lib';
use Payer::Weather;
use Payer::Test;
use Payer::Lookup;
use Payer::Shop;

master_on();
lookup_start();

our $hour = 3600;

sub daily {
    return 'payer_sweep 200ms;' . lookup()
        . 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }';
}

# An order that the shop calls open, for which there is a link.

sub linked {
    shop_answers(wc());
    my $r = received(1001, 'wc_order_abc');
    $r->status == 303 or die 'no link: ' . $r->status . "\n";
    is(books('1001')->{status}, 'INITIATED', 'there is a link');
}

sub asked { return scalar(my @r = shop_requests()) }

sub last_run {
    my ($run) = get('/metrics')->body
        =~ /^payer_sweep_last_run_timestamp_seconds (\d+)$/m;

    return $run;
}

sub runs {
    for (1 .. $_[0]) {
        my $before = last_run();
        wait_until(sub { last_run() > $before }, 10) or die "no run\n";
    }
}

add_block_preprocessor(sub { clock_is_off(0); shop_reset() });

run_payer_tests();

__DATA__

=== TEST 1: the link of an order cancelled in the shop is cancelled after a day
--- http_config eval: main::page()
--- config eval: main::daily()
--- log_level: notice
--- request
GET /cart/
--- after
linked();
shop_answers(wc(status => 'cancelled'));
my $asked = asked();
runs(2);
is(asked(), $asked, 'on the first day the shop is not asked');
clock_is_off(24.1 * $::hour);
ok(wait_until(sub { books('1001')->{status} eq 'CANCELLED' }, 10), 'cancelled at Payer');
ok(wait_until(sub { error_log_text() =~ /\[notice\].*payer: the link was cancelled: the shop says that the order is not open, order: "1001"/ }, 5), 'one line of the log');
is(asked(), $asked + 1, 'the shop was asked once');
runs(2);
is(calls()->{cancel}, 1, 'and Payer, too');



=== TEST 2: the link of an order paid in the shop is cancelled after a day
--- http_config eval: main::page()
--- config eval: main::daily()
--- log_level: notice
--- request
GET /cart/
--- after
linked();
shop_answers(wc(status => 'processing'));
clock_is_off(24.1 * $::hour);
ok(wait_until(sub { books('1001')->{status} eq 'CANCELLED' }, 10), 'cancelled at Payer');
ok(wait_until(sub { error_log_text() =~ /the link was cancelled: the order is already paid in the shop, order: "1001"/ }, 5), 'one line of the log');



=== TEST 3: the link of an order that is open in the shop is kept, and the shop is asked once a day
--- http_config eval: main::page()
--- config eval: main::daily()
--- request
GET /cart/
--- after
linked();
my $asked = asked();

for my $day (1 .. 3) {
    clock_is_off((24 * $day + 1) * $::hour);
    ok(wait_until(sub { asked() >= $asked + $day }, 10), "day $day");
    runs(2);
    is(asked(), $asked + $day, 'asked once');
}

is(books('1001')->{status}, 'INITIATED', 'the link is alive');



=== TEST 4: no link is cancelled if the shop does not answer the lookup
--- http_config eval: main::page()
--- config eval: main::daily()
--- request
GET /cart/
--- after
linked();

for my $answer ('500', '404', 'close', 'html <p>') {
    my $asked = asked();
    shop_answers($answer);
    clock_is_off((24 * ++$::n + 1) * $::hour);
    ok(wait_until(sub { asked() > $asked }, 10), "the shop answers $answer");
    runs(2);
}

is(books('1001')->{status}, 'INITIATED', 'the link is alive');
is(calls()->{cancel}, undef, 'nothing was cancelled');



=== TEST 5: a link that was paid meanwhile is not cancelled
--- http_config eval: main::page()
--- config eval: main::daily()
--- request
GET /cart/
--- after
linked();
pay('1001');
shop_answers(wc(status => 'cancelled'));
clock_is_off(24.1 * $::hour);
runs(3);
is(books('1001')->{status}, 'AUTHORIZED', 'it is paid');
is(calls()->{cancel}, undef, 'nothing was cancelled');
