# payer_amount: how amounts are parsed.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

Payer::Test::know_sections(qw(amount));

add_block_preprocessor(sub {
    my ($block) = @_;
    my $as = $block->amount or return;

    chomp $as;

    $block->set_value('config', "set \$wanted \$arg_a;\n"
        . "set \$wanted_in \$arg_c;\n"
        . checkout('payer_amount' => "\$wanted $as trusted",
            'payer_currency' => '$wanted_in trusted',
            'payer_reference' => '$arg_order public'));
    $block->set_value('request', 'GET /nothing');
    $block->set_value('error_code', 404);
});

our $n = 0;

# what Payer is asked for, or how the order is refused

sub asked {
    my ($amount, $currency) = @_;

    my $order = 'o' . ++$n;
    my $r = get("/checkout?order=$order&a=$amount&c=" . ($currency // 'SEK'));

    return $r->status unless $r->status == 303;
    return books($order)->{amount};
}

run_payer_tests();

__DATA__

=== TEST 1: major accepts zeros beyond the minor unit of the currency
--- amount: major
--- after
is(asked('129.5000'), 12950, 'four digits for SEK');
is(asked('129'), 12900, 'none');
is(asked('130.00', 'JPY'), 130, 'two for JPY');
is(asked('1.2340', 'KWD'), 1234, 'four for KWD');
is(asked('129.005'), 400, 'half an oere is no amount');
is(asked('130.50', 'JPY'), 400, 'nor is half a yen');
is(asked('129.0000001'), 400, 'nor is the least bit of anything');
is(asked('149.85000000000002'), 400, 'a double is not asked for');
is(asked('1.0E7'), 400, 'nor an exponent');



=== TEST 2: major float accepts the text of a double-precision number
--- amount: major float
--- after
is(asked('149.85000000000002'), 14985, 'a bit above');
is(asked('149.84999999999999'), 14985, 'a bit below');
is(asked('1.0E7'), 1000000000, 'an exponent');
is(asked('130.00000000000003', 'JPY'), 130, 'a currency without decimals');
is(asked('129.5'), 12950, 'a plain decimal');
is(asked('129.50000001'), 12950, 'a millionth of an oere');
is(asked('129.500000011'), 400, 'more than that');
is(asked('129.005'), 400, 'half an oere');
is(asked('1.0E30'), 400, 'too much');



=== TEST 3: minor rejects a decimal point and an exponent
--- amount: minor
--- after
is(asked('12900'), 12900, 'a whole number');
is(asked('12900.0'), 400, 'a point');
is(asked('1.29E4'), 400, 'an exponent');



=== TEST 4: minor float is rejected at start
--- config perl
checkout(payer_amount => '12900 minor float')
--- must_die
--- error_log
"payer_amount" directive has "float" without "major"



=== TEST 5: a constant amount is parsed like a variable one
--- config perl
checkout(payer_amount => '129.5000 major') . checkout('= /rough', payer_amount => '1.295E2 major float')
--- request eval
["GET /checkout?order=1", "GET /rough?order=2"]
--- error_code eval
[303, 303]
--- books
1: amount=12950
2: amount=12950



=== TEST 6: amounts that a double cannot represent are exact from the checkout to the refund
--- config perl
checkout(payer_amount => '9007199254740993') . checkout('= /most', payer_amount => '9223372036854775807') . operations()
. 'location = /thanks { payer_verify $arg_order; add_header X-Paid $payer_authorized_amount; empty_gif; }'
--- http_config
server_name_in_redirect off;
--- request eval
["GET /checkout?order=1", "GET /most?order=2"]
--- error_code eval
[303, 303]
--- then
for my $paid ([ 1, '9007199254740993' ], [ 2, '9223372036854775807' ]) {
    my ($order, $amount) = @$paid;
    pay("$order");
    my $r = get("/thanks?order=$order");
    is($r->status, 200, "$amount is paid");
    is($r->header('X-Paid'), $amount, 'exactly this');
    is(post('/capture', form => { reference => $order, amount => $amount })->status, 200, 'captured');
    is(post('/refund', body => qq({"reference":"$order","amount":$amount}),
        headers => { 'Content-Type' => 'application/json' })->status, 200, 'refunded');
    is(get("/thanks?order=$order&again")->status, 402, 'nothing is left');
}
is(post('/capture', form => { reference => 1, amount => '9223372036854775808' })->status, 400, 'one more does not fit');
--- books
1: captured=9007199254740993 refunded=9007199254740993
2: captured=9223372036854775807 refunded=9223372036854775807
