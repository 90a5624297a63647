# The core of the tests once more, with stores that answer each operation later
# and not in the order in which they were asked (t/late/).  Callers that count
# on an answer at once, on its order, or on what they were told before, fail.
#
#     LATE_MS=n LATE_SEED=n prove t/348.late-store.t      other times
#     LATE_TESTS="t/500.verify.t ..."                     other files

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

chdir dirname(abs_path(__FILE__)) . '/..' or die "chdir: $!\n";

my @files = split ' ', $ENV{LATE_TESTS} // q();

my %core = (
    memory => [ qw(400.checkout 420.worth 452.confirm 530.tickets
        600.operations 610.idempotency 640.auto-capture 662.sweep-alone
        670.office 672.office-acts 700.events 712.events-word) ],
    lmdb => [ qw(405.amounts 410.race 450.present 645.auto-capture-event) ],
);

if (@files) {
    $core{$_} = [ map { m{^t/(.*)\.t$} } @files ] for keys %core;
}

$ENV{PAYER_TEST_LATE} = ($ENV{LATE_MS} // 3) . ':' . ($ENV{LATE_SEED} // 1);

for my $store (qw(memory lmdb)) {
    $ENV{PAYER_TEST_STORE} = $store;

    for my $name (@{ $core{$store} }) {
        my $begun = time;
        my $said  = `perl -w t/$name.t 2>&1`;

        is($?, 0, "$store: $name") or diag($said =~ s/^ok .*\n//gmr);

        # that it was late at all; the same file may be running elsewhere
        my @logs = grep { (stat)[9] >= $begun }
            glob "build/t/$name*/servroot/logs/error.log";

        ok((grep { slurp($_) =~ /payer late: the store answers after/ } @logs),
            "$store: $name met it");
    }
}

done_testing();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return "$file: $!";
    local $/;
    return scalar <$fh>;
}
