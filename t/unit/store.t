# The stores by themselves, in a real nginx: t/unit/store/ is a module that
# does to a store what a request says.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use lib 't/lib';
use Payer::Postgres;
use Time::HiRes qw(sleep time);

my $root = dirname(abs_path(__FILE__)) . '/../..';
my $out  = "$root/build/t/unit-store";
my $dir  = tempdir('payer-store-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $port = free_port();

my ($nginx) = grep { -x } $ENV{TEST_NGINX_BINARY} // (),
    map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin';

my ($version) = slurp(($ENV{NGINX_SRC} // '/usr/share/nginx/src')
    . '/src/core/nginx.h') =~ /NGINX_VERSION\s+"(.+)"/;

if (`$nginx -v 2>&1` !~ m{nginx/\Q$version\E\b}) {
    plan skip_all => "there is no source of $nginx to build with";
}

make_path($out);
make_path("$dir/logs");
chmod 0755, $dir;

# a map of 1 MB, so that growth is met here
system("$root/t/unit/store/build", $out,
    "-DNGX_HTTP_PAYER_LMDB_MAP=1048576 -DNGX_HTTP_PAYER_LMDB_READERS=12 "
    . ($ENV{STORE_CFLAGS} // q())) == 0
    or BAIL_OUT('the module for this test does not build');

my $http = HTTP::Tiny->new(timeout => 20, keep_alive => 0);

$SIG{PIPE} = 'IGNORE';


sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
    return $s->sockport;
}

sub slurp {
    my ($file) = @_;
    open my $f, '<:raw', $file or return '';
    local $/;
    return scalar <$f> // '';
}

sub spew {
    my ($file, $bytes) = @_;
    open my $f, '>:raw', $file or die "$file: $!";
    print $f $bytes;
    close $f;
}

sub log_text { return slurp("$dir/logs/error.log") }

sub configure {
    my ($store, %o) = @_;

    my $workers = $o{workers} // 1;
    my $zone    = $o{zone}    // '1m';
    my $master  = $o{master}  // 'on';
    my $mode    = $o{mode} ? "store_test_mode $o{mode};" : '';
    my $postgres = $store =~ /^postgresql:/
        ? "load_module $root/build/ngx_http_payer_postgres_module.so;" : '';

    spew("$dir/nginx.conf", <<"    END");
    load_module $out/ngx_http_store_test_module.so;
    $postgres
    master_process $master;
    worker_processes $workers;
    env ASAN_OPTIONS;
    env UBSAN_OPTIONS;
    pid $dir/nginx.pid;
    error_log $dir/logs/error.log notice;
    events { worker_connections 512; }
    http {
        access_log off;
        store_test_zone test $zone;
        store_test_store $store;
        $mode
        client_body_temp_path $dir/body;
        proxy_temp_path $dir/proxy;
        fastcgi_temp_path $dir/fastcgi;
        uwsgi_temp_path $dir/uwsgi;
        scgi_temp_path $dir/scgi;
        server {
            listen 127.0.0.1:$port reuseport;
            location / { store_test; }
            location = /static { return 200 "static"; }
        }
    }
    END
}

sub nginx { return system("$nginx -p $dir -c $dir/nginx.conf @_ 2>$dir/out") }

sub start {
    configure(@_);
    spew("$dir/logs/error.log", '');
    nginx() == 0 or diag(slurp("$dir/out"), log_text());
    wait_for(sub { -s "$dir/nginx.pid" && pid() && ask('op=get&key=none') });
}

sub stop {
    my ($signal) = @_;
    my $pid = pid() or return;
    kill $signal // 'QUIT', $pid;
    wait_for(sub { !kill 0, $pid });
    unlink "$dir/nginx.pid";
}

sub pid { my ($p) = slurp("$dir/nginx.pid") =~ /(\d+)/; return $p }

sub workers {
    my $pid = pid();
    return grep { $_ }
        map { /^(\d+)$/ ? $1 : 0 } split /\s+/, `pgrep -P $pid`;
}

sub wait_for {
    my ($what, $seconds) = @_;
    my $end = time + ($seconds // 15);
    while (time < $end) { my $r = $what->(); return $r if $r; sleep 0.05 }
    return;
}

sub ask {
    my ($query) = @_;
    my $r = $http->get("http://127.0.0.1:$port/?$query");
    return if $r->{status} == 599;
    return "$r->{status} $r->{content}";
}

sub stat_of { return (split ' ', ask('op=stat'))[1 .. 3] }

# requests that are all under way at once; answers how many were 200

sub at_once {
    my ($n, $query) = @_;
    my (%left, $ok);

    for my $i (0 .. $n - 1) {
        my $s = IO::Socket::INET->new("127.0.0.1:$port") or next;
        (my $q = $query) =~ s/%/$i/g;
        print $s "GET /?$q HTTP/1.0\r\n\r\n";
        $left{$s} = $s;
    }

    my $select = IO::Select->new(values %left);

    while ($select->count && (my @ready = $select->can_read(20))) {
        for my $s (@ready) {
            my $n = sysread $s, my $buf, 65536;
            $ok++ if $n && $buf =~ /^HTTP\/1.\d 200/;
            $select->remove($s);
            close $s;
        }
    }

    return $ok // 0;
}

END {
    diag(grep { /payer_store|exited on signal/ } log_text())
        if !Test::More->builder->is_passing;
    stop('TERM') if $port;
}


# another key of an entry

sub aliases {
    my ($name) = @_;

    ask('op=put&key=order/1/a&value=one&alias=payment/1/x');
    is(ask('op=get&key=payment/1/x'), '200 order/1/a=one',
        "$name: an alias leads to the entry, and tells its key");
    ask('op=put&key=order/1/a&value=two&alias=payment/1/y');
    is(ask("op=get&key=payment/1/$_"), '200 order/1/a=two',
        "$name: so do all that it had") for qw(x y);
    is(ask('op=scan&prefix=payment/1/&limit=9'),
        '200 order/1/a=two order/1/a=two', "$name: also in a scan");

    ask('op=put&key=order/1/a&value=1&merge=1&alias=payment/1/z');
    is(ask('op=get&key=payment/1/z'), '200 order/1/a=two',
        "$name: also where the merge keeps what is stored");

    ask('op=del&key=order/1/a');
    is(ask('op=get&key=payment/1/y'), '404 ', "$name: an alias of nothing");
    is(ask('op=scan&prefix=payment/1/&limit=9'), '404 ',
        "$name: is nothing in a scan");
}


# the index of the last changes

sub lists {
    my ($name) = @_;
    my $all = 'op=list&prefix=order/2/&limit=9';

    is(ask($all), '404 ', "$name: an empty list");

    ask("op=put&key=order/2/$_&value=$_&updated=" . (1000 + $_)
        . '&state=' . $_ % 2 . '&attention=' . ($_ % 4 == 0 ? 4 : 0))
        for 1 .. 8;
    ask('op=put&key=order/2/none&value=none');
    ask('op=put&key=order/22/x&value=x&updated=2000');
    ask('op=put&key=orders/2/x&value=x&updated=2000');

    is(ask($all), '200 ' . join(' ', map { "order/2/$_=$_" } reverse 1 .. 8),
        "$name: the last changes first");
    is(ask("$all&states=2"), '200 order/2/7=7 order/2/5=5 order/2/3=3 order/2/1=1',
        "$name: of one state");
    is(ask("$all&attention=4"), '200 order/2/8=8 order/2/4=4',
        "$name: that need attention");
    is(ask("$all&attention=3"), '404 ', "$name: for another reason");
    is(ask("$all&from=1003&to=1006"), '200 order/2/5=5 order/2/4=4 order/2/3=3',
        "$name: of some days");

    my ($page, $next);
    ($page, $next) = ask('op=list&prefix=order/2/&limit=3')
        =~ /^(.*) next=(\w+)$/;
    is($page, '200 order/2/8=8 order/2/7=7 order/2/6=6', "$name: a page");
    ($page, $next) = ask("op=list&prefix=order/2/&limit=3&after=$next")
        =~ /^(.*) next=(\w+)$/;
    is($page, '200 order/2/5=5 order/2/4=4 order/2/3=3', "$name: the next");
    is(ask("op=list&prefix=order/2/&limit=2&after=$next"),
        '200 order/2/2=2 order/2/1=1', "$name: the last one has no cursor");
    is(ask("op=list&prefix=order/2/&limit=3&after=$_"), '404 ',
        "$name: a cursor that is none finds nothing")
        for 'x', $next . '0', 'x' x 32;

    ask('op=put&key=order/2/1&value=1&updated=1008&state=1');
    ask('op=put&key=order/2/8&value=8&updated=1001&state=0');
    is(ask($all), '200 order/2/1=1 ' . join(' ', map { "order/2/$_=$_" }
        reverse 2 .. 7) . ' order/2/8=8', "$name: who changes moves");
    is(ask("$all&attention=4"), '200 order/2/4=4',
        "$name: and leaves what it is in no more");

    ask('op=put&key=order/2/8&value=123&describe=1&updated=1008');
    is(ask("$all&states=8"), '200 order/2/8=123',
        "$name: a label that is made of what is written");

    ask("op=del&key=order/2/$_") for 1 .. 7;
    ask('op=put&key=order/2/8&value=8');
    is(ask($all), '404 ', "$name: deleted, or without a label: not there");
    is(ask('op=list&prefix=order/22/&limit=9'), '200 order/22/x=x',
        "$name: others have their own");

    # as many of one second as are looked at, and more

    for my $i (0 .. 4) {
        ask("op=burst&key=order/3/$i&n=500&size=1&updated=50&state=1");
    }
    ask('op=put&key=order/3/x&value=x&updated=40&state=2');
    my ($seen, $after, $calls) = (0, '', 0);
    while ((my $r = ask("op=list&prefix=order/3/&limit=200&after=$after"))
        =~ /^200/)
    {
        $seen += () = $r =~ /order/g;
        $calls++;
        ($after) = $r =~ / next=(\w+)/ or last;
    }
    is("$seen $calls", '2501 13', "$name: each once, however many there are");

    ($after) = ask('op=list&prefix=order/3/&limit=9&states=4')
        =~ /^200  next=(\w+)$/;
    ok($after, "$name: an empty page after 2000 that were looked at");
    is(ask("op=list&prefix=order/3/&limit=9&states=4&after=$after"),
        '200 order/3/x=x', "$name: and the next one finds it");
}


# entries whose time has come

sub leases {
    my ($name) = @_;
    my $now = int time;

    ask("op=put&key=notify/4/$_&value=$_&due=" . ($now - 10 + $_)) for 1 .. 5;
    ask('op=put&key=notify/4/late&value=x&due=' . ($now + 1000));

    is(ask('op=due&prefix=notify/4/&limit=2&lease=60'),
        '200 notify/4/1=1 notify/4/2=2', "$name: what is due, the oldest first");
    is(ask('op=due&prefix=notify/4/&limit=9&lease=1'),
        '200 notify/4/3=3 notify/4/4=4 notify/4/5=5',
        "$name: what is leased is not given to others");
    is(ask('op=due&prefix=notify/4/&limit=9&lease=60'), '404 ',
        "$name: nor what comes later");

    ask('op=put&key=notify/4/3&value=3');
    ask('op=del&key=notify/4/4');
    wait_for(sub { time > $now + 3 });
    is(ask('op=due&prefix=notify/4/&limit=9&lease=60'), '200 notify/4/5=5',
        "$name: a lease ends, and who is done is not there");
}


# what a put gives back with a claim is stored as its merge says; the claim is
# given back only by who has it

sub releases {
    my ($name) = @_;

    my ($slow) = ask('op=claim&key=order/5/r&lease=300') =~ /^200 (\d+)$/;
    is(ask("op=take&key=order/5/r&owner=$slow&value=wish&merge=1"),
        '200 wish', "$name: a put takes the claim");
    sleep 0.4;

    my ($fast) = ask('op=claim&key=order/5/r&lease=60000') =~ /^200 (\d+)$/;
    ok($fast && $fast != $slow, "$name: its lease ends, somebody else has it");
    is(ask("op=take&key=order/5/r&owner=$fast&value=longer&merge=1"),
        '200 Longer', "$name: and writes");

    is(ask("op=release&key=order/5/r&owner=$slow&value=late&merge=1"),
        '208 Longer', "$name: who was late learns what is kept");
    is(ask('op=claim&key=order/5/r&lease=1'), '409 0',
        "$name: and gives nothing back");
    is(ask("op=scan&prefix=order/5/&limit=9"), "200 order/5/r=Longer",
        "$name: a scan does not show it");
    is(ask('op=claimed&key=order/5/r'), "200 $fast", "$name: it is stored")
        if $name eq 'lmdb';

    is(ask("op=release&key=order/5/r&owner=$fast&value=the-longest&merge=1"),
        '200 The-longest', "$name: who has it gives it back with a put");
    is(ask('op=claimed&key=order/5/r'), '200 0', "$name: also in the store")
        if $name eq 'lmdb';
    like(ask('op=claim&key=order/5/r&lease=1'), qr/^200/,
        "$name: to whoever comes next");
}


# A claim is stored with its entry: it stays whatever else is written there,
# until its owner gives it back.

sub keeps_claims {
    my $key = 'order/6/k';
    my ($owner) = ask("op=claim&key=$key&lease=60000") =~ /^200 (\d+)$/;
    my $claimed = sub { ask("op=claimed&key=$key") };

    ask("op=put&key=$key&value=first&updated=5");
    is(ask("op=take&key=$key&owner=$owner"), '200 ', 'a claim alone');
    is($claimed->(), "200 $owner", 'is with what is there');
    is(ask("op=get&key=$key"), '200 first', 'which stays as it is');

    ask("op=put&key=$key&value=second&updated=6&due=7");
    is($claimed->(), "200 $owner", 'a put of somebody else leaves it');
    is(ask('op=due&prefix=order/6/&limit=9&lease=9'), "200 $key=second",
        'what is due is leased');
    is($claimed->(), "200 $owner", 'which leaves it, too');
    is(ask("op=take&key=$key&owner=$owner&value=no&merge=1"), '208 second',
        'a put that changes nothing');
    is($claimed->(), "200 $owner", 'has the claim');

    ask("op=del&key=$key");
    is($claimed->(), "200 $owner", 'a deletion leaves it');
    is(ask("op=get&key=$key"), '404 ', 'though nothing is found there');
    is(ask('op=scan&prefix=order/6/&limit=9'), '404 ', 'nor in a scan');
    is(ask('op=list&prefix=order/6/&limit=9'), '404 ', 'nor in a list');
    is(ask("op=put&key=alone&value=x&alias=$key"), '200 ', 'an alias of it');
    is(ask("op=get&key=$key"), '200 alone=x', 'leads to what it is of');
    is($claimed->(), "200 $owner", 'and leaves it');
    ask("op=put&key=$key&value=third&updated=8");
    is($claimed->(), "200 $owner", 'as does what is written next');
    is(ask("op=release&key=$key&owner=" . ($owner + 1)), '200 ',
        'nobody else');
    is($claimed->(), "200 $owner", 'gives it back');
    is(ask("op=release&key=$key&owner=$owner"), '200 ', 'its owner does');
    is($claimed->(), '200 0', 'and it is gone');
    is(ask('op=list&prefix=order/6/&limit=9'), "200 $key=third",
        'and the entry is in its list');

    ask("op=take&key=order/6/none&owner=$owner");
    is(ask('op=claimed&key=order/6/none'), "200 $owner", 'without an entry');
    ask("op=release&key=order/6/none&owner=$owner");
    is(ask('op=claimed&key=order/6/none'), '404 0', 'nothing is left of it');
}


# what every store does

# PostgreSQL is a server, which is started for it

my $database = Payer::Postgres->new(schema => "$root/ngx_http_payer_module"
        . '/store/postgresql/schema.sql');

my $postgres = $database->store(through => 'port') . ' durability=engine'
    . ' password_file=' . $database->password_file;

for my $store ('memory', "lmdb:$dir/common", $postgres) {
    my ($name) = $store =~ /(\w+)/;

    start($store, zone => '8m');

    is(ask('op=get&key=a'), '404 ', "$name: nothing yet");
    is(ask('op=put&key=a&value=one'), '200 ', "$name: put");
    is(ask('op=get&key=a'), '200 one', "$name: get");
    is(ask('op=put&key=a&value=two'), '200 ', "$name: replace");
    is(ask('op=get&key=a'), '200 two', "$name: get what replaced");

    is(ask('op=put&key=a&value=2&merge=1'), '208 two',
        "$name: a merge that declines hands back what is kept");
    is(ask('op=put&key=a&value=longer&merge=1'), '200 Longer',
        "$name: a merge that edits");
    is(ask('op=get&key=a'), '200 Longer', "$name: is what is stored");
    is(ask('op=put&key=new&value=new&merge=1'), '200 new',
        "$name: no merge where nothing is stored");

    is(ask('op=put&key=a&value=x&merge=1&key2=b&value2=side'), '208 Longer',
        "$name: a kept first entry");
    is(ask('op=get&key=b'), '200 side', "$name: leaves the others alone");

    is(ask('op=put&key=w&value=one&merge=1&key2=w2&value2=xfirst&when=1'),
        '200 one', "$name: an entry that depends on the first one");
    is(ask('op=get&key=w2'), '200 -first',
        "$name: is written, edited, where that is new");
    is(ask('op=put&key=w&value=1&merge=1&key2=w2&value2=xsecond&when=1'),
        '208 one', "$name: a first entry that is kept");
    is(ask('op=get&key=w2'), '200 -first', "$name: leaves it out");
    is(ask('op=put&key=w&value=longer&merge=1&key2=w2&value2=xthird&when=1'),
        '200 Longer', "$name: a first entry that changes");
    is(ask('op=get&key=w2'), '200 othird',
        "$name: is seen as it was and as it is");
    ask("op=del&key=$_") for qw(w w2);

    ask("op=put&key=$_&value=v$_") for qw(p/3 p/1 q/1 p/2 p o/9);

    my ($after, @seen) = ('');
    while ((my $r = ask("op=scan&limit=1&prefix=p/&after=$after"))
        =~ /^200 (.+)=/)
    {
        push @seen, $1;
        $after = $1;
    }
    is("@seen", 'p/1 p/2 p/3', "$name: a scan in order");

    is(ask('op=scan&limit=9&prefix=p/'), '200 p/1=vp/1 p/2=vp/2 p/3=vp/3',
        "$name: all at once");
    is(ask('op=scan&limit=2&prefix=p/'), '200 p/1=vp/1 p/2=vp/2',
        "$name: no more than was asked for");
    is(ask('op=scan&limit=1&prefix=p/&after=p/15'), '200 p/2=vp/2',
        "$name: from behind a key that is not there");
    is(ask('op=scan&limit=1&prefix=&after='), '200 a=Longer',
        "$name: a scan of all");
    is(ask('op=scan&limit=1&prefix=zz&after='), '404 ',
        "$name: a scan of none");
    is(ask('op=scan&limit=1&prefix=p/&after=q'), '404 ',
        "$name: a scan behind them");

    is(ask('op=del&key=p/2'), '200 ', "$name: delete");
    is(ask('op=get&key=p/2'), '404 ', "$name: is gone");
    is(ask('op=scan&limit=1&prefix=p/&after=p/1'), '200 p/3=vp/3',
        "$name: everywhere");
    is(ask('op=del&key=p/2'), '200 ', "$name: delete nothing");

    my $long = 'k' x 511;
    is(ask("op=put&key=$long&value=long"), '200 ', "$name: the longest key");
    is(ask("op=get&key=$long"), '200 long', "$name: is found");
    like(ask("op=put&key=${long}k&value=long"), qr/^500/,
        "$name: a longer one is refused");
    is(ask('op=burst&key=big&n=3&size=16384'), '200 ', "$name: large values");
    is(length ask('op=get&key=big000001'), 16388, "$name: are read in full");
    like(ask('op=burst&key=big&n=1&size=16385'), qr/^500/,
        "$name: larger ones are refused");

    kill 'HUP', pid();
    sleep 0.7;
    is(ask('op=get&key=b'), '200 side', "$name: a reload forgets nothing");

    aliases($name);
    lists($name);
    leases($name);
    releases($name);
    keeps_claims() if $name eq 'lmdb';

    my ($owner) = ask('op=claim&key=c&lease=60000') =~ /^200 (\d+)$/;
    ok($owner, "$name: a claim");
    is(ask('op=claim&key=c&lease=60000'), '409 0', "$name: is exclusive");
    is(ask('op=unclaim&key=c&owner=' . ($owner + 1)), '200 0',
        "$name: nobody else");
    is(ask('op=claim&key=c&lease=60000'), '409 0', "$name: gives it back");
    ask("op=unclaim&key=c&owner=$owner");
    my ($short) = ask('op=claim&key=c&lease=300') =~ /^200 (\d+)$/;
    ok($short && $short != $owner, "$name: a new owner");
    sleep 0.4;
    my ($next) = ask('op=claim&key=c&lease=60000') =~ /^200 (\d+)$/;
    ok($next, "$name: takes over what is stale");
    ask("op=unclaim&key=c&owner=$short");
    is(ask('op=claim&key=c&lease=1'), '409 0',
        "$name: who was late gives back nothing");

    stop();
    unlike(log_text(), qr/\[(alert|crit|emerg)\]/, "$name: a quiet log");
}


# memory: what happens when it is full

start('memory', zone => '256k');
like(slurp("$dir/out"), qr/\[warn\].*a restart forgets/, 'memory warns');

like(ask('op=burst&key=x&n=2000&size=400'), qr/^500/, 'a zone is full');
like(log_text(), qr/\[error\].*payer_zone "test" is full: "x\d+"/,
    'and says so');
is(ask('op=get&key=x000000') =~ /^200/, 1, 'the first entry is still there');
like(ask("op=claim&key=c$_&lease=60000"), qr/^200/, "room for claim $_")
    for 1 .. 3;
ask("op=del&key=x$_") for map { sprintf '%06d', $_ } 0 .. 99;
my $past = time - 10;
is(ask("op=put&key=old$_&expires=" . int($past) . '&value=' . 'o' x 400),
    '200 ', 'entries that have expired')
    for 1 .. 3;
like(ask('op=burst&key=y&n=2000&size=400'), qr/^500/, 'full again');
is(ask('op=get&key=old1'), '404 ', 'they were dropped for it');
like(ask('op=get&key=x000100'), qr/^200/, 'others were not');
stop();


# lmdb: the directory, restarts, kills

my $lmdb = "$dir/lmdb";

start("lmdb:$lmdb", workers => 2);

my @st = stat $lmdb;
is($st[2] & 07777, 0700, 'the directory has mode 0700');
isnt($st[4], 0, 'and belongs to the workers') if $> == 0;

is(at_once(64, 'op=put&key=m%&value=v%'), 64, 'writes from many');
is(ask("op=get&key=m$_"), "200 v$_", "m$_ is there") for 0, 31, 63;

stop('QUIT');
start("lmdb:$lmdb", workers => 2);
is(ask('op=get&key=m63'), '200 v63', 'there after a restart');

is(ask('op=put&key=killed&value=survives'), '200 ', 'written');
kill 'KILL', $_ for workers();
wait_for(sub { workers() == 2 && ask('op=get&key=none') });
is(ask('op=get&key=killed'), '200 survives', 'there after kill -9');

for my $round (1 .. 5) {
    my $s = IO::Socket::INET->new("127.0.0.1:$port");
    print $s "GET /?op=burst&key=r$round&n=3000&size=200 HTTP/1.0\r\n\r\n";
    sleep 0.02 * $round;
    kill 'KILL', $_ for workers();
    wait_for(sub { workers() == 2 && ask('op=get&key=none') });
    is(ask("op=put&key=again$round&value=yes"), '200 ',
        "a worker killed while it writes stops no other, $round");
}
stop();


# group commit, and growth from 1 MB

start("lmdb:$dir/group");
my ($before) = stat_of();
is(ask('op=burst&key=g&n=2000&size=100'), '200 ', '2000 puts at once');
my ($txns) = stat_of();
$txns -= $before;

# without threads each is written while the worker waits
if (`$nginx -V 2>&1` =~ /--with-threads/) {
    cmp_ok($txns, '<', 100, "in $txns transactions");
} else {
    is($txns, 2000, 'each in a transaction of its own');
}

is(ask('op=burst&key=h&n=20000&size=400'), '200 ', 'more than the map holds');
my (undef, $size) = stat_of();
cmp_ok($size, '>', 8 << 20, "which has grown to $size");
is(length ask("op=get&key=h$_"), 404, "h$_ is there") for '000000', '019999';
like(log_text(), qr/the size limit is now/, 'and said so');
stop();


# growth by one worker, reads and writes by another

start("lmdb:$dir/grow", workers => 2);
my %seen;
for (1 .. 40) { $seen{ (stat_of())[2] }++ }
is(keys %seen, 2, 'two workers answer');
is(at_once(4, 'op=burst&key=w%-&n=4000&size=300'), 4, 'both write and grow');
my $wrong = 0;
for my $i (1 .. 60) {
    $wrong++ if length(ask('op=get&key=w' . $i % 4 . '-003999')) != 304;
}
is($wrong, 0, 'both read what the other has written');


# reload and quit in the middle of writing

my $burst = IO::Socket::INET->new("127.0.0.1:$port");
print $burst "GET /?op=burst&key=reload&n=20000&size=300 HTTP/1.0\r\n\r\n";
sleep 0.02;
kill 'HUP', pid();
my $answer = do { local $/; <$burst> } // '';
like($answer, qr/^HTTP\/1.1 200/, 'a burst in a worker that leaves ends well');
is(length ask('op=get&key=reload019999'), 304, 'and is stored');

ask("op=abandon&key=ab$_&value=on") for 1 .. 20;
stop('QUIT');
start("lmdb:$dir/grow");
is(join(' ', grep { ask("op=get&key=ab$_") eq '200 on' } 1 .. 20),
    join(' ', 1 .. 20), 'what nobody waited for is written before the end');


# a binary upgrade: two masters for a while

my $old = pid();
kill 'USR2', $old;
ok(wait_for(sub { -s "$dir/nginx.pid.oldbin" && (pid() // $old) != $old }),
    'a new master beside the old one');
sleep 0.3;
is(at_once(40, 'op=put&key=up%&value=grade'), 40, 'both write');
kill 'QUIT', $old;
ok(wait_for(sub { !kill 0, $old }), 'the old one leaves');
is(join(' ', grep { ask("op=get&key=up$_") eq '200 grade' } 0 .. 39),
    join(' ', 0 .. 39), 'all of it is there');


# expiry

ask('op=put&key=e1&expires=1&value=old');
ask('op=put&key=e2&expires=99999999999&value=new');
ask('op=put&key=a&value=' . $_) for 1 .. 10;
stop();
start("lmdb:$dir/sweep");
ask("op=put&key=e$_&expires=" . ($_ % 2) . '&value=x') for 1 .. 10;
ask('op=put&key=g&value=paid');
ask('op=put&key=g&expires=1&value=late');
ask('op=put&key=f&value=' . $_) for 1 .. 10;
is(ask('op=get&key=g'), '200 late', 'what was to stay stays');
is(join(' ', grep { ask("op=get&key=e$_") =~ /^200/ } 1 .. 10), '2 4 6 8 10',
    'what expired is dropped in passing, nothing else');
stop();


# without a master (where nginx itself does not survive a reload)

start("lmdb:$dir/single", master => 'off');
is(ask('op=put&key=s&value=1'), '200 ', 'no master: put');
is(ask('op=get&key=s'), '200 1', 'no master: get');
is(ask('op=burst&key=s&n=300&size=8000'), '200 ', 'no master: growth');
stop();
unlike(log_text(), qr/\[(alert|crit|emerg)\]/, 'no master: a quiet log');


# a store of a former version, many orders in it, under load

my $former = $ENV{STORE_FORMER} // 20000;

start("lmdb:$dir/former");
ask('op=put&key=a&value=' . $_) for 1 .. 3;
is(ask("op=former&key=order/1/&n=$former"), '200 ', "$former orders of before");
stop();
start("lmdb:$dir/former", workers => 2);

my ($orders, $slowest, $missed, $writes) = (0, 0, 0, 0);
my $started = time;
my $upgraded = wait_for(sub {
    my $begun = time;
    my $i = 1 + $orders++ * 61 % $former;
    my $key = sprintf 'order/1/%06d', $i * 7919 % 1000000;

    my $got = ask("op=get&key=$key") // '';
    if ($got !~ /^200 \Q@{[sprintf '%06d', $i]}\Ef/) {
        $missed++;
        diag("get $key: $got ", grep { !/notice/ } split /^/, log_text());
    }
    $slowest = time - $begun if time - $begun > $slowest;

    $writes++ if at_once(8, "op=put&key=order/2/$orders-%&value=x&updated=5")
        == 8;

    return log_text() =~ /the records of an older version are converted/;
}, 120);

note(sprintf '%d orders converted in %.1f s, %d reads meanwhile, the slowest '
    . '%.1f ms', $former, time - $started, $orders, $slowest * 1000);

ok($upgraded, 'are put into the lists in the background');
is($missed, 0, 'each is found meanwhile');
is($writes, $orders, 'and others are written');
like(log_text(), qr/\[notice\].*was written by an older ngx_http_payer_module, which can no longer open it/,
    'the log says that there is no way back');
is(ask('op=list&prefix=order/1/&limit=3') =~ s/=(\d{6})f*/=$1/gr
        =~ s/ next=.*//r,
    '200 ' . join(' ', map {
        sprintf 'order/1/%06d=%06d', $_ * 7919 % 1000000, $_
    } reverse $former - 2 .. $former), 'the last of them first');

my ($listed, $from) = (0, '');
while ((my $r = ask("op=list&prefix=order/1/&limit=500&after=$from")) =~ /^200/)
{
    $listed += () = $r =~ /order/g;
    ($from) = $r =~ / next=(\w+)/ or last;
}
is($listed, $former, 'all of them');
wait_for(sub { 0 }, 1.5);
is(scalar(() = log_text() =~ /are converted/g), 1,
    'one of the workers says so');
stop();

like(slurp("$dir/former/data.mdb"), qr/!payer-store2/,
    'its format is one that a former module refuses as newer');

start("lmdb:$dir/former");
unlike(log_text(), qr/older ngx_http_payer_module/, 'it is said once');
stop();


# files that stop the start

my $data = "$dir/group/data.mdb";
my $good = slurp($data);

sub refused {
    my ($what, $bytes, $message) = @_;

    spew($data, $bytes);
    configure("lmdb:$dir/group");
    isnt(nginx('-t'), 0, "$what: the configuration is refused");
    like(slurp("$dir/out"), $message, "$what: and the message says why");
}

refused('garbage', 'x' x 65536, qr/\[emerg\].*data\.mdb" is damaged: restore/);
refused('half a file', substr($good, 0, length($good) / 2),
    qr/\[emerg\].*is damaged/);
refused('two pages', substr($good, 0, 8192), qr/\[emerg\].*is damaged/);

(my $newer = $good) =~ s/(!payer-store)2/${1}3/g;
refused('a newer format', $newer, qr/\[emerg\].*newer ngx_http_payer_module/);

(my $foreign = $good) =~ s/!payer-store/!other-store/g;
refused('of another program', $foreign, qr/\[emerg\].*another program/);

spew($data, $good);
is(nginx('-t'), 0, 'the good file again') or diag(slurp("$dir/out"));

configure("lmdb:$dir/missing/deep");
isnt(nginx('-t'), 0, 'a directory that cannot be made');
like(slurp("$dir/out"), qr/\[emerg\].*mkdir/, 'is refused');

for ([ 'lmdb', qr/must have the form "lmdb:DIR"/ ],
    [ 'lmdb:', qr/no directory/ ],
    [ 'memory:x', qr/must have the form "memory"/ ],
    [ 'redis://h:1/0', qr/invalid store "redis:/ ],
    [ 'disk', qr/invalid store "disk"/ ])
{
    my ($value, $message) = @$_;
    configure($value);
    isnt(nginx('-t'), 0, "$value is refused");
    like(slurp("$dir/out"), $message, 'with a reason');
}


# a damaged file does not take a running nginx down

start("lmdb:$lmdb");
spew("$dir/bad", '');
mkdir "$dir/other";
spew("$dir/other/data.mdb", 'x' x 65536);
configure("lmdb:$dir/other");
kill 'HUP', pid();
ok(wait_for(sub { log_text() =~ /is damaged/ }), 'a bad reload is noticed');
is(ask('op=get&key=m63'), '200 v63', 'and the old configuration goes on');
stop();


# a file that is damaged, replaced or deleted under a running nginx: payments
# end, all else goes on, and nobody but an operator begins with it anew

sub static_is_served {
    return scalar grep {
        $http->get("http://127.0.0.1:$port/static")->{content} eq 'static'
    } 1 .. 20;
}

sub closed {
    my ($what, $reason, $harm, %o) = @_;
    my $name = $what =~ s/\W+/-/gr;
    my $file = "$dir/$name/data.mdb";

    start("lmdb:$dir/$name", workers => 2);
    ask("op=burst&key=before&n=2000&size=400");
    wait_for(sub { (ask('op=stat') // '') =~ /^200/ });
    my $backup = slurp($file);
    ask("op=burst&key=after&n=2000&size=400");
    my @workers = workers();

    $harm->($file, $backup);

    ask("op=get&key=before000$_"), ask("op=put&key=p$_&value=x") for 100 .. 119;
    ask('op=put&key=last&value=x'), sleep 1.1, ask('op=put&key=last&value=x')
        if $o{slow};

    like(ask('op=get&key=before001999'), qr/^500/, "$what: nothing is read");
    like(ask('op=put&key=new&value=x'), qr/^500/, "$what: nothing is written");
    is(static_is_served(), 20, "$what: the rest is served");
    is(join(' ', sort(workers())), join(' ', sort @workers),
        "$what: no worker died");
    like(log_text(), $reason, "$what: the log says what happened");

    my $lines = () = log_text() =~ /is not open in this worker/g;
    cmp_ok($lines, '<=', 2, "$what: once a minute for each worker");

    is(nginx('-s reopen'), 0, "$what: signals reach nginx");
    my $before = pid();
    is(nginx('-s reload'), 0, "$what: a reload does");
    ok(wait_for(sub { !grep { my $w = $_; grep { $_ == $w } @workers } workers() }),
        "$what: and is done");
    is(static_is_served(), 20, "$what: the rest is served still");
    like(ask('op=get&key=before001999'), qr/^500/, "$what: it stays closed");
    is(nginx('-s quit'), 0, "$what: quit does");
    wait_for(sub { !kill 0, $before });
    unlink "$dir/nginx.pid";

    spew($file, $backup), chmod 0666, $file if -d "$dir/$name";
    start("lmdb:$dir/$name", workers => 2);
    like(ask('op=put&key=new&value=x'), qr/^200/, "$what: and good after a restart");
    stop();
}

closed('cut off', qr/\[crit\].*is damaged/,
    sub { truncate $_[0], 12288 or die "$_[0]: $!" });
closed('cut off to nothing', qr/\[crit\].*(?:is damaged|was replaced)/,
    sub { truncate $_[0], 0 or die "$_[0]: $!" });
closed('overwritten', qr/\[crit\].*(?:is damaged|was replaced)/, sub {
    open my $f, '+<:raw', $_[0] or die "$_[0]: $!";
    print $f "\xa5" x -s $_[0];
    close $f;
});
closed('a backup copied over it', qr/\[crit\].*was replaced by another file/,
    sub {
        my ($file, $backup) = @_;
        open my $f, '+<:raw', $file or die "$file: $!";
        print $f $backup, "\0" x ((-s $file) - length $backup);
        close $f;
    });
closed('a backup moved over it', qr/\[crit\].*was replaced by another file/,
    sub {
        spew("$dir/backup", $_[1]);
        chmod 0666, "$dir/backup";
        rename "$dir/backup", $_[0] or die "$_[0]: $!";
    }, slow => 1);
closed('deleted', qr/\[crit\].*was deleted or moved/,
    sub { system("rm -r $dir/deleted") == 0 or die }, slow => 1);


# a store remembers for which host it was made

start("lmdb:$dir/host", mode => 'test');
is(ask('op=put&key=h&value=stage'), '200 ', 'made for the test host');
is(ask('op=scan&limit=9&prefix='), '200 h=stage', 'what is its own is not told');

configure("lmdb:$dir/host", mode => 'live');
isnt(nginx('-t'), 0, 'and refused for the live one');
like(slurp("$dir/out"), qr{\[emerg\].*"$dir/host/data.mdb" was made for "test payer.example", and this configuration is for "live payer.example"},
    'with both names');
kill 'HUP', pid();
ok(wait_for(sub { log_text() =~ /\[emerg\].*was made for "test/ }),
    'at a reload, too');
is(ask('op=get&key=h'), '200 stage', 'the old workers go on');
stop();

start("lmdb:$dir/old");
is(ask('op=put&key=h&value=old'), '200 ', 'made when nobody told');
stop();
start("lmdb:$dir/old", mode => 'live');
is(ask('op=get&key=h'), '200 old', 'goes with the first that is named');
stop();
configure("lmdb:$dir/old", mode => 'test');
isnt(nginx('-t'), 0, 'and with no other after that');

start('memory', mode => 'test');
configure('memory', mode => 'live');
kill 'HUP', pid();
ok(wait_for(sub { log_text() =~ /\[emerg\].*payer_zone "test" has payments of a "test" host, and this configuration is for a "live" one/ }),
    'the memory store outlives no change of the host');
stop();


# more processes than there are slots for

start("lmdb:$dir/crowd", workers => 14);
ok(wait_for(sub { ask('op=get&key=a'); log_text() =~ /has no free slot/ }),
    'too many workers: the reason is said');
unlike(log_text(), qr/is damaged|restore/, 'and nobody is told to restore it');
stop();

done_testing();
