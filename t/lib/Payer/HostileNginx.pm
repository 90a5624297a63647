package Payer::HostileNginx;

# The nginx of the hostile harness: its configuration with every handler, its
# life, and what can be seen of it from outside.
#
#     my $nginx = Payer::HostileNginx->start(dir => $dir, peer => $peer,
#         store => 'memory', binary => ..., module => ...);
#     $nginx->{ports}{h1}     HTTP/1.1; h1s, h2, h2s, h3: the others
#     $nginx->reload
#     $nginx->alerts          what the log has that must not be there
#     $nginx->connected       how many clients are connected
#     $nginx->possessions     { fds => ..., memory => ... } of the workers
#     $nginx->stop            true if it ends by itself in time

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use List::Util qw(max);
use POSIX ();
use Time::HiRes qw(sleep time);

use Payer::HTTP qw(at_once);
use Payer::SlowDisk ();
use Payer::Test ();

my $root = abs_path(dirname(__FILE__) . '/../../..');

my $returns = 'payer_return_success http://127.0.0.1/thanks;'
    . ' payer_return_fail http://127.0.0.1/cart;'
    . ' payer_return_back http://127.0.0.1/cart;';

my $wrong = qr/\[(?:alert|emerg)\]|exited on signal|header already sent
    |runtime\ error|AddressSanitizer|Assertion|request\ count\ is\ zero/x;


sub start {
    my ($class, %option) = @_;

    my $self = bless { %option, owner => $$ }, $class;

    make_path($self->{dir});
    $self->{log} = "$self->{dir}/error.log";
    $self->{access} = "$self->{dir}/access.log";
    $self->{ports} = { map { $_ => Payer::Test::free_port() }
        qw(h1 h1s h2 h2s), $option{http3} ? 'h3' : () };

    $self->_certificate;
    _write("$self->{dir}/payer.secret", "api-key-of-the-test-merchant\n");
    chmod 0600, "$self->{dir}/payer.secret";
    _write("$self->{dir}/nginx.conf", $self->_conf);

    my $pid = fork // die "fork: $!\n";

    $self->_exec if $pid == 0;
    $self->{pid} = $pid;

    until_true(10, sub { $self->ask('/status') })
        or die "nginx does not start:\n" . slurp($self->{log})
            . slurp("$self->{dir}/stderr");

    return $self;
}


sub _exec {
    my ($self) = @_;

    my $reports = "log_path=$self->{dir}/sanitizer";

    open STDOUT, '>', '/dev/null';
    open STDERR, '>', "$self->{dir}/stderr";

    $ENV{ASAN_OPTIONS} = join ':', grep { length } $ENV{ASAN_OPTIONS} // '',
        'detect_leaks=0:detect_odr_violation=0:verify_asan_link_order=0',
        'quarantine_size_mb=16', $reports;
    $ENV{UBSAN_OPTIONS} = "print_stacktrace=1:$reports";

    if ($self->{sync_ms}) {
        my $figure = "$self->{dir}/milliseconds";

        Payer::SlowDisk::says($figure, $self->{sync_ms});
        $ENV{PAYER_FSYNC_FILE} = $figure;
        $ENV{LD_PRELOAD} = $self->{preload};
    }

    # nginx takes this for the sockets of another one
    delete $ENV{NGINX};

    # a group of its own: an interrupt is ours to pass on
    setpgrp 0, 0;
    exec $self->{binary}, '-p', $self->{dir}, '-e', $self->{log}, '-c',
        "$self->{dir}/nginx.conf", '-g', 'daemon off;'
        or POSIX::_exit(127);
}


sub _write {
    my ($file, $text) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;
    return <$fh> // '';
}


# Whether the condition becomes true within so many seconds.

sub until_true {
    my ($seconds, $condition) = @_;
    my $end = time + $seconds * ($ENV{PAYER_TEST_SLOW} // 1);

    until ($condition->()) {
        return 0 if time > $end;
        sleep 0.03;
    }

    return 1;
}


sub _certificate {
    my ($self) = @_;

    my $file = "$self->{dir}/../localhost";
    return if -s "$file.pem";

    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
        . " -nodes -days 7 -subj /CN=localhost -keyout \Q$file\E.key"
        . " -out \Q$file\E.pem >/dev/null 2>&1") == 0
        or die "openssl failed\n";
}


sub _conf {
    my ($self) = @_;

    my ($dir, $port, $peer) = @$self{qw(dir ports peer)};
    my $load = $self->{module} eq 'static' ? ''
             : "load_module $self->{module};";
    my $store = $self->{store} eq 'lmdb' ? "lmdb:$dir/payments" : 'memory';
    # without "reuseport" a datagram may meet the worker that has another
    # connection
    my $quic = $port->{h3} ? "listen 127.0.0.1:$port->{h3} quic reuseport;" : '';
    my $user = $> == 0 ? 'user root;' : '';
    my $handlers = join '', map { _handlers(@$_) }
        [ '', '3s', '' ],
        [ '/quick', '400ms', '' ],
        [ '/proxied', '3s', 'error_page 400 402 403 404 405 409 413 415 422'
            . ' 502 503 504 /sorry;' ],
        [ '/mirrored', '3s', 'mirror /copy;' ],
        [ '/foreign', '3s', '', '192.0.2.1' ];

    return <<"END_CONF";
$load
$user
worker_processes 2;
pid $dir/nginx.pid;
error_log $dir/error.log info;
worker_shutdown_timeout 20s;
events { worker_connections 512; }

http {
    log_format n '\$http_x_n \$status \$request_method \$uri';
    access_log $dir/access.log n;
    client_body_temp_path $dir/body;
    proxy_temp_path       $dir/proxy;
    fastcgi_temp_path     $dir/fastcgi;
    uwsgi_temp_path       $dir/uwsgi;
    scgi_temp_path        $dir/scgi;

    client_header_timeout   4s;
    client_body_timeout     4s;
    client_body_buffer_size 4k;
    client_max_body_size    100k;
    send_timeout            @{[ int 2000 * ($ENV{PAYER_TEST_SLOW} // 1) ]}ms;
    keepalive_timeout       3s;
    lingering_time          5s;
    lingering_timeout       2s;
    proxy_http_version      1.1;
    proxy_set_header        Connection "";
    proxy_read_timeout      6s;

    payer_zone   payer 8m;
    payer_store  $store;

    upstream payer { server 127.0.0.1:$peer->{payer_port}; keepalive 8; }
    upstream shop  { server 127.0.0.1:$peer->{shop_port}; keepalive 8; }

    server {
        listen 127.0.0.1:$port->{h1} sndbuf=8k;
        listen 127.0.0.1:$port->{h1s} sndbuf=8k ssl;
        listen 127.0.0.1:$port->{h2} sndbuf=8k http2;
        listen 127.0.0.1:$port->{h2s} sndbuf=8k ssl http2;
        $quic
        ssl_certificate     $dir/../localhost.pem;
        ssl_certificate_key $dir/../localhost.key;

        payer_api                 /_payer;
        payer_client_id           4711;
        payer_client_secret_file  $dir/payer.secret;
        payer_insecure_upstream   on;
        payer_tries               2;

        add_header X-N    \$http_x_n always;
        add_header X-Link \$payer_link always;

        location /_payer/ {
            internal;
            include     $root/conf/payer_api.conf;
            proxy_pass  http://payer/;
        }

        location = /status      { stub_status; access_log off; }
        location /smuggled      { proxy_pass http://shop; }
        location /shop/         { proxy_pass http://shop; }
        location /stream/       { proxy_pass http://shop;
                                  proxy_request_buffering off; }
        location = /shop/event  { internal; proxy_pass http://shop; }
        location = /page        { internal; proxy_pass http://shop; }
        location = /sorry       { internal; proxy_pass http://shop; }
        location = /copy        { internal; proxy_pass http://shop; }
        location = /_shop/order { internal;
                                  proxy_pass http://shop/api/order?id=\$arg_id; }
        location \@pay         { payer_checkout;
                                  payer_reference \$payer_reference;
                                  @{[ _asked(), $returns ]} }

        $handlers
    }
}
END_CONF
}


# The shop's own API says what an order costs, and whose it is.

sub _lookup {
    return 'payer_lookup /_shop/order?id=$arg_id;'
        . ' payer_lookup_field $s_total /total;'
        . ' payer_lookup_field $s_currency /currency;'
        . ' payer_lookup_field $s_status /status;'
        . ' payer_lookup_field $s_key /key;'
        . ' payer_lookup_match $s_key $arg_key;'
        . ' payer_lookup_open $s_status pending;'
        . ' payer_lookup_paid $s_status processing;';
}


sub _asked { return 'payer_amount $s_total major; payer_currency $s_currency; ' }


# Every handler, below a prefix: with this deadline, these further lines, and
# for this client.

sub _handlers {
    my ($prefix, $timeout, $more, $client) = (@_, '127.0.0.1');

    my $order = 'payer_reference $arg_order public; payer_amount 12900;'
        . " payer_currency SEK; $returns";

    my %location = (
        lookup   => 'payer_checkout; payer_reference $arg_id; ' . _lookup()
            . _asked() . $returns,
        gate     => 'payer_verify $arg_id; ' . _lookup()
            . ' payer_verify_amount $s_total major $s_currency;'
            . ' error_page 402 = @pay; recursive_error_pages on;'
            . ' proxy_pass http://shop;',
        checkout => "payer_checkout; $order",
        frame    => "payer_checkout; payer_present iframe; $order",
        json     => "payer_checkout; payer_present json; $order",
        uri      => "payer_checkout; payer_present /page; $order",
        thanks   => 'payer_verify $arg_order; payer_auto_capture on;'
            . ' proxy_pass http://shop;',
        events   => 'payer_events; payer_event_pass /shop/event;'
            . ' payer_auto_capture on;',
        map { $_ => "payer_$_; payer_allow $client;" } qw(capture cancel
            release refund payment subscriptions reconcile metrics)
    );

    return join '', map {
        "location = $prefix/$_ { $location{$_} payer_timeout $timeout;"
            . " $more }\n        "
    } sort keys %location;
}


# An answer over HTTP/1.1, undef when there is none.

sub ask {
    my ($self, $uri, %option) = @_;

    my ($r) = at_once($self->{ports}{h1}, [ ($option{method} // 'GET') => $uri,
        timeout => 5, %option ]);

    return $r->status ? $r : undef;
}


sub workers {
    my ($self) = @_;
    my @workers;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($pid, $parent) = (<$fh> // '') =~ /^(\d+) \(.*\) [^ZX] (\d+) /s
            or next;
        push @workers, $pid if $parent == $self->{pid};
    }

    return @workers;
}


sub reload { kill 'HUP', $_[0]{pid} }


# After a reload the old workers end as soon as their last request has.

sub settle {
    my ($self, $seconds) = @_;

    return until_true($seconds, sub { 2 == (() = $self->workers) });
}


# How many connections there are, besides the one that asks.

sub connected {
    my ($self) = @_;

    my $r = $self->ask('/status') or return -1;

    return $r->body =~ /^Active connections: (\d+)/ ? $1 - 1 : -1;
}


# The descriptors of the worker that has most of them, and the memory (kB) of
# all.

sub possessions {
    my ($self) = @_;

    my ($memory, @fds) = (0);

    for my $pid ($self->workers) {
        push @fds, scalar(() = glob "/proc/$pid/fd/*");
        $memory += (slurp("/proc/$pid/smaps_rollup")
            =~ /^Private_Dirty: +(\d+)/m)[0] // 0;
    }

    return { memory => $memory, fds => max(@fds) // 0 };
}


sub alerts {
    my ($self) = @_;

    my @said = grep { /$wrong/ } split /^/, slurp($self->{log});

    for my $report (glob "$self->{dir}/sanitizer.*") {
        my @lines = grep { /ERROR|runtime error|^ +#\d .*payer/ }
            split /^/, slurp($report);
        push @said, @lines > 8 ? @lines[ 0 .. 7 ] : @lines;
    }

    return map { s/\s+\z//r } @said;
}


# Lines of the access log: [ id, status, method, uri ].

sub served {
    my ($self) = @_;

    return map { [split] } split /^/, slurp($self->{access});
}


sub stop {
    my ($self) = @_;

    return 1 unless $self->{pid} && $self->{owner} == $$;

    my $pid = $self->{pid};
    my @all = ($pid, $self->workers);

    kill 'QUIT', $pid;

    my $ended = until_true(8, sub { waitpid($pid, POSIX::WNOHANG()) == $pid });

    if (!$ended) {
        kill 'KILL', @all;
        waitpid $pid, 0;
    }

    delete $self->{pid};
    return $ended;
}


sub DESTROY { local $?; $_[0]->stop }

1;
