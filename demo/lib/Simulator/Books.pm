package Simulator::Books;

# The state of the simulated Payer: merchants, tokens, payments, handled
# request ids and the clock.  Nothing in here knows about HTTP; an operation
# either returns what Payer would answer or refuses with a status and message.
#
# Marks used in this directory: "beyond the facts" is a decision of this
# simulator where Payer's public documentation is silent; demo/README.md
# lists all of them.

use Mojo::Base -base, -signatures;

use POSIX      qw(strftime);
use Time::HiRes ();

use constant LINK_TTL => 31 * 86400;

my $UUID = qr/\A[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\z/i;

has merchants  => sub { {} };
has public_url => 'http://127.0.0.1';
has settings   => sub { {} };
has defaults   => sub { {} };
has on_event   => sub {
    sub { }
};


sub new ($class, @args) {
    my $self = $class->SUPER::new(@args);

    open $self->{random}, '<:raw', '/dev/urandom' or die "urandom: $!\n";

    return $self->reset;
}


sub reset ($self) {
    $self->{$_} = {} for qw(payments by_token handled tokens by_reference);
    $self->{order}  = [];
    $self->{offset} = 0;

    $self->settings({
        token_ttl         => 3600,
        expires_in        => 'ttl',
        link_ttl          => LINK_TTL,
        auto_release      => 3600,
        cancel_twice      => 400,
        expired_status    => 'INITIATED',
        event_retry       => 32,
        event_calls       => 10,
        event_timeout     => 30,
        event_method      => 'GET',
        event_payload     => ['paymentId'],
        ack_again         => 200,
        description       => 'optional',
        read_lag          => 0,
        refunded_amount   => 1,
        %{ $self->defaults },
    });

    return $self;
}


sub now ($self) { Time::HiRes::time() + $self->{offset} }


sub advance ($self, $seconds) { $self->{offset} += $seconds }


sub iso ($self, $time) { strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $time }


sub random_hex ($self, $bytes) {
    read $self->{random}, my ($buf), $bytes;
    return unpack 'H*', $buf;
}


sub uuid ($self) {
    my $hex = $self->random_hex(16);

    substr $hex, 12, 1, '4';
    substr $hex, 16, 1, qw(8 9 a b)[ hex(substr $hex, 16, 1) & 3 ];

    return join '-', unpack 'A8 A4 A4 A4 A12', $hex;
}


sub refuse ($status, $message) { die [ $status, $message ] }


# Access tokens.  They expire by the simulator's clock.

sub issue_token ($self, $agent, $secret) {
    my $known = $self->merchants->{$agent};

    refuse 401, 'Bad client credentials'
        unless defined $known && $known eq $secret;

    my $set   = $self->settings;
    my $token = $self->random_hex(24);

    $self->{tokens}{$token} =
        { agent => $agent, expires => $self->now + $set->{token_ttl} };

    my $reply = { access_token => $token, token_type => 'Bearer' };
    my $in    = $set->{expires_in};

    if (defined $in) {
        $reply->{expires_in} = $in eq 'ttl' ? $set->{token_ttl} : $in;
    }

    return $reply;
}


sub agent_of ($self, $bearer) {
    my $token = $self->{tokens}{$bearer} or return undef;

    if ($token->{expires} <= $self->now) {
        delete $self->{tokens}{$bearer};
        return undef;
    }

    return $token->{agent};
}


sub revoke ($self) {
    my $n = keys %{ $self->{tokens} };
    $self->{tokens} = {};
    return $n;
}


# Payer-Request-ID: the same id is handled once per merchant.

sub claim_request_id ($self, $agent, $id) {
    refuse 400, 'Payer-Request-ID must be a UUID' unless $id =~ $UUID;

    refuse 409, "Request $id was already handled"
        if $self->{handled}{$agent}{ lc $id }++;
}


# Payments.

sub create ($self, $agent, $in) {
    my $id    = $self->uuid;
    my $token = $self->random_hex(20);
    my $p     = {
        id         => $id,
        token      => $token,
        agent      => $agent,
        n          => scalar @{ $self->{order} },
        status     => 'INITIATED',
        created    => $self->now,
        operations => [],
        past       => [],
        map({ $_ => $in->{$_} }
            qw(amount currencyCode externalPaymentReference orderId
                languageCode redirectOnSuccessURL redirectOnFailURL
                backToShopURL)),
        map({ $_ => 0 } qw(authorized captured released refunded)),
    };

    $self->{payments}{$id}    = $p;
    $self->{by_token}{$token} = $p;
    push @{ $self->{order} }, $p;
    push @{ $self->{by_reference}{ $p->{externalPaymentReference} } }, $p;

    return $p;
}


sub url_of ($self, $p) { $self->public_url . "/widget/$p->{token}" }


sub find ($self, $agent, $id) {
    my $p = $self->{payments}{$id};

    refuse 404, 'Payment not found' unless $p && $p->{agent} eq $agent;

    return $self->settle($p);
}


sub by_token ($self, $token) {
    my $p = $self->{by_token}{$token} or return undef;
    return $self->settle($p);
}


sub by_id ($self, $id) {
    my $p = $self->{payments}{$id} or return undef;
    return $self->settle($p);
}


sub by_reference ($self, $reference) {
    return map { $self->settle($_) }
        @{ $self->{by_reference}{$reference} // [] };
}


sub all ($self) { map { $self->settle($_) } @{ $self->{order} } }


# What time alone does to a payment: an authorization that overtook a cancel
# is released, and nobody has to be awake for it.

sub settle ($self, $p) {
    my $due = $p->{release_at};

    if (defined $due && $due <= $self->now) {
        delete $p->{release_at};

        my $rest = $self->rest($p);

        if ($rest > 0) {
            $p->{released} += $rest;
            $p->{status} = 'CANCELLED' unless $p->{captured};
            $self->_operation($p, 'RELEASE', $rest, undef, 'automatic');
            $self->changed($p);
        }
    }

    return $p;
}


sub rest ($self, $p) { $p->{authorized} - $p->{captured} - $p->{released} }


sub expired ($self, $p) {
    return $p->{status} eq 'INITIATED'
        && $self->now >= $p->{created} + $self->settings->{link_ttl};
}


sub live ($self, $p) { $p->{status} eq 'INITIATED' && !$self->expired($p) }


sub status ($self, $p) {
    return $self->expired($p)
        ? $self->settings->{expired_status}
        : $p->{status};
}


# What a read shows: the payment as it was "read_lag" seconds ago, since one
# read may be answered by a part of Payer that has not heard of the operation.

sub seen ($self, $p) {
    my $lag = $self->settings->{read_lag};

    return $p if !$lag;

    my ($then) = grep { $_->{time} <= $self->now - $lag } reverse
        @{ $p->{past} };

    $then //= { status => 'INITIATED', operations => 0,
        map { $_ => 0 } qw(authorized captured released refunded) };

    my @operations = @{ $p->{operations} };
    $#operations = $then->{operations} - 1;

    return { %$p, %$then, operations => \@operations };
}


# To be called whenever a payment has changed.

sub changed ($self, $p) {
    push @{ $p->{past} }, {
        time       => $self->now,
        operations => scalar @{ $p->{operations} },
        map { $_ => $p->{$_} } qw(status authorized captured released refunded)
    };
}


sub _operation ($self, $p, $type, $amount, $description, $request_id) {
    my $op = {
        operationId   => $self->uuid,
        createdDate   => $self->iso($self->now),
        operationType => $type,
        amount        => $amount,
        description   => $description,
        requestId     => $request_id,
    };

    push @{ $p->{operations} }, $op;

    return $op;
}


# The buyer's card was accepted.  A cancelled payment gets here only from a
# 3-D Secure session that was open when the cancel came: the authorization
# overtakes the cancel and is released by itself within the hour.

sub authorize ($self, $p) {
    my $overtakes = $p->{status} eq 'CANCELLED';

    delete $p->{session};
    $p->{authorized} = $p->{amount};
    $p->{status}     = 'AUTHORIZED';
    $self->_operation($p, 'AUTHORIZE', $p->{amount}, undef, undef);

    if ($overtakes) {
        $p->{overtook}   = 1;
        $p->{release_at} = $self->now + $self->settings->{auto_release};
    }

    $self->changed($p);

    $self->on_event->($_, $p)
        for qw(CARD_PAYMENT_AUTHORIZED PAYMENT_AUTHORIZED);
}


sub decline ($self, $p, $reason) {
    delete $p->{session};
    $p->{declines}++;
    $p->{last_decline} = $reason;
    $self->on_event->('CARD_PAYMENT_ERROR', $p);
}


sub start_session ($self, $p) { $p->{session} = $self->random_hex(12) }


sub cancel ($self, $p) {
    if ($p->{status} eq 'CANCELLED') {

        # beyond the facts: a second cancel is refused like any cancel that
        # has nothing to cancel
        refuse 400, 'Payment is already cancelled'
            if $self->settings->{cancel_twice} == 400;

        return;
    }

    refuse 400, 'Payment is authorized and can not be cancelled'
        unless $p->{status} eq 'INITIATED';

    $p->{status} = 'CANCELLED';
    $self->_operation($p, 'CANCEL', $p->{amount}, undef, undef);
    $self->changed($p);
}


sub capture ($self, $p, $in, $request_id) {
    refuse 400, "Payment can not be captured in status $p->{status}"
        unless $p->{status} =~ /\A(?:AUTHORIZED|PARTIALLY_CAPTURED)\z/;

    my $rest   = $self->rest($p);
    my $amount = $in->{amount} // $rest;

    refuse 400, 'Nothing is left to capture' if $rest <= 0;
    refuse 400, "Amount exceeds the remaining authorized amount $rest"
        if $amount > $rest;

    my $op = $self->_operation($p, 'CAPTURE', $amount,
        $in->{transactionDescription}, $request_id);

    $p->{captured} += $amount;
    $p->{status} = $p->{captured} == $p->{authorized}
        ? 'FULLY_CAPTURED' : 'PARTIALLY_CAPTURED';

    if ($in->{releaseRemainingFunds} && (my $left = $self->rest($p))) {
        $p->{released} += $left;
        $self->_operation($p, 'RELEASE', $left, undef, $request_id);
    }

    $self->changed($p);

    $self->on_event->($_, $p) for qw(CARD_PAYMENT_SETTLED PAYMENT_SETTLED);

    return $op;
}


# beyond the facts: the status after a release.  With nothing captured the
# payment reads CANCELLED, otherwise it stays PARTIALLY_CAPTURED.

sub release ($self, $p, $request_id) {
    my $rest = $self->rest($p);

    refuse 400, "Nothing is left to release in status $p->{status}"
        unless $rest > 0;

    $p->{released} += $rest;
    $p->{status} = 'CANCELLED' unless $p->{captured};

    my $op = $self->_operation($p, 'RELEASE', $rest, undef, $request_id);

    $self->changed($p);

    return $op;
}


# beyond the facts: a refund leaves the status alone, the operations show it.

sub refund ($self, $p, $in, $request_id) {
    refuse 400, 'transactionDescription is missing'
        if $self->settings->{description} eq 'required'
        && !length($in->{transactionDescription} // '');

    my $left = $p->{captured} - $p->{refunded};

    refuse 400, 'Nothing is left to refund' if $left <= 0;
    refuse 400, "Amount exceeds the refundable amount $left"
        if $in->{amount} > $left;

    $p->{refunded} += $in->{amount};
    my $op = $self->_operation($p, 'REFUND', $in->{amount},
        $in->{transactionDescription}, $request_id);

    $self->changed($p);
    $self->on_event->('CARD_PAYMENT_REFUNDED', $p);

    return $op;
}


# GET /_sim/books: what an accountant would ask.

sub report ($self, $reference = undef) {
    my (@rows, %sums);

    for my $p ($self->all) {
        my $ref = $p->{externalPaymentReference};

        next if defined $reference && $ref ne $reference;

        my $live = $self->live($p) ? 1 : 0;
        my $sum  = $sums{$ref} //= {
            links      => 0,
            liveLinks  => 0,
            authorized => 0,
            captured   => 0,
            released   => 0,
            refunded   => 0
        };

        push @rows, {
            paymentId  => $p->{id},
            url        => $self->url_of($p),
            agent      => $p->{agent},
            reference  => $ref,
            amount     => $p->{amount},
            currency   => $p->{currencyCode},
            status     => $self->status($p),
            live       => $live ? \1 : \0,
            expired    => $self->expired($p) ? \1 : \0,
            in3ds      => $p->{session}  ? \1 : \0,
            overtook   => $p->{overtook} ? \1 : \0,
            declines   => $p->{declines} // 0,
            operations => $p->{operations},
            captures   => [
                grep { $_->{operationType} eq 'CAPTURE' }
                    @{ $p->{operations} }
            ],
            map({ $_ => $p->{$_} }
                qw(authorized captured released refunded orderId
                    languageCode redirectOnSuccessURL redirectOnFailURL
                    backToShopURL)),
        };

        $sum->{links}++;
        $sum->{liveLinks} += $live;
        $sum->{$_} += $p->{$_} for qw(authorized captured released refunded);
    }

    return {
        now        => $self->now,
        payments   => \@rows,
        references => \%sums,
        count      => scalar @rows
    };
}

1;
