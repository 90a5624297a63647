# Each configuration and each command of the guide works as documented; only
# addresses, ports and paths are changed, and what a comment says.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;

my $SITE = 'https://shop.example';
my %example = map { examples($_) } qw(docs/integration.md docs/events.md
    docs/back-office.md docs/operations.md);

# every one of them, so that a new one is not forgotten
my %test = (
    'status'    => \&status,
    'x-accel'   => \&x_accel,
    'fixed'     => \&fixed,
    'events'    => \&payer_events,
    'proxy'     => \&proxy,
    'merchants' => \&merchants,
    'simulator' => \&simulator,
);

# commands, which the first of them runs
my @commands =
    qw(capture part payment cron reconcile subscribe subscriptions);

# programs, which t/735.notify-signature.t runs
my @programs = qw(verify-node verify-php);

is(join(' ', sort keys %example), join(' ', sort keys %test, @commands, @programs),
    'these are the examples');

for my $name (sort keys %test) {
    sim_reset() if Payer::Sim::url();
    $test{$name}->($example{$name});
}

Test::More::done_testing();


# The cookies of a new buyer.

sub jar {
    my ($site) = @_;

    my $file = $site->dir . '/jar';
    unlink $file;

    return '-b', $file, '-c', $file;
}


# The toy shop's basket to the payment page; returns the order's number.

sub buy {
    my ($site, $base, @options) = @_;
    my @jar = (jar($site), @options);
    my %before = %{ sim('GET', 'books')->{references} };

    $site->curl("$base/cart/add", @jar, '-d', 'product=pot');

    my $r = $site->curl("$base/checkout", @jar, '-X', 'POST');
    is($r->{status}, 303, 'the checkout redirects');
    like($r->{headers}{location} // '', qr{/widget/}, 'to the payment page');

    my ($order) = grep { !$before{$_} }
        keys %{ sim('GET', 'books')->{references} };

    return $order;
}


# A command of the document about this order.

sub typed {
    my ($site, $name, $order) = @_;

    return $site->shell($example{$name} =~ s/\b1001\b/$order/gr);
}


# The ticket that the buyer of the last order comes back with.

sub ticket {
    my ($sent) = reverse sent('create');

    $sent =~ /&ticket=([\w-]{22})"/ or die "no ticket in $sent\n";

    return "ticket=$1";
}


# The shop asks with 402; a client that pretends to be the shop gets nowhere.

sub status {
    my ($text) = @_;

    my $site = serve($text, status_shop());
    my $order = buy($site, $SITE, '-H', 'X-Payer-Amount: 1');
    my $thanks = "$SITE/thanks?order=$order&" . ticket();

    is(books($order)->{amount}, 34900, 'the price is that of the shop');
    is($site->curl("$SITE/thanks?order=$order")->{status}, 403,
        'the number of the order is not enough');
    is($site->curl($thanks)->{status}, 402, 'nor is the ticket');

    pay($order);

    like($site->curl($thanks)->{body}, qr/AUTHORIZED/,
        'once it is paid, the buyer is passed');
    is($site->curl("$SITE/thanks/?order=$order",
            '-H', 'X-Payer-Status: AUTHORIZED', '-H', 'X-Payer-Amount: 34900',
            '-H', 'X-Payer-Currency: SEK')->{status},
        404, 'nobody can send the headers of a paid order');

    like(typed($site, 'capture', $order), qr/"referenceId"/, 'captured');

    $site->stop;
}


sub x_accel {
    my ($text) = @_;

    my $site = serve($text);
    my $order = buy($site, $SITE);
    my $thanks = "$SITE/thanks?order=$order&" . ticket();

    is($site->curl("$SITE/thanks?order=$order")->{status}, 403,
        'the number of the order is not enough');

    # the gate

    sim('POST', 'faults', { match => 'read', times => 0, status => 503 });

    my $r = $site->curl($thanks);
    is($r->{status}, 503, 'while Payer cannot be asked');
    like($r->{body}, qr/We are checking your payment/, 'a page says so');
    is($r->{headers}{refresh}, 3, 'and looks again by itself');

    sim('DELETE', 'faults');

    pay($order);

    $r = $site->curl($thanks, '-H', 'X-Payer-Status: FORGED');
    is($r->{status}, 200, 'once it is paid, the buyer is passed');
    like($r->{body}, qr/AUTHORIZED/, 'and the shop knows the status');

    # the back office

    like(typed($site, 'payment', $order), qr/"status":"AUTHORIZED"/,
        'the payment can be read');

    like(typed($site, 'capture', $order), qr/"referenceId"/, 'captured');
    is(books($order)->{captured}, 34900, 'in full');
    like(typed($site, 'capture', $order), qr/"referenceId"/, 'and again');
    is(calls()->{capture}, 1, 'with one call');

    my $other = buy($site, $SITE);
    pay($other);

    like(typed($site, 'part', $other), qr/"referenceId"/, 'a part is captured');
    my $books = books($other);
    is("$books->{captured} $books->{released}", '5000 29900',
        'and the rest released');

    outcomes($site);
    cron($site);
    answers($site, $order);

    # a page for what goes wrong on the way

    sim('POST', 'faults', { match => 'create', times => 0, status => 500 });

    my @jar = jar($site);
    $site->curl("$SITE/cart/add", @jar, '-d', 'product=pot');
    $r = $site->curl("$SITE/checkout", @jar, '-X', 'POST');
    is($r->{status}, 502, 'when there is no link');
    unlike($r->{headers}{'content-type'}, qr/problem/,
        'the buyer gets a page of the shop');

    sim('DELETE', 'faults');

    # over HTTP/2, as the document says

    $site->stop;

    my $modern = `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{nginx/1\.(\d+)\.(\d+)}
        && ($1 > 25 || $1 == 25 && $2 >= 1);

    $site = serve($text, $modern
        ? [ qr/listen 443 ssl;/, 'listen 443 ssl; http2 on;' ]
        : [ qr/listen 443 ssl;/, 'listen 443 ssl http2;' ]);

    $order = buy($site, $SITE, '--http2');
    ok($order, 'an order over HTTP/2');
    $r = $site->curl("$SITE/thanks?order=$order&" . ticket(), '--http2');
    is("$r->{version} $r->{status}", '2 402', 'and the gate');

    $site->stop;
}


# What the document says about a reply that is lost.

sub outcomes {
    my ($site) = @_;

    my $order = buy($site, $SITE);
    pay($order);

    sim('POST', 'faults', { match => 'capture|read', times => 0,
        action => 'lost-reply' });

    my $answer = typed($site, 'capture', $order);
    like($answer, qr/"type":"outcome-unknown"/, 'a lost reply is unknown');
    like($answer, qr/"requestId"/, 'the answer names the call');

    sim('DELETE', 'faults');

    like(typed($site, 'reconcile', $order), qr/"settled":[1-9]/,
        'reconcile settles it');
    like(typed($site, 'capture', $order), qr/FULLY_CAPTURED/,
        'and then the same key has an answer');
    is(books($order)->{captured}, 34900, 'the money was captured once');
}


sub cron {
    my ($site) = @_;

    my @order = map { buy($site, $SITE) } 1 .. 3;
    pay($_) for @order[0, 1];

    Payer::Test::write_file($site->dir . '/packed.txt',
        join '', map {"$_\n"} @order, 'made-up');

    my $said = $site->shell($example{cron});
    like($said, qr/^\Q$order[0]\E captured$/m, 'cron: the first');
    like($said, qr/^\Q$order[1]\E captured$/m, 'cron: the second');
    like($said, qr/^\Q$order[2]\E refused 400$/m, 'cron: one that is not paid');
    like($said, qr/^made-up refused 404$/m, 'cron: one that is not known');

    my $before = calls()->{capture};
    is($site->shell($example{cron}), $said, 'cron: again, the same');
    is(calls()->{capture}, $before, 'cron: without a call');
}


# The table of answers.

sub answers {
    my ($site, $order) = @_;

    my @case = (
        [ 'an authorized payment cannot be cancelled', 400, 'problem',
            'cancel', '-d', "reference=$order" ],
        [ 'a wrong parameter', 400, 'problem', 'capture', '-d', 'amount=1' ],
        [ 'wrong capitals', 400, 'problem',
            'capture', '-d', "reference=$order&Amount=1" ],
        [ 'an unknown reference', 404, 'problem',
            'capture', '-d', 'reference=x' ],
        [ 'an unknown payment', 404, 'json', 'capture', '-d', 'paymentId=x' ],
        [ 'a wrong method', 405, 'problem', 'capture' ],
        [ 'no form', 415, 'problem', 'capture', '-d', 'x',
            '-H', 'Content-Type: text/plain' ],
        [ 'a body that is too large', 413, 'problem', 'capture',
            '-d', 'x=' . 'y' x 70_000 ],
        [ 'a key with other parameters', 422, 'problem', 'capture',
            '-H', "Idempotency-Key: capture-$order",
            '-d', "reference=$order&amount=1" ],
        [ 'somebody else', 403, 'problem', 'capture',
            '--interface', '127.0.0.9', '-d', "reference=$order" ],
    );

    for my $case (@case) {
        my ($name, $status, $type, $operation, @options) = @$case;
        my $r = $site->curl("$SITE/payer/$operation", @options);

        is($r->{status}, $status, "$name: $status");
        like($r->{headers}{'content-type'}, qr{^application/(?:\w+\+)?json},
            "$name: JSON");
        is($r->{headers}{'content-type'} =~ /problem/ ? 'problem' : 'json',
            $type, "$name: whose answer it is");
        is($r->{headers}{'cache-control'}, 'no-store', "$name: not cached");
    }
}


sub fixed {
    my ($text) = @_;

    my $site = serve($text);

    my $r = $site->curl("$SITE/buy?ticket=moon");
    is($r->{status}, 400, 'what is not for sale is not sold');
    like($r->{body}, qr/"field":"payer_amount"/, 'for it has no price');

    $r = $site->curl("$SITE/buy?ticket=week");
    is($r->{status}, 303, 'a ticket is');

    my ($order) = keys %{ sim('GET', 'books')->{references} };
    is(books($order)->{amount}, 60000, 'for its price');

    my $ticket = "$SITE/ticket?order=$order&" . ticket();

    is($site->curl($ticket)->{status}, 402, 'no ticket without a payment');
    pay($order);

    $r = $site->curl($ticket);
    is($r->{status}, 200, 'a ticket for who has paid');
    like($r->{body}, qr/Your ticket: \Q$order\E, 60000 SEK/, 'for this order');
    is(books($order)->{captured}, 60000, 'the money is captured');

    $site->stop;
}


sub payer_events {
    my ($text) = @_;

    my $site = serve($text);

    # Payer has to find the shop, whose name only curl knows
    my $here = "https://127.0.0.1:$site->{tls}";

    $site->shell($example{subscribe} =~ s{'url=\Q$SITE\E}{'url=$here}r);
    like($site->shell($example{subscriptions}),
        qr/(?:"CARD_PAYMENT_\w+".*){4}/, 'four types are subscribed to');

    my $order = buy($site, $SITE);
    pay($order);

    ok(Payer::Test::wait_until(sub { events()->[0] && events()->[0]{acked} }),
        'the event goes through');
    like($site->curl("$SITE/office")->{body},
        qr/\Q$order\E.*?paid, as Payer has told/s, 'and the shop knows');
    is($site->curl("$SITE/payer-event", '-d', 'x',
            '-H', "X-Payer-Reference: $order")->{status},
        404, 'nobody else can tell the shop');

    my $said = $site->shell('curl -sS -o /dev/null -w "%{http_code} " '
            . "'$SITE/payer/events?token=made-up-[1-300]'");
    like($said, qr/^404 .*\b503 /, 'made-up tokens come to an end');

    $site->stop;
}


sub proxy {
    my ($text) = @_;

    my $site = serve($text);
    my $plain = 'http://shop.example';
    my $order = buy($site, $plain, '-H', 'X-Forwarded-For: 192.0.2.1');

    my ($sent) = sent('create');
    like($sent, qr{"redirectOnSuccessURL":"\Q$SITE\E(?::\d+)?\Q/thanks?order=$order\E[&"]},
        'the buyer comes back over TLS');

    pay($order);

    my @capture = ("$plain/payer/capture", '-d', "reference=$order");

    is($site->curl(@capture, '-H', 'X-Forwarded-For: 192.0.2.1')->{status}, 403,
        'a buyer behind the load balancer cannot capture');
    is($site->curl(@capture)->{status}, 403, 'nor can the load balancer');
    is($site->curl(@capture, '-H', 'X-Forwarded-For: 10.1.2.3')->{status}, 200,
        'the back office can');

    $site->stop;
}


sub merchants {
    my ($text) = @_;

    my $site = serve($text);

    for my $case ([ books => '4711', 20000 ], [ records => '4712', 30000 ]) {
        my ($name, $agent, $amount) = @$case;

        is($site->curl("$SITE/$name/gift-card")->{status}, 303, "$name sells");

        my ($payment) = grep { $_->{amount} == $amount }
            @{ sim('GET', 'books')->{payments} };

        is($payment->{agent}, $agent, "$name has its own account");

        my $other = $name eq 'books' ? 'records' : 'books';
        my $query = "payment?reference=$payment->{reference}";

        is($site->curl("$SITE/$name/$query")->{status}, 200,
            "$name knows its order");
        is($site->curl("$SITE/$other/$query")->{status}, 404,
            "$other does not");
    }

    is(calls()->{token}, 2, 'each has a token');

    $site->stop;
}


sub simulator {
    my ($text) = @_;

    my ($port) = Payer::Sim::url() =~ /:(\d+)/;
    my $site = serve($text, [ qr/127\.0\.0\.1:8090/, "127.0.0.1:$port" ]);
    my $plain = 'http://shop.example';

    is($site->curl("$plain/checkout?order=7")->{status}, 303, 'a checkout');

    my $thanks = "$plain/thanks?order=7&" . ticket();

    is($site->curl($thanks)->{status}, 402, 'not paid');
    pay('7');

    my $r = $site->curl($thanks);
    is("$r->{status} $r->{body}", "200 order 7 is paid: AUTHORIZED\n", 'paid');
    is($site->curl("$plain/capture", '-d', 'reference=7')->{status}, 200,
        'captured');
    like($site->log, qr/a restart forgets/, 'nginx warns of the store');

    $site->stop;
}
