package Simulator::Control;

# The control endpoint below /_sim/: what tests use to look into the simulator
# and to change it.  None of this is part of Payer, and nothing here is
# written into the journal.

use Mojo::Base -base, -signatures;

use Mojo::JSON qw(decode_json encode_json);

has [qw(books events faults journal widget)];

my %ROUTES = (
    'GET /_sim/faults'     => '_get_faults',
    'POST /_sim/faults'    => '_post_faults',
    'DELETE /_sim/faults'  => '_delete_faults',
    'GET /_sim/journal'    => '_get_journal',
    'DELETE /_sim/journal' => '_delete_journal',
    'GET /_sim/count'      => '_get_count',
    'GET /_sim/books'      => '_get_books',
    'POST /_sim/reset'     => '_post_reset',
    'GET /_sim/clock'      => '_get_clock',
    'POST /_sim/clock'     => '_post_clock',
    'POST /_sim/pay'       => '_post_pay',
    'POST /_sim/revoke'    => '_post_revoke',
    'GET /_sim/events'     => '_get_events',
    'POST /_sim/events'    => '_post_events',
    'GET /_sim/config'     => '_get_config',
    'POST /_sim/config'    => '_post_config',
);


sub call ($self, $req) {
    my $run = $ROUTES{ $req->method . ' ' . $req->url->path }
        or return _answer(404, { message => 'No such control' });

    my $answer = eval {
        my $in = {};

        if ($req->method eq 'POST' && length $req->body) {
            $in = eval { decode_json($req->body) };
            die [ 400, 'Body is not JSON' ] unless ref $in;
        }

        $self->$run($req, $in);
    };

    if (my $e = $@) {
        die $e unless ref $e eq 'ARRAY';
        return _answer($e->[0], { message => $e->[1] });
    }

    return _answer(200, $answer);
}


sub _answer ($status, $data) {
    return {
        status => $status,
        type   => 'application/json',
        body   => encode_json($data)
    };
}


sub _object ($in) {
    die [ 400, 'Body must be a JSON object' ] unless ref $in eq 'HASH';
    return $in;
}


sub _get_faults ($self, $req, $) { $self->faults->list }


sub _post_faults ($self, $req, $in) {
    for my $fault (ref $in eq 'ARRAY' ? @$in : $in) {
        my $wrong = $self->faults->add($fault);
        die [ 400, $wrong ] if defined $wrong;
    }

    return $self->faults->list;
}


sub _delete_faults ($self, $req, $) {
    $self->faults->reset;
    return [];
}


sub _get_journal ($self, $req, $) {
    my $call = $req->query_params->param('call');

    return [
        grep { !defined $call || $_->{call} eq $call } @{ $self->journal }
    ];
}


sub _delete_journal ($self, $req, $) {
    @{ $self->journal } = ();
    return {};
}


# How often each call was seen, without the weight of the journal.

sub _get_count ($self, $req, $) {
    my %count;

    $count{ $_->{call} }++ for @{ $self->journal };

    return \%count;
}


sub _get_books ($self, $req, $) {
    return $self->books->report($req->query_params->param('reference'));
}


# Back to the state after the start; open connections stay.

sub _post_reset ($self, $req, $) {
    $self->books->reset;
    $self->events->reset;
    $self->faults->reset;
    @{ $self->journal } = ();

    return {};
}


sub _get_clock ($self, $req, $) { { now => $self->books->now } }


sub _post_clock ($self, $req, $in) {
    $self->books->advance(_object($in)->{advance} // 0);
    return { now => $self->books->now };
}


sub _post_revoke ($self, $req, $) {
    return { revoked => $self->books->revoke };
}


# What the buyer does at the widget, in one step.

sub _post_pay ($self, $req, $in) {
    my $books = $self->books;
    my $p;

    _object($in);

    if (defined $in->{paymentId}) {
        $p = $books->by_id($in->{paymentId});

    } elsif (defined $in->{url}) {
        my ($token) = $in->{url} =~ m{/widget/([^/?#]+)};
        $p = $books->by_token($token // '');

    } elsif (defined $in->{reference}) {
        my @all = $books->by_reference($in->{reference});
        ($p) = grep { $books->live($_) } @all;
        $p //= $all[-1];
    }

    die [ 404, 'No such payment' ] unless $p;

    my $result = $self->widget->shortcut($p, $in->{card} // 'success',
        $in->{threeds});

    die [ 400, 'Unknown card' ] unless $result;

    return {
        %$result,
        paymentId => $p->{id},
        status    => $books->status($p)
    };
}


sub _get_events ($self, $req, $) { $self->events->report }


# {"token"}: deliver that event once more.  {"type", "paymentId"}: make one.

sub _post_events ($self, $req, $in) {
    _object($in);

    if (defined $in->{token}) {
        my $event = $self->events->by_token($in->{token})
            or die [ 404, 'No such event' ];
        $self->events->deliver($event, 1);
        return { tokens => [ $event->{token} ] };
    }

    my $p = $self->books->by_id($in->{paymentId} // '')
        or die [ 404, 'No such payment' ];

    return {
        tokens => [
            map { $_->{token} }
                $self->events->emit($in->{type} // '', $p)
        ]
    };
}


sub _get_config ($self, $req, $) {
    return {
        %{ $self->books->settings },
        merchants  => $self->books->merchants,
        public_url => $self->books->public_url
    };
}


sub _post_config ($self, $req, $in) {
    my $books = $self->books;

    for my $name (keys %{ _object($in) }) {
        if ($name eq 'merchants') {
            my $new = $in->{merchants};
            $books->merchants({ %{ $books->merchants }, %$new });

        } elsif ($name eq 'public_url') {
            $books->public_url($in->{public_url} =~ s{/\z}{}r);

        } elsif (exists $books->settings->{$name}) {
            $books->settings->{$name} = $in->{$name};

        } else {
            die [ 400, "unknown setting $name" ];
        }
    }

    return $self->_get_config($req, {});
}

1;
