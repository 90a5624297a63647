# The configuration in README.md, started with changed addresses and paths
# only, takes an order of the toy shop from the checkout to the capture.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;

use JSON::PP qw(decode_json);

my $SITE = 'https://shop.example';

my $site = serve(example('README.md', 'readme'));

my @jar = ('-b', $site->dir . '/jar', '-c', $site->dir . '/jar');

my $r = $site->curl("$SITE/", @jar);
is($r->{status}, 200, 'the shop is there');
like($r->{body}, qr/Wool blanket/, 'and shows its goods');

$r = $site->curl("$SITE/payer/checkout");
is($r->{status}, 404, 'the checkout itself is out of reach');

$r = $site->curl("$SITE/_payer/oauth2/token");
is($r->{status}, 404, 'and so is the way to Payer');

$site->curl("$SITE/cart/add", @jar, '-d', 'product=blanket');

$r = $site->curl("$SITE/checkout", @jar, '-X', 'POST');
is($r->{status}, 303, 'the checkout redirects');
like($r->{headers}{location}, qr{\Ahttps://localhost:\d+/widget/},
    'to the payment page');
is_deeply(calls(), { token => 1, create => 1 },
    'by one token and one link');

my ($sent) = sent('create');
like($sent, qr/^Host: localhost$/m, 'Payer is called by its name');
unlike($sent, qr/^Cookie:/mi, 'and sees no cookie of the buyer');

my ($order) = keys %{ sim('GET', 'books')->{references} };
my ($ticket) = $sent
    =~ m{"redirectOnSuccessURL":"\Q$SITE\E(?::\d+)?\Q/thanks?order=$order&ticket=\E([\w-]{22})"};
ok($ticket, 'the buyer is sent back to the shop, by its own name, with a ticket');

my $thanks = "$SITE/thanks?order=$order&ticket=$ticket";

$r = $site->curl($thanks, @jar);
is($r->{status}, 402, 'the thank-you page is closed to who has not paid');
unlike($r->{body}, qr/id="thanks"/, 'and not shown');

is(pay($order)->{outcome}, 'authorized', 'the buyer pays');

$r = $site->curl($thanks);
is($r->{status}, 200, 'and is passed, with no cookie');
is($site->curl("$SITE/thanks?order=$order")->{status}, 403,
    'and nobody who only knows the number');
like($r->{body}, qr/id="thanks"/, 'the shop says thank you');
like($r->{body}, qr/AUTHORIZED/, 'and knows what Payer said');

my $line = example('README.md', 'capture');
$line =~ s/1001/$order/g;

like($site->shell($line), qr/"referenceId"/, 'the back office captures');
is(books($order)->{captured}, 129000, 'all of it');

like($site->shell($line), qr/"referenceId"/, 'the same line has the same answer');
is(calls()->{capture}, 1, 'and Payer was asked once');

my $denied = $site->curl("$SITE/payer/capture", '-d', "reference=$order",
    '--interface', '127.0.0.2');
is($denied->{status}, 403, 'nobody else may capture');

ok(-f $site->dir . '/payer/data.mdb', 'the payments are in LMDB');

unlike($site->log, qr/\[(?:warn|error|crit|alert|emerg)\](?!.*(?:payer_allow|the ticket for order))/,
    'nginx has nothing to complain about');

$site->stop;

# the same configuration in front of a shop that answers 402

$site = serve(example('README.md', 'readme'), status_shop());
@jar = ('-b', $site->dir . '/jar', '-c', $site->dir . '/jar');
my %before = %{ sim('GET', 'books')->{references} };

$site->curl("$SITE/cart/add", @jar, '-d', 'product=lamp');
$r = $site->curl("$SITE/checkout", @jar, '-X', 'POST',
    '-H', 'X-Payer-Amount: 1', '-H', 'X-Payer-Reference: 1');
is($r->{status}, 303, 'a 402 of the shop redirects, too');

($order) = grep { !$before{$_} } keys %{ sim('GET', 'books')->{references} };
is(books($order)->{amount}, 59500, 'and the shop names the price');

pay($order);
my ($again) = reverse sent('create');
($ticket) = $again =~ /&ticket=([\w-]{22})"/;
is($site->curl("$SITE/thanks?order=$order&ticket=$ticket")->{status}, 200,
    'a request for the paid order is passed');
is($site->curl("$SITE/thanks?order=$order&ticket=wrong",
        '-H', 'X-Payer-Status: AUTHORIZED')->{status},
    403, 'and nobody else');

$site->stop;

Test::More::done_testing();
