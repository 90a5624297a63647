# Notifications whose location is not in the configuration any more, and those
# of a server on another host.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Test;
use Payer::Shop;
use Payer::Notify;

master_on();
workers(1);

our $office = 'server_name localhost;
    location /office/ {
        payer_office;
        payer_allow 127.0.0.1;
        payer_office_operate 1;
    }';

# A second server on the same address, whose shop is told elsewhere.

sub other_server {
    my $server = telling('payer_notify /_shop/other?id=$payer_reference;'
        . ' payer_notify_retry 1h interval=1s max=1s;');

    $server =~ s{/_shop/paid}{/_shop/other}g;

    return '# the other server begins
    server {
        listen ' . nginx_port() . ";
        server_name other.example;
        " . payer_server() . $server . '
    }
    # the other server ends
';
}


# Changes the configuration, as the code does with $_, and returns what it was.

sub edit {
    my ($change) = @_;

    my $conf = $Test::Nginx::Util::ConfFile;

    open my $fh, '<', $conf or die "open $conf: $!\n";
    local $_ = join '', <$fh>;
    my $before = $_;

    $change->();
    die "nothing was changed\n" if $_ eq $before;

    configure($_);

    return $before;
}


sub configure {
    my ($text) = @_;

    write_file($Test::Nginx::Util::ConfFile, $text);
    reload();
}


sub other { return get($_[0], headers => { Host => 'other.example' }) }


# What has become of the order's notification, as the office shows it.

sub kept {
    my ($order) = @_;

    my $r = get("/office/order?reference=$order",
        headers => { Host => 'localhost' });
    my ($kept) = grep { $_->{what} eq 'notification' } @{ $r->json->{history} };

    return $kept->{result};
}


sub told_about {
    my ($order) = @_;

    return grep { $_->{head}{'x-payer-reference'} eq $order } told();
}

told_shop();
run_payer_tests();

__DATA__

=== TEST 1: a notification whose location is missing is given up, and can be sent again when it is back
--- config eval: ::telling('payer_notify_retry 3s interval=1s max=1s;') . $::office
--- after
shop_answers('500');
order('1001');
pay('1001');
thanks('1001');
told_of(1);

my $before = edit(sub { s{/_shop/paid}{/_shop/moved}g });
my $n = told();

ok(wait_until(sub { error_log_text() =~ /is not sent any more/ }, 15), 'given up');
like(error_log_text(), qr/\[warn\].*payer: the notification "paid" cannot be sent: the server "localhost" has no "payer_notify" for "\/_shop\/paid\?id=1001" any more, the next attempt is in 1 s, order: "1001"/, 'after a warning');
like(error_log_text(), qr/\[error\].*payer: the notification "paid" is not sent any more: the server "localhost" has no "payer_notify" for "\/_shop\/paid\?id=1001" any more, order: "1001"/, 'with the reason');
ok(wait_until(sub { kept('1001') eq 'given_up' }, 5), 'the office shows it');
like(get('/metrics')->body, qr/^payer_notifications_total\{type="paid",result="given_up"\} 1\n/m, 'it is counted');
is(scalar(told()), $n, 'the shop is told nothing at another address');

configure($before);
shop_answers('204');
is(post('/office/order/notify', json => { reference => '1001', reason => 'it is back' }, headers => { Host => 'localhost', 'X-Payer-Office' => 1 })->status, 200, 'sent again');
ok(wait_until(sub { kept('1001') eq 'taken' }, 10), 'and accepted');



=== TEST 2: a notification is sent when its location is back, and others are sent meanwhile
--- config eval: ::telling('payer_notify_retry 1h interval=1s max=1s;')
--- after
shop_answers('500');
order('1001');
pay('1001');
thanks('1001');
told_of(1);

my $before = edit(sub { s{/_shop/paid}{/_shop/moved}g });
my $n = told();

shop_answers('204');
order('1002');
pay('1002');
thanks('1002');
ok(wait_until(sub { told_about('1002') }, 10), 'another order');
is((told_about('1002'))[0]{line}, 'POST /_shop/moved?id=1002 HTTP/1.0', 'at the new address');
ok(wait_until(sub { error_log_text() =~ /cannot be sent: / }, 10), 'the first one waits');

my @before = told_about('1001');
configure($before);
ok(wait_until(sub { told_about('1001') > @before }, 10), 'and is sent');



=== TEST 3: a notification of a server that this host does not have is left to another host
--- http_config eval: ::other_server()
--- config eval: ::telling('server_name localhost;')
--- after
shop_answers('500');
is(other('/checkout?order=2001')->status, 303, 'an order of the other server');
pay('2001');
is(other('/thanks?order=2001')->status, 200, 'is paid');
told_of(1);

# the other host is another configuration with the same store
my $both = edit(sub { s/# the other server begins.*# the other server ends//s });
my @before = told_about('2001');

shop_answers('204');
order('1001');
pay('1001');
thanks('1001');
ok(wait_until(sub { told_about('1001') }, 10), 'orders of the server are notified');
ok(wait_until(sub { error_log_text() =~ /needs the server "other.example"/ }, 10), 'the one of the other server is due');
sleep 3;
is(scalar(told_about('2001')), scalar(@before), 'and not sent');
unlike(error_log_text(), qr/is not sent any more/, 'nor given up');

configure($both);
ok(wait_until(sub { told_about('2001') > @before }, 8), 'the host that has the server sends it soon');
is((told_about('2001'))[-1]{line}, 'POST /_shop/other?id=2001 HTTP/1.0', 'to its shop');



=== TEST 4: notifications of other servers do not delay those of this server
--- http_config eval: ::other_server()
--- config eval: ::telling('server_name localhost; payer_notify_retry 1h interval=1s max=1s;')
--- after
shop_answers('500');

for my $order (2001 .. 2040) {
    other("/checkout?order=$order");
    pay($order);
    other("/thanks?order=$order");
}

told_of(40, 20);
edit(sub { s/# the other server begins.*# the other server ends//s });
wait_until(sub { error_log_text() =~ /needs the server "other.example"/ }, 10);

my $before = told();
order('1001');
pay('1001');
thanks('1001');
ok(wait_until(sub { told_about('1001') }, 5), 'it is sent');
shop_answers('204');
ok(wait_until(sub { told_about('1001') > 1 }, 10), 'and repeated');
my @since = (told())[ $before .. told() - 1 ];
is(scalar(grep { $_->{reference} ne '1001' } @since), 0, 'and nothing else is sent');



=== TEST 5: without any payer_notify, what is owed is reported, counted and kept
--- config eval: ::telling('payer_notify_retry 1h interval=1s max=1s;') . 'location = /doctor { payer_doctor; payer_allow 127.0.0.1; }'
--- after
shop_answers('500');
order('1001');
pay('1001');
thanks('1001');
told_of(1);

my $before = edit(sub { s/^\s*payer_notify\w* .*$//mg });
my $warning = qr/\[warn\].* payer: 1 notification is owed to the shop, but client "4711" has no "payer_notify" any more, so that it is not sent$/m;
ok(wait_until(sub { error_log_text() =~ $warning }, 10), 'a warning');
ok(wait_until(sub { get('/metrics')->body =~ /^payer_notifications_owed 1$/m }, 5), 'the metric stays');

my ($check) = grep { $_->{name} eq 'notifications' } @{ get('/doctor')->json->{checks} };
is($check->{status}, 'fail', 'payer_doctor shows it');
is($check->{detail}, '1 are owed to the shop and not sent: there is no "payer_notify" any more', 'with the number');

my @before = told_about('1001');
my $swept = sub { get('/metrics')->body =~ /^payer_sweep_last_run_timestamp_seconds (\d+)$/m && $1 };
my $then = $swept->();
wait_until(sub { $swept->() > $then + 1 }, 10);
is(scalar(my @lines = error_log_text() =~ /$warning/g), 1, 'the warning is not repeated with each sweep');

shop_answers('204');
configure($before);
ok(wait_until(sub { told_about('1001') > @before }, 10), 'and it is sent when payer_notify is back');
