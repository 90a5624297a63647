# A buyer with a real browser: the demo, headless Chromium, every way through
# the card page.  Pictures are kept in build/screenshots.

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
use JSON::PP   qw(decode_json);
use Test::More;

my $BUILD = abs_path("$FindBin::RealBin/../..") . '/build';
my $SHOTS = "$BUILD/screenshots";

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

my $demo = Demo->new(run => "$BUILD/demo-browser.$$", port => 0);
my $browser;

# also after an exception: objects are gone in no good order at the very end
END {
    my $code = $?;
    $browser->quit if $browser;
    $demo->stop if $demo;
    $? = $code;
}

$demo->start;
$browser = Browser->new(
    screenshots => $SHOTS,
    log         => $demo->run . '/logs/chromedriver.log'
);


sub books () {
    my $reply = HTTP::Tiny->new->get($demo->simulator . '/_sim/books');
    return decode_json($reply->{content});
}


sub at ($path) {
    my $want = $demo->url . $path;
    $browser->wait_for("the address $want, not " . $browser->url,
        sub { $browser->url eq $want });
    pass "at $path";
}


# From the goods to the card page; returns its address.

sub check_out ($product) {
    $browser->open($demo->url . '/');
    $browser->click("#buy-$product");
    $browser->click('#checkout');
    $browser->find('#pay');
    return $browser->url;
}


sub type_card ($number) {
    $browser->type('#number', $number);
    $browser->type('#expiry', '1239');
    $browser->type('#cvc',    '123');
}


sub fits ($page) {
    for my $width (320, 390) {
        $browser->size($width, 844, 1);
        cmp_ok $browser->overflow, '<=', 0, "$page fits $width pixels";
    }
}


subtest 'a declined card is followed by a 3-D Secure payment' => sub {
    $browser->size(1000, 760);
    $browser->open($demo->url . '/');
    $browser->find('#buy-blanket');
    $browser->screenshot('shop');

    my $widget = check_out('blanket');
    like $widget, qr{\A\Q${\ $demo->simulator }\E/widget/}, 'the card page';
    like $browser->text('#due'), qr/\A1\s290\.00\sSEK\z/,
        'shows the amount';
    $browser->screenshot('widget');

    $browser->click('#back');
    at('/cart');
    $browser->click('#checkout');
    $browser->find('#pay');
    is $browser->url, $widget, 'the same link after Back';

    $browser->click('[data-number="4000 0000 0000 0002"]');
    $browser->click('#pay');
    like $browser->text('#error'), qr/declined/, 'the first card is declined';
    $browser->screenshot('widget-declined');

    type_card('4000000000003220');
    is $browser->script('return document.forms.card.number.value'),
        '4000 0000 0000 3220', 'digits are grouped while typing';
    is $browser->script('return document.forms.card.expiry.value'),
        '12/39', 'and the date gets its stroke';
    $browser->click('#pay');
    like $browser->text('#bank'), qr/Your bank asks/, 'the bank asks';
    $browser->screenshot('challenge');

    $browser->click('#approve');
    like $browser->text('#thanks'), qr/have your payment/, 'thank you';
    my $order = $browser->text('#order');
    is $browser->text('#status'), 'AUTHORIZED', 'the shop knows the status';
    my ($p) = grep { $_->{reference} eq $order } @{ books()->{payments} };
    is $browser->url, $p->{redirectOnSuccessURL}, 'at the order\'s own page';
    $browser->screenshot('thanks');

    my $sum = books()->{references}{$order};
    is_deeply [ @$sum{qw(links authorized)} ], [ 1, 129000 ],
        'one link, authorized once';

    # the browser may show what it remembers of the bank's page, or ask anew
    $browser->back;
    $browser->find('#approve, #closed');
    $browser->click('#approve') if $browser->has('#approve');
    like $browser->text('#closed'), qr/already completed/,
        'the Back button does not pay again';
    $browser->click('#back');
    like $browser->text('#thanks'), qr/have your payment/,
        'and leads to the thank-you page';

    $browser->open($demo->url . '/cart');
    like $browser->text('main'), qr/basket is empty/, 'the basket is empty';
    $browser->open($demo->url . '/office');
    like $browser->text('table'), qr/\Q$order\E.*paid/s, 'the office knows';
    $browser->screenshot('office');
};


subtest 'a rejected 3-D Secure leads to the cart' => sub {
    $browser->size(1000, 760);
    my $widget = check_out('lamp');
    type_card('4000000000003220');
    $browser->click('#pay');
    $browser->click('#reject');
    at('/cart?payment=failed');
    like $browser->text('[role=alert]'), qr/did not go through/, 'told so';
    $browser->screenshot('failed');

    $browser->click('#checkout');
    $browser->find('#pay');
    is $browser->url, $widget, 'another try has the same link';
};


subtest 'an unpaid order gets no thank-you page' => sub {
    my ($p) = grep { $_->{live} } @{ books()->{payments} };

    $browser->open($demo->url . "/thanks?order=$p->{reference}");
    like $browser->text('[role=alert]'), qr/have not received a payment/,
        'the thank-you page is out of reach';
};


subtest 'the pages fit a phone' => sub {
    $browser->size(390, 844, 1);
    $browser->open($demo->url . '/');
    fits('the shop');
    $browser->screenshot('phone-shop');

    check_out('pot');
    fits('the card page');
    $browser->screenshot('phone-widget');

    $browser->click('[data-number="4000 0000 0000 3220"]');
    $browser->click('#pay');
    $browser->find('#approve');
    fits('the challenge');
    $browser->screenshot('phone-challenge');

    $browser->click('#approve');
    $browser->find('#thanks');
    fits('the thank-you page');
    $browser->screenshot('phone-thanks');

    for my $page (qw(/cart /office)) {
        $browser->open($demo->url . $page);
        fits($page);
    }
};

$browser->quit;
$demo->stop;
$demo->remove if Test::More->builder->is_passing;

done_testing;
