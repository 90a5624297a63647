# The table of configurations: those that are rejected, those with a warning,
# and those that are accepted without one.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Conf;
use Payer::Table;

write_file('link.key', "the-key-that-shop-and-nginx-share\n", 0600);

my $KEY = work_dir() . '/link.key';

my $CHOOSES = qr/the buyer can choose what to pay: "payer_\w+" uses "\$/;
my $UNKNOWN = qr/the buyer might choose what to pay: "payer_\w+" uses "\$/;
my $ORDER   = qr/the buyer can choose which order to pay: "payer_reference"/;
my $NUMBER  = qr/cannot use the numbered capture "\$\d"/;
my $SAME    = qr/has a capture of the same name; rename one of them/;
my $UNASKED = qr/"payer_verify" in location ".*" has no effect, since "\w+"/;
my $IF      = qr/"payer_verify" in location ".*" has no effect in an "if"/;

my $PRICE = 'map $arg_product $price { default ""; tea 4500; coffee 5900; }';


# A checkout with this amount, and what stands around it.

sub amount {
    my ($amount, %conf) = @_;

    return (%conf, server => ($conf{server} // '')
        . checkout($conf{location} // '= /checkout',
            payer_amount => $amount, @{ $conf{with} // [] }));
}


# The buyer's own words, in every kind of location.

for my $location ('= /checkout', '/checkout', '@pay', '~ ^/checkout') {
    refused "an amount of an argument in location $location", $CHOOSES,
        amount('$arg_total', location => $location);
}

refused 'an amount of an argument in an internal location', $CHOOSES,
    amount('$arg_total', with => [ internal => '' ]);

for my $variable (qw(arg_x cookie_x http_x request request_uri request_method
    request_body request_id request_filename args query_string is_args uri
    document_uri host remote_user content_type content_length
    proxy_add_x_forwarded_for))
{
    refused "an amount of \$$variable, although it says trusted", $CHOOSES,
        amount("\$$variable trusted", location => '@pay');
}

refused 'an amount of an argument in braces', $CHOOSES,
    amount('"${arg_x}00" trusted');
refused 'an amount of an argument in capital letters', $CHOOSES,
    amount('$ARG_total trusted');
refused 'an argument behind a good variable', $CHOOSES,
    amount('"$upstream_http_x$arg_x"');
refused 'an amount that the server gives', $CHOOSES,
    amount(undef, server => 'payer_amount $arg_total;');
refused 'a named capture of the location', $CHOOSES,
    amount('$sum trusted', location => '~ "^/pay/(?<sum>[0-9]+)$"');
refused 'a named capture of another location', $CHOOSES,
    amount('$sum trusted', location => '@pay',
        server => 'location ~ "^/a/(?<sum>[0-9]+)$" { error_page 402 = @pay; return 402; }');
refused 'a named capture of a rewrite', $CHOOSES,
    amount('$sum trusted', server => 'rewrite ^/pay/(?<sum>.*)$ /checkout;');
refused 'a named capture of an if', $CHOOSES,
    amount('$sum trusted', server => 'if ($arg_x ~ (?<sum>.*)) { set $y 1; }');
refused 'a named capture of server_name', $CHOOSES,
    amount('$sum trusted', name => '~^(?<sum>[0-9]+)\.example$');
refused 'a named capture of a map', $CHOOSES,
    amount('$sum trusted', http => 'map $arg_x $other { ~^(?<sum>.*)$ 1; }');
refused 'a currency of an argument', $CHOOSES,
    server => checkout('@pay', payer_currency => '$arg_currency trusted');
refused 'a currency of a header', $CHOOSES,
    server => checkout(payer_currency => '$http_x_currency');

# Nobody knows whose words.

refused 'an amount of set', $UNKNOWN,
    amount('$sum', server => 'set $sum 100;');
refused 'an amount of set in an internal location', $UNKNOWN,
    amount('$sum', location => '@pay', server => 'set $sum $arg_total;');
refused 'an amount of set in the location itself', $UNKNOWN,
    amount('$sum', with => [ set => '$sum $arg_total' ]);
refused 'an amount of a map with a variable for default', $UNKNOWN,
    amount('$p', http => 'map $arg_product $p { tea 45; default $arg_total; }');
refused 'an amount of a map with a variable among its results', $UNKNOWN,
    amount('$p', http => 'map $arg_product $p { tea 45; milk $arg_total; default 1; }');
refused 'an amount of a map with text around a variable', $UNKNOWN,
    amount('$p', http => 'map $arg_product $p { tea 45; milk "1$arg_total"; }');
refused 'an amount of a map with a variable behind a regular expression', $UNKNOWN,
    amount('$p', http => 'map $arg_product $p { ~^tea $arg_total; default 1; }');
refused 'an amount of a map with a variable behind a wildcard', $UNKNOWN,
    amount('$p', http => 'map $host $p { hostnames; *.example $arg_total; default 1; }');
refused 'an amount of a map with a variable behind a wildcard at the end', $UNKNOWN,
    amount('$p', http => 'map $host $p { hostnames; shop.* $arg_total; default 1; }');
refused 'an amount of a map with a variable deep in wildcards', $UNKNOWN,
    amount('$p', http => 'map $host $p { hostnames; *.a.example 1; *.b.a.example $arg_x; .c.example 2; }');
refused 'an amount of a map of constants that a set replaces', $UNKNOWN,
    amount('$price', http => $PRICE, server => 'location /x { set $price $arg_x; }');
refused 'the same in an if', $UNKNOWN,
    amount('$price', http => $PRICE, server => 'location /x { if ($arg_y) { set $price $arg_x; } }');
refused 'the same in another server', $UNKNOWN,
    amount('$price', http => "$PRICE server { listen 127.0.0.1:" . free_port() . '; set $price $arg_x; }');
refused 'an amount of a map of another map', $UNKNOWN,
    amount('$p', http => "$PRICE map \$arg_x \$p { default \$price; }");
refused 'an amount of geo', $UNKNOWN,
    amount('$g', http => 'geo $g { default 100; }');
refused 'an amount of split_clients', $UNKNOWN,
    amount('$s', http => 'split_clients $arg_x $s { 50% 100; * 200; }');
refused 'an amount of auth_request_set', $UNKNOWN,
    amount('$sum', with => [ auth_request_set => '$sum $upstream_http_x_sum' ]);
refused 'an amount of a header of the shop that a set replaces', $UNKNOWN,
    amount('$upstream_http_x_sum', server => 'set $upstream_http_x_sum $arg_x;');
refused 'an amount of a cookie of the upstream', $UNKNOWN,
    amount('$upstream_cookie_x');
refused 'an amount of the time', $UNKNOWN, amount('$msec');
refused 'an amount of the client address', $UNKNOWN, amount('$remote_addr');
refused 'a currency of set', $UNKNOWN,
    server => 'set $c SEK;' . checkout(payer_currency => '$c');
refused 'a word that nobody knows', qr/invalid parameter "trust"/,
    amount('$msec trust');
refused 'trusted twice', qr/invalid parameter "trusted"/,
    amount('$msec trusted trusted');
refused 'a word behind a currency', qr/invalid parameter "public", it must be "trusted"/,
    server => checkout(payer_currency => 'SEK public');
refused 'a variable that nobody defines', qr/unknown "no_such" variable/,
    amount('$no_such trusted');

# The shop's and the operator's.

started 'a constant amount', amount('100');
started 'a constant amount in an internal location', amount('100', with => [ internal => '' ]);
started 'a header of the shop', amount('$upstream_http_x_payer_amount', with => [ internal => '' ]);
started 'a header of the shop after a 402', amount('$upstream_http_x_payer_amount', location => '@pay');
started 'a header of the shop in braces', amount('"${upstream_http_x_payer_amount}"');
started 'a map of constants', amount('$price', http => $PRICE);
started 'a map of constants, in major units', amount('$price major', http => $PRICE);
started 'a map of constants in a named location', amount('$price', http => $PRICE, location => '@pay');
started 'a map without a default', amount('$p', http => 'map $arg_x $p { tea 1; }');
started 'a map without anything', amount('$p', http => 'map $arg_x $p { }');
started 'a map of constants with regular expressions',
    amount('$p', http => 'map $arg_x $p { ~^tea 1; "~*^(?<kind>.*)milk$" 2; }');
started 'a map of constants with wildcards',
    amount('$p', http => 'map $host $p { hostnames; *.a.example 1; .b.example 2; *.c.b.example 3; shop.* 4; default 5; }');
started 'a large map of constants',
    amount('$p', http => 'map_hash_max_size 8192; map $arg_x $p {'
        . join('', map { "p$_ $_;" } 1 .. 500) . '}');
started 'a map of constants that stands behind the server',
    server => checkout(payer_amount => '$p') . "}\nmap \$arg_x \$p { default 1; }\nserver { listen 127.0.0.1:" . free_port() . ';';
started 'a volatile map of constants', amount('$p', http => 'map $arg_x $p { volatile; tea 1; }');
started 'map settings, each given once',
    amount('$p', http => 'map_hash_bucket_size 128; map_hash_max_size 4096; map $arg_x $p { tea 1; }');
started 'set that is trusted', amount('$sum trusted', server => 'set $sum 100;');
started 'geo that is trusted', amount('$g trusted', http => 'geo $g { default 100; }');
started 'a map with variables that is trusted',
    amount('$p trusted', http => 'map $arg_x $p { default $msec; }');
started 'trusted in front of the unit',
    amount('$sum trusted major', server => 'set $sum 100;');
started 'a currency of a map', server => checkout(payer_currency => '$c'),
    http => 'map $arg_land $c { default SEK; no NOK; }';
started 'a currency of set that is trusted',
    server => 'set $c SEK;' . checkout(payer_currency => '$c trusted');
started 'a named capture that is not in the amount',
    server => checkout('~ "^/pay/(?<order>[0-9]+)$"', payer_reference => '$order public');

# A signature.

sub signed {
    my (%with) = @_;
    my $http = delete $with{http} // '';

    return (http => $http, server => checkout('= /pay',
        payer_amount             => '$arg_amount',
        payer_reference          => '$arg_order',
        payer_signature          => '$arg_sig $arg_order:$arg_amount:$arg_expires',
        payer_signature_expires  => '$arg_expires',
        payer_signature_key_file => $KEY, %with));
}

my $OUTSIDE = qr/the signature does not protect "payer_\w+": "\$\w+" is not in the message/;

started 'a signed amount', signed();
started 'a signed link in an internal location', signed(internal => '');
started 'a map of constants whose source is signed', signed(http => $PRICE,
    payer_amount => '$price', payer_signature => '$arg_sig $arg_order:$arg_product:$arg_expires');
started 'a named capture that is signed',
    server => checkout('~ "^/pay/(?<order>[0-9]+)/(?<sum>[0-9]+)$"', payer_amount => '$sum',
        payer_reference => '$order', payer_signature => '$arg_sig $order:$sum:$arg_expires',
        payer_signature_expires => '$arg_expires', payer_signature_key_file => $KEY);
started 'trusted beside a signature', signed(set => '$s 1', payer_amount => '$s trusted');
refused 'a map of constants whose source is not signed', $OUTSIDE,
    signed(http => $PRICE, payer_amount => '$price');
refused 'an argument that is not signed', $OUTSIDE, signed(payer_amount => '$arg_other');
refused 'the same, although it says trusted', $OUTSIDE, signed(payer_amount => '$arg_other trusted');
refused 'a currency that is not signed', $OUTSIDE, signed(payer_currency => '$arg_currency');
refused 'a reference that is not signed', $OUTSIDE, signed(payer_reference => '$arg_other');
refused 'set that is not signed', $OUTSIDE, signed(set => '$s 1', payer_amount => '$s');
refused 'a signature of a numbered capture', $NUMBER, signed(payer_signature => '$arg_sig $1');
refused 'a numbered capture for a signature', $NUMBER, signed(payer_signature => '$1 $arg_order');

# The reference.

sub reference {
    my ($reference, %conf) = @_;
    return (%conf, server => ($conf{server} // '')
        . checkout(payer_reference => $reference, @{ $conf{with} // [] }));
}

refused 'a reference of an argument', $ORDER, reference('$arg_order');
refused 'a reference of an argument in an internal location', $ORDER, reference('$arg_order', with => [ internal => '' ]);
refused 'a reference of a cookie', $ORDER, reference('$cookie_order');
refused 'a reference of set', $ORDER, reference('$o', server => 'set $o 1;');
refused 'a reference of which a part is an argument', $ORDER, reference('shop-$arg_order');
refused 'a reference of a map with a variable', $ORDER, reference('$o', http => 'map $arg_x $o { default $arg_x; }');
refused 'a reference of the user', $ORDER, reference('$remote_user');
refused 'a reference of our own variable', $ORDER, reference('$payer_reference');
refused 'a word that no reference has', qr/invalid parameter "trusted", it must be "public"/, reference('$arg_order trusted');
started 'a reference that is public', reference('$arg_order public');
started 'a reference of the request id', reference('$request_id');
started 'a reference of the request id and text', reference('gift-$request_id');
started 'a constant reference', reference('1001');
started 'a reference of a header of the shop', reference('$upstream_http_x_payer_reference');
started 'a reference of a map of constants', reference('$o', http => 'map $arg_x $o { a 1; b 2; }');
started 'a public one of our own variable', reference('$payer_reference public');

# Captures, in every directive.

for my $directive (qw(payer_reference payer_amount payer_max_amount
    payer_currency payer_language payer_order_id payer_return_success
    payer_return_fail payer_return_back payer_signature_expires))
{
    refused "a numbered capture in $directive", $NUMBER,
        server => checkout('~ "^/pay/(.*)$"', $directive => '/a$1');
}

refused 'a numbered capture in payer_present', $NUMBER,
    server => checkout('~ "^/pay/(.*)$"', payer_present => '/page/$2');
refused 'a numbered capture in payer_verify', $NUMBER,
    server => 'location ~ ^/thanks/(.*)$ { payer_verify $1; }';
refused 'a numbered capture in payer_verify_ticket', $NUMBER,
    server => 'location ~ ^/thanks/(.*)$ { payer_verify $arg_o; payer_verify_ticket $1; }';
refused 'a numbered capture in payer_verify_amount', $NUMBER,
    server => 'location ~ ^/t/(.*)$ { payer_verify $arg_o; payer_verify_amount $1 SEK; }';
refused 'a numbered capture in payer_verify_wait', $NUMBER,
    server => 'location ~ ^/t/(.*)$ { payer_verify $arg_o; payer_verify_wait 5s $1; }';
refused 'a numbered capture in payer_return_origin', $NUMBER,
    server => checkout('~ "^/pay/(.*)$"', payer_return_origin => 'https://$1');
refused 'a numbered capture in the first parameter of a map', qr/numbered capture "\$1" by way of the map "\$y"/,
    http => 'map $1 $y { a 1; default 2; }',
    server => 'location ~ ^/t/(.*)$ { payer_verify $y; }';
refused 'the same in an amount', qr/numbered capture "\$2" by way of the map "\$y"/,
    http => 'map "x$2" $y { xa 1; default 2; }',
    server => checkout('~ "^/pay/(.*)/(.*)$"', payer_amount => '$y');
started 'a map of its own capture',
    http => 'map $uri $y { ~^/t/(.*)$ $1; }',
    server => 'location /t/ { payer_verify $y; }';
refused 'a numbered capture that nobody uses', $NUMBER,
    server => 'payer_language $1;';
refused 'a capture that a map replaces', $SAME,
    http => 'map $arg_x $y { ~^(?<order>.*)$ 1; }',
    server => 'location ~ ^/thanks/(?<order>.*)$ { payer_verify $order; }';
refused 'the same in capital letters', $SAME,
    http => 'map $arg_x $y { ~^(?<ORDER>.*)$ 1; }',
    server => 'location ~ ^/thanks/(?<order>.*)$ { payer_verify $order; }';
refused 'a capture that server_name replaces', $SAME,
    name => '~^(?<order>.*)\.example$',
    server => 'location ~ ^/thanks/(?<order>.*)$ { payer_verify $order; }';
refused 'a capture that the name of another server replaces', $SAME,
    http => 'server { listen 127.0.0.1:' . free_port() . '; server_name ~^(?<order>.*)\.example$; }',
    server => 'location ~ ^/thanks/(?<order>.*)$ { payer_verify $order; }';
refused 'a capture of a rewrite that a map replaces', $SAME,
    http => 'map $arg_x $y { ~^(?<order>.*)$ 1; }',
    server => 'location /t { rewrite ^/t/(?<order>.*)$ /t break; payer_verify $order; }';
started 'a named capture',
    server => 'location ~ ^/thanks/(?<order>.*)$ { payer_verify $order; }';
started 'a named capture of two locations',
    server => 'location ~ ^/a/(?<order>.*)$ { payer_verify $order; } location ~ ^/b/(?<order>.*)$ { payer_verify $order; }';
started 'a map with a capture of another name',
    http => 'map $arg_x $y { ~^(?<other>.*)$ 1; }',
    server => 'location ~ ^/thanks/(?<order>.*)$ { payer_verify $order; }';
started 'a capture of server_name alone',
    name => '~^(?<shop>.*)\.example$',
    server => checkout(payer_return_success => 'https://$shop.example/thanks');

# What an order must have been paid with.

sub verified {
    my ($amount, %conf) = @_;
    return (%conf, server => ($conf{server} // '')
        . "location = /thanks { payer_verify \$arg_order; payer_verify_amount $amount; }");
}

refused 'an amount to verify of an argument', $CHOOSES, verified('$arg_total SEK');
refused 'the same, although it says trusted', $CHOOSES, verified('$arg_total trusted SEK');
refused 'an amount to verify of a cookie', $CHOOSES, verified('$cookie_total major SEK');
refused 'an amount to verify of set', $UNKNOWN, verified('$s SEK', server => 'set $s 1;');
refused 'a currency to verify of a header', $CHOOSES, verified('100 $http_x_currency');
refused 'an amount to verify that only a checkout signs', $CHOOSES,
    verified('$arg_amount SEK', server => "payer_signature \$arg_sig \$arg_order:\$arg_amount; payer_signature_key_file $KEY;");
started 'a constant amount to verify', verified('100 SEK');
started 'an amount to verify of a map', verified('$price SEK', http => $PRICE);
started 'an amount to verify of set that is trusted', verified('$s trusted SEK', server => 'set $s 1;');

# Gates that are never asked.

sub gate {
    my ($body, %conf) = @_;
    return (%conf, server => ($conf{server} // '') . "location = /thanks { payer_verify \$arg_order; $body }");
}

for my $body ('return 200;', 'return 200 "thanks";', 'set $x 1; return 200;', 'return 204;',
    'return 301 /x;', 'return https://shop.example/;', 'return 302 /x;',
    'rewrite ^ /x last;', 'set $x 1; rewrite ^ /x last;', 'rewrite ^/t /x redirect;',
    'rewrite ^ /x permanent;', 'rewrite ^ https://shop.example/;', 'rewrite ^ /x;',
    'set $x "a$arg_b-c"; if ($arg_x) { set $y 2; } return 200;',
    'if (-f $document_root/x) { return 404; } rewrite ^/(.*)$ /x/$1?a=$arg_x last;')
{
    refused "a gate behind $body", $UNASKED, gate($body);
}

for my $body ('return 403;', 'return 404;', 'return 444;', 'return 503;',
    'return 402 "not for you";', 'rewrite ^ /x break;', 'rewrite ^ /x; break;', 'break; return 200;',
    'set $x 1;', 'if ($arg_x) { return 403; }', 'if ($arg_x) { rewrite ^ /x break; }',
    'return 403; return 200;', 'if ($arg_x) { set $y 1; }', 'try_files /x =404;')
{
    started "a gate with $body", gate($body);
}

for my $body ('if ($arg_x) { return 200; }', 'if ($arg_x = 1) { rewrite ^ /x last; }',
    'if ($arg_x ~ "^a(.*)") { return 302 /x; }', 'if ($arg_x) { set $y 1; return 204; }')
{
    warned "a gate with $body", $IF, gate($body);
}

warned 'an inherited gate behind return', $UNASKED,
    server => 'payer_verify $arg_order; location = /health { return 200; }';
warned 'an inherited gate behind rewrite', $UNASKED,
    server => 'payer_verify $arg_order; location /old { rewrite ^ /new last; }';
warned 'an inherited gate and an if', $IF,
    server => 'payer_verify $arg_order; location /old { if ($arg_x) { return 200; } }';
started 'an inherited gate that is switched off',
    server => 'payer_verify $arg_order; location = /health { payer_verify off; return 200; }';
started 'a rewrite of a server with a gate',
    server => 'payer_verify $arg_order; rewrite ^/a$ /b last;';
refused 'a server with a gate that only returns', $UNASKED,
    server => 'payer_verify $arg_order; return 200;';
started 'a front controller', server => <<'END';
    location / { if ($arg_route = checkout/success) { rewrite ^ /_success last; } }
    location = /_success { internal; payer_verify $arg_order; }
END
started 'a till and events in a server with a gate',
    server => 'payer_verify $arg_order;'
        . checkout(payer_amount => '$upstream_http_x_payer_amount',
            payer_reference => '$upstream_http_x_payer_reference')
        . 'location = /events { payer_events; payer_event_pass /shop/event; }
           location = /shop/event { internal; payer_verify off; proxy_pass http://127.0.0.1:81; }';

# Where events go.

sub event_pass {
    my ($value) = @_;
    return (server => "location = /events { payer_events; payer_event_pass $value; }
        location = /shop/event { internal; proxy_pass http://127.0.0.1:81; }");
}

refused 'a word that payer_event_pass does not have', qr/invalid parameter "public", it must be "known"/,
    event_pass('/shop/event public');
refused 'a third word', qr/invalid number of arguments in "payer_event_pass"/, event_pass('/shop/event known known');
started 'events of known orders', event_pass('/shop/event known');

# What only a gate can ask for.

for my $more ('payer_verify_ticket $arg_ticket', 'payer_verify_amount 100 SEK', 'payer_verify_wait 5s') {
    my ($name) = split ' ', $more;
    my $open = qr/"$name" in location "\/thanks" has no effect without "payer_verify" in /;

    refused "$name without a gate", $open, server => "location = /thanks { $more; }";
    refused "$name with a gate that is off", $open,
        server => "payer_verify \$arg_order; location = /thanks { payer_verify off; $more; }";
    refused "$name around a gate", $open,
        server => "location /thanks { $more; location /thanks/you { payer_verify \$arg_order; } }";
    refused "$name of a location inside a gate that is off", $open,
        server => "payer_verify \$arg_order; location / { payer_verify off; location /thanks { $more; } }";
    started "$name with a gate", server => "location = /thanks { payer_verify \$arg_order; $more; }";
    started "$name with a gate behind it", server => "location = /thanks { $more; payer_verify \$arg_order; }";
    started "$name with an inherited gate", server => "payer_verify \$arg_order; location = /thanks { $more; }";
    started "$name of a server without a gate", server => "$more; location = /thanks { return 200; }";
    started "$name of all servers", http => "$more;", server => 'location = /thanks { return 200; }';
    started "$name with a gate and an if", server => "location = /thanks { payer_verify \$arg_order; $more; if (\$arg_x) { set \$y 1; } }";
}

refused 'payer_verify_ticket of a till', qr/"payer_verify_ticket" in location "\/checkout" has no effect without/,
    server => 'payer_verify $arg_order;' . checkout(payer_verify_ticket => '$arg_ticket');

# The API location.

my $ELSE   = qr/has an "if" or "limit_except" with another "proxy_pass" or handler/;
my $LEADS  = qr/of "payer_api" has "\w+", which leads calls elsewhere/;
my $STRIPS = qr/does not replace the prefix of "payer_api"/;

sub api {
    my ($body, @with) = @_;
    return (server => checkout(), api => road(@with) =~ s/\}\s*\z/$body }/r);
}

refused 'an if with another proxy_pass', $ELSE, api('if ($arg_x) { proxy_pass http://127.0.0.1:81; }');
refused 'an if with another proxy_pass over verified TLS', $ELSE, api('if ($arg_x) { proxy_pass https://127.0.0.1:81; }');
refused 'an if with a proxy_pass of variables', $ELSE, api('if ($arg_x) { proxy_pass http://$arg_x; }');
refused 'an if with fastcgi_pass', $ELSE, api('if ($arg_x) { fastcgi_pass 127.0.0.1:81; }');
refused 'limit_except with another proxy_pass', $ELSE, api('limit_except GET { proxy_pass http://127.0.0.1:81; }');
refused 'rewrite last', $LEADS, api('rewrite ^ /x last;');
refused 'rewrite last in an if', $LEADS, api('if ($request_method = POST) { rewrite ^ /x last; }');
refused 'rewrite without a flag', $LEADS, api('rewrite ^ /x;');
refused 'rewrite redirect', $LEADS, api('rewrite ^ /x redirect;');
refused 'return', $LEADS, api('return 403;');
refused 'proxy_pass without a slash', $STRIPS, api('', proxy_pass => 'https://payer');
refused 'proxy_pass with a path that does not end with one', $STRIPS, api('', proxy_pass => 'https://payer/api');
refused 'a socket without a path', $STRIPS,
    api('', proxy_pass => 'http://unix:/tmp/payer.sock', payer_insecure_upstream => undef),
    http => 'payer_insecure_upstream on;';
refused 'mirror', qr/has "mirror", which would send the credentials/, api('mirror /m;');
refused 'mirror of the server', qr/has "mirror"/, api('', ), server => 'mirror /m;' . checkout();
refused 'log_subrequest with the header', qr/has "log_subrequest" on, and "\$http_authorization" is used/,
    api("access_log @{[work_dir()]}/a.log a; log_subrequest on;"), http => 'log_format a $http_authorization;';
refused 'log_subrequest of the server with a map of the header', qr/has "log_subrequest" on/,
    api("access_log @{[work_dir()]}/a.log a;"), server => 'log_subrequest on;' . checkout(),
    http => 'map $http_authorization $auth { default "-$http_authorization"; } log_format a $auth;';
refused 'live and test in one upstream', qr/test and live payments cannot share/,
    api('', proxy_pass => 'https://both/'), http => 'upstream both { server 127.0.0.1:443; server 127.0.0.2:443 backup; }',
    server => checkout(payer_api => '/_payer host=b2b.payer.se') . checkout('= /t', payer_api => '/_payer host=stage-b2b.payer.se.');
refused 'the live host over an insecure upstream', qr/calls Payer's live host, remove the directive/,
    api(''), server => checkout(payer_api => '/_payer host=B2B.payer.se', payer_insecure_upstream => 'on');
refused 'no API location', qr/there is no location "\/_payer\/"/, server => checkout(), api => '';
refused 'an exact one only', qr/there is no location "\/_payer\/"/, server => checkout(),
    api => road() =~ s/location/location =/r;
refused 'one that a client can reach', qr/is not internal/, api('', internal => undef);

refused 'a location inside it over plain http', qr/would send credentials over plain http/,
    api("location /_payer/auth/ { include @{[root()]}/conf/payer_api.conf; proxy_pass http://payer/auth/; }");
refused 'a location inside it that sends twice', qr/"proxy_next_upstream" other than off/,
    api('location /_payer/auth/ { proxy_next_upstream error; proxy_pass https://payer/auth/; }');
refused 'a location inside it that a client can cut', qr/"proxy_ignore_client_abort" off/,
    api('location = /_payer/auth { proxy_ignore_client_abort off; proxy_pass https://payer/auth; }');

started 'an if that sets', api('if ($arg_x) { set $x 1; }');
started 'limit_except that denies', api('limit_except GET POST PUT DELETE { deny all; }');
started 'rewrite break, and proxy_pass without a path',
    api('rewrite ^/_payer(/.*)$ $1 break;', proxy_pass => 'https://payer');
started 'a path that ends with a slash', api('', proxy_pass => 'https://payer/base/');
started 'log_subrequest without the header', api("access_log @{[work_dir()]}/a.log combined; log_subrequest on;");
started 'log_subrequest without a log', api('log_subrequest on;'), http => 'map $http_authorization $auth { default 1; }';
started 'mirror off', api('mirror off;'), server => 'mirror /m;' . checkout();
started 'exact locations beside it', server => checkout()
    . 'location = /_p { return 404; } location = /_g { return 404; } location = /_payer/x { return 404; } location = /_payer { return 404; }';
started 'an exact location of its name', server => checkout() . 'location = /_payer/ { return 404; }';
started 'it stands in another location', server => checkout(),
    api => "location / {\n" . road() . "}\n";
started 'many neighbours', server => checkout()
    . join '', map { "location = /_$_ { return 404; } location /_$_/ { return 404; }" } 'a' .. 'z';
warned 'proxy_pass with variables', qr/has variables, so that it cannot be checked/,
    api('set $payer b2b.payer.se; rewrite ^/_payer(/.*)$ $1 break;', proxy_pass => 'https://$payer'),
    http => 'resolver 127.0.0.1;';

# Who may use an operation.

for my $operation (qw(capture cancel release refund payment reconcile metrics subscriptions)) {
    refused "payer_$operation without payer_allow", qr/has no "payer_allow"/,
        server => "location = /x { internal; payer_$operation; }";
    started "payer_$operation with it",
        server => "location = /x { payer_$operation; payer_allow internal 127.0.0.1; }";
}

# Where events go.

sub to_shop { return (server => 'location = /events { payer_events; payer_event_pass /shop/event; }' . $_[0]) }

refused 'events for no location', qr/there is no location for "\/shop\/event"/, to_shop('');
refused 'events for a location that is not internal', qr/is not internal, so that any client could make up events/,
    to_shop('location /shop/ { proxy_pass http://127.0.0.1:81; }');

for my $pass ('proxy_pass http://127.0.0.1:81', 'fastcgi_pass 127.0.0.1:81', 'uwsgi_pass 127.0.0.1:81', 'scgi_pass 127.0.0.1:81') {
    started "events for $pass", to_shop("location = /shop/event { internal; $pass; }");
}

started 'events beside exact locations',
    to_shop('location = /s { return 404; } location = /sh { return 404; } location /shop/ { internal; proxy_pass http://127.0.0.1:81; }');

# Lookups.

my $LOOKUP = <<'END';
    location = /_shop { internal; proxy_pass http://127.0.0.1:81; }
    location @pay {
        payer_checkout;
        payer_reference      $payer_reference;
        payer_amount         $wc_total major;
        payer_currency       SEK;
        payer_return_success /received/$payer_reference;
        payer_return_fail    /cart;
        payer_return_back    /cart;
    }
END

sub looked_up {
    my ($location, $argument, %with) = @_;
    return (server => ($with{server} // '') . $LOOKUP . <<"END");
    location $location {
        payer_lookup        /_shop?id=$argument;
        payer_lookup_field  \$wc_total /total;
        @{[ $with{match} // 'payer_lookup_field $wc_key /key; payer_lookup_match $wc_key $arg_key;' ]}
        payer_verify        $argument;
        payer_verify_amount \$wc_total major SEK;
        error_page 402 = \@pay;
    }
END
}

my $GUESSES = qr/a client that guesses an order number sees that order/;

warned 'a lookup of a capture without a match', $GUESSES,
    looked_up('~ "^/received/(?<wc_order>[0-9]+)$"', '$wc_order', match => '');
warned 'a lookup of an argument without a match', $GUESSES,
    looked_up('/received', '$arg_id', match => '');
warned 'a lookup of a cookie without a match', $GUESSES,
    looked_up('/received', '$cookie_id', match => '');
warned 'one that several locations inherit, once', $GUESSES,
    looked_up('/received', '$arg_id', match => 'location /received/a { } location /received/b { }');
started 'a lookup with a match',
    looked_up('~ "^/received/(?<wc_order>[0-9]+)$"', '$wc_order');
started 'another page with payer_verify beside a checkout whose amount is looked up',
    looked_up('~ "^/received/(?<wc_order>[0-9]+)$"', '$wc_order',
        server => 'location = /thanks { payer_verify $arg_order; payer_verify_ticket $arg_ticket; }');

# What a lookup may be made of.

sub shop_asked {
    my (%with) = @_;

    my $shop  = $with{shop} // 'internal; proxy_pass http://127.0.0.1:81;';
    my $lines = join "\n", $with{lookup} // 'payer_lookup /_shop?id=$arg_id;',
        $with{field} // 'payer_lookup_field $wc_total /total; payer_lookup_field $wc_cur /cur;',
        $with{match} // 'payer_lookup_field $wc_key /key; payer_lookup_match $wc_key $arg_key;',
        $with{more} // '';

    return (http => $with{http} // '', server => ($with{server} // '') . <<"END");
    location @{[ $with{where} // '= /_shop' ]} { $shop }
    location @{[ $with{location} // '= /pay' ]} {
        $lines
        payer_checkout;
        payer_reference      @{[ $with{reference} // '$arg_id' ]};
        payer_amount         @{[ $with{amount} // '$wc_total major' ]};
        payer_currency       @{[ $with{currency} // 'SEK' ]};
        payer_return_success /s;
        payer_return_fail    /f;
        payer_return_back    /b;
    }
END
}

sub gated {
    my ($reference, $amount, %with) = @_;

    return shop_asked(%with, server => <<"END");
    location = /gate {
        payer_lookup        /_shop?id=\$arg_id;
        payer_lookup_field  \$wc_total /total;
        payer_lookup_field  \$wc_cur /cur;
        payer_lookup_field  \$wc_key /key;
        payer_lookup_match  \$wc_key \$arg_key;
        payer_verify        $reference;
        payer_verify_amount $amount;
    }
END
}

started 'a lookup', shop_asked();
started 'one whose number and currency are fields',
    shop_asked(reference => 'shop-$wc_key', currency => '$wc_cur');
started 'one with fixed arguments', shop_asked(lookup => 'payer_lookup /_shop?a=b&id=$arg_id&c=;');
started 'a variable in braces', shop_asked(lookup => 'payer_lookup /_shop?id=${arg_id};');
started 'chars=email', shop_asked(lookup => 'payer_lookup /_shop?id=$arg_id chars=email;');
started 'a map of a field with constant results',
    shop_asked(currency => '$iso', http => 'map $wc_cur $iso { 1 SEK; 2 EUR; default ""; }');
started 'a field that two lookups declare', gated('$arg_id', '$wc_total major $wc_cur');
started 'a fastcgi location', shop_asked(shop => 'internal; fastcgi_pass 127.0.0.1:81;');
started 'a uwsgi location', shop_asked(shop => 'internal; uwsgi_pass 127.0.0.1:81;');
started 'an scgi location', shop_asked(shop => 'internal; scgi_pass 127.0.0.1:81;');
started 'headers', shop_asked(more => 'payer_lookup_header Cookie X-Shop_1;');
started 'a regular expression with a tag', shop_asked(field => 'payer_lookup_field $wc_total "~<b>([0-9]+\\.[0-9]*)</b>";');
started 'a lookup that is off', shop_asked(lookup => 'payer_lookup off;', field => '', match => '',
    amount => '100', reference => '$arg_id public', server => 'payer_verify_amount 100 SEK;');

my $PATH = qr/its path must begin with a slash and have no variables/;
my $WHOLE = qr/a variable must be its whole value/;
my $TOGETHER = qr/the amount and the order number would not belong together: "payer_\w+" of location ".*" uses "\$\w+"/;

refused 'a variable in the path', $PATH, shop_asked(lookup => 'payer_lookup /_shop/$arg_id;');
refused 'a path that is a variable', $PATH, shop_asked(lookup => 'payer_lookup $arg_id;');
refused 'a URI without a slash', $PATH, shop_asked(lookup => 'payer_lookup http://shop/;');
refused 'a variable as a part of an argument', $WHOLE, shop_asked(lookup => 'payer_lookup /_shop?id=a$arg_id;');
refused 'one with text behind it', $WHOLE, shop_asked(lookup => 'payer_lookup /_shop?id=${arg_id}a;');
refused 'two variables in an argument', $WHOLE, shop_asked(lookup => 'payer_lookup /_shop?id=$arg_id$arg_b;');
refused 'a variable as the name of an argument', qr/it must be a name and a value/,
    shop_asked(lookup => 'payer_lookup /_shop?$arg_id=1;');
refused 'an argument that is all variable', qr/it must be a name and a value/,
    shop_asked(lookup => 'payer_lookup /_shop?$args;');
refused 'a numbered capture', $NUMBER, shop_asked(lookup => 'payer_lookup /_shop?id=$1;',
    location => '~ ^/pay/(.*)$');
refused 'a capture that a map replaces', $SAME, shop_asked(lookup => 'payer_lookup /_shop?id=$oid;',
    location => '~ ^/pay/(?<oid>.*)$', reference => '$oid', http => 'map $arg_x $y { ~^(?<oid>.*)$ 1; }');
refused 'other characters', qr/invalid parameter "chars=all"/, shop_asked(lookup => 'payer_lookup /_shop chars=all;');
refused 'a second lookup', qr/"payer_lookup" directive is duplicate/, shop_asked(more => 'payer_lookup /_shop;');
refused 'directives without a lookup', qr/are set without "payer_lookup"/, shop_asked(lookup => '');
refused 'a lookup that is off and has fields', qr/"payer_lookup off" is set together/, shop_asked(lookup => 'payer_lookup off;');

refused 'no location', qr/there is no location for "\/_none"/, shop_asked(lookup => 'payer_lookup /_none?id=$arg_id;');
refused 'a public location', qr/is not internal/, shop_asked(shop => 'proxy_pass http://127.0.0.1:81;');
refused 'a location that asks nobody', qr/does not pass requests to the shop/, shop_asked(shop => 'internal; return 200 x;');
refused 'a location of ours', qr/has "payer_metrics", which does not pass requests to the shop/,
    shop_asked(shop => 'internal; payer_metrics; payer_allow all;');

# What else the shop's location has.  A lookup is not sent from an "if".
my $ELSEWHERE = qr/location "\/_shop" of "payer_lookup \/_shop" has an "if" or "limit_except" with another handler/;
my $NOT_SENT = qr/location "\/_shop" of "payer_lookup \/_shop" has an "if" or "limit_except", from which a lookup is not sent/;
my $PASS = 'internal; proxy_pass http://127.0.0.1:81;';
refused 'an if with another proxy_pass', $ELSEWHERE,
    shop_asked(shop => "$PASS if (\$arg_id = 1) { proxy_pass http://127.0.0.1:82; }");
refused 'an if with the same proxy_pass', $ELSEWHERE,
    shop_asked(shop => "$PASS if (\$arg_id = 1) { proxy_pass http://127.0.0.1:81; }");
refused 'an if with fastcgi_pass', $ELSEWHERE,
    shop_asked(shop => "$PASS if (\$arg_id = 1) { fastcgi_pass 127.0.0.1:81; }");
refused 'a fastcgi location with another in an if', $ELSEWHERE,
    shop_asked(shop => 'internal; fastcgi_pass 127.0.0.1:81; if ($arg_id = 1) { fastcgi_pass 127.0.0.1:82; }');
refused 'limit_except of the shop with another proxy_pass', $ELSEWHERE,
    shop_asked(shop => "$PASS limit_except POST { proxy_pass http://127.0.0.1:82; }");
warned 'an if of the shop that sets a variable', $NOT_SENT,
    shop_asked(shop => "$PASS if (\$arg_id = 1) { set \$x 1; }");
warned 'limit_except of the shop that is for GET, too', $NOT_SENT,
    shop_asked(shop => "$PASS limit_except POST { deny all; }");
started 'limit_except of the shop that is not for GET',
    shop_asked(shop => "$PASS limit_except GET { deny all; }");
refused 'a location that answers by itself', qr/has "return", so that the shop is never asked/, shop_asked(shop => "$PASS return 200 x;");
refused 'a location that leads elsewhere', qr/has "rewrite", so that the shop is never asked/, shop_asked(shop => "$PASS rewrite ^ /x last;");
started 'a location with another path for the shop', shop_asked(shop => "$PASS rewrite ^ /x break;");
for my $kind (qw(proxy fastcgi uwsgi)) {
    my $pass = $kind eq 'proxy' ? 'http://127.0.0.1:81' : '127.0.0.1:81';
    refused "a location with ${kind}_cache", qr/has a cache: an old price would be used/,
        shop_asked(http => Payer::Test::work_dir() =~ s{(.*)}{${kind}_cache_path $1/cache keys_zone=c:1m;}r,
            shop => "internal; ${kind}_pass $pass; ${kind}_cache c; ${kind}_cache_key x;");
}

refused 'a field that is nginx\'s', qr/variable "\$uri" exists already/, shop_asked(match => 'payer_lookup_field $uri /a;');
refused 'a field that is a map', qr/variable "\$m" exists already/, shop_asked(match => 'payer_lookup_field $m /a;', http => 'map $arg_x $m { default 1; }');
for my $name (qw(arg_x http_x cookie_x payer_amount upstream_http_x sent_http_x 1)) {
    refused "a field \$$name", qr/variable "\$$name" exists already/, shop_asked(match => "payer_lookup_field \$$name /a;");
}
refused 'a field twice', qr/duplicate field "\$wc_cur"/, shop_asked(match => 'payer_lookup_field $wc_cur /a;');
refused 'a field without a dollar', qr/invalid variable name "x"/, shop_asked(match => 'payer_lookup_field x /a;');
refused 'a pointer without a slash', qr/invalid JSON Pointer "a"/, shop_asked(match => 'payer_lookup_field $x a;');
refused 'a pointer with a broken escape', qr/invalid JSON Pointer "\/a~2"/, shop_asked(match => 'payer_lookup_field $x /a~2;');
refused 'a parameter of a field', qr/invalid parameter "some"/, shop_asked(match => 'payer_lookup_field $x /a some;');
refused 'a pattern without a group', qr/must have from 1 to 8 groups/, shop_asked(match => 'payer_lookup_field $x "~<b>[0-9]+";');
refused 'a pattern with too many', qr/must have from 1 to 8 groups/, shop_asked(match => 'payer_lookup_field $x "~<(.)(.)(.)(.)(.)(.)(.)(.)(.)";');
refused 'a pattern that is none', qr/missing/, shop_asked(match => 'payer_lookup_field $x "~<(";');
warned 'a pattern that anybody\'s text matches', qr/has no "<", ">" or quote/, shop_asked(field => 'payer_lookup_field $wc_total "~total ([0-9]+)";');
warned 'a pattern that passes over other values', qr/has "\.\*" or "\.\+", which may pass over another value/, shop_asked(field => 'payer_lookup_field $wc_total "~<b>Total.*>([0-9.]+)</b>";');

for my $test (qw(match only open paid)) {
    refused "payer_lookup_$test of what is no field", qr/"\$other" is not a field of "payer_lookup \/_shop"/,
        shop_asked(match => "payer_lookup_$test \$other a;");
    refused "payer_lookup_$test twice", qr/"payer_lookup_$test" directive is duplicate/,
        shop_asked(match => "payer_lookup_$test \$wc_cur a; payer_lookup_$test \$wc_cur b;");
}
refused 'a state that is a variable', qr/it must have no variables/, shop_asked(match => 'payer_lookup_open $wc_cur $arg_x;');
refused 'no lookups at all', qr/value must be between 1 and 10000/, shop_asked(more => 'payer_lookup_inflight 0;');
for my $name (qw(Host Content-Length Transfer-Encoding accept-encoding a:b), '$x', '"a b"') {
    refused "the header $name", qr/cannot be passed on to a lookup/, shop_asked(more => "payer_lookup_header $name;");
}
refused 'a header twice', qr/cannot be passed on/, shop_asked(more => 'payer_lookup_header Cookie cookie;');

refused 'a number that the shop was not asked for', $ORDER, shop_asked(reference => '$arg_order');
refused 'not even if it is public', $TOGETHER, shop_asked(reference => '"$arg_order" public');
refused 'one that adds another argument', $TOGETHER, shop_asked(reference => '"$arg_id-$arg_x" public');
refused 'an amount that is not the lookup\'s', $TOGETHER, shop_asked(amount => '$upstream_http_x_total');
refused 'a trusted one', $TOGETHER, shop_asked(amount => '$sum trusted', server => 'set $sum 1;');
refused 'a map of an argument', $TOGETHER, shop_asked(amount => '$price', http => $PRICE);
refused 'a map of a field and an argument', $TOGETHER,
    shop_asked(currency => '$iso', http => 'map $wc_cur$arg_x $iso { 1 SEK; default ""; }');
refused 'a currency that is not the lookup\'s', $TOGETHER, shop_asked(currency => '$upstream_http_x_c');
refused 'a gate of another number', $TOGETHER, gated('$arg_order', '$wc_total major $wc_cur');
refused 'a gate of another amount', $TOGETHER, gated('$arg_id', '$upstream_http_x_total major $wc_cur');
refused 'a gate of another currency', $TOGETHER, gated('$arg_id', '$wc_total major $upstream_http_x_c');
refused 'a field without its lookup, and another number', $TOGETHER,
    gated('$arg_id', '$wc_total major $wc_cur', lookup => '', field => '', match => '', reference => '"$arg_id" public');
refused 'a match beside a lookup that is off', qr/"payer_lookup off" is set together/,
    shop_asked(lookup => 'payer_lookup off;', field => '', match => 'payer_lookup_match $wc_key x;');

# Constants that no buyer could ever pay with.

my $REFERENCE = qr/invalid reference ".*" of "payer_reference", it must be 1 to 255 bytes/;
my $ADDRESS   = qr/invalid address ".*" of "payer_return_\w+", it must begin with a single slash/;
my $RESULT    = qr/invalid amount "[^"]+" of "payer_\w+" among the results of the map "\$p"/;

refused 'an empty reference', $REFERENCE, server => checkout(payer_reference => '""');
refused 'a reference of 256 bytes', $REFERENCE, server => checkout(payer_reference => 'x' x 256);
started 'a reference of 255 bytes', server => checkout(payer_reference => 'x' x 255);
started 'an empty text before a variable', server => checkout(payer_reference => '"$arg_order" public');

refused 'an amount above the greatest one', qr/the amount "12901" of "payer_amount" is greater than "payer_max_amount" "12900"/,
    amount('12901', with => [ payer_max_amount => 12900 ]);
refused 'one in major units', qr/the amount "129.01" of "payer_amount" is greater than/,
    amount('129.01 major', with => [ payer_max_amount => 12900 ]);
started 'an amount that is the greatest one', amount('12900', with => [ payer_max_amount => 12900 ]);
started 'a greatest amount that is not known now',
    amount('12900', with => [ payer_max_amount => '$upstream_http_x_most' ]);

for my $wrong (qw(0.5 free -1 0 1e3)) {
    refused "a map with the result $wrong", $RESULT, amount('$p', http => "map \$arg_x \$p { tea 45; milk $wrong; }");
}
refused 'a map with a default that is no amount', $RESULT, amount('"${p}"', http => 'map $arg_x $p { tea 45; default free; }');
refused 'a map whose regular expression leads to none', $RESULT, amount('$p', http => 'map $arg_x $p { ~^tea free; }');
refused 'a map whose wildcard leads to none', $RESULT, amount('$p', http => 'map $host $p { hostnames; *.a.example free; }');
refused 'a map of too many digits', $RESULT, amount('$p major', http => 'map $arg_x $p { tea 4.555; }');
refused 'a map for payer_verify_amount that leads to none', $RESULT, http => 'map $arg_x $p { tea free; }',
    server => 'location = /thanks { payer_verify $arg_order; payer_verify_amount $p SEK; }';
started 'a map of amounts in major units', amount('$p major', http => 'map $arg_x $p { tea 4.55; default ""; }');
started 'a part of an amount', amount('"${p}00"', http => 'map $arg_x $p { tea 45; milk 0; }');

for my $wrong (qw(thanks //evil.example/x ftp://shop.example/ javascript:alert(1) https:/x https://), '""', '"?ok=$arg_x"') {
    refused "the return address $wrong", $ADDRESS, server => checkout("payer_return_$_" => $wrong)
        for qw(success fail back);
}
for my $good (qw(/ /thanks https://shop.example/x http://shop.example HTTPS://shop.example/), '$upstream_http_x_u', 'http$upstream_http_x_s://shop.example/') {
    started "the return address $good", server => checkout(payer_return_success => $good);
}

for my $wrong (qw(https://_ http://_:8080 https://-)) {
    refused "the origin $wrong", qr/invalid origin "\Q$wrong\E"/, server => checkout(payer_return_origin => $wrong);
}
started "the origin $_", server => checkout(payer_return_origin => $_)
    for qw(https://shop.example https://shop_1.example:8443 http://[::1]:8080);

for my $wrong (qw(a/b https://payer.example a@b $x _)) {
    refused "the host $wrong of payer_api", qr/invalid host "\Q$wrong\E", it must be the name/,
        server => "payer_api /_payer host=$wrong;" . checkout();
}
started 'a host of payer_api', server => 'payer_api /_payer host=b2b.payer.example;' . checkout();

for my $wrong (qw(/../{paymentId} /a/./{paymentId} /{paymentId}/.. /..)) {
    refused "the path $wrong", qr/invalid path "\Q$wrong\E"/, server => "payer_path cancel \"$wrong\";" . checkout();
}
started "the path $_", server => "payer_path cancel \"$_\";" . checkout() for qw(/v1.0/{paymentId} /..a/{paymentId}/.b);

sub ticketed { return (server => "location = /thanks { payer_verify \$arg_order; payer_verify_ticket $_[0]; }") }

refused 'a constant ticket', qr/"payer_verify_ticket" directive needs a value of the request/, ticketed('abc');
refused 'the ticket that is made here', qr/"payer_verify_ticket" directive cannot use "\$payer_ticket"/, ticketed($_)
    for '$payer_ticket', '"${payer_ticket}"', '$PAYER_TICKET';
started 'a ticket of the request', ticketed('$arg_ticket');

for my $name (qw(Authorization authorization)) {
    refused "proxy_set_header $name", qr/has "proxy_set_header Authorization": each call to Payer has its own token/,
        api => road(proxy_set_header => "$name \$http_x"), server => checkout();
}

sub event_to { return (server => "location = /events { payer_events; payer_event_pass /e; } location = /e { internal; $_[0] }") }

refused 'events for a file', qr/location "\/e" of "payer_event_pass \/e" has no "proxy_pass"/, event_to('root /var/www;');
started 'events for an application', event_to($_) for 'proxy_pass http://127.0.0.1:81;', 'fastcgi_pass 127.0.0.1:81;', 'return 204;';

cmp_ok(rows(), '>=', 120, rows() . ' configurations');

Test::More::done_testing();
