package Count;

# What a request costs when nobody looks at a clock: the instructions and the
# system calls of nginx, which do not depend on what else the machine does.
#
# Two runs of one nginx under callgrind (or strace), with N1 and with N2
# requests over one kept connection; the difference, divided by N2 - N1, is
# the cost of one request, without start, warm-up and stop.
#
# With LMDB there is a master and a worker, since only a worker has the thread
# pool that writes: what all processes and threads did is counted.  The others
# are one process: it has no threads, and a master has nothing to do.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use File::Path     qw(make_path remove_tree);
use IO::Socket::INET ();
use POSIX       qw(WNOHANG);
use Time::HiRes qw(sleep time);

our $REPO = dirname(dirname(dirname(abs_path(__FILE__))));

use constant PATIENCE => 60;

my $NGINX = '/usr/sbin/nginx';

# Both are above all that happens once: buffers, connections, tree levels.
my @REQUESTS = (200, 1200);

my $MODULE = <<'CONF';
    payer_zone  payer 64m;
    payer_store @STORE@;
CONF

my $SHOP = <<'CONF';
        payer_api                /_payer;
        payer_client_id          4711;
        payer_client_secret_file payer.secret;
        payer_insecure_upstream  on;

        location /_payer/ {
            internal;
            include    @REPO@/conf/payer_api.conf;
            proxy_pass http://provider/;
        }

        location = /checkout {
            payer_checkout;
            payer_reference      $arg_order public;
            payer_amount         12900;
            payer_currency       SEK;
            payer_return_success /thanks?order=$payer_reference;
            payer_return_fail    /cart;
            payer_return_back    /cart;
        }

        location = /thanks {
            payer_verify $arg_order;
            empty_gif;
        }
CONF

# The shop's own API says what the order costs.

my $LOOKUP = $SHOP =~ s{(payer_checkout;)}{payer_lookup         /_shop?id=\$arg_order;
            payer_lookup_field   \$o_total    /total;
            payer_lookup_field   \$o_currency /currency;
            payer_lookup_field   \$o_status   /status;
            payer_lookup_open    \$o_status   pending;
            $1}r
    =~ s{(payer_amount +)12900}{$1\$o_total major}r
    =~ s{(payer_currency +)SEK}{$1\$o_currency}r . <<'CONF';
        location = /_shop {
            internal;
            proxy_pass         http://provider/order?id=$arg_id;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
        }
CONF

# The shop is told of each payment.

my $NOTIFY = <<'CONF';
        payer_notify /_paid?id=$payer_reference;

        location = /_paid {
            internal;
            proxy_pass         http://provider/told;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
        }
CONF

my $ORDER = '{"amount":12900,"currencyCode":"SEK",'
    . '"externalPaymentReference":"100000001","languageCode":"sv",'
    . '"orderId":null,'
    . '"redirectOnSuccessURL":"http://shop.example/thanks?order=100000001",'
    . '"redirectOnFailURL":"http://shop.example/cart",'
    . '"backToShopURL":"http://shop.example/cart"}';

my $UUID = '0123456789abcdef0123456789abcdef';

# Each subject: what its server{} has beside listen, or all of nginx.conf as a
# function of the ports of subject and provider, and the nth request.
our %SUBJECTS = (
    'floor_return' => {
        server  => "location = /checkout { return 303 "
            . "https://widget.example/card/$UUID; }",
        request => sub ($n) { visit(1) },
    },
    'floor_proxy' => {
        server => <<'CONF',
        location = /checkout {
            proxy_pass         http://provider/api/v2/payments/cards/direct;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
        }
CONF
        request => sub ($n) {
            "POST /checkout?order=100000001 HTTP/1.1\r\n"
                . "Host: shop.example\r\nContent-Type: application/json\r\n"
                . 'Content-Length: '
                . length($ORDER)
                . "\r\n\r\n$ORDER";
        },
    },
    # the same call without a body of the buyer's: that of the configuration
    'floor_bodyless' => {
        server => <<"CONF",
        location = /checkout {
            proxy_pass         http://provider/api/v2/payments/cards/direct;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
            proxy_set_header   Content-Type application/json;
            proxy_method       POST;
            proxy_set_body     '$ORDER';
        }
CONF
        request => sub ($n) { visit(1) },
    },
    'floor_get' => {
        server => <<'CONF',
        location = /checkout {
            proxy_pass         http://provider/order?id=$arg_order;
            proxy_http_version 1.1;
            proxy_set_header   Connection "";
        }
CONF
        request => sub ($n) { visit(1) },
    },
    'floor_verify' => {
        server => <<'CONF',
        location = /paid { internal; return 204; }
        location = /thanks { auth_request /paid; empty_gif; }
CONF
        request => sub ($n) { thanks(1) },
    },
    'repeated memory' => {
        store   => 'memory',
        request => sub ($n) { visit(1) },
    },
    'repeated lmdb' => {
        store   => 'lmdb:payments',
        request => sub ($n) { visit(1) },
    },
    'lookup memory' => {
        store   => 'memory',
        shop    => $LOOKUP,
        request => sub ($n) { visit(1) },
    },
    'first memory' => {
        store   => 'memory',
        request => sub ($n) { visit($n) },
    },
    'first lmdb' => {
        store   => 'lmdb:payments',
        request => sub ($n) { visit($n) },
    },
    # of the database that new() was given
    'repeated postgresql' => {
        store   => 'postgresql',
        request => sub ($n) { visit(1) },
    },
    'first postgresql' => {
        store   => 'postgresql',
        request => sub ($n) { visit($n) },
    },
    # from the visit to the paid page, and the same with a shop that is told
    'paid memory' => {
        store   => 'memory',
        request => sub ($n) { (visit($n), thanks($n)) },
    },
    'notified memory' => {
        store   => 'memory',
        shop    => $SHOP . $NOTIFY,
        request => sub ($n) { (visit($n), thanks($n)) },
    },
    'verify memory' => {
        store   => 'memory',
        before  => visit(1),
        request => sub ($n) { thanks(1) },
    },
);


sub visit ($n) { get(sprintf '/checkout?order=%d', 100_000_000 + $n) }
sub thanks ($n) { get(sprintf '/thanks?order=%d',  100_000_000 + $n) }
sub get   ($uri) { "GET $uri HTTP/1.1\r\nHost: shop.example\r\n\r\n" }


# dir: where the servers run; it is made anew.  keepalive: connections kept
# to the provider.  requests: N1 and N2.  database: a Database.

sub new ($class, %args) {
    my $self = bless {
        dir       => $args{dir} // "$REPO/build/bench/count",
        module    => $ENV{MODULE} // "$REPO/build/ngx_http_payer_module.so",
        keepalive => $args{keepalive} // 64,
        requests  => $args{requests} // \@REQUESTS,
        database  => $args{database},
    }, $class;

    remove_tree($self->{dir});
    make_path(map {"$self->{dir}/$_"} qw(temp logs));

    @$self{qw(provider subject)} = free_ports(2);

    $self->_write('payer.secret', "bench\n");
    $self->_write('provider.conf',
        $self->_template('provider.conf', {}));

    $self->{provider_pid} = $self->_start($NGINX, '-p', "$self->{dir}/", '-c',
        'provider.conf', '-g', 'daemon off; master_process off;');
    $self->_wait_for($self->{provider}, $self->{provider_pid});

    return $self;
}


# Instructions of the process for one request of the subject.

sub instructions ($self, $name) {
    my @requests = @{ $self->{requests} };
    my @total;

    for my $n (@requests) {
        my $out = "$self->{dir}/callgrind.out";
        unlink glob "$out*";

        $self->_callgrind($name, $n, "$out.%p");

        my $sum = 0;

        for my $file (glob "$out.*") {
            $sum += $self->_slurp($file) =~ /^(?:totals|summary): (\d+)/m
                ? $1 : die "callgrind said nothing of \"$name\"\n";
        }

        push @total, $sum;
    }

    return ($total[1] - $total[0]) / ($requests[1] - $requests[0]);
}


# The same for each function: a list of [instructions, object, function], the
# most expensive first.  Functions of nginx that have no name are addresses.

sub functions ($self, $name) {
    my %cost;

    for my $i (0, 1) {
        my $out = "$self->{dir}/callgrind.out";
        unlink glob "$out*";

        $self->_callgrind($name, $REQUESTS[$i], "$out.%p");

        # the master, the worker and its children: one file each
        for my $file (glob "$out.*") {
            $self->_annotated($file, $i ? 1 : -1, \%cost);
        }
    }

    my @list = map {
        [ $cost{$_} / ($REQUESTS[1] - $REQUESTS[0]), split / /, $_, 2 ]
    } keys %cost;

    return sort { $b->[0] <=> $a->[0] } @list;
}


# Adds what callgrind counted for each function, times "sign".

sub _annotated ($self, $file, $sign, $cost) {
    open my $fh, '-|', 'callgrind_annotate', '--threshold=100',
        '--show-percs=no', '--auto=no', $file
        or die "callgrind_annotate: $!\n";

    while (<$fh>) {
        my ($ir, $function, $object) =
            /^\s*([\d,]+)\s+\S*?:([^:\s]\S*)(?:.*\[(\S+)\])?$/
            or next;

        # what is inlined is attributed to no object: it is the module's, or of
        # the C library
        $object //= $function =~ /^ngx_http_payer_/
            ? 'ngx_http_payer_module.so' : 'libc.so';

        $ir =~ tr/,//d;
        $cost->{"$object $function"} += $sign * $ir;
    }
}


# System calls of all threads for one request of the subject, of which so many
# are sent at the same time.

sub system_calls ($self, $name, $together = 1) {
    my @requests = map { $_ + -$_ % $together } @{ $self->{requests} };
    my @total;

    for my $n (@requests) {
        my $out = "$self->{dir}/strace.out";
        unlink $out;

        $self->_run($name, $n, $together, 'strace', '-f', '-qq', '-e',
            'signal=none', '-o', $out);

        # One that was interrupted by another thread's has two lines; and
        # when it ends, nginx yields until its threads are gone, which is as
        # often as the machine has other things to do.
        push @total,
            scalar grep { !/ resumed>| sched_yield\(/ } split /\n/,
            $self->_slurp($out);
    }

    return ($total[1] - $total[0]) / ($requests[1] - $requests[0]);
}


# Simultaneous requests for the thank-you page of an order that is not paid;
# the calls are counted by the provider.

sub crowd ($self, $requests) {
    my $subject = {
        store => 'memory',
        shop  => $SHOP =~ s{http://provider/;}{http://provider/unpaid/;}r,
    };

    $self->_write('subject.conf', $self->_configuration($subject));

    my $pid = $self->_start($NGINX, '-p', "$self->{dir}/", '-c',
        'subject.conf');
    $self->_wait_for($self->{subject}, $pid);

    my @c = map {
        IO::Socket::INET->new("127.0.0.1:$self->{subject}")
            or die "no connection to the subject: $!\n"
    } 1 .. $requests;

    exchange($c[0], visit(1));

    my $before = $self->_reads;
    my $start  = time;

    syswrite $_, thanks(1) for @c;

    for my $c (@c) {
        my $answer = exchange($c, '');

        die "the crowd was answered $answer\n"
            unless $answer =~ m{\AHTTP/1.1 402};
    }

    my %crowd = (
        requests => $requests,
        seconds  => time - $start,
        calls    => $self->_reads - $before,
    );

    close $_ for @c;
    $self->_stop($pid);

    return \%crowd;
}


# Reads of payments that the provider has logged.

sub _reads ($self) {
    return scalar split /\n/, $self->_slurp("$self->{dir}/reads.log");
}


sub _callgrind ($self, $name, $n, $out) {
    $self->_run($name, $n, 1, 'valgrind', '-q', '--tool=callgrind',
        '--fair-sched=yes', "--callgrind-out-file=$out");
}


sub _run ($self, $name, $n, $together, @tool) {
    my $subject = $SUBJECTS{$name} // die "no subject \"$name\"\n";

    remove_tree("$self->{dir}/payments");
    $self->{database}->clear if ($subject->{store} // '') eq 'postgresql';
    $self->_write('subject.conf', $self->_configuration($subject));

    my $pid = $self->_start(@tool, $NGINX, '-p', "$self->{dir}/",
        '-c', 'subject.conf');

    $self->_wait_for($self->{subject}, $pid);

    my @c = map {
        IO::Socket::INET->new("127.0.0.1:$self->{subject}")
            or die "no connection to the subject: $!\n"
    } 1 .. $together;

    exchange($c[0], $subject->{before}) if $subject->{before};

    for (my $i = 1; $i <= $n; $i += $together) {
        visit_once($name, \@c, map { [ $subject->{request}->($_) ] }
            $i .. $i + $together - 1);
    }

    close $_ for @c;
    $self->_stop($pid);
}


# Each connection has a list of requests; all send their first one, and so on.

sub visit_once ($name, $connections, @requests) {
    while (@{ $requests[0] }) {
        syswrite $connections->[$_], shift @{ $requests[$_] }
            for 0 .. $#requests;

        for my $c (@$connections) {
            my $answer = exchange($c, '');

            die "\"$name\" answered $answer\n"
                unless $answer =~ m{\AHTTP/1.1 (?:303|200)};
        }
    }
}


sub _configuration ($self, $subject) {
    my $store = $subject->{store};

    return $subject->{configuration}->(@$self{qw(subject provider)})
        if $subject->{configuration};

    my $head = "daemon off;\nuser root;\n"
        . (($store // '') =~ /^lmdb:/ ? 'worker_processes 1;'
            : 'master_process off;');
    $head = "load_module $self->{module};\n$head" if $store;

    if (($store // '') eq 'postgresql') {
        $head =~ s/^load_module .*\n\K/load_module @{[
            $self->{database}->module ]};\n/m;
        $store = $self->{database}->store;
    }

    return $self->_template('subject.conf', {
        HEAD      => $head,
        HTTP      => $store ? $MODULE =~ s/\@STORE\@/$store/r : '',
        SERVER    => $store ? $subject->{shop} // $SHOP : $subject->{server},
    });
}


# One exchange over a kept connection; the answer is read to its end.

sub exchange ($c, $request) {
    my $answer = '';

    syswrite $c, $request;

    while ($answer !~ /\r\n\r\n/) {
        sysread $c, $answer, 65536, length $answer
            or die "the subject closed the connection\n";
    }

    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my $length = $head =~ /^Content-Length: (\d+)/mi ? $1 : 0;

    while (length $body < $length) {
        sysread $c, $body, 65536, length $body
            or die "the subject closed the connection\n";
    }

    return $head;
}


sub _template ($self, $file, $words) {
    my %words = (
        REPO      => $REPO,
        PROVIDER  => $self->{provider},
        SUBJECT   => $self->{subject},
        KEEPALIVE => $self->{keepalive},
    );

    my $text = $self->_slurp("$REPO/bench/conf/$file");

    $text =~ s/\@(HEAD|HTTP|SERVER)\@/$words->{$1}/g;
    $text =~ s/\@([A-Z]+)\@/$words{$1} \/\/ die "no word $1\n"/ge;

    return $text;
}


# All are open at once, so that no two are the same.

sub free_ports ($n) {
    my @open = map {
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
            or die "no free port: $!\n"
    } 1 .. $n;

    return map { $_->sockport } @open;
}


sub _start ($self, @command) {
    my $pid = fork // die "fork: $!\n";

    return $self->{pids}{$pid} = $pid if $pid;

    open STDIN,  '<',  '/dev/null';
    open STDERR, '>>', "$self->{dir}/stderr.log";
    exec @command or POSIX::_exit(127);
}


sub _wait_for ($self, $port, $pid) {
    my $until = time + PATIENCE;

    while (time < $until) {
        return if IO::Socket::INET->new("127.0.0.1:$port");

        die "a server did not start: see $self->{dir}/stderr.log\n"
            if waitpid($pid, WNOHANG) == $pid;

        sleep 0.02;
    }

    die "a server does not listen\n";
}


# strace passes no signal on, so nginx gets it itself; more than once, since
# one that comes just before nginx waits for events is not looked at.

sub _stop ($self, $pid) {
    my ($nginx) = $self->_slurp("$self->{dir}/subject.pid") =~ /(\d+)/;

    my $until = time + PATIENCE;

    until (waitpid($pid, WNOHANG) == $pid) {
        die "the subject does not stop\n" if time > $until;
        kill QUIT => $nginx;
        sleep 0.1;
    }

    delete $self->{pids}{$pid};
}


sub _write ($self, $file, $text) {
    open my $fh, '>', "$self->{dir}/$file" or die "$file: $!\n";
    print $fh $text;
    close $fh;
}


sub _slurp ($self, $file) {
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return <$fh>;
}


sub DESTROY ($self) {
    local $?;

    for my $pid (values %{ $self->{pids} }) {
        kill TERM => $pid;
        waitpid $pid, 0;
    }
}


1;
