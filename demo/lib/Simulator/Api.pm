package Simulator::Api;

# The calls Payer offers, one row of the table each.  A call gets the request
# and answers [status, body]; refusals travel as exceptions [status, message].

use Mojo::Base -base, -signatures;

use B ();
use Mojo::JSON qw(decode_json encode_json);
use Mojo::Util qw(b64_decode);

has [qw(books events)];

my $PAY    = '/api/v2/payments';
my $EVENTS = '/api/v1/events';

# name, method, path, handler; all but the first need a token
my @CALLS = (
    [ token   => 'POST', '/oauth2/token',                        '_token' ],
    [ create  => 'POST', "$PAY/cards/direct",                    '_create' ],
    [ read    => 'GET',  "$PAY/{id}",                            '_read' ],
    [ capture => 'POST', "$PAY/{id}/cards/capture",              '_capture' ],
    [ cancel  => 'PUT',  "$PAY/{id}/cards/cancel",               '_cancel' ],
    [ release => 'PUT',  "$PAY/{id}/cards/authorize/release",    '_release' ],
    [ refund  => 'POST', "$PAY/{id}/cards/refund-and-credit",    '_refund' ],
    [ subscriptions => 'POST',   "$EVENTS/callbacks",         '_subscribe' ],
    [ subscriptions => 'GET',    "$EVENTS/callbacks",              '_list' ],
    [ subscriptions => 'DELETE', "$EVENTS/callbacks",       '_unsubscribe' ],
    [ event         => 'GET',    "$EVENTS/{id}",                  '_event' ],
    [ ack           => 'GET',    "$EVENTS/{id}/ack",                '_ack' ],
);

for my $call (@CALLS) {
    my $re = join '([^/]+)', map {quotemeta} split /\{id\}/, $call->[2], -1;
    $call->[2] = qr/\A$re\z/;
}


# Which call a request is.  A known path with another method keeps the name
# and gets 405.

sub route ($self, $method, $path) {
    my ($wrong, %allow);

    for my $call (@CALLS) {
        my ($name, $want, $re, $handler) = @$call;

        next unless $path =~ $re;

        return { name => $name, run => $handler, id => $1 }
            if $method eq $want;

        $wrong //= $name;
        $allow{$want} = 1;
    }

    return {
        name  => $wrong // 'unknown',
        allow => $wrong ? join(', ', sort keys %allow) : undef
    };
}


# Runs one call.  Returns a hash: status, type, body, headers.

sub call ($self, $route, $req) {
    my $reply = eval { $self->_call($route, $req) };

    if (my $e = $@) {
        die $e unless ref $e eq 'ARRAY';
        my ($status, $message, $more) = @$e;

        $reply = _json($status, { message => $message, %{ $more // {} } });

        $reply->{headers}{'WWW-Authenticate'} =
            $route->{name} eq 'token' ? 'Basic realm="payer"' : 'Bearer'
            if $status == 401;

        $reply->{headers}{Allow} = $route->{allow} if $status == 405;
    }

    return $reply;
}


sub _call ($self, $route, $req) {
    my $run = $route->{run};

    _refuse(405, 'Method not allowed') if $route->{allow};
    _refuse(404, 'No such resource') unless $run;

    if ($route->{name} ne 'token') {
        my ($bearer) =
            ($req->headers->authorization // '') =~ /\ABearer ([^\s]+)\z/i;

        $req->{agent} = defined $bearer
            ? $self->books->agent_of($bearer) : undef;

        _refuse(401, 'Access token is missing, expired or revoked')
            unless defined $req->{agent};

        my $id = $req->headers->header('Payer-Request-ID');

        if ($req->method ne 'GET' && defined $id) {
            $self->books->claim_request_id($req->{agent}, $id);
            $req->{request_id} = $id;
        }
    }

    return $self->$run($req, $route->{id});
}


sub _refuse ($status, $message, $more = undef) {
    die [ $status, $message, $more ];
}


sub _json ($status, $data) {
    return {
        status => $status,
        type   => 'application/json;charset=UTF-8',
        body   => encode_json($data),
        data   => $data
    };
}


sub _empty ($status = 200) { { status => $status, body => '' } }


# Body of a call: a JSON object, or nothing where that is allowed.

sub _body ($req, $optional = 0) {
    my $bytes = $req->body;

    return {} if $optional && $bytes eq '';

    my $data = eval { decode_json($bytes) };

    _refuse(400, 'Body is not a JSON object') unless ref $data eq 'HASH';

    return $data;
}


# Only a JSON number without fraction is an integer; "100" is a string.

sub _is_integer ($value) {
    return 0 if ref $value || !defined $value;

    my $flags = B::svref_2object(\$value)->FLAGS;

    return 0 if $flags & B::SVf_POK || !($flags & B::SVf_IOK);
    return $value == int $value;
}


sub _need_amount ($in, $field = 'amount') {
    _refuse(400, "$field must be a positive integer in minor units")
        unless _is_integer($in->{$field}) && $in->{$field} > 0;
}


sub _need_string ($in, $field, $re, $what) {
    my $value = $in->{$field};

    _refuse(400, "$field must be $what")
        unless defined $value && !ref $value && $value =~ $re;
}


sub _token ($self, $req, $) {
    my ($basic) = ($req->headers->authorization // '') =~ /\ABasic (\S+)\z/i;

    _refuse(401, 'Client credentials are missing',
        { error => 'invalid_client' }) unless defined $basic;

    my ($agent, $secret) = split /:/, b64_decode($basic), 2;

    _refuse(400, 'Body must be a form', { error => 'invalid_request' })
        unless ($req->headers->content_type // '') =~
        m{\Aapplication/x-www-form-urlencoded\b}i;

    _refuse(400, 'grant_type must be client_credentials',
        { error => 'unsupported_grant_type' })
        unless ($req->body_params->param('grant_type') // '') eq
        'client_credentials';

    my $reply =
        $self->books->issue_token($agent // '', $secret // '');

    my $answer = _json(200, $reply);
    $answer->{headers}{'Cache-Control'} = 'no-store';

    return $answer;
}


sub _create ($self, $req, $) {
    my $in = _body($req);

    _need_amount($in);
    _need_string($in, 'currencyCode', qr/\A[A-Z]{3}\z/,
        'three capital letters');
    _need_string($in, 'externalPaymentReference',
        qr/\A[^\x00-\x1f\x7f]{1,255}\z/,
        'a string of 1 to 255 characters');
    _need_string($in, 'languageCode', qr/\A[a-z]{2}\z/, 'an ISO 639-1 code');

    _need_string($in, $_, qr{\Ahttps?://[^/\s\x00-\x1f]+[^\s\x00-\x1f]*\z},
        'an absolute URL')
        for qw(redirectOnSuccessURL redirectOnFailURL backToShopURL);

    _refuse(400, 'orderId must be a string or null')
        if ref $in->{orderId}
        || defined $in->{orderId} && !length $in->{orderId};

    my $p = $self->books->create($req->{agent}, $in);

    return _json(200, {
        paymentId => $p->{id},
        url       => $self->books->url_of($p),
        token     => $p->{token}
    });
}


# beyond the facts: which further fields a payment has, and the fields of an
# operation besides operationId and createdDate.

sub _read ($self, $req, $id) {
    my $books = $self->books;
    my $p     = $books->seen($books->find($req->{agent}, $id));

    my @operations = map {
        my $op = $_;
        +{  map { $_ => $op->{$_} }
                qw(operationId createdDate operationType amount description)
        }
    } @{ $p->{operations} };

    return _json(200, {
        payment => {
            id                       => $p->{id},
            status                   => $books->status($p),
            amount                   => $p->{amount},
            authorizedAmount         => $p->{authorized},
            capturedAmount           => $p->{captured},
            $books->settings->{refunded_amount}
                ? (refundedAmount => $p->{refunded}) : (),
            currencyCode             => $p->{currencyCode},
            externalPaymentReference => $p->{externalPaymentReference},
            orderId                  => $p->{orderId},
            createdDate              => $books->iso($p->{created}),
            paymentOperations        => \@operations,
        }
    });
}


sub _capture ($self, $req, $id) {
    my $in = _body($req, 1);
    my $p  = $self->books->find($req->{agent}, $id);

    _need_amount($in) if defined $in->{amount};

    my $op = $self->books->capture($p, $in, $req->{request_id});

    # beyond the facts: the names of the two receipt URLs
    my $receipt = defined $p->{orderId}
        ? $self->books->public_url . "/receipt/$op->{operationId}" : undef;

    return _json(200, {
        referenceId     => $op->{operationId},
        receiptUrl      => $receipt,
        receiptPrintUrl => $receipt && "$receipt/print"
    });
}


sub _cancel ($self, $req, $id) {
    $self->books->cancel($self->books->find($req->{agent}, $id));

    return _empty;
}


sub _release ($self, $req, $id) {
    my $books = $self->books;

    $books->release($books->find($req->{agent}, $id), $req->{request_id});

    return _empty;
}


sub _refund ($self, $req, $id) {
    my $in = _body($req);
    my $p  = $self->books->find($req->{agent}, $id);

    _need_amount($in);

    my $op = $self->books->refund($p, $in, $req->{request_id});

    return _json(200, { referenceId => $op->{operationId} });
}


sub _subscribe ($self, $req, $) {
    $self->events->subscribe($req->{agent}, _subscription($req));

    return _empty 204;
}


sub _list ($self, $req, $) {
    return _json(200, $self->events->subscriptions($req->{agent}));
}


sub _unsubscribe ($self, $req, $) {
    my ($type, $url) = _subscription($req);

    _refuse(404, 'No such subscription')
        unless $self->events->unsubscribe($req->{agent}, $type, $url);

    return _empty;
}


sub _subscription ($req) {
    my $query = $req->query_params;
    my ($type, $url) = map { $query->param($_) } qw(type url);

    _refuse(400, 'type is missing or unknown')
        unless defined $type && Simulator::Events::known_type($type);
    _refuse(400, 'url must be an absolute URL')
        unless defined $url && $url =~ m{\Ahttps?://[^/\s]+};

    return $type, $url;
}


sub _event ($self, $req, $token) {
    my $event = $self->events->find($req->{agent}, $token);

    _refuse(404, 'Event not found') if !$event || $event->{acked};

    $event->{fetched}++;

    return _json(200,
        { type => $event->{type}, payload => $event->{payload} });
}


sub _ack ($self, $req, $token) {
    my $event = $self->events->find($req->{agent}, $token)
        or _refuse(404, 'Event not found');

    # beyond the facts: the second acknowledgement
    my $again = $self->books->settings->{ack_again};

    _refuse($again, 'Event not found') if $event->{acked} && $again >= 400;

    $self->events->acknowledge($event);

    return _empty;
}

1;
