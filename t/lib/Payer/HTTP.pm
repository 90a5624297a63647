package Payer::HTTP;

# A small HTTP/1.1 client that sends many requests at once and can hang up in
# the middle.  It follows no redirects and hides nothing.
#
#     my ($r) = at_once($port, [ GET => '/path', headers => { ... } ]);
#     $r->status, $r->header('Location'), $r->body, $r->json, $r->time,
#     $r->error
#
# Options of a request: headers (hash), body, json (data), form (hash), chunked
# (the body in pieces of so many bytes), hang_up (seconds after sending), timeout (seconds, 10),
# port (another one).

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(time);

our @EXPORT_OK = qw(at_once message response);


sub at_once {
    my ($port, @requests) = @_;
    my (@calls, %by_socket);

    my $select = IO::Select->new;

    for my $request (@requests) {
        my $call = _open($port, @$request);

        push @calls, $call;
        next unless $call->{socket};

        $by_socket{ $call->{socket} } = $call;
        $select->add($call->{socket});
    }

    while ($select->count) {
        for my $socket ($select->can_read(_patience(\%by_socket))) {
            _read($by_socket{$socket});
        }

        for my $call (values %by_socket) {
            _look_at_the_clock($call);
            next unless $call->{over};

            $select->remove($call->{socket});
            delete $by_socket{ $call->{socket} };
            close $call->{socket};
        }
    }

    return map { response($_) } @calls;
}


# The bytes of a request.

sub message {
    my ($port, $method, $path, %option) = @_;

    my ($body, %headers) = body_and_headers(%option);

    %headers = (
        Host       => "127.0.0.1:$port",
        Connection => 'close',
        %headers,
    );

    return join "\r\n", "$method $path HTTP/1.1",
        (map { "$_: $headers{$_}" } sort keys %headers), '', $body // '';
}


sub _open {
    my ($port, $method, $path, %option) = @_;

    $port = $option{port} // $port;

    my $call = {
        method => $method,
        start  => time,
        got    => '',
        end    => time + ($option{timeout} // 10),
    };

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Timeout  => 5,
    );

    if (!$socket) {
        return { %$call, error => "connect: $!" };
    }

    local $SIG{PIPE} = 'IGNORE';

    if (!_write_all($socket, message($port, $method, $path, %option))) {
        return { %$call, error => "write: $!" };
    }

    $call->{hang_up} = time + $option{hang_up} if defined $option{hang_up};
    $call->{socket} = $socket;

    return $call;
}


# What the options of a request amount to.

sub body_and_headers {
    my (%option) = @_;

    my $body = $option{body};
    my %headers = %{ $option{headers} // {} };

    if (exists $option{json}) {
        $body = JSON::PP->new->utf8->canonical->encode($option{json});
        $headers{'Content-Type'} //= 'application/json';

    } elsif ($option{form}) {
        my $form = $option{form};
        $body = join '&', map { _escape($_) . '=' . _escape($form->{$_}) }
            sort keys %$form;
        $headers{'Content-Type'} //= 'application/x-www-form-urlencoded';
    }

    if ($option{chunked}) {
        $headers{'Transfer-Encoding'} = 'chunked';
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
            unpack("(A$option{chunked})*", $body), '';

    } elsif (defined $body) {
        $headers{'Content-Length'} //= length $body;
    }

    return ($body, %headers);
}


sub _write_all {
    my ($socket, $bytes) = @_;

    utf8::encode($bytes) if utf8::is_utf8($bytes);

    while (length $bytes) {
        my $n = syswrite $socket, $bytes;
        return 0 unless defined $n;
        substr $bytes, 0, $n, '';
    }

    return 1;
}


sub _escape {
    my ($text) = @_;

    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;

    return $text;
}


# How long to wait for the next thing to happen.

sub _patience {
    my ($calls) = @_;
    my $next;

    for my $call (values %$calls) {
        for my $moment ($call->{end}, $call->{hang_up}) {
            next unless defined $moment;
            $next = $moment if !defined $next || $moment < $next;
        }
    }

    my $left = $next - time;

    return $left > 0 ? $left : 0;
}


sub _look_at_the_clock {
    my ($call) = @_;

    return if $call->{over};

    if (defined $call->{hang_up} && time >= $call->{hang_up}) {
        @$call{qw(error over)} = ('hung up', 1);

    } elsif (time >= $call->{end}) {
        @$call{qw(error over)} = ('timed out', 1);
    }
}


sub _read {
    my ($call) = @_;

    my $n = sysread $call->{socket}, $call->{got}, 65536, length $call->{got};

    return if $n;

    $call->{error} = "read: $!" unless defined $n;
    $call->{over} = 1;
    $call->{time} = time - $call->{start};
}


# What was got, as an answer; over HTTP/2 and HTTP/3 curl writes it the same
# way.

sub response {
    my ($call) = @_;

    my $response = bless {
        method  => $call->{method},
        time    => $call->{time} // time - $call->{start},
        error   => $call->{error},
        raw     => $call->{got},
        headers => [],
        body    => '',
    }, 'Payer::HTTP::Response';

    # What comes before the answer proper, as 100 Continue does, is skipped.
    my $got = $call->{got};
    $got =~ s/\AHTTP\/\d(?:\.\d)? 1\d\d.*?\r\n\r\n//s;

    my ($head, $body) = split /\r\n\r\n/, $got, 2;

    if (!defined $head || $head !~ /\AHTTP\/\d(?:\.\d)? (\d{3})/) {
        $response->{error} //= 'no answer';
        return $response;
    }

    $response->{status} = $1;

    my (undef, @lines) = split /\r\n/, $head;

    for my $line (@lines) {
        my ($name, $value) = split /:\s*/, $line, 2;
        push @{ $response->{headers} }, [ $name, $value ];
    }

    $body //= '';

    if (($response->header('Transfer-Encoding') // '') =~ /chunked/i) {
        ($body, my $whole) = _unchunk($body);
        $response->{error} //= 'truncated' unless $whole;

    } elsif (defined(my $length = $response->header('Content-Length'))) {
        $response->{error} //= 'truncated'
            if $call->{method} ne 'HEAD' && length $body < $length;
    }

    $response->{body} = $body;

    return $response;
}


sub _unchunk {
    my ($bytes) = @_;
    my $body = '';

    while ($bytes =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $size = hex $1;

        return $body, 1 if $size == 0;
        last if length $bytes < $size + 2;

        $body .= substr $bytes, 0, $size, '';
        substr $bytes, 0, 2, '';
    }

    return $body, 0;
}


package Payer::HTTP::Response;

use overload '""' => \&summary, fallback => 1;


sub status { $_[0]{status} // 0 }

sub body { $_[0]{body} }

sub time { $_[0]{time} }

sub raw { $_[0]{raw} }

sub error { $_[0]{error} }


# All values of a header, joined as HTTP allows; undef when it is not there.

sub header {
    my ($self, $name) = @_;

    my @values = map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{ $self->{headers} };

    return @values ? join(', ', @values) : undef;
}


sub json {
    my ($self) = @_;

    my $data = eval { JSON::PP->new->utf8->decode($self->{body}) };
    die "not JSON: $self\n" unless defined $data;

    return $data;
}


sub summary {
    my ($self) = @_;

    return sprintf '%s, %s: %s', $self->status, $self->error // 'whole',
        length $self->body > 300
        ? substr($self->body, 0, 300) . '...' : $self->body;
}

1;
