# Without memory for the record that binds a key to its payment the operation
# is not sent, since a late repeat could affect another payment.

use strict;
use warnings;

use lib 't/lib';
use Payer::Oom;
use Payer::Test;
use Payer::Scenes;

master_on();
workers(1);

# under the zone's mutex nginx's allocator writes to the debug log
log_level('info');

my $serial = 0;

sub cancel {
    my ($order) = @_;

    return request('PUT', '/cancel', json => { reference => $order },
        headers => { 'Idempotency-Key' => "cancel-$order" });
}

sub visited {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link\n";
}


# Each allocation of a cancellation fails in turn: what is wrong after it.

sub repeat_after {
    my ($nth) = @_;

    my $order = 'k' . ++$serial;

    visited($order);
    my $first = payment($order);

    fail_nth($nth, 0);
    my $r = cancel($order);
    my (undef, $fails, $what) = fail_none();

    return undef if !$fails;
    return '' if $r->error || $r->status != 200;

    visited($order);
    my $again = cancel($order)->header('Payer-Payment-Id');

    return '' if $again eq $first;
    return "$what ($nth): the repeat cancels the next payment\n";
}

run_payer_tests();

__DATA__

=== TEST 1: without memory for the payment of a key the operation is not sent
--- http_config eval: $Payer::Scenes::prices
--- config eval: $Payer::Scenes::shop
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
spare_nginx();
my ($nth, $wrong, $some) = (0, '');
while (defined($some = repeat_after(++$nth))) { $wrong .= $some }
is($wrong, '', 'each repeat is for the payment of its key');
cmp_ok($nth, '>', 5, 'and something failed');
--- timeout: 60
