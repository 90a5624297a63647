# A database that answers what nobody has asked for, or without an end: nginx
# closes the connection before its memory is full, and goes on with a new one.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use Payer::Fleet;
use POSIX ();

my $MEGABYTE = 'x' x 1048576;

my $fleet = fleet(hosts => 1, workers => 1, delay => 1, sweep => '1h');
my $pg = $fleet->pg;

# what the next read is answered with, in the protocol of PostgreSQL
my $plan = work_dir() . '/flood';
my $port = Payer::Test::free_port();
my $relay = relay();

$fleet->{store} = sub {
    "postgresql://payer\@127.0.0.1:$port/shop password_file="
        . $pg->password_file . ' durability=local timeout=5s'
};
$fleet->start(0);

ok(wait_until(sub { checkout('first') == 303 }, 20), 'the relay works');

my $column = "v\0" . pack 'NnNnNn', 0, 0, 17, -1, -1, 1;

floods('rows without an end', message('T', pack('n', 1) . $column),
    message('D', pack('nN', 1, 1048576) . $MEGABYTE));
floods('notices without an end', '',
    message('N', "SNOTICE\0VNOTICE\0C00000\0M$MEGABYTE\0\0"));
floods('a copy', message('H', pack('Cnn', 0, 1, 0)),
    message('d', $MEGABYTE));
floods('what is no message', '', "\0\0\0\0");

kill 'KILL', $relay;
waitpid $relay, 0;

done_testing();


sub checkout { return $fleet->get(0, "/checkout?order=$_[0]")->status }

sub message { return $_[0] . pack('N', 4 + length $_[1]) . $_[1] }


sub floods {
    my ($name, $head, $again) = @_;

    (my $order = $name) =~ tr/ /-/;

    Payer::Test::write_file($plan, pack 'NNa*a*', length $head, length $again,
        $head, $again);

    my $status = checkout($order);

    ok(!-e $plan, "$name: it has happened");
    like($status, qr/^(?:303|503)$/, "$name: the request has its answer");
    # a sanitizer keeps what was freed for a while
    cmp_ok(peak(), '<', $ENV{ASAN_OPTIONS} ? 700 : 160,
        "$name: the worker process has kept little");
    ok(wait_until(sub { checkout("$order-2") == 303 }, 10),
        "$name: payments go on");
}


# What the worker process has ever used, in megabytes.

sub peak {
    my $master = $fleet->{hosts}[0]{pid};
    my $most = 0;

    open my $children, '<', "/proc/$master/task/$master/children" or return 0;

    for my $pid (split ' ', <$children>) {
        open my $fh, '<', "/proc/$pid/status" or next;
        local $/;
        $most = $1 / 1024 if <$fh> =~ /^VmHWM:\s+(\d+)/m && $1 / 1024 > $most;
    }

    return $most;
}


sub relay {
    my $listener = IO::Socket::INET->new(Listen => 16, ReuseAddr => 1,
        LocalAddr => '127.0.0.1', LocalPort => $port) or die "listen: $!\n";
    my $pid = fork // die "fork: $!\n";

    return $pid if $pid;

    $SIG{PIPE} = 'IGNORE';
    eval { forward($listener) };
    POSIX::_exit(0);
}


sub forward {
    my ($listener) = @_;

    my $select = IO::Select->new($listener);
    my (%other, %client);

    while (1) {
        for my $from ($select->can_read) {
            if ($from == $listener) {
                my $in = $listener->accept or next;
                my $out = IO::Socket::INET->new('127.0.0.1:'
                    . $pg->node(0)->port) or next;

                @other{ $in, $out } = ($out, $in);
                $client{$in} = 1;
                $select->add($in, $out);
                next;
            }

            my $to = $other{$from} // next;
            my $n = sysread $from, my $piece, 65536;

            if ($n && $client{$from} && $piece =~ /\0payer_get\0/
                && -e $plan)
            {
                pour($from);
                $n = 0;
            }

            if ($n) {
                syswrite $to, $piece;
                next;
            }

            $select->remove($from, $to);
            delete @other{ $from, $to };
            close $_ for $from, $to;
        }
    }
}


# Until the other side has enough, or two gigabytes were sent.

sub pour {
    my ($to) = @_;

    open my $fh, '<', $plan or die "$!\n";
    binmode $fh;
    my $text = do { local $/; <$fh> };
    unlink $plan;

    my ($head, $again) = unpack 'NN', $text;
    my ($first, $rest) = (substr($text, 8, $head), substr $text, 8 + $head);

    syswrite $to, $first if $head;
    $rest x= 4096 if $again < 4096;

    for (1 .. 2048) {
        for (my $at = 0; $at < length $rest;) {
            $at += syswrite($to, $rest, length($rest) - $at, $at) // return;
        }
    }
}
