# Events for a shop that nginx reaches by FastCGI, uwsgi or SCGI.

use lib 't/lib';
use Payer::Test;
use Payer::Events;
use Payer::Shop;
use Payer::Cgi;

$ENV{TEST_NGINX_SHOP_PORT} = shop_start();
$ENV{TEST_NGINX_CGI_PORT}  = cgi_start();

# The parameters as nginx ships them.

sub cgi_server {
    my ($protocol) = @_;

    my $params = join '', map { "${protocol}_param $_->[0] $_->[1];\n" }
        [ QUERY_STRING   => '$query_string' ],
        [ REQUEST_METHOD => '$request_method' ],
        [ CONTENT_TYPE   => '$content_type' ],
        [ CONTENT_LENGTH => '$content_length' ],
        [ SERVER_NAME    => '$server_name' ];

    return buying() . <<"END";
        location = /events {
            payer_events;
            payer_event_pass /shop/event?a=b;
        }
        location = /shop/event {
            internal;
            $params
            ${protocol}_pass 127.0.0.1:$ENV{TEST_NGINX_CGI_PORT};
        }
END
}

run_payer_tests();

__DATA__

=== TEST 1: fastcgi_pass gets an event as a POST with its body
--- http_config eval: ::shop_upstream()
--- config eval: ::cgi_server('fastcgi')
--- request
GET /
--- error_code: 200
--- after
my $token = paid_event('1');
my $r = callback($token);
is($r->status, 200, 'the event is taken') or diag($r->raw);
my $got = cgi_request();
is($got->{param}{REQUEST_METHOD}, 'POST', 'as a POST');
is($got->{param}{CONTENT_LENGTH}, length $got->{body}, 'with its length');
is($got->{param}{CONTENT_TYPE}, 'application/json', 'and type');
is($got->{param}{QUERY_STRING}, 'a=b', 'and arguments');
is($got->{param}{HTTP_X_PAYER_EVENT_TOKEN}, $token, 'and token');
like($got->{body}, qr/"paymentId"/, 'and payload');



=== TEST 2: uwsgi_pass gets an event as a POST with its body
--- http_config eval: ::shop_upstream()
--- config eval: ::cgi_server('uwsgi')
--- request
GET /
--- error_code: 200
--- after
my $token = paid_event('1');
my $r = callback($token);
is($r->status, 200, 'the event is taken') or diag($r->raw);
my $got = cgi_request();
is($got->{param}{REQUEST_METHOD}, 'POST', 'as a POST');
is($got->{param}{CONTENT_LENGTH}, length $got->{body}, 'with its length');
is($got->{param}{HTTP_X_PAYER_EVENT_TOKEN}, $token, 'and token');
like($got->{body}, qr/"paymentId"/, 'and payload');



=== TEST 3: scgi_pass gets an event as a POST with its body
--- http_config eval: ::shop_upstream()
--- config eval: ::cgi_server('scgi')
--- request
GET /
--- error_code: 200
--- after
my $token = paid_event('1');
my $r = callback($token);
is($r->status, 200, 'the event is taken') or diag($r->raw);
my $got = cgi_request();
is($got->{param}{REQUEST_METHOD}, 'POST', 'as a POST');
is($got->{param}{HTTP_X_PAYER_EVENT_TOKEN}, $token, 'and token');
like($got->{body}, qr/"paymentId"/, 'and payload');
