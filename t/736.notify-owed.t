# Many notifications that a shop does not take.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;

use Payer::Test;
use Payer::Shop;
use Payer::Notify;

master_on();
workers(1);

# A shop that takes connections and answers nothing.

our $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    LocalPort => free_port(), Listen => 128) or die "no silent shop: $!\n";


# The server of another merchant, whose shop that is: the first one, which gets
# requests without a Host of their own.

sub silent_server {
    my $server = telling('payer_notify /_shop/other?id=$payer_reference;');
    my $port   = $silent->sockport;

    $server =~ s{/_shop/paid}{/_shop/other}g;
    $server =~ s{http://shop}{http://127.0.0.1:$port};

    return '
    server {
        listen ' . nginx_port() . ";
        server_name silent.example;
        " . payer_server() =~ s{(payer_client_id\s+)\d+}{${1}4712}r . $server . '
    }
';
}


sub here { return get($_[0], headers => { Host => 'localhost' }) }

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: a shop that does not answer does not delay the notifications of another merchant
--- http_config eval: ::silent_server()
--- config eval: ::telling()
--- after
sim_config(merchants => { 4712 => (merchant())[1] });

for my $order (1001 .. 1020) {
    order($order);
    pay($order);
    thanks($order);
}

my @waiting;
wait_until(sub { push @waiting, scalar $::silent->accept if IO::Select->new($::silent)->can_read(0); @waiting >= 16 }, 10);
is(scalar @waiting, 16, 'the silent shop is asked by as many as may');

is(here('/checkout?order=2001')->status, 303, 'an order of this merchant');
pay('2001');
is(here('/thanks?order=2001')->status, 200, 'is paid');
is((told_of(1, 5))[0]{reference}, '2001', 'and its shop is told meanwhile');

# also where a process that was started meanwhile has them open, too
$_->shutdown(2) for $::silent, @waiting;
ok(wait_until(sub { get('/metrics')->body =~ /^payer_notifications_total\{type="paid",result="failed"\} (\d+)$/m && $1 >= 16 }, 20), 'the silent shop has not taken them');



=== TEST 2: a shop that does not take notifications is asked by few at a time, and all are sent when it does
--- config eval: ::telling('payer_notify_retry 1h interval=1s max=1s;')
--- after
shop_answers('500');

for my $order (1001 .. 1012) {
    order($order);
    pay($order);
    thanks($order);
}

wait_until(sub { told() >= 24 }, 20);
shop_answers('204');
ok(wait_until(sub { get('/metrics')->body =~ /^payer_notifications_total\{type="paid",result="taken"\} 12$/m }, 10), 'all are taken');
