package Middle;

# What stands between nginx and a shop, and can go wrong:
#
#     my $middle = Middle->new($shop_port, "$dir/middle");
#     $middle->port;
#     $middle->is('429');     # pass, slow, down, 429, html, half
#
# A connection is treated as it was told when the connection was made: "slow"
# is passed on after 8 seconds, "down" is closed at once, "429" and "html" (a
# 502 page with status 200) are answered here, "half" is the shop's own answer
# that breaks off after 400 bytes.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep);

use Payer::Test ();

my %ANSWER = (
    429  => "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\n"
        . "Content-Length: 0\r\nConnection: close\r\n\r\n",
    html => "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
        . "Connection: close\r\n\r\n<html><h1>502 Bad Gateway</h1></html>",
);


sub new {
    my ($class, $shop, $file) = @_;

    my $self = bless {
        file  => $file,
        shop  => $shop,
        port  => Payer::Test::free_port(),
        owner => $$,
    }, $class;

    $self->is('pass');

    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $self->{port},
        Proto     => 'tcp',
        Listen    => 64,
        ReuseAddr => 1,
    ) or die "cannot listen: $!\n";

    my $pid = fork // die "fork: $!\n";

    $self->_run($socket) unless $pid;
    $self->{pid} = $pid;

    return $self;
}


sub port { $_[0]{port} }


sub is {
    my ($self, $mode) = @_;

    Payer::Test::write_file("$self->{file}.new", $mode, 0600);
    rename "$self->{file}.new", $self->{file} or die "rename: $!\n";
}


sub _run {
    my ($self, $socket) = @_;

    my $parent = $self->{owner};

    # nothing of the test's stays open, such as the pipe whose end ends a
    # database
    POSIX::close($_) for grep { $_ != fileno $socket } 3 .. 255;

    $SIG{CHLD} = 'IGNORE';
    $SIG{ALRM} = sub { getppid == $parent ? alarm 2 : POSIX::_exit(0) };
    alarm 2;

    while (1) {
        my $client = $socket->accept or next;
        my $child  = fork // next;

        next if $child;

        $SIG{ALRM} = sub { POSIX::_exit(0) };
        alarm 60;
        $self->_serve($client);
        POSIX::_exit(0);
    }
}


sub _serve {
    my ($self, $client) = @_;

    open my $fh, '<', $self->{file} or return;
    my $mode = <$fh>;

    return if $mode eq 'down';

    if ($ANSWER{$mode}) {
        sysread $client, my ($request), 65536;
        syswrite $client, $ANSWER{$mode};
        return;
    }

    sleep 8 if $mode eq 'slow';

    my $shop = IO::Socket::INET->new("127.0.0.1:$self->{shop}") or return;

    _relay($client, $shop, $mode eq 'half' ? 400 : 1e9);
}


sub _relay {
    my ($client, $shop, $limit) = @_;

    my $select = IO::Select->new($client, $shop);

    while (1) {
        for my $from ($select->can_read) {
            my $n = sysread $from, my ($bytes), 65536;

            return unless $n;

            if ($from == $shop) {
                $bytes = substr $bytes, 0, $limit;
                $limit -= length $bytes;
            }

            my $to = $from == $shop ? $client : $shop;

            while (length $bytes) {
                my $sent = syswrite $to, $bytes or return;
                substr $bytes, 0, $sent, '';
            }

            return if $limit <= 0;
        }
    }
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@);
    kill 'KILL', $self->{pid} if $self->{pid} && $self->{owner} == $$;
    waitpid $self->{pid}, 0 if $self->{pid} && $self->{owner} == $$;
}

1;
