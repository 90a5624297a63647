package Payer::HostilePeer;

# The two backends of the hostile harness in one process: Payer's API and the
# shop.  Both read what nginx sends byte by byte and take nothing on trust:
# each request must begin where the one before it ended.
#
#     my $peer = Payer::HostilePeer->start(seed => 1, log => $file);
#     $peer->{payer_port}, $peer->{shop_port}
#     $peer->calm;            from now on every reply is whole and at once
#     $peer->stop;
#     $peer->requests         what arrived: hashes with
#                                 at      payer or shop
#                                 broken  what is wrong, or ''
#                                 method, uri, ids, length, body (MD5)
#
# What a request to Payer or to the shop's API meets (a late, split, cut, wrong or missing reply) depends on
# the seed, its address, and how many were like it.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(time);

use Payer::HostileRandom;
use Payer::Test ();

my $json = JSON::PP->new->utf8->canonical;

# the only headers that a call to Payer may have
my %allowed = map { $_ => 1 } qw(host connection user-agent content-type
    content-length accept authorization payer-request-id);

my $api = '/api/v2/payments';


sub start {
    my ($class, %option) = @_;

    my %listen = map { $_ => _listen() } qw(payer shop);
    my $self = bless {
        %option,
        owner => $$,
        payer_port => $listen{payer}->sockport,
        shop_port  => $listen{shop}->sockport,
    }, $class;

    # it may be told to be calm before it has begun
    local $SIG{USR1} = sub { $self->{is_calm} = 1 };

    $self->{pid} = fork // die "fork: $!\n";

    if ($self->{pid} == 0) {
        eval { $self->_serve(%listen); 1 } or warn "peer: $@";
        POSIX::_exit(1);
    }

    return $self;
}


sub _listen {
    return IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => Payer::Test::free_port(),
        Listen    => 256,
        ReuseAddr => 1,
        Blocking  => 0,
    ) // die "the backends cannot listen: $!\n";
}


sub calm { kill 'USR1', $_[0]{pid} }


sub stop {
    my ($self) = @_;

    return unless $self->{pid} && $self->{owner} == $$;

    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    delete $self->{pid};
}


sub DESTROY { local $?; $_[0]->stop }


sub requests {
    my ($self) = @_;

    open my $fh, '<', $self->{log} or return;

    return map {
        chomp;
        my %entry;
        @entry{qw(at broken method uri ids length body)} = split /\t/, $_, -1;
        \%entry;
    } <$fh>;
}


# From here on: the process of the backends.

sub _serve {
    my ($self, %listen) = @_;

    my $parent = getppid;

    local $SIG{PIPE} = 'IGNORE';

    open $self->{out}, '>', $self->{log} or die "$self->{log}: $!\n";
    $self->{out}->autoflush(1);
    $self->{random} = Payer::HostileRandom->new($self->{seed});

    while (getppid == $parent) {
        $self->_turn(\%listen);
    }

    POSIX::_exit(0);
}


sub _turn {
    my ($self, $listen) = @_;

    my $now = time;
    my $next = $now + 0.5;
    my ($read, $write) = ('', '');

    vec($read, fileno $_, 1) = 1 for values %$listen;

    for my $c (values %{ $self->{connections} }) {
        vec($read, fileno $c->{socket}, 1) = 1 unless $c->{deaf};

        my $due = @{ $c->{out} } ? $c->{out}[0][0] : next;

        $next = $due if $due < $next;
        vec($write, fileno $c->{socket}, 1) = 1 if $due <= $now;
    }

    my $wait = $next - $now;

    select $read, $write, undef, $wait > 0 ? $wait : 0;

    for my $at (keys %$listen) {
        while (my $socket = $listen->{$at}->accept) {
            $socket->blocking(0);
            $self->{connections}{ fileno $socket } =
                { at => $at, socket => $socket, in => '', out => [] };
        }
    }

    for my $c (values %{ $self->{connections} }) {
        $self->_write($c);
        $self->_read($c) unless $c->{gone} || $c->{deaf};

        if ($c->{gone}) {
            $self->_left($c);
            delete $self->{connections}{ fileno $c->{socket} };
            close $c->{socket};
        }
    }
}


# What is to be sent is a list of [ when, bytes ]; undef closes, '!' resets.

sub _write {
    my ($self, $c) = @_;

    while (@{ $c->{out} } && $c->{out}[0][0] <= time) {
        my $bytes = $c->{out}[0][1];

        if (!defined $bytes || $bytes eq '!') {
            setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0
                if defined $bytes;
            $c->{closed} = $c->{gone} = 1;
            return;
        }

        my $n = syswrite $c->{socket}, $bytes;

        if (!defined $n) {
            $c->{gone} = 1 unless $!{EAGAIN};
            return;
        }

        if ($n < length $bytes) {
            $c->{out}[0][1] = substr $bytes, $n;
            return;
        }

        shift @{ $c->{out} };
    }
}


sub _read {
    my ($self, $c) = @_;

    my $n = sysread $c->{socket}, $c->{in}, 65536, length $c->{in};

    if (!defined $n) {
        $c->{gone} = 1 unless $!{EAGAIN};
        return;
    }

    $c->{gone} = 1 if $n == 0;

    # one at a time: nginx has no reason to send the next one early
    while (!@{ $c->{out} } && length $c->{in}) {
        my $request = $self->_parse($c) // last;

        $self->_answer($c, $request);
        $self->_log($c, $request);
    }

    $self->_broken($c, 'bytes while it waits for a reply')
        if @{ $c->{out} } && length $c->{in};
}


# nginx may leave between two requests, never within one that is whole at its
# own end: who announced a body has to send it, unless its client left.

sub _left {
    my ($self, $c) = @_;

    return if $c->{closed} || !length $c->{in};

    my ($head, $body) = split /\r\n\r\n/, $c->{in}, 2;
    my ($length) = $head =~ /^content-length: *(\d+)/mi;

    $self->_log($c, {
        broken => sprintf('cut: %s bytes of a body were announced, %d sent',
            $length // 'no', length $body // ''),
        method => $head =~ /^(\S+)/ ? $1 : '-',
        uri    => $head =~ /^\S+ (\S+)/ ? $1 : '-',
        bytes  => $c->{in},
        length => $length // '',
        body   => $body // '',
    });
}


sub _broken {
    my ($self, $c, $why) = @_;

    $self->_log($c, { broken => "$why: " . _printable($c->{in}), method => '-',
        uri => '-', bytes => $c->{in}, length => '', body => '' });

    $c->{in} = '';
    $c->{closed} = $c->{gone} = 1;

    return;
}


sub _printable {
    my ($bytes) = @_;

    return substr($bytes, 0, 80) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
}


sub _log {
    my ($self, $c, $request) = @_;

    my %ids = map { $_ => 1 } $request->{bytes} =~ /\b([ns]\d{5})\b/g;

    print { $self->{out} } join("\t", $c->{at}, $request->{broken} // '',
        $request->{method}, $request->{uri}, join(' ', sort keys %ids),
        $request->{length} // '', md5_hex($request->{body})), "\n";
}


# The next request, undef when it is not whole yet.

sub _parse {
    my ($self, $c) = @_;

    my $end = index $c->{in}, "\r\n\r\n";

    if ($c->{in} !~ m{\A[A-Z]{1,8}(?: /|\z)|\A[A-Z]{1,8}\z}) {
        return $self->_broken($c, 'no request');
    }

    return undef if $end < 0;

    my $head = substr $c->{in}, 0, $end;
    my ($line, @lines) = split /\r\n/, $head, -1;
    my (%headers, @names);

    $line =~ m{\A([A-Z]+) (/\S*) HTTP/1\.1\z}
        or return $self->_broken($c, 'no request line');

    my %request = (method => $1, uri => $2);

    for (@lines) {
        /\A([\w-]+): ?(.*)\z/ or return $self->_broken($c, 'no header');
        return $self->_broken($c, "a second $1")
            if exists $headers{ lc $1 } && lc $1 =~ /^(?:host|content-length)/;
        $headers{ lc $1 } = $2;
    }

    my $whole = _body($c->{in}, $end + 4, \%headers, \%request) // return undef;

    $request{headers} = \%headers;
    $request{bytes} = substr $c->{in}, 0, $whole, '';

    if (($c->{at} eq 'payer' || $request{uri} =~ m{^/api/})
        && !$request{broken})
    {
        my @more = grep { !$allowed{$_} } sort keys %headers;
        $request{broken} = "a header of somebody else: @more" if @more;
    }

    return \%request;
}


# Returns where the request ends, undef when it is not there yet.

sub _body {
    my ($in, $from, $headers, $request) = @_;

    $request->{body} = '';

    if (($headers->{'transfer-encoding'} // '') eq 'chunked') {
        $request->{length} = 'chunked';
        pos($in) = $from;

        while ($in =~ /\G([0-9a-f]+)\r\n/gci) {
            my $size = hex $1;
            my $at = pos $in;

            return undef if length $in < $at + $size + 2;
            $request->{body} .= substr $in, $at, $size;
            return $at + 2 if $size == 0;
            pos($in) = $at + $size + 2;
        }

        return undef;
    }

    my $length = $headers->{'content-length'};

    $request->{length} = $length // '';
    return $from unless $length;
    return undef if length $in < $from + $length;

    $request->{body} = substr $in, $from, $length;
    return $from + $length;
}


sub _answer {
    my ($self, $c, $request) = @_;

    my ($status, $body, $type) = $c->{at} eq 'shop'
                               ? _shop($request) : $self->_payer($request);

    my $reply = "HTTP/1.1 $status X\r\nContent-Type: $type\r\n";
    my $length = 'Content-Length: ' . length($body) . "\r\n\r\n";

    # the shop is honest, only slow at times; its API is as bad as Payer, and
    # often so late that several wait for one answer
    my $is_api = $request->{uri} =~ m{^/api/order};
    my $key = "$request->{method} $request->{uri}";
    my $random = $self->{random}->stream($key . ' ' . $self->{seen}{$key}++);
    my $fate = $self->{is_calm} ? 'whole'
             : $c->{at} eq 'shop' && !$is_api
             ? $random->weighted(whole => 3, late => 1)
             : $random->weighted(whole => 28, late => $is_api ? 20 : 5, long => 1, split => 8,
                 chunked => 4, close => 2, reset => 1, cut => 2, short => 1,
                 500 => 1, 503 => 2, 429 => 1, 401 => 1, 400 => 1, 409 => 1,
                 junk => 1);

    $fate = 'whole' if $status == 204 && $fate =~ /^(?:cut|short)$/;
    $fate = 'whole' if $fate =~ /^\d/ && $request->{uri} =~ /token$/;

    if ($fate =~ /^\d/) {
        $body = '{"message":"not now"}';
        $reply = "HTTP/1.1 $fate X\r\nContent-Type: application/json\r\n";
        $length = 'Content-Length: ' . length($body) . "\r\n\r\n";
    }

    if ($fate eq 'chunked' && $status != 204) {
        $length = "Transfer-Encoding: chunked\r\n\r\n";
        $body = join '', (map { sprintf "%x\r\n%s\r\n", length, $_ }
            $random->cut($body, 4)), "0\r\n\r\n" if length $body;
        $body = "0\r\n\r\n" unless length $body;
    }

    $length = 'Content-Length: ' . (length($body) + 50) . "\r\n\r\n"
        if $fate eq 'cut' || $fate eq 'short';
    $length = "\r\n" if $status == 204;
    $body = '' if $status == 204 || $request->{method} eq 'HEAD';

    $self->_send($c, $random, $fate, "$reply$length$body");
}


sub _send {
    my ($self, $c, $random, $fate, $bytes) = @_;

    my $at = time + ($fate eq 'late' ? $random->between(0.05, 0.45)
           : $fate eq 'long' ? $random->between(0.5, 1.5) : 0);

    $at = time + $random->between(0, 0.03)
        if !$self->{is_calm} && $fate eq 'whole';

    if ($fate eq 'close' || $fate eq 'reset') {
        push @{ $c->{out} }, [ $at + $random->between(0, 0.2),
            $fate eq 'close' ? undef : '!' ];
        return;
    }

    # at once with the reply: a moment later nginx may have asked again
    $bytes .= 'HTTP/1.1 200 OK' if $fate eq 'junk';

    my @pieces = $fate =~ /^(?:split|chunked|cut)$/
               ? $random->cut($bytes, 2 + $random->int(6)) : ($bytes);

    for my $piece (@pieces) {
        $at += $random->between(0, 0.12) if @{ $c->{out} };
        push @{ $c->{out} }, [ $at, $piece ];
    }

    # at once, before nginx takes it for a connection to keep
    push @{ $c->{out} }, [ $at, undef ] if $fate =~ /^(?:cut|short|junk)$/;
}


# The shop says what it was asked, so that the client can compare.

sub _shop {
    my ($request) = @_;

    if ($request->{uri} =~ m{^/shop/event}) {
        $request->{broken} ||= 'no event: ' . _printable($request->{body})
            unless ref eval { $json->decode($request->{body}) };
        return (204, '', 'text/plain');
    }

    if ($request->{uri} =~ m{^/api/order\?id=(\w+)$}) {
        my $order = $1;

        return (404, '{"code":"no_order"}', 'application/json')
            if $order eq 'none';

        return (200, $json->encode({ id => $order, total => '129.00',
            currency => 'SEK', key => "k-$order", lines => [ map {
                { text => "line $_" } } 1 .. 40 ],
            status => $order eq 'paid' ? 'processing'
                    : $order eq 'closed' ? 'cancelled' : 'pending',
        }), 'application/json');
    }

    my ($n) = map { $_ // '-' } $request->{headers}{'x-n'};
    my $body = sprintf "shop %s %d %s\n", $n, length $request->{body},
        md5_hex($request->{body});

    $body .= 'x' x $1 if $request->{uri} =~ /[?&]more=(\d+)/;

    return (200, $body, 'text/plain');
}


# Payer: as much of it as the handlers need to get on.

sub _payer {
    my ($self, $request) = @_;

    my ($method, $uri) = @$request{qw(method uri)};
    my @json = ('application/json');

    return (200, '{"access_token":"token-' . ++$self->{tokens}
        . '","token_type":"Bearer","expires_in":3600}', @json)
        if $uri eq '/oauth2/token';

    return $self->_create($request) if $uri eq "$api/cards/direct";

    if ($uri =~ m{^/api/v1/events/callbacks}) {
        return $method eq 'POST' ? (204, '', @json) : (200, '[]', @json);
    }

    return (200, '', @json) if $uri =~ m{^/api/v1/events/[^/]+/ack$};

    if ($uri =~ m{^/api/v1/events/\w+-(\w+)$}) {
        my $p = $self->{newest}{$1} // { id => 'nobody' };

        return (200, $json->encode({ type => 'CARD_PAYMENT_AUTHORIZED',
            payload => { paymentId => $p->{id} } }), @json);
    }

    my ($id, $what) = $uri =~ m{^\Q$api\E/(\w+)(?:/cards/(.*))?$}
        or return (404, '{"message":"no such resource"}', @json);
    my $p = $self->{payments}{$id}
        or return (404, '{"message":"no such payment"}', @json);

    return (200, _payment($p), @json) unless defined $what;

    if ($what eq 'cancel') {
        return (400, '{"message":"authorized"}', @json) if $p->{authorized};
        $p->{status} = 'CANCELLED';

    } elsif (!$p->{authorized}) {
        return (400, '{"message":"not authorized"}', @json);

    } elsif ($what eq 'authorize/release') {
        $p->{status} = 'RELEASED' unless $p->{captured};

    } else {
        my $data = eval { $json->decode($request->{body}) } // {};
        my $field = $what eq 'capture' ? 'captured' : 'refunded';

        $p->{$field} += $data->{amount} // $p->{amount};
        $p->{status} = 'PARTIALLY_CAPTURED' if $what eq 'capture';

        return (200, '{"referenceId":"op' . ++$self->{operations}
            . '","receiptUrl":null}', @json);
    }

    return (200, '', @json);
}


# An order that begins with "a" is paid as soon as it has a link; the payment
# of one that begins with "big" is a long text.

sub _create {
    my ($self, $request) = @_;

    my $in = eval { $json->decode($request->{body}) };
    my $order = ref $in eq 'HASH' ? $in->{externalPaymentReference} : undef;

    if (!defined $order || keys %$in != 8 || $in->{amount} != 12900
        || $in->{currencyCode} ne 'SEK' || $order =~ /^(?:closed|paid|none)$/)
    {
        $request->{broken} = 'no body of a create: '
            . _printable($request->{body});
        return (400, '{"message":"no create"}', 'application/json');
    }

    my $id = 'pay' . ++$self->{made};
    my $paid = $order =~ /^(?:a|big)/;

    $self->{payments}{$id} = $self->{newest}{$order} = {
        id => $id, order => $order, amount => $in->{amount},
        currency => $in->{currencyCode}, captured => 0, refunded => 0,
        authorized => $paid ? $in->{amount} : 0,
        status => $paid ? 'AUTHORIZED' : 'INITIATED',
    };

    return (200, $json->encode({ paymentId => $id, token => "t$id",
        url => "http://127.0.0.1:$self->{payer_port}/widget/$order/$id" }),
        'application/json');
}


sub _payment {
    my ($p) = @_;

    my $text = $json->encode({ payment => {
        id => $p->{id}, status => $p->{status}, amount => $p->{amount},
        authorizedAmount => $p->{authorized},
        capturedAmount => $p->{captured}, refundedAmount => $p->{refunded},
        currencyCode => $p->{currency},
        externalPaymentReference => $p->{order},
        paymentOperations => [],
        $p->{order} =~ /^big/ ? (note => 'x' x 200_000) : (),
    } });

    return $text;
}

1;
