# docs/getting-started.md: its file for conf.d, in an nginx.conf like Debian's,
# takes an order to the capture and the refund.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;

my $SITE = 'https://shop.example';
my $PAGE = 'docs/getting-started.md';

my $order;
my $site = serve(in_conf_d(example($PAGE, 'getting-started')));

like(typed('first-doctor'), qr/^ok +token /m, 'the doctor has got a token');

my $r = $site->curl("$SITE/buy");
is($r->{status}, 303, 'a visit of /buy redirects');
like($r->{headers}{location}, qr{\Ahttps://localhost:\d+/widget/},
    'to the payment page');

($order) = keys %{ sim('GET', 'books')->{references} };
is(books($order)->{amount}, 10000, 'of the fixed price');

my ($ticket) = (sent('create'))[0] =~ /&ticket=([\w-]{22})"/;
my $thanks = "$SITE/thanks?order=$order&ticket=$ticket";

$r = $site->curl($thanks);
is("$r->{status} $r->{body}", "402 Nothing was paid.\n", 'without a payment');
pay($order);

$r = $site->curl($thanks);
is("$r->{status} $r->{body}",
    "200 Thank you. Order $order is paid: AUTHORIZED\n", 'with a payment');
is($site->curl("$SITE/thanks?order=$order")->{status}, 403,
    'the number alone is not enough');

like(typed('first-payment'), qr/"status":"AUTHORIZED"/, 'the payment is read');
like(typed('first-capture'), qr/"referenceId"/, 'the payment is captured');
like(typed('first-capture'), qr/"referenceId"/, 'the command is repeated');
is(calls()->{capture}, 1, 'and the capture was sent once');
is(books($order)->{captured}, 10000, 'in full');
like(typed('first-refund'), qr/"referenceId"/, 'the payment is refunded');
is(books($order)->{refunded}, 10000, 'in full');

unlike($site->log, qr/\[(?:warn|error|crit|alert|emerg)\](?!.*the ticket for order)/,
    'nginx logs no warning');

$site->stop;

Test::More::done_testing();


# A command of the page about this order, for the port that nginx has here.

sub typed {
    my ($name) = @_;
    my $line = example($PAGE, $name);

    $line =~ s/\b1001\b/$order/g if $order;
    $line =~ s/ --resolve \S+//;

    return $site->shell($line);
}
