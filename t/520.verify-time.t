# How long payer_verify reuses a result, which request reads the payment, and
# how long it waits.

use lib 't/lib';
use Payer::Test;
use Payer::Gate;
use Time::HiRes qw(time);

shop();

sub reads { calls()->{read} // 0 }


# The status of a visit to the page, and what happens while Payer is asked.

sub meanwhile {
    my ($order, $what) = @_;

    faults({ match => 'read', delay => 0.7 });

    my $before = reads();
    my $child  = fork // die "fork: $!";

    if (!$child) {
        my $r = thanks($order);
        POSIX::_exit($r->raw =~ /THANK YOU/ ? 0 : $r->status - 300);
    }

    ok(wait_until(sub { reads() > $before }, 5), 'Payer is asked');
    $what->();
    waitpid $child, 0;

    return $? ? ($? >> 8) + 300 : 200;
}


master_on();
workers(3);
run_payer_tests();

__DATA__

=== TEST 1: a successful verification is reused for the same order in all worker processes
--- after
paid('1001');
is_thanked($_, 'thanked') for map { thanks('1001') } 1 .. 12;
is(reads(), 1, 'Payer was asked once');



=== TEST 2: a successful verification is not reused for another order
--- after
paid('1001');
order('1002');
is_thanked(thanks('1001'), 'this one was paid');
is_refused(thanks('1002'), 402, 'that one was not');



=== TEST 3: an unsuccessful verification is not reused
--- after
order('1001');
is_refused(thanks('1001'), 402, 'not paid') for 1 .. 3;
is(reads(), 3, 'asked each time');
pay('1001');
is_thanked(thanks('1001'), 'paid');



=== TEST 4: a successful verification expires after payer_verify_cache
--- gate
payer_verify $arg_order;
payer_verify_cache 1s;
--- after
paid('1001');
is_thanked(thanks('1001'), 'asked');
ok(wait_until(sub { thanks('1001'); reads() > 1 }, 5), 'and asked again');



=== TEST 5: after payer_verify_cache 503 is returned if Payer does not reply
--- gate
payer_verify $arg_order;
payer_verify_cache 1s;
payer_tries 1;
--- after
paid('1001');
is_thanked(thanks('1001'), 'paid');
faults({ match => 'read', action => 'html', times => 0 });
my $r;
ok(wait_until(sub { ($r = thanks('1001'))->status != 200 }, 5), 'grown old');
is_refused($r, 503, 'not known any more');



=== TEST 6: payer_verify_cache 0 reads the payment for each request
--- gate
payer_verify $arg_order;
payer_verify_cache 0;
--- after
paid('1001');
is_thanked(thanks('1001'), 'thanked') for 1 .. 3;
is(reads(), 3, 'asked each time');



=== TEST 7: simultaneous requests for one order share one read
--- after
paid('1001');
faults({ match => 'read', delay => 0.4, times => 0 });
is_thanked($_, 'thanked')
    for together(map { [ GET => "/thanks?order=1001&part=$_" ] } 1 .. 30);
is(reads(), 1, 'Payer was asked once');



=== TEST 8: requests that wait for another request's read get its result
--- after
order('1001');
faults({ match => 'read', delay => 0.2, times => 0 });
my $start = time;
is_refused($_, 402, 'not paid')
    for together(map { [ GET => "/thanks?order=1001&part=$_" ] } 1 .. 6);
cmp_ok(time - $start, '<', 4, 'in good time');



=== TEST 9: a worker process that is killed during a read does not block other requests
--- alert: exited on signal 9
--- after
paid('1001');
faults({ match => 'read', action => 'silence' });

my @before = worker_pids();
my $child = fork // die "fork: $!";
if (!$child) {
    thanks('1001');
    POSIX::_exit(0);
}

ok(wait_until(sub { reads() == 1 }, 5), 'one asks');
kill 'KILL', @before;
waitpid $child, 0;
ok(wait_until(sub { my @now = worker_pids(); @now == 3 && !grep { my $p = $_;
    grep { $_ == $p } @before } @now }, 5), 'its worker is dead');

my $r = thanks('1001');
is_thanked($r, 'the next one asks for himself');
cmp_ok($r->time, '<', 4, 'before long');



=== TEST 10: the result of a read is stored even if the buyer has closed the connection
--- after
paid('1001');
faults({ match => 'read', delay => 0.3 });
my ($r) = together([ GET => '/thanks?order=1001', hang_up => 0.1 ]);
is($r->error, 'hung up', 'gone');
my $known = sub { grep { defined $_->{status} } journal('read') };
ok(wait_until($known, 5), 'Payer has answered');
is_thanked(thanks('1001'), 'thanked');
is(reads(), 1, 'and not asked again');



=== TEST 11: payer_verify_wait reads the payment until it is paid
--- gate
payer_verify $arg_order;
payer_verify_wait 5s;
--- after
paid('1001');
faults({ match => 'read', action => 'edit', times => 2,
    set => { 'payment.status' => 'INITIATED' } });
my $r = thanks('1001');
is_thanked($r, 'thanked');
is(reads(), 3, 'asked three times');
cmp_ok($r->time, '>', 1.9, 'a second apart');



=== TEST 12: payer_verify_wait ends with 402
--- gate
payer_verify $arg_order;
payer_verify_wait 1500ms;
--- after
order('1001');
my $r = thanks('1001');
is_refused($r, 402, 'not paid');
is(reads(), 2, 'asked twice');
cmp_ok($r->time, '>', 0.9, 'and waited');
cmp_ok($r->time, '<', 3, 'but not forever');



=== TEST 13: without payer_verify_wait 402 is returned immediately
--- after
order('1001');
my $r = thanks('1001');
is_refused($r, 402, 'not paid');
is(reads(), 1, 'asked once');



=== TEST 21: payer_verify_wait with a value waits only if the value is set
--- thanks
payer_verify_wait 3s $arg_paid;
--- after
order('1001');
for my $args ('', '&paid=', '&paid=0') {
    is(get("/thanks?order=1001$args")->status, 402, "\"$args\" does not wait");
}
is(calls()->{read}, 3, 'one question each');

is(get('/thanks?order=1001&paid=1')->status, 402, 'nor does the value pay');
cmp_ok(calls()->{read}, '>', 4, 'with a value Payer is asked again');



=== TEST 22: payer_verify_wait with three parameters is rejected
--- thanks
payer_verify_wait 1s $arg_a $arg_b;
--- must_die
--- error_log
invalid number of arguments in "payer_verify_wait" directive



=== TEST 14: payer_verify_wait does not wait for a cancelled link, a failed read or an unknown status
--- gate
payer_verify $arg_order;
payer_verify_wait 20s;
payer_tries 1;
--- after
order($_) for 1001 .. 1003;
faults({ match => 'read', contains => payment('1001'), action => 'edit',
    set => { 'payment.status' => 'CANCELLED' } });
faults({ match => 'read', contains => payment('1002'), action => 'html' });
faults({ match => 'read', contains => payment('1003'), action => 'edit',
    set => { 'payment.status' => 'NEWS' } });
is_refused(thanks('1001'), 402, 'cancelled');
is_refused(thanks('1002'), 503, 'not known');
is_refused(thanks('1003'), 503, 'a new word');
is(reads(), 3, 'each asked once');



=== TEST 15: a request in payer_verify_wait does not block other requests
--- gate
payer_verify $arg_order;
payer_verify_wait 1s;
--- after
order($_) for 1001 .. 1009;
my @r = together((map { [ GET => "/thanks?order=$_" ] } 1001 .. 1009),
    (map { [ GET => '/nothing' ] } 1 .. 9));
is_refused($r[$_], 402, 'waited') for 0 .. 8;
cmp_ok($r[$_]->time, '<', 0.5, 'did not wait') for 9 .. 17;



=== TEST 16: each read during payer_verify_wait has the whole payer_timeout
--- gate
payer_verify $arg_order;
payer_verify_wait 4s;
payer_timeout 1s;
--- after
paid('1001');
faults({ match => 'read', action => 'edit', times => 3,
    set => { 'payment.status' => 'INITIATED' } });
faults({ match => 'read', delay => 0.5 });
is_thanked(thanks('1001'), 'thanked');
is(reads(), 4, 'in the end');



=== TEST 17: a request is passed if nginx is reloaded during its read
--- after
paid('1001');
faults({ match => 'read', delay => 1 });

my $child = fork // die "fork: $!";
if (!$child) {
    my $r = thanks('1001');
    POSIX::_exit($r->status == 200 && $r->body =~ /THANK YOU/ ? 0 : 1);
}

ok(wait_until(sub { reads() == 1 }, 5), 'one asks');
reload();
waitpid $child, 0;
is($?, 0, 'and is passed');
is_thanked(thanks('1001'), 'and so is the next one, by the new workers');
order('1002');
reload();
is_refused(thanks('1002'), 402, 'payer_verify still applies');



=== TEST 18: a cancel during a read is not overridden by AUTHORIZED in its reply
--- after
order('1001');
pay('1001', card => '3ds', threeds => 'start');
is(meanwhile('1001', sub {
    cancel('1001');
    pay('1001', threeds => 'approve');
}), 402, 'not paid');
my ($read) = journal('read');
is($read->{status}, 200, 'Payer has answered');
is(books('1001')->{status}, 'AUTHORIZED', 'and AUTHORIZED it was');



=== TEST 19: a new link during a read is not overridden by AUTHORIZED in its reply
--- after
order('1001', amount => 100);
my $old = payment('1001');
pay('1001', card => '3ds', threeds => 'start');
is(meanwhile('1001', sub {
    order('1001', amount => 990000);
    sim('POST', 'pay', { paymentId => $old, threeds => 'approve' });
}), 402, 'not paid');
is_refused(thanks('1001'), 402, 'nor afterwards');



=== TEST 20: a payment during a read is accepted
--- after
order('1001');
is(meanwhile('1001', sub { pay('1001') }), 200, 'paid');
