# The name of Payer's host in an upstream block with "resolve", which nginx has
# since 1.27.3: it starts without DNS, uses a changed address, and keeps
# connections.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Dns;

my ($minor, $patch) =
    `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{nginx/1\.(\d+)\.(\d+)};

if ($minor < 27 || $minor == 27 && $patch < 3) {
    Test::More::plan(skip_all => "nginx 1.$minor.$patch has no \"resolve\"");
}

$ENV{TEST_NGINX_DNS_PORT} = dns_start();

run_payer_tests();

__DATA__

=== TEST 1: with resolve in the upstream block nginx starts without DNS, uses a changed address and logs no warning
--- bare
--- http_config perl
"resolver 127.0.0.1:$ENV{TEST_NGINX_DNS_PORT} valid=1s ipv6=off; resolver_timeout 1s;"
. (bare_http() =~ s{upstream payer .*}{upstream payer { zone payer_upstream 64k; server payer.example:$ENV{TEST_NGINX_SIM_PORT} resolve; keepalive 16; }}r)
--- config perl
"payer_insecure_upstream on; payer_tries 1;" . road(proxy_pass => 'http://payer/') . checkout()
--- request
GET /nothing
--- error_code: 404
--- after
follows_dns();
--- no_error_log
has variables
