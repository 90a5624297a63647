# The test library itself: nginx starts with the module, the simulator replies,
# and each section that the library adds works.

use lib 't/lib';
use Payer::Test;

run_payer_tests();

__DATA__

=== TEST 1: nginx starts with the module and answers requests
--- config
    location = /hello {
        return 200 "hello\n";
    }
--- request
GET /hello
--- response_body
hello
--- calls: none



=== TEST 2: nginx starts with a configuration without directives of the module
--- bare
--- config
    location = /hello {
        return 200 "hello\n";
    }
--- request
GET /hello
--- response_body
hello



=== TEST 3: nginx does not start with an unknown directive
--- config
    location = /hello {
        payer_no_such_directive;
    }
--- must_die
--- error_log
unknown directive "payer_no_such_directive"



=== TEST 4: the simulator records the requests that it gets
--- config
    location /sim/ {
        proxy_set_header  X-Seen yes;
        proxy_pass        http://payer/;
    }
--- request
POST /sim/oauth2/token
--- error_code: 401
--- json
message: (?i)credentials
--- calls
token: 1
--- sent
token: ^POST /oauth2/token$
token: ^X-Seen: yes$
!token: ^Cookie:
--- books
1001: links=0



=== TEST 5: a fault applies to one request
--- config
    location /sim/ {
        proxy_pass  http://payer/;
    }
--- faults
token: status=418
--- request
POST /sim/oauth2/token
--- error_code: 418
--- after
is(post('/sim/oauth2/token')->status, 401, 'the second time all is well');
is(calls()->{token}, 2, 'and both were counted');



=== TEST 6: the simulator's books are empty at the beginning of a test
--- config
--- request
GET /
--- calls: none



=== TEST 7: together() sends simultaneous requests, and one of them closes its connection
--- config
    location = /slow {
        proxy_pass  http://payer/oauth2/token;
    }
    location = /fast {
        return 204;
    }
--- faults
token: delay=0.5 times=0
--- request
GET /fast
--- error_code: 204
--- after
my @r = together(
    (map { [ GET => '/slow' ] } 1 .. 5),
    [ GET => '/fast' ],
    [ GET => '/slow', hang_up => 0.1 ],
);

is($r[$_]->status, 405, 'slow') for 0 .. 4;
is($r[5]->status, 204, 'fast');
cmp_ok($r[5]->time, '<', 0.4, 'the fast one did not wait');
is($r[6]->error, 'hung up', 'one buyer left');



=== TEST 8: the secret file is readable for its owner only
--- config
--- request
GET /
--- after
my @stat = stat $ENV{TEST_NGINX_SECRET};
is($stat[2] & 0777, 0600, 'mode');



=== TEST 9: the simulator's clock and settings can be changed
--- config
--- request
GET /
--- after
my $now = sim('GET', 'clock')->{now};
cmp_ok(advance(3600)->{now}, '>=', $now + 3600, 'an hour later');
ok(eval { sim('GET', 'nothing'); 0 } || $@ =~ /refused/, 'refusals are seen');
