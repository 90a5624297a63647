package Payer::Shop;

# A shop behind nginx that remembers each request and answers as it is told:
#
#     use Payer::Shop;
#     $ENV{TEST_NGINX_SHOP_PORT} = shop_start();
#
#     shop_answers('500', 'delay=0.3 204', 'cut', 'close');
#     my @r = shop_requests();    # { line, headers (a list of pairs), body,
#                                 # answer }
#     shop_reset();               # forget them; each answer is 204 again
#
# Each request takes the next answer, the last one is repeated.  "cut" is a
# 200 that breaks off in the body, "close" no answer at all, "json {...}" and
# "html <p>..." are a 200 with that body, "json=201 {...}" has another status,
# "page 70000 a <b>1</b>" is a page of so many bytes that ends like this.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl    qw(:flock);
use IO::Socket::INET;
use JSON::PP ();
use POSIX    ();
use Time::HiRes qw(sleep);

use Payer::Test ();

our @EXPORT = qw(shop_start shop_answers shop_requests shop_reset);

my $json = JSON::PP->new->utf8->canonical;
my ($log, $plan, $pid, $owner);


# Returns the port on which the shop listens.

sub shop_start {
    $log  = Payer::Test::work_dir() . '/shop.log';
    $plan = Payer::Test::work_dir() . '/shop.plan';

    shop_reset();

    my $port   = Payer::Test::free_port();
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Proto     => 'tcp',
        Listen    => 64,
        ReuseAddr => 1,
    ) or die "the shop cannot listen: $!\n";

    my $parent = $$;
    $pid   = fork // die "fork: $!\n";
    $owner = $parent;

    if ($pid == 0) {
        $SIG{CHLD} = 'IGNORE';
        $SIG{ALRM} = sub { getppid() == $parent ? alarm 2 : POSIX::_exit(0) };
        alarm 2;

        while (1) {
            my $client = $socket->accept or next;
            my $child  = fork // next;

            next if $child;

            $SIG{ALRM} = sub { POSIX::_exit(0) };
            alarm 20;
            _serve($client);
            POSIX::_exit(0);
        }
    }

    close $socket;
    return $port;
}


sub shop_answers {
    my (@answers) = @_;

    _rewrite($plan, sub { map {"$_\n"} @answers });
}


sub shop_requests {
    open my $fh, '<', $log or return;

    # the last line may not be complete yet
    return map { $json->decode($_) } grep {/\n\z/} <$fh>;
}


sub shop_reset {
    shop_answers('204');
    _rewrite($log, sub { () });
}


# Changes the lines of a file in one piece.

sub _rewrite {
    my ($file, $change) = @_;

    open my $fh, '+>>', $file or die "open $file: $!\n";
    flock $fh, LOCK_EX;
    seek $fh, 0, 0;

    my @lines = $change->(<$fh>);

    truncate $fh, 0;
    print $fh @lines;
    close $fh or die "write $file: $!\n";
}


sub _serve {
    my ($client) = @_;
    my $bytes = '';

    while ($bytes !~ /\r\n\r\n/) {
        sysread $client, $bytes, 65536, length $bytes or return;
    }

    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($line, @headers) = split /\r\n/, $head;
    my ($length) = $head =~ /^content-length: (\d+)/mi;

    while (length $body < ($length // 0)) {
        sysread $client, $body, 65536, length $body or return;
    }

    my $answer;

    _rewrite($plan, sub {
        ($answer) = @_;
        return @_ > 1 ? @_[ 1 .. $#_ ] : @_;
    });

    chomp $answer;

    my $entry = $json->encode({
        line    => $line,
        headers => [ map { [ split /: /, $_, 2 ] } @headers ],
        body    => $body,
        answer  => $answer,
    });

    _rewrite($log, sub { (@_, "$entry\n") });

    _answer($client, $answer);
}


sub _answer {
    my ($client, $answer) = @_;

    sleep $1 if $answer =~ s/delay=([\d.]+) //;

    return if $answer =~ /^close/;

    if ($answer =~ /^(json|html)(?:=(\d+))? (.*)/) {
        my ($type, $status, $body) = ($1, $2 // 200, $3);

        $type = $type eq 'json' ? 'application/json' : 'text/html';

        print $client "HTTP/1.1 $status Shop\r\nContent-Type: $type\r\n",
            'Content-Length: ' . length($body) . "\r\n",
            "Connection: close\r\n\r\n$body";

    } elsif ($answer =~ /^page (\d+) (\S+) (.*)/) {
        my $body = substr($2 x $1, 0, $1 - length $3) . $3;

        print $client "HTTP/1.1 200 Shop\r\nContent-Length: $1\r\n",
            "Connection: close\r\n\r\n$body";

    } elsif ($answer =~ /^cut/) {
        print $client "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";

    } else {
        my ($status, $headers) = $answer =~ /^(\d+)\s*(.*)$/;
        my $body = $status == 204 ? '' : "shop $status\n";

        $headers .= "\r\n" if $headers ne '';
        $headers .= 'Content-Length: ' . length($body) . "\r\n"
            if $status != 204;

        print $client "HTTP/1.1 $status Shop\r\n${headers}",
            "Connection: close\r\n\r\n$body";
    }

    close $client;
}


END {
    local $?;
    kill 'TERM', $pid if $pid && $owner == $$;
}

1;
