package Demo;

# The stage of the demo: a run directory with throw-away certificates, the
# simulator, the toy shop and nginx in front of both, on loopback ports.  With
# PostgreSQL as the store, two nginx instances behind a third one.
# demo/run, demo/check and the browser test set up the same one.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Cwd              qw(abs_path);
use Fcntl            qw(LOCK_EX LOCK_NB);
use File::Basename   qw(dirname);
use File::Path       qw(make_path remove_tree);
use HTTP::Tiny;
use IO::Socket::INET ();
use POSIX            qw(WNOHANG);
use Socket           qw(getaddrinfo getnameinfo NI_NUMERICHOST NI_NUMERICSERV
    SOCK_STREAM AF_INET6);
use Time::HiRes      qw(sleep time);

use Demo::Postgresql;

my $DIR  = dirname(dirname(abs_path(__FILE__)));
my $REPO = dirname($DIR);

use constant PATIENCE => 20;

# Test cards as they are printed for the user.
our @CARDS = (
    [ '4111 1111 1111 1111', 'accepted at once' ],
    [ '4000 0000 0000 3220', '3-D Secure: approve or reject' ],
    [ '4000 0000 0000 0002', 'declined' ],
    [ '4000 0000 0000 9995', 'insufficient funds' ],
);


# nginx would take the variable for a list of sockets to inherit.
my $NGINX = delete $ENV{NGINX} // '/usr/sbin/nginx';


# The merchants of nginx.conf: agent id, secret, its file, where the module
# takes events and subscriptions, and whose server that is.
my @MERCHANTS = (
    [ 4711, 'simulator', 'payer.secret', '/payer', 'url' ],
    [ 4712, 'box',       'box.secret',   '/box',   'url' ],
    [ 4713, 'books',     'books.secret', '/payer', 'books' ],
);

# what the bookshop asks its API's callers for
my $BOOKS_KEY = 'key-of-the-bookshop';


# run: directory of this run, port: where the buyer goes, 0 for a free one,
# edit: changes the text of nginx.conf in $_, events: 0 for no subscriptions,
# store: lmdb or postgresql.

sub new ($class, %args) {
    my $run = $args{run} // $ENV{DEMO_RUN} // "$REPO/build/demo";

    return bless {
        run    => $run,
        port   => $args{port} // $ENV{DEMO_PORT} // 8080,
        nginx  => $NGINX,
        module => $ENV{MODULE} // "$REPO/build/ngx_http_payer_module.so",
        edit   => $args{edit},
        events => $args{events} // 1,
        store  => $args{store} // $ENV{STORE} // 'lmdb',
        hosts  => [],
        owner  => $$,
        pids   => [],
    }, $class;
}


sub run       ($self) { $self->{run} }
sub url       ($self) { "http://127.0.0.1:$self->{port}" }
sub books     ($self) { "http://127.0.0.1:$self->{books_port}" }
sub bookshop  ($self) { "http://127.0.0.1:$self->{bookshop_port}" }
sub books_key ($self) { $BOOKS_KEY }
sub simulator ($self) { $self->{simulator} }
sub fleet     ($self) { $self->{store} eq 'postgresql' }
sub database  ($self) { $self->{database} }

sub logs ($self) {
    my $logs = "$self->{run}/logs";

    return $self->fleet ? "$logs and $self->{run}/*/logs" : $logs;
}


sub start ($self) {
    $self->_check;
    $self->_prepare;
    $self->_certificates;
    $self->_start_simulator;
    $self->_start_shop;
    $self->_start_database if $self->fleet;
    $self->_start_nginx;
    $self->_subscribe if $self->{events};

    return $self;
}


sub _check ($self) {
    my ($nginx, $module, $store) = @$self{qw(nginx module store)};

    die "unknown STORE=$store: it can be lmdb or postgresql\n"
        unless $store =~ /\A(?:lmdb|postgresql)\z/;
    die "nginx is not at $nginx; name it with NGINX=/path/to/nginx\n"
        unless -x $nginx;
    die "the module is not at $module; build it with make\n"
        unless -f $module;

    $self->{module} = abs_path($module);
    $self->{store_module} =
        dirname($self->{module}) . '/ngx_http_payer_postgres_module.so';

    die "the module for PostgreSQL is not at $self->{store_module}; build it "
        . "with make\n" if $self->fleet && !-f $self->{store_module};

    $self->{port} ||= _free_port();
    $self->{books_port} = _free_port();

    die "$self->{port} is not a port number\n"
        unless $self->{port} =~ /\A[1-9]\d{0,4}\z/ && $self->{port} < 65536;

    die "port $self->{port} on 127.0.0.1 is taken; choose another one with "
        . "DEMO_PORT=8081\n" unless _listen($self->{port});
}


# A directory that is not ours is never emptied: the lock file marks ours.

sub _prepare ($self) {
    my $run = $self->{run};

    if (-d $run) {
        opendir my $dh, $run or die "open $run: $!\n";
        my @found = grep { !/\A\.\.?\z/ } readdir $dh;

        die "$run is not empty and no demo made it\n"
            if @found && !-f "$run/demo.lock";
    }

    make_path($run);
    $run = $self->{run} = abs_path($run);

    open $self->{lock}, '>>', "$run/demo.lock"
        or die "open $run/demo.lock: $!\n";
    flock $self->{lock}, LOCK_EX | LOCK_NB
        or die "another demo runs in $run; choose another directory with "
        . "DEMO_RUN=...\n";

    remove_tree(map { "$run/$_" } qw(logs temp tls host1 host2 front));
    make_path(map { "$run/$_" } qw(logs temp tls));
}


# A certificate authority that lives as long as this run, and one certificate
# for the simulator.

sub _certificates ($self) {
    my $tls = "$self->{run}/tls";
    my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes);
    my $old = umask 077;

    $self->_openssl(qw(req -x509), @key, '-keyout', "$tls/ca.key",
        '-out', "$tls/ca.pem", qw(-days 7 -subj), '/CN=Payer simulator CA',
        '-addext', 'keyUsage=critical,keyCertSign');

    $self->_openssl(qw(req -x509), @key, '-keyout', "$tls/simulator.key",
        '-out', "$tls/simulator.pem", qw(-days 7 -subj /CN=localhost),
        '-CA', "$tls/ca.pem", '-CAkey', "$tls/ca.key",
        '-addext', 'subjectAltName=DNS:localhost',
        '-addext', 'basicConstraints=critical,CA:FALSE');

    unlink "$tls/ca.key";
    umask $old;
}


sub _openssl ($self, @args) {
    my $log = "$self->{run}/logs/openssl.log";
    my $pid = $self->_fork($log, 'openssl', @args);

    waitpid $pid, 0;
    die "openssl failed:\n" . _read($log) if $?;
}


# Forks a command with its output in a log file.

sub _fork ($self, $log, @command) {
    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    # a Ctrl-C at the terminal is for the parent, which then ends us in order
    setpgrp 0, 0;

    open STDIN,  '<',  '/dev/null' or POSIX::_exit(126);
    open STDOUT, '>>', $log        or POSIX::_exit(126);
    open STDERR, '>&', \*STDOUT    or POSIX::_exit(126);

    { no warnings 'exec'; exec { $command[0] } @command }
    print STDERR "$command[0]: $!\n";
    POSIX::_exit(127);
}


# Starts a server that says "ready URL" on its first line.

sub _start ($self, $name, @command) {
    my $log = "$self->{run}/logs/$name.log";
    my $pid = $self->_fork($log, @command);

    push @{ $self->{pids} }, [ $name, $pid ];

    return $self->_until($name, $pid, $log,
        sub { _read($log) =~ /^ready (\S+)/m ? $1 : undef });
}


sub _until ($self, $name, $pid, $log, $ready) {
    my $end = time + PATIENCE;

    while (time < $end) {
        my $got = $ready->();

        return $got if defined $got;

        if (waitpid($pid, WNOHANG) == $pid) {
            @{ $self->{pids} } = grep { $_->[1] != $pid } @{ $self->{pids} };
            die "$name did not start:\n" . _read($log);
        }

        sleep 0.03;
    }

    die "$name was not ready within " . PATIENCE . " seconds:\n" . _read($log);
}


sub _start_simulator ($self) {
    my $tls  = "$self->{run}/tls";
    my $port = $self->{payer_port} = _free_port();
    my ($shop, @others) = @MERCHANTS;
    my @tls  = map { "https://$_:$port?cert=$tls/simulator.pem"
            . "&key=$tls/simulator.key" } _localhost();

    $self->{simulator} = $self->_start(simulator => "$DIR/simulator",
        '--listen', 'http://127.0.0.1:0', map({ ('--listen', $_) } @tls),
        '--agent-id', $shop->[0], '--secret', $shop->[1],
        map({ ('--merchant', "$_->[0]:$_->[1]") } @others),
        '--with-parent');
}


# nginx resolves the name, too, and uses every address it gets.

sub _localhost {
    my ($error, @found) =
        getaddrinfo('localhost', '', { socktype => SOCK_STREAM });
    my %seen;

    die "localhost has no address: $error\n" if $error;

    for my $info (@found) {
        my ($error, $host) =
            getnameinfo($info->{addr}, NI_NUMERICHOST | NI_NUMERICSERV);
        next if $error;
        $seen{ $info->{family} == AF_INET6 ? "[$host]" : $host } = 1;
    }

    return sort keys %seen;
}


sub _start_shop ($self) {
    my $url = $self->_start(shop => "$DIR/shop",
        '--listen', 'http://127.0.0.1:0', '--front', $self->url,
        '--with-parent');

    ($self->{shop_port}) = $url =~ /:(\d+)/;

    $url = $self->_start(bookshop => "$DIR/bookshop",
        '--listen', 'http://127.0.0.1:0', '--key', $BOOKS_KEY,
        '--with-parent');

    ($self->{bookshop_port}) = $url =~ /:(\d+)/;
}


# One nginx, or two and the one that the buyers' browsers see.

sub _start_nginx ($self) {
    my $run   = $self->{run};
    my @ports = @$self{qw(port books_port)};

    return $self->_start_host(nginx => $run, @ports) unless $self->fleet;

    $self->_start_host($_, "$run/$_", _free_port(), _free_port())
        for qw(host1 host2);

    make_path("$run/front/logs", "$run/front/temp");
    _write("$run/front/nginx.conf", $self->_conf('front.conf',
        PORT       => $ports[0],
        BOOKS_PORT => $ports[1],

        map { my $host = $_;
            map { (uc "${host}_$_" => $self->_host($host)->{$_}) }
                qw(port books_port) } qw(host1 host2)
    ));
    $self->_run_nginx(front => "$run/front", $ports[0]);
}


sub _start_host ($self, $name, $dir, $port, $books_port) {
    my $host = {
        name       => $name,
        dir        => $dir,
        port       => $port,
        books_port => $books_port
    };

    push @{ $self->{hosts} }, $host;
    make_path("$dir/logs", "$dir/temp");
    $self->_write_conf($host);
    $host->{pid} = $self->_run_nginx($name => $dir, $port);
}


sub _run_nginx ($self, $name, $dir, $port) {
    my $log   = "$self->{run}/logs/$name.log";
    my @nginx = ($self->{nginx}, '-p', "$dir/", '-c', "$dir/nginx.conf",
        '-e', "$dir/logs/error.log");
    my $test = $self->_fork($log, @nginx, '-t', '-q');

    waitpid $test, 0;
    die "nginx refuses the demo's configuration:\n" . _read($log) if $?;

    my $pid = $self->_fork($log, @nginx);
    push @{ $self->{pids} }, [ $name => $pid ];

    $self->_until($name => $pid, $log, sub { _connects($port) });
    return $pid;
}


sub _start_database ($self) {
    my $log = "$self->{run}/logs/postgresql.log";
    my $database = $self->{database} = Demo::Postgresql->new(
        port => _free_port(),
        run  => sub { my $pid = $self->_fork($log, @_); waitpid $pid, 0; !$? }
    );

    $database->prepare or die "initdb failed:\n" . _read($log);

    # INT: it ends its connections, too
    my $pid = $self->_fork($log, $database->server);
    push @{ $self->{pids} }, [ postgresql => $pid, 'INT' ];

    $self->_until(postgresql => $pid, $log,
        sub { _read($log) =~ /ready to accept connections/ ? 1 : undef });

    $database->create("$REPO/build/payer-store")
        or die "the schema could not be created:\n" . _read($log);
}


# A configuration, its words between @ signs replaced.

sub _conf ($self, $file, %words) {
    my $conf = _read("$DIR/$file");

    # a checkout below /root is readable for root only
    $words{USER} = $> == 0 ? 'user              root root;' : '';

    $self->{edit}->() for $self->{edit} && $file eq 'nginx.conf' ? $conf : ();

    # an optional line leaves nothing behind
    $conf =~ s/^@([A-Z0-9_]+)@\n/length $words{$1} ? "$words{$1}\n" : ''/gem;
    $conf =~ s/@([A-Z0-9_]+)@/$words{$1}/g;

    return $conf;
}


# The line of the include that names the trusted certificate authorities is
# another one, too.

sub _write_conf ($self, $host) {
    my $dir   = $host->{dir};
    my $api   = _read("$REPO/conf/payer_api.conf");
    my $ca    = 'proxy_ssl_trusted_certificate';
    my %store = (STORE => 'lmdb:payments', STORE_MODULE => '', REAL_IP => '');

    if ($self->fleet) {
        _write("$dir/database.secret", $self->{database}->password . "\n",
            0600);

        %store = (
            STORE        => $self->{database}->store('database.secret'),
            STORE_MODULE => 'load_module ' . _quoted($self->{store_module}) . ';',
            REAL_IP      => '    set_real_ip_from 127.0.0.1;'
        );
    }

    my $conf = $self->_conf('nginx.conf',
        %store,
        MODULE     => _quoted($self->{module}),
        PORT       => $host->{port},
        ORIGIN     => $self->url,
        PAYER_PORT => $self->{payer_port},
        SHOP_PORT  => $self->{shop_port},

        BOOKS_PORT    => $host->{books_port},
        BOOKS_ORIGIN  => $self->books,
        BOOKS_KEY     => $BOOKS_KEY,
        BOOKSHOP_PORT => $self->{bookshop_port},
    );

    my $pem = _quoted("$self->{run}/tls/ca.pem");

    $api =~ s{^(\s*$ca\s+)[^;]+;}{$1$pem;}m
        or die "conf/payer_api.conf has no line $ca\n";

    _write("$dir/nginx.conf",     $conf);
    _write("$dir/payer_api.conf", $api);
    _write("$dir/$_->[2]", "$_->[1]\n", 0600) for @MERCHANTS;
}


# A path in nginx.conf, which may have a space.

sub _quoted ($path) { '"' . $path =~ s/(["\\])/\\$1/gr . '"' }


# Tells Payer where to tell of payments, as an operator would do it once.

sub _subscribe ($self) {
    my $http = HTTP::Tiny->new(timeout => PATIENCE);

    for my $merchant (@MERCHANTS) {
        my (undef, undef, undef, $path, $whose) = @$merchant;
        my $base  = $self->$whose . $path;
        my $reply = $http->post_form("$base/subscriptions", {
            type => 'CARD_PAYMENT_AUTHORIZED',
            url  => "$base/events"
        });

        die "no subscription for $path: $reply->{content}\n"
            unless $reply->{success};
    }
}


# Ends what was started, in reverse, by its own pid.

sub stop ($self) {
    return if $self->{owner} != $$;

    while (my $server = pop @{ $self->{pids} }) {
        my ($name, $pid, $signal) = @$server;

        for my $signal ($signal // 'TERM', 'KILL') {
            kill $signal => $pid;
            last if _gone($pid, 5);
        }
    }

    $self->{database}->remove if $self->{database};
    delete $self->{lock};
}


sub _gone ($pid, $seconds) {
    my $end = time + $seconds;

    while (time < $end) {
        return 1 if waitpid($pid, WNOHANG) != 0;
        sleep 0.02;
    }

    return 0;
}


# The name of a server that has ended by itself, if one has.

sub ended ($self) {
    for my $server (@{ $self->{pids} }) {
        my ($name, $pid) = @$server;

        next if waitpid($pid, WNOHANG) == 0;

        @{ $self->{pids} } = grep { $_->[1] != $pid } @{ $self->{pids} };
        @{ $self->{hosts} } = grep { $_->{pid} != $pid } @{ $self->{hosts} };
        return $name;
    }

    return undef;
}


# The nginx instances that run.

sub hosts ($self) { @{ $self->{hosts} } }


sub _host ($self, $name) {
    return (grep { $_->{name} eq $name } $self->hosts)[0];
}


# The line that ends one at once, with its worker processes.

sub kill_line ($self, $name) {
    return 'kill -s KILL -- -' . $self->_host($name)->{pid};
}


sub remove ($self) { remove_tree($self->{run}) if $self->{owner} == $$ }


sub DESTROY ($self) {
    local ($?, $@);
    $self->stop;
}


# What the shop's back office types.

sub curl ($self, $operation, $reference, @more) {
    my $method = $operation eq 'cancel' ? '-X PUT ' : '';

    return "curl -sS $method" . join ' ',
        map({"-d $_"} "reference=$reference", @more),
        $self->url . "/payer/$operation";
}


sub _listen ($port) {
    return IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Listen    => 1,
        ReuseAddr => 1
    );
}


sub _free_port { (_listen(0) // die "no free port: $!\n")->sockport }


sub _connects ($port) {
    return IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Timeout  => 1
    ) ? 1 : undef;
}


sub _read ($file) {
    open my $fh, '<:raw', $file or return '';
    local $/;
    return <$fh> // '';
}


sub _write ($file, $bytes, $mode = 0644) {
    open my $fh, '>:raw', $file or die "open $file: $!\n";
    chmod $mode, $file;
    print $fh $bytes;
    close $fh or die "write $file: $!\n";
}

1;
