package Row::Waiters;

# Thousands who visit one order at the same time: while its link is being made,
# and at the gate while it is not paid.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use List::Util qw(min);
use Time::HiRes qw(sleep time);

use constant {
    VISITS => 5000,
    RAMP   => 5,        # seconds until all of them are there
    DELAY  => 100_000,  # ms of the provider, longer than anybody watches
};


sub measure ($class, $bench) {
    my $visits = min(VISITS, 2 * $bench->rig->most_in_flight - 200);

    waiters($bench, $visits);
    crowd($bench, $visits);
}


sub waiters ($bench, $visits) {
    my $system = $bench->rig->system('memory', delay => DELAY, warm => 0);
    my $before = $system->anonymous;
    my $window = $bench->either(10, 60);

    my $fh = come($bench, $system, $visits, '/waiting', $window);
    my ($cpu, $start) = ($system->cpu, time);
    my @held;

    while (time - $start < $window) {
        push @held, $system->anonymous;
        sleep 1;
    }

    my $seconds = time - $start;
    my $found = $bench->found->{waiters} = {
        visits  => $visits,
        seconds => $seconds,
        core    => ($system->cpu - $cpu) / $seconds,
        growth  => $held[-1] / $held[0],
        kb      => ($held[-1] - $before) / $visits / 1000,
    };

    $bench->say('waiters, %d of one order, %.0f s: core busy %.3f, memory '
        . '%.4f of what it was, %.1f KB each',
        @$found{qw(visits seconds core growth kb)});

    $system->stop;
    close $fh;
}


# The order has a link and nobody pays by it.

sub crowd ($bench, $visits) {
    my $rig    = $bench->rig;
    my $system = $rig->system('memory', warm => 1);
    my $order  = $system->{again} + 1;
    my $before = $system->anonymous;
    my $window = $bench->either(10, 60);

    my $fh = come($bench, $system, $visits, "/thanks?order=$order", $window);
    my $reads = $rig->calls($system->provider, 'read');
    my ($cpu, $start) = ($system->cpu, time);
    my @held;

    while (time - $start < $window) {
        push @held, $system->anonymous;
        sleep 1;
    }

    my $seconds = time - $start;
    my $found = $bench->found->{crowd} = {
        visits  => $visits,
        seconds => $seconds,
        core    => ($system->cpu - $cpu) / $seconds,
        reads   => ($rig->calls($system->provider, 'read') - $reads) / $seconds,
        kb      => (median(@held) - $before) / $visits / 1000,
    };

    $bench->say('gate crowd, %d of one order, %.0f s: %.2f reads a second, '
        . 'core busy %.3f, %.1f KB each',
        @$found{qw(visits seconds reads core kb)});

    $system->stop;
    close $fh;
}


sub come ($bench, $system, $visits, $path, $window) {
    $path .= '?order=' . $bench->rig->orders(1) if $path !~ /\?/;

    my $fh = $system->begin(visit => 'first', kind => 'same', path => $path,
        connections => $visits, seconds => RAMP + $window + 5);

    sleep RAMP;

    return $fh;
}


1;
