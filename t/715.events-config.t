# payer_event_pass: configurations that are rejected.

use lib 't/lib';
use Payer::Test;

run_payer_tests();

__DATA__

=== TEST 1: payer_event_pass to a missing location is rejected
--- http_config eval
::payer_http() . 'server { listen 127.0.0.1:1;' . ::payer_server() . '
        location = /events { payer_events; payer_event_pass /shop/event; }
        location = /shop { internal; }
        location = /shop/event/1 { internal; }
    }'
--- bare
--- config
--- must_die
--- error_log
there is no location for "/shop/event" in this server, which "payer_event_pass" of location "/events" names in



=== TEST 2: payer_event_pass to a location that is not internal is rejected
--- config
    location = /events { payer_events; payer_event_pass /shop/event; }
    location = /shop/event { proxy_pass http://payer; }
--- must_die
--- error_log
location "/shop/event" of "payer_event_pass /shop/event" is not internal, so that any client could make up events



=== TEST 3: payer_event_pass to the location of the shop is rejected if it is not internal
--- config
    location = /events { payer_events; payer_event_pass /shop/event; }
    location = /shop { internal; proxy_pass http://payer; }
--- must_die
--- error_log
location "/" of "payer_event_pass /shop/event" is not internal



=== TEST 4: payer_event_pass to a location of another server is rejected
--- http_config
    server {
        listen 127.0.0.1:1;
        location = /shop/event { internal; }
    }
--- config
    location = /events { payer_events; payer_event_pass /shop/event; }
--- must_die
--- error_log
location "/" of "payer_event_pass /shop/event" is not internal



=== TEST 5: payer_event_pass is rejected if a regular expression location has priority
--- config
    location = /events { payer_events; payer_event_pass /shop/event.php; }
    location /shop/ { internal; proxy_pass http://payer; }
    location ~ \.php$ { proxy_pass http://payer; }
--- must_die
--- error_log
location "\.php$" of "payer_event_pass /shop/event.php" is not internal



=== TEST 6: payer_event_pass to a nested location that is not internal is rejected
--- config
    location = /events { payer_events; payer_event_pass /shop/event; }
    location /shop/ {
        location /shop/e { proxy_pass http://payer; }
        location /shop/event/ { internal; proxy_pass http://payer; }
    }
--- must_die
--- error_log
location "/shop/e" of "payer_event_pass /shop/event" is not internal



=== TEST 7: payer_event_pass is rejected if an exact location has priority
--- config
    location = /events { payer_events; payer_event_pass /shop/event; }
    location = /shop/event { proxy_pass http://payer; }
    location /shop/ { internal; proxy_pass http://payer; }
--- must_die
--- error_log
location "/shop/event" of "payer_event_pass /shop/event" is not internal



=== TEST 8: payer_event_pass to a prefix, exact, regular expression or nested location is accepted
--- config
    location = /events/1 { payer_events; payer_event_pass /a/event; }
    location = /events/2 { payer_events; payer_event_pass /b/event; }
    location = /events/3 { payer_events; payer_event_pass /c/event.php; }
    location = /events/4 { payer_events; payer_event_pass /d/e/event; }
    location = /events/5 { payer_events; payer_event_pass /f/event.php?a=b; }
    location = /events/6 { payer_events; payer_event_pass /g/h.php; }

    location = /a/event { internal; return 204; }
    location /b/ { internal; return 204; }
    location ~ ^/c/.*\.php$ { internal; return 204; }
    location /d/ { location /d/e/ { internal; return 204; } }
    location ^~ /f/ { internal; return 204; }
    location /g/ { location ~ ^/g/h { internal; return 204; } }
    location ~ \.php$ { return 200 open; }
--- request
GET /events/1?token=
--- error_code: 400



=== TEST 9: payer_event_pass with variables is rejected
--- config
    location = /events { payer_events; payer_event_pass /shop/$arg_x; }
--- must_die
--- error_log
invalid URI "/shop/$arg_x", it must begin with a slash and have no variables



=== TEST 10: payer_event_pass with an invalid URI is rejected
--- config
    location = /events { payer_events; payer_event_pass http://shop/; }
--- must_die
--- error_log
invalid URI "http://shop/"



=== TEST 11: payer_event_pass to a named location is rejected
--- config
    location = /events { payer_events; payer_event_pass @shop; }
    location @shop { proxy_pass http://payer; }
--- must_die
--- error_log
invalid URI "@shop"



=== TEST 12: payer_event_pass can be specified once on a level
--- config
    location = /events {
        payer_events;
        payer_event_pass /a;
        payer_event_pass /b;
    }
--- must_die
--- error_log
"payer_event_pass" directive is duplicate



=== TEST 13: payer_event_pass is inherited, and ignored in servers without payer_events
--- http_config
    payer_event_pass /shop/event;

    server {
        listen 127.0.0.1:1;
        location / { return 204; }
    }
--- config
    location = /events { payer_events; }
    location = /shop/event { internal; return 204; }
--- request
GET /events
--- error_code: 400



=== TEST 14: an inherited payer_event_pass is checked
--- http_config
    payer_event_pass /shop/event;
--- config
    location = /events { payer_events; }
    location = /shop/event { return 204; }
--- must_die
--- error_log
is not internal



=== TEST 15: payer_events without payer_api is rejected
--- bare
--- http_config
    payer_zone payer 1m;
--- config
    location = /events { payer_events; }
--- must_die
--- error_log
"payer_events" in location "/events" has no "payer_api"



=== TEST 16: payer_events together with another handler is rejected
--- config
    location = /events { payer_events; payer_capture; payer_allow all; }
--- must_die
--- error_log
"payer_capture" conflicts with "payer_events" of the same location



=== TEST 17: an unknown parameter of payer_event_pass is rejected
--- config
    location = /events { payer_events; payer_event_pass /shop/event all; }
    location = /shop/event { internal; return 204; }
--- must_die
--- error_log
invalid parameter "all", it must be "known"



=== TEST 18: the parameter known is inherited together with its directive only
--- http_config eval
"payer_event_pass /shop/event known;"
--- config
    location = /events/1 { payer_events; }
    location = /events/2 { payer_events; payer_event_pass /shop/event; }
    location = /shop/event { internal; return 204; }
    location = /checkout {
        payer_checkout;
        payer_reference       $arg_order public;
        payer_amount          12900;
        payer_currency        SEK;
        payer_return_success  /thanks;
        payer_return_fail     /cart;
        payer_return_back     /cart;
    }
    location = /subscriptions { payer_subscriptions; payer_allow 127.0.0.1; }
--- request
GET /checkout?order=1001
--- error_code: 303
--- after
sim_config(event_calls => 1);
is(post('/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
    url => 'http://127.0.0.1:' . free_port() . '/' })->status, 204, 'subscribed');
pay('1001');
ok(wait_until(sub { @{ events() } }), 'Payer has an event');

my $token = events()->[0]{token};

faults({ match => 'event', work => JSON::PP::true(), body => {} });
is(get("/events/1?token=$token")->status, 204, 'inherited');
is(get("/events/2?token=$token")->status, 200, 'its own');
