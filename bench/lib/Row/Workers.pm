package Row::Workers;

# What a second worker brings.  Load and provider need processor time of their
# own, so where there are no cores for that the answer is whether a visit costs
# more with two workers, and how often one waits for the other.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);

my @NAMES = qw(floor/1 memory/1 floor/2 memory/2);


sub measure ($class, $bench) {
    my %systems;

    for my $name (@NAMES) {
        my ($system, $workers) = split m{/}, $name;

        $systems{$name} = $bench->rig->system($system, workers => $workers,
            unbound => 1);
    }

    for my $visit (qw(again first)) {
        compare($bench, \%systems, $visit);

        my $waits = lock_waits($systems{'memory/2'}, $visit);

        $bench->found->{"workers/$visit"}{memory}{waits} = $waits;
        $bench->say('workers, memory, %s: %.4f lock waits a visit', $visit,
            $waits);
    }

    $_->stop for values %systems;
}


sub compare ($bench, $systems, $visit) {
    my $all = $bench->in_turn($bench->either(2, 5), [@NAMES], sub ($name) {
        return $systems->{$name}->counted_load(
            visit       => $visit,
            connections => 64,
            seconds     => $bench->either(1, 2),
        );
    });

    for my $name (qw(floor memory)) {
        my $found = $bench->found->{"workers/$visit"}{$name} = {
            rate => Bench::ratio($all, "$name/2", "$name/1", 'rate'),
            cost => Bench::ratio($all, "$name/2", "$name/1", 'us_per_visit'),
            busy => median(@{ $all->{"$name/2"}{busy} }),
        };

        $bench->say('workers, %s, %s: %.2f x the visits, each at %.2f x the '
            . 'cost', $name, $visit, @$found{qw(rate cost)});
    }
}


# nginx spins for a lock before it waits: what is left are calls that give
# the processor away.

sub lock_waits ($system, $visit) {
    my $out = "$system->{dir}/strace.out";
    my @command = ('strace', '-f', '-qq', '-c', '-e',
        'trace=futex,sched_yield', '-o', $out,
        map { ('-p', $_) } $system->workers);

    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDERR, '>', '/dev/null';
        exec @command or POSIX::_exit(127);
    }

    my $came = $system->load(visit => $visit, connections => 64, seconds => 2);

    kill INT => $pid;
    waitpid $pid, 0;

    my $calls = 0;

    for (split /\n/, Rig::slurp($out)) {
        my @column = split;
        $calls += $column[3] if @column > 4 && $column[-1] =~ /^(?:futex|sched_yield)$/;
    }

    return $calls / $came->{answered};
}


1;
