# Hostile requests: forms that two servers could parse differently, too large,
# in pieces, pipelined, ambiguous.  For each form the answers and what has
# reached Payer are checked.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use IO::Socket::INET;
use IO::Select;
use Time::HiRes qw(time);

$ENV{TEST_NGINX_H2_PORT} = free_port();

# How many shapes were tried, over all blocks.
our $shapes = 0;

my $paid = 0;


# Every kind of location, and a buyer's that takes what it can from the URL.

sub server {
    return "lingering_timeout 100ms;\n" . operations()
        . checkout('= /checkout', payer_reference => '$arg_order public',
            payer_language => '$arg_lang',
            payer_return_success => '/thanks?to=$arg_to',
            payer_return_back => '$arg_back/cart')
        . checkout('= /iframe', payer_present => 'iframe')
        . checkout('= /any-url', payer_return_success => '$arg_to')
        . location('/thanks', payer_verify => '$arg_order',
            alias => "$ENV{TEST_NGINX_SECRET}")
        . location('/events', payer_events => '')
        . join '', map { location("/$_", "payer_$_" => '', payer_allow => '127.0.0.1') }
            qw(subscriptions reconcile metrics);
}


sub location {
    my ($name, @lines) = @_;

    return Payer::Conf::_block("location = $name", \@lines);
}


# A payment of 12900 of which a capture may take 1, many times.

sub paid {
    my $order = 'paid-' . ++$paid;

    get("/checkout?order=$order")->status == 303 or die 'no link';
    pay($order);

    return $order;
}


# Sends the bytes on one connection and reads until nginx closes it:
# everything that came back.

sub raw {
    my ($bytes, $unfinished) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => nginx_port()) or die "connect: $!\n";

    local $SIG{PIPE} = 'IGNORE';
    my $select = IO::Select->new($socket);
    my $got = '';

    while (length $bytes) {
        my $n = syswrite $socket, $bytes or last;
        substr $bytes, 0, $n, '';
    }

    # nginx would wait for the rest
    shutdown $socket, 1 if $unfinished;

    my $end = time + 10 * ($ENV{PAYER_TEST_SLOW} // 1);

    while (time < $end && $select->can_read($end - time)) {
        sysread($socket, $got, 65536, length $got) or last;
    }

    return $got;
}


# What the first of these calls has sent to Payer, without one nothing.

sub decoded {
    my $sent = (journal($_[0]))[0] or return;

    return JSON::PP->new->decode($sent->{body});
}


sub statuses {
    my ($got) = @_;
    return join ' ', $got =~ m{HTTP/1\.\d (\d{3}) }g;
}


# shape('what it is', 'bytes', qr/statuses/, 'calls'): the token does not count.
# All shapes end with a request after which the connection is closed, if not
# with one that is not finished.  Without calls: a link is made if it is shown.

sub shape {
    my ($name, $bytes, $expected, $calls, $unfinished) = @_;

    $shapes++;
    sim('DELETE', 'journal');

    my $got = raw($bytes, $unfinished);

    like(statuses($got), qr/\A(?:$expected)\z/, "$name - answers");
    is(what_reached(), $calls // (statuses($got) eq '303' ? 'create:1' : ''),
        "$name - what reached Payer") or Test::More::diag($got);
    unlike($got, qr/^X-Evil/mi, "$name - no header of theirs");

    return $got;
}


sub what_reached {
    my %count = map { $_ => calls()->{$_} } grep { $_ ne 'token' }
        grep { calls()->{$_} } keys %{ calls() };

    return join ' ', map {"$_:$count{$_}"} sort keys %count;
}


# A capture of 1 as it should be, then with other headers, or another body.

sub capture {
    my ($order, $headers, $body, %option) = @_;

    $body //= "reference=$order&amount=1";
    $headers //= 'Content-Length: ' . length $body;

    my $uri = $option{uri} // '/capture';
    my $method = $option{method} // 'POST';

    return join "\r\n", "$method $uri HTTP/1.1", 'Host: shop.example',
        'Content-Type: application/x-www-form-urlencoded',
        ('Connection: close') x !$option{more},
        (length $headers ? $headers : ()), '', $body;
}


sub visit {
    my ($uri, @headers) = @_;

    my $method = $uri =~ s/^([A-Z]+) // ? $1 : 'GET';

    return join "\r\n", "$method $uri HTTP/1.1", 'Host: shop.example',
        'Connection: close', @headers, '', '';
}


sub chunked {
    return join '', map { sprintf("%x\r\n%s\r\n", length, $_) } @_, '';
}


# Names of headers that a call of this kind carried, other than a call needs.

sub strange_headers {
    my ($call) = @_;

    my %known = map { $_ => 1 } qw(accept authorization content-length
        content-type host payer-request-id user-agent);
    my %seen = map { lc $_->[0] => 1 } map { @{ $_->{headers} } }
        journal($call);

    return join ' ', grep { !$known{$_} } sort keys %seen;
}


# HTTP/2 without TLS

sub h2 {
    my (@args) = @_;

    my $uri = pop @args;
    my $said = qx(curl -sS -m 10 -i --http2-prior-knowledge @args \\
        'http://127.0.0.1:$ENV{TEST_NGINX_H2_PORT}$uri' 2>&1);

    return join ' ', $said =~ m{^HTTP/2 (\d+)}mg;
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', server());
    $block->set_value('request', 'GET /metrics');
    $block->set_value('http_config', ($block->http_config // '') . "server {
        listen 127.0.0.1:$ENV{TEST_NGINX_H2_PORT} http2;
        " . payer_server() . operations() . checkout() . "
        large_client_header_buffers 4 8k;
    }");
});

run_payer_tests();

__DATA__

=== TEST 1: two different lengths and invalid chunks are rejected
--- after
my $order = paid();
my $body = "reference=$order&amount=1";
my $hidden = capture($order, undef, "reference=$order&amount=7");
my $n = length $body;

shape('as it should be', capture($order), 200, 'capture:1');

for my $row (
    [ 'Content-Length and chunked', "Content-Length: $n\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n$hidden" ],
    [ 'chunked and Content-Length', "Transfer-Encoding: chunked\r\nContent-Length: $n",
        chunked($body) . $hidden ],
    [ 'Content-Length twice, different', "Content-Length: $n\r\nContent-Length: 0" ],
    [ 'Content-Length twice, the same', "Content-Length: $n\r\nContent-Length: $n" ],
    [ 'Content-Length as a list', "Content-Length: $n, $n" ],
    [ 'Content-Length below zero', 'Content-Length: -1' ],
    [ 'Content-Length with a sign', "Content-Length: +$n" ],
    [ 'Content-Length in hexadecimal', sprintf 'Content-Length: 0x%x', $n ],
    [ 'Content-Length that overflows', 'Content-Length: 18446744073709551638' ],
    [ 'Content-Length that is empty', 'Content-Length:' ],
    [ 'a space before the colon', "Content-Length : $n" ],
    [ 'an encoding that nobody knows', 'Transfer-Encoding: xchunked', chunked($body) ],
    [ 'chunked and another encoding', 'Transfer-Encoding: chunked, identity', chunked($body) ],
    [ 'another encoding and chunked', 'Transfer-Encoding: gzip, chunked', chunked($body) ],
    [ 'chunked twice', "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", chunked($body) ],
    [ 'chunked and identity in two headers', "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunked($body) ],
    [ 'chunked in quotes', 'Transfer-Encoding: "chunked"', chunked($body) ],
    [ 'a folded header', "Transfer-Encoding:\r\n chunked", chunked($body) ],
    [ 'a size that is no number', 'Transfer-Encoding: chunked', "xyz\r\n$body\r\n0\r\n\r\n" ],
    [ 'a size below zero', 'Transfer-Encoding: chunked', "-1\r\n$body\r\n0\r\n\r\n" ],
    [ 'a size that overflows', 'Transfer-Encoding: chunked', "fffffffffffffffff\r\n$body\r\n0\r\n\r\n" ],
    [ 'a size in 0x', 'Transfer-Encoding: chunked', sprintf("0x%x\r\n%s\r\n0\r\n\r\n", $n, $body) ],
    [ 'a chunk that is longer than it says', 'Transfer-Encoding: chunked', "2\r\n$body\r\n0\r\n\r\n" ],
    [ 'a header with a NUL', "Content-Length: $n\r\nX-A: a\0b" ],
    [ 'a header without a name', "Content-Length: $n\r\n: x" ],
    [ 'a carriage return alone', "Content-Length: $n\rX-Evil: 1" ],
) {
    my ($name, $headers, $text) = @$row;

    shape($name, capture($order, $headers, $text // $body, more => 1)
        . $hidden,
        '(?:400|501|413|405)', '');
}

is(books($order)->{captured}, 1, 'nothing that was hidden was done');



=== TEST 2: split bodies and pipelined requests are answered correctly
--- after
my $order = paid();
my $body = "reference=$order&amount=1";
my $n = length $body;
my $chunked = 'Transfer-Encoding: chunked';

for my $row (
    [ 'one chunk', $chunked, chunked($body) ],
    [ 'a chunk for each byte', $chunked, chunked(split //, $body) ],
    [ 'chunks with extensions', $chunked, sprintf("%x;a=b;c=\"d\"\r\n%s\r\n0;e\r\n\r\n", $n, $body) ],
    [ 'leading zeros in a size', $chunked, sprintf("%010x\r\n%s\r\n000\r\n\r\n", $n, $body) ],
    [ 'a trailer', $chunked, sprintf("%x\r\n%s\r\n0\r\nX-Evil: 1\r\n\r\n", $n, $body) ],
    [ 'the name of the encoding in capitals', 'Transfer-Encoding: CHUNKED', chunked($body) ],
    [ 'Expect: 100-continue', "Content-Length: $n\r\nExpect: 100-continue" ],
    [ 'Expect of something else', "Content-Length: $n\r\nExpect: 200-ok" ],
    [ 'Upgrade', "Content-Length: $n\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket" ],
    [ 'Connection that names headers', "Content-Length: $n\r\nConnection: Authorization, Content-Length" ],
    [ 'another method in a header', "Content-Length: $n\r\nX-HTTP-Method-Override: DELETE" ],
    [ 'Range', "Content-Length: $n\r\nRange: bytes=0-0" ],
) {
    my ($name, $headers, $text) = @$row;

    shape($name, capture($order, $headers, $text // $body),
        '(?:100 )?200', 'capture:1');
}

shape('line feeds alone', capture($order) =~ s/\r\n/\n/gr, 200, 'capture:1');
shape('an empty line in front', "\r\n" . capture($order), 200, 'capture:1');
shape('HTTP/1.0', capture($order) =~ s{HTTP/1.1}{HTTP/1.0}r, 200,
    'capture:1');
shape('HTTP/1.0, chunked', capture($order, $chunked, chunked($body))
    =~ s{HTTP/1.1}{HTTP/1.0}r, '(?:400|501)', '');
shape('the whole URL', capture($order, undef, undef,
    uri => 'http://shop.example/capture'), 200, 'capture:1');
shape('a URL of another host', capture($order, undef, undef,
    uri => 'http://evil.example/capture'), 200, 'capture:1');
shape('a body that stops', capture($order, 'Content-Length: 500'),
    '(?:400)?', '', 1);
shape('a chunk that stops', capture($order, $chunked, "64\r\n$body"),
    '(?:400)?', '', 1);

shape('three in a row', join('', map { capture($order, undef,
    "reference=$order&amount=$_", more => $_ < 3) } 1 .. 3),
    '200 200 200', 'capture:3');
is(join(' ', map { $_->{body} =~ /"amount":(\d+)/ } journal('capture')),
    '1 2 3', 'each once, and in order');

my $more = capture($order, undef, undef, more => 1);

shape('one in a row is refused', $more . capture($order, undef,
    "reference=$order&amount=0", more => 1) . capture($order),
    '200 400 200', 'capture:2');
shape('the back office and a buyer in a row', $more
    . visit("/checkout?order=$order-x"), '200 303', 'capture:1 create:1');
shape('a request that looks like a body', capture($order, undef,
    capture($order)), 400, '');

is(books($order)->{captured}, 12 + 3 + 2 + 6 + 2 + 1, 'the books agree');



=== TEST 3: bodies, arguments and headers that are too large are rejected
--- after
my $order = paid();
my $body = "reference=$order&amount=1";
my $large = "reference=$order&amount=1&transactionDescription=" . 'x' x 70_000;
my $huge = 'x' x 1_200_000;
my $chunked = 'Transfer-Encoding: chunked';

for my $row (
    [ 'a large body', undef, $large ],
    [ 'a large body in chunks', $chunked, chunked($large =~ /.{1,1000}/g) ],
    [ 'a body above client_max_body_size', undef, $huge ],
    [ 'a body of which only the size comes', 'Content-Length: 99999999999', '' ],
    [ 'Expect with a body that is too large', "Content-Length: 99999999999\r\nExpect: 100-continue", '' ],
    [ 'a chunk above client_max_body_size', $chunked, sprintf('%x', 1 << 30) . "\r\n$body" ],
) {
    my ($name, $headers, $text) = @$row;

    for my $uri (qw(/capture /refund /cancel /release)) {
        shape("$name, $uri", capture($order, $headers, $text, uri => $uri),
            413, '');
    }
}

for my $row (
    [ 'a header of 40 kB', 'X-A: ' . 'x' x 40_000 ],
    [ 'a thousand headers', join "\r\n", map {"X-$_: " . 'x' x 40 } 1 .. 1000 ],
    [ 'a cookie of 40 kB', 'Cookie: ' . 'x' x 40_000 ],
    [ 'an Idempotency-Key of 5 kB', 'Idempotency-Key: ' . 'x' x 5000 ],
) {
    my ($name, $headers) = @$row;

    shape($name, capture($order, 'Content-Length: ' . length($body)
        . "\r\n$headers", $body), '(?:400|431|494)', '');
}

shape('a URI of 40 kB', visit('/payment?reference=' . 'x' x 40_000), 414, '');
shape('a reference of 5 kB', visit('/checkout?order=' . 'x' x 5000), 400, '');
shape('a thousand parameters', capture($order, undef,
    join '&', map {"a$_=1"} 1 .. 1000), 400, '');
shape('JSON of many levels', capture($order,
    'Content-Length: 20000', '[' x 20000)
    =~ s{x-www-form-urlencoded}{json}r, 400, '');

is(books($order)->{captured}, 0, 'no money moved');



=== TEST 4: methods that an operation does not support are rejected
--- after
my $order = paid();

my %allowed = (
    '/checkout?order=m' => 'GET HEAD POST',
    '/iframe?order=m'   => 'GET HEAD POST',
    "/capture?reference=$order" => 'POST',
    '/refund'           => 'POST',
    '/cancel'           => 'PUT POST',
    '/release'          => 'PUT POST',
    '/payment'          => 'GET HEAD',
    '/events?token=x'   => 'GET HEAD POST',
    '/subscriptions'    => 'GET HEAD POST DELETE',
    '/reconcile'        => 'POST',
    '/metrics'          => 'GET HEAD',
);

for my $uri (sort keys %allowed) {
    for my $method (qw(GET HEAD POST PUT DELETE PATCH OPTIONS TRACE LINK BREW
        post))
    {
        next if $allowed{$uri} =~ /\b$method\b/;

        shape("$method $uri", visit("$method $uri"), '(?:400|405)', '');
    }
}

shape('CONNECT', visit('CONNECT b2b.payer.se:443'), '(?:400|405)', '');
shape('no method that HTTP knows', "G\0ET / HTTP/1.1\r\n\r\n", 400, '');
shape('HTTP/0.9', "GET /capture?reference=$order\r\n", '', '');
shape('HTTP/3.7', "GET /capture HTTP/3.7\r\n\r\n", '(?:400|505)', '');

for my $row (
    [ 'checkout', '/checkout?order=head', 303, 'create:1' ],
    [ 'checkout again', '/checkout?order=head', 303, '' ],
    [ 'iframe', '/iframe?order=head', 200, '' ],
    [ 'the gate', '/thanks?order=head', 402, 'read:1' ],
    [ 'payment', "/payment?reference=$order", 200, 'read:1' ],
    [ 'subscriptions', '/subscriptions', 200, 'subscriptions:1' ],
    [ 'metrics', '/metrics', 200, '' ],
) {
    my ($name, $uri, $status, $calls) = @$row;
    my $got = shape("HEAD, $name", visit("HEAD $uri"), $status, $calls);

    like($got, qr/\r\n\r\n\z/, "HEAD, $name - no body");
}

is(books($order)->{captured}, 0, 'no money moved');



=== TEST 5: range and conditional requests get the complete answer
--- after
my $order = paid();
get('/iframe?order=part');

for my $header ('Range: bytes=0-9', 'Range: bytes=0-0,-1', 'If-Range: "x"',
    'If-None-Match: *', 'If-Match: "x"',
    'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT',
    'If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT',
    'Accept-Encoding: gzip, br', 'Accept: image/png')
{
    my $page = shape("page, $header", visit('/iframe?order=part', $header),
        200, '');
    like($page, qr{<iframe.*</html>\s*\z}s, "page, $header - whole");

    my $read = shape("payment, $header",
        visit("/payment?reference=$order", $header), 200, 'read:1');
    like($read, qr{"status":"\w+".*\}\z}s, "payment, $header - whole");

    my $body = "reference=$order&amount=1";
    my $done = shape("capture, $header", capture($order,
        'Content-Length: ' . length($body) . "\r\n$header", $body), 200,
        'capture:1');
    like($done, qr{"referenceId".*\}\z}s, "capture, $header - whole");
}



=== TEST 6: headers and framing of a client's request are not passed to Payer
--- after
my $order = paid();
my @headers = ('Transfer-Encoding: chunked', 'Expect: 100-continue', 'TE: trailers',
    'Connection: keep-alive, Authorization', 'Upgrade: websocket', 'Range: bytes=0-1',
    'If-Match: "x"', 'If-None-Match: "x"', 'If-Range: "x"', 'Accept-Encoding: gzip',
    'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT', 'Cookie: session=secret',
    'Authorization: Bearer of-the-shop', 'Proxy: http://evil.example',
    'Payer-Request-ID: 00000000-0000-4000-8000-000000000000',
    'X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: gopher', 'Forwarded: host=evil.example',
    'X-HTTP-Method-Override: DELETE', 'X-Original-URL: /_payer/', 'Via: evil',
    'Content-Encoding: gzip', 'Trailer: X-Evil', 'Referer: http://evil.example/',
    'Origin: http://evil.example', 'X-Accel-Redirect: /_payer/');
my $headers = join "\r\n", @headers;

$headers =~ s/^Connection: keep-alive/Connection: close/m;
my $post = capture($order, $headers, chunked("reference=$order&amount=1"),
    more => 1);
my $visit = $post =~ s{^POST /capture}{POST /checkout?order=clean}r;

revoke();
shape('checkout', $visit, '(?:100 )?303', 'create:2');
shape('capture', $post, '(?:100 )?200', 'capture:1');
is(strange_headers('capture'), '', 'capture - no header of theirs');
unlike((sent('capture'))[0], qr/evil|of-the-shop|00000000-/,
    'capture - nor a word');

shape('read', visit("/payment?reference=$order", grep { !/^Transfer|^Conn/ }
    @headers), '(?:100 )?200', 'read:1');
is(strange_headers('read'), '', 'read - no header of theirs');

sim('DELETE', 'journal');
revoke();
raw($visit =~ s/clean/clean-2/r);
is(strange_headers($_), '', "$_ - no header of theirs") for qw(token create);
like((sent('token'))[0], qr/\n\ngrant_type=client_credentials\z/,
    'token - and no body of theirs');
unlike((sent('create'))[-1], qr/evil|amount=1|chunked/,
    'create - and no body of theirs');



=== TEST 7: values with line breaks, NUL or invalid UTF-8 are rejected
--- after
my @bad = ('%0d%0aX-Evil:1', 'a%0d%0aX-Evil:1', 'a%0aX-Evil:1', 'a%00',
    'a%7f', 'a%1b', '%c0%ae', '%ed%a0%80', '%ff', '%', '%2', '%zz',
    'x' x 256);

for my $text (@bad) {
    my $name = substr $text, 0, 20;

    shape("reference $name", visit("/checkout?order=$text"), 400, '')
        unless $text =~ /^%(?:2|zz)?\z/;
    shape("language $name", visit("/checkout?order=lang-$shapes&lang=$text"),
        303);
    is(decoded('create')->{languageCode}, 'sv',
        "language $name - no sale is lost for it");

    my $got = shape("payment id $name", visit("/payment?paymentId=$text"),
        400, '');
    shape("reference $name, payment", visit("/payment?reference=$text"),
        '(?:400|404)', '');
}

for my $text ('a%E5%C3%85', 'caf%C3%A9', '%F0%9F%92%B3', '"\\%22%5c', '<script>',
    "'--", '{}', '%25', '%252e%252e', '..', '../../x', 'a/b?c#d', 'x' x 255)
{
    my $got = raw(visit("/checkout?order=" . ($text =~ s/ /%20/gr)));

    $shapes++;
    unlike($got, qr/^X-Evil/mi, "reference $text - no header");
    like(statuses($got), $text =~ /%E5/ ? qr/^400$/ : qr/^303$/,
        "reference $text - answer");
}

# What is in the query goes into the address as it came: encoded.
for my $text ('%0d%0aX-Evil:1', '%00', '"', '%22%3E%3Cscript%3E', '\\evil',
    '%2e%2e%2f', 'a#b', '@evil.example', 'x' x 2000)
{
    my $order = 'to-' . ++$paid;

    shape("return address $text", visit("/checkout?order=$order&to=$text"),
        '(?:303|400)');

    my $made = books($order) or next;
    unlike(join('', map { $_ // '' } %$made), qr/[\r\n\0]/, "return address $text - encoded");
}



=== TEST 8: payment ids and tokens with a path are rejected
--- after
my @ids = ('..%2f..%2fevents', '..%2F', '%2e%2e%2f', '%2e%2e', '..', '.',
    '%252e%252e%252f', 'a%2fb', 'a/b', 'a%3fb', 'a?b', 'a%23b', 'a;b', 'a%00',
    '%00', 'a%20b', 'a+b', 'a%5cb', '%7bpaymentId%7d', 'x' x 65, '*', 'a.b',
    'a%c0%afb', '%ef%bc%8f', 'a:b', 'a@b', '%u002e', 'a%0d%0ab', 'a%26b', 'a=b');

for my $id (@ids) {
    my $name = substr $id, 0, 20;

    shape("payment of $name", visit("/payment?paymentId=$id"), 400, '');

    shape("capture of $name", capture(undef, undef, "paymentId=$id&amount=1"),
        400, '');

    next if $id =~ /[+=]/;      # a token of an event may have these

    shape("event $name", visit("/events?token=$id"), '(?:400|404)', '')
        unless $id =~ /^(?:x+|a[.:@]b|\.\.?|\*|%2e%2e|%u002e)\z/;
}

for my $id ('../x', "a\\u002fb", "a\\/b", "\\u0000", "a\\nb", '', 'x' x 65) {
    shape("JSON, payment of " . substr($id, 0, 10), capture(undef, undef,
        qq({"paymentId":"$id","amount":1})) =~ s/x-www-form-urlencoded/json/r,
        400, '');
}

for my $uri (qw(/_payer/api/v2/payments/x /_payer /_payer/ /%5fpayer/x
    //_payer//x /./_payer/x /capture/../_payer/x /capture/..%2f_payer/x
    /_PAYER/x /_payer/%2e%2e/_payer/x /_payer;x/ http://payer/_payer/x
    http://shop.example/_payer/oauth2/token))
{
    shape("path $uri", visit($uri), '(?:400|404)', '');
    shape("path $uri, POST", capture(undef, undef, 'amount=1', uri => $uri),
        '(?:400|404|405)', '');
}



=== TEST 9: return addresses have a host of server_name
--- after
my $port = nginx_port();
my $own = qr{^http://localhost:$port/};

for my $row (
    [ 'X-Forwarded-Host', '', 'X-Forwarded-Host: evil.example' ],
    [ 'X-Forwarded-Proto', '', 'X-Forwarded-Proto: javascript' ],
    [ 'X-Forwarded-Port', '', 'X-Forwarded-Port: 6666' ],
    [ 'Forwarded', '', 'Forwarded: host=evil.example;proto=https' ],
    [ 'X-Host', '', 'X-Host: evil.example', ],
    [ 'two slashes', '&back=//evil.example' ],
    [ 'a slash and a backslash', '&back=/\\evil.example' ],
    [ 'a path', '&back=/%2e%2e//evil.example' ],
    [ 'an address in the query', '&to=https://evil.example/' ],
) {
    my ($name, $query, @headers) = @$row;
    my $order = 'own-' . ++$paid;

    shape($name, visit("/checkout?order=$order$query", @headers),
        '(?:303|400)');

    my $said = decoded('create') or next;

    like($said->{$_}, $own, "$name - $_") for qw(redirectOnSuccessURL
        redirectOnFailURL backToShopURL);
}

# An operator may let the query name the whole address; not any address.
for my $to ('javascript:alert(1)', 'data:text/html,x', 'evil.example', '',
    'ftp://evil.example/', 'https://user:secret@evil.example/', 'https://',
    'https:evil.example', 'http:///evil.example', 'https://evil.example\\x',
    "https://evil.example/%0d%0aX-Evil:1" =~ s/%0d%0a/\t/r)
{
    shape("to $to", visit("/any-url?order=any&to=$to"), 400, '');
}

shape('to another site, since that is configured',
    visit('/any-url?order=any&to=https://elsewhere.example/'), 303, 'create:1');

for my $host ('evil.example, shop.example', 'evil example', 'evil/example',
    'evil.example:80:80', 'evil.example@shop', '"><script>', '', '[::1')
{
    shape("Host: $host", visit('/checkout?order=host-' . ++$paid)
        =~ s/Host: .*?\r/Host: $host\r/r, '(?:400|303)');

    my $said = decoded('create') or next;

    like($said->{redirectOnFailURL}, qr{^http://[\w.:\[\]-]+/failed$},
        "Host: $host - an address all the same");
}

shape('two Hosts', visit('/checkout?order=hosts', 'Host: evil.example'),
    400, '');
shape('no Host', visit('/checkout?order=none') =~ s/Host:.*?\r\n//r, 400, '');



=== TEST 10: ambiguous requests over HTTP/2 are rejected
--- after
my $order = paid();

for my $row (
    [ 'as it should be', 200, 'capture:1', "-d 'reference=$order&amount=1'", '/capture' ],
    [ 'TE', 200, 'capture:1', "-H 'TE: trailers' -d 'reference=$order&amount=1'", '/capture' ],
    [ 'conditions', 200, 'capture:1', "-H 'If-Match: x' -H 'Range: bytes=0-1' -d 'reference=$order&amount=1'", '/capture' ],
    [ 'HEAD of a capture', 405, '', '-I', "/capture?reference=$order&amount=1" ],
    [ 'GET of a capture', 405, '', '', "/capture?reference=$order&amount=1" ],
    [ 'an id with a path', 400, '', '', '/payment?paymentId=..%2fx' ],
    [ 'a reference with a header', 400, '', '', '/checkout?order=a%0d%0aX-Evil:1' ],
    [ 'the road to Payer', 404, '', '', '/_payer/x' ],
    [ 'HEAD of a checkout', 303, 'create:1', '-I', '/checkout?order=h2-head' ],
    [ 'HEAD of a payment', 200, 'read:1', '-I', "/payment?reference=$order" ],
) {
    my ($name, $status, $calls, $args, $uri) = @$row;

    $shapes++;
    sim('DELETE', 'journal');

    is(h2($args, $uri), $status, "$name - answer");
    is(what_reached(), $calls, "$name - what reached Payer");
    is(strange_headers($_), '', "$name - $_ without headers of theirs")
        for qw(capture create read);
}



=== TEST 11: at least 250 forms of requests were tested
--- after
Test::More::diag("$shapes shapes");
cmp_ok($shapes, '>=', 250, 'a good many shapes');
