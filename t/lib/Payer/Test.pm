package Payer::Test;

# What every test file uses:
#
#     use lib 't/lib';
#     use Payer::Test;
#
#     run_payer_tests();
#
#     __DATA__
#
#     === TEST 1: a first visit makes a link and sends the buyer to it
#     --- config
#         location = /checkout {
#             payer_checkout;
#             payer_reference  $arg_order public;
#             ...
#         }
#     --- request
#     GET /checkout?order=1001
#     --- error_code: 303
#     --- calls
#     token: 1
#     create: 1
#
# Test::Nginx does the rest; what it exports is there as well.  Each file has
# ports, a server root and a simulator of its own, so that files can run in
# parallel, also twice at the same time in one tree.  What a run leaves to
# look at is in build/t/NAME/.
#
# Each block gets the zone, the memory store (PAYER_TEST_STORE=lmdb: a fresh
# LMDB store; postgresql: a server for the file, emptied), the upstream of the simulator, the merchant and the API
# location, unless it says --- bare.  The simulator
# starts each block with empty books.  Sections beside those of Test::Nginx:
#
#     --- bare                nothing in nginx.conf that the block did not say
#     --- before              Perl, run before nginx starts
#     --- faults              what the simulator does wrong:
#                                 create: lost-reply
#                                 read: status=503 times=2
#     --- json                fields of the answer against regular expressions:
#                                 status: ^400$
#                                 detail: amount
#     --- then                Perl, run after the request and before what
#                             follows here is checked
#     --- calls               exactly these calls reached Payer, no others:
#                                 token: 1
#                                 create: 1
#                             or --- calls: none
#     --- sent                what a call carried (request line, headers, body)
#                             against regular expressions; ! for "none did":
#                                 create: "currencyCode":"SEK"
#                                 !create: ^Cookie:
#     --- books               what Payer knows of an order:
#                                 1001: status=INITIATED amount=12900 links=1
#     --- after               Perl, run while nginx still runs
#     --- alert               this regular expression has to appear as [alert] or
#                             [emerg] in the log; any other one fails the test
#
# Perl in a block and in a file can use the functions exported below.

use strict;
use warnings;

use Cwd qw(abs_path);
use Fcntl          qw(:flock);
use File::Basename qw(dirname);
use File::Path     qw(make_path remove_tree);
use File::Temp     qw(tempdir);
use IO::Socket::INET;
use JSON::PP ();
use POSIX    ();
use Time::HiRes qw(sleep time);

use Payer::Front qw(at_once_over front_of use_front);
use Payer::HTTP qw(at_once);
use Payer::Sim;

BEGIN { Payer::Sim->import(@Payer::Sim::EXPORT_OK) }

my @EXPORT = qw(
    run_payer_tests wait_until
    request get post together
    payer_http payer_server merchant
    nginx_port nginx_pid worker_pids reload error_log_path
    error_log_text     root work_dir write_file free_port
);

my ($agent, $secret) = ('4711', 'api-key-of-the-test-merchant');

# the checkout, this file's directory, its locks, and what it was told
my ($root, $dir, @locks, %option);

my $test_base;

# how this block is asked: over http2, http3, or as usual
my $front;


# use Payer::Test; use Payer::Test simulator => 0;

sub import {
    (undef, %option) = (@_);
    my $caller = caller;

    %option = (simulator => 1, %option);

    if (!$test_base) {
        _prepare();
        $test_base = 1;
    }

    # Reads __DATA__ of whoever imports it, so it must be they who do.
    eval "package $caller; use Test::Nginx::Socket; 1"
        or _give_up("Test::Nginx does not load (run make test): $@");

    _soften_test_nginx();

    no strict 'refs';
    *{"${caller}::$_"} = \&{$_} for @EXPORT;
    *{"${caller}::$_"} = \&{"Payer::Sim::$_"} for @Payer::Sim::EXPORT_OK;
}


# Before a plan is made, so that the file as a whole fails.

sub _give_up {
    my ($why) = @_;

    print STDERR "# $_\n" for split /\n/, $why;
    POSIX::_exit(255) if $^S && !$test_base && !defined $dir;
    exit 255;
}


sub _prepare {
    _find_root();
    _make_work_dir();

    my $fetched = "$root/build/test-nginx/usr/share/perl5";
    push @INC, $fetched if -d $fetched;

    _settle_environment();
    _check_module();

    write_file('payer.secret', "$secret\n", 0600);
    use_front();

    return unless $option{simulator};

    my $port = $ENV{TEST_NGINX_SIM_PORT} = free_port();

    eval {
        Payer::Sim::start(
            program => "$root/demo/simulator",
            port    => $port,
            agent   => $agent,
            secret  => $secret,
            dir     => $dir,
        );
        1;
    } or _give_up($@);
}


# Test::Nginx puts paths into shell commands and into nginx.conf without
# quoting them: where the checkout's own path does not bear that, everything
# goes through a link that does.

sub _find_root {
    $root = abs_path(dirname(__FILE__) . '/../../..');

    return if $root =~ m{\A[\w./+:\@%=,-]+\z}a;

    my $safe = tempdir('payer-test-XXXXXX', TMPDIR => 1, CLEANUP => 1);

    symlink $root, "$safe/root" or _give_up("symlink $safe/root: $!");
    $root = "$safe/root";
}


sub _make_work_dir {
    my $name = $0;

    $name =~ s{\A\Q$root\E/|\A(?:\./)*}{};
    $name =~ s{\At/}{};
    $name =~ s{\.t\z}{};
    $name =~ s{[^\w.-]+}{-}ga;

    # The first one that nobody else is using just now.
    for my $n (1 .. 50) {
        my $try = "$root/build/t/$name" . ($n > 1 ? ".$n" : '');

        make_path($try);

        if (_lock("$try/lock")) {
            $dir = $try;
            return;
        }
    }

    _give_up("build/t/$name: all work directories are in use");
}


sub _lock {
    my ($file) = @_;

    open my $fh, '>', $file or _give_up("open $file: $!");
    flock $fh, LOCK_EX | LOCK_NB or return 0;

    push @locks, $fh;
    return 1;
}


sub _settle_environment {
    $ENV{TEST_NGINX_BINARY} ||= -x '/usr/sbin/nginx'
        ? '/usr/sbin/nginx' : 'nginx';
    $ENV{TEST_NGINX_SERVROOT} = "$dir/servroot";
    $ENV{TEST_NGINX_SERVER_PORT} = free_port();
    $ENV{TEST_NGINX_TIMEOUT} ||= 5;

    # what blocks may refer to
    $ENV{TEST_NGINX_ROOT}   = $root;
    $ENV{TEST_NGINX_DIR}    = $dir;
    $ENV{TEST_NGINX_SECRET} = "$dir/payer.secret";
    $ENV{TEST_NGINX_AGENT}  = $agent;

    # nginx takes this for the sockets that it inherits from another nginx,
    # and then waits in the foreground.
    delete $ENV{NGINX};

    # A proxy that this machine may need has no business on the loopback.
    delete @ENV{qw(http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY
        ALL_PROXY)};
}


# A module that is missing or that this nginx refuses is a failure, and said
# at once: Test::Nginx alone would try to start it for half a minute.

sub _check_module {
    my $module = $ENV{PAYER_MODULE} // "$root/build/ngx_http_payer_module.so";

    # built into the binary
    $module = '' if $module eq 'static';

    if ($module ne '') {
        $module =~ m{^/} or $module = "$root/$module";

        -e $module
            or _give_up("$module is not there: run make before the tests");

        if ($module !~ m{\A[\w./+:\@%=,-]+\z}a) {
            unlink "$dir/module.so";
            symlink $module, "$dir/module.so"
                or _give_up("symlink $dir/module.so: $!");
            $module = "$dir/module.so";
        }
    }

    $ENV{TEST_NGINX_LOAD_MODULES} = $module;

    if (($ENV{PAYER_TEST_STORE} // '') eq 'postgresql') {
        $ENV{TEST_NGINX_LOAD_MODULES}
            .= " $root/build/ngx_http_payer_postgres_module.so";
    }

    _answer_later();

    my $load = $module ne '' ? "load_module $module;\n" : '';
    my $conf = write_file('check.conf', <<"EOF");
${load}error_log stderr;
pid $dir/check.pid;
events { }
http {
    access_log off;
    client_body_temp_path $dir/check_temp;
    proxy_temp_path $dir/check_temp;
    fastcgi_temp_path $dir/check_temp;
    uwsgi_temp_path $dir/check_temp;
    scgi_temp_path $dir/check_temp;
    payer_zone payer 1m;
    payer_store memory;
}
EOF

    # No path in here needs quoting, see _find_root().
    my $said = `$ENV{TEST_NGINX_BINARY} -t -p $dir -e stderr -c $conf 2>&1`;

    $? == 0 or _give_up("$ENV{TEST_NGINX_BINARY} does not take the module"
            . ($module ne '' ? " $module" : '') . ":\n$said");
}


# PAYER_TEST_LATE: a store that answers later stands before that of each block
# (t/late/).

sub _answer_later {
    return unless $ENV{PAYER_TEST_LATE} || $ENV{PAYER_TEST_STALL};

    chomp(my $late = `$root/t/late/build`);
    -e $late or _give_up('t/late/build failed');

    $ENV{TEST_NGINX_LOAD_MODULES} .= " $late";
}


# Makes two habits of Test::Nginx gentler.  bail_out() would end the whole run
# for one broken block: it ends this file.  And a configuration that nginx
# refuses would be tried for half a minute: Test::Nginx sleeps between the
# tries, so that is where we look whether there is a use in going on.

sub _soften_test_nginx {
    no warnings qw(redefine prototype);

    my $bail = sub (@) {
        Test::More::diag(join '', @_);
        Test::More::fail('nginx could not be tested');
        exit 255;
    };

    *Test::Nginx::Util::bail_out   = $bail;
    *Test::Nginx::Socket::bail_out = $bail;

    *Test::Nginx::Util::sleep = sub (;@) {
        my ($seconds) = @_;

        if ($seconds >= 0.1 && !-e $Test::Nginx::Util::PidFile) {
            my @why = grep { /\[emerg\]/ && !/Address already in use/ }
                split /^/, error_log_text();

            $bail->('nginx refuses the configuration: ', @why) if @why;
        }

        return Time::HiRes::sleep($seconds);
    };

    # It warns of each [emerg] although the block said must_die, and of files
    # whose names it cannot make part of the name of a report.
    $SIG{__WARN__} = sub {
        warn @_ unless $_[0] =~ /^WARNING: .*\[emerg\]|^unknown log name:/;
    };
}


sub root { $root }

sub work_dir { $dir }


# write_file('name', $content, 0600) in this file's directory; returns the path

sub write_file {
    my ($name, $content, $mode) = @_;

    my $path = $name =~ m{^/} ? $name : "$dir/$name";

    unlink $path;

    my $mask = umask 077;
    open my $fh, '>', $path or die "open $path: $!\n";
    umask $mask;

    print $fh $content;
    close $fh or die "write $path: $!\n";
    chmod $mode // 0644, $path or die "chmod $path: $!\n";

    return $path;
}


# A port on which nobody listens and which no other test file will be given.
# Below the range that the kernel uses for outgoing connections.

sub free_port {
    my $ports = sprintf '%s/payer-test-ports-%d', File::Spec->tmpdir, $>;

    make_path($ports);

    for (1 .. 500) {
        my $port = 10000 + int rand 20000;

        next unless _lock("$ports/$port");

        my $socket = IO::Socket::INET->new(
            LocalPort => $port,
            Proto     => 'tcp',
            Listen    => 1,
        ) or next;

        close $socket;
        return $port;
    }

    die "there is no free port\n";
}


# The configuration that each block starts from.

sub merchant { return ($agent, $secret) }


sub payer_http {
    my $kind = $ENV{PAYER_TEST_STORE} // 'memory';
    my $store = $kind eq 'lmdb' ? "lmdb:$dir/payments"
              : $kind eq 'postgresql' ? _database() : 'memory';

    return <<"EOF";
    payer_zone   payer 1m;
    payer_store  $store;

    upstream payer {
        server     127.0.0.1:$ENV{TEST_NGINX_SIM_PORT};
        keepalive  16;
    }
EOF
}


# A server for the whole file; what the block before left in it is deleted.

my $database;

sub _database {
    if (!$database) {
        require Payer::Postgres;
        $database = Payer::Postgres->new(schema => "$root/ngx_http_payer_module"
                . '/store/postgresql/schema.sql');
    }

    $database->sql('TRUNCATE payer.entry');
    $database->sql('UPDATE payer.format SET host = NULL');

    return $database->store(through => 'port') . ' durability=engine'
        . ' password_file=' . $database->password_file;
}


sub payer_server {
    return <<"EOF";
        payer_api                 /_payer;
        payer_client_id           $agent;
        payer_client_secret_file  $dir/payer.secret;
        payer_insecure_upstream   on;

        location /_payer/ {
            internal;
            include     $root/conf/payer_api.conf;
            proxy_pass  http://payer/;
        }
EOF
}


sub run_payer_tests {
    Test::Nginx::Util::no_shuffle();
    Test::Nginx::Util::worker_connections(512);
    Test::Nginx::Socket::add_block_preprocessor(\&_before_block);
    Test::Nginx::Socket::add_response_body_check(\&_check_json);
    Test::Nginx::Socket::add_test_cleanup_handler(\&_after_block);

    # Blocks bring different numbers of checks.
    Test::More::plan('no_plan');
    Test::Nginx::Util::run_tests();
}


my @OURS = qw(bare before faults json then calls sent books after alert);

my %known;


# For a library on top of this one that has sections of its own.

sub know_sections { push @OURS, @_ }


# A check under a misspelt name would be no check.  What Test::Nginx knows is
# what it asks a block for.

sub _check_sections {
    my ($block) = @_;

    if (!%known) {
        %known = map { $_ => 1 } @OURS, qw(name description ONLY SKIP LAST);

        for my $module (qw(Util Socket)) {
            open my $fh, '<', $INC{"Test/Nginx/$module.pm"} or next;
            local $/;
            my $source = <$fh>;
            $known{$_} = 1 for $source =~ /\bblock->(\w+)/g;
        }
    }

    for my $section (@{ $block->_section_order }) {
        Test::More::fail($block->name . " - section $section is unknown")
            unless $known{$section};
    }
}


sub _before_block {
    my ($block) = @_;

    _check_sections($block);
    $front = front_of($block);
    sim_reset() if $option{simulator};
    remove_tree("$dir/payments");

    my $bare = defined $block->bare || !$option{simulator};

    Test::Nginx::Util::config_preamble($bare ? '' : payer_server());

    if (!$bare) {
        my $own = $block->http_config // '';
        $block->set_value('http_config', payer_http() . $own);
    }

    # What nginx says when it starts is in the log as well, and checked there.
    $block->set_value('suppress_stderr', 1) unless $ENV{TEST_NGINX_VERBOSE};

    _perl($block, 'before');

    if (defined $block->faults) {
        my $name = $block->name;

        eval { Payer::Sim::faults($block->faults); 1 }
            or Test::More::fail("$name - faults: $@");
    }
}


sub _perl {
    my ($block, $section) = @_;

    my $code = $block->$section;
    return unless defined $code;

    my $name = $block->name;

    eval "package main; no strict;\n#line 1 \"$name, $section\"\n$code\n; 1"
        or Test::More::fail("$name - $section: $@");
}


sub _after_block {
    my ($block) = @_;
    my $name = $block->name;

    _perl($block, 'then');
    _check_calls($name, $block->calls);
    _check_sent($name, $block->sent);
    _check_books($name, $block->books);
    _perl($block, 'after');
    _stop_nginx($name, $block->alert);
}


# The lines "name: value" of a section.

sub _lines {
    my ($text) = @_;

    return map {
        /^\s*([^:]+?)\s*:\s*(.*?)\s*$/
            or die qq{cannot read the line "$_"\n};
        [ $1, $2 ];
    } grep { /\S/ } split /\n/, $text;
}


sub _check_json {
    my ($block, $body) = @_;

    return unless defined $block->json;

    my $name = $block->name;
    my $data = eval { JSON::PP->new->utf8->decode($body) };

    if (!ref $data) {
        Test::More::fail("$name - the answer is JSON");
        Test::More::diag($body);
        return;
    }

    for my $line (_lines($block->json)) {
        my ($path, $pattern) = @$line;
        my $value = $data;

        my $there = 1;

        for my $field (split /\./, $path) {
            $there &&= ref $value eq 'HASH' && exists $value->{$field};
            $value = $there ? $value->{$field} : undef;
        }

        if (!$there) {
            Test::More::fail("$name - $path of the answer is there");
            Test::More::diag($body);
            next;
        }

        $value = JSON::PP->new->canonical->allow_nonref->encode($value)
            if !defined $value || ref $value;

        Test::More::like($value, qr/$pattern/, "$name - $path of the answer");
    }
}


sub _check_calls {
    my ($name, $text) = @_;

    return unless defined $text;

    my %expected = map { $_->[0] => 0 + $_->[1] }
        $text =~ /^\s*none\s*$/ ? () : _lines($text);

    # A call may still be on its way when the answer is there.
    my $same = sub { _flat(calls()) eq _flat(\%expected) };

    wait_until($same, 2);
    Test::More::is(_flat(calls()), _flat(\%expected), "$name - calls");
}


sub _flat {
    my ($count) = @_;
    return join ' ', map { "$_: $count->{$_}" } sort grep { $count->{$_} }
        keys %$count;
}


sub _check_sent {
    my ($name, $text) = @_;

    return unless defined $text;

    for my $line (_lines($text)) {
        my ($call, $pattern) = @$line;
        my $none = $call =~ s/^!//;
        my @sent = sent($call);
        my $hits = grep { /$pattern/m } @sent;

        Test::More::ok($none ? $hits == 0 : $hits > 0,
            "$name - $call was sent " . ($none ? 'without' : 'with')
                . " $pattern")
            or Test::More::diag(@sent ? @sent : "no call $call was seen");
    }
}


sub _check_books {
    my ($name, $text) = @_;

    return unless defined $text;

    for my $line (_lines($text)) {
        my ($reference, $fields) = @$line;
        my $books = books($reference) // { links => 0 };

        for my $word (split ' ', $fields) {
            my ($field, $value) = split /=/, $word, 2;

            Test::More::is($books->{$field}, $value,
                "$name - Payer's $field of order $reference");
        }
    }
}


# Stops nginx in peace, and then looks at what it said: a connection left
# open, a worker that died and the like are found in no answer.

sub _stop_nginx {
    my ($name, $expected) = @_;

    return if $ENV{TEST_NGINX_USE_HUP} || $ENV{TEST_NGINX_USE_VALGRIND};

    my $pid = nginx_pid();

    if ($pid) {
        my $gone = sub { !_alive($pid) };

        kill 'QUIT', $pid;

        # It waits for requests that wait for a silent Payer; we do not.
        if (!wait_until($gone, 2)) {
            kill 'TERM', $pid;
            wait_until($gone, 10) or kill 'KILL', $pid;
        }
    }

    my @alerts = grep { /\[(?:alert|emerg)\]/ } split /^/, error_log_text();

    # A worker that a test killed may have held the zone's lock, which nginx
    # takes back; the death itself is an alert that the test has to expect.
    @alerts = grep { !/shared memory zone "\w+" was locked by \d+/ } @alerts;

    if (defined $expected) {
        Test::More::ok(scalar(grep { /$expected/ } @alerts),
            "$name - nginx logs the alert");
        @alerts = grep { !/$expected/ } @alerts;

    } elsif (!$pid) {
        # It never ran: what it said is what the block is about.
        return;
    }

    return unless @alerts;

    Test::More::fail("$name - nginx raised an alert");
    Test::More::diag(@alerts);
}


# Requests to the nginx of the block: see Payer::HTTP for options and answers.

sub nginx_port { return $Test::Nginx::Util::ServerPort }

sub request { return (together([@_]))[0] }

sub get { return request('GET', @_) }

sub post { return request('POST', @_) }

# together([ GET => '/a' ], [ POST => '/b', json => {} ]): together
sub together {
    return at_once_over($front, nginx_port(), @_) if $front;
    return at_once(nginx_port(), @_);
}


sub nginx_pid {
    open my $fh, '<', $Test::Nginx::Util::PidFile or return undef;
    my $pid = <$fh> // return undef;
    chomp $pid;

    return $pid =~ /^\d+$/ && _alive($pid) ? $pid : undef;
}


# A zombie is not: where no init reaps them, they stay.

sub _alive {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 0;
    return (<$fh> // '') =~ /^\d+ \(.*\) [^ZX]/s;
}


# The processes that serve: the master itself when it has no workers.

sub worker_pids {
    my $master = nginx_pid() // return;
    my @workers;

    for my $file (glob '/proc/[0-9]*/stat') {
        open my $fh, '<', $file or next;
        my ($pid, $parent) = (<$fh> // '') =~ /^(\d+) \(.*\) [^ZX] (\d+)/s
            or next;
        push @workers, $pid if $parent == $master;
    }

    @workers = sort { $a <=> $b } @workers;

    return @workers ? @workers : $master;
}


# Needs master_on().  Returns when all workers are new ones.

sub reload {
    my %old = map { $_ => 1 } worker_pids();

    kill 'HUP', nginx_pid() // die "nginx does not run\n";

    return wait_until(
        sub {
            my @now = worker_pids();
            return @now == keys %old && !grep { $old{$_} } @now;
        },
        10
    ) || die "the reload did not finish\n";
}


sub error_log_path { return $Test::Nginx::Util::ErrLogFile }


sub error_log_text {
    open my $fh, '<', error_log_path() or return '';
    local $/;
    return <$fh> // '';
}


# wait_until(sub { ... }, 5): true as soon as the condition holds, false when
# it did not within so many seconds

sub wait_until {
    my ($condition, $seconds) = @_;
    my $end = time + ($seconds // 5) * _slowness();

    while (1) {
        my $result = $condition->();
        return $result if $result;
        return 0 if time >= $end;
        sleep 0.02;
    }
}


# How much longer things may take where nginx is instrumented.

sub _slowness { return $ENV{PAYER_TEST_SLOW} // 1 }

1;
