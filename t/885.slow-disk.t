# A disk that takes 60 ms for each fsync, a Payer that takes 450 ms for each
# call, and a time limit that expires during the second one: a decision is
# written while the next write begins.

use lib 't/lib';
use Payer::SlowDisk;
use Payer::Test;
use Payer::Conf;
use Payer::Events;

master_on();
disk_takes(60);


# Every handler, with less time than it needs and with enough.

sub places {
    my $order = 'payer_reference $arg_order public; payer_amount 12900;'
        . ' payer_currency SEK; payer_return_success /thanks;'
        . ' payer_return_fail /cart; payer_return_back /cart;';
    my %location = (
        checkout => "payer_checkout; $order",
        thanks   => 'payer_verify $arg_order; payer_auto_capture on;'
            . ' empty_gif;',
        events   => 'payer_events; payer_event_pass /shop/event;'
            . ' payer_auto_capture on;',
        map { $_ => "payer_$_; payer_allow 127.0.0.1;" } qw(capture cancel
            release refund payment subscriptions reconcile metrics)
    );

    return "location = /shop/event { internal; proxy_pass http://shop; }\n"
        . join '', map {
            my ($prefix, $timeout) = @$_;
            map { "location = $prefix$_ { $location{$_}"
                . " payer_timeout $timeout; }\n" } sort keys %location;
        } [ '/', '10s' ], [ '/short/', '1s' ], [ '/shorter/', '600ms' ];
}


# All answers of one visit to every handler, in one go.

sub visit_all {
    my ($prefix, $order, $token) = @_;

    my $paid = "paid-$order";

    return together(
        [ GET => "$prefix/checkout?order=$order" ],
        [ GET => "$prefix/checkout?order=$order" ],
        [ GET => "$prefix/thanks?order=$paid" ],
        [ POST => "$prefix/capture", form => { reference => $paid,
            amount => 1 }, headers => { 'Idempotency-Key' => "c-$order" } ],
        [ POST => "$prefix/refund", form => { reference => $paid,
            amount => 1 } ],
        [ POST => "$prefix/cancel", form => { reference => "open-$order" } ],
        [ POST => "$prefix/release", form => { reference => $paid } ],
        [ GET => "$prefix/payment?reference=$paid" ],
        [ POST => "$prefix/events?token=$token", body => 'x' x 14 ],
        [ GET => "$prefix/subscriptions" ],
        [ POST => "$prefix/reconcile", body => 'x' x 14 ],
        [ GET => "$prefix/metrics" ],
    );
}


# An order that is paid, one that is open, and an event.

sub prepare {
    my ($order) = @_;

    my $token = paid_event("paid-$order");

    get("/checkout?order=open-$order")->status == 303 or die 'no link';
    return $token;
}

run_payer_tests();

__DATA__

=== TEST 1: no worker process dies if payer_timeout expires in any step of a handler
--- http_config eval: ::shop_upstream()
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- timeout: 30
--- after
my @workers = worker_pids();

for my $prefix ('/short', '/shorter') {
    for my $round (1 .. 2) {
        my $order = ($prefix =~ s{/}{}r) . $round;
        my $token = prepare($order);

        # the first visit needs a token, too
        revoke() if $round == 1;
        faults('*: delay=0.45 times=0');

        for my $r (visit_all($prefix, $order, $token)) {
            like($r->status, qr/^(?:200|204|303|40[0249]|422|502|503|504)$/,
                "$prefix, round $round: an answer");
            is($r->error, undef, 'to its end');
        }

        sim('DELETE', 'faults');
    }
}

is(join(' ', worker_pids()), "@workers", 'all workers are still there');



=== TEST 2: a request that payer_timeout has ended can be repeated immediately
--- http_config eval: ::shop_upstream()
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- timeout: 30
--- after
my $token = prepare('again');

faults('*: delay=0.45 times=0');
revoke();
visit_all('/short', 'again', $token);
sim('DELETE', 'faults');

my $r = get('/checkout?order=again');

is($r->status, 303, 'the order has a link');
is($r->header('Location'), books('again')->{url}, 'of Payer');
is(get("/events?token=$token")->status, 200, 'the event is taken');
is(event_of($token)->{acked}, 1, 'and acknowledged');



=== TEST 3: no worker process dies if payer_timeout expires in a first visit without a token
--- http_config eval: ::shop_upstream()
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- timeout: 30
--- after
my @workers = worker_pids();

faults('*: delay=0.45 times=0');

for my $order (1 .. 4) {
    my ($r) = together([ GET => "/short/checkout?order=first-$order" ],
        [ GET => "/shorter/checkout?order=first-$order" ]);

    like($r->status, qr/^(?:303|503|504)$/, 'an answer');
    revoke();
}

sim('DELETE', 'faults');
is(get("/checkout?order=first-$_")->status, 303, 'later there is a link')
    for 1 .. 4;
# the return of a buyer who has paid, whose payment is captured at once
for my $order (1 .. 4) {
    pay("first-$order");
    sim_config(token_ttl => 1) if $order == 1;
    faults('*: delay=' . (0.25, 0.3, 0.4, 0.45)[ $order - 1 ] . ' times=0');

    my $r = get("/short/thanks?order=first-$order");
    like($r->status, qr/^(?:200|402|503)$/, 'an answer');
    sim('DELETE', 'faults');
}

is(join(' ', worker_pids()), "@workers", 'all workers are still there');



=== TEST 4: no worker process dies if no token can be obtained with a slow disk
--- http_config eval: ::shop_upstream()
--- config eval: ::places()
--- request
GET /nothing
--- error_code: 404
--- timeout: 60
--- after
my @workers = worker_pids();
my @bad = ('token: status=503 times=0', 'token: status=429 times=0',
    'token: delay=0.9 times=0');

for my $i (0 .. $#bad) {
    my $token = prepare("none-$i");

    # what nginx has is not taken any more, and no other one is to be had
    revoke();
    faults($bad[$i], '*: delay=0.05 times=0');

    for my $r (visit_all('/short', "none-$i", $token),
        visit_all('/shorter', "none-$i", $token))
    {
        like($r->status, qr/^(?:200|204|303|40[0249]|422|502|503|504)$/,
            "$bad[$i]: an answer");
        is($r->error, undef, 'to its end');
    }

    sim('DELETE', 'faults');
}

is(join(' ', worker_pids()), "@workers", 'all workers are still there');
