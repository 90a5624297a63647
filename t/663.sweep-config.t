# payer_sweep and payer_authorization_limit: what nginx accepts and rejects.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

run_payer_tests();

__DATA__

=== TEST 1: payer_sweep with an invalid time is rejected
--- config
    payer_sweep often;
--- must_die
--- error_log
invalid value "often", it must be a time or "off"



=== TEST 2: payer_sweep 0 is rejected
--- config
    payer_sweep 0;
--- must_die
--- error_log
invalid value "0", it must be a time or "off"



=== TEST 3: payer_sweep can be specified once on a level
--- config
    payer_sweep 1m;
    payer_sweep off;
--- must_die
--- error_log
"payer_sweep" directive is duplicate



=== TEST 4: payer_sweep in a location is rejected
--- config
    location / { payer_sweep 1m; }
--- must_die
--- error_log
"payer_sweep" directive is not allowed here



=== TEST 5: payer_authorization_limit with an invalid time is rejected
--- config
    payer_authorization_limit soon;
--- must_die
--- error_log
invalid time "soon"



=== TEST 6: payer_authorization_limit 0 is rejected
--- config
    payer_authorization_limit 0 capture;
--- must_die
--- error_log
invalid time "0"



=== TEST 7: an unknown action of payer_authorization_limit is rejected
--- config
    payer_authorization_limit 5d cancel;
--- must_die
--- error_log
invalid value "cancel", it must be "warn", "capture" or "release"



=== TEST 8: payer_authorization_limit can be specified once on a level
--- config
    payer_authorization_limit 5d;
    payer_authorization_limit 6d release;
--- must_die
--- error_log
"payer_authorization_limit" directive is duplicate



=== TEST 9: payer_authorization_limit in a location is rejected
--- config
    location / { payer_authorization_limit 6d; }
--- must_die
--- error_log
"payer_authorization_limit" directive is not allowed here



=== TEST 10: payer_authorization_limit with capture and payer_sweep off is rejected
--- config
    payer_sweep off;
    payer_authorization_limit 5d capture;
--- must_die
--- error_log
"payer_authorization_limit" with "capture" has no effect with "payer_sweep off"



=== TEST 11: an inherited payer_authorization_limit with release and payer_sweep off is rejected
--- http_config
    payer_authorization_limit 5d release;
--- config
    payer_sweep off;
--- must_die
--- error_log
"payer_authorization_limit" with "release" has no effect with "payer_sweep off"



=== TEST 12: payer_authorization_limit with warn and payer_sweep off is accepted
--- config
    payer_sweep off;
    payer_authorization_limit 5d warn;
    location = /gif { empty_gif; }
--- request
GET /gif
--- error_code: 200



=== TEST 13: payer_sweep and payer_authorization_limit of a server replace those of the http level
--- http_config
    payer_sweep off;
    payer_authorization_limit 1d;
--- config
    payer_sweep 90s;
    payer_authorization_limit 36h release;
    location = /gif { empty_gif; }
--- request
GET /gif
--- error_code: 200
