# A body that was dropped is not announced to a backend, and a subrequest that
# shares it still has it.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Shop;
use Payer::Split;

use IO::Socket::INET;

$ENV{TEST_NGINX_SHOP_PORT} = shop_start();

our $uwsgi = free_port();
our $packet = work_dir() . '/uwsgi.packet';

# What a uwsgi application is told, once.

sub uwsgi_once {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $uwsgi, Listen => 4, ReuseAddr => 1) or die "uwsgi: $!\n";

    unlink $packet;
    my $pid = fork // die "fork: $!\n";
    return if $pid;

    alarm 20;
    my $client = $socket->accept;
    sysread $client, my $bytes, 65536;
    write_file("$packet.new", $bytes);
    rename "$packet.new", $packet;
    print $client "Status: 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    close $client;
    POSIX::_exit(0);
}

sub server {
    my (@more) = @_;

    return checkout(payer_reference => '$arg_order public',
        error_page => '400 405 /cart', @more)
        . <<"EOF_CONF";
        location = /shown {
            payer_checkout;
            payer_present         /frame;
            payer_reference       \$arg_order public;
            payer_amount          12900;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }
        location = /frame { proxy_pass http://shop; }
        location = /cart { proxy_pass http://shop; }
        location = /copy { internal; proxy_pass http://shop; }
EOF_CONF
}

# A request whose body comes in two pieces.

sub posted {
    my ($path, $bytes, %headers) = @_;

    my $client = Payer::Split->new(http => nginx_port());
    my $s = $client->begin(POST => $path, 'Content-Length' => length $bytes,
        'Content-Type' => 'text/plain', %headers);

    $client->more($s, substr $bytes, 0, 10);
    select undef, undef, undef, 0.1;
    $client->end($s, substr $bytes, 10);

    return $client->answer($s);
}

sub named {
    my ($request, $name) = @_;
    return grep { lc $_->[0] eq $name } @{ $request->{headers} };
}

run_payer_tests();

__DATA__

=== TEST 1: a proxied error page gets neither the client's body nor its length
--- http_config
upstream shop { server 127.0.0.1:$TEST_NGINX_SHOP_PORT; }
--- config eval: ::server()
--- request
GET /nothing
--- error_code: 404
--- after
for my $path ('/checkout?order=', '/shown?order=1') {
    shop_reset();
    posted($path, 'x' x 60);
    my ($page) = shop_requests();

    is($page->{body}, '', "$path: no body");
    is(scalar(named($page, $_)), 0, "$path: no $_")
        for qw(content-length transfer-encoding content-type);
    is(scalar(shop_requests()), 1, "$path: one request");
}



=== TEST 2: a mirror gets the complete body of the client
--- http_config
upstream shop { server 127.0.0.1:$TEST_NGINX_SHOP_PORT; }
--- config eval: ::server(mirror => '/copy')
--- request
GET /nothing
--- error_code: 404
--- after
shop_reset();
posted('/checkout?order=', 'y' x 60);
wait_until(sub { shop_requests() == 2 });

my ($copy) = grep { length $_->{body} } shop_requests();
is($copy && $copy->{body}, 'y' x 60, 'the mirror');
my ($page) = grep { $_->{line} =~ / \/cart / } shop_requests();
is($page && $page->{body}, '', 'and the page of the error without');



=== TEST 3: an error page by uwsgi_pass gets neither the client's body nor its length
--- config perl
server() =~ s{proxy_pass http://shop;}{uwsgi_pass 127.0.0.1:$uwsgi;
    uwsgi_param CONTENT_LENGTH \$content_length;
    uwsgi_param CONTENT_TYPE \$content_type;}gr
--- request
GET /nothing
--- error_code: 404
--- after
uwsgi_once();
posted('/checkout?order=', 'z' x 60);
ok(wait_until(sub { -e $packet }), 'it is asked');

open my $fh, '<', $packet;
my $bytes = do { local $/; <$fh> };
my (undef, $size) = unpack 'Cv', $bytes;
my %param = unpack '(v/a)*', substr $bytes, 4, $size;

is($param{CONTENT_LENGTH}, '', 'CONTENT_LENGTH');
is($param{CONTENT_TYPE}, '', 'CONTENT_TYPE');
is($param{HTTP_CONTENT_LENGTH}, undef, 'HTTP_CONTENT_LENGTH');
is(length $bytes, 4 + $size, 'and gets nothing');
