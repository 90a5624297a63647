# Under the zone's mutex there is no logging, no allocation from a pool or the
# heap, no system call, and no function returns with it.
#
# t/oom is loaded into nginx and looks at every call that leaves the module:
# under the mutex there are few that it allows.  It looks at what the zone
# holds, too: all of it must be in use.

use strict;
use warnings;

use POSIX ();

use lib 't/lib';

BEGIN {
    if ((POSIX::uname())[4] ne 'x86_64') {
        print "1..0 # SKIP the stubs of t/oom/patch.c are for x86-64\n";
        exit 0;
    }
}

use Payer::Oom;
use Payer::Test;
use Payer::Scenes;

master_on();
workers(1);

# under the mutex nginx's allocator writes to the debug log
log_level('info');


# What was found since the last time.

sub found {
    my $all = watched();

    forget_wrongs();

    return $all;
}


sub server { return payer_server() . $Payer::Scenes::shop }

sub http {
    my ($store) = @_;

    return payer_http() =~ s/payer_store\K[^;]*/ $store/r
        . $Payer::Scenes::prices;
}


sub all_scenes {
    my ($name) = @_;

    for my $scene (scenes()) {
        my $before = found()->{locks};
        my $order = new_order($scene);
        my $r = $scene->{act}->($order);
        my $all = found();

        is($r->status, $scene->{status}, "$name, $scene->{name}");
        is($all->{wrong}, '', "$name, $scene->{name}: nothing is wrong");

        $all->{locks} -= $before;
        Test::More::note("$name, $scene->{name}: $all->{locks} locks");
    }

    is(ask_worker('lost')->{lost}, 0, "$name: nothing of the zone is lost");
}


run_payer_tests();

__DATA__

=== TEST 1: the checker of the zone's mutex detects each violation
--- bare
--- http_config eval: ::http('memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(watched()->{wrong}, '', 'there is none yet');
cmp_ok(watched()->{locks}, '>', 3, 'the mutex was taken');
cmp_ok(watched()->{slots}, '>', 100, 'calls are watched');

my @MISDEEDS = (
    [ 'none at all'         => qr/^$/ ],
    [ 'a line in the log'   => qr/^ngx_log_error_core$/ ],
    [ 'memory of a pool'    => qr/^ngx_pnalloc$/ ],
    [ 'memory of the heap'  => qr/^ngx_alloc$|^malloc$/ ],
    [ 'the time of day'     => qr/^gettimeofday$/ ],
    [ 'the mutex once more' => qr/^ngx_shmtx_lock$|taken twice/ ],
    [ 'an early return'     => qr/^the mutex is kept$/ ],
);

for my $n (0 .. $#MISDEEDS) {
    my ($name, $pattern) = @{ $MISDEEDS[$n] };

    ask_worker('bad', $n);
    like(found()->{wrong}, $pattern, "misdeed: $name");
}

is(ask_worker('lost')->{lost}, 0, 'nothing of the zone is lost');
ask_worker('bad', scalar @MISDEEDS);
is(ask_worker('lost')->{lost}, 1, 'and now there is');
is(get('/checkout?order=2')->status, 303, 'the mutex can be taken');



=== TEST 2: the zone's mutex is held correctly with the memory store
--- bare
--- http_config eval: ::http('memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
all_scenes('memory');



=== TEST 3: the zone's mutex is held correctly with the lmdb store
--- bare
--- http_config eval: ::http('lmdb:' . ::work_dir() . '/payments')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
all_scenes('LMDB');
