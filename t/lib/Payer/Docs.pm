package Payer::Docs;

# Runs what the documents tell a reader to copy.
#
# In a document an example is a fenced block with its name in a comment in
# front of it, which no reader sees:
#
#     <!-- example: readme -->
#     ```nginx
#     ...
#     ```
#
#     use Payer::Test simulator => 0;
#     use Payer::Docs;
#
#     my $site = serve(example('README.md', 'readme'));
#     my $r = $site->curl('https://shop.example/checkout');
#     $r->{status}, $r->{headers}{location}, $r->{body}
#
# A configuration has to be a complete nginx.conf.  serve() changes in it what
# it says in SUBSTITUTIONS, and nothing else: addresses, ports and paths, so
# that it runs on this machine against the simulator, over TLS that is
# verified.  Commands run unchanged: curl finds the shop's names through a
# .curlrc.

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use POSIX  qw(WNOHANG);
use Socket qw(getaddrinfo getnameinfo NI_NUMERICHOST NI_NUMERICSERV
    SOCK_STREAM AF_INET6);

use Payer::Sim;
use Payer::Test ();

our @EXPORT = qw(document example examples in_conf_d serve status_shop);

my $SHOP = 'shop.example';

# what was started, once for a test file
my (%stage, @servers);


# The text of a document, by its path in the checkout.

sub document {
    my ($file) = @_;

    my $path = Payer::Test::root() . "/$file";

    open my $fh, '<', $path or die "open $path: $!\n";
    local $/;

    return scalar <$fh>;
}


# example('README.md', 'readme'): the text of that block

sub example {
    my ($file, $name) = @_;

    my %examples = examples($file);

    return $examples{$name} // die "$file has no example $name\n";
}


# All examples of a document, by their names.

sub examples {
    my ($file) = @_;

    return document($file)
        =~ /^<!--\s*example:\s*(\S+)\s*-->\n+```\w*\n(.*?)^```$/gms;
}


# A file for conf.d as a complete configuration: what Debian's nginx.conf has
# around it, as far as it matters here.

sub in_conf_d {
    my ($text) = @_;

    return "load_module modules/ngx_http_payer_module.so;\n\nevents { }\n\n"
        . "http {\n$text}\n";
}


# The simulator with TLS, an authority for it and for the shop, the toy shop.

sub _stage {
    return if %stage;

    my $dir = Payer::Test::work_dir() . '/stage';
    my $root = Payer::Test::root();

    remove_tree($dir);
    make_path($dir);

    %stage = (dir => $dir, payer => Payer::Test::free_port());
    _certificates();

    my ($agent, $secret) = Payer::Test::merchant();
    my @tls = map {
        ('--listen', "https://$_:$stage{payer}?cert=$dir/server.pem"
            . "&key=$dir/server.key")
    } _localhost();

    Payer::Sim::start(
        program => "$root/demo/simulator",
        port    => Payer::Test::free_port(),
        agent   => $agent,
        secret  => $secret,
        dir     => $dir,
        args    => [
            @tls,
            '--public-url' => "https://localhost:$stage{payer}",
            '--merchant'   => "4712:$secret",
        ],
    );

    $stage{shop} = Payer::Test::free_port();
    _start('shop', sub { _connects($stage{shop}) }, "$root/demo/shop",
        '--listen', "http://127.0.0.1:$stage{shop}", '--with-parent');
}


# A toy shop that asks for a payment with the status 402: what serve() has to
# change for a configuration to be in front of that one.

sub status_shop {
    _stage();

    $stage{status_shop} //= do {
        my $port = Payer::Test::free_port();

        _start('status-shop', sub { _connects($port) },
            Payer::Test::root() . '/demo/shop', '--status',
            '--listen', "http://127.0.0.1:$port", '--with-parent');
        $port;
    };

    return [ qr/server 127\.0\.0\.1:8081;/,
        "server 127.0.0.1:$stage{status_shop};" ];
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


sub _certificates {
    my $dir = $stage{dir};
    my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes);

    _run("$dir/openssl.log", qw(openssl req -x509), @key,
        '-keyout', "$dir/ca.key", '-out', "$dir/ca.pem",
        qw(-days 2 -subj), '/CN=CA of a test',
        '-addext', 'keyUsage=critical,keyCertSign');

    _run("$dir/openssl.log", qw(openssl req -x509), @key,
        '-keyout', "$dir/server.key", '-out', "$dir/server.pem",
        qw(-days 2 -subj /CN=localhost),
        '-CA', "$dir/ca.pem", '-CAkey', "$dir/ca.key",
        '-addext', "subjectAltName=DNS:localhost,DNS:$SHOP,DNS:*.$SHOP",
        '-addext', 'basicConstraints=critical,CA:FALSE');
}


sub _run {
    my ($log, @command) = @_;

    my $pid = _fork($log, @command);

    waitpid $pid, 0;
    die "@command:\n" . _slurp($log) if $?;
}


sub _fork {
    my ($log, @command) = @_;

    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    open STDIN,  '<',  '/dev/null' or POSIX::_exit(126);
    open STDOUT, '>>', $log        or POSIX::_exit(126);
    open STDERR, '>&', \*STDOUT    or POSIX::_exit(126);

    exec { $command[0] } @command or POSIX::_exit(127);
}


sub _start {
    my ($name, $ready, @command) = @_;

    my $log = "$stage{dir}/$name.log";
    my $pid = _fork($log, @command);
    my $over = 0;

    push @servers, { name => $name, pid => $pid, owner => $$ };

    Payer::Test::wait_until(
        sub { $ready->() || ($over = waitpid($pid, WNOHANG) == $pid) }, 15);

    die "$name did not start:\n" . _slurp($log) if $over || !$ready->();

    return $servers[-1];
}


sub _connects {
    my ($port) = @_;

    return defined IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 2);
}


sub _slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;

    return <$fh> // '';
}


# SUBSTITUTIONS: what serve() changes.  Each is a pattern and its replacement.

sub _substitutions {
    my ($site) = @_;

    my $dir = $site->{dir};
    my $module = $ENV{TEST_NGINX_LOAD_MODULES};

    return (
        # the module that was built, unless it is built in
        [ qr/^load_module modules\/ngx_http_payer_module\.so;/m,
            join ' ', map {"load_module $_;"} split ' ', $module ],

        # a checkout below /root is readable for root only
        [ qr/^user +www-data;[^\n]*\n/m, '' ],

        # the shop's configuration and data
        [ qr{/etc/nginx/},     "$dir/" ],
        [ qr{/var/lib/nginx/}, "$dir/" ],

        # Payer, live and for tests
        [ qr/server (?:stage-)?b2b\.payer\.se:443;/,
            "server localhost:$stage{payer};" ],

        # the shop, and where nginx listens
        [ qr/server 127\.0\.0\.1:8081;/, "server 127.0.0.1:$stage{shop};" ],
        [ qr/listen 443 ssl\b/, "listen 127.0.0.1:$site->{tls} ssl" ],
        [ qr/listen 80\b/, "listen 127.0.0.1:$site->{plain}" ],

        # files that nginx itself writes
        [ qr/^http \{\n/m, "http {\n    access_log off;\n"
            . join '', map { "    ${_}_temp_path $dir/temp;\n" }
            qw(client_body proxy fastcgi uwsgi scgi) ],
    );
}


# serve($text, [pattern, replacement] ...): nginx with this configuration.
# Further substitutions are for what an example leaves to the reader; each
# must find something to do.

sub serve {
    my ($text, @more) = @_;

    _stage();

    my $n = ++$stage{sites};
    my $dir = "$stage{dir}/site$n";

    make_path($dir);

    my $site = bless {
        dir   => $dir,
        tls   => Payer::Test::free_port(),
        plain => Payer::Test::free_port(),
    }, __PACKAGE__;

    for my $change (@more) {
        my ($pattern, $replacement) = @$change;
        $text =~ s/$pattern/$replacement/g
            or die "there is no $pattern in the example\n";
    }

    for my $change (_substitutions($site)) {
        my ($pattern, $replacement) = @$change;
        $text =~ s/$pattern/$replacement/g;
    }

    _files($site, $text);
    $site->{nginx} = _serve($site, $text, "nginx$n");

    return $site;
}


# What the configuration reads: certificates, secrets, the shipped include
# with the line that names the authorities changed, as it asks for.

sub _files {
    my ($site, $text) = @_;

    my $dir = $site->{dir};
    my (undef, $secret) = Payer::Test::merchant();
    my $api = document('conf/payer_api.conf');

    $api =~ s{^(proxy_ssl_trusted_certificate\s+)[^;]+;}{$1$stage{dir}/ca.pem;}m
        or die "conf/payer_api.conf has no line for the authorities\n";

    Payer::Test::write_file("$dir/payer_api.conf", $api);
    Payer::Test::write_file("$dir/nginx.conf", $text);

    Payer::Test::write_file($_, "$secret\n", 0600)
        for $text =~ /payer_client_secret_file\s+([^;\s]+);/g;

    for ($text =~ /ssl_certificate(?:_key)?\s+([^;\s]+);/g) {
        my $from = /\.key$/ ? 'server.key' : 'server.pem';
        Payer::Test::write_file($_, _slurp("$stage{dir}/$from"), 0600);
    }

    Payer::Test::write_file("$dir/.curlrc", join '',
        "cacert = $stage{dir}/ca.pem\n",
        map { "connect-to = $_\n" } "$SHOP:443:127.0.0.1:$site->{tls}",
        "$SHOP:80:127.0.0.1:$site->{plain}");
}


sub _serve {
    my ($site, $text, $name) = @_;

    my $dir = $site->{dir};

    my $user = $> == 0 ? ' user root root;' : '';

    my @nginx = ($ENV{TEST_NGINX_BINARY}, '-p', $dir, '-c', "$dir/nginx.conf",
        '-e', "$dir/error.log");
    my @ports = ($text =~ /listen 127\.0\.0\.1:(\d+)/g);

    $site->{error_log} = "$dir/error.log";

    return _start($name, sub { @ports == grep { _connects($_) } @ports },
        @nginx, '-g', "daemon off; pid $dir/nginx.pid;"
            . " error_log $dir/error.log info;$user");
}


# curl($url, @options) as a buyer, a shop or a back office would call it

sub curl {
    my ($site, $url, @options) = @_;

    my $dir = $site->{dir};

    unlink "$dir/headers", "$dir/body";

    local $ENV{CURL_HOME} = $dir;
    my $status = system 'curl', '-sS', '-D', "$dir/headers",
        '-o', "$dir/body", @options, $url;

    die "curl @options $url: exit status $status\n" if $status;

    return _reply("$dir/headers", "$dir/body");
}


sub _reply {
    my ($head, $body) = @_;

    my $text = _slurp($head);
    my ($version, $status) = $text =~ m{\AHTTP/([\d.]+) (\d+)};
    my %headers;

    while ($text =~ /^([^:\s]+):[ \t]*([^\r\n]*)/gm) {
        $headers{ lc $1 } = $2;
    }

    return {
        version => $version, status => $status, headers => \%headers,
        body    => _slurp($body), head => $text
    };
}


# shell($command): what the reader types, unchanged; its output, and in $? how
# it ended

sub shell {
    my ($site, $command) = @_;

    local $ENV{CURL_HOME} = $site->{dir};
    chdir $site->{dir} or die "chdir: $!\n";
    my $output = `($command) 2>&1`;
    my $status = $?;
    chdir Payer::Test::root();
    $? = $status;

    return $output;
}


sub dir { $_[0]{dir} }

sub log { _slurp($_[0]{error_log}) }


sub reload {
    my ($site) = @_;

    kill 'HUP', $site->{nginx}{pid};
}


sub stop {
    my ($site) = @_;

    _stop($site->{nginx});
}


sub _stop {
    my ($server) = @_;

    return unless $server->{pid} && $server->{owner} == $$;

    for my $signal (qw(QUIT TERM KILL)) {
        kill $signal, $server->{pid};
        last if Payer::Test::wait_until(
            sub { waitpid($server->{pid}, WNOHANG) != 0 },
            $signal eq 'QUIT' ? 3 : 5);
    }

    delete $server->{pid};
}


END {
    local $?;
    _stop($_) for reverse @servers;
}

1;
