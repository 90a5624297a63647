# The library that the tests of the PostgreSQL store stand on: what it starts,
# kills and cuts is really started, killed and cut.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Payer::Postgres;
use Payer::Test ();
use Payer::Wire;

*wait_until = \&Payer::Test::wait_until;

plan skip_all => 'PostgreSQL is not installed'
    unless Payer::Postgres::programs();


# later(sub { ... }): in a process of its own; what it dies of is what the
# answer of ->() is, and that is undef while it goes on.

sub later {
    my ($code) = @_;

    pipe my $said, my $out or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $said;
        print $out eval { $code->(); 'done' } // $@;
        close $out;
        POSIX::_exit(0);
    }

    close $out;
    my $answer;

    return sub {
        return $answer if defined $answer;
        return undef if waitpid($pid, POSIX::WNOHANG()) == 0;
        local $/;
        return $answer = <$said>;
    };
}


# A server that says everything again, for the wire alone.

sub echo {
    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => Payer::Test::free_port(),
        Listen    => 5,
        ReuseAddr => 1
    ) or die "listen: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        while (my $peer = $listener->accept) {
            next if fork;
            print $peer $_ while sysread $peer, $_, 1000;
            POSIX::_exit(0);
        }
    }

    return ($listener->sockport, $pid);
}


sub dial {
    my ($wire) = @_;

    return IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $wire->port
    );
}


# What comes within so many seconds: a text, '' for an end, or undef.

sub hear {
    my ($socket, $seconds) = @_;

    my $ready = '';
    vec($ready, fileno $socket, 1) = 1;
    select($ready, undef, undef, $seconds) or return undef;

    my $text = '';
    sysread $socket, $text, 1000;

    return $text;
}


my ($echo_port, $echo_pid) = echo();

my $wire = Payer::Wire->new(port => Payer::Test::free_port(),
    to => $echo_port);

my $line = dial($wire);
syswrite $line, 'one';
is(hear($line, 5), 'one', 'a wire carries both ways');

$wire->drop;
syswrite $line, 'two';
is(hear($line, 0.3), undef, 'a wire that drops is silent');
my $new = dial($wire);
syswrite $new, 'three';
is(hear($new, 0.3), undef, 'and is silent to a new connection');

$wire->pass;
is(hear($line, 5), 'two', 'what was held back arrives later');
is(hear($new, 5), 'three', 'on the new connection, too');
is($wire->open_now, 2, 'two connections are open');

$wire->drop('down');
syswrite $line, 'four';
is(hear($line, 0.3), undef, 'a wire can drop what the server sends only');
$wire->pass;
is(hear($line, 5), 'four', 'which has got what the client sent');

$wire->when(up => 'five', after => 'drop down');
syswrite $new, 'another';
is(hear($new, 5), 'another', 'a wire waits for the text it is to act upon');
is($wire->tripped, 0, 'and says so');
syswrite $new, 'say five';
is(hear($new, 0.3), undef, 'then it acts');
is($wire->tripped, 1, 'and says so, too');

$wire->pass;
hear($new, 5);

my $begin = time;
$wire->delay(400);
syswrite $line, 'six';
is(hear($line, 5), 'six', 'a wire can be long');
cmp_ok(time - $begin, '>=', 0.79, 'by as much as it was told, each way');

$wire->reset;
is(hear($line, 5), '', 'a reset ends a connection');
ok(dial($wire), 'and not the next one');

$wire->refuse;
ok(!dial($wire), 'a wire can refuse');
$wire->pass;
ok(dial($wire), 'until it is mended');

$wire->stop;
kill 'KILL', $echo_pid;
waitpid $echo_pid, 0;


# A test that is killed leaves no server behind.

pipe my $told, my $tell or die "pipe: $!\n";

my $child = fork // die "fork: $!\n";

if ($child == 0) {
    my $pg = Payer::Postgres->new;

    syswrite $tell, join ' ', $pg->node(0)->pid, $pg->dir;
    kill 'KILL', $$;
}

close $tell;
my ($orphan, $left) = split / /, <$told>;
waitpid $child, 0;

ok($orphan > 1 && wait_until(sub { !kill 0, $orphan }, 10),
    'a server does not outlive a test that was killed');
File::Path::remove_tree($left) if $left =~ m{/payer-pg-\w+\z};


my $pg = Payer::Postgres->new(standbys => 1, tls => 1);
my ($primary, $standby) = $pg->nodes;

$pg->sql('CREATE TABLE t (a text); GRANT ALL ON t TO payer');

is($pg->as_payer("INSERT INTO t VALUES ('x') RETURNING a"), 'x',
    'the role comes in with its password');
ok(!eval { $pg->as_payer('SELECT 1', password => 'guessed'); 1 },
    'and not with another one');
like($@, qr/password authentication failed/, 'which PostgreSQL says');

is_deeply([ $pg->sql("SELECT 1, NULL, E'a\\nb', '' FROM t") ],
    [ [ 1, undef, "a\nb", '' ] ], 'rows are texts, NULL is none');

my $verify = 'sslmode=verify-full sslrootcert=' . $pg->ca;

is(
    $pg->as_payer(
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
        parameters => "$verify host=db.test"
    ),
    't',
    'TLS is verified by the name of the certificate'
);
ok(
    !eval {
        $pg->as_payer('SELECT 1', parameters => "$verify host=other.test");
        1;
    },
    'another name is not taken'
);

is($standby->value('SELECT a FROM t'), 'x', 'the standby has it');

$standby->link->drop;
my $commit = later(sub { $pg->as_payer("INSERT INTO t VALUES ('y')") });

ok(
    wait_until(
        sub {
            $primary->value("SELECT count(*) FROM pg_stat_activity
                WHERE wait_event = 'SyncRep'") == 1;
        },
        10
    ),
    'a commit waits for a standby that is cut off'
);
is($commit->(), undef, 'and is not acknowledged');
is($primary->value('SELECT count(*) FROM t'), 1, 'nobody sees it');

$standby->link->pass;
ok(wait_until(sub { ($commit->() // '') eq 'done' }, 20),
    'it is acknowledged when the standby is back');

$primary->kill9;
ok(!$primary->runs, 'the primary can be killed');
$standby->promote;
is($pg->primary, $standby, 'the standby becomes the primary');
is($pg->value('SELECT count(*) FROM t'), 2, 'and has all that it confirmed');

$primary->start;
is($pg->primary, $standby, 'of two primaries the later one is meant');
cmp_ok($standby->timeline, '>', $primary->timeline, 'by its timeline');

$standby->freeze;
my $waits = later(sub { $standby->sql('SELECT 1') });
sleep 0.3;
is($waits->(), undef, 'a server that stands still does not answer');
$standby->thaw;
ok(wait_until(sub { ($waits->() // '') eq 'done' }, 10), 'until it goes on');

$pg->stop;


# A control: with a standby that nobody waits for, the same loses a write that
# was acknowledged.

$pg = Payer::Postgres->new(standbys => 1, sync => '');
($primary, $standby) = $pg->nodes;

$pg->sql('CREATE TABLE t (a int)');
ok(wait_until(sub { eval { $standby->sql('TABLE t'); 1 } }, 10),
    'an asynchronous standby follows');

$standby->link->drop;
$pg->sql('INSERT INTO t VALUES (1)');
$primary->kill9;
$standby->promote;
is($pg->value('SELECT count(*) FROM t'), 0,
    'without synchronous replication an acknowledged write is lost');

$pg->stop;


# Of two standbys the one that has received more takes the primary's place,
# whatever its number, since only then can the other one follow.

$pg = Payer::Postgres->new(standbys => 2);
($primary, my @standbys) = $pg->nodes;

$standbys[0]->link->refuse;
ok(wait_until(sub { !$standbys[0]->receives }, 10), 'the first one is cut off');
$pg->sql('CREATE TABLE t (a int)');
is($pg->failover, $standbys[1], 'the second one is promoted');
ok(!$primary->runs, 'the primary is gone');
$pg->sql('INSERT INTO t VALUES (1)');
ok(wait_until(sub { ($standbys[0]->value('SELECT count(*) FROM t') // 0) == 1 },
    10), 'the first one follows it');

$pg->stop;

done_testing();
