package Payer::Postgres::Node;

# One server of a Payer::Postgres.

use strict;
use warnings;

use POSIX ();

use Payer::Test ();
use Payer::Wire;

my $PATIENCE = 30;    # seconds for a server to start, or to end


sub new {
    my ($class, %option) = @_;

    my $self = bless {
        %option,
        port  => Payer::Test::free_port(),
        owner => $$
    }, $class;

    my $dir = $self->{cluster}->dir;

    $self->{data} = "$dir/node$option{number}";
    $self->{log}  = "$dir/node$option{number}.log";

    return $self;
}


sub port   { $_[0]{port} }
sub data   { $_[0]{data} }
sub number { $_[0]{number} }
sub socket { $_[0]{cluster}->dir }
sub name   { "node$_[0]{number}" }
sub pid    { $_[0]{pid} }


# Made when it is first asked for.

sub wire {
    my ($self) = @_;

    return $self->{wire} //= Payer::Wire->new(
        port => Payer::Test::free_port(),
        to   => $self->{port}
    );
}

sub link { $_[0]{link} // die $_[0]->name . " follows nobody\n" }


sub start {
    my ($self) = @_;

    die $self->name . " runs already\n" if $self->{pid};

    my $cluster = $self->{cluster};
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        eval {
            chdir $cluster->dir;
            open STDIN,  '<',  '/dev/null';
            open STDOUT, '>>', $self->{log};
            open STDERR, '>&', \*STDOUT;
            POSIX::setpgid(0, 0);
            $cluster->become_user;
            delete @ENV{ grep { /^PG/ } keys %ENV };
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
            exec "$cluster->{bin}/postgres", '-D', $self->{data}, '-p',
                $self->{port};
        };
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $cluster->keep("+$pid");

    Payer::Test::wait_until(sub { !$self->runs || $self->_ready }, $PATIENCE);

    $self->_ready or die $self->name . " did not start:\n" . $self->log_text;
    return $self;
}


# A line of its own file says that it takes connections.

sub _ready {
    my ($self) = @_;

    open my $fh, '<', "$self->{data}/postmaster.pid" or return 0;
    my @lines = <$fh>;

    return ($lines[0] // 0) == ($self->{pid} // -1)
        && ($lines[7] // '') =~ /^(?:ready|standby)/;
}


sub runs {
    my ($self) = @_;

    return 0 unless $self->{pid};
    return kill 0, $self->{pid} if $self->{owner} != $$;

    local $?;
    return 1 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;

    $self->_is_gone;
    return 0;
}


sub _is_gone {
    my ($self) = @_;

    $self->{cluster}->keep("-$self->{pid}");
    delete $self->{pid};
}


# As when the machine loses its power, except that what was written to files
# is in them: no process of the server gets to do anything more.

sub kill9 {
    my ($self) = @_;

    my $pid = $self->{pid} // die $self->name . " does not run\n";

    # the head first, so that it starts nobody while we look
    kill 'STOP', $pid;
    my @all = ($pid, _children($pid));
    kill 'KILL', @all;

    $self->_wait_for_end;

    # its memory must be free before it can start again
    Payer::Test::wait_until(sub { !grep { _alive($_) } @all }, $PATIENCE);
    return $self;
}


sub stop {
    my ($self, $signal) = @_;

    return $self unless $self->{pid};

    $self->thaw;
    kill $signal // 'INT', $self->{pid};
    $self->_wait_for_end;
    return $self;
}


sub _wait_for_end {
    my ($self) = @_;

    Payer::Test::wait_until(sub { !$self->runs }, $PATIENCE) and return;

    local $?;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    $self->_is_gone;
}


sub restart { $_[0]->stop->start }


# A machine that stands still: connections stay, nothing is answered.

sub freeze { kill 'STOP', $_[0]{pid}, _children($_[0]{pid}) }

sub thaw { kill 'CONT', $_[0]{pid}, _children($_[0]{pid}) }


sub close_down {
    my ($self) = @_;

    return unless $self->{owner} == $$;

    $self->stop('QUIT');
    $_->stop for grep { $_ } delete @$self{qw(wire link)};
}


sub _children {
    my ($parent) = @_;
    my @children;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($pid, $of) = (<$fh> // '') =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        push @children, $pid if $of == $parent;
    }

    return @children;
}


sub _alive {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;
    return (<$fh> // '') =~ /^\d+ \(.*\) [^ZX]/s;
}


# Rows; a row is a list of texts, and NULL is undef.

sub sql {
    my ($self, $text, $database) = @_;

    my $said = $self->{cluster}->run(\"$text\n", 'psql', qw(-X -A -t -q -w
        --set=ON_ERROR_STOP=1 -P null=\\N -F), "\x1f", '-R', "\x1e", '-h',
        $self->socket, '-p', $self->{port}, '-U', 'postgres', '-d',
        $database // 'shop');

    $said =~ s/\n\z//;

    return map { [ map { $_ eq '\\N' ? undef : $_ } split /\x1f/, $_, -1 ] }
        split /\x1e/, $said;
}


sub value {
    my $self = shift;
    my @rows = $self->sql(@_);

    return $rows[0] && $rows[0][0];
}


sub set {
    my ($self, $name, $value) = @_;

    my $quoted = $value =~ s/'/''/gr;

    $self->sql("ALTER SYSTEM SET $name = '$quoted'", 'postgres');
    $self->sql('SELECT pg_reload_conf()', 'postgres');

    Payer::Test::wait_until(
        sub { ($self->value("SHOW $name") // '') eq $value }, 5)
        or die $self->name . " does not take $name = $value\n";
}


sub timeline {
    my ($self) = @_;

    return $self->value(q{SELECT ('x' || substr(pg_walfile_name(
        pg_current_wal_lsn()), 1, 8))::bit(32)::int});
}


# How many standbys get what is written here; only those that it waits for.

sub followers {
    my ($self, $waited_for) = @_;

    return $self->value("SELECT count(*) FROM pg_stat_replication
        WHERE state = 'streaming'"
        . ($waited_for ? " AND sync_state IN ('sync', 'quorum')" : ''));
}


# A standby: true while it is connected to what it follows, and how much of
# that one's log it has, in bytes.

sub receives {
    my ($self) = @_;

    return $self->value("SELECT count(*) FROM pg_stat_wal_receiver
        WHERE status = 'streaming'");
}

sub received {
    my ($self) = @_;

    return $self->value("SELECT greatest(pg_last_wal_receive_lsn(),
        pg_last_wal_replay_lsn()) - '0/0'::pg_lsn");
}


# The standby becomes a primary.  It waits for nobody's confirmation, unless
# the names of its own standbys are given.

sub promote {
    my ($self, $names) = (@_, '');

    $self->sql("ALTER SYSTEM SET synchronous_standby_names = '$names'",
        'postgres');
    $self->sql('SELECT pg_reload_conf(); SELECT pg_promote(true, 30)',
        'postgres');
    return $self;
}


# A copy of another one's data, and of its settings.

sub copy {
    my ($self, $other) = @_;

    $self->{cluster}->run('pg_basebackup', '-D', $self->{data}, '-X', 'stream',
        '-c', 'fast', '-N', '-d', $other->conninfo($other->port));

    $self->_connect_to($other);
    return $self;
}


sub conninfo {
    my ($self, $port) = @_;

    my $password = $self->{cluster}->password;

    return "host=127.0.0.1 port=$port user=replicator password=$password"
        . ' sslmode=disable gssencmode=disable';
}


# It becomes a standby of another one, at once if it runs.

sub follow {
    my ($self, $other) = @_;

    my $ran = $self->runs;

    $self->stop if $ran;
    $self->_connect_to($other);
    $self->start if $ran;
    return $self;
}


sub _connect_to {
    my ($self, $other) = @_;

    $_->stop for grep { $_ } delete $self->{link};

    $self->{link} = Payer::Wire->new(
        port => Payer::Test::free_port(),
        to   => $other->port
    );

    my $conninfo = $other->conninfo($self->{link}->port)
        . ' application_name=' . $self->name;

    # the last line of a name counts
    open my $fh, '>>', "$self->{data}/postgresql.auto.conf"
        or die "$self->{data}/postgresql.auto.conf: $!\n";
    print $fh "primary_conninfo = '$conninfo'\n",
        "synchronous_standby_names = ''\n";
    close $fh;

    Payer::Test::write_file("$self->{data}/standby.signal", '');
}


sub log_text {
    my ($self) = @_;

    open my $fh, '<', $self->{log} or return '';
    local $/;
    return <$fh> // '';
}

1;
