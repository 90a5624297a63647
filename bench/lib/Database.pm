package Database;

# PostgreSQL for rows of the table: the server of the tests, but one that
# waits for its disk.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;

use lib "$FindBin::RealBin/../t/lib";

use Payer::Postgres;

my $SCHEMA = "$FindBin::RealBin/../ngx_http_payer_module/store/postgresql"
    . '/schema.sql';


# Whether it is installed, and the module that uses it was built.

sub here ($class) {
    return defined Payer::Postgres::programs() && -e $class->module;
}


sub module ($class) {
    my $main = $ENV{MODULE} // "$FindBin::RealBin/../build/"
        . 'ngx_http_payer_module.so';

    return $main =~ s/payer_module\.so\z/payer_postgres_module.so/r;
}


# standbys: how many, with one of which all commits are

sub new ($class, %args) {
    my $pg = Payer::Postgres->new(
        schema   => $SCHEMA,
        fsync    => 1,
        standbys => $args{standbys} // 0,
        config   => [ 'shared_buffers = 64MB', 'max_wal_size = 4GB' ],
    );

    # the wires between them are for tests that cut them

    my ($primary, @standbys) = $pg->nodes;

    for my $node (@standbys) {
        $node->set(primary_conninfo => $primary->conninfo($primary->port)
            . ' application_name=' . $node->name);
    }

    Payer::Test::wait_until(sub { $primary->followers(1) == @standbys }, 20)
        or die "the standby does not follow\n";

    return bless { pg => $pg, standbys => $args{standbys} // 0 }, $class;
}


sub dir ($self) { $self->{pg}->dir }


# The value of a payer_store directive.

sub store ($self) {
    my $primary = $self->{pg}->node(0);

    return $self->{pg}->store(through => 'port', nodes => [$primary])
        . ' password_file=' . $self->{pg}->password_file
        . ' timeout=60s connect_timeout=30s durability='
        . ($self->{standbys} ? 'replicated' : 'local');
}


# As after a new installation.

sub clear ($self) {
    $self->{pg}->sql('truncate payer.entry; '
        . 'update payer.format set host = null; checkpoint');
}


# Seconds of processor time that its processes have had, those that still run.

sub cpu ($self) {
    my $ns = 0;

    for my $node ($self->{pg}->nodes) {
        my $pid = $node->pid;
        my @all = ($pid, split ' ',
            slurp("/proc/$pid/task/$pid/children"));

        $ns += (split ' ', slurp("/proc/$_/schedstat"))[0] // 0 for @all;
    }

    return $ns / 1e9;
}


# A process may have ended just now.

sub slurp ($file) {
    open my $fh, '<', $file or return '';
    local $/;
    return <$fh> // '';
}


sub stop ($self) { $self->{pg}->stop }


1;
