package Rig;

# The stage: a provider with fixed answers, and the systems that are compared,
# each an nginx of its own.  The worker that is measured has the first core
# for itself; provider and load share the others.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Cwd              qw(abs_path);
use File::Basename   qw(dirname);
use File::Path       qw(make_path remove_tree);
use File::Temp       qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET ();
use List::Util       qw(min);
use POSIX            qw(WNOHANG);
use Time::HiRes      qw(sleep time);

use System;

our $REPO = dirname(dirname(dirname(abs_path(__FILE__))));

use constant {
    PATIENCE => 30,
    FILES    => 21_000, # enough for 10,000 requests that wait
    CALL     => 2,      # bytes of a call in the provider's log
};

# nginx would take the variable for a list of sockets to inherit.
our $NGINX = delete $ENV{NGINX} // '/usr/sbin/nginx';

my @MODULES = qw(ndk_http_module ngx_http_lua_module ngx_http_js_module);

# Templates of each system, nginx modules it loads, and what it answers by.
our %SYSTEMS = (
    floor  => { conf => 'floor.conf' },
    lua    => { conf => 'lua.conf', modules => [ @MODULES[ 0, 1 ] ] },
    njs    => { conf => 'njs.conf', modules => [ $MODULES[2] ] },
    memory => { conf => 'module.conf', store => 'memory' },
    lmdb   => { conf => 'module.conf', store => 'lmdb:payments' },
    office => { conf => 'office.conf', store => 'lmdb:payments' },
    owed   => { conf => 'owed.conf', store => 'lmdb:payments' },

    # with the module for PostgreSQL, and whatever store it is given
    postgresql => { conf => 'module.conf', store => 'memory', fleet => 1 },
);


# dir: where all of it runs; emptied.

sub new ($class, %args) {
    my $self = bless {
        dir    => $args{dir} // "$REPO/build/bench/load",
        module => $ENV{MODULE} // "$REPO/build/ngx_http_payer_module.so",
        files  => open_files(),
        cores  => scalar(() = slurp('/proc/cpuinfo') =~ /^processor/gm),
        orders => 0,
        serial => 0,
        owner  => $$,
        pids   => {},
        http   => HTTP::Tiny->new(timeout => 60),
    }, $class;

    die "the module is not at $self->{module}; build it with make\n"
        unless -f $self->{module};

    remove_tree($self->{dir});
    make_path("$self->{dir}/root/static");
    $self->{module} = abs_path($self->{module});
    $self->write('root/static/file', "4711\n" x 800);

    return $self;
}


sub repo  ($self) { $REPO }
sub dir   ($self) { $self->{dir} }
sub cores ($self) { $self->{cores} }


# How many requests can wait for the provider in one process: each of them
# takes two connections.

sub most_in_flight ($self) { int(($self->{files} - 100) / 2) }


# More than there can be, since nginx begins to close idle ones when less than
# a sixteenth is left.

sub connections ($self) { int($self->{files} * 5 / 4) }


# Not more than there is a use for: nginx takes memory for each.

sub open_files () {
    my ($limit) = slurp('/proc/self/limits') =~ /^Max open files\s+(\d+)/m;

    return min($limit // FILES, FILES);
}


# A number of orders that nobody has used.

sub orders ($self, $n) {
    my $start = $self->{orders} + 1_000_000_000;
    $self->{orders} += $n;

    return $start;
}


# A provider that takes "delay" ms for each link, or "read_delay" for each read,
# and "token_delay" for a token, which lives for "life" seconds.  It stays for whoever asks for the same.

sub provider ($self, %args) {
    my $delay = $args{delay} // 0;
    my $life  = $args{life}  // 3600;
    my $slow  = $args{token_delay} // 0;
    my $read  = $args{read_delay} // 0;
    my $name  = "provider-$delay-$life-$slow-$read";

    return $self->{providers}{$name} //= do {
        my $dir = $self->make_dir($name);
        my $port = free_port();

        my $server = $self->template(
            $read ? 'mock_read.conf'
            : $delay || $slow ? 'mock_delay.conf' : 'mock_prompt.conf',
            PORT        => $port,
            DELAY       => $delay || 1,
            TOKEN_DELAY => $slow || 1,
            READ_DELAY  => $read || 1,
            LIFE        => $life,
        );

        my $conf = $self->template('mock.conf',
            CONNECTIONS => $self->connections,
            SERVER      => $server,
        );

        $self->write("$name/nginx.conf", $conf);

        my $pid = $self->start($name, $port, $self->elsewhere, $NGINX, '-p',
            "$dir/", '-c', 'nginx.conf');

        { dir => $dir, port => $port, pid => $pid };
    };
}


# Requests that the provider has seen so far, this one among them.

sub requests ($self, $provider) {
    my $url = "http://127.0.0.1:$provider->{port}/status";
    my $answer = $self->{http}->get($url);

    return $answer->{content} =~ /^ \d+ \d+ (\d+)/m ? $1
        : die "the provider does not tell its status\n";
}


# How often the provider was called: create, token.

sub calls ($self, $provider, $what) {
    return $self->log_size($provider, $what) / CALL;
}


# Of the log of these calls, when nothing has come for a while.

sub log_size ($self, $provider, $what) {
    my $file = "$provider->{dir}/$what.log";
    my ($size, $was) = (-s $file // 0, -1);

    # its log is written every 100 ms
    while ($size != $was) {
        $was = $size;
        sleep 0.25;
        $size = -s $file // 0;
    }

    return $size;
}


# Starts one of %SYSTEMS.
#
# delay, life, token_delay, read_delay   of its provider
# sweep       of payer_sweep, which is off otherwise
# keepalive   idle connections to the provider
# workers     how many
# unbound     they run on any core
# under       the command of a tool that runs nginx, which is one process then
# zone        the size of the memory store
# store       another one than usual
# warm        how many visits before anything is measured
# turns       whether the turns of the workers are measured: see System

sub system ($self, $name, %args) {
    my $as       = join '-', $name, ++$self->{serial};
    my $dir      = $self->make_dir($as);
    my $port     = free_port();
    my $provider = $self->provider(%args);

    $self->write("$as/payer.secret", "bench\n");
    chmod 0600, "$dir/payer.secret";
    $self->write("$as/nginx.conf", $self->configuration($name, %args,
        port => $port, provider => $provider->{port}));

    my $pid = $self->start($as, $port, @{ $args{under} // [] },
        $args{turns} ? $self->with_turns($as) : (), $NGINX, '-p', "$dir/",
        '-c', 'nginx.conf');

    my $system = System->new(
        rig      => $self,
        name     => $name,
        dir      => $dir,
        port     => $port,
        pid      => $pid,
        provider => $provider,
        unbound  => $args{unbound},
        finishes => defined $SYSTEMS{$name}{store},
    );

    $system->warm_up($args{warm} // 1000);

    return $system;
}


sub configuration ($self, $name, %args) {
    my $known = $SYSTEMS{$name} or die "there is no system \"$name\"\n";
    my $workers = $args{workers} // 1;

    my @load = map {"/usr/lib/nginx/modules/$_.so"} @{ $known->{modules} // [] };
    push @load, $self->{module} if $known->{store};
    push @load, $self->{module} =~ s/payer_module\.so\z/payer_postgres_module.so/r
        if $known->{fleet};

    my %words = (
        HEAD        => join("\n", (map {"load_module $_;"} @load),
            $args{under} ? 'master_process off;' : ()),
        WORKERS     => $workers,
        AFFINITY    => !$args{unbound} && $self->{cores} > 1
            ? 'worker_cpu_affinity ' . '0' x ($self->{cores} - 1) . '1;' : '',
        CONNECTIONS => $self->connections,
        PROVIDER    => $args{provider},
        KEEPALIVE   => $args{keepalive} // 64,
        PORT        => $args{port},
        LISTEN      => 'backlog=16384' . ($workers > 1 ? ' reuseport' : ''),
        ROOT        => "$self->{dir}/root",
        FILES       => tempdir(DIR => $self->memory_dir),
        CONF        => "$REPO/bench/conf",
        PEERS       => "$REPO/bench/peers",
        REPO        => $REPO,
        ZONE        => $args{zone} // '1024m',
        STORE       => $args{store} // $known->{store},
        SWEEP       => $args{sweep} // 'off',
    );

    return $self->template('system.conf', %words,
        SYSTEM => $self->template($known->{conf}, %words));
}


# The command that runs nginx with bench/turns.c.

sub with_turns ($self, $as) {
    my $lib = "$self->{dir}/turns.so";

    if (!-e $lib) {
        CORE::system($ENV{CC} // 'gcc', qw(-O2 -Wall -Wextra -Werror -shared -fPIC),
            '-o', $lib, "$REPO/bench/turns.c", '-ldl') == 0
            or die "bench/turns.c is not compiled\n";
    }

    $self->write("$as/turns", "\0" x 24);

    return ('env', "LD_PRELOAD=$lib", "PAYER_TURNS=$self->{dir}/$as/turns");
}


# Files that need no disk, as far as there is such a place.

sub memory_dir ($self) {
    return $self->{memory_dir} //= tempdir('payer-bench-XXXXXX',
        DIR => -w '/dev/shm' ? '/dev/shm' : $self->{dir}, CLEANUP => 1);
}


# The command that keeps a process away from the first core.

sub elsewhere ($self) {
    return if $self->{cores} < 2;
    return ('taskset', '-c', '1-' . ($self->{cores} - 1));
}


sub make_dir ($self, $name) {
    make_path("$self->{dir}/$name/temp", "$self->{dir}/$name/logs");
    return "$self->{dir}/$name";
}


sub template ($self, $file, %words) {
    my $text = slurp("$REPO/bench/conf/$file");

    $text =~ s/\@([A-Z_]+)\@/$words{$1} \/\/ die "$file: no word $1\n"/ge;
    return $text;
}


sub write ($self, $file, $text) {
    open my $fh, '>', "$self->{dir}/$file" or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
}


sub slurp ($file) {
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return <$fh> // '';
}


# Below the range that the kernel uses for the thousands of connections.

sub free_port () {
    for (1 .. 500) {
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
            LocalPort => 10_000 + int rand 20_000) or next;

        return $s->sockport;
    }

    die "there is no free port\n";
}


# Starts a server, and waits until it listens.

sub start ($self, $name, $port, @command) {
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$self->{dir}/$name/stderr.log";
        open STDERR, '>&', \*STDOUT;
        { exec @command }
        POSIX::_exit(127);
    }

    $self->{pids}{$pid} = 1;
    my $until = time + PATIENCE;

    until (IO::Socket::INET->new("127.0.0.1:$port")) {
        die "$name does not start: see $self->{dir}/$name\n"
            if time > $until || waitpid($pid, WNOHANG) == $pid;

        sleep 0.02;
    }

    return $pid;
}


sub stop ($self, $pid) {
    delete $self->{pids}{$pid} or return;
    kill TERM => $pid;
    waitpid $pid, 0;
}


sub DESTROY ($self) {
    local ($?, $@, $!);

    return if $$ != $self->{owner};
    $self->stop($_) for keys %{ $self->{pids} };
}


1;
