# The fault table: buyers visit two hosts while the database, the network or a
# host fails.  In each cell the same has to be true: no order with two links,
# no link forgotten, no paid order refused, nothing captured twice, nobody
# stuck, and the shop is told.  The last cell is a control: with a standby
# that nobody waits for, the judge has to find something.
#
# FLEET_FULL=1 (make fleet) runs all cells, else a core of them; FLEET_CELLS,
# a regular expression, those with such a name.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Payer::Buyers;

use Time::HiRes qw(sleep);

my $full = $ENV{FLEET_FULL};
my $fleet;

# how a put begins on the wire: a statement that was prepared is bound
my $PUT = qr/\0payer_put\0/;

my $cells = 0;
my @failed;

# Buyers come, something breaks, and is mended.

sub cell {
    my ($name, %cell) = @_;

    return if $cell{full} && !$full;
    return if defined $ENV{FLEET_CELLS} && $name !~ /$ENV{FLEET_CELLS}/;

    $fleet->fresh;

    my $buyers = buyers($fleet, orders => $cell{orders} // ($full ? 30 : 15));

    sleep 0.7;
    $cell{break}->();
    sleep $cell{lasts} // 1;
    ok($cell{broke}->(), "$name: it has happened") if $cell{broke};
    $cell{mend}->() if $cell{mend};

    my @wrong = $buyers->judged;

    $cells++;
    ok(!@wrong, $name) or do { push @failed, $name; diag($_) for @wrong };
    note(sprintf '%s: %d visits shown a link, %d told to come again', $name,
        $buyers->count('visit', 303), $buyers->count('visit', 503));
}

sub wires { return map { $_->wire } $fleet->pg->nodes }

sub backends {
    my ($what) = @_;
    $fleet->pg->primary->sql("SELECT $what(pid) FROM pg_stat_activity
        WHERE usename = 'payer'");
}


$fleet = fleet(standbys => 2);
my ($primary, $standby, $third) = $fleet->pg->nodes;
my $new;

cell('nothing', break => sub { });

cell('connections to the database are reset',
    break => sub { $_->reset for wires() });

cell('the database refuses connections',
    full  => 1,
    break => sub { $_->refuse for wires() },
    mend  => sub { $_->pass for wires() });

cell('the network is silent, both ways',
    break => sub { $_->drop for wires() },
    lasts => 5,
    mend  => sub { $_->pass for wires() });

cell('what the database answers is lost',
    full  => 1,
    break => sub { $_->drop('down') for wires() },
    lasts => 4,
    mend  => sub { $_->reset, $_->pass for wires() });

cell('what nginx sends is lost',
    full  => 1,
    break => sub { $_->drop('up') for wires() },
    lasts => 4,
    mend  => sub { $_->reset, $_->pass for wires() });

cell('a put gets there and its answer does not',
    break => sub {
        $primary->wire->when(up => $PUT, after => 'drop down');
    },
    broke => sub { $primary->wire->tripped },
    lasts => 4,
    mend  => sub { $_->reset, $_->pass for wires() });

cell('a put does not get there',
    full  => 1,
    break => sub {
        $primary->wire->when(up => $PUT, before => 'refuse');
    },
    broke => sub { $primary->wire->tripped },
    mend  => sub { $_->pass for wires() });

cell('the network is slow',
    full  => 1,
    break => sub { $_->delay(300) for wires() },
    lasts => 4,
    mend  => sub { $_->pass for wires() });

cell('the network is slower than the timeout',
    full  => 1,
    break => sub { $_->delay(4000) for wires() },
    lasts => 8,
    mend  => sub { $_->reset, $_->pass for wires() });

cell('the standby is cut off: commits hang',
    break => sub { $_->link->drop for $standby, $third },
    lasts => 3,
    mend  => sub { $_->link->pass for $standby, $third });

cell('an administrator ends the waits for the standby',
    full  => 1,
    break => sub {
        $_->link->drop for $standby, $third;
        sleep 1;
        backends('pg_cancel_backend');
    },
    lasts => 1,
    mend  => sub { $_->link->pass for $standby, $third });

cell('an administrator ends the connections',
    break => sub { backends('pg_terminate_backend') });

cell('the database stands still',
    full  => 1,
    break => sub { $primary->freeze },
    lasts => 4,
    mend  => sub { $primary->thaw });

cell('the database is restarted',
    full  => 1,
    break => sub { $primary->restart });

cell('the database is killed and starts again',
    break => sub { $primary->kill9->start });

cell('a host is killed and starts again',
    break => sub { $fleet->kill9(0) },
    mend  => sub { $fleet->start(0) });

cell('a host stands still longer than a lease',
    full  => 1,
    break => sub { $fleet->freeze(1) },
    lasts => 12,
    mend  => sub { $fleet->thaw(1) });

cell('a host reloads',
    full  => 1,
    break => sub { kill 'HUP', $fleet->{hosts}[$_]{pid} for 0, 1 });

cell('the primary is killed, the standby is promoted',
    break => sub { $new = $fleet->pg->failover });

cell('the former primary comes back beside the new one, and is listed first',
    break => sub { $primary->start },
    lasts => 2);

cell('the former primary serves and the network to the new one is reset',
    full  => 1,
    break => sub { $new->wire->reset; sleep 1; $new->wire->reset });

is_deeply([ $fleet->alerts ], [], 'no host raised an alert');
$fleet->close_down;


# The control.

$fleet = fleet(standbys => 1, sync => '', params => 'durability=engine timeout=3s');
($primary, $standby) = $fleet->pg->nodes;

my $buyers = buyers($fleet, orders => 60, patience => 12);
sleep 0.3;
$standby->link->drop;
sleep 1.5;
$primary->kill9;
$standby->promote;

my @wrong = $buyers->judged(5);
ok(scalar(grep { /links|forgotten|refused|not what is stored|captured|answers/ } @wrong),
    'control: with asynchronous replication the judge finds what is wrong')
    or diag('nothing was found');
note("control: $_") for @wrong;

note("$cells cells, " . @failed . ' failed' . join '', map { "\n  $_" } @failed);
diag("fault table: $cells cells, " . @failed . ' failed, control '
    . (@wrong ? 'fails as it must' : 'does not fail'));

done_testing();
