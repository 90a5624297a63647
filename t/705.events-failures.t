# Failures of payer_events: 503 is returned, so that Payer calls again, and an
# event that was not delivered is not acknowledged.

use lib 't/lib';
use Payer::Test;
use Payer::Events;
use Payer::Shop;

# A callback that fails and may be repeated, as the answer tells.
sub fails {
    my ($r, $what) = @_;

    is($r->status, 503, "$what: the callback is answered with 503");
    cmp_ok($r->header('Retry-After') // 0, '>=', 1, "$what: for now");
    is($r->header('Content-Type'), 'application/problem+json',
        "$what: a problem");
}

run_payer_tests();

__DATA__

=== TEST 1: 503 is returned if the payload cannot be fetched
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('payer_tries 1; payer_timeout 1s;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

for my $fault ('status=500', 'status=429', 'status=403', 'status=401',
    'status=418', 'html', 'garbage', 'empty', 'truncate', 'reset', 'close',
    'lost-reply', 'silence', 'stall', 'garbage-head',
    'huge size=300000', 'status=200 body=[]', 'status=200 body="text"',
    'status=200 body={"error":"no","id":"1"}')
{
    faults("event: $fault times=2");
    fails(callback($token), $fault);
    sim('DELETE', 'faults');
}

is(scalar(shop_requests()), 0, 'the shop got no request');
is(calls()->{ack}, undef, 'nothing was acknowledged');

is(callback($token)->status, 200, 'then all is well');
is(scalar(shop_requests()), 1, 'and the shop is told');



=== TEST 2: 503 is returned if there is no token
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('payer_tries 1;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

revoke();
faults('token: status=500');
fails(callback($token), 'the token');
is(callback($token)->status, 200, 'then all is well');



=== TEST 3: an expired bearer token is renewed
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

revoke();
is(callback($token)->status, 200, 'taken');
is(calls()->{token}, 1, 'with a new one');



=== TEST 4: 503 is returned if the payment cannot be read
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('payer_tries 1; payer_timeout 1s;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

for my $fault ('status=500', 'status=404', 'garbage', 'silence') {
    faults("read: $fault");
    fails(callback($token), $fault);
}

is(scalar(shop_requests()), 0, 'the shop got no request');
is(callback($token)->status, 200, 'then all is well');



=== TEST 5: a reply about another order does not change the order
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults({ match => 'read', action => 'edit',
    set => { 'payment.externalPaymentReference' => 'another' } });
is(callback($token)->status, 200, 'the shop is told of the event');
is(scalar(shop_requests()), 1, 'once');

unlike(get('/checkout?order=1001')->header('Location') // '', qr{/thanks$},
    'and leads to no thank-you page');
like(error_log_text(), qr{payer: the reply to "read" names another order, .*order: "1001"}, 'it is logged');



=== TEST 6: an event is passed again after the shop has failed
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('500', '204');
fails(callback($token), 'the first time');
like(error_log_text(), qr{\[error\].*event: "/shop/event" returned .* 500},
    'it is logged');
is(calls()->{ack}, undef, 'nothing is acknowledged');

is(callback($token)->status, 200, 'the second time');
is(scalar(shop_requests()), 2, 'the shop was asked twice');
is(event_of($token)->{acked}, 1, 'then it was acknowledged');



=== TEST 7: only a complete 2xx response of the shop accepts an event
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('', 'proxy_read_timeout 500ms;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

for my $answer ('301 Location: /login', '302 Location: /login', '304', '400',
    '401', '404', '409', '500', '502', '503', '504', 'close', 'cut',
    'delay=1 204')
{
    shop_answers($answer);
    fails(callback($token), $answer);
}

is(calls()->{ack}, undef, 'nothing was acknowledged');

shop_answers('201');
is(callback($token)->status, 200, 'a 201 does');



=== TEST 8: each 2xx status of the shop accepts an event
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $order = 1000;

for my $status (200, 201, 202, 204) {
    my $token = paid_event(++$order);

    shop_answers($status);
    is(callback($token)->status, 200, "a $status");
    is(event_of($token)->{acked}, 1, "$status: acknowledged");
}



=== TEST 9: 503 is returned if the shop is not running
--- http_config
upstream shop { server 127.0.0.1:1; }
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

fails(callback($token), 'connection refused');
like(error_log_text(), qr/returned status 502/, 'it is logged');
is(event_of($token)->{acked}, 0, 'not acknowledged');



=== TEST 10: a status that the shop's location itself returns counts
--- config eval
::buying() . q{
    location = /events { payer_events; payer_event_pass /shop/event; }
    location = /shop/event {
        internal;
        if ($http_x_payer_reference = 1) { return 204; }
        if ($http_x_payer_reference = 2) { return 200; }
        if ($http_x_payer_reference = 3) { return 200 "text"; }
        if ($http_x_payer_reference = 4) { return 500; }
        if ($http_x_payer_reference = 5) { return 403 "text"; }
        if ($http_x_payer_reference = 6) { return 302 /login; }
        try_files /nothing =201;
    }
}
--- request
GET /nothing
--- error_code: 404
--- after
my %expect = (1 => 200, 2 => 200, 3 => 200, 4 => 503, 5 => 503, 6 => 503,
    7 => 200);

for my $order (sort keys %expect) {
    my $token = paid_event($order);
    my $r = callback($token);

    is($r->status, $expect{$order}, "case $order");
    is(event_of($token)->{acked}, $expect{$order} == 200 ? 1 : 0,
        "case $order: the acknowledgement");
}



=== TEST 11: error_page in the shop's location does not turn a failure into a success
--- http_config eval: ::shop_upstream()
--- config eval
::events_server('', 'error_page 500 502 504 =200 /fine;
                     proxy_intercept_errors on;')
. 'location = /fine { return 200 "fine"; }'
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('500', 'close');
fails(callback($token), 'a status of the shop');
fails(callback($token), 'no answer of the shop');
is(event_of($token)->{acked}, 0, 'not acknowledged');



=== TEST 12: Retry-After of the shop is passed to Payer
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('503 Retry-After: 120', '503');
is(callback($token)->header('Retry-After'), 120, 'and Payer is told');
is(callback($token)->header('Retry-After'), 30, 'otherwise it is our word');



=== TEST 13: payer_timeout limits the response time of the shop
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('payer_timeout 1s;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('delay=5 204');
my $r = callback($token);

fails($r, 'too slow');
cmp_ok($r->time, '<', 3, 'it took no longer');



=== TEST 14: the shop has the whole payer_timeout after the calls to Payer
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('payer_timeout 1s;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults('event: delay=0.7');
shop_answers('delay=0.6 204');
is(callback($token)->status, 200, 'taken');



=== TEST 15: if the acknowledgement fails, the event is not passed to the shop again
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('payer_tries 1; payer_timeout 1s;')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

for my $fault ('status=500', 'status=400', 'status=403', 'reset', 'silence') {
    faults("ack: $fault");
    fails(callback($token), $fault);
}

is(scalar(shop_requests()), 1, 'the shop was told once');
is(calls()->{event}, 1, 'and the payload fetched once');
is(callback($token)->status, 200, 'then it is acknowledged');
is(event_of($token)->{acked}, 1, 'as Payer knows');



=== TEST 16: an event that Payer no longer knows is accepted if it was delivered before
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

sim_config(ack_again => 404);
is(callback($token)->status, 200, 'taken');
is(callback($token)->status, 200, 'and again, although nothing is left to acknowledge');
is(calls()->{ack}, 2, 'which Payer said');
is(scalar(shop_requests()), 1, 'the shop was told once');
is(join("", error_log_text() =~ m{^.*\[error\].* payer: .*$}mg), "", "nobody has to do anything");



=== TEST 23: a 404 to the acknowledgement of a new event is logged
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults('ack: status=404 times=0');
is(callback($token)->status, 200, 'the shop has it');
like(error_log_text(), qr/\[error\].* payer: "ack" was refused with status 404/,
    'which the operator is told, as the path may be wrong');



=== TEST 17: Payer repeats an event until the shop has accepted it
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
shop_answers('500', 'close', '204');
sim_config(event_retry => 0.1);
subscribe(url => "http://127.0.0.1:${\ nginx_port() }/events");
get('/checkout?order=1001');
pay('1001');

ok(wait_until(sub { events()->[0] && events()->[0]{acked} }), 'it does');
is(scalar(shop_requests()), 3, 'after three tries');
is(events()->[0]{acked}, 1, 'once');



=== TEST 18: a late event does not make a paid order unpaid
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1001'))->status, 200, 'the order is paid');

# (that Payer reads CANCELLED is no late event: the authorization has ended)
for my $status (qw(INITIATED SOMETHING_NEW)) {
    my $token = sim('POST', 'events',
        { type => 'CARD_PAYMENT_AUTHORIZED', paymentId => payment('1001') })
        ->{tokens}[0];

    faults({ match => 'read', action => 'edit',
        set => { 'payment.status' => $status } });
    is(callback($token)->status, 200, "$status is read");
    like(get('/checkout?order=1001')->header('Location'), qr{/thanks$},
        "$status: the order is still paid");
}



=== TEST 19: an authorization after a cancel does not make the order paid
--- http_config eval: ::shop_upstream()
--- config eval
::events_server('', 'proxy_set_header X-Payer-Status $payer_status;')
. 'location = /cancel { payer_cancel; payer_allow 127.0.0.1; }'
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe();
get('/checkout?order=1001');
pay('1001', card => '3ds', threeds => 'start');
is(post('/cancel', form => { reference => '1001' })->status, 200, 'cancelled');
pay('1001', card => '3ds', threeds => 'approve');
ok(wait_until(sub { @{ events() } }), 'authorized nevertheless');

is(callback(events()->[0]{token})->status, 200, 'the shop is told');
unlike(get('/checkout?order=1001')->header('Location'), qr{/thanks$},
    'and the order is not paid');



=== TEST 20: a payment whose create had no reply is found by its event
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('', '') . "payer_tries 1;"
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe();
faults('create: lost-reply');
is(get('/checkout?order=1001')->status, 504, 'nobody knows of a link');
pay('1001');
ok(wait_until(sub { @{ events() } }), 'but it is there');

is(callback(events()->[0]{token})->status, 200, 'taken');
like(get('/checkout?order=1001')->header('Location'), qr{/thanks$},
    'the order is paid');
is(books('1001')->{links}, 1, 'by the one link');



=== TEST 21: a payment whose create had no reply is not used if it differs from the order
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server('', '') . "payer_tries 1;"
--- request
GET /nothing
--- error_code: 404
--- after
my %wrong = (
    'payment.currencyCode'             => 'NOK',
    'payment.externalPaymentReference' => 'another',
    'payment.authorizedAmount'         => 100,
);
my $order = 1000;

for my $field (sort keys %wrong) {
    shop_reset();
    sim_config(event_calls => 1);
    subscribe();
    $order++;

    my $before = @{ events() };

    faults('create: lost-reply');
    is(get("/checkout?order=$order")->status, 504, "$field: a lost reply");
    pay($order);
    wait_until(sub { @{ events() } > $before });

    faults({ match => 'read', action => 'edit',
        set => { $field => $wrong{$field} } });
    is(callback(events()->[-1]{token})->status, 200, "$field: the shop is told");
    unlike(get("/checkout?order=$order")->header('Location') // '',
        qr{/thanks$}, "$field: but the order is not paid");
}



=== TEST 22: an event of an earlier payment does not change the order
--- http_config eval: ::shop_upstream()
--- config eval
::events_server() . q{
    location = /dearer {
        payer_checkout;
        payer_reference       $arg_order public;
        payer_amount          15000;
        payer_currency        SEK;
        payer_language        sv;
        payer_return_success  /thanks;
        payer_return_fail     /cart;
        payer_return_back     /cart;
    }
}
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
sim_config(event_calls => 1);
subscribe(type => 'CARD_PAYMENT_ERROR');
get('/checkout?order=1001');

my $old = payment('1001');
my $link = get('/dearer?order=1001')->header('Location');
isnt(payment('1001'), $old, 'another amount, another payment');

my $token = sim('POST', 'events',
    { type => 'CARD_PAYMENT_ERROR', paymentId => $old })->{tokens}[0];
sim('DELETE', 'journal');

is(callback($token)->status, 200, 'taken');
is(calls()->{read}, undef, 'nothing is read');
is((shop_heads())[0]{'x-payer-payment-id'}, $old,
    'the shop is told which payment it was');
is(get('/dearer?order=1001')->header('Location'), $link,
    'the link of the order is the same');



=== TEST 24: X-Accel-Redirect with an error does not turn it into a success
--- http_config eval: ::shop_upstream()
--- config eval
::events_server() . '
location = /sorry   { internal; return 200 "sorry"; }
location = /archive { internal; proxy_pass http://shop; }'
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

shop_answers('500 X-Accel-Redirect: /sorry', '404 X-Accel-Redirect: /archive', '204');
fails(callback($token), 'an error with a page');
fails(callback($token), 'an error with another answer of the shop');
is(event_of($token)->{acked}, 0, 'not acknowledged');

shop_answers('200 X-Accel-Redirect: /archive', '204');
is(callback($token)->status, 200, 'a success that is passed on is one');
