# build/payer-store: entries are listed, checked and moved, while nginx is
# running and afterwards.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Test;
use Payer::Conf;
use Payer::Life;
use Payer::StoreTool;

use File::Path qw(remove_tree);

master_on();

$ENV{PAYER_CLOSED_PORT} = free_port();

sub store { return 'lmdb:' . work_dir() . '/' . ($_[0] // 'payments') }

# an empty directory for another store, as nginx would make it
sub other {
    my $dir = work_dir() . '/other';

    remove_tree($dir);
    mkdir $dir, 0700;
    chown((stat work_dir() . '/payments')[ 4, 5 ], $dir);

    return store('other');
}

sub ordered {
    my ($order, %more) = @_;

    my $r = get("/checkout?order=$order", %more);
    die "no link for $order\n" if $r->status != 303;
    return $r->header('Location');
}

sub paid {
    my ($order) = @_;

    ordered($order);
    pay($order);
    get("/thanks?order=$order")->status == 200 or die "$order is not paid\n";
}

# bytes of the other store are replaced
sub patched {
    my ($old, $new) = @_;

    my $file = work_dir() . '/other/data.mdb';
    open my $fh, '<:raw', $file or die "$file: $!\n";
    my $bytes = do { local $/; <$fh> };

    $bytes =~ s/$old/$new/gs or die "$file does not have it\n";
    open $fh, '+<:raw', $file or die "$file: $!\n";
    print $fh $bytes;
    close $fh;
}

# an export of entries that are as large as can be
sub large {
    my ($n) = @_;

    my $value = 'a7' x 16384;

    return join '', "payer-store\t1\n",
        map({ sprintf "x/%06d/%s\tvalue=%s\n", $_, 'k' x 502, $value } 1 .. $n),
        "end\tentries=$n\n";
}

# whether a process has a place in the table of readers
sub reads {
    my ($pid) = @_;

    open my $fh, '<:raw', work_dir() . '/other/lock.mdb' or die "lock.mdb: $!\n";
    my $bytes = do { local $/; <$fh> };
    return scalar grep { $_ == $pid } unpack 'L*', $bytes;
}

# nginx goes on with the other store
sub move {
    my $file = $Test::Nginx::Util::ConfFile;
    my $conf = do { local (@ARGV, $/) = $file; <> };

    $conf =~ s{payer_store\s+\Klmdb:[^;]*}{@{[ store('other') ]}} or die;
    write_file($file, $conf);
    restart('QUIT');
}

our $shop = checkout(payer_amount => '$price') . operations() . '
    location = /thanks {
        payer_verify       $arg_order;
        payer_verify_cache 0;
        empty_gif;
    }
    location = / { return 404; }
';

our $http = 'map $arg_dear $price { default 12900; 1 50000; }';

run_payer_tests();

__DATA__

=== TEST 1: entries are listed and checked while nginx is running
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
paid('2');
post('/capture', json => { reference => '2', amount => 5000 },
    headers => { 'Idempotency-Key' => 'first' });

my ($status, $text) = store_tool('list', store());
is($status, 0, 'list succeeds');
like($text, qr{^order/4711/1  initiated  payment=\S+  amount=12900  SEK  created=20\S+Z }m, 'an order');
like($text, qr{^order/4711/2  partially_captured .* authorized=12900  captured=5000 }m, 'one that was captured in part');
like($text, qr{^operation/4711/\S+/capture/first  done  amount=5000  request=\S+ }m, 'the capture');
like($text, qr{^payment/4711/\S+  to=order/4711/1 }m, 'what leads to the order');

my (undef, $part) = store_tool('list', store() . "\0order/4711/2");
is(scalar(() = $part =~ /\n/g), 1, 'list with a prefix');

($status, $text) = store_tool('check', store());
is($status, 0, 'check finds nothing');
like($text, qr/^8 entries, 0 faults\n\z/, 'and says so');

my $lines = exported(store());
like($lines, qr/\Apayer-store\t1\thost=other 127\.0\.0\.1\n/, 'an export says of which host it is');
like($lines, qr{^order/4711/1\texpires=\d+\tupdated=\d+\tstate=2\tvalue=5052[0-9a-f]+\n}m, 'an order is a line');
like($lines, qr/^end\tentries=\d+\n\z/m, 'and says where it ends');
is(get('/thanks?order=2')->status, 200, 'nginx goes on');



=== TEST 2: an import can be repeated and does not replace newer records
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
paid('2');
my $to = other();
my $early = exported(store());

like(imported($to, $early), qr/: (\d+) entries, \1 written, 0 kept/, 'all is written to an empty store');
is(exported($to), $early, 'and is what it was');
like(imported($to, $early), qr/: (\d+) entries, 0 written, \1 kept/, 'nothing is written a second time');

pay('1');
get('/thanks?order=1');
post('/capture', json => { reference => '2' });
ordered('3');
my $late = exported(store());

isnt($late, $early, 'nginx has gone on');
like(imported($to, $late), qr/ [1-9]\d* written/, 'what has changed is written');
is(exported($to), $late, 'and is what it is');
imported($to, $early);
is(exported($to), $late, 'an earlier export takes nothing back');
is((store_tool('check', $to))[1], (store_tool('check', store()))[1], 'both are in order');



=== TEST 3: an order whose link was replaced between two imports gets the new link
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $old = ordered('1');
my $to = other();
my $early = exported(store());
imported($to, $early);

my $new = ordered('1&dear=1');
isnt($new, $old, 'the amount has changed, and the link with it');
my $late = exported(store());
imported($to, $late);
is(exported($to), $late, 'the order has the new link');
imported($to, $early);
is(exported($to), $late, 'an earlier export does not bring the old one back');



=== TEST 4: nginx uses the imported records
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- calls
token: 2
create: 1
read: 2
capture: 1
--- then
my $link = ordered('1');
pay('1');
get('/thanks?order=1');
my $key = { 'Idempotency-Key' => 'k' };
my $done = post('/capture', json => { reference => '1', amount => 100 }, headers => $key);
my $to = other();
imported($to, exported(store()));
move();

is(get('/thanks?order=1')->status, 200, 'the order is paid');
my $again = post('/capture', json => { reference => '1', amount => 100 }, headers => $key);
is($again->status, 200, 'an operation that is repeated');
is($again->header('Payer-Request-Id'), $done->header('Payer-Request-Id'), 'is answered as before');
unlike(error_log_text(), qr/\[(?:error|crit|alert|emerg)\]/, 'without a complaint');



=== TEST 5: an invalid or incomplete export is rejected
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
my $to = other();
my $lines = exported(store());
my $refused = sub {
    my ($what, $input, $why) = @_;
    my ($status, undef, $said) = store_tool('import', $to, $input);
    is($status, 1, "$what is refused");
    like($said, qr/^payer-store: .*$why/m, 'with a reason');
};

$refused->('nothing', '', 'not complete');
$refused->('another text', "hello\n", 'line 1: this is no export');
$refused->('a newer export', "payer-store\t2\n", 'line 1: this is no export');
$refused->('half an export', $lines =~ s/^end.*\n\z//mr, 'not complete');
$refused->('one that has lost a line', $lines =~ s/^payment.*\n//mr, 'not complete');
$refused->('one that goes on after its end', "${lines}x\tvalue=00\n", 'line \d+: something follows');
$refused->('half a byte', $lines =~ s/^(order.*).\n/$1\n/mr, 'line \d+: the value is too long, or half a byte');
$refused->('a number that is none', $lines =~ s/expires=/expires=-/r, 'line \d+: a number is none');
$refused->('a field that is not known', $lines =~ s/\tupdated=/\tupdate=/r, 'line \d+: a field is not known');
$refused->('a field twice', $lines =~ s/\tstate=2/\tstate=2\tstate=2/r, 'line \d+: a field is there twice');
$refused->('a key of the store itself', $lines =~ s/^order/!order/mr, 'line \d+: a key begins with "!"');
$refused->('a key that is too long', $lines =~ s/^order/'order' . 'x' x 600/mer, 'line \d+: a key is empty or too long');
$refused->('what has a value and leads elsewhere', $lines =~ s/\tto=/\tvalue=00\tto=/r, 'line \d+: there is not one of');

$refused->('one with CR LF', $lines =~ s/\n/\r\n/gr, 'line 1: it ends with CR and LF');
$refused->('a line with CR LF', $lines =~ s/^(order.*)/$1\r/mr, 'line \d+: it ends with CR and LF');
$refused->('another order of lines', join('', (split /^/, $lines)[0, 2, 1, 3]), 'line 3: it is not behind');
$refused->('a line twice', $lines =~ s/^(order.*\n)/$1$1/mr, 'line \d+: it is not behind');
$refused->('a value that was edited', $lines =~ s/^order.*value=50\K52/53/mr, 'line \d+: the record cannot be read');
$refused->('a key that was edited', $lines =~ s{^order/4711/\K1\t}{2\t}mr, 'line \d+: the record is that of another key');
$refused->('a key with a byte of 0', $lines =~ s{^order/4711/\K1\t}{%00\t}mr, 'line \d+: a key is not valid UTF-8');
$refused->('a key in Latin-1', $lines =~ s{^order/4711/\K1\t}{\xe4\t}mr, 'line \d+: a key is not valid UTF-8');
for my $bytes ("\x80", "\xc3", "\xc0\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xff") {
    $refused->('a key with ' . unpack('H*', $bytes), $lines =~ s{^order/4711/\K1\t}{$bytes\t}mr, 'line \d+: a key is not valid UTF-8');
}

$refused->('a line without end', $lines =~ s/^order.*value=\K/'00' x 40000/mer, 'line \d+: it is too long');

$lines =~ s{\n(order.*\n)}{\nkey/4711/k\tvalue=31323334\n$1};
$lines =~ s/^end.*/end\tentries=3/m;
$refused->('one that ends within a value', $lines =~ s/^key.*value=3132\K.*//msr, 'line 2: it is not complete');

my ($status, $said) = store_shell("\$TOOL import $to </");
is($status, 1, 'a directory is refused');
like($said, qr/^payer-store: standard input: Is a directory$/m, 'with a reason');

imported($to, $lines);
is(exported($to), $lines, 'the whole is taken after all');
$refused->('the live host\'s', $lines =~ s/host=other/host=live/r, 'is of "other 127.0.0.1", and the export of "live');
is(exported($to), $lines, 'and nothing of it was written');



=== TEST 6: an error message names a store that cannot be used
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $fails = sub {
    my ($what, $store, $why, $command) = @_;
    my ($status, $out, $said) = store_tool($command // 'list', $store);
    is($status, 1, "$what fails");
    like($said, qr/^payer-store: \Q$store\E: .*$why/m, 'and says why');
    is($out, '', 'without more');
};

$fails->('a directory that is not there', store('none'), 'No such file');
$fails->('an import to it', store('none'), 'create the directory first', 'import');
$fails->('an empty directory', other(), 'No such file');
$fails->('no directory', 'lmdb:', 'has no directory');
$fails->('a store in memory', 'memory', 'is in nginx alone');
$fails->('another store', 'redis://x', 'is not a store');
is((store_tool('lost', store()))[0], 2, 'a command that is not known');
is((store_tool('list'))[0], 2, 'no store');
like((store_tool('list'))[2], qr/^usage: payer-store /, 'and how it is used');



=== TEST 7: check finds damaged records
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
ordered('2');
my $to = other();
my $lines = exported(store());

$lines =~ s{^order/4711/2\t.*\n}{}m;
my $left = () = $lines =~ m{^\w+/}gm;
$lines =~ s{^end.*}{end\tentries=$left}m;
imported($to, $lines);
my $record = pack 'H*', $lines =~ m{^order/4711/1\t.*value=(\w{40})}m;
patched("\Q$record\E" => "\0" x 20);
my ($status, $text) = store_tool('check', $to);
is($status, 1, 'check fails');
like($text, qr{^order/4711/1: the record cannot be read$}m, 'a record');
like($text, qr{^payment/4711/\S+: leads to a key that is not there$}m, 'what leads nowhere');
like($text, qr{^\d+ entries, 2 faults$}m, 'and no more');
like((store_tool('list', $to))[1], qr{^order/4711/1  cannot be read}m, 'list says so, too');



=== TEST 8: a notification that was accepted meanwhile is not owed after an import
--- http_config eval: $::http
--- config perl
$shop . '
    payer_notify /_told;
    payer_notify_retry 1h interval=1s max=1s;
    payer_sweep 1s;
    location = /_told { internal; proxy_pass http://127.0.0.1:' . $ENV{PAYER_CLOSED_PORT} . '/empty; }
    location = /empty { return 204; }'
--- request
GET /
--- error_code: 404
--- after
paid('1');
wait_until(sub { exported(store()) =~ m{^notify/}m }, 5);
my $to = other();
my $early = exported(store());
like($early, qr{^notify/4711/1/}m, 'it is owed');
imported($to, $early);

my $file = $Test::Nginx::Util::ConfFile;
my $conf = do { local (@ARGV, $/) = $file; <> };
write_file($file, $conf =~ s/127\.0\.0\.1:\K$ENV{PAYER_CLOSED_PORT}/nginx_port()/er);
restart('QUIT');
ok(wait_until(sub { exported(store()) =~ m{^told/}m }, 20), 'the shop has taken it');
my $late = exported(store());
imported($to, $late);
is(exported($to), $late, 'it is owed no more');
imported($to, $early);
is(exported($to), $late, 'and an earlier export does not change that');



=== TEST 9: a key with spaces, tabs and percent signs is exported and imported unchanged
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
ordered('a%20b%25c%C3%A4');
my $to = other();
my $lines = exported(store());
like($lines, qr{^order/4711/a%20b%25c\xc3\xa4\t}m, 'it is one word in a line');
imported($to, $lines);
is(exported($to), $lines, 'and the same again');


=== TEST 10: the schema of a PostgreSQL store is printed
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my ($status, $text, $said) = store_tool('schema');
is("$status $said", '0 ', 'it succeeds');
open my $fh, '<', root() . '/ngx_http_payer_module/store/postgresql/schema.sql' or die "schema.sql: $!\n";
is($text, do { local $/; <$fh> }, 'it is schema.sql');
is((store_tool('schema', 'postgresql://payer@db1.example/shop'))[1], $text, 'with a store, too');



=== TEST 11: a full disk is reported, and nothing is lost
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
my $to = other();
my $store = store();

for my $command ("export $store", "list $store", "check $store") {
    my ($status, $said) = store_shell("\$TOOL $command >/dev/full");
    is($status, 1, "$command fails");
    is($said, "payer-store: standard output: No space left on device\n", 'and says why');
}

my $lines = exported(store());
imported($to, $lines);
my $large = work_dir() . '/large';
write_file($large, large(100));
my ($status, $said) = store_shell("trap '' XFSZ; ulimit -f 1000; \$TOOL import $to <$large");
is($status, 1, 'an import fails');
like($said, qr/^payer-store: lmdb:\S+: Input.output error; is the disk full\?\n.*\n\z/, 'and says why');
is(exported($to), $lines, 'what was there is there');
imported($to, large(100));
my $all = exported($to);
is(() = $all =~ m{^x/}gm, 100, 'the import can be repeated');



=== TEST 12: an export and an import can be interrupted
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $to = other();
my $lines = large(1000);
my @lines = split /^/, $lines;

for my $signal (qw(INT TERM KILL)) {
    my $in = store_start('import', $to);
    print { $in->{in} } @lines[0 .. 600];
    my ($status, undef, $said) = store_end($in, $signal);

    is($status, $signal eq 'KILL' ? 'signal 9' : 1, "an import ends by SIG$signal");
    like($said, qr/^payer-store: interrupted\npayer-store: \d+ entries, \d+ written, \d+ kept\n\z/, 'and says so')
        if $signal ne 'KILL';
}

like(imported($to, $lines), qr/: 1000 entries, \d+ written, [1-9]\d* kept/, 'it can be repeated');
ok(exported($to) =~ s/\thost=.*//r eq $lines, 'and all is there');
is((store_tool('check', $to))[1], "1000 entries, 0 faults\n", 'in order');

for my $signal (qw(INT TERM HUP)) {
    my $out = store_start('export', $to);
    read $out->{out}, my $first, 1000;
    ok(reads($out->{pid}), 'an export has a snapshot');
    my ($status, undef, $said) = store_end($out, $signal);

    is($status, 1, "it ends by SIG$signal");
    is($said, "payer-store: interrupted\n", 'says so');
    ok(!reads($out->{pid}), 'and leaves no snapshot behind');
}

my $out = store_start('export', $to);
read $out->{out}, my $first, 1000;
my $pid = $out->{pid};
store_end($out, 'KILL');
ok(reads($pid), 'one that is killed leaves its snapshot');
store_tool('list', "$to\0none");
ok(!reads($pid), 'until the next command');



=== TEST 13: a reader of an export that goes away ends it
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $to = other();
imported($to, large(100));
my (undef, $said) = store_shell("\$TOOL export $to | head -c 1000 >/dev/null");
is($said, '', 'without a message');



=== TEST 14: a store of a newer version is not used
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
my $to = other();
my $lines = exported(store());
imported($to, $lines);
patched('!payer-store\K.' => "\x7f");

for my $command (qw(list check export import)) {
    my ($status, $out, $said) = store_tool($command, $to, $lines);
    is("$status $out", '1 ', "$command fails");
    is($said, "payer-store: $to: is of a newer version\n", 'and says why');
}



=== TEST 15: a store of another user is not read
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
SKIP: {
    my ($uid) = (getpwnam 'nobody')[2];
    my $owner = (stat work_dir() . '/payments')[4];
    skip('this needs root, and a store of another user', 2) if $> != 0 || $owner == $uid;

    my $store = store();
    local $ENV{WHO} = $uid;
    my ($status, $said) = store_shell('cp $TOOL /tmp/payer-store.$$; chmod 755 /tmp/payer-store.$$; '
        . q(perl -e '$( = $) = "65534 65534"; $< = $> = $ENV{WHO}; exec @ARGV' /tmp/payer-store.$$ ) . "list $store"
        . '; status=$?; rm /tmp/payer-store.$$; exit $status');
    is($status, 1, 'list fails');
    like($said, qr/^payer-store: \Q$store\E: Permission denied\n\z/, 'and says why');
}



=== TEST 16: an import into the store that nginx uses takes nothing back
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $link = ordered('1');
ordered('2');
my $early = exported(store());
paid('2');
my $new = ordered('1&dear=1');

for my $order (3 .. 8) {
    imported(store(), $early);
    ordered($order);
    imported(store(), large(20));
}

is(get('/thanks?order=2')->status, 200, 'an order that was paid meanwhile is paid');
is(get('/checkout?order=1&dear=1')->header('Location'), $new, 'a link that was replaced stays replaced');
like((store_tool('check', store()))[1], qr/ 0 faults\n\z/, 'the store is in order');
unlike(error_log_text(), qr/\[(?:error|crit|alert|emerg)\]/, 'and nginx does not complain');
