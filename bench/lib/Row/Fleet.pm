package Row::Fleet;

# The store in PostgreSQL next to that in LMDB, on the same disk: the cost of
# a visit alone, system calls when many visits share a round trip, first visits
# a second, and what further hosts on one database bring.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use List::Util qw(sum0);
use Count;
use Database;

use constant {
    TOGETHER => 32,
    VISITS   => 64,
};


sub measure ($class, $bench) {
    if (!Database->here) {
        $bench->say('fleet is left out: there is no PostgreSQL');
        return;
    }

    my $database = Database->new;

    count($bench, $database);
    rates($bench, $database, 'fleet/rate');
    hosts($bench, $database);
    $database->stop;

    $database = Database->new(standbys => 1);
    rates($bench, $database, 'fleet/replicated');
    $database->stop;
}


# LMDB is counted again, by the same number of requests.

sub count ($bench, $database) {
    my $count = Count->new(database => $database,
        requests => $bench->either([ 200, 500 ], [ 200, 1200 ]));

    for my $name (map { ("first $_", "repeated $_") } qw(lmdb postgresql)) {
        my $found = $bench->found->{'fleet/counted'}{$name} = {
            instructions => $count->instructions($name),
            calls        => $count->system_calls($name),
        };

        $bench->found->{counted}{$name} //= $found;

        $bench->say('fleet, %s: %.0f instructions, %.2f system calls', $name,
            @$found{qw(instructions calls)});
    }

    for my $visit (qw(first repeated)) {
        my $calls = $count->system_calls("$visit postgresql", TOGETHER);

        $bench->found->{'fleet/together'}{$visit} = $calls;
        $bench->say('fleet, %s postgresql, %d at once: %.2f system calls',
            $visit, TOGETHER, $calls);
    }
}


# Both stores are where the database is, so that they wait for one disk.

sub rates ($bench, $database, $as) {
    my %systems = (
        lmdb       => system_of($bench, "lmdb:" . $database->dir . '/lmdb'),
        postgresql => system_of($bench, $database->store),
    );

    my $all = $bench->in_turn($bench->either(3, 7), [ sort keys %systems ],
        sub ($name) {
            return $systems{$name}->counted_load(
                visit       => 'first',
                connections => VISITS,
                seconds     => $bench->either(1, 2),
            );
        });

    $_->stop for values %systems;

    my $found = $bench->found->{$as} = {
        ratio => Bench::ratio($all, 'postgresql', 'lmdb', 'rate'),
        map { $_ => median(@{ $all->{$_}{rate} }) } qw(lmdb postgresql),
    };

    $bench->say('%s: postgresql %.0f a second, lmdb %.0f, ratio %.2f', $as,
        @$found{qw(postgresql lmdb ratio)});
}


sub system_of ($bench, $store) {
    return $bench->rig->system('postgresql', unbound => 1, store => $store,
        warm => 20);
}


# Each host is an nginx with one worker process.  Where there are no cores for
# all of them, the processor time of a visit tells what a core is good for.

sub hosts ($bench, $database) {
    my @hosts = map { system_of($bench, $database->store) } 1 .. 4;

    my $all = $bench->in_turn($bench->either(2, 5), [ 1, 2, 4 ], sub ($n) {
        return visit_all($bench, $database, @hosts[ 0 .. $n - 1 ]);
    });

    $_->stop for @hosts;

    for my $n (1, 2, 4) {
        my $found = $bench->found->{'fleet/hosts'}{$n} = {
            ratio => Bench::ratio($all, $n, 1, 'rate'),
            map { $_ => median(@{ $all->{$n}{$_} }) }
                qw(rate nginx_us database_us),
        };

        $bench->say('fleet, %d hosts: %.0f a second, %.2f x one host; a visit '
            . 'takes %.0f us of nginx and %.0f us of the database', $n,
            @$found{qw(rate ratio nginx_us database_us)});
    }
}


sub visit_all ($bench, $database, @hosts) {
    my $created = $hosts[0]->creates;
    my $nginx = sum0(map { $_->cpu } @hosts);
    my $cpu = $database->cpu;

    my @loads = map {
        $_->begin(visit => 'first', connections => VISITS,
            seconds => $bench->either(1, 2))
    } @hosts;

    my @came = map { $hosts[$_]->read_result($loads[$_]) } 0 .. $#hosts;

    $nginx = sum0(map { $_->cpu } @hosts) - $nginx;
    $cpu = $database->cpu - $cpu;
    $created = $hosts[0]->creates - $created;

    my ($sent, $answered)
        = map { my $what = $_; sum0(map { $_->{$what} } @came) }
        qw(sent answered);

    die "$sent visits of @{[ scalar @hosts ]} hosts made $created links\n"
        if $created != $sent;

    return {
        rate        => sum0(map { $_->{answered} * 1e6 / $_->{us} } @came),
        nginx_us    => 1e6 * $nginx / $answered,
        database_us => 1e6 * $cpu / $answered,
    };
}


1;
