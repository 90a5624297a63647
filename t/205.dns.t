# The name of Payer's host: nginx starts without DNS, and uses a changed
# address, with the documented configuration.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Dns;

$ENV{TEST_NGINX_DNS_PORT} = dns_start();

run_payer_tests();

__DATA__

=== TEST 1: nginx with an upstream block does not start without DNS
--- bare
--- http_config perl: bare_http('payer.invalid:443')
--- config perl: road() . checkout()
--- must_die
--- error_log
host not found in upstream "payer.invalid:443"



=== TEST 2: nginx with a resolver and a variable starts without DNS and logs one warning
--- bare
--- http_config perl
bare_http() =~ s{payer_api  /_payer;}{payer_api /_payer host=payer.invalid; resolver 127.0.0.1:9 valid=30s; resolver_timeout 1s;}r
--- config perl
road(set => '$payer_host payer.invalid', rewrite => '^/_payer(/.*)$ $1 break', proxy_pass => 'https://$payer_host')
. checkout() . checkout('= /other') . 'location = /thanks { payer_verify $arg_order; root html; }'
--- request
GET /checkout?order=1001
--- error_code_like: ^50[234]$
--- grep_error_log: "proxy_pass" of location "/_payer/" has variables
--- grep_error_log_out
"proxy_pass" of location "/_payer/" has variables



=== TEST 3: calls are sent to the host in the variable with Payer's paths
--- bare
--- http_config perl
bare_http() =~ s{payer_api  /_payer;}{payer_api /_payer host=payer.example;}r
--- config perl
"payer_insecure_upstream on;"
. road(set => "\$payer_host 127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}", rewrite => '^/_payer(/.*)$ $1 break', proxy_pass => 'http://$payer_host')
. checkout()
--- request
GET /checkout?order=1001
--- error_code: 303
--- calls
token: 1
create: 1
--- sent
create: ^Host: payer\.example



=== TEST 4: with a resolver and a variable a changed address is used
--- bare
--- http_config perl
bare_http() =~ s{payer_api  /_payer;}{payer_api /_payer host=payer.example;}r
--- config perl
"payer_insecure_upstream on; payer_tries 1;
resolver 127.0.0.1:$ENV{TEST_NGINX_DNS_PORT} valid=1s ipv6=off; resolver_timeout 1s;"
. road(set => "\$payer_host payer.example:$ENV{TEST_NGINX_SIM_PORT}", rewrite => '^/_payer(/.*)$ $1 break', proxy_pass => 'http://$payer_host')
. checkout()
--- request
GET /nothing
--- error_code: 404
--- after
follows_dns();
