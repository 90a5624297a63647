package Payer::Patroni;

# Three PostgreSQL servers under Patroni, with one etcd, for a file of plain
# tests.  The configuration is that of docs/scaling.md: only names, addresses,
# ports and directories are replaced.
#
#     my $fleet = fleet(servers => 'Payer::Patroni');
#     my $pg = $fleet->pg;
#
#     $pg->primary                  the Payer::Patroni::Node that leads
#     $pg->standby                  the one that it waits for
#     $pg->settled                  until two others follow it
#     $pg->ctl('list')              what patronictl says; dies if it fails
#     $pg->stop_etcd, $pg->start_etcd
#     $node->kill9, $node->start    PostgreSQL and Patroni
#     $node->kill9_server           PostgreSQL alone
#
# and what Payer::Postgres has.

use strict;
use warnings;

use parent 'Payer::Postgres';

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep);

use Payer::Docs qw(example);
use Payer::Patroni::Node;
use Payer::Test ();

my $PROGRAM = '/usr/bin/patroni';
my $CTL = '/usr/bin/patronictl';
my $ETCD = '/usr/bin/etcd';

my $NODES = 3;

my $json = JSON::PP->new;


# NULL, or what is missing.

sub missing {
    return (grep { !-x } $PROGRAM, $CTL, $ETCD)[0];
}


sub new {
    my ($class, %option) = @_;

    return $class->SUPER::new(tls => 1, %option);
}


# The block of the documentation with what is of this machine.

sub configuration {
    my ($self, $node) = @_;

    my $text = example('docs/scaling.md', 'patroni');

    my ($me, $dir) = ($node->name, $node->home);
    my ($sql, $http, $etcd) = ($node->port, $node->http, $self->{etcd_port});

    my @replaced = (
        qr/^name: \Kdb1$/m                   => $me,
        qr/\b(?:0\.0\.0\.0|db1\.example):5432/ => "127.0.0.1:$sql",
        qr/\b(?:0\.0\.0\.0|db1\.example):8008/ => "127.0.0.1:$http",
        qr/etcd1\.example:2379\S*/           => "127.0.0.1:$etcd",
        qr{/usr/lib/postgresql/15/bin}       => $self->{bin},
        qr{/var/lib/postgresql/15/shop}      => $node->data,
        qr{/var/run/postgresql}              => $self->{dir},
        qr{/etc/patroni/(?=server\.)}        => "$self->{dir}/",
        qr{\b10\.0\.0\.0/24}                 => '127.0.0.1/32',
        qr/password-of-\w+/                  => $self->{password},
    );

    while (my ($old, $new) = splice @replaced, 0, 2) {
        $text =~ s/$old/$new/g
            or die "the configuration of docs/scaling.md has no $old\n";
    }

    return $text;
}


sub _make_servers {
    my ($self) = @_;

    $self->{etcd_port} = Payer::Test::free_port();
    $self->start_etcd;

    for my $n (0 .. $NODES - 1) {
        push @{ $self->{nodes} }, Payer::Patroni::Node->new(
            cluster => $self, number => $n);
    }

    $_->start for $self->nodes;
    $self->settled;

    my $primary = $self->primary;

    $self->{filled} = 1;
    $self->_fill_database($primary);
}


sub start_etcd {
    my ($self) = @_;

    my $client = "http://127.0.0.1:$self->{etcd_port}";
    my $peer = 'http://127.0.0.1:' . Payer::Test::free_port();

    $self->{etcd} = $self->spawn("$self->{dir}/etcd.log", $self->{dir}, $ETCD,
        '--data-dir', "$self->{dir}/etcd",
        '--listen-client-urls', $client, '--advertise-client-urls', $client,
        '--listen-peer-urls', $peer, '--initial-advertise-peer-urls', $peer,
        '--initial-cluster', "default=$peer");

    return $self;
}


sub stop_etcd {
    my ($self) = @_;

    my $pid = delete $self->{etcd} // return $self;

    kill 'KILL', $pid;
    local $?;
    waitpid $pid, 0;
    $self->keep("-$pid");
    return $self;
}


# A program of its own group and user, which ends with the test.

sub spawn {
    my ($self, $log, $home, @command) = @_;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        eval {
            chdir $home;
            open STDIN,  '<',  '/dev/null';
            open STDOUT, '>>', $log;
            open STDERR, '>&', \*STDOUT;
            POSIX::setpgid(0, 0);
            $self->become_user;
            delete @ENV{ grep { /^(?:PG|PATRONI|ETCD|LC_|LANG)/ } keys %ENV };
            @ENV{qw(HOME LC_ALL)} = ($home, 'C.UTF-8');
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
            exec @command;
        };
        POSIX::_exit(127);
    }

    $self->keep("+$pid");
    return $pid;
}


sub primary {
    my ($self) = @_;

    my %timeline = map { eval {
        $_->value('SELECT pg_is_in_recovery()') eq 'f'
            ? ($_->number => $_->timeline) : ();
    } } $self->nodes;
    my ($n) = sort { $timeline{$b} <=> $timeline{$a} } keys %timeline;

    return defined $n ? $self->node($n) : die "there is no primary\n";
}


# The one that Patroni would promote.

sub standby {
    my ($self) = @_;

    my ($name) = map { $_->{Member} } grep { $_->{Role} eq 'Sync Standby' }
        $self->members;

    return (grep { $_->name eq ($name // '') } $self->nodes)[0]
        // die "there is no synchronous standby\n";
}


sub members { return @{ $json->decode($_[0]->ctl(qw(list -f json))) } }


# All of them run and follow one, which waits for one of them.

sub settled {
    my ($self, $seconds) = @_;

    Payer::Test::wait_until(sub { eval {
        sleep 0.2;
        $self->primary->followers == $self->nodes - 1 && $self->standby;
    } }, $seconds // 60) or die join "\n", 'the servers do not settle:',
        map { $_->log_text } $self->nodes;

    return $self;
}


sub ctl {
    my ($self, @words) = @_;

    return $self->run(\'', $CTL, '-c', $self->node(0)->file, @words);
}


# Clients come without the wires of tests.

sub store {
    my ($self, %option) = @_;

    return $self->SUPER::store(through => 'port', %option)
        . " sslmode=verify-ca ca=$self->{dir}/ca.pem";
}


sub stop {
    my ($self) = @_;

    return unless $self->{owner} == $$ && defined $self->{dir};

    local ($@, $?, $!);
    $_->close_down for $self->nodes;
    $self->stop_etcd;
    $self->SUPER::stop;
}

1;
