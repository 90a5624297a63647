package Payer::Wire;

# A piece of cable between a client and a server on this machine: a relay of
# TCP connections, in a process of its own, that can be cut.
#
#     my $wire = Payer::Wire->new(port => $port, to => $server_port);
#
#     $wire->drop;              silence: nothing more arrives on either side,
#                               no end is seen; new connections are accepted
#                               and hear nothing
#     $wire->drop('up');        the same for what the client sends only, or
#     $wire->drop('down');      for what the server sends
#     $wire->refuse;            all connections are reset, new ones refused
#     $wire->reset;             all connections are reset, new ones work
#     $wire->delay(300);        each piece arrives so many milliseconds later
#     $wire->pass;              all is well again: what was held back arrives,
#                               as it does when TCP sends it again
#
# What is to happen exactly at one point of a conversation:
#
#     $wire->when(up => 'put_1', before => 'drop');
#     $wire->when(down => 'SYNC', after => 'refuse', skip => 2);
#
# When a piece in that direction holds this text, the wire changes: "before",
# the piece itself does not get through ("drop" keeps it until pass()), or
# "after".  Once; tripped() says whether it has happened.  A text may also be
# given as qr//.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX  qw(EAGAIN EINTR EWOULDBLOCK);
use Socket qw(SOL_SOCKET SO_LINGER SOCK_STREAM AF_UNIX PF_UNSPEC);
use Time::HiRes qw(time);

my $PIECE = 65536;


sub new {
    my ($class, %option) = @_;

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    my $listener = _listen($option{port});
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $ours;
        eval { _relay($theirs, $listener, %option) };
        print STDERR "# the wire on port $option{port}: $@" if $@;
        POSIX::_exit(0);
    }

    close $theirs;
    $ours->autoflush(1);

    return bless {
        port  => $option{port},
        to    => $option{to},
        pid   => $pid,
        owner => $$,
        talk  => $ours
    }, $class;
}


sub port { $_[0]{port} }

sub pass    { $_[0]->_tell('pass') }
sub reset   { $_[0]->_tell('reset') }
sub refuse  { $_[0]->_tell('refuse') }
sub drop    { $_[0]->_tell('drop ' . ($_[1] // 'both')) }
sub delay   { $_[0]->_tell("delay $_[1]") }
sub tripped { $_[0]->_tell('tripped') }

# connections that were made, and those that are open
sub made { $_[0]->_tell('made') }
sub open_now { $_[0]->_tell('open') }


sub when {
    my ($self, $direction, $text, $moment, $action, %option) = @_;

    my $pattern = ref $text ? "$text" : quotemeta $text;
    my $skip = $option{skip} // 0;

    $self->_tell(join ' ', 'when', $direction, $moment,
        $action =~ tr/ /-/r, $skip, unpack 'H*', $pattern);
}


sub _tell {
    my ($self, $line) = @_;

    my $talk = $self->{talk} // die "the wire is gone\n";

    print $talk "$line\n";
    my $answer = <$talk> // die "the wire has died\n";
    chomp $answer;

    die "the wire does not understand: $line\n" if $answer eq '?';
    return $answer;
}


sub stop {
    my ($self) = @_;

    return unless $self->{pid} && $self->{owner} == $$;

    # others that were forked meanwhile may have our end of its line, too

    local ($?, $!);
    kill 'KILL', $self->{pid};
    close delete $self->{talk};

    # another wire that was forked later may still hold the other end
    kill 'KILL', $self->{pid};
    waitpid delete $self->{pid}, 0;
}

sub DESTROY { $_[0]->stop }


sub _listen {
    my ($port) = @_;

    return IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Listen    => 128,
        ReuseAddr => 1,
    ) || die "listen on port $port: $!\n";
}


# The other process.  A link has two ends; "up" is what was read from the
# client and not yet written to the server.

sub _relay {
    my ($talk, $listener, %option) = @_;

    my %relay = (
        port     => $option{port},
        to       => $option{to},
        listener => $listener,
        links    => {},
        dropped  => { up => 0, down => 0 },
        delay    => 0,
        made     => 0,
        tripped  => 0,
        orders   => ''
    );

    $talk->blocking(0);
    $talk->autoflush(1);
    $SIG{PIPE} = 'IGNORE';
    $SIG{$_} = 'DEFAULT' for qw(TERM INT);

    while (1) {
        my ($read, $write, $wait) = _watched(\%relay, $talk);
        my ($readable, $writable) = IO::Select->select($read, $write, undef,
            $wait);

        for my $fh (@{ $readable // [] }) {
            if ($fh == $talk) {
                _listen_to(\%relay, $talk) or return;

            } elsif ($relay{listener} && $fh == $relay{listener}) {
                _accept(\%relay);

            } else {
                _read(\%relay, $fh);
            }
        }

        _flush(\%relay);
    }
}


sub _watched {
    my ($relay, $talk) = @_;

    my $read = IO::Select->new($talk);
    my $write = IO::Select->new;
    my ($now, $wait) = (time, undef);

    $read->add($relay->{listener}) if $relay->{listener};

    for my $link (values %{ $relay->{links} }) {
        for my $way (qw(up down)) {
            my $flow = $link->{$way};

            next if $relay->{dropped}{$way};

            $read->add($flow->{from}) unless $flow->{eof} || @{ $flow->{held} };

            my $first = $flow->{held}[0] // next;

            if ($first->[0] <= $now) {
                $write->add($flow->{to});

            } else {
                my $left = $first->[0] - $now;
                $wait = $left if !defined $wait || $left < $wait;
            }
        }
    }

    return ($read, $write, $wait);
}


sub _accept {
    my ($relay) = @_;

    my $client = $relay->{listener}->accept or return;
    my $server = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $relay->{to},
        Timeout  => 5,
    );

    $relay->{made}++;

    if (!$server) {
        _abort($client);
        return;
    }

    $_->blocking(0) for $client, $server;

    my $link = {
        up   => { from => $client, to => $server, held => [], eof => 0 },
        down => { from => $server, to => $client, held => [], eof => 0 }
    };

    $relay->{links}{ fileno $client } = $link;
    $relay->{of}{ fileno $client } = [ $link, 'up' ];
    $relay->{of}{ fileno $server } = [ $link, 'down' ];
}


sub _read {
    my ($relay, $fh) = @_;

    my ($link, $way) = @{ $relay->{of}{ fileno $fh // return } // return };

    return if $relay->{dropped}{$way};

    my $flow = $link->{$way};
    my $piece;
    my $n = sysread $fh, $piece, $PIECE;

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
        _forget($relay, $link);
        return;
    }

    $flow->{eof} = 1 if $n == 0;

    # the end of the stream takes its time, too
    push @{ $flow->{held} }, [ time + $relay->{delay} / 1000, $piece ];

    _trip($relay, $link, $way, $piece) if $n && $relay->{when};
}


sub _trip {
    my ($relay, $link, $way, $piece) = @_;

    my $when = $relay->{when};

    return if $when->{way} ne $way || $piece !~ /$when->{pattern}/s;
    return if $when->{skip}-- > 0;

    delete $relay->{when};
    $relay->{tripped} = 1;

    if ($when->{moment} eq 'after') {
        _flush_link($relay, $link, 1);

    } elsif ($when->{action} =~ /^re/) {
        pop @{ $link->{$way}{held} };
    }

    _obey($relay, split /-/, $when->{action});
}


sub _flush {
    my ($relay) = @_;

    _flush_link($relay, $_) for values %{ $relay->{links} };
}


sub _flush_link {
    my ($relay, $link, $now) = @_;

    my $time = time;

    for my $way (qw(up down)) {
        my $flow = $link->{$way};

        next if $relay->{dropped}{$way};

        while (my $first = $flow->{held}[0]) {
            last if $first->[0] > $time && !$now;

            if ($first->[1] eq '') {
                shutdown $flow->{to}, 1;
                $flow->{over} = 1;
                shift @{ $flow->{held} };
                next;
            }

            my $n = syswrite $flow->{to}, $first->[1];

            if (!defined $n) {
                last if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
                _forget($relay, $link);
                return;
            }

            substr $first->[1], 0, $n, '';
            shift @{ $flow->{held} } if $first->[1] eq '';
        }
    }

    _forget($relay, $link) if $link->{up}{over} && $link->{down}{over};
}


sub _abort {
    my ($fh) = @_;

    setsockopt $fh, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $fh;
}


sub _forget {
    my ($relay, $link) = @_;

    my ($client, $server) = ($link->{up}{from}, $link->{down}{from});

    defined fileno $client or return;

    delete $relay->{links}{ fileno $client };
    delete $relay->{of}{ fileno $_ } for $client, $server;

    _abort($_) for $client, $server;
}


sub _listen_to {
    my ($relay, $talk) = @_;

    my $n = sysread $talk, $relay->{orders}, 4096, length $relay->{orders};

    return 1 if !defined $n && ($! == EAGAIN || $! == EINTR);
    return 0 if !$n;

    while ($relay->{orders} =~ s/^(.*)\n//) {
        my $answer = _obey($relay, split / /, $1);
        print $talk "$answer\n";
    }

    return 1;
}


sub _obey {
    my ($relay, $verb, @more) = @_;

    if ($verb eq 'pass') {
        $relay->{dropped} = { up => 0, down => 0 };
        $relay->{delay} = 0;
        delete $relay->{when};
        $relay->{listener} //= _listen($relay->{port});

    } elsif ($verb eq 'drop') {
        my $way = $more[0] // 'both';
        $relay->{dropped}{$_} = 1
            for $way eq 'both' ? qw(up down) : ($way);

    } elsif ($verb eq 'delay') {
        $relay->{delay} = $more[0];

    } elsif ($verb eq 'reset' || $verb eq 'refuse') {
        close delete $relay->{listener}
            if $verb eq 'refuse' && $relay->{listener};
        _forget($relay, $_) for values %{ $relay->{links} };

    } elsif ($verb eq 'when') {
        my ($way, $moment, $action, $skip, $hex) = @more;
        my $pattern = pack 'H*', $hex;
        $relay->{tripped} = 0;
        $relay->{when} = {
            way     => $way,
            moment  => $moment,
            action  => $action,
            skip    => $skip,
            pattern => qr/$pattern/
        };

    } elsif ($verb eq 'tripped' || $verb eq 'made') {
        return $relay->{$verb};

    } elsif ($verb eq 'open') {
        return scalar keys %{ $relay->{links} };

    } else {
        return '?';
    }

    return 'done';
}

1;
