package Demo::Postgresql;

# One PostgreSQL server for the demo, in a directory of its own below /tmp that
# goes with it: on a port of the loopback for nginx, and on a socket for its
# superuser, who is the user that it runs as.  PostgreSQL refuses to be root.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use File::Path qw(remove_tree);
use File::Temp qw(tempdir);


# port: a free one, run: runs a command and says whether it went well.

sub new ($class, %args) {
    my ($bin) = reverse sort grep { -x "$_/initdb" }
        glob '/usr/lib/postgresql/[0-9]*/bin';

    die "PostgreSQL is not installed: run tools/install demo-postgresql\n"
        unless defined $bin;

    my $self = bless {
        %args,
        bin      => $bin,
        owner    => $$,
        password => _made_up()
    }, $class;

    $self->_choose_user;

    # one that has no business with this server
    delete @ENV{ grep { /\APG/ } keys %ENV };

    return $self;
}


sub _made_up {
    open my $fh, '<:raw', '/dev/urandom' or die "open /dev/urandom: $!\n";
    read($fh, my $bytes, 16) == 16 or die "read /dev/urandom: $!\n";

    return unpack 'H*', $bytes;
}


sub _choose_user ($self) {
    return if $> != 0;

    my ($name) = grep { defined getpwnam $_ } qw(postgres nobody);
    my ($uid, $gid) = (getpwnam $name)[ 2, 3 ];

    $self->{user} = [ $uid, $gid ];
}


# A command as that user, in a directory that it may read; it ends when the
# demo does, however that ends.

sub _as_user ($self, $program, @args) {
    my ($uid, $gid) = @{ $self->{user} // [] };
    my @change = defined $uid
        ? ("--reuid=$uid", "--regid=$gid", '--clear-groups') : ();

    return ('env', '-C', $self->{dir}, 'setpriv', '--pdeathsig', 'INT',
        @change, "$self->{bin}/$program", @args);
}


sub prepare ($self) {
    my $dir = $self->{dir} =
        tempdir('payer-demo-XXXXXX', TMPDIR => 1, CLEANUP => 0);

    chown @{ $self->{user} }, $dir if $self->{user};

    return $self->{run}->($self->_as_user('initdb', '-D', "$dir/data",
        qw(--auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8
        --locale=C --no-sync)));
}


sub server ($self) {
    return $self->_as_user('postgres', '-D', "$self->{dir}/data",
        '-p', $self->{port}, '-k', $self->{dir},
        '-c', 'listen_addresses=127.0.0.1');
}


# The database, as docs/scaling.md has it.

sub create ($self, $payer_store) {
    my $dir = $self->{dir};
    my $schema = qx("$payer_store" schema);

    return 0 if $? != 0;

    open my $fh, '>', "$dir/schema.sql" or die "open $dir/schema.sql: $!\n";
    print $fh "CREATE DATABASE shop;\n\\connect shop\n$schema\n",
        "ALTER ROLE payer PASSWORD '$self->{password}';\n";
    close $fh or die "write $dir/schema.sql: $!\n";

    return $self->{run}->($self->_psql('postgres', '-q', '-f',
        "$dir/schema.sql"));
}


sub _psql ($self, $database, @args) {
    return $self->_as_user('psql', qw(-X -w -v ON_ERROR_STOP=1), '-h',
        $self->{dir}, '-p', $self->{port}, '-d', $database, @args);
}


sub password ($self) { $self->{password} }


# The value of payer_store.  One server cannot be replicated.

sub store ($self, $file) {
    return "postgresql://payer\@127.0.0.1:$self->{port}/shop"
        . " password_file=$file durability=local";
}


# The line with which people look at the orders.

sub orders_line ($self) {
    return join ' ', map { /[^\w.,:\/=-]/ ? "'$_'" : $_ }
        $self->_psql('shop', '-c', 'SELECT * FROM payer.orders');
}


sub remove ($self) {
    return if $self->{owner} != $$ || !defined $self->{dir};

    remove_tree(delete $self->{dir});
}

1;
