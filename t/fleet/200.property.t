# Hosts and the primary are killed, cut off and brought back in an order that
# nobody has chosen, while buyers come: never two links for an order, never a
# link forgotten, never a paid order refused, never captured twice, and the
# shop's book ends as Payer's.
#
#     FLEET_SEED=n      the same order again
#     FLEET_ROUNDS=n    (1, with FLEET_FULL=1 8)

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Payer::Buyers;

use Time::HiRes qw(sleep);

my $seed = $ENV{FLEET_SEED} // int rand 1_000_000;
my $rounds = $ENV{FLEET_ROUNDS} // ($ENV{FLEET_FULL} ? 8 : 1);

my $fleet = fleet(standbys => 2);
my $pg = $fleet->pg;

sub wires { return map { $_->wire } $pg->nodes }

my %events = (
    'kill a host' => sub { my $n = int rand 2; $fleet->kill9($n)->start($n) },
    'end a host'  => sub { my $n = int rand 2; $fleet->stop($n)->start($n) },
    'kill the primary'  => sub { $pg->primary->kill9->start },
    'lose the primary'  => sub {
        my $lost = $pg->primary;
        $pg->failover;
        $pg->rejoin($lost);
    },
    'reset connections' => sub { $_->reset for wires() },
    'cut off the hosts' => sub {
        $_->drop for wires();
        sleep 1 + rand 2;
        $_->pass for wires();
    },
    'lose answers' => sub {
        $pg->primary->wire->when(up => qr/\0payer_put\0/, after => 'drop down');
        sleep 2;
        $_->reset, $_->pass for wires();
    },
    'cut off the standbys' => sub {
        my $primary = $pg->primary;
        my @links = map { $_->link } grep { $_ != $primary } $pg->nodes;
        $_->drop for @links;
        sleep 1 + rand;
        $_->pass for @links;
    },
);

diag("FLEET_SEED=$seed");
srand $seed;

for my $round (1 .. $rounds) {
    $fleet->fresh;

    my $buyers = buyers($fleet, orders => 40, patience => 90);
    my @done;

    while ($buyers->busy && @done < 5) {
        my $event = (sort keys %events)[ rand keys %events ];

        push @done, $event;
        sleep 0.3 + rand;
        $events{$event}->();
    }

    my @wrong = $buyers->judged(30);

    is(join("\n", @wrong), '', 'round ' . join ', ', $round, @done);
}

# at last the primary is lost

$fleet->fresh;

my $buyers = buyers($fleet, orders => 30, patience => 90);

sleep 0.5 + rand;
$pg->failover;

is(join("\n", $buyers->judged(30)), '', 'the primary is lost');
is_deeply([ $fleet->alerts ], [], 'no host raised an alert');

done_testing();
