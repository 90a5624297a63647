package Payer::Sim;

# The simulator of Payer: starts one for this test file and speaks to its
# control endpoint.  demo/README.md documents what it can do.

use strict;
use warnings;

use Exporter qw(import);
use HTTP::Tiny;
use JSON::PP ();
use POSIX    ();

our @EXPORT_OK = qw(
    sim sim_reset sim_config faults parse_faults journal calls sent books
    payment pay advance revoke events
);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $http = HTTP::Tiny->new(timeout => 10, keep_alive => 0);

# the running one: url, pid, log
my %sim;


# Options: program, port, agent, secret, dir, args (a list of more of the
# program's own).  Dies when it does not get ready.

sub start {
    my (%option) = @_;

    my $url = "http://127.0.0.1:$option{port}";
    my $log = "$option{dir}/simulator.log";

    die "$option{program} is not there: the tests need the simulator\n"
        unless -x $option{program};

    pipe my $reader, my $writer or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>&', $writer;
        open STDERR, '>',  $log;
        close $reader;
        exec $option{program}, '--listen', $url, '--agent-id', $option{agent},
            '--secret', $option{secret}, '--pid', "$option{dir}/simulator.pid",
            '--with-parent', @{ $option{args} // [] }
            or POSIX::_exit(127);
    }

    close $writer;
    %sim = (pid => $pid, url => $url, log => $log, owner => $$);

    _wait_for_ready($reader);
}


# The simulator prints a line when it listens; the end of its output means
# that it died.

sub _wait_for_ready {
    my ($reader) = @_;

    my $line = eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        alarm 20;
        my $got = <$reader>;
        alarm 0;
        $got;
    };

    alarm 0;
    return if defined $line && $line =~ /^ready /;

    my $why = '';

    if (open my $fh, '<', $sim{log}) {
        local $/;
        $why = <$fh> // '';
    }

    stop();
    die "the simulator did not start: $why\n";
}


sub stop {
    return unless $sim{pid} && $sim{owner} == $$;

    # The status of the test itself must not become that of the simulator.
    local $?;

    kill 'TERM', $sim{pid};

    local $SIG{ALRM} = sub { kill 'KILL', $sim{pid} };
    alarm 5;
    waitpid $sim{pid}, 0;
    alarm 0;

    %sim = ();
}


sub url { $sim{url} }


# sim('POST', 'faults', { ... }) is the control endpoint itself; it dies when
# the simulator refuses.

sub sim {
    my ($method, $path, $data) = @_;

    my %option;

    if (defined $data) {
        %option = (
            content => $json->encode($data),
            headers => { 'Content-Type' => 'application/json' }
        );
    }

    my $r = $http->request($method, "$sim{url}/_sim/$path", \%option);

    die "the simulator refused $method /_sim/$path: $r->{status} $r->{content}"
        unless $r->{success};

    return $json->decode($r->{content});
}


sub sim_reset { sim('POST', 'reset', {}) }

# sim_config(token_ttl => 2)
sub sim_config { sim('POST', 'config', {@_}) }

# advance(3600): Payer's clock goes forward by an hour
sub advance { sim('POST', 'clock', { advance => $_[0] }) }

# revoke(): no token that was handed out is good any longer
sub revoke { sim('POST', 'revoke', {}) }

sub events { sim('GET', 'events') }

# calls(): { token => 1, create => 1 }
sub calls { sim('GET', 'count') }


# journal('create'): all requests that were seen as this call; journal(): all

sub journal {
    my ($call) = @_;

    return @{ sim('GET', defined $call ? "journal?call=$call" : 'journal') };
}


# The requests of a call as text: request line, headers, empty line, body.

sub sent {
    my ($call) = @_;

    return map {
        my $entry = $_;
        my $query = length $entry->{query} ? "?$entry->{query}" : '';

        join "\n", "$entry->{method} $entry->{path}$query",
            (map { "$_->[0]: $_->[1]" } @{ $entry->{headers} }),
            '', $entry->{body};
    } journal($call);
}


# books('1001'): what Payer has in its books for this order: the sums over all
# its links (links, liveLinks, authorized, captured, released, refunded) and
# the fields of the newest payment (paymentId, status, amount, ...)

sub books {
    my ($reference) = @_;

    my $query = $reference;
    $query =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;

    my $all = sim('GET', "books?reference=$query");
    my $newest = $all->{payments}[-1];

    return undef unless $newest;
    return { %$newest, %{ $all->{references}{$reference} } };
}


# payment('1001'): the id of the newest payment of this order

sub payment {
    my ($reference) = @_;

    my $books = books($reference) // die "no payment for order $reference\n";

    return $books->{paymentId};
}


# pay('1001'), pay('1001', card => 'decline'): the buyer at the widget

sub pay {
    my ($reference, %option) = @_;

    return sim('POST', 'pay', { reference => $reference, %option });
}


# faults('create: lost-reply', 'read: status=503 times=2', { ... })

sub faults {
    my @faults = map { ref $_ ? $_ : parse_faults($_) } @_;

    return sim('POST', 'faults', \@faults);
}


# One fault a line: "CALL: [ACTION] [FIELD=VALUE ...]", where VALUE is JSON
# without spaces or a bare word, or a JSON object as the simulator takes it.

sub parse_faults {
    my ($text) = @_;
    my @faults;

    for my $line (grep { /\S/ } split /\n/, $text) {
        if ($line =~ /^\s*\{/) {
            push @faults, $json->decode($line);
            next;
        }

        my ($match, $rest) = $line =~ /^\s*([\w|*]+)\s*:\s*(.*?)\s*$/
            or die qq{cannot read the fault "$line"\n};

        my %fault = (match => $match);

        for my $word (split ' ', $rest) {
            my ($field, $value) = split /=/, $word, 2;

            if (defined $value) {
                $fault{$field} = eval { $json->decode($value) } // $value;

            } else {
                $fault{action} = $field;
            }
        }

        push @faults, \%fault;
    }

    return @faults;
}


END { stop() }

1;
