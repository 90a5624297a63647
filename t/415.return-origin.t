# The origin of return addresses that begin with a slash.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use Payer::HTTP qw(at_once);

our $PORT = free_port();

# A server of its own, since that of a block has a name already: its names,
# what else its checkout has, and where else it listens.

sub named {
    my ($names, $checkout, @listen) = @_;

    return "server {\n"
        . (join '', map {"    listen $_;\n"} "127.0.0.1:$PORT", @listen)
        . "    server_name $names;\n" . payer_server()
        . join('', map { checkout(@$_) } ref $checkout->[0]
            ? @$checkout : $checkout)
        . "}\n";
}


# an order of this Host, or with more in the query

sub visit {
    my ($host, $more, %headers) = @_;

    our $n //= 0;
    my $order = 'o' . ++$n;

    my ($r) = at_once($PORT, [ GET => "/checkout?order=$order" . ($more // ''),
        headers => { %headers, Host => $host } ]);

    return $r, $order;
}


# the origin that Payer is given

sub back {
    my ($r, $order) = visit(@_);

    return $r->status unless $r->status == 303;

    my ($sent) = grep { /"externalPaymentReference":"$order"/ } sent('create');
    my ($url) = $sent =~ /"redirectOnSuccessURL":"([^"]*)"/;

    return $url =~ s{/thanks.*}{}r;
}

run_payer_tests();

__DATA__

=== TEST 1: Host is used in return addresses only if server_name lists it
--- config
--- http_config perl
named('shop.example www.shop.example *.wild.example .dot.example shop.* ~^re[0-9]+\.example$', [])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('shop.example'), "http://shop.example:$::PORT", 'the first name');
is(back('www.shop.example'), "http://www.shop.example:$::PORT", 'another one');
is(back('WWW.SHOP.example'), "http://www.shop.example:$::PORT", 'in any case');
is(back('a.b.wild.example'), "http://a.b.wild.example:$::PORT", 'a wildcard');
is(back('dot.example'), "http://dot.example:$::PORT", 'one that begins with a point');
is(back('x.dot.example'), "http://x.dot.example:$::PORT", 'and what is below it');
is(back('shop.net'), "http://shop.net:$::PORT", 'a wildcard at the end');
is(back('re17.example'), "http://re17.example:$::PORT", 'a regular expression');

my $first = "http://shop.example:$::PORT";
is(back('evil.example'), $first, 'a foreign name');
is(back('evilshop.example'), $first, 'one that ends like ours');
is(back('wild.example'), $first, 'a wildcard does not match nothing');
is(back('re17.example.evil'), $first, 'more than the expression');
is(back('127.0.0.1'), $first, 'an address');
is(back('_'), $first, 'a catch-all');



=== TEST 2: the port in return addresses is that of the connection, not that of Host
--- config
--- http_config perl
named('shop.example', [])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('shop.example:1'), "http://shop.example:$::PORT", 'another port');
is(back('shop.example:80'), "http://shop.example:$::PORT", 'the usual one');



=== TEST 3: without server_name the address of the connection is used
--- config
--- http_config perl
named('_', [])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('evil.example'), "http://127.0.0.1:$::PORT", 'a foreign name');
is(back('_'), "http://127.0.0.1:$::PORT", 'the catch-all itself');



=== TEST 4: payer_return_origin https is used without the port of the connection
--- config
--- http_config perl
named('shop.example', [payer_return_origin => 'https'])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('shop.example'), 'https://shop.example', 'https, on the port of https');
is(back('evil.example'), 'https://shop.example', 'still no foreign names');



=== TEST 5: payer_return_origin with the scheme of the connection keeps its port
--- config
--- http_config perl
named('shop.example', [payer_return_origin => 'http'])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('shop.example'), "http://shop.example:$::PORT", 'http');



=== TEST 6: payer_return_origin with a scheme and a host is used unchanged
--- config
--- http_config perl
named('shop.example', [payer_return_origin => 'https://www.shop.example:8443'])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('evil.example'), 'https://www.shop.example:8443', 'whatever Host says');



=== TEST 7: payer_return_origin with variables is checked for each order
--- config
--- http_config perl
named('shop.example', [payer_return_origin => 'https://$host$arg_x'])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('any.example'), 'https://any.example', 'a name');
is(back('any.example', '&x=/path'), 400, 'a path');
is(back('any.example', '&x=@evil.example'), 400, 'userinfo');
my ($r) = visit('any.example', '&x=:99999');
is($r->status, 400, 'no port');
like($r->body, qr/payer_return_origin/, 'the answer says what is wrong');



=== TEST 8: payer_return_origin can be a variable with a scheme
--- config
--- http_config perl
named('shop.example; set $scheme_of $http_x_forwarded_proto', [payer_return_origin => '$scheme_of'])
--- request
GET /nothing
--- error_code: 404
--- after
is(back('shop.example', '', 'X-Forwarded-Proto' => 'https'), 'https://shop.example', 'https');
is(back('shop.example', '', 'X-Forwarded-Proto' => 'gopher'), 400, 'another scheme');
is(back('shop.example'), 400, 'none');



=== TEST 9: payer_return_origin with a path is rejected
--- config perl
checkout(payer_return_origin => 'https://shop.example/')
--- must_die
--- error_log
invalid origin "https://shop.example/", it must be "http", "https", or a scheme and a host without a path



=== TEST 10: payer_return_origin with a scheme other than http and https is rejected
--- config perl
checkout(payer_return_origin => 'ftp://shop.example')
--- must_die
--- error_log
invalid origin "ftp://shop.example"



=== TEST 11: a server with a public address and without server_name logs a warning
--- config
--- http_config perl
named('_', [], '0.0.0.0:' . free_port())
--- request
GET /nothing
--- error_code: 404
--- error_log
[warn]
the server of "payer_checkout" has no "server_name" for return addresses



=== TEST 12: a server with server_name logs no warning
--- config
--- http_config perl
named('_ shop.example', [], '0.0.0.0:' . free_port())
--- request
GET /nothing
--- error_code: 404
--- no_error_log
has no "server_name" for return addresses



=== TEST 13: a server with absolute return addresses or payer_return_origin logs no warning
--- config
--- http_config perl
named('_', [
    [ payer_return_success => 'https://a.example/', payer_return_fail => 'https://a.example/f',
        payer_return_back => 'https://a.example/b' ],
    [ '= /other', payer_return_origin => 'https://a.example' ],
], '0.0.0.0:' . free_port())
--- request
GET /nothing
--- error_code: 404
--- no_error_log
has no "server_name" for return addresses
