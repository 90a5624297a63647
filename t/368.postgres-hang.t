# A primary that answers and ends no commit, as without its synchronous
# standby: payments do not wait for it, reads go on, and what was under way is
# settled when it ends.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use POSIX ();
use Time::HiRes qw(time);

my $fleet = fleet(
    hosts  => 1,
    delay  => 1,
    sweep  => '1h',    # which would hang, too
    params => 'durability=engine timeout=3s connect_timeout=1s',
);

my $pg = $fleet->pg;
my $primary = $pg->node(0);

$fleet->start(0);

begins();
hangs();
ends();
link_in_doubt();

done_testing();


sub checkout { return $fleet->get(0, "/checkout?order=$_[0]") }

sub creates { return calls()->{create} // 0 }

sub standbys { $primary->set(synchronous_standby_names => $_[0]) }


# The values of this metric in the answers of both worker processes.

sub metrics {
    my ($name) = @_;
    my %seen;

    for my $r ($fleet->at_once(map { [ 0, GET => '/metrics' ] } 1 .. 16)) {
        $seen{ $r->body =~ /^\Q$name\E (\d+)$/m ? $1 : 'none' } = 1;
    }

    return join ' ', sort keys %seen;
}


sub begins {
    ok(wait_until(sub { checkout('known')->status == 303 }, 20),
        'an order has a link');
    is(metrics('payer_store_up'), 1, 'payer_store_up is 1');
    is(metrics('payer_store_hanging'), 0, 'payer_store_hanging is 0');
}


sub hangs {
    my $creates = creates();

    standbys('nobody');

    # each worker process comes to know it by itself

    ok(wait_until(sub {
        $fleet->at_once(map { [ 0, GET => "/checkout?order=early$_" ] } 1 .. 8);
        metrics('payer_store_hanging') eq '1';
    }, 20), 'no commit ends: payer_store_hanging is 1');

    is(metrics('payer_store_up'), 0, 'payer_store_up is 0');

    my (@slow, @other);

    for (1 .. 2) {
        $fleet->at_once(map { [ 0, GET => "/checkout?order=wakes$_" ] } 1 .. 8);
    }

    for my $order (1 .. 20) {
        my $began = time;
        my $r = checkout("new$order");

        push @slow, $order if time - $began > 1;
        push @other, $r->status if $r->status != 503
            || ($r->header('Retry-After') // '') !~ /^\d+$/;
    }

    is("@other", '', 'new orders get 503 with Retry-After');
    is("@slow", '', 'at once');
    is(creates(), $creates, 'and nothing is sent to Payer');

    # no more than a probe in each

    ok(wait_until(sub {
        checkout("more$_") for 1 .. 3;
        !grep { $_ > 2 } split ' ', metrics('payer_store_queue');
    }, 10), 'nothing piles up');

    my $began = time;
    is(checkout('known')->status, 303, 'a known order is redirected');
    cmp_ok(time - $began, '<', 1, 'at once');

    $began = time;
    my $r = $fleet->get(0, '/doctor?local=1');

    is($r->status, 503, 'payer_doctor gets 503');
    like($r->body, qr/the postgresql store is read, but not written: /,
        'and says what works');
    cmp_ok(time - $began, '<', 1, 'at once');

    # a connection that is closed leaves a process of the server behind

    cmp_ok($primary->value("SELECT count(*) FROM pg_stat_activity
        WHERE wait_event = 'SyncRep'"), '<=', 2 * 2,
        'few processes of the server wait');
}


sub ends {
    standbys('');

    ok(wait_until(sub { checkout('early1')->status == 303 }, 10),
        'commits end again: payments go on');
    ok(wait_until(sub { metrics('payer_store_up') eq '1' }, 10),
        'in all worker processes');
    is(metrics('payer_store_hanging'), 0, 'payer_store_hanging is 0');
    ok(wait_until(sub { metrics('payer_store_queue') eq '0' }, 10),
        'nothing waits');

    my $log = $fleet->log_text(0);

    is(() = $log =~ /can be read and not written/g, 1,
        'one line when it began');
    is(() = $log =~ /can be written again/g, 1, 'one line when it ended');
    unlike($log, qr/is not available|had no answer/, 'and no other one');
}


# Payer has made the payment, and the commit of its link does not end: it is
# not shown before it does, and no other payment is made.

sub link_in_doubt {
    my $creates = creates();

    faults({ match => 'create', delay_after => 1 });

    my $buyer = fork // die "fork: $!\n";

    if ($buyer == 0) {
        my $status = $fleet->get(0, '/checkout?order=doubt')->status;
        POSIX::_exit($status == 503 ? 0 : 1);
    }

    ok(wait_until(sub { creates() > $creates }, 10), 'a payment is made');
    standbys('nobody');
    waitpid $buyer, 0;
    is($?, 0, 'a link whose commit does not end is not shown');

    standbys('');

    my $link;
    ok(wait_until(sub {
        $link = checkout('doubt')->header('Location');
    }, 20), 'it is, when commits end again');
    is(checkout('doubt')->header('Location'), $link, 'always the same');
    is(creates(), $creates + 1, 'no other one was made');
}
