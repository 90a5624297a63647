package Payer::Faults;

# What Payer and the path to it can do wrong, and what then has to happen, for
# each call that the module makes: the rules of t/230.fault-table.t.  They are
# those of docs/answers.md and of docs/directives.md, written down call by
# call; nothing in here was taken from what the module does.
#
#     columns()               the calls
#     rows()                  the faults
#     fault($row, $call)      the fault, as the simulator takes it
#     expected($row, $call)   what has to be seen then:
#         status       of the answer
#         type         of the problem, "outcome-unknown" or nothing
#         calls        what reached Payer, as "capture 2, read 1"
#         retry        whether the answer says when to come again
#         shop         how often the shop heard of the event
#         examined     what reconcile finds to be in doubt afterwards
#         unknown      of how much of it nobody knows even then
#         again        the status of the same request without the fault
#         replayed     whether that is answered from the record, without a call
#         books        what Payer has in its books in the end

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(columns rows fault expected);

# A call: which one the simulator breaks, who asks, what the reply has to
# contain (fields, an object, nothing in particular), and whether the call
# changes anything at Payer.  "replace" is the cancel of an old link, "gate"
# the read of payer_verify.
my @COLUMNS = (
    [ token       => 'token',         'buyer',  'fields',  0 ],
    [ create      => 'create',        'buyer',  'fields',  1 ],
    [ replace     => 'cancel',        'buyer',  'nothing', 1 ],
    [ read        => 'read',          'office', 'fields',  0 ],
    [ gate        => 'read',          'gate',   'fields',  0 ],
    [ capture     => 'capture',       'office', 'object',  1 ],
    [ cancel      => 'cancel',        'office', 'nothing', 1 ],
    [ release     => 'release',       'office', 'nothing', 1 ],
    [ refund      => 'refund',        'office', 'object',  1 ],
    [ event       => 'event',         'payer',  'object',  0 ],
    [ ack         => 'ack',           'payer',  'nothing', 0 ],
    [ list        => 'subscriptions', 'office', 'nothing', 0 ],
    [ subscribe   => 'subscriptions', 'office', 'nothing', 1 ],
    [ unsubscribe => 'subscriptions', 'office', 'nothing', 1 ],
);

my %CALL = map { my %c; @c{qw(name sim door needs changes)} = @$_;
    $c{name} => \%c } @COLUMNS;

# A fault: its kind, whether Payer has done what it was asked for, and how the
# simulator makes it.  The kinds:
#     fine      nothing is wrong
#     lost      no header of a reply came
#     late      payer_timeout is over before the reply is
#     broken    a 200 that is cut off, or no text that can be read
#     odd       a 200 with JSON in it that is not what it should be
#     empty     a 2xx with nothing in it
#     strange   a status that no call has: 1xx, 3xx
#     denied    our credentials are refused
#     missing   404
#     page      404 and a page, which is a load balancer's word and not Payer's
#     doubted   no reply came, and the resend is refused
#     hidden    409, and a read does not show yet what was done
#     busy      408, 429
#     handled   409: Payer has seen this Payer-Request-ID before
#     trouble   5xx
my @ROWS = (
    [ 'no fault'            => 'fine',    1, { action => 'none' } ],
    [ 'reset before'        => 'lost',    0, { action => 'reset' } ],
    [ 'reset in headers'    => 'lost',    1, { action => 'reset-in-headers' } ],
    [ 'reset after headers' => 'broken',  1, { action => 'reset-in-body' } ],
    [ 'closed, done'        => 'lost',    1, { action => 'lost-reply' } ],
    [ 'truncated body'      => 'broken',  1, { action => 'truncate' } ],
    [ 'wrong length'        => 'broken',  1, { action => 'short-length' } ],
    [ 'slow drip'           => 'late',    1,
        { action => 'drip', chunk => 1, pause => 0.1 } ],
    [ 'stall, silent'       => 'late',    0, { action => 'silence' } ],
    [ 'stall in the body'   => 'late',    1, { action => 'stall' } ],
    [ '1 MiB reply'         => 'broken',  1, { action => 'huge' } ],
    [ 'garbage, no HTTP'    => 'lost',    0, { action => 'garbage-head' } ],
    [ 'garbage, no JSON'    => 'broken',  0, { action => 'garbage' } ],
    [ 'HTML'                => 'broken',  0, { status => 200,
        body    => "<!DOCTYPE html>\n<title>Welcome</title>\n",
        headers => { 'Content-Type' => 'text/html' } } ],
    [ 'wrong types'         => 'odd',     1, { status => 200 } ],
    [ 'missing fields'      => 'odd',     1, { status => 200 } ],
    [ 'duplicate keys'      => 'odd',     1, { status => 200 } ],
    [ 'huge numbers'        => 'odd',     1, { status => 200 } ],
    [ 'deep nesting'        => 'broken',  1, { status => 200,
        octets => '{"a":' x 5000 . '1' . '}' x 5000 } ],
    [ 'invalid UTF-8'       => 'broken',  1, { status => 200,
        octets => qq({"a": "\xff\xc0\x80"}) } ],
    [ '1xx (102)'           => 'strange', 1, { action => 'interim' } ],
    [ '200, empty'          => 'empty',   1, { action => 'empty' } ],
    [ '204'                 => 'empty',   1, { status => 204, body => '' } ],
    [ '302'                 => 'strange', 0, { status => 302, body => '',
        headers => { Location => 'http://127.0.0.1:1/elsewhere' } } ],
    [ '401'                 => 'denied',  0, { status => 401 } ],
    [ '403'                 => 'denied',  0, { status => 403 } ],
    [ '404'                 => 'missing', 0, { status => 404 } ],
    [ '404, HTML'           => 'page',    0, { status => 404,
        body    => "<!DOCTYPE html>\n<title>404 Not Found</title>\n",
        headers => { 'Content-Type' => 'text/html' } } ],
    [ 'lost, done, 400'     => 'doubted', 1,
        { status => 400, work => 0 }, { action => 'lost-reply' } ],
    [ 'lost, 400'           => 'doubted', 0,
        { status => 400 }, { action => 'reset' } ],
    [ 'another payment'     => 'odd',     1, { action => 'edit',
        set => { 'payment.id' => 'another' } } ],
    [ '408'                 => 'busy',    0, { status => 408 } ],
    [ '409, not done'       => 'handled', 0, { status => 409 } ],
    [ '409, done'           => 'handled', 1, { status => 409 } ],
    [ '409, not shown yet'  => 'hidden',  1, { status => 409 } ],
    [ '429, for 1 s'        => 'busy',    0,
        { status => 429, headers => { 'Retry-After' => 1 } } ],
    [ '429, for an hour'    => 'busy',    0,
        { status => 429, headers => { 'Retry-After' => 3600 } } ],
    [ '500'                 => 'trouble', 0, { status => 500 } ],
    [ '503, done'           => 'trouble', 1, { status => 503 } ],
);

# "first" is what the first request meets, if that is something else
my %ROW = map { my %r; @r{qw(name kind done fault first)} = @$_;
    $r{name} => \%r } @ROWS;

# What the replies of "odd" rows are, and for which calls one is no reply: a
# field that is needed is not there, or is not what it should be.
my %PAYMENT = (amount => 12900, currencyCode => 'SEK');
my %HARMS = (
    'wrong types'    => [qw(token create read gate capture refund event)],
    'missing fields' => [qw(token create read gate)],
    'duplicate keys' => [qw(token create read gate)],
    'huge numbers'   => [qw(create read gate)],
    'another payment' => [qw(read gate)],
);

my %TEXT = (
    'wrong types' => {
        token   => '{"access_token": ["a"], "expires_in": "soon"}',
        create  => '{"paymentId": {}, "url": true}',
        read    => '{"payment": {"status": 5, "amount": "12900"}}',
        capture => '["done"]',
        event   => '"CARD_PAYMENT_AUTHORIZED"',
        other   => '42',
    },
    'missing fields' => {
        read  => '{"payment": {}}',
        other => '{}',
    },
    'duplicate keys' => {
        token  => '{"access_token": "a", "access_token": "b"}',
        create => '{"paymentId": "a", "url": "http://127.0.0.1:1/a", '
            . '"url": "http://127.0.0.1:1/b"}',
        read => '{"payment": {"status": "AUTHORIZED", "status": "INITIATED"}}',
        event => '{"eventType": "CARD_PAYMENT_AUTHORIZED", "paymentId": "a", '
            . '"paymentId": "b", "externalPaymentReference": "REFERENCE"}',
        other => '{"a": 1, "a": 2}',
    },
    'huge numbers' => { other => '{"a": 123456789012345678901234567890}' },
);

# changes to the true reply, where that is easier than writing one
my %EDIT = (
    token   => { expires_in                  => 1e300 },
    create  => { paymentId                   => 1e300 },
    read    => { 'payment.authorizedAmount'  => 1e300 },
    capture => { referenceId                 => 1e300 },
    event   => { amount                      => 1e300 },
);

# what a read shows before it shows what was done
my %HIDDEN = (
    capture => { 'payment.status' => 'AUTHORIZED',
        'payment.capturedAmount' => 0 },
    cancel  => { 'payment.status' => 'INITIATED' },
    replace => { 'payment.status' => 'INITIATED' },
    release => { 'payment.status' => 'AUTHORIZED' },
    refund  => { 'payment.refundedAmount' => 0 },
);

# the reply is like that of another call
my %LIKE = (gate => 'read', refund => 'capture');


sub columns { return map { $_->[0] } @COLUMNS }


sub rows { return map { $_->[0] } @ROWS }


# Every request of a cell meets its fault: a cell is a merchant of its own.

sub fault {
    my ($row, $call, $merchant, $reference) = @_;

    my $r = $ROW{$row};
    my $c = $CALL{$call};
    my $like = $LIKE{$call} // $call;

    my %fault = (
        match => $c->{sim},
        agent => $merchant,
        times => 0,
        work  => $r->{done},
        %{ $r->{fault} },
    );

    if ($c->{sim} eq 'subscriptions') {
        $fault{contains} =
            { list => 'GET /', subscribe => 'POST /' }->{$call} // 'DELETE /';
    }

    if ($row eq 'another payment') {

        # which is said of nothing else
        @fault{qw(action set)} = ('none', {})
            unless $call =~ /^(?:read|gate)$/;

    } elsif ($r->{kind} eq 'odd') {
        if ($row eq 'huge numbers' && $EDIT{$like}) {
            delete $fault{status};
            @fault{qw(action set)} = ('edit', $EDIT{$like});

        } else {
            $fault{octets} = $TEXT{$row}{$like} // $TEXT{$row}{other};
            $fault{octets} =~ s/REFERENCE/$reference/;
        }

    } elsif ($c->{needs} eq 'nothing'
        && $row =~ /reset after|wrong length|stall in/)
    {
        # nothing cannot be cut off
        $fault{body} = { message => 'it was done' };

    } elsif (($fault{status} // 0) >= 400) {
        $fault{body} //= { message => "Payer says $fault{status}" };
    }

    # nor can a 204, which is what Payer says to a subscription
    $fault{status} //= 200 if $call eq 'subscribe'
        && $row =~ /reset after|truncated|wrong length|stall in|1 MiB/;

    my @more;

    push @more, { %fault, status => undef, body => undef, times => 1,
        work => $r->{done}, %{ $r->{first} } } if $r->{first};

    push @more, { match => 'read', agent => $merchant, times => 0,
        action => 'edit', set => $HIDDEN{$call} }
        if $r->{kind} eq 'hidden' && $HIDDEN{$call};

    return @more, \%fault;
}


sub late { return $ROW{ $_[0] }{kind} eq 'late' }


sub done { return $ROW{ $_[0] }{done} }


# The outcome of the call: there are these, and no others.

sub outcome {
    my ($r, $c) = @_;
    my $kind = $r->{kind};

    return 'done' if $kind eq 'fine';

    return $c->{needs} eq 'nothing' ? 'done' : 'unclear' if $kind eq 'empty';

    return (grep { $_ eq $c->{name} } @{ $HARMS{ $r->{name} } })
        ? 'unclear' : 'done'
        if $kind eq 'odd';

    # that it was handled before is said of no call that changes nothing, and
    # to ask such a one again leaves no doubt
    return $c->{changes} ? 'handled' : 'refused'
        if $kind =~ /^(?:handled|doubted|hidden)$/;

    return { denied => 'denied', page => 'page', missing => 'refused', busy => 'busy' }
        ->{$kind} // 'unclear';
}


# How often a call is sent, payer_tries being 2.  What has come is not asked
# for again, unless Payer says that it was too busy or had an error.

sub sends {
    my ($r, $c) = @_;

    # the token is asked for once; the next request asks anew
    return 1 if $c->{name} eq 'token';

    return 1 if $r->{name} eq '429, for an hour';
    return 2 if $r->{name} eq '401';            # with a new token

    return { lost => 2, doubted => 2, trouble => 2, busy => 2 }->{ $r->{kind} } // 1;
}


sub expected {
    my ($row, $call) = @_;

    my $r = $ROW{$row};
    my $c = $CALL{$call};
    my $outcome = outcome($r, $c);

    my %e = (
        type     => '',
        retry    => 0,
        shop     => 0,
        examined => 0,
        unknown  => 0,
        again    => 200,
        replayed => 0,
    );
    my %calls = ($c->{sim} => sends($r, $c));

    $calls{token} = 1 if $row eq '401';         # and never a third one

    my $rule = {
        token => \&_token, create => \&_create, replace => \&_replace,
        gate  => \&_gate,  event  => \&_event,  ack     => \&_ack,
        read  => \&_safe,  list   => \&_safe,
        subscribe => \&_subscribe, unsubscribe => \&_subscribe,
    }->{$call} // \&_operation;

    $rule->($r, $c, $outcome, \%e, \%calls);

    $e{calls} = join ', ', map {"$_ $calls{$_}"}
        grep { $calls{$_} } sort keys %calls;
    $e{retry} = 1 if $e{status} == 503;

    return \%e;
}


# What whoever called is told when it is not done.  Of a call that changes
# something nobody may be told that nothing has happened.

sub _trouble {
    my ($r, $c, $outcome, $e) = @_;

    if ($outcome eq 'busy') {
        $e->{status} = 503;

    } elsif ($outcome eq 'denied' || $outcome eq 'page') {
        $e->{status} = 502;

    } else {
        $e->{status} = $r->{kind} eq 'late'
            || $r->{kind} eq 'lost' && $c->{changes} ? 504 : 502;
        $e->{type} = 'outcome-unknown' if $c->{changes};
    }
}


# The buyer is told that it did not work, and the next visit has its link.

sub _token {
    my ($r, $c, $outcome, $e, $calls) = @_;

    $e->{again} = 303;
    $e->{books} = 'links 1';
    $calls->{token} = 1;

    if ($outcome eq 'done') {
        @$e{qw(status examined)} = (303, 1);
        $calls->{create} = 1;
        return;
    }

    $e->{status} = $r->{kind} eq 'late' ? 504
        : $outcome eq 'busy' ? 503 : 502;
}


# A link whose reply was not understood is known to nobody: the next visit
# makes another one.

sub _create {
    my ($r, $c, $outcome, $e, $calls) = @_;

    @$e{qw(again books)} = (303, 'links 1');

    if ($outcome eq 'done') {
        @$e{qw(status examined)} = (303, 1);
        return;
    }

    my $links = 1 + $r->{done};

    if ($outcome eq 'handled') {

        # one more, under another id, and then it is given up
        $calls->{create}++;
        $links = 1 + 2 * $r->{done} unless $r->{kind} eq 'doubted';
        $e->{status} = 502;

    } elsif ($outcome eq 'refused') {
        $e->{status} = 502;

    } else {
        _trouble($r, $c, $outcome, $e);
    }

    $e->{books} = "links $links";
}


# There is no other link before the old one is known to be cancelled.

sub _replace {
    my ($r, $c, $outcome, $e, $calls) = @_;

    @$e{qw(again examined books)} = (303, 1, 'links 2, live 1');

    my $shown = $r->{done} && $r->{kind} ne 'hidden';

    if ($outcome eq 'done' || $outcome eq 'handled' && $shown) {
        $e->{status} = 303;
        $calls->{create} = 1;
        $calls->{read}   = 1 if $outcome eq 'handled';

    } elsif ($outcome eq 'unclear') {
        _trouble($r, $c, $outcome, $e);

    } else {

        # Payer did not cancel it, so it is asked how the payment stands
        $e->{status} = 503;
        $calls->{read} = 1;
    }
}


# Nobody gets in, and nobody is told that he has not paid.

sub _gate {
    my ($r, $c, $outcome, $e) = @_;

    $e->{status}   = $outcome eq 'done' ? 200 : 503;
    $e->{examined} = $outcome eq 'done' ? 0   : 1;
}


sub _safe {
    my ($r, $c, $outcome, $e) = @_;

    # an order that is not paid is always looked at
    $e->{examined} = 1 if $c->{name} eq 'read';

    if ($outcome eq 'done') {
        $e->{status} = $r->{name} eq '204' ? 204 : 200;

    } elsif ($outcome eq 'refused') {
        $e->{status} = $r->{fault}{status};

    } else {
        _trouble($r, $c, $outcome, $e);
    }
}


# Payer calls again after 503.  The order is read, the shop told, the event
# acknowledged, each only after the one before.

sub _event {
    my ($r, $c, $outcome, $e, $calls) = @_;

    $e->{books} = 'acked 1, shop 1';

    if ($outcome ne 'done') {
        $e->{status}   = $r->{kind} eq 'missing' ? 404 : 503;
        $e->{examined} = 1;
        return;
    }

    my $named = $r->{name} ne 'missing fields';

    @$e{qw(status shop examined)} = (200, 1, $named ? 0 : 1);
    $calls->{read} = 1 if $named;
    $calls->{ack}  = 1;
}


sub _ack {
    my ($r, $c, $outcome, $e, $calls) = @_;

    # an event that Payer does not know any more is acknowledged
    $e->{status} = $outcome eq 'done' || $r->{kind} eq 'missing' ? 200 : 503;

    # the shop is not told again
    @$e{qw(shop books)} = (1, 'acked 1, shop 1');
    @$calls{qw(event read)} = (1, 1);
}


# The list tells whether it was handled; a repeat does no harm.

sub _subscribe {
    my ($r, $c, $outcome, $e, $calls) = @_;

    # what is new is 204, and what Payer has handled before is shown
    $e->{again} = 204 if $c->{name} eq 'subscribe' && !$r->{done};

    if ($outcome eq 'handled') {
        $calls->{subscriptions}++;
        $e->{status} = 200;
        return;
    }

    _safe($r, $c, $outcome, $e);

    $e->{status} = 204 if $c->{name} eq 'subscribe'
        && $r->{name} =~ /^(?:no fault|another payment)$/;
}


# An operation is recorded as done, as refused, as unknown, or not at all when
# nothing has happened.

sub _operation {
    my ($r, $c, $outcome, $e, $calls) = @_;

    my $name = $c->{name};
    my $record;

    # an order that is not known to be paid is always looked at
    my $open = $name eq 'refund' ? 0 : 1;

    if ($outcome eq 'done') {
        $record = 'done';
        $e->{status} = $r->{name} eq '204' ? 204 : 200;

    } elsif ($outcome eq 'refused') {
        $record = 'refused';
        $e->{status} = $r->{fault}{status};

    } elsif ($outcome eq 'handled') {
        $calls->{read} = 1;

        if ($r->{done} && $r->{kind} ne 'hidden') {
            $record = 'done';
            $e->{status} = 200;
            $open = 0 unless $name eq 'cancel';

        } else {

            # what does not show yet may still come
            $record = 'unknown';
            @$e{qw(status type)} = (504, 'outcome-unknown');
        }

    } else {
        $record = $outcome eq 'unclear' ? 'unknown' : 'nothing';
        _trouble($r, $c, $outcome, $e);
    }

    _afterwards($r, $name, $record, $open, $e);
}


# The operation is in Payer's books once, however it was found out.

sub _afterwards {
    my ($r, $name, $record, $open, $e) = @_;

    my $times = 1;

    # an operation in doubt may be repeated with its key
    $e->{retry} = 1 if $e->{type} eq 'outcome-unknown';

    if ($record eq 'done' || $record eq 'refused') {
        $e->{again}    = $e->{status};
        $e->{replayed} = 1;
        $e->{examined} = $record eq 'done' ? 0 : $open;
        $times = 0 if $record eq 'refused';

    } elsif ($record eq 'nothing') {
        $e->{examined} = $open;

    } else {

        # one read is for the operation and for the order that it is about,
        # but for a cancel that Payer does not show: the link is in doubt, too
        $e->{examined} = $name eq 'cancel' && !$r->{done} ? 2 : 1;

        # what shows is settled by reconcile, the rest in ten minutes
        $e->{ $r->{done} ? 'replayed' : 'unknown' } = 1;
    }

    $e->{books} = {
        capture => 'captured ' . 5000 * $times,
        refund  => 'refunded ' . 5000 * $times,
        release => 'released ' . 12900 * $times,
        cancel  => 'live ' . (1 - $times),
    }->{$name};
}

1;
