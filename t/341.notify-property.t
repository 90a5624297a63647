# Random visits, payments, returns, events that get lost or are repeated,
# operations, kills and restarts, with a Payer and a shop that fail: for each
# payment the shop's book ends as Payer's.
#
#     PROPERTY_SEED=n     the same run again, as far as processes allow
#     PROPERTY_STEPS=n    how many steps (400)

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Test;
use Payer::Life;
use Payer::Shop;
use Payer::Notify;
use Time::HiRes qw(sleep time);

master_on();
workers(2);

our $server = 'payer_timeout 1s; payer_verify_cache 1s;
    payer_notify_on paid captured released refunded cancelled expired;
    payer_notify_retry 1h interval=1s max=2s;
    payer_notify_accept /ok true;';

# What the shop does with a notification.  It has taken it where it says so.
my $TAKEN = 'json {"ok":true}';
my @SHOP  = ($TAKEN, 'json {"error":"locked"}', '204', '409', '500', '503',
    'close', 'cut', "delay=0.2 $TAKEN", 'delay=1.3 204', 'html <p>Sorry</p>');

my @FAULTS = ('lost-reply', 'reset', 'status=500', 'status=503', 'truncate',
    'delay=0.3', 'delay_after=1.3', 'silence');

# how many steps are under way together, and orders are alive at a time
my ($WIDTH, $ORDERS) = (6, 5);

# an operation that no read shows is unknown so long, in seconds
my $GRACE = 600;

my $seed  = $ENV{PROPERTY_SEED} // time ^ $$ << 8;
my $steps = $ENV{PROPERTY_STEPS} // 400;

# order => { history, seen, cancelled }
my (%orders, @alive, %done);

sub one_of { return $_[ rand @_ ] }

sub record { push @{ $orders{ $_[0] }{history} }, $_[1] }


# A rule that does not hold is told with the history of its order.

sub holds {
    my ($condition, $order, $rule) = @_;

    $done{rules}++;
    return if $condition || $orders{$order}{failed}{$rule}++;

    fail("order $order: $rule");
    diag("PROPERTY_SEED=$seed PROPERTY_STEPS=$steps");
    diag("    $_") for @{ $orders{$order}{history} };
    diag("    told: $_->{type} captured $_->{capturedAmount} refunded "
        . "$_->{refundedAmount} $_->{paymentId}: $_->{answer}")
        for grep { $_->{reference} eq $order } told();
    diag("    Payer: $_->{paymentId} $_->{status} authorized $_->{authorized} "
        . "captured $_->{captured} refunded $_->{refunded}") for links($order);
}


sub new_order {
    my $order = 'o' . (1 + keys %orders);

    $orders{$order} = { history => [], seen => {} };
    return $order;
}


# A step is [ order, label, request ].

sub visit { return [ $_[0], 'visit', [ GET => "/checkout?order=$_[0]" ] ] }

sub returns { return [ $_[0], 'return', [ GET => "/thanks?order=$_[0]" ] ] }


sub event {
    my ($order) = @_;
    my @events = grep { ($_->{reference} // '') eq $order } @{ events() }
        or return returns($order);

    return [ $order, 'event', [ GET => '/events?token=' . one_of(@events)->{token} ] ];
}


# A key is used again by chance, for the same operation.

sub operation {
    my ($order) = @_;

    my $what = one_of((qw(capture refund)) x 3, qw(release cancel));
    my $n    = 1 + int rand 6;
    my %json = (reference => $order);

    $json{amount} = 100 * $n if $what =~ /capture|refund/;
    $json{releaseRemainingFunds} = JSON::PP::true()
        if $what eq 'capture' && $n == 6;

    return [ $order, "$what $n", [ POST => "/$what", json => \%json,
        headers => { 'Content-Type' => 'application/json',
            'Idempotency-Key' => "$order-$what-$n" } ] ];
}


sub chaos {
    my $what = rand;

    if ($what < 0.04) {
        record($_, 'restart by KILL') for @alive;
        restart('KILL');

    } elsif ($what < 0.06) {
        record($_, 'reload') for @alive;
        kill 'HUP', nginx_pid();

    } elsif ($what < 0.16) {
        record($_, 'kill a worker in a moment') for @alive;

        my ($pause, $pid) = (0.002 + rand 0.05, one_of(worker_pids()));
        my $child = fork // die "fork: $!\n";

        if ($child == 0) {
            sleep $pause;
            kill 'KILL', $pid if $pid;
            POSIX::_exit(0);
        }

        return $child;
    }

    return;
}


sub round {
    if (rand() < 0.3) {
        my $fault = one_of(qw(create capture refund release cancel read *))
            . ': ' . one_of(@FAULTS) . ' times=' . (1 + int rand 3);

        # an empty 200 is what Payer says when it has cancelled
        $fault =~ s/truncate/reset/ if $fault =~ /^(?:cancel|\*)/;

        faults($fault);
        record($_, "fault $fault") for @alive;
    }

    shop_answers((map { one_of(@SHOP, $TAKEN, $TAKEN) } 1 .. 8), one_of(@SHOP));

    my @steps = map {
        one_of((\&visit) x 3, (\&returns) x 2, \&event, (\&operation) x 4)
            ->(one_of(@alive))
    } 1 .. $WIDTH;

    my $child = chaos();
    my @answers = together(map { $_->[2] } @steps);

    for my $i (0 .. $#steps) {
        my ($order, $label) = @{ $steps[$i] };

        record($order, "$label: " . ($answers[$i]->status || 'no answer'));
        $orders{$order}{seen}{ $answers[$i]->header('Location') // '' } = 1;
        $orders{$order}{cancelled} = 1
            if $label =~ /^cancel/ && $answers[$i]->status == 200;
    }

    waitpid $child, 0 if $child;

    for my $order (grep { rand() < 0.4 } @alive) {
        # nobody knows of a link whose creator was killed
        my ($link) = grep { $_->{live} && $orders{$order}{seen}{ $_->{url} } }
            links($order) or next;
        my $r = sim('POST', 'pay', { url => $link->{url}, card => 'success' });

        record($order, "buyer: $r->{outcome}");
    }

    $done{steps} += @steps;
}


# Nobody comes any more.  The sweep reads what is in doubt, and tells.

sub settle {
    sim('DELETE', 'faults');
    shop_answers($TAKEN);

    wait_until(sub { worker_pids() == 2 }, 10);

    # the claims of the dead end, and then nothing in doubt can come any more
    sleep 6.5 * ($ENV{PAYER_TEST_SLOW} // 1);
    clock_is_off($GRACE + 60);

    ok(wait_until(sub { quiet() }, 60), 'in the end nothing is owed');
}


# Three sweeps in a row in which nothing new was told and nothing is owed.

sub quiet {
    my $told = told();

    for (1 .. 3) {
        my $before = last_run();
        wait_until(sub { last_run() > $before }, 10) or return 0;
    }

    return $told == told()
        && get('/metrics')->body =~ /^payer_notifications_owed 0\n/m;
}


sub last_run {
    my ($run) = get('/metrics')->body
        =~ /^payer_sweep_last_run_timestamp_seconds (\d+)$/m;

    return $run // 0;
}


sub check {
    my ($order) = @_;

    my (%book, %ids, %last);

    for my $told (grep { $_->{reference} eq $order } told()) {
        my ($id, $payment, $type) = @$told{qw(id paymentId type)};

        my $text = join ' ', $payment, $type,
            $type eq 'captured' ? $told->{capturedAmount}
          : $type eq 'refunded' ? $told->{refundedAmount} : '';

        holds(($ids{$id} //= $text) eq $text, $order,
            'an id stands for one change');

        # the shop takes what it can parse, whatever becomes of its answer
        next if $told->{answer} !~ /\Q$TAKEN\E$/ || $book{$id}++;

        $done{$type}++;

        my $entry = $book{payments}{$payment} //= { captured => 0, refunded => 0 };
        my $sum = $told->{capturedAmount} + $told->{refundedAmount};

        holds($sum >= ($last{$payment} // 0), $order, 'told in order');
        $last{$payment} = $sum;

        holds($type !~ /^(?:captured|refunded)$/ || $entry->{paid}, $order,
            "$type after paid");
        holds($type ne 'paid' || $told->{authorizedAmount} == 12900, $order,
            'paid with the amount');

        $entry->{$type} = $type =~ /^(captured|refunded)$/
            ? $told->{"$1Amount"} : 1;
    }

    my %texts = map { $_ => 1 } values %ids;
    holds(keys %texts == keys %ids, $order, 'a change has one id');

    compare($order, $_, $book{payments}{ $_->{paymentId} } // {}) for links($order);
}


sub compare {
    my ($order, $payer, $shop) = @_;

    # what was released before it was seen paid is nothing to the shop
    my $paid = $payer->{authorized} > 0;
    my $gone = $paid && !$payer->{captured}
        && $payer->{status} =~ /^(?:RELEASED|CANCELLED)$/;

    holds($paid || !$shop->{paid}, $order, 'paid there only if at Payer');
    holds(!$paid || $gone || $shop->{paid}, $order, 'paid there as at Payer');
    holds(($shop->{captured} // 0) == $payer->{captured}, $order,
        'captured there as at Payer');
    holds(($shop->{refunded} // 0) == $payer->{refunded}, $order,
        'refunded there as at Payer');
    holds(!$shop->{released} || $payer->{authorized} > $payer->{captured}, $order,
        'released there only if something was left');
    # Payer calls it cancelled, and a read by another request may see that
    # before the release has its outcome: to the shop it was never paid
    my $cancelled = $shop->{cancelled} && !$shop->{paid};

    holds(!$gone || $shop->{released} || $shop->{expired} || $cancelled, $order,
        'released there as at Payer');
    holds(!$shop->{cancelled} || $payer->{status} eq 'CANCELLED', $order,
        'cancelled there only if at Payer');
}


sub property {
    srand $seed;
    note("PROPERTY_SEED=$seed PROPERTY_STEPS=$steps");

    sim_config(event_calls => 1);
    post('/subscriptions', form => { type => $_,
        url => 'http://127.0.0.1:' . free_port() . '/' })
        for qw(CARD_PAYMENT_AUTHORIZED CARD_PAYMENT_SETTLED CARD_PAYMENT_REFUNDED);

    @alive = map { new_order() } 1 .. $ORDERS;

    my $rounds = 0;

    while (($done{steps} // 0) < $steps) {
        round();

        # now and then the oldest go, and others come
        next if ++$rounds % 8;

        splice @alive, 0, 2;
        push @alive, new_order(), new_order();
    }

    settle();
    check($_) for sort keys %orders;

    for my $order (grep { $orders{$_}{cancelled} } keys %orders) {
        holds((grep { $_->{type} eq 'cancelled' && $_->{reference} eq $order }
            told()), $order, 'what we cancelled is told');
    }

    note("$_: $done{$_}") for sort keys %done;

    cmp_ok($done{$_} // 0, '>', 0, "something is $_")
        for qw(paid captured refunded);
    cmp_ok(scalar(my @n = told()), '>', $done{paid}, 'some were told again');
    unlike(error_log_text(), qr/damaged|record ".*could not be read/,
        'every record can be read');
}


# Test::Nginx does not hand it on.
sub note { Test::More::note(@_) }

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: after random payments and faults the shop's records match Payer's for each payment
--- config eval: ::telling($::server)
--- after
property();
--- alert: exited on signal 9
--- timeout: 180
