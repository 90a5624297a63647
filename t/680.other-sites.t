# A page of another site makes the browser of a listed client send a request.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

sub locations {
    return checkout() . operations() . '
        location = /reconcile     { payer_reconcile; payer_allow 127.0.0.1; }
        location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
        location = /doctor        { payer_doctor; payer_allow 127.0.0.1; }
        location /office/         { payer_office; payer_allow 127.0.0.1; payer_office_operate 1; }
    ';
}

# what such a request has

our %sent_by = (
    'another site'      => { 'Sec-Fetch-Site' => 'cross-site' },
    'a neighbour'       => { 'Sec-Fetch-Site' => 'same-site' },
    'a form of a site that asks for nothing to be told' =>
        { Origin => 'null', 'Sec-Fetch-Site' => 'cross-site' },
);

# what moves money, or what Payer tells; as a form, which any site can send

our @changes = map { [ POST => $_ ] } qw(/capture /cancel /release /refund /reconcile /subscriptions
    /doctor?deep=1 /office/order/erase /office/order/refund /office/order/settle);

push @changes, [ PUT => '/cancel' ], [ PUT => '/release' ], [ DELETE => '/subscriptions?type=CARD_PAYMENT_SETTLED' ];

sub send_as {
    my ($change, %headers) = @_;
    my ($method, $path) = @$change;

    return request($method => $path, headers => { Host => 'localhost', %headers },
        body => 'reference=1', type => 'application/x-www-form-urlencoded');
}

run_payer_tests();

__DATA__

=== TEST 1: a request that a browser sends for another site changes nothing
--- config perl: 'server_name localhost;' . locations()
--- request
GET /
--- then
get('/checkout?order=1')->status == 303 or die "no link\n";
pay('1');
my $before = calls();
for my $change (@changes) {
    for my $who (sort keys %sent_by) {
        my $r = send_as($change, %{ $sent_by{$who} });
        is($r->status, 403, "@$change: $who");
        like($r->body, qr/"detail":"the request was sent by another site"/, 'and is told why') if $who eq 'another site';
    }
}
is_deeply(calls(), $before, 'and Payer is not called');
like(error_log_text(), qr/\[error\].* payer: the request was sent by another site in the browser of a client that "payer_allow" lists/,
    'the log says so');



=== TEST 2: requests of programs, of the person and of the same site are accepted
--- config perl: 'server_name localhost;' . locations()
--- request
GET /
--- then
my @let_in = ({}, { 'Sec-Fetch-Site' => 'none' }, { 'Sec-Fetch-Site' => 'same-origin' },
    { Origin => 'http://localhost' }, { Origin => 'https://shop.example' }, { Origin => 'https://localhost', 'Sec-Fetch-Site' => 'same-origin' });
for my $n (0 .. $#let_in) {
    get("/checkout?order=$n")->status == 303 or die "no link\n";
    is(post('/cancel', headers => { Host => 'localhost', %{ $let_in[$n] } }, json => { reference => "$n" })->status, 200,
        join(' ', %{ $let_in[$n] }) || 'no header');
}



=== TEST 3: a read by another site is not rejected
--- config perl: 'server_name localhost;' . locations()
--- request
GET /
--- then
get('/checkout?order=1')->status == 303 or die "no link\n";
is(get('/payment?reference=1', headers => { 'Sec-Fetch-Site' => 'cross-site' })->status, 200,
    'what another site may send and cannot read');



=== TEST 4: a request passed by X-Accel-Redirect of the shop is accepted
--- config perl
checkout() . q{
location = /admin/cancel { proxy_pass http://127.0.0.1:$server_port/shop; }
location = /shop {
    add_header X-Accel-Redirect @cancel;
    return 200 "";
}
location @cancel { payer_cancel; payer_allow internal; }
}
--- request
GET /
--- then
get('/checkout?order=1')->status == 303 or die "no link\n";
is(post('/admin/cancel?reference=1', headers => { 'Sec-Fetch-Site' => 'same-site' })->status, 200, 'done');



=== TEST 5: a POST of another site to the confirm page creates no payment
--- config perl: checkout(payer_present => 'confirm')
--- request
GET /
--- then
for my $site ('cross-site', 'same-site') {
    my $r = request(POST => '/checkout?order=1', headers => { 'Sec-Fetch-Site' => $site });
    is($r->status, 200, "$site: the buyer is asked");
    like($r->body, qr/<form[^>]*method="?post/i, 'by the same page');
}
ok(!calls()->{create}, 'and no link is made');
is(request(POST => '/checkout?order=1', headers => { 'Sec-Fetch-Site' => 'same-origin' })->status, 303, 'the button itself makes one');
is(request(POST => '/checkout?order=2', headers => { Origin => 'null' })->status, 303,
    'also where the page tells nothing of itself');



=== TEST 6: a page under a name that server_name does not list changes nothing
--- config perl: 'server_name localhost;' . locations()
--- request
GET /
--- then
get('/checkout?order=1')->status == 303 or die "no link\n";
pay('1');
my $before = calls();
for my $change (@changes) {
    next if $change->[1] =~ /office/;
    my $r = send_as($change, Host => 'evil.example', Origin => 'http://evil.example');
    is($r->status, 421, "@$change: a name that was changed to the address of this server");
    like($r->body, qr/"detail":"server_name does not list the Host of the request"/, 'and is told why');
}
is_deeply(calls(), $before, 'and Payer is not called');
like(error_log_text(), qr/\[error\].* payer: the request was sent by a page of "evil\.example", which "server_name" does not list/,
    'the log says so');



=== TEST 7: programs may use any Host
--- config perl: 'server_name localhost;' . locations()
--- request
GET /
--- then
my @let_in = ({}, { Origin => 'https://shop.example' }, { Origin => 'http://localhost' });
for my $n (0 .. $#let_in) {
    get("/checkout?order=$n")->status == 303 or die "no link\n";
    is(post('/cancel', headers => { Host => '192.0.2.7', %{ $let_in[$n] } }, json => { reference => "$n" })->status, 200,
        join(' ', %{ $let_in[$n] }) || 'no header');
}



=== TEST 8: orders and reports are not returned to a script of another site
--- config perl
'server_name localhost;
add_header Access-Control-Allow-Origin  $http_origin always;
add_header Access-Control-Allow-Credentials true always;
location = /report { payer_report; payer_allow 127.0.0.1; }' . locations()
--- request
GET /
--- then
get('/checkout?order=1')->status == 303 or die "no link\n";
for my $path (qw(/office/ /office/session /office/orders /office/order?reference=1 /report)) {
    for my $origin (qw(https://evil.example null)) {
        is(get($path, headers => { Host => 'localhost', Origin => $origin })->status, 403, "$path: $origin");
    }
    is(get($path, headers => { Host => 'localhost', 'Sec-Fetch-Site' => 'cross-site', 'Sec-Fetch-Mode' => 'navigate' })->status,
        200, "$path: a person follows a link");
    is(get($path, headers => { Host => 'localhost', Origin => 'http://localhost' })->status, 200, "$path: its own page");
}
