# A worker process is killed at every point of an operation, and nothing is
# lost, done twice, or unreadable.
#
# t/crash/points.c is loaded into nginx and does the killing; the module knows
# nothing of it.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Crash;
use Payer::Test;
use Payer::Life;
use Time::HiRes qw(sleep time);

master_on();
workers(1);

our $shop = <<'EOF';
        payer_timeout 2s;

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
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
EOF

# the shop's prices
our $prices = <<'EOF';
    map $arg_price $payer_test_amount {
        default  10000;
        new      8000;
    }
EOF

# what waits for the end of a claim's lease: payer_timeout and 5 seconds
my $LEASE = 7.5;

# seconds in which a capture that no read shows is unknown
my $GRACE = 600;

# name, where, and for the n-th time.  "worked" is when Payer has done it and
# its reply is not yet there.
my @POINTS = (
    [ 'before the intent' => 'commit-begins',  1 ],
    [ 'intent committed'  => 'commit-ends',    1 ],
    [ 'before sending'    => 'request-begins', 1 ],
    [ 'sent'              => 'request-ends',   1 ],
    [ 'Payer has worked'  => 'worked',         1 ],
    [ 'reply received'    => 'reply-ends',     1 ],
    [ 'before the commit' => 'commit-begins',  2 ],
    [ 'committed'         => 'commit-ends',    2 ],
    [ 'before the answer' => 'answer-begins',  1 ],
    [ 'answered'          => 'answer-ends',    1 ],
);

# An order whose price changes: mark, cancel, cancelled, intent, create, link.
my @REPLACE = (
    [ 'before the mark'       => 'commit-begins',  1 ],
    [ 'marked'                => 'commit-ends',    1 ],
    [ 'cancel sent'           => 'request-ends',   1 ],
    [ 'Payer has cancelled'   => 'worked',         1 ],
    [ 'cancel replied'        => 'reply-ends',     1 ],
    [ 'before the cancelled'  => 'commit-begins',  2 ],
    [ 'cancelled'             => 'commit-ends',    2 ],
    [ 'new intent committed'  => 'commit-ends',    3 ],
    [ 'create sent'           => 'request-ends',   2 ],
    [ 'create replied'        => 'reply-ends',     2 ],
    [ 'before the new link'   => 'commit-begins',  4 ],
    [ 'new link committed'    => 'commit-ends',    4 ],
    [ 'before the new answer' => 'answer-begins',  1 ],
);

my @table;

# URLs that a buyer has seen, by order
my %seen;


sub visit {
    my ($order, $price) = @_;

    my $r = get("/checkout?order=$order" . ($price ? "&price=$price" : ''));
    my $url = $r->header('Location') // '';

    $seen{$order}{$url} = 1 if $url =~ m{/widget/};

    return $r;
}


sub capture {
    my ($order, $key) = @_;

    return post("/capture?reference=$order&amount=4000",
                $key ? (headers => { 'Idempotency-Key' => $key }) : ());
}


# Does what is told and dies on the way.

sub die_at {
    my ($where, $nth, $call, $code) = @_;

    return $where eq 'worked' ? die_while_payer_works($call, $code)
                              : crash("$where $nth", $code);
}


sub die_while_payer_works {
    my ($call, $code) = @_;

    my ($worker) = worker_pids();
    my $before = () = journal($call);
    my $child = fork // die "fork: $!\n";

    if ($child == 0) {
        wait_until(sub { $before < (() = journal($call)) }, 5);
        sleep 0.1;
        kill 'KILL', $worker;
        POSIX::_exit(0);
    }

    faults("$call: delay_after=5");

    my $r = killed($code);

    waitpid $child, 0;
    sim('DELETE', 'faults');

    return $r;
}


sub days_later { seconds_later($_[0] * 86400) }


sub handed_out_and_alive {
    my ($order) = @_;

    return grep { $_->{live} && $seen{$order}{ $_->{url} } } links($order);
}


# A crash at each point of each operation; then the server lives on by a new
# worker, or is started again; then everything is repeated.

sub all_points {
    my ($name, $revive) = @_;

    %seen = ();
    @table = ();

    visit('token');

    my @cases = (
        (map { [ 'create',             @$_, 'create' ] } @POINTS),
        (map { [ 'capture',            @$_, 'capture' ] } @POINTS),
        (map { [ 'capture, no key',    @$_, 'capture' ] } @POINTS),
        (map { [ 'replace, old price', @$_, 'cancel' ] } @REPLACE),
        (map { [ 'replace, new price', @$_, 'cancel' ] } @REPLACE),
    );

    my @left = crash_in(@cases);

    $revive->();

    my $end = time + $LEASE * ($ENV{PAYER_TEST_SLOW} // 1);

    check_case($name, $end, @$_) for @left;

    # what was left alone as it could still be under way
    sleep 0.2 while time < $end;

    check_reconcile($name, @left);
    check_books($name, @$_) for @left;

    unlike(error_log_text(), qr/damaged|could not be read/,
           "$name: every record can be read");

    print_table($name);
}


sub crash_in {
    my (@cases) = @_;
    my ($n, @left);

    for my $case (@cases) {
        my ($operation, $label, $where, $nth, $call) = @$case;
        my $order = 'o' . ++$n;
        my $code = sub { visit($order) };

        if ($operation ne 'create') {
            visit($order);
        }

        if ($operation =~ /^capture/) {
            my @key = $operation =~ /no key/ ? () : "key-$order";

            pay($order);
            $code = sub { capture($order, @key) };

        } elsif ($operation =~ /^replace/) {
            $code = sub { visit($order, 'new') };
        }

        my $r = die_at($where, $nth, $call, $code);

        push @left, [ $order, $operation, $label, $r ];
    }

    return @left;
}


# What a read shows is settled at once.  A capture that it does not show could
# still come: for ten minutes it is unknown, and then it was not done.

sub check_reconcile {
    my ($name, @left) = @_;

    my $doubts = grep {
        my ($order, $operation, $label) = @$_;

        $operation eq 'capture, no key' && $label ne 'before the intent'
            && !books($order)->{captured};
    } @left;

    cmp_ok($doubts, '>', 0, "$name: of some captures a read shows nothing");

    reconcile('/reconcile');

    my $early = reconcile('/reconcile');
    is($early->{settled}, 0, "$name: what a read shows is settled at once");
    is($early->{stillUnknown}, $doubts, "$name: and nothing else");

    seconds_later($GRACE - 60);
    is(reconcile('/reconcile')->{stillUnknown}, $doubts,
       "$name: nor in nine minutes");

    seconds_later($GRACE + 60);
    my $late = reconcile('/reconcile');
    is($late->{settled}, $doubts, "$name: after ten minutes the rest is");
    is($late->{stillUnknown}, 0, "$name: and nothing is unknown");

    my $end = reconcile('/reconcile');
    is($end->{settled}, 0, "$name: nothing is settled twice");
    is($end->{stillUnknown}, 0, "$name: and all for good");
}


# Sends the same again until it ends: a claim of the dead has to run out.

sub again {
    my ($end, $code, $status) = @_;

    my $r = $code->();

    while ($r->status != $status && time < $end) {
        sleep 0.1;
        $r = $code->();
    }

    return $r;
}


sub check_case {
    my ($name, $end, $order, $operation, $label, $got) = @_;

    my $what = "$name: $operation, $label";
    my @then = map { $_->{live} ? 'live' : lc $_->{status} } links($order);
    my $r;

    if ($operation eq 'create') {
        $r = again($end, sub { visit($order) }, 303);
        is($r->status, 303, "$what: another visit gets a link");

        is(visit($order)->header('Location'), $r->header('Location'),
           "$what: and the next one the same");

    } elsif ($operation eq 'capture') {
        $r = again($end, sub { capture($order, "key-$order") }, 200);
        is($r->status, 200, "$what: the same key gets its answer");
        is(books($order)->{captured}, 4000, "$what: captured once");

    } elsif ($operation =~ /^replace, (\w+)/) {
        my @price = $1 eq 'new' ? 'new' : ();

        $r = again($end, sub { visit($order, @price) }, 303);
        is($r->status, 303, "$what: another visit gets a link");

        my ($link) = grep { $_->{url} eq $r->header('Location') }
                     links($order);

        ok($link->{live}, "$what: which is alive");
        is($link->{amount}, @price ? 8000 : 10000,
           "$what: and has the price");
    }

    cmp_ok(scalar handed_out_and_alive($order), '<=', 1,
           "$what: one live link at most was handed out");

    push @table, [ $label, $operation, $got ? $got->status : 0,
                   "@then" || 'nothing', $r ? $r->status : '-', $order ];
}


sub check_books {
    my ($name, $order, $operation, $label) = @_;

    my $what = "$name: $operation, $label";

    if ($operation =~ /^capture/) {
        my $captures = grep { $_->{operationType} eq 'CAPTURE' }
                       @{ books($order)->{operations} };

        cmp_ok($captures, '<=', 1, "$what: one capture at most");
        like(visit($order)->header('Location'), qr{/thanks$},
             "$what: the order is paid");

    } else {
        is(scalar handed_out_and_alive($order), 1,
           "$what: in the end one live link is in a buyer's hands");
    }
}


sub print_table {
    my ($name) = @_;

    Test::More::note("$name");
    Test::More::note(sprintf '%-22s %-19s %6s  %-18s %6s  %s', 'point', 'operation',
         'caller', 'then at Payer', 'repeat', 'in the end');

    for my $row (@table) {
        my ($label, $operation, $got, $then, $repeat, $order) = @$row;

        Test::More::note(sprintf '%-22s %-19s %6s  %-18s %6s  %d live, %d of them handed '
             . 'out, captured %d', $label, $operation, $got || 'none', $then,
             $repeat, (scalar grep { $_->{live} } links($order)),
             scalar(handed_out_and_alive($order)),
             books($order)->{captured});
    }
}


run_payer_tests();

__DATA__

=== TEST 1: after a crash at any point another worker process continues
--- config eval: $::shop
--- http_config eval: $::prices
--- request
GET /
--- ignore_response
--- then
all_points('another worker', sub { });
--- alert: exited on signal 9
--- timeout: 60



=== TEST 2: after a crash at any point and a restart the orders and operations are completed
--- config eval: $::shop
--- http_config eval: $::prices
--- request
GET /
--- ignore_response
--- then
all_points('restart', sub { restart('KILL') });
--- alert: exited on signal 9
--- timeout: 60



=== TEST 3: a link that Payer does not cancel is replaced after 31 days, not earlier
--- config eval: $::shop
--- http_config eval: $::prices
--- request
GET /checkout?order=1
--- error_code: 303
--- then
faults('cancel: status=400 times=0');

days_later(30.5);
is(get('/checkout?order=1')->status, 503, 'it may still be paid');

days_later(31.5);
is(get('/checkout?order=1')->status, 303, 'it is too old');
--- books
1: links=2



=== TEST 4: payer_reconcile marks expired links
--- config eval: $::shop
--- http_config eval: $::prices
--- request
GET /checkout?order=1
--- error_code: 303
--- then
days_later(31.5);
is(reconcile('/reconcile')->{expiredLinks}, 1, 'counted');
is(reconcile('/reconcile')->{expiredLinks}, 0, 'once');
