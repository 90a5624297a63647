package Row::Processor;

# Processor time per visit with 32 connections, in relation to nginx alone.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);

my @SYSTEMS = qw(floor lua njs memory lmdb);


sub measure ($class, $bench) {
    my %systems = map { $_ => $bench->rig->system($_) } @SYSTEMS;

    for my $visit (qw(again first)) {
        compare($bench, \%systems, $visit, 32, "processor/$visit");
    }

    $_->stop for values %systems;

    # what provider and load can do when nobody is between them
    my $straight = System->straight($bench->rig, $bench->rig->provider);
    my $rate = $straight->load(visit => 'first', connections => 32,
        seconds => $bench->either(1, 2))->{rate};

    $bench->found->{provider} = { rate => $rate };
    $bench->say('the provider alone: %.0f a second', $rate);

    return if !$bench->full;

    # more connections than the upstream keeps, and as many
    for my $keepalive (64, 256) {
        my %some = map {
            $_ => $bench->rig->system($_, keepalive => $keepalive)
        } qw(floor memory lmdb);

        compare($bench, \%some, 'first', 256, "keepalive/$keepalive");
        $_->stop for values %some;
    }
}


sub compare ($bench, $systems, $visit, $connections, $as) {
    my $all = $bench->in_turn($bench->either(3, 7), [ sort keys %$systems ],
        sub ($name) {
            return $systems->{$name}->counted_load(
                visit       => $visit,
                connections => $connections,
                seconds     => $bench->either(1, 2),
            );
        });

    for my $name (sort keys %$systems) {
        $bench->found->{$as}{$name} = {
            ratio => Bench::ratio($all, $name, 'floor', 'us_per_visit'),
            us    => median(@{ $all->{$name}{us_per_visit} }),
            rate  => median(@{ $all->{$name}{rate} }),
        };

        $bench->say('%s, %s: %.2f x the floor, %.0f a second', $as, $name,
            @{ $bench->found->{$as}{$name} }{qw(ratio rate)});
    }
}


1;
