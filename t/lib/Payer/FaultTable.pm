package Payer::FaultTable;

# Runs the cells of t/230.fault-table.t and writes the table.  A cell is one
# call that meets one fault.  Each has a merchant of its own, so that all run
# in one nginx, many at the same time, and every request that Payer sees tells
# to which cell it belongs.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use Payer::Faults ();
use Payer::HTTP qw(at_once);
use Payer::Shop;
use Payer::Sim qw(sim sim_config faults journal);
use Payer::Test ();

our @EXPORT = qw(cells locations wide_http run_cells never differences table);

my $SLOW = $ENV{PAYER_TEST_SLOW} // 1;

# together, so that a cell that waits costs nothing
my $BATCH = 100;

my $shop = shop_start();

my $checkout = <<'EOF';
payer_checkout;
            payer_reference       $arg_order public;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
EOF

# what a location of each name does
my %DOOR = (
    checkout      => "$checkout            payer_amount 12900;",
    replace       => "$checkout            payer_amount 9900;",
    thanks        => "payer_verify \$arg_order; payer_verify_cache 0;\n"
        . '            try_files /dev/null @paid;',
    events        => 'payer_events; payer_event_pass /shop/event;',
    subscriptions => 'payer_subscriptions; payer_allow 127.0.0.1;',
    map { $_ => "payer_$_; payer_allow 127.0.0.1;" }
        qw(payment capture cancel release refund reconcile),
);

# how a cell of each call begins, and what is then tried
my %PLAN = (
    token       => [ [],                      'checkout' ],
    create      => [ [qw(warm)],              'checkout' ],
    replace     => [ [qw(checkout)],          'replace' ],
    read        => [ [qw(checkout)],          'payment' ],
    gate        => [ [qw(checkout pay)],      'thanks' ],
    capture     => [ [qw(checkout pay)],      'capture' ],
    cancel      => [ [qw(checkout)],          'cancel' ],
    release     => [ [qw(checkout pay)],      'release' ],
    refund      => [ [qw(checkout pay take)], 'refund' ],
    event       => [ [qw(subscribe checkout pay)], 'events' ],
    ack         => [ [qw(subscribe checkout pay)], 'events' ],
    list        => [ [qw(warm)],              'subscriptions' ],
    subscribe   => [ [qw(warm)],              'subscriptions' ],
    unsubscribe => [ [qw(subscribe)],         'subscriptions' ],
);

# nobody listens there: the tests make Payer's calls
my $nowhere = 'http://127.0.0.1:' . Payer::Test::free_port() . '/';


sub cells {
    my ($rows, $columns) = @_;
    my (@cells, $n);

    for my $row (@$rows) {
        for my $call (@$columns) {
            my $id = 'c' . ++$n;

            push @cells, {
                id       => $id,
                row      => $row,
                call     => $call,
                order    => "order-$id",
                expected => Payer::Faults::expected($row, $call),
            };
        }
    }

    return @cells;
}


# All merchants have to find room in the zone.

sub wide_http {
    my $http = Payer::Test::payer_http();

    $http =~ s/(payer_zone\s+\w+) 1m/$1 32m/ or die 'where is the zone?';

    return "$http    upstream shop { server 127.0.0.1:$shop; }\n";
}


# The locations of all cells.  Those under try/ are where the fault is met.

sub locations {
    my (@cells) = @_;

    my $text = <<'EOF';
        payer_tries    2;
        payer_timeout  60s;

        location @paid { payer_verify off; return 200 "paid\n"; }
        location = /shop/event { internal; proxy_pass http://shop; }
EOF

    for my $cell (@cells) {
        my $door = $PLAN{ $cell->{call} }[1];
        my %doors = map { $_ => 1 } $door, qw(checkout subscriptions reconcile
            capture);
        my $late = Payer::Faults::late($cell->{row})
            ? 'payer_timeout ' . 1200 * $SLOW . 'ms;' : '';

        $text .= "        location /$cell->{id}/ {\n"
            . "            payer_client_id $cell->{id};\n"
            . join('', map {
                "            location = /$cell->{id}/$_ { $DOOR{$_} }\n"
            } sort keys %doors)
            . "            location = /$cell->{id}/try/$door "
            . "{ $DOOR{$door} $late }\n        }\n";
    }

    return $text;
}


# Fills in what was seen.

sub run_cells {
    my (@cells) = @_;

    my (undef, $secret) = Payer::Test::merchant();

    shop_reset();
    sim_config(event_calls => 1,
        merchants => { map { $_->{id} => $secret } @cells });

    _begin(@cells);

    sim('DELETE', 'journal');
    faults(map {
        Payer::Faults::fault(@$_{qw(row call id order)})
    } @cells);

    # what has little time is not to wait for the others
    my @late = grep { Payer::Faults::late($_->{row}) } @cells;
    my @others = grep { !Payer::Faults::late($_->{row}) } @cells;

    _each(first => 'try/', @others);
    _each(first => 'try/', @late);

    _note_calls(first => @cells);
    _note_shop(@cells);
    sim('DELETE', 'faults');

    _send(reconcile => sub { [ POST => "/$_[0]{id}/reconcile" ] }, @cells);

    sim('DELETE', 'journal');
    _each(second => '', @cells);
    _note_calls(second => @cells);
    _note_books(@cells);

    $_->{seen} = _seen($_) for @cells;
}


# Many at once; $make gives the request of a cell.

sub _send {
    my ($name, $make, @cells) = @_;

    while (my @some = splice @cells, 0, $BATCH) {
        my @answers = Payer::Test::together(map {
            my ($method, $path, @option) = @{ $make->($_) };
            [ $method, $path, timeout => 90, @option ];
        } @some);

        $some[$_]{$name} = $answers[$_] for 0 .. $#some;
    }
}


my %BEGINNING = (
    warm      => sub { [ GET => "/$_[0]{id}/subscriptions" ] },
    subscribe => sub { _subscription('POST', "/$_[0]{id}/subscriptions") },
    checkout  => sub { [ GET => "/$_[0]{id}/checkout?order=$_[0]{order}" ] },
    take      => sub {
        [ POST => "/$_[0]{id}/capture",
            form => { reference => $_[0]{order} } ];
    },
);


sub _begin {
    my (@cells) = @_;

    for my $step (qw(warm subscribe checkout pay take)) {
        my @those = grep {
            grep { $_ eq $step } @{ $PLAN{ $_->{call} }[0] }
        } @cells;

        if ($step eq 'pay') {
            _pay(@those);
            next;
        }

        _send(begin => $BEGINNING{$step}, @those);

        for my $cell (@those) {
            $cell->{begin}->status =~ /^(?:200|204|303)$/
                or die "$step of $cell->{id}: $cell->{begin}\n";
        }
    }

    my @told = grep { $DOOR{ $PLAN{ $_->{call} }[1] } =~ /payer_events/ }
        @cells;
    my %token;

    Payer::Test::wait_until(sub {
        %token = map { $_->{reference} => $_->{token} }
            @{ Payer::Sim::events() };
        return keys %token == @told;
    }, 20) or die "Payer does not have all events\n";

    $_->{token} = $token{ $_->{order} } for @told;
}


sub _pay {
    my (@cells) = @_;

    my $port = $ENV{TEST_NGINX_SIM_PORT};
    my @answers = at_once($port, map {
        [ POST => '/_sim/pay', timeout => 90,
            json => { reference => $_->{order} } ]
    } @cells);

    for my $answer (@answers) {
        $answer->status == 200 && $answer->json->{outcome} eq 'authorized'
            or die "not paid: $answer\n";
    }
}


sub _subscription {
    my ($method, $path) = @_;

    return [ $method, $path, form => {
        type => 'CARD_PAYMENT_AUTHORIZED',
        url  => $nowhere,
    }, headers => { 'Idempotency-Key' => 'the same' } ];
}


# The request that meets the fault, and the same one again.

sub _each {
    my ($name, $where, @cells) = @_;

    _send($name => sub {
        my ($cell) = @_;
        my ($call, $door) = ($cell->{call}, $PLAN{ $cell->{call} }[1]);
        my $path = "/$cell->{id}/$where$door";

        return _subscription('POST', $path) if $call eq 'subscribe';
        return _subscription('DELETE', $path) if $call eq 'unsubscribe';
        return [ GET => $path ] if $call eq 'list';
        return [ GET => "$path?token=$cell->{token}" ] if $door eq 'events';
        return [ GET => "$path?reference=$cell->{order}" ]
            if $call eq 'read';
        return [ GET => "$path?order=$cell->{order}" ]
            if $door =~ /^(?:checkout|replace|thanks)$/;

        return [ POST => $path,
            headers => { 'Idempotency-Key' => 'the same' },
            form    => {
                reference => $cell->{order},
                $call =~ /^(?:capture|refund)$/ ? (amount => 5000) : ()
            } ];
    }, @cells);
}


# What reached Payer, by the merchant that each request names.

sub _note_calls {
    my ($name, @cells) = @_;
    my %calls;

    push @{ $calls{ $_->{agent} // '' } }, $_ for journal();

    $_->{"$name calls"} = $calls{ $_->{id} } // [] for @cells;
}


sub _note_shop {
    my (@cells) = @_;
    my %told = _told();

    $_->{shop} = $told{ $_->{token} // '' } // 0 for @cells;
}


# How often the shop was told of each event.

sub _told {
    my %told;

    for my $request (shop_requests()) {
        my %head = map { lc $_->[0] => $_->[1] } @{ $request->{headers} };
        $told{ $head{'x-payer-event-token'} }++;
    }

    return %told;
}


sub _note_books {
    my (@cells) = @_;

    my $books = sim('GET', 'books');
    my %acked = map { $_->{token} => $_->{acked} ? 1 : 0 }
        @{ Payer::Sim::events() };
    my %told = _told();
    my %links;

    push @{ $links{ $_->{reference} } }, $_->{url} for @{ $books->{payments} };

    for my $cell (@cells) {
        my $ours = $books->{references}{ $cell->{order} } // {};

        $cell->{links} = $links{ $cell->{order} } // [];
        $cell->{books} = {
            live => $ours->{liveLinks},
            (map { $_ => $ours->{$_} } qw(links captured refunded released)),
            $cell->{token}
            ? (acked => $acked{ $cell->{token} },
                shop => $told{ $cell->{token} } // 0)
            : (),
        };
    }
}


# What a cell has to show for itself, named as in Payer::Faults.

sub _seen {
    my ($cell) = @_;

    my ($first, $second) = @$cell{qw(first second)};
    my $sums = eval { $cell->{reconcile}->json } // {};
    my $resent = grep { $_->{call} eq $cell->{call} }
        @{ $cell->{'second calls'} };

    my %seen = (
        status   => $first->status,
        type     => (_problem($first) // {})->{type} // '',
        retry    => ($first->header('Retry-After') // 0) >= 1 ? 1 : 0,
        calls    => _counted(@{ $cell->{'first calls'} }),
        shop     => $cell->{shop},
        examined => $sums->{examined},
        unknown  => $sums->{stillUnknown},
        again    => $second->status,
        replayed => $second->header('Idempotency-Replayed') && !$resent
        ? 1 : 0,
    );

    # those of the sums that the rule speaks of
    my @sums = ($cell->{expected}{books} // '') =~ /([a-z]+)/g;

    $seen{books} = join ', ', map {"$_ $cell->{books}{$_}"} @sums if @sums;
    $seen{never} = join ', ', never($cell);

    return \%seen;
}


sub _counted {
    my (@entries) = @_;
    my %count;

    $count{ $_->{call} }++ for @entries;

    return join ', ', map {"$_ $count{$_}"} sort keys %count;
}


sub _problem {
    my ($answer) = @_;

    return undef
        unless ($answer->header('Content-Type') // '') =~ /problem\+json/;
    return eval { $answer->json };
}


# What must not be, whatever the fault: says what was.

sub never {
    my ($cell) = @_;
    my @wrong;

    for my $answer (@$cell{qw(first second)}) {
        my $to = $answer->header('Location');

        push @wrong, 'sent to an address that is not a link of the order'
            if defined $to && !grep { $_ eq $to } @{ $cell->{links} };

        push @wrong, 'a secret in the answer'
            if grep { index($answer->raw, $_) >= 0 } _secrets($cell);

        push @wrong, "no whole answer: $answer" if $answer->error;
    }

    return @wrong, _never_problem($cell), _never_resent($cell);
}


sub _secrets {
    my ($cell) = @_;
    my (undef, $secret) = Payer::Test::merchant();

    return $secret, map { /^(?:Basic|Bearer) (.+)/ ? $1 : () }
        map { _header($_, 'authorization') }
        map { @{ $cell->{$_} } } 'first calls', 'second calls';
}


sub _header {
    my ($entry, $name) = @_;

    return map { lc $_->[0] eq $name ? $_->[1] : () } @{ $entry->{headers} };
}


# A problem says which call it is about, and an unknown outcome by which id
# Payer can be asked about it.

sub _never_problem {
    my ($cell) = @_;

    my $answer = $cell->{first};
    my $problem = _problem($answer);

    if (!$problem) {
        return if $answer->status < 400 || $cell->{call} eq 'gate';
        return $answer->body =~ /"Payer says/
            ? () : 'a refusal that is neither a problem nor what Payer says';
    }

    my ($type, $id) = map { $_ // '' } @$problem{qw(type requestId)};
    my @wrong;

    push @wrong, 'a problem of another status'
        if $problem->{status} != $answer->status;
    push @wrong, 'a problem without title, detail or operation'
        if grep { !length($problem->{$_} // '') } qw(title detail operation);

    return @wrong unless $type eq 'outcome-unknown';

    push @wrong, 'an unknown outcome without the id of its request'
        unless grep { $_ eq $id }
        map { _header($_, 'payer-request-id') } @{ $cell->{'first calls'} };

    return @wrong;
}


# A call that changes something is not sent a second time under another id.
# A link may be asked for anew, since nobody could make use of one whose reply
# was lost, and cancelled anew by each visit.

sub _never_resent {
    my ($cell) = @_;
    my (%ids, @wrong);

    for my $visit ('first calls', 'second calls') {
        for my $entry (@{ $cell->{$visit} }) {
            next if $entry->{method} eq 'GET' || $entry->{call} eq 'token';

            my ($id) = _header($entry, 'payer-request-id');
            my $scope = $entry->{call};

            push @wrong, "$entry->{call} without an id" unless defined $id;

            $scope .= " of the $visit"
                if $cell->{call} =~ /^(?:token|create|replace)$/;
            $ids{$scope}{ $id // '' } = 1;
        }
    }

    for my $scope (sort keys %ids) {
        my $most = $scope =~ /^create/ && $cell->{row} =~ /^(?:409|lost)/
            ? 2 : 1;

        push @wrong, "$scope was sent as several requests"
            if keys %{ $ids{$scope} } > $most;
    }

    return @wrong;
}


# In what a cell is not as expected, one text each.

sub differences {
    my ($expected, $seen) = @_;
    my %want = (never => '', %$expected);

    return map {
        my ($is, $should) = map { $_ // 'nothing' } $seen->{$_}, $want{$_};
        $is eq $should ? () : "$_ is $is, not $should";
    } sort keys %want;
}


# The table: a line for each fault, a column for each call.

sub table {
    my (@cells) = @_;
    my (%line, @rows, @columns, %known);

    for my $cell (@cells) {
        push @rows, $cell->{row} unless $known{"row $cell->{row}"}++;
        push @columns, $cell->{call} unless $known{"call $cell->{call}"}++;

        $line{ $cell->{row} }{ $cell->{call} } = _code($cell)
            . (differences(@$cell{qw(expected seen)}) ? '!' : '');
    }

    my $head = 4 + (sort { $b <=> $a } map {length} @rows)[0];
    my $print = sub {
        my ($name, @texts) = @_;

        return join '', sprintf('%-*s', $head, $name), map {
            sprintf '%-*s', 9 + 3 * (length($columns[$_]) > 8), $texts[$_]
        } 0 .. $#columns;
    };

    return join "\n", _legend(), $print->('', @columns), map {
        my $row = $_;
        $print->((Payer::Faults::done($row) ? '* ' : '  ') . $row,
            map { $line{$row}{$_} // '' } @columns);
    } @rows;
}


sub _legend {
    return (
        '* before a fault: Payer has done what it was asked for.',
        'In a cell: what the caller was told, how often the call was sent,',
        'and what the record says of it.',
        '  303, 502 ...  the status',
        '  ?             with the type "outcome-unknown"',
        '  +             with Retry-After',
        '  x1, x2 ...    sent so often; all tries have one Payer-Request-ID',
        '  =             recorded: a repeat is answered without a call',
        '  o             recorded as unknown, and found out by reconcile',
        '  O             recorded as unknown, and a read does not show it',
        '  !             not as expected',
        '',
    );
}


sub _code {
    my ($cell) = @_;
    my $seen = $cell->{seen};
    my $fault = Payer::Faults::fault(@$cell{qw(row call id order)});
    my $sent = grep {
        $_->{call} eq $fault->{match}
            && index("$_->{method} /", $fault->{contains} // '') == 0
    } @{ $cell->{'first calls'} };
    my $operation = $cell->{call} =~ /^(?:capture|cancel|release|refund)$/;

    return $seen->{status}
        . ($seen->{type} ? '?' : '')
        . ($seen->{retry} ? '+' : '')
        . "x$sent"
        . ($seen->{unknown} ? 'O'
            : $operation && ($seen->{type} // '') eq 'outcome-unknown' ? 'o'
            : $seen->{replayed} ? '=' : '');
}

1;
