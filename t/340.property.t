# Random visits, payments, captures, cancels, faults, kills and restarts, all
# mixed.  The results are compared with the simulator's books.
#
#     PROPERTY_SEED=n     the same run again, as far as processes allow
#     PROPERTY_STEPS=n    how many steps (1200)

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Test;
use Payer::Life;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);

master_on();
workers(2);

our $shop = <<'EOF';
        payer_timeout  1s;

        location = /checkout {
            payer_checkout;
            payer_reference       $arg_order public;
            payer_amount          $payer_test_amount;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /cancel    { payer_cancel;    payer_allow 127.0.0.1; }
        location = /payment   { payer_payment;   payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /report    { payer_report;    payer_allow 127.0.0.1; }
EOF

our $prices = <<'EOF';
    map $arg_price $payer_test_amount {
        default  10000;
        low      8000;
        high     12000;
    }
EOF

my @FAULTS = (
    'lost-reply', 'lost-reply', 'reset', 'close', 'reset-in-headers',
    'truncate', 'empty', 'html', 'garbage', 'status=500', 'status=503',
    'status=429', 'delay=0.3', 'delay_after=0.3', 'delay_after=1.3',
    'silence', 'revoke',
);

# how many steps are under way together, and orders are alive at a time
my ($WIDTH, $ORDERS) = (8, 6);

# what waits for the end of a claim's lease: payer_timeout and 5 seconds
my $LEASE = 6.5;

# seconds in which a capture that no read shows is unknown
my $GRACE = 600;

my $seed = $ENV{PROPERTY_SEED} // time ^ $$ << 8;
my $steps = $ENV{PROPERTY_STEPS} // 1200;

# order => { n, seen, history, captures, failed }
my (%orders, @alive, %done, $serial);


sub one_of { return $_[ rand @_ ] }


sub record {
    my ($order, $text) = @_;

    push @{ $orders{$order}{history} }, $text;
}


# A rule that does not hold is told once for each order, with its history.

sub holds {
    my ($condition, $order, $rule) = @_;

    return if $condition || $orders{$order}{failed}{$rule}++;

    fail("order $order: $rule");
    diag("PROPERTY_SEED=$seed PROPERTY_STEPS=$steps");
    diag("    $_") for @{ $orders{$order}{history} };
}


sub new_order {
    my $order = 'o' . ++$serial;

    $orders{$order} = { seen => {}, history => [], captures => {} };

    return $order;
}


# A step is [ order, label, request, what to do with the answer ].

sub visit {
    my ($order) = @_;

    my $price = one_of(('') x 6, qw(low high));

    return [
        $order, "visit $price", [ GET => "/checkout?order=$order&price=$price" ],
        sub {
            my ($r) = @_;

            # the URL may be in a buyer's hands now
            my $url = $r->header('Location') // '';
            $orders{$order}{seen}{$url} = 1 if $url =~ m{/widget/};
        },
    ];
}


# A capture is known at Payer by its description.  With a key it is repeated
# by chance, with the same parameters.

sub capture {
    my ($order) = @_;

    my $captures = $orders{$order}{captures};
    my @keyed = grep { $captures->{$_}{key} } sort keys %$captures;
    my $name;

    if (@keyed && rand() < 0.5) {
        $name = one_of(@keyed);

    } else {
        $name = "$order-c" . (1 + keys %$captures);
        $captures->{$name} = {
            amount => 500 * (1 + int rand 8),
            key    => rand() < 0.7,
        };
    }

    return capture_step($order, $name);
}


sub capture_step {
    my ($order, $name) = @_;

    my $capture = $orders{$order}{captures}{$name};

    return [
        $order,
        "capture $name $capture->{amount} " . ($capture->{key} ? 'keyed' : ''),
        [ POST => '/capture',
          json => { reference => $order, amount => $capture->{amount},
                    transactionDescription => $name },
          headers => { 'Content-Type' => 'application/json',
                       $capture->{key} ? ('Idempotency-Key' => $name) : () },
        ],
        sub {
            my ($r) = @_;
            my $id = $r->header('Payer-Request-Id');
            my $payment = $r->header('Payer-Payment-Id');

            # the key is that of one payment; the order may have others
            $capture->{ids}{$payment}{$id} = 1 if defined $id;
            $capture->{sent}++;

            # a proxy of the shop's sees no more than this
            my $said = $r->status == 200 ? 'done'
                : $r->status == 504 || !$r->status ? 'unknown'
                : unknown($r) ? 'unknown'
                : $r->header('Payer-Request-Id') ? 'not done'
                : 'not begun';

            $capture->{said}{$said} = $r->status;
        },
    ];
}


sub unknown {
    my ($r) = @_;

    my $json = eval { $r->json } // {};

    return ($json->{type} // '') eq 'outcome-unknown';
}


sub cancel {
    my ($order) = @_;

    return [ $order, 'cancel', [ POST => "/cancel?reference=$order" ],
             sub { } ];
}


sub look {
    my ($order) = @_;

    return [ $order, 'read', [ GET => "/payment?reference=$order" ],
             sub { } ];
}


# The buyer pays by a URL that was seen, or is declined; not a request to
# nginx, and so between two rounds.

sub buyer {
    my ($order) = @_;

    my @urls = sort keys %{ $orders{$order}{seen} } or return;
    my $card = one_of('success', 'success', '3ds', 'decline');

    my $r = sim('POST', 'pay', { url => one_of(@urls), card => $card });

    record($order, "buyer: $card, $r->{outcome}");
}


sub chaos {
    my $what = rand;

    if ($what < 0.02) {
        record($_, 'restart by KILL') for @alive;
        restart('KILL');

    } elsif ($what < 0.03) {
        record($_, 'restart by TERM') for @alive;
        restart('TERM');

    } elsif ($what < 0.05) {
        record($_, 'reload') for @alive;
        kill 'HUP', nginx_pid();

    } elsif ($what < 0.10) {
        record($_, 'kill a worker in a moment') for @alive;

        my ($pause, @workers) = (0.002 + rand 0.05, worker_pids());
        my $pid = one_of(@workers);
        my $child = fork // die "fork: $!\n";

        if ($child == 0) {
            sleep $pause;
            kill 'KILL', $pid;
            POSIX::_exit(0);
        }

        return $child;
    }

    return;
}


sub round {
    my ($faults) = @_;

    if ($faults && rand() < 0.3) {
        my $call = one_of(qw(create capture capture cancel read token *));
        my $fault = "$call: " . one_of(@FAULTS) . ' times=' . (1 + int rand 3);

        # An empty 200 is what Payer says when it has cancelled: no fault.
        $fault =~ s/empty|garbage/truncate/ if $call =~ /cancel|\*/;

        faults($fault);
        record($_, "fault $fault") for @alive;
    }

    my @steps = map {
        my $order = one_of(@alive);

        one_of((\&visit) x 4, (\&capture) x 4, \&cancel, \&look)->($order);
    } 1 .. $WIDTH;

    my $child = $faults ? chaos() : undef;

    run_steps(@steps);

    waitpid $child, 0 if $child;

    buyer($_) for grep { rand() < 0.4 } @alive;

    return scalar @steps;
}


sub run_steps {
    my (@steps) = @_;

    my @answers = together(map { $_->[2] } @steps);

    for my $i (0 .. $#steps) {
        my ($order, $label, undef, $then) = @{ $steps[$i] };

        record($order, "$label: " . ($answers[$i]->status || 'no answer')
             . (unknown($answers[$i]) ? ' unknown' : ''));
        $then->($answers[$i]);
    }

    return @answers;
}


# What must hold at any quiet moment.

sub check {
    my ($order) = @_;

    my @links = links($order);
    my $seen = $orders{$order}{seen};

    my @paid = grep { $_->{authorized} && !$_->{overtook} } @links;
    my @alive = grep { $_->{live} && $seen->{ $_->{url} } } @links;

    holds(@alive <= 1, $order, 'one live link at most was handed out');
    holds(@paid <= 1, $order, 'it is paid once at most');
    holds(!(@paid && @alive), $order, 'a paid order has no live link');

    for my $link (@links) {
        holds($link->{captured} <= $link->{authorized}, $order,
              'no more is captured than was authorized');
    }

    check_captures($order, map { @{ $_->{operations} } } @links);
}


sub check_captures {
    my ($order, @operations) = @_;

    my (%times, %amount);

    for (grep { $_->{operationType} eq 'CAPTURE' } @operations) {
        $times{ $_->{description} }++;
        $amount{ $_->{description} } += $_->{amount};
    }

    my $captures = $orders{$order}{captures};

    for my $name (sort keys %$captures) {
        my $capture = $captures->{$name};
        my $times = $times{$name} // 0;
        my $said = $capture->{said} // {};

        holds($times <= 1, $order, "$name happens once at most");
        holds(!$times || $amount{$name} == $capture->{amount}, $order,
              "$name is of what was asked for");
        holds(!$said->{done} || $times == 1, $order,
              "$name that was answered with 200 has happened");
        my @more = grep { keys %$_ > 1 } values %{ $capture->{ids} // {} };

        holds(!$capture->{key} || !@more, $order,
              "$name has one request id for each payment");

        # a call without a key that was told not to have happened
        holds(!(!$capture->{key} && $said->{'not done'} && $times), $order,
              "$name that was refused has not happened");
    }
}


# Captures of which the shop has not been told how they ended.

sub in_doubt {
    my ($order) = @_;

    my $captures = $orders{$order}{captures};

    return grep {
        my $said = $captures->{$_}{said} // {};
        $said->{unknown} && !$said->{done};
    } sort keys %$captures;
}


# An order at its end: without faults, and when what may still come has had its
# time, everything that is open can be settled, and then each answer is what the
# books say.

sub settle {
    my (@orders) = @_;

    sim('DELETE', 'faults');

    # what is under way ends, and the claims of the dead do
    sleep $LEASE * ($ENV{PAYER_TEST_SLOW} // 1);

    repeat_keys($_) for @orders;

    # nothing that was in doubt can come any more
    clock_is_off($GRACE + 60);

    repeat_keys($_) for @orders;

    my $first = reconcile('/reconcile');

    # what was not clear as others were open may be so now
    repeat_keys($_) for @orders;

    my $second = reconcile('/reconcile');

    # of several in doubt a read cannot always tell which was done
    my $vague = 0;
    $vague += $_ > 1 ? $_ : 0 for map { scalar in_doubt($_) } @orders;

    $done{reconciled} += $first->{settled};
    $done{unknown} += $second->{stillUnknown};
    record($_, "reconcile settled $first->{settled}, "
         . "still unknown $first->{stillUnknown}") for @orders;

    holds($second->{stillUnknown} <= $vague, $orders[0],
          'reconcile leaves nothing unknown that a read can settle');

    check_end($_) for @orders;
    check_report($second->{stillUnknown}, @orders);
}


# The report says of each order what was captured of it at Payer, unless one of
# its captures has an outcome that no read could tell.

sub check_report {
    my ($unknown, @orders) = @_;

    my ($from, $to) = map { strftime('%Y-%m-%d', gmtime(time + $_)) }
        -86400, 86400;
    my $report = get("/report?from=$from&to=$to",
        headers => { Host => 'localhost' })->json;
    my ($all, $sum, %captured) = (0, 0);

    $captured{ $_->{reference} } += $_->{amount} for @{ $report->{rows} };

    for my $order (@orders) {
        my $books = 0;
        $books += $_->{captured} for links($order);

        $sum += $captured{$order} // 0;
        $all += $books;

        holds(($captured{$order} // 0) == $books
              || $unknown && in_doubt($order), $order,
              "the report says what was captured: $books");
        $done{reported}++;
    }

    my ($sek) = @{ $report->{currencies} };

    is($sek->{captured}, $sum, 'the sum of the report is that of its rows');
    is($sek->{captured}, $all, "and that of Payer's books") if !$unknown;
}


sub repeat_keys {
    my ($order) = @_;

    my $captures = $orders{$order}{captures};

    for my $name (sort grep { $captures->{$_}{key} } keys %$captures) {
        next if ($captures->{$name}{last} // 504) != 504;

        my ($r) = run_steps(capture_step($order, $name));

        $done{keys}++;
        $captures->{$name}{last} = $r->status;
    }
}


sub check_end {
    my ($order) = @_;

    check($order);

    my @links = links($order);
    my ($paid) = grep { $_->{authorized} && !$_->{overtook} } @links;
    my $count = @links;

    my ($r) = run_steps([ $order, 'last visit',
                          [ GET => "/checkout?order=$order" ], sub { } ]);
    my $to = $r->header('Location') // '';

    $done{ $paid ? 'paid' : 'unpaid' }++;
    $done{links} += $count;
    $done{captured} += $_->{captured} for @links;

    if ($paid) {
        holds($to =~ m{/thanks$}, $order, 'a paid order is known to be paid');
        holds(links($order) == $count, $order, 'and gets no other link');

    } else {
        my ($link) = grep { $_->{url} eq $to } links($order);
        holds($link && $link->{live}, $order, 'an open order has a live link');
    }

    my %happened = map { $_->{description} => 1 }
        grep { $_->{operationType} eq 'CAPTURE' }
        map { @{ $_->{operations} } } links($order);

    my $captures = $orders{$order}{captures};

    for my $name (grep { $captures->{$_}{key} } sort keys %$captures) {
        my $last = $captures->{$name}{last};

        holds($last == 504 || ($last == 200) == !!$happened{$name}, $order,
              "the last answer to $name is true");
        holds($last != 504 || in_doubt($order) > 1, $order,
              "$name has an end");
    }
}


sub property {
    srand $seed;
    note("PROPERTY_SEED=$seed PROPERTY_STEPS=$steps");

    get('/checkout?order=token');
    @alive = map { new_order() } 1 .. $ORDERS;

    # at least one, however few steps there are
    killed(sub { kill 'KILL', (worker_pids())[0] });

    my $rounds = 0;

    while ($done{steps} < $steps) {
        $done{steps} += round(1);
        check($_) for @alive;

        # now and then the oldest go, and others come
        next if ++$rounds % 12;

        push @{ $done{old} }, splice @alive, 0, 2;
        push @alive, new_order(), new_order();
    }

    wait_until(sub { worker_pids() == 2 }, 10);
    settle(@{ delete $done{old} // [] }, @alive);

    note("$_: $done{$_}") for sort keys %done;

    ok($done{steps} >= $steps, "$done{steps} steps");
    cmp_ok($done{paid}, '>', 0, 'some orders are paid');
    cmp_ok($done{captured}, '>', 0, 'something is captured');
    unlike(error_log_text(), qr/damaged|could not be read/,
           'every record can be read');
}


# Test::Nginx does not hand it on.
sub note { Test::More::note(@_) }

$done{$_} = 0 for qw(steps paid unpaid keys links captured reconciled
                       unknown);

run_payer_tests();

__DATA__

=== TEST 1: after random requests, faults, kills and restarts the orders match the simulator's books
--- config eval: $::shop
--- http_config eval: $::prices
--- request
GET /
--- ignore_response
--- then
property();
--- alert: exited on signal 9
--- timeout: 120
