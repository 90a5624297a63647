package Payer::HostilePlan;

# What the clients of the hostile harness do: requests for every handler, and
# the ways in which a connection sends them and takes the answers.  All of it
# is drawn from the seed before anything is sent.
#
#     my $plan = Payer::HostilePlan->new($seed);
#     for my $c ($plan->connections($count, @protocols)) { ... }
#
# A connection has
#
#     front      h1, h1s (TLS), h2, h2s
#     requests   n (its id), kind, method, uri, headers, body, framing
#                (none, length, chunked), trailers, expect, wrong, gap (how
#                long the body is late), wait (for the answers before it)
#     way        what the client does at the end: stay, half, reset, leave
#     reading    at-once, slow, late, never
#     random     its own stream, for where bytes are split
#
# An id is in a header of its request and all over its body; no two requests
# have the same.  A body may be a request in itself, of which the id begins
# with s: whoever takes it for one betrays himself.

use strict;
use warnings;

use Payer::HostileRandom;


# How often a kind is asked for, and the methods of each.

my @kinds = (checkout => 5, frame => 2, json => 2, uri => 3, thanks => 3,
    capture => 3, refund => 2, cancel => 1, release => 1, payment => 3,
    events => 4, subscriptions => 2, reconcile => 2, metrics => 1, shop => 3,
    stream => 2, lookup => 3, gate => 3);

my %methods = (
    (map { $_ => [qw(GET POST POST POST HEAD)] } qw(checkout frame json uri)),
    (map { $_ => [qw(GET GET POST)] } qw(lookup gate)), thanks => [qw(GET POST POST)], events => [qw(GET POST POST POST)],
    (map { $_ => [qw(POST POST POST POST GET)] } qw(capture refund)),
    (map { $_ => [qw(POST PUT PUT GET)] } qw(cancel release)),
    payment => [qw(GET GET GET HEAD POST)], reconcile => ['POST'],
    subscriptions => [qw(GET POST DELETE)],
    metrics => [qw(GET GET POST)],
    (map { $_ => [qw(GET POST POST PUT)] } qw(shop stream)),
);


sub new {
    my ($class, $seed, $kinds) = @_;

    my $random = Payer::HostileRandom->new($seed);

    return bless {
        random => $random,
        serial => 0,
        kinds  => [ $kinds ? map { $_ => 1 } @$kinds : @kinds ],
        # a few orders for all: claims are waited for
        orders => [ map { ("a$_", "q$_", "big$_") } 1 .. 3 ],
        # what the shop says of them: one is paid, one is not to be
        asked  => [ qw(a1 q1 look1 look1 paid closed none) ],
    }, $class;
}


sub orders { return @{ $_[0]{orders} } }

# All requests that were ever drawn, by id.
sub requests { return $_[0]{requests} }


sub connections {
    my ($self, $count, @fronts) = @_;

    return map { $self->_connection($_, @fronts) } 1 .. $count;
}


sub _connection {
    my ($self, $at, @fronts) = @_;

    my $random = $self->{random}->stream('c' . ++$self->{made});
    my $front = $fronts[ $at % @fronts ];
    my $reading = $random->weighted('at-once' => 14, slow => 2, late => 2,
        never => 1);
    my $way = $reading eq 'at-once'
            ? $random->weighted(stay => 12, half => 1, reset => 2, leave => 1)
            : 'stay';
    my @requests = map { $self->_request($random, $front, $reading) }
        0 .. $random->weighted(0 => 4, 1 => 5, 2 => 3, 4 => 1);

    # what cannot be understood is the last that is said
    for my $i (0 .. $#requests) {
        next unless $requests[$i]{wrong};
        $#requests = $i if $front =~ /^h1/;
        last;
    }

    # a probe behind the last one: is the connection still in step?
    push @requests, $self->_probe($random)
        if $way eq 'stay' && !$requests[-1]{wrong} && $reading ne 'never';

    return {
        front => $front, requests => \@requests, way => $way,
        reading => $reading, random => $random,
        at => $random->between(0, 0.4),
    };
}


sub _new_id {
    my ($self, $request) = @_;

    $request->{n} = sprintf 'n%05d', ++$self->{serial};
    $self->{requests}{ $request->{n} } = $request;

    return $request->{n};
}


sub _probe {
    my ($self, $random) = @_;

    my $request = { kind => 'shop', method => 'GET', uri => '/shop/probe',
        framing => 'none', body => '', headers => [], wait => 1 };

    $request->{wait} = $random->chance(0.5);
    $self->_new_id($request);

    return $request;
}


sub _request {
    my ($self, $random, $front, $reading) = @_;

    my $kind = $random->weighted(@{ $self->{kinds} });
    my $request = { kind => $kind, headers => [] };
    my $n = $self->_new_id($request);
    my $all = @{ $self->{kinds} } > 10;

    # who does not read wants more than fits into the buffers between
    $kind = $request->{kind} = $random->pick(qw(payment shop frame metrics))
        if $reading ne 'at-once' && $random->chance(0.7) && $all;

    $request->{method} = $random->chance(0.05)
                       ? $random->pick(qw(OPTIONS PATCH DELETE))
                       : $random->pick(@{ $methods{$kind} });
    $request->{wait} = $random->chance(0.4);

    my $prefix = $random->weighted('' => 5, '/quick' => 2, '/proxied' => 3,
        '/mirrored' => 2, '/foreign' => 1);
    my $order = $random->pick($self->orders);

    $order = $random->pick('big1', 'big2') if $kind eq 'payment'
        && $reading ne 'at-once';

    $self->_body($random, $request, $order);
    $self->_address($random, $request, $prefix, $order, $reading);
    _framing($random, $request, $front);

    return $request;
}


sub _address {
    my ($self, $random, $request, $prefix, $order, $reading) = @_;

    my ($kind, $n) = @$request{qw(kind n)};

    if ($kind eq 'shop' || $kind eq 'stream') {
        $request->{uri} = "/$kind/x";
        $request->{uri} .= '?more=' . $random->pick(20_000, 300_000)
            if $reading ne 'at-once' || $random->chance(0.2);
        return;
    }

    return _lookup($random, $request, $prefix, $self->{asked})
        if $kind =~ /^(?:lookup|gate)$/;

    my $query = $kind eq 'events' ? "token=$n-$order"
              : $kind =~ /^(?:checkout|frame|json|uri|thanks)$/
              ? "order=$order"
              : $kind eq 'payment' ? "reference=$order"
              : '';

    # one that is refused before anything is asked
    $query =~ s/^(\w+)=/$1x=/ if $random->chance(0.1);

    $request->{uri} = "$prefix/$kind" . ($query ne '' ? "?$query" : '');
}


# The shop is asked, and some do not have the key that it then wants.

sub _lookup {
    my ($random, $request, $prefix, $asked) = @_;

    my $order = $random->pick(@$asked);
    my $wrong = $random->chance(0.15);

    $request->{denied} = 1 if $wrong || $order eq 'none';
    $request->{uri} = "$prefix/$request->{kind}?key="
        . ($wrong ? 'wrong' : "k-$order") . "&id=$order";
}


my %size = (0 => 2, 1 => 2, 14 => 3, 60 => 3, 290 => 2, 600 => 3, 4096 => 1,
    4097 => 1, 9000 => 2, 20_000 => 1, 60_000 => 1);


sub _body {
    my ($self, $random, $request, $order) = @_;

    my ($kind, $n, $method) = @$request{qw(kind n method)};
    my $id = $n =~ s/^n/s/r;

    if ($kind =~ /^(?:capture|refund|cancel|release)$/ && $random->chance(0.8)
        && $method ne 'GET')
    {
        $request->{body} = _operation($random, $request, $order);
        return;
    }

    if ($kind eq 'subscriptions' && $method ne 'GET' && $random->chance(0.8)) {
        $request->{body} =
            'type=CARD_PAYMENT_AUTHORIZED&url=https%3A%2F%2Fshop.example%2F';
        _add($request, 'Content-Type', 'application/x-www-form-urlencoded');
        return;
    }

    my $often = $method eq 'POST' || $method eq 'PUT' ? 0.85 : 0.1;

    $often = 0 if $method eq 'HEAD';
    $request->{body} = '';
    return unless $random->chance($often);

    my $size = $random->weighted(map { $_ => $size{$_} }
        sort { $a <=> $b } keys %size);
    my $text = $random->chance(0.5)
             ? "GET /smuggled?n=$id HTTP/1.1\r\nHost: h\r\nX-N: $id\r\n\r\n"
             : "[$n]";

    $request->{body} = substr $text x (1 + $size / length $text), 0, $size;
}


sub _operation {
    my ($random, $request, $order) = @_;

    my ($kind, $n) = @$request{qw(kind n)};
    my $more = $kind =~ /^(?:capture|refund)$/;
    my $note = $more && $random->chance(0.6)
             ? "[$n]" x (1 + $random->pick(0, 2, 10, 30)) : '';

    _add($request, 'Idempotency-Key', 'key-' . $random->int(5))
        if $random->chance(0.3);

    if ($random->chance(0.5)) {
        _add($request, 'Content-Type', 'application/x-www-form-urlencoded');
        return "reference=$order" . ($more ? '&amount=1' : '')
            . ($note ne '' ? "&transactionDescription=$note" : '');
    }

    _add($request, 'Content-Type', 'application/json');

    # spaces at the end, so that it is long as well
    return qq({"reference":"$order") . ($more ? ',"amount":1' : '')
        . ($note ne '' ? qq(,"transactionDescription":"$note") : '') . '}'
        . ' ' x $random->pick(0, 0, 0, 100, 3000);
}


sub _add {
    my ($request, @header) = @_;

    push @{ $request->{headers} }, \@header;
}


sub _framing {
    my ($random, $request, $front) = @_;

    my $length = length $request->{body};
    my $none = $length == 0 && $random->chance(0.8);

    $request->{framing} = $none ? 'none'
                        : $random->weighted(length => 5, chunked => 2);

    return if $none;

    # how long the body waits behind the header
    $request->{gap} = $random->weighted(0 => 3, 0.002 => 3, 0.03 => 2,
        0.4 => 2, 1.2 => 1);

    $request->{trailers} = 1 if $request->{framing} eq 'chunked'
        && $random->chance($front =~ /^h1/ ? 0.3 : 0.05);
    $request->{expect} = 1 if $front =~ /^h1/ && $random->chance(0.12);
    $request->{wrong} = $random->pick('short', 'long', 'chunk')
        if $length > 2 && $random->chance(0.08);
    $request->{wrong} = 'long' if ($request->{wrong} // '') eq 'chunk'
        && ($request->{framing} ne 'chunked' || $front !~ /^h1/);
    # the rest of it is to be none
    $request->{wrong} = 'short' if ($request->{wrong} // '') eq 'long'
        && $request->{body} =~ /^GET/;
    $request->{framing} = 'length'
        if ($request->{wrong} // '') =~ /^(?:short|long)$/;

    # over HTTP/2 a client may end a stream in the middle
    $request->{stop} = $random->between(0, 0.5)
        if $front =~ /^h2/ && $random->chance(0.08);
}

1;
