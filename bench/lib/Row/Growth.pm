package Row::Growth;

# Instructions of a visit, and of a list of the newest fifty, when there are a
# thousand or a million orders.  The store is filled, the one in memory while
# callgrind runs nginx without counting, the durable one by bench/fill; then
# callgrind is told to count, and the difference between many and few requests
# is their cost.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use FindBin;
use IO::Socket::INET ();
use Count;

sub measure ($class, $bench) {
    my @sizes = (1000, $bench->either(100_000, 1_000_000));

    my $system = under_callgrind($bench, 'memory', zone => '3000m');

    for my $size (@sizes) {
        costs($bench, $system, $size, fill($system, $size));
    }

    $system->stop;

    for my $size (@sizes) {
        my $dir   = $bench->rig->dir . "/growth-$size";
        my $first = $bench->rig->orders(10_000_000);

        system("$FindBin::RealBin/fill", $dir, $size, $first, 'initiated')
            == 0 or die "bench/fill failed\n";

        $system = under_callgrind($bench, 'lmdb', store => "lmdb:$dir");
        costs($bench, $system, $size);
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


# The repeated visits are to orders of this run: those of bench/fill are of
# another price.

sub costs ($bench, $system, $size, $start = undef) {
    my $fresh = $bench->rig->orders(10_000_000);

    my %request = (
        first => sub ($n) { visit($fresh + $n) },
        again => sub ($n) {
            visit(defined $start ? $start + $n * 7919 % $size : $fresh + $n);
        },
        list => sub ($n) { get('/office/orders?limit=50') },
    );

    for my $visit (qw(first again list)) {
        my $cost = cost($bench, $system, $request{$visit});
        my $name = $system->name;

        $bench->found->{"growth/$visit"}{$name}{$size} = $cost;
        $bench->say('growth, %s, %s, %d orders: %.0f instructions',
            $name, $visit, $size, $cost);
    }
}


sub cost ($bench, $system, $order) {
    my $c = IO::Socket::INET->new('127.0.0.1:' . $system->port)
        or die "no connection: $!\n";

    my ($n, $few, $many) = (0, 100, $bench->either(400, 1100));
    my $visits = sub ($times) {
        exchange($c, $order->($n++)) for 1 .. $times;
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


sub visit ($order) { return get("/checkout?order=$order") }


sub get ($uri) { return "GET $uri HTTP/1.1\r\nHost: shop.example\r\n\r\n" }


sub exchange ($c, $request) {
    my $answer = Count::exchange($c, $request);

    $answer =~ m{\AHTTP/1.1 (?:303|200)} or die "the answer is $answer\n";
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
