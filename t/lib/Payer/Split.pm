package Payer::Split;

# A client that sends its requests piece by piece, and takes its time: over
# HTTP/1.1, TLS and HTTP/2.
#
#     my $client = Payer::Split->new($front, $port);
#     my $s = $client->begin(POST => '/path', 'Content-Length' => 600);
#     $client->more($s, $bytes);              # a piece of the body
#     $client->end($s, $bytes);               # its last one
#     my $r = $client->answer($s);            # as Payer::HTTP has it, or undef
#
# The fronts are http, https, http2 and https2.  Over HTTP/1.1 the answers
# come in the order of the requests, whatever $s says.  Over HTTP/2 the answer
# has its status and its body; Payer::Split->new('http2', $port, window => 0)
# takes none of the body until $client->take($bytes).

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL ();
use Time::HiRes qw(time);

use Payer::HTTP ();

# a peer may be gone, also when TLS says good-bye
$SIG{PIPE} = 'IGNORE';


sub new {
    my ($class, $front, $port, %option) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp',
    ) or die "connect: $!\n";

    my $h2 = $front =~ /2$/;

    if ($front =~ /^https/) {
        IO::Socket::SSL->start_SSL($socket,
            SSL_verify_mode    => IO::Socket::SSL::SSL_VERIFY_NONE(),
            SSL_alpn_protocols => [ $h2 ? 'h2' : 'http/1.1' ],
        ) or die "TLS: $IO::Socket::SSL::SSL_ERROR\n";
    }

    my $self = bless {
        socket => $socket, h2 => $h2, port => $port,
        got => '', next => 1, answers => {}, closed => 0,
    }, $class;

    if ($h2) {
        my $window = $option{window} // 2**31 - 1;

        $self->write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                . _frame(4, 0, 0, pack 'nN', 4, $window)
                . _frame(8, 0, 0, pack 'N', 2**31 - 1 - 65535));
    }

    return $self;
}


sub write {
    my ($self, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite $self->{socket}, $bytes;
        return unless $n;
        substr $bytes, 0, $n, '';
    }
}


# The head of a request; without Content-Length or Transfer-Encoding that is
# all of it.

sub begin {
    my ($self, $method, $path, %headers) = @_;

    my $stream = $self->{next};
    my $body = grep { /^(?:content-length|transfer-encoding)$/i }
        keys %headers;

    $self->{next} += 2;

    if (!$self->{h2}) {
        $self->write(join "\r\n", "$method $path HTTP/1.1",
            "Host: 127.0.0.1:$self->{port}",
            (map { "$_: $headers{$_}" } sort keys %headers), '', '');
        return $stream;
    }

    # no longer than 126 bytes each, never indexed
    delete @headers{ grep { /^(?:transfer-encoding|connection)$/i }
            keys %headers };

    my $block = join '', map { pack 'C C/a C/a', 0, @$_ }
        [ ':method', $method ], [ ':path', $path ], [ ':scheme', 'http' ],
        [ ':authority', "127.0.0.1:$self->{port}" ],
        map { [ lc $_, $headers{$_} ] } sort keys %headers;

    $self->write(_frame(1, $body ? 4 : 5, $stream, $block));

    return $stream;
}


# Over HTTP/1.1 the bytes are written as they are: a chunked body is the
# caller's matter.

sub more {
    my ($self, $stream, $bytes) = @_;

    $self->write($self->{h2} ? _data($stream, $bytes, 0) : $bytes);
}

sub end {
    my ($self, $stream, $bytes) = @_;

    $self->write($self->{h2} ? _data($stream, $bytes, 1) : $bytes);
}

sub take {
    my ($self, $bytes, @streams) = @_;

    $self->write(join '', map { _frame(8, 0, $_, pack 'N', $bytes) } @streams);
}

# no more will be sent
sub half_close { shutdown $_[0]{socket}, 1 }

sub close { close $_[0]{socket} }


sub answer {
    my ($self, $stream, $seconds) = @_;

    my $end = time + ($seconds // 10);

    while (1) {
        my $answer = $self->{h2} ? $self->_whole($stream) : $self->_next;

        return $answer if $answer;
        return undef unless $self->_receive($end - time);
    }
}


# What is left in the connection, until it is closed or nothing comes.

sub rest {
    my ($self, $seconds) = @_;

    my $end = time + ($seconds // 0.3);
    1 while $self->_receive($end - time);

    return $self->{got};
}

sub closed { $_[0]{closed} }


sub _receive {
    my ($self, $seconds) = @_;

    return 0 if $self->{closed};

    my $socket = $self->{socket};
    my $waiting = $socket->can('pending') && $socket->pending;

    return 0 unless $waiting
        || IO::Select->new($socket)->can_read($seconds > 0 ? $seconds : 0);

    my $n = sysread $socket, $self->{got}, 65536, length $self->{got};

    $self->{closed} = 1 unless $n;
    $self->_frames if $self->{h2};

    return $n;
}


# The next answer of HTTP/1.1, when it is whole.

sub _next {
    my ($self) = @_;

    $self->{got} =~ s/\AHTTP\/1\.1 100 .*?\r\n\r\n//s;
    $self->{got} =~ /\A(.*?\r\n\r\n)/s or return;

    my $length = length $1;

    if ($1 =~ /^Content-Length: (\d+)/mi) {
        $length += $1;

    } elsif ($1 =~ /^Transfer-Encoding: chunked/mi) {
        $self->{got} =~ /\A.*?\r\n\r\n(?:.*\r\n|)0\r\n\r\n/s or return;
        $length = length $&;

    } elsif ($1 !~ m{\AHTTP/1.1 (?:204|304)}) {
        return unless $self->{closed};
        $length = length $self->{got};
    }

    return if length $self->{got} < $length;

    return Payer::HTTP::response({ method => 'GET', start => time,
        got => substr $self->{got}, 0, $length, '' });
}


sub _frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

sub _data {
    my ($stream, $bytes, $last) = @_;

    my @pieces = length $bytes ? unpack '(a16384)*', $bytes : '';
    my $end = pop @pieces;

    return join '', (map { _frame(0, 0, $stream, $_) } @pieces),
        _frame(0, $last, $stream, $end);
}


sub _frames {
    my ($self) = @_;

    while (length $self->{got} >= 9) {
        my ($high, $low, $type, $flags, $stream) =
            unpack 'CnCCN', $self->{got};
        my $length = $high << 16 | $low;

        return if length $self->{got} < 9 + $length;

        my $payload = substr substr($self->{got}, 0, 9 + $length, ''), 9;
        my $answer = $self->{answers}{$stream} //= { body => '' };

        if ($type == 0) {
            $answer->{body} .= $payload;

        } elsif ($type == 1) {
            $answer->{status} = _status($payload);

        } elsif ($type == 3) {
            $answer->{reset} = 1;

        } elsif ($type == 4 && !($flags & 1)) {
            $self->write(_frame(4, 1, 0, ''));
        }

        $answer->{over} = 1 if $type <= 1 && $flags & 1 || $type == 3;
    }
}


# nginx writes it first: from the static table, or with its three digits.

sub _status {
    my ($block) = @_;

    my $first = ord $block;
    my %known = (0x88, 200, 0x89, 204, 0x8a, 206, 0x8b, 304, 0x8c, 400,
        0x8d, 404, 0x8e, 500);

    return $known{$first} // substr $block, 2, 3;
}


sub _whole {
    my ($self, $stream) = @_;

    my $answer = $self->{answers}{$stream};
    return unless $answer && $answer->{over} && $answer->{status};

    return Payer::HTTP::response({ method => 'GET', start => time,
        error => $answer->{reset} ? 'reset' : undef,
        got => "HTTP/2 $answer->{status}\r\n\r\n$answer->{body}" });
}

1;
