# payer_doctor: each check, its detail and its correction.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Cert;

use IO::Socket::INET;
use POSIX qw(strftime);
use Time::HiRes qw(time);

our $SHOP = $ENV{TEST_NGINX_SHOP_PORT} = free_port();
our $TLS  = free_port();

# takes connections and says nothing
our $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "listen: $!\n";

our $DOCTOR = 'location = /doctor { payer_doctor; payer_allow 127.0.0.1; }'
    . ' location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }'
    . "\n";


# The answer, and its checks by name.

sub examine {
    my ($args, @options) = @_;

    my $r = get('/doctor' . ($args // ''), @options);
    my %checks = map { $_->{name} => $_ } @{ $r->json->{checks} };

    return ($r, \%checks);
}


# That one check says this, and has a fix unless it is well.

sub finds {
    my ($checks, $name, $status, $detail) = @_;

    my $check = $checks->{$name} or return fail("there is no check $name");

    is($check->{status}, $status, "$name: $status");
    like($check->{detail}, $detail, "$name: $check->{detail}");

    return if $status ne 'fail';

    like($check->{fix}, qr/\A\S.*\.\z/, "$name: the fix is a sentence");
}


# Payer behind TLS with this name, and the location that goes there.

sub tls {
    my ($ca) = @_;

    my $conf = do { local (@ARGV, $/) = root() . '/conf/payer_api.conf'; <> };

    $conf =~ s{\S+;(\s*# CA)}{$ca;$1} or die 'no line is marked CA';

    return 'payer_api /_payer host=payer.test;'
        . road(include => write_file('api-' . ($ca =~ s{.*/}{}r), $conf));
}

sub tls_payer {
    return bare_http("127.0.0.1:$TLS") . "
    server {
        listen 127.0.0.1:$TLS ssl;
        " . certificate('payer.test') . "
        location / { proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}; }
    }
";
}


# The shop's API, and a checkout that asks it.

sub shop {
    my ($reply) = @_;

    return "server { listen 127.0.0.1:$SHOP; location / { $reply } }\n";
}

our $LOOKUP = <<"EOT";
    location ~ ^/order/(?<number>[0-9]+)\$ {
        payer_lookup        /_shop/order?id=\$number;
        payer_lookup_field  \$total    /total;
        payer_lookup_field  \$currency /currency;
        payer_lookup_field  \$state    /status;
        payer_lookup_field  \$key      /order_key;
        payer_lookup_match  \$key      \$arg_key;
        payer_lookup_open   \$state    pending;
        payer_lookup_paid   \$state    processing;
        payer_checkout;
        payer_reference      \$number;
        payer_amount         \$total major;
        payer_currency       \$currency;
        payer_return_success /thanks;
        payer_return_fail    /failed;
        payer_return_back    /cart;
    }
    location = /_shop/order { internal; proxy_pass http://127.0.0.1:$SHOP; }
EOT

run_payer_tests();

__DATA__

=== TEST 1: all checks are ok with the simulator, except tls and store
--- config eval: $::DOCTOR
--- request
GET /doctor
--- error_code: 200
--- response_headers
Content-Type: application/json
Cache-Control: no-store
X-Content-Type-Options: nosniff
Content-Security-Policy: frame-ancestors 'none'
--- after
my ($r, $c) = examine();

is(join(' ', map { $_->{name} } @{ $r->json->{checks} }),
    'configuration dns tls token clock subscriptions store zone unknown notifications sweep',
    'the checks in their order');

is(join(' ', sort keys %$_), 'detail fix name status', "$_->{name} is complete")
    for @{ $r->json->{checks} };

finds($c, configuration => 'ok', qr/^ngx_http_payer_module \S+ in nginx \S+, calls go to "127\.0\.0\.1", neither Payer's live nor its test host$/);
finds($c, dns => 'ok', qr/is 127\.0\.0\.1:\d+$/);
finds($c, tls => 'warn', qr/without verified TLS, which "payer_insecure_upstream" permits/);
finds($c, token => 'ok', qr/Payer accepts the credentials, after \d+ ms/);
finds($c, clock => 'ok', qr/^[0-2] seconds (?:ahead of|behind) Payer's$/);
finds($c, subscriptions => 'ok', qr/none needed: there is no "payer_events"/);
finds($c, zone => 'ok', qr/^\d+ percent of 1024 kB are free$/);
finds($c, unknown => 'ok', qr/^no outcome is unknown$/);
finds($c, notifications => 'ok', qr/^there is no "payer_notify"$/);
finds($c, sweep => 'ok', qr/^no run has ended in \d+ seconds$|^the last run has ended \d+ seconds ago$/);



=== TEST 2: the result contains neither the client id nor a secret
--- config eval: $::DOCTOR
--- request
GET /doctor
--- after
my ($agent, $secret) = merchant();
for my $args ('', '?local=1') {
    my $body = get("/doctor$args")->body . get("/doctor$args", headers => { 'User-Agent' => 'curl/8.0', Accept => '*/*' })->body;
    unlike($body, qr/\b\Q$agent\E\b/, 'no client id');
    unlike($body, qr/\Q$secret\E|Basic|Bearer/, 'no secret');
}



=== TEST 3: curl gets text, and a client that accepts JSON gets JSON
--- config eval: $::DOCTOR
--- request
GET /doctor
--- after
my %curl = ('User-Agent' => 'curl/8.5.0', Accept => '*/*');

my $r = get('/doctor', headers => \%curl);
is($r->header('Content-Type'), 'text/plain; charset=utf-8', 'curl');
like($r->body, qr/^ok    token          Payer accepts the credentials, after \d+ ms$/m, 'a line a check');
like($r->body, qr/^warn  tls            connected .*\n      fix: Remove "payer_insecure_upstream on" unless this is the simulator\.$/m, 'with its fix below');

is(get('/doctor', headers => { Accept => 'text/plain' })->header('Content-Type'), 'text/plain; charset=utf-8', 'who asks for it');
is(get('/doctor', headers => { %curl, Accept => 'application/json' })->header('Content-Type'), 'application/json', 'curl that asks for JSON');
is(get('/doctor', headers => { 'User-Agent' => 'Mozilla/5.0', Accept => 'text/html,*/*' })->header('Content-Type'), 'application/json', 'a browser');
is(request('HEAD', '/doctor')->status, 200, 'HEAD');



=== TEST 4: the result is shared for ten seconds
--- config eval: $::DOCTOR
--- request
GET /doctor
--- after
is(scalar(journal('token')), 2, 'a token for the check, and the one that is kept');
examine() for 1 .. 5;
is(scalar(journal('token')), 2, 'Payer is not asked again');



=== TEST 5: there is one run at a time
--- config eval: $::DOCTOR
--- faults
token: delay=1
--- request
GET /nothing
--- error_code: 404
--- after
my @r = together(map { [ GET => '/doctor' ] } 1 .. 6);
is(join(' ', map { $_->status } @r), '200 200 200 200 200 200', 'all get it');
is(scalar(grep { $_->body eq $r[0]->body } @r), 6, 'the same');
is(scalar(journal('subscriptions')), 1, 'Payer is asked once');



=== TEST 6: a wrong secret is reported by token
--- config perl
write_file('wrong.secret', "another-key\n", 0600);
$DOCTOR =~ s/payer_doctor;/payer_doctor; payer_client_secret_file $ENV{TEST_NGINX_DIR}\/wrong.secret;/r
--- request
GET /doctor
--- error_code: 503
--- after
my ($r, $c) = examine();
finds($c, token => 'fail', qr/^Payer refuses the credentials with 401$/);
like($c->{token}{fix}, qr/payer_client_secret_file.*reload/, 'which file');
finds($c, tls => 'warn', qr/connected/);
finds($c, subscriptions => 'warn', qr/not checked: there is no token/);



=== TEST 7: a key that was changed at Payer is reported by token while the cached token is valid
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1001
--- error_code: 303
--- then
faults({ match => 'token', times => 9, action => 'reply', status => 401 });
--- after
is(get('/checkout?order=1002')->status, 303, 'nothing is seen of it yet');
my ($r, $c) = examine();
is($r->status, 503, 'but here');
finds($c, token => 'fail', qr/^Payer refuses the credentials with 401$/);
--- error_code: 303



=== TEST 8: a changed secret file without a reload is reported by configuration
--- config perl
write_file('fresh.secret', (merchant())[1] . "\n", 0600);
$DOCTOR =~ s/payer_doctor;/payer_doctor; payer_client_secret_file $ENV{TEST_NGINX_DIR}\/fresh.secret;/r
--- request
GET /nothing
--- error_code: 404
--- after
my $file = "$ENV{TEST_NGINX_DIR}/fresh.secret";
utime time + 5, time + 5, $file or die "utime: $!\n";
my ($r, $c) = examine('?local=1');
is($r->status, 200, 'no reason to be restarted');
finds($c, configuration => 'warn', qr/the file of "payer_client_secret_file" was changed after nginx has read it/);
like($c->{configuration}{fix}, qr/Reload nginx/, 'and says so');



=== TEST 9: a changed nginx.conf without a reload is reported by configuration
--- config eval: $::DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $file = "$ENV{TEST_NGINX_SERVROOT}/conf/nginx.conf";
utime time + 5, time + 5, $file or die "utime $file: $!\n";
my ($r, $c) = examine('?local=1');
finds($c, configuration => 'warn', qr/nginx\.conf" was changed after nginx has read it/);
like($c->{configuration}{fix}, qr/nginx -t/, 'and says so');



=== TEST 10: a wrong clock is reported as a failure
--- config eval: $::DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time - 3600));
faults({ match => 'token', times => 1, action => 'none', headers => { Date => $date } });
my ($r, $c) = examine();
is($r->status, 503, 'an hour');
finds($c, clock => 'fail', qr/^3[56]\d\d seconds ahead of Payer's$/);
like($c->{clock}{fix}, qr/NTP/, 'and says what sets it');



=== TEST 11: a slightly wrong clock is reported as a warning
--- config eval: $::DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 60));
faults({ match => 'token', times => 1, action => 'none', headers => { Date => $date } });
my ($r, $c) = examine();
is($r->status, 200, 'a minute');
finds($c, clock => 'warn', qr/^(?:59|6[01]) seconds behind Payer's$/);



=== TEST 12: an unavailable Payer is reported by tls
--- http_config eval: "upstream dead { server 127.0.0.1:$::TLS; }"
--- config perl
$DOCTOR =~ s{payer_doctor;}{payer_doctor; payer_api /_dead;}r
. 'location /_dead/ { internal; include ' . root() . '/conf/payer_api.conf; proxy_pass http://dead/; }'
--- request
GET /doctor
--- error_code: 503
--- after
my ($r, $c) = examine();
finds($c, dns => 'ok', qr/is 127\.0\.0\.1/);
finds($c, tls => 'fail', qr/no connection to 127\.0\.0\.1:\d+ was established/);
finds($c, $_ => 'warn', qr/not checked: Payer was not reached/) for qw(token clock subscriptions);
like(error_log_text(), qr/connect\(\) failed \(111: Connection refused\)/, "nginx's own line");



=== TEST 13: a Payer that accepts connections without a reply is reported within ten seconds
--- http_config perl
our $mute;
'upstream mute { server 127.0.0.1:' . $mute->sockport . '; }'
--- config perl
$DOCTOR =~ s{payer_doctor;}{payer_doctor; payer_api /_mute;}r
. 'location /_mute/ { internal; include ' . root() . '/conf/payer_api.conf; proxy_pass http://mute/; }'
--- request
GET /nothing
--- error_code: 404
--- after
my $begun = time;
my ($r, $c) = examine('', timeout => 15);
ok(time - $begun < 10, 'in time');
is($r->status, 503, 'and not well');
finds($c, token => 'fail', qr/^no reply after \d+ ms$/);
finds($c, store => $ENV{PAYER_TEST_STORE} ? 'ok' : 'warn', qr/store/);



=== TEST 14: with a slow Payer the local checks are complete
--- config eval: $::DOCTOR
--- faults
token: delay=30
--- request
GET /nothing
--- error_code: 404
--- after
my ($r, $c) = examine('', timeout => 15);
is($r->status, 503, 'not well');
finds($c, token => 'fail', qr/^no reply after \d+ ms$/);
finds($c, unknown => 'ok', qr/no outcome is unknown/);



=== TEST 15: an error of Payer is reported by token
--- config eval: $::DOCTOR
--- faults
token: status=503 times=9
--- request
GET /doctor
--- error_code: 503
--- after
my ($r, $c) = examine();
finds($c, token => 'fail', qr/^Payer answers 503$/);



=== TEST 16: a page of a proxy in place of Payer is reported by token
--- config eval: $::DOCTOR
--- faults
token: html status=200
--- request
GET /doctor
--- error_code: 503
--- after
my ($r, $c) = examine();
finds($c, token => 'fail', qr/^the reply to the request for a token /);
like($c->{token}{fix}, qr/proxy between nginx and Payer/, 'and says where to look');



=== TEST 17: a name that is not resolved is reported by dns
--- http_config
resolver 127.0.0.1:9 valid=30s; resolver_timeout 1s;
--- config perl
$DOCTOR =~ s{payer_doctor;}{payer_doctor; payer_api /_lost host=payer.invalid;}r
. 'location /_lost/ { internal; include ' . root() . '/conf/payer_api.conf; set $payer_host payer.invalid; rewrite ^/_lost(/.*)$ $1 break; proxy_pass http://$payer_host; }'
--- request
GET /doctor
--- error_code: 503
--- after
my ($r, $c) = examine();
finds($c, dns => 'fail', qr/^no address of "payer\.invalid" was found$/);
like($c->{dns}{fix}, qr/"resolver"/, 'and says which directive');
finds($c, tls => 'warn', qr/not checked: there is no address/);



=== TEST 18: verified TLS is reported as ok
--- bare
--- http_config perl: tls_payer()
--- config perl: tls(authority()) . $DOCTOR
--- request
GET /doctor
--- error_code: 200
--- after
my ($r, $c) = examine();
finds($c, tls => 'ok', qr/^connected, and the certificate is verified$/);
finds($c, token => 'ok', qr/accepts the credentials/);



=== TEST 19: a certificate of an untrusted authority is reported by tls
--- bare
--- http_config perl: tls_payer()
--- config perl: tls(authority('other')) . $DOCTOR
--- request
GET /doctor
--- error_code: 503
--- error_log
upstream SSL certificate verify error
--- after
my ($r, $c) = examine();
finds($c, tls => 'fail', qr/no connection to 127\.0\.0\.1:\d+ was established/);
like($c->{tls}{fix}, qr/proxy_ssl_trusted_certificate/, 'and says which directive');



=== TEST 20: missing subscriptions are reported if there is a payer_events location
--- config perl: $DOCTOR . 'location = /payer/events { payer_events; }'
--- request
GET /doctor
--- error_code: 503
--- after
my ($r, $c) = examine();
finds($c, subscriptions => 'fail', qr/^none of Payer's subscriptions leads to "payer_events" here$/);
like($c->{subscriptions}{fix}, qr/CARD_PAYMENT_AUTHORIZED.*payer_subscriptions/, 'and says how one is made');



=== TEST 21: a subscription with another URL is reported as missing
--- config perl: $DOCTOR . 'location = /payer/events { payer_events; }'
--- request
GET /nothing
--- error_code: 404
--- after
for my $url ('http://localhost/other', 'http://other.example/payer/events', 'http://localhost/payer/events/') {
    is(post('/subscriptions', json => { type => 'CARD_PAYMENT_AUTHORIZED', url => $url })->status, 204, 'subscribed');
}
my ($r, $c) = examine();
finds($c, subscriptions => 'fail', qr/none of Payer's subscriptions leads/);



=== TEST 22: a subscription with the URL of payer_events is ok
--- config perl: $DOCTOR . 'location = /payer/events { payer_events; }'
--- request
GET /nothing
--- error_code: 404
--- after
is(post('/subscriptions', json => { type => 'CARD_PAYMENT_AUTHORIZED', url => 'http://localhost:8080/payer/events?shop=1' })->status, 204, 'subscribed');
my ($r, $c) = examine();
is($r->status, 200, 'well');
finds($c, subscriptions => 'ok', qr/^1 of Payer's subscriptions lead to "payer_events" here$/);



=== TEST 23: an unknown outcome is reported
--- config perl: checkout() . operations() . $DOCTOR
--- request
GET /checkout?order=1001
--- error_code: 303
--- then
pay('1001');
faults('capture: lost-reply times=9', 'read: status=503 times=99');
is(post('/capture', json => { reference => '1001' })->status, 504, 'unknown');
--- after
my ($r, $c) = examine();
finds($c, unknown => 'ok', qr/^outcomes of 1 orders are unknown, the oldest for \d+ seconds$/);



=== TEST 24: ?local=1 makes no calls
--- config eval: $::DOCTOR
--- request
GET /doctor?local=1
--- error_code: 200
--- after
my ($r, $c) = examine('?local=1');
is(join(' ', sort keys %$c), 'configuration store zone', 'three checks');
--- calls: none



=== TEST 25: a full zone is reported
--- bare
--- http_config perl: bare_http('simulator') =~ s/payer 1m/payer 32k/r
--- config perl
"payer_insecure_upstream on;" . road(proxy_pass => 'http://payer/') . checkout() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
for my $n (1 .. 400) {
    last if get("/checkout?order=$n")->status != 303;
}
my ($r, $c) = examine('?local=1');
finds($c, zone => $c->{zone}{status}, qr/^\d percent of 32 kB are free$/);
isnt($c->{zone}{status}, 'ok', 'and that is not well');
like($c->{zone}{fix}, qr/larger size/, 'and says what to do');
--- no_error_log
[crit]



=== TEST 26: so is one of a usual size, where pages are reserved for locks
--- bare
--- http_config perl: bare_http('simulator') =~ s/payer 1m/payer 128k/r
--- config perl
"payer_insecure_upstream on;" . road(proxy_pass => 'http://payer/') . checkout() . $DOCTOR
    . 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }'
--- request
GET /nothing
--- error_code: 404
--- after
for my $n (1 .. 400) {
    last if get("/checkout?order=$n")->status != 303;
}
my ($r, $c) = examine('?local=1');
finds($c, zone => 'fail', qr/^\d percent of 128 kB are free$/);
my ($free) = get('/metrics')->body =~ /^payer_zone_free_pages (\d+)$/m;
is($free, 0, 'no page is free for an order, as the alert expects');
--- no_error_log
[crit]



=== TEST 27: a store that cannot be written is reported
--- bare
--- http_config perl
bare_http('simulator') =~ s{payer_store  memory}{payer_store lmdb:$ENV{TEST_NGINX_DIR}/doctor-store}r
--- config perl
"payer_insecure_upstream on;" . road(proxy_pass => 'http://payer/') . $DOCTOR
--- request
GET /doctor?local=1
--- error_code: 200
--- after
my ($r, $c) = examine('?local=1');
finds($c, store => 'ok', qr/^the lmdb store is read and written$/);



=== TEST 28: a damaged store is reported
--- bare
--- before
unlink glob "$ENV{TEST_NGINX_DIR}/damaged-store/*";
--- http_config perl
bare_http('simulator') =~ s{payer_store  memory}{payer_store lmdb:$ENV{TEST_NGINX_DIR}/damaged-store}r
--- config perl
"payer_insecure_upstream on;" . road(proxy_pass => 'http://payer/') . checkout() . $DOCTOR
--- request
GET /checkout?order=1001
--- error_code: 303
--- after
my ($file) = glob "$ENV{TEST_NGINX_DIR}/damaged-store/*.mdb";
($file) = grep { -s $_ > 4096 && !/lock/ } glob "$ENV{TEST_NGINX_DIR}/damaged-store/*";
truncate $file, 8192 or die "truncate: $!\n";
wait_until(sub { (examine('?local=1'))[1]{store}{status} eq 'fail' }, 30);
my ($r, $c) = examine('?local=1');
is($r->status, 503, 'not well');
finds($c, store => 'fail', qr/^the lmdb store cannot be written$/);
like(error_log_text(), qr/payer_store "[^"]+" is damaged/, 'the line that it speaks of');
--- no_check_leak



=== TEST 29: deep=1 is rejected with any host other than Payer's test host
--- config eval: $::DOCTOR
--- request
POST /doctor?deep=1
--- error_code: 403
--- json
detail: ^deep=1 makes a payment, and the host is not Payer's test host$
--- calls: none



=== TEST 30: deep=1 creates and cancels a link at the test host
--- config perl
$DOCTOR =~ s{payer_doctor;}{payer_doctor; payer_api /_payer host=stage-b2b.payer.se;}r
--- request
GET /nothing
--- error_code: 404
--- then
my $r = post('/doctor?deep=1');
is($r->status, 200, 'well');
my %c = map { $_->{name} => $_ } @{ $r->json->{checks} };
finds(\%c, link => 'ok', qr/^payment "[\w-]+" was made$/);
finds(\%c, cancel => 'ok', qr{^the link is cancelled, which proves the path "/api/v2/payments/\{paymentId\}/cards/cancel"$});
--- calls
token: 2
subscriptions: 1
create: 1
cancel: 1
read: 1
--- sent
create: "externalPaymentReference":"payer-doctor-[0-9a-f-]{36}"



=== TEST 31: deep=1 reports a wrong path of the cancel
--- config perl
$DOCTOR =~ s{payer_doctor;}{payer_doctor; payer_api /_payer host=stage-b2b.payer.se; payer_path cancel "/api/v2/payments/{paymentId}/nothing";}r
--- request
GET /nothing
--- error_code: 404
--- after
my $r = post('/doctor?deep=1');
is($r->status, 503, 'not well');
my %c = map { $_->{name} => $_ } @{ $r->json->{checks} };
finds(\%c, cancel => 'fail', qr/^the payment is "INITIATED" after the cancel$/);
like($c{cancel}{fix}, qr/"payer_path cancel"/, 'and says which directive');
like(error_log_text(), qr/may not be a path of Payer's API: check "payer_path cancel"/, 'as the log does');



=== TEST 32: invalid arguments are rejected
--- config eval: $::DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
is(get('/doctor?deep=1')->status, 400, 'GET and deep');
is(post('/doctor')->status, 400, 'POST without deep');
is(post('/doctor?deep=1&local=1')->status, 400, 'deep and local');
is(get('/doctor?lookup=id%3D1')->status, 400, 'there is no lookup');
is(get('/doctor?locl=1')->status, 400, 'a misspelled name');
is(get('/doctor?local=0&local=1')->status, 400, 'the same name twice');
is(request('PUT', '/doctor')->status, 405, 'PUT');
--- calls: none



=== TEST 33: a client that payer_allow does not list is rejected
--- config perl: $DOCTOR =~ s/127\.0\.0\.1/10.0.0.1/gr
--- request
GET /doctor
--- error_code: 403



=== TEST 34: payer_doctor without payer_allow is rejected
--- config
    location = /doctor { payer_doctor; }
--- must_die
--- error_log
"payer_doctor" in location "/doctor" has no "payer_allow"



=== TEST 35: lookup= shows the fields and the result without the key
--- http_config perl
shop(q{default_type application/json; return 200 '{"total":"129.50","currency":"SEK","status":"pending","order_key":"wc_secret"}';})
--- config perl: $LOOKUP . $DOCTOR
--- request
GET /doctor?lookup=id%3D1001
--- error_code: 200
--- response_body_unlike: wc_secret
--- after
my $r = get('/doctor?lookup=id%3D1001');
my $l = $r->json->{lookup};
is($l->{uri}, '/_shop/order', 'which');
is($l->{status}, 200, 'the status');
is($l->{verdict}, 'open', 'the verdict');
is(join(' ', map { "$_=$l->{fields}{$_}" } sort keys %{ $l->{fields} }), 'currency=SEK state=pending total=129.50', 'the fields, and not the key');
my %c = map { $_->{name} => $_ } @{ $r->json->{checks} };
finds(\%c, lookup => 'ok', qr{"/_shop/order": the shop has answered 200, "open"});
is(get('/doctor?lookup=id=1001')->status, 200, 'not encoded');
is(get('/doctor?lookup=number%3D1001')->status, 400, 'another argument');
is(get('/doctor?lookup=id%3D..%2Fx')->status, 400, 'what is no value');
is(get('/doctor?lookup=id%3D1%26id%3D2')->status, 400, 'one too many');
--- calls: none



=== TEST 36: lookup= reports rejected credentials and an unknown order
--- http_config perl: shop('if ($arg_id = 1) { return 401; } return 404;')
--- config perl: $LOOKUP . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my ($r, $c) = examine('?lookup=id%3D1');
is($r->status, 503, 'not well');
finds($c, lookup => 'fail', qr/the shop has answered 401, "failed"/);
($r, $c) = examine('?lookup=id%3D2');
is($r->status, 200, 'nothing is broken');
finds($c, lookup => 'warn', qr/the shop has answered 404, "not_found"/);



=== TEST 37: lookup= reports a missing field
--- http_config perl
shop(q{default_type application/json; return 200 '{"currency":"SEK","status":"pending"}';})
--- config perl: $LOOKUP . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my ($r, $c) = examine('?lookup=id%3D1');
is($r->status, 503, 'not well');
finds($c, lookup => 'fail', qr/"failed": .*missing/);



=== TEST 38: owed notifications are reported
--- http_config perl: shop('return 500;')
--- config perl
'payer_notify /_shop/paid?id=$payer_reference;' . checkout() . $DOCTOR
. 'location = /thanks { payer_verify $arg_order; root html; }'
. "location = /_shop/paid { internal; proxy_pass http://127.0.0.1:$SHOP; }"
--- request
GET /checkout?order=1001
--- error_code: 303
--- then
pay('1001');
get('/thanks?order=1001');
wait_until(sub { error_log_text() =~ /"GET \/_shop\/paid|notification/ });
my ($r, $c) = examine();
finds($c, notifications => 'ok', qr/^1 are owed to the shop, the oldest for \d+ seconds, 0 were given up or are in conflict$/);
