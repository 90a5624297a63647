package Payer::Storm;

# A storm: buyers and a back office that never pause, while something is done
# to nginx, and the reckoning afterwards.
#
#     storm('reload',
#         every => [ [ 0.1, sub { kill 'HUP', nginx_pid() } ] ],
#         rules => { ... },           of Payer::Ledger
#         patience => 10,             seconds after the storm in which a step
#                                     that did not succeed has to
#         calm  => sub { ... },       when the storm is over, under load
#         then  => sub { ... },       when the load is over, too
#     );
#
# It fails what is wrong, stuck, or lost, and keeps a row for the table that
# storm_table() prints.  storm_conf() is its part of nginx.conf.
#
#     STORM_SECONDS=n    how long each storm lasts (4)
#     STORM_CLIENTS=n    how many clients there are (24)

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(time);

use Payer::Ledger;
use Payer::Load;
use Payer::Sim qw(sim);
use Payer::Test ();

our @EXPORT = qw(storm storm_conf storm_table storm_seconds slow);

my ($amount, $part) = (10000, 4000);
my @rows;


# Where nginx is instrumented, everything takes longer.

sub slow { return $ENV{PAYER_TEST_SLOW} // 1 }


sub storm_seconds {
    return $ENV{STORM_SECONDS} // (slow() > 1 ? 2.5 : 4);
}


sub storm_conf {
    my ($timeout) = @_;

    return <<"EOF";
        payer_timeout  $timeout;

        location = /checkout {
            payer_checkout;
            payer_reference       \$arg_order public;
            payer_amount          $amount;
            payer_currency        SEK;
            payer_return_success  /thanks?order=\$payer_reference;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /thanks {
            payer_verify  \$arg_order;
            empty_gif;
        }

        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /metrics   { payer_metrics;   payer_allow 127.0.0.1; }
EOF
}


our @PLOTS = (
    [ qw(visit visit unpaid visit) ],
    [ qw(visit unpaid pay thanks capture capture sold) ],
    [ qw(visit pay thanks thanks capture sold) ],
);


sub storm {
    my ($name, %do) = @_;

    my $storm = Payer::Storm->new($name, %do);

    $storm->blow;
    $do{then}->() if $do{then};
    $storm->reckon;

    return $storm;
}


sub new {
    my ($class, $name, %do) = @_;

    return bless {
        %do,
        name   => $name,
        ledger => Payer::Ledger->new(%{ $do{rules} // {} }),
        stuck  => [],
        load   => Payer::Load->new(
            clients => $ENV{STORM_CLIENTS} // 24,
            timeout => 20 * slow(),
        ),
    }, $class;
}


# Load for as long as a storm lasts, while things are done every so often.

sub blow {
    my ($self) = @_;

    my $stop = $self->{stop} = time + storm_seconds();
    my $calm = $self->{calm};
    my @every = map {
        my ($pause, $code) = @$_;
        [ $pause, sub { $code->() if time < $stop } ];
    } @{ $self->{every} };

    push @every, [ 0.02, sub {
        return if !$calm || time < $stop;
        $calm->();
        undef $calm;
    } ];

    $self->{load}->run(
        story => $self->_stories($stop),
        every => \@every,
        until => sub { time >= $stop },
    );
}


# The given stories, each [ order, step, ... ], and no others.

sub wave {
    my ($self, $stories, @every) = @_;

    my @left = map { Payer::Storm::Story->new($self, @$_) } @$stories;

    $self->{load}->run(
        story => sub { shift @left },
        every => \@every,
        until => sub { !@left },
    );
}


# Where stories come from until it is time to stop.

sub _stories {
    my ($self, $stop) = @_;

    my ($serial, @waiting) = (0);
    my $prefix = $self->{name} =~ s/\W+/-/gr;

    return sub {
        return shift @waiting if @waiting;
        return if time >= $stop;

        my $order = "$prefix-" . ++$serial;

        # more than one visitor at the same time
        push @waiting, map {
            Payer::Storm::Story->new($self, $order, qw(visit visit))
        } 1 .. 2 if $serial % 4 == 0;

        return Payer::Storm::Story->new($self, $order,
                                        @{ $PLOTS[ $serial % @PLOTS ] });
    };
}


# When it is calm again, everything is asked for once more, of the record
# that has survived, and then Payer's books are read.

sub reckon {
    my ($self) = @_;

    my ($name, $ledger) = @$self{qw(name ledger)};
    my %during = %{ $ledger->count };
    my @wrong = $ledger->said;
    my $calls = Payer::Sim::calls();

    $ledger->calm;
    $self->wave([ map { _after($ledger, $_) } $ledger->orders ]);

    my @lost = $ledger->said;
    splice @lost, 0, scalar @wrong;
    push @lost, $ledger->audit(_books());

    my $more = Payer::Sim::calls();

    # that the record has it, and not Payer alone
    for my $call ($self->{rules}{replace} ? () : 'create',
                  $self->{rules}{settle} ? () : 'capture')
    {
        push @lost, "$call was called again"
            if ($more->{$call} // 0) != ($calls->{$call} // 0);
    }

    _tell($name, 'no wrong answer', @wrong);
    _tell($name, 'nobody is stuck', @{ $self->{stuck} });
    _tell($name, 'nothing is lost', @lost);

    Test::More::cmp_ok($during{right}, '>=', 20, "$name: under load");

    push @rows, [ $name, @during{qw(requests right closed refused)},
                  $self->{load}->stale, $during{wrong},
                  scalar(my @orders = $ledger->orders), scalar @lost,
                  $self->{events} ? $self->{events}->() : '' ];
}


# What an order's last steps are, which nothing is to be forgotten for.

sub _after {
    my ($ledger, $name) = @_;

    my $order = $ledger->order($name);

    return [ $name, $order->{captured} ? qw(replay sold)
                  : $order->{page} && !$order->{paid} ? qw(again)
                  : () ];
}


sub _books {
    my %books;

    push @{ $books{ $_->{reference} } }, $_
        for @{ sim('GET', 'books')->{payments} };

    return \%books;
}


sub _tell {
    my ($name, $what, @said) = @_;

    Test::More::is(scalar @said, 0, "$name: $what");
    Test::More::diag($_) for @said > 10 ? @said[ 0 .. 9 ] : @said;
}


sub storm_table {
    Test::More::note(sprintf '%-20s %8s %8s %6s %7s %5s %5s %7s %4s',
        qw(storm requests right closed refused stale wrong orders lost));
    Test::More::note(sprintf '%-20s %8d %8d %6d %7d %5d %5d %7d %4d  %s', @$_)
        for @rows;
}


package Payer::Storm::Story;

# What one client does with one order.

use List::Util qw(max);
use Time::HiRes qw(time);


sub new {
    my ($class, $storm, $order, @steps) = @_;

    return bless {
        storm  => $storm,
        order  => $order,
        steps  => \@steps,
        pause  => 0,
    }, $class;
}


my %REQUEST = (
    visit   => \&_checkout,
    unpaid  => \&_thanks,
    pay     => \&_pay,
    thanks  => \&_thanks,
    capture => \&_capture,
    sold    => \&_checkout,
    again   => \&_checkout,
    replay  => \&_capture,
);


sub next {
    my ($self) = @_;

    if ($self->{pause}) {
        my $pause = $self->{pause};
        $self->{pause} = 0;
        return $pause;
    }

    my $step = $self->{steps}[0] // return undef;

    return $REQUEST{$step}->($self->{order}, $self->{storm}{ledger});
}


sub _checkout {
    my ($order) = @_;

    return [ Payer::Test::nginx_port(), GET => "/checkout?order=$order",
             fresh => rand() < 0.5 ];
}


sub _thanks {
    my ($order) = @_;

    return [ Payer::Test::nginx_port(), GET => "/thanks?order=$order",
             fresh => rand() < 0.5 ];
}


sub _capture {
    my ($order) = @_;

    return [ Payer::Test::nginx_port(), POST => '/capture',
             json => { reference => $order, amount => $part },
             headers => { 'Idempotency-Key' => "capture-$order" },
             fresh => rand() < 0.5 ];
}


# By the link that the buyer was given: there may be others that nobody has.

sub _pay {
    my ($order, $ledger) = @_;

    return [ $ENV{TEST_NGINX_SIM_PORT}, POST => '/_sim/pay',
             json => { url => $ledger->order($order)->{page} }, fresh => 1 ];
}


sub took {
    my ($self, $r) = @_;

    my $step = $self->{steps}[0];
    my $storm = $self->{storm};
    my $verdict = $storm->{ledger}->take($self->{order}, $step, $r);
    my $now = time;

    $self->{end} //= max($now, $storm->{stop} // 0) + ($storm->{patience} // 0);

    if ($verdict eq 'right') {
        shift @{ $self->{steps} };
        delete $self->{end};

    } elsif ($verdict eq 'wrong') {
        $self->{steps} = [];

    } elsif ($now < $self->{end}) {
        $self->{pause} = 0.1 + rand 0.2;

        # his link was replaced: the buyer goes back to the shop
        unshift @{ $self->{steps} }, 'visit' if $step eq 'pay';

    } else {
        push @{ $storm->{stuck} },
            "order $self->{order}, $step: " . $r->status . ' '
            . ($r->error // $r->body);
        $self->{steps} = [];
    }
}

1;
