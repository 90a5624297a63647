package Simulator::Faults;

# Faults on demand: which ones wait, which one a request meets, and how the
# broken answers are put on the wire.  demo/README.md documents every field.

use Mojo::Base -base, -signatures;

use Mojo::IOLoop;
use Mojo::JSON qw(encode_json);
use Mojo::Util qw(encode);
use Socket     qw(SOL_SOCKET SO_LINGER);

# What an action does to the work: 1 is done first, 0 is never begun.
my %ACTIONS = (
    none               => 1,
    reset              => 0,
    close              => 0,
    silence            => 0,
    revoke             => 1,
    html               => 0,
    garbage            => 0,
    empty              => 0,
    'garbage-head'     => 0,
    'lost-reply'       => 1,
    'reset-in-headers' => 1,
    'reset-in-body'    => 1,
    truncate           => 1,
    'short-length'     => 1,
    interim            => 1,
    stall              => 1,
    drip               => 1,
    huge               => 1,
    edit               => 1,
);

my %FIELDS = map { $_ => 1 } qw(
    match agent times skip contains delay delay_after status body octets
    headers action work size chunk pause set drop
);

my $HTML = <<'HTML';
<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head>
<body><center><h1>503 Service Unavailable</h1></center></body></html>
HTML


sub new ($class) { bless { list => [] }, $class }


sub reset ($self) { $self->{list} = [] }


sub list ($self) { $self->{list} }


# Adds one fault; returns a message when it is not understood.

sub add ($self, $fault) {
    return 'a fault must be an object' unless ref $fault eq 'HASH';

    for my $field (sort keys %$fault) {
        return "unknown field $field" unless $FIELDS{$field};
    }

    my $action = $fault->{action}
        // ((grep { defined $fault->{$_} } qw(status body octets))
        ? 'reply' : 'none');

    return "unknown action $action"
        unless $action eq 'reply' || exists $ACTIONS{$action};

    push @{ $self->{list} }, {
        match => '*',
        skip  => 0,
        hits  => 0,
        work  => $ACTIONS{$action} // 0,
        %$fault,
        times  => $fault->{times} // 1,
        action => $action,
    };

    return undef;
}


# The fault that this request meets, if any.  Faults are tried in the order in
# which they were set; "times" 0 lasts until the next reset.

sub take ($self, $call, $text, $agent) {
    for my $fault (@{ $self->{list} }) {
        next if defined $fault->{agent}
            && $fault->{agent} ne ($agent // '');
        next unless $fault->{match} eq '*'
            || grep { $_ eq $call } split /\|/, $fault->{match};
        next if defined $fault->{contains}
            && index($text, $fault->{contains}) < 0;
        next if $fault->{times} && $fault->{hits} >= $fault->{times};

        if ($fault->{skip} > 0) {
            $fault->{skip}--;
            next;
        }

        $fault->{hits}++;
        return $fault;
    }

    return undef;
}


# Changes a reply before it is sent, in the ordinary way or in a broken one.
# $reply is undef when the work was not done.

sub change ($self, $fault, $reply) {
    my $action = $fault->{action};

    $reply = { %{ $reply // { status => 200, body => '' } } };

    if ($action eq 'html') {
        $reply = { status => 503, type => 'text/html', body => $HTML };

    } elsif ($action eq 'garbage') {
        $reply = {
            status => 200,
            type   => 'application/json',
            body   => qq({"paymentId": "\xff\xfe\x00, [}{ \\u12)
        };

    } elsif ($action eq 'empty') {
        $reply = { status => 200, type => 'application/json', body => '' };

    } elsif ($action eq 'huge') {
        _pad($reply, $fault->{size} // 1048576);

    } elsif ($action eq 'edit' && $reply->{data}) {
        my $data = _copy($reply->{data});

        _set($data, $_, $fault->{set}{$_}) for keys %{ $fault->{set} // {} };
        _drop($data, $_) for @{ $fault->{drop} // [] };
        $reply->{body} = encode_json($data);
    }

    $reply->{status} = $fault->{status} if defined $fault->{status};

    if (defined $fault->{body}) {
        $reply->{body} = ref $fault->{body}
            ? encode_json($fault->{body}) : encode('UTF-8', $fault->{body});
        $reply->{type} //= ref $fault->{body}
            || $reply->{body} =~ /\A[\{\[]/ ? 'application/json' : 'text/plain';
    }

    if (defined $fault->{octets}) {
        $reply->{body} = _octets($fault->{octets});
        $reply->{type} //= 'application/json';
    }

    if (my $headers = $fault->{headers}) {
        $reply->{headers} = { %{ $reply->{headers} // {} }, %$headers };
    }

    return $reply;
}


# Text whose characters are bytes, for what JSON itself could not say.

sub _octets ($text) {
    utf8::downgrade($text, 1) or $text = encode('UTF-8', $text);
    return $text;
}


# A valid JSON answer whose body is exactly $size bytes long, if it fits.

sub _pad ($reply, $size) {
    my $true = ref $reply->{data} eq 'HASH' ? $reply->{data} : {};
    my $data = { %$true, padding => '' };
    my $rest = $size - length encode_json($data);

    $data->{padding} = 'x' x ($rest > 0 ? $rest : 0);
    $reply->{body} = encode_json($data);
    $reply->{type} = 'application/json';
}


sub _copy ($data) {
    return { map { $_ => _copy($data->{$_}) } keys %$data }
        if ref $data eq 'HASH';
    return [ map { _copy($_) } @$data ] if ref $data eq 'ARRAY';
    return $data;
}


# Paths are dotted: payment.status

sub _parent ($data, $path) {
    my @names = split /\./, $path;
    my $last  = pop @names;

    for my $name (@names) {
        $data = $data->{$name} //= {};
        return unless ref $data eq 'HASH';
    }

    return $data, $last;
}


sub _set ($data, $path, $value) {
    my ($parent, $name) = _parent($data, $path) or return;
    $parent->{$name} = $value;
}


sub _drop ($data, $path) {
    my ($parent, $name) = _parent($data, $path) or return;
    delete $parent->{$name};
}


# Answers that ordinary HTTP code refuses to write.  Returns true when the
# action took the connection over.

my %WIRE = (
    reset => sub ($self, $fault, $reply, $stream) { _abort($stream) },

    close => sub ($self, $fault, $reply, $stream) { $stream->close },

    'lost-reply' => sub ($self, $fault, $reply, $stream) { $stream->close },

    silence => sub ($self, $fault, $reply, $stream) { },

    'garbage-head' => sub ($self, $fault, $reply, $stream) {
        $stream->write("\x00\x16\x03 this is no HTTP\r\n\r\n" =>
                sub ($s) { $s->close });
    },

    'reset-in-headers' => sub ($self, $fault, $reply, $stream) {
        $stream->write("HTTP/1.1 200 OK\r\nContent-Ty" =>
                sub ($s) { Mojo::IOLoop->timer(0.05 => sub { _abort($s) }) });
    },

    'reset-in-body' => sub ($self, $fault, $reply, $stream) {
        $stream->write(_half($reply) =>
                sub ($s) { Mojo::IOLoop->timer(0.05 => sub { _abort($s) }) });
    },

    'short-length' => sub ($self, $fault, $reply, $stream) {
        my $body = $reply->{body};
        $stream->write(_head($reply, int(length($body) / 2)) . $body =>
                sub ($s) { $s->close });
    },

    interim => sub ($self, $fault, $reply, $stream) {
        my $body = $reply->{body};
        $stream->write("HTTP/1.1 102 Processing\r\n\r\n"
                . _head($reply, length $body) . $body =>
                sub ($s) { $s->close });
    },

    truncate => sub ($self, $fault, $reply, $stream) {
        my $head = _head($reply, length($reply->{body}) + 100);
        $stream->write($head . $reply->{body} => sub ($s) { $s->close });
    },

    stall => sub ($self, $fault, $reply, $stream) {
        $stream->write(_half($reply));
    },

    drip => sub ($self, $fault, $reply, $stream) {
        my $body = $reply->{body};
        _drip($stream, _head($reply, length $body) . $body,
            $fault->{chunk} || 16, $fault->{pause} // 0.02);
    },
);


sub wire ($self, $fault, $reply, $stream) {
    my $run = $WIRE{ $fault->{action} } or return 0;

    $self->$run($fault, $self->change($fault, $reply), $stream);

    return 1;
}


# The header and the first half of the body.

sub _half ($reply) {
    my $body = $reply->{body};
    return _head($reply, length $body) . substr $body, 0, length($body) / 2;
}


sub _head ($reply, $length) {
    my %headers = (
        'Content-Length' => $length,
        'Connection'     => 'close',
        %{ $reply->{headers} // {} },
    );

    $headers{'Content-Type'} = $reply->{type} if $reply->{type};

    return join "\r\n", "HTTP/1.1 $reply->{status} Simulated",
        map({"$_: $headers{$_}"} sort keys %headers), '', '';
}


sub _drip ($stream, $bytes, $chunk, $pause) {
    return unless $stream->handle;
    return $stream->close if $bytes eq '';

    $stream->write(
        substr($bytes, 0, $chunk, '') => sub ($s) {
            Mojo::IOLoop->timer($pause =>
                    sub { _drip($s, $bytes, $chunk, $pause) });
        }
    );
}


# A TCP reset, also below TLS: no close_notify, no FIN.

sub _abort ($stream) {
    my $handle = $stream->handle or return;

    setsockopt $handle, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $handle->stop_SSL(SSL_no_shutdown => 1)
        if $handle->isa('IO::Socket::SSL');
    $stream->close;
}

1;
