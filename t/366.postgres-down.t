# While the database is known to be down, requests do not wait for it; and the
# state of the store is that of all worker processes.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Time::HiRes qw(time);

my $fleet = fleet(
    hosts  => 1,
    delay  => 1,
    server => 'add_header X-Worker $pid always;',
    params => 'durability=local timeout=10s connect_timeout=1s; '
        . 'proxy_cache_path ' . work_dir() . '/cache keys_zone=cache:1m',
);

my $pg = $fleet->pg;

known_to_be_down();
one_worker_without();

done_testing();


sub known_to_be_down {
    $fleet->start(0);

    ok(wait_until(sub {
        $fleet->get(0, '/checkout?order=known')->status == 303
    }, 20), 'an order has a link');

    ok(wait_until(sub { up() eq '1' }, 20), 'payer_store_up is 1');
    is($pg->value("SELECT count(*) FROM pg_stat_activity
        WHERE usename = 'payer'"), 4,
        'two connections of each worker process, none of the cache manager');

    $pg->node(0)->kill9;

    # each worker process comes to know it by itself

    my $began = time;
    my @down = $fleet->at_once(map { [ 0, GET => $_ ] }
        map { ("/checkout?order=known$_", "/thanks?order=known$_") } '', 1 .. 7);

    is(scalar(grep { $_->status == 503 } @down), 16,
        'down: all requests get 503');
    cmp_ok(time - $began, '<', 8, 'down: and do not wait for the timeout');

    my @asked = map {
        my ($from, $path) = (time, "/checkout?order=$_");
        my $r = $fleet->get(0, $path);

        [ $r->status, $r->header('Retry-After') // '', time - $from ];
    } qw(known new another);

    is_deeply([ map { $_->[0] } @asked ], [ 503, 503, 503 ],
        'known to be down: 503');
    is(scalar(grep { $_->[1] =~ /^\d+$/ } @asked), 3,
        'known to be down: with Retry-After');
    is(scalar(grep { $_->[2] < 1.5 } @asked), 3,
        'known to be down: at once');

    is($fleet->post(0, '/capture', json => { reference => 'known' })->status,
        503, 'known to be down: an operation gets 503');

    $pg->node(0)->start;

    ok(wait_until(sub {
        $fleet->get(0, '/checkout?order=known')->status == 303
    }, 20), 'back: payments go on without a reload');

    ok(wait_until(sub { up() eq '1' }, 20), 'back: in all worker processes');

    ok(wait_until(sub { $fleet->log_text(0) =~ /is available again/ }, 10),
        'back: the log says so');

    my $log = $fleet->log_text(0);
    is(() = $log =~ /is not available/g, 1, 'one line when it went');
    is(() = $log =~ /is available again/g, 1, 'one line when it came');
    unlike($log, qr/\[alert\]/, 'no alert');

    $fleet->stop(0);
}


# What payer_store_up is in the answers of both worker processes, each value
# once.

sub up {
    my (%seen, %worker);

    for my $r ($fleet->at_once(map { [ 0, GET => '/metrics' ] } 1 .. 24)) {
        my ($up) = $r->body =~ /^payer_store_up (\d)$/m;

        $seen{ $up // 'none' } = 1;
        $worker{ $r->header('X-Worker') // 'none' } = 1;
    }

    return join ' ', sort keys %seen;
}


# A limit of connections that is enough for one worker process, and for half
# of the other one.

sub one_worker_without {
    unlink work_dir() . '/host0/error.log';

    $pg->sql('alter role payer connection limit 3');
    $fleet->start(0);

    ok(wait_until(sub { $fleet->log_text(0) =~ /is not available/ }, 20),
        'one worker process has no connection: the log says so');
    ok(wait_until(sub { up() eq '0' }, 20),
        'payer_store_up is 0, whichever process answers');

    my @doctor = $fleet->at_once(map { [ 0, GET => '/doctor?local=1' ] }
        1 .. 12);

    is(scalar(grep { $_->status == 503 } @doctor), 12,
        'payer_doctor gets 503, whichever process answers');

    $pg->sql('alter role payer connection limit -1');

    ok(wait_until(sub { up() eq '1' }, 20), 'payer_store_up is 1 again');

    ok(wait_until(sub { $fleet->log_text(0) =~ /is available again/ }, 10),
        'and the log says so');

    my $log = $fleet->log_text(0);
    is(() = $log =~ /is not available/g, 1, 'one line when it went');

    $fleet->stop(0);
}
