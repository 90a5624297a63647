# payer_link: staff create a signed link for an order.  It is the same as one
# signed by the shop, and reopens a cancelled order.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);

our $KEY = 'the-key-that-shop-and-nginx-share';

write_file('link.key',  "$KEY\n", 0600);
write_file('old.key',   "the-key-that-the-shop-changes-from\n", 0600);
write_file('users',     "anna:{PLAIN}secret\n");

our %SIGNED = (
    payer_amount             => '$arg_amount',
    payer_signature          => '$arg_sig $arg_order:$arg_amount:$arg_expires',
    payer_signature_expires  => '$arg_expires',
    payer_signature_key_file => "$ENV{TEST_NGINX_DIR}/link.key",
    payer_present            => 'confirm',
);


# A checkout for signed links at /pay, and the location that makes them.

sub till {
    my (%with) = @_;

    my $link = delete $with{link} // '/pay';
    my $more = delete $with{more} // 'payer_allow 127.0.0.1;';

    return checkout('= /pay', %SIGNED, %with)
        . "location = /link { payer_link $link; $more }\n" . operations();
}


# Asks for a link as a page of the office does.

sub ask {
    my ($values, %headers) = @_;

    my %json = (reference => '1001', amount => 12900, currency => 'SEK',
        expires => time + 600, %$values);

    delete @json{ grep { !defined $json{$_} } keys %json };

    return post('/link', json => \%json, headers =>
        { Host => 'localhost', 'X-Payer-Office' => '1', %headers });
}


# The path and the arguments of a link, for this nginx.

sub path {
    my ($r) = @_;

    return $r->json->{url} =~ s{^https?://[^/]+}{}r;
}


sub press { return post($_[0], form => {}) }


sub operate {
    my ($operation, $reference, %more) = @_;

    my $r = post("/$operation", json => { reference => $reference, %more });
    is($r->status, 200, "$operation of $reference");
}

run_payer_tests();

__DATA__

=== TEST 1: a link of payer_link opens the checkout of the order
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
my $expires = time + 600;
my $r = ask({ expires => $expires });

is($r->status, 200, 'made');
is($r->header('Content-Type'), 'application/json', 'JSON');
is($r->header('Cache-Control'), 'no-store', 'kept nowhere');
is($r->header('X-Content-Type-Options'), 'nosniff', 'taken for nothing else');
is($r->header('Content-Security-Policy'), "frame-ancestors 'none'", 'in no frame');
is($r->json->{expires}, $expires, 'Unix seconds, as they were asked for');
is(join(' ', sort keys %{ $r->json }), 'expires url', 'and nothing else');

my $port = nginx_port();
my $sig = hmac_sha256_hex("1001:12900:$expires", $KEY);

is($r->json->{url},
    "http://localhost:$port/pay?order=1001&amount=12900&expires=$expires&sig=$sig",
    'what the shop would have signed');

is(scalar(journal()), 0, 'Payer was not called');

like(get(path($r))->body, qr{<dd>129,00 SEK</dd>}, 'the page says the amount');
is(press(path($r))->status, 303, 'and its button leads to the payment');
is(books('1001')->{amount}, 12900, 'of this amount');



=== TEST 2: GET and HEAD requests of a link create no payment
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
my $path = path(ask({}));

is(get($path)->status, 200, 'GET');
is(request('HEAD', $path)->status, 200, 'HEAD');
is(get($path, headers => { 'User-Agent' => 'facebookexternalhit/1.1' })->status, 200, 'a preview');
is(get($path, headers => { Purpose => 'prefetch', 'Sec-Purpose' => 'prefetch' })->status, 200, 'a browser that looks ahead');
is(get($path, headers => { Range => 'bytes=0-99', 'If-Modified-Since' => 'Thu, 01 Jan 1970 00:00:00 GMT' })->status < 300, 1, 'a scanner');
--- calls: none



=== TEST 3: a link reopens a cancelled order regardless of its expiry
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
my $t = time;
my $first = path(ask({ expires => $t + 1000 }));
is(press($first)->status, 303, 'sold');
operate('cancel', '1001');
is(press($first)->status, 409, 'what was said before does not sell it');

my $r = ask({ expires => $t + 500 });
is($r->status, 200, 'a link that ends earlier');

like(error_log_text(), qr/a link was created to sell the order again, which is cancelled, order: "1001"/, 'is in the log');

is(press($first)->status, 409, 'the old link is worth nothing still');
is(get(path($r))->status, 200, 'the page of the new one asks');
is(press(path($r))->status, 303, 'and sells');
is(press($first)->status, 303, 'then the order is open for all of them');

operate('cancel', '1001');
is(press(path($r))->status, 409, 'cancelled once more: neither does the new one');
is(press($first)->status, 409, 'nor the old one');
is(books('1001')->{liveLinks}, 0, 'nobody can pay it');



=== TEST 4: a link reopens a released and a refunded order
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
for my $operation (qw(release refund)) {
    my $reference = $operation;
    my $link = path(ask({ reference => $reference }));

    is(press($link)->status, 303, 'sold');
    pay($reference);
    operate('capture', $reference) if $operation eq 'refund';
    operate($operation, $reference, $operation eq 'refund' ? (amount => 12900) : ());
    is(press($link)->status, 409, 'not any more');
    is(press(path(ask({ reference => $reference, expires => time + 60 })))->status, 303, "sold again after a $operation");
}



=== TEST 5: a link created before the cancellation does not reopen the order
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
my $t = time;
is(press(path(ask({ expires => $t + 1000 })))->status, 303, 'sold');
my $unused = path(ask({ expires => $t + 900 }));
operate('cancel', '1001');
is(press($unused)->status, 409, 'it was said before');



=== TEST 6: links work for all references, also with separators of the message
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
for my $reference ('A-1', 'a b&c=d', '10:01', "\x{e5}\x{e4}\x{f6}", '50%', 'x/?#+', '..') {
    my $r = ask({ reference => $reference });
    is($r->status, 200, 'a link');
    is(press(path($r))->status, 303, path($r) =~ s/&.*//r);
    is(books($reference)->{links}, 1, 'one link of this reference');
}



=== TEST 7: an amount in major units is signed in the form that the checkout parses
--- config perl: till(payer_amount => '$arg_amount major', payer_signature => '$arg_sig $arg_order|$arg_amount|$arg_expires')
--- request
GET /nothing
--- error_code: 404
--- after
my $r = ask({ amount => 12905 });
like($r->json->{url}, qr/&amount=129\.05&/, 'a decimal');
is(press(path($r))->status, 303, 'sold');
is(books('1001')->{amount}, 12905, 'for this amount');



=== TEST 8: with two keys the first one is used for signing
--- config perl
till(payer_signature_key_file => [ "$ENV{TEST_NGINX_DIR}/link.key", "$ENV{TEST_NGINX_DIR}/old.key" ])
--- request
GET /nothing
--- error_code: 404
--- after
my $expires = time + 600;
my $sig = hmac_sha256_hex("1001:12900:$expires", $KEY);
like(ask({ expires => $expires })->json->{url}, qr/&sig=$sig$/, 'that of the first');



=== TEST 9: values that the checkout would reject are not signed
--- config perl: till(payer_max_amount => '1000000')
--- request
GET /nothing
--- error_code: 404
--- after
my $t = time;
for (
    [ 'no reference'       => { reference => undef }, 'reference is missing' ],
    [ 'an empty one'       => { reference => '' }, 'reference is missing' ],
    [ 'a control character' => { reference => "a\nb" }, 'reference is missing' ],
    [ 'no amount'          => { amount => undef }, 'amount is missing' ],
    [ 'a negative amount'  => { amount => -1 }, 'amount is not a positive integer' ],
    [ 'zero'               => { amount => 0 }, 'amount is not a positive integer' ],
    [ 'a text'             => { amount => '12900' }, 'amount is not a positive integer' ],
    [ 'above the maximum'  => { amount => 1000001 }, 'above payer_max_amount' ],
    [ 'no currency'        => { currency => undef }, 'currency is not that' ],
    [ 'another currency'   => { currency => 'EUR' }, 'currency is not that' ],
    [ 'no expiry'          => { expires => undef }, 'expires is not a Unix time' ],
    [ 'the past'           => { expires => $t - 1 }, 'expires is not a Unix time' ],
    [ 'milliseconds'       => { expires => $t * 1000 }, 'expires is not a Unix time' ],
    [ 'something else'     => { paymentId => 'p1' }, 'no other parameters' ],
    [ 'a reason of two lines' => { reason => "a\nb" }, 'reason is longer than' ],
    [ 'a misspelt name'    => { expire => 5 }, 'no other parameters' ],
) {
    my ($name, $values, $detail) = @$_;

    my $r = ask($values);
    is($r->status, 400, $name);
    like($r->json->{detail}, qr/\Q$detail\E/, "$name: and says why");
}
--- calls: none



=== TEST 10: parameters are accepted as a form
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
my $r = post('/link', form => { reference => '7', amount => 500, currency => 'SEK', expires => time + 60 },
    headers => { Host => 'localhost', 'X-Payer-Office' => '1' });
is($r->status, 200, 'made');
is(press(path($r))->status, 303, 'and good');



=== TEST 11: methods other than POST are rejected
--- config perl: till()
--- request
GET /link
--- more_headers
X-Payer-Office: 1
--- error_code: 405
--- response_headers
Allow: POST
X-Content-Type-Options: nosniff



=== TEST 12: a request from another site is rejected
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
my $port = nginx_port();

for (
    [ 'without the header of the office' => { 'X-Payer-Office' => '' } ],
    [ 'with another value of it'     => { 'X-Payer-Office' => 'yes' } ],
    [ 'from another origin'          => { Origin => 'https://evil.example' } ],
    [ 'from an origin that begins alike' => { Origin => 'http://localhost.evil.example' } ],
    [ 'from no origin'               => { Origin => 'null' } ],
    [ 'from another port'            => { Origin => 'http://localhost:1', Host => "localhost:$port" } ],
    [ 'from another site'            => { 'Sec-Fetch-Site' => 'cross-site' } ],
    [ 'from a neighbour'             => { 'Sec-Fetch-Site' => 'same-site' } ],
    [ 'by hand'                      => { 'Sec-Fetch-Site' => 'none' } ],
) {
    my ($name, $headers) = @$_;

    my $r = ask({}, %$headers);
    is($r->status, 403, $name);
    is($r->header('X-Content-Type-Options'), 'nosniff', 'as all answers here');
}

is(post('/link', json => { reference => '1', amount => 1, currency => 'SEK', expires => time + 60 },
    headers => { Host => 'localhost' })->status, 403, 'without the header at all');

is(ask({}, Origin => "http://localhost:$port", 'Sec-Fetch-Site' => 'same-origin')->status, 200, 'its own page');
is(ask({}, Origin => 'https://LOCALHOST')->status, 200, 'behind a proxy with TLS');



=== TEST 13: a Host that server_name does not list gets 421
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
for my $host ('evil.example', '127.0.0.1', 'localhost.evil.example') {
    my $r = ask({}, Host => $host);
    is($r->status, 421, $host);
    like($r->json->{detail}, qr/server_name does not list the Host/, 'and says why');
}



=== TEST 14: a Host that matches a wildcard or regular expression of server_name is accepted
--- config perl: 'server_name *.shop.example "~^office[0-9]\.example$";' . till()
--- request
GET /nothing
--- error_code: 404
--- after
is(ask({}, Host => 'a.shop.example')->status, 200, 'a wildcard');
is(ask({}, Host => 'office7.example')->status, 200, 'a regular expression');
is(ask({}, Host => 'shop.example')->status, 421, 'neither');



=== TEST 15: a client that payer_allow does not list is rejected
--- config perl: till(more => 'payer_allow 10.0.0.0/8;')
--- request
GET /nothing
--- error_code: 404
--- after
is(ask({})->status, 403, 'this address is not listed');
like(error_log_text(), qr/access forbidden by "payer_allow"/, 'which is in the log');



=== TEST 16: payer_link without payer_allow is rejected
--- config perl: till(more => '')
--- must_die
--- error_log
"payer_link" in location "/link" has no "payer_allow"



=== TEST 17: payer_allow all without a password is rejected
--- config perl: till(more => 'payer_allow all;')
--- must_die
--- error_log
"payer_allow all" in location "/link" requires "auth_basic" or "ssl_verify_client on"



=== TEST 18: payer_allow all with auth_basic is accepted
--- config perl
till(more => "payer_allow all; auth_basic staff; auth_basic_user_file $ENV{TEST_NGINX_DIR}/users;")
--- request
GET /nothing
--- error_code: 404
--- after
is(ask({})->status, 401, 'without');
is(ask({}, Authorization => 'Basic ' . encode_base64('anna:secret', ''))->status, 200, 'with');



=== TEST 19: payer_allow all with auth_basic off is rejected
--- config perl
"auth_basic staff; auth_basic_user_file $ENV{TEST_NGINX_DIR}/users;"
    . till(more => 'payer_allow all; auth_basic off;')
--- must_die
--- error_log
"payer_allow all" in location "/link" requires "auth_basic"



=== TEST 20: satisfy any is rejected
--- config perl
till(more => "payer_allow 127.0.0.1; satisfy any; allow 127.0.0.1; auth_basic staff; auth_basic_user_file $ENV{TEST_NGINX_DIR}/users;")
--- must_die
--- error_log
"satisfy any" in location "/link" allows clients without a password



=== TEST 21: payer_link to a location without payer_checkout is rejected
--- config perl: till(link => '/nowhere')
--- must_die
--- error_log
there is no location with "payer_checkout" for "/nowhere" in this server



=== TEST 22: payer_link to a checkout without payer_signature is rejected
--- config perl
till(payer_signature => undef, payer_signature_expires => undef, payer_signature_key_file => undef, payer_amount => '100')
--- must_die
--- error_log
location "/pay", which "payer_link" names, has no "payer_signature"



=== TEST 23: payer_link to a checkout whose reference is not one argument is rejected
--- config perl: till(payer_reference => 'web-$arg_order')
--- must_die
--- error_log
"payer_reference" of location "/pay", which "payer_link" names, is not one argument



=== TEST 24: payer_link to a checkout whose amount is not one argument is rejected
--- config perl: till(payer_amount => '12900')
--- must_die
--- error_log
"payer_amount" of location "/pay", which "payer_link" names, is not one argument



=== TEST 25: payer_link to a checkout without payer_signature_expires is rejected
--- config perl: till(payer_signature_expires => undef)
--- must_die
--- error_log
"payer_signature_expires" of location "/pay", which "payer_link" names, is not one argument



=== TEST 26: payer_link to a checkout whose signature is not one argument is rejected
--- config perl: till(payer_signature => '$arg_a$arg_b $arg_order:$arg_amount:$arg_expires')
--- must_die
--- error_log
"payer_signature" of location "/pay", which "payer_link" names, is not one argument



=== TEST 27: payer_link to a checkout whose currency is not constant is rejected
--- config perl: till(payer_currency => '$arg_currency', payer_signature => '$arg_sig $arg_order:$arg_amount:$arg_currency:$arg_expires')
--- must_die
--- error_log
"payer_currency" of location "/pay", which "payer_link" names, is not constant



=== TEST 28: payer_link to a checkout with other variables in the message is rejected
--- config perl: till(payer_signature => '$arg_sig $arg_order:$arg_amount:$arg_expires:$host')
--- must_die
--- error_log
contains "$host", which is no argument of a link



=== TEST 29: payer_link to a checkout that uses one argument twice is rejected
--- config perl: till(payer_amount => '$arg_order', payer_signature => '$arg_sig $arg_order:$arg_expires')
--- must_die
--- error_log
"payer_reference" and "payer_amount" of location "/pay", which "payer_link" names, are the same argument



=== TEST 30: payer_link to a checkout whose separators occur in the values is rejected
--- config perl: till(payer_amount => '$arg_amount major', payer_signature => '$arg_sig $arg_order.$arg_amount.$arg_expires')
--- must_die
--- error_log
separates values by a character that they contain



=== TEST 31: payer_link to an internal checkout is rejected
--- config perl: till(internal => '')
--- must_die
--- error_log
location "/pay", which "payer_link" names, is internal



=== TEST 32: payer_link with variables or arguments in the URI is rejected
--- config perl: till(link => '/pay?lang=sv')
--- must_die
--- error_log
invalid URI "/pay?lang=sv"



=== TEST 33: payer_link to a checkout without payer_present confirm logs a warning
--- config perl: till(payer_present => 'redirect')
--- request
GET /nothing
--- error_code: 404
--- error_log
location "/pay", which "payer_link" names, has no "payer_present confirm"



=== TEST 34: the link has the origin of the checkout
--- config perl: till(payer_return_origin => 'https://shop.example')
--- request
GET /nothing
--- error_code: 404
--- after
like(ask({})->json->{url}, qr{^https://shop\.example/pay\?order=1001&}, 'its own');



=== TEST 35: payer_allow all with ssl_verify_client on is accepted on TLS listeners only
--- config perl
use Payer::Cert;
our $TLS = free_port();
"listen 127.0.0.1:$TLS ssl; " . certificate('localhost')
    . 'ssl_client_certificate ' . authority() . '; ssl_verify_client on;'
    . till(more => 'payer_allow all;')
--- request
GET /nothing
--- error_code: 404
--- after
our $TLS;
is(ask({})->status, 403, 'a listener without TLS asks for no certificate');

my $expires = time + 60;
my $dir = $ENV{TEST_NGINX_DIR};
my @curl = ('curl', '-sk', '-o', '/dev/null', '-w', '%{http_code}',
    '-H', 'X-Payer-Office: 1', '-d', "reference=1&amount=1&currency=SEK&expires=$expires");

is(`@{[ join ' ', map { "'$_'" } @curl ]} https://localhost:$TLS/link`, '400', 'no certificate');
is(`@{[ join ' ', map { "'$_'" } @curl ]} --cert $dir/localhost.pem --key $dir/localhost.key https://localhost:$TLS/link`, '200', 'a certificate');



=== TEST 36: payer_allow all with ssl_verify_client optional is rejected
--- config perl
use Payer::Cert;
'ssl_client_certificate ' . authority() . '; ssl_verify_client optional;'
    . certificate('localhost') . till(more => 'payer_allow all;')
--- must_die
--- error_log
"payer_allow all" in location "/link" requires "auth_basic" or "ssl_verify_client on"



=== TEST 37: a link that reopens an order is written to the audit log, or it is not created
--- config perl
till() . "payer_audit $ENV{TEST_NGINX_DIR}/audit.log; payer_actor 'anna';"
--- before
unlink "$ENV{TEST_NGINX_DIR}/audit.log";
--- request
GET /nothing
--- error_code: 404
--- after
my $file = "$ENV{TEST_NGINX_DIR}/audit.log";
my $lines = sub {
    open my $fh, '<', $file or return;
    return grep { $_->{operation} eq 'link' } map { JSON::PP->new->utf8->decode($_) } <$fh>;
};

my $first = path(ask({}));
is(press($first)->status, 303, 'sold');
is(scalar $lines->(), 0, 'an ordinary link changes nothing');
operate('cancel', '1001');
is(ask({ reason => 'by mistake' })->status, 200, 'sold again');

my ($intent, $outcome, @more) = $lines->();
is(scalar @more, 0, 'two lines');
is($intent->{phase}, 'intent', 'before');
is($outcome->{phase}, 'outcome', 'and after');
is($outcome->{outcome}, 'done', 'what became of it');
is($intent->{id}, $outcome->{id}, 'with one id');
is($_->{actor}, 'anna', 'who') for $intent, $outcome;
is($intent->{reason}, 'by mistake', 'why');
is($intent->{reference}, '1001', 'what');
is($intent->{amount}, 12900, 'for how much');



=== TEST 38: an operation rejects the parameters of payer_link
--- config perl: till()
--- request
GET /nothing
--- error_code: 404
--- after
for my $extra ({ currency => 'SEK' }, { expires => time + 60 }) {
    my $r = post('/capture', json => { reference => '1001', %$extra });
    is($r->status, 400, join ' ', %$extra);
    like($r->json->{detail}, qr/currency and expires are not parameters/, 'and says why');
}



=== TEST 39: payer_allow 0.0.0.0/0 without a password is rejected
--- config perl: till(more => 'payer_allow 10.0.0.0/8 0.0.0.0/0;')
--- must_die
--- error_log
"payer_allow all" in location "/link" requires "auth_basic" or "ssl_verify_client on"



=== TEST 40: payer_allow ::/0 without a password is rejected
--- config perl: till(more => 'payer_allow ::/0;')
--- must_die
--- error_log
"payer_allow all" in location "/link" requires "auth_basic" or "ssl_verify_client on"
