# Card testing: thieves try stolen cards on payment pages, and need many links
# for that.  docs/security.md has the figures of these tests.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Shop;
use Payer::Lookup;

our $TRIES = 200;

write_file('link.key', "the-key-that-shop-and-nginx-share\n", 0600);
lookup_start();


# Somebody asks for links as fast as nginx answers; the statuses that came.

sub tries {
    my ($path) = @_;
    my %count;

    for my $first (map { $_ * 20 } 0 .. $TRIES / 20 - 1) {
        $count{ $_->status }++
            for together(map { [ GET => $path->($first + $_) ] } 1 .. 20);
    }

    return \%count;
}


sub open_checkout {
    return checkout('= /buy', payer_reference => '$arg_order public',
        payer_amount => '10000', @_);
}

run_payer_tests();

__DATA__

=== TEST 1: without a limit, each request for a new order creates a link
--- config perl: open_checkout()
--- request
GET /nothing
--- error_code: 404
--- after
is_deeply(tries(sub { "/buy?order=$_[0]" }), { 303 => $TRIES }, 'each is redirected');
is(calls()->{create}, $TRIES, 'and has a link of its own');



=== TEST 2: requests for the same order get the same link
--- config perl: open_checkout()
--- request
GET /nothing
--- error_code: 404
--- after
is_deeply(tries(sub { '/buy?order=1001' }), { 303 => $TRIES }, 'each is redirected');
is(calls()->{create}, 1, 'to one link');



=== TEST 3: limit_req passes the burst, and then the rate
--- http_config
limit_req_zone $binary_remote_addr zone=pay:1m rate=6r/m;
--- config eval
::open_checkout() =~ s/\{/{ limit_req zone=pay burst=4 nodelay; limit_req_status 429;/r
--- request
GET /nothing
--- error_code: 404
--- after
my $began = time;
my $came  = tries(sub { "/buy?order=$_[0]" });
my $most  = 5 + int((time - $began) / 10) + 1;

cmp_ok($came->{303}, '>=', 5, 'a buyer who tries again is served');
cmp_ok($came->{303}, '<=', $most, "at most $most links");
is($came->{303} + $came->{429}, $TRIES, 'all others get 429');
is(calls()->{create}, $came->{303}, 'of which Payer knows nothing');



=== TEST 4: made-up signatures cause no call
--- config eval
::checkout('= /pay', payer_amount => '$arg_amount',
    payer_signature => '$arg_sig $arg_order:$arg_amount:$arg_expires',
    payer_signature_expires  => '$arg_expires',
    payer_signature_key_file => "$ENV{TEST_NGINX_DIR}/link.key")
--- request
GET /nothing
--- error_code: 404
--- after
my $expires = time + 600;
is_deeply(tries(sub { "/pay?order=$_[0]&amount=100&expires=$expires&sig=" . sprintf '%064x', $_[0] }),
    { 403 => $TRIES }, 'each is rejected');
is_deeply(calls(), {}, 'Payer is not called, not even for a token');



=== TEST 5: guessed keys of an order cause no call to Payer, and few to the shop
--- http_config eval: ::page()
--- config eval: ::lookup()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('delay=0.05 ' . wc());
is_deeply(tries(sub { "/checkout/order-received/1001/?key=wc_order_guess$_[0]" }),
    { 404 => $TRIES }, 'each is rejected');
is_deeply(calls(), {}, 'Payer is not called');
cmp_ok(lookups(), '<', $TRIES / 2, 'simultaneous guesses share a request to the shop');



=== TEST 6: guessed order numbers cause a bounded number of simultaneous calls to the shop
--- http_config eval: ::page()
--- config eval: ::lookup(payer_lookup_inflight => 4)
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('delay=0.2 ' . wc());
my $came = tries(sub { '/checkout/order-received/' . (1 + $_[0]) . '/?key=wc_order_guess' });

is($came->{404} + $came->{503}, $TRIES, 'each is rejected');
is_deeply(calls(), {}, 'Payer is not called');
is(lookups(), $came->{404}, 'the shop is asked for those with 404 only');
cmp_ok($came->{503}, '>=', $TRIES / 2, 'the others get 503');
