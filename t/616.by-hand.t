# An outcome that no read can show is settled by hand:
# payer_reconcile?operation=...&outcome=done|refused.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Gate;

our $office = <<'EOF';
        payer_tries 1;

        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /refund    { payer_refund;    payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
EOF

# a refund in doubt, of which no read tells: its request id

sub lost {
    my (%option) = @_;

    paid('1');
    post('/capture?reference=1')->status == 200 or die "no capture\n";
    faults("refund: $option{fault}",
        'read: edit times=0 drop=["payment.refundedAmount"]');

    my $r = refund($option{amount});
    is($r->status, 504, 'the outcome is unknown');

    return $r->json->{requestId};
}


sub refund {
    my ($amount) = @_;

    return post("/refund?reference=1&amount=$amount",
        headers => { 'Idempotency-Key' => 'k' });
}

shop();
run_payer_tests();

__DATA__

=== TEST 1: a refund settled as done by hand is stored as done
--- config eval: $::office
--- then
my $id = lost(fault => 'lost-reply', amount => 700);
is(post('/reconcile')->json->{stillUnknown}, 1, 'a read does not tell');

my $r = post("/reconcile?operation=$id&outcome=done");
is($r->status, 200, 'settled');
is($r->json->{outcome}, 'done', 'as it was told');
like($r->json->{operation}, qr{^operation/4711/[\w-]+/refund/k$}, 'which one');

is(refund(700)->status, 200, 'a repeat has its answer');
is(refund(700)->header('Idempotency-Replayed'), 'true', 'without a call');
is(post('/reconcile')->json->{stillUnknown}, 0, 'and nothing is open');
like(error_log_text(), qr{settled by hand as done, by user "" at 127\.0\.0\.1},
    'the log says who it was');
is(post("/reconcile?operation=$id&outcome=refused")->status, 409,
    'it is not settled twice');
--- books
1: refunded=700



=== TEST 2: a refund settled as refused by hand can be sent with another key
--- config eval: $::office
--- then
my $id = lost(fault => 'reset', amount => 700);
is(post("/reconcile?operation=$id&outcome=refused")->status, 200, 'settled');
is(refund(700)->status, 409, 'a repeat has its answer');
is(post('/refund?reference=1&amount=700')->status, 200, 'another one is done');
--- books
1: refunded=700



=== TEST 3: an operation is settled by its key in the store
--- config eval: $::office
--- then
lost(fault => 'reset', amount => 700);
my $key = 'operation%2F4711%2F' . payment('1') . '%2Frefund%2Fk';
is(post("/reconcile?operation=$key&outcome=refused")->status, 200, 'settled');



=== TEST 4: after a full refund is settled by hand payer_verify returns 402
--- config eval: $::office
--- then
my $id = lost(fault => 'lost-reply', amount => 12900);
is_thanked(thanks('1'), 'the page is open');
is(post("/reconcile?operation=$id&outcome=done")->status, 200, 'settled');
is_refused(thanks('1'), 402, 'and closed');



=== TEST 5: invalid arguments of payer_reconcile are rejected
--- config eval: $::office
--- then
my $id = lost(fault => 'reset', amount => 700);
is(post("/reconcile?$_")->status, 400, $_)
    for "operation=$id", 'outcome=done', "operation=$id&outcome=maybe",
    'operation=&outcome=done';
is(post('/reconcile?operation=00000000-0000-4000-8000-000000000000&outcome=done')
   ->status, 404, 'an operation that is not known');
is(get("/reconcile?operation=$id&outcome=done")->status, 405, 'GET settles nothing');
is(refund(700)->status, 200, 'it is as it was');



=== TEST 6: an operation in progress is not settled
--- config eval: $::office
--- then
paid('1');
post('/capture?reference=1')->status == 200 or die "no capture\n";
faults('refund: delay=1');

my $child = fork // die "fork: $!\n";

if ($child == 0) {
    refund(700);
    POSIX::_exit(0);
}

wait_until(sub { calls()->{refund} }, 5);
my $key = 'operation%2F4711%2F' . payment('1') . '%2Frefund%2Fk';
is(post("/reconcile?operation=$key&outcome=refused")->status, 409, 'busy');
waitpid $child, 0;
is(refund(700)->header('Idempotency-Replayed'), 'true', 'it was done');



=== TEST 7: a cancel in doubt that no read shows is settled by hand
--- config eval: $::office
--- then
my $link = order('1');
my @cancel = (json => { reference => '1' },
    headers => { 'Content-Type' => 'application/json',
                 'Idempotency-Key' => 'k' });
faults('cancel: reset times=0');
is(post('/cancel', @cancel)->status, 504, 'unknown');
sim('DELETE', 'faults');
faults('cancel: status=400 times=0 body={"message":"no"}');
my $r = post('/cancel', @cancel);
is($r->status, 504, 'a refusal is not believed');
cmp_ok(post('/reconcile')->json->{unknown}, '>', 0, 'no read tells');

my $id = $r->json->{requestId};
is(post("/reconcile?operation=$id&outcome=refused")->status, 200, 'settled');
is(post('/cancel', @cancel)->status, 409, 'a repeat has its answer');
is(post('/reconcile')->json->{unknown}, 0, 'and no operation is in doubt');

sim('DELETE', 'faults');
is(order('1'), $link, 'the link is presented as before');
