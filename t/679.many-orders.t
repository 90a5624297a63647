# A store with the orders of years.  It is written by bench/fill, as for the
# measurements of bench/.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

sub fill {
    my (@args) = @_;
    my $store = work_dir() . '/payments';

    system("$ENV{TEST_NGINX_ROOT}/bench/fill", $store, @args) == 0 or die "not filled
";
    chmod 0777, $store;
    chmod 0666, glob "$store/*";
}

sub office { return 'server_name localhost; location /office/ { payer_office; payer_allow 127.0.0.1; }' }

sub ask { return get('/office/' . $_[0], headers => { Host => 'localhost' })->json }

# memory has nothing to be filled before nginx starts
$ENV{PAYER_TEST_STORE} = 'lmdb';

run_payer_tests();

__DATA__

=== TEST 1: orders of a filled store are listed, found and presented by the checkout
--- before: fill(3000)
--- config perl: checkout() . operations() . office()
--- request
GET /checkout?order=100002999
--- error_code: 303
--- then
my $page = ask('orders?limit=500');
is(scalar @{ $page->{orders} }, 500, 'a page');
is($page->{orders}[0]{reference}, '100002999', 'the newest order first');
my ($order) = @{ ask('orders?q=100000001')->{orders} };
is($order->{reference}, '100000001', 'found by the reference');
is(ask("orders?q=$order->{paymentId}")->{orders}[0]{reference}, '100000001', 'and by the payment id');
is(ask('order?reference=100000001')->{state}, $order->{state}, 'and shown');
--- calls: none



=== TEST 2: at most 2000 entries are examined for a page, which is then shorter
--- before: fill(5000, 100000000, 'fully_captured')
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
my ($after, $calls, $page) = ('', 0);
do {
    $page = ask("orders?state=authorized&after=$after");
    is_deeply($page->{orders}, [], 'none of that state');
    $after = $page->{next};
    $calls++;
} while (defined $after && $calls < 9);
is($calls, 3, 'the whole store in three calls');
--- calls: none
