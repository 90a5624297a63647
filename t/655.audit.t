# The audit log: two lines for each operation, with actor and reason; and the
# limit of the refunds of an order.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use JSON::PP ();

# an order that the buyer has paid: the payment's id

sub paid {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link for $order\n";
    pay($order);

    return payment($order);
}


sub captured {
    my $id = paid(@_);

    post('/capture', json => { reference => $_[0] })->status == 200
        or die "no capture of $_[0]\n";

    return $id;
}


sub audit_file { work_dir() . '/audit.log' }


sub audit {
    open my $fh, '<', audit_file() or return;

    return map { JSON::PP->new->utf8->decode($_) } <$fh>;
}


sub fresh_audit { return 'payer_audit ' . audit_file() . ';' }

add_block_preprocessor(sub { unlink audit_file() });


# user:password for auth_basic

sub users {
    my $file = write_file('users', join '', map { "$_:{PLAIN}secret\n" } @_);

    return "auth_basic office; auth_basic_user_file $file;";
}

our %ann = (Authorization => 'Basic YW5uOnNlY3JldA==');
our %bob = (Authorization => 'Basic Ym9iOnNlY3JldA==');

run_payer_tests();

__DATA__

=== TEST 1: an operation has a line before it is sent and a line with its outcome
--- config perl: fresh_audit() . users('ann') . 'payer_actor $remote_user;' . checkout(auth_basic => 'off') . operations()
--- request
GET /
--- error_code: 401
--- then
my $id = paid('1');
my $r = post('/capture', headers => { %ann, 'Idempotency-Key' => 'k-1' },
    json => { reference => '1', amount => 500, reason => "sent \"today\" \x{e5}\x{e4}" });
is($r->status, 200, 'captured');
my @lines = audit();
is(scalar @lines, 2, 'two lines');
my @fields = sort qw(time phase id actor address operation reference paymentId amount currency key
    reason status outcome);
is_deeply([ sort keys %$_ ], \@fields, "all fields of $_->{phase}") for @lines;
my ($intent, $outcome) = @lines;
is($intent->{phase}, 'intent', 'first the intent');
is($outcome->{phase}, 'outcome', 'then the outcome');
is($intent->{id}, $r->header('Payer-Request-Id'), 'under the request id');
is($outcome->{id}, $intent->{id}, 'both');
like($intent->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'a time in UTC');
for my $line (@lines) {
    is($line->{actor}, 'ann', 'who');
    is($line->{address}, '127.0.0.1', 'from where');
    is($line->{operation}, 'capture', 'what');
    is($line->{reference}, '1', 'of which order');
    is($line->{paymentId}, $id, 'and payment');
    is($line->{amount}, 500, 'how much');
    is($line->{currency}, 'SEK', 'of what');
    is($line->{key}, 'k-1', 'under which key');
    is($line->{reason}, "sent \"today\" \x{e5}\x{e4}", 'why');
}
is($intent->{status}, undef, 'no status yet');
is($intent->{outcome}, undef, 'and no outcome');
is($outcome->{status}, 200, "Payer's status");
is($outcome->{outcome}, 'done', 'done');



=== TEST 2: a refused and an unknown outcome are written to the audit log
--- config perl: fresh_audit() . checkout() . operations()
--- faults
release: lost-reply times=9
--- request
GET /
--- then
paid('1');
is(post('/cancel', json => { reference => '1' })->status, 400, 'refused');
is((audit())[1]{outcome}, 'refused', 'refused');
is((audit())[1]{status}, 400, "with Payer's status");
is(post('/release', json => { reference => '1' })->status, 504, 'unknown');
my $last = (audit())[3];
is($last->{outcome}, 'unknown', 'unknown');
is($last->{operation}, 'release', 'which one');
is($last->{actor}, undef, 'without payer_actor nobody');



=== TEST 3: if the line of the intent cannot be written, the operation is not sent
--- config perl: 'payer_audit /dev/full;' . checkout() . operations()
--- request
GET /
--- then
paid('1');
my $r = post('/capture', json => { reference => '1' });
is($r->status, 503, 'answered 503');
like($r->json->{detail}, qr/audit log/, 'and why');
is(calls()->{capture}, undef, 'nothing was sent');
like(error_log_text(), qr{the audit log "/dev/full" could not be written}, 'the log says why');
is(post('/capture', headers => { 'Idempotency-Key' => 'k' }, json => { reference => '1' })->status,
    503, 'with a key, too');
--- books
1: captured=0



=== TEST 4: an operation that was not sent for lack of the audit log can be repeated
--- config perl
'payer_audit ' . work_dir() . '/later.log;' . checkout() . operations()
--- before
unlink work_dir() . '/later.log';
symlink '/dev/full', work_dir() . '/later.log';
--- request
GET /
--- then
paid('1');
my %key = (headers => { 'Idempotency-Key' => 'k' });
is(post('/capture', %key, json => { reference => '1' })->status, 503, 'not sent');
unlink work_dir() . '/later.log';
kill USR1 => nginx_pid();
ok(wait_until(sub { -f work_dir() . '/later.log' }), 'the log is reopened');
my $r;
ok(wait_until(sub { ($r = post('/capture', %key, json => { reference => '1' }))->status == 200 }),
    'sent under the same key');
is($r->header('Idempotency-Replayed'), undef, 'as a first one');
--- books
1: captured=12900



=== TEST 5: the audit log is reopened by USR1
--- config perl: fresh_audit() . checkout() . operations()
--- request
GET /
--- then
paid('1');
post('/capture', json => { reference => '1', amount => 100 });
rename audit_file(), audit_file() . '.1';
kill USR1 => nginx_pid();
ok(wait_until(sub { -e audit_file() }), 'a new file');
my $n = 0;
ok(wait_until(sub { post('/capture', json => { reference => '1', amount => ++$n }); audit() }), 'is used');
is(scalar(audit()) % 2, 0, 'for both lines');



=== TEST 6: an automatic capture has its own actor and no address
--- config perl
fresh_audit() . 'payer_actor $http_x_actor;' . checkout() . 'location = /thanks {
    payer_verify        $arg_order;
    payer_auto_capture  on;
    try_files           /dev/null @thanks;
}
location @thanks { payer_verify off; return 200 thanks; }'
--- request
GET /
--- then
paid('1');
is(get('/thanks?order=1', headers => { 'X-Actor' => 'buyer' })->status, 200, 'let in');
my @lines = audit();
is(scalar @lines, 2, 'two lines');
is($_->{actor}, 'payer_auto_capture', 'who') for @lines;
is($_->{address}, undef, 'nowhere') for @lines;
is($lines[1]{outcome}, 'done', 'done');
--- books
1: captured=12900



=== TEST 7: invalid UTF-8, quotes and long values are written as one line of JSON
--- config perl: fresh_audit() . 'payer_actor $http_x_actor;' . checkout() . operations()
--- request
GET /
--- then
paid('<b>"1\\');
my $actor = "a\xff\"\\<script>" . ('x' x 600);
is(post('/capture', headers => { 'X-Actor' => $actor }, json => { reference => '<b>"1\\' })->status, 200,
    'done');
my @lines = audit();
is(scalar @lines, 2, 'two lines');
is($lines[0]{reference}, '<b>"1\\', 'the reference as it is');
like($lines[0]{actor}, qr/^a\x{fffd}"\\<script>x+$/, 'the actor as text');
cmp_ok(length $lines[0]{actor}, '<=', 255, 'cut');



=== TEST 8: a repeat that is answered from the record writes no lines
--- config perl: fresh_audit() . checkout() . operations()
--- request
GET /
--- then
paid('1');
my @call = ('/capture', headers => { 'Idempotency-Key' => 'k' }, json => { reference => '1' });
post(@call);
is(post(@call)->header('Idempotency-Replayed'), 'true', 'replayed');
is(scalar(audit()), 2, 'two lines in all');



=== TEST 9: payer_audit off of an inner level disables the audit log
--- config perl: 'payer_audit off;' . checkout() . operations()
--- http_config perl: fresh_audit()
--- request
GET /
--- then
paid('1');
is(post('/capture', json => { reference => '1' })->status, 200, 'done');
is(scalar(audit()), 0, 'no line');



=== TEST 10: an outcome found by payer_reconcile has the id of the intent
--- config perl
fresh_audit() . checkout() . operations() . 'location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }'
--- faults
capture: lost-reply times=9
--- request
GET /
--- then
paid('1');
is(post('/capture', json => { reference => '1' })->status, 504, 'unknown');
is((audit())[1]{outcome}, 'unknown', 'in the log, too');
post('/reconcile');
my @lines = audit();
is(scalar @lines, 3, 'one line more');
is($lines[2]{id}, $lines[0]{id}, 'with the same id');
is($lines[2]{outcome}, 'done', 'done');
is($lines[2]{actor}, 'payer_reconcile', 'found by');



=== TEST 11: payer_actor with $remote_user without auth_basic is rejected
--- http_config
    payer_actor $remote_user;
--- config perl: checkout() . operations()
--- must_die
--- error_log
"payer_actor" has "$remote_user", but "payer_capture" in location "/capture" has no "auth_basic"



=== TEST 12: payer_actor with $remote_user and auth_basic off is rejected
--- config perl: 'payer_actor "user ${Remote_User}";' . users('ann') . checkout() . operations(auth_basic => 'off')
--- must_die
--- error_log
has no "auth_basic"



=== TEST 13: payer_actor with $remote_user is accepted for payer_payment without auth_basic
--- config perl
'payer_actor $remote_user; location = /payment { payer_payment; payer_allow 127.0.0.1; }'
--- request
GET /payment
--- error_code: 400



=== TEST 14: a reason with a line break or of more than 500 bytes is rejected
--- config perl: fresh_audit() . checkout() . operations()
--- request
GET /
--- then
my $id = paid('1');
for my $bad ("two\nlines", 'x' x 501) {
    my $r = post('/capture', json => { reference => '1', reason => $bad });
    is($r->status, 400, 'refused');
    like($r->json->{detail}, qr/^reason is/, 'and why');
}
is(get("/payment?paymentId=$id&reason=x")->status, 400, 'a read has none');
is(post('/capture', form => { reference => '1', reason => 'x' x 500 })->status, 200, 'as long as may be');
--- sent
!capture: reason



=== TEST 15: a refund, or the sum of refunds, above payer_refund_max is rejected
--- config perl: fresh_audit() . 'payer_refund_max 5000;' . checkout() . operations()
--- request
GET /
--- then
captured('1');
my $r = post('/refund', json => { reference => '1', amount => 5001 });
is($r->status, 403, 'too much at once');
is($r->json->{type}, 'refund-limit', 'as a problem of its own');
like($r->json->{detail}, qr/would be 5001 in all, and payer_refund_max is 5000/, 'with both sums');
is(post('/refund', json => { reference => '1', amount => 3000 })->status, 200, 'a part');
is(post('/refund', json => { reference => '1', amount => 2001 })->status, 403, 'too much in all');
is(post('/refund', json => { reference => '1' })->status, 403, 'all the rest is too much');
is(post('/refund', json => { reference => '1', amount => 2000 })->status, 200, 'up to the limit');
my @refused = grep { $_->{phase} eq 'outcome' && $_->{outcome} eq 'refused' } audit();
is(scalar @refused, 3, 'who tried is in the audit log');
is($refused[0]{status}, 403, 'with the answer');
--- books
1: refunded=5000



=== TEST 16: payer_refund_max can depend on $remote_user
--- http_config
    map $remote_user $max { default 5000; bob ""; }
--- config perl
users('ann', 'bob') . 'payer_actor $remote_user; payer_refund_max $max;' . checkout(auth_basic => 'off')
    . operations()
--- request
GET /
--- error_code: 401
--- then
paid('1');
is(post('/capture', headers => { %ann }, json => { reference => '1' })->status, 200, 'captured');
is(post('/refund', headers => { %ann }, json => { reference => '1', amount => 6000 })->status, 403, 'not ann');
is(post('/refund', headers => { %bob }, json => { reference => '1', amount => 6000 })->status, 200, 'bob may');
--- books
1: refunded=6000



=== TEST 17: payer_refund_max of 0 or an invalid value forbids all refunds
--- http_config
    map $http_x_max $max { default $http_x_max; }
--- config perl: 'payer_refund_max $max;' . checkout() . operations()
--- request
GET /
--- then
captured('1');
for my $max ('0', '12,50', '-1', '1e9') {
    is(post('/refund', headers => { 'X-Max' => $max }, json => { reference => '1', amount => 1 })->status,
        403, "refused with $max");
}
is(post('/refund', headers => { 'X-Max' => '1' }, json => { reference => '1', amount => 1 })->status, 200,
    'and done with 1');
like(error_log_text(), qr/invalid amount "12,50" of "payer_refund_max", nothing is refunded/, 'is logged');



=== TEST 18: a constant payer_refund_max that is not an amount is rejected at start
--- config
    payer_refund_max 12,50;
--- must_die
--- error_log
invalid amount "12,50", it must be in minor units



=== TEST 19: simultaneous refunds are counted against payer_refund_max together
--- config perl: 'payer_refund_max 5000;' . checkout() . operations()
--- faults
refund: none delay=0.3
--- request
GET /
--- then
captured('1');
my @answers = map { $_->status } together(map {
    [ POST => '/refund', json => { reference => '1', amount => 3000 } ] } 1 .. 4);
cmp_ok(scalar(grep { $_ == 200 } @answers), '<=', 1, "one at most: @answers");
cmp_ok(books('1')->{refunded}, '<=', 5000, 'within the limit');



=== TEST 20: payer_actor with a map of $remote_user without auth_basic is rejected
--- http_config
    map $remote_user $who { default $remote_user; "" nobody; }
    payer_actor $who;
--- config perl: checkout() . operations()
--- must_die
--- error_log
"payer_actor" has "$remote_user", but "payer_capture" in location "/capture" has no "auth_basic"



=== TEST 21: payer_audit with syslog is rejected
--- config perl: 'payer_audit syslog:server=127.0.0.1;' . operations()
--- must_die
--- error_log
invalid path "syslog:server=127.0.0.1"



=== TEST 22: payer_audit with a variable in the path is rejected
--- config perl: 'payer_audit audit-$host.log;' . operations()
--- must_die
--- error_log
invalid path "audit-$host.log"
