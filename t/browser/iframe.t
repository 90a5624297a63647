# A buyer with a real browser pays inside the frame of "payer_present iframe",
# and is let out of it, whatever the shop thinks of frames.

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

my ($demo, $browser);

# also after an exception: objects are gone in no good order at the very end
END {
    my $code = $?;
    $browser->quit if $browser;
    $demo->stop if $demo;
    $? = $code;
}


# The demo with another presentation and whatever else is different.

sub open_shop ($edit = sub { }) {
    if ($demo) {
        $demo->stop;
        $demo->remove if Test::More->builder->is_passing;
    }

    $demo = Demo->new(
        run    => "$BUILD/demo-iframe.$$",
        port   => 0,
        events => 0,
        edit   => sub {
            s/(payer_checkout;)/$1 payer_present iframe;/
                or die "there is no checkout\n";
            $edit->();
        }
    );
    $demo->start;
}


# From the goods to the card page in its frame; returns the page's address.

sub check_out ($product) {
    $browser->open($demo->url . '/');
    $browser->click("#buy-$product");
    $browser->click('#checkout');
    $browser->find('html.framed');
    return $browser->url;
}


sub in_frame () {
    $browser->frame('iframe');
    $browser->find('#pay');
}


sub pay ($answer) {
    in_frame();
    $browser->click('[data-number="4000 0000 0000 3220"]');
    $browser->click('#pay');
    $browser->click("#$answer");
    $browser->window;
}


sub at ($path) {
    my $want = $demo->url . $path;

    $browser->window;
    $browser->wait_for("the address $want, not " . $browser->url,
        sub { $browser->url eq $want });
    pass "the window is at $path";
    is $browser->script('return window.length'), 0, 'and has no frame';
}


sub order () {
    my $reply = HTTP::Tiny->new->get($demo->simulator . '/_sim/books');
    return decode_json($reply->{content})->{payments}[-1];
}


# Where its buyer comes back, with the ticket.

sub thanks () {
    return substr order()->{redirectOnSuccessURL}, length $demo->url;
}


# The lines that answer what arrives in a frame with an empty page.

sub documented () {
    CORE::open my $fh, '<', "$BUILD/../docs/directives.md" or die $!;
    local $/;
    my ($lines) = <$fh> =~ /^ *(if \(\$http_sec_fetch_dest .*?\})/ms
        or die "the documentation has no such lines\n";

    return $lines;
}


# How often nginx was asked for this.

sub asked ($pattern) {
    CORE::open my $fh, '<', $demo->run . '/logs/access.log' or die $!;
    return scalar grep { /$pattern/ } <$fh>;
}


open_shop();
$browser = Browser->new(
    screenshots => $SHOTS,
    log         => "$BUILD/chromedriver-iframe.log"
);


subtest 'on a phone 3-D Secure is in the frame and the thank-you page in the window' => sub {
    $browser->size(390, 844, 1);

    my $page = check_out('blanket');
    is $page, $demo->url . '/checkout', 'the address is the shop\'s';

    my $box = $browser->script('var b = document.querySelector("iframe")'
            . '.getBoundingClientRect(); return [b.width, b.height];');
    is $box->[0], 390, 'the frame is as wide as the window';
    cmp_ok $box->[1], '>', 760, 'and leaves no more than a line below it';

    for my $width (320, 390) {
        $browser->size($width, 844, 1);
        cmp_ok $browser->overflow, '<=', 0, "the page fits $width pixels";
    }

    in_frame();
    cmp_ok $browser->overflow, '<=', 0, 'the card page fits its frame';
    $browser->window;
    $browser->screenshot('phone-iframe');

    pay('approve');

    like $browser->text('#thanks'), qr/have your payment/, 'thank you';
    at(thanks());
    is $browser->text('#status'), 'AUTHORIZED', 'the shop knows the status';
    $browser->screenshot('phone-iframe-thanks');
};


subtest 'on a desktop a rejected payment can be repeated' => sub {
    $browser->size(1000, 760);
    check_out('lamp');

    in_frame();
    $browser->click('[data-number="4000 0000 0000 0002"]');
    $browser->click('#pay');
    like $browser->text('#error'), qr/declined/, 'a decline stays inside';
    $browser->window;
    $browser->screenshot('iframe-declined');

    pay('reject');
    at('/cart?payment=failed');

    $browser->click('#checkout');
    $browser->find('html.framed');
    in_frame();
    $browser->click('#back');
    at('/cart');

    $browser->click('#checkout');
    $browser->find('html.framed');
    in_frame();
    $browser->click('[data-number="4000 0000 0000 3220"]');
    $browser->click('#pay');
    $browser->find('#approve');
    $browser->window;
    $browser->screenshot('iframe-challenge');
    $browser->frame('iframe');
    $browser->click('#approve');
    at(thanks());
};


subtest 'the link below the frame opens the payment page' => sub {
    check_out('pot');
    $browser->click('p a');
    $browser->find('#pay');
    is $browser->url, order()->{url}, 'leads to the payment';
};


subtest 'without JavaScript there is only the link' => sub {
    $browser->open($demo->url . '/');
    $browser->click('#buy-pot');
    $browser->scripts(0);
    $browser->click('#checkout');
    like $browser->text('p a'), qr/betalningen/, 'a link';
    is $browser->script('return document.querySelector("iframe")'
            . '.getBoundingClientRect().height'), 0, 'and no frame';
    $browser->screenshot('iframe-no-script');
    $browser->click('p a');
    $browser->find('#pay');
    is $browser->url, order()->{url}, 'leads to the payment';
    $browser->scripts(1);
};


subtest 'a shop that forbids frames works with the documented configuration' => sub {
    my $out = documented();

    open_shop(sub {
        s/(location = \/thanks \{)/$1 $out/ or die "no thanks\n";
        s/(location \/ \{)/$1 $out add_header X-Frame-Options DENY;/
            or die "no shop\n";
        s/(proxy_set_header X-Payer-Status)/add_header X-Frame-Options DENY; $1/
            or die "no status\n";
    });

    check_out('buns');
    pay('approve');
    like $browser->text('#thanks'), qr/have your payment/, 'thank you';
    at(thanks());
    is asked(qr{"GET /thanks\S* HTTP/1.1" 200 .* api=\d}), 1,
        'and Payer was asked for one request';

    check_out('buns');
    pay('reject');
    at('/cart?payment=failed');
};


subtest 'a return address of another origin is opened without a frame' => sub {
    open_shop(sub {
        s{(payer_return_back\s+)/cart}{$1 http://shop.example/cart}
            or die "no return address\n";
    });

    $browser->open($demo->url . '/');
    $browser->click('#buy-pot');
    $browser->click('#checkout');
    $browser->find('#pay');
    is $browser->url, order()->{url}, 'the window goes to the payment';
};

$browser->quit;
$demo->stop;

if (Test::More->builder->is_passing) {
    $demo->remove;
    unlink "$BUILD/chromedriver-iframe.log";
}

done_testing;
