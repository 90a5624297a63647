# payer_store postgresql: with a primary that dies, one that was replaced and
# does not know, a commit that does not reach the standby, a resolver that
# does not answer.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Time::HiRes qw(sleep time);

my $fleet = fleet(hosts => 1, standbys => 1, delay => 1,
    params => 'timeout=3s connect_timeout=1s');

my $pg = $fleet->pg;
my ($first, $second) = $pg->nodes;

$fleet->fresh;
$fleet->start(0);

commits_wait();
in_doubt();
given_up();
replication_ends();
fails_over();
former_primary();
resolver();

done_testing();


sub checkout { return $fleet->get(0, "/checkout?order=$_[0]") }

sub up { return wait_until(sub { ($fleet->metric(0, 'payer_store_up') // 0) == 1 }, 20) }


# The wire to the standby is cut: what is not replicated was not acknowledged.

sub commits_wait {
    ok(up(), 'the primary is found');
    is(checkout('a')->status, 303, 'an order gets a link');

    $second->link->drop;

    my $began = time;
    is(checkout('b')->status, 503,
        'no standby: a link that is not replicated is not shown');
    cmp_ok(time - $began, '<', 6, 'after the timeout');
    is(checkout('a')->status, 303, 'a known order is read');
    is($fleet->get(0, '/thanks?order=never')->status, 503,
        'payer_verify of an unknown order waits for a commit, too')
        or diag($fleet->log_text(0), $first->log_text);
    is($fleet->get(0, '/static')->status, 200, 'others are served');

    $second->link->pass;

    ok(wait_until(sub { checkout('b')->status == 303 }, 20),
        'the standby is back: the order gets a link');
    is($fleet->get(0, '/thanks?order=never')->status, 402,
        'and an unknown order is unpaid');
}


# The answer of a commit is lost: it is asked for again, and not done again.

sub in_doubt {
    my $before = $fleet->metric(0, 'payer_store_in_doubt_total');
    my $wire = $first->wire;

    $wire->when(up => qr{payer_put.*order/4711/doubt}s, after => 'reset');

    my $r = checkout('doubt');

    is($r->status, 303, 'the connection breaks behind a write: it is repeated');
    cmp_ok($fleet->metric(0, 'payer_store_in_doubt_total'), '>', $before,
        'and counted');
    is(checkout('doubt')->header('Location'), $r->header('Location'),
        'there is one link');
}


# An administrator ends the wait for the standby: the server says that it is
# done, and warns.

sub given_up {
    $second->link->drop;

    my $cancel = fork // die "fork: $!\n";

    if ($cancel == 0) {
        sleep 1;
        eval { $first->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE wait_event = 'SyncRep'") };
        require POSIX;
        POSIX::_exit(0);
    }

    is(checkout('warned')->status, 503,
        'a commit that was given up is not taken for one');
    waitpid $cancel, 0;

    like($fleet->log_text(0), qr/\[warn\].*warned \(01000\).*in doubt/,
        'the log says so');

    $second->link->pass;

    ok(wait_until(sub { checkout('warned')->status == 303 }, 20),
        'the standby is back: the order gets a link');
}


# The primary stops to wait for its standby, as under Patroni without
# synchronous_mode_strict, while connections to it are in use.

sub replication_ends {
    my $names = $first->value('SHOW synchronous_standby_names');
    my $line = qr/\[error\].*payer_store "/;
    my $before = () = $fleet->log_text(0) =~ /$line/g;

    $first->set(synchronous_standby_names => '');

    is(checkout('unsure')->status, 503, 'commits are replicated no more: 503');
    ok(wait_until(sub { $fleet->metric(0, 'payer_store_up') == 0 }, 5),
        'the store counts as down');

    checkout('unsure') for 1 .. 10;
    my $log = $fleet->log_text(0);

    is((() = $log =~ /$line/g) - $before, 1, 'one line in the log');
    like($log, qr/is not available.*commits are not replicated/, 'says why');

    $first->set(synchronous_standby_names => $names);
    ok(wait_until(sub { checkout('unsure')->status == 303 }, 20),
        'they are again: the order gets a link');
}


sub fails_over {
    my $link = checkout('a')->header('Location');

    $first->kill9;
    $second->set(synchronous_standby_names => '');
    $second->promote;

    # the promoted one has no standby of its own: it is not used before the
    # operator says that this is right

    ok(wait_until(sub {
        $fleet->get(0, '/doctor?local=1')->body =~ /commits are not replicated/
    }, 30), 'a primary without a standby is not used');

    $fleet->{params} = 'durability=engine timeout=3s connect_timeout=1s';
    $fleet->stop(0);
    $fleet->start(0);

    ok(up(), 'with durability=engine it is');
    is(checkout('a')->header('Location'), $link,
        'the link of before is there');
    is(checkout('c')->status, 303, 'a new order gets one');
}


# The old primary comes back beside the new one, and stands first in the list.

sub former_primary {
    my $link = checkout('c')->header('Location');

    $first->set(synchronous_standby_names => '') if eval { $first->start; 1 };

    ok(wait_until(sub { $first->runs }, 10), 'the old primary runs again');

    kill 'HUP', $fleet->{hosts}[0]{pid};

    ok(wait_until(sub {
        $fleet->log_text(0) =~ /gracefully shutting down/
    }, 10), 'nginx is reloaded');
    ok(up(), 'the store is up');

    is(checkout('c')->header('Location'), $link,
        'the new primary is asked, not the one that stands first');

    # and if the new one is gone, the old one is still not taken

    $second->kill9;

    ok(wait_until(sub {
        $fleet->get(0, '/doctor?local=1')->body =~ /it is a former primary/
    }, 30), 'a former primary is not used in its place');
    is(checkout('d')->status, 503, 'payments get 503');

    $second->start;
    ok(wait_until(sub { checkout('d')->status == 303 }, 20),
        'until the new one is back');
}


# A name whose resolver does not answer.

sub resolver {
    my $socket = IO::Socket::INET->new(Proto => 'udp',
        LocalAddr => '127.0.0.1') or die "socket: $!\n";
    my $port = $socket->sockport;
    my $file = $pg->password_file;

    $fleet->{store} = sub {
        "postgresql://payer\@db.test:1/shop password_file=$file timeout=1s "
            . 'durability=engine sslmode=disable connect_timeout=1s; '
            . "resolver 127.0.0.1:$port ipv6=off"
    };

    $fleet->stop(0);
    unlink work_dir() . '/host0/error.log';
    $fleet->start(0);

    ok(wait_until(sub {
        $fleet->log_text(0) =~ /is not available.*db\.test.*resolver|timed out/
    }, 15), 'a resolver that does not answer: the log says so');

    my $longest = 0;

    for (1 .. 40) {
        my $began = time;
        $fleet->get(0, '/static');
        my $took = time - $began;
        $longest = $took if $took > $longest;
        sleep 0.05;
    }

    cmp_ok($longest, '<', 0.5, 'a static file does not wait');
    is(checkout('e')->status, 503, 'payments get 503');
}
