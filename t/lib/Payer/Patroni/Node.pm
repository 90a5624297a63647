package Payer::Patroni::Node;

# One server of a Payer::Patroni: Patroni, and the PostgreSQL that it starts.

use strict;
use warnings;

use parent 'Payer::Postgres::Node';

use Payer::Test ();


sub new {
    my ($class, %option) = @_;

    my $self = $class->SUPER::new(%option);

    $self->{http} = Payer::Test::free_port();
    $self->{home} = $self->{cluster}->dir . '/' . $self->name;

    mkdir $self->{home} or die "$self->{home}: $!\n";
    chown @{ $self->{cluster}{user} }{qw(uid gid)}, $self->{home};

    return $self;
}


sub name { 'db' . ($_[0]{number} + 1) }
sub home { $_[0]{home} }
sub http { $_[0]{http} }
sub file { "$_[0]{home}/config.yml" }


sub start {
    my ($self) = @_;

    my $cluster = $self->{cluster};

    Payer::Test::write_file($self->file, $cluster->configuration($self));
    $self->{pid} = $cluster->spawn($self->{log}, $self->{home},
        '/usr/bin/patroni', $self->file);
    $cluster->keep("\@$self->{data}/postmaster.pid");

    return $self;
}


# The number of its PostgreSQL's first process.

sub server {
    my ($self) = @_;

    open my $fh, '<', "$self->{data}/postmaster.pid" or return undef;
    my ($pid) = (<$fh> // '') =~ /^(\d+)$/ or return undef;

    return kill(0, $pid) ? $pid : undef;
}


sub _all {
    my ($self) = @_;

    my @heads = grep { defined } $self->{pid}, $self->server;

    return (@heads, map { Payer::Postgres::Node::_children($_) } @heads);
}


# As when the machine loses its power; see Payer::Postgres::Node.

sub kill9 {
    my ($self) = @_;

    kill 'STOP', grep { defined } $self->{pid}, $self->server;
    my @all = $self->_all;
    kill 'KILL', @all;

    $self->_wait_for_end;
    $self->_wait_for(@all);
    return $self;
}


sub kill9_server {
    my ($self) = @_;

    my $pid = $self->server // die $self->name . " has no server\n";

    kill 'STOP', $pid;
    my @all = ($pid, Payer::Postgres::Node::_children($pid));
    kill 'KILL', @all;
    return $self;
}


sub _wait_for {
    my ($self, @pids) = @_;

    Payer::Test::wait_until(
        sub { !grep { Payer::Postgres::Node::_alive($_) } @pids }, 30);
}


sub freeze { kill 'STOP', $_[0]->_all }

sub thaw { kill 'CONT', $_[0]->_all }


# Patroni ends its server, too.

sub stop {
    my ($self) = @_;

    return $self unless $self->{pid};

    my $server = $self->server;

    $self->SUPER::stop('TERM');

    if (defined $server && Payer::Postgres::Node::_alive($server)) {
        kill 'QUIT', $server;
        $self->_wait_for($server);
    }

    return $self;
}


# There is nothing to be kept: both at once, and soon.

sub close_down {
    my ($self) = @_;

    $self->kill9 if $self->{owner} == $$ && $self->{pid};
}


# As the superuser with its password.

sub sql {
    my ($self, $text, $database) = @_;

    my $cluster = $self->{cluster};

    local $ENV{PAYER_PASSWORD} = $cluster->password;

    my $said = $cluster->run(\"$text\n", 'psql', qw(-X -A -t -q -w
        --set=ON_ERROR_STOP=1 -P null=\\N -F), "\x1f", '-R', "\x1e",
        "host=127.0.0.1 port=$self->{port} user=postgres connect_timeout=3"
        . ' dbname=' . ($database // ($cluster->{filled} ? 'shop' : 'postgres')));

    $said =~ s/\n\z//;

    return map { [ map { $_ eq '\\N' ? undef : $_ } split /\x1f/, $_, -1 ] }
        split /\x1e/, $said;
}

1;
