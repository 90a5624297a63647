# build/payer-store with a PostgreSQL store: from lmdb to it and back.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Test;
use Payer::Conf;
use Payer::Postgres;
use Payer::StoreTool;

use File::Path qw(remove_tree);

if (!Payer::Postgres::programs()) {
    plan(skip_all => 'PostgreSQL is not installed');
}

my $schema = root() . '/ngx_http_payer_module/store/postgresql/schema.sql';

our $pg = Payer::Postgres->new(schema => $schema);

sub lmdb { return 'lmdb:' . work_dir() . '/' . ($_[0] // 'payments') }

# an empty database
sub database {
    my $admin = $pg->admin_store;

    $pg->sql('TRUNCATE payer.entry; UPDATE payer.format SET host = NULL');
    return $admin;
}

sub other {
    my $dir = work_dir() . '/other';

    remove_tree($dir);
    mkdir $dir, 0700;
    chown((stat work_dir() . '/payments')[ 4, 5 ], $dir);

    return lmdb('other');
}

sub ordered {
    my ($order) = @_;

    get("/checkout?order=$order")->status == 303 or die "no link for $order\n";
}

sub paid {
    my ($order) = @_;

    ordered($order);
    pay($order);
    get("/thanks?order=$order")->status == 200 or die "$order is not paid\n";
}

# keys that a statement could misread, and values that are as large as can be
sub strange {
    my $bytes = sub { $_[0] =~ s/%(..)/chr hex $1/ger };
    my @keys = sort { $bytes->($a) cmp $bytes->($b) } 'NULL', 'null', '{}', '{a,b}', 'a"b', "a\\b", "a'b", '$1',
        'a,b', "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 'a%20b%0d%0a%09%01%7f',
        "\x7e\xc2\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 'x' x 511, map { sprintf 'z/%03d', $_ } 1 .. 300;

    return join '', "payer-store\t1\n",
        map({ "$_\tvalue=" . (/^z/ ? '00ff' x 8192 : '00') . "\n" } @keys),
        'end', "\tentries=", scalar @keys, "\n";
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

=== TEST 1: records that are moved to PostgreSQL and back are unchanged
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
paid('1');
ordered('a%20b%25c%C3%A4%22%5C');
post('/capture', json => { reference => '1', amount => 100 });
my $lines = exported(lmdb());
my $to = database();

like(imported($to, $lines), qr/: (\d+) entries, \1 written, 0 kept/, 'all is written to an empty database');
is(exported($to), $lines, 'and is what it was');
like(imported($to, $lines), qr/: (\d+) entries, 0 written, \1 kept/, 'nothing is written a second time');
like((store_tool('check', $to))[1], qr/^\d+ entries, 0 faults\n\z/, 'it is in order');
is((store_tool('list', $to))[1], (store_tool('list', lmdb()))[1], 'list shows the same');
is((store_tool('list', "$to\0order/4711/1"))[1], (store_tool('list', lmdb() . "\0order/4711/1"))[1], 'also with a prefix');
is($pg->value("SELECT state || ' ' || captured FROM payer.orders WHERE reference = '1'"), 'partially_captured 100', 'the view shows an order');
my $back = other();
imported($back, exported($to));
is(exported($back), $lines, 'back in lmdb it is what it was');



=== TEST 2: an import can be repeated and does not replace newer records
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
ordered('2');
my $to = database();
my $early = exported(lmdb());
imported($to, $early);

pay('1');
get('/thanks?order=1');
ordered('2&dear=1');
ordered('3');
my $late = exported(lmdb());

isnt($late, $early, 'nginx has gone on');
like(imported($to, $late), qr/ [1-9]\d* written/, 'what has changed is written');
is(exported($to), $late, 'and is what it is');
imported($to, $early);
is(exported($to), $late, 'an earlier export takes nothing back');
is($pg->value('SELECT count(*) FROM payer.entry WHERE value IS NULL AND target IS NULL'), 0, 'and leaves nothing behind');



=== TEST 3: each error has a message with its cause
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
ordered('1');
my $to = database();
my $lines = exported(lmdb());
my $fails = sub {
    my ($what, $store, $why, $input) = @_;
    my ($status, $out, $said) = store_tool(defined $input ? 'import' : 'list', $store, $input);
    is($status, 1, "$what fails");
    like($said, qr/^payer-store: .*$why/m, 'and says why');
};

imported($to, $lines);
$fails->('the live host\'s', $to, 'is of "other 127.0.0.1", and the export of "live', $lines =~ s/host=other/host=live/r);
$fails->('the role of nginx', $pg->store . ' password_file=' . $pg->password_file, 'permission denied');
$fails->('another password', $pg->store . ' password_file=' . $pg->password_file('guessed'), 'password authentication failed');
$fails->('a password file that is not there', $pg->store . ' password_file=/no/where', 'No such file');
$fails->('a parameter that is not known', "$to colour=red", '"colour" is not a parameter');
$fails->('a port where nobody listens', 'postgresql://payer@127.0.0.1:' . free_port() . '/shop', 'Connection refused');
$fails->('another database', $to =~ s{/shop }{/postgres }r, 'relation "payer.format" does not exist');

$pg->sql('UPDATE payer.format SET oldest = 99, version = 99');
$fails->('a newer schema', $to, 'is of a newer version');
$pg->sql('UPDATE payer.format SET oldest = 2, version = 2');

$pg->sql("UPDATE payer.entry SET target = 'order/4711/none' WHERE target = 'order/4711/1'");
$pg->sql("UPDATE payer.entry SET value = '\\x5052' WHERE key = 'order/4711/1'");
$pg->sql("UPDATE payer.entry SET serial = NULL WHERE key = 'order/4711/1'");
my ($status, $text) = store_tool('check', $to);
is($status, 1, 'check fails on what is damaged');
like($text, qr{^payment/4711/\S+: leads to a key that is not there$}m, 'an alias');
like($text, qr{^order/4711/1: the record cannot be read$}m, 'a record');
like($text, qr{^order/4711/1: is missing in an index$}m, 'an index');



=== TEST 4: any key and any value is the same after both moves
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $lines = strange();
my $to = database();
my $back = other();

imported($to, $lines);
is(exported($to) eq $lines, 1, 'in PostgreSQL');
imported($back, exported($to));
is(exported($back) eq $lines, 1, 'in lmdb');



=== TEST 5: two imports at the same time do not disturb each other
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $lines = strange();
my $to = database();
my $file = write_file(work_dir() . '/lines', $lines);
my ($status, $said) = store_shell("one() { \$TOOL import '$to' <$file || echo failed; }; one & one & wait");
is($status, 0, 'both end');
unlike($said, qr/failed|ERROR/, 'and succeed');
is(exported($to) eq $lines, 1, 'and all is there');



=== TEST 6: an import whose connection is lost has one message, and can be repeated
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my $lines = strange();
my $to = database();

$pg->sql(q{
    CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
        PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END';
    CREATE TRIGGER lost BEFORE UPDATE ON payer.entry FOR EACH ROW
        WHEN (new.key = 'z/290') EXECUTE FUNCTION lost()});

my ($status, undef, $said) = store_tool('import', $to, $lines);
$pg->sql('DROP FUNCTION lost() CASCADE');

is($status, 1, 'it fails');
like($said, qr/^payer-store: \S+ \S+: FATAL:  terminating connection/, 'says why');
is(() = $said =~ /^payer-store:/gm, 2, 'once, before the numbers');
unlike($said, qr/^$/m, 'without an empty line');
like(imported($to, $lines), qr/ written, 256 kept/, 'the first part is there');
is(exported($to) eq $lines, 1, 'and now the rest');



=== TEST 7: an import that is interrupted leaves complete entries, and can be repeated
--- http_config eval: $::http
--- config perl: $::shop
--- request
GET /
--- error_code: 404
--- after
my @lines = split /^/, strange();
my $to = database();

for my $signal (qw(INT KILL)) {
    my $in = store_start('import', $to);
    print { $in->{in} } @lines[0 .. 290];
    wait_until(sub { $pg->value('SELECT count(*) FROM payer.entry WHERE value IS NOT NULL') }, 10);
    store_end($in, $signal);
    is($pg->value('SELECT count(*) FROM payer.entry WHERE value IS NOT NULL'), 256, "SIG$signal: one batch is there");
}

like(imported($to, join '', @lines), qr/ written, 256 kept/, 'the import can be repeated');
is(exported($to) eq join('', @lines), 1, 'and all is there');
