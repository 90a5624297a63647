package Payer::Woo;

# A stand-in for WooCommerce 7.8.2, with the shapes of its REST API and its bad
# manners:
#
#     use Payer::Woo;
#     my $port = woo_start();
#
#     woo_order(1001, total => '129.50');     # as the checkout has left it
#     woo_staff(1001, status => 'cancelled'); # what staff change
#     woo(1001)->{status};
#     woo_mood('overload');                   # polite overload html slow busy
#     woo_requests();                         # "GET /wp-json/..." of the API
#
# The API answers 401 without X-Forwarded-Proto: https and with a wrong key,
# totals are texts with as many digits as the shop has set, and set_paid is
# answered with 200 and ignored on an order that is on hold.  The thank-you
# page says thank you whatever the key is, and shows the order only with the
# right one.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl    qw(:flock);
use IO::Socket::INET;
use JSON::PP     ();
use MIME::Base64 qw(encode_base64);
use POSIX        ();
use Time::HiRes  qw(sleep);

use Payer::Test ();

our @EXPORT =
    qw(woo_start woo woo_order woo_staff woo_mood woo_requests woo_reset);

# as it stands in docs/shops/woocommerce.md
my $AUTHORIZATION = 'Basic ' . encode_base64('ck_shop:cs_secret', '');

my %MOOD = (
    overload => [ 503, 'text/html', '<h1>Error establishing a database '
        . 'connection</h1>' ],
    html => [ 200, 'text/html', '<h1>We will be back soon</h1>' ],
    busy => [ 429, 'text/html', 'Too many requests', 'Retry-After: 17' ],
);

my $json = JSON::PP->new->utf8->canonical;
my ($state, $pid, $owner);


# Returns the port on which the shop listens.

sub woo_start {
    $state = Payer::Test::work_dir() . '/woo.json';
    woo_reset();

    my $port   = Payer::Test::free_port();
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Proto     => 'tcp',
        Listen    => 64,
        ReuseAddr => 1,
    ) or die "the shop cannot listen: $!\n";

    $owner = $$;
    $pid   = fork // die "fork: $!\n";

    _run($socket, $owner) if $pid == 0;

    close $socket;
    return $port;
}


sub woo_reset {
    unlink $state;
    _change(sub { });
}


sub woo {
    my ($id) = @_;
    my $order;

    _change(sub { $order = $_[0]{orders}{$id} });
    return $order;
}


sub woo_order {
    my ($id, %fields) = @_;

    _change(sub {
        $_[0]{orders}{$id} = {
            id             => $id + 0,
            status         => 'on-hold',
            currency       => 'SEK',
            total          => '129.50',
            order_key      => "wc_order_Key$id",
            payment_method => 'bacs',
            transaction_id => '',
            date_paid      => undef,
            %fields,
        };
    });

    return "/checkout/order-received/$id/?key=wc_order_Key$id";
}


sub woo_staff {
    my ($id, %fields) = @_;

    _change(sub { %{ $_[0]{orders}{$id} } = (%{ $_[0]{orders}{$id} }, %fields) });
}


sub woo_mood {
    my ($mood) = @_;

    _change(sub { $_[0]{mood} = $mood });
}


sub woo_requests {
    my @requests;

    _change(sub { @requests = @{ $_[0]{requests} } });
    return @requests;
}


# Changes what the shop knows, in one piece.

sub _change {
    my ($change) = @_;

    open my $fh, '+>>', $state or die "open $state: $!\n";
    flock $fh, LOCK_EX;
    seek $fh, 0, 0;
    local $/;

    my $text = <$fh> // '';
    my $shop = length $text ? $json->decode($text)
        : { orders => {}, requests => [], mood => 'polite' };
    my @result = $change->($shop);

    truncate $fh, 0;
    print $fh $json->encode($shop);
    close $fh or die "write $state: $!\n";

    return @result;
}


sub _run {
    my ($socket, $parent) = @_;

    $SIG{CHLD} = 'IGNORE';
    $SIG{ALRM} = sub { getppid() == $parent ? alarm 2 : POSIX::_exit(0) };
    alarm 2;

    while (1) {
        my $client = $socket->accept or next;
        my $child  = fork // next;

        next if $child;

        $SIG{ALRM} = sub { POSIX::_exit(0) };
        alarm 30;
        _serve($client);
        POSIX::_exit(0);
    }
}


sub _serve {
    my ($client) = @_;
    my $bytes = '';

    while ($bytes !~ /\r\n\r\n/) {
        sysread $client, $bytes, 65536, length $bytes or return;
    }

    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($method, $uri) = $head =~ /\A(\S+) (\S+)/;
    my ($length) = $head =~ /^content-length: (\d+)/mi;
    my %headers = map { /\A([^:]+): (.*)/ ? (lc $1 => $2) : () }
        split /\r\n/, $head;

    while (length $body < ($length // 0)) {
        sysread $client, $body, 65536, length $body or return;
    }

    my $mood;
    my ($status, $type, $text, @more) = _change(sub {
        my ($shop) = @_;

        $mood = $shop->{mood};
        return @{ $MOOD{$mood} } if $MOOD{$mood};
        return _answer($shop, $method, $uri, \%headers, $body);
    });

    sleep 8 if $mood eq 'slow';

    print $client "HTTP/1.1 $status Woo\r\nContent-Type: $type\r\n",
        map({"$_\r\n"} @more, 'Content-Length: ' . length $text),
        "Connection: close\r\n\r\n$text";
}


sub _answer {
    my ($shop, $method, $uri, $headers, $body) = @_;
    my ($path, $args) = split /\?/, $uri, 2;
    my ($key) = ($args // '') =~ /(?:\A|&)key=([^&]*)/;

    if ($path =~ m{\A/wp-json/wc/v3/orders/([^/]*)\z}) {
        push @{ $shop->{requests} }, "$method $uri";
        return _api($shop, $method, $1, $headers, $body);
    }

    if ($path =~ m{\A/checkout/order-received/(\d+)/?\z}
        || ($args // '') =~ /(?:\A|&)order-received=(\d+)/)
    {
        my $order = $shop->{orders}{$1};
        my $mine  = $order && defined $key && $key eq $order->{order_key};

        return 200, 'text/html', '<p>Thank you. Your order has been received.'
            . ($mine ? "<p>Order number: $order->{id} Total: $order->{total}"
            : '');
    }

    return 200, 'text/html', "<h1>Shop</h1><p>$path";
}


sub _api {
    my ($shop, $method, $id, $headers, $body) = @_;

    # the order of its own checks: who asks, then what for
    if (($headers->{'x-forwarded-proto'} // '') ne 'https'
        || ($headers->{authorization} // '') ne $AUTHORIZATION)
    {
        return _error(401, 'woocommerce_rest_cannot_view',
            'Sorry, you cannot list resources.');
    }

    my $order = $id =~ /\A\d+\z/ ? $shop->{orders}{$id} : undef;

    return _error(404, 'woocommerce_rest_shop_order_invalid_id', 'Invalid ID.')
        unless $order;

    if ($method eq 'PUT') {
        my $change = eval { $json->decode($body) }
            or return _error(400, 'rest_invalid_json', 'Invalid JSON body.');

        $order->{$_} = $change->{$_}
            for grep { defined $change->{$_} } qw(status transaction_id);

        $order->{status} = 'processing'
            if $change->{set_paid} && $order->{status} =~ /\A(?:pending|failed)\z/;
        $order->{date_paid} //= '2026-01-02T03:04:05'
            if $order->{status} =~ /\A(?:processing|completed)\z/;
    }

    return 200, 'application/json; charset=UTF-8', $json->encode($order);
}


sub _error {
    my ($status, $code, $message) = @_;

    return $status, 'application/json; charset=UTF-8', $json->encode(
        { code => $code, message => $message, data => { status => $status } });
}


END {
    local $?;
    kill 'TERM', $pid if $pid && $owner == $$;
}

1;
