package Row::Flight;

# Thousands of first visits that wait for a slow provider, and somebody who
# wants a static file from the same worker meanwhile.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use List::Util qw(min);
use Time::HiRes qw(sleep);

my @SYSTEMS = qw(floor lua njs memory lmdb);


sub measure ($class, $bench) {
    for my $delay (200, $bench->full ? 5000 : ()) {
        for my $connections (2000, $bench->full ? 10_000 : ()) {
            in_flight($bench, $connections, $delay,
                "flight/$connections/$delay");
        }
    }
}


# rig: the load goes to the provider itself.

sub in_flight ($bench, $wanted, $delay, $as) {
    my $connections = min($wanted, $bench->rig->most_in_flight);
    my @names = qw(floor memory);

    push @names, 'lmdb' if $bench->full || $as eq 'flight/2000/200';
    push @names, qw(lua njs) if $as eq 'flight/2000/200';

    my $rounds = $bench->either(1, $delay > 1000 ? 2 : 3);
    my $all = $bench->in_turn($rounds, [ 'rig', @names ],
        sub ($name) { fly($bench, $name, $connections, $delay) });

    for my $name (@names) {
        my $found = $bench->found->{$as}{$name} = {
            connections => $connections,
            of_rig      => Bench::ratio($all, $name, 'rig', 'rate'),
            busy        => Bench::ratio($all, $name, 'floor', 'busy'),
            file        => Bench::ratio($all, $name, 'floor', 'file_p50'),
            core        => median(@{ $all->{$name}{busy} }),
            file_us     => median(@{ $all->{$name}{file_p50} }),
            rate        => median(@{ $all->{$name}{rate} }),
            broken      => median(@{ $all->{$name}{broken} }),
            refused     => median(@{ $all->{$name}{refused} }),
        };

        $bench->say('%s, %s: %.0f a second, %.3f of the rig, core busy %.2f, '
            . 'file %.0f us, %d broken, %d refused', $as, $name,
            @$found{qw(rate of_rig core file_us broken refused)});
    }
}


sub fly ($bench, $name, $connections, $delay) {
    my $rig = $bench->rig;
    my $straight = $name eq 'rig';

    my $system = $straight
        ? System->straight($rig, $rig->provider(delay => $delay))
        : $rig->system($name, delay => $delay, warm => 1,
            keepalive => $connections);

    # a whole number of turns, where they are long
    my $took = $delay / 1000;
    my $window = $took > 1 ? 2 * $took : $bench->either(3, 6);

    my $came = $system->flight(
        visit       => 'first',
        connections => $connections,
        took        => $took,
        file        => !$straight,
        ramp        => $took + ($connections > 2000 ? 6 : 1),
        window      => $window,
    );

    $system->stop if !$straight;

    return $came;
}


1;
