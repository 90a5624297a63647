# docs/incidents.md: each incident is provoked, and then the error log has the
# documented line, and payer_doctor shows the documented check.

use strict;
use warnings;

use File::Copy ();
use File::Temp ();

use lib 't/lib';

BEGIN {
    $ENV{PAYER_TEST_STORE} = 'lmdb';

    # a module of its own, which is replaced under a running nginx
    my $module = $ENV{PAYER_MODULE} // 'build/ngx_http_payer_module.so';

    if ($module ne 'static') {
        my $dir = File::Temp::tempdir(CLEANUP => 1);

        File::Copy::copy($module, "$dir/module.so") or die "$module: $!\n";
        chmod 0755, $dir;
        $ENV{PAYER_MODULE} = "$dir/module.so";
    }
}

use Payer::Weather;
use Payer::Test;
use Payer::Cert;
use Payer::Conf;
use Payer::Events;
use Payer::Incidents;
use Payer::Life;
use Payer::Shop;

use Digest::SHA qw(hmac_sha256_hex);
use IO::Socket::INET;

master_on();
workers(2);

our $DOCTOR = 'location = /doctor { payer_doctor; payer_allow 127.0.0.1; }'
    . ' location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }';

our $LIST =
    ' location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }';

our $CONF = root() . '/conf/payer_api.conf';
our $DIR  = work_dir();
our $DEAD = free_port();
our $TLS  = free_port();
our $SHOP = free_port();

# takes connections and says nothing
our $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "listen: $!\n";

our $nobody = join ' ', 'nobody', scalar getgrgid((getpwnam 'nobody')[3]);

write_file('wrong.secret', "another-key\n", 0600);
write_file('fresh.secret', (merchant())[1] . "\n", 0600);
write_file('link.key', "the-key-that-shop-and-nginx-share\n", 0600);


# A shop whose way to Payer is this one.

sub over {
    my ($pass, $api, @lines) = @_;

    return 'location /_way/ { internal; include ' . ($lines[0] // $CONF)
        . "; $pass } " . checkout(payer_api => $api)
        . ($DOCTOR =~ s/payer_doctor;/payer_doctor; payer_api $api;/r);
}


sub store_of { my ($from, $to, $mode) = @_;

    my $file = $Test::Nginx::Util::ConfFile;
    my $conf = do { local (@ARGV, $/) = $file; <> };

    $conf =~ s/^user $from;/user $to;/m
        ? write_file($file, $conf)
        : chmod $mode, "$DIR/payments/data.mdb";
}


sub paid {
    my ($reference) = @_;

    is(get("/checkout?order=$reference")->status, 303, "$reference: a link");
    pay($reference);
}


sub ask {
    my ($operation, $reference, %more) = @_;

    return post("/$operation", json => { reference => $reference, %more });
}

run_payer_tests();

__DATA__

=== TEST 1: docs/incidents.md and this file have the same incidents, each with a command
--- config perl: $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $text = do { local (@ARGV, $/) = root() . '/t/675.incidents.t'; <> };
my %tested = map { $_ => 1 } $text =~ /^ *incident\('([^']+)'/mg, $text =~ /^incident\("([^"]+)"/mg;
my $incidents = incidents();

cmp_ok(scalar keys %$incidents, '>=', 25, 'enough of them');
is(join("\n", sort keys %tested), join("\n", sort keys %$incidents), 'the same incidents');

for my $title (sort keys %$incidents) {
    my $incident = $incidents->{$title};

    ok($incident->{command} && length($incident->{action}) > 20, "$title: a command and an action");
    like($incident->{action}, qr/\.\z/, "$title: a sentence");
}



=== TEST 2: a wrong secret is reported as documented
--- config perl: checkout(payer_client_secret_file => "$DIR/wrong.secret") . ($DOCTOR =~ s/payer_doctor;/payer_doctor; payer_client_secret_file $DIR\/wrong.secret;/r)
--- request
GET /checkout?order=1001
--- error_code: 502
--- after
incident('The secret is wrong');



=== TEST 3: a key that was changed at Payer is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1001
--- error_code: 303
--- after
faults({ match => 'token', times => 9, action => 'reply', status => 401 });
is(get('/checkout?order=1002')->status, 303, 'nothing at first');
incident('The key was changed at Payer');



=== TEST 4: a new secret that nginx has not read is reported as documented
--- config perl: $DOCTOR =~ s/payer_doctor;/payer_doctor; payer_client_secret_file $DIR\/fresh.secret;/r
--- request
GET /nothing
--- error_code: 404
--- after
utime time + 5, time + 5, "$DIR/fresh.secret" or die "utime: $!\n";
incident('The new secret is not in use');



=== TEST 5: a rejected reload is reported as documented
--- config perl: $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $file = $Test::Nginx::Util::ConfFile;
my $conf = do { local (@ARGV, $/) = $file; <> };

sleep 1.1;
write_file($file, $conf . "\nno_such_directive on;\n");
kill 'HUP', nginx_pid();
incident('A reload was rejected');
write_file($file, $conf);
--- alert: unknown directive



=== TEST 6: a wrong clock is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
clock_is_off(365 * 86400);
get("/checkout?order=other-$_") for 1 .. 20;
incident('The clock is wrong');
clock_is_off(0);



=== TEST 7: a certificate that is not accepted is reported as documented
--- http_config perl
"upstream tls { server 127.0.0.1:$TLS; } server { listen 127.0.0.1:$TLS ssl; " . certificate('payer.test')
. "location / { proxy_pass http://127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}; } }"
--- config perl
my $conf = do { local (@ARGV, $/) = $CONF; <> };
$conf =~ s{\S+;(\s*# CA)}{@{[ authority('other') ]};$1} or die 'no line is marked CA';
over('proxy_pass https://tls/;', '/_way host=payer.test', write_file('tls.conf', $conf))
--- request
GET /checkout?order=1001
--- error_code: 502
--- after
incident('The certificate of Payer is not accepted');



=== TEST 8: a name that is not resolved is reported as documented
--- http_config
resolver 127.0.0.1:9 valid=30s; resolver_timeout 1s;
--- config perl
over('set $payer_host payer.invalid; rewrite ^/_way(/.*)$ $1 break; proxy_pass http://$payer_host;', '/_way host=payer.invalid')
--- request
GET /checkout?order=1001
--- error_code_like: ^50[24]$
--- after
incident("The name of Payer's host is not resolved");



=== TEST 9: an unavailable Payer is reported as documented
--- http_config perl: "upstream dead { server 127.0.0.1:$DEAD; }"
--- config perl: over('proxy_pass http://dead/;', '/_way')
--- request
GET /checkout?order=1001
--- error_code: 502
--- after
incident('Payer is down');



=== TEST 10: a connection that the system denies is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
connections_are_denied(1);
is(get('/checkout?order=1001')->status, 502, 'nobody is reached');
incident('A firewall or SELinux denies the connection');
connections_are_denied(0);



=== TEST 11: a slow Payer is reported as documented
--- config perl: 'payer_timeout 1s; ' . checkout() . ($DOCTOR =~ s/payer_doctor;/payer_doctor; payer_timeout 30s;/r)
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults('create: delay=9 times=9', 'token: delay=30 times=9');
is(get('/checkout?order=2')->status, 504, 'too slow');
incident('Payer is slow');



=== TEST 12: an overloaded Payer is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults('create: status=503 times=9', 'token: status=503 times=9');
like(get('/checkout?order=2')->status, qr/^50[23]$/, 'too busy');
incident('Payer is overloaded');



=== TEST 13: a proxy that answers in place of Payer is reported as documented
--- config perl: checkout() . $DOCTOR
--- faults
token: html status=200 times=9
--- request
GET /checkout?order=1
--- error_code: 502
--- after
incident('A proxy answers in place of Payer');



=== TEST 14: a connection that is not verified is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
incident('The connection to Payer is not verified');



=== TEST 15: a full disk is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
disk_is_full();
for my $n (2 .. 400) {
    last if get("/checkout?order=$n")->status == 503;
}
incident('The disk is full');
disk_is_good();



=== TEST 16: a slow disk is reported as documented
--- config perl: 'payer_timeout 1s; ' . checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
disk_is_slow(12000);
incident('The disk is slow');
disk_is_slow(0);



=== TEST 17: a damaged store is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
truncate "$DIR/payments/data.mdb", 8192 or die "truncate: $!\n";
wait_until(sub { get('/checkout?order=2')->status == 503 }, 30);
incident('The store is damaged');



=== TEST 18: a lost store is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
unlink "$DIR/payments/data.mdb" or die "unlink: $!\n";
wait_until(sub { get('/checkout?order=2')->status == 503 }, 30);
incident('The store was lost');



=== TEST 19: a store of another user is reported as documented
--- config perl: checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
sleep 1.1;
store_of('root', $nobody, 0400);
kill 'HUP', nginx_pid();
incident('The store belongs to another user');
store_of($nobody, 'root', 0600);
--- alert: is not writable



=== TEST 20: payments in memory are reported as documented
--- bare
--- http_config perl: bare_http('simulator')
--- config perl
'payer_insecure_upstream on;' . road(proxy_pass => 'http://payer/') . checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
incident('Payments are in memory only');



=== TEST 21: a full zone is reported as documented
--- bare
--- http_config perl: bare_http('simulator') =~ s/payer 1m/payer 32k/r
--- config perl
'payer_insecure_upstream on;' . road(proxy_pass => 'http://payer/') . checkout() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
for my $n (1 .. 2000) {
    last if get("/checkout?order=$n" . 'x' x ($n % 200))->status == 503;
}
incident('The shared memory zone is full', get => sub { get('/doctor?local=1') });



=== TEST 22: a capture with an unknown outcome is reported as documented
--- config perl: checkout() . operations() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
paid('1001');
faults('capture: lost-reply times=9', 'read: status=503 times=99');
is(ask(capture => '1001')->status, 504, 'unknown');
clock_is_off(3600);
incident('The outcome of a capture is unknown');
clock_is_off(0);



=== TEST 23: a refund with an unknown outcome is reported as documented
--- config perl: checkout() . operations() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
paid('1001');
is(ask(capture => '1001')->status, 200, 'captured');
faults('refund: lost-reply times=9', 'read: status=503 times=99');
is(ask(refund => '1001', amount => 100)->status, 504, 'unknown');
clock_is_off(2 * 86400);
incident('The outcome of a refund is unknown');
clock_is_off(0);



=== TEST 24: a worker process killed during a capture is reported as documented
--- config perl: checkout() . operations() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
paid('1001');
faults('capture: delay_after=2');
killed(sub {
    my $child = fork // die "fork: $!\n";
    if ($child == 0) {
        eval { ask(capture => '1001') };
        POSIX::_exit(0);
    }
    wait_until(sub { calls()->{capture} }, 10);
    kill 'KILL', worker_pids();
    waitpid $child, 0;
});
is(post('/reconcile')->status, 200, 'read back');
incident('A worker process was killed in the middle of a capture');
--- alert: exited on signal 9



=== TEST 25: a buyer who has paid less is reported as documented
--- config perl
checkout() . operations() . $DOCTOR
. 'location = /thanks { payer_verify $arg_order; payer_verify_amount 20000 SEK; root html; }'
--- request
GET /nothing
--- error_code: 404
--- after
paid('1001');
is(get('/thanks?order=1001')->status, 402, 'not paid');
is(get('/payment?reference=1001')->json->{payment}{amount}, 12900, 'the command shows the amount');
incident('A buyer says that he has paid, but the shop says no');



=== TEST 26: an order number that was used twice is reported as documented
--- config perl: checkout() . checkout('= /dearer', payer_amount => 20000) . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
paid('1001');
is(get('/dearer?order=1001')->status, 409, 'another order');
incident('An order number was used twice');



=== TEST 27: a cancelled order that was paid is reported as documented
--- config perl: checkout() . operations() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
is(get('/checkout?order=1001')->status, 303, 'a link');
pay('1001', card => '3ds', threeds => 'start');
is(ask(cancel => '1001')->status, 200, 'cancelled');
pay('1001', card => '3ds', threeds => 'approve');
is(get('/payment?reference=1001')->status, 200, 'the command reads it');
incident('A cancelled order was paid');



=== TEST 28: a cancelled order whose link is used is reported as documented
--- config perl
checkout('= /pay', payer_amount => '$arg_amount', payer_signature => '$arg_sig $arg_order:$arg_amount:$arg_expires',
    payer_signature_expires => '$arg_expires', payer_signature_key_file => "$DIR/link.key", payer_present => 'confirm')
. 'location = /link { payer_link /pay; payer_allow 127.0.0.1; }' . operations() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $link = sub {
    my $r = post('/link', form => { reference => '1001', amount => 12900, currency => 'SEK', expires => time + 600 + $_[0] },
        headers => { Host => 'localhost', 'X-Payer-Office' => '1' });
    return $r->json->{url} =~ s{^https?://[^/]+}{}r;
};
my $old = $link->(0);
is(post($old, form => {})->status, 303, 'sold');
is(ask(cancel => '1001')->status, 200, 'cancelled');
is(post($old, form => {})->status, 409, 'not any more');
incident('A cancelled order cannot be paid');
is(post($link->(-60), form => {})->status, 303, 'what the guide says helps');



=== TEST 29: an authorization that has ended is reported as documented
--- config perl: checkout() . operations() . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
paid('1001');
faults({ match => 'capture', action => 'reply', status => 400, times => 9, body => '{"message":"the authorization has expired"}', headers => { 'Content-Type' => 'application/json' } });
is(ask(capture => '1001')->status, 400, 'refused');
incident('A capture is refused, since the authorization has ended');



=== TEST 30: links that cannot be cancelled are reported as documented
--- config perl
checkout() . operations()
. ($DOCTOR =~ s{payer_doctor;}{payer_doctor; payer_api /_payer host=stage-b2b.payer.se; payer_path cancel "/api/v2/payments/{paymentId}/nothing";}r)
--- request
GET /nothing
--- error_code: 404
--- after
my $r = post('/doctor?deep=1');
incident('Links cannot be cancelled', get => sub { $r });



=== TEST 31: missing subscriptions are reported as documented
--- config perl: checkout() . 'location = /payer/events { payer_events; }' . $LIST . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
incident('Payer does not send events');
is(post('/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED', url => 'http://localhost/payer/events' })->status, 204, 'what the guide says');



=== TEST 32: a shop that does not accept events is reported as documented
--- http_config perl: shop_upstream()
--- config perl: events_server('payer_tries 1;') . $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
shop_answers(500);
callback($token);
incident('The shop does not accept events');



=== TEST 33: a shop's API that rejects the lookup is reported as documented
--- http_config perl: "server { listen 127.0.0.1:$SHOP; location / { return 401; } }"
--- config perl
"location ~ ^/order/(?<number>[0-9]+)\$ {
    payer_lookup /_shop/order?id=\$number;
    payer_lookup_field \$total /total;
    payer_lookup_field \$key /order_key;
    payer_lookup_match \$key \$arg_key;
    payer_checkout;
    payer_reference \$number;
    payer_amount \$total major;
    payer_currency SEK;
    payer_return_success /thanks;
    payer_return_fail /failed;
    payer_return_back /cart;
}
location = /_shop/order { internal; proxy_pass http://127.0.0.1:$SHOP; }" . $DOCTOR
--- request
GET /order/1001?key=x
--- error_code: 503
--- after
incident("The shop's API rejects the lookup", get => sub { get('/doctor?lookup=id%3D1001') });



=== TEST 34: a sweep that does not run is reported as documented
--- config perl: 'payer_sweep 5m; ' . checkout() . $DOCTOR
--- request
GET /checkout?order=1
--- error_code: 303
--- after
clock_is_off(86400);
incident('The sweep does not run');
clock_is_off(0);



=== TEST 35: denied access is reported as documented
--- config perl: operations(payer_allow => '10.0.0.0/8') . $DOCTOR
--- request
POST /capture
--- error_code: 403
--- after
incident('Access is denied');



=== TEST 36: a shop that does not take notifications is reported as documented
--- http_config perl: "server { listen 127.0.0.1:$SHOP; location / { return 500; } }"
--- config perl
'payer_sweep 1s; payer_notify /_shop/paid?id=$payer_reference; payer_notify_retry 2s interval=1s max=1s;'
. checkout() . $DOCTOR
. 'location = /thanks { payer_verify $arg_order; root html; }'
. "location = /_shop/paid { internal; proxy_pass http://127.0.0.1:$SHOP; }"
--- request
GET /nothing
--- error_code: 404
--- after
paid('1001');
get('/thanks?order=1001');
wait_until(sub { error_log_text() =~ /is not sent again after/ }, 30);
incident('The shop does not take notifications');



=== TEST 37: a replaced module is reported as documented
--- config perl: $DOCTOR
--- request
GET /nothing
--- error_code: 404
--- after
my $file = $ENV{PAYER_MODULE} // 'static';

# one that is built in is replaced together with nginx
if ($file ne 'static') {
    sleep 1.1;
    File::Copy::copy($file, "$file.new");
    rename "$file.new", $file or die "rename: $!\n";
    reload();
    incident('The old module is still in memory', get => sub { get('/doctor?local=1') });
}
