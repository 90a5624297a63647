package System;

# One of the systems while it runs: load on it, and what it takes for that.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use HTTP::Tiny;
use Time::HiRes qw(sleep time);

# Each thread of the load counts its orders from a number of its own.
use constant BLOCK => 10_000_000;

# Seconds without a further call, until there will be none.
use constant PATIENCE => 3;


sub new ($class, %args) { return bless {%args}, $class }

# The provider itself, with nothing in between.

sub straight ($class, $rig, $provider) {
    return $class->new(
        name     => 'floor',
        rig      => $rig,
        provider => $provider,
        port     => $provider->{port},
        dir      => $provider->{dir},
        path     => '/api/v2/payments/cards/direct',
    );
}


sub name     ($self) { $self->{name} }
sub port     ($self) { $self->{port} }
sub provider ($self) { $self->{provider} }


# The workers of nginx: the children of the master.

sub workers ($self) {
    return split ' ', Rig::slurp("/proc/$self->{pid}/task/$self->{pid}/children");
}


# Seconds of processor time of all threads of all workers so far.

sub cpu ($self) {
    return 0 if !$self->{pid};

    my $ns = 0;

    for my $pid ($self->workers) {
        for my $file (glob "/proc/$pid/task/*/schedstat") {
            $ns += (split ' ', Rig::slurp($file))[0];
        }
    }

    return $ns / 1e9;
}


# The longest turn of the event loop so far, all of them, and how many, in
# nanoseconds of processor time: see bench/turns.c.

sub turns ($self) {
    my %turns;

    @turns{qw(longest all n)} = unpack 'Q3', Rig::slurp("$self->{dir}/turns");

    return \%turns;
}


sub forget_turns ($self) {
    open my $fh, '+<', "$self->{dir}/turns" or die "turns: $!\n";
    syswrite $fh, "\0" x 24;
    close $fh;
}


# Bytes of the first worker that are its own: not shared memory, no files.

sub anonymous ($self) {
    my ($pid) = $self->workers;

    return Rig::slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m
        ? $1 * 1024 : die "the kernel does not tell RssAnon\n";
}


# Bytes that the workers have written so far, to files and connections.

sub written ($self) {
    my $bytes = 0;

    for my $pid ($self->workers) {
        $bytes += Rig::slurp("/proc/$pid/io") =~ /^wchar: (\d+)/m
            ? $1 : die "the kernel does not tell what is written\n";
    }

    return $bytes;
}


# Visits before anything is measured: a worker that is there, buffers,
# connections, the token, and the thousand orders that are visited again.

sub warm_up ($self, $visits) {
    my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 30);
    my $url  = "http://127.0.0.1:$self->{port}";

    my $get = sub ($path, $status) {
        my $answer = $http->get("$url$path");

        die $self->name . " answered $answer->{status}: see $self->{dir}\n"
            unless $answer->{status} == $status;
    };

    $get->('/static/file', 200);
    $self->{again} = $self->{rig}->orders(BLOCK);

    return if $self->name eq 'floor';

    $get->('/checkout?order=' . ($self->{again} + $_), 303) for 1 .. $visits;
}


# What a visit is called in bench/wrk/visit.lua.  The floor has no orders.

sub kind ($self, $visit) {
    return $visit if $self->name ne 'floor';
    return $visit eq 'first' ? 'post' : 'return';
}


# Load by wrk: visit: first or again, connections, threads, seconds or quota.
# What came out, with the processor time per request.

sub load ($self, %args) {
    my $before = $self->cpu;

    return $self->weigh($self->run($self->command(%args)), $before);
}


sub command ($self, %args) {
    my $threads = $args{threads} // 1;
    my $start = $args{visit} eq 'again' ? $self->{again} // 0
              : $self->{rig}->orders(BLOCK * $threads);

    return (
        $self->{unbound} ? () : $self->{rig}->elsewhere,
        'wrk', '-t', $threads, '-c', $args{connections},
        '-d', $args{seconds} // 3600, '--timeout', 60,
        '-s', "@{[ $self->{rig}->repo ]}/bench/wrk/visit.lua",
        "http://127.0.0.1:$self->{port}"
            . ($args{path} // $self->{path} // '/checkout'), '--',
        $args{kind} // $self->kind($args{visit}), $start,
        $args{quota} ? int($args{quota} / $threads) : (),
    );
}


sub run ($self, @command) {
    return $self->read_result(start(@command));
}


sub start (@command) {
    open my $fh, '-|', @command or die "$command[0]: $!\n";
    return $fh;
}


# The same in the background: read_result() of what it returns waits.

sub begin ($self, %args) { return start($self->command(%args)) }


sub read_result ($self, $fh) {
    my $came = parse($fh);

    die $self->name . ": $came->{refused} of $came->{answered} visits refused, "
        . "$came->{broken} connections broken: see $self->{dir}\n"
        if $came->{refused} || $came->{broken};

    return $came;
}


# The line that bench/wrk/visit.lua prints.

sub parse ($fh) {
    local $/;
    my $said = <$fh>;
    close $fh;

    my ($line) = $said =~ /^(start=.*)$/m or die "the load failed:\n$said";

    return { map { split /=/ } split ' ', $line };
}


# Load, and the calls at the provider: each order that was answered has been
# created once.  Of the last ones that were sent, nginx may have seen first that
# the client was gone.

sub counted_load ($self, %args) {
    my $before = $self->creates;
    my $came   = $self->load(%args);
    my $calls  = $self->creates - $before;

    my ($least, $most)
        = $args{visit} eq 'first' ? @$came{qw(answered sent)} : (0, 0);

    die $self->name . ": $came->{answered} answers ($args{visit}) to "
        . "$came->{sent} visits made $calls links: see $self->{dir}\n"
        if $calls < $least || $calls > $most;

    return $came;
}


sub creates ($self) {
    return $self->{rig}->calls($self->{provider}, 'create');
}


# Load for a while, looked at in its second part, when all connections are
# there: visits as the provider sees them, the processor time of the worker,
# and how long a static file takes meanwhile.  took: seconds of the provider.

sub flight ($self, %args) {
    my ($rig, $provider) = @$self{qw(rig provider)};
    my $created = $self->creates;
    my $fh = $self->begin(%args, seconds => int($args{ramp} + $args{window} + 2));

    sleep $args{ramp};

    my @before = (time, $rig->requests($provider), $self->cpu);

    my $file = $args{file}
        ? $self->run($self->command(visit => 'again', kind => 'static',
            connections => 2, seconds => int $args{window}))
        : sleep $args{window};

    my @after = (time, $rig->requests($provider), $self->cpu);
    my ($seconds, $visits, $cpu) = map { $after[$_] - $before[$_] } 0 .. 2;

    # some connections may not have come to be at the first try
    my $came = parse($fh);

    $self->all_created($came, $created, $args{took}) if $self->{finishes};

    return {
        rate     => $visits / $seconds,
        busy     => $cpu / $seconds,
        file_p50 => !$args{file} ? 0
            : $file->{answered} ? $file->{p50} : 1e6 * $args{window},
        broken   => $came->{broken},
        refused  => $came->{refused},
    };
}


# Whoever sent a visit and left has a link all the same, and only one.  What
# had not been accepted when the load ended is no visit.

sub all_created ($self, $came, $before, $took) {
    my ($calls, $was, $quiet) = (0, -1, 0);

    while ($calls < $came->{sent} && $quiet < $took + PATIENCE) {
        sleep 1;
        $was   = $calls;
        $calls = $self->creates - $before;
        $quiet = $calls == $was ? $quiet + 1 : 0;
    }

    die $self->name . ": $came->{sent} visits, $came->{answered} of them "
        . "answered, made $calls links: see $self->{dir}\n"
        if $calls > $came->{sent} || $calls < $came->{answered};
}


sub weigh ($self, $came, $before) {
    my $seconds = $came->{us} / 1e6;
    my $cpu = $self->cpu - $before;

    return {
        %$came,
        rate => $came->{answered} / $seconds,
        busy => $cpu / $seconds,
        us_per_visit => $came->{answered} ? 1e6 * $cpu / $came->{answered} : 0,
    };
}


sub stop ($self) { $self->{rig}->stop($self->{pid}) }


1;
