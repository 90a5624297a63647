package Payer::Postgres;

# PostgreSQL for a test file: a primary and its standbys in a temporary
# directory, on loopback ports and unix sockets, as another user than root.
# They end with the test, however it ends.
#
#     my $pg = Payer::Postgres->new(standbys => 1, schema => $file);
#
#     $pg->store                    the text of a payer_store directive's URI
#     $pg->node(0)                  the primary of the beginning; standbys
#                                   follow as node(1), node(2)
#     $pg->sql('SELECT 1')          rows of texts, asked of the primary of now
#     $pg->failover                 the primary is killed, and a standby takes
#                                   its place: the new primary
#     $pg->rejoin($node)            the former one becomes its standby
#
#     $node->port, $node->socket    the server itself
#     $node->wire                   a Payer::Wire in front of it: what nginx
#                                   is to connect to (its port)
#     $node->link                   a standby's Payer::Wire to its primary
#     $node->sql($text), $node->value($text)
#     $node->kill9, $node->stop, $node->start, $node->freeze, $node->thaw
#     $node->promote, $node->follow($other)
#     $node->set(name => value)     ALTER SYSTEM and a reload
#     $node->log_text
#
# Options of new():
#     standbys => 0     how many; all of them replicate synchronously
#     sync     => ...   synchronous_standby_names; '' for an asynchronous one
#     schema   => FILE  is run by the superuser in the database "shop"
#     tls      => 1     "ssl = on" with a certificate for db.test; its
#                       authority is in $pg->ca; see also client()
#     fsync    => 1     for measurements: a test that kills processes, not the
#                       machine, sees no difference
#     config   => [...] lines of postgresql.conf
#     hba      => [...] lines of pg_hba.conf, before ours
#
# The role "payer" has the password of $pg->password, over TCP and over the
# socket.  Everything else is for the superuser, who comes by the socket.

use strict;
use warnings;

use Carp       qw(croak);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use POSIX      ();
use Time::HiRes qw(sleep);

use Payer::Postgres::Node;
use Payer::Test ();

my $KEEPER_WAITS = 5;    # seconds, before it kills

my @clusters;


# Where PostgreSQL's own programs are; undef where it is not installed.

sub programs {
    my @found = sort { ($b =~ /(\d+)\D*\z/)[0] <=> ($a =~ /(\d+)\D*\z/)[0] }
        grep { -x "$_/postgres" } glob '/usr/lib/postgresql/[0-9]*/bin';

    return $found[0];
}


sub new {
    my ($class, %option) = @_;

    my $bin = programs()
        // die "PostgreSQL is not installed: run tools/install test\n";

    my $self = bless {
        %option,
        bin      => $bin,
        dir      => tempdir('payer-pg-XXXXXX', TMPDIR => 1, CLEANUP => 0),
        owner    => $$,
        password => 'the-password-of-payer',
        nodes    => []
    }, $class;

    push @clusters, $self;
    $self->_find_user;
    $self->_start_keeper;
    chown @{ $self->{user} }{qw(uid gid)}, $self->{dir};
    chmod 0755, $self->{dir};

    $self->_make_certificates if $self->{tls};
    $self->_make_servers;

    return $self;
}


sub _make_servers {
    my ($self) = @_;

    $self->_make_primary;
    $self->_make_standby($_) for 1 .. ($self->{standbys} // 0);
    $self->_make_synchronous if $self->{standbys};
}


sub dir      { $_[0]{dir} }
sub node     { $_[0]{nodes}[ $_[1] ] // croak "there is no node $_[1]" }
sub nodes    { @{ $_[0]{nodes} } }
sub password { $_[0]{password} }
sub ca       { "$_[0]{dir}/ca.pem" }


# The one that can be written; the last one promoted, if there are two.

sub primary {
    my ($self) = @_;

    my @primaries = sort { $b->timeline <=> $a->timeline }
        grep { $_->runs && $_->value('SELECT pg_is_in_recovery()') eq 'f' }
        $self->nodes;

    return $primaries[0] // die "there is no primary\n";
}


sub sql { my $self = shift; $self->primary->sql(@_) }

sub value { my $self = shift; $self->primary->value(@_) }


# The URI of a payer_store directive.  store(through => 'wire'): by way of
# the wires, which is the default; 'port': without them; 'socket'.

sub store {
    my ($self, %option) = @_;

    my $through = $option{through} // 'wire';
    my @nodes = @{ $option{nodes} // $self->{nodes} };

    if ($through eq 'socket') {
        my $dir = $nodes[0]->socket =~ s{/}{%2F}gr;
        return "postgresql://payer@" . $dir . ':' . $nodes[0]->port . '/shop';
    }

    return 'postgresql://payer@' . join(',', map {
        '127.0.0.1:' . ($through eq 'wire' ? $_->wire->port : $_->port)
    } @nodes) . '/shop';
}


# What the role "payer" gets for this SQL text over TCP, in psql's form; dies
# as sql() does.  Options: port (the primary's wire), password, parameters
# (more of libpq's).

sub as_payer {
    my ($self, $text, %option) = @_;

    my $port = $option{port} // $self->primary->wire->port;

    local $ENV{PAYER_PASSWORD} = $option{password} // $self->{password};

    my $said = $self->run(\"$text\n", 'psql', qw(-X -A -t -q -w
        --set=ON_ERROR_STOP=1), "hostaddr=127.0.0.1 port=$port user=payer"
        . ' dbname=shop connect_timeout=10 ' . ($option{parameters} // ''));
    chomp $said;

    return $said;
}


# The same for a role that may read and write what is stored: payer-store's.

sub admin_store {
    my ($self) = @_;

    $self->sql(<<"EOF") unless $self->{admin}++;
CREATE ROLE payer_admin LOGIN PASSWORD '$self->{password}';
GRANT USAGE ON SCHEMA payer TO payer_admin;
GRANT SELECT, INSERT, UPDATE ON payer.entry, payer.format TO payer_admin;
GRANT USAGE ON SEQUENCE payer.rev TO payer_admin;
GRANT EXECUTE ON FUNCTION payer.scope(text) TO payer_admin;
EOF

    return $self->store =~ s/payer@/payer_admin@/r . ' password_file='
        . $self->password_file;
}


# A file that holds the password of payer, or another one.

sub password_file {
    my ($self, $password) = (@_, $_[0]{password});

    my $file = "$self->{dir}/payer.password";

    $file .= '.wrong' if $password ne $self->{password};

    return Payer::Test::write_file($file, "$password\n", 0600);
}


# Paths of a client's certificate and key for the role: for
# hba => ['hostssl shop payer 127.0.0.1/32 cert'].

sub client {
    my ($self, $name, @more) = @_;

    $self->_certificate("client-$name", $name, @more);

    return map { "$self->{dir}/client-$name.$_" } qw(pem key);
}


sub stop {
    my ($self) = @_;

    return unless $self->{owner} == $$ && defined $self->{dir};

    local ($@, $?, $!);
    $_->close_down for $self->nodes;

    if (my $keeper = delete $self->{keeper}) {
        close $keeper->{talk};
        waitpid $keeper->{pid}, 0;
    }

    remove_tree(delete $self->{dir}) unless $ENV{PAYER_TEST_KEEP};
}


END { $_->stop for @clusters }


# PostgreSQL refuses to run as root.

sub _find_user {
    my ($self) = @_;

    my $name = getpwuid $>;

    if ($> == 0) {
        $name = defined getpwnam 'postgres' ? 'postgres' : 'nobody';
    }

    my ($uid, $gid) = (getpwnam $name)[ 2, 3 ];

    $self->{user} = { name => $name, uid => $uid, gid => $gid };
}


# A child becomes that user.

sub become_user {
    my ($self) = @_;

    return if $> != 0;

    my ($uid, $gid) = @{ $self->{user} }{qw(uid gid)};

    $) = "$gid $gid";
    $( = $gid;
    ($<, $>) = ($uid, $uid);

    die "cannot become user $uid: $!\n" if $> != $uid || $< != $uid;
}


# A server outlives a test that was killed; this process does not let it.  It
# hears of each server, by its number or by the file that has it in its first
# line, and sees the end of the test.

sub _start_keeper {
    my ($self) = @_;

    pipe my $reader, my $writer or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $writer;
        $SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        _keep($reader);
        POSIX::_exit(0);
    }

    close $reader;
    $writer->autoflush(1);
    $self->{keeper} = { pid => $pid, talk => $writer };
}


sub _keep {
    my ($reader) = @_;
    my (%servers, @files);

    while (my $line = <$reader>) {
        my ($sign, $what) = $line =~ /^([-+\@])(.+)/ or next;

        push @files, $what if $sign eq '@';
        $servers{$what} = 1 if $sign eq '+';
        delete $servers{$what} if $sign eq '-';
    }

    for my $file (@files) {
        open my $fh, '<', $file or next;
        my ($pid) = (<$fh> // '') =~ /^(\d+)$/ or next;
        $servers{$pid} = 1;
    }

    kill $_, keys %servers for qw(CONT QUIT);

    for (1 .. $KEEPER_WAITS * 10) {
        return unless grep { kill 0, $_ } keys %servers;
        sleep 0.1;
    }

    kill 'KILL', keys %servers;
}


sub keep { my ($self, $change) = @_; print { $self->{keeper}{talk} } "$change\n" }


# Runs one of PostgreSQL's programs as that user; dies with what it said.

sub run {
    my ($self, @command) = @_;

    my $input = ref $command[0] ? ${ shift @command } : '';
    my $program = shift @command;

    pipe my $said, my $out or die "pipe: $!\n";
    open my $in,  '+>', undef or die "a temporary file: $!\n";
    open my $why, '+>', undef or die "a temporary file: $!\n";
    print $in $input;
    $in->flush;
    seek $in, 0, 0;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        eval {
            chdir $self->{dir};
            $self->become_user;
            delete @ENV{ grep { /^PG/ } keys %ENV };
            @ENV{qw(HOME LC_ALL)} = ($self->{dir}, 'C');
            $ENV{PGPASSWORD} = delete $ENV{PAYER_PASSWORD};
            open STDIN,  '<&', $in;
            open STDOUT, '>&', $out;
            open STDERR, '>&', $why;
            close $said;
            exec $program =~ m{/} ? $program : "$self->{bin}/$program",
                @command;
        };
        POSIX::_exit(127);
    }

    close $out;
    local ($/, $?);
    my $text = <$said> // '';
    waitpid $pid, 0;

    if ($?) {
        seek $why, 0, 0;
        die "$program: $text", <$why> // '', "\n";
    }

    return $text;
}


sub _make_primary {
    my ($self) = @_;

    my $node = Payer::Postgres::Node->new(cluster => $self, number => 0);

    push @{ $self->{nodes} }, $node;

    $self->run('initdb', '-D', $node->data, qw(-U postgres --no-sync
        --auth=trust --encoding=UTF8 --locale=C), @{ $self->{initdb} // [] });

    $self->_write_settings($node);
    $node->start;
    $self->_make_database($node);
}


sub _write_settings {
    my ($self, $node) = @_;

    my $fsync = $self->{fsync} ? 'on' : 'off';
    my $tls = $self->{tls} ? <<"EOF" : '';
ssl = on
ssl_cert_file = '$self->{dir}/server.pem'
ssl_key_file = '$self->{dir}/server.key'
ssl_ca_file = '$self->{dir}/ca.pem'
EOF

    Payer::Test::write_file($node->data . '/postgresql.conf', <<"EOF");
listen_addresses = '127.0.0.1'
unix_socket_directories = '$self->{dir}'
fsync = $fsync
full_page_writes = $fsync
shared_buffers = 16MB
max_connections = 60
max_wal_senders = 8
wal_level = replica
hot_standby = on
wal_sender_timeout = 10s
wal_receiver_timeout = 10s
wal_retrieve_retry_interval = 200ms
password_encryption = scram-sha-256
log_line_prefix = '%m [%p] %u '
log_connections = on
$tls@{[ map { "$_\n" } @{ $self->{config} // [] } ]}
EOF

    my @hba = (
        @{ $self->{hba} // [] },
        'local all         postgres   peer map=keeper',
        'local all         all        scram-sha-256',
        'host  replication replicator 127.0.0.1/32 scram-sha-256',
        'host  all         all        127.0.0.1/32 scram-sha-256'
    );

    Payer::Test::write_file($node->data . '/pg_hba.conf',
        join '', map { "$_\n" } @hba);
    Payer::Test::write_file($node->data . '/pg_ident.conf',
        "keeper $self->{user}{name} postgres\n");
}


sub _make_database {
    my ($self, $node) = @_;

    my $password = $self->{password};

    $node->sql("CREATE ROLE replicator REPLICATION LOGIN PASSWORD '$password'",
        'postgres');
    $self->_fill_database($node);
}


sub _fill_database {
    my ($self, $node) = @_;

    my $password = $self->{password};

    $node->sql('CREATE DATABASE shop', 'postgres');

    if (defined $self->{schema}) {
        open my $fh, '<', $self->{schema} or die "open $self->{schema}: $!\n";
        local $/;
        $node->sql(scalar <$fh>);
    }

    $node->sql(<<"EOF");
DO \$\$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payer') THEN
    CREATE ROLE payer;
  END IF;
END \$\$;
ALTER ROLE payer LOGIN PASSWORD '$password';
EOF
}


sub _make_standby {
    my ($self, $number) = @_;

    my $node = Payer::Postgres::Node->new(cluster => $self,
        number => $number);

    push @{ $self->{nodes} }, $node;
    $node->copy($self->node(0));
    $node->start;
}


# The primary waits for the first of them, from now on.

sub _make_synchronous {
    my ($self) = @_;

    my @names = map { $_->name } $self->nodes;
    shift @names;

    my $sync = $self->{sync} // sprintf 'FIRST 1 (%s)', join ', ', @names;
    my $wanted = $sync eq '' ? @names : 1;

    $self->node(0)->set(synchronous_standby_names => $sync);

    Payer::Test::wait_until(sub {
        $wanted <= $self->node(0)->followers($sync ne '');
    }, 20) or die "no standby follows the primary:\n"
        . join "\n", map { $_->log_text } $self->nodes;
}


# The primary loses its power.  The standby that has received the most is
# promoted, as any tool for it does: another one that had received more could
# not follow it, and commits would wait for that one for ever.

sub failover {
    my ($self) = @_;

    my $lost = $self->primary;
    my @standbys = grep { $_ != $lost && $_->runs } $self->nodes;

    $lost->kill9;

    Payer::Test::wait_until(sub { !grep { $_->receives } @standbys }, 20)
        or die "a standby still receives from the primary that was killed\n";

    my %received = map { $_ => $_->received } @standbys;
    my ($new, @others) = sort {
        $received{$b} <=> $received{$a} || $a->number <=> $b->number
    } @standbys;

    my $names = join ', ', map { $_->name } @others;

    $new->promote($names eq '' ? '' : "FIRST 1 ($names)");
    $_->follow($new) for @others;

    Payer::Test::wait_until(sub { @others == $new->followers }, 20)
        or die join "\n", 'a standby does not follow the new primary:',
            map { $_->log_text } @others;

    return $new;
}


# One that was lost comes back as a standby of the primary, with its data.

sub rejoin {
    my ($self, $node) = @_;

    my $primary = $self->primary;
    my @names = map { $_->name } grep { $_ != $primary } $self->nodes;

    $node->stop;
    remove_tree($node->data);
    $node->copy($primary);
    $node->start;
    $primary->set(synchronous_standby_names =>
        sprintf 'FIRST 1 (%s)', join ', ', @names);

    return $self;
}


sub _make_certificates {
    my ($self) = @_;

    $self->_certificate('ca', 'ca', '-addext', 'keyUsage=critical,keyCertSign');
    $self->_certificate('server', 'db.test', '-addext',
        'subjectAltName=DNS:db.test');
}


sub _certificate {
    my ($self, $file, $name, @more) = @_;

    my $path = "$self->{dir}/$file";
    my $ca = "$self->{dir}/ca";

    push @more, '-CA', "$ca.pem", '-CAkey', "$ca.key", '-addext',
        'basicConstraints=critical,CA:FALSE' if $file ne 'ca';

    push @more, '-days', 7 unless grep { $_ eq '-days' } @more;

    my @command = (qw(openssl req -x509 -newkey ec -pkeyopt
        ec_paramgen_curve:prime256v1 -nodes -subj), "/CN=$name",
        '-keyout', "$path.key", '-out', "$path.pem", @more);
    my $said = qx(@{[ map { quotemeta } @command ]} 2>&1);

    $? == 0 or die "openssl: $said\n";

    # A client is the web server, which runs as whoever runs the test.
    chmod 0600, "$path.key";
    chown @{ $self->{user} }{qw(uid gid)}, "$path.key", "$path.pem"
        if $file eq 'server';
}

1;
