package Row::Sweep;

# What nobody has asked for: how fast payments in doubt are read back while the
# provider is slow, in how much memory, and what a static file notices of a
# sweep that has a hundred thousand of them in front of it; and for how long a
# worker does not return to its events while a million orders are read.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench      qw(median);
use HTTP::Tiny ();
use JSON::PP   ();
use List::Util qw(max min);
use Time::HiRes qw(time);

use constant {
    DELAY => 200,       # ms of each read
    CLIENTS => 2,       # that want the static file, each every 5 ms
    PAGES => 5,         # of payer_reconcile, each measured
};


sub measure ($class, $bench) {
    reads($bench);
    file($bench);
    turns($bench);
}


sub reads ($bench) {
    my $orders = $bench->either(400, 1000);
    my $system = $bench->rig->system('lmdb', read_delay => DELAY, warm => 1);
    my $http   = HTTP::Tiny->new(timeout => 60);
    my $url    = 'http://127.0.0.1:' . $system->port
        . "/reconcile?limit=$orders";

    fill($system, $orders);

    # the first run says what Payer calls them, the second one changes nothing
    my (@took, @held);

    for (1 .. 2) {
        my $begin  = time;
        my $answer = $http->post($url);

        die "reconcile: $answer->{status}: see $system->{dir}\n"
            unless $answer->{status} == 200;

        my $read = JSON::PP::decode_json($answer->{content})->{examined};

        push @took, $read / (time - $begin);
        push @held, $system->anonymous;
    }

    $system->stop;

    my $found = $bench->found->{reconcile} = {
        orders => $orders,
        rate   => median(@took),
        kb     => max(0, $held[1] - $held[0]) / $orders / 1000,
    };

    $bench->say('reconcile, %d orders, a read takes %d ms: %.0f reads a '
        . 'second, %.2f KB each that stay', $orders, DELAY,
        @$found{qw(rate kb)});
}


sub file ($bench) {
    my $orders = $bench->either(20_000, 100_000);
    my $window = $bench->either(6, 20);
    my $store  = 'lmdb:' . $bench->rig->dir . '/sweep';
    my %p99;

    for my $what (qw(none all)) {
        my $system = $bench->rig->system('lmdb', warm => 1,
            $what eq 'all' ? (store => $store) : ());

        fill($system, $orders) if $what eq 'all';

        $system->stop;
    }

    # in turn, as the machine has its moods
    for (1 .. 3) {
        for my $what (qw(none all)) {
            my $system = $bench->rig->system('lmdb', warm => 1,
                sweep => '1s', read_delay => DELAY,
                $what eq 'all' ? (store => $store) : ());

            my $came = $system->run($system->command(visit => 'again',
                kind => 'static', connections => CLIENTS, seconds => $window));

            push @{ $p99{$what} }, $came->{p99};

            die "nothing was swept: see $system->{dir}\n"
                if $what eq 'all'
                && !$bench->rig->calls($system->provider, 'read');

            $system->stop;
        }
    }

    my %median = map { $_ => median(@{ $p99{$_} }) } keys %p99;

    my $found = $bench->found->{sweep} = {
        orders => $orders,
        none   => $median{none},
        all    => $median{all},
        ratio  => $median{all} / $median{none},
    };

    $bench->say('sweep, %d orders in doubt: static file p99 %.0f us, with '
        . 'none %.0f us, ratio %.2f', @$found{qw(orders all none ratio)});
}


# For how long the worker does not return to its events, with either store.

sub turns ($bench) {
    my $orders = $bench->either(100_000, 1_000_000);
    my $store  = $bench->rig->dir . '/turns';

    system("@{[ $bench->rig->repo ]}/bench/fill", $store, $orders, 100_000_000,
        'initiated') == 0 or die "the store could not be filled\n";

    longest_turn($bench, $bench->rig->system('lmdb', warm => 1, turns => 1,
        read_delay => DELAY, store => "lmdb:$store"), $orders);

    # which nginx fills itself
    my $fewer  = $bench->either(20_000, 1_000_000);
    my $system = $bench->rig->system('memory', warm => 1, turns => 1,
        read_delay => DELAY, zone => '2000m');

    fill($system, $fewer);
    longest_turn($bench, $system, $fewer);
}


# What the module does is in each of the pages, what the machine does is not:
# the least of the longest turns.

sub longest_turn ($bench, $system, $orders) {
    my $http = HTTP::Tiny->new(timeout => 60);
    my ($after, $read, @longest) = ('', 0);

    for (1 .. PAGES) {
        $system->forget_turns;

        my $answer = $http->post('http://127.0.0.1:' . $system->port
                . "/reconcile?limit=200$after");

        die "reconcile: $answer->{status}: see $system->{dir}\n"
            unless $answer->{status} == 200;

        my $page = JSON::PP::decode_json($answer->{content});

        $after = "&after=$page->{next}" if length $page->{next};
        $read += $page->{examined};

        push @longest, $system->turns->{longest} / 1e6;
    }

    $system->stop;

    my $name  = $system->name;
    my $found = $bench->found->{turns}{$name} = {
        orders  => $orders,
        read    => $read,
        longest => min(@longest),
        most    => max(@longest),
    };

    $bench->say('reconcile, %s, %d orders, %d read: the longest turn %.2f ms '
        . 'in the best page, %.2f in all', $name,
        @$found{qw(orders read longest most)});
}


# So many orders that wait for their buyers.

sub fill ($system, $orders) {
    $system->load(visit => 'first', connections => 64, quota => $orders);
}


1;
