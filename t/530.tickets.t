# The ticket of an order: only a client that has it gets the page of the paid
# order.

use lib 't/lib';
use Payer::Test;
use Payer::Gate;

shop();
run_payer_tests();


# The order's ticket, from the address that the buyer comes back to.

sub ticket {
    my ($n) = @_;

    my ($sent) = reverse sent('create');
    $sent =~ /"redirectOnSuccessURL":"[^"]*[?&]ticket=([^"&]*)"/
        or die "no ticket in $sent\n";

    return $1;
}


sub shown { return get("/thanks?order=$_[0]&ticket=$_[1]") }

sub json_log { return `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /^Angie/ }

__DATA__

=== TEST 1: a request with the ticket of the order is passed, all others get 403
--- thanks
payer_verify_ticket $arg_ticket;
--- config
location = /ticketed {
    payer_checkout;
    payer_reference      $arg_order public;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /thanks?order=$payer_reference&ticket=$payer_ticket;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
--- after
is(get('/ticketed?order=1001')->status, 303, 'a checkout');
my $ticket = ticket();
like($ticket, qr/\A[A-Za-z0-9_-]{22}\z/, '128 bits in base64url');
pay('1001');

is_refused(get('/thanks?order=1001'), 403, 'no ticket');
is_refused(shown('1001', ''), 403, 'an empty one');
is_refused(shown('1001', 'A' x 22), 403, 'a guess');
is_refused(shown('1001', substr($ticket, 0, 21)), 403, 'a part of it');
is_refused(shown('1001', $ticket . 'A'), 403, 'more than it');
is_refused(shown('1001', 'A' x 22), 403, 'another guess');
is_refused(shown('1002', $ticket), 403, 'the ticket of another order');
is(calls()->{read}, undef, 'Payer was not asked');

is_thanked(shown('1001', $ticket), 'the ticket');
is(calls()->{read}, 1, 'Payer was asked');

is_refused(shown('1001', 'A' x 22), 403,
    'a guess while the answer of Payer is still reused');



=== TEST 2: with a wrong ticket no variable of the order is set in the error page
--- thanks
payer_verify_ticket $arg_ticket;
error_page 403 = @stranger;
--- config
location @stranger {
    add_header X-Seen "[$payer_status$payer_payment_id$payer_authorized_amount$payer_ticket$payer_currency]" always;
    return 200 "outcome=$payer_outcome\n";
}
--- after
paid('1001');
my $r = get('/thanks?order=1001&ticket=' . 'A' x 22);
is($r->header('X-Seen'), '[]', 'no status, no payment, no amounts');
is($r->body, "outcome=unpaid\n", 'an outcome that fits every order');
is($r->header('Cache-Control'), 'no-store', 'not for a cache');



=== TEST 3: two orders have different tickets, and an order keeps its ticket
--- config
location = /ticketed {
    payer_checkout;
    payer_reference      $arg_order public;
    set $wanted_now      $arg_amount;
    payer_amount         $wanted_now trusted;
    payer_currency       SEK;
    payer_return_success /thanks?order=$payer_reference&ticket=$payer_ticket;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
--- after
get('/ticketed?order=1001&amount=100');
my $first = ticket();
get('/ticketed?order=1002&amount=100');
my $other = ticket();
isnt($first, $other, 'each order has its own');

is(get('/ticketed?order=1001&amount=200')->status, 303, 'another amount');
is(calls()->{cancel}, 1, 'so the link is replaced');
is(ticket(), $first, 'and the ticket stays');

pay('1001');
is_thanked(thanks('1001'), 'and after the return');
my $r = get('/ticketed?order=1001&amount=200');
like($r->header('Location') // '', qr/ticket=\Q$first\E$/,
    'a paid order leads to its own page');



=== TEST 4: tickets are masked in all lines of the error log
--- config
location = /ticketed {
    payer_checkout;
    payer_reference      $arg_order public;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /broken?order=$payer_reference&ticket=$payer_ticket;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
location = /broken {
    payer_verify        $arg_order;
    payer_verify_ticket $arg_ticket;
    proxy_pass          http://127.0.0.1:1;
}
--- after
get('/ticketed?order=1001');
my $ticket = ticket();
pay('1001');

is(get("/broken?order=1001&ticket=$ticket")->status, 502, 'the shop is down');
is(get("/broken?order=1002&ticket=$ticket")->status, 403, 'a wrong order');

my $log = error_log_text();
my @lines = grep { /\[(?:info|notice|warn|error|crit|alert)\]/ } split /\n/, $log;

ok((grep { /connect\(\) failed/ && /ticket=\*{22}/ } @lines),
    "nginx's own line, with asterisks");
ok((grep { /payer: the ticket for order "1002"/ && /ticket=\*{22}/ } @lines),
    'our own');
is(join("\n", grep { /\Q$ticket\E/ } @lines), '', 'the ticket is nowhere');



=== TEST 5: tickets are masked in an error log in JSON, as of Angie
--- config eval
<<'EOT'
location = /ticketed {
    payer_checkout;
    payer_reference      $arg_order public;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /broken?order=$payer_reference&ticket=$payer_ticket;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
location = /broken {
    payer_verify        $arg_order;
    payer_verify_ticket $arg_ticket;
    proxy_pass          http://127.0.0.1:1;
EOT
. (::json_log() ? "error_log $ENV{TEST_NGINX_DIR}/json.log info format=json;}" : '}')
--- after
SKIP: {
skip('this server writes no JSON', 5) unless json_log();
get('/ticketed?order=1001');
my $ticket = ticket();
pay('1001');

is(get("/broken?order=1001&ticket=$ticket",
    headers => { Referer => "http://127.0.0.1/x?t=$ticket" })->status, 502,
    'the shop is down');
is(get("/broken?order=1002&ticket=$ticket")->status, 403, 'a wrong order');

my @lines = split /\n/, do { local (@ARGV, $/) = "$ENV{TEST_NGINX_DIR}/json.log"; <> };

ok((grep { /connect\(\) failed/ && /"host":"127/ && /request_line":"[^"]*ticket=\*{22}/ } @lines),
    "nginx's own line, with asterisks");
ok((grep { /payer: the ticket for order/ && /ticket=\*{22}/ } @lines), 'our own');
is(join("\n", grep { /\Q$ticket\E/ } @lines), '', 'the ticket is nowhere');
}



=== TEST 6: a ticket made up by the client does not mask other parts of the log line
--- server_name: a-shop-with-a-long-name.example
--- bare
--- http_config eval
::payer_http() . <<'EOT';
set_real_ip_from 127.0.0.1;
real_ip_header   X-Client;
EOT
--- config eval
::payer_server() . <<'EOT';
location = /ticketed {
    payer_checkout;
    payer_reference      $arg_order public;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /broken?order=$payer_reference&ticket=$payer_ticket;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
location = /broken {
    payer_verify        $arg_order;
    payer_verify_ticket $arg_ticket;
    proxy_pass          http://127.0.0.1:1;
}
EOT
--- request
GET /ticketed?order=1001
--- error_code: 303
--- after
my $name   = 'a-shop-with-a-long-name.example';
my $client = '2001:db8:1111:2222:3333:4444:5555:6666';

for my $ticket ($name, $client) {
    get("/broken?order=1001&ticket=$ticket", headers => {
        'X-Client' => $client, Host => $name, Referer => "http://$name/x",
    });
}

my @lines = grep { /payer: the ticket for order/ }
    split /\n/, error_log_text();

is(scalar @lines, 2, 'both are wrong');
is(scalar(grep { /, client: "?\Q$client\E"?, server: "?\Q$name\E"?, / } @lines), 2,
    'the client and the server');
is(scalar(grep { m{, host: "\Q$name\E", referrer: "http://\Q$name\E/x"} }
    @lines), 2, 'the host that was asked, and the one of the referrer');
is(scalar(grep { /ticket=\*+\.example / } @lines), 1,
    'where it stands as the ticket it is hidden');



=== TEST 7: tickets are masked in paths, arguments and referrers in the log
--- config
location = /ticketed {
    payer_checkout;
    payer_reference      $arg_order public;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /broken?order=$payer_reference&ticket=$payer_ticket;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
location ~ ^/broken/(?<shown_ticket>[^/]+)$ {
    payer_verify        $arg_order;
    payer_verify_ticket $shown_ticket;
    proxy_pass          http://127.0.0.1:1/x-$shown_ticket?t=$shown_ticket;
}
--- after
get('/ticketed?order=1001');
my $ticket = ticket();
pay('1001');

my $r = get("/broken/$ticket?order=1001", headers => {
    Referer => "http://localhost/to?next=%2Fa%3Fticket%3D$ticket" });
is($r->status, 502, 'the shop is down');
is(get("/broken/$ticket.?order=1001")->status, 403, 'with a dot behind it');

my @lines = grep { /\[(?:info|notice|warn|error|crit|alert)\]/ }
    split /\n/, error_log_text();
is(join("\n", grep { /\Q$ticket\E/ } @lines), '', 'the ticket is nowhere');



=== TEST 8: the error page of a wrong ticket gives no access to the order
--- thanks
payer_verify_ticket $arg_ticket;
error_page 403 = @again;
--- config
location @again {
    payer_verify $payer_reference;
    root         html;
    try_files    /index.html =404;
}
location = /ticketed {
    payer_checkout;
    payer_reference      $arg_order public;
    payer_amount         12900;
    payer_currency       SEK;
    payer_return_success /thanks?order=$payer_reference&ticket=$payer_ticket;
    payer_return_fail    /failed;
    payer_return_back    /cart;
}
--- after
is(get('/ticketed?order=1001')->status, 303, 'a checkout');
my $ticket = ticket();
pay('1001');

is_thanked(shown('1001', $ticket), 'the ticket');
is(shown('1001', 'A' x 22)->status, 402, 'a guess');
