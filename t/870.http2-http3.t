# A complete purchase over HTTP/2, with and without TLS, and over HTTP/3 if
# nginx and curl support it.

use lib 't/lib';
use Payer::Test;
use Payer::Cert;
use Payer::Events;
use Payer::Front qw(at_once_over has_http3);
use Payer::Shop;

our %port = map { $_ => free_port() } qw(http2 https2 http3);


# A server that listens to all of them, with all that a purchase needs.

sub fronts {
    my $quic = has_http3() ? "listen 127.0.0.1:$port{http3} quic;" : '';

    return <<"EOF" . events_server();
        listen 127.0.0.1:$port{http2} http2;
        listen 127.0.0.1:$port{https2} ssl http2;
        $quic
        @{[ certificate('localhost') ]}

        location = /frame {
            payer_checkout;
            payer_present         iframe;
            payer_reference       \$arg_order public;
            payer_amount          12900;
            payer_currency        SEK;
            payer_return_success  /thanks;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }

        location = /thanks {
            payer_verify  \$arg_order;
            proxy_pass    http://shop;
        }

        location = /capture {
            payer_capture;
            payer_allow  127.0.0.1;
        }
EOF
}


# The fronts that there are; what is missing is said.

sub each_front {
    my ($check) = @_;

    $check->($_, $port{$_}) for qw(http2 https2);

    if (!has_http3()) {
        SKIP: { Test::More::skip('no HTTP/3 in this nginx or curl', 1) }
        return;
    }

    $check->('http3', $port{http3});
}


sub over {
    my ($front, @request) = @_;

    my ($r) = at_once_over($front, $port{$front}, \@request);
    my $version = $front eq 'http3' ? 3 : 2;

    like($r->raw, qr{\AHTTP/$version }, "$front: $request[0] $request[1]");

    return $r;
}

run_payer_tests();

__DATA__

=== TEST 1: a purchase from the link to the capture works
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front) = @_;
    my $order = "buy-$front";
    my $r = over($front, GET => "/checkout?order=$order");

    is($r->status, 303, 'the buyer is sent to pay');
    is($r->header('Location'), books($order)->{url}, 'to the link');
    like($r->header('Cache-Control'), qr/no-store/, 'which nobody keeps');

    my $again = over($front, POST => "/checkout?order=$order");
    is($again->header('Location'), $r->header('Location'), 'always the same');
    is(over($front, HEAD => "/checkout?order=$order")->status, 303, 'a HEAD');
    is(books($order)->{links}, 1, 'made once');

    is(over($front, GET => "/thanks?order=$order")->status, 402, 'not paid');
    pay($order);

    shop_reset();
    is(over($front, GET => "/thanks?order=$order")->status, 204, 'paid');
    is(scalar(shop_requests()), 1, 'the shop is asked for its page');

    my $capture = over($front, POST => '/capture',
        json => { reference => $order, amount => 900 });

    is($capture->status, 200, 'the money is taken');
    is($capture->header('Payer-Payment-Id'), books($order)->{paymentId},
        'of this payment');
    is(books($order)->{captured}, 900, 'as much as was said');
});


=== TEST 2: the page with the frame is complete
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front, $port) = @_;
    my $r = over($front, GET => "/frame?order=frame-$front");
    my $url = books("frame-$front")->{url};

    is($r->status, 200, 'a page');
    like($r->body, qr{<iframe src="\Q$url\E".*</html>\n\z}s, 'to its end');
    is($r->header('Content-Length'), length $r->body, 'as long as it says');
    like($r->header('Content-Security-Policy'), qr/frame-src http/, 'guarded');
});


=== TEST 3: return addresses have the scheme and port of the connection and a name of the server
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front, $port) = @_;
    my $scheme = $front eq 'http2' ? 'http' : 'https';
    my $thanks = qr{"$scheme:(?:\\?/){2}localhost:$port\\?/thanks"};

    over($front, GET => "/checkout?order=back-$front");
    like((journal('create'))[-1]{body}, $thanks,
        "to $scheme and port $port");

    over($front, GET => "/checkout?order=name-$front",
        headers => { Host => 'localhost' });
    like((journal('create'))[-1]{body}, $thanks,
        'whether the port was named or not');

    over($front, GET => "/checkout?order=other-$front",
        headers => { Host => 'shop.example:1' });
    like((journal('create'))[-1]{body}, $thanks,
        'never to a name or a port that the client chooses');
});


=== TEST 4: twenty simultaneous requests get one link
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front, $port) = @_;
    my $order = "race-$front";
    my @all = at_once_over($front, $port,
        map { [ GET => "/checkout?order=$order" ] } 1 .. 20);
    my $url = books($order)->{url};

    is(scalar(grep { $_->status == 303 && $_->header('Location') eq $url } @all),
        20, "$front: all of them");
    is(books($order)->{links}, 1, 'to one link');
});


=== TEST 5: an event is fetched, passed to the shop and acknowledged
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front) = @_;
    my $token = paid_event("event-$front");
    my $r = over($front, POST => "/events?token=$token");

    is($r->status, 200, 'taken');
    is(scalar(shop_requests()), 1, 'the shop was told');
    is(event_of($token)->{acked}, 1, 'and Payer, too');
});


=== TEST 6: errors are returned as problem+json
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front) = @_;
    my $r = over($front, GET => '/checkout');

    is($r->status, 400, 'no reference');
    is($r->header('Content-Type'), 'application/problem+json', 'a problem');
    is($r->json->{status}, 400, 'that can be read');

    my $post = over($front, GET => '/capture');
    is($post->status, 405, 'a method that is not for it');
    is($post->header('Allow'), 'POST', 'and the one that is');
});


=== TEST 7: if a buyer closes the connection during a create, the link is stored
When a browser closes the connection, nginx ends the requests of HTTP/3 by
force: the link is not known then, and whoever comes next gets another one.
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front, $port) = @_;
    my $order = "gone-$front";

    faults('create: delay=0.6');
    at_once_over($front, $port,
        [ GET => "/checkout?order=$order", hang_up => 0.3 ]);

    ok(wait_until(sub { (books($order) // {})->{links} }),
        "$front: Payer makes it");

    my $r = over($front, GET => "/checkout?order=$order");
    is($r->status, 303, 'the next visit has a link');
    is($r->header('Location'), books($order)->{url}, 'that Payer knows');
    is(books($order)->{links}, $front eq 'http3' ? 2 : 1, 'the only one seen');
});


=== TEST 8: bodies of different sizes and empty ones are read
--- http_config eval: ::shop_upstream()
--- config eval: ::fronts()
--- request
GET /nothing
--- error_code: 404
--- after
each_front(sub {
    my ($front) = @_;

    over($front, GET => "/checkout?order=body-$front");
    pay("body-$front");

    my %body = (reference => "body-$front", amount => 100);

    is(over($front, POST => '/capture', form => \%body)->status, 200, 'a form');
    is(over($front, POST => '/capture', json => { %body,
            transactionDescription => 'x' x 9000 })->status, 200,
        'more than fits into one frame');
    is(over($front, POST => '/capture', json => \%body, chunked => 7)->status,
        200, 'of unknown length');
    is(over($front, POST => '/capture')->status, 400, 'none');
    is(books("body-$front")->{captured}, 300, 'three were taken');
});
