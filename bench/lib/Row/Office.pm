package Row::Office;

# The lists of the back office with a thousand and with a million orders:
# instructions of a page of 50, and for how long a request can keep the worker
# from everything else.  What needs attention is bounded by the entries that a
# request may look at: there are thousands of authorized orders in the larger
# store, and none of them is old.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Bench qw(median);
use HTTP::Tiny  ();
use JSON::PP    ();
use List::Util  qw(max);
use Time::HiRes qw(time);

use Row::Growth ();

# the arguments of a list, with what is in them of a page in the middle
my %PAGES = (
    'newest first'    => 'limit=50',
    'a later page'    => 'limit=50&after=@AFTER@',
    'one state'       => 'limit=50&state=fully_captured',
    'needs attention' => 'limit=50&attention=1',
    'a text'          => 'limit=50&q=1000004',
);

# those that look at as many entries as they may
my %SLOW = (
    'a state that nothing has' => 'limit=50&state=creating',
    'attention, all authorized' => 'limit=500&attention=1',
    'a page of 500'            => 'limit=500',
    'CSV of 500'               => 'limit=500&format=csv',
);


sub measure ($class, $bench) {
    my @sizes = (1000, $bench->full ? 1_000_000 : 100_000);
    my $found = $bench->found->{office} = { sizes => \@sizes };

    for my $size (@sizes) {
        my $dir = $bench->rig->dir . "/office-$size";

        system("@{[ $bench->rig->repo ]}/bench/fill", $dir, $size) == 0
            or die "the store could not be filled\n";

        $found->{pages}{$size} = pages($bench, $dir);

        for my $page (sort keys %PAGES) {
            $bench->say('office, %d orders, %s: %.0f instructions', $size,
                $page, $found->{pages}{$size}{$page});
        }
    }

    $found->{blocked} = blocked($bench, $bench->rig->dir . "/office-$sizes[-1]");

    $bench->say('office, %d orders, %s: %.2f ms', $sizes[-1], $_,
        $found->{blocked}{$_}) for sort keys %{ $found->{blocked} };
}


sub pages ($bench, $dir) {
    my $out = $bench->rig->dir . '/callgrind.office';

    unlink glob "$out*";

    my $system = $bench->rig->system('office', store => "lmdb:$dir",
        unbound => 1, warm => 0,
        under => [ qw(valgrind -q --tool=callgrind --fair-sched=yes
            --instr-atstart=no), "--callgrind-out-file=$out" ]);

    $system->{out} = $out;

    my $after = middle($system);
    my %cost  = map {
        $_ => cost($bench, $system, $PAGES{$_} =~ s/\@AFTER\@/$after/r)
    } keys %PAGES;

    # under callgrind it may sleep through a SIGTERM, as it has no timer
    kill KILL => $system->{pid};
    $system->stop;

    return \%cost;
}


sub ask ($system, $args) {
    my $answer = HTTP::Tiny->new(timeout => 60)
        ->get('http://127.0.0.1:' . $system->port . "/office/orders?$args");

    die "the office answered $answer->{status}: see $system->{dir}\n"
        unless $answer->{status} == 200;

    return $answer->{content};
}


# A cursor behind some hundred orders.

sub middle ($system) {
    return JSON::PP::decode_json(ask($system, 'limit=400'))->{next};
}


sub cost ($bench, $system, $args) {
    my ($few, $many) = (5, $bench->either(25, 55));
    my $lists = sub ($times) {
        ask($system, $args) for 1 .. $times;
        return Row::Growth::counted($system);
    };

    Row::Growth::control($system, '--instr=on');

    $lists->($few);

    my $less = $lists->($few);
    my $more = $lists->($many);

    Row::Growth::control($system, '--instr=off');

    return ($more - $less) / ($many - $few);
}


# The processor time of the worker for one request that takes long: it is not
# kept from others for longer than that.

sub blocked ($bench, $dir) {
    my $system = $bench->rig->system('office', store => "lmdb:$dir",
        warm => 0);
    my ($worker) = $system->workers;
    my %longest;

    for my $what (sort keys %SLOW) {
        ask($system, $SLOW{$what}) for 1 .. 3;

        $longest{$what} = median(map {
            my $before = busy($worker);
            ask($system, $SLOW{$what});
            1000 * (busy($worker) - $before);
        } 1 .. 15);
    }

    $system->stop;

    return \%longest;
}


# Seconds of processor time of the thread that serves requests.

sub busy ($worker) {
    return (split ' ', Rig::slurp("/proc/$worker/task/$worker/schedstat"))[0]
        / 1e9;
}


1;
