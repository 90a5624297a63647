# A buyer with a real browser and every card: accepted, declined, asked by the
# bank, lost on the way there, too late, and paying while the shop cancels.
# The shop tells of what it knows in its order list.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::RealBin", "$FindBin::RealBin/../../demo/lib";

use Browser;
use Cwd        qw(abs_path);
use Demo;
use File::Path qw(make_path);
use HTTP::Tiny;
use JSON::PP   qw(decode_json encode_json);
use Test::More;

my $BUILD = abs_path("$FindBin::RealBin/../..") . '/build';
my $SHOTS = "$BUILD/screenshots";

my %CARD = (
    success => '4111 1111 1111 1111',
    decline => '4000 0000 0000 0002',
    funds   => '4000 0000 0000 9995',
    bank    => '4000 0000 0000 3220',
    refused => '4000 0084 0000 1629',
);

if (my $why = Browser->missing) {
    plan skip_all => $why unless $ENV{PAYER_REQUIRE_BROWSER};
    plan tests => 1;
    fail($why);
    exit 1;
}

$SIG{$_} = sub { die "stopped\n" } for qw(INT TERM HUP);
$SIG{ALRM} = sub { die "no end within four minutes\n" };
alarm 240;

make_path($SHOTS);

my ($demo, $browser);

# also after an exception: objects are gone in no good order at the very end
END {
    my $code = $?;
    $browser->quit if $browser;
    $demo->stop if $demo;
    $? = $code;
}


sub open_shop (%args) {
    if ($demo) {
        $demo->stop;
        $demo->remove if Test::More->builder->is_passing;
    }

    $demo = Demo->new(run => "$BUILD/demo-cards.$$", port => 0, %args);
    $demo->start;
}


sub control ($what, $json = undef) {
    my $http  = HTTP::Tiny->new;
    my $url   = $demo->simulator . "/_sim/$what";
    my $reply = $json
        ? $http->post($url, { content => encode_json($json) })
        : $http->get($url);

    die "$what: $reply->{content}\n" unless $reply->{success};

    return decode_json($reply->{content});
}


sub payment ($url) {
    my ($p) = grep { $_->{url} eq $url } @{ control('books')->{payments} };
    return $p;
}


# From the basket to the card page; returns its address.

sub to_pay () {
    $browser->open($demo->url . '/cart');
    $browser->click('#checkout');
    $browser->find('#pay');
    return $browser->url;
}


sub check_out ($product) {
    $browser->open($demo->url . '/');
    $browser->click("#buy-$product");
    return to_pay();
}


sub pay_with ($card) {
    $browser->click(qq([data-number="$CARD{$card}"]));
    $browser->click('#pay');
}


sub thanked ($url) {
    like $browser->text('#thanks'), qr/have your payment/, 'thank you';

    my $p = payment($url);
    is $browser->url, $p->{redirectOnSuccessURL}, 'at the order\'s own page';
    is $p->{authorized}, $p->{amount}, 'authorized over its amount';
    is control('books')->{references}{ $p->{reference} }{links}, 1,
        'on the only link';
}


sub closed ($reference) {
    $browser->open($demo->url . "/thanks?order=$reference");
    like $browser->text('[role=alert]'), qr/have not received a payment/,
        'the thank-you page is closed';
}


# The order's line in the shop's order list.

sub office ($reference) {
    my $page = HTTP::Tiny->new->get($demo->url . '/office')->{content};
    my ($status) = $page =~ m{<td>\Q$reference\E</td>.*?<td>([^<]*)</td>}s;

    return $status // die "no order $reference\n";
}


sub advance ($seconds) { control(clock => { advance => $seconds }) }


open_shop();
$browser = Browser->new(
    screenshots => $SHOTS,
    log         => "$BUILD/chromedriver-cards.log"
);
$browser->size(1000, 760);


subtest 'a card is accepted immediately' => sub {
    my $url = check_out('buns');
    pay_with('success');
    thanked($url);
};


subtest 'after two declined cards another card is accepted' => sub {
    my $url = check_out('pot');

    pay_with('decline');
    like $browser->text('#error'), qr/declined/, 'declined';
    pay_with('funds');
    like $browser->text('#error'), qr/insufficient/, 'no funds';
    is payment($url)->{authorized}, 0, 'nothing is authorized yet';

    pay_with('success');
    thanked($url);
    is payment($url)->{declines}, 2, 'both were declined';
};


subtest 'a card declined after 3-D Secure is replaced by another one' => sub {
    my $url = check_out('lamp');

    pay_with('refused');
    $browser->click('#approve');
    like $browser->text('#error'), qr/declined/, 'the bank declines';
    closed(payment($url)->{reference});

    is to_pay(), $url, 'the same link';
    pay_with('bank');
    $browser->click('#approve');
    thanked($url);
};


subtest 'after a rejected 3-D Secure the order is paid' => sub {
    my $url = check_out('lamp');

    pay_with('bank');
    $browser->click('#reject');
    like $browser->text('[role=alert]'), qr/did not go through/, 'told so';
    closed(payment($url)->{reference});

    is to_pay(), $url, 'the same link';
    pay_with('success');
    thanked($url);
};


subtest 'an abandoned 3-D Secure leaves the order unpaid' => sub {
    my $url = check_out('blanket');

    pay_with('bank');
    $browser->find('#approve');
    ok payment($url)->{in3ds}, 'the bank waits';

    # gone: to the shop, and home
    $browser->open($demo->url . '/');
    $browser->find('#buy-pot');
    closed(payment($url)->{reference});

    # two days later
    advance(2 * 86400);
    is to_pay(), $url, 'the checkout leads to the same link';
    pay_with('bank');
    $browser->click('#approve');
    thanked($url);
};


subtest 'Back works from the card page and from the bank' => sub {
    my $url = check_out('buns');

    $browser->click('#back');
    $browser->wait_for('the basket',
        sub { $browser->url eq $demo->url . '/cart' });
    is to_pay(), $url, 'the same link';

    pay_with('bank');
    $browser->find('#approve');
    $browser->back;
    $browser->find('#pay');
    is payment($url)->{authorized}, 0, 'nothing was paid by going back';

    pay_with('success');
    thanked($url);
};


subtest 'an order cancelled during 3-D Secure is not paid' => sub {
    my $url = check_out('pot');
    my $p   = payment($url);

    pay_with('bank');
    $browser->find('#approve');

    my $line = $demo->curl(cancel => $p->{reference});
    is qx($line -o "$BUILD/null.$$" -w "%{http_code}"), '200',
        'the back office cancels';
    unlink "$BUILD/null.$$";

    $browser->click('#approve');
    like $browser->text('[role=alert]'), qr/have not received a payment/,
        'the thank-you page is closed';
    $browser->screenshot('cancelled-in-3ds');

    $p = payment($url);
    ok $p->{overtook}, 'though the authorization came through';
    is $p->{status}, 'AUTHORIZED', 'and Payer says so';

    $browser->wait_for('the event to be acknowledged', sub {
        grep { $_->{payload}{paymentId} eq $p->{paymentId} && $_->{acked} }
            @{ control('events') };
    });
    unlike office($p->{reference}), qr/paid/,
        'and its event does not make it paid for the shop';

    advance(3600);
    $p = payment($url);
    is_deeply [ @$p{qw(released captured status)} ],
        [ 34900, 0, 'CANCELLED' ], 'within the hour the money is released';
    closed($p->{reference});
};


# Here the links are old for nginx after a second, and the simulator's clock
# does the rest.

subtest 'an expired link shows an error page' => sub {
    open_shop(edit => sub {
        s/(payer_checkout;)/$1 payer_link_ttl 1s;/
            or die "there is no checkout\n";
    });

    my $old = check_out('lamp');

    advance(31 * 86400);
    pay_with('success');
    like $browser->text('#closed'), qr/has expired/, 'told so';
    $browser->screenshot('expired');
    is payment($old)->{authorized}, 0, 'and nothing was paid';

    $browser->click('#back');
    $browser->find('#checkout');
    is $browser->url, $demo->url . '/cart', 'the way back is the basket';

    my $new = $browser->wait_for('a new link', sub {
        $browser->open($demo->url . '/cart');
        $browser->click('#checkout');
        $browser->find('#pay, #closed');
        $browser->has('#pay') ? $browser->url : ();
    });
    isnt $new, $old, 'which has another link';

    pay_with('success');
    like $browser->text('#thanks'), qr/have your payment/, 'thank you';

    my $reference = payment($old)->{reference};
    is payment($new)->{reference}, $reference, 'for the same order';
    is_deeply [ map { payment($_)->{authorized} } $old, $new ],
        [ 0, 59500 ], 'paid once';
};

$browser->quit;
$demo->stop;

if (Test::More->builder->is_passing) {
    $demo->remove;
    unlink "$BUILD/chromedriver-cards.log";
}

done_testing;
