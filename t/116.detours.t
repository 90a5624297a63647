# A call to Payer is sent with the configuration that was checked, or not at
# all.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

# Whoever listens there gets what was meant for Payer.
our $OTHER = free_port();

sub api {
    my ($body) = @_;

    return <<"END" . checkout(payer_insecure_upstream => 'on');
    location /_payer/ {
        internal;
        include    $ENV{TEST_NGINX_ROOT}/conf/payer_api.conf;
        proxy_pass http://payer/;
        $body
    }
END
}

sub other {
    return <<"END";
    log_format heard '\$request \$http_authorization';
    server {
        listen 127.0.0.1:$OTHER;
        access_log $ENV{TEST_NGINX_DIR}/heard.log heard;
        return 200;
    }
END
}

sub heard {
    open my $fh, '<', "$ENV{TEST_NGINX_DIR}/heard.log" or return '';
    local $/;
    return <$fh> // '';
}

run_payer_tests();

__DATA__

=== TEST 1: calls are sent with a harmless if in the API location
--- bare
--- http_config perl: bare_http('simulator')
--- config perl: api('if ($request_method = POST) { set $x 1; }')
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1



=== TEST 2: calls are sent with limit_except in the API location
--- bare
--- http_config perl: bare_http('simulator')
--- config perl: api('limit_except GET { deny all; }')
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1



=== TEST 3: with an if in the API location the debug log does not contain the credentials
--- bare
--- http_config perl: bare_http('simulator')
--- log_level: debug
--- config perl: api('if ($request_method = POST) { set $x 1; }')
--- request
GET /checkout?order=1
--- error_code: 303
--- no_error_log
Authorization: Basic
Authorization: Bearer



=== TEST 4: a call that try_files redirects is not sent
--- bare
--- http_config perl: bare_http('simulator') . other()
--- config perl
api('try_files /no-such-file /elsewhere;')
    . "location /elsewhere { internal; proxy_pass http://127.0.0.1:$OTHER; }"
--- request
GET /checkout?order=1
--- error_code: 502
--- after
is(heard(), '', 'the credentials went nowhere');
--- calls: none
--- error_log
payer: a call was not sent: it was redirected from location "/_payer/" to "/elsewhere"



=== TEST 5: a call is sent through rewrite ... break in the API location
--- bare
--- http_config perl: bare_http('simulator')
--- config perl
api('rewrite ^/_payer(/.*)$ $1 break;') =~ s{http://payer/;}{http://payer;}r
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1



=== TEST 6: the API location is found if exact locations sort before it
--- bare
--- http_config perl: bare_http('simulator')
--- config perl
api('') . 'location = /_p { return 404; } location = /_g { return 404; } location = /_payer/ { return 404; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1



=== TEST 7: a nested API location is found
--- bare
--- http_config perl: bare_http('simulator')
--- config perl
'location /_pay { ' . api('') =~ s/(\n    \}\n)/$1 }\n/r
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1



=== TEST 8: a value with $ARG_order in upper case is percent-decoded
--- config perl: checkout(payer_reference => '$ARG_order public')
--- request
GET /checkout?order=a%20b
--- error_code: 303
--- books
a b: status=INITIATED



=== TEST 9: payer_verify $ARG_order in upper case is percent-decoded
--- config perl
checkout() . 'location = /thanks { payer_verify $ARG_order; try_files /dev/null @paid; }
location @paid { payer_verify off; return 200 "order $payer_reference\n"; }'
--- request
GET /checkout?order=a%20b
--- error_code: 303
--- then
pay('a b');
is(get('/thanks?order=a%20b')->body, "order a b\n", 'the same order');



=== TEST 10: an inherited payer_verify applies to locations nested in a checkout, not to the checkout
--- config perl
'payer_verify $arg_order;' . checkout('/checkout',
    'location' => undef) =~ s/\}\s*\z/location = \/checkout\/page { try_files \/dev\/null \@page; } }\n/r
    . 'location @page { payer_verify off; return 200 page; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- then
is(get('/checkout/page?order=1')->status, 402, 'a page inside is still closed');
