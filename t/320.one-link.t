# An order has one usable link, even if the claim of its creator or the reply
# to a cancel is lost.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Weather;
use Payer::Test;
use Payer::Conf;
use Payer::Life;

master_on();
workers(1);

sub thanks { return 'location = /thanks { payer_verify $arg_order; }' }

# a zone of another size is an empty one: nobody knows of a claim any more
sub lose_the_zone {
    my $conf = $Test::Nginx::Util::ConfFile;

    open my $in, '<', $conf or die "$conf: $!\n";
    my $text = join '', <$in>;
    close $in;

    $text =~ s/payer_zone   payer 1m/payer_zone   payer 2m/ or die "no zone\n";
    write_file($conf, $text);

    my %old = map { $_ => 1 } worker_pids();

    kill 'HUP', nginx_pid();
    wait_until(sub { grep { !$old{$_} } worker_pids() }, 10);

    # the old one listens no longer
    wait_until(sub { error_log_text() =~ /gracefully shutting down/ }, 5);
}

run_payer_tests();

__DATA__

=== TEST 1: two zones with one store create one link for simultaneous requests
--- config perl: checkout()
--- log_level: notice
--- request
GET /checkout?order=token
--- error_code: 303
--- then
faults('create: delay=3 contains=slow');

my $child = open(my $slow, '-|') // die "fork: $!\n";

if ($child == 0) {
    my $r = get('/checkout?order=slow');
    print $r->status, ' ', $r->header('Location') // '', "\n";
    close STDOUT;
    POSIX::_exit(0);
}

wait_until(sub { grep { $_->{body} =~ /slow/ } journal('create') }, 5);
lose_the_zone();

my $r = get('/checkout?order=slow');
is($r->status, 303, 'the second creator has a link');

my $first = <$slow>;
close $slow;
is($first, '303 ' . $r->header('Location') . "\n",
   'and it is that of the first one');
--- books
slow: links=1 liveLinks=1
--- calls
token: 1
create: 2



=== TEST 2: after an unknown cancel the cancelled link is not presented again
--- config perl: checkout(payer_amount => '$payer_test_amount', payer_tries => 1)
--- http_config
map $arg_price $payer_test_amount { default 10000; new 8000; }
--- request
GET /checkout?order=1
--- error_code: 303
--- then
faults('cancel: lost-reply');
is(get('/checkout?order=1&price=new')->status, 504, 'the outcome is unknown');

my $r = get('/checkout?order=1');
is($r->status, 303, 'the old price gets a link');

my ($link) = grep { $_->{url} eq $r->header('Location') } links('1');
ok($link->{live}, 'that is alive');
--- books
1: links=2 liveLinks=1



=== TEST 3: after a cancel that was not done, one read makes the link usable again
--- config perl: checkout(payer_amount => '$payer_test_amount', payer_tries => 1)
--- http_config
map $arg_price $payer_test_amount { default 10000; new 8000; }
--- request
GET /checkout?order=1
--- error_code: 303
--- then
faults('cancel: reset');
is(get('/checkout?order=1&price=new')->status, 504, 'the outcome is unknown');
is(get('/checkout?order=1')->header('Location'), (links('1'))[0]{url},
   'the old price has the old link');
is(get('/checkout?order=1')->status, 303, 'once and for all');
--- calls
token: 1
create: 1
cancel: 1
read: 1
--- books
1: links=1 liveLinks=1



=== TEST 4: a link that is older than payer_link_ttl is cancelled before a new one is created
--- config perl: checkout(payer_link_ttl => '1s')
--- request
GET /checkout?order=1
--- error_code: 303
--- then
wait_until(sub { get('/checkout?order=1'); books('1')->{links} == 2 }, 5);
is((links('1'))[0]{status}, 'CANCELLED', 'the first one');
--- books
1: links=2 liveLinks=1



=== TEST 5: a link older than payer_link_ttl that was paid redirects to payer_return_success
--- config perl: checkout(payer_link_ttl => '1s')
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');

my $r;
wait_until(sub { $r = get('/checkout?order=1');
                 $r->header('Location') =~ /thanks/ }, 5);
like($r->header('Location'), qr{/thanks}, 'where a paid order goes');
--- books
1: links=1 authorized=12900



=== TEST 6: a cancel answered with 404 in HTML does not mark the old link as dead
--- config perl: checkout(payer_amount => '$payer_test_amount')
--- http_config
map $arg_price $payer_test_amount { default 10000; new 8000; }
--- request
GET /checkout?order=1
--- error_code: 303
--- then
faults({ match => 'cancel', status => 404, times => 0,
    headers => { 'Content-Type' => 'text/html' }, body => '<p>No such page' });
is(get('/checkout?order=1&price=new')->status, 503, 'no other link');
is(get('/checkout?order=1')->header('Location'), (links('1'))[0]{url},
   'the old price has the old link');
--- calls
token: 1
create: 1
cancel: 1
read: 1
--- books
1: links=1 liveLinks=1



=== TEST 7: a read that began before an unknown cancel does not make the link usable
--- config perl: checkout(payer_amount => '$payer_test_amount', payer_tries => 1) . thanks()
--- http_config
map $arg_price $payer_test_amount { default 10000; new 8000; }
--- request
GET /checkout?order=1
--- error_code: 303
--- then
faults('read: delay_after=2', 'cancel: lost-reply');

my $child = open(my $gate, '-|') // die "fork: $!\n";

if ($child == 0) {
    print get('/thanks?order=1')->status, "\n";
    close STDOUT;
    POSIX::_exit(0);
}

wait_until(sub { calls()->{read} }, 5);
is(get('/checkout?order=1&price=new')->status, 504, 'the outcome for the link is unknown');
is(<$gate>, "402\n", 'the slow read told that it was alive');
close $gate;

my $r = get('/checkout?order=1');
my ($link) = grep { $_->{url} eq $r->header('Location') } links('1');
ok($link->{live}, 'the old price gets a link that is alive');
--- books
1: links=2 liveLinks=1



=== TEST 8: after the clock is set back, one read settles an unknown cancel
--- config perl: checkout(payer_amount => '$payer_test_amount', payer_tries => 1)
--- http_config
map $arg_price $payer_test_amount { default 10000; new 8000; }
--- request
GET /checkout?order=1
--- error_code: 303
--- then
faults('cancel: reset');
clock_is_off(3600);
is(get('/checkout?order=1&price=new')->status, 504, 'the outcome is unknown');
clock_is_off(0);
is(get('/checkout?order=1')->header('Location'), (links('1'))[0]{url}, 'one read tells');
is(get('/checkout?order=1')->status, 303, 'once and for all');
--- calls
token: 1
create: 1
cancel: 1
read: 1



=== TEST 9: two nginx instances with one store, as during a binary upgrade, create one link for each order
--- config perl: checkout(payer_amount => '$payer_test_amount')
--- http_config
map $arg_price $payer_test_amount { default 10000; new 8000; }
--- main_config
    env ASAN_OPTIONS;
    env UBSAN_OPTIONS;
--- request
GET /checkout?order=old
--- error_code: 303
--- then
my $old = nginx_pid();
kill 'USR2', $old;
ok(wait_until(sub { my $pid = nginx_pid(); $pid && $pid != $old && worker_pids() }, 10), 'two masters');
my $new = nginx_pid();

faults('create|cancel: delay=0.3 times=0');

for my $order (1 .. 4) {
    my @answers = together(map { [ GET => "/checkout?order=$order" ] } 1 .. 12);
    is((grep { $_->status == 303 } @answers), 12, "order $order: all are served");
    my %to = map { $_->header('Location') => 1 } @answers;
    is(keys %to, 1, 'with one link');
    is(books($order)->{links}, 1, 'and no other was made');
}

my @answers = together(map { [ GET => '/checkout?order=1&price=new' ] } 1 .. 12);
my %to = map { $_->header('Location') // $_->status => 1 } @answers;
is(keys %to, 1, 'another price: all get one link');

kill 'QUIT', $new;
ok(wait_until(sub { (nginx_pid() // 0) == $old }, 10), 'back to one');
--- books
1: links=2 liveLinks=1



=== TEST 10: an operation in progress in another nginx instance with the same store is not settled by hand
--- config perl: checkout() . operations() . 'payer_tries 1; location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- then
pay('1');
is(post('/capture', json => { reference => '1' })->status, 200, 'captured');

my @refund = (POST => '/refund', json => { reference => '1', amount => 700 },
    headers => { 'Idempotency-Key' => 'k' });

faults('refund: reset', 'read: edit times=0 drop=["payment.refundedAmount"]');
my $id = request(@refund)->json->{requestId};
ok($id, 'the outcome is unknown');

faults('refund: delay=3');
my $before = calls()->{refund};
my $child = fork // die "fork: $!\n";

if ($child == 0) {
    request(@refund);
    POSIX::_exit(0);
}

ok(wait_until(sub { calls()->{refund} > $before }, 5), 'it is sent again');
lose_the_zone();

my $settled = post("/reconcile?operation=$id&outcome=refused");
waitpid $child, 0;

is($settled->status, 409, 'refused while it is under way');
is(books('1')->{refunded}, 700, 'it is done');
is(request(@refund)->status, 200, 'and the repeat says so');
