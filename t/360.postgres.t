# payer_store postgresql: what nginx rejects and warns of, the ways to connect,
# and what happens while there is no database.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Time::HiRes qw(time);

# Payer's database, over TLS as well

my $fleet = fleet(hosts => 1, delay => 1, tls => 1, hba => [
    'hostssl shop cert 127.0.0.1/32 cert',
], params => 'durability=local timeout=3s connect_timeout=1s');

my $pg   = $fleet->pg;
my $port = $pg->node(0)->port;
my $file = $pg->password_file;
my $ca   = $pg->ca;
my $own  = "postgresql://payer\@127.0.0.1:$port/shop";

configuration();
connections();
refused_connections();
down_and_back();
readers();
silence();

done_testing();


# What nginx -t says of this value, with these lines of http.

sub test {
    my ($value, %o) = @_;

    my $main = $ENV{TEST_NGINX_LOAD_MODULES};
    my $module = Payer::Fleet::module();
    my $load = $o{alone} ? '' : "load_module $module;";
    my $insecure = $o{insecure} ? 'payer_insecure_upstream on;' : '';
    my $http = $o{http} // '';
    my $dir = work_dir();

    my $conf = Payer::Test::write_file('test.conf', <<"    END");
        load_module $main;
        $load
        error_log stderr;
        pid $dir/test.pid;
        events { }
        http {
            access_log off;
            client_body_temp_path $dir/test_temp;
            proxy_temp_path $dir/test_temp;
            fastcgi_temp_path $dir/test_temp;
            uwsgi_temp_path $dir/test_temp;
            scgi_temp_path $dir/test_temp;
            payer_zone payer 1m;
            payer_store $value;
            $http
            $insecure
        }
    END

    return scalar qx($ENV{TEST_NGINX_BINARY} -t -p $dir -e stderr -c $conf 2>&1);
}


sub rejected {
    my ($value, $why, $name, %o) = @_;

    my $said = test($value, %o);
    like($said, qr/\[emerg\].*$why/, "rejected: $name");
}


sub accepted {
    my ($value, $name, %o) = @_;

    my $said = test($value, %o);
    like($said, qr/test is successful/, "accepted: $name");

    return $said;
}


sub configuration {
    my $safe = "ca=$ca";
    my %dns  = (http => 'resolver 127.0.0.1;');

    my $db   = 'postgresql://payer@db.test/shop';

    rejected($own, 'load_module modules/ngx_http_payer_postgres_module\.so',
        'the module is not loaded', alone => 1);

    accepted($own, 'a loopback address without TLS');
    accepted("$db $safe", 'a name, with a resolver', %dns);
    accepted("postgresql://payer\@db1.test:5433,[::1],10.0.0.1/shop $safe",
        'several hosts', %dns);
    accepted('postgresql://%2Frun%2Fpostgresql/shop', 'a Unix socket');
    accepted('postgresql://payer@127.0.0.1:1/shop',
        'a database that is down: nginx -t does not connect');

    rejected('postgresql:shop', 'it must have the form', 'no URI');
    rejected('postgresql', 'it must have the form', 'nothing');
    rejected('postgresql://payer@127.0.0.1', 'names no database',
        'no database');
    rejected('postgresql://payer@127.0.0.1/', 'names no database',
        'an empty database');
    rejected('postgresql://payer@/shop', 'invalid host ""', 'no host');
    rejected('postgresql://payer@127.0.0.1:0/shop', 'invalid host', 'port 0');
    rejected('postgresql://payer@127.0.0.1:x/shop', 'invalid host',
        'a port that is none');
    rejected('postgresql://payer@[::1/shop', 'invalid host', 'half a bracket');
    rejected('postgresql://payer@' . join(',', ('127.0.0.1') x 9) . '/shop',
        'more than 8 hosts', 'nine hosts');
    rejected('postgresql://payer:secret@127.0.0.1/shop', 'password_file=',
        'a password in the URI');
    rejected("$own?sslmode=disable", 'no parameters behind',
        'parameters in the URI');
    rejected("$db $safe", 'no "resolver"', 'a name without a resolver');

    rejected($db, 'needs "ca="', 'verify-full without ca=', %dns);
    rejected("$db sslmode=$_" . ($_ eq 'verify-ca' ? " $safe" : ''),
        "sslmode=$_.*verify-full", "sslmode=$_ to another machine", %dns)
        for qw(disable require verify-ca);
    rejected("$own sslmode=prefer", 'invalid parameter "sslmode=prefer"',
        'an sslmode that may fall back');
    accepted("$own sslmode=disable", 'sslmode=disable on loopback');

    rejected("$own ca=$ca.none", 'failed.*No such file', 'no such ca=');
    rejected("$own password_file=$file.none", 'failed.*No such file',
        'no such password_file=');

    my $empty = Payer::Test::write_file('empty.secret', "\n", 0600);
    my $open  = Payer::Test::write_file('open.secret', "x\n", 0644);
    my $none  = Payer::Test::write_file('empty.pem', '', 0600);

    rejected("$own password_file=$empty", 'is empty', 'an empty password');
    rejected("$own ca=$none", 'is empty', 'an empty ca=');
    like(accepted("$own password_file=$open", 'a password for everybody'),
        qr/\[warn\].*accessible to others/, 'with a warning');
    rejected("$own cert=$ca", 'both "cert=" and "key="', 'cert= without key=');

    rejected("$own durability=some", 'invalid parameter', 'a durability');
    like(accepted("$own durability=local", 'durability=local'),
        qr/\[warn\].*are lost with the database server/, 'with a warning');
    unlike(accepted("$own durability=$_", "durability=$_"), qr/\[warn\]/,
        'without one') for qw(replicated engine);
    rejected("$own timeout=$_", 'invalid parameter', "timeout=$_")
        for qw(0 1h x);
    rejected("$own queue=$_", 'invalid parameter', "queue=$_") for qw(0 x);
    rejected("$own pool=3", 'invalid parameter "pool=3"', 'an unknown one');
    rejected("$own queue=1 queue=2", 'duplicate parameter', 'one twice');
    rejected('memory queue=1', 'invalid parameter "queue=1"',
        'a parameter of another store');
}


# Runs nginx with this value until it is up, or has said why it is not.

sub with_store {
    my ($value, $run) = @_;

    $fleet->{store} = sub { $value };
    $fleet->fresh;
    unlink work_dir() . '/host0/error.log';
    $fleet->start(0);

    wait_until(sub {
        ($fleet->metric(0, 'payer_store_up') // 0) == 1
            || $fleet->log_text(0) =~ /is not available/
    }, 15);

    $run->();

    $fleet->stop(0);
}


sub sells {
    my ($name) = @_;
    my $order = 'o' . int(rand 1e9);

    is($fleet->get(0, "/checkout?order=$order")->status, 303, $name);
}


sub connections {
    my $socket = $pg->store(through => 'socket');
    my ($cert, $key) = $pg->client('cert');

    $pg->sql('CREATE ROLE cert LOGIN IN ROLE payer');

    # the worker processes read the key
    chown((getpwnam 'nobody')[ 2, 3 ], $key) if $> == 0;

    my %value = (
        'SCRAM over TCP' => "$own password_file=$file",
        'SCRAM over a Unix socket' => "$socket password_file=$file",
        'TLS with an unverified certificate'
            => "$own sslmode=require password_file=$file",
        'TLS with a verified authority'
            => "$own sslmode=verify-ca ca=$ca password_file=$file",
        'TLS with a client certificate' => "postgresql://cert\@127.0.0.1:$port"
            . "/shop sslmode=verify-ca ca=$ca cert=$cert key=$key"
    );

    for my $name (sort keys %value) {
        with_store("$value{$name} durability=local", sub { sells($name) });
    }
}


# Each is logged once, and payments are answered with 503.

sub refused_connections {
    my $wrong = $pg->password_file('wrong');

    my @cases = (
        [ 'a wrong password', "$own password_file=$wrong",
            'password authentication failed' ],
        [ 'a database that is not there',
            "postgresql://payer\@127.0.0.1:$port/none password_file=$file",
            'database "none" does not exist' ],
        [ 'a database without the schema',
            "postgresql://payer\@127.0.0.1:$port/postgres password_file=$file",
            'payer-store schema' ],
        [ 'another name in the certificate',
            "$own sslmode=verify-full ca=$ca password_file=$file",
            'does not match host name|certificate verify failed' ],
        [ 'no standby', "$own password_file=$file durability=replicated",
            'commits are not replicated' ]
    );

    for my $case (@cases) {
        my ($name, $value, $why) = @$case;

        $value .= ' durability=local' unless $value =~ /durability/;

        with_store($value, sub {
            my $log = $fleet->log_text(0);

            like($log, qr/\[error\].*is not available.*$why/, "$name: the log");
            is(() = $log =~ /is not available/g, 1, "$name: logged once");
            is($fleet->get(0, '/static')->status, 200, "$name: nginx serves");
            is($fleet->get(0, '/checkout?order=1')->status, 503,
                "$name: payments do not");
            is($fleet->metric(0, 'payer_store_up'), 0, "$name: the gauge");
            unlike($log, qr/the-password|wrong\b.*secret/, "$name: no secret");
        });
    }

    # the schema of another version, and of another host of Payer

    my @formats = (
        [ 'an old schema', 'version = 0', 'has version 0, this module needs' ],
        [ 'a newer schema', 'version = 99, oldest = 99',
            'needs a newer module' ],
        [ 'the live payments', "host = 'live b2b.payer.se'",
            'has payments of "live b2b.payer.se"' ]
    );

    for my $case (@formats) {
        my ($name, $set, $why) = @$case;

        $fleet->{store} = sub { "$own password_file=$file durability=local" };
        $fleet->fresh;
        $pg->sql("UPDATE payer.format SET $set");
        unlink work_dir() . '/host0/error.log';
        $fleet->start(0);

        ok(wait_until(sub {
            $fleet->log_text(0) =~ /\[error\].*is not available.*$why/
        }, 15), "$name is not used");

        $fleet->stop(0);
        $pg->sql('UPDATE payer.format SET version = 2, oldest = 2, host = NULL');
    }
}


sub down_and_back {
    my $node = $pg->node(0);

    with_store("$own password_file=$file durability=local timeout=2s "
        . 'connect_timeout=1s', sub
    {
        sells('the database is up');

        my $r = $fleet->get(0, '/checkout?order=known');
        is($r->status, 303, 'an order has a link');

        $node->kill9;

        my %down = (
            '/checkout?order=known' => 'a known order',
            '/checkout?order=new'   => 'a new order',
            '/thanks?order=known'   => 'payer_verify',
            '/thanks?order=never'   => 'payer_verify of an unknown order'
        );

        for my $uri (sort keys %down) {
            my $r = $fleet->get(0, $uri);
            is($r->status, 503, "down: $down{$uri} gets 503");
        }

        my $r2 = $fleet->post(0, '/capture', json => { reference => 'known' });
        is($r2->status, 503, 'down: an operation gets 503');
        is($fleet->get(0, '/static')->status, 200, 'down: others are served');
        is($fleet->get(0, '/metrics')->status, 200, 'down: metrics are');
        is($fleet->metric(0, 'payer_store_up'), 0, 'down: with the gauge');

        ok(wait_until(sub { $fleet->log_text(0) =~ /is not available/ }, 10),
            'down: the log says so');

        my $doctor = $fleet->get(0, '/doctor?local=1');
        is($doctor->status, 503, 'down: payer_doctor gets 503');
        like($doctor->body, qr/store is not available/, 'down: and says why');

        $node->start;

        ok(wait_until(sub {
            $fleet->get(0, '/checkout?order=known')->status == 303
        }, 20), 'back: payments go on without a reload');

        # the other worker process may need a moment more
        my $again = sub {
            my ($uri) = @_;
            my $now;
            wait_until(sub { ($now = $fleet->get(0, $uri))->status != 503 }, 20);
            return $now;
        };

        is($again->('/checkout?order=known')->header('Location'),
            $r->header('Location'), 'back: with the same link');
        is($again->('/thanks?order=never')->status, 402,
            'back: an unknown order is unpaid');

        ok(wait_until(sub { $fleet->log_text(0) =~ /is available again/ }, 10),
            'back: the log says so');

        my $log = $fleet->log_text(0);
        is(() = $log =~ /is not available/g, 1, 'one line when it went');
        is(() = $log =~ /is available again/g, 1, 'one line when it came');
    });
}


# The view for people, and what the role of nginx may not do.

sub readers {
    with_store("$own password_file=$file durability=local", sub {
        $fleet->get(0, '/checkout?order=seen');

        is($pg->value("SELECT state || ' ' || amount || ' ' || currency
            FROM payer.orders WHERE reference = 'seen'"),
            'initiated 12900 SEK', 'payer.orders shows an order');

        for my $text ('SELECT * FROM payer.entry', 'DELETE FROM payer.entry',
            'SELECT * FROM payer.orders', 'TRUNCATE payer.entry',
            "UPDATE payer.format SET host = ''", 'CREATE TABLE payer.x (i int)')
        {
            ok(!eval { $pg->as_payer($text, port => $port); 1 },
                "the role may not: $text");
        }
    });
}


# A host that accepts connections and says nothing does not hold up others.

sub silence {
    my $wire = $pg->node(0)->wire;

    with_store("postgresql://payer\@127.0.0.1:" . $wire->port
        . "/shop password_file=$file durability=local timeout=1s "
        . 'connect_timeout=1s', sub
    {
        sells('over the wire');

        $wire->drop;

        my $late = $fleet->get(0, '/checkout?order=late');
        is($late->status, 503, 'a silent database: payments get 503');

        my $longest = 0;

        for (1 .. 40) {
            my $began = time;
            $fleet->get(0, '/static');
            my $took = time - $began;
            $longest = $took if $took > $longest;
            select undef, undef, undef, 0.05;
        }

        cmp_ok($longest, '<', 0.5, 'and a static file does not wait');

        $wire->pass;

        ok(wait_until(sub {
            $fleet->get(0, '/checkout?order=late')->status == 303
        }, 20), 'and comes back');
    });
}
