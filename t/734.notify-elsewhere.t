# An operation that is made by another server than the one where the order was
# placed: the shop of the order is told, at its own address.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Shop;
use Payer::Notify;

master_on();
workers(1);

# A shop's server on the same address; each tells its shop elsewhere.

sub server_of {
    my ($name) = @_;

    my $server = telling("payer_notify /_shop/$name?id=\$payer_reference;"
        . ' payer_notify_on paid captured refunded;',
        'proxy_set_header Host $host;');

    $server =~ s{/_shop/paid}{/_shop/$name}g;

    return '
    server {
        listen ' . nginx_port() . ";
        server_name $name.example www.$name.example;
        " . payer_server() . $server . '
    }
';
}


# The server of the staff has operations, and no shop.

our $admin = 'server_name admin.example; payer_sweep 1s;
    location = /capture { payer_capture; payer_allow 127.0.0.1; }
    location = /refund  { payer_refund;  payer_allow 127.0.0.1; }
';


sub at { return get($_[1], headers => { Host => "$_[0].example" }) }


sub sold {
    my ($shop, $order) = @_;

    is(at($shop, "/checkout?order=$order")->status, 303, "an order of $shop");
    pay($order);
    is(at("www.$shop", "/thanks?order=$order")->status, 200, 'is paid');
}


sub admin {
    my ($operation, $order) = @_;

    my $r = post("/$operation", json => { reference => $order, amount => 900 },
        headers => { Host => 'admin.example' });

    is($r->status, 200, "$operation by staff");
}


# Where the shop was told of the order, one text for each notification.

sub places {
    my ($order) = @_;

    return map { my ($uri) = $_->{line} =~ /^POST (\S+)/;
        "$_->{head}{host} $uri $_->{head}{'x-payer-notify-type'}" }
        grep { $_->{head}{'x-payer-reference'} eq $order } told();
}

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: the shop of the order is told of an operation made by another server, with the order's own address and host
--- http_config eval: ::server_of('pots') . ::server_of('pans')
--- config eval: $::admin
--- after
sold('pots', '1001');
sold('pans', '1002');
told_of(2);

admin('capture', '1002');
admin('capture', '1001');
admin('refund', '1001');
wait_until(sub { told() >= 5 }, 10);

is_deeply([ places('1001') ], [
    'pots.example /_shop/pots?id=1001 paid',
    'pots.example /_shop/pots?id=1001 captured',
    'pots.example /_shop/pots?id=1001 refunded' ], 'the first shop');
is_deeply([ places('1002') ], [
    'pans.example /_shop/pans?id=1002 paid',
    'pans.example /_shop/pans?id=1002 captured' ], 'and the second one');



=== TEST 2: a shop that is told later is told at the same address
--- http_config eval: ::server_of('pots')
--- config eval: $::admin
--- after
sold('pots', '1001');
told_of(1);
shop_answers('500', '204');
admin('capture', '1001');
wait_until(sub { places('1001') >= 3 }, 25);
is((places('1001'))[-1], 'pots.example /_shop/pots?id=1001 captured', 'by the sweep');
