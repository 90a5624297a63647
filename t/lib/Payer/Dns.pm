package Payer::Dns;

# A small DNS server on the loopback.  It knows one address for all names, and
# that can be changed while it runs:
#
#     $ENV{TEST_NGINX_DNS_PORT} = dns_start();
#     dns_says('127.0.0.1');      # or nothing: there is no such name

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;

use Payer::Test ();

our @EXPORT = qw(dns_start dns_says follows_dns);

my ($pid, $file);


sub dns_start {
    my $socket = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => Payer::Test::free_port(),
        Proto     => 'udp'
    ) or die "no socket for DNS: $!\n";

    $file = Payer::Test::work_dir() . '/dns';
    dns_says();

    $pid = fork // die "fork: $!\n";

    if (!$pid) {
        my $parent = getppid;

        while (getppid == $parent) {
            my $ready = '';
            vec($ready, fileno $socket, 1) = 1;
            next unless select $ready, undef, undef, 1;

            defined $socket->recv(my $question, 512) or next;
            my $answer = _answer($question, _address());
            $socket->send($answer) if defined $answer;
        }

        require POSIX;
        POSIX::_exit(0);
    }

    return $socket->sockport;
}


sub dns_says {
    my ($address) = (@_, '');

    Payer::Test::write_file("$file.new", $address);
    rename "$file.new", $file or die "rename $file: $!\n";
}


sub _address {
    open my $fh, '<', $file or return '';
    return scalar(<$fh>) // '';
}


# One question, and one answer to it: RFC 1035, 4.1

sub _answer {
    my ($question, $address) = @_;

    return if length $question < 17;

    my ($id, $flags, $count) = unpack 'n3', $question;
    my $end = index $question, "\0", 12;

    return if $count != 1 || $end < 0;

    my $asked = substr $question, 12, $end + 5 - 12;
    my ($type) = unpack 'n', substr $asked, -4;

    my $no_name = $address eq '' ? 3 : 0;
    my $record = $type == 1 && !$no_name
        ? pack('n3 N n a4', 0xc00c, 1, 1, 1, 4,
            pack 'C4', split /\./, $address)
        : '';

    return pack('n6', $id, 0x8180 | $no_name, 1, $record ? 1 : 0, 0, 0)
        . $asked . $record;
}


# The payments of one process: first nobody knows the name, then the address
# is wrong, then right, then wrong again.  nginx asks again each second.

sub follows_dns {
    my $n = 0;
    my $checkout = sub { Payer::Test::get('/checkout?order=' . ++$n)->status };
    my $becomes = sub {
        my ($pattern, $name) = @_;
        Test::More::ok(Payer::Test::wait_until(sub { $checkout->() =~ $pattern }, 10), $name);
    };

    my $nginx = Payer::Test::nginx_pid();

    $becomes->(qr/^50[234]$/, 'without DNS there is no payment, and nginx runs');
    dns_says('127.0.0.1');
    $becomes->(qr/^303$/, 'a name that is there now is found');
    dns_says('127.0.0.3');
    $becomes->(qr/^50[234]$/, 'an address that has moved is followed');
    dns_says('127.0.0.1');
    $becomes->(qr/^303$/, 'and back');
    Test::More::is(Payer::Test::nginx_pid(), $nginx, 'all by one nginx');
    dns_says();
}


END {
    local $?;

    if ($pid) {
        kill TERM => $pid;
        waitpid $pid, 0;
    }
}

1;
