# The fault table, continued: faults of the database itself, and of what is
# around it.  The same has to be true as in the first part.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;
use Payer::Cells;

use IO::Socket::INET ();
use Time::HiRes qw(sleep);

BEGIN {
    plan(skip_all => 'set FLEET_FULL=1 to run it') unless $ENV{FLEET_FULL};
}

my $MAX = 60;    # max_connections of Payer::Postgres

my ($fleet, $pg, $cells);

silent_handshakes();
certificates();
failing_statements();
too_many_connections();
binary_is_replaced();
switchover();
sql_ascii();

diag('fault table of the database: ' . $cells->closing);
done_testing();


sub begin {
    my (%option) = @_;

    if ($fleet) {
        is_deeply([ $fleet->alerts ], [], 'no host raised an alert');
        $fleet->close_down;
    }

    $fleet = fleet(%option);
    $pg = $fleet->pg;
    $cells //= cells($fleet, orders => 20);
    $cells->{fleet} = $fleet;
}

sub wire { return $pg->node(0)->wire }

# The next connection is silent from this message on, and so are all others.

sub silent_from {
    my ($way, $pattern, $moment) = @_;

    return (
        break => sub { wire()->when($way => $pattern, $moment => 'drop'); wire()->reset },
        broke => sub { wire()->tripped },
        lasts => 4,
        mend  => sub { wire()->reset; wire()->pass }
    );
}

sub silent_handshakes {
    begin(hosts => 2);

    $cells->run('the database is silent from its SCRAM challenge on',
        silent_from(down => qr/R\0\0\0.\0\0\0\x0b/, 'before'));

    $cells->run('the database is silent from the first query of a connection on',
        silent_from(up => qr/payer\.check_1/, 'after'));
}


# Over TLS, whose certificate runs out.

sub certificates {
    begin(tls => 1, store => sub {
        my ($pg) = @_;
        return $pg->store . ' sslmode=verify-ca ca=' . $pg->ca . ' password_file='
            . $pg->password_file . ' durability=local timeout=3s';
    });

    $cells->run('the database is silent from its TLS hello on',
        silent_from(down => qr/\A\x16\x03.\0?..\x02/, 'before'));

    $cells->run('the certificate of the database has expired',
        break => sub { new_certificate('-30d'); wire()->reset },
        broke => sub {
            grep { $fleet->log_text($_) =~ /is not available.*(?:expired|verify failed)/ } 0, 1
        },
        lasts => 3,
        mend  => sub { new_certificate('+0d') });
}

# Certificates of tests are valid for 7 days.

sub new_certificate {
    my ($when) = @_;

    {
        local $ENV{LD_PRELOAD} = (glob '/usr/lib/*/faketime/libfaketime.so.1')[0];
        local $ENV{FAKETIME} = $when;
        $pg->_certificate('server', 'db.test', '-addext', 'subjectAltName=DNS:db.test');
    }

    $pg->sql('SELECT pg_reload_conf()');
}


# Statements that fail as they do when a disk is full, or when transactions
# are in each other's way.

sub failing_statements {
    begin();

    $cells->run('the disk of the database is full',
        break => sub { each_write("perform nextval('payer_failed');" . 'raise exception $x$could not extend file: No space '
                . "left on device\$x\$ using errcode = '53100';") },
        broke => sub { failures() && $fleet->log_text(0) =~ /No space left.*53100/ },
        lasts => 3,
        mend  => sub { writes_pass() });

    for my $state (qw(40001 40P01)) {
        $cells->run("one in four transactions is rolled back with $state",
            unseen => 1,
            break => sub { each_write("if nextval('payer_failed') % 4 = 0 then "
                    . "raise exception 'rolled back' using errcode = '$state'; end if;") },
            broke => sub { failures() },
            lasts => 3,
            mend  => sub { writes_pass() });
    }
}

sub each_write {
    my ($what) = @_;

    $pg->sql(<<"EOF");
CREATE SEQUENCE IF NOT EXISTS payer_failed;
GRANT ALL ON SEQUENCE payer_failed TO public;
CREATE OR REPLACE FUNCTION payer_fails() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public AS \$\$ BEGIN
    $what
    RETURN NULL;
END \$\$;
CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON payer.entry
    FOR EACH STATEMENT EXECUTE FUNCTION payer_fails();
EOF
}

sub failures { return $pg->value('SELECT last_value FROM payer_failed') > 3 }

sub writes_pass { $pg->sql('DROP TRIGGER fails ON payer.entry; DROP SEQUENCE payer_failed') }


# Others have taken all connections: they have said who they are, and are
# asked for a password.

sub too_many_connections {
    my (@others, $before);
    my $refused = sub { scalar(() = $pg->node(0)->log_text =~ /too many clients/g) };
    my $hello = pack 'N n n Z* Z* Z* Z* x', 8 + 4 + length "user\0payer\0database\0shop\0\0", 3, 0,
        qw(user payer database shop);

    substr $hello, 0, 4, pack 'N', length $hello;

    $cells->run('all connections of the database are in use',
        break => sub {
            wire()->refuse;

            for (1 .. $MAX + 5) {
                my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                    PeerPort => $pg->node(0)->port, Timeout => 2) or next;
                syswrite $s, $hello;
                push @others, $s;
            }

            wait_until($refused, 5);
            $before = $refused->();
            wire()->pass;
        },
        broke => sub { $refused->() > $before },
        lasts => 3,
        mend  => sub { @others = () });
}


# USR2 and QUIT: a new nginx takes over the sockets.

sub binary_is_replaced {
    my $host = $fleet->{hosts}[0];
    my ($old, $new);

    # a master that may be replaced is the child of nobody
    $fleet->stop(0);
    system("$ENV{TEST_NGINX_BINARY} -p $host->{dir}/ -e $host->{dir}/error.log"
        . " -c $host->{dir}/nginx.conf 2>>$host->{dir}/output") == 0 or die "host 0 does not start\n";

    my $pid = sub {
        my ($file) = @_;
        open my $fh, '<', "$host->{dir}/nginx.pid$file" or return undef;
        my $line = <$fh> // return undef;
        chomp $line;
        return $line;
    };

    wait_until(sub { $old = $pid->('') }, 10);
    $pg->keep("+$old");

    $cells->run('the nginx of a host is replaced by USR2',
        unseen => 1,
        break => sub {
            kill 'USR2', $old;
            wait_until(sub { $pid->('.oldbin') && ($new = $pid->('')) }, 10)
                or die "no new binary\n";
            $pg->keep("+$new");
            sleep 0.5;
            kill 'QUIT', $old;
        },
        broke => sub { $new && $new != $old && kill(0, $new) && wait_until(sub { !kill 0, $old }, 10) });

    kill 'QUIT', $new // $old;
    wait_until(sub { !kill 0, $new // $old }, 10);
    $fleet->start(0);
}


# The primary becomes read-only and keeps its connections, a standby becomes
# the new one.

sub switchover {
    begin(standbys => 2);

    my ($primary, $standby, $third) = $pg->nodes;
    my $kept;

    $cells->run('another server becomes the primary, and the former one keeps its connections',
        break => sub {
            $primary->set(default_transaction_read_only => 'on');
            my $end = $primary->value("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn");
            wait_until(sub { $standby->received >= $end }, 10) or die "not received\n";
            $kept = $primary->wire->open_now;
            $standby->promote('FIRST 1 (' . $third->name . ')');
            $third->follow($standby);
        },
        lasts => 2,
        broke => sub {
            $kept && $primary->value('SHOW transaction_read_only') eq 'on'
                && $standby->value('SELECT count(*) FROM payer.entry');
        });
}


# A database whose encoding is none gets no schema.

sub sql_ascii {
    $pg->primary->sql("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0", 'postgres');
    open my $fh, '<', Payer::Fleet::schema() or die "schema: $!\n";

    my $schema = do { local $/; <$fh> };

    is(eval { $pg->primary->sql($schema, 'ascii'); 1 }, undef,
        'a database in SQL_ASCII gets no schema');
    like($@, qr/the encoding of this database is SQL_ASCII, not UTF8/, 'and is told why');

    is_deeply([ $fleet->alerts ], [], 'no host raised an alert');
}
