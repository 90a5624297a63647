# Two hosts whose clocks are two minutes apart: what was done on one is true on
# the other, and nothing is older or newer than it should be.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Payer::Buyers;

plan(skip_all => 'faketime is not installed')
    unless glob '/usr/lib/*/faketime/libfaketime.so.1';

# the sanitizers' library wants to be the first one that is loaded
plan(skip_all => 'not with sanitizers') if $ENV{ASAN_OPTIONS};

my $fleet = fleet(clocks => [ '+60s', '-60s' ], server => 'payer_tries 1;');

like($fleet->get(0, '/static')->header('Date')
    . $fleet->get(1, '/static')->header('Date'), qr/GMT.*GMT/, 'both serve');

is(join("\n", buyers($fleet, orders => 12)->judged), '',
    'buyers on both: nothing is lost, doubled or refused');

for my $host (0, 1) {
    my $other = 1 - $host;
    my $order = 5000 + $host;

    $fleet->pays($order, $host, $other);
    is($fleet->post($host, '/capture', json => { reference => "$order", amount => 100 })->status,
        200, "host $host captures");

    # a result that is unknown here is known when either has read it
    faults('capture: lost-reply');
    is($fleet->post($host, '/capture', json => { reference => "$order", amount => 200 })->status,
        504, 'the reply to another capture is lost');
    ok(wait_until(sub {
        my ($row) = $fleet->pg->sql("SELECT captured, outcome_open
            FROM payer.orders WHERE reference = '$order'");
        $row->[0] == 300 && $row->[1] eq 'f';
    }, 40), 'it is read, and is unknown no more');

    is($fleet->post($other, '/refund', json => { reference => "$order", amount => 50 })->status,
        200, "host $other refunds");
    is(books($order)->{captured}, 300, 'Payer has captured both, once');
    is($fleet->get($_, "/thanks?order=$order")->status, 200,
        "the order is paid on host $_") for 0, 1;
}

is_deeply([ $fleet->alerts ], [], 'no host raised an alert');

done_testing();
