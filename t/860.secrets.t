# Every path through the module with the debug log on, with all kinds of
# replies of Payer: neither a secret nor a token is in any log, answer, metric
# or file, or in a request to the shop.

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Events;
use Payer::Shop;

use MIME::Base64 ();

my $key = 'signature-key/of-the-test-shop+0123456789';

# All that came out of nginx, with the path that it came on.
our @out;

master_on();
workers(2);


# What an operator may log of a payment; $payer_url is for the buyer alone.

sub http {
    my @names = map {"\$payer_$_"} qw(payment_id status outcome reference
        amount currency authorized_amount captured_amount operation request_id
        link api_status api_time);

    return shop_upstream() . "log_format all '\$remote_addr [\$time_local] "
        . "\"\$request\" \$status @names';\n";
}


# The page that frames the widget, as the shop has it.

sub server {
    my ($page) = (@_, '$payer_url');
    my $file = write_file('signature.key', "$key\n", 0600);
    my @allow = (payer_allow => '127.0.0.1');

    return 'access_log $TEST_NGINX_DIR/servroot/logs/all.log all;'
        . events_server('payer_auto_capture on;') . operations()
        . checkout('= /iframe', payer_present => 'iframe')
        . checkout('= /json', payer_present => 'json')
        . checkout('= /own', payer_present => '/frame')
        . checkout('= /signed', payer_amount => '$arg_amount',
            payer_signature => '$arg_sig "$arg_order $arg_amount"',
            payer_signature_key_file => $file)
        . block('/frame', internal => '', return => "200 '$page'")
        . block('/thanks', payer_verify => '$arg_order',
            proxy_pass => 'http://shop')
        . block('/auto', payer_verify => '$arg_order',
            payer_auto_capture => 'on', proxy_pass => 'http://shop')
        . block('/reconcile', payer_reconcile => '', @allow)
        . block('/metrics', payer_metrics => '', @allow);
}


sub block {
    my ($name, @lines) = @_;

    return Payer::Conf::_block("location = $name", \@lines);
}


# say_so('what it is', GET => '/path', ...): remembers the answer

sub say_so {
    my ($name, @request) = @_;

    my $r = request(@request);
    push @out, [ $name, $r->raw ];

    return $r;
}


# Everything that a buyer, the back office and Payer can ask for.

sub every_path {
    my ($tag) = @_;
    my ($one, $two, $three) = map {"$tag-$_"} 1 .. 3;
    my $paid = sub { pay($_[0]) if books($_[0]) };

    say_so("checkout $_", GET => "/checkout?order=$one") for qw(first again);
    say_so('checkout, HEAD', HEAD => "/checkout?order=$one");
    say_so('checkout, refused', GET => '/checkout?order=');
    say_so("checkout, $_", GET => "/$_?order=$one") for qw(iframe json own);
    say_so("signed link, $_", GET => "/signed?order=$one&amount=12900&sig=$_")
        for signature("$one 12900"), 'f' x 64;

    say_so('gate, not paid', GET => "/thanks?order=$one");
    $paid->($one);
    say_so('gate, paid', GET => "/thanks?order=$one");

    for my $times (1, 2) {
        say_so("capture, $times", POST => '/capture',
            json => { reference => $one, amount => 100 },
            headers => { 'Idempotency-Key' => "$tag-key" });
    }

    say_so('refund', POST => '/refund',
        form => { reference => $one, amount => 50 });
    say_so('release', PUT => '/release', form => { reference => $one });
    say_so('payment', GET => "/payment?reference=$one");
    say_so('payment, unknown', GET => '/payment?paymentId=made-up');

    say_so('checkout', GET => "/checkout?order=$two");
    say_so('cancel', PUT => '/cancel', form => { reference => $two });
    say_so('wrong method', DELETE => '/cancel');

    say_so('subscribe', POST => '/subscriptions',
        form => { type => 'CARD_PAYMENT_AUTHORIZED', url => 'http://x.test/' });
    say_so('checkout', GET => "/checkout?order=$three");
    $paid->($three);

    # the tokens of events are in the request, as Payer has put them there
    my $event = @{ events() } ? events()->[-1]{token} : 'none';
    say_so("event, $_", GET => "/events?token=$event") for qw(first again);
    say_so('event, made up', GET => '/events?token=made-up');

    say_so('auto capture', GET => "/auto?order=$three");
    say_so('subscriptions', GET => '/subscriptions');
    say_so('unsubscribe', DELETE =>
        '/subscriptions?type=CARD_PAYMENT_AUTHORIZED&url=http%3A%2F%2Fx.test');
    say_so('reconcile', POST => '/reconcile');
    say_so('metrics', GET => '/metrics');
    say_so('the road to Payer', GET => '/_payer/api/v2/payments/x');
}


sub signature {
    my ($message) = @_;

    require Digest::SHA;
    return Digest::SHA::hmac_sha256_hex($message, $key);
}


# What must not be seen, by name.  The token that Payer returns with a link is
# of no use to anybody but the payment page.

sub secrets {
    my ($agent, $secret) = ((merchant())[0], @_, (merchant())[1]);
    my %seen;
    my @tokens = grep { !$seen{$_}++ }
        map { /^authorization: Bearer (\S+)$/mi } map { sent($_) }
        qw(create read capture cancel release refund event);

    return (
        secret => $secret,
        'secret in base64' =>
            MIME::Base64::encode_base64($secret, '') =~ s/=+$//r,
        'id and secret' =>
            MIME::Base64::encode_base64("$agent:$secret", '') =~ s/=+$//r,
        'signature key' => $key,
        map { ("token $_" => $tokens[ $_ - 1 ]) } 1 .. @tokens,
    );
}


# Every file below the server root, and what the shop and the streams of nginx
# got.

sub everything {
    my @files = split /\0/, qx(find $Test::Nginx::Util::ServRoot -type f -print0);

    return @out,
        (map { [ $_, read_file($_) ] } @files),
        [ 'the shop', join "\n", map { JSON::PP->new->encode($_) }
            shop_requests() ];
}


sub read_file {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "open $file: $!\n";
    local $/;
    return <$fh> // '';
}


# JSON may escape a slash.

sub nothing_is_seen {
    my (%texts) = @_;

    my @all = everything();
    my @seen;

    for my $name (sort keys %texts) {
        my $pattern = join '\\\\?/', map { quotemeta } split m{/},
            $texts{$name}, -1;

        push @seen, map {"$name in $_->[0]"} grep { $_->[1] =~ $pattern } @all;
    }

    is(join(', ', @seen), '', 'nothing secret is seen in '
        . @all . ' answers and files');
}

run_payer_tests();

__DATA__

=== TEST 1: no log, answer or metric contains a secret if Payer works
--- http_config eval: ::http()
--- config eval: ::server()
--- log_level: debug
--- request
GET /metrics
--- after
@out = ();
every_path('good');
revoke();
every_path('renewed');

my %texts = secrets();
cmp_ok(scalar(grep {/^token/} keys %texts), '>=', 2, 'two tokens were used');

for my $call (qw(token create read capture cancel release refund event ack
    subscriptions))
{
    cmp_ok(calls()->{$call}, '>=', 2, "$call was called");
}

like(error_log_text(), qr/\[debug\]/, 'the debug log is on');
like(error_log_text(), qr/http upstream/, 'also of calls to Payer');
like(read_file("$Test::Nginx::Util::ServRoot/logs/all.log"), qr/good-1 12900/,
    'and the access log');

nothing_is_seen(%texts);



=== TEST 2: the address of a payment page is sent to its buyer only
--- http_config eval: ::http()
--- config eval: ::server('a frame')
--- log_level: debug
--- request
GET /metrics
--- after
@out = ();
every_path('page');

my @pages = map { $_->{url} =~ s{.*/}{}r }
    @{ sim('GET', 'books')->{payments} };
cmp_ok(scalar @pages, '>=', 3, 'there are payment pages');

@out = grep { $_->[0] !~ /^checkout|^signed/ } @out;
nothing_is_seen(map { ("page $_" => $pages[$_]) } 0 .. $#pages);



=== TEST 3: no log, answer or metric contains a secret if Payer fails
--- http_config eval: ::http()
--- config eval: 'payer_tries 2; payer_timeout 2s;' . ::server()
--- log_level: debug
--- timeout: 60
--- request
GET /metrics
--- after
@out = ();
my $n = 0;

for my $fault ('lost-reply', 'status=401', 'html', 'truncate',
    'garbage-head')
{
    faults("*: $fault times=0 skip=2", 'token: status=500 skip=1');
    every_path('bad' . ++$n);
    sim('DELETE', 'faults');
    revoke();
}

my %texts = secrets();
cmp_ok(scalar(grep {/^token/} keys %texts), '>=', 4, 'tokens were used');
nothing_is_seen(%texts);



=== TEST 4: no log, answer or metric contains a secret if Payer repeats it in a reply
--- http_config eval: ::http()
--- config eval: ::server()
--- log_level: debug
--- timeout: 60
--- before
our $slashed = 'a?/secret?/of~~~the?/merchant';
write_file('payer.secret', "$slashed\n", 0600);
sim_config(merchants => { (merchant())[0] => $slashed });
--- request
GET /checkout?order=1
--- error_code: 303
--- after
@out = ();
shop_reset();

# The simulator's JSON escapes a slash, and there is one in each.
my %texts = secrets($slashed);
like($texts{$_}, qr{/}, "a slash in $_") for 'secret', 'id and secret';
my $said = join ' ', map { $texts{$_} }
    grep { /^token|^secret$|^id and secret$/ } sort keys %texts;

for my $status (400, 401, 404, 500, 200) {
    faults({ match => '*', contains => '', times => 0, skip => 0,
        status => $status, headers => { 'X-Echo' => $said,
            'Content-Type' => "application/json; said=\"$said\"" },
        body => { message => "you said $said", paymentId => $said,
            url => "https://$said/", $said => $said } });

    every_path("echo$status");
    sim('DELETE', 'faults');
}

like(error_log_text(), qr/"create" was refused with status 400: "you said \*+/,
    'Payer\'s word is logged');
ok((grep { $_->[1] =~ /you said \*+/ } @out), 'and passed on');

nothing_is_seen(%texts);

sim_config(merchants => { merchant() });
write_file('payer.secret', (merchant())[1] . "\n", 0600);



=== TEST 5: a token in Payer's reply is masked before an event is passed to the shop
--- http_config eval: ::http()
--- config eval: ::server()
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my %texts = secrets();
my $token = paid_event('2');

faults({ match => 'event', action => 'edit',
    set => { said => $texts{'token 1'} } });

is(callback($token)->status, 200, 'the event goes through');
is(scalar shop_requests(), 1, 'the shop has it');
like((shop_requests())[0]{body}, qr/"said":"\*{20,}"/, 'without the token');
