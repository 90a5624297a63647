# Signed links: an order in a URL that only the shop can have created.  A
# changed, repeated, missing or expired value is rejected before any call.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use MIME::Base64 qw(encode_base64);

our $KEY = 'the-key-that-shop-and-nginx-share';
our $NEW = 'the-key-that-the-shop-changes-to!';

# the query of one link, for more than one section
our $ARGS = 'order=1001&amount=12900&expires=' . (time + 600);

write_file('link.key',  "$KEY\n", 0600);
write_file('new.key',   "$NEW\n", 0600);
write_file('short.key', "guess me\n", 0600);


# What the location has beyond an ordinary checkout.

sub signed {
    return checkout('= /pay',
        payer_amount             => '$arg_amount',
        payer_signature          =>
            '$arg_sig $arg_order:$arg_amount:$arg_expires',
        payer_signature_expires  => '$arg_expires',
        payer_signature_key_file => "$ENV{TEST_NGINX_DIR}/link.key",
        @_);
}


# The link as a shop makes it; "sig" replaces its signature.

sub link_to {
    my (%with) = (order => '1001', amount => 12900, expires => time + 600,
        key => $KEY, @_);

    my $message = $with{message} // join ':', @with{qw(order amount expires)};
    my $sig = $with{sig} // hmac_sha256_hex($message, $with{key});

    return "/pay?order=$with{order}&amount=$with{amount}"
        . "&expires=$with{expires}&sig=$sig";
}


sub base64url {
    my ($message, $key) = @_;

    return encode_base64(hmac_sha256($message, $key), '') =~ tr{+/}{-_}r;
}

run_payer_tests();

__DATA__

=== TEST 1: a signed link creates a payment link
--- config perl: signed()
--- request perl: 'GET ' . link_to()
--- error_code: 303
--- calls
token: 1
create: 1
--- books
1001: amount=12900 links=1



=== TEST 101: an expiry in milliseconds is rejected
--- config perl: signed()
--- after
is(get(link_to(expires => time . '000'))->status, 403, 'milliseconds');
is(get(link_to(expires => time + 11 * 366 * 86400))->status, 403, 'eleven years');
is(get(link_to(expires => time + 9 * 365 * 86400))->status, 303, 'nine years');
my $r = get(link_to(expires => time . '000'));
like($r->body, qr/more than ten years ahead/, 'and says why');
--- request
GET /nothing
--- error_code: 404


=== TEST 2: a signed link works with POST and HEAD
--- config perl: signed()
--- request perl: 'HEAD ' . link_to()
--- error_code: 303
--- after
my $r = post(link_to(), form => { any => 'thing' });
Test::More::is($r->status, 303, 'a POST');
--- books
1001: links=1



=== TEST 3: a signature in upper case is accepted
--- config perl: signed()
--- request perl
my $expires = time + 600;
'GET ' . link_to(expires => $expires,
    sig => uc hmac_sha256_hex("1001:12900:$expires", $KEY));
--- error_code: 303



=== TEST 4: a signature in base64url is accepted with and without padding
--- config perl: signed()
--- request perl
my $expires = time + 600;
my $sig = base64url("1001:12900:$expires", $KEY);
[ map { 'GET ' . link_to(expires => $expires, sig => $_) }
    $sig, $sig =~ s/=/%3D/r, $sig =~ s/=/%3d/r, $sig =~ s/=//r ];
--- error_code eval
[ 303, 303, 303, 303 ]



=== TEST 5: a link without a signature is rejected, and Payer is not called
--- config perl: signed()
--- request perl: 'GET ' . link_to(sig => '')
--- error_code: 403
--- response_headers
Content-Type: application/problem+json
Cache-Control: no-store
--- json
status: ^403$
title: ^The link is not valid$
detail: ^the link is not signed$
operation: ^create$
--- calls: none



=== TEST 6: a link with another amount than the signed one is rejected
--- config perl: signed()
--- request perl: 'GET ' . link_to() =~ s/amount=12900/amount=100/r
--- error_code: 403
--- json
detail: ^the signature is not valid$
--- calls: none



=== TEST 7: a link with another order than the signed one is rejected
--- config perl: signed()
--- request perl: 'GET ' . link_to() =~ s/order=1001/order=1002/r
--- error_code: 403
--- json
detail: ^the signature is not valid$
--- calls: none



=== TEST 8: a link with a later expiry than the signed one is rejected
--- config perl: signed()
--- request perl
my $expires = time + 600;
my $later = $expires + 1;
'GET ' . link_to(expires => $expires) =~ s/expires=\d+/expires=$later/r;
--- error_code: 403
--- json
detail: ^the signature is not valid$
--- calls: none



=== TEST 9: an expired link is rejected
--- config perl: signed()
--- request perl: 'GET ' . link_to(expires => time - 2)
--- error_code: 403
--- json
detail: ^the link has expired$
--- calls: none



=== TEST 10: a signed expiry that is not Unix time is rejected
--- config perl: signed()
--- request perl
[ map { 'GET ' . link_to(expires => $_) }
    '', 'never', '-1', '9' x 30, time + 600 . 's' ]
--- error_code eval
[ (403) x 5 ]
--- response_body_like eval
[ (qr/is not a Unix time/) x 5 ]
--- calls: none



=== TEST 11: a truncated signature and one of another key are rejected
--- config perl: signed()
--- request perl
[ 'GET ' . link_to() =~ s/.\z//r, 'GET ' . link_to() . '0',
    'GET ' . link_to(key => $NEW), 'GET ' . link_to(key => '') ]
--- error_code eval
[ (403) x 4 ]
--- response_body_like eval
[ (qr/the signature is not valid/) x 4 ]
--- calls: none



=== TEST 12: if an argument occurs twice, the first one is signed and used
--- config perl: signed()
--- request perl
[ 'GET ' . link_to() . '&amount=1&order=1002&AMOUNT=2&expires=1',
    'GET ' . link_to() =~ s/\?/?amount=1&/r,
    'GET ' . link_to() =~ s/\?/?Amount=1&/r,
    'GET ' . link_to() =~ s/\?/?order=1002&/r ]
--- error_code eval
[ 303, 403, 403, 403 ]
--- response_body_like eval
[ qr/\A\z/, (qr/the signature is not valid/) x 3 ]
--- books
1001: amount=12900 links=1



=== TEST 13: the message contains the values as they are escaped in the URL
--- config perl: signed()
--- request perl
[ map { 'GET ' . $_ } link_to(order => 'A%2010%2F7%3A1'),
    link_to() =~ s/order=1001/order=%31001/r ]
--- error_code eval
[ 303, 403 ]
--- response_body_like eval
[ qr/\A\z/, qr/the signature is not valid/ ]
--- after
Test::More::is(books('A 10/7:1')->{amount}, 12900, 'Payer has the order');



=== TEST 14: a value that contains the separator is rejected
--- config perl
signed(
    payer_amount => '$arg_amount major',
    payer_signature =>
        '$arg_sig $arg_order.$arg_amount.$arg_expires',
)
--- request perl
my $expires = time + 600;
my $sig = hmac_sha256_hex("7.12.50.$expires", $KEY);
[ map { "GET /pay?$_&expires=$expires&sig=$sig" }
    'order=7.12&amount=50', 'order=7&amount=12.50' ]
--- error_code eval
[ 403, 403 ]
--- response_body_like eval
[ (qr/a value contains a character that separates values/) x 2 ]
--- calls: none



=== TEST 15: with two keys signatures of both are accepted
--- config perl
signed(payer_signature_key_file =>
    [ map { "$ENV{TEST_NGINX_DIR}/$_.key" } qw(link new) ])
--- request perl
[ 'GET ' . link_to(), 'GET ' . link_to(key => $NEW),
    'GET ' . link_to(key => 'the-key-of-somebody-else-entirely') ]
--- error_code eval
[ 303, 303, 403 ]
--- response_body_like eval
[ qr/\A\z/, qr/\A\z/, qr/the signature is not valid/ ]



=== TEST 16: error_page 403 shows the shop's own page
--- config perl
signed(error_page => '403 /expired') . <<'END'
    location = /expired { return 200 "ask the shop for a new link\n"; }
END
--- request perl: 'GET ' . link_to(expires => 1)
--- error_code: 403
--- response_body
ask the shop for a new link
--- calls: none



=== TEST 17: the message can be $args if the signature is in a header
--- config perl
signed(payer_signature => '$http_x_signature $args')
--- request perl
[ "GET /pay?$ARGS", "GET /pay?$ARGS&amount=1" ]
--- more_headers perl
'X-Signature: ' . hmac_sha256_hex($ARGS, $KEY)
--- error_code eval
[ 303, 403 ]
--- response_body_like eval
[ qr/\A\z/, qr/the signature is not valid/ ]



=== TEST 18: a location inherits the signature and its key from the server
--- config perl
<<"END" . checkout('= /pay', payer_amount => '$arg_amount')
    payer_signature          \$arg_sig \$arg_order:\$arg_amount:\$arg_expires;
    payer_signature_expires  \$arg_expires;
    payer_signature_key_file $ENV{TEST_NGINX_DIR}/link.key;
END
--- request perl
[ 'GET ' . link_to(), 'GET ' . link_to(sig => 1) ]
--- error_code eval
[ 303, 403 ]
--- response_body_like eval
[ qr/\A\z/, qr/the signature is not valid/ ]



=== TEST 19: no key and no signature is logged
--- config perl: signed()
--- request perl: 'GET ' . link_to(order => 1002) =~ s/order=1002/order=1/r
--- error_code: 403
--- error_log
payer: payer_signature: the signature is not valid
--- no_error_log
the-key-that-shop



=== TEST 20: an amount that is not in the message is rejected at start
--- config perl
signed(payer_signature => '$arg_sig $arg_order:$arg_expires')
--- must_die
--- error_log
the signature does not protect "payer_amount": "$arg_amount" is not in the message of "payer_signature" of location "/pay"



=== TEST 21: a currency that is not in the message is rejected at start
--- config perl
signed(payer_currency => '$arg_currency')
--- must_die
--- error_log
the signature does not protect "payer_currency": "$arg_currency" is not in the message



=== TEST 22: a reference that is not in the message is rejected at start
--- config perl
signed(payer_reference => '$arg_order-$cookie_visit')
--- must_die
--- error_log
the signature does not protect "payer_reference": "$cookie_visit" is not in the message



=== TEST 23: an amount from a map whose source is not in the message is rejected at start
--- http_config
    map $arg_product $price { default 12900; ticket 100; }
--- config perl
signed(payer_amount => '$price')
--- must_die
--- error_log
the signature does not protect "payer_amount": "$price" is not in the message



=== TEST 24: a payer_order_id that is not in the message is rejected at start
--- config perl
signed(payer_order_id => '$arg_oid')
--- must_die
--- error_log
the signature does not protect "payer_order_id": "$arg_oid" is not in the message



=== TEST 25: a payer_signature_expires that is not in the message is rejected at start
--- config perl
signed(payer_signature => '$arg_sig $arg_order:$arg_amount')
--- must_die
--- error_log
the signature does not protect "payer_signature_expires": "$arg_expires" is not in the message



=== TEST 26: a numbered capture in the message is rejected at start
--- config perl
signed(payer_amount => '$1', payer_signature =>
    '$arg_sig $arg_order:$1:$arg_expires') =~ s{= /pay}{~ "^/pay/(.*)"}r
--- must_die
--- error_log
cannot use the numbered capture "$1"



=== TEST 27: a named capture in the message is accepted
--- config perl
signed(payer_amount => '$sum', payer_signature =>
    '$arg_sig $arg_order:$sum:$arg_expires')
    =~ s{= /pay}{~ "^/pay/(?<sum>[0-9]*)"}r
--- request perl
[ map { 'GET ' . $_ } link_to() =~ s{/pay}{/pay/12900}r,
    link_to() =~ s{/pay}{/pay/100}r ]
--- error_code eval
[ 303, 403 ]
--- response_body_like eval
[ qr/\A\z/, qr/the signature is not valid/ ]



=== TEST 28: two values in the message without a separator are rejected at start
--- config perl
signed(payer_signature => '$arg_sig $arg_order$arg_amount:$arg_expires')
--- must_die
--- error_log
there must be a separator in front of "$arg_amount" in the message "$arg_order$arg_amount:$arg_expires"



=== TEST 29: a letter in the message does not count as a separator
--- config perl
signed(payer_signature => '$arg_sig ${arg_order}x${arg_amount}:$arg_expires')
--- must_die
--- error_log
there must be a separator in front of "$arg_amount"



=== TEST 30: a message that contains its own signature is rejected at start
--- config perl
signed(payer_signature => '$arg_sig $args')
--- must_die
--- error_log
the message of "payer_signature" contains its own signature "$arg_sig"



=== TEST 31: a constant message is rejected at start
--- config perl
signed(payer_signature => '$arg_sig the-shop')
--- must_die
--- error_log
the message "the-shop" has no variables



=== TEST 32: a signature without a key is rejected at start
--- config perl
signed(payer_signature_key_file => undef)
--- must_die
--- error_log
"payer_signature" of location "/pay" has no "payer_signature_key_file"



=== TEST 33: a third key is rejected at start
--- config perl
signed(payer_signature_key_file =>
    [ map { "$ENV{TEST_NGINX_DIR}/$_.key" } qw(link new short) ])
--- must_die
--- error_log
"payer_signature_key_file" directive is specified more than twice



=== TEST 34: a missing key file is rejected at start
--- config perl
signed(payer_signature_key_file => '/nonexistent/link.key')
--- must_die
--- error_log
open() "/nonexistent/link.key" failed



=== TEST 35: payer_signature without payer_signature_expires logs a warning
--- config perl
signed(payer_signature_expires => undef)
--- request perl: 'GET ' . link_to()
--- error_code: 303
--- suppress_stderr
--- error_log
has no "payer_signature_expires": a link can be used after



=== TEST 36: a key of less than 16 bytes logs a warning
--- config perl
signed(payer_signature_key_file => "$ENV{TEST_NGINX_DIR}/short.key")
--- request perl: 'GET ' . link_to(key => 'guess me')
--- error_code: 303
--- suppress_stderr
--- error_log
is shorter than 16 bytes
