# The variables: where they can be used, and their values.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

our @names = qw(payment_id url status outcome reference amount currency
    authorized_amount captured_amount operation request_id link api_status
    api_time);


# A log of all of them, one "name=value" after the other.

sub format_of_all {
    return "log_format all '" . join(' ', map { "$_=[\$payer_$_]" } @names)
        . "';";
}

sub log_of_all { return "access_log $ENV{TEST_NGINX_DIR}/all.log all;" }

# The last line, when it has come: { name => value }.

sub logged {
    my @lines;

    wait_until(sub {
        open my $fh, '<', work_dir() . '/all.log' or return 0;
        @lines = <$fh>;
    });

    return { ($lines[-1] // '') =~ /(\w+)=\[(.*?)\]/g };
}

sub forget { unlink work_dir() . '/all.log' }

run_payer_tests();

__DATA__

=== TEST 1: the variables of a first visit are logged
--- http_config perl: format_of_all()
--- config perl: checkout() . log_of_all()
--- before
forget();
--- request
GET /checkout?order=A%2F1
--- error_code: 303
--- after
my $v = logged();
my $books = books('A/1');
my ($id) = (sent('create'))[0] =~ /^payer-request-id: (\S+)$/mi;

is($v->{payment_id}, $books->{paymentId}, 'payment_id');
is($v->{url}, $books->{url}, 'url');
is($v->{reference}, 'A/1', 'reference');
is($v->{amount}, 12900, 'amount');
is($v->{currency}, 'SEK', 'currency');
is($v->{operation}, 'create', 'operation');
is($v->{request_id}, $id, 'request_id');
is($v->{link}, 'miss', 'link');
is($v->{api_status}, 200, 'api_status');
like($v->{api_time}, qr/^\d+\.\d{3}$/, 'api_time');
is($v->{$_}, '-', "$_, of which nothing is known") for
    qw(status outcome authorized_amount captured_amount);



=== TEST 2: the variables of a repeated visit are logged
--- http_config perl: format_of_all()
--- config perl: checkout() . log_of_all()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
logged();
forget();
kill 'USR1', nginx_pid();
wait_until(sub { -e work_dir() . '/all.log' });
get('/checkout?order=1');

my $v = logged();
my $books = books('1');
is($v->{link}, 'hit', 'link');
is($v->{payment_id}, $books->{paymentId}, 'payment_id');
is($v->{url}, $books->{url}, 'url');
is($v->{api_status}, '-', 'no call, no status');
is($v->{api_time}, '-', 'and no time');



=== TEST 3: the variables of an invalid order are logged
--- http_config perl: format_of_all()
--- config perl: checkout(payer_max_amount => q($arg_max)) . log_of_all()
--- before
forget();
--- request
GET /checkout?order=1&max=1
--- error_code: 400
--- after
my $v = logged();
is($v->{reference}, '1', 'reference');
is($v->{operation}, 'create', 'operation');
is($v->{$_}, '-', $_) for qw(payment_id url link request_id api_status);



=== TEST 4: the variables are empty in a request without a payment
--- http_config perl: format_of_all()
--- config perl: 'location = /x { return 204; }' . log_of_all()
--- before
forget();
--- request
GET /x
--- error_code: 204
--- after
my $v = logged();
is($v->{$_}, '-', $_) for @names;



=== TEST 5: the variables of an operation are logged
--- http_config perl: format_of_all()
--- config perl
checkout(access_log => 'off') . operations() . log_of_all()
--- before
forget();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
my $r = post('/capture', json => { reference => '1', amount => 400 });
is($r->status, 200, 'done');

my $v = logged();
is($v->{operation}, 'capture', 'operation');
is($v->{reference}, '1', 'reference');
is($v->{payment_id}, payment('1'), 'payment_id');
is($v->{amount}, 12900, "the order's amount");
is($v->{currency}, 'SEK', 'currency');
is($v->{request_id}, $r->header('Payer-Request-Id'), 'request_id');
is($v->{api_status}, 200, 'api_status');



=== TEST 6: the variables of a read have the status and the amounts from Payer
--- http_config perl: format_of_all()
--- config perl
checkout(access_log => 'off')
    . operations(access_log => 'off') =~ s/(payer_payment;.*?)access_log off;/$1/sr
    . log_of_all()
--- before
forget();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
pay('1');
post('/capture', json => { reference => '1', amount => 400 });
get('/payment?reference=1');

my $v = logged();
is($v->{operation}, 'read', 'operation');
is($v->{status}, 'PARTIALLY_CAPTURED', 'status');
is($v->{authorized_amount}, 12900, 'authorized_amount');
is($v->{captured_amount}, 400, 'captured_amount');



=== TEST 7: the variables of a failed call are logged
--- http_config perl: format_of_all()
--- config perl: checkout(payer_tries => 1) . log_of_all()
--- before
forget();
--- faults
create: reset
--- request
GET /checkout?order=1
--- error_code: 504
--- after
my $v = logged();
is($v->{api_status}, 502, 'api_status');
like($v->{request_id}, qr/^[0-9a-f-]{36}$/, 'request_id');
is($v->{link}, 'miss', 'link');



=== TEST 8: variables can be used in add_header
--- config perl
checkout(add_header => [
    'X-Reference $payer_reference', 'X-Link $payer_link',
    'X-Payment $payer_payment_id', 'X-Api $payer_api_status'
])
--- request
GET /checkout?order=1
--- error_code: 303
--- response_headers
X-Reference: 1
X-Link: miss
X-Api: 200
--- response_headers_like
X-Payment: [0-9a-f-]{36}



=== TEST 9: payer_present with a URI shows the page of the shop with the payment link
--- config perl
'location = /frame {
    internal;
    default_type text/html;
    return 200 "<iframe src=\"$payer_url\"></iframe> $payer_reference $payer_payment_id $payer_link\n";
}' . checkout(payer_present => '/frame')
--- request
GET /checkout?order=1
--- error_code: 200
--- response_body_like
^<iframe src="http://127\.0\.0\.1:\d+/widget/[0-9a-f]{40}"></iframe> 1 [0-9a-f-]{36} miss$



=== TEST 10: payer_present with a URI passes the payment to the shop in headers and arguments
--- config perl
'location = /page {
    internal;
    proxy_set_header X-Url       $payer_url;
    proxy_set_header X-Reference $payer_reference;
    proxy_set_header X-Amount    $payer_amount;
    proxy_set_header X-Currency  $payer_currency;
    proxy_pass       http://payer/shop;
}' . checkout(payer_present => '/page?order=$payer_reference')
--- request
POST /checkout?order=1
--- error_code: 404
--- after
my ($sent) = sent('unknown');
my $books = books('1');
like($sent, qr{^GET /shop\?order=1$}m, 'a GET with what payer_present says');
like($sent, qr/^X-Url: \Q$books->{url}\E$/mi, 'the address');
like($sent, qr/^X-Reference: 1$/mi, 'the order');
like($sent, qr/^X-Amount: 12900$/mi, 'the amount');
like($sent, qr/^X-Currency: SEK$/mi, 'the currency');



=== TEST 11: payer_present with a URI works for a repeated visit
--- config perl
'location = /frame { internal; return 200 "$payer_url $payer_link"; }'
    . checkout(payer_present => '/frame')
--- request
GET /checkout?order=1
--- error_code: 200
--- after
like(get('/checkout?order=1')->body, qr{^\Q@{[ books('1')->{url} ]}\E hit$}, 'of the same link');



=== TEST 12: $payer_url is empty for a client without an order
--- config perl
'location = /frame { internal; return 200 "$payer_url"; }'
    . checkout(payer_present => '/frame')
--- request
GET /frame
--- error_code: 404



=== TEST 13: the variables of the order are available in error_page
--- config perl
checkout(error_page => '502 @sorry')
    . 'location @sorry { return 502 "$payer_reference $payer_api_status"; }'
--- faults
create: status=400 body={}
--- request
GET /checkout?order=1
--- error_code: 502
--- response_body chomp
1 400



=== TEST 14: $payer_reference is escaped in return addresses only
--- config perl
checkout(add_header => 'X-Reference $payer_reference')
--- request
GET /checkout?order=a%20b
--- error_code: 303
--- response_headers
X-Reference: a b
--- sent
create: order=a%20b"



=== TEST 15: an undefined $payer_ variable is rejected
--- config perl
checkout(add_header => 'X-Nothing $payer_nothing')
--- must_die
--- error_log
unknown "payer_nothing" variable
