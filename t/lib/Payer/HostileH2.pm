package Payer::HostileH2;

# A client over HTTP/2 that can do what well-meaning ones do not: hold the
# window at 0 or open it by a few bytes, end a stream in the middle of a body,
# send the parts of a request late and in small frames.
#
# It is a Payer::HostileClient in all else.  Headers are sent as literals
# without indexing; of those that come, nginx uses no dynamic table.

use strict;
use warnings;

use parent 'Payer::HostileClient';

use Time::HiRes qw(time);

use constant {
    DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9,
    END_STREAM => 1, END_HEADERS => 4, ACK => 1,
};

my $window = 65535;

# The static table, as far as answers use it: names and values by index.
my @static = ('', qw(:authority :method :method :path :path :scheme :scheme
    :status :status :status :status :status :status :status accept-charset
    accept-encoding accept-language accept-ranges accept
    access-control-allow-origin age allow authorization cache-control
    content-disposition content-encoding content-language content-length
    content-location content-range content-type cookie date etag expect
    expires from host if-match if-modified-since if-none-match if-range
    if-unmodified-since last-modified link location max-forwards
    proxy-authenticate proxy-authorization range referer refresh retry-after
    server set-cookie strict-transport-security transfer-encoding user-agent
    vary via www-authenticate));
my %status = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404,
    14 => 500);


sub alpn { return 'h2' }


sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return pack('CnCCN', length($payload) >> 16, length($payload) & 0xffff,
        $type, $flags, $stream) . $payload;
}


# One header as a literal without indexing and with a new name.

sub _literal {
    my ($name, $value) = @_;

    return "\0" . _string($name) . _string($value);
}


sub _string {
    my ($text) = @_;

    return chr(length $text) . $text if length $text < 127;

    my $rest = length($text) - 127;
    my $bytes = chr 127;

    while ($rest >= 128) {
        $bytes .= chr(128 | $rest & 127);
        $rest >>= 7;
    }

    return $bytes . chr($rest) . $text;
}


# The steps of all requests, each of which is a stream; they overlap unless a
# request waits for the answers before it.

sub steps {
    my ($self) = @_;

    my $plan = $self->{plan};
    my $random = $plan->{random};
    my $reading = $plan->{reading};

    $self->{initial} = $reading eq 'at-once' ? $window
                     : $reading eq 'slow' ? 8000
                     : $random->pick(0, 0, 1, 100, 16_000);
    $self->{streams} = {};

    my @steps = ([ send => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        . frame(SETTINGS, 0, 0, pack 'nN', 4, $self->{initial}) ]);

    # what is queued, as one list a stream
    my @queues;
    my $stream = 1;

    for my $request (@{ $plan->{requests} }) {
        push @steps, _mix($random, splice @queues)
            if $request->{wait} && $reading ne 'never';
        push @steps, [ answers => ($stream - 1) / 2 ]
            if $request->{wait} && $reading ne 'never';

        $self->{streams}{$stream} = { request => $request, body => '' };
        push @queues, [ $self->_frames($random, $request, $stream) ];
        $stream += 2;
    }

    push @steps, _mix($random, @queues);

    if ($plan->{way} =~ /^(?:reset|leave)$/) {
        $#steps = 1 + $random->int($#steps) if $random->chance(0.5);
        push @steps, [ pause => $random->between(0, 0.4) ], [ $plan->{way} ];

    } elsif ($reading =~ /^(?:late|never)$/) {
        $self->{closed_for} = $reading eq 'late'
            ? $Payer::HostileClient::late : $Payer::HostileClient::never;
    }

    return @steps;
}


# Frames of several streams in any order, but that streams begin in theirs.

sub _mix {
    my ($random, @queues) = @_;
    my (@steps, @begun);

    while (@queues || @begun) {
        my $new = @queues && (!@begun || $random->chance(0.4));
        my $queue = $new ? shift @queues : $random->pick(@begun);

        push @steps, splice @$queue, 0, 2;
        push @begun, $queue if $new;
        @begun = grep { @$_ } @begun;
    }

    return @steps;
}


# Pairs of a send and a pause.

sub _frames {
    my ($self, $random, $request, $stream) = @_;

    my $n = $request->{n};
    my $wrong = $request->{wrong} // '';
    my $length = length $request->{body};
    my $has_body = $request->{framing} ne 'none';
    my @headers = ([ ':method', $request->{method} ], [ ':scheme', 'http' ],
        [ ':path', $request->{uri} ], [ ':authority', 'localhost' ],
        [ 'x-n', $n ], [ cookie => "n=$n" ],
        map { [ lc $_->[0], $_->[1] ] } @{ $request->{headers} });

    push @headers, [ 'content-length', $length
        + ($wrong eq 'short' ? 40 : $wrong eq 'long' ? -int($length / 2) : 0) ]
        if $request->{framing} eq 'length';

    my $block = join '', map { _literal(@$_) } @headers;
    my $end = $has_body ? 0 : END_STREAM;
    my ($first, @rest) = $random->cut($block, $random->pick(1, 1, 2, 4));
    my $bytes = frame(HEADERS, $end | (@rest ? 0 : END_HEADERS), $stream,
        $first);

    while (defined(my $part = shift @rest)) {
        $bytes .= frame(CONTINUATION, @rest ? 0 : END_HEADERS, $stream, $part);
    }

    my @steps = _split($random, $bytes);

    # a stream that ends before its answer, or before its own end
    my @stop = defined $request->{stop}
             ? ([ send => frame(RST_STREAM, 0, $stream, pack 'N', 8) ],
                 [ pause => 0 ]) : ();

    return (@steps[ 0 .. $#steps - 1 ], [ pause => $request->{stop} // 0 ],
        @stop) if !$has_body;

    $steps[-1] = [ pause => $request->{gap} ];

    my @parts = grep { length } map { /(.{1,16000})/gs }
        $random->cut($request->{body}, $random->pick(1, 1, 2, 6));
    my $trailers = $request->{trailers};
    my $alone = $random->chance(0.3) || !@parts;

    for my $i (0 .. $#parts) {
        push @steps, _split($random, frame(DATA,
            $i == $#parts && !$alone && !$trailers ? END_STREAM : 0, $stream,
            $parts[$i]));
    }

    if (@stop) {
        # the last part is not sent any more
        splice @steps, -2 if @parts && $random->chance(0.5);
        return (@steps, @stop);
    }

    push @steps, [ send => frame(HEADERS, END_HEADERS | END_STREAM, $stream,
        _literal('x-trailer', $n)) ], [ pause => 0 ] if $trailers;
    push @steps, [ send => frame(DATA, END_STREAM, $stream, '') ],
        [ pause => 0 ] if $alone && !$trailers;

    return @steps;
}


# A frame may not be interrupted by another one, so its pieces are one step
# that pauses in itself at most once.

sub _split {
    my ($random, $bytes) = @_;

    return ([ send => $bytes ], [ pause => $random->weighted(0 => 4,
        0.002 => 2, $random->between(0.02, 0.3) => 1) ]);
}


# Who did not read begins to.

sub tick {
    my ($self, $now) = @_;

    return unless $self->{closed_for} && $self->{since}
        && $now >= $self->{since} + $self->{closed_for};

    delete $self->{closed_for};
    $self->{is_open} = 1;

    my @open = grep { !$self->{streams}{$_}{whole} } keys %{ $self->{streams} };

    $self->{out} .= frame(WINDOW_UPDATE, 0, $_, pack 'N', 0x3fffffff)
        for 0, sort { $a <=> $b } @open;
    $self->{out} .= frame(SETTINGS, 0, 0, pack 'nN', 4, 0x3fffffff);
}


sub due {
    my ($self) = @_;

    my $due = $self->SUPER::due;
    my $open = ($self->{since} // $due) + ($self->{closed_for} // 1);

    return $self->{closed_for} && $open < $due ? $open : $due;
}


sub answered {
    my ($self) = @_;

    return scalar grep { $_->{whole} || $_->{reset}
        || defined $_->{request}{stop} } values %{ $self->{streams} };
}


sub take {
    my ($self) = @_;

    while (length $self->{in} >= 9) {
        my ($high, $low, $type, $flags, $stream) =
            unpack 'CnCCN', $self->{in};
        my $length = $high << 16 | $low;

        return if length $self->{in} < 9 + $length;

        my $payload = substr $self->{in}, 9, $length;

        substr $self->{in}, 0, 9 + $length, '';
        $self->_frame($type, $flags, $stream & 0x7fffffff, $payload);
    }
}


sub _frame {
    my ($self, $type, $flags, $stream, $payload) = @_;

    my $s = $self->{streams}{$stream};

    if ($type == SETTINGS && !($flags & ACK)) {
        $self->{out} .= frame(SETTINGS, ACK, 0, '');

    } elsif ($type == PING && !($flags & ACK)) {
        $self->{out} .= frame(PING, ACK, 0, $payload);

    } elsif ($type == GOAWAY) {
        $self->{goaway} = unpack 'x4N', $payload;

    } elsif ($type == HEADERS || $type == DATA || $type == RST_STREAM) {
        return push @{ $self->{findings} }, "a frame of stream $stream"
            if !$s;
        return push @{ $self->{findings} },
            "$s->{request}{n}: more after the end of its answer"
            if $s->{whole} && $type != RST_STREAM;

        if ($type == RST_STREAM) {
            $s->{reset} = unpack 'N', $payload;

        } elsif ($type == HEADERS) {
            $self->_headers($s, $payload);

        } else {
            $s->{body} .= $payload;
            $self->_grant($stream, $s, length $payload) if length $payload;
        }

        $s->{whole} = 1 if $type != RST_STREAM && $flags & END_STREAM;
    }
}


# The window grows again by what was taken, if this client reads.

sub _grant {
    my ($self, $stream, $s, $length) = @_;

    my $reading = $self->{plan}{reading};

    return if $reading eq 'never' || $reading eq 'late' && !$self->{is_open};

    $self->{out} .= frame(WINDOW_UPDATE, 0, 0, pack 'N', $length);
    $self->{out} .= frame(WINDOW_UPDATE, 0, $stream, pack 'N', $length)
        unless $self->{is_open};
}


sub _headers {
    my ($self, $s, $block) = @_;

    my %header;
    my $at = 0;

    while ($at < length $block) {
        my $byte = ord substr $block, $at, 1;

        # a new size of the dynamic table
        if (($byte & 0xe0) == 0x20) {
            _integer($block, \$at, 5);
            next;
        }

        if ($byte & 0x80) {
            my $index = _integer($block, \$at, 7);
            $header{ $static[$index] // '?' } = $status{$index} // '?';
            next;
        }

        my $index = _integer($block, \$at, $byte & 0x40 ? 6 : 4);
        my $name = $index ? $static[$index] : _take_string($block, \$at);

        $header{$name} = _take_string($block, \$at);
    }

    $s->{status} = $header{':status'};
    $s->{header} = \%header;
    $s->{n} = $header{'x-n'};
}


sub _integer {
    my ($block, $at, $bits) = @_;

    my $most = (1 << $bits) - 1;
    my $value = $most & ord substr $block, $$at++, 1;

    return $value if $value < $most;

    my $shift = 0;

    while ($$at < length $block) {
        my $byte = ord substr $block, $$at++, 1;

        $value += ($byte & 127) << $shift;
        $shift += 7;
        last unless $byte & 128;
    }

    return $value;
}


sub _take_string {
    my ($block, $at) = @_;

    my $coded = 128 & ord substr $block, $$at, 1;
    my $length = _integer($block, $at, 7);
    my $text = substr $block, $$at, $length;

    $$at += $length;
    return $coded ? _decoded($text) : $text;
}


# Huffman's code of RFC 7541, which is canonical: how long the code of each
# letter is says all.  Those of more than 15 bits are in no header of ours.

my %letter;

sub _learn {
    my %length;
    my @lengths = (
        5 => '012aceiost', 6 => ' %-./3456789=A_bdfghlmnpru',
        7 => ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz', 8 => '&*,;XZ',
        10 => '!"()?', 11 => "'+|", 12 => '#>', 13 => "\0\$\@[]~",
        14 => '^}', 15 => '<`{',
    );
    my ($code, $bits) = (0, 5);

    while (my ($length, $letters) = splice @lengths, 0, 2) {
        for my $letter (sort split //, $letters) {
            $code <<= $length - $bits;
            $bits = $length;
            $letter{ sprintf '%0*b', $bits, $code++ } = $letter;
        }
    }
}


sub _decoded {
    my ($bytes) = @_;

    _learn() unless %letter;

    my ($text, $code) = ('', '');

    for my $bit (split //, unpack 'B*', $bytes) {
        $code .= $bit;
        next unless exists $letter{$code};
        $text .= $letter{$code};
        $code = '';
    }

    return $text;
}

1;
