package Simulator::Events;

# Event subscriptions, and the calls to the shop: with ?token= appended, again
# with exponential backoff until the event is acknowledged, at most ten times.

use Mojo::Base -base, -signatures;

use Mojo::IOLoop;
use Mojo::URL;
use Mojo::UserAgent;

has 'books';
has ua => sub {
    Mojo::UserAgent->new(
        insecure           => 1,
        max_redirects      => 0,
        max_connections    => 0,
        inactivity_timeout => 0
    );
};

my %TYPES = map { $_ => 1 } qw(
    CARD_PAYMENT_AUTHORIZED CARD_PAYMENT_ERROR CARD_PAYMENT_REFUNDED
    CARD_PAYMENT_SETTLED PAYMENT_AUTHORIZED PAYMENT_SETTLED
);


sub known_type ($type) { $TYPES{$type} || $type =~ /\AINVOICE_[A-Z_]+\z/ }


sub new ($class, @args) {
    my $self = $class->SUPER::new(@args);

    $self->{subscriptions} = [];
    $self->{events}        = {};
    $self->{order}         = [];

    return $self;
}


sub reset ($self) {
    for my $event (@{ $self->{order} }) {
        $event->{dropped} = 1;
        Mojo::IOLoop->remove($event->{timer}) if $event->{timer};
    }

    $self->{subscriptions} = [];
    $self->{events}        = {};
    $self->{order}         = [];
}


# A repeated subscription changes nothing.

sub subscribe ($self, $agent, $type, $url) {
    my ($known) = grep { _same($_, $agent, $type, $url) }
        @{ $self->{subscriptions} };

    if (!$known) {
        $known = {
            agent => $agent,
            id    => $self->books->uuid,
            type  => $type,
            url   => $url
        };
        push @{ $self->{subscriptions} }, $known;
    }
}


sub unsubscribe ($self, $agent, $type, $url) {
    my $before = @{ $self->{subscriptions} };

    @{ $self->{subscriptions} } =
        grep { !_same($_, $agent, $type, $url) } @{ $self->{subscriptions} };

    return $before - @{ $self->{subscriptions} };
}


sub subscriptions ($self, $agent) {
    return [
        map { _shown($_) }
        grep { $_->{agent} eq $agent } @{ $self->{subscriptions} }
    ];
}


sub _same ($s, $agent, $type, $url) {
    return $s->{agent} eq $agent && $s->{type} eq $type && $s->{url} eq $url;
}


sub _shown ($s) {
    return { map { $_ => $s->{$_} } qw(id type url) };
}


sub find ($self, $agent, $token) {
    my $event = $self->{events}{$token} or return undef;
    return $event->{agent} eq $agent ? $event : undef;
}


sub by_token ($self, $token) { $self->{events}{$token} }


sub acknowledge ($self, $event) {
    $event->{acked}++;
    Mojo::IOLoop->remove(delete $event->{timer}) if $event->{timer};
}


# One event for each subscription of this type.  Known of the payload is its
# paymentId; what else is in it is a setting.

sub emit ($self, $type, $p) {
    my $books = $self->books;
    my @made;

    my %field = (
        eventType                => $type,
        createdDate              => $books->iso($books->now),
        paymentId                => $p->{id},
        externalPaymentReference => $p->{externalPaymentReference},
        amount                   => $p->{amount},
        currencyCode             => $p->{currencyCode},
        status                   => $books->status($p),
    );

    my %payload = map { $_ => $field{$_} }
        grep { exists $field{$_} } @{ $books->settings->{event_payload} };

    for my $s (@{ $self->{subscriptions} }) {
        next unless $s->{type} eq $type && $s->{agent} eq $p->{agent};

        my $token = $books->random_hex(20);
        my $event = {
            token   => $token,
            type    => $type,
            agent   => $s->{agent},
            url     => $s->{url},
            calls   => [],
            fetched => 0,
            acked   => 0,
            payload => {%payload},
            reference => $p->{externalPaymentReference},
        };

        $self->{events}{$token} = $event;
        push @{ $self->{order} }, $event;
        push @made, $event;

        # the call that caused the event is answered first
        Mojo::IOLoop->next_tick(sub { $self->deliver($event) });
    }

    return @made;
}


# With $again the event is delivered once more although it was acknowledged,
# which Payer may do at any time.

sub deliver ($self, $event, $again = 0) {
    return if $event->{dropped} || $event->{acked} && !$again;

    my $set  = $self->books->settings;
    my $call = { time => $self->books->now, status => undef };
    my $url  = Mojo::URL->new($event->{url});

    $url->query([ token => $event->{token} ]);
    push @{ $event->{calls} }, $call;

    my $tx = $self->ua->build_tx($set->{event_method} => $url);

    $self->ua->request_timeout($set->{event_timeout});
    $self->ua->start(
        $tx => sub ($ua, $tx) {
            if (my $error = $tx->error) {
                $call->{error} = $error->{message};
            }

            $call->{status} = $tx->res->code;
            $self->_schedule($event) unless $again;
        }
    );
}


sub _schedule ($self, $event) {
    my $set = $self->books->settings;
    my $n   = @{ $event->{calls} };

    return if $event->{dropped} || $event->{acked} || $n >= $set->{event_calls};

    $event->{timer} = Mojo::IOLoop->timer(
        $set->{event_retry} * 2**($n - 1) => sub {
            delete $event->{timer};
            $self->deliver($event);
        }
    );
}


sub report ($self) {
    return [
        map {
            my $event = $_;
            +{  map { $_ => $event->{$_} }
                    qw(token type url agent calls fetched acked payload
                    reference)
            }
        } @{ $self->{order} }
    ];
}

1;
