# The general pages of docs/shops: each configuration and each script is run
# unchanged.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;
use Payer::Php;

use File::Path qw(make_path);

my $SITE = 'https://shop.example';

my %page = map { m{([^/]+)\.md\z} ? ($1 => $_) : () } map { s{\A.*/docs/}{docs/}r }
    glob root() . '/docs/shops/*.md';

my %test = (
    'three-headers'     => \&three_headers,
    'prints-a-link'     => \&prints_a_link,
    'php-fpm'           => \&php_fpm,
    'front-controllers' => \&front_controllers,
);

# what t/560.woocommerce.t and `make shops` run
my @elsewhere = qw(evershop expresscart woocommerce);

is(join(' ', sort keys %page), join(' ', sort keys %test, @elsewhere),
    'these are the pages');

my $scripts = work_dir() . '/scripts';
make_path("$scripts/api");

my %script = map { my %e = examples($page{$_}); map { $_ => $e{$_} }
    grep {/\.php\z/} keys %e } keys %page;
write_file("$scripts/$_", $script{$_}) for keys %script;
write_file("$scripts/cart.php",
    "<?php echo 'Cart: ', htmlspecialchars(\$_GET['payment'] ?? ''), \"\\n\";");

my ($site, $page);

for my $name (sort keys %test) {
    sim_reset() if Payer::Sim::url();
    $test{$name}->($page = example($page{$name}, $name));
    unlike($site->log, qr/\[(?:alert|emerg|crit)\]/, "$name: no alarm");
    $site->stop;
}

# nobody runs these shops here, but nginx takes their configurations
for my $name (qw(evershop expresscart)) {
    $site = serve(example($page{$name}, $name));
    unlike($site->log, qr/\[(?:warn|emerg)\]/, "the configuration of $name starts");
    $site->stop;
}

Test::More::done_testing();


sub own_port { return [ qr/\b127\.0\.0\.1:8082\b/, '127.0.0.1:' . free_port() ] }

sub shop_at {
    my ($port) = @_;

    return [ qr/server 127\.0\.0\.1:8081;/, "server 127.0.0.1:$port;" ];
}

sub visit { return $site->curl("$SITE$_[0]", @_[ 1 .. $#_ ]) }


sub event_of {
    my ($order) = @_;
    my ($event) = grep { ($_->{reference} // '') eq $order }
        reverse @{ sim('GET', 'events') };

    return visit("/payer/events?token=$event->{token}");
}


sub subscribe {
    my ($line) = document($page{ $_[0] }) =~ /^(curl -sS \S+subscriptions.*?)^```/ms;

    $site->shell($line);
    is($?, 0, 'events are subscribed');
}


# From pay to thanks, for order A-1001 of 129.50 SEK.

sub bought {
    my ($pay, $thanks, %say) = @_;

    my $r = visit($pay);
    is($r->{status}, 303, 'to the card page');
    is(books('A-1001')->{amount}, 12950, 'with the amount');

    my ($back) = (sent('create'))[0]
        =~ m{"redirectOnSuccessURL":"\Q$SITE\E([^"]+)"};
    $back =~ s/\\u0026/&/g;

    $r = visit($back);
    isnt($r->{status}, 303, 'who has not paid is not sent away');
    unlike($r->{body}, qr/Thank you/, 'and not thanked');

    pay('A-1001');

    $r = visit($back);
    is($r->{status}, 200, 'a request for the paid order is passed');
    like($r->{body}, qr/Thank you/, 'and thanked');
    unlike(visit($thanks)->{body}, qr/Thank you/, 'not without the ticket')
        if $thanks;

    return $back;
}


sub staff {
    is(visit('/payer/capture', '-d', 'reference=A-1001')->{status}, 200,
        'captured');
    is(visit('/payer/refund', '-d', 'reference=A-1001', '-d',
        'amount=12950')->{status}, 200, 'refunded');
    unlike(visit($_[0])->{body}, qr/Thank you/, 'the page is closed');
}


sub three_headers {
    $site = serve($_[0], own_port(), shop_at(php_server($scripts)));
    subscribe('three-headers');

    my $back = bought('/pay.php', '/thanks.php?order=A-1001');

    for my $path ('/Thanks.php', '/thanks.php/', '/thanks.php/x') {
        unlike(visit("$path?order=A-1001", '-H', 'X-Payer-Status: AUTHORIZED',
            '-H', 'X-Payer-Reference: A-1001', '-H', 'X-Payer-Currency: SEK',
            '-H', 'X-Payer-Amount: 12950')->{body}, qr/Thank you/,
            "$path believes no buyer");
    }

    is(event_of('A-1001')->{status}, 200, 'the event is taken');
    is(visit('/_paid?order=A-1001', '--interface', '127.0.0.2')->{status},
        403, 'by nginx itself');
    staff($back);
}


sub prints_a_link {
    write_file("$scripts/link.key", unpack('H*', 'k' x 32) . "\n");

    my $link = `sed 's|/etc/shop/payer-link.key|$scripts/link.key|' $scripts/link.php | php`;

    $site = serve($_[0], own_port(), shop_at(free_port()),
        [ qr{/etc/nginx/payer-link\.key}, "$scripts/link.key" ]);

    my ($pay) = $link =~ m{\A\Q$SITE\E(/pay\?\S+)\n\z} or die "no link: $link";
    my $back = bought($pay, '/paid?order=A-1001');

    is(visit($pay)->{headers}{location}, "$SITE$back", 'the link leads there');

    my $r = visit($pay =~ s/amount=12950/amount=1/r);
    is($r->{status}, 403, 'another amount');
    like($r->{body}, qr/cannot be used/, 'is no link');
    like(visit('/not-paid')->{body}, qr/Nothing was paid/, 'a page says so');
    like($site->shell("curl -sS -G -d reference=A-1001 $SITE/payer/payment"),
        qr/AUTHORIZED/, 'staff can look');

    staff($back);
    is(visit($pay)->{status}, 409, 'and the link sells nothing any more');
}


sub php_fpm {
    write_file("$scripts/order.php",
        "<?php echo 'Thank you for order ', (int) \$_GET['id'], \"\\n\";");
    write_file("$scripts/api/order.php", <<'EOT');
<?php
if ($_GET['id'] !== '2002') { http_response_code(404); exit; }
header('Content-Type: application/json');
echo json_encode(['number' => '2002', 'total' => '49.9', 'currency' => 'SEK',
    'state' => trim(file_get_contents(__DIR__ . '/state')),
    'secret' => 'abc']);
EOT
    write_file("$scripts/api/state", 'new');

    $site = serve($_[0], own_port(),
        [ qr{unix:/run/php/php8\.2-fpm\.sock}, '127.0.0.1:' . php_cgi() ],
        [ qr{/var/www/shop}, $scripts ]);

    my $back = bought('/pay.php', '/thanks.php?order=A-1001');
    my @forged = ('-H', 'X-Payer-Status: AUTHORIZED', '-H',
        'X-Payer-Reference: A-1001', '-H', 'X-Payer-Currency: SEK', '-H',
        'X-Payer-Amount: 12950');

    unlike(visit("$_?order=A-1001", @forged)->{body}, qr/Thank you/,
        "$_ believes no buyer") for '/thanks.php/x', '/thanks.php';
    is(visit('/api/order.php?id=2002')->{status}, 404,
        'the script is not the buyer\'s');
    staff($back);

    my $order = '/order.php?id=2002&secret=abc';
    is(visit('/order.php?id=2002&secret=abd')->{status}, 404, 'wrong secret');
    is(visit('/order.php?id=2003&secret=abc')->{status}, 404, 'no order');
    is(visit($order)->{status}, 303, 'the right one leads to the payment');
    is(books('2002')->{amount}, 4990, 'of what the script says');
    pay('2002');

    my $r = visit("$order&paid=1");
    is($r->{status}, 200, 'paid');
    like($r->{body}, qr/Thank you for order 2002/, 'and thanked');

    write_file("$scripts/api/state", 'cancelled');
    is(visit($order)->{status}, 200, 'what was paid stays so');
    is(visit('/payer/refund', '-d', 'reference=2002', '-d', 'amount=1')
        ->{status}, 400, 'nothing was captured yet');
    is(visit('/payer/release', '-X', 'PUT', '-d', 'reference=2002')->{status},
        200, 'released');
    like(visit($order, '-L')->{body}, qr/Cart: closed/, 'and closed');
}


sub front_controllers {
    my $front = work_dir() . '/front';

    # as careless with routes as shops are
    make_path($front);
    write_file("$front/index.php", <<"EOT");
<?php
\$route = preg_replace('/[^a-z0-9_\\/]/i', '', \$_GET['route'] ?? '');
if (\$route === 'checkout/pay') { require '$scripts/pay.php'; }
elseif (\$route === 'checkout/success') { echo "SUCCESS\\n"; require '$scripts/thanks.php'; }
else { echo 'Page ', htmlspecialchars(\$route), "\\n"; }
EOT

    $site = serve($_[0], own_port(),
        shop_at(php_server($front, "$front/index.php")));
    subscribe('front-controllers');

    my $success = '/index.php?route=checkout/success';
    my $back = bought('/index.php?route=checkout/pay', "$success&order=A-1001");

    for my $query ('route=checkout/success', 'route=checkout%2Fsuccess',
        'route=checkout%2fsuccess', 'route=%63heckout/success',
        'route=checkout/succ%65ss', 'r%6Fute=checkout/success',
        '+route=checkout/success', '%20route=checkout/success',
        'route=a&route=checkout/success', 'route=checkout/success.',
        'route=checkout/suc.cess', 'route=-checkout/suc-cess',
        'route%00x=checkout/success', 'x=1&route=checkout/success',
        'ROUTE=a&route=checkout/success', 'route=checkout/suc%00cess',
        'route=checkout/succe%20ss', 'route=checkout/succe+ss')
    {
        for my $path ('/index.php', '/', '/index.php/x', '/any') {
            unlike(visit("$path?$query&order=A-1001")->{body}, qr/SUCCESS/,
                "$path?$query");
        }
    }

    like(visit('/index.php?filter%5Bcolour%5D=r%C3%B6d&route=product/list')
        ->{body}, qr{Page product/list}, 'other pages are as ever');
    is(event_of('A-1001')->{status}, 200, 'the event is taken');
    staff($back);
}
