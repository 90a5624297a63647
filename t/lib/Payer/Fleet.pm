package Payer::Fleet;

# Several nginx instances over one PostgreSQL, the simulator of Payer and a
# shop, for a file of plain tests:
#
#     use lib 't/lib';
#     use Payer::Fleet;
#
#     my $fleet = fleet(standbys => 1);
#
#     $fleet->get(0, '/checkout?order=1');        of the first host
#     $fleet->post(1, '/capture', json => { ... });
#     $fleet->at_once([ 0, GET => '/a' ], [ 1, GET => '/b' ]);
#     $fleet->start(0), $fleet->stop(0), $fleet->kill9(0)
#     $fleet->log_text(0)
#     $fleet->fresh                               nothing is stored any more
#     $fleet->pg                                  its Payer::Postgres
#     $fleet->metric(0, 'payer_store_up')         a number, undef
#
# and what Payer::Sim, Payer::Shop and Test::More export.  Options:
#
#     hosts    => 2       how many
#     clocks   => [...]   of each host, as faketime takes them: '+60s'
#     server   => '...'   more of nginx.conf, of the server
#     params   => '...'   more of the payer_store directive
#     names    => [...]   of each host's server, 'localhost'
#     sweep    => '1s'    payer_sweep
#     timeout  => '5s'    payer_timeout
#     store    => sub     the whole of its value, given the Payer::Postgres
#     delay    => 1       nothing is started yet
#     servers  => '...'   another class than Payer::Postgres
#
# and those of Payer::Postgres.

use strict;
use warnings;

use Payer::Test ();

# Payer::Test makes its work directory by the name of the test.

BEGIN {
    package Payer::Fleet::Base;
    Payer::Test->import;
}

use Exporter ();
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use Payer::HTTP ();
use Payer::Life ();
use Payer::Postgres;
use Payer::Shop;
use Payer::Sim;

my @fleets;


sub import {
    my $caller = caller;

    plan_or_skip();

    no strict 'refs';
    *{"${caller}::fleet"} = \&fleet;
    *{"${caller}::wait_until"} = \&Payer::Test::wait_until;
    *{"${caller}::work_dir"} = \&Payer::Test::work_dir;
    *{"${caller}::root"} = \&Payer::Test::root;
    *{"${caller}::$_"} = \&{"Payer::Sim::$_"} for @Payer::Sim::EXPORT_OK;
    *{"${caller}::$_"} = \&{"Payer::Shop::$_"} for @Payer::Shop::EXPORT;

    eval "package $caller; use Test::More; 1" or die $@;
}


# The one that was built with the main module that is tested.

sub module {
    my $main = $ENV{PAYER_MODULE}
        // Payer::Test::root() . '/build/ngx_http_payer_module.so';

    return $ENV{PAYER_POSTGRES_MODULE}
        // dirname($main) . '/ngx_http_payer_postgres_module.so';
}


sub schema { return Payer::Test::root()
    . '/ngx_http_payer_module/store/postgresql/schema.sql' }


sub plan_or_skip {
    my $why = !Payer::Postgres::programs() ? 'PostgreSQL is not installed'
            : !-e module() ? 'the module for PostgreSQL is not built'
            : undef;

    Test::More::plan(skip_all => $why) if defined $why;
}


sub fleet {
    my (%option) = @_;

    my $self = bless { hosts => [], owner => $$, %option }, __PACKAGE__;
    my $hosts = ref $option{hosts} ? 2 : $option{hosts} // 2;

    push @fleets, $self;

    $self->{hosts} = [];
    $self->{shop} = $ENV{TEST_NGINX_SHOP_PORT} //= shop_start();
    $self->{pg} = ($option{servers} // 'Payer::Postgres')->new(
        schema => schema(), %option);

    $self->_make_host($_) for 0 .. $hosts - 1;

    if (!$option{delay}) {
        $self->start($_) for 0 .. $hosts - 1;
    }

    return $self;
}


sub pg { $_[0]{pg} }

sub hosts { return 0 .. $#{ $_[0]{hosts} } }

sub port { return $_[0]{hosts}[ $_[1] ]{port} }


# The value of the payer_store directive of one host.

sub store {
    my ($self, $n) = @_;

    return $self->{store}->($self->{pg}, $n) if $self->{store};

    return $self->{pg}->store . ' password_file=' . $self->{pg}->password_file
        . ' ' . ($self->{params} // 'durability='
            . ($self->{standbys} ? 'replicated' : 'local') . ' timeout=3s');
}


sub _make_host {
    my ($self, $n) = @_;

    my $dir = Payer::Test::work_dir() . "/host$n";

    remove_tree($dir);
    make_path("$dir/logs");

    $self->{hosts}[$n] = {
        dir  => $dir,
        port => Payer::Test::free_port(),
    };
}


# A complete shop, as an operator would have it on each of the machines.

sub _configuration {
    my ($self, $n) = @_;

    my $host = $self->{hosts}[$n];
    my $main = $ENV{TEST_NGINX_LOAD_MODULES};
    my $load = join '', map { "load_module $_;\n" }
        grep { length } $main, $self->_needs_module($n) ? module() : ();
    my $server = Payer::Test::payer_server();
    my $more = $self->{server} // '';
    my $workers = $self->{workers} // 2;
    my $sweep = $self->{sweep} // '1s';
    my $name = $self->{names} ? $self->{names}[$n] : 'localhost';
    my $timeout = $self->{timeout} // '5s';
    my $store = $self->store($n);

    return <<"EOF";
${load}worker_processes $workers;
pid $host->{dir}/nginx.pid;
error_log $host->{dir}/error.log info;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $host->{dir}/body;
    proxy_temp_path $host->{dir}/proxy;
    fastcgi_temp_path $host->{dir}/fastcgi;
    uwsgi_temp_path $host->{dir}/uwsgi;
    scgi_temp_path $host->{dir}/scgi;

    payer_zone   payer 1m;
    payer_store  $store;

    map \$arg_dear \$price { default 12900; 1 50000; }

    upstream payer {
        server     127.0.0.1:$ENV{TEST_NGINX_SIM_PORT};
        keepalive  16;
    }
    upstream shop { server 127.0.0.1:$self->{shop}; }

    server {
        listen       127.0.0.1:$host->{port};
        server_name  $name;
$server
        payer_notify        /_shop/paid?id=\$payer_reference;
        payer_notify_retry  1h interval=1s max=1s;
        payer_sweep         $sweep;
        payer_timeout       $timeout;

        location = /checkout {
            payer_checkout;
            payer_reference       \$arg_order public;
            payer_amount          \$price;
            payer_currency        SEK;
            payer_return_success  /thanks?order=\$payer_reference;
            payer_return_fail     /cart;
            payer_return_back     /cart;
        }
        location = /thanks {
            payer_verify        \$arg_order;
            payer_verify_cache  0;
            empty_gif;
        }
        location = /capture   { payer_capture;   payer_allow 127.0.0.1; }
        location = /cancel    { payer_cancel;    payer_allow 127.0.0.1; }
        location = /release   { payer_release;   payer_allow 127.0.0.1; }
        location = /refund    { payer_refund;    payer_allow 127.0.0.1; }
        location = /payment   { payer_payment;   payer_allow 127.0.0.1; }
        location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
        location = /metrics   { payer_metrics;   payer_allow 127.0.0.1; }
        location = /doctor    { payer_doctor;    payer_allow 127.0.0.1; }
        location = /events    { payer_events; payer_event_pass /_shop/event; }
        location = /subscriptions {
            payer_subscriptions;
            payer_allow  127.0.0.1;
        }
        location /_shop/ {
            internal;
            proxy_pass  http://shop;
        }
        location = /static { return 200; }
$more
    }
}
EOF
}


sub _needs_module { return $_[0]->store($_[1]) =~ /^postgresql:/ }


sub start {
    my ($self, $n) = @_;

    my $host = $self->{hosts}[$n];
    my $conf = Payer::Test::write_file("$host->{dir}/nginx.conf",
        $self->_configuration($n));

    my %env;

    if (my $clock = $self->{clocks} && $self->{clocks}[$n]) {
        my ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1';

        %env = (
            LD_PRELOAD                   => $library // die("no faketime\n"),
            FAKETIME                     => $clock,
            FAKETIME_DONT_FAKE_MONOTONIC => 1,
        );
    }

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        @ENV{ keys %env } = values %env;
        POSIX::setpgid(0, 0);
        open STDOUT, '>>', "$host->{dir}/output";
        open STDERR, '>&', \*STDOUT;
        exec $ENV{TEST_NGINX_BINARY}, '-p', "$host->{dir}/", '-e',
            "$host->{dir}/error.log", '-c', $conf, '-g', 'daemon off;'
            or POSIX::_exit(127);
    }

    $host->{pid} = $pid;

    # who ends it if this test is killed
    $self->{pg}->keep("+$pid");

    Payer::Test::wait_until(sub {
        local $?;
        waitpid($pid, POSIX::WNOHANG()) != 0
            || $self->get($n, '/static')->status == 200;
    }, 15);

    $self->get($n, '/static')->status == 200
        or die "host $n does not start:\n" . $self->log_text($n)
        . _slurp("$host->{dir}/output");

    return $self;
}


# A graceful end, or by another signal of the master.

sub stop {
    my ($self, $n, $signal) = @_;

    my $pid = delete $self->{hosts}[$n]{pid} // return $self;

    $self->{pg}->keep("-$pid");

    local $?;
    kill $signal // 'QUIT', $pid;

    Payer::Test::wait_until(
        sub { waitpid($pid, POSIX::WNOHANG()) != 0 }, 15) and return $self;

    kill 'KILL', $pid, Payer::Life::children($pid);
    waitpid $pid, 0;
    return $self;
}


# The machine loses its power.

sub kill9 {
    my ($self, $n) = @_;

    my $pid = delete $self->{hosts}[$n]{pid} // return $self;

    $self->{pg}->keep("-$pid");

    local $?;
    kill 'STOP', $pid;
    kill 'KILL', $pid, Payer::Life::children($pid);
    waitpid $pid, 0;
    return $self;
}


# All of them with other options.

sub restart {
    my ($self, %option) = @_;

    $self->stop($_) for $self->hosts;
    @$self{ keys %option } = values %option;
    $self->start($_) for $self->hosts;
    return $self;
}


sub freeze { my $pid = $_[0]{hosts}[ $_[1] ]{pid};
    kill 'STOP', $pid, Payer::Life::children($pid) }

sub thaw { my $pid = $_[0]{hosts}[ $_[1] ]{pid};
    kill 'CONT', $pid, Payer::Life::children($pid) }


sub get { my ($self, $n, @more) = @_; return ($self->at_once([ $n, 'GET', @more ]))[0] }

sub post { my ($self, $n, @more) = @_; return ($self->at_once([ $n, 'POST', @more ]))[0] }


sub at_once {
    my ($self, @requests) = @_;

    return Payer::HTTP::at_once(0, map {
        my ($n, $method, $path, %option) = @$_;
        my $headers = $option{headers} // {};

        [ $method, $path, %option, port => $self->port($n),
            headers => { Host => 'localhost', %$headers } ];
    } @requests);
}


sub log_text { return _slurp("$_[0]{hosts}[ $_[1] ]{dir}/error.log") }


sub _slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;
    return <$fh> // '';
}


# The value of a metric, of the line that begins so.

sub metric {
    my ($self, $n, $name) = @_;

    my ($value) = $self->get($n, '/metrics')->body =~ /^\Q$name\E (\S+)$/m;
    return $value;
}


# What is stored, seen and told is forgotten; everything runs.

sub fresh {
    my ($self) = @_;

    $self->pg->sql('TRUNCATE payer.entry');
    Payer::Sim::sim_reset();
    shop_reset();
    return $self;
}


# A buyer who gets a link, pays, and comes back: on which host each.

sub pays {
    my ($self, $order, @hosts) = @_;

    my $r = $self->get($hosts[0] // 0, "/checkout?order=$order");
    die "no link for order $order: $r\n" if $r->status != 303;
    Payer::Sim::pay($order);

    return unless defined $hosts[1];
    $r = $self->get($hosts[1], "/thanks?order=$order");
    die "order $order is not paid: $r\n" if $r->status != 200;
}


# [alert] and [emerg] lines of all hosts

sub alerts {
    my ($self) = @_;

    return map { grep { /\[(?:alert|emerg)\]/ } split /^/, $self->log_text($_) }
        $self->hosts;
}


sub close_down {
    my ($self) = @_;

    return if $self->{owner} != $$ || $self->{closed}++;

    local ($?, $@);
    $self->stop($_, 'TERM') for $self->hosts;
    $self->{pg}->stop if $self->{pg};
}

END { $_->close_down for @fleets }

1;
