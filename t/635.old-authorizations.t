# Old authorizations that are not captured are reported before they expire.
#
# t/crash/points.c is loaded into nginx and puts its clock forward.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

use lib 't/lib';

our $shift;

BEGIN {
    my $root = abs_path(dirname(__FILE__) . '/..');

    make_path("$root/build/t");

    my $dir = tempdir('clock-XXXXXX', DIR => "$root/build/t", CLEANUP => 1);
    $shift = "$dir/shift";

    system($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -Wall -Wextra), '-o',
        "$dir/points.so", "$root/t/crash/points.c", '-ldl') == 0
        or die "t/crash/points.c does not build\n";

    my $nginx = $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');

    open my $fh, '>', "$dir/nginx" or die "$dir/nginx: $!\n";
    print $fh <<"EOT";
#!/bin/sh
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
export PAYER_CRASH_SHIFT="\$(cat "$shift" 2>/dev/null)"
export LD_PRELOAD="$dir/points.so"
exec $nginx "\$@"
EOT
    close $fh;
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
    $ENV{PAYER_TEST_STORE}  = 'lmdb';
}

use Payer::Test;
use Payer::Conf;
use Payer::Life;

master_on();

our $back_office = <<'EOT';
location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
location = /metrics   { payer_metrics;   payer_allow 127.0.0.1; }
EOT


our $office = 'server_name localhost; location /office/ { payer_office; payer_allow 127.0.0.1; }';

# another server, which captures by itself

our $acting = <<'EOT';
}
server {
    listen $TEST_NGINX_SERVER_PORT;
    server_name acting;
    payer_api /_payer;
    payer_client_id 4711;
    payer_client_secret_file $TEST_NGINX_DIR/payer.secret;
    payer_insecure_upstream on;
    payer_authorization_limit 2d capture;
    location /office/ { payer_office; payer_allow 127.0.0.1; }
    location /_payer/ {
        internal;
        include $TEST_NGINX_ROOT/conf/payer_api.conf;
        proxy_pass http://payer/;
    }
EOT

sub office { return get("/office/$_[0]", headers => { Host => 'localhost' }) }


# The server is started again so many days later.

sub days_later {
    my ($days) = @_;

    write_file($shift, int($days * 86400));
    restart('QUIT');
    unlink $shift;
}

sub authorized {
    for my $order (@_) {
        get("/checkout?order=$order")->status == 303 or die "no link\n";
        pay($order);
    }
    reconcile('/reconcile')->{settled} == @_ or die "not authorized\n";
}

sub gauge {
    my ($value) = get('/metrics')->body
        =~ /^payer_old_authorizations\{client="4711"\} (.*)$/m;
    return $value;
}

sub warned { return error_log_text() =~ /payer: (\d+ payments of .* and not captured)/ }

run_payer_tests();

__DATA__

=== TEST 1: an authorization of six days is counted as old
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
authorized('1', '2');
days_later(6.1);

is(gauge(), 0, 'nobody has looked yet');
is(reconcile('/reconcile')->{oldAuthorizations}, 2, 'reconcile tells');
is(gauge(), 2, 'the gauge shows it');
is((warned())[0], '2 payments of client "4711" are authorized for more than '
    . '6 days and not captured', 'and the log');

post('/reconcile?days=7');
is(gauge(), 0, 'for seven days none was authorized');



=== TEST 2: an authorization of four days is not counted as old
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
authorized('1');
days_later(4);

is(reconcile('/reconcile')->{oldAuthorizations}, 0, 'reconcile tells');
is(gauge(), 0, 'the gauge shows it');
ok(!warned(), 'and the log is silent');



=== TEST 3: the gauge shows the sum of the runs of a complete round
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
authorized('1', '2', '3');
days_later(6.1);

# what is in doubt makes it stop in the middle
get("/checkout?order=$_") for '0', '2a', '4';

for my $shown (0, 3) {
    my ($calls, $old) = (0, 0);

    do {
        is(gauge(), $shown, 'the gauge shows the walk before');
        $old += post('/reconcile?limit=1')->json->{oldAuthorizations};
    } while (++$calls < 3);

    is($old, 3, "three in $calls calls");
    post('/reconcile');
    is(gauge(), 3, 'the walk is complete');
}



=== TEST 4: each old authorization is logged with its order once a day
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
authorized('1', '2');
my $id = payment('2');
days_later(6.1);

my $lines = sub { scalar(() = error_log_text() =~ /\[error\].* payer: the payment was authorized 6 days ago and is not captured, order: "[12]", payment: "/g) };

post('/reconcile');
is($lines->(), 2, 'both');
like(error_log_text(), qr/not captured, order: "2", payment: "\Q$id\E"/, 'by its order');
post('/reconcile') for 1 .. 3;
is($lines->(), 2, 'not in each run');
days_later(7.1);
post('/reconcile');
like(error_log_text(), qr/\[error\].* authorized 7 days ago and is not captured, order: "2"/, 'the next day again');



=== TEST 5: a record is read in each run, after an hour once an hour, and after a day once a day
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
get("/checkout?order=$_")->status == 303 or die "no link\n" for 1 .. 2;
my $examined = sub { reconcile('/reconcile')->{examined} };

is($examined->(), 2, 'new ones');
is($examined->(), 2, 'in each run');
days_later(0.1);
is($examined->(), 2, 'after some hours');
is($examined->(), 0, 'not in each run');
days_later(0.15);
is($examined->(), 2, 'an hour later');
days_later(2);
is($examined->(), 2, 'after two days');
days_later(2.1);
is($examined->(), 0, 'some hours later');
days_later(3);
is($examined->(), 2, 'the next day');



=== TEST 6: operations that are done, not done and unknown are counted separately
--- config perl: checkout() . operations(payer_tries => 1) . $::back_office
--- request
GET /
--- after
authorized('h1', 'h2', 'h3');
post('/capture?reference=h3')->status == 200 or die "no capture\n";
faults({ match => 'capture', contains => payment('h1'), action => 'lost-reply' },
    { match => 'capture', contains => payment('h2'), status => 500 },
    { match => 'refund', action => 'lost-reply' });
sim_config(refunded_amount => 0);
is(post('/capture?reference=h1')->status, 504, 'one that was done');
is(post('/capture?reference=h2')->status, 502, 'one that was not');
is(post('/refund?reference=h3&amount=1')->status, 504, 'one that a read does not show');
days_later(0.02);
my $json = post('/reconcile')->json;
is("$json->{done} $json->{notDone} $json->{unknown}", '1 1 1', 'apart');



=== TEST 7: an order without a link is not paid, and its doubt ends
--- config perl: checkout(payer_timeout => '1s', payer_tries => 1) . 'location = /thanks { payer_verify $arg_order; empty_gif; }' . $::back_office
--- request
GET /
--- after
faults('create: lost-reply');
isnt(get('/checkout?order=9')->status, 303, 'no link');
is(get('/thanks?order=9')->status, 503, 'not known yet');
days_later(1);
is(reconcile('/reconcile')->{expiredLinks}, 1, 'its link is over');
is(get('/thanks?order=9')->status, 402, 'nobody has paid it');
is(get('/checkout?order=9')->status, 303, 'and it can be paid');



=== TEST 8: the office shows an old authorization as old and finds it, although it was not changed
--- config perl: checkout() . $::back_office . $::office
--- request
GET /
--- after
authorized('1');
is_deeply(office('order?reference=1')->json->{attention}, [], 'not on the first day');
is(scalar @{ office('orders?attention=1')->json->{orders} }, 0, 'nor is it found');
days_later(5.9);
is_deeply(office('order?reference=1')->json->{attention}, [], 'nor after less than the default of payer_authorization_limit');
is(scalar @{ office('orders?attention=1')->json->{orders} }, 0, 'nor is it found then');
days_later(6.1);

my $told = ['old_authorization'];
is_deeply(office('order?reference=1')->json->{attention}, $told, 'the order');
is_deeply(office('orders')->json->{orders}[0]{attention}, $told, 'the list');
is_deeply(office('orders?attention=1')->json->{orders}[0]{attention}, $told, 'the list of what needs attention');
is_deeply(office('orders?attention=1&state=authorized')->json->{orders}[0]{attention}, $told, 'with its state');
is(scalar @{ office('orders?attention=1&state=released')->json->{orders} }, 0, 'and not with another one');
like(office('orders?attention=1&format=csv')->body, qr/^"1",.*,old_authorization\r$/m, 'and as CSV');
is(scalar @{ office('orders?q=1&attention=1')->json->{orders} }, 1, 'it is found by a text');
is(reconcile('/reconcile')->{oldAuthorizations}, 1, 'reconcile counts the same');



=== TEST 9: the age is that of payer_authorization_limit, and an hour more if the sweep captures or releases
--- config perl: 'payer_authorization_limit 2d;' . checkout() . $::back_office . $::office . $::acting
--- request
GET /
--- after
authorized('1');
days_later(2.01);
is_deeply(office('orders?attention=1')->json->{orders}[0]{attention}, ['old_authorization'], 'two days');
my $acting = sub { get('/office/orders?attention=1', headers => { Host => 'acting' })->json->{orders} };
is_deeply($acting->(), [], 'the office of a server that captures says nothing yet');
days_later(2.05);
is($acting->()[0]{reference}, '1', 'an hour later it does');



=== TEST 10: attention=1 lists old authorizations in full pages, also among newer orders
--- config perl: 'payer_authorization_limit 2d;' . checkout() . $::back_office . $::office
--- request
GET /
--- after
days_later(-2.1);
authorized('old1', 'old2');
days_later(0);
authorized(map {"new$_"} 1 .. 7);
my $page = office('orders?attention=1&limit=2')->json;
is(join(' ', map { $_->{reference} } @{ $page->{orders} }), 'old2 old1', 'one page');
is($page->{next}, undef, 'which is the last');
$page = office('orders?attention=1&limit=1')->json;
is($page->{orders}[0]{reference}, 'old2', 'a page of one');
$page = office("orders?attention=1&limit=1&after=$page->{next}")->json;
is($page->{orders}[0]{reference}, 'old1', 'and the next');
