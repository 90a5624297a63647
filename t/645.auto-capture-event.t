# payer_auto_capture by an event, which may come long before the buyer returns.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Events;
use Payer::Shop;

run_payer_tests();

__DATA__

=== TEST 1: an event captures the payment in full once, also if it is repeated
--- http_config eval: ::shop_upstream()
--- config eval: "payer_auto_capture on;" . ::events_server()
--- request
GET /nothing
--- error_code: 404
--- then
my $token = paid_event('1001');
is(callback($token)->status, 200, 'taken');
is(callback($token)->status, 200, 'and taken again');
is(calls()->{capture}, 1, 'captured once');
--- books
1001: status=FULLY_CAPTURED captured=12900



=== TEST 2: if the automatic capture fails, the event is still passed to the shop
--- http_config eval: ::shop_upstream()
--- config eval: "payer_auto_capture on; payer_tries 1;" . ::events_server()
--- request
GET /nothing
--- error_code: 404
--- then
my $token = paid_event('1001');
faults('capture: status=400');
is(callback($token)->status, 200, 'taken');
is(scalar(my @shop = shop_requests()), 1, 'and handed to the shop');
is(event_of($token)->{acked}, 1, 'and acknowledged');
like(error_log_text(), qr/automatic capture failed/, 'with a log line');
--- books
1001: captured=0
