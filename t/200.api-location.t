# The API location: what is sent to Payer, which replies are accepted, and that
# nothing else passes.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Cert;

use IO::Socket::INET;

my $tls_port = free_port();

# takes connections and says nothing
our $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "listen: $!\n";


# Payer behind TLS: an nginx server that shows its certificate and hands calls
# to the simulator, with what it saw of the handshake.

sub tls_payer {
    my ($name) = (@_, 'payer.test');

    return bare_http("127.0.0.1:$tls_port") . "
    server {
        listen 127.0.0.1:$tls_port ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        " . certificate($name) . "

        location / {
            proxy_set_header Host       \$http_host;
            proxy_set_header X-Sni      \$ssl_server_name;
            proxy_set_header X-Protocol \$ssl_protocol;
            proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_SIM_PORT};
        }
    }
";
}


# The shipped file with another authority in the line that it marks.

sub tls_road {
    my ($ca) = (@_, authority());

    my $conf = do {
        local (@ARGV, $/) = root() . '/conf/payer_api.conf';
        <>;
    };

    $conf =~ s{\S+;(\s*# CA)}{$ca;$1} or die 'no line is marked CA';
    my $copy = write_file('api-' . ($ca =~ s{.*/}{}r) . '.conf', $conf);

    return 'payer_api /_payer host=payer.test;' . road(include => $copy);
}


# A page for errors that another server makes.

sub spare {
    return "
    location \@spare {
        rewrite     ^ /spare break;
        proxy_pass  http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT};
    }
    location = /spare {
        return 200 '{\"referenceId\":\"none\"}';
    }
";
}


run_payer_tests();

__DATA__

=== TEST 1: a first visit creates one link and is redirected to it
--- config perl: checkout()
--- request
GET /checkout?order=1001
--- error_code: 303
--- response_headers_like
Location: http://127\.0\.0\.1:\d+/widget/[0-9a-f]{40}
Cache-Control: no-store
--- calls
token: 1
create: 1
--- books
1001: status=INITIATED amount=12900 currency=SEK links=1


=== TEST 2: a reply of 256 KiB is accepted
--- config perl: checkout()
--- faults
create: huge size=262144
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1


=== TEST 3: a reply of more than 256 KiB is rejected
--- config perl: checkout()
--- faults
create: huge size=262145
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is larger than 256 KiB, status 200
--- calls
token: 1
create: 1


=== TEST 4: a reply of ten megabytes is rejected
--- config perl: checkout()
--- faults
create: huge size=10000000
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is larger than 256 KiB, status 200
--- calls
token: 1
create: 1


=== TEST 5: a truncated reply is rejected
--- config perl: checkout()
--- faults
create: truncate
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is truncated, status 200
--- calls
token: 1
create: 1


=== TEST 6: a reply that is not JSON is rejected
--- config perl: checkout()
--- faults
create: garbage
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is not
--- calls
token: 1
create: 1


=== TEST 7: an HTML reply is rejected, and the log message says that it is HTML
--- config perl: checkout()
--- faults
create: status=200 body=<html></html>
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is HTML, status 200
--- calls
token: 1
create: 1


=== TEST 8: an empty reply is rejected
--- config perl: checkout()
--- faults
create: empty
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is empty, status 200
--- calls
token: 1
create: 1


=== TEST 9: a JSON reply that is not an object is rejected
--- config perl: checkout()
--- faults
create: status=200 body=[1]
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is not a JSON object, status 200
--- calls
token: 1
create: 1


=== TEST 10: a reply without url is rejected
--- config perl: checkout()
--- faults
create: edit drop=["url"]
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has no "url", status 200
--- calls
token: 1
create: 1


=== TEST 11: a reply without paymentId is rejected
--- config perl: checkout()
--- faults
create: edit drop=["paymentId"]
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has no "paymentId", status 200
--- calls
token: 1
create: 1


=== TEST 12: a url that is not a string is rejected
--- config perl: checkout()
--- faults
create: edit set={"url":5}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" 
--- calls
token: 1
create: 1


=== TEST 13: a paymentId that is not a string is rejected
--- config perl: checkout()
--- faults
create: edit set={"paymentId":{"a":1}}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" 
--- calls
token: 1
create: 1


=== TEST 14: a paymentId with a path is rejected
--- config perl: checkout()
--- faults
create: edit set={"paymentId":"../../oauth2/token"}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has
--- calls
token: 1
create: 1


=== TEST 15: a paymentId of 65 characters is rejected
--- config perl: checkout()
--- faults
create: edit set={"paymentId":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has
--- calls
token: 1
create: 1


=== TEST 16: a url with a line break is rejected
--- config perl: checkout()
--- faults
create: edit set={"url":"https://a.example/\r\nSet-Cookie:a=b"}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has an invalid "url", status 200
--- calls
token: 1
create: 1


=== TEST 17: a url with userinfo is rejected
--- config perl: checkout()
--- faults
create: edit set={"url":"https://b2b.payer.se@evil.example/"}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has an invalid "url", status 200
--- calls
token: 1
create: 1


=== TEST 18: a url of a scheme other than http and https is rejected
--- config perl: checkout()
--- faults
create: edit set={"url":"javascript:alert(1)"}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has an invalid "url", status 200
--- calls
token: 1
create: 1


=== TEST 19: a url without a host is rejected
--- config perl: checkout()
--- faults
create: edit set={"url":"https:///widget"}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has an invalid "url", status 200
--- calls
token: 1
create: 1


=== TEST 20: unknown fields in a reply are ignored
--- config perl: checkout()
--- faults
create: edit set={"new":{"a":[1,{"b":null}]},"token":null}
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 21: a redirect of Payer is not followed
--- config perl: checkout()
--- faults
create: status=302 body={} headers={"Location":"http://127.0.0.1/"}
--- request
GET /checkout?order=1
--- error_code: 502
--- response_headers
!Location
--- json
detail: unexpected status
payerStatus: ^302$
--- calls
token: 1
create: 1


=== TEST 22: a reply with status 204 is rejected, since it has no link
--- config perl: checkout()
--- faults
create: status=204 body=""
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" is empty, status 204
--- calls
token: 1
create: 1


=== TEST 23: a reply with status 201 without a link is rejected
--- config perl: checkout()
--- faults
create: status=201 body={}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
status: ^502$
operation: ^create$
requestId: ^[0-9a-f-]{36}$
--- error_log
payer: the reply to "create" has no "paymentId", status 201
--- calls
token: 1
create: 1


=== TEST 24: a reply with status 201 and a link is accepted
--- config perl: checkout()
--- faults
create: edit status=201
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 25: a reply with an invalid header is an unknown outcome
--- config perl: checkout(payer_tries => 1)
--- faults
create: garbage-head
--- request
GET /checkout?order=1
--- error_code: 504
--- json
type: outcome-unknown
--- calls
token: 1
create: 1


=== TEST 26: an HTML reply of the token endpoint is logged as HTML
--- config perl: checkout()
--- faults
token: status=200 body=<html></html>
--- request
GET /checkout?order=1
--- error_code: 502
--- error_log
payer: the token request of client "4711" got a reply that is HTML, status 200
--- calls
token: 1


=== TEST 27: 502 with Payer's message is returned if Payer refuses the call
--- config perl: checkout()
--- faults
create: status=400 body={"message":"Currency\u0020unknown"}
--- request
GET /checkout?order=1
--- error_code: 502
--- json
payerStatus: ^400$
message: ^Currency unknown$
--- error_log
payer: "create" was refused with status 400: "Currency unknown"
--- calls
token: 1
create: 1


=== TEST 28: X-Accel headers and cookies in Payer's reply are ignored
--- config perl
checkout() . 'location = /secret { internal; return 200 "secret\n"; }'
--- faults
create: edit headers={"X-Accel-Redirect":"/secret","X-Accel-Limit-Rate":"1","Set-Cookie":"a=b","X-Payer":"x","Refresh":"0"}
--- request
GET /checkout?order=1
--- error_code: 303
--- response_headers
!Set-Cookie
!X-Payer
!X-Accel-Redirect
!Refresh


=== TEST 29: headers and cookies of the buyer's request are not sent to Payer
--- config perl: checkout()
--- more_headers
Cookie: session=buyer
Authorization: Basic YnV5ZXI6cHc=
X-Forwarded-For: 192.0.2.1
Accept-Language: sv
Referer: http://shop.example/
User-Agent: BuyersBrowser/1.0
Accept-Encoding: gzip
Payer-Request-ID: buyers
X-Buyer: 1
--- request
GET /checkout?order=1&secret=buyers
--- error_code: 303
--- after
for my $call (qw(token create)) {
    my ($entry) = journal($call);
    my @names = sort map { lc $_->[0] } @{ $entry->{headers} };
    my @own = qw(accept authorization content-length content-type host
        user-agent);

    push @own, 'payer-request-id' if $call eq 'create';
    is("@names", "@{[ sort @own ]}", "$call has headers of its own, no others");
    unlike((sent($call))[0], qr/buyer/i, "$call has nothing of the buyer's");
}
--- sent
token: ^(?i:authorization): Basic 
create: ^(?i:authorization): Bearer [0-9a-f]{48}$
create: ^(?i:payer-request-id): [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$
create: ^(?i:user-agent): ngx_http_payer_module/
create: ^(?i:content-type): application/json$
token: ^(?i:content-type): application/x-www-form-urlencoded$
token: ^grant_type=client_credentials$


=== TEST 30: the body of the buyer's request is not sent to Payer
--- config perl: checkout()
--- more_headers
Content-Type: text/plain
--- request
POST /checkout?order=1
buyers-words
--- error_code: 303
--- sent
!create: buyers-words
!token: buyers-words


=== TEST 31: proxy_set_header of the http level does not apply to calls
--- http_config
    proxy_set_header  Cookie  $http_cookie;
    proxy_set_header  X-Shop  yes;
--- config perl: checkout()
--- more_headers
Cookie: session=buyer
--- request
GET /checkout?order=1
--- error_code: 303
--- sent
!create: (?i)cookie
!create: (?i)x-shop


=== TEST 32: a direct request to the API location returns 404
--- config perl: checkout()
--- request
GET /_payer/api/v2/payments/1
--- error_code: 404
--- calls: none


=== TEST 33: a rewrite of the server does not redirect a call
--- config perl
'rewrite ^/_payer/(.*)$ /thief/$1 last;'
    . checkout() . 'location /thief/ { return 200 "{}"; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1


=== TEST 34: a regular expression location does not get a call
--- config perl
checkout() . 'location ~ ^/_payer { return 200 "{}"; }'
    . 'location ~ token { return 200 "{}"; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1


=== TEST 35: an exact location with the path of a call does not get it
--- config perl
checkout() . 'location = /_payer/oauth2/token { return 200 "{}"; }'
--- request
GET /checkout?order=1
--- error_code: 303
--- calls
token: 1
create: 1


=== TEST 36: allow, deny and satisfy of the server do not apply to calls
--- config perl
'allow 127.0.0.1; deny all; auth_basic off; satisfy all;'
    . checkout()
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 37: error_page of the http level does not replace Payer's reply
--- http_config
    error_page  502 503 504  /sorry;
--- config perl
operations(payer_tries => 1)
    . 'location = /sorry { return 200 "{\"payment\":{\"status\":\"AUTHORIZED\"}}"; }'
--- faults
read: reset times=0
--- request
GET /payment?paymentId=1
--- error_code: 502
--- json
status: ^502$
operation: ^read$


=== TEST 38: error_page with a fallback location does not replace Payer's reply
--- http_config
    error_page  502 504 =200  @spare;
    recursive_error_pages  on;
--- config perl
operations(payer_tries => 1) . spare()
--- faults
capture: reset times=0
--- request
POST /capture?paymentId=1
--- error_code: 504
--- json
type: outcome-unknown


=== TEST 39: proxy_intercept_errors of the http level does not apply to calls
--- http_config
    proxy_intercept_errors  on;
    error_page  404  /lost;
--- config perl
operations() . 'location = /lost { return 200 "lost"; }'
--- request
GET /payment?paymentId=1
--- error_code: 404
--- json
message: not found


=== TEST 40: gzip of the http level does not apply to calls
--- http_config
    gzip on; gzip_min_length 1; gzip_types *; gzip_proxied any;
--- config perl: checkout()
--- more_headers
Accept-Encoding: gzip
--- request
GET /checkout?order=1
--- error_code: 303


=== TEST 41: the connection to Payer is reused by the next call
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
is(get('/checkout?order=2')->status, 303, 'another order');

my %connections = map { $_->{connection} => 1 } journal('token'), journal('create');
is(keys %connections, 1, 'all three calls went over one connection');


=== TEST 42: Payer is called over verified TLS with its name in SNI
--- bare
--- http_config perl
tls_payer()
--- config perl
tls_road() . checkout(payer_insecure_upstream => undef)
--- faults
create: edit set={"url":"https://payer.test/widget/1"}
--- request
GET /checkout?order=1
--- error_code: 303
--- response_headers_like
Location: https://payer\.test/widget/1
--- calls
token: 1
create: 1
--- sent
create: ^X-Sni: payer\.test$
create: ^X-Protocol: TLSv1\.3$
create: ^Host: payer\.test$


=== TEST 43: a url with plain http is rejected if Payer is called over verified TLS
--- bare
--- http_config perl
tls_payer()
--- config perl
tls_road() . checkout(payer_insecure_upstream => undef)
--- faults
create: edit set={"url":"http://payer.test/widget/1"}
--- request
GET /checkout?order=1
--- error_code: 502
--- error_log
payer: the reply to "create" has an invalid "url", status 200


=== TEST 44: a server with a certificate of an unknown authority does not get the credentials
--- bare
--- http_config perl
tls_payer()
--- config perl
tls_road(authority('other')) . checkout(payer_insecure_upstream => undef)
--- request
GET /checkout?order=1
--- error_code: 502
--- calls: none
--- error_log
upstream SSL certificate verify error


=== TEST 45: a server with a certificate for another name does not get the credentials
--- bare
--- http_config perl
tls_payer('thief.test')
--- config perl
tls_road() . checkout(payer_insecure_upstream => undef)
--- request
GET /checkout?order=1
--- error_code: 502
--- calls: none
--- error_log
upstream SSL certificate does not match "payer.test"



=== TEST 46: payer_timeout aborts a TLS handshake without a reply
--- bare
--- http_config perl: bare_http('127.0.0.1:' . $mute->sockport)
--- config perl
tls_road() . checkout(payer_timeout => '400ms')
--- request
GET /
--- after
my $r = get('/checkout?order=1');
is($r->status, 504, 'too late');
cmp_ok($r->time, '<', 2, 'in time');
