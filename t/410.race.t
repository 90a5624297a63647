# Simultaneous visits of one order get one link, whichever request creates it,
# and also if requests fail.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use IO::Socket::INET;

master_on();
workers(4);

run_payer_tests();

__DATA__

=== TEST 1: fifty simultaneous first visits create one link, and all get it
--- config perl: checkout(add_header => 'X-Link $payer_link')
--- faults
create: delay=0.3
--- request
GET /
--- after
my @r = together(map { [ GET => '/checkout?order=1' ] } 1 .. 50);
my $url = books('1')->{url};

is((grep { $_->status == 303 } @r), 50, 'all go somewhere');
is((grep { $_->header('Location') eq $url } @r), 50, 'to the same link');
is((grep { $_->header('X-Link') eq 'miss' } @r), 1, 'one made it');
is_deeply(calls(), { token => 1, create => 1 }, 'by one call');
is(books('1')->{links}, 1, 'and Payer knows of one');



=== TEST 2: simultaneous first visits of ten orders do not wait for each other
--- config perl: checkout()
--- faults
create: delay=0.4 times=0
--- request
GET /
--- after
my @r = together(map { [ GET => '/checkout?order=' . $_ % 10 ] } 1 .. 40);

is((grep { $_->status == 303 } @r), 40, 'all go somewhere');
cmp_ok($_->time, '<', 2, 'soon') for @r[0, 39];
is_deeply(calls(), { token => 1, create => 10 }, 'by one call each');



=== TEST 3: if the request that creates the link fails, a waiting request creates it
--- config perl: checkout()
--- faults
create: delay=0.3 status=400 body={}
--- request
GET /
--- after
my @r = together(map { [ GET => '/checkout?order=1' ] } 1 .. 10);

is((grep { $_->status == 502 } @r), 1, 'one is told that Payer refused');
is((grep { $_->status == 303 } @r), 9, 'all others have the link');
is_deeply(calls(), { token => 1, create => 2 }, 'by a second call');
is(books('1')->{links}, 1, 'and there is one');



=== TEST 4: a waiting request is answered within payer_timeout
--- config perl: checkout(payer_timeout => '500ms')
--- faults
create: silence times=0
--- request
GET /
--- after
my @r = together(map { [ GET => '/checkout?order=1' ] } 1 .. 10);

is((grep { $_->status =~ /^50[34]$/ } @r), 10, 'all have an answer');
cmp_ok($_->time, '<', 2, 'in time') for @r;



=== TEST 5: simultaneous visits with two amounts end with one usable link
--- config perl: checkout() . checkout('= /more', payer_amount => '99900')
--- request
GET /
--- after
my @r = together(map { [ GET => $_ % 2 ? '/checkout?order=1' : '/more?order=1' ] }
    1 .. 20);

is((grep { $_->status == 303 } @r), 20, 'all go somewhere');
is(books('1')->{liveLinks}, 1, 'one link is alive');



=== TEST 6: if the buyer whose request creates the link leaves, the others get the link
--- config perl: checkout()
--- faults
create: delay=0.4
--- request
GET /
--- after
my @r = together(
    [ GET => '/checkout?order=1', hang_up => 0.1 ],
    map { [ GET => '/checkout?order=1' ] } 1 .. 5
);

is((grep { $_->status == 303 } @r), 5, 'the others have it');
is($r[0]->error, 'hung up', 'one left');
is_deeply(calls(), { token => 1, create => 1 }, 'whose call was for all');



=== TEST 7: if the worker process that creates the link is killed, another one creates it
--- config perl: checkout(payer_timeout => '300ms')
--- faults
create: silence
--- request
GET /
--- after
my @before = worker_pids();
my %old = map { $_ => 1 } @before;
my $buyer = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . nginx_port());

print $buyer "GET /checkout?order=1 HTTP/1.1\r\nHost: a\r\n\r\n";
wait_until(sub { calls()->{create} });
kill 'KILL', @before;

ok(wait_until(sub {
    my @now = worker_pids();
    return @now == 4 && !grep { $old{$_} } @now;
}), 'the master has started other workers');

# a claim outlives the longest flow by five seconds
my @said;
ok(wait_until(sub {
    push @said, get('/checkout?order=1');
    return $said[-1]->status == 303;
}, 8), 'the claim of the dead one runs out');

cmp_ok(scalar @said, '>', 1, 'not before its time');
is($said[0]->status, 503, 'until then: later');
is($said[0]->header('Retry-After'), 1, 'in a second');
is(books('1')->{links}, 1, 'one link');
--- alert
exited on signal 9
