# Two hosts that look for payments in doubt at the same time: each payment is
# read by one of them.  The same with two nginx over one LMDB directory.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use File::Path qw(remove_tree);
use POSIX ();
use Time::HiRes qw(time);

my $fleet = fleet(sweep => '1h', timeout => '2s',
    server => 'payer_tries 1;');
my @orders = (1 .. 12);

# How often each of these payments was read.
sub reads {
    my %reads;

    for my $call (journal()) {
        my ($id) = $call->{path} =~ m{/payments/([^/]+)} or next;
        $reads{$id}++ if $call->{call} eq 'read';
    }

    return join ' ', map { $reads{ payment($_) } // 0 } @_;
}

sub reconcile { return $fleet->at_once(map { [ $_, POST => '/reconcile', timeout => 20 ] } @_) }

sub sum_of {
    my ($name, @r) = @_;
    my $sum = 0;
    $sum += $_->json->{$name} for @r;
    return $sum;
}

sub both_at_once {
    my ($what) = @_;

    # operations whose replies were lost

    $fleet->pays($_, $_ % 2, $_ % 2) for @orders;
    faults('capture: lost-reply times=0');
    $fleet->post($_ % 2, '/capture', json => { reference => "$_" }) for @orders;
    sim('DELETE', 'faults');
    sim('DELETE', 'journal');
    faults('read: delay=0.2 times=0');

    my @r = reconcile(0, 1);

    is(reads(@orders), join(' ', (1) x @orders),
        "$what: each operation in doubt is read once");
    is(sum_of('done', @r), scalar(@orders), 'all of them are settled');
    is(sum_of('examined', @r), scalar(@orders), 'and counted by whoever has read them');

    # links that nobody has paid

    my @links = map { "link$_" } @orders;

    $fleet->get(0, "/checkout?order=$_") for @links;
    sim('DELETE', 'journal');
    @r = reconcile(0, 1);

    is(reads(@links), join(' ', (1) x @links),
        "$what: each link that remains unpaid is read once");
    is(sum_of('examined', @r), scalar(@links), 'and counted once');
    is(sum_of('stillUnknown', @r) >= @links, 1,
        'the other one says that it does not know what became of them');
}

both_at_once('PostgreSQL');
$fleet->fresh;

SKIP: {
    skip 'set FLEET_FULL=1 for a host that dies, and for the sweeps', 7 unless $ENV{FLEET_FULL};

    # the host that reads dies

    $fleet->get(0, '/checkout?order=1');
    sim('DELETE', 'journal');
    faults('read: delay=30');

    my $child = fork // die "fork: $!\n";

    if ($child == 0) {
        eval { reconcile(0) };
        POSIX::_exit(0);
    }

    ok(wait_until(sub { grep { $_->{call} eq 'read' } journal() }, 10),
        'a host reads a payment in doubt');
    my $since = time;
    my ($r) = reconcile(1);
    is($r->json->{examined}, 0, 'which the other one leaves to it');
    is($r->json->{stillUnknown}, 1, 'and counts as not known');
    $fleet->kill9(0);
    waitpid $child, 0;
    pay('1');

    ok(wait_until(sub { (reconcile(1))[0]->json->{settled} }, 15),
        'the host dies, and the other one reads the payment');
    cmp_ok(time - $since, '<', 12, 'when the lease has ended');
    $fleet->start(0)->fresh;

    # after the lease, which is 6 seconds

    $fleet->restart(sweep => '8s', timeout => '1s');
    $fleet->get(0, '/checkout?order=1');
    sim('DELETE', 'journal');

    my $began = time;
    my $read = wait_until(sub { reads('1') >= 4 }, 40);
    cmp_ok($read ? time - $began : 0, '>', 20,
        'the sweeps of both hosts read a link once in each interval');

    # of the second host only, at any time between two sweeps of the first one

    $fleet->restart(sweep => '4s', names => [ 'localhost', 'other' ])->fresh;
    my @links = map { "other$_" } 1 .. 8;

    for my $order (@links) {
        $fleet->get(1, "/checkout?order=$order");
        select undef, undef, undef, 0.5;
    }

    sim('DELETE', 'journal');
    ok(wait_until(sub { !grep { $_ < 2 } split / /, reads(@links) }, 20),
        'orders of a server that only one host has are read by its sweeps')
        or diag reads(@links);
    $fleet->restart(names => undef)->fresh;
}

my $dir = work_dir() . '/lmdb';
remove_tree($dir);
mkdir $dir or die "mkdir $dir: $!\n";
sim_reset();
$fleet->restart(sweep => '1h', timeout => '2s', store => sub {"lmdb:$dir"});
both_at_once('LMDB');

is_deeply([ $fleet->alerts ], [], 'no host raised an alert');

done_testing();
