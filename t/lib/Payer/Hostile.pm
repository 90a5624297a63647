package Payer::Hostile;

# The hostile harness: clients that send every handler's requests in pieces,
# late, cut, with wrong lengths, in a row, over HTTP/1.1, TLS and HTTP/2, and
# take the answers slowly or not at all, while Payer and the shop are as bad
# and nginx is reloaded.  docs/testing.md says how it is used.
#
#     my @findings = hostile(seed => 1, seconds => 30, dir => $dir,
#         say => sub { print @_ }, stop => qr/signal/);
#
# It ends after so many seconds, or when something was found that is looked for.
#
# A run is a series of rounds, each with an nginx, backends and orders of its
# own, and each with the next seed: what a round finds, its seed finds again,
# as far as the machine lets it.  These have to hold:
#
#   - each request has one answer, which is whole and its own, and answers come
#     in order; nothing is answered that was not asked
#   - no byte of a body is taken for a request, by nginx, the shop or Payer
#   - what the shop and Payer get is one client's, whole, as it was sent
#   - no alert in the log, no worker that dies, no report of a sanitizer
#   - when it is quiet, nobody is connected, no order is locked, and there are
#     no more descriptors and no more memory than before; nginx ends by itself

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::MD5 qw(md5_hex);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use List::Util qw(max);
use Time::HiRes qw(sleep time);

use Payer::Front ();
use Payer::HTTP qw(at_once);
use Payer::HostileClient qw(run);
use Payer::HostileH2;
use Payer::HostileNginx;
use Payer::HostilePeer;
use Payer::HostilePlan;
use Payer::HostileRandom;
use Payer::SlowDisk ();

our @EXPORT = qw(hostile);

my $root = abs_path(dirname(__FILE__) . '/../../..');

# connections of a wave, and waves of a round
my ($width, $waves) = (24, 3);

# What handlers answer.  500 is none: it means that nginx does not know.
my %answers = map { $_ => 1 } qw(200 204 303 400 402 403 404 405 408 409 411
    413 415 422 429 502 503 504);


sub hostile {
    my (%option) = @_;

    my $end = time + ($option{seconds} // 30);
    my $say = $option{say} // sub { };
    my @findings;

    $option{binary} //= $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');
    $option{module} //= $ENV{PAYER_MODULE}
        // "$root/build/ngx_http_payer_module.so";
    $option{module} = "$root/$option{module}"
        unless $option{module} =~ m{^/|^static$};
    $option{preload} //= Payer::SlowDisk::library($option{dir});

    for (my $seed = $option{seed}; ; $seed++) {
        my $start = time;
        my $round = _round(%option, seed => $seed);

        push @findings, map { "seed $seed: $_" } @{ $round->{findings} };
        $say->(sprintf "seed %d: %s, %d requests on %d connections, %d "
            . "answers, %.1f s, %.1f s late, %d not counted: %s\n", $seed,
            $round->{mode}, @$round{qw(requests connections answers)},
            time - $start, @$round{qw(lag excused)},
            @{ $round->{findings} }
            ? @{ $round->{findings} } . ' findings' : 'nothing found');
        $say->("  $_\n") for @{ $round->{findings} };

        last if time >= $end
            || $option{stop} && grep { /$option{stop}/ } @findings;
    }

    return @findings;
}


sub _round {
    my (%option) = @_;

    my $random = Payer::HostileRandom->new("round $option{seed}");
    my $dir = "$option{dir}/round";

    remove_tree($dir);
    make_path($dir);

    my $mode = $option{mode} // $random->weighted(memory => 2, lmdb => 1,
        'slow lmdb' => 2);
    my $peer = Payer::HostilePeer->start(seed => $option{seed},
        log => "$dir/peer.log");
    my $nginx = Payer::HostileNginx->start(
        binary => $option{binary}, module => $option{module},
        preload => $option{preload}, dir => "$dir/nginx", peer => $peer,
        http3 => $option{http3}, store => $mode =~ /lmdb/ ? 'lmdb' : 'memory',
        sync_ms => $mode =~ /slow/ ? $random->pick(20, 60, 150) : 0,
    );
    my $self = bless {
        %option, random => $random, peer => $peer, nginx => $nginx,
        plan => Payer::HostilePlan->new($option{seed}, $option{kinds}), mode => $mode,
        findings => [], connections => 0, answers => 0, reloads => 0,
        lag => 0, excused => 0,
    }, __PACKAGE__;

    $self->{mode} .= ", $nginx->{sync_ms} ms" if $nginx->{sync_ms};

    my $before;

    for my $wave (1 .. $option{waves} // $waves) {
        $self->_wave($wave);
        last if $self->_has_what_it_looks_for;
        $before //= do { $self->_quiet; $nginx->possessions };
    }

    $self->_reckon($before) unless $self->_has_what_it_looks_for;

    $self->{mode} .= ", $self->{reloads} reloads" if $self->{reloads};
    $self->{requests} = keys %{ $self->{plan}->requests };

    if (@{ $self->{findings} }) {
        remove_tree("$option{dir}/seed-$option{seed}");
        rename $dir, "$option{dir}/seed-$option{seed}";
    }

    return $self;
}


# A worker that has died leaves nothing to wait for.

sub _has_what_it_looks_for {
    my ($self) = @_;

    my $stop = $self->{stop} // return 0;

    return 1 if $self->{has};

    $self->{has} = grep { /$stop/ } my @alerts = $self->{nginx}->alerts;
    $self->_found("log: $_") for grep { /$stop/ } @alerts;

    return $self->{has};
}


sub _found {
    my ($self, $text) = @_;

    push @{ $self->{findings} }, $text if @{ $self->{findings} } < 40;
}


# What nginx may have given up waiting for, where this machine was too late for
# this very connection.

sub _missed {
    my ($self, $c, $text) = @_;

    if (($c->{lag} // 0) < 1) {
        $self->_found($text);
        return;
    }

    $self->{excused}++;
}


sub _wave {
    my ($self, $wave) = @_;

    my $nginx = $self->{nginx};
    my @fronts = @{ $self->{fronts} // [qw(h1 h1s h2 h2s)] };
    my @c = map {
        ($_->{front} =~ /^h2/ ? 'Payer::HostileH2' : 'Payer::HostileClient')
            ->open($_, $nginx->{ports})
    } $self->{plan}->connections($width, @fronts);

    # not in the first one, which is what the others are compared with
    my $reload = $wave > 1 && $self->{random}->chance(0.5);
    my @todo = $reload ? [ $self->{random}->between(0.2, 1.5), sub {
        $nginx->reload;
        $self->{reloads}++;
    } ] : ();

    # nor is there anything to wait for when a worker has died of a fault
    push @todo, map { [ $_, sub {
        return unless $self->_has_what_it_looks_for;
        $_->_over for grep { !$_->{over} } @c;
    } ] } 2 .. 20 if $self->{stop};

    $self->{lag} = max($self->{lag}, run(\@c, @todo));

    for my $c (@c) {
        $c->{reloaded} = $reload;
        $self->{connections}++;
        $c->{plan}{front} =~ /^h2/ ? $self->_judge_h2($c) : $self->_judge_h1($c);
    }

    $self->_over_http3 if $self->{http3};
}


# What is wrong with an answer by itself.

sub _judge_answer {
    my ($self, $request, $answer) = @_;

    my ($n, $status) = ($request->{n}, $answer->{status});
    my $what = "$n, $request->{method} $request->{uri}";

    $self->{answers}++;
    $request->{answered} = $status;

    $self->_found("$what: status $status")
        unless $answers{$status} || !defined $answer->{n} && $status < 500;
    $self->_found("$what: has the answer of $answer->{n}")
        if defined $answer->{n} && $answer->{n} ne $n;

    # the shop says what it got
    if (my ($whose, $size, $sum) =
        $answer->{body} =~ /\Ashop (\S+) (\d+) (\w+)\n/)
    {
        $self->_found("$what: the shop answered $whose") if $whose ne $n;
        $self->_found("$what: the shop got $size bytes of "
            . length $request->{body})
            if $request->{kind} =~ /^(?:shop|stream)$/
            && $sum ne md5_hex($request->{body}) && !$request->{wrong};

    } elsif ($request->{kind} =~ /^(?:shop|stream)$/ && !$request->{wrong}
        && $request->{method} ne 'HEAD')
    {
        $self->_found("$what: status $status, not the shop's answer");
    }

    $self->_found("$what: names another order: $1")
        if ($answer->{header}{location} // '') =~ m{/widget/(\w+)/}
        && $request->{uri} !~ /\b\Q$1\E$/;

    $self->_found("$what: status $status for somebody who is not listed")
        if $request->{uri} =~ m{^/foreign/(?:capture|cancel|release|refund
            |payment|subscriptions|reconcile|metrics)\b}x
        && $status =~ /^[23]/;

    # who does not have the key learns nothing
    $self->_found("$what: status $status without the key")
        if $request->{denied} && $status =~ /^(?:200|303|402|409)$/
        && $answer->{body} !~ /\Ashop /;
}


sub _judge_h1 {
    my ($self, $c) = @_;

    my $plan = $c->{plan};
    my @requests = @{ $plan->{requests} };
    my @answers = @{ $c->{answers} };
    my $name = "$plan->{front} " . join '+', map { $_->{n} } @requests;
    my $closes;

    $_->{sent_wrong} = $plan->{way} ne 'stay' for @requests;
    $self->_found("$name: $c->{error}") if $c->{error};
    $self->_found("$name: $_") for @{ $c->{findings} };

    for my $i (0 .. $#answers) {
        my ($request, $answer) = ($requests[$i], $answers[$i]);
        my $header = $answer->{header};

        if (!$request || $closes) {
            # what is not understood is answered with 400
            next if $answer->{status} eq '400' && !$closes
                && $requests[-1]{wrong};

            $self->_found("$name: an answer too many: $answer->{status} for "
                . ($answer->{n} // 'nobody'));
            next;
        }

        $closes = 1 if ($header->{connection} // '') eq 'close';
        $self->_judge_answer($request, $answer) if $answer->{whole};
        next if $answer->{whole} || $plan->{way} ne 'stay';

        $self->_missed($c, "$name: the answer of $request->{n} is cut, "
            . length($answer->{body}) . " bytes of $answer->{framing}")
            unless $plan->{reading} eq 'never';
    }

    $self->_missing($c, $name, $closes);
}


# Answers that did not come, where they have to.

sub _missing {
    my ($self, $c, $name, $closes) = @_;

    my $plan = $c->{plan};
    my @requests = @{ $plan->{requests} };
    my @answers = @{ $c->{answers} };

    if ($plan->{reading} eq 'never' && $c->complete
        && grep { length $_->{body} > 150_000 } @answers)
    {
        $self->_missed($c, "$name: waited for longer than send_timeout");
    }

    return if $closes || $c->complete || $c->{error}
        || $plan->{way} ne 'stay' || $plan->{reading} eq 'never';

    my $next = $requests[@answers] // return;

    # a reload ends connections between two requests
    return if $c->{reloaded} && @answers && !$c->{timed_out};
    return if $next->{wrong} && ($c->{eof} || $next->{wrong} eq 'short');

    $self->_missed($c, "$name: no answer to $next->{n}, $next->{method} "
        . "$next->{uri} (" . ($c->{cut} // ($c->{timed_out} ? 'timed out'
            : 'closed')) . ')');
}


sub _judge_h2 {
    my ($self, $c) = @_;

    my $plan = $c->{plan};
    my $name = $plan->{front};

    $self->_found("$name: $c->{error}") if $c->{error};
    $self->_found("$name: $_") for @{ $c->{findings} };

    # nginx takes trailers for a stream that is over, and ends the connection
    return if grep { $_->{trailers} } @{ $plan->{requests} };

    for my $id (sort { $a <=> $b } keys %{ $c->{streams} }) {
        my $s = $c->{streams}{$id};
        my $request = $s->{request};
        my $length = ($s->{header} // {})->{'content-length'};

        $self->_judge_answer($request, { %$s, whole => 1 }) if $s->{whole}
            && defined $s->{status};

        $self->_found("$name $request->{n}: " . length($s->{body})
            . " bytes of $length") if $s->{whole} && defined $length
            && $length != length $s->{body} && $request->{method} ne 'HEAD';

        next if $s->{whole} || $plan->{way} ne 'stay' || $request->{wrong}
            || defined $request->{stop} || $plan->{reading} eq 'never'
            || $c->{error};

        # a reload refuses streams that it has not begun
        next if $c->{reloaded} && !defined $s->{status} && !$c->{timed_out};
        next if defined $c->{goaway} && $id > $c->{goaway};

        $self->_missed($c, "$name $request->{n}, $request->{method} "
            . "$request->{uri}: " . (defined $s->{reset}
            ? "reset ($s->{reset})" : $c->{timed_out} ? 'timed out' : $c->{cut} // 'closed')
            . (defined $s->{status} ? " after $s->{status} and "
                . length($s->{body}) . ' bytes' : ', no answer'));
    }
}


# Over HTTP/3 a client of this machine asks: late and in pieces.

sub _over_http3 {
    my ($self) = @_;

    my $plan = $self->{plan};
    my ($c) = $plan->connections(1, 'h3');
    my $port = $self->{nginx}{ports}{h3};

    local $ENV{TEST_NGINX_DIR} = $self->{dir};

    my @requests = grep { !$_->{wrong} } @{ $c->{requests} };
    my @answers = Payer::Front::at_once_over('http3', $port, map { [
        $_->{method}, $_->{uri}, timeout => 15,
        headers => { 'X-N' => $_->{n}, map { @$_ } @{ $_->{headers} } },
        length $_->{body} ? (body => $_->{body}) : (),
        defined $_->{stop} ? (hang_up => $_->{stop}) : ()
    ] } @requests);

    for my $i (0 .. $#requests) {
        my ($request, $r) = ($requests[$i], $answers[$i]);

        next if defined $request->{stop};

        if ($r->error) {
            $self->_found("h3 $request->{n}, $request->{uri}: " . $r->error);
            next;
        }

        $self->_judge_answer($request, { status => $r->status, whole => 1,
            n => $r->header('X-N'), body => $r->body,
            header => { location => $r->header('Location') } });
    }
}


# Waits until the last request is over.

sub _quiet {
    my ($self) = @_;

    my $nginx = $self->{nginx};

    return Payer::HostileNginx::until_true(10, sub { $nginx->connected == 0 });
}


sub _reckon {
    my ($self, $before) = @_;

    my ($nginx, $peer) = @$self{qw(nginx peer)};

    $self->_found('after 10 s there are still ' . $nginx->connected
        . ' connections') unless $self->_quiet;
    $self->_found('old workers do not end after a reload')
        unless $nginx->settle(8);

    $peer->calm;
    $self->_orders;
    $self->_claims;
    $self->_compare($before) unless $self->{reloads};

    # all that was open is closed by now
    $nginx->reload;
    sleep 0.1;
    $self->_found('the workers do not end after the last reload')
        unless $nginx->settle(8);
    $self->_compare($before);

    $self->_found('nginx does not end by itself') unless $nginx->stop;
    $peer->stop;

    my %seen;
    $self->_found("log: $_") for grep {
        !$seen{ s/\A\S+ \S+ |\d+#\d+|\*\d+//gr }++ } $nginx->alerts;

    $self->_served;
    $self->_received;
}


# Nobody holds an order: each is asked for at once, and has a link.

sub _orders {
    my ($self) = @_;

    my @orders = $self->{plan}->orders;
    my @asked = map { [ GET => "/checkout?order=$_", timeout => 8,
        headers => { 'X-N' => 'calm' } ] } @orders;
    my @answers = at_once($self->{nginx}{ports}{h1}, @asked);

    for my $i (0 .. $#orders) {
        my $r = $answers[$i];

        $self->_found("order $orders[$i] is locked: $r")
            if ($r->header('X-Link') // '') eq 'wait' || $r->status == 503;
        $self->_found("order $orders[$i], when it is quiet: $r")
            unless $r->status =~ /^(?:303|409|503)$/;
    }
}


# Nobody holds an event, nor the key of an operation: what was asked for in the
# round is asked for again, and not told to wait for somebody.

sub _claims {
    my ($self) = @_;

    my %again;

    for my $request (values %{ $self->{plan}->requests }) {
        my ($key) = map { $_->[1] } grep { $_->[0] eq 'Idempotency-Key' }
            @{ $request->{headers} };

        next if $request->{wrong} || !defined $key
            && "$request->{method} $request->{uri}"
                !~ m{^(?:GET|POST) \S*/events\?token=};

        $request->{body} =~ /reference[=":]+(\w+)/;
        my $what = defined $key ? "$request->{kind} of $1 with $key"
                                : $request->{uri} =~ s{^.*\?}{}r;

        $again{$what} //= [ $request->{method}, "/$request->{kind}"
            . ($request->{uri} =~ /(\?.*)/ ? $1 : ''), timeout => 8,
            body => $request->{body}, headers => { 'X-N' => 'calm',
                map { @$_ } @{ $request->{headers} } } ];
    }

    for my $what (sort keys %again) {
        my $r;

        # the last write may still be under way
        Payer::HostileNginx::until_true(3, sub {
            ($r) = at_once($self->{nginx}{ports}{h1}, $again{$what});
            $r->body !~ /still under way|takes too long/;
        });

        $self->_found("$what is locked: $r")
            if $r->body =~ /still under way|takes too long/;
        $self->_found("$what, when it is quiet: $r")
            if $what =~ /^token/ && $r->status !~ /^(?:200|404)$/;
    }
}


sub _compare {
    my ($self, $before) = @_;

    my $now = $self->{nginx}->possessions;

    # upstream connections that are kept
    $self->_found("there are $now->{fds} descriptors, and were $before->{fds}")
        if $now->{fds} > $before->{fds} + 8;

    my $most = $ENV{ASAN_OPTIONS} ? 96_000 : 8_000;

    $self->_found("the workers have $now->{memory} kB, and had "
        . "$before->{memory}") if $now->{memory} > $before->{memory} + $most;
}


# The access log: every id at most once, and none that is in a body only.

sub _served {
    my ($self) = @_;

    my %seen;

    for my $line ($self->{nginx}->served) {
        my ($n, $status, $method, $uri) = @$line;

        $self->_found("a body was taken for a request: @$line")
            if ($n // '') =~ /^s\d/ || ($uri // '') =~ /smuggled/;
        $self->_found("$n was served twice: @$line")
            if ($n // '') =~ /^n\d/ && $seen{$n}++;
    }
}


# What the shop and Payer got.

sub _received {
    my ($self) = @_;

    my $requests = $self->{plan}->requests;
    my $h1_gone = sub {
        my $r = $requests->{ $_[0] } or return 1;
        return !defined $r->{answered} || $r->{wrong} || $r->{sent_wrong};
    };

    for my $entry ($self->{peer}->requests) {
        my %owner = map { substr($_, 1) => 1 } split ' ', $entry->{ids};
        my @owners = map { "n$_" } sort keys %owner;
        my $what = "$entry->{at} got $entry->{method} $entry->{uri}";

        if ($entry->{broken} ne '') {
            # who streams a body and leaves cuts it
            next if $entry->{broken} =~ /^cut/ && @owners == 1
                && $h1_gone->($owners[0]);
            $self->_found("$what: $entry->{broken}");
            next;
        }

        $self->_found("$what: bytes of several clients: @owners")
            if @owners > 1;
        $self->_found("$what: a body was taken for a request")
            if $entry->{uri} =~ /smuggled/;

        next if $entry->{at} ne 'shop' || @owners != 1
            || $entry->{uri} eq '/shop/event';

        my $request = $requests->{ $owners[0] } or next;
        my $own = $request->{kind} =~ /^(?:shop|stream)$/;

        # the shop gets the body as it is, or none and no announcement of one
        my @good = md5_hex($request->{body});
        push @good, md5_hex('') unless $own
            || $entry->{uri} =~ m{^/mirrored} ;

        $self->_found("$what of $owners[0]: another body than was sent, "
            . "$entry->{length} bytes of " . length $request->{body})
            unless $request->{wrong} || grep { $_ eq $entry->{body} } @good;
    }
}

1;
