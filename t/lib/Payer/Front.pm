package Payer::Front;

# Requests over HTTP/2 and HTTP/3, made by curl, with the answers that
# Payer::HTTP gives.
#
#     my ($r) = at_once_over('http2', $port, [ GET => '/path', %options ]);
#
# http2 is without TLS, https2 with it, chosen by ALPN; https2 and http3 do not
# look at the certificate.  PAYER_CURL is a curl that speaks HTTP/3; without it,
# the curl of this machine may.
#
# With PAYER_TEST_FRONT=http2 or http3 whole test files ask that way: see
# use_front().

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use POSIX ();
use Time::HiRes qw(sleep time);

use Payer::Cert;
use Payer::HTTP ();

our @EXPORT_OK = qw(at_once_over front_of has_http3 use_front);

my $curl = $ENV{PAYER_CURL} // 'curl';

my %flags = (
    http2 => ['--http2-prior-knowledge'],
    https2 => [ '--http2', '--insecure' ],
    http3 => [ '--http3-only', '--insecure' ],
);


# Whether this nginx listens to HTTP/3, and this curl speaks it.

sub has_http3 {
    return (`$ENV{TEST_NGINX_BINARY} -V 2>&1` // '') =~ /--with-http_v3_module/
        && `$curl -V` =~ /^Features:.* HTTP3/m;
}


# Before Test::Nginx is loaded: it has modes like these of its own, for the
# requests that it makes.

sub use_front {
    my $front = $ENV{PAYER_TEST_FRONT} // return;

    die "PAYER_TEST_FRONT: neither http2 nor http3\n"
        unless $front =~ /^http[23]$/;

    $ENV{PATH} = dirname($curl) . ":$ENV{PATH}" if $curl =~ m{/};

    if ($front eq 'http2') {
        $ENV{TEST_NGINX_USE_HTTP2} = 1;
        return;
    }

    certificate('localhost');
    $ENV{TEST_NGINX_USE_HTTP3} = 1;
    $ENV{TEST_NGINX_HTTP3_CRT} = "$ENV{TEST_NGINX_DIR}/localhost.pem";
    $ENV{TEST_NGINX_HTTP3_KEY} = "$ENV{TEST_NGINX_DIR}/localhost.key";
}


# The front of a block, undef for HTTP/1.1: some blocks need that.

sub front_of {
    my ($block) = @_;

    my $front = $ENV{PAYER_TEST_FRONT} // return undef;

    # It takes nginx 1.22 for one that knows the directive "http2".
    $Test::Nginx::Util::NginxVersion = '1.019008'
        if $Test::Nginx::Util::NginxVersion < 1.025001;

    my $used = $front eq 'http2'
             ? Test::Nginx::Util::use_http2($block)
             : Test::Nginx::Util::use_http3($block);

    return $used ? $front : undef;
}


sub at_once_over {
    my ($front, $port, @requests) = @_;

    my @calls = map { _start($front, $port, @$_) } @requests;

    while (my @open = grep { !defined $_->{exit} } @calls) {
        for my $call (@open) {
            waitpid($call->{pid}, POSIX::WNOHANG()) or next;
            $call->{exit} = $? >> 8;
            $call->{time} = time - $call->{start};
        }

        sleep 0.005;
    }

    return map { _answer($_) } @calls;
}


my $serial = 0;

sub _start {
    my ($front, $port, $method, $path, %option) = @_;

    my $file = "$ENV{TEST_NGINX_DIR}/curl." . ++$serial;
    my $scheme = $front eq 'http2' ? 'http' : 'https';
    my $unknown_length = delete $option{chunked};
    my ($body, %headers) = Payer::HTTP::body_and_headers(%option);

    my @command = ($curl, @{ $flags{$front} }, qw(-s -i -g --path-as-is),
        '-o', "$file.got", '-m', $option{hang_up} // $option{timeout} // 10);

    push @command, $method eq 'HEAD' ? '-I' : ('-X', $method);

    # What curl would add, unless the caller has it.
    %headers = ('User-Agent' => '', Accept => '', %headers);

    if (defined $body) {
        utf8::encode($body) if utf8::is_utf8($body);
        Payer::Test::write_file("$file.body", $body);
        push @command, '--data-binary', "\@$file.body";
        $headers{'Content-Type'} //= '';
    }

    # Not of these protocols; curl takes the last one as a word to itself.
    delete @headers{qw(Connection Content-Length)};
    $headers{'Transfer-Encoding'} = 'chunked' if $unknown_length;

    push @command, map { ('-H', "$_: $headers{$_}") } sort keys %headers;
    push @command, "$scheme://127.0.0.1:$port$path";

    my $start = time;
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    return {
        pid => $pid,
        file => $file,
        start => $start,
        method => $method,
        hang_up => $option{hang_up},
    };
}


sub _answer {
    my ($call) = @_;

    die "$curl does not run\n" if $call->{exit} == 127;

    if (open my $fh, '<', "$call->{file}.got") {
        local $/;
        $call->{got} = <$fh>;
    }

    unlink map { "$call->{file}.$_" } qw(got body);
    $call->{got} //= '';

    my $error = $call->{exit} == 28
              ? (defined $call->{hang_up} ? 'hung up' : 'timed out')
              : 'truncated';

    $call->{error} = $error if $call->{exit} != 0;

    return Payer::HTTP::response($call);
}

1;
