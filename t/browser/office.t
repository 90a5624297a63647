# The page for staff in a real browser: list, filter, capture, refund, what is
# refused, and a login that is gone; at two widths, and without a violation
# that axe-core finds.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use lib "$FindBin::RealBin", "$FindBin::RealBin/../../demo/lib";

use Browser;
use Cwd        qw(abs_path);
use Demo;
use File::Copy qw(copy);
use File::Path qw(make_path);
use HTTP::Tiny;
use JSON::PP   qw(decode_json encode_json);
use Test::More;

my $BUILD = abs_path("$FindBin::RealBin/../..") . '/build';
my $SHOTS = "$BUILD/screenshots";
my $RUN   = "$BUILD/demo-office.$$";
my $USERS = "$RUN.users";

if (my $why = Browser->missing) {
    plan skip_all => $why unless $ENV{PAYER_REQUIRE_BROWSER};
    plan tests => 1;
    fail($why);
    exit 1;
}

$SIG{$_} = sub { die "stopped\n" } for qw(INT TERM HUP);
$SIG{ALRM} = sub { die "no end within five minutes\n" };
alarm 300;

make_path($SHOTS);

my ($demo, $browser);

# also after an exception: objects are gone in no good order at the very end
END {
    my $code = $?;
    $browser->quit if $browser;
    $demo->stop if $demo;
    unlink $USERS;
    $? = $code;
}


# The axe of the lock file, or undef where it cannot be had.

sub axe () {
    my $dir  = "$BUILD/axe";
    my $file = "$dir/node_modules/axe-core/axe.min.js";

    if (!-e $file) {
        make_path($dir);
        copy("$FindBin::RealBin/axe/$_", $dir) for qw(package.json package-lock.json);
        system "cd \Q$dir\E && timeout 120 npm ci --ignore-scripts --no-audit --no-fund"
            . ' >npm.log 2>&1 </dev/null';
    }

    open my $fh, '<:raw', $file or return undef;
    local $/;
    return <$fh>;
}


sub users (@names) {
    open my $fh, '>', $USERS or die "$USERS: $!\n";
    print $fh "$_:{PLAIN}secret\n" for @names;
    close $fh;
    chmod 0644, $USERS;
}

users('anna', 'bo');

$demo = Demo->new(
    run    => $RUN,
    port   => 0,
    events => 0,
    edit   => sub {
        s{^http \{}{http \{
            map \$remote_user \$may_act { default 0; anna 1; }}m or die "no http\n";
        s{(location = /thanks \{)}{
            server_name 127.0.0.1;
            location = /invoice {
                payer_checkout;
                payer_reference      \$arg_order public;
                payer_amount         149950;
                payer_currency       SEK;
                payer_return_success /paid;
                payer_return_fail    /failed;
                payer_return_back    /back;
                payer_insecure_upstream on;
            }
            location = /forint {
                payer_checkout;
                payer_reference      \$arg_order public;
                payer_amount         12900.50 major;
                payer_currency       HUF;
                payer_return_success /paid;
                payer_return_fail    /failed;
                payer_return_back    /back;
                payer_insecure_upstream on;
            }
            location /office/ {
                if (\$cookie_gone) { return 401; }
                auth_basic           office;
                auth_basic_user_file $USERS;
                payer_office;
                payer_allow          127.0.0.1;
                payer_office_operate \$may_act;
                payer_refund_max     60000;
                payer_insecure_upstream on;
            }
            $1} or die "no thanks\n";
    }
);
$demo->start;

$browser = Browser->new(
    screenshots => $SHOTS,
    log         => "$BUILD/chromedriver-office.log",
    flags       => ['--lang=en-GB']
);

my $http = HTTP::Tiny->new(max_redirect => 0);


sub order ($name, $page = 'invoice') {
    my $arg = $name =~ s/([^\w-])/sprintf '%%%02X', ord $1/ger;
    $http->get($demo->url . "/$page?order=$arg")->{status} == 303 or die "no link for $name\n";
}


sub paid ($name, $page = 'invoice') {
    order($name, $page);
    $http->post($demo->simulator . '/_sim/pay',
        { content => encode_json({ reference => $name }) })->{success} or die "$name is not paid\n";
}


sub books ($name) {
    my $reply = $http->get($demo->simulator . '/_sim/books');
    my ($one) = grep { $_->{reference} eq $name } @{ decode_json($reply->{content})->{payments} };
    return $one;
}


sub as ($user, $path = '') {
    my $url = $demo->url . "/office/$path";
    $browser->open($url =~ s{://}{://$user:secret\@}r);
}


# A text that a part of the page has, sooner or later.

sub shows ($css, $pattern, $name) {
    my $text;
    my $ok = eval {
        $browser->wait_for($name, sub { ($text = $browser->text($css)) =~ $pattern });
    };
    ok $ok, $name or diag "$css has: $text";
}


sub rows () {
    return $browser->script('return [...document.querySelectorAll("#rows tr")]'
            . '.map(r => r.querySelector("a").textContent).join(" ")');
}


sub act ($name) {
    $browser->script('[...document.querySelectorAll("#actions button")]'
            . '.find(b => b.textContent === arguments[0]).click()', $name);
    shows('#dialog-title', qr/\Q$name/, "the dialog of \"$name\" is open");
}


sub fill ($field, $text) {
    $browser->script('document.querySelector("#act [name=" + arguments[0] + "]").value = ""', $field);
    $browser->type("#act [name=$field]", $text);
}


# What the simulator does wrong from now on.

sub faults (@faults) {
    $http->delete($demo->simulator . '/_sim/faults')->{success} or die "no faults\n";
    return if !@faults;
    $http->post($demo->simulator . '/_sim/faults', { content => encode_json(\@faults) })->{success}
        or die "no faults\n";
}


# The button is pressed until what is under way has ended.

sub settled ($seconds) {
    my $until = time + $seconds;

    while (time < $until) {
        $browser->click('#go');
        my $said = $browser->wait_for('an answer', sub {
            $browser->script('return document.querySelector("#refused").textContent'
                    . ' || document.querySelector("#status").textContent');
        });
        return pass('settled') if $said =~ /^Settle the outcome: done/;
        sleep 1;
    }

    fail('settled');
}


my $axe = axe();

sub accessible ($name) {
    SKIP: {
        skip 'axe-core cannot be fetched', 1 unless $axe;

        $browser->script($axe . ';
            window.axeFound = null;
            axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] })
                .then(r => window.axeFound = r.violations, e => window.axeFound = [String(e)]);
            return 0;');
        my $found = $browser->wait_for('axe', sub {
            $browser->script('return window.axeFound && JSON.stringify(window.axeFound)');
        });
        is scalar @{ JSON::PP->new->decode($found) }, 0, "$name: axe-core finds no violation" or diag $found;
    }
}


order("A-$_") for 1 .. 3;
paid('B-1');
my $evil = '<img src=x onerror=document.title="hacked">';
order($evil);

subtest 'the list of orders is a list for assistive technologies' => sub {
    $browser->size(1280, 900);
    as('anna');
    shows('#status', qr/^5 orders are shown/, 'all orders');
    shows('#who', qr/You are anna|^$/, 'whoever it is');
    shows('#banner', qr/not the live host/, 'a banner says that no money moves');
    like rows(), qr/\Q$evil\E/, 'a hostile reference is text';
    is $browser->script('return document.title'), 'Payments', 'and nothing else';
    is $browser->has('#rows img'), 0, 'no markup came of it';
    accessible('the list');
    $browser->screenshot('office-list');

    $browser->size(390, 844, 1);
    cmp_ok $browser->overflow, '<=', 0, 'it fits a phone';
    accessible('the list on a phone');
    $browser->screenshot('office-list-phone');
    cmp_ok $browser->script('return document.querySelector("#filter button").getBoundingClientRect().height'),
        '>=', 44, 'a thumb finds the button';
    $browser->size(1280, 900);
};


subtest 'the list can be filtered' => sub {
    $browser->type('[name=q]', 'A-');
    $browser->click('#filter button');
    shows('#status', qr/^3 orders are shown/, 'by a text');
    is rows(), 'A-1 A-2 A-3', 'these';
    $browser->script('document.querySelector("[name=q]").value = "";'
            . 'document.querySelector("[name=state]").value = "released"');
    $browser->click('#filter button');
    shows('#status', qr/^No order was found/, 'by a state');
    $browser->script('document.querySelector("[name=state]").value = ""');
    $browser->click('#filter button');
    shows('#status', qr/^5 orders/, 'all again');
};


subtest 'a partial capture is confirmed and executed' => sub {
    $browser->script('[...document.querySelectorAll("#rows a")].find(a => a.textContent === "B-1").click()');
    shows('#one-title', qr/^Order B-1$/, 'the order');
    shows('#history-title', qr/History/, 'its history');
    $http->get($demo->url . '/payer/payment?reference=B-1')->{success} or die "no read\n";
    $browser->click('#back');
    $browser->script('[...document.querySelectorAll("#rows a")].find(a => a.textContent === "B-1").click()');
    shows('#facts', qr/authorized/, 'its state, when it was read');
    act('Capture');
    fill('amount', 'much');
    $browser->click('#go');
    shows('#refused', qr/not an amount in SEK/, 'what is no amount is said');
    fill('amount', '500,25');
    fill('reason', 'first parcel');
    $browser->click('#go');
    shows('#confirm', qr/^Capture 500\.25\x{a0}?\s?SEK of order B-1\?$/, 'amount and order are repeated');
    is books('B-1')->{captured}, 0, 'nothing was captured yet';
    accessible('the dialog');
    $browser->screenshot('office-confirm');
    $browser->click('#go');
    shows('#status', qr/^Capture: done/, 'done');
    is books('B-1')->{captured}, 50025, 'Payer has it';
    shows('#events', qr/done first parcel|done\s+first parcel/, 'with its reason in the history');
    accessible('the order');
    $browser->screenshot('office-order');
    $browser->size(390, 844, 1);
    cmp_ok $browser->overflow, '<=', 0, 'the order fits a phone';
    $browser->screenshot('office-order-phone');
    $browser->size(1280, 900);
};


subtest 'a refund is executed with a reason' => sub {
    act('Refund');
    fill('amount', '100');
    fill('reason', 'broken <b>cup</b>');
    $browser->click('#go');
    shows('#confirm', qr/^Refund 100\.00\s?SEK of order B-1\?$/, 'asked');
    $browser->click('#go');
    shows('#status', qr/^Refund: done/, 'done');
    is books('B-1')->{refunded}, 10000, 'Payer has it';
    shows('#events', qr/broken <b>cup/, 'the reason is text');
};


subtest 'a refusal is shown, and the dialog stays' => sub {
    act('Capture');
    fill('amount', '5000');
    $browser->click('#go');
    $browser->click('#go');
    shows('#refused', qr/\w{4}/, 'in the words of Payer');
    is books('B-1')->{captured}, 50025, 'nothing was captured';
    $browser->screenshot('office-refused');
    $browser->click('#stop');
};


# From the first key to the answer.

subtest 'a buyer says "I have paid": found, asked of Payer and answered within a minute' => sub {
    $http->post($demo->simulator . '/_sim/pay',
        { content => encode_json({ reference => 'A-2' }) })->{success} or die "A-2 is not paid\n";
    my $began = time;

    as('anna', '#');
    shows('#status', qr/are shown/, 'the list');
    $browser->type('[name=q]', 'A-2');
    $browser->click('#filter button');
    shows('#status', qr/^1 order is shown/, 'the number is searched for');
    $browser->screenshot('office-walk-1-found');
    $browser->script('document.querySelector("#rows a").click()');
    shows('#facts', qr/link sent/, 'nginx knows of no payment');
    act('Read from Payer');
    fill('reason', 'the buyer has called');
    $browser->click('#go');
    shows('#confirm', qr/^Read from Payer: order A-2\?$/, 'asked');
    $browser->click('#go');
    shows('#facts', qr/State\s*authorized/, 'Payer says that it is paid');
    shows('#events', qr/Read.*authorized/s, 'and the history when that was seen');
    $browser->screenshot('office-walk-2-paid');
    cmp_ok time - $began, '<', 60, 'in less than a minute';
};


subtest 'an unknown outcome is settled by hand' => sub {
    paid('D-1');
    $http->post_form($demo->url . '/payer/capture', { reference => 'D-1' })->{success} or die "no capture\n";
    faults({ match => 'refund', action => 'lost-reply', times => 9 },
        { match => 'read', action => 'edit', times => 99, set => { 'payment.refundedAmount' => undef } });
    as('anna', '#D-1');
    shows('#facts', qr/State\s*captured/, 'a captured order');
    act('Refund');
    fill('amount', '99.50');
    fill('reason', 'broken cup');
    $browser->click('#go');
    $browser->click('#go');
    shows('#refused', qr/outcome is not known yet/, 'a refund without an answer');
    $browser->screenshot('office-unknown');
    $browser->click('#stop');

    $browser->click('#back');
    $browser->script('document.querySelector("[name=q]").value = "";'
            . 'document.querySelector("[name=attention]").click()');
    $browser->click('#filter button');
    shows('#rows', qr/D-1.*outcome unknown/s, 'the order needs attention');
    $browser->screenshot('office-attention');
    $browser->script('document.querySelector("#rows a").click()');
    shows('#facts', qr/outcome unknown/, 'it says so itself');
    act('Settle the outcome');
    accessible('the dialog with a choice');
    is $browser->script('return [...document.querySelector("#act [name=outcome]").options]'
            . '.map(o => o.textContent).join("|")'),
        'Refund 99.50 SEK was done|Refund 99.50 SEK was not done', 'what Payer may say';
    $browser->script('document.querySelector("#act [name=outcome]").value = "0"');
    fill('reason', 'asked Payer on the phone');
    $browser->click('#go');
    shows('#confirm', qr/^Order D-1: Refund 99\.50 SEK was done\. Is this what Payer has told you\?$/, 'asked again');
    $browser->screenshot('office-settle');
    faults();
    settled(60);
    shows('#facts', qr/Refunded\s*99\.50/, 'refunded');
    shows('#events', qr/Outcome settled.*asked Payer on the phone/s, 'with who said so');
    $browser->click('#back');
    shows('#status', qr/^No order was found/, 'and nothing needs attention any more');
    $browser->script('document.querySelector("[name=attention]").click()');
};


# Chromium shows forints without decimals, and Payer counts hundredths.

subtest 'amounts have the decimals of ISO 4217, whatever the browser shows' => sub {
    paid('H-1', 'forint');
    $http->post_form($demo->url . '/payer/capture', { reference => 'H-1' })->{success} or die "no capture\n";
    as('anna', '#H-1');
    shows('#facts', qr/Amount\s*12\s?900\.50\s?HUF/, 'the amount');
    act('Refund');
    fill('amount', '500');
    $browser->click('#go');
    shows('#confirm', qr/^Refund 500\.00\s?HUF of order H-1\?$/, 'asked');
    $browser->click('#go');
    shows('#status', qr/^Refund: done/, 'done');
    is books('H-1')->{refunded}, 50000, 'Payer has refunded what was typed';
};


subtest 'the page can be used with the keyboard only' => sub {
    as('anna');
    shows('#status', qr/orders are shown/, 'the list');
    $browser->wait_for('a row', sub { $browser->has('#rows a') });
    $browser->script('document.querySelector("#rows a").focus()');
    my $outline = $browser->script('return getComputedStyle(document.activeElement).outlineStyle');
    isnt $outline, undef, 'the focus has a style';
    $browser->type('#rows a', "\x{e007}");
    shows('#one-title', qr/^Order/, 'Enter opens the order');
    is $browser->script('return document.activeElement.id'), 'one-title', 'and the focus is there';
};


subtest 'the page is in Swedish for a Swedish browser' => sub {
    as('anna');
    $browser->click('#language');
    shows('#list-title', qr/^Ordrar$/, 'the words');
    is $browser->script('return document.documentElement.lang'), 'sv', 'which the page says of itself';
    shows('#rows', qr/1\s?499,50\s?SEK/, 'the amounts');
    accessible('the list in Swedish');
    $browser->screenshot('office-swedish');
    $browser->click('#language');
    shows('#list-title', qr/^Orders$/, 'and back');
};


subtest 'a client that cannot act sees no buttons' => sub {
    $browser->quit;
    $browser = Browser->new(
        screenshots => $SHOTS,
        log         => "$BUILD/chromedriver-office-2.log",
        flags       => ['--lang=en-GB']
    );
    as('bo', '#B-1');
    shows('#facts', qr/captured/, 'the order');
    shows('#who', qr/change nothing/, 'it is said');
    is $browser->has('#actions button'), 0, 'no buttons';
};


subtest 'an expired login is reported, and nothing is done' => sub {
    $browser->quit;
    $browser = Browser->new(
        screenshots => $SHOTS,
        log         => "$BUILD/chromedriver-office-3.log",
        flags       => ['--lang=en-GB']
    );
    as('anna', '#B-1');
    shows('#facts', qr/captured/, 'the order');
    act('Refund');
    fill('amount', '1');
    $browser->click('#go');
    $browser->script('document.cookie = "gone=1"');
    $browser->click('#go');
    shows('#refused', qr/not logged in any more/, 'it is said');
    is books('B-1')->{refunded}, 10000, 'nothing was refunded';
    $browser->screenshot('office-login-gone');
};

done_testing;
