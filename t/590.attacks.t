# Attempts to reach the thank-you page without having paid for the order, and
# their results.  The table is printed at the end.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Gate;

shop();
master_on();
workers(2);

our @table;


# attack('what it is', 402, $response): refused with this status, and nothing
# of the page was in the answer

sub attack {
    my ($name, $status, @responses) = @_;

    for my $r (@responses) {
        is_refused($r, $status, $name);
        push @table, [ $name, $r->status,
            $r->raw =~ /THANK YOU/ ? 'THE PAGE' : 'refused' ];
    }

    return;
}


# What curl says to a request that Payer::HTTP cannot make.

sub curl {
    my (@args) = @_;
    my $raw = qx(curl -s -i --max-time 10 @args 2>&1);
    my ($status) = $raw =~ m{^HTTP/\S+ (\d+)};

    return bless { status => $status, raw => $raw, body => $raw,
        headers => [] }, 'Payer::HTTP::Response';
}


# Several requests on one connection, one after the other: the last answer.

sub keepalive {
    my (@paths) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => nginx_port())
        or die "connect: $!";

    print {$socket} map {
        my $end = $_ == $#paths ? 'close' : 'keep-alive';
        "GET $paths[$_] HTTP/1.1\r\nHost: shop\r\nConnection: $end\r\n\r\n"
    } 0 .. $#paths;

    my $raw = do { local $/; <$socket> };
    my @answers = split m{(?=^HTTP/1\.1 \d)}m, $raw;
    my ($status) = $answers[-1] =~ m{^HTTP/\S+ (\d+)};

    is(scalar @answers, scalar @paths, 'each request is answered');
    like($answers[0], qr/THANK YOU/, 'the first one is passed');

    return bless { status => $status, raw => $answers[-1],
        body => '', headers => [] }, 'Payer::HTTP::Response';
}


sub print_table {
    my %width;

    for my $row (@table) {
        $width{$_} = length $row->[$_] > ($width{$_} // 0)
            ? length $row->[$_] : $width{$_} for 0 .. 2;
    }

    diag('');
    diag(sprintf '%-*s  %s  %s', $width{0}, 'attack', 'code', 'answer');
    diag('-' x ($width{0} + 16));
    diag(sprintf '%-*s  %4s  %s', $width{0}, @$_) for @table;
    diag(scalar(@table), ' attacks');

    return;
}


run_payer_tests();

__DATA__

=== TEST 1: a direct request for the page without a payment is rejected
--- after
attack('success URL of an order that was never made', 402, thanks('made-up'));
attack('success URL without an order', 402, get('/thanks'));

order('1001');
attack('success URL straight after the checkout', 402, thanks('1001'));
attack('payment id in place of the reference', 402, thanks(payment('1001')));
pay('1001', card => 'decline');
attack('after a card that was declined', 402, thanks('1001'));
pay('1001', card => '3ds', threeds => 'reject');
attack('after 3-D Secure was rejected', 402, thanks('1001'));
pay('1001', card => '3ds', threeds => 'start');
attack('in the middle of 3-D Secure', 402, thanks('1001'));
advance(32 * 86400);
attack('after the link has expired', 402, thanks('1001'));



=== TEST 2: the payment of another order is rejected
--- config
    location /files/ {
        payer_verify $arg_order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
--- after
paid('1001');
order('1002');
is_thanked(thanks('1001'), 'the paid one is passed');

attack('another buyer\'s order was paid, this one was not', 402,
    thanks('1002'));
attack('paid and unpaid on one connection', 402,
    keepalive('/thanks?order=1001', '/thanks?order=1002'));

for my $query (
    'order=1001&order=1002', 'order=1002&order=1001',
    'order=1001&Order=1002', 'order=1001&%6frder=1002',
    'order=1001&order[]=1002', 'order=1001&+order=1002',
    'order=1001&order%00x=1002', 'order=1001;order=1002',
    'x;order=1002&order=1001', 'order=1001&%u006frder=1002',
    'order=1001&order', 'order=1001&order=',
) {
    attack("two orders: ?$query", 402, get("/thanks?$query"));
}

is_thanked(get('/thanks?order=1001&reorder=1&order_id=2&orders=3'),
    'other arguments are nobody\'s business');



=== TEST 3: other spellings of the reference are rejected
--- after
paid('1001');
order('1002');

for my $reference (
    '1001%00', '1001%20', '%201001', '1001%0a', '1001/../1002', '../4711/1001',
    '%2531001', '100%EF%BC%91', '100%C0%B1', '1001%', '100_', '%25', '*',
    '01001', '1001.0', '1001%2e', '1001;x', '1001%2C1002', '1001%261002',
) {
    attack("paid order, other spelling: $reference", 402, thanks($reference));
}

for my $path ('//thanks', '/./thanks', '/x/../thanks', '/%74hanks',
    '/thanks%2F..%2Fthanks') {
    attack("path: $path", 402, get("$path?order=1002"));
}



=== TEST 4: other methods, headers and protocols are rejected
--- config
    location = /file.txt { payer_verify $arg_order; }
--- user_files
>>> file.txt
THANK YOU, here is the file
--- after
order('1001');

attack("method $_", 402, request($_, '/thanks?order=1001'))
    for qw(HEAD POST PUT DELETE OPTIONS PATCH);
attack('order in the body of a POST', 402,
    post('/thanks?order=1001', form => { order => '1001', paid => 1 }));
attack('Range of a file', 402, get('/file.txt?order=1001',
    headers => { Range => 'bytes=0-3' }));
attack('If-Modified-Since', 402, get('/file.txt?order=1001', headers =>
    { 'If-Modified-Since' => 'Fri, 01 Jan 2100 00:00:00 GMT' }));
attack('forged X-Payer-Status', 402, get('/thanks?order=1001', headers =>
    { 'X-Payer-Status' => 'AUTHORIZED', 'X-Payer-Outcome' => 'paid' }));
attack('If-None-Match: *', 402, get('/file.txt?order=1001', headers =>
    { 'If-None-Match' => '*' }));
attack('HTTP/1.0', 402, curl('--http1.0',
    "'http://127.0.0.1:" . nginx_port() . "/thanks?order=1001'"));
attack('Upgrade to another protocol', 402, get('/thanks?order=1001',
    headers => { Upgrade => 'websocket', Connection => 'upgrade, close' }));



=== TEST 5: the same requests over HTTP/2 are rejected
--- http_config perl
"server {
    listen 127.0.0.1:" . ($ENV{TEST_NGINX_H2_PORT} //= free_port())
    . " http2;
" . payer_server() . '
    location = /thanks {
        payer_verify $arg_order;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
}
'
--- after
my $h2 = "--http2-prior-knowledge 'http://127.0.0.1:$ENV{TEST_NGINX_H2_PORT}";
order('1001');
attack('HTTP/2', 402, curl("$h2/thanks?order=1001'"));
attack('HTTP/2, HEAD', 402, curl("-I $h2/thanks?order=1001'"));
attack('HTTP/2, POST', 402, curl("-X POST $h2/thanks?order=1001'"));
pay('1001');
my $r = curl("$h2/thanks?order=1001'");
like($r->raw, qr{^HTTP/2 200.*^cache-control: no-store.*THANK YOU}sm,
    'a request for the paid order is passed');



=== TEST 6: internal redirects and subrequests do not bypass payer_verify
--- user_files
>>> page.shtml
<!--# include virtual="/thanks?order=1001" --> <!--# include virtual="/thanks?order=1002" -->
--- config
    location = /page.shtml { ssi on; ssi_types *; }
    location = /paid.shtml {
        ssi on; ssi_types *;
        payer_verify $arg_order;
        alias $TEST_NGINX_SERVROOT/html/page.shtml;
    }
    location = /guarded {
        auth_request /thanks?order=1001;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
    location = /missing {
        error_page 404 /thanks?order=1001;
        return 404;
    }
    location = /again {
        payer_verify $arg_order;
        error_page 402 /thanks?order=1001;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
    location = /rewritten {
        set $x $payer_status;
        rewrite ^ /thanks?order=1001?;
    }
    location = /tried { try_files /none /thanks?order=1001; }
    location = /cart {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT/;
    }
--- after
order('1001');
paid('1002');

my $r = get('/page.shtml');
is($r->status, 200, 'the page that includes is there');
unlike($r->body, qr/THANK YOU/, 'the page that it includes is not');
push @table, [ 'SSI include from an open page', 402, 'refused' ]
    if $r->raw !~ /THANK YOU/ && $r->raw =~ /402/;

$r = get('/paid.shtml?order=1002');
unlike($r->body, qr/THANK YOU for 1001/, 'nor is that of another order');
like($r->body, qr/THANK YOU for 1002/, 'but its own is');
push @table, [ 'SSI include from the page of a paid order', 402, 'refused' ]
    if $r->raw !~ /THANK YOU for 1001/ && $r->raw =~ /402/;

attack('the gate as target of auth_request', 500, get('/guarded'));
attack('the gate as page of a 404', 402, get('/missing'));
attack('the gate as page of its own 402', 402, get('/again?order=none'));
attack('rewrite to the gate', 402, get('/rewritten'));
attack('try_files to the gate', 402, get('/tried'));



=== TEST 7: a smaller amount or another currency is rejected
--- after
paid('1001');

for my $edit (
    [ 'one unit less authorized' => 402,
        set => { 'payment.authorizedAmount' => 12899 } ],
    [ 'another currency' => 402, set => { 'payment.currencyCode' => 'JPY' } ],
    [ 'payment of another order' => 402,
        set => { 'payment.externalPaymentReference' => '1002' } ],
    [ 'payment with another id' => 503, set => { 'payment.id' => 'pay_x' } ],
    [ 'a status that nobody knows' => 503,
        set => { 'payment.status' => 'AUTHORIZATION_REQUESTED' } ],
    [ 'a negative amount' => 503,
        set => { 'payment.authorizedAmount' => -12900 } ],
    [ 'an amount as text' => 503,
        set => { 'payment.authorizedAmount' => '99999999' } ],
    [ 'an amount with a fraction' => 503,
        set => { 'payment.authorizedAmount' => 12900.5 } ],
) {
    my ($name, $status, %edit) = @$edit;
    sim('DELETE', 'faults');
    faults({ match => 'read', action => 'edit', %edit });
    attack("Payer's books: $name", $status, thanks('1001'));
}

order('1002', amount => 100);
pay('1002', card => '3ds', threeds => 'start');
order('1002', amount => 990000);
sim('POST', 'pay', { paymentId => sim('GET', 'books?reference=1002')
    ->{payments}[0]{paymentId}, threeds => 'approve' });
attack('the old link is paid after the order has become dearer', 402,
    thanks('1002'));

order('1003', currency => 'JPY');
order('1003', currency => 'EUR');
attack('the currency of the order has changed', 402, thanks('1003'));



=== TEST 8: a released or cancelled payment is rejected
--- config
    location = /release { payer_release; payer_allow 127.0.0.1; }
--- after
order('1001');
pay('1001', card => '3ds', threeds => 'start');
cancel('1001');
attack('cancelled', 402, thanks('1001'));
pay('1001', threeds => 'approve');
attack('cancelled, and then authorized', 402, thanks('1001'));

paid('1002');
is(post('/release', json => { reference => '1002' })->status, 200, 'released');
attack('authorized, and then released', 402, thanks('1002'));



=== TEST 9: requests are rejected while Payer fails
--- gate
payer_verify $arg_order;
payer_timeout 1s;
payer_tries 1;
--- after
order('1001');

for my $fault (
    [ 'Payer does not answer' => action => 'silence' ],
    [ 'Payer hangs up' => action => 'close' ],
    [ 'Payer\'s answer is cut off' => action => 'truncate' ],
    [ 'Payer\'s answer stops in the middle' => action => 'stall' ],
    [ 'Payer says 500' => status => 500 ],
    [ 'Payer says 404' => status => 404, body => {} ],
    [ 'a proxy answers 200 with HTML' => status => 200,
        body => '<html>AUTHORIZED</html>' ],
    [ 'bad JSON' => action => 'garbage' ],
    [ 'JSON that says it twice' => status => 200,
        body => '{"payment":{"status":"INITIATED","status":"AUTHORIZED"}}' ],
    [ 'an empty answer' => action => 'empty' ],
) {
    my ($name, %fault) = @$fault;
    sim('DELETE', 'faults');
    faults({ match => 'read', %fault });
    attack($name, 503, thanks('1001'));
}

sim('DELETE', 'faults');
revoke();
faults({ match => 'token', status => 401, times => 0 });
attack('Payer does not give a token', 503, thanks('1001'));



=== TEST 10: requests are rejected after a worker process was killed and during a reload
--- alert: exited on signal 9
--- after
order('1001');
faults({ match => 'read', delay => 1, times => 0 });

my $visit = sub {
    my $reads = calls()->{read} // 0;

    pipe my $reader, my $writer or die "pipe: $!";
    my $child = fork // die "fork: $!";

    if (!$child) {
        my $r = thanks('1001');
        print {$writer} $r->raw;
        close $writer;
        POSIX::_exit(0);
    }

    close $writer;
    ok(wait_until(sub { (calls()->{read} // 0) > $reads }, 5), 'it asks');

    return ($child, $reader);
};

my ($child, $reader) = $visit->();
my @old = worker_pids();
kill 'KILL', @old;
my $raw = do { local $/; <$reader> } // '';
waitpid $child, 0;
unlike($raw, qr/THANK YOU/, 'nothing comes out');
push @table, [ 'the worker dies while it asks', '-', 'refused' ]
    if $raw !~ /THANK YOU/;

ok(wait_until(sub { my %old = map { $_ => 1 } @old;
    my @now = worker_pids(); @now == 2 && !grep { $old{$_} } @now }, 5),
    'new workers');
attack('after the worker has died', 402, thanks('1001'));

sim('DELETE', 'faults');
faults({ match => 'read', delay => 1 });
($child, $reader) = $visit->();
reload();
$raw = do { local $/; <$reader> } // '';
waitpid $child, 0;
like($raw, qr{^HTTP/1.1 402}, 'refused');
push @table, [ 'reload in the middle', 402, 'refused' ]
    if $raw =~ m{^HTTP/1.1 402} && $raw !~ /THANK YOU/;
attack('after a reload', 402, thanks('1001'));



=== TEST 11: requests are rejected while the zone is full
--- bare
--- http_config perl
"payer_zone payer 256k;
 payer_store memory;
 upstream payer { server 127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}; }
" . Payer::Gate::_shop($ENV{TEST_NGINX_SHOP_PORT})
--- config perl
payer_server() . '
    location = /buy { rewrite ^ /checkout; }
    location = /checkout {
        internal;
        payer_checkout;
        payer_reference      $arg_order public;
        payer_amount         12900;
        payer_currency       SEK;
        payer_return_success /thanks;
        payer_return_fail    /failed;
        payer_return_back    /cart;
    }
    location = /thanks {
        payer_verify $arg_order;
        payer_verify_cache 0;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SHOP_PORT;
    }
'
--- request
GET /thanks
--- error_code: 402
--- after
my @paid = map { sprintf '%0*d', 2 * $_, $_ } 10 .. 60;
order($_) for 1001, @paid;

my $n = 0;
for my $tail ('x' x 200, 'x' x 100, '') {
    1 while $n < 1000 && get("/buy?order=fill-$tail" . $n++)->status == 303;
}
cmp_ok($n, '<', 1000, "the zone is full after $n orders");

attack('full zone, an order that was not paid', 402, thanks('1001'));
attack('full zone, an order that is not there', 402, thanks('none'));

# What a payment adds fits into the place that most orders have already.
pay($_) for @paid;
my %seen;
$seen{ thanks($_)->status }++ for @paid;
like(join(' ', sort keys %seen), qr/^200( 503)?$/, 'who has paid is passed, or'
    . ' has to wait where that cannot be stored');
cmp_ok($seen{200}, '>', $seen{503} // 0, 'most are passed');



=== TEST 12: after the loss of the store requests for paid orders are rejected
--- after
paid('1001');
is_thanked(thanks('1001'), 'paid');

my $pid = nginx_pid();
kill 'QUIT', $pid;
ok(wait_until(sub { !defined nginx_pid() }, 10), 'nginx stops');

my $root = $Test::Nginx::Util::ServRoot;
system($ENV{TEST_NGINX_BINARY}, '-e', error_log_path(), '-p', "$root/",
    '-c', $Test::Nginx::Util::ConfFile);
ok(wait_until(sub { nginx_pid() }, 10), 'and starts again');
wait_until(sub { get('/nothing')->status == 404 }, 5);

attack('everything is forgotten, even what was paid', 402, thanks('1001'));



=== TEST 13: all attempts were rejected
--- after
print_table();

my %different = map { $_->[0] => 1 } @table;
cmp_ok(scalar keys %different, '>=', 15, 'at least fifteen ways');
is(scalar(grep { $_->[2] ne 'refused' } @table), 0, 'all of them refused');
