# A host that dies in the middle of something: what it had begun is finished
# by another one, no later than its lease ends, and once.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;

use Time::HiRes qw(time);

# of payer_timeout 5s: an order and an operation, an event, a notification
my ($lease, $event_lease, $notify_lease) = (10, 15, 35);

# and a moment for the machine on which this runs
my $spare = 8;

my $fleet = fleet(server => 'payer_tries 1;');

# Begins a request to the first host, and kills that when the condition holds.

sub dies_when {
    my ($condition, @request) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        $fleet->at_once([ 0, @request, timeout => 5 ]);
        POSIX::_exit(0);
    }

    my $met = wait_until($condition, 5);
    $fleet->kill9(0);
    waitpid $pid, 0;
    ok($met, 'the host dies in the middle of it');
}

sub reached { my ($call) = @_; return sub { (calls()->{$call} // 0) > 0 } }

# The answer of the second host, asked again until it is one of these.

sub answer {
    my ($statuses, @request) = @_;

    my ($begin, $r) = time;

    wait_until(sub {
        ($r) = $fleet->at_once([ 1, @request, timeout => 12 ]);
        $r->status =~ /^(?:$statuses)$/;
    }, 3 * $lease);

    return ($r, time - $begin);
}

sub told {
    my ($what) = @_;
    return grep { $_->{line} =~ m{/_shop/$what} } shop_requests();
}

sub id_of {
    my ($request, $name) = @_;
    my ($id) = map { $_->[1] } grep { lc $_->[0] eq $name } @{ $request->{headers} };
    return $id;
}

my ($r, $took);

# while Payer is asked for a link, which is then made, or not

for my $when (qw(delay delay_after)) {
    $fleet->fresh;
    faults({ match => 'create', $when => 4 });
    dies_when(reached('create'), GET => '/checkout?order=1');

    ($r, $took) = answer(303, GET => '/checkout?order=1');
    is($r->status, 303, "a link after a death while one is made ($when)");
    cmp_ok($took, '<', $lease + $spare, 'when the lease has ended');
    cmp_ok(books('1')->{liveLinks}, '>=', 1, 'the link lives');
    is($fleet->get(1, '/checkout?order=1')->header('Location'),
        $r->header('Location'), 'and it stays');

    $fleet->start(0);
    is($fleet->get(0, '/checkout?order=1')->header('Location'),
        $r->header('Location'), 'also when the host is back');
    sim('POST', 'pay', { url => $r->header('Location') });
    is($fleet->get(0, '/thanks?order=1')->status, 200, 'who pays it has paid');
}

# while Payer captures

$fleet->fresh;
$fleet->pays('1', 0, 1);
my %capture = (json => { reference => '1', amount => 700 },
    headers => { 'Idempotency-Key' => 'k' });

faults({ match => 'capture', delay_after => 4 });
dies_when(reached('capture'), POST => '/capture', %capture);
($r, $took) = answer(200, POST => '/capture', %capture);
is($r->status, 200, 'a capture after a death in the middle of it');
cmp_ok($took, '<', $lease + $spare, 'when the lease has ended');
is(books('1')->{captured}, 700, 'it is captured once');
$fleet->start(0);

# while the shop gets an event

$fleet->fresh;
sim_config(event_calls => 1);
$fleet->post(1, '/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
    url => 'http://127.0.0.1:' . Payer::Test::free_port() . '/' });
$fleet->pays('1', 0);
wait_until(sub { @{ events() } }, 5);
my $token = events()->[0]{token};

shop_answers('delay=4 204', 'delay=4 204', '204');
dies_when(sub { told('event') > 0 }, GET => "/events?token=$token");
($r, $took) = answer(200, GET => "/events?token=$token");
is($r->status, 200, 'an event after a death while the shop gets it');
cmp_ok($took, '<', $event_lease + $spare, 'when the lease has ended');
is(scalar(told('event')), 2, 'the shop gets it again');
is(id_of((told('event'))[0], 'x-payer-payment-id'),
    id_of((told('event'))[1], 'x-payer-payment-id'), 'and it is the same');
ok((grep { $_->{token} eq $token } @{ events() })[0]{acked}, 'it is acknowledged');
$fleet->start(0);

# while the shop is told that an order was paid

$fleet->fresh;
$fleet->stop(1);
$fleet->pays('1', 0);
shop_answers('delay=4 204', '204');
dies_when(sub { told('paid') > 0 }, GET => '/thanks?order=1');
$fleet->start(1);
my $begin = time;
ok(wait_until(sub { told('paid') > 1 }, $notify_lease + $spare),
    'the shop is told again after a death while it was told');
cmp_ok(time - $begin, '<', $notify_lease + $spare, 'when the lease has ended');
is(id_of((told('paid'))[0], 'x-payer-notify-id'),
    id_of((told('paid'))[1], 'x-payer-notify-id'), 'under the same id');
$fleet->start(0);

# between a capture whose reply was lost and the sweep that reads it

$fleet->fresh;
$fleet->pays('1', 0, 0);
faults('capture: lost-reply', { match => 'read', delay => 3 });
$fleet->post(0, '/capture', json => { reference => '1', amount => 300 });
wait_until(reached('read'), 10);
$fleet->kill9(0);
ok(wait_until(sub {
    ($fleet->pg->value("SELECT captured FROM payer.orders WHERE reference = '1'") // 0) == 300;
}, 3 * $lease), 'what is in doubt is read by the other host');
is(books('1')->{captured}, 300, 'it is captured once');
$fleet->start(0);

is_deeply([ $fleet->alerts ], [], 'no host raised an alert');

done_testing();
