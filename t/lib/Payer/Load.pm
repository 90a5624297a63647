package Payer::Load;

# Many clients at once, for as long as there is something to do: each takes a
# story, sends what it says one request after the other, on connections that
# it keeps, and takes the next one.
#
#     my $load = Payer::Load->new(clients => 24, timeout => 20);
#     $load->run(
#         story => sub { ... },       # the next one, or undef: none just now
#         every => [ [ 0.1, sub { kill 'HUP', nginx_pid() } ], ... ],
#         until => sub { ... },       # looked at when nobody has a story
#     );
#
# A story has two methods.  next() answers the next request as
# [ port, method, path, options of Payer::HTTP ], a number of seconds to pause,
# or undef at its end; the option "fresh" asks for a connection of its own.
# took($answer) gets what came back.
#
# A server may close a connection that it keeps at the very moment when a
# request is under way to it, and whoever keeps connections has to send that
# request once more (RFC 9112, 9.3.1).  So do these clients; "stale" counts it.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use Payer::HTTP qw(message response);


sub new {
    my ($class, %option) = @_;

    return bless {
        clients => 24,
        timeout => 20,
        stale   => 0,
        %option,
    }, $class;
}


sub stale { $_[0]{stale} }


sub run {
    my ($self, %do) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my @clients = map { { kept => {} } } 1 .. $self->{clients};
    my @ticks = map { { pause => $_->[0], code => $_->[1], at => time } }
        @{ $do{every} // [] };
    my $select = IO::Select->new;

    @$self{qw(select by_socket)} = ($select, {});

    while (1) {
        for my $tick (grep { $_->{at} <= time } @ticks) {
            $tick->{code}->();
            $tick->{at} = time + $tick->{pause};
        }

        $self->_go_on($_, $do{story}) for grep { !$_->{call} } @clients;

        last if !(grep { $_->{story} } @clients) && $do{until}->();

        for my $socket ($select->can_read(0.01)) {
            my $client = $self->{by_socket}{$socket} or next;
            $self->_read($client);
        }

        my $now = time;

        for my $client (grep { $_->{call} && $_->{call}{end} < $now } @clients)
        {
            $self->_over($client, 'timed out');
        }
    }

    for my $client (@clients) {
        close $_ for values %{ $client->{kept} };
    }

    return;
}


# An idle client takes a story, or the next step of the one it has.

sub _go_on {
    my ($self, $client, $stories) = @_;

    return if ($client->{wake} // 0) > time;

    $client->{story} //= $stories->() // return;

    my $step = $client->{story}->next;

    if (!defined $step) {
        delete $client->{story};

    } elsif (ref $step) {
        $self->_send($client, $step);

    } else {
        $client->{wake} = time + $step;
    }
}


sub _send {
    my ($self, $client, $step) = @_;

    my ($port, $method, $path, %option) = @$step;
    my $kept = $option{fresh} ? undef : delete $client->{kept}{$port};

    my $call = $client->{call} = {
        step   => $step,
        port   => $port,
        method => $method,
        reused => !!$kept,
        keep   => !$option{fresh},
        got    => '',
        start  => time,
        end    => time + $self->{timeout},
    };

    my $socket = $call->{socket} = $kept // IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Timeout  => 5,
    );

    return $self->_over($client, "connect: $!") if !$socket;

    $self->{select}->add($socket);
    $self->{by_socket}{$socket} = $client;

    my $headers = {
        %{ $option{headers} // {} },
        Connection => $option{fresh} ? 'close' : 'keep-alive',
    };

    my $bytes = message($port, $method, $path, %option, headers => $headers);

    # They fit into the socket's buffer.
    if ((syswrite($socket, $bytes) // 0) != length $bytes) {
        $self->_over($client, "write: $!");
    }
}


sub _read {
    my ($self, $client) = @_;

    my $call = $client->{call};

    my $n = sysread $call->{socket}, $call->{got}, 65536, length $call->{got};

    if (!$n) {
        $self->_over($client, defined $n ? 'closed' : "read: $!");

    } elsif ($call->{keep} && _whole($call)) {
        $self->_over($client, undef);
    }
}


# nginx says how long its answers are.

sub _whole {
    my ($call) = @_;

    my $end = index $call->{got}, "\r\n\r\n";
    return 0 if $end < 0;

    my $head = substr $call->{got}, 0, $end;

    return $call->{got} =~ /\r\n0\r\n\r\n\z/
        if $head =~ /^Transfer-Encoding: chunked/mi;

    my ($length) = $head =~ /^Content-Length: (\d+)/mi or return 0;

    return length $call->{got} >= $end + 4 + $length;
}


sub _over {
    my ($self, $client, $error) = @_;

    my $call = delete $client->{call};
    my $socket = delete $call->{socket};

    $call->{time} = time - $call->{start};

    if ($socket) {
        delete $self->{by_socket}{$socket};
        $self->{select}->remove($socket);
    }

    if (!defined $error && $call->{got} !~ /^Connection: close/mi) {
        $client->{kept}{ $call->{port} } = $socket;

    } elsif ($socket) {
        close $socket;
    }

    if ($call->{reused} && $call->{got} eq '' && $error ne 'timed out') {
        $self->{stale}++;
        return $self->_send($client, $call->{step});
    }

    # The end of the connection is the end of such an answer.
    undef $error if ($error // '') eq 'closed' && $call->{got} =~ /\r\n\r\n/;
    $call->{error} = $error;

    $client->{story}->took(response($call));
}

1;
