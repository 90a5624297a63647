# payer_events: a callback of Payer, from the token to the acknowledgement.

use lib 't/lib';
use Payer::Test;
use Payer::Events;
use Payer::Shop;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: an event is fetched, passed to the shop, and then acknowledged
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my $id = payment('1001');

shop_answers('delay=0.2 204');
my $r = callback($token);

is($r->status, 200, 'the callback is answered');
is($r->body, '', 'with nothing');
is($r->header('Cache-Control'), 'no-store', 'for no cache');

my @calls = grep { $_->{call} ne 'token' } journal();
is(join(' ', map { $_->{call} } @calls), 'event read ack',
    'three calls, in this order');
cmp_ok($calls[2]{time} - $calls[0]{time}, '>=', 0.2,
    'the acknowledgement comes after the shop');

my @shop = shop_requests();
is(scalar @shop, 1, 'the shop is told once');
like($shop[0]{line}, qr{^POST /shop/event HTTP/1\.[01]$}, 'by a POST');

my ($head) = shop_heads();
is($head->{'content-type'}, 'application/json', 'of JSON');
is($head->{'x-payer-event-token'}, $token, 'with the token');
is($head->{'x-payer-event-type'}, 'CARD_PAYMENT_AUTHORIZED', 'the type');
is($head->{'x-payer-payment-id'}, $id, 'the payment id');
is($head->{'x-payer-reference'}, '1001', 'and the reference');
is(event_of($token)->{acked}, 1, 'Payer saw one acknowledgement');



=== TEST 2: the headers have the documented names
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1001'))->status, 200, 'taken');

my @names = map { $_->[0] } @{ (shop_requests())[0]{headers} };
is(join(' ', sort grep { /payer/i } @names),
    'X-Payer-Amount X-Payer-Currency X-Payer-Event-Token X-Payer-Event-Type '
        . 'X-Payer-Payment-Id X-Payer-Reference X-Payer-Status',
    'names');



=== TEST 3: the payload is passed to the shop unchanged
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my $id = payment('1001');
my $payload =
    qq({ "paymentId":"$id" ,\t"amount": 1.290e4,\n"n\\u00e4me":"\\/" }\n);

faults({ match => 'event', work => JSON::PP::true(), body => $payload });
is(callback($token)->status, 200, 'taken');
is((shop_requests())[0]{body}, $payload, 'untouched');



=== TEST 4: a large payload is passed to the shop completely
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults({ match => 'event', action => 'huge', size => 262144 });
is(callback($token)->status, 200, 'taken');
is(length((shop_requests())[0]{body}), 262144, '256 KiB');



=== TEST 5: headers, arguments and body of the callback are not passed to the shop or to Payer
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my $r = request('POST', "/events?token=$token&evil=query",
    body => 'evil body',
    headers => {
        Host => 'shop.example',
        Cookie => 'evil=cookie',
        Authorization => 'Basic evil',
        'Content-Type' => 'text/evil',
        'User-Agent' => 'evil agent',
        'X-Payer-Reference' => 'evil',
        'X-Payer-Status' => 'evil',
        'X-Forwarded-For' => '203.0.113.66',
        Range => 'bytes=0-3',
        'If-None-Match' => '"evil"',
    });

is($r->status, 200, 'taken');
unlike(JSON::PP::encode_json([ shop_requests() ]), qr/evil|203\.0|bytes=/,
    'the shop saw nothing of it');
unlike(join("\n", map { sent($_) } qw(event read ack)),
    qr/evil|203\.0|bytes=/, 'and neither did Payer');
is((shop_heads())[0]{'x-payer-reference'}, '1001', 'the reference is true');



=== TEST 6: credentials are not passed to the shop
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1001'))->status, 200, 'taken');

my ($head) = shop_heads();
ok(!exists $head->{authorization}, 'no Authorization');
unlike(JSON::PP::encode_json([ shop_requests() ]), qr/Bearer|Basic/,
    'nor its value elsewhere');



=== TEST 7: $host and $http_host in the shop's location are those of the callback
--- http_config eval: ::shop_upstream()
--- config eval
::events_server('',
    'proxy_set_header Host $host; proxy_set_header X-H $http_host;')
--- request
GET /nothing
--- error_code: 404
--- after
callback(paid_event('1001'), headers => { Host => 'shop.example:8443' });

my ($head) = shop_heads();
is($head->{host}, 'shop.example', '$host');
is($head->{'x-h'}, 'shop.example', '$http_host');



=== TEST 8: an event updates the record of the payment
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

is(callback($token)->status, 200, 'taken');
sim('DELETE', 'journal');

my $r = get('/checkout?order=1001');
like($r->header('Location'), qr{/thanks$}, 'the order is known to be paid');
is_deeply(calls(), {}, 'without asking again');



=== TEST 9: without payer_event_pass an event updates the record
--- config eval
::buying() . 'location = /events { payer_events; }'
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

is(callback($token)->status, 200, 'taken');
is(event_of($token)->{acked}, 1, 'acknowledged');
like(get('/checkout?order=1001')->header('Location'), qr{/thanks$},
    'the order is paid');
is(scalar(shop_requests()), 0, 'nobody else was told');



=== TEST 10: a repeated token is acknowledged without a second delivery
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

is(callback($token)->status, 200, 'the first time');
sim('DELETE', 'journal');

is(callback($token)->status, 200, 'the second time');
is_deeply(calls(), { ack => 1 }, 'is only acknowledged');
is(callback($token)->status, 200, 'the third time');
is(scalar(shop_requests()), 1, 'and the shop was told once');



=== TEST 11: an event that Payer delivers again is acknowledged
--- no_http2: the simulator calls over HTTP/1.1
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
subscribe(url => "http://127.0.0.1:${\ nginx_port() }/events");
get('/checkout?order=1001');
pay('1001');

ok(wait_until(sub { grep { $_->{acked} } @{ events() } }), 'it arrives');

my $token = events()->[0]{token};
sim('POST', 'events', { token => $token });

ok(wait_until(sub { event_of($token)->{acked} == 2 }),
    'and is acknowledged again');
is(scalar(shop_requests()), 1, 'the shop was told once');
ok(wait_until(sub {
    join(' ', map { $_->{status} // '' } @{ event_of($token)->{calls} })
        eq '200 200'
}), 'both callbacks were answered with 200');



=== TEST 12: an unknown token gets 404 and is not stored
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
my $r = callback('made-up');
is($r->status, 404, 'not found');
is($r->header('Content-Type'), 'application/problem+json', 'a problem');
is($r->json->{operation}, 'event', 'of this operation');
is(callback('made-up')->status, 404, 'again');
is(calls()->{event}, 2, 'Payer was asked each time');
is(calls()->{ack}, undef, 'nothing is acknowledged');
is(scalar(shop_requests()), 0, 'the shop hears of nothing');
unlike(error_log_text(), qr/\[error\].*payer:/, 'which is nobody\'s fault');



=== TEST 13: an invalid token gets 400 without a call
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my %bad = (
    'no query'           => '',
    'another argument'   => '?tok=abc',
    'no value'           => '?token',
    'an empty one'       => '?token=',
    'twice'              => '?token=abc&token=abc',
    'twice, one empty'   => '?token=abc&token=',
    'capitals'           => '?TOKEN=abc',
    'too long'           => '?token=' . 'a' x 257,
    'a slash'            => '?token=a/b',
    'an escaped slash'   => '?token=a%2Fb',
    'an escape'          => '?token=%61bc',
    'a question mark'    => '?token=abc?x',
    'a semicolon'        => '?token=abc;x',
    'a plus'             => '?token=a+b',
    'a dot'              => '?token=.',
    'two dots'           => '?token=..',
    'a line feed'        => '?token=abc%0a',
    'high bytes'         => "?token=\xc3\xa5",
    'the subscriptions'  => '?token=callbacks',
    'the same, shouted'  => '?token=Callbacks',
);

for my $what (sort keys %bad) {
    my $r = get("/events$bad{$what}");
    is($r->status, 400, $what);
    like($r->json->{detail}, qr/^token /, "$what: the detail names it");
}

is_deeply(calls(), {}, 'Payer heard of none');



=== TEST 14: all permitted characters and the longest token are sent to Payer
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $long = '~._-aZ09' . 'x' x 248;

is(callback($_)->status, 404, 'unknown') for 'a', '..a', $long;

my @paths = map { $_->{path} } journal('event');
is($paths[0], '/api/v1/events/a', 'one character');
is($paths[1], '/api/v1/events/..a', 'dots and more');
is($paths[2], "/api/v1/events/$long", '256 characters');



=== TEST 15: the argument token is found among other arguments
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

is(get("/events?shop=1&mytoken=x&token=$token&more=1")->status, 200, 'taken');
is(event_of($token)->{acked}, 1, 'acknowledged');



=== TEST 16: a callback by POST is accepted, and its body is ignored
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

is(post("/events?token=$token", json => { token => 'another' })->status, 200,
    'taken');
is((shop_heads())[0]{'x-payer-event-token'}, $token, 'the one in the query');



=== TEST 17: other methods get 405 and change nothing
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

for my $method (qw(HEAD PUT DELETE OPTIONS)) {
    my $r = request($method, "/events?token=$token");
    is($r->status, 405, $method);
    is($r->header('Allow'), 'GET, POST', "$method: Allow");
}

is_deeply(calls(), {}, 'nothing was called');



=== TEST 18: an event of an unknown order is passed to the shop
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults({ match => 'event', work => JSON::PP::true(), body => {
    invoiceId => 4711, type => 'INVOICE_PAID',
    reference => 'another', id => 'evt-1',
} });
is(callback($token)->status, 200, 'taken');
is(calls()->{read}, undef, 'nothing is read');
is(event_of($token)->{acked}, 1, 'acknowledged');

my ($head) = shop_heads();
is($head->{'x-payer-event-type'}, 'INVOICE_PAID', 'the type is known');
is($head->{'x-payer-reference'}, 'another', 'and the reference');
ok(!exists $head->{'x-payer-payment-id'},
    'an id of something is no payment id');



=== TEST 19: the payment id is found in each documented place of the payload
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my %where = (
    paymentId => sub { { paymentId => $_[0] } },
    'payment.id' => sub { { id => 'evt-1', payment => { id => $_[0] } } },
    'data.payment.id' => sub { { data => { payment => { id => $_[0] } } } },
    'data.object.paymentId' => sub {
        { data => { object => { paymentId => $_[0] } } } },
    id => sub { { id => $_[0] } },
    externalPaymentReference => sub { { externalPaymentReference => $_[1] } },
    'payment.externalPaymentReference' => sub {
        { id => 'evt-1', payment => { externalPaymentReference => $_[1] } } },
    reference => sub { { id => 'evt-1', reference => $_[1] } },
    'order.reference' => sub { { order => { reference => $_[1] } } },
);
my $order = 2000;

for my $place (sort keys %where) {
    my $token = paid_event(++$order);
    my $id = payment($order);

    faults({ match => 'event', work => JSON::PP::true(),
        body => $where{$place}->($id, "$order") });

    is(callback($token)->status, 200, "$place: taken");
    is((journal('read'))[0]{path}, "/api/v2/payments/$id",
        "$place: the payment is read");
    is((shop_heads())[0]{'x-payer-payment-id'}, $id,
        "$place: the shop is told its id");
    is((shop_heads())[0]{'x-payer-reference'}, $order,
        "$place: and its reference");
}



=== TEST 20: a reference is percent-encoded in the header
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my %sent = (
    'A/10,23-x_y.z~(1)'   => 'A/10,23-x_y.z~(1)',
    'a b'                 => 'a%20b',
    '100%'                => '100%25',
    "r\xe4ksm\xf6rg\xe5s" => 'r%C3%A4ksm%C3%B6rg%C3%A5s',
);

paid_event('1001');

for my $reference (sort keys %sent) {
    my $token = sim('POST', 'events',
        { type => 'CARD_PAYMENT_AUTHORIZED', paymentId => payment('1001') })
        ->{tokens}[0];

    shop_reset();
    faults({ match => 'event', work => JSON::PP::true(), body => {
        externalPaymentReference => $reference } });
    is(callback($token)->status, 200, 'taken');
    is((shop_heads())[0]{'x-payer-reference'}, $sent{$reference},
        $sent{$reference});
}



=== TEST 21: values with line breaks are not passed in headers
--- http_config eval: ::shop_upstream()
--- config eval: ::events_server()
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults({ match => 'event', work => JSON::PP::true(), body => {
    externalPaymentReference => "1\r\nX-Evil: 1",
    eventType => "A\r\nX-Evil: 2",
    paymentId => "p\r\nX-Evil: 3",
} });
is(callback($token)->status, 200, 'taken');

my ($head) = shop_heads();
ok(!exists $head->{'x-evil'}, 'no header was smuggled in');
ok(!exists $head->{"x-payer-$_"}, "no $_")
    for qw(reference event-type payment-id);



=== TEST 22: the variables of the payment can be used in the shop's location
--- http_config eval: ::shop_upstream()
--- config eval
::events_server('', 'proxy_set_header X-Payer-Status $payer_status;
                   proxy_set_header X-Payer-Amount $payer_authorized_amount;')
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1001'))->status, 200, 'taken');
is((shop_heads())[0]{'x-payer-status'}, 'AUTHORIZED', '$payer_status');
is((shop_heads())[0]{'x-payer-amount'}, '12900', '$payer_authorized_amount');



=== TEST 23: the URI of payer_event_pass can have arguments
--- http_config eval: ::shop_upstream()
--- config eval
::buying() . q{
    payer_event_pass  /shop/event?source=payer&v=1;
    location = /events { payer_events; }
    location = /shop/event { internal; proxy_pass http://shop; }
}
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1001'))->status, 200, 'taken');
like((shop_requests())[0]{line}, qr{^POST /shop/event\?source=payer&v=1 },
    'which the shop gets');



=== TEST 24: rewrite and regular expressions apply to the URI of payer_event_pass
--- http_config eval: ::shop_upstream()
--- config eval
::buying() . q{
    location = /events { payer_events; payer_event_pass /shop/event.php; }
    location ~ \.php$ {
        internal;
        rewrite ^ /index.php?r=$uri break;
        proxy_pass http://shop;
    }
}
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1001'))->status, 200, 'taken');
like((shop_requests())[0]{line}, qr{^POST /index\.php\?r=/shop/event\.php },
    'the shop is asked as it expects it');



=== TEST 27: proxy_set_body can be used in the shop's location
--- http_config eval: ::shop_upstream()
--- config eval
::buying() . q{
    location = /events { payer_events; payer_event_pass /shop/event; }
    location = /shop/event {
        internal;
        proxy_set_body "something=shorter";
        proxy_pass     http://shop;
    }
}
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1001'))->status, 200, 'taken');
is((shop_requests())[0]{body}, 'something=shorter', 'which arrives whole');
is((shop_heads())[0]{'content-length'}, 17, 'with its own length');



=== TEST 25: the variables of an event are logged
--- http_config eval
::shop_upstream() . "log_format op '\$payer_operation \$payer_api_status';"
--- config eval
::events_server('access_log logs/op.log op;')
--- request
GET /nothing
--- error_code: 404
--- after
callback(paid_event('1001'));
callback('made-up');

my $log = work_dir() . '/servroot/logs/op.log';
ok(wait_until(sub { -s $log && `wc -l < $log` == 2 }), 'two lines');
is(`cat $log`, "event 200\nevent 404\n", 'of events');



=== TEST 26: variables of the client's request are empty in the shop's location
--- http_config eval: ::shop_upstream()
--- config eval
::events_server('set $seen $http_cookie$http_x_evil;', '
    proxy_set_header X-1 "is $http_cookie$cookie_evil";
    proxy_set_header X-2 "is $http_user_agent";
    proxy_set_header X-3 "is $http_authorization$remote_user";
    proxy_set_header X-4 "is $http_x_evil$http_referer$arg_evil";
    proxy_set_header X-5 "is $content_type";
    proxy_set_header X-6 "is $seen";
    proxy_set_header X-7 $proxy_add_x_forwarded_for;
')
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my $r = request('POST', "/events?token=$token&evil=query", body => 'evil body',
    headers => {
        Cookie => 'evil=cookie',
        Authorization => 'Basic ZXZpbDpldmls',
        'Content-Type' => 'text/evil',
        'User-Agent' => 'evil agent',
        Referer => 'http://evil.example/',
        'X-Evil' => 'evil',
        'X-Forwarded-For' => '203.0.113.66',
    });
is($r->status, 200, 'taken');

my ($head) = shop_heads();
is($head->{'x-1'}, 'is ', 'no cookie');
like($head->{'x-2'}, qr{^is ngx_http_payer_module/}, 'our agent');
is($head->{'x-3'}, 'is ', 'no user');
is($head->{'x-4'}, 'is ', 'no header and no argument');
is($head->{'x-5'}, 'is application/json', 'our content type');
is($head->{'x-6'}, 'is ', 'no variable of the location for events');
is($head->{'x-7'}, '127.0.0.1', 'nobody before the one who calls');



=== TEST 90: no status of a cancelled order that was authorized afterwards is passed
--- http_config eval: ::shop_upstream()
--- config eval
::events_server('', 'proxy_set_header X-Payer-Status $payer_status;') . <<'EOF';
        location = /cancel { payer_cancel; payer_allow 127.0.0.1; }
EOF
--- request
GET /nothing
--- error_code: 404
--- after
is(callback(paid_event('1002'))->status, 200, 'a paid order');
is((shop_heads())[0]{'x-payer-status'}, 'AUTHORIZED', 'reads as paid');

get('/checkout?order=1001');
pay('1001', card => '3ds', threeds => 'start');
is(request('PUT', '/cancel?reference=1001')->status, 200, 'cancelled');
pay('1001', threeds => 'approve');
is(books('1001')->{status}, 'AUTHORIZED', 'and authorized all the same');

my ($event) = grep { $_->{reference} eq '1001' }
    @{ events() };
is(callback($event->{token})->status, 200, 'the event is taken');

my $head = (shop_heads())[1];
is($head->{'x-payer-event-type'}, 'CARD_PAYMENT_AUTHORIZED', 'the shop gets it');
is($head->{'x-payer-status'}, undef, 'without the word of a paid order');



=== TEST 91: $payer_ticket is available in the shop's location
--- http_config eval: ::shop_upstream()
--- config perl
events_server('', 'proxy_set_header X-Payer-Ticket $payer_ticket;')
    =~ s{/thanks;}{/thanks?ticket=\$payer_ticket;}r
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my ($ticket) = books('1001')->{redirectOnSuccessURL} =~ /ticket=([\w-]{22})/;

is(callback($token)->status, 200, 'taken');
is((shop_heads())[0]{'x-payer-ticket'}, $ticket, 'the ticket');



=== TEST 92: with known an event of an unknown order gets 204 and is counted
--- http_config eval: ::shop_upstream()
--- config perl
(events_server() =~ s{/shop/event;}{/shop/event known;}r)
    . 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }'
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');
my $elsewhere = '00000000-0000-4000-8000-000000000000';

my %event = (
    'the reference of no order here' =>
        { type => 'INVOICE_PAID', reference => 'another', id => 'evt-1' },
    'a payment that is not ours' =>
        { type => 'CARD_PAYMENT_AUTHORIZED', payload => { paymentId => $elsewhere } },
    'nothing that names an order' => { type => 'INVOICE_PAID' },
);
my $n = 0;

for my $about (sort keys %event) {
    faults({ match => 'event', work => JSON::PP::true(), body => $event{$about} });

    my $r = callback($token);
    is($r->status, 204, "$about: 204");
    is($r->body, '', "$about: with nothing");
    like(get('/metrics')->body,
        qr/^payer_events_unknown_total @{[ ++$n ]}$/m, "$about: counted");
}

is(scalar(shop_requests()), 0, 'the shop was told nothing');
is(event_of($token)->{acked}, 0, 'nothing was acknowledged');

faults();
is(callback($token)->status, 200, 'the event of our own order is taken');
is((shop_heads())[0]{'x-payer-reference'}, '1001', 'the shop is told');
is(event_of($token)->{acked}, 1, 'and it is acknowledged');
like(get('/metrics')->body, qr/^payer_events_unknown_total 3$/m,
    'and not counted');



=== TEST 93: with known an event with a known reference only is passed
--- http_config eval: ::shop_upstream()
--- config perl
events_server() =~ s{/shop/event;}{/shop/event known;}r
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults({ match => 'event', work => JSON::PP::true(),
    body => { type => 'CARD_PAYMENT_AUTHORIZED', reference => '1001' } });
is(callback($token)->status, 200, 'taken');
is((shop_heads())[0]{'x-payer-payment-id'}, payment('1001'), 'with its payment');
is(event_of($token)->{acked}, 1, 'acknowledged');



=== TEST 94: with known an event gets 503 if Payer does not reply about its payment
--- http_config eval: ::shop_upstream()
--- config perl
events_server('payer_tries 1;') =~ s{/shop/event;}{/shop/event known;}r
--- request
GET /nothing
--- error_code: 404
--- after
my $token = paid_event('1001');

faults({ match => 'event', work => JSON::PP::true(), body => {
    payload => { paymentId => '00000000-0000-4000-8000-000000000000' } } },
    { match => 'read', status => 503 });
is(callback($token)->status, 503, 'it is not known whose it is');
is(scalar(shop_requests()), 0, 'the shop was told nothing');
