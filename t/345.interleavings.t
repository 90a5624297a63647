# Two and three actors on one order at the same time, in two worker processes:
# visits, payer_verify, events, captures, refunds, cancels, reconcile; with
# replies that are lost, refused or about another payment, with slow reads,
# slow syncs, another clock and killed worker processes.  The results are
# compared with Payer's books, and with the answers to buyers and to the shop.
#
#     INTERLEAVING_SEED=n     the same run again, as far as processes allow
#     INTERLEAVING_ROUNDS=n   how many rounds (25), of six orders each

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Test;
use Payer::Life;
use Payer::Shop;
use Time::HiRes qw(sleep time);

$ENV{TEST_NGINX_SHOP_PORT} = shop_start();

master_on();
workers(2);

sub server {
    my ($auto) = @_;

    my $checkout = join "\n", map {"            payer_$_;"} 'checkout',
        'reference $arg_order public', 'amount $price', 'currency SEK',
        'return_success /thanks', 'return_fail /cart', 'return_back /cart';
    my $office = join '', map {
        "        location = /$_ { payer_$_; payer_allow 127.0.0.1; }\n"
    } qw(capture refund cancel payment reconcile subscriptions);

    return <<"EOF";
        payer_timeout      1s;
        payer_tries        2;
        payer_auto_capture $auto;

        location = /checkout {
$checkout
        }
        location = /thanks {
            payer_verify       \$arg_order;
            payer_verify_cache 0;
            try_files          /dev/null \@paid;
        }
        location \@paid { payer_verify off; return 200 "paid"; }
        location = /events { payer_events; payer_event_pass /shop/event; }
        location = /shop/event {
            internal;
            proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_SHOP_PORT};
        }
$office
EOF
}

our $prices = 'map $arg_price $price { default 12900; low 9900; }';

my ($WIDTH, $SUM, $GRACE) = (6, 12900, 610);
my $seed = $ENV{INTERLEAVING_SEED} // time ^ $$ << 8;
my $rounds = $ENV{INTERLEAVING_ROUNDS} // 25;

# order => { seen, history, ops, cancelled (payments), failed }
my (%orders, %told, $serial, $clock, $auto, $dead);


sub one_of { return $_[ rand @_ ] }


sub record { push @{ $orders{ $_[0] }{history} }, $_[1] }


sub holds {
    my ($condition, $order, $rule) = @_;

    return if $condition || $orders{$order}{failed}{$rule}++;

    $told{failed}++;
    fail("order $order: $rule");
    diag("INTERLEAVING_SEED=$seed INTERLEAVING_ROUNDS=$rounds");
    diag("    $_") for @{ $orders{$order}{history} };
}


# What Payer, or somebody in between, does wrong: for one request each.

sub fault {
    my $call = one_of(qw(capture capture capture refund cancel create));
    my $page = { status => 404, body => "<html>not here</html>\n",
        headers => { 'Content-Type' => 'text/html' } };
    my $no = { status => 400, body => { message => 'no' } };

    return one_of(
        sub { { match => $call, action => 'lost-reply' } },
        sub { { match => $call, action => 'reset' } },
        sub { { match => $call, delay_after => 1.2 } },
        sub { { match => $call, %$page } },
        sub { { match => $call, action => 'lost-reply', times => 2 } },
        sub { ({ match => $call, action => 'lost-reply' },
            { match => $call, %$no }) },
        sub { ({ match => $call, action => 'lost-reply' },
            { match => $call, %$page }) },
        sub { ({ match => $call, action => 'lost-reply', times => 2 },
            { match => $call, %$no }) },
        sub { ({ match => $call, action => 'reset', times => 2 },
            { match => 'read', delay_after => 0.5, times => 2 }) },
        sub { { match => 'read', delay_after => 0.5 } },
        sub { { match => 'read', delay_after => 0.5 } },
        sub { { match => 'read', %$page } },
        (\&other) x 3,
    )->();
}


# a read that speaks of another payment, or of another order

sub other {
    my $what = one_of(
        { status => 'AUTHORIZED', authorizedAmount => $SUM },
        { status => 'FULLY_CAPTURED', authorizedAmount => $SUM,
            capturedAmount => $SUM },
        { status => 'CANCELLED' },
    );
    my $whose = one_of({ id => 'another' },
        { externalPaymentReference => 'another' });
    my %set = (%$what, %$whose);

    return { match => 'read', action => 'edit',
        set => { map { ("payment.$_" => $set{$_}) } keys %set } };
}


# The steps: [ order, label, request, what to do with the answer ].

sub visit {
    my ($order) = @_;
    my $price = one_of('', '', '', 'low');

    return [ $order, "visit $price",
        [ GET => "/checkout?order=$order&price=$price" ], sub {
            my $url = $_[0]->header('Location') // '';
            $orders{$order}{seen}{$url} = 1 if $url =~ m{/widget/};
        } ];
}


sub gate {
    my ($order) = @_;

    return [ $order, 'gate', [ GET => "/thanks?order=$order" ],
        sub { $orders{$order}{thanked} = 1 if $_[0]->status == 200 } ];
}


sub look {
    return [ $_[0], 'read', [ GET => "/payment?reference=$_[0]" ], sub { } ];
}


sub cancel {
    my ($order) = @_;

    return [ $order, 'cancel', [ POST => "/cancel?reference=$order" ],
        sub {
            my $payment = $_[0]->header('Payer-Payment-Id');

            $orders{$order}{cancelled}{$payment} = 1
                if $_[0]->status == 200;
        } ];
}


sub sweep { return [ $_[0], 'reconcile', [ POST => '/reconcile' ], sub { } ] }


sub event {
    my ($order) = @_;

    my ($event) = grep {
        ($_->{payload}{externalPaymentReference} // '') eq $order
            && !$_->{acked}
    } @{ events() };

    return gate($order) unless $event;
    return [ $order, 'event', [ GET => "/events?token=$event->{token}" ],
        sub { } ];
}


# A capture or a refund: a new one, or one that is in doubt again, by its key
# or by the request id that the 504 has told.

sub operation {
    my ($order) = @_;

    return one_of(\&gate, \&event)->($order) unless $orders{$order}{paid};

    my $ops = $orders{$order}{ops};
    my @doubt = grep {
        $_->{said}{unknown} && !$_->{said}{done} && ($_->{key} || $_->{id})
    } values %$ops;

    if (@doubt && rand() < 0.8) {
        $told{repeated}++;
        return repeat($order, one_of(@doubt));
    }

    my $name = "$order-" . (1 + keys %$ops);

    $ops->{$name} = {
        name   => $name,
        kind   => one_of(qw(capture capture refund)),
        amount => 500 * (1 + int rand 4),
        key    => rand() < 0.6 ? $name : undef,
    };

    return repeat($order, $ops->{$name});
}


sub repeat {
    my ($order, $op) = @_;

    return gate($order) if $op->{busy}++;

    my $key = $op->{key};

    $key = $op->{id} if $op->{id} && (!defined $key || rand() < 0.3);

    return [ $order, "$op->{kind} $op->{name} by " . ($key // 'no key'),
        [ POST => "/$op->{kind}",
          json => { reference => $order, amount => $op->{amount},
                    transactionDescription => $op->{name} },
          headers => { 'Content-Type' => 'application/json',
                       defined $key ? ('Idempotency-Key' => $key) : () } ],
        sub { answered($op, $_[0]) } ];
}


sub answered {
    my ($op, $r) = @_;

    my $json = eval { $r->json } // {};
    my $status = $r->status;
    my $said = ($json->{type} // '') eq 'outcome-unknown' ? 'unknown'
        : !$status || $status == 504 ? 'unknown'
        : $status == 200 ? 'done'
        : !$r->header('Payer-Request-Id') ? 'not begun'
        : ($json->{detail} // '') =~ /under way|other parameters/ ? 'not begun'
        : $status >= 500 ? 'nothing' : 'refused';

    $told{$said}++;
    $op->{id} = $json->{requestId} if $said eq 'unknown' && $json->{requestId};
    $op->{said}{$said} = $status;
    $op->{last} = $said;
    delete $op->{busy};
}


sub buyer {
    my ($order) = @_;

    my @urls = sort keys %{ $orders{$order}{seen} } or return;
    my $r = sim('POST', 'pay', { url => one_of(@urls) });

    record($order, "buyer: $r->{outcome}");
    $told{paid}++, $orders{$order}{paid} = 1
        if $r->{outcome} eq 'authorized';
}


sub round {
    my ($faulty, @alive) = @_;

    if ($faulty) {
        my @faults = map { fault() } 1 .. 2 + rand 3;

        faults(@faults);
        disk_is_slow(one_of(0, 0, 30));
        record($_, 'faults: ' . join ', ', map {
            $_->{match} . ' ' . ($_->{action} // $_->{status} // 'slow')
                . ($_->{set} ? ' ' . join '=', %{ $_->{set} } : '')
        } @faults) for @alive;
    }

    # nginx alone: what was in doubt is now old enough to be judged
    if (rand() < 0.25) {
        clock_is_off($clock += $GRACE);
        record($_, 'ten minutes later') for @alive;
    }

    my @kinds = ((\&visit) x 2, \&gate, \&look, \&event, \&sweep,
        $auto ? () : ((\&operation) x 5));

    my @steps = map {
        my $order = $_;
        my @own = map { one_of(@kinds)->($order) } 1 .. 2 + int rand 2;

        push @own, cancel($order) if rand() < 0.08;
        @own;
    } @alive;

    my $victim = $faulty && rand() < 0.1 ? one_of(worker_pids()) : undef;
    my $child = defined $victim ? fork() // die "fork: $!\n" : undef;

    $told{killed}++, $dead = 1 if $child;

    if (defined $child && $child == 0) {
        sleep rand 0.1;
        kill 'KILL', $victim;
        POSIX::_exit(0);
    }

    my @answers = together(map { [ @{ $_->[2] }, timeout => 20 ] } @steps);

    waitpid $child, 0 if $child;

    for my $i (0 .. $#steps) {
        my ($order, $label, undef, $then) = @{ $steps[$i] };

        $then->($answers[$i]);
        record($order, "$label: " . ($answers[$i]->status || 'no answer'));
    }

    $told{steps} += @steps;
    disk_is_slow(0);
}


# What has to be true at any quiet moment.

sub check {
    my ($order) = @_;

    my $o = $orders{$order};
    my @links = links($order);
    my @paid = grep { $_->{authorized} && !$_->{overtook} } @links;
    my @live = grep { $_->{live} && $o->{seen}{ $_->{url} } } @links;

    holds(@live <= 1, $order, 'one live link at most was handed out');
    holds(@paid <= 1, $order, 'it is paid once at most');
    holds(!@paid || !@live, $order, 'a paid order has no live link');
    holds(!$o->{thanked} || @paid, $order, 'who is thanked has paid');

    my %times;

    for my $op (map { @{ $_->{operations} } } @links) {
        $times{ $op->{description} // 'auto' }++
            if $op->{operationType} =~ /^(?:CAPTURE|REFUND)$/;
    }

    holds(($times{auto} // 0) <= 1, $order, 'it captures by itself once');

    for my $link (@links) {
        holds(!$o->{cancelled}{ $link->{paymentId} } || !$link->{captured},
            $order, 'what was cancelled is not captured');
    }

    for my $name (sort keys %{ $o->{ops} }) {
        my $op = $o->{ops}{$name};
        my $last = $op->{last} // '';
        my $n = $times{$name} // 0;

        holds($n <= 1, $order, "$name happens once at most");
        holds(!$op->{said}{done} || $n == 1, $order,
            "$name that was answered as done has happened");
        holds($last !~ /^(?:nothing|refused)$/ || $n == 0, $order,
            "$name of which it was said that it did not happen has not");
    }
}


# At the end all is clear that a read can tell.

sub settle {
    my (@alive) = @_;

    sim('DELETE', 'faults');
    wait_until(sub { worker_pids() == 2 }, 10);

    # what a dead worker has claimed is free again
    sleep 6.2 if $dead;
    $dead = 0;

    for (1 .. 2) {
        clock_is_off($clock += $GRACE);

        for my $order (@alive) {
            my @open = grep { ($_->{last} // '') eq 'unknown'
                && ($_->{key} || $_->{id}) } values %{ $orders{$order}{ops} };

            for my $op (@open) {
                my $step = repeat($order, $op);
                my ($r) = together($step->[2]);

                $step->[3]->($r);
                record($order, "$step->[1]: " . $r->status);
                $told{repeated}++;
            }
        }

        post('/reconcile');
    }

    check($_) for @alive;
}


sub interleave {
    ($auto) = @_;

    srand $seed;
    note("INTERLEAVING_SEED=$seed INTERLEAVING_ROUNDS=$rounds");
    %told = map { $_ => 0 } qw(steps paid repeated failed killed);
    $clock = 0;

    post('/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
        url => 'http://127.0.0.1:' . free_port() . '/' });

    killed(sub { kill 'KILL', (worker_pids())[0] });

    for (1 .. $rounds / 5) {
        my @alive = map { 'o' . ++$serial } 1 .. $WIDTH;

        %{ $orders{$_} } = (seen => {}, history => [], ops => {}) for @alive;
        round(0, @alive);
        buyer($_) for grep { rand() < 0.8 } @alive;

        for (1 .. 5) {
            round(1, @alive);
            buyer($_) for grep { rand() < 0.4 } @alive;
            check($_) for @alive;
        }

        settle(@alive);
    }

    note("$_: $told{$_}") for sort keys %told;
    cmp_ok($told{paid}, '>', 0, 'some orders are paid');
    ok($told{steps} >= $rounds, "$told{steps} steps");
    is($told{failed}, 0, 'and every rule holds');
}


# Test::Nginx does not hand it on.
sub note { Test::More::note(@_) }

add_block_preprocessor(sub { clock_is_off(0) });

run_payer_tests();

__DATA__

=== TEST 1: captures and refunds interleaved with other requests and killed worker processes
--- config eval: ::server('off')
--- http_config eval: $::prices
--- request
GET /
--- ignore_response
--- then
interleave(0);
--- alert: exited on signal 9
--- timeout: 200



=== TEST 2: automatic captures interleaved with other requests and killed worker processes
--- config eval: ::server('on')
--- http_config eval: $::prices
--- request
GET /
--- ignore_response
--- then
interleave(1);
--- alert: exited on signal 9
--- timeout: 200
