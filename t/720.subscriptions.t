# payer_subscriptions: lists, adds and removes the shop's event subscriptions.

use lib 't/lib';
use Payer::Test;

run_payer_tests();

__DATA__

=== TEST 1: GET returns Payer's empty list
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
GET /subscriptions
--- error_code: 200
--- response_headers_like
Content-Type: application/json.*
--- response_body chomp
[]
--- calls
token: 1
subscriptions: 1
--- sent
subscriptions: ^GET /api/v1/events/callbacks$
!subscriptions: ^(?i)payer-request-id:



=== TEST 2: POST adds a subscription from the query with a Payer-Request-ID
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
POST /subscriptions?type=CARD_PAYMENT_AUTHORIZED&url=https%3A%2F%2Fshop.example%2Fpayer%2Fevents%3Fshop%3D1%26x%3Da%252Bb
--- error_code: 204
--- response_body
--- response_headers_like
Payer-Request-Id: [0-9a-f-]{36}
--- sent
subscriptions: ^POST /api/v1/events/callbacks\?type=CARD_PAYMENT_AUTHORIZED&url=https%3A%2F%2Fshop\.example%2Fpayer%2Fevents%3Fshop%3D1%26x%3Da%252Bb$
subscriptions: ^(?i)payer-request-id: [0-9a-f-]{36}$
--- after
my $list = get('/subscriptions')->json;
is(scalar @$list, 1, 'it is listed');
is($list->[0]{url}, 'https://shop.example/payer/events?shop=1&x=a%2Bb',
    'with the URL that was given');



=== TEST 3: POST accepts JSON and forms, and DELETE removes a subscription
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
GET /subscriptions
--- after
my $url = 'https://shop.example/events';

is(post('/subscriptions',
        json => { type => 'PAYMENT_SETTLED', url => $url })->status,
    204, 'JSON');
is(post('/subscriptions',
        form => { type => 'CARD_PAYMENT_ERROR', url => $url })->status,
    204, 'a form');
is(scalar @{ get('/subscriptions')->json }, 2, 'two are listed');

my $r = request('DELETE', '/subscriptions',
    json => { type => 'PAYMENT_SETTLED', url => $url });
is($r->status, 200, 'one is removed by JSON');
like($r->header('Payer-Request-Id'), qr/^[0-9a-f-]{36}$/, 'with a request id');

$r = request('DELETE',
    '/subscriptions?type=CARD_PAYMENT_ERROR&url=https%3A//shop.example/events');
is($r->status, 200, 'the other one by the query');
is($r->body, '', "Payer's empty body comes through");
is(get('/subscriptions')->body, '[]', 'none is left');



=== TEST 4: DELETE of an unknown subscription returns Payer's 404
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
DELETE /subscriptions?type=PAYMENT_SETTLED&url=https://shop.example/
--- error_code: 404
--- json
message: No such subscription



=== TEST 5: an unknown type returns Payer's 400
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
POST /subscriptions?type=MADE_UP&url=https://shop.example/
--- error_code: 400
--- json
message: type is missing or unknown



=== TEST 6: a client that payer_allow does not list is rejected without a call
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 10.1.2.3; }
--- request
GET /subscriptions
--- error_code: 403
--- json
operation: ^subscriptions$
--- error_log
access forbidden by "payer_allow"
--- calls: none



=== TEST 7: other methods are rejected with Allow
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
PUT /subscriptions
--- error_code: 405
--- response_headers
Allow: GET, HEAD, POST, DELETE
--- calls: none



=== TEST 8: HEAD returns the headers of GET
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
HEAD /subscriptions
--- error_code: 200
--- response_headers
Content-Length: 2
--- calls
token: 1
subscriptions: 1



=== TEST 9: invalid parameters are rejected without a call
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
GET /subscriptions?type=PAYMENT_SETTLED
--- error_code: 400
--- json
detail: takes no parameters
--- calls: none
--- after
my $long = 'https://shop.example/' . 'x' x 2048;

for (
    [ 'type is missing', url => 'https://a.example/' ],
    [ 'url is missing', type => 'PAYMENT_SETTLED' ],
    [ 'type is empty', type => '', url => 'https://a.example/' ],
    [ 'type is small', type => 'payment', url => 'https://a.example/' ],
    [ 'type is long', type => 'A' x 65, url => 'https://a.example/' ],
    [ 'type smuggles', type => 'A&url=x', url => 'https://a.example/' ],
    [ 'url is relative', type => 'A', url => '/events' ],
    [ 'url is no URL', type => 'A', url => 'shop.example' ],
    [ 'url has a user', type => 'A', url => 'https://u:p@a.example/' ],
    [ 'url has a line feed', type => 'A', url => "https://a.example/\n" ],
    [ 'url has a scheme', type => 'A', url => 'javascript:alert(1)' ],
    [ 'url is too long', type => 'A', url => $long ],
    [ 'an amount', type => 'A', url => 'https://a.example/', amount => 1 ],
    [ 'a reference', type => 'A', url => 'https://a.example/',
        reference => '1' ],
) {
    my ($what, %form) = @$_;

    for my $method (qw(POST DELETE)) {
        my $r = request($method, '/subscriptions', form => \%form);
        is($r->status, 400, "$what: $method is refused");
        is($r->header('Content-Type'), 'application/problem+json',
            "$what: $method gets a problem");
    }
}

is_deeply(calls(), {}, 'and Payer got no request');



=== TEST 10: a url with plain http is accepted with payer_insecure_upstream only
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
POST /subscriptions?type=PAYMENT_SETTLED&url=http://127.0.0.1:1/
--- error_code: 204
--- after
is(get('/subscriptions')->json->[0]{url}, 'http://127.0.0.1:1/', 'added');



=== TEST 11: with verified TLS only a url with https is accepted
--- bare
--- http_config eval
qq{
    payer_zone payer 1m;
    payer_store memory;
    upstream payer { server 127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}; }
}
--- config eval
qq{
    payer_api                 /_payer;
    payer_client_id           $ENV{TEST_NGINX_AGENT};
    payer_client_secret_file  $ENV{TEST_NGINX_SECRET};

    location /_payer/ {
        internal;
        include     $ENV{TEST_NGINX_ROOT}/conf/payer_api.conf;
        proxy_pass  https://payer/;
    }

    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
}
--- request
POST /subscriptions?type=PAYMENT_SETTLED&url=http://shop.example/
--- error_code: 400
--- json
detail: https



=== TEST 12: a request whose reply was lost is sent again with the same id and read back
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- faults
subscriptions: lost-reply
--- request
POST /subscriptions?type=PAYMENT_SETTLED&url=https://shop.example/
--- error_code: 200
--- response_body_like: ^\[\{.*"PAYMENT_SETTLED".*\}\]$
--- calls
token: 1
subscriptions: 3
--- after
my %ids;
/^payer-request-id: (.*)$/mi and $ids{$1}++ for sent('subscriptions');
is(scalar keys %ids, 1, 'both carried one id');
is((values %ids)[0], 2, 'and the read carried none');



=== TEST 13: the same Idempotency-Key has the same Payer-Request-ID
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
GET /subscriptions
--- after
my @form = (form => { type => 'A_B', url => 'https://shop.example/' });
my @id = map {
    post('/subscriptions', @form, headers => { 'Idempotency-Key' => $_ })
        ->header('Payer-Request-Id')
} 'one', 'one', 'two';

is($id[0], $id[1], 'the same key');
isnt($id[0], $id[2], 'another key');
is(post('/subscriptions', @form,
        headers => { 'Idempotency-Key' => '' })->status,
    400, 'an empty key is none');



=== TEST 14: an unknown outcome returns outcome-unknown
--- config
    location = /subscriptions {
        payer_subscriptions;
        payer_allow  127.0.0.1;
        payer_tries  1;
    }
--- faults
subscriptions: lost-reply
--- request
POST /subscriptions?type=PAYMENT_SETTLED&url=https://shop.example/
--- error_code: 504
--- json
type: ^outcome-unknown$
operation: ^subscribe$
requestId: ^[0-9a-f-]{36}$



=== TEST 15: a list that cannot be fetched returns a problem
--- config
    location = /subscriptions {
        payer_subscriptions;
        payer_allow  127.0.0.1;
        payer_tries  1;
    }
--- faults
subscriptions: status=500 times=0
--- request
GET /subscriptions
--- error_code: 502
--- json
title: ^Bad Gateway$
payerStatus: ^500$
--- error_log
"subscriptions" failed



=== TEST 16: rejected credentials are not returned as the client's error
--- config
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- faults
subscriptions: status=403 times=0
--- request
POST /subscriptions?type=PAYMENT_SETTLED&url=https://shop.example/
--- error_code: 502
--- json
payerStatus: ^403$



=== TEST 17: payer_subscriptions without payer_allow is rejected
--- config
    location = /subscriptions { payer_subscriptions; }
--- must_die
--- error_log
"payer_subscriptions" in location "/subscriptions" has no "payer_allow"
