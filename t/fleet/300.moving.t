# A shop moves from lmdb to PostgreSQL and back while buyers come: a first
# import while nginx runs, another one when it is stopped.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Payer::Buyers;
use Payer::StoreTool;

use File::Path qw(make_path remove_tree);
use Time::HiRes qw(sleep);

my ($old, $new) = map { work_dir() . "/lmdb$_" } 1, 2;
my $now = "lmdb:$old";

remove_tree($old, $new);

my $fleet = fleet(delay => 1, store => sub { $now });
my $admin = $fleet->pg->admin_store;

# what payer_store is when the shop has moved
my $postgresql = $fleet->pg->store . ' password_file='
    . $fleet->pg->password_file . ' durability=local timeout=3s';

$fleet->start(0);

# of the time before
$fleet->pays("$_", 0, 0) for 1 .. 12;
$fleet->post(0, '/capture', json => { reference => "$_", amount => 100 },
    headers => { 'Idempotency-Key' => "early-$_" }) for 1 .. 4;

my $buyers = buyers($fleet, orders => 60, patience => 90);

wait_until(sub { $buyers->count('return', 200) > 4 }, 20);
like(imported($admin, exported("lmdb:$old")), qr/ [1-9]\d* written/,
    'a first import while nginx runs');
wait_until(sub { $buyers->count('return', 200) > 12 }, 20);
ok($buyers->busy, 'buyers come all the time');

$fleet->stop(0);
my $last = exported("lmdb:$old");
like(imported($admin, $last), qr/ [1-9]\d* written, [1-9]\d* kept/,
    'a second one, which writes what has changed');
is(exported($admin), $last, 'all is there');

$now = $postgresql;
$fleet->start($_) for 0, 1;

# what is known already, again and again, while two hosts sell
my $imports = 0;

while ($buyers->busy && $imports < 10) {
    imported($admin, $last);
    $imports++;
}

ok($imports > 1, 'imports go on while buyers come');
is(join("\n", $buyers->judged), '', 'nothing is lost, doubled or refused');

imported($admin, $last);
is(join(' ', map { $fleet->get(1, "/thanks?order=$_")->status } 1 .. 12),
    join(' ', (200) x 12), 'another import takes nothing back');

my $again = $fleet->post(1, '/capture', json => { reference => '1', amount => 100 },
    headers => { 'Idempotency-Key' => 'early-1' });
is($again->status, 200, 'an operation of before is answered');
is(books('1')->{captured}, 100, 'and not done again');
like((store_tool('check', $admin))[1], qr/ 0 faults/, 'the store is in order');

# and back, in the same way

make_path($new, { mode => 0700 });
chown((stat $old)[ 4, 5 ], $new);

$buyers = buyers($fleet, orders => 40, patience => 90, book => sub {
    my (undef, $list) = store_tool('list', "lmdb:$new\0order/4711/");
    return { $list =~ m{^order/4711/(\S+) .*? captured=(\d+) }gmx };
});

wait_until(sub { $buyers->count('return', 200) > 4 }, 20);
like(imported("lmdb:$new", exported($admin)), qr/ [1-9]\d* written/,
    'the way back: a first import while two hosts sell');

$fleet->stop($_) for 0, 1;
ok($buyers->busy, 'buyers come all the time');

my $all = exported($admin);
like(imported("lmdb:$new", $all), qr/ [1-9]\d* kept/, 'a second one');
is(exported("lmdb:$new"), $all, 'the way back: all is there');

$now = "lmdb:$new";
$fleet->start($_) for 0, 1;
is(join("\n", $buyers->judged), '', 'nothing is lost, doubled or refused');
is(join(' ', map { $fleet->get(0, "/thanks?order=$_")->status } 1 .. 12),
    join(' ', (200) x 12), 'who has paid has paid');
is($fleet->post(0, '/capture', json => { reference => '1', amount => 100 },
    headers => { 'Idempotency-Key' => 'early-1' })->status, 200,
    'an operation of before is answered');
is(books('1')->{captured}, 100, 'and not done again');
like((store_tool('check', "lmdb:$new"))[1], qr/ 0 faults/, 'the store is in order');

is_deeply([ $fleet->alerts ], [], 'no host raised an alert');

done_testing();
