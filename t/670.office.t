# The office: the JSON behind the page.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

# an order that the buyer has paid: the payment's id

sub paid {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link for $order\n";
    pay($order);

    return payment($order);
}


sub read_back { get("/payment?reference=$_[0]")->status == 200 or die "no read of $_[0]\n" }

sub office {
    my ($more) = @_;

    return "server_name localhost; location /office/ {
        payer_office;
        payer_allow 127.0.0.1;
        payer_office_operate 1;
        " . ($more // '') . '
    }';
}

# Test::Nginx gives its own server a name

sub another {
    my ($name, $location) = @_;
    my $port = free_port();

    return "server {
        listen 127.0.0.1:$port;
        $name
        " . payer_server() . "
        $location
    }";
}

our %ask = (Host => 'localhost');
our %act = (%ask, 'X-Payer-Office' => 1);

sub ask { return get('/office/' . $_[0], headers => {%ask}) }

sub act {
    my ($what, $json, %headers) = @_;

    return post("/office/order/$what", headers => { %act, %headers }, json => $json);
}

sub references { return join ' ', map { $_->{reference} } @{ ask($_[0])->json->{orders} } }

run_payer_tests();

__DATA__

=== TEST 1: orders lists orders with the documented fields
--- config perl: checkout() . operations() . office()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my $r = ask('orders');
is($r->status, 200, 'answered');
like($r->header('Content-Type'), qr{^application/json}, 'as JSON');
is($r->header('Cache-Control'), 'no-store', 'not to be kept');
is($r->header('X-Content-Type-Options'), 'nosniff', 'nor guessed');
like($r->header('Content-Security-Policy'), qr/frame-ancestors 'none'/, 'nor framed');
is($r->json->{next}, undef, 'the last page');
my ($one, @more) = @{ $r->json->{orders} };
is(scalar @more, 0, 'one order');
is_deeply([ sort keys %$one ], [ sort qw(reference paymentId state amount currency authorizedAmount
    capturedAmount refundedAmount created updated attention) ], 'its fields');
is($one->{reference}, '1', 'the reference');
is($one->{paymentId}, payment('1'), 'the payment');
is($one->{state}, 'initiated', 'the state in lower case');
is($one->{amount}, 12900, 'the amount');
is($one->{currency}, 'SEK', 'the currency');
is($one->{capturedAmount}, undef, 'nothing is known of captures');
like($one->{created}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'when it was made');
is_deeply($one->{attention}, [], 'nothing to be looked at');



=== TEST 2: orders can be filtered
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
get("/checkout?order=x$_") for 1 .. 3;
paid('y1');
read_back('y1');
is(references('orders?state=initiated&q=x'), 'x1 x2 x3', 'by state and text');
is(references('orders?state=authorized'), 'y1', 'by state');
is(references('orders?q=y'), 'y1', 'by the beginning of the reference');
is(references('orders?q=' . substr payment('y1'), 0, 8), 'y1', 'by the beginning of the payment id');
is(references('orders?q=' . payment('x2')), 'x2', 'by the payment id');
is(references('orders?q=z'), '', 'none');
is(references('orders?attention=1'), '', 'none needs attention');
my ($sec, $min, $hour, $day, $month, $year) = gmtime;
my $today = sprintf '%04d-%02d-%02d', $year + 1900, $month + 1, $day;
is(scalar(split ' ', references("orders?from=$today&to=$today")), 4, 'of today');
is(references('orders?to=2020-01-31'), '', 'of the past');
is(references('orders?from=' . (time + 100)), '', 'of a time to come');
is(references("orders?q=x&to=2020-01-31"), '', 'a text and a day');
my $both;
for (1 .. 300) {
    $both = sprintf '%x-%d', $_ % 16, $_;
    get("/checkout?order=$both");
    last if substr(payment($both), 0, 1) eq substr $both, 0, 1;
}
my $found = references('orders?limit=500&q=' . substr $both, 0, 1);
is(scalar(grep { $_ eq $both } split ' ', $found), 1, 'one whose number and payment id begin alike is there once');



=== TEST 3: orders are listed in pages, newest first
--- config perl: checkout() . office()
--- request
GET /
--- then
get("/checkout?order=$_") for 1 .. 7;
my ($after, @seen) = ('');
for (1 .. 9) {
    my $page = ask("orders?limit=3&after=$after")->json;
    push @seen, map { $_->{reference} } @{ $page->{orders} };
    $after = $page->{next} // last;
}
is("@seen", '7 6 5 4 3 2 1', 'each once');
my $page = ask('orders?q=&limit=7')->json;
is(scalar @{ $page->{orders} }, 7, 'an empty argument is none');
get("/checkout?order=x$_") for 1 .. 5;
my $first = ask('orders?q=x&limit=3')->json;
my $second = ask("orders?q=x&limit=3&after=$first->{next}")->json;
is(join(' ', map { $_->{reference} } @{ $first->{orders} }, @{ $second->{orders} }), 'x1 x2 x3 x4 x5',
    'a search has pages, too');



=== TEST 4: invalid arguments are rejected
--- config perl: checkout() . office()
--- request
GET /
--- then
for my $bad ('state=paid', 'from=yesterday', 'to=2026-13-01', 'from=2026-02-29', 'to=2026-04-31', 'limit=0', 'limit=501', 'attention=2', 'format=xml',
    'stat=initiated', 'q=%ff', 'q=%zz', 'state=initiated&state=released', 'reference=1')
{
    is(ask("orders?$bad")->status, 400, $bad);
}
is(ask("orders?from=$_")->status, 200, $_) for qw(2028-02-29 2026-12-31 2026-01-31);
is(ask('order')->status, 400, 'an order without a reference');
is(ask('order?reference=1')->status, 404, 'an order that is not known');



=== TEST 5: order shows an order with its history
--- config perl
'payer_actor $http_x_actor; set $wanted $arg_amount;' . checkout(payer_amount => '$wanted trusted')
. operations() . office()
--- request
GET /
--- then
get('/checkout?order=1&amount=100');
my $old = payment('1');
get('/checkout?order=1&amount=12900');
my $id = payment('1');
pay('1');
read_back('1');
is(post('/capture', headers => { 'X-Actor' => 'ann' }, json => { reference => '1', amount => 900,
    reason => 'sent' })->status, 200, 'captured');
is(act('refund', { reference => '1', amount => 400, reason => '<b>broken</b>' }, 'X-Actor' => 'bob')->status, 200,
    'refunded');
my $order = ask('order?reference=1')->json;
is($order->{state}, 'partially_captured', 'the state');
is($order->{capturedAmount}, 900, 'captured');
is($order->{refundedAmount}, 400, 'refunded');
my @history = @{ $order->{history} };
my %of;
push @{ $of{ $_->{what} } }, $_ for @history;
is(scalar @{ $of{link} }, 2, 'two links');
my ($first) = grep { $_->{paymentId} eq $old } @{ $of{link} };
is($first->{amount}, 100, 'the first one');
is($first->{result}, 'cancelled', 'was cancelled');
my ($capture) = @{ $of{capture} };
is($capture->{by}, 'ann', 'who captured');
is($capture->{reason}, 'sent', 'why');
is($capture->{amount}, 900, 'how much');
is($capture->{result}, 'done', 'it was done');
like($capture->{requestId}, qr/^[0-9a-f-]{36}$/, 'by which request');
like($capture->{at}, qr/^\d{4}-\d\d-\d\dT/, 'when');
is($of{refund}[0]{by}, 'bob', 'who refunded');
is($of{refund}[0]{reason}, '<b>broken</b>', 'in whatever words');
my ($read) = @{ $of{read} };
is($read->{result}, 'authorized', 'what a read has shown');
is($read->{by}, 'verify', 'and which one');
is(scalar @{ $of{cancel} // [] }, 0, 'a link that was replaced is no operation');



=== TEST 6: operations behave like those of the operation locations
--- config perl: checkout() . office() . operations()
--- request
GET /
--- then
paid('1');
my $r = act('capture', { reference => '1', amount => 400, reason => 'part' }, 'Idempotency-Key' => 'k1');
is($r->status, 200, 'captured');
like($r->header('Payer-Request-Id'), qr/^[0-9a-f-]{36}$/, 'with its id');
is(act('capture', { reference => '1', amount => 400, reason => 'part' }, 'Idempotency-Key' => 'k1')
    ->header('Idempotency-Replayed'), 'true', 'a repeat is none');
is(act('capture', { reference => '1', amount => 401 }, 'Idempotency-Key' => 'k1')->status, 422, 'nor another one');
is(act('refund', { reference => '1', amount => 100 })->status, 200, 'refunded');
is(act('release', { reference => '1' })->status, 200, 'released');
is(act('capture', { reference => '1', amout => 1 })->status, 400, 'a misspelled amount');
get('/checkout?order=2');
is(act('cancel', { reference => '2' })->status, 200, 'cancelled');
is(references('orders?state=cancelled'), '2', 'in the list, too');
--- books
1: captured=400 refunded=100



=== TEST 7: without payer_office_operate actions are rejected
--- http_config
    map $http_x_actor $operate { default ""; ann 1; bob 0; }
--- config perl
my $office = office();
$office =~ s/payer_office_operate 1;/payer_office_operate \$operate;/;
'server_name localhost; location /look/ { payer_office; payer_allow 127.0.0.1; }' . checkout() . $office =~ s/server_name localhost;//r
--- request
GET /
--- then
paid('1');
for my $who ('', 'bob', 'eve') {
    my $r = act('capture', { reference => '1' }, 'X-Actor' => $who);
    is($r->status, 403, "not $who");
    like($r->json->{detail}, qr/payer_office_operate/, 'and why');
}
is(ask('orders')->status, 200, 'but everybody looks');
is(ask('session')->json->{operate}, JSON::PP::false, 'and the page knows');
is(post('/look/order/capture', headers => {%act}, json => { reference => '1' })->status, 403,
    'without the directive nobody acts');
is(act('capture', { reference => '1' }, 'X-Actor' => 'ann')->status, 200, 'ann may');
--- books
1: captured=12900



=== TEST 8: a request of another site, or with another Host, is rejected
--- config perl: checkout() . office()
--- request
GET /
--- then
paid('1');
my @refund = ('/office/order/capture', json => { reference => '1' });
is(post(@refund, headers => {%ask})->status, 403, 'without X-Payer-Office');
is(post(@refund, headers => { %act, Origin => 'http://evil.example' })->status, 403, 'of another origin');
is(post(@refund, headers => { %act, 'Sec-Fetch-Site' => 'cross-site' })->status, 403, 'cross-site');
is(post(@refund, headers => { %act, Host => 'evil.example' })->status, 421, 'a name that is not listed');
is(get('/office/orders', headers => { Host => 'evil.example' })->status, 421, 'which may not look, either');
is(get('/office/', headers => { Host => 'evil.example' })->status, 421, 'at anything');
is(get('/office/order/capture?reference=1', headers => {%act})->status, 405, 'a GET captures nothing');
is(post('/office/orders', headers => {%act}, json => {})->status, 405, 'a POST lists nothing');
is(post(@refund, headers => { %act, Origin => 'http://localhost', 'Sec-Fetch-Site' => 'same-origin' })->status, 200,
    'of the page itself');



=== TEST 9: only the page and its files are served, with security headers
--- config perl: checkout() . office()
--- request
GET /
--- then
for (['', 'text/html'], ['office.js', 'text/javascript'], ['office.css', 'text/css']) {
    my ($name, $type) = @$_;
    my $r = ask($name);
    is($r->status, 200, "/$name");
    like($r->header('Content-Type'), qr{^\Q$type\E}, "is $type");
    is($r->header('Cache-Control'), 'no-store', 'not to be kept');
    my $policy = $r->header('Content-Security-Policy');
    like($policy, qr/default-src 'none'/, 'nothing from anywhere');
    unlike($policy, qr/unsafe|\*|https?:/, 'no exception');
}
my $page = ask('')->body;
unlike($page, qr/<script(?![^>]*src=)|<style|\son\w+=|\sstyle=/i, 'no inline script or style');
unlike($page . ask('office.js')->body . ask('office.css')->body, qr{https?://}, 'no outside resource');
is(system(root() . '/tools/office-files', '--check'), 0, 'the page that is built in is that of the sources');
is(ask('nothing')->status, 404, 'nothing else');
is(ask('order/')->status, 404, 'nor this');
is(ask('session')->json->{mode}, 'other', 'the simulator is not the live host');
my $decimals = ask('session')->json->{decimals};
is(join(' ', map { $decimals->{$_} // 2 } qw(SEK HUF JPY KWD CLF RSD ISK)), '2 2 0 3 4 2 0', 'and the page is told of other decimals than two');



=== TEST 10: a location without a trailing slash redirects to one with it
--- config
    server_name localhost;
    location /staff { payer_office; payer_allow 127.0.0.1; }
--- request
GET /
--- then
like(get('/staff', headers => {%ask})->header('Location'), qr{/staff/\z}, 'to the folder');
is(get('/staff/', headers => {%ask})->status, 200, 'which is the page');
is(get('/staff/orders', headers => {%ask})->status, 200, 'with the list');
is(get('/staffing', headers => {%ask})->status, 404, 'another name is none');



=== TEST 11: texts in CSV are not evaluated as formulas
--- config perl: checkout(payer_reference => '$arg_order public') . office()
--- request
GET /
--- then
get('/checkout?order=' . $_) for '=1%2B1', '%2B2', '-3', '@4', 'a%22b', 'plain';
my $r = ask('orders?format=csv');
is($r->status, 200, 'answered');
like($r->header('Content-Type'), qr{^text/csv}, 'as CSV');
like($r->header('Content-Disposition'), qr/^attachment; filename="orders.csv"$/, 'as a file');
my ($head, @lines) = split /\r\n/, $r->body;
is($head, 'reference,paymentId,state,amount,currency,authorizedAmount,capturedAmount,refundedAmount,created,'
    . 'updated,attention', 'with a head');
my ($plain, $quote, $at, $minus, $plus, $equals) = map { /^("(?:[^"]|"")*")/ ? $1 : $_ } @lines;
is($plain, '"plain"', 'a text');
is($quote, '"a""b"', 'a quote');
is($at, q{"'@4"}, '@');
is($minus, q{"'-3"}, '-');
is($plus, q{"'+2"}, '+');
is($equals, q{"'=1+1"}, '=');
like($lines[0], qr/^"plain","[\w-]+","initiated",12900,"SEK",,,,2\d{3}-/, 'numbers are numbers');



=== TEST 12: attention=1 lists orders that need attention
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
get("/checkout?order=$_") for 1 .. 3;
paid('4');
faults('capture: lost-reply times=9', 'read: status=500');
is(act('capture', { reference => '4' })->status, 504, 'an unknown outcome');
sim('DELETE', 'faults');
is(references('orders?attention=1'), '4', 'is listed');
is_deeply(ask('orders?attention=1')->json->{orders}[0]{attention}, ['unknown_outcome'], 'with its reason');
is_deeply(ask('order?reference=4')->json->{attention}, ['unknown_outcome'], 'there, too');
pay('1', card => '3ds', threeds => 'start');
is(act('cancel', { reference => '1' })->status, 200, 'cancelled in the middle of 3-D Secure');
pay('1', threeds => 'approve');
read_back('1');
is_deeply(ask('order?reference=1')->json->{attention}, ['cancelled_but_authorized'], 'and authorized since');
is(join(' ', sort split ' ', references('orders?attention=1')), '1 4', 'is listed, too');
is(references('orders?attention=1&state=cancelled'), '1', 'with its state');
is(ask('order?reference=1')->json->{state}, 'cancelled', 'it stays cancelled');



=== TEST 13: hostile references are returned unchanged
--- config perl: checkout() . office()
--- request
GET /
--- then
my $evil = '</script><img src=x onerror=alert(1)>"\\' . "\x{2028}";
my $arg = $evil;
utf8::encode($arg);
$arg =~ s/([^\w])/sprintf '%%%02x', ord $1/ge;
is(get("/checkout?order=$arg")->status, 303, 'a link');
is(ask('orders')->json->{orders}[0]{reference}, $evil, 'in the list');
is(ask("order?reference=$arg")->json->{reference}, $evil, 'by itself');



=== TEST 14: payer_allow all without a password is rejected
--- config
    location /office/ { payer_office; payer_allow all; }
--- must_die
--- error_log
"payer_allow all" in location "/office/" requires "auth_basic" or "ssl_verify_client on"



=== TEST 15: payer_office without payer_allow is rejected
--- config
    location /office/ { payer_office; }
--- must_die
--- error_log
"payer_office" in location "/office/" has no "payer_allow"



=== TEST 16: satisfy any is rejected
--- config
    location /office/ { payer_office; payer_allow 127.0.0.1; satisfy any; }
--- must_die
--- error_log
"satisfy any" in location "/office/"



=== TEST 17: payer_office in an exact or regular expression location is rejected
--- config
    location = /office { payer_office; payer_allow 127.0.0.1; }
--- must_die
--- error_log
"payer_office" requires a prefix location, "/office" is none



=== TEST 18: a client that payer_allow does not list is rejected
--- config
    server_name localhost;
    location /office/ { payer_office; payer_allow 10.0.0.1; }
--- request
GET /office/orders
--- error_code: 403
--- response_body_unlike: orders



=== TEST 19: payer_office_operate with $remote_user without auth_basic is rejected
--- http_config
    map $remote_user $may { default 0; ann 1; }
--- config perl
checkout() . 'location /office/ { payer_office; payer_allow 127.0.0.1; payer_office_operate $may; }'
--- must_die
--- error_log
"payer_office_operate" has "$remote_user", but "payer_office" in location "/office/" has no "auth_basic"



=== TEST 20: payer_refund_max with $remote_user without auth_basic is rejected
--- http_config
    map $remote_user $max { default 100; ann ""; }
--- config perl
checkout() . 'payer_refund_max $max; location /office/ { payer_office; payer_allow 127.0.0.1; payer_office_operate 1; }'
--- must_die
--- error_log
"payer_refund_max" has "$remote_user", but "payer_office" in location "/office/" has no "auth_basic"



=== TEST 21: $remote_user is accepted with auth_basic, or without payer_office_operate
--- http_config
    map $remote_user $may { default 0; ann 1; }
--- config perl
write_file('users', "ann:{PLAIN}secret\n");
checkout() . 'location /office/ { payer_office; payer_allow 127.0.0.1; payer_office_operate $may; auth_basic office; auth_basic_user_file ' . work_dir() . '/users; }
    location /look/ { payer_office; payer_allow 127.0.0.1; payer_refund_max $remote_user; }'
--- request
GET /office/session
--- error_code: 401



=== TEST 22: a server of payer_office without server_name logs a warning
--- config
--- http_config eval: ::another('', 'location /office/ { payer_office; payer_allow 127.0.0.1; }')
--- request
GET /nothing
--- error_code: 404
--- error_log
the server of "payer_office" has no "server_name", all its requests are rejected with 421: set "server_name" to the host name or IP address that staff use



=== TEST 23: a server of payer_report with server_name _ logs a warning
--- config
--- http_config eval: ::another('server_name _;', 'location = /report { payer_report; payer_allow 127.0.0.1; }')
--- request
GET /nothing
--- error_code: 404
--- error_log
the server of "payer_report" has no "server_name"



=== TEST 24: a regular expression in server_name logs no warning
--- config
--- http_config eval: ::another('server_name ~^127;', 'location /office/ { payer_office; payer_allow 127.0.0.1; }')
--- request
GET /nothing
--- error_code: 404
--- no_error_log
has no "server_name"
