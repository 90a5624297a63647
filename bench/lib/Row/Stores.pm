package Row::Stores;

# First visits with the durable store in relation to those with the store in
# memory, 64 at a time; how much is written to the disk for an order; and how
# long the disk takes to keep something.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use IO::Handle ();
use Time::HiRes qw(time);


sub measure ($class, $bench) {
    my %systems = map { $_ => $bench->rig->system($_) } qw(memory lmdb);

    # the first are the orders of a store that is not empty
    $systems{lmdb}->counted_load(
        visit => 'first', connections => 1, quota => 1000);

    # to the connections, both write the same
    my %written = map {
        $_ => written($systems{lmdb}, $_) - written($systems{memory}, $_)
    } 1, 512;

    my $all = $bench->in_turn($bench->either(3, 7), [qw(memory lmdb)],
        sub ($name) {
            return $systems{$name}->counted_load(
                visit       => 'first',
                connections => 64,
                seconds     => $bench->either(1, 2),
            );
        });

    $_->stop for values %systems;

    my $found = $bench->found->{stores} = {
        ratio   => Bench::ratio($all, 'lmdb', 'memory', 'rate'),
        memory  => median(@{ $all->{memory}{rate} }),
        lmdb    => median(@{ $all->{lmdb}{rate} }),
        busy    => median(@{ $all->{lmdb}{busy} }),
        sync_ms => 1000 * sync_time($bench->rig->dir),
        written => \%written,
    };

    $bench->say('stores: lmdb %.0f a second, memory %.0f, ratio %.2f; '
        . 'core busy %.2f, a sync takes %.2f ms',
        @$found{qw(lmdb memory ratio busy sync_ms)});
    $bench->say('stores: %.1f KB written for an order that comes alone, '
        . '%.1f KB with 512 in flight', map { $_ / 1000 } @written{1, 512});
}


# Bytes for each order, of which so many are created at the same time.

sub written ($system, $connections) {
    my $before = $system->written;
    my $came   = $system->counted_load(
        visit       => 'first',
        connections => $connections,
        quota       => $connections > 1 ? 20 * $connections : 1000,
    );

    return ($system->written - $before) / $came->{answered};
}


sub sync_time ($dir) {
    my $page = "\0" x 4096;
    my @took;

    open my $fh, '>', "$dir/sync" or die "$dir/sync: $!\n";

    for (1 .. 101) {
        my $began = time;

        syswrite $fh, $page;
        $fh->sync;
        push @took, time - $began;
    }

    close $fh;
    unlink "$dir/sync";

    return median(@took);
}


1;
