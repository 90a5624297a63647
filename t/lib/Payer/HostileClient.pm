package Payer::HostileClient;

# The clients of the hostile harness: many connections at once in one loop.
# This is one over HTTP/1.1; Payer::HostileH2 is one over HTTP/2.
#
#     my @c = map { Payer::HostileClient->open($_, $ports) } $plan->connections(...);
#     run(\@c, [ 0.5, sub { ... } ]);     with something to do after 0.5 s
#     $_->{answers}, $_->{error}          what came of it
#
# A connection is a list of steps: [ send => bytes ], [ pause => seconds ],
# [ answers => count ] (wait until so many are there), [ deaf => seconds ],
# [ half ], [ reset ], [ leave ].

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use IO::Socket::SSL;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER SO_RCVBUF);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(run);

# Seconds in which every request has to be answered, after all is sent.
my $patience = 12 * ($ENV{PAYER_TEST_SLOW} // 1);

# Less and more than the time that the server waits for who does not read.
our ($late, $never) = map { $_ * ($ENV{PAYER_TEST_SLOW} // 1) } 0.5, 3.5;


sub open {
    my ($class, $plan, $ports) = @_;

    my $self = bless {
        plan => $plan, port => $ports->{ $plan->{front} }, out => '', in => '',
        answers => [], findings => [],
    }, $class;

    $self->{steps} = [ [ pause => $plan->{at} ], ['connect'],
        ['handshake'], $self->steps ];

    return $self;
}


# All of them to their end.  Further arguments: [ when, what ].  Returns by how
# much this process was late at the most, which is what the machine is to blame
# for; each connection has its own figure in {lag}.

sub run {
    my ($connections, @todo) = @_;

    my $start = time;
    my @open = @$connections;
    my $lag = 0;

    local $SIG{PIPE} = 'IGNORE';
    $_->{at} = $start for @open;

    while (@open) {
        my $now = time;

        for (@open) {
            my $late = $now - $_->due;

            $_->{lag} = $late if $late > ($_->{lag} // 0);
            $lag = $late if $late > $lag;
        }

        for (grep { $_->[0] <= $now - $start } @todo) {
            $_->[1]->();
            $_->[0] = 1e9;
        }

        $_->_advance($now) for @open;
        @open = grep { !$_->{over} } @open;
        _wait(\@open, $start, @todo);
    }

    return $lag;
}


sub _wait {
    my ($open, $start, @todo) = @_;

    my ($read, $write, $next) = ('', '', time + 0.5);

    for my $c (@$open) {
        my $due = $c->due;
        $next = $due if $due < $next;

        my $fd = $c->{socket} ? fileno $c->{socket} : undef;
        next unless defined $fd;

        vec($read, $fd, 1) = 1 if $c->listens;
        vec($write, $fd, 1) = 1 if length $c->{out};
    }

    for (@todo) {
        $next = $start + $_->[0] if $start + $_->[0] < $next;
    }

    my $wait = $next - time;

    select $read, $write, undef, $wait > 0 ? $wait : 0;
}


sub due {
    my ($self) = @_;

    my $due = defined $self->{waited} ? $self->{waited} + $patience
            : @{ $self->{steps} } && !length $self->{out} ? $self->{at}
            : $self->{end} // time + 0.5;

    return $self->listens || $due < $self->{deaf} ? $due : $self->{deaf};
}


# What has its own time.

sub tick { }


# Who is deaf or slow leaves the answer in the buffers.

sub listens {
    my ($self) = @_;

    return !$self->{deaf} || $self->{deaf} <= time;
}


sub _advance {
    my ($self, $now) = @_;

    $self->tick($now);
    $self->_flush;
    $self->_receive($now) if $self->{socket} && $self->listens
        && (($self->{steps}[0] // [''])->[0] ne 'handshake');

    while (!$self->{over} && @{ $self->{steps} } && !length $self->{out}
        && $self->{at} <= $now)
    {
        last unless $self->_step(@{ $self->{steps}[0] }, $now);
        shift @{ $self->{steps} };
        $self->_flush;
    }

    return if $self->{over} || @{ $self->{steps} } && !$self->{eof};

    # a moment longer, for an answer that nobody asked for
    $self->{end} //= $self->{eof} ? $now
                   : $self->complete ? $now + 0.2 : undef;
    $self->{last} //= $now + $patience;

    if (defined $self->{end} && $now >= $self->{end}) {
        $self->_over;

    } elsif ($now >= $self->{last}) {
        $self->{timed_out} = 1;
        $self->_over;
    }
}


# One step; false if it is not done yet.

sub _step {
    my ($self, $what, $value, $now) = @_;

    if ($what eq 'connect') {
        $self->_connect;

    } elsif ($what eq 'handshake') {
        return $self->_shake_hands;

    } elsif ($what eq 'send') {
        $self->{out} .= $value;

    } elsif ($what eq 'pause') {
        $self->{at} = time + $value;

    } elsif ($what eq 'deaf') {
        $self->{deaf} = time + $value;

    } elsif ($what eq 'answers') {
        $self->{waited} //= time;

        return 0 if !$self->{eof} && $self->answered < $value
            && time < $self->{waited} + $patience;
        delete $self->{waited};

    } elsif ($what eq 'half') {
        shutdown $self->{socket}, 1 if $self->{socket};

    } elsif ($what eq 'reset' || $what eq 'leave') {
        $self->_over($what);

    }

    return 1;
}


sub _connect {
    my ($self) = @_;

    my $plan = $self->{plan};
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{port}, Timeout => 5);

    if (!$socket) {
        $self->{error} = "connect: $!";
        $self->{over} = 1;
        return;
    }

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, pack 'l', 16384
        if $plan->{reading} ne 'at-once';

    if ($plan->{front} =~ /s$/) {
        IO::Socket::SSL->start_SSL($socket,
            SSL_reuse_ctx => _context($self->alpn),
            SSL_startHandshake => 0,
        ) or do {
            $self->{error} = "TLS: $SSL_ERROR";
            $self->{over} = 1;
            return;
        };
    }

    $socket->blocking(0);
    $self->{socket} = $socket;
    $self->{since} = time;
}


# Reading the authorities of this machine takes too long for each connection.

my %context;

sub _context {
    my ($alpn) = @_;

    return $context{$alpn} //= IO::Socket::SSL::SSL_Context->new(
        SSL_verify_mode => SSL_VERIFY_NONE,
        SSL_alpn_protocols => [$alpn],
    ) // die "TLS: $SSL_ERROR\n";
}


# Whether TLS is ready; nobody else waits for that.

sub _shake_hands {
    my ($self) = @_;

    return 1 if $self->{plan}{front} !~ /s$/ || $self->{error}
        || $self->{socket}->connect_SSL;

    $self->{since} = time;

    if ($SSL_ERROR != SSL_WANT_READ && $SSL_ERROR != SSL_WANT_WRITE) {
        $self->{error} = "TLS: $SSL_ERROR";
        $self->_over;
        return 1;
    }

    $self->{at} = time + 0.01;
    return 0;
}


sub alpn { return 'http/1.1' }


sub _flush {
    my ($self) = @_;

    return unless length $self->{out} && $self->{socket};

    my $n = $self->{socket}->syswrite($self->{out});

    if (defined $n) {
        substr $self->{out}, 0, $n, '';

    } elsif (!$!{EAGAIN} && !$!{EWOULDBLOCK}) {

        # the answer may have come before that
        $self->{out} = '';
        $self->{steps} = [];
        $self->{cut} = "write: $!";
    }
}


sub _receive {
    my ($self, $now) = @_;

    my $slow = $self->{plan}{reading} eq 'slow';

    while (!$self->{eof}) {
        my $n = $self->{socket}->sysread(my $bytes, $slow ? 8000 : 65536);

        if (!defined $n) {
            return if $!{EAGAIN} || $!{EWOULDBLOCK};
            $self->{cut} //= "read: $!";
            $self->{eof} = 1;

        } elsif ($n == 0) {
            $self->{eof} = 1;

        } else {
            $self->{in} .= $bytes;
            $self->take;

            if ($slow) {
                $self->{deaf} = $now + 0.015;
                return;
            }
        }
    }

    $self->take;
}


sub _over {
    my ($self, $how) = @_;

    $self->{over} = 1;

    my $socket = $self->{socket} // return;

    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0
        if ($how // '') eq 'reset';

    $socket->isa('IO::Socket::SSL') ? $socket->close(SSL_no_shutdown => 1)
                                    : close $socket;
    delete $self->{socket};
}


# From here on: HTTP/1.1.

sub steps {
    my ($self) = @_;

    my $plan = $self->{plan};
    my $random = $plan->{random};
    my (@steps, $sent);

    push @steps, [ deaf => $plan->{reading} eq 'late' ? $late : $never ]
        if $plan->{reading} =~ /^(?:late|never)$/;

    my $stop = $plan->{way} =~ /^(?:reset|leave)$/
             ? $random->int(@{ $plan->{requests} }) : -1;

    for my $i (0 .. $#{ $plan->{requests} }) {
        my $request = $plan->{requests}[$i];

        push @steps, [ answers => $i ]
            if $request->{wait} && $plan->{reading} ne 'never';

        my @mine = $self->_pieces($random, $request);

        if ($i == $stop) {
            # in the middle, or while it waits for the answer
            $#mine = $random->int(@mine) if @mine && $random->chance(0.5);
            push @steps, @mine, [ pause => $random->weighted(0 => 1, 0.01 => 2,
                0.1 => 2, 0.5 => 1) ], [ $plan->{way} ];
            return @steps;
        }

        push @steps, @mine;
    }

    push @steps, ['half'] if $plan->{way} eq 'half';

    return @steps;
}


# A request in pieces, with pauses between them.

sub _pieces {
    my ($self, $random, $request) = @_;

    my ($head, $body) = message($request, $random);
    my @steps;

    for my $bytes ($random->cut($head, 1 + $random->weighted(0 => 4, 1 => 1,
        3 => 1), length($head) - 2))
    {
        push @steps, [ send => $bytes ], [ pause => _pause($random) ];
    }

    pop @steps;
    return @steps if $body eq '';

    if ($request->{gap} == 0 && $random->chance(0.5)) {
        my $first = $random->pick(1, length $body, int(length($body) / 2));
        $steps[-1][1] .= substr $body, 0, $first, '';
    }

    push @steps, [ pause => $request->{gap} ];

    for my $bytes ($random->cut($body, 1 + $random->weighted(0 => 3, 1 => 3,
        4 => 1), length($body) - 1))
    {
        push @steps, [ send => $bytes ], [ pause => _pause($random) ];
    }

    return @steps;
}


sub _pause {
    my ($random) = @_;

    return $random->weighted(0 => 3, 0.001 => 2, 0.02 => 2,
        $random->between(0.05, 0.4) => 2);
}


# The head of a request, and its body as it goes over the wire.

sub message {
    my ($request, $random) = @_;

    my $body = $request->{body};
    my $length = length $body;
    my @headers = ([ Host => 'localhost' ], [ 'X-N' => $request->{n} ],
        [ Cookie => "n=$request->{n}" ], @{ $request->{headers} });
    my $wrong = $request->{wrong} // '';

    if ($request->{framing} eq 'length') {
        $length += $wrong eq 'short' ? 40
                 : $wrong eq 'long' ? -int($length / 2) : 0;
        push @headers, [ 'Content-Length' => $length ];

    } elsif ($request->{framing} eq 'chunked') {
        push @headers, [ 'Transfer-Encoding' => 'chunked' ];

        $body = join '', (map { sprintf "%x\r\n%s\r\n", length, $_ }
            grep { length } $random->cut($body, 1 + $random->int(5)));
        $body =~ s/\A[0-9a-f]+/zz/ if $wrong eq 'chunk';
        $body .= "0\r\n";
        $body .= "X-Trailer: $request->{n}\r\n" if $request->{trailers};
        $body .= "\r\n";
    }

    push @headers, [ Expect => '100-continue' ] if $request->{expect};

    return ("$request->{method} $request->{uri} HTTP/1.1\r\n"
        . join('', map { "$_->[0]: $_->[1]\r\n" } @headers) . "\r\n", $body);
}


sub answered { return scalar grep { $_->{whole} } @{ $_[0]{answers} } }

sub complete {
    my ($self) = @_;
    return $self->answered >= @{ $self->{plan}{requests} };
}


# Whatever of an answer is there.

sub take {
    my ($self) = @_;

    while (length $self->{in}) {
        my $answer = $self->{answers}[-1];

        if (!$answer || $answer->{whole}) {
            my $end = index $self->{in}, "\r\n\r\n";

            return if $end < 0;

            my $head = substr $self->{in}, 0, $end + 4, '';

            next if $head =~ m{\AHTTP/1\.1 1\d\d };
            $answer = $self->_head($head) // return;
            push @{ $self->{answers} }, $answer;
        }

        $self->_take_body($answer) or last;
    }

    my $last = $self->{answers}[-1];

    $last->{whole} = 1
        if $self->{eof} && $last && $last->{framing} eq 'end';
}


sub _head {
    my ($self, $head) = @_;

    my ($status) = $head =~ m{\AHTTP/1\.[01] (\d{3}) };

    if (!defined $status) {
        push @{ $self->{findings} }, 'no answer but bytes: '
            . substr($head, 0, 80) =~ s/[^ -~]/./gr;
        $self->{eof} = 1;
        return undef;
    }

    my %header = map { /^([^:]+): *(.*)$/ ? (lc $1 => $2) : () }
        split /\r\n/, $head;
    my $request = $self->{plan}{requests}[ @{ $self->{answers} } ];
    my $length = $header{'content-length'};
    my $framing = ($request && $request->{method} eq 'HEAD'
                      || $status =~ /^(?:204|304)$/) ? 0
                : defined $length ? $length
                : ($header{'transfer-encoding'} // '') eq 'chunked' ? 'chunked'
                : 'end';

    return { status => $status, header => \%header, n => $header{'x-n'},
        framing => $framing, left => $framing, body => '',
        whole => $framing eq '0' };
}


# True if the next answer may begin.

sub _take_body {
    my ($self, $answer) = @_;

    return 1 if $answer->{whole};

    if ($answer->{framing} eq 'end') {
        $answer->{body} .= $self->{in};
        $self->{in} = '';
        return 0;
    }

    if ($answer->{framing} ne 'chunked') {
        my $bytes = substr $self->{in}, 0, $answer->{left}, '';

        $answer->{body} .= $bytes;
        $answer->{left} -= length $bytes;
        return $answer->{whole} = $answer->{left} == 0;
    }

    while ($self->{in} =~ /\A([0-9a-fA-F]+)\r\n/) {
        my ($line, $size) = (length $&, hex $1);

        return 0 if length $self->{in} < $line + $size + 2;

        $answer->{body} .= substr $self->{in}, $line, $size;
        substr $self->{in}, 0, $line + $size + 2, '';
        return $answer->{whole} = 1 if $size == 0;
    }

    return 0;
}

1;
