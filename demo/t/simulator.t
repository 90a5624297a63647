# What the simulator promises to the tests of the module: each call, the books,
# the journal, the events and every fault.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

BEGIN { $ENV{MOJO_LOG_LEVEL} = 'fatal' }

use File::Temp;
use FindBin;
use IO::Select;
use IO::Socket::INET;
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json encode_json);
use Mojo::Server::Daemon;
use Mojo::UserAgent;
use Mojo::Util qw(b64_encode);
use Mojolicious;
use Test::More;
use Time::HiRes qw(time);

$SIG{ALRM} = sub { BAIL_OUT('simulator.t hangs') };
alarm 120;

my $REPO = "$FindBin::RealBin/../..";
my $UUID = '00000000-0000-4000-8000-0000000000';

my $pid = open my $out, '-|', "$REPO/demo/simulator",
    '--listen', 'http://127.0.0.1:0', '--event-retry', '0.05',
    '--merchant', '4712:other', '--with-parent'
    or die "simulator: $!";

END {
    my $code = $?;
    kill TERM => $pid and waitpid $pid, 0 if $pid;
    $? = $code;
}

my ($base) = (<$out> // '') =~ /\Aready (\S+)\n\z/ or BAIL_OUT('not ready');
my ($port) = $base =~ /:(\d+)\z/;
my $ua = Mojo::UserAgent->new(max_redirects => 0, request_timeout => 10);
my ($token, $next) = ('', 10);


sub sim ($method, $path, $json = undef) {
    my $tx = $ua->build_tx($method => "$base/_sim/$path",
        defined $json ? (json => $json) : ());
    return $ua->start($tx)->res->json;
}


sub login ($agent = '4711', $secret = 'simulator', %form) {
    my $tx = $ua->post("$base/oauth2/token",
        { Authorization => 'Basic ' . b64_encode("$agent:$secret", '') },
        form => { grant_type => 'client_credentials', %form });
    return $tx->res;
}


sub api ($method, $path, $json = undef, %headers) {
    my $tx = $ua->build_tx($method => "$base$path",
        { Authorization => "Bearer $token", %headers },
        defined $json ? (json => $json) : ());
    $ua->start($tx);
    return $tx->res;
}


sub order (%more) {
    return {
        amount                   => 12900,
        currencyCode             => 'SEK',
        externalPaymentReference => 'A1',
        languageCode             => 'sv',
        orderId                  => undef,
        redirectOnSuccessURL     => 'http://127.0.0.1:1/thanks?order=A1',
        redirectOnFailURL        => 'http://127.0.0.1:1/cart?payment=failed',
        backToShopURL            => 'http://127.0.0.1:1/cart',
        %more
    };
}


sub create (%more) {
    return api(POST => '/api/v2/payments/cards/direct', order(%more));
}


sub status_of ($id) {
    return api(GET => "/api/v2/payments/$id")->json->{payment}{status};
}


sub fresh () {
    sim(POST => 'reset');
    $token = login()->json->{access_token};
}


# Sends raw bytes, returns everything that came back and how it ended.

sub raw ($bytes, $patience = 2) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
        or die "connect: $!";
    my $got = '';

    print $s $bytes;

    while (IO::Select->new($s)->can_read($patience)) {
        my $n = sysread $s, my $buf, 65536;
        return ($got, 'reset') if !defined $n;
        return ($got, 'closed') if $n == 0;
        $got .= $buf;
    }

    return ($got, 'open');
}


sub raw_create ($patience = 2) {
    my $body = encode_json(order());
    return raw("POST /api/v2/payments/cards/direct HTTP/1.1\r\nHost: x\r\n"
            . "Authorization: Bearer $token\r\nContent-Type: application/json"
            . "\r\nContent-Length: " . length($body) . "\r\n\r\n$body",
        $patience);
}


subtest 'token' => sub {
    my $json = login()->json;

    is $json->{token_type}, 'Bearer', 'type';
    is $json->{expires_in}, 3600,     'lifetime';

    is login('4711', 'wrong')->code, 401, 'wrong secret';
    is login('1', 'simulator')->code, 401, 'unknown agent';
    is login('4712', 'other')->code,  200, 'second merchant';
    is login('4711', 'simulator', grant_type => 'password')->code, 400,
        'wrong grant type';
    is $ua->post("$base/oauth2/token", form => {})->res->code, 401,
        'no credentials';

    is create()->code, 401, 'no call without a token';
    like create()->json->{message}, qr/token/, 'and the reason is named';

    sim(POST => 'config', { token_ttl => 60, expires_in => undef });
    my $res = login();
    $token = $res->json->{access_token};
    ok !exists $res->json->{expires_in}, 'expires_in can be left out';
    is create()->code, 200, 'token works';
    sim(POST => 'clock', { advance => 61 });
    is create()->code, 401, 'and expires';

    $token = login()->json->{access_token};
    ok sim(POST => 'revoke')->{revoked}, 'revoked';
    is create()->code, 401, 'is gone';
};


subtest 'create' => sub {
    fresh();
    my $res = create();

    is $res->code, 200, 'created';
    is_deeply [ sort keys %{ $res->json } ], [qw(paymentId token url)],
        'answer';
    is $res->json->{url}, "$base/widget/" . $res->json->{token}, 'url';

    my %bad = (
        amount => [ 0, -1, 1.5, '100', undef, 'x', [] ],
        currencyCode             => [ 'sek', '', undef, 'SEKK' ],
        externalPaymentReference => [ '', undef, "a\nb", 'x' x 256 ],
        languageCode             => [ 'SV', undef, 'swe' ],
        redirectOnSuccessURL     => [ '/thanks', undef, "http://a/\r\nb" ],
        backToShopURL            => ['javascript:1'],
        orderId                  => [ '', {} ],
    );

    for my $field (sort keys %bad) {
        for my $value (@{ $bad{$field} }) {
            my $res = create($field => $value);
            is $res->code, 400, "$field refused";
            like $res->json->{message}, qr/$field/, 'and named';
        }
    }

    is $ua->post("$base/api/v2/payments/cards/direct",
        { Authorization => "Bearer $token" }, '{')->res->code, 400, 'no JSON';
    is api(GET => '/api/v2/payments/cards/direct')->code, 405, 'method';
    is api(GET => '/api/v2/payments/nothing')->code, 404, 'unknown payment';
    is api(GET => '/elsewhere')->code, 404, 'unknown path';

    my $id = $res->json->{paymentId};
    $token = login('4712', 'other')->json->{access_token};
    is api(GET => "/api/v2/payments/$id")->code, 404,
        'payments of another merchant are not seen';
};


subtest 'Payer-Request-ID' => sub {
    fresh();
    my @id = ('Payer-Request-ID' => $UUID . $next++);
    my $path = '/api/v2/payments/cards/direct';

    is api(POST => $path, order(), @id)->code, 200, 'first';
    is api(POST => $path, order(), @id)->code, 409, 'handled before';
    like api(POST => $path, order(), @id)->json->{message}, qr/already/,
        'says so';
    is sim(GET => 'books')->{count}, 1, 'one payment';
    is api(POST => $path, order(), 'Payer-Request-ID' => 'x')->code, 400,
        'must be a UUID';

    @id = ('Payer-Request-ID' => $UUID . $next++);
    is api(POST => $path, order(), @id, Authorization => 'Bearer bad')->code,
        401, 'refused';
    sim(POST => 'faults', { match => 'create', status => 503 });
    is api(POST => $path, order(), @id)->code, 503, 'failed before the work';
    is api(POST => $path, order(), @id)->code, 200,
        'neither counts as handled';
};


subtest 'capture, release and refund' => sub {
    fresh();
    my $id   = create()->json->{paymentId};
    my $path = "/api/v2/payments/$id/cards";

    is api(POST => "$path/capture")->code, 400, 'not before authorization';
    is sim(POST => 'pay', { paymentId => $id })->{status}, 'AUTHORIZED',
        'paid';
    is api(POST => "$path/capture", { amount => 12901 })->code, 400, 'too much';
    is api(POST => "$path/capture", { amount => 0 })->code, 400, 'nothing';

    my $res = api(POST => "$path/capture", { amount => 5000 });
    is $res->code, 200, 'part';
    like $res->json->{referenceId}, qr/\A[0-9a-f-]{36}\z/, 'reference';
    ok exists $res->json->{receiptUrl} && !defined $res->json->{receiptUrl},
        'no receipt without an order';
    is status_of($id), 'PARTIALLY_CAPTURED', 'status';

    is api(POST => "$path/refund-and-credit", { amount => 5001 })->code, 400,
        'refund of more than was captured';
    is api(POST => "$path/refund-and-credit")->code, 400, 'refund of nothing';
    is api(POST => "$path/refund-and-credit", { amount => 1000 })->code, 200,
        'refund';

    $res = api(POST => "$path/capture",
        { amount => 100, releaseRemainingFunds => \1 });
    is $res->code, 200, 'capture and release the rest';
    is api(POST => "$path/capture")->code, 400, 'nothing is left';
    is api(PUT => "$path/authorize/release")->code, 400, 'nothing to release';

    my $p = api(GET => "/api/v2/payments/$id")->json->{payment};
    is_deeply [ @$p{qw(authorizedAmount capturedAmount refundedAmount)} ],
        [ 12900, 5100, 1000 ], 'amounts';
    is_deeply [ map { $_->{operationType} } @{ $p->{paymentOperations} } ],
        [qw(AUTHORIZE CAPTURE REFUND CAPTURE RELEASE)], 'operations';
    is $p->{externalPaymentReference}, 'A1', 'reference';

    my $other = create(externalPaymentReference => 'A2', orderId => 'o-1')
        ->json->{paymentId};
    sim(POST => 'pay', { reference => 'A2' });
    $res = api(POST => "/api/v2/payments/$other/cards/capture");
    like $res->json->{receiptUrl}, qr/\Ahttp/, 'receipt with an order';
    is status_of($other), 'FULLY_CAPTURED', 'the whole amount';

    my $third = create(externalPaymentReference => 'A3')->json->{paymentId};
    sim(POST => 'pay', { paymentId => $third });
    is api(PUT => "/api/v2/payments/$third/cards/authorize/release")->code,
        200, 'release';
    is status_of($third), 'CANCELLED', 'nothing was sold';

    my $sums = sim(GET => 'books')->{references};
    is_deeply [ map { $sums->{$_}{captured} } qw(A1 A2 A3) ],
        [ 5100, 12900, 0 ], 'books';
    is_deeply [ keys %{ sim(GET => 'books?reference=A2')->{references} } ],
        ['A2'], 'books of one reference';
};


subtest 'what a read shows, and when' => sub {
    fresh();
    my $id   = create()->json->{paymentId};
    my $path = "/api/v2/payments/$id/cards";
    my $read = sub { api(GET => "/api/v2/payments/$id")->json->{payment} };

    sim(POST => 'pay', { paymentId => $id });
    sim(POST => 'clock', { advance => 100 });
    sim(POST => 'config', { read_lag => 60 });
    is api(POST => "$path/capture", { amount => 5000 })->code, 200, 'captured';

    is $read->()->{status}, 'AUTHORIZED', 'a read does not show it yet';
    is $read->()->{capturedAmount}, 0, 'nor its amount';
    is @{ $read->()->{paymentOperations} }, 1, 'nor the operation';
    is sim(GET => 'books')->{payments}[0]{captured}, 5000, 'the books do';

    sim(POST => 'clock', { advance => 61 });
    is $read->()->{capturedAmount}, 5000, 'a later read does';
    is @{ $read->()->{paymentOperations} }, 2, 'with the operation';

    sim(POST => 'config', { read_lag => 3600 });
    is $read->()->{status}, 'INITIATED', 'before all of them';

    sim(POST => 'config', { read_lag => 0, refunded_amount => 0 });
    ok !exists $read->()->{refundedAmount}, 'no sum of refunds';
    sim(POST => 'config', { refunded_amount => 1 });
    is $read->()->{refundedAmount}, 0, 'or one';

    my $refund = "$path/refund-and-credit";
    sim(POST => 'config', { description => 'required' });
    is api(POST => $refund, { amount => 1 })->code, 400, 'a text is required';
    is api(POST => $refund, { amount => 1, transactionDescription => '' })
        ->code, 400, 'that is not empty';
    is api(POST => $refund, { amount => 1, transactionDescription => 'None' })
        ->code, 200, 'refunded with one';
};


subtest 'cancel and expiry' => sub {
    fresh();
    my $link = create()->json;
    my $path = "/api/v2/payments/$link->{paymentId}/cards/cancel";

    is sim(GET => 'books')->{references}{A1}{liveLinks}, 1, 'live';
    my $res = api(PUT => $path);
    is $res->code, 200, 'cancelled';
    is $res->body, '',  'empty answer';
    is api(PUT => $path)->code, 400, 'not twice';
    is sim(GET => 'books')->{references}{A1}{liveLinks}, 0, 'dead';
    is $ua->get($link->{url})->res->code, 410, 'the link is gone';

    my $paid = create()->json->{paymentId};
    sim(POST => 'pay', { paymentId => $paid });
    is api(PUT => "/api/v2/payments/$paid/cards/cancel")->code, 400,
        'not after authorization';

    my $old = create()->json;
    sim(POST => 'clock', { advance => 31 * 86400 });
    $res = $ua->get($old->{url})->res;
    is $res->code, 410, 'expired after 31 days';
    like $res->text, qr/expired/, 'and says so';
};


subtest 'widget' => sub {
    fresh();
    my $link = create(externalPaymentReference => '<b>&"', amount => 1234567)
        ->json;
    my $res = $ua->get($link->{url})->res;
    my %ok  = (expiry => '12/39', cvc => '123');

    is $res->code, 200, 'page';
    is $res->dom->at('h1')->text, "12\x{a0}345.67\x{a0}SEK", 'amount';
    unlike $res->text, qr/<b>&"/, 'the reference is escaped';
    unlike $res->text, qr{(?:src|href)="(?:https?:)?//}, 'nothing external';

    my $pay = sub ($number, %more) {
        my $res = $ua->post($link->{url},
            form => { number => $number, %ok, %more })->res;
        is $res->code, 303, 'redirect';
        return $res->headers->location;
    };

    like $pay->('1'), qr/error=number\z/, 'unknown card';
    like $pay->('4111 1111 1111 1111', expiry => '01/20'), qr/error=expiry\z/,
        'old card';
    like $pay->('4111 1111 1111 1111', cvc => '1'), qr/error=cvc\z/, 'no CVC';

    my $again = $pay->('4000 0000 0000 0002');
    like $again, qr/error=decline\z/, 'declined';
    ok $ua->get("$base$again")->res->dom->at('[role=alert]'), 'and told so';
    like $pay->('4000000000009995'), qr/error=funds\z/, 'no funds';

    my $bank = $pay->('4000 0000 0000 3220');
    like $bank, qr{/3ds/}, '3-D Secure';
    is $ua->get("$base$bank")->res->code, 200, 'challenge';
    $res = $ua->post("$base$bank", form => { answer => 'reject' })->res;
    is $res->headers->location, 'http://127.0.0.1:1/cart?payment=failed',
        'rejected: to the fail URL';
    is $ua->get($link->{url})->res->code, 200, 'the link lives on';
    is $ua->get("$link->{url}/back")->res->headers->location,
        'http://127.0.0.1:1/cart', 'Back';
    my $left = sim(POST => 'pay', { url => $link->{url}, card => 'back' });
    is "$left->{outcome} $left->{location} $left->{status}",
        'back http://127.0.0.1:1/cart INITIATED', 'Back by the shortcut';

    $bank = $pay->('4000 0084 0000 1629');
    $res  = $ua->post("$base$bank", form => { answer => 'approve' })->res;
    like $res->headers->location, qr/error=decline\z/,
        'approved but declined';

    $bank = $pay->('4000 0000 0000 3220');
    $res  = $ua->post("$base$bank", form => { answer => 'approve' })->res;
    is $res->headers->location, 'http://127.0.0.1:1/thanks?order=A1',
        'approved';
    is status_of($link->{paymentId}), 'AUTHORIZED', 'authorized';
    like $ua->get($link->{url})->res->text, qr/already completed/, 'once';
    is sim(POST => 'pay', { url => $link->{url} })->{outcome}, 'closed',
        'the shortcut cannot pay it again';
    is $ua->get("$base/widget/0")->res->code, 404, 'unknown link';
};


subtest 'a cancel overtaken by 3-D Secure' => sub {
    fresh();
    my $id  = create()->json->{paymentId};
    my $pay = sub ($step) {
        sim(POST => 'pay',
            { paymentId => $id, card => '3ds', threeds => $step });
    };

    is $pay->('start')->{outcome}, 'challenge', 'session is open';
    is api(PUT => "/api/v2/payments/$id/cards/cancel")->code, 200, 'cancelled';
    is status_of($id), 'CANCELLED', 'reads cancelled';
    is $pay->('approve')->{outcome}, 'authorized', 'the buyer approves';
    is status_of($id), 'AUTHORIZED', 'authorized after all';
    sim(POST => 'clock', { advance => 3601 });
    $token = login()->json->{access_token};
    is status_of($id), 'CANCELLED', 'released within the hour';
    is sim(GET => 'books')->{references}{A1}{released}, 12900, 'in full';
};


subtest 'journal' => sub {
    fresh();
    sim(DELETE => 'journal');
    api(GET => '/api/v2/payments/none?a=1', undef, 'X-Twice' => [ 'a', 'b' ]);

    my $all = sim(GET => 'journal');
    is @$all, 1, 'control requests are not in it';
    is_deeply [ @{ $all->[0] }{qw(call method path query status)} ],
        [ 'read', 'GET', '/api/v2/payments/none', 'a=1', 404 ], 'entry';
    my @twice = grep { $_->[0] eq 'X-Twice' } @{ $all->[0]{headers} };
    is_deeply [ map { $_->[1] } @twice ], [ 'a', 'b' ], 'headers';

    create(externalPaymentReference => "\x{e5}");
    is_deeply [ map { $_->{call} } @{ sim(GET => 'journal?call=create') } ],
        ['create'], 'filter';
    is decode_json(Mojo::Util::encode('UTF-8',
        sim(GET => 'journal?call=create')->[0]{body}))
        ->{externalPaymentReference}, "\x{e5}", 'body';
    is_deeply sim(GET => 'count'), { read => 1, create => 1 }, 'count';
};


subtest 'faults' => sub {
    my $read = sub { api(GET => '/api/v2/payments/none') };
    fresh();

    is $ua->post("$base/_sim/faults", json => { nonsense => 1 })->res->code,
        400, 'unknown field';
    is $ua->post("$base/_sim/faults", json => { action => 'x' })->res->code,
        400, 'unknown action';

    sim(POST => 'faults', [
        { match => 'read', times => 2, status => 500,
            body => { message => 'no' } },
        { match => 'read', skip => 1, action => 'html' },
    ]);
    is $read->()->json->{message}, 'no', 'status and body';
    is $read->()->code, 500, 'twice';
    is $read->()->code, 404, 'skipped';
    like $read->()->text, qr/<html>/, 'html';
    is $read->()->code, 404, 'over';

    sim(POST => 'faults', { contains => 'needle', status => 500 });
    is $read->()->code, 404, 'contains: others pass';
    is api(GET => '/api/v2/payments/needle')->code, 500, 'contains';

    fresh();
    sim(POST => 'faults', { match => 'create', delay => 0.4 });
    my ($slow, $fast) = (0, 0);
    my $begin = time;
    my $first = $ua->post_p("$base/api/v2/payments/cards/direct",
        { Authorization => "Bearer $token" }, json => order())
        ->then(sub { $slow = time - $begin });
    my $second = $ua->get_p("$base/api/v2/payments/none",
        { Authorization => "Bearer $token" })
        ->then(sub { $fast = time - $begin });
    Mojo::Promise->all($first, $second)->wait;
    cmp_ok $slow, '>=', 0.4, 'delay';
    cmp_ok $fast, '<', $slow, 'does not block others';

    my %ends = (
        reset              => [ qr/\A\z/, 'reset', 0 ],
        close              => [ qr/\A\z/, 'closed', 0 ],
        'lost-reply'       => [ qr/\A\z/, 'closed', 1 ],
        silence            => [ qr/\A\z/, 'open', 0 ],
        'garbage-head'     => [ qr/\A\x00/, 'closed', 0 ],
        'reset-in-headers' => [ qr/\AHTTP.*Content-Ty\z/s, 'reset', 1 ],
        'reset-in-body'    => [ qr/\AHTTP.*\r\n\r\n\{.*[^}]\z/s, 'reset', 1 ],
        'short-length'     => [ qr/\AHTTP.*"url".*\}\z/s, 'closed', 1 ],
        interim => [ qr/\AHTTP\/1.1 102.*HTTP\/1.1 200.*\}\z/s, 'closed', 1 ],
        truncate           => [ qr/\AHTTP.*"url".*\}\z/s, 'closed', 1 ],
        stall              => [ qr/\AHTTP.*[^}]\z/s, 'open', 1 ],
        drip               => [ qr/\AHTTP.*\}\z/s, 'closed', 1 ],
    );

    for my $action (sort keys %ends) {
        fresh();
        sim(POST => 'faults', { match => 'create', action => $action });
        my ($want, $end, $work) = @{ $ends{$action} };
        my ($text, $how) = raw_create($end eq 'open' ? 0.6 : 10);
        like $text, $want, "$action: bytes";
        is $how, $end, "$action: end";
        is sim(GET => 'books')->{count}, $work, "$action: work";
        is sim(GET => 'journal?call=create')->[0]{fault}, $action,
            "$action: journal";
    }

    fresh();
    sim(POST => 'faults', { match => 'create', action => 'short-length',
        body => { x => 'y' } });
    like +(raw_create())[0], qr/^Content-Length: 4\r.*\{"x":"y"\}\z/ms,
        'a body to break';

    fresh();
    sim(POST => 'faults', [
        { agent => '4712', status => 500, times => 0 },
        { match => 'create', octets => "\x{ff}\x{fe}" },
    ]);
    is create()->body, "\xff\xfe", 'octets, and another merchant passes';
    is login('4712', 'other')->code, 500, 'agent: at the token';
    sim(DELETE => 'faults');
    $token = login('4712', 'other')->json->{access_token};
    sim(POST => 'faults', { agent => '4712', status => 500 });
    is $read->()->code, 500, 'agent: by the token';
    is_deeply [ map { $_->{agent} } @{ sim(GET => 'journal') } ],
        [qw(4711 4711 4712 4712 4712)], 'agent in the journal';

    fresh();
    sim(POST => 'faults', [
        { match => 'create', action => 'garbage' },
        { match => 'create', action => 'empty' },
        { match => 'create', action => 'huge', size => 200000 },
        { match => 'create', action => 'edit',
            set => { url => 'x', 'a.b' => 1 }, drop => ['paymentId'] },
        { match => 'create', status => 418, work => 1 },
        { match => 'create', headers => { 'X-New' => 'y' } },
        { match => 'create', action => 'revoke' },
    ]);
    is create()->json, undef, 'garbage is no JSON';
    is create()->body, '', 'empty';
    my $res = create();
    is length $res->body, 200000, 'huge: size';
    ok $res->json->{paymentId}, 'huge: valid';
    is_deeply create()->json->{a}, { b => 1 }, 'edit';
    is create()->code, 418, 'status instead of the answer';
    is create()->headers->header('X-New'), 'y', 'header';
    is create()->code, 401, 'revoke';

    fresh();
    sim(POST => 'faults', { match => 'create', delay => 0.3 });
    raw_create(0.05);
    my $entry;
    for (1 .. 100) {
        $entry = sim(GET => 'journal?call=create')->[0];
        last if $entry->{gone};
        select undef, undef, undef, 0.02;
    }
    ok $entry->{gone}, 'the journal knows who hung up';
};


subtest 'events' => sub {
    fresh();
    my (@calls, $answer);
    my $app = Mojolicious->new;
    $app->log->level('fatal');
    $app->routes->any('/cb' => sub ($c) {
        push @calls, $c->param('token');
        $c->render(text => '', status => 200);
    });
    my $daemon = Mojo::Server::Daemon->new(app => $app, silent => 1,
        listen => ['http://127.0.0.1:0'])->start;
    my $url  = 'http://127.0.0.1:' . $daemon->ports->[0] . '/cb?x=1';
    my $path = '/api/v1/events/callbacks';
    my $wait = sub ($enough) {
        my $end = time + 10;
        Mojo::IOLoop->one_tick until $enough->() || time > $end;
    };
    my $tick = Mojo::IOLoop->recurring(0.02 => sub { });
    my $query = sub ($type) {
        "$path?" . Mojo::Parameters->new(type => $type, url => $url);
    };
    my $paid = 'CARD_PAYMENT_AUTHORIZED';

    is api(POST => $query->('NOTHING'))->code, 400, 'unknown type';
    is api(POST => "$path?type=PAYMENT_AUTHORIZED")->code, 400, 'no url';
    my $subscribed = api(POST => $query->($paid));
    is $subscribed->code, 204, 'subscribed';
    is $subscribed->body, '', 'without a body';
    is api(POST => $query->($paid))->code, 204, 'a repeat does no harm';
    is_deeply [ map { $_->{type} } @{ api(GET => $path)->json } ],
        [$paid], 'listed';

    my $id = create()->json->{paymentId};
    sim(POST => 'pay', { paymentId => $id });
    $wait->(sub { @calls >= 2 });
    cmp_ok @calls, '>=', 2, 'called again until acknowledged';

    my $event = $calls[0];
    is_deeply api(GET => "/api/v1/events/$event")->json,
        { type => $paid, payload => { paymentId => $id } }, 'the envelope';
    is api(GET => "/api/v1/events/$event/ack")->code, 200, 'acknowledged';
    is api(GET => "/api/v1/events/$event")->code, 404, 'gone after that';
    is api(GET => "/api/v1/events/$event/ack")->code, 200, 'once more';
    sim(POST => 'config', { ack_again => 404 });
    is api(GET => "/api/v1/events/$event/ack")->code, 404, 'or forgotten';
    is api(GET => '/api/v1/events/none')->code, 404, 'unknown';
    is sim(GET => 'events')->[0]{acked}, 2, 'in the report';

    my $n = @calls;
    sim(POST => 'events', { token => $event });
    $wait->(sub { @calls > $n });
    is $calls[-1], $event, 'delivered again on demand';

    sim(POST => 'config',
        { event_retry => 0.001, event_payload => [qw(paymentId status)] });
    @calls = ();
    sim(POST => 'events', { type => $paid, paymentId => $id });
    $wait->(sub { @calls >= 10 });
    my $until = time + 1.2;
    $wait->(sub { time > $until });
    is @calls, 10, 'ten calls at most';
    is api(GET => "/api/v1/events/$calls[0]")->json->{payload}{status},
        'AUTHORIZED', 'more in the payload, on demand';
    sim(POST => 'events', { type => $paid, paymentId => $id });
    $wait->(sub { $calls[-1] ne $calls[0] });
    is api(GET => "/api/v1/events/$calls[-1]/ack")->code, 200,
        'an acknowledgement without a fetch';

    is api(DELETE => $query->($paid))->code, 200, 'removed';
    is api(DELETE => $query->($paid))->code, 404, 'gone';
};


subtest 'TLS' => sub {
    my $dir = File::Temp->newdir;
    my $make = 'openssl req -x509 -newkey ec -nodes -days 2 '
        . '-pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost '
        . "-addext subjectAltName=DNS:localhost -keyout $dir/key "
        . "-out $dir/cert 2>&1";
    my $said = `$make`;
    is $?, 0, 'a certificate' or diag $said;

    my $tls_pid = open my $tls, '-|', "$REPO/demo/simulator", '--with-parent',
        '--listen', "https://127.0.0.1:0?cert=$dir/cert&key=$dir/key"
        or die "simulator: $!";
    my ($port) = (<$tls> // '') =~ m{\Aready https://127\.0\.0\.1:(\d+)\n\z};
    my $curl = sub (@more) {
        my $text = `curl -sS --cacert $dir/cert @more 2>&1`;
        return ($? >> 8, $text);
    };
    my $url = "https://localhost:$port";

    like +($curl->("$url/api/v2/payments/x"))[1], qr/token/, 'verified';
    is +($curl->("https://127.0.0.1:$port/"))[0], 60, 'the name counts';

    $curl->("-d '{\"action\":\"reset\"}' $url/_sim/faults");
    my ($code, $text) = $curl->("$url/api/v2/payments/x");
    like $text, qr/reset/i, 'a reset is one below TLS, too';

    $curl->("-d '{\"action\":\"truncate\"}' $url/_sim/faults");
    is +($curl->("$url/api/v2/payments/x"))[0], 18, 'truncated';

    kill TERM => $tls_pid;
    waitpid $tls_pid, 0;
};


subtest 'end' => sub {
    kill TERM => $pid;
    waitpid $pid, 0;
    is $?, 0, 'a clean exit on TERM';
    undef $pid;
};

done_testing;
