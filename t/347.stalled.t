# A worker process that stalls for longer than its lock of an order lasts,
# after it has got a link and before it stores it.  Another worker process
# creates another link meanwhile.  One of them stays usable, and both buyers
# get that one.

use strict;
use warnings;

use lib 't/lib';

our $flag;

BEGIN {
    $flag = "/tmp/payer-test-stalled-$$";
    $ENV{PAYER_TEST_STALL} = "7000:$flag";
}

use Payer::Test;
use Payer::Conf;

master_on();
workers(2);

END { unlink $flag if $flag }


sub store {
    my ($store) = @_;

    return "    payer_zone  payer 1m;\n    payer_store $store;\n"
        . "    upstream payer { server 127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}; }\n";
}


sub server { return payer_server() . "        payer_timeout 1s;\n" . checkout() }


# a visit that is under way while others are made

sub begin {
    my ($path) = @_;

    my $child = open(my $pipe, '-|') // die "fork: $!\n";

    if ($child == 0) {
        my $r = get($path);
        print $r->status, ' ', $r->header('Location') // '', "\n";
        close STDOUT;
        POSIX::_exit(0);
    }

    return $pipe;
}


our $scene = sub {
    unlink $flag;

    my $slow = begin('/checkout?order=2');

    ok(wait_until(sub { -e $flag }, 5), 'a worker stands still');

    my $link;
    wait_until(sub {
        my $r = get('/checkout?order=2');
        $link = $r->header('Location') if $r->status == 303;
        return $link;
    }, 20);

    ok($link, 'the lock runs out, and another worker makes a link');
    is(<$slow>, "303 $link\n", 'whoever stood still gets that one');

    my $books = books('2');
    is($books->{links}, 2, 'there were two');
    is($books->{liveLinks}, 1, 'and one of them was cancelled');
    is(get('/checkout?order=2')->header('Location'), $link, 'the link stays');
    is(calls()->{create}, 3, 'nobody made a third one');
};

run_payer_tests();

__DATA__

=== TEST 1: a worker process that stalls before it stores a link leaves one usable link in the memory store
--- bare
--- http_config perl: store('memory')
--- config perl: server()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
$main::scene->();
--- timeout: 30s



=== TEST 2: a worker process that stalls before it stores a link leaves one usable link in the lmdb store
--- bare
--- http_config perl: store('lmdb:' . work_dir() . '/payments')
--- config perl: server()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
$main::scene->();
--- timeout: 30s



=== TEST 3: worker processes that are stopped while Payer replies use the reply afterwards
--- bare
--- http_config perl: store('lmdb:' . work_dir() . '/payments')
--- config perl: server()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
open my $made, '>', $main::flag or die "$main::flag: $!\n";
faults('create: delay=0.5 times=1');

my $slow = begin('/checkout?order=2');
wait_until(sub { (calls()->{create} // 0) == 2 }, 5);

my @workers = worker_pids();
kill 'STOP', @workers;
sleep 2;
kill 'CONT', @workers;

like(<$slow>, qr/^303 /, 'the reply that came meanwhile is read');
is(books('2')->{liveLinks}, 1, 'one link');
--- timeout: 30s
