# The table of configurations: what is refused, what is warned of, and what
# starts without a word.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Conf;
use Payer::Table;

write_file('link.key', "the-key-that-shop-and-nginx-share\n", 0600);

my $KEY = work_dir() . '/link.key';

my $CHOOSES = qr/the buyer can choose what to pay: "payer_\w+" uses "\$/;
my $UNKNOWN = qr/it is not known who chooses what to pay: "payer_\w+" uses "\$/;
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
refused 'the live host over an insecure upstream', qr/talks to Payer's live host, remove it/,
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
refused 'events for a location that is not internal', qr/is not internal, so that everybody could make up events/,
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

my $GUESSES = qr/whoever guesses an order number sees that order/;

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

cmp_ok(rows(), '>=', 120, rows() . ' configurations');

Test::More::done_testing();
