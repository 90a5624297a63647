# Several payments are read in parallel: their number, memory and writes.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Test;
use Payer::Conf;
use Time::HiRes ();

master_on();

our $staff = 'location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }';

sub links_of {
    my ($n) = @_;
    my $made = 0;

    while ($made < $n) {
        my @orders = ($made + 1 .. $made + 50);
        my @came = together(map { [ 'GET', "/checkout?order=$_" ] } @orders);

        (grep { $_->status == 303 } @came) == @orders or die "not all links\n";
        $made += @orders;
    }
}

# Memory of the worker processes that is their own, in kilobytes.

sub memory {
    my $sum = 0;

    for my $pid (worker_pids()) {
        open my $fh, '<', "/proc/$pid/status" or die $!;
        local $/;
        $sum += $1 if <$fh> =~ /^RssAnon:\s+(\d+) kB/m;
    }
    return $sum;
}

# What the store has committed so far.

sub commits { return scalar(() = error_log_text() =~ /payer store lmdb batch: /g) }

run_payer_tests();

__DATA__

=== TEST 1: payments are read in parallel if Payer is slow
--- config perl: checkout() . $::staff
--- request
GET /
--- after
links_of(100);
faults({ match => 'read', action => 'none', delay => 0.2, times => 1000 });

my $began = Time::HiRes::time();
is(post('/reconcile')->json->{examined}, 100, 'all of them');
my $took = Time::HiRes::time() - $began;

cmp_ok($took, '<', 6, 'not one after the other');
cmp_ok($took, '>', 1, 'and not all at once');



=== TEST 2: a read without a change is not written
--- config perl: checkout() . $::staff
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(post('/reconcile')->json->{examined}, 1, 'the first one says what Payer calls it');
my $before = commits();
is(post('/reconcile')->json->{examined}, 1, 'the second one nothing');
is(commits() - $before, 2, 'only the lock of the read and the position are written');



=== TEST 3: the memory of each read is freed
--- config perl: checkout() . $::staff
--- request
GET /
--- after
links_of(300);
is(post('/reconcile?limit=300')->json->{examined}, 300, 'a first run');
my $before = memory();
is(post('/reconcile?limit=300')->json->{examined}, 300, 'a second one');
# a sanitizer keeps what was freed for a while
cmp_ok(memory() - $before, '<', $ENV{ASAN_OPTIONS} ? 60_000 : 600,
    'takes less than 2 KB for each');



=== TEST 4: operations and orders of one payment are read one after the other
--- config perl: checkout() . operations(payer_tries => 1) . $::staff
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
post('/capture?reference=1&amount=9000')->status == 200 or die "no capture\n";
faults('refund: lost-reply times=3');
post("/refund?reference=1&amount=$_", headers => { 'Idempotency-Key' => "k$_" }) for 1000, 2000, 3000;
my $json = post('/reconcile')->json;
is("$json->{done} $json->{notDone} $json->{unknown}", '3 0 0', 'each is found done');
is(books('1')->{refunded}, 6000, 'as it was');
