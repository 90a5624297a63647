package Row::Growth;

# Instructions of a visit when there are ten, ten thousand, a million orders.
# The store is filled, the one in memory while callgrind runs nginx without
# counting, the durable one without callgrind; then callgrind is told to count,
# and the difference between many and few visits is their cost.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use IO::Socket::INET ();

sub measure ($class, $bench) {
    my @sizes = (10, 10_000, $bench->full ? 1_000_000 : ());

    my $system = under_callgrind($bench, 'memory', zone => '3000m');

    for my $size (@sizes) {
        costs($bench, $system, $size, fill($system, $size));
    }

    $system->stop;

    my $store = 'lmdb:' . $bench->rig->dir . '/growth';

    for my $size (@sizes) {
        my $filler = $bench->rig->system('lmdb', store => $store, warm => 1);
        my $first  = fill($filler, $size);

        $filler->stop;

        $system = under_callgrind($bench, 'lmdb', store => $store);
        costs($bench, $system, $size, $first);
        $system->stop;
    }
}


sub under_callgrind ($bench, $name, %args) {
    my $out = $bench->rig->dir . "/callgrind.$name";

    unlink glob "$out*";

    my $system = $bench->rig->system($name, unbound => 1, warm => 1, %args,
        under => [ qw(valgrind -q --tool=callgrind --fair-sched=yes
            --instr-atstart=no), "--callgrind-out-file=$out" ]);

    $system->{out} = $out;

    return $system;
}


# So many new orders; returns the first one.

sub fill ($system, $size) {
    my $came = $system->load(
        visit       => 'first',
        connections => $size < 64 ? $size : 64,
        quota       => $size,
    );

    return $came->{start} + 1;
}


sub costs ($bench, $system, $size, $first) {
    for my $visit (qw(again first)) {
        my $cost = cost($bench, $system, $visit, $first, $size);
        my $name = $system->name;

        $bench->found->{"growth/$visit"}{$name}{$size} = $cost;
        $bench->say('growth, %s, %s, %d orders: %.0f instructions',
            $name, $visit, $size, $cost);
    }
}


sub cost ($bench, $system, $visit, $start, $size) {
    my $fresh = $bench->rig->orders(10_000_000);

    my $order = $visit eq 'first'
        ? sub ($n) { $fresh + $n }
        : sub ($n) { $start + $n * 7919 % $size };

    my $c = IO::Socket::INET->new('127.0.0.1:' . $system->port)
        or die "no connection: $!\n";

    my ($n, $few, $many) = (0, 100, $bench->either(400, 1100));
    my $visits = sub ($times) {
        visit($c, $order->($n++)) for 1 .. $times;
        return counted($system);
    };

    control($system, '--instr=on');

    # what happens once, and the translation that callgrind begins anew
    $visits->($few);

    my $less = $visits->($few);
    my $more = $visits->($many);

    control($system, '--instr=off');
    close $c;

    return ($more - $less) / ($many - $few);
}


sub visit ($c, $order) {
    my $answer = '';

    syswrite $c, "GET /checkout?order=$order HTTP/1.1\r\n"
        . "Host: shop.example\r\n\r\n";

    while ($answer !~ /\r\n\r\n/) {
        sysread $c, $answer, 65536, length $answer
            or die "a connection was closed\n";
    }

    $answer =~ m{\AHTTP/1.1 303} or die "the answer is $answer\n";
}


# Instructions since the last time; callgrind numbers its files.

sub counted ($system) {
    control($system, '--dump');

    my $file = $system->{out} . '.' . ++$system->{dumps};
    my ($total) = Rig::slurp($file) =~ /^(?:totals|summary): (\d+)/m
        or die "callgrind counted nothing in $file\n";

    return $total;
}


sub control ($system, $what) {
    my $said = `callgrind_control $what $system->{pid} 2>&1`;

    $? == 0 or die "callgrind_control $what: $said\n";
}


1;
