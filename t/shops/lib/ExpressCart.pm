package ExpressCart;

# expressCart on a free port, and its buyers:
#
#     my $shop = ExpressCart->new("$dir/expresscart");
#     my $page = $shop->buy($site, 'coffee', 3);     # "/payment/ID"
#     $shop->order($id)->{orderStatus};
#
# `make shops` has installed it in build/shops/expresscart.

use strict;
use warnings;

use HTTP::Tiny;
use IO::Handle;
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use POSIX    qw(WNOHANG);

use Payer::Test ();

# as it stands in docs/shops/expresscart.md
use constant KEY => '5f0000000000000000000001';

my $http = HTTP::Tiny->new(timeout => 20);

my @BUYER = (
    email     => 'buyer@shop.example',
    company   => 'none',
    firstName => 'Åsa',
    lastName  => 'Öberg',
    address1  => 'Storgatan 1',
    address2  => 'none',
    country   => 'Sweden',
    state     => 'Skåne',
    postcode  => '22222',
    phone     => '0700000000',
);


sub new {
    my ($class, $log) = @_;

    my $root = Payer::Test::root();
    my $pack = "$root/build/shops/expresscart/node_modules/express-cart";
    my $self = bless { port => Payer::Test::free_port(), owner => $$ }, $class;

    die "expressCart is not installed: run make shops\n" unless -d $pack;

    # it ends when this pipe does
    pipe my $end, $self->{pipe} or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $self->{pipe};
        open STDIN,  '<&', $end     or POSIX::_exit(126);
        open STDOUT, '>',  "$log.log" or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
        exec 'node', "$root/t/shops/expresscart/start.js", $pack,
            $self->{port}, KEY or POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    Payer::Test::wait_until(sub {
        waitpid($pid, WNOHANG) == $pid
            || IO::Socket::INET->new("127.0.0.1:$self->{port}");
    }, 60) or die "expressCart is not up: see $log.log\n";

    return $self;
}


sub port { $_[0]{port} }


# A new buyer takes so many of a product, and places the order; the site is
# what Payer::Docs serves.  Returns the page to which the shop leads, or what
# nginx made of it.

sub buy {
    my ($self, $site, $product, $count, %more) = @_;

    my $url = 'https://shop.example';
    my $jar = $site->dir . '/jar';

    unlink $jar;

    my @jar = ('-b', $jar, '-c', $jar);
    my $page = $site->curl("$url/product/$product", @jar)->{body};
    my ($id) = $page =~ /id="productId" value="([0-9a-f]{24})"/
        or die "$product has no page\n";

    $site->curl("$url/product/addtocart", @jar,
        _form(productId => $id, productQuantity => $count, %more));
    $site->curl("$url/customer/save", @jar, _form(@BUYER));
    $site->curl("$url/checkout/payment", @jar);

    my $r = $site->curl("$url/instore/checkout_action", @jar, '-X', 'POST');
    my ($path) = ($r->{headers}{location} // '')
        =~ m{\A(?:https?://[^/]+)?(/payment/[0-9a-f]{24})\z}
        or die "no order was placed: $r->{status} $r->{body}\n";

    return $path;
}


# What the buyer types into the form of the shop.

sub form_of_the_buyer { return $http->www_form_urlencode({@BUYER}) }


sub _form {
    my (@pairs) = @_;

    my @options;

    while (my ($name, $value) = splice @pairs, 0, 2) {
        push @options, '--data-urlencode', "$name=$value";
    }

    return @options;
}


# What the back office has of an order, as its list says it.

sub order {
    my ($self, $id) = @_;

    for my $page (1 .. 9) {
        my $list = $self->_office(GET => "orders/$page")->{orders}{data};
        my ($order) = grep { $_->{_id} eq $id } @$list;

        return $order if $order || !@$list;
    }

    return;
}


# What staff do.

sub set_status {
    my ($self, $id, $status) = @_;

    return $self->_office(POST => 'order/statusupdate',
        $http->www_form_urlencode([ order_id => $id, status => $status ]));
}


sub _office {
    my ($self, $method, $path, $form) = @_;

    my $reply = $http->request($method,
        "http://127.0.0.1:$self->{port}/admin/$path",
        {
            headers => {
                apikey => KEY,
                'Content-Type' => 'application/x-www-form-urlencoded',
            },
            content => $form // '',
        });

    die "$path: $reply->{status} $reply->{content}\n" unless $reply->{success};

    return decode_json($reply->{content});
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@);

    return unless $self->{pid} && $self->{owner} == $$;

    close $self->{pipe};
    Payer::Test::wait_until(
        sub { waitpid($self->{pid}, WNOHANG) != 0 }, 5)
        or kill 'KILL', $self->{pid};
}

1;
