# A worker process, or the whole server, is killed at every point of a
# notification: the shop is notified of each change, and repeats have the same
# id.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Crash;
use Payer::Test;
use Payer::Life;
use Payer::Shop;
use Payer::Notify;
use Time::HiRes qw(sleep time);

master_on();
workers(1);

# seconds for which an entry is leased: payer_timeout and half a minute
my $LEASE = 35;

# Name, where, and whether the shop may have been told by then.  A commit counts
# if it writes a key of this order's, and the one with what was taken by its
# other beginning.
my @POINTS = (
    [ 'before the change is committed' => 'commit-begins 1 notify/4711/ORDER/' ],
    [ 'committed'                      => 'commit-ends 1 notify/4711/ORDER/' ],
    [ 'before the lease'               => 'commit-begins 2 notify/4711/ORDER/' ],
    [ 'leased'                         => 'commit-ends 2 notify/4711/ORDER/' ],
    [ 'before sending'                 => 'told-begins 1 id=ORDER' ],
    [ 'sent'                           => 'told-ends 1 id=ORDER', 1 ],
    [ 'answered'                       => 'taken-ends 1', 1 ],
    [ 'before "taken" is committed'    => 'commit-begins 1 told/4711/ORDER/', 1 ],
    [ '"taken" is committed'           => 'commit-ends 1 told/4711/ORDER/', 1 ],
);

# by what the change comes to be known
my %SOURCES = (
    return  => [ 'paid',     \&returned ],
    event   => [ 'paid',     \&event ],
    capture => [ 'captured', \&captured ],
);

my @table;


sub returned { return thanks($_[0]) }


sub event {
    my ($order) = @_;
    my ($event) = grep { ($_->{reference} // '') eq $order } @{ events() };

    return get('/events?token=' . ($event // die "no event\n")->{token});
}


sub captured {
    my ($order) = @_;

    return post('/capture', json => { reference => $order, amount => 4000 },
        headers => { 'Idempotency-Key' => "key-$order" });
}


sub told_about {
    my ($order, $type) = @_;

    return grep {
        $_->{head}{'x-payer-reference'} eq $order
            && $_->{head}{'x-payer-notify-type'} eq $type
    } told();
}


# Nothing but what is told is under way while a process dies: the sweep comes
# later.

sub all_points {
    my ($server) = @_;

    @table = ();
    sim_config(event_calls => 1);
    post('/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
        url => 'http://127.0.0.1:' . free_port() . '/' });

    my @left = map { my $source = $_; map { [ $source, @$_ ] } @POINTS }
        sort keys %SOURCES;

    my $n = 0;

    for my $case (@left) {
        my ($source, undef, $where) = @$case;
        my ($type, $act) = @{ $SOURCES{$source} };
        my $order = sprintf 'o%02d', ++$n;

        prepare($source, $order);

        $where =~ s/ORDER/$order/;
        $where .= $where =~ /^taken/ ? " - server" : ' server' if $server;

        my $r = crash($where, sub {
            my $r = $act->($order);

            # it is told when the caller has an answer
            sleep 0.3;
            return $r;
        });

        @$case[ 4 .. 6 ] = ($order, $r ? $r->status : 0,
            scalar(my @told = told_about($order, $type)));
    }

    sweep_again();
    clock_is_off($LEASE);

    check(@$_) for @left;
    check_rest();
    print_table($server ? 'the whole server' : 'a worker process');
}


sub prepare {
    my ($source, $order) = @_;

    order($order);
    pay($order);

    return if $source ne 'capture';

    thanks($order);
    wait_until(sub { told_about($order, 'paid') }, 10)
        or die "the shop was not told of $order\n";

    # and that is stored, so that the shop is told of nothing else
    wait_until(sub {
        error_log_text()
            =~ /accepted the notification "paid".*order: "$order"/
    }, 10) or die "what the shop has taken is not stored\n";
}


# The server sweeps each second, from now on.

sub sweep_again {
    my $conf = $Test::Nginx::Util::ConfFile;

    open my $fh, '<', $conf or die "open $conf: $!\n";
    my $text = join '', <$fh>;
    $text =~ s/payer_sweep +1h/payer_sweep 1s/ or die "no payer_sweep\n";

    write_file($conf, $text);
    reload();
}


sub check {
    my ($source, $label, undef, $may, $order, $answer, $then) = @_;

    my $type = $SOURCES{$source}[0];
    my $what = "$source, $label";

    cmp_ok($then, '<=', $may ? 1 : 0, "$what: told by then");
    ok(wait_until(sub { told_about($order, $type) }, 40), "$what: told at last")
        or return;

    push @table, [ $label, $source, $answer, $then, $order, $type ];
}


# When nothing is owed any more, nothing is told any more.

sub check_rest {
    ok(wait_until(sub { get('/metrics')->body =~ /^payer_notifications_owed 0\n/m
        && !owed_in_log() }, 40), 'nothing is owed in the end');

    for my $row (@table) {
        my ($label, $source, undef, $then, $order, $type) = @$row;
        my @told = told_about($order, $type);
        my %ids = map { $_->{id} => 1 } @told;

        is(scalar(keys %ids), 1, "$source, $label: always under one id");
        cmp_ok(scalar(@told), '<=', $then + 1, "$source, $label: once more at most");

        push @$row, scalar @told;
    }

    unlike(error_log_text(), qr/damaged|could not be read/,
        'every record can be read');
    like(error_log_text(), qr/accepted the notification "paid", attempt \d+, order: "o01"/,
        'what the shop has taken is logged');
}


# the metric is counted a moment later than the last one is taken

sub owed_in_log {
    my $log = error_log_text();

    return grep {
        my ($order, $type) = @$_[ 4, 5 ];
        $log !~ /accepted the notification "$type".*order: "$order"/
            && $_->[0] ne '"taken" is committed';
    } @table;
}


sub print_table {
    my ($name) = @_;

    Test::More::note("killed: $name");
    Test::More::note(sprintf '%-32s %-8s %6s  %4s  %s', 'point', 'source', 'answer',
        'told', 'in the end');
    Test::More::note(sprintf '%-32s %-8s %6s  %4d  %d', @$_[ 0 .. 3 ], $_->[-1])
        for @table;
}

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: a notification is sent after a worker process was killed at any point of it
--- config eval: ::telling('payer_timeout 2s; payer_sweep 1h; payer_notify_on paid captured;')
--- after
all_points(0);
--- alert: exited on signal 9
--- timeout: 120



=== TEST 2: a notification is sent after nginx was killed at any point of it
--- config eval: ::telling('payer_timeout 2s; payer_sweep 1h; payer_notify_on paid captured;')
--- after
all_points(1);
--- timeout: 120
