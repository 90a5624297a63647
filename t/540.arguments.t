# An argument that occurs twice: nginx uses the first one, many applications
# the last one.  payer_verify rejects it, also if the argument reaches it
# through map and set.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

sub gate {
    my ($value, $more) = @_;

    return checkout() . ($more // '') . "
        location = /page { return 200 page; }
        location = /thanks {
            " . ($value =~ /^set/ ? '' : 'payer_verify ') . "$value;
            proxy_pass http://127.0.0.1:\$server_port/page;
        }";
}

# Order 1 is paid, order 2 is not: what an application may take for order 2.

sub both {
    my ($name) = @_;

    for my $n (1, 2) {
        get("/checkout?order=$n")->status == 303 or die "no link\n";
    }

    pay('1');

    is(get("/thanks?$name=1")->status, 200, 'the paid order is passed');
    is(get("/thanks?$name=2")->status, 402, 'the other one is not');

    my ($first) = $name =~ /^(.)/;
    my $coded = sprintf '%%%02x', ord $first;

    for my $again ("$name=2", uc($name) . '=2', $coded . substr($name, 1) . '=2', "+$name=2", $name . '[]=2') {
        is(get("/thanks?$name=1&$again")->status, 402, "$name=1&$again");
    }

    is(get("/thanks?$name=1&other=2")->status, 200, 'another argument does not matter');
}

run_payer_tests();

__DATA__

=== TEST 1: an argument of the value itself
--- config perl: gate('$arg_order')
--- request
GET /
--- then
both('order');



=== TEST 2: an argument that a map takes apart
--- http_config
    map $arg_order $number { "~^0*(?<digits>[1-9][0-9]*)$" $digits; }
--- config perl: gate('$number')
--- request
GET /
--- then
both('order');



=== TEST 3: an argument in the result of a map
--- http_config
    map $arg_id $number { "" $arg_order; default $arg_id; }
--- config perl: gate('$number')
--- request
GET /
--- then
both('order');
both('id');



=== TEST 4: an argument that set copies in the location
--- config perl: gate('set $number $arg_order; payer_verify $number')
--- request
GET /
--- then
both('order');



=== TEST 5: an argument that set copies in the server, behind a map
--- http_config
    map $copied $number { "~^(?<digits>[0-9]+)$" $digits; }
--- config perl: gate('$number', 'set $copied "${ARG_Order}";')
--- request
GET /
--- then
both('order');



=== TEST 6: the inherited directive of a server
--- http_config
    map $arg_order $number { "~^(?<digits>[0-9]+)$" $digits; }
--- config perl
'payer_verify $number;' . checkout() . '
location = /page { payer_verify off; return 200 page; }
location = /thanks { if ($arg_other) { add_header X-Other 1; } proxy_pass http://127.0.0.1:$server_port/page; }'
--- request
GET /
--- error_code: 402
--- then
both('order');



=== TEST 7: variables that are made of themselves in many places
--- config perl
gate('set $number $arg_order; payer_verify $number', join '', map {"
    location = /set$_ { set \$number \"\$number\$other\"; set \$other \"\$number\$other\"; }"
} 1 .. 40)
--- request
GET /
--- then
both('order');
