# Two hosts over three servers that Patroni looks after, in the configuration
# "patroni" of docs/scaling.md: whoever leads, and however it is lost, the same is true
# as in the fault table, and no host is reloaded.  FLEET_FULL=1 runs it.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Payer::Cells;
use Payer::Patroni;

use Time::HiRes qw(time);

BEGIN {
    plan(skip_all => 'set FLEET_FULL=1 to run it') unless $ENV{FLEET_FULL};

    my $missing = Payer::Patroni::missing();
    plan(skip_all => "$missing is not installed") if defined $missing;
}

my $fleet = fleet(servers => 'Payer::Patroni',
    params => 'durability=replicated timeout=3s');
my $pg = $fleet->pg;
my $cells = cells($fleet, orders => 60, patience => 90);

my ($old, $began);

# someone else leads
sub is_another {
    my ($seconds) = @_;

    return wait_until(sub {
        my $new = eval { $pg->primary };
        $new && $new != $old;
    }, $seconds);
}

# a new order can be paid for: how long after the fault
sub served {
    my ($what) = @_;

    my $ok = wait_until(
        sub { $fleet->get(0, '/checkout?order=1')->status == 303 }, 30);

    diag(sprintf '%s: the first payment link after %.1f s', $what,
        time - $began);
    return $ok;
}

sub begins { $old = $pg->primary; $began = time }


$cells->run('patronictl switchover',
    break => sub {
        my $to = $pg->standby;

        begins();
        $pg->ctl('switchover', '--leader', $old->name, '--candidate',
            $to->name, '--force');
    },
    broke => sub { is_another(20) && served('switchover') },
    mend  => sub { $pg->settled });

$cells->run('the PostgreSQL of the primary is killed',
    break => sub { begins(); $old->kill9_server },
    broke => sub { served('PostgreSQL killed') },
    mend  => sub { $pg->settled });

$cells->run('the primary loses its power',
    break => sub { begins(); $old->kill9 },
    broke => sub { is_another(45) && served('power lost') },
    mend  => sub { $old->start; $pg->settled });

$cells->run('the synchronous standby loses its power',
    break => sub { begins(); ($old = $pg->standby)->kill9 },
    broke => sub {
        served('standby lost')
            && wait_until(sub { eval { $pg->standby != $old } }, 20);
    },
    mend  => sub { $old->start; $pg->settled });

$cells->run('the primary stands still until another one leads',
    break => sub { begins(); $old->freeze },
    broke => sub { is_another(45) && served('primary stood still') },
    mend  => sub { $old->thaw; $pg->settled });

$cells->run('etcd is lost',
    unseen => 1,
    break  => sub { begins(); $pg->stop_etcd },
    lasts  => 25,
    broke  => sub { $pg->primary == $old && served('etcd lost') },
    mend   => sub { $pg->start_etcd; $pg->settled });

# What the documentation says of the other mode.

if (!defined $ENV{FLEET_CELLS}) {
    $pg->ctl(qw(edit-config --force -s synchronous_mode_strict=false));
    $_->kill9 for grep { $_ != $pg->primary } $pg->nodes;

    my $names = sub { $pg->primary->value('SHOW synchronous_standby_names') };
    my $why = 'commits are not replicated|no synchronous standby is connected';
    my $visit = sub { $fleet->get(0, '/checkout?order=2')->status };

    ok(wait_until(sub { $names->() eq '' }, 40),
        'without synchronous_mode_strict, the primary waits for nobody');
    ok(wait_until(sub { $visit->() == 503 }, 20), 'and nothing is sold');
    like($fleet->log_text(0), qr/is not available.*(?:$why)/,
        'for a reason that is logged');
}

is_deeply([ $fleet->alerts ], [], 'no host raised an alert');
diag('Patroni: ' . $cells->closing);
done_testing();
