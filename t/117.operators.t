# Settings of nginx's own modules that let a client act as the back office, or
# that change what is sent to Payer: they are rejected.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Conf;
use Payer::Table;

my $ANY   = qr/"set_real_ip_from" lists all addresses, so that any client can choose the address that "payer_allow" of location "\/\w+" checks/;
my $PROXY = 'real_ip_header X-Forwarded-For; set_real_ip_from';


# The address that payer_allow checks.

for my $network (qw(0.0.0.0/0 ::/0)) {
    refused "a client's address from any client ($network)", $ANY,
        server => "$PROXY $network;" . operations();
    refused "the same among others ($network)", $ANY,
        server => "$PROXY 10.0.0.0/8; set_real_ip_from $network;" . operations();
    refused "the same in http ($network)", $ANY,
        http => "$PROXY $network;", server => operations();
    refused "the same in the location ($network)", $ANY,
        server => operations(real_ip_header => 'X-Forwarded-For', set_real_ip_from => $network);
}

refused 'the same in the server, before the location has its own', $ANY,
    server => "$PROXY 0.0.0.0/0;" . operations(set_real_ip_from => '10.0.0.0/8');

for my $handler (qw(payer_metrics payer_doctor payer_reconcile payer_report payer_subscriptions)) {
    refused "the same for $handler", $ANY,
        server => "$PROXY 0.0.0.0/0; location = /x { $handler; payer_allow 10.0.0.0/8; }";
}

started "a client's address from the proxy", server => "$PROXY 10.0.0.0/8;" . operations();
started "a client's address that nothing checks", server => "$PROXY 0.0.0.0/0;" . checkout();
started 'operations for all clients', server => "$PROXY 0.0.0.0/0;" . operations(payer_allow => 'all');


# What Payer knows a call by.

my $ID   = qr/has "proxy_set_header Payer-Request-ID": each call to Payer has its own id, which is the same when it is sent again/;
my $BODY = qr/has "proxy_set_header (?:Content-Type|Content-Length|Transfer-Encoding)": each call to Payer has its own body/;

refused "the id of a call: $_", $ID, api => road(proxy_set_header => $_), server => checkout()
    for 'Payer-Request-ID $request_id', 'payer-request-id ""', 'Payer-Request-Id $http_idempotency_key';

refused 'the id of a call that the server sets', $ID,
    api => 'proxy_set_header Payer-Request-ID $request_id;' . road(include => undef,
        proxy_ignore_client_abort => 'on', proxy_next_upstream => 'off'),
    server => checkout();

refused "the body of a call: $_", $BODY, api => road(proxy_set_header => $_), server => checkout()
    for 'Content-Type text/plain', 'Content-Length ""', 'content-length 0', 'Transfer-Encoding chunked';

started "a header that is not the call's: $_", api => road(proxy_set_header => $_), server => checkout()
    for 'X-Forwarded-For $remote_addr', 'Payer-Request "x"';

refused "the replies of Payer in files: $_", qr/has "proxy_store": Payer's tokens would be written to files/,
    api => road(include => undef, proxy_store => $_, proxy_ignore_client_abort => 'on', proxy_next_upstream => 'off'),
    server => checkout()
    for 'on', '/var/www/$uri';



# To which site a buyer is sent after the payment.

my $LEADS = sub { qr/a client can choose the host of "\Q$_[0]\E": "\$$_[1]" in location "\/checkout" is what it sends/ };

for my $row (
    [ payer_return_success => '$arg_next',                  'arg_next' ],
    [ payer_return_success => 'https://$http_host/thanks',  'http_host' ],
    [ payer_return_fail    => '${arg_back}/cart',           'arg_back' ],
    [ payer_return_back    => 'https://shop.$cookie_land/', 'cookie_land' ],
    [ payer_return_origin  => 'https://$http_host',         'http_host' ],
    [ payer_return_origin  => 'https://$http_x_forwarded_host:8443', 'http_x_forwarded_host' ],
) {
    my ($directive, $value, $variable) = @$row;

    warned "$directive $value", $LEADS->($directive, $variable), server => checkout($directive => $value);
}

warned 'the same of the server, once', $LEADS->('payer_return_origin', 'http_host'),
    server => 'payer_return_origin https://$http_host;' . checkout() . checkout('= /other');

started "an address whose host is not the client's: $_->[1]", server => checkout(@$_)
    for [ payer_return_success => '/thanks?key=$arg_key' ],
    [ payer_return_success => 'https://shop.example/$arg_page?key=$arg_key' ],
    [ payer_return_success => 'https://shop.example?key=$arg_key' ],
    [ payer_return_success => '$upstream_http_x_return' ],
    [ payer_return_origin  => 'https://$host' ],
    [ payer_return_origin  => 'https://$server_name' ];

started 'a part of the name that server_name lists', name => '~^(?<shop>[a-z]+)\.example$',
    server => checkout(payer_return_origin => 'https://$shop.example');


# Where events go, and who the merchant is.

refused 'events for an operation', qr/location "\/e" of "payer_event_pass \/e" has "payer_capture", which does not pass requests to the shop/,
    server => 'location = /events { payer_events; payer_event_pass /e; } location = /e { internal; payer_capture; payer_allow internal; }';

refused 'a client id with a variable', qr/invalid client id "\$merchant", it cannot have variables/,
    server => 'payer_client_id $merchant;' . checkout();

cmp_ok(rows(), '>=', 43, rows() . ' configurations');

Test::More::done_testing();
