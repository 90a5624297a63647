package Payer::Cgi;

# A program behind fastcgi_pass, uwsgi_pass and scgi_pass: it tells which it
# is by the first byte, remembers what it got, and answers 200.
#
#     my $port = cgi_start();
#     my $got = cgi_request();    # the last one: { param => {...}, body }
#     cgi_answers('{"a":1}', "X-A: 1\r\n");      # this body from now on

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use JSON::PP ();
use POSIX    ();

use Payer::Test ();

our @EXPORT = qw(cgi_start cgi_request cgi_answers);

my $json = JSON::PP->new->latin1->canonical;
my ($file, $pid, $owner);


sub cgi_start {
    $file = Payer::Test::work_dir() . '/cgi.json';

    my $port   = Payer::Test::free_port();
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Proto     => 'tcp',
        Listen    => 16,
        ReuseAddr => 1,
    ) or die "the program cannot listen: $!\n";

    my $parent = $owner = $$;
    $pid = fork // die "fork: $!\n";

    return $port if $pid;

    $SIG{ALRM} = sub { getppid() == $parent ? alarm 2 : POSIX::_exit(0) };
    alarm 2;

    while (1) {
        my $client = $socket->accept or next;
        eval { _serve($client) };
        close $client;
    }
}


sub cgi_request {
    open my $fh, '<', $file or return {};
    local $/;
    return $json->decode(<$fh>);
}


sub cgi_answers {
    my ($body, $headers) = @_;

    open my $fh, '>', "$file.answer" or die "open: $!\n";
    print $fh $headers // '', "\r\n", $body;
    close $fh;
}


sub _answer {
    open my $fh, '<', "$file.answer" or return "\r\nok";
    local $/;
    return <$fh>;
}


sub _serve {
    my ($client) = @_;

    my $first = _read($client, 1);
    my ($param, $body);

    if ($first eq "\x01") {
        ($param, $body) = _fastcgi($client);

    } elsif ($first eq "\x00") {
        ($param, $body) = _uwsgi($client);

    } else {
        ($param, $body) = _scgi($client, $first);
    }

    open my $fh, '>', "$file.new" or die;
    print $fh $json->encode({ param => $param, body => $body });
    close $fh;
    rename "$file.new", $file;

    my $answer = _answer();
    my $text = "Status: 200 OK\r\nContent-Type: text/plain\r\n$answer";

    if ($first eq "\x01") {
        print $client pack('CCnnCC', 1, 6, 1, length $text, 0, 0), $text,
            pack('CCnnCC', 1, 6, 1, 0, 0, 0),
            pack('CCnnCC', 1, 3, 1, 8, 0, 0), "\0" x 8;
    } elsif ($first eq "\x00") {
        print $client "HTTP/1.0 200 OK\r\n$answer";
    } else {
        print $client $text;
    }
}


sub _read {
    my ($client, $length) = @_;
    my $text = '';

    while (length $text < $length) {
        sysread $client, $text, $length - length $text, length $text
            or die "cut off\n";
    }

    return $text;
}


sub _fastcgi {
    my ($client) = @_;
    my ($params, $body, $head) = ('', '', _read($client, 7));

    while (1) {
        my ($type, undef, $length, $padding) = unpack 'CnnC', $head;
        my $text = _read($client, $length);
        _read($client, $padding);

        $params .= $text if $type == 4;
        last if $type == 5 && $length == 0;
        $body .= $text if $type == 5;

        $head = substr _read($client, 8), 1;
    }

    my %param;

    while (length $params) {
        my @length = map { _length(\$params) } 1 .. 2;
        my $name = substr $params, 0, $length[0], '';
        $param{$name} = substr $params, 0, $length[1], '';
    }

    return (\%param, $body);
}


sub _length {
    my ($text) = @_;

    return unpack 'C', substr $$text, 0, 1, '' if ord $$text < 128;
    return 0x7fffffff & unpack 'N', substr $$text, 0, 4, '';
}


sub _uwsgi {
    my ($client) = @_;

    my $vars = _read($client, unpack 'v', _read($client, 3));
    my %param = unpack '(v/a)*', $vars;

    return (\%param, _read($client, $param{CONTENT_LENGTH} || 0));
}


sub _scgi {
    my ($client, $digits) = @_;

    $digits .= _read($client, 1) until $digits =~ s/:\z//;

    my @pair = split /\0/, _read($client, $digits), -1;
    pop @pair;
    my %param = @pair;
    _read($client, 1);

    return (\%param, _read($client, $param{CONTENT_LENGTH}));
}


END {
    if ($pid && $$ == $owner) {
        my $status = $?;
        kill 'TERM', $pid;
        waitpid $pid, 0;
        $? = $status;
    }
}

1;
