package Row::Owed;

# What a static file notices of notifications that a shop does not take, all of
# them due: its p99 with none and with a hundred thousand of them, and for how
# long a worker does not return to its events.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use HTTP::Tiny ();
use List::Util qw(min);

use constant CLIENTS => 2;      # that want the static file, each every 5 ms


sub measure ($class, $bench) {
    my $orders = 100_000;
    my $pairs  = $bench->either(9, 15);
    my $window = $bench->either(2, 4);
    my %store  = map { $_ => $bench->rig->dir . "/owed-$_" } qw(none all);
    my (%p99, %longest, @ratio, $told);

    for my $what (qw(none all)) {
        system("@{[ $bench->rig->repo ]}/bench/fill", $store{$what}, $orders,
            100_000_000, $what eq 'all' ? 'owed' : 'fully_captured') == 0
            or die "the store could not be filled\n";
    }

    # in turn, one soon after the other, as the machine has its moods
    for my $pair (1 .. $pairs) {
        my %now;

        for my $what ($pair % 2 ? qw(none all) : qw(all none)) {
            my $system = $bench->rig->system('owed', warm => 1, sweep => '1s',
                turns => 1, store => "lmdb:$store{$what}");

            # not the turn that opens the store
            $system->forget_turns;

            my $came = $system->run($system->command(visit => 'again',
                kind => 'static', connections => CLIENTS, seconds => $window));

            my $turns = $system->turns;

            $now{$what} = $came->{p99};
            push @{ $p99{$what} }, $came->{p99};
            push @{ $longest{$what} }, $turns->{longest} / 1e6;

            $told += failed($system) if $what eq 'all';
            $system->stop;
        }

        push @ratio, $now{all} / $now{none};
    }

    die "nothing was sent: see @{[ $bench->rig->dir ]}\n" if !$told;

    # what the module does is in each of the windows, what the machine does is
    # not: the least of the longest
    my $found = $bench->found->{owed} = {
        orders => $orders,
        none   => median(@{ $p99{none} }),
        all    => median(@{ $p99{all} }),
        ratio  => median(@ratio),
        turn   => min(@{ $longest{all} }),
        alone  => min(@{ $longest{none} }),
        told   => $told,
    };

    $bench->say('%d owed, %d sent: static file p99 %.0f us, with none %.0f us, '
        . 'ratio %.2f; the longest turn %.2f ms, with none %.2f ms',
        @$found{qw(orders told all none ratio turn alone)});
}


# Attempts that the shop has refused.

sub failed ($system) {
    my $answer = HTTP::Tiny->new(timeout => 60)
        ->get('http://127.0.0.1:' . $system->port . '/metrics');

    return $answer->{content}
        =~ /^payer_notifications_total\{type="paid",result="failed"\} (\d+)/m
        ? $1 : die "the metrics do not tell: see $system->{dir}\n";
}


1;
