package Payer::Life;

# The hard side of a server's life: kills, restarts, and what has to be true
# of orders and operations when it is quiet again.  Needs master_on().
#
#     killed(sub { ... })     runs the code, in which a worker dies, and waits
#                             until the master has replaced it
#     restart('KILL')         the whole server, by this signal
#     start()                 it again, when it is gone
#     alive($pid)             is there such a process, and no zombie?
#     children($pid)          those of a process
#     my $go_on = upgrade()   a binary upgrade, of which each call of the code
#                             takes the next step that is due; true at its end
#     reconcile('/where')     the summary over all pages
#     links('1001')           the simulator's links of an order

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep time);

use Payer::HTTP qw(at_once);
use Payer::Sim  qw(sim);

our @EXPORT = qw(
    killed restart start alive children upgrade reconcile links
);

my @TEST = qw(nginx_pid worker_pids wait_until nginx_port get post);

for my $name (@TEST) {
    no strict 'refs';
    *{$name} = sub { &{"Payer::Test::$name"}(@_) };
}


sub killed {
    my ($code) = @_;

    my %before = map { $_ => 1 } worker_pids();
    my $result = $code->();

    wait_until(
        sub {
            my @now = worker_pids();
            return @now == keys %before && grep { !$before{$_} } @now;
        },
        10
    ) or die "no worker died, or none took its place\n";

    # It is there before it has opened its store.
    wait_until(sub { get('/')->status }, 10) or die "the new one is silent\n";

    return $result;
}


sub restart {
    my ($signal) = @_;

    my $master = nginx_pid() // die "nginx does not run\n";
    my @all    = ($master, worker_pids());

    # Without its master a worker would go on.
    kill $signal, $signal eq 'KILL' ? @all : $master;

    wait_until(sub { !grep { alive($_) } @all }, 10)
        or die "nginx does not end\n";

    start();
}


sub start {
    unlink $Test::Nginx::Util::PidFile;

    system("$ENV{TEST_NGINX_BINARY} -e $Test::Nginx::Util::ErrLogFile"
        . " -p $Test::Nginx::Util::ServRoot/"
        . " -c $Test::Nginx::Util::ConfFile >/dev/null 2>&1") == 0
        or die "nginx does not start again\n";

    wait_until(sub { nginx_pid() && get('/')->status }, 10)
        or die "nginx does not serve again\n";

    return;
}


sub alive {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;
    return (<$fh> // '') =~ /^\d+ \(.*\) [^ZX]/s;
}


sub children {
    my ($parent) = @_;
    my @children;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        push @children, $1
            if (<$fh> // '') =~ /^(\d+) \(.*\) [^ZX] $parent /s;
    }

    return @children;
}


# USR2 to the master: there are two, and both serve.  WINCH: the old workers
# finish.  Then either QUIT to the old master, or back again: HUP to the old
# one, and QUIT to the new one.

sub upgrade {
    my ($back) = @_;

    my $old = nginx_pid() // die "nginx does not run\n";
    my $new;

    my @steps = (
        sub { kill 'USR2', $old },
        sub {
            $new = nginx_pid();
            return $new && $new != $old && children($new)
                && kill 'WINCH', $old;
        },
        sub { (grep { $_ != $new } children($old)) ? 0 : 1 },
        $back ? (
            sub { kill 'HUP', $old },
            sub { (grep { $_ != $new } children($old)) && kill 'QUIT', $new },
            sub { !alive($new) && (nginx_pid() // 0) == $old },
        ) : (
            sub { kill 'QUIT', $old },
            sub { !alive($old) },
        ),
    );

    return sub {
        shift @steps while @steps && $steps[0]->();
        return !@steps;
    };
}


sub reconcile {
    my ($uri) = @_;

    my %sum;
    my $next = '';

    while (defined $next) {
        my $r = post($uri . (length $next ? "?after=$next" : ''));

        $r->status == 200 or die "$uri: $r\n";

        my $page = $r->json;
        $next = delete $page->{next};
        $sum{$_} += $page->{$_} for keys %$page;
    }

    return \%sum;
}


sub links {
    my ($reference) = @_;

    return @{ sim('GET', "books?reference=$reference")->{payments} };
}

1;
