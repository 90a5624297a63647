package Row::Refresh;

# First visits while the token is renewed: the provider takes half a second
# for that, and nobody is to wait for it.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use IO::Select       ();
use IO::Socket::INET ();
use Time::HiRes      qw(time);

use constant {
    LIFE    => 10,      # seconds that a token lives
    TOKEN   => 500,     # ms until there is a new one
    DELAY   => 20,      # ms until there is a link
    CLIENTS => 32,
};


sub measure ($class, $bench) {
    my $refreshes = $bench->either(1, 4);
    my $system = $bench->rig->system('memory', delay => DELAY, life => LIFE,
        token_delay => TOKEN, warm => 1);

    my ($visits, $renewed) = visits($bench, $system, $refreshes);
    my (@before, @during);

    $system->stop;

    die "the token was not renewed: see $system->{dir}\n" if !@$renewed;

    # the log of the provider is up to 100 ms late
    for my $end (@$renewed) {
        my $begin = $end - TOKEN / 1000 - 0.2;

        push @during, percentile(99, within($visits, $begin, $end));
        push @before, map { percentile(99,
            within($visits, $begin - $_ - 1, $begin - $_)) } 1 .. 5;
    }

    my $found = $bench->found->{refresh} = {
        before => 1000 * median(@before),
        during => 1000 * median(@during),
        ratio  => median(@during) / median(@before),
        longest => 1000 * percentile(100, map { $_->[1] } @$visits),
    };

    $bench->say('refresh: p99 %.1f ms, before %.1f ms, ratio %.2f',
        @$found{qw(during before ratio)});
}


sub within ($visits, $from, $to) {
    return map { $_->[1] } grep { $_->[0] >= $from && $_->[0] < $to } @$visits;
}


sub percentile ($p, @values) {
    my @sorted = sort { $a <=> $b } @values;

    die "nothing was answered for a second\n" if !@sorted;
    return $sorted[ int($p / 100 * $#sorted) ];
}


# Visits by all clients until the token was renewed so often: [time, seconds]
# of each, and when the provider gave a new token.

sub visits ($bench, $system, $refreshes) {
    my $order  = $bench->rig->orders(10_000_000);
    my $log    = $system->provider->{dir} . '/token.log';
    my $size   = $bench->rig->log_size($system->provider, 'token');
    my $select = IO::Select->new;
    my (%sent, @visits, @renewed);

    my $send = sub ($c) {
        $sent{$c} = time;
        syswrite $c, 'GET /checkout?order=' . $order++
            . " HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    };

    for (1 .. CLIENTS) {
        my $c = IO::Socket::INET->new('127.0.0.1:' . $system->port)
            or die "no connection: $!\n";

        $select->add($c);
        $send->($c);
    }

    my $until = time + LIFE * ($refreshes + 1);
    my $end;

    while (time < ($end // $until)) {
        for my $c ($select->can_read(0.1)) {
            sysread $c, my $answer, 65536 or die "a connection was closed\n";
            my $now = time;

            die "the answer is $answer\n" if $answer !~ m{\AHTTP/1.1 303};

            push @visits, [ $sent{$c}, $now - $sent{$c} ];
            $send->($c);
        }

        if (-s $log > $size) {
            $size = -s $log;
            push @renewed, time;
            $end = time + 0.5 if @renewed == $refreshes;
        }
    }

    return (\@visits, \@renewed);
}


1;
