package Payer::Ledger;

# What the clients of a storm were told, order by order, and whether that was
# right.  Nothing in here knows nginx: t/815.storm-ledger.t shows that each
# rule can fail.
#
#     my $ledger = Payer::Ledger->new(
#         closed  => 1,                   a connection may end without an answer
#         refused => qr/^503 the store/,  "status detail" that may be answered
#         replace => 1,                   a link may be replaced by another one
#         settle  => 1,                   what was done may have to be asked for
#     );
#     $ledger->take($order, $step, $answer)   right, closed, refused, or wrong
#     $ledger->promises                       orders of which something is known
#     $ledger->audit($books)                  sentences about what is lost
#
# The steps of an order, in this sequence, each any number of times:
#
#     visit       303 to the payment page, the same as ever
#     unpaid      the gate is shut: 402
#     pay         the buyer at Payer's, from the simulator
#     thanks      the gate is open: 200
#     capture     200, once, whatever is repeated
#     sold        a visit of the paid order: 303 to /thanks
#
# and after the storm, when nothing may be forgotten:
#
#     again       the link as it was
#     replay      the capture's answer, from the record and not from Payer
#     sold

use strict;
use warnings;

my %JUDGE = (
    visit   => \&_visit,
    unpaid  => sub { $_[1]->status == 402 ? '' : 'an unpaid order passes' },
    pay     => \&_pay,
    thanks  => \&_thanks,
    capture => \&_capture,
    sold    => \&_sold,
    again   => \&_again,
    replay  => \&_replay,
);


sub new {
    my ($class, %rules) = @_;

    return bless {
        rules => \%rules,
        count => { map { $_ => 0 } qw(requests right closed refused wrong) },
        orders => {},
        said   => [],
    }, $class;
}


sub count { $_[0]{count} }

# sentences about wrong answers
sub said { @{ $_[0]{said} } }


# From now on nothing but right answers.
sub calm { delete @{ $_[0]{rules} }{qw(closed refused)} }

sub orders {
    my ($self) = @_;

    my @names = sort keys %{ $self->{orders} };

    return @names;
}


# What is known of an order: links (URL => times), page (the last of them),
# paid, captured (how often that was said), and what the steps after the
# storm were answered.

sub order {
    my ($self, $name) = @_;

    return $self->{orders}{$name} //= {
        links => {}, page => undef, paid => 0, captured => 0, kept => 0,
    };
}


sub take {
    my ($self, $name, $step, $r) = @_;

    my $verdict = $self->_verdict($name, $step, $r);

    if ($step ne 'pay') {
        $self->{count}{requests}++;
        $self->{count}{$verdict}++;
    }

    return $verdict;
}


sub _verdict {
    my ($self, $name, $step, $r) = @_;

    my $rules = $self->{rules};

    if ($r->status == 0 || defined $r->error) {
        my $error = $r->error // 'no status';

        return 'closed' if $rules->{closed}
            && $error =~ /^(?:closed|no answer|truncated|read:|write:|connect:)/;

        return $self->_wrong($name, $step, $r, 'no whole answer');
    }

    my $why = $JUDGE{$step}->($self, $r, $self->order($name));

    return 'right' if $why eq '';

    return 'refused' if $step eq 'pay' && $rules->{replace};

    return 'refused' if defined $rules->{refused}
        && _refusal($r) =~ $rules->{refused};

    return $self->_wrong($name, $step, $r, $why);
}


sub _refusal {
    my ($r) = @_;

    my $problem = eval { $r->json } // {};

    return $r->status . ' ' . ($problem->{detail} // '');
}


sub _wrong {
    my ($self, $name, $step, $r, $why) = @_;

    push @{ $self->{said} }, "order $name, $step: $why ("
        . join(', ', $r->status, $r->error // 'whole',
               $r->header('Location') // (), substr $r->body // '', 0, 200)
        . ')';

    return 'wrong';
}


sub _visit {
    my ($self, $r, $order) = @_;

    my $url = $r->header('Location') // '';

    return 'no payment page' if $r->status != 303;

    if ($url =~ m{/thanks\b}) {
        return $order->{paid} ? '' : 'thanked without payment';
    }

    return 'no payment page' if $url !~ m{/widget/};

    my $known = $order->{page};

    $order->{links}{$url}++;
    $order->{page} = $url;

    return 'another link than before'
        if defined $known && $known ne $url && !$self->{rules}{replace};

    return '';
}


# What the simulator says to the buyer who pays by the link he was given.

sub _pay {
    my ($self, $r, $order) = @_;

    my $outcome = $r->json->{outcome};

    $order->{paid} = 1 if $outcome eq 'authorized';

    return $outcome eq 'authorized' ? '' : "Payer says $outcome";
}


sub _thanks {
    my ($self, $r, $order) = @_;

    return $r->status == 200 ? '' : 'a paid order does not pass';
}


sub _capture {
    my ($self, $r, $order) = @_;

    return 'not captured' if $r->status != 200;

    $order->{captured}++;

    return '';
}


sub _sold {
    my ($self, $r, $order) = @_;

    return $r->status == 303 && ($r->header('Location') // '') =~ m{/thanks\b}
        ? '' : 'the payment is forgotten';
}


sub _again {
    my ($self, $r, $order) = @_;

    my $before = $order->{page};
    my $why = $self->_visit($r, $order);

    $order->{kept} = 1
        if $why eq '' && ($order->{page} eq $before || $self->{rules}{replace});

    return $why;
}


sub _replay {
    my ($self, $r, $order) = @_;

    return 'the capture is forgotten' if $r->status != 200;
    return 'the capture was not kept'
        if !$self->{rules}{settle} && ($r->header('Idempotency-Replayed') // '') ne 'true';

    $order->{kept} = 1;

    return '';
}


# Against Payer's own books: { order => [ payments ] }.

sub audit {
    my ($self, $books) = @_;

    return map { $self->_audit_order($_, @{ $books->{$_} // [] }) }
        $self->orders;
}


sub _audit_order {
    my ($self, $name, @payments) = @_;

    my $order = $self->order($name);
    my @said;

    my %at_payer = map { $_->{url} => $_ } @payments;
    my @given = sort keys %{ $order->{links} };
    my @live = grep { $_->{live} && $order->{links}{ $_->{url} } } @payments;
    my @paid = grep { $_->{authorized} } @payments;
    my @captures = grep { $_->{operationType} eq 'CAPTURE' }
        map { @{ $_->{operations} } } @payments;

    push @said, 'a link that Payer does not know'
        if grep { !$at_payer{$_} } @given;
    push @said, 'two links were given out'
        if @given > 1 && !$self->{rules}{replace};
    push @said, 'two live links are in the hands of buyers' if @live > 1;
    push @said, 'paid twice' if @paid > 1;
    push @said, 'a live link for a paid order' if @paid && @live;
    push @said, 'paid, but not in the books' if $order->{paid} && !@paid;
    push @said, 'captured twice' if @captures > 1;
    push @said, 'captured, but not in the books'
        if $order->{captured} && !@captures;
    push @said, 'the link, dead before it is paid'
        if @given && !@paid && !$at_payer{ $order->{page} }{live};
    push @said, 'what was promised is forgotten'
        if ($order->{captured} || @given && !@paid) && !$order->{kept};

    return map { "order $name: $_" } @said;
}

1;
