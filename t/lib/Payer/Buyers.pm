package Payer::Buyers;

# Buyers who visit the hosts of a Payer::Fleet while something breaks, and the
# judge of what they were shown: it compares that with Payer's books, and with
# what is stored when all is well again.
#
#     my $buyers = buyers($fleet, orders => 30);
#     ... break something, and mend it ...
#     my @wrong = $buyers->judged(20);        # texts; none: all is well
#
# Options: orders, how many; patience, the seconds until a buyer is stuck;
# crowd, who come at once; book, a function that returns what is captured of
# each order, where that is not in PostgreSQL.
#
# Each buyer opens the payment page twice at once, on different hosts, pays,
# comes back on both, and the shop captures with one key.  Every third one
# does not pay.  503 and 504 mean "again"; whoever gets nothing else within
# the time is stuck.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use Payer::Shop;
use Payer::Sim  ();
use Payer::Test ();

our @EXPORT = qw(buyers);

my $json = JSON::PP->new->canonical;
my $serial = 1000;

# the lease of a notification is payer_timeout and 30 s; seconds, until the
# shop is told of one that nginx could not go on with
my $TOLD = 45;


sub buyers {
    my ($fleet, %option) = (@_);

    my $n = $option{orders} // 30;
    my $self = bless {
        fleet   => $fleet,
        file    => Payer::Test::work_dir() . '/buyers.log',
        orders  => [ map { ++$serial } 1 .. $n ],
        pids    => [],
        end     => time + ($option{patience} // 40),
        keys    => 0,
        book    => $option{book},
    }, __PACKAGE__;

    unlink $self->{file};

    my $crowd = $option{crowd} // 5;

    for my $i (0 .. $crowd - 1) {
        my $pid = fork // die "fork: $!\n";

        if ($pid == 0) {
            my @mine = grep { $_ % $crowd == $i } @{ $self->{orders} };

            srand $$;
            eval { $self->_buy($_) for @mine; 1 }
                or $self->_note(what => 'died', why => "$@");
            POSIX::_exit(0);
        }

        push @{ $self->{pids} }, $pid;
    }

    return $self;
}


sub _note {
    my ($self, %line) = @_;

    open my $fh, '>>', $self->{file} or die "$self->{file}: $!\n";
    syswrite $fh, $json->encode({ %line, at => time }) . "\n";
}


# Asks until an answer is one of these; all that were given are noted.  A host
# that is undef is another one each time: one may be down for long.

sub _ask {
    my ($self, $order, $what, $good, @requests) = @_;

    my @hosts = $self->{fleet}->hosts;

    while (time < $self->{end}) {
        my @r = $self->{fleet}->at_once(map {
            my ($host, @request) = @$_;
            [ $host // $hosts[rand @hosts], @request ];
        } @requests);

        for my $r (@r) {
            $self->_note(order => $order, what => $what,
                status => $r->status, link => $r->header('Location') // '');
        }

        my ($done) = grep { $_->status =~ /^(?:$good)$/ } @r;
        return $done if $done;

        sleep 0.05 + rand 0.1;
    }

    $self->_note(order => $order, what => 'stuck', why => $what);
    return undef;
}


sub _buy {
    my ($self, $order) = @_;

    my @hosts = $self->{fleet}->hosts;

    my $r = $self->_ask($order, 'visit', '303',
        map { [ $_, GET => "/checkout?order=$order", timeout => 8 ] } @hosts)
        or return;

    return if $order % 3 == 0;

    Payer::Sim::sim('POST', 'pay', { url => $r->header('Location') });
    $self->_note(order => $order, what => 'paid');

    $self->_ask($order, 'return', '200',
        map { [ $_, GET => "/thanks?order=$order", timeout => 8 ] } @hosts)
        or return;

    $self->_ask($order, 'capture', '200',
        [ undef, POST => '/capture', timeout => 8,
            json => { reference => "$order" },
            headers => { 'Idempotency-Key' => "key-$order" } ]);
}


sub wait {
    my ($self) = @_;

    local $?;
    waitpid $_, 0 for @{ $self->{pids} };
    $self->{pids} = [];
}


# True while one of them has something to do.

sub busy {
    my ($self) = @_;

    local $?;
    $self->{pids} = [ grep { waitpid($_, POSIX::WNOHANG()) == 0 }
            @{ $self->{pids} } ];
    return scalar @{ $self->{pids} };
}


sub lines {
    my ($self) = @_;

    open my $fh, '<', $self->{file} or return;

    # the last line may not be complete yet
    return map { $json->decode($_) } grep {/\n\z/} <$fh>;
}


# How many answers of that kind there were.

sub count {
    my ($self, $what, $status) = @_;

    return scalar grep { $_->{what} eq $what && ($_->{status} // '') eq $status }
        $self->lines;
}


sub judged {
    my ($self, $seconds) = @_;

    $self->wait;

    my (%shown, %paid, @wrong);

    for my $line ($self->lines) {
        my ($order, $what) = @$line{qw(order what)};

        push @wrong, "order $order is stuck at: $line->{why}"
            if $what eq 'stuck';
        push @wrong, "a buyer died: $line->{why}" if $what eq 'died';

        $shown{$order}{ $line->{link} } = 1
            if $what eq 'visit' && $line->{status} == 303;
        $paid{$order} = 1 if $what eq 'paid';

        push @wrong, "order $order is paid and refused with $line->{status}"
            if $what eq 'return' && $line->{status} =~ /^4/;
        push @wrong, "order $order: a capture is refused with $line->{status}"
            if $what eq 'capture' && $line->{status} =~ /^4/
                && $line->{status} != 409;
    }

    for my $order (sort keys %shown) {
        my $links = keys %{ $shown{$order} };
        push @wrong, "order $order has $links links" if $links > 1;
    }

    push @wrong, $self->_stored(\%shown, \%paid, $seconds // 20);

    my %seen;
    return grep { !$seen{$_}++ } @wrong;
}


# What is stored, when it is quiet.

sub _stored {
    my ($self, $shown, $paid, $seconds) = @_;

    my @wrong;
    my $fleet = $self->{fleet};

    # one deadline for all of them: where nothing works, it is soon said
    my $end = time + $seconds;

    for my $order (sort keys %$shown) {
        for my $host ($fleet->hosts) {
            my $path = $paid->{$order} ? 'thanks' : 'checkout';
            my $good = $paid->{$order} ? 200 : 303;
            my $r;

            Payer::Test::wait_until(sub {
                $r = $fleet->get($host, "/$path?order=$order");
                $r->status !~ /^(?:0|503|504)$/;
            }, $end - time);

            if ($r->status != $good) {
                push @wrong, "order $order: host $host answers $path with "
                    . $r->status;
                return @wrong, 'the rest was not looked at' if time > $end;

            } elsif (!$paid->{$order}
                && !$shown->{$order}{ $r->header('Location') })
            {
                push @wrong, "order $order: its link is forgotten";
            }
        }
    }

    # the shop's book ends as Payer's
    my $stored = $self->{book} // sub {
        return { map { $_->[0] => $_->[1] // 0 } $fleet->pg->sql(
            'SELECT reference, captured FROM payer.orders') };
    };
    my @captured = grep { $paid->{$_} } sort keys %$shown;

    my @differ;
    Payer::Test::wait_until(sub {
        my $is = $stored->();
        @differ = grep { ($is->{$_} // -1) != Payer::Sim::books($_)->{captured} }
            @captured;
        !@differ;
    }, $seconds);

    push @wrong, "order $_: what is captured is not what is stored"
        for @differ;

    for my $order (@captured) {
        my $times = @{ Payer::Sim::books($order)->{captures} };
        push @wrong, "order $order was captured $times times" if $times > 1;
    }

    my @untold;
    Payer::Test::wait_until(sub {
        my %told = map { m{/_shop/paid\?id=(\d+) } ? ($1 => 1) : () }
            map { $_->{line} } shop_requests();
        @untold = grep { !$told{$_} } @captured;
        !@untold;
    }, $TOLD);

    push @wrong, "order $_: the shop was not told" for @untold;

    return @wrong;
}

1;
