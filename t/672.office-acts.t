# The office: actions of staff other than operations.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();

my $key = 'key of the shop, long enough for anybody';

# an order that the buyer has paid: the payment's id

sub paid {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link for $order\n";
    pay($order);

    return payment($order);
}


sub office {
    return 'payer_actor $http_x_actor; payer_audit ' . audit_file() . '; server_name localhost;
    location /office/ {
        payer_office;
        payer_allow 127.0.0.1;
        payer_office_operate 1;
    }';
}


# A checkout by signed links, as the shop would print them.

sub signed {
    my $file = write_file('signature.key', "$key\n", 0600);

    return checkout('= /pay',
        payer_reference          => '$arg_order',
        payer_signature          => '$arg_sig "$arg_order:$arg_expires"',
        payer_signature_key_file => $file,
        payer_signature_expires  => '$arg_expires',
    );
}


sub link_to {
    my ($order, $expires) = @_;

    my $sig = hmac_sha256_hex("$order:$expires", $key);

    return "/pay?order=$order&expires=$expires&sig=$sig";
}


sub audit_file { work_dir() . '/audit.log' }

sub audit {
    open my $fh, '<', audit_file() or return;

    return map { JSON::PP->new->utf8->decode($_) } <$fh>;
}


sub act {
    my ($what, $json, %headers) = @_;

    return post("/office/order/$what", json => $json,
        headers => { Host => 'localhost', 'X-Payer-Office' => 1, 'X-Actor' => 'ann', %headers });
}


sub order {
    return get("/office/order?reference=$_[0]", headers => { Host => 'localhost' })->json;
}


sub history { return grep { $_->{what} eq $_[1] } @{ order($_[0])->{history} } }

add_block_preprocessor(sub { unlink audit_file() });

run_payer_tests();

__DATA__

=== TEST 1: order/reopen makes an order payable by a link that was signed before
--- config perl: signed() . office()
--- request
GET /
--- then
my $link = link_to('1', time + 3600);
is(get($link)->status, 303, 'the link sells it');
my $none = act('reopen', { reference => '1' });
is($none->status, 409, 'there is nothing to reopen');
is($none->header('Retry-After'), undef, 'and no repeat changes that');
is(act('cancel', { reference => '1' })->status, 200, 'staff cancels it');
is(get($link)->status, 409, 'the link does not sell it any more');
my $r = act('reopen', { reference => '1', reason => 'the buyer has called' });
is($r->status, 200, 'staff sells it again');
is($r->json->{outcome}, 'done', 'done');
is(get($link)->status, 303, 'the link sells it');
is(get($link)->status, 303, 'to everybody');
my ($act) = history('1', 'reopen');
is($act->{by}, 'ann', 'who did it');
is($act->{reason}, 'the buyer has called', 'and why, is in the history');
my ($intent, $outcome) = grep { $_->{operation} eq 'reopen' } audit();
is($intent->{phase}, 'intent', 'and in the audit log');
is($outcome->{outcome}, 'done', 'with its outcome');
is($outcome->{id}, $intent->{id}, 'under one id');
is(act('cancel', { reference => '1' })->status, 200, 'cancelled once more');
is(get($link)->status, 409, 'it was for that payment only');



=== TEST 2: order/settle sets the outcome of an operation that no read shows
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
paid('1');
paid('2');
post('/capture', json => { reference => $_ }) for 1, 2;
faults('refund: lost-reply times=9', { match => 'read', action => 'edit', times => 99, set => { 'payment.refundedAmount' => undef } });
my $r = post('/refund', json => { reference => '1', amount => 100, reason => 'broken cup' });
is($r->status, 504, 'unknown');
my $id = $r->header('Payer-Request-Id');
is(act('settle', { reference => '2', operation => $id, outcome => 'done' })->status, 404, 'not of another order');
is(act('settle', { reference => '1', operation => $id, outcome => 'maybe' })->status, 400, 'done or refused');
my $settled;
ok(wait_until(sub { ($settled = act('settle', { reference => '1', operation => $id, outcome => 'done', reason => 'asked Payer' }))->status != 409 }, 60),
    'when it is not under way any more');
is($settled->status, 200, 'settled');
is((history('1', 'refund'))[0]{result}, 'done', 'it is done');
is((history('1', 'refund'))[0]{reason}, 'broken cup', 'for the reason that it had');
my ($settle) = history('1', 'settle');
is($settle->{by}, 'ann', 'and who said so');
is($settle->{reason}, 'asked Payer', 'and why');
my ($line) = grep { $_->{id} eq $id && ($_->{outcome} // '') eq 'done' } audit();
is($line->{actor}, 'ann', 'in the audit log, too');
is($line->{reason}, 'asked Payer', 'with the reason');



=== TEST 3: order/settle with outcome=dead marks a link that Payer does not know
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
get('/checkout?order=1');
is(act('settle', { reference => '1' })->status, 400, 'an outcome is needed');
is(act('settle', { reference => '1', outcome => 'done' })->status, 400, 'and an operation');
is(act('settle', { reference => '1', outcome => 'dead', reason => 'asked Payer' })->status, 200, 'dead');
is(order('1')->{state}, 'cancelled', 'it is cancelled');
is((history('1', 'settle'))[0]{result}, 'dead', 'and the history says by what');
my $old = payment('1');
is(get('/checkout?order=1')->status, 303, 'the order can be paid');
isnt(order('1')->{paymentId}, $old, 'by another link');
paid('2');
get('/payment?reference=2');
is(act('settle', { reference => '2', outcome => 'dead' })->status, 409, 'a paid order is not dead');



=== TEST 4: order/read takes a payment in again after the loss of the store
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
my $id = paid('1');
my $other = paid('2');
post('/capture', json => { reference => '1', amount => 300 });
is(act('read', { reference => '1' })->status, 200, 'one that is known is read');
is(order('1')->{capturedAmount}, 300, 'and what is captured is known');
is(act('read', { reference => '1', paymentId => $other })->status, 409, 'it has this payment and no other');
is(act('read', { reference => '3' })->status, 404, 'one that is not known needs its id');
is(act('read', { reference => '3', paymentId => $other })->status, 409, 'another order has the payment');
is(act('read', { reference => '3', paymentId => '00000000-0000-4000-8000-000000000000' })->status, 404,
    'Payer does not know it');



=== TEST 5: order/erase removes actors and reasons, and changes no response
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
paid('1');
my @capture = ('/capture', headers => { 'X-Actor' => 'bob@example.com', 'Idempotency-Key' => 'for carl@example.com' },
    json => { reference => '1', amount => 400, reason => 'to carl@example.com' });
my $first = post(@capture);
is($first->status, 200, 'captured');
my @refused = ('/capture', headers => { 'Idempotency-Key' => 'too much' }, json => { reference => '1', amount => 99999999 });
my $no = post(@refused);
is(act('read', { reference => '1', reason => 'dora called' })->status, 200, 'read');
like(JSON::PP->new->canonical->encode(order('1')), qr/carl.*|bob/, 'names are there');
my $r = act('erase', { reference => '1' });
is($r->status, 200, 'erased');
is($r->json->{left}, 0, 'nothing is left');
cmp_ok($r->json->{erased}, '>=', 3, 'something was');
my $text = JSON::PP->new->canonical->encode(order('1'));
unlike($text, qr/carl|bob|dora/, 'no names');
my ($capture) = grep { $_->{result} eq 'done' } history('1', 'capture');
is($capture->{amount}, 400, 'sums stay');
is($capture->{requestId}, $first->header('Payer-Request-Id'), 'and request ids');
my $again = post(@capture);
is($again->status, 200, 'a repeat has the same status');
is($again->header('Idempotency-Replayed'), 'true', 'from the record');
is($again->body, $first->body, 'the same body');
is(post(@refused)->status, $no->status, 'a refusal, too');
is(post(@refused)->body, $no->body, 'in the same words');
is(post('/capture', headers => { 'Idempotency-Key' => 'for carl@example.com' }, json => { reference => '1', amount => 5 })->status,
    422, 'other parameters are noticed');
is(act('erase', { reference => '1' })->status, 200, 'once more');
is(post(@capture)->header('Idempotency-Replayed'), 'true', 'is no harm');
is(act('erase', { reference => 'none' })->status, 404, 'an order that is not known');
--- books
1: captured=400



=== TEST 6: parameters of other actions are rejected
--- config perl: checkout() . operations() . office()
--- request
GET /
--- then
get('/checkout?order=1');
is(act('reopen', { reference => '1', amount => 1 })->status, 400, 'an amount');
is(act('reopen', { reference => '1', operation => 'x' })->status, 400, 'an operation');
is(act('erase', {})->status, 400, 'no reference');
is(act('erase', { referense => '1' })->status, 400, 'a misspelled one');
is(act('cancel', { reference => '1', outcome => 'done' })->status, 400, 'an outcome of a cancel');



=== TEST 7: without the audit log no action is executed
--- config perl: signed() . (office() =~ s/payer_audit \S+;/payer_audit \/dev\/full;/r)
--- request
GET /
--- then
get(link_to('1', time + 60));
is(act('settle', { reference => '1', outcome => 'dead' })->status, 503, 'not done');
is(order('1')->{state}, 'initiated', 'it is as it was');
is(act('erase', { reference => '1' })->status, 503, 'nor erased');



=== TEST 12: payer_refund_max counts the refunds of all payments that the order has had
--- config perl: 'payer_refund_max 15000;' . checkout() . operations() . office()
--- request
GET /
--- then
my $sell = sub {
    paid('1');
    post('/capture', json => { reference => '1' })->status == 200 or die "not captured\n";
    return payment('1');
};
my $refund = sub { return post('/refund', json => {@_}) };
my $first = $sell->();
is($refund->(reference => '1', amount => 12900)->status, 200, 'the first payment is given back');
is(act('reopen', { reference => '1' })->status, 200, 'sold again');
my $second = $sell->();
isnt($second, $first, 'by another payment');
my $r = $refund->(reference => '1', amount => 2101);
is($r->status, 403, 'too much in all');
like($r->json->{detail}, qr/would be 15001 in all/, 'of both');
is($refund->(paymentId => $second, amount => 2101)->status, 403, 'also by the id');
is($refund->(reference => '1', amount => 2000)->status, 200, 'within the limit');
is($refund->(paymentId => $first, amount => 101)->status, 403, 'nor of the first payment');
