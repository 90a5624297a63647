# payer_verify together with error pages, caches, other access modules, and all
# kinds of requests.

use lib 't/lib';
use Payer::Test;
use Payer::Gate;

shop();
run_payer_tests();

__DATA__

=== TEST 1: 402 and 503 are nginx's own pages, with Cache-Control no-store
--- after
order('1001');
my $r = thanks('1001');
is_refused($r, 402, 'not paid');
like($r->header('Content-Type'), qr{^text/html}, 'a page of nginx');
is($r->header('Cache-Control'), 'no-store', 'not to be kept');
faults({ match => 'read', action => 'html', times => 0 });
$r = thanks('1001');
is_refused($r, 503, 'not known');
is($r->header('Cache-Control'), 'no-store', 'not to be kept');
is($r->header('Retry-After'), 3, 'in three seconds');



=== TEST 2: 503 has the Retry-After of Payer, of 60 seconds at most
--- gate
payer_verify $arg_order;
payer_timeout 1s;
--- after
order('1001');
faults({ match => 'read', status => 503, times => 0,
    headers => { 'Retry-After' => 20 } });
is(thanks('1001')->header('Retry-After'), 20, 'its time');
sim('DELETE', 'faults');
faults({ match => 'read', status => 503, times => 0,
    headers => { 'Retry-After' => 86400 } });
is(thanks('1001')->header('Retry-After'), 60, 'but nobody waits for a day');



=== TEST 3: error_page 402 redirects a buyer who has not paid to the cart
--- thanks
error_page 402 /cart?payment=missing;
--- config
    location = /cart { proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
--- after
order('1001');
my $r = thanks('1001');
is_refused($r, 402, 'refused');
like($r->body, qr/The basket: status=INITIATED/, 'and the shop knows the status');
is($r->header('Cache-Control'), 'no-store', 'no cache keeps the page');



=== TEST 4: an error page does not get a status that means paid
--- thanks
error_page 402 503 /cart;
--- config
    location = /cart { proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT; }
--- after
order('1001');
pay('1001', card => '3ds', threeds => 'start');
order('1002');
cancel('1001');
pay('1001', threeds => 'approve');
like(thanks('1001')->body, qr/The basket: status=\w*$/m, 'cancelled');
unlike(thanks('1001')->body, qr/AUTHORIZED/, 'and then authorized');
pay('1002');
faults({ match => 'read', action => 'edit', times => 0,
    set => { 'payment.authorizedAmount' => 1 } });
unlike(thanks('1002')->body, qr/AUTHORIZED/, 'a smaller amount');



=== TEST 5: error_page 503 can show a page that reloads itself
--- thanks
error_page 503 @checking;
--- config
    location @checking {
        default_type text/html;
        add_header   Refresh 3 always;
        return 503 "We are checking your payment $payer_reference: $payer_outcome\n";
    }
--- after
paid('1001');
faults({ match => 'read', action => 'html', times => 3 });
my $r = thanks('1001');
is_refused($r, 503, 'not known');
is($r->body, "We are checking your payment 1001: unknown\n", 'the page');
is($r->header('Refresh'), 3, 'which looks again');
is($r->header('Retry-After'), 3, 'machines are told, too');
is($r->header('Cache-Control'), 'no-store', 'no cache keeps it');
is_thanked(thanks('1001'), 'and in the end it is known');



=== TEST 6: error_page 402 can lead to a named location that redirects
--- thanks
error_page 402 = @pay;
--- config
    location @pay {
        return 302 /pay?order=$payer_reference&why=$payer_outcome;
    }
--- after
order('1001');
my $r = thanks('1001');
is($r->status, 302, 'redirected');
like($r->header('Location'), qr{/pay\?order=1001&why=unpaid$}, 'to pay');
is($r->header('Cache-Control'), 'no-store', 'and asked again the next time');



=== TEST 7: Cache-Control of the shop's response is replaced by no-store
--- config
    location = /cacheable {
        payer_verify $arg_order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
    location = /expires {
        payer_verify $arg_order;
        expires 1h;
        add_header Cache-Control public;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT/cacheable;
    }
    location = /open {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT/cacheable;
    }
--- after
paid('1001');
my $r = get('/cacheable?order=1001');
is_thanked($r, 'thanked');
is($r->header('Cache-Control'), 'no-store', 'no-store takes its place');
is($r->header('Surrogate-Control'), undef, 'nor is there another one');
like(get('/expires?order=1001')->header('Cache-Control'), qr/\bno-store\b/,
    'nor does "expires" of this server take it away');
is(get('/open')->header('Cache-Control'), 'public, max-age=3600',
    'elsewhere the shop is right');



=== TEST 8: a static file is protected for GET, range requests and HEAD
--- user_files
>>> book.txt
THANK YOU, here is the book
--- config
    location = /book.txt { payer_verify $arg_order; }
--- after
order('1001');
for my $of ([], [ headers => { Range => 'bytes=0-8' } ]) {
    is_refused(get('/book.txt?order=1001', @$of), 402, 'not paid');
}
is_refused(request('HEAD', '/book.txt?order=1001'), 402, 'HEAD, not paid');
pay('1001');
is_thanked(get('/book.txt?order=1001'), 'the whole book');
my $r = get('/book.txt?order=1001', headers => { Range => 'bytes=0-8' });
is($r->status, 206, 'a part');
is($r->body, 'THANK YOU', 'of it');
is($r->header('Cache-Control'), 'no-store', 'not to be kept');
$r = request('HEAD', '/book.txt?order=1001');
is($r->status, 200, 'the head');
is($r->body, '', 'without a body');
my $date = $r->header('Last-Modified');
$r = get('/book.txt?order=1001', headers => { 'If-Modified-Since' => $date });
is($r->status, 304, 'what the browser has may still be good');
is($r->header('Cache-Control'), 'no-store', 'if Payer still says so');



=== TEST 9: POST is passed with its body if the order is paid
--- after
order('1001');
is_refused(post('/thanks?order=1001', body => 'x' x 100_000), 402, 'not paid');
pay('1001');
my $r = post('/thanks?order=1001', body => 'x' x 100_000);
is_thanked($r, 'paid');
like($r->body, qr/ POST$/, 'the method arrives');
--- sent
!read: xxx



=== TEST 10: with satisfy all Payer is not called if another module denies access
--- before
write_file('htpasswd', "staff:{PLAIN}secret\n");
--- thanks
auth_basic "staff";
auth_basic_user_file $TEST_NGINX_DIR/htpasswd;
--- after
paid('1001');
is_refused(thanks('1001'), 401, 'no password');
is(calls()->{read} // 0, 0, 'Payer was not asked');
my %staff = (headers => { Authorization => 'Basic c3RhZmY6c2VjcmV0' });
is_thanked(get('/thanks?order=1001', %staff), 'password and payment');
order('1002');
is_refused(get('/thanks?order=1002', %staff), 402, 'a password is no payment');
my ($call) = sent('read');
like($call, qr/^Authorization: Bearer /m, 'our own authorization');
unlike($call, qr/Basic/, 'went to Payer, and not the visitor\'s');



=== TEST 11: with satisfy any a password or a payment is sufficient
--- before
write_file('htpasswd', "staff:{PLAIN}secret\n");
--- thanks
satisfy any;
auth_basic "staff";
auth_basic_user_file $TEST_NGINX_DIR/htpasswd;
--- after
order('1001');
my %staff = (headers => { Authorization => 'Basic c3RhZmY6c2VjcmV0' });
my $page = get('/thanks?order=1001', %staff);
is_thanked($page, 'staff');
is($page->header('Cache-Control'), 'no-store', 'no cache gives it to others');
is(calls()->{read} // 0, 0, 'Payer was not asked');
is_refused(thanks('1001'), 402, 'neither');
faults({ match => 'read', action => 'html', times => 3 });
is_refused(thanks('1001'), 503, 'neither, or not known yet');
pay('1001');
is_thanked(thanks('1001'), 'the buyer');



=== TEST 12: with satisfy any and deny all a payment is required
--- thanks
satisfy any;
deny all;
--- after
order('1001');
is_refused(thanks('1001'), 402, 'the address is not enough');
pay('1001');
is_thanked(thanks('1001'), 'the payment is');



=== TEST 13: auth_request and payer_verify are both required
--- thanks
auth_request /auth;
--- config
    location = /auth {
        internal;
        if ($http_x_member) { return 204; }
        return 403;
    }
--- after
order('1001');
my %member = (headers => { 'X-Member' => 'yes' });
is_refused(thanks('1001'), 403, 'no member');
is_refused(get('/thanks?order=1001', %member), 402, 'a member who owes');
pay('1001');
is_refused(thanks('1001'), 403, 'paid, no member');
is_thanked(get('/thanks?order=1001', %member), 'a member who has paid');



=== TEST 14: payer_verify protects an internal location after a rewrite
--- config
    location = /download {
        set $order $arg_order;
        rewrite ^ /files/book.txt;
    }
    location /files/ {
        internal;
        payer_verify $order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
--- after
is_refused(get('/files/book.txt?order=1001'), 404, 'internal');
order('1001');
is_refused(get('/download?order=1001'), 402, 'not paid');
pay('1001');
is_thanked(get('/download?order=1001'), 'paid');



=== TEST 15: a verification in one location does not apply to another order in the next location
--- config
    location = /mine {
        payer_verify $arg_order;
        set $x $payer_status;
        try_files /none =404;
        error_page 404 /other?order=1002;
    }
    location = /other {
        set $x $payer_status;
        payer_verify $arg_order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
--- after
paid('1001');
order('1002');
is_refused(get('/mine?order=1001'), 402, 'the page of an error is another order\'s');
pay('1002');
is(get('/mine?order=1001')->body =~ /THANK YOU for 1002/, 1, 'which is paid now');



=== TEST 16: an SSI include for the order of its page is passed
--- user_files
>>> page.shtml
<p><!--# include virtual="/inner/frame" --> <!--# include virtual="/inner/frame?order=1001" --> [<!--# include virtual="/inner/frame?order=1002" -->]</p>
--- config
    location = /page.shtml { ssi on; ssi_types *; payer_verify $arg_order; }
    location = /open.shtml { ssi on; ssi_types *; alias $TEST_NGINX_SERVROOT/html/page.shtml; }
    location /inner/ {
        payer_verify $arg_order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
--- after
paid('1001');
paid('1002');
my $r = get('/page.shtml?order=1001');
is(() = $r->body =~ /THANK YOU/g, 2, 'what is of this order or of none');
like($r->body, qr/THANK YOU for : .*THANK YOU for 1001: .*\[.*402/s,
    'and not what is of another one');
$r = get('/open.shtml?order=1001');
is($r->status, 200, 'a page that everybody may see');
unlike($r->body, qr/THANK YOU/, 'shows nothing of what is behind the gate');



=== TEST 17: a location with payer_verify as the target of auth_request is rejected
--- config
    location = /auth {
        payer_verify $arg_order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
    location = /behind {
        auth_request /auth?order=1001;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
--- after
paid('1001');
my $r = get('/behind');
is_refused($r, 500, 'refused');



=== TEST 18: return in a location with payer_verify is rejected
--- config
    location = /free {
        payer_verify $arg_order;
        return 200 "THANK YOU";
    }
--- must_die
--- error_log
"payer_verify" in location "/free" has no effect, since "return" answers before it



=== TEST 19: return inside if in a location with payer_verify is accepted
--- config
    location = /free {
        payer_verify $arg_order;
        if ($arg_order = "") { return 400; }
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
--- after
is(get('/free')->status, 400, 'the condition holds');
is_refused(get('/free?order=1'), 402, 'it does not');



=== TEST 20: payer_verify without payer_api is rejected
--- bare
--- http_config
payer_zone payer 1m;
--- config
    location = /thanks {
        payer_verify $arg_order;
    }
--- must_die
--- error_log
"payer_verify" in location "/thanks" has no "payer_api"



=== TEST 21: payer_verify without payer_zone is rejected
--- bare
--- config
    payer_api /_payer;
    payer_client_id 4711;
    payer_client_secret_file $TEST_NGINX_SECRET;
    location /_payer/ { internal; include $TEST_NGINX_ROOT/conf/payer_api.conf; proxy_pass https://127.0.0.1/; }
    location = /thanks {
        payer_verify $arg_order;
    }
--- must_die
--- error_log
"payer_verify" in location "/thanks" needs a "payer_zone"



=== TEST 22: payer_verify without a reference is rejected
--- gate
payer_verify "";
--- must_die
--- error_log
"payer_verify" directive needs the reference of an order



=== TEST 23: two payer_verify in one location are rejected
--- gate
payer_verify $arg_order; payer_verify off;
--- must_die
--- error_log
"payer_verify" directive is duplicate
