# docs/compliance.md: what is stored of a buyer and what is not, and that the
# policies of pages are as the page says.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Test;
use Payer::Conf;
use Payer::Docs qw(document example);
use Payer::StoreTool;

my $PAGE = 'docs/compliance.md';

# what identifies a buyer, and the card
our %person = (
    'client address'  => '203.0.113.77',
    'binary address'  => "\xCB\x00\x71\x4D",
    'cookie'          => 'cookie-of-astrid',
    'browser'         => 'browser-of-astrid',
    'referrer'        => 'page-astrid-came-from',
    'language'        => 'sv-astrid',
    'authorization'   => 'YXN0cmlkOnNlY3JldA',
    'argument'        => 'astrid.berg',
    'body'            => 'street-of-astrid',
    'card number'     => '4111111111111111',
    'return argument' => 'mail-of-astrid',
);


sub buyer {
    return headers => {
        Cookie            => "session=$person{cookie}",
        'User-Agent'      => $person{browser},
        Referer           => "https://shop.example/$person{referrer}",
        'Accept-Language' => $person{language},
        Authorization     => "Basic $person{authorization}",
        'X-Client'        => $person{'client address'},
    };
}


# All bytes of the store, also of pages that are free.

sub store_files {
    my $text = '';

    for my $file (glob work_dir() . '/payments/*') {
        open my $fh, '<:raw', $file or die "$file: $!\n";
        local $/;
        $text .= <$fh>;
    }

    return $text;
}


# The policies of the page: its part inside of http, and inside of server.

our ($frame_http, $frame_server)
    = example($PAGE, 'frame-policy') =~ /\A(.*)^server \{\n(.*)^\}\n\z/ms;
$frame_server =~ s{http://shop}{http://127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}} or die;

run_payer_tests();

__DATA__

=== TEST 1: nothing that identifies the buyer is stored, nor is the card
--- http_config
set_real_ip_from 127.0.0.1;
real_ip_header   X-Client;
--- config perl
checkout(payer_return_success => '/thanks?order=$payer_reference&who=$arg_who')
    . operations()
    . 'location = /thanks { payer_verify $arg_order; empty_gif; }'
--- request
GET /nothing
--- error_code: 404
--- after
is(request(POST => '/checkout?order=1001&name=astrid.berg&who=mail-of-astrid', buyer(),
    form => { street => $person{body} })->status, 303, 'a checkout');
like((sent('create'))[-1], qr/mail-of-astrid/, 'with an argument in the return address');

my ($link) = get('/checkout?order=1001', buyer())->header('Location') =~ m{/widget/(\w+)};
faults(qq(read: edit set={"cardNumber":"$person{'card number'}"}));    # should Payer ever say it
pay('1001');
is(get('/thanks?order=1001&name=astrid.berg', buyer())->status, 200, 'the return');
is(post('/capture', form => { reference => '1001' })->status, 200, 'a capture');

my $stored = store_files();
my $exported = join '', map { s/value=([0-9a-f]*)/'value=' . pack 'H*', $1/re }
    split /^/, exported('lmdb:' . work_dir() . '/payments');

like($stored, qr/1001/, 'the order is in the files');
like($exported, qr/\Q$link\E/, 'and its link in the export');

for my $what (sort keys %person) {
    is(index($stored, $person{$what}), -1, "$what is not in the files");
    is(index($exported, $person{$what}), -1, "$what is not in the export");
}



=== TEST 2: the page with the frame is the same for each buyer, but for the nonce
--- config perl: checkout(payer_present => 'iframe')
--- request
GET /nothing
--- error_code: 404
--- after
my @pages = map {
    my $r = get('/checkout?order=1001', $_ ? buyer() : ());
    my ($nonce) = $r->header('Content-Security-Policy') =~ /nonce-([0-9a-f-]{36})/;
    ($r->header('Content-Security-Policy') . "\n" . $r->body) =~ s/\Q$nonce\E/NONCE/gr;
} 0, 1;

is($pages[0], $pages[1], 'policy and content');
is(scalar(() = $pages[0] =~ /<script\b/g), 1, 'one script');
unlike($pages[0], qr/<script[^>]*src=|javascript:|\son\w+=/i, 'and no other code');



=== TEST 3: the policy for a page of the shop names the origin of the payment page
--- http_config eval: $::frame_http
--- config eval: ::checkout(payer_present => '/frame') . $::frame_server
--- request
GET /nothing
--- error_code: 404
--- after
my $r = get('/checkout?order=1001');
my ($origin) = $r->header('Content-Security-Policy') =~ /frame-src (\S+);/;
is($origin, "http://127.0.0.1:$ENV{TEST_NGINX_SIM_PORT}", 'the only one for frames');
like($r->header('Content-Security-Policy'), qr/script-src 'self';/, 'and no script from elsewhere');



=== TEST 4: the times in the table are the defaults of payer_keep
--- config
location = /here { return 204; }
--- request
GET /here
--- error_code: 204
--- after
my ($default) = document('docs/directives.md')
    =~ /^### payer_keep\n.*?^Default: payer_keep (.*?);<br>/ms;
my %time = $default =~ /(\w+)=(\w+)/g;
my $table = document('docs/compliance.md');

is(join(' ', sort keys %time), 'operations unpaid', 'paid orders have no end');
like($table, qr/unpaid ${\ ($time{unpaid} =~ s{d$}{}r)} days after the last change/, 'unpaid orders');
like($table, qr/operations ${\ ($time{operations} =~ s{d$}{}r)} days/, 'operations');
