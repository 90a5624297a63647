package EverShop;

# EverShop on a free port, over a PostgreSQL of its own, and its buyers:
#
#     my $shop = EverShop->new("$dir/evershop");
#     my $page = $shop->buy($site, 3);               # "/checkout/success/ID"
#     $shop->order($id)->{payment};
#
# `make shops SHOP=evershop` installs and builds it in build/shops/evershop.

use strict;
use warnings;

use HTTP::Tiny;
use IO::Handle;
use IO::Socket::INET;
use JSON::PP qw(decode_json encode_json);
use POSIX    qw(WNOHANG);

use Payer::Postgres;
use Payer::Test ();

my $http = HTTP::Tiny->new(timeout => 30);

my ($STAFF, $PASSWORD) = ('staff@shop.example', 'staff-of-the-shop-1');

my %ADDRESS = (
    full_name => 'Karin Berg',
    telephone => '0700000000',
    address_1 => 'Storgatan 1',
    city      => 'Lund',
    province  => 'SE-M',
    country   => 'SE',
    postcode  => '22222',
);


sub new {
    my ($class, $log) = @_;

    my $self = bless {
        root  => Payer::Test::root() . '/build/shops/evershop',
        port  => Payer::Test::free_port(),
        pg    => Payer::Postgres->new,
        jar   => "$log.jar",
        owner => $$,
    }, $class;

    die "EverShop is not built: run make shops SHOP=evershop\n"
        unless -d "$self->{root}/.evershop";

    my $node = $self->{pg}->node(0);

    $node->sql("CREATE ROLE evershop LOGIN PASSWORD '"
        . $self->{pg}->password . q('), 'postgres');
    $node->sql('CREATE DATABASE evershop OWNER evershop', 'postgres');

    $self->_start($log);
    $self->_run("$log.user", 'user:create', '--name', 'Staff',
        '--email', $STAFF, '--password', $PASSWORD);
    $self->_fill;

    return $self;
}


sub port { $_[0]{port} }


# A new buyer takes so many packets of coffee, with the calls that the pages of
# the shop make, and places the order.  Returns the page to which the shop's
# script leads.

sub buy {
    my ($self, $site, $count) = @_;

    my $url = 'https://shop.example';

    unlink $self->{jar};

    $site->curl("$url/coffee", $self->jar);

    my $cart = $self->_call($site, 'cart/mine/items',
        { sku => 'coffee', qty => $count })->{cartId};

    my $order = $self->_call($site, "carts/$cart/checkout",
        $self->form_of_the_buyer($cart));

    return "/checkout/success/$order->{uuid}";
}


# The options of curl with which the last buyer is known.

sub jar { ('-b', $_[0]{jar}, '-c', $_[0]{jar}) }


# What the shop's script sends when the order is placed.

sub form_of_the_buyer {
    my ($self, $cart) = @_;

    return {
        cart_id          => $cart,
        customer         => { email => 'buyer@shop.example' },
        shippingAddress  => \%ADDRESS,
        billingAddress   => \%ADDRESS,
        paymentMethod    => 'cod',
        shippingMethod   => $self->{method},
        shippingProvider => 'core',
    };
}


sub _call {
    my ($self, $site, $path, $data) = @_;

    my $r = $site->curl("https://shop.example/api/$path", $self->jar,
        '-H', 'Content-Type: application/json', '-d', encode_json($data));

    return eval { decode_json($r->{body})->{data} }
        // die "$path: $r->{status} $r->{body}\n";
}


# What the shop has of an order.

sub order {
    my ($self, $id) = @_;

    my ($status, $payment) = split /\|/, $self->_sql(
        qq(SELECT status, payment_status FROM "order" WHERE uuid = '$id'));

    return { status => $status, payment => $payment };
}


# What staff do in the back office.

sub cancel { $_[0]->office("orders/$_[1]/cancel", { reason => 'by staff' }) }

sub paid_by_hand { $_[0]->office('cod/captures', { order_id => $_[1] }) }


# The back office has no such button, but extensions have.

sub set_total {
    my ($self, $id, $total) = @_;

    $self->_sql(qq(UPDATE "order" SET grand_total = $total WHERE uuid = '$id'));
}


sub office {
    my ($self, $path, $data) = @_;

    my %headers = ('Content-Type' => 'application/json');
    $headers{Authorization} = "Bearer $self->{token}" if $self->{token};

    my $r = $http->post("http://127.0.0.1:$self->{port}/api/$path",
        { headers => \%headers, content => encode_json($data) });

    die "$path: $r->{status} $r->{content}\n" unless $r->{success};

    return decode_json($r->{content})->{data};
}


sub _sql {
    my ($self, $text) = @_;

    local $ENV{PAYER_PASSWORD} = $self->{pg}->password;

    my $said = $self->{pg}->run(\"$text\n", 'psql', qw(-X -A -t -q -w
        --set=ON_ERROR_STOP=1), 'hostaddr=127.0.0.1 user=evershop'
        . ' dbname=evershop port=' . $self->{pg}->node(0)->port);
    chomp $said;

    return $said;
}


sub _environment {
    my ($self) = @_;

    return (
        DB_HOST      => '127.0.0.1',
        DB_PORT      => $self->{pg}->node(0)->port,
        DB_NAME      => 'evershop',
        DB_USER      => 'evershop',
        DB_PASSWORD  => $self->{pg}->password,
        DB_SSLMODE   => 'disable',
        PORT         => $self->{port},
        NODE_OPTIONS => '--require ' . Payer::Test::root()
            . '/t/shops/evershop/preload.js',
        map { ("JWT_$_" => "secret-of-a-test-$_") } qw(ADMIN_SECRET
            ADMIN_REFRESH_SECRET CUSTOMER_SECRET CUSTOMER_REFRESH_SECRET),
    );
}


sub _fork {
    my ($self, $log, $end, @command) = @_;

    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    my %environment = $self->_environment;

    @ENV{ keys %environment } = values %environment;
    $ENV{EVERSHOP_ENDS_WITH_STDIN} = 1 if $end;

    close $self->{pipe} if $self->{pipe};
    chdir $self->{root} or POSIX::_exit(126);

    $end ? open STDIN, '<&', $end : open STDIN, '<', '/dev/null'
        or POSIX::_exit(126);
    open STDOUT, '>',  "$log.log" or POSIX::_exit(126);
    open STDERR, '>&', \*STDOUT   or POSIX::_exit(126);

    exec 'node', 'node_modules/@evershop/evershop/dist/bin/evershop.js',
        @command or POSIX::_exit(127);
}


sub _start {
    my ($self, $log) = @_;

    # it and its processes end when this pipe does
    pipe my $end, $self->{pipe} or die "pipe: $!\n";

    $self->{pid} = $self->_fork($log, $end, 'start');

    Payer::Test::wait_until(sub {
        waitpid($self->{pid}, WNOHANG) == $self->{pid}
            || IO::Socket::INET->new("127.0.0.1:$self->{port}");
    }, 120) or die "EverShop is not up: see $log.log\n";
}


sub _run {
    my ($self, $log, @command) = @_;

    waitpid $self->_fork($log, undef, @command), 0;
    die "evershop @command: see $log.log\n" if $?;
}


# What an administrator sets.

sub _fill {
    my ($self) = @_;

    $self->{token} = $self->office('user/tokens',
        { email => $STAFF, password => $PASSWORD })->{accessToken};

    $self->office('settings', { codPaymentStatus => '1',
        codDisplayName => 'Card', storeCurrency => 'SEK' });

    my $box = $self->office('packages', { name => 'Box', length => 10,
        width => 10, height => 10 });

    $self->office('products', {
        name => 'Coffee', sku => 'coffee', url_key => 'coffee',
        price => 49.95, qty => 1000, weight => 0.5, status => 1,
        visibility => 1, manage_stock => 0, stock_availability => 1,
        group_id => 1, package_id => $box->{package_id}, images => [],
    });

    my $zone = $self->office('shippingZones',
        { name => 'Sweden', countries => ['SE'] })->{uuid};

    $self->{method} = $self->office('shippingProviders/core/methods',
        { name => 'Post', is_enabled => JSON::PP::true })->{uuid};

    $self->office('shippingProviders/core/rates', { zone_id => $zone,
        method_id => $self->{method}, is_enabled => JSON::PP::true,
        cost => 0 });
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@);

    return unless $self->{pid} && $self->{owner} == $$;

    close $self->{pipe};
    Payer::Test::wait_until(
        sub { waitpid($self->{pid}, WNOHANG) != 0 }, 10)
        or kill 'KILL', $self->{pid};
}

1;
