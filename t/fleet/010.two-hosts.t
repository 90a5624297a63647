# Two hosts over one database at the same moment: one link, one capture, one
# delivery, and work that is shared out.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;

my $fleet = fleet();

# what a buyer was shown, as a list without repeats
sub shown {
    my %seen = map { $_->header('Location') // '' => 1 } @_;
    my @shown = sort keys %seen;
    return @shown;
}

sub statuses { return join ' ', sort map { $_->status } @_ }

sub event_of {
    my ($order) = @_;

    wait_until(sub { grep { $_->{reference} eq $order } @{ events() } }, 10);
    my ($event) = grep { $_->{reference} eq $order } @{ events() };
    return $event;
}

sub notified {
    my ($order) = @_;
    return grep { $_->{line} =~ m{/_shop/paid\?id=\Q$order\E } } shop_requests();
}


my @r = $fleet->at_once(map { [ $_ % 2, GET => '/checkout?order=1' ] } 1 .. 50);

is(statuses(@r), join(' ', (303) x 50), '50 visits at once are all answered');
is(scalar(shown(@r)), 1, 'with one link');
is(books('1')->{links}, 1, 'which is the only one that was made');

$fleet->fresh;

@r = $fleet->at_once(map { my $host = $_ % 2;
    [ $host, GET => "/checkout?order=1&dear=$host", timeout => 20 ] } 1 .. 30);

cmp_ok(books('1')->{liveLinks}, '<=', 1, 'two prices at once: one link lives');
my @after = map { $fleet->get($_, '/checkout?order=1&dear=1') } 0, 1;
is(scalar(shown(@after)), 1, 'both hosts show the same afterwards');
is(books('1')->{liveLinks}, 1, 'and it lives');

$fleet->fresh;

# another order: a host may still cancel the link that has lost

$fleet->pays('2', 0, 1);
my %key = (json => { reference => '2', amount => 500 },
    headers => { 'Idempotency-Key' => 'once' });
@r = $fleet->at_once(map { [ $_ % 2, POST => '/capture', %key ] } 1 .. 20);

like(statuses(@r), qr/^(?:200 ?|409 ?|503 ?)+$/,
    'captures with one key at once are done or told to wait');
is(scalar(grep { $_->status == 200 } map { $fleet->post($_, '/capture', %key) }
    0, 1), 2, 'both hosts answer for it afterwards');
is(books('2')->{captured}, 500, 'it is captured once');

my %other = (json => { reference => '2', amount => 12400 });
@r = $fleet->at_once(map { [ $_ % 2, POST => '/capture', %other,
    headers => { 'Idempotency-Key' => "key$_" } ] } 1 .. 8);
is(books('2')->{captured}, 12900, 'the rest goes to one of several keys');

$fleet->fresh;

sim_config(event_calls => 1);
is($fleet->post(0, '/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
    url => 'http://127.0.0.1:' . Payer::Test::free_port() . '/' })->status, 204,
    'the shop subscribes to events');
$fleet->pays('1', 0);
my $token = event_of('1')->{token};
sim('DELETE', 'journal');

shop_answers('delay=0.3 204');
@r = $fleet->at_once(map { [ $_ % 2, GET => "/events?token=$token" ] } 1 .. 10);
is(statuses(@r), join(' ', (200) x 10), 'an event at all hosts at once is answered');
is(scalar(grep { $_->{line} =~ m{/_shop/event} } shop_requests()), 1,
    'the shop gets it once');

# a host whose token is of the time before the reset is first told so
is(scalar(grep { $_->{call} eq 'event' && $_->{status} != 401 } journal()), 1,
    'and its payload is fetched once');

$fleet->fresh;

my @orders = (11 .. 30);
$fleet->pays($_, $_ % 2) for @orders;
@r = $fleet->at_once(map { my $order = $_;
    map { [ $_, GET => "/thanks?order=$order" ] } 0, 1 } @orders);
is(statuses(@r), join(' ', (200) x 40), 'buyers come back on both hosts at once');
ok(wait_until(sub { my @told = map { notified($_) } @orders; @told >= @orders }, 20),
    'the shop is told of each order');
is(join(' ', map { scalar(notified($_)) } @orders), join(' ', (1) x 20), 'once');

$fleet->restart(server => 'payer_tries 1;')->fresh;

$fleet->pays($_, $_ % 2, $_ % 2) for @orders;
faults('capture: lost-reply times=0');
$fleet->post($_ % 2, '/capture', json => { reference => "$_" }) for @orders;
sim('DELETE', 'faults');

ok(wait_until(sub {
    my @open = $fleet->pg->sql('SELECT reference FROM payer.orders WHERE outcome_open');
    !@open;
}, 30), 'the sweeps of both hosts read what is in doubt');
my (%reads, %captured);
for my $call (journal()) {
    my ($id) = $call->{path} =~ m{/payments/([^/]+)} or next;
    $captured{$id} = 1 if $call->{call} eq 'capture';
    $reads{$id}++ if $call->{call} eq 'read' && $captured{$id};
}
is(scalar(keys %reads), scalar(@orders), 'each payment');
is(join(' ', map { books($_)->{captured} } @orders), join(' ', (12900) x 20),
    'each is captured once');

$fleet->restart(server => 'payer_auto_capture on;')->fresh;

$fleet->post(0, '/subscriptions', form => { type => 'CARD_PAYMENT_AUTHORIZED',
    url => 'http://127.0.0.1:' . $fleet->port(1) . '/events' });
$fleet->pays($_, 0) for @orders;
@r = $fleet->at_once((map { [ $_, POST => '/reconcile', timeout => 20 ] } 0, 1),
    map { my $order = $_; map { [ $_, GET => "/thanks?order=$order" ] } 0, 1 } @orders);
ok(wait_until(sub {
    !grep { books($_)->{captured} != 12900 } @orders;
}, 20), 'return, event, reconcile and sweep on both hosts capture');
is(join(' ', map { scalar(@{ books($_)->{captures} }) } @orders),
    join(' ', (1) x 20), 'each payment once');

is_deeply([ $fleet->alerts ], [], 'no host raised an alert');

done_testing();
