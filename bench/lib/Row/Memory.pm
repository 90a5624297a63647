package Row::Memory;

# What a visit that waits for the provider holds: the worker's own memory with
# many of them, less what it had before, for each.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use Time::HiRes qw(sleep);

my @SYSTEMS = qw(floor lua njs memory lmdb);


sub measure ($class, $bench) {
    my $visits = 2000;

    my $all = $bench->in_turn($bench->either(1, 3), [@SYSTEMS], sub ($name) {
        my $system = $bench->rig->system($name, delay => 2500, warm => 1,
            keepalive => $visits);
        my $before = $system->anonymous;

        my $fh = $system->begin(visit => 'first', connections => $visits,
            seconds => 2);

        sleep 1.8;

        my $after = $system->anonymous;
        $system->read_result($fh);
        $system->stop;

        return { bytes => ($after - $before) / $visits };
    });

    for my $name (@SYSTEMS) {
        my $bytes = median(@{ $all->{$name}{bytes} });

        $bench->found->{memory}{$name} = { kb => $bytes / 1000 };
        $bench->say('memory, %s: %.1f KB a visit', $name, $bytes / 1000);
    }
}


1;
