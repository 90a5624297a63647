# A buyer with a real browser who has got an address in a mail: the page of
# "payer_present confirm", its button, and the payment behind it.

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
$SIG{ALRM} = sub { die "no end within two minutes\n" };
alarm 120;

make_path($SHOTS);

my ($demo, $browser);

# also after an exception: objects are gone in no good order at the very end
END {
    my $code = $?;
    $browser->quit if $browser;
    $demo->stop if $demo;
    $? = $code;
}

$demo = Demo->new(
    run    => "$BUILD/demo-confirm.$$",
    port   => 0,
    events => 0,
    edit   => sub {
        s{(location = /thanks \{)}{
            location = /invoice {
                payer_checkout;
                payer_present        confirm;
                payer_reference      \$arg_invoice public;
                payer_amount         149950;
                payer_currency       SEK;
                payer_language       \$arg_language;
                payer_return_success /paid?invoice=\$payer_reference;
                payer_return_fail    /invoice?invoice=\$payer_reference;
                payer_return_back    /invoice?invoice=\$payer_reference;
                payer_insecure_upstream on;
            }
            location = /paid {
                payer_verify \$arg_invoice;
                default_type text/html;
                try_files    /none \@paid;
            }
            location \@paid { default_type text/html; return 200 '<p id="paid">paid</p>'; }
            $1} or die "no thanks\n";
    }
);
$demo->start;

$browser = Browser->new(
    screenshots => $SHOTS,
    log         => "$BUILD/chromedriver-confirm.log"
);


sub links () {
    my $reply = HTTP::Tiny->new->get($demo->simulator . '/_sim/books');
    return @{ decode_json($reply->{content})->{payments} };
}


subtest 'opening the page creates nothing' => sub {
    $browser->size(390, 844, 1);
    $browser->open($demo->url . '/invoice?invoice=F-2026-1&language=sv');

    is $browser->text('dd'), 'F-2026-1', 'the page shows the order';
    like $browser->text('dl'), qr/\b1499,50 SEK/, 'and the amount';
    is $browser->text('button'), 'Betala med kort', 'in the order\'s language';
    is scalar(links()), 0, 'there is no link';

    is $browser->script('return getComputedStyle('
            . 'document.querySelector("button")).backgroundColor'),
        'rgb(6, 69, 173)', 'the policy permits the page\'s style';
    cmp_ok $browser->script('return document.querySelector("button")'
            . '.getBoundingClientRect().height'), '>=', 44,
        'a thumb finds the button';

    for my $width (320, 390) {
        $browser->size($width, 844, 1);
        cmp_ok $browser->overflow, '<=', 0, "the page fits $width pixels";
    }

    $browser->screenshot('phone-confirm');
};


subtest 'the button leads to the payment page, also without JavaScript' => sub {
    $browser->scripts(0);
    $browser->click('button');
    $browser->find('#pay');
    $browser->scripts(1);

    is scalar(links()), 1, 'there is a link';
    is $browser->url, (links())[0]{url}, 'and the window is there';
};


subtest 'after Back the button leads to the same link, which is paid' => sub {
    $browser->click('#back');
    is $browser->text('dd'), 'F-2026-1', 'back at the page';

    $browser->click('button');
    $browser->find('#pay');
    is scalar(links()), 1, 'there is still one link';

    $browser->click('[data-number="4000 0000 0000 3220"]');
    $browser->click('#pay');
    $browser->click('#approve');
    is $browser->text('#paid'), 'paid', 'paid';

    $browser->open($demo->url . '/invoice?invoice=F-2026-1');
    is $browser->text('#paid'), 'paid',
        'the address leads to the page of success now';
    is scalar(links()), 1, 'and no second link was made';
};

$browser->quit;
$demo->stop;

if (Test::More->builder->is_passing) {
    $demo->remove;
    unlink "$BUILD/chromedriver-confirm.log";
}

done_testing;
