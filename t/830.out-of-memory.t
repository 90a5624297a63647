# No memory: each allocation of everything that the module does fails in turn,
# alone and with all that come after it.
#
# Whoever asked gets a clear answer or a closed connection, the worker lives
# on, nothing leaks, nothing stays locked or claimed, and the order comes to
# the end that it would have come to.
#
# t/oom is loaded into nginx and does it: what the module takes from pools and
# from the zone, what nginx and the libraries take from the heap.
#
#     make oom        every allocation; otherwise some, spread over all

use strict;
use warnings;

use lib 't/lib';
use Payer::Oom;
use Payer::Test;
use Payer::Scenes;
use Time::HiRes qw(time);

master_on();
workers(1);

# under the zone's mutex nginx's allocator writes to the debug log
log_level('info');

# of a scene, unless all are wanted
my $SOME = $ENV{OOM_FULL} ? 0 : 6;

# what a repeat may take: less than the lease of a claim that was kept
my $SOON = 1.5 * ($ENV{PAYER_TEST_SLOW} // 1);

# blocks on the heap that come and go with connections
my $HEAP = 6;

# Where nginx takes from the heap what it takes from pools otherwise, it has
# too many failures of its own.
my $SPARE = ($ENV{STORE_CFLAGS} // '') =~ /NGX_DEBUG_PALLOC/;

# nginx says so when it gets nothing from the heap
our $alert = $SPARE ? undef : 'malloc\(|posix_memalign\(';

my ($failed, $crashed, $leaked, $turn) = (0, 0, 0, 0);

# chunks of the zone when nothing was read lately
my $least;


# One after another for all scenes but the one that reads all orders.

sub torture_all {
    my ($name, $want) = @_;

    undef $least;
    spare_nginx() if $SPARE;

    for my $scene (grep { ($_->{name} eq 'reconcile') == $want } scenes()) {
        torture("$name, $scene->{name}, one fails", $scene, 0);
        torture("$name, $scene->{name}, all fail from one on", $scene, 1);
    }

    # what fails above may all be others' than nginx's own
    alert_once() unless $SPARE;

    Test::More::note("$failed allocations failed so far: "
         . "$crashed crashes, $leaked leaks");
}


# The first that a connection takes is its pool.

sub alert_once {
    fail_nth(1, 1);
    get('/');
    my (undef, $fails) = fail_none();

    Test::More::ok($fails, 'nginx itself had no memory once');
}


sub torture {
    my ($label, $scene, $on) = @_;

    my $before = quiet($scene, $label);
    my ($all, $answers, @wrong) = fail_each($scene, $on);
    my $after = quiet($scene, $label);

    is(join("\n", @wrong), '', "$label: answers and repeats");
    leaks_nothing($label, $before, $after);

    Test::More::note(sprintf '%-45s %4d failed: %s; heap %+d', $label, $all,
         join(', ', map { ($_ || 'closed') . ' ' . $answers->{$_} }
             sort keys %$answers), $after->{heap} - $before->{heap});

    $failed += $all;
}


# What there is when nothing is under way.

sub quiet {
    my ($scene, $label) = @_;

    warm_up($scene);
    forget_reads() if $label =~ /^LMDB/;

    my $all = ask_worker('lost');
    my ($pid) = worker_pids();

    return { %$all, pid => $pid, descriptors => descriptors($pid) };
}


# What was read of an order stays in the zone for some seconds.

sub forget_reads {
    wait_until(sub {
        my $chunks = ask_worker('lost')->{chunks};

        $least = $chunks if !defined $least || $chunks < $least;

        return $chunks == $least;
    }, 8);
}


# LMDB keeps the memory of the pages that it has written, as many as the largest
# transaction so far had, and a cache is no leak.

sub warm_up {
    my ($scene) = @_;
    my ($most, $same) = (0, 0);

    for (1 .. 40) {
        count_of($scene);

        my $heap = watched()->{heap};

        $same = $heap > $most ? 0 : $same + 1;
        $most = $heap if $heap > $most;

        last if $same == 10;
    }
}


sub descriptors { return scalar(() = glob "/proc/$_[0]/fd/*") }


sub leaks_nothing {
    my ($label, $before, $after) = @_;

    my $alive = is($after->{pid}, $before->{pid}, "$label: the worker lives");

    # the last connection may only be closing
    my $kept = ok(
        wait_until(
            sub { descriptors($after->{pid}) <= $before->{descriptors} }
        ),
        "$label: no descriptor is lost"
    );

    $kept &= ok(
        wait_until(sub { watched()->{heap} - $before->{heap} < $HEAP }),
        "$label: nor memory of the heap"
    );

    $kept &= is($after->{lost}, 0, "$label: nor of the zone");

    # what a store does not keep there
    $kept &= is($after->{chunks}, $before->{chunks},
        "$label: the zone is as it was") if $label =~ /^LMDB/;

    is($after->{wrong}, '', "$label: the mutex is free, and was used well");

    $crashed++ unless $alive;
    $leaked++ unless $kept;
}


# How many allocations there are in a scene.

sub count_of {
    my ($scene) = @_;

    my $order = new_order($scene);

    fail_nth(1e9, 0);
    $scene->{act}->($order);

    return (fail_none())[0];
}


# The scene again and again until nothing fails in it.

sub fail_each {
    my ($scene, $on) = @_;

    my ($all, %answers, @wrong) = 0;

    # if not all, others in each turn
    my $step = $SOME ? count_of($scene) / $SOME : 1;
    my $nth = 1;

    if ($step > 1) {
        $turn += 0.618;
        $nth += $step * ($turn - int $turn);
    }

    while (1) {
        my $order = new_order($scene);

        fail_nth(int $nth, $on);
        my $r = $scene->{act}->($order);
        my (undef, $fails, $what) = fail_none();

        last if !$fails;

        push @wrong, map { "$what (" . int($nth) . "): $_" } grep { defined }
            wrong_answer($scene, $r, $what),
            wrong_repeat($scene, $order);

        $all++;
        $answers{ $r->status }++;
        $nth += $step > 1 ? $step : 1;
    }

    return ($all, \%answers, @wrong);
}


# A variable for whose value nginx has no memory is empty: an order without an
# amount is not valid.

sub wrong_answer {
    my ($scene, $r, $what) = @_;

    my @good = ($scene->{status}, 500, 502, 503, 504);
    push @good, 400 if $what =~ /in nginx/;

    my $status = $r->status;
    my $error = $r->error // '';

    return "no answer: $error" if $error =~ /timed out|connect/;
    return undef if $error;
    return 'answer ' . $r->raw
        unless grep { $status eq $_ } @good;

    if (($r->header('Content-Type') // '') =~ /json/) {
        eval { $r->json; 1 } or return "answer $r";
    }

    return undef;
}


# With memory again, the same once more.

sub wrong_repeat {
    my ($scene, $order) = @_;

    my $start = time;
    my $r;

    # what the first one still writes keeps its key
    wait_until(sub {
        $r = $scene->{act}->($order);
        return $r->status != 409;
    }, 1);

    my $took = time - $start;

    return "repeat $r" unless good_repeat($scene, $r);
    return sprintf 'the repeat took %.1f s', $took if $took > $SOON;

    return $scene->{wrong}->($order);
}


# A refund that Payer has made, but whose reply there was no memory to keep,
# shows in no payment: it stays unknown.

sub good_repeat {
    my ($scene, $r) = @_;

    return 1 if $r->status == $scene->{status};

    return $scene->{name} eq 'refund' && $r->status == 504
        && $r->json->{type} eq 'outcome-unknown';
}


# There is room for all the orders, whatever the store.

sub http {
    my ($store) = @_;

    return payer_http() =~ s/payer 1m/payer 16m/r
        =~ s/payer_store\K[^;]*/ $store/r . $Payer::Scenes::prices;
}


# Without pauses before another try where time is short.

sub server {
    my $tries = $ENV{OOM_FULL} ? 2 : 1;

    return payer_server() . $Payer::Scenes::shop . "payer_tries $tries;\n";
}


run_payer_tests();

__DATA__

=== TEST 1: each failed allocation is handled with the memory store
--- bare
--- http_config eval: ::http('memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
torture_all('memory', 0);
--- alert eval: $::alert
--- timeout: 60



=== TEST 2: each failed allocation is handled with the lmdb store
--- bare
--- http_config eval: ::http('lmdb:' . ::work_dir() . '/payments')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
torture_all('LMDB', 0);
--- alert eval: $::alert
--- timeout: 60



=== TEST 3: each failed allocation in payer_reconcile is handled
--- bare
--- http_config eval: ::http('memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
torture_all('memory', 1);
--- alert eval: $::alert
--- timeout: 60
