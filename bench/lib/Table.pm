package Table;

# What was found out, as two tables: the module against its goals, and all
# systems next to each other.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

our @SYSTEMS = (
    [ floor  => 'nginx alone (the floor)' ],
    [ memory => 'the module, `memory`' ],
    [ lmdb   => 'the module, `lmdb`' ],
    [ postgresql => 'the module, `postgresql`' ],
    [ lua    => 'Lua' ],
    [ njs    => 'njs' ],
);


# [what, goal, measured, met]; what was not measured has no row.

sub goals ($found) {
    return (
        counted($found),
        processor($found),
        memory($found),
        flight($found),
        waiters($found),
        growth($found),
        workers($found),
        fleet($found),
        refresh($found),
        sweep($found),
        owed($found),
        office($found),
    );
}


# The lists of the back office in the smallest and in the largest store.

sub office ($found) {
    my $of = $found->{office} or return;
    my ($few, $many) = @{ $of->{sizes} };
    my @rows;

    for my $page (sort keys %{ $of->{pages}{$few} }) {
        next if $page eq 'needs attention';

        my ($is, $was) = map { $of->{pages}{$_}{$page} } $many, $few;

        push @rows, [
            "office, a page of 50, $page: instructions with " . commas($many)
                . ' orders',
            '≤ 2 × with ' . commas($few),
            sprintf('%.2f × (%s to %s)', $is / $was, commas($is), commas($was)),
            at_most($is / $was, 2)
        ];
    }

    for my $what (sort keys %{ $of->{blocked} }) {
        push @rows, [
            "office, $what, " . commas($many) . ' orders: the worker is busy',
            '≤ 5 ms',
            sprintf('%.2f ms', $of->{blocked}{$what}),
            at_most($of->{blocked}{$what}, 5)
        ];
    }

    return @rows;
}


sub at_most ($value, $limit) { $value <= $limit * 1.00001 ? 1 : 0 }


# Instructions in relation to a floor, or as they are, and system calls.

sub counted ($found) {
    my $counted = $found->{counted} or return;
    my @rows;

    for (
        [ 'repeated visit, `memory`', 'repeated memory', 'floor_return', '1.0', 3 ],
        [ 'repeated visit, `lmdb`', 'repeated lmdb', 'floor_return', 1.08 ],
        [ 'first visit, `memory`', 'first memory', 'floor_bodyless', 1.75, 7 ],
        [ 'first visit, `lmdb`, worker and threads', 'first lmdb', undef, 70_000, 22 ],
        [ '`payer_verify`, answer cached', 'verify memory', 'floor_verify', 1.1 ],
        [ 'repeated visit with `payer_lookup`', 'lookup memory', 'floor_get', 1.5 ],
        [ 'visit to paid page, the shop is notified', 'notified memory', 'paid memory', 1.5 ],
    ) {
        my ($what, $name, $floor, $limit, $calls) = @$_;
        my $is = $counted->{$name} // next;

        push @rows, [
            "$what: instructions",
            $floor
            ? to_floor($limit, $floor, $is, $counted->{$floor} // next)
            : ('≤ ' . commas($limit), commas($is->{instructions}),
                at_most($is->{instructions}, $limit))
        ];

        push @rows, [
            "$what: system calls", $calls, sprintf('%.2f', $is->{calls}),
            at_most($is->{calls}, $calls + 0.05)
        ] if $calls;
    }

    return @rows;
}


# The goal, what was measured, and whether it is met.

sub to_floor ($limit, $floor, $is, $to) {
    my $ratio = $is->{instructions} / $to->{instructions};

    return (
        "≤ $limit × $floor",
        sprintf('%.2f × (%s to %s)', $ratio,
            map { commas($_->{instructions}) } $is, $to),
        at_most($ratio, $limit)
    );
}


sub processor ($found) {
    my @rows;

    if (my $first = $found->{'processor/first'}) {
        push @rows, [
            'first visit, `memory`, 32 connections: processor time',
            '≤ 1.35 × floor_proxy, paired',
            sprintf('%.2f ×', $first->{memory}{ratio}),
            at_most($first->{memory}{ratio}, 1.35)
        ];
    }

    for my $keepalive (64, 256) {
        my $of = $found->{"keepalive/$keepalive"} or next;

        push @rows, [
            "the same, 256 connections, `keepalive $keepalive`",
            '≤ 1.35 × floor_proxy, paired',
            sprintf('%.2f ×', $of->{memory}{ratio}),
            at_most($of->{memory}{ratio}, 1.35)
        ];
    }

    if (my $stores = $found->{stores}) {
        push @rows, [
            'first visits a second, 64 in flight, `lmdb`', '≥ 0.7 of `memory`',
            sprintf('%.2f (%s to %s)', $stores->{ratio},
                commas($stores->{lmdb}), commas($stores->{memory})),
            $stores->{ratio} >= 0.7 ? 1 : 0
        ];

        for my $limit ([ 'alone', 1, 24_000 ], [ '512 in flight', 512, 6000 ]) {
            my ($how, $n, $most) = @$limit;
            my $bytes = ($stores->{written} // {})->{$n} or next;

            push @rows, [
                "written to the disk for an order, $how, `lmdb`",
                sprintf('≤ %d KB', $most / 1000),
                sprintf('%.1f KB', $bytes / 1000),
                at_most($bytes, $most)
            ];
        }
    }

    return @rows;
}


sub memory ($found) {
    my $memory = $found->{memory} or return;
    my %limit  = (memory => 14, lmdb => 15);

    return map {
        my $kb = $memory->{$_}{kb};

        [ "memory for each checkout in flight, `$_`", "≤ $limit{$_} KB",
            sprintf('%.1f KB', $kb), at_most($kb, $limit{$_}) ]
    } qw(memory lmdb);
}


sub flight ($found) {
    my @rows;

    for my $as (sort { by_flight($a) <=> by_flight($b) }
        grep {m{^flight/}} keys %$found) {

        my ($delay) = $as =~ /(\d+)$/;
        my $of   = $found->{$as}{memory};
        my $what = sprintf '%s in flight, provider %s s',
            commas($of->{connections}), $delay / 1000;

        push @rows, [
            "$what: visits a second",
            '≥ 0.97 of the rig',
            sprintf('%.2f (floor_proxy %.2f)', $of->{of_rig},
                $found->{$as}{floor}{of_rig}),
            $of->{of_rig} >= 0.97 ? 1 : 0
          ],
          [
            "$what: core busy",
            '≤ 1.15 × floor_proxy',
            sprintf('%.2f × (%.2f)', $of->{busy}, $of->{core}),
            at_most($of->{busy}, 1.15)
          ],
          [
            "$what: static file, p50",
            '≤ 1.2 × floor_proxy',
            sprintf('%.2f × (%.2f ms)', $of->{file}, $of->{file_us} / 1000),
            at_most($of->{file}, 1.2)
          ];
    }

    return @rows;
}


# Those who wait: for one order's link, and at the gate.

sub sweep ($found) {
    my @rows;

    if (my $of = $found->{reconcile}) {
        push @rows, [
            "reconcile, a read takes 200 ms, $of->{orders} orders", '≥ 50 reads a second',
            sprintf('%.0f (%.2f KB each stay)', @$of{qw(rate kb)}),
            $of->{rate} >= 50 ? 1 : 0
        ];
    }

    for my $store (grep { $found->{turns}{$_} } qw(memory lmdb)) {
        my $of = $found->{turns}{$store};

        push @rows, [
            'reconcile, ' . commas($of->{orders}) . " orders, `$store`: the worker is busy",
            '≤ 5 ms',
            sprintf('%.2f ms', $of->{longest}),
            at_most($of->{longest}, 5)
        ];
    }

    if (my $of = $found->{sweep}) {
        push @rows, [
            sprintf('sweep, %s orders in doubt: static file, p99', commas($of->{orders})),
            '≤ 1.2 × with none',
            sprintf('%.2f × (%.0f µs)', @$of{qw(ratio all)}),
            at_most($of->{ratio}, 1.2)
        ];
    }

    return @rows;
}


# What others notice of notifications that a shop does not take.

sub owed ($found) {
    my $of = $found->{owed} or return;
    my $what = commas($of->{orders}) . ' owed notifications, all due';

    return (
        [
            "$what: static file, p99",
            '≤ 1.2 × with none',
            sprintf('%.2f × (%.0f µs)', @$of{qw(ratio all)}),
            at_most($of->{ratio}, 1.2)
        ],
        [
            "$what: the worker is busy",
            '≤ 2 ms',
            sprintf('%.2f ms', $of->{turn}),
            at_most($of->{turn}, 2)
        ],
    );
}


sub waiters ($found) {
    my @rows;

    if (my $of = $found->{waiters}) {
        my $what = sprintf '%s visits of one order wait for its link, %d s',
            commas($of->{visits}), $of->{seconds};

        push @rows, [
            "$what: memory at the end", '≤ 1.01 × at the beginning',
            sprintf('%.3f × (%.1f KB each)', $of->{growth}, $of->{kb}),
            at_most($of->{growth}, 1.01)
          ],
          [
            "$what: core busy", '≤ 0.05',
            sprintf('%.3f', $of->{core}), at_most($of->{core}, 0.05)
          ];
    }

    if (my $of = $found->{crowd}) {
        my $what = sprintf '%s visits of one unpaid order wait, %d s',
            commas($of->{visits}), $of->{seconds};

        push @rows, [
            "$what: reads at Payer", '≤ 1 a second',
            sprintf('%.2f a second', $of->{reads}), at_most($of->{reads}, 1 + 1 / $of->{seconds})
          ],
          [
            "$what: memory", '≤ 20 KB for each',
            sprintf('%.1f KB', $of->{kb}), at_most($of->{kb}, 20)
          ];
    }

    return @rows;
}


sub by_flight ($name) {
    my (undef, $connections, $delay) = split m{/}, $name;
    return $delay * 1e6 + $connections;
}


sub growth ($found) {
    my @rows;

    my %what = (
        again => [ 'repeated visit',   10 ],
        first => [ 'first visit',      10 ],
        list  => [ 'the 50 newest orders', 100 ],
    );

    for my $visit (qw(again first list)) {
        my $stores = $found->{"growth/$visit"} or next;
        my ($what, $goal) = @{ $what{$visit} };

        for my $store (grep { $stores->{$_} } qw(memory lmdb)) {
            my $of    = $stores->{$store};
            my @sizes = sort { $a <=> $b } keys %$of;
            my @costs = map  { $of->{$_} } @sizes;
            my $more  = 100 * ($costs[-1] / $costs[0] - 1);

            push @rows, [
                "$what, `$store`: instructions with "
                    . join(', ', map { commas($_) } @sizes) . ' orders',
                "at most $goal % more",
                sprintf('%.1f %% (%s)', $more,
                    join(', ', map { commas($_) } @costs)),
                at_most($more, $goal)
            ];
        }
    }

    return @rows;
}


# Where provider and load leave no room for a second worker, the goal is that
# the workers do not wait for each other.

sub workers ($found) {
    my @rows;

    for my $visit (qw(again first)) {
        my $of = ($found->{"workers/$visit"} // next)->{memory};

        push @rows, [
            ($visit eq 'again' ? 'repeated' : 'first')
                . ' visit, `memory`: 1 to 2 workers',
            '≥ 1.8 × the visits, or ≤ 0.01 lock waits a visit',
            sprintf('%.2f × the visits, each at %.2f × the processor time; '
                    . '%.4f lock waits a visit',
                @$of{qw(rate cost waits)}),
            $of->{rate} >= 1.8 || $of->{waits} <= 0.01 ? 1 : 0
        ];
    }

    return @rows;
}


# PostgreSQL, in relation to LMDB in the same run.

sub fleet ($found) {
    my @rows;

    if (my $of = $found->{'fleet/counted'}) {
        my ($is, $to)
            = map { $of->{"first $_"}{instructions} } qw(postgresql lmdb);

        push @rows, [
            'first visit, `postgresql`: instructions of nginx',
            '≤ 1.2 × `lmdb`',
            sprintf('%.2f × (%s to %s)', $is / $to, commas($is), commas($to)),
            at_most($is / $to, 1.2)
        ];
    }

    if (my $of = $found->{'fleet/together'}) {
        push @rows, [
            'repeated visit, `postgresql`, 32 at once: system calls', '≤ 3',
            sprintf('%.2f', $of->{repeated}), at_most($of->{repeated}, 3)
        ];
    }

    for (
        [ 'fleet/rate',       'one server' ],
        [ 'fleet/replicated', 'with a synchronous standby on the same disk' ],
    ) {
        my ($as, $what) = @$_;
        my $of = $found->{$as} or next;

        push @rows, [
            "first visits a second, 64 in flight, `postgresql`, $what",
            '≥ 0.5 of `lmdb`',
            sprintf('%.2f (%s to %s)', $of->{ratio},
                map { commas($_) } @$of{qw(postgresql lmdb)}),
            $of->{ratio} >= 0.5 ? 1 : 0
        ];
    }

    return @rows;
}


# What further hosts on one database bring, for docs/scaling.md.

sub hosts ($found) {
    my $of = $found->{'fleet/hosts'} or return;

    return (
        [ 'hosts', 'first visits a second', 'one host is 1',
            'processor time of a visit: nginx', 'database' ],
        map {
            my $is = $of->{$_};

            [ $_, commas($is->{rate}), sprintf('%.2f', $is->{ratio}),
                map { sprintf '%.0f µs', $_ } @$is{qw(nginx_us database_us)} ]
        } sort { $a <=> $b } keys %$of
    );
}


sub refresh ($found) {
    my $of = $found->{refresh} or return;

    return [
        'p99 in the second in which the token is renewed',
        '≤ 1.2 × before',
        sprintf('%.2f × (%.1f ms to %.1f ms)', @$of{qw(ratio during before)}),
        at_most($of->{ratio}, 1.2)
    ];
}


# The systems next to each other: a list of rows, the first one the head.

sub systems ($found) {
    my @rows = [
        'system', 'repeated visit: instructions', 'system calls',
        'first visit: instructions', 'system calls',
        'processor time × floor, repeated', 'first',
        'memory in flight', '2,000 in flight: of the rig', 'core busy'
    ];

    for my $system (@SYSTEMS) {
        my ($name, $title) = @$system;

        push @rows, [
            $title,
            counts($found, $name, 'repeated', 'floor_return'),
            counts($found, $name, 'first', 'floor_proxy'),
            (
                map { number('%.2f', $found->{"processor/$_"}{$name}{ratio}) }
                    qw(again first)
            ),
            number('%.1f KB', $found->{memory}{$name}{kb}),
            map { number('%.2f', $found->{'flight/2000/200'}{$name}{$_}) }
                qw(of_rig core),
        ];
    }

    return @rows;
}


sub counts ($found, $name, $visit, $floor) {
    my $counted = $found->{counted};
    my $is = $counted->{ $name eq 'floor' ? $floor : "$visit $name" };
    my $to = $counted->{$floor};

    return ('', '') if !$is || !$to;
    return (
        sprintf('%s (%.2f)', commas($is->{instructions}),
            $is->{instructions} / $to->{instructions}),
        sprintf('%.3g', $is->{calls})
    );
}


sub number ($format, $value) { defined $value ? sprintf $format, $value : '' }


sub commas ($number) {
    my $text = sprintf '%.0f', $number;

    1 while $text =~ s/^(\d+)(\d{3})/$1,$2/;
    return $text;
}


# What one core is good for: the arithmetic of docs/scaling.md.

sub capacity ($found) {
    my @rows = [ 'on one core', 'measured', 'that is' ];

    for (
        [ 'repeated visits', $found->{'processor/again'}{memory}{rate} ],
        [ 'first visits, `memory`', $found->{stores}{memory} ],
        [ 'first visits, `lmdb`, 64 in flight', $found->{stores}{lmdb} ],
    ) {
        my ($what, $rate) = @$_;

        next if !defined $rate;
        push @rows, [
            $what,
            commas($rate) . ' a second',
            sprintf('%.0f million a day', $rate * 86_400 / 1e6)
        ];
    }

    if (defined(my $sync = $found->{stores}{sync_ms})) {
        push @rows, [
            'the disk has kept 4 KB', sprintf('after %.2f ms', $sync),
            sprintf('%.1f ms for the two commits of one visit alone, and '
                    . '%s visits a second if each waited for the one before',
                2 * $sync, commas(500 / $sync))
        ];
    }

    for my $store (qw(memory lmdb)) {
        my $kb = $found->{memory}{$store}{kb} // next;

        push @rows, [
            "a checkout in flight, `$store`", sprintf('%.1f KB', $kb),
            sprintf('%.0f MB for 10,000, with 20,000 connections', $kb * 10)
        ];
    }

    return @rows;
}


sub goal_rows (@goals) {
    return ([ 'what', 'goal', 'measured', '' ],
        map { [ @$_[ 0 .. 2 ], $_->[3] ? 'met' : '**missed**' ] } @goals);
}


sub markdown (@rows) {
    my ($head, @body) = map { '| ' . join(' | ', @$_) . " |\n" } @rows;

    return join '', $head, '|' . '---|' x @{ $rows[0] } . "\n", @body;
}


# For a terminal: columns one below the other.

sub plain (@rows) {
    my @width;

    @rows = map { [ map {s/\*\*|`//gr} @$_ ] } @rows;

    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            my $length = length $row->[$i];
            $width[$i] = $length if $length > ($width[$i] // 0);
        }
    }

    return join '', map {
        my $row = $_;
        join('  ', map { sprintf '%-*s', $width[$_], $row->[$_] } 0 .. $#$row)
            =~ s/ +$//r . "\n"
    } @rows;
}


1;
