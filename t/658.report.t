# payer_report: captures and refunds of the days, and their sums.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use MIME::Base64 qw(encode_base64);
use POSIX qw(strftime);

write_file('users', "anna:{PLAIN}secret\n");

our $REPORT = 'location = /report { payer_report; payer_allow 127.0.0.1; }'
    . ' location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }';


sub shop {
    return checkout(@_)
        . checkout('= /euro', payer_amount => '700', payer_currency => 'EUR')
        . operations() . $REPORT;
}


# An order that is paid.

sub paid {
    my ($reference, $path) = (@_, '/checkout');

    is(get("$path?order=$reference")->status, 303, "$reference: a link");
    pay($reference);
}


sub operate {
    my ($operation, $reference, %more) = @_;

    my $r = post("/$operation", json => { reference => $reference, %more });
    is($r->status, 200, "$operation of $reference");

    return $r;
}


sub ask {
    my ($query, %headers) = @_;

    return get("/report$query", headers => { Host => 'localhost', %headers });
}

sub report { return ask($_[0] // '')->json }


# The report without what no test can know.

sub rows {
    return join ' ', map {
        "$_->{operation}:$_->{reference}:" . ($_->{amount} // '-') . ':' . ($_->{currency} // '-')
    } @{ $_[0]{rows} };
}

sub sums {
    return join ' ', map {
        "$_->{currency}:$_->{captures}/$_->{captured}:$_->{refunds}/$_->{refunded}"
    } sort { $a->{currency} cmp $b->{currency} } @{ $_[0]{currencies} };
}

run_payer_tests();

__DATA__

=== TEST 1: a report without operations is empty
--- config eval: $::REPORT
--- request
GET /report
--- error_code: 200
--- response_headers
Content-Type: application/json
Cache-Control: no-store
X-Content-Type-Options: nosniff
Content-Security-Policy: frame-ancestors 'none'
--- after
my $today = strftime('%Y-%m-%d', gmtime);
is(ask('')->body, qq({"from":"$today","to":"$today","tz":"UTC","currencies":[],"rows":[]}), 'today, in UTC');
is(request('HEAD', '/report', headers => { Host => 'localhost' })->status, 200, 'HEAD');
is(post('/report')->status, 405, 'POST');
--- calls: none



=== TEST 2: captures and refunds are listed with sums for each currency
--- config perl: shop()
--- request
GET /nothing
--- error_code: 404
--- after
paid($_) for '1001', '1002';
paid('1003', '/euro');

my $r = operate('capture', '1001');
operate('capture', '1002', amount => 4000);
operate('capture', '1002', amount => 1000, releaseRemainingFunds => JSON::PP::true());
operate('capture', '1003');
operate('refund', '1001', amount => 2900);
operate('refund', '1001');
operate('refund', '1003', amount => 1);

my $report = report();
is(join(' ', sort split / /, rows($report)), 'capture:1001:12900:SEK capture:1002:1000:SEK capture:1002:4000:SEK capture:1003:700:EUR refund:1001:10000:SEK refund:1001:2900:SEK refund:1003:1:EUR', 'each of them');
is(sums($report), 'EUR:1/700:1/1 SEK:3/17900:2/12900', 'the sums');

is(join(' ', sort keys %{ $report->{rows}[0] }), 'amount at currency operation paymentId reference requestId', 'a row is complete');

my ($row) = grep { $_->{operation} eq 'capture' && $_->{reference} eq '1001' } @{ $report->{rows} };
is($row->{paymentId}, payment('1001'), 'the payment');
is($row->{requestId}, $r->header('Payer-Request-Id'), 'the request id');
like($row->{at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'the time');



=== TEST 3: the amount of a capture of the remaining amount is calculated
--- config perl: shop()
--- request
GET /nothing
--- error_code: 404
--- after
paid('1');
operate('capture', '1', amount => 900);
operate('capture', '1', amount => 2000);
operate('capture', '1');
is(sums(report()), 'SEK:3/12900:0/0', 'the sum is what was authorized');
is(join(' ', sort split / /, rows(report())), 'capture:1:10000:SEK capture:1:2000:SEK capture:1:900:SEK', 'and the last one the rest');



=== TEST 4: captures of an earlier payment of the order are included
--- config perl: shop()
--- request
GET /nothing
--- error_code: 404
--- after
paid('1');
my $first = payment('1');
operate('capture', '1');
operate('refund', '1');
is(get('/checkout?order=1')->status, 303, 'sold again');
isnt(payment('1'), $first, 'with another payment');
is(sums(report()), 'SEK:1/12900:1/12900', 'the first payment');



=== TEST 5: refused operations are not included, and a repeat is included once
--- config perl: shop()
--- request
GET /nothing
--- error_code: 404
--- after
paid('1');
is(post('/capture', json => { reference => '1', amount => 99900 })->status, 400, 'too much');
for (1 .. 2) {
    is(post('/capture', json => { reference => '1', amount => 500 }, headers => { 'Content-Type' => 'application/json', 'Idempotency-Key' => 'k' })->status, 200, 'with a key');
}
is(get('/checkout?order=2')->status, 303, 'a link');
operate('cancel', '2');
paid('3');
operate('release', '3');
is(sums(report()), 'SEK:1/500:0/0', 'one capture');



=== TEST 6: an operation whose reply was lost is included once its outcome is known
--- config perl: shop()
--- request
GET /nothing
--- error_code: 404
--- after
paid('1');
faults('capture: lost-reply times=9', 'read: status=503 times=9');
is(post('/capture', json => { reference => '1' })->status, 504, 'unknown');
is(sums(report()), '', 'not yet');
sim('DELETE', 'faults');
is(post('/reconcile')->json->{done}, 1, 'found out');
is(sums(report()), 'SEK:1/12900:0/0', 'now');
post('/reconcile');
is(sums(report()), 'SEK:1/12900:0/0', 'and once');



=== TEST 7: an automatic capture is included
--- config perl: shop() . 'location = /thanks { payer_verify $arg_order; payer_auto_capture on; return 204; }' =~ s/return 204;/root html;/r
--- request
GET /nothing
--- error_code: 404
--- after
paid('1');
get('/thanks?order=1');
is(sums(report()), 'SEK:1/12900:0/0', 'captured');



=== TEST 8: the days are those of the time zone
--- config perl: shop()
--- request
GET /nothing
--- error_code: 404
--- after
paid('1');
operate('capture', '1');

for my $zone ('Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Europe/Stockholm', 'UTC') {
    local $ENV{TZ} = $zone;
    POSIX::tzset();

    my $now = time;
    my ($day, $before, $behind) = map { strftime('%Y-%m-%d', localtime($now + $_)) } 0, -86400, 86400;
    my $tz = $zone =~ s{/}{%2F}r;

    is(sums(report("?from=$day&to=$day&tz=$tz")), 'SEK:1/12900:0/0', "$zone: $day");
    is(sums(report("?from=$before&to=$before&tz=$tz")), '', "$zone: the day before");
    is(sums(report("?from=$behind&to=$behind&tz=$zone")), '', "$zone: the day after");
    is(sums(report("?from=$before&to=$behind&tz=$zone")), 'SEK:1/12900:0/0', "$zone: all three");
    is(report("?tz=$zone")->{from}, $day, "$zone: today");
}

delete $ENV{TZ};
POSIX::tzset();
like(error_log_text(), qr{^@{[ strftime '%Y/%m/%d %H:', localtime ]}}m, "nginx's own time is as before");



=== TEST 9: invalid days and time zones are rejected
--- config eval: $::REPORT
--- request
GET /nothing
--- error_code: 404
--- after
for ('from=2026-02-30', 'from=today', 'from=2026-1-1', 'to=20260101', 'from=2026-02-02&to=2026-02-01',
    'tz=Europe%2FAtlantis', 'tz=..%2F..%2Fetc%2Fpasswd', 'tz=%2Fetc%2Fpasswd', 'tz=Europe', 'format=xml', 'from=1960-01-01')
{
    my $r = ask("?$_");
    is($r->status, 400, $_);
    is($r->header('Content-Type'), 'application/problem+json', 'and says why');
}



=== TEST 10: texts in CSV are not evaluated as formulas
--- config perl: shop()
--- request
GET /nothing
--- error_code: 404
--- after
my @evil = ('=1+1', '+1', '-2', '@SUM(A1)', 'plain', 'a"b', 'a,b');
for my $reference (@evil) {
    my $escaped = $reference =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
    is(get("/checkout?order=$escaped")->status, 303, "$reference: a link");
    pay($reference);
    operate('capture', $reference, amount => 100);
}

my $r = ask('?format=csv');
is($r->header('Content-Type'), 'text/csv; charset=utf-8', 'the type');
is($r->header('Cache-Control'), 'no-store', 'not to be kept');
is($r->header('X-Content-Type-Options'), 'nosniff', 'nor taken for something else');
like($r->header('Content-Disposition'), qr/^attachment; filename=payer-\d{4}-\d\d-\d\d--\d{4}-\d\d-\d\d\.csv$/, 'with a name');

my ($head, @lines) = split /\r\n/, $r->body;
is($head, 'at,operation,reference,paymentId,amount,currency,requestId', 'the head');
is(scalar @lines, 7, 'a line each');

my %cell = map { (split /,(?=")/)[2] => $_ } @lines;
is(join(' ', sort keys %cell), join(' ', sort map { '"' . (/^[=+\-@]/ ? "'" : '') . s/"/""/gr . '"' } @evil), 'neutralised');
like($lines[0], qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ,"capture",.*,"[\w-]+",100,"SEK","[0-9a-f-]{36}"$/, 'a number is a number');



=== TEST 11: a report of several pages is complete
--- config perl: shop()
--- timeout: 60
--- request
GET /nothing
--- error_code: 404
--- after
# a capture reads the earlier ones of its order, one after the other
for my $order (1 .. 30) {
    paid($order);

    for my $n (1 .. 15) {
        my $r = post('/capture', json => { reference => "$order", amount => 10 });
        $r->status == 200 or fail("capture $n of $order"), last;
    }
}
is(sums(report()), 'SEK:450/4500:0/0', 'all of them');



=== TEST 12: payer_report without payer_allow is rejected
--- config
    location = /report { payer_report; }
--- must_die
--- error_log
"payer_report" in location "/report" has no "payer_allow"



=== TEST 13: payer_allow all without a password is rejected
--- config
    location = /report { payer_report; payer_allow all; }
--- must_die
--- error_log
"payer_allow all" in location "/report" requires "auth_basic"



=== TEST 14: payer_allow all with auth_basic is accepted
--- config
    location = /report {
        payer_report;
        payer_allow all;
        auth_basic staff;
        auth_basic_user_file $TEST_NGINX_DIR/users;
    }
--- request
GET /report
--- error_code: 401
--- after
is(ask('', Authorization => 'Basic ' . encode_base64('anna:secret', ''))->status, 200, 'with');



=== TEST 15: satisfy any is rejected
--- config
    location = /report { payer_report; payer_allow 127.0.0.1; satisfy any; }
--- must_die
--- error_log
"satisfy any" in location "/report"



=== TEST 16: a client that payer_allow does not list is rejected
--- config
    location = /report { payer_report; payer_allow 10.0.0.0/8; }
--- request
GET /report
--- error_code: 403
--- response_headers
X-Content-Type-Options: nosniff



=== TEST 17: a Host that server_name does not list gets 421
--- config eval: $::REPORT
--- request
GET /report
--- error_code: 200
--- after
for my $query ('', '?format=csv') {
    my $r = ask($query, Host => 'evil.example');
    is($r->status, 421, "read under another name$query");
    is($r->header('Cache-Control'), 'no-store', 'and not kept');
}



=== TEST 18: a misspelled or repeated argument is rejected
--- config perl: "server_name localhost; $::REPORT"
--- request
GET /nothing
--- error_code: 404
--- after
for my $query ('form=2026-01-31', 'From=2026-01-31', 'from=2026-01-31&from=2026-02-01', 'x') {
    is(ask("?$query", Host => 'localhost')->status, 400, $query);
}
is(ask('?from=2026-01-31&&to=2026-01-31&', Host => 'localhost')->status, 200, 'empty ones are none');
