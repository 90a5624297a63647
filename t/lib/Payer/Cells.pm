package Payer::Cells;

# The cells of a fault table: buyers come, something breaks, and is mended.
#
#     my $cells = cells($fleet, orders => 12);
#
#     $cells->run('the name of the fault',
#         break => sub { ... }, lasts => 2, broke => sub { ... },
#         mend  => sub { ... });
#
#     $cells->closing                         the line that ends the table
#
# "broke" says after "lasts" seconds whether it has really happened; it is
# mended then, and the buyers go on and are judged.  "unseen => 1": no buyer
# may have been told to come again.  FLEET_CELLS, a regular
# expression, selects the cells with such a name.  Options: orders, and
# patience, the seconds until a buyer is stuck.

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();
use Time::HiRes qw(sleep);

use Payer::Buyers;

our @EXPORT = qw(cells);

# seconds, until buyers are stuck, and until what they did is stored
my $PATIENCE = 25;
my $QUIET = 10;


sub cells {
    my ($fleet, %option) = @_;

    return bless { fleet => $fleet, failed => [], run => 0, %option },
        __PACKAGE__;
}


sub run {
    my ($self, $name, %cell) = @_;

    return if defined $ENV{FLEET_CELLS} && $name !~ /$ENV{FLEET_CELLS}/;

    $self->{fleet}->fresh;

    my $buyers = buyers($self->{fleet}, orders => $self->{orders} // 12,
        patience => $self->{patience} // $PATIENCE);
    my $broke = eval {
        sleep 0.7;
        $cell{break}->();
        sleep $cell{lasts} // 1;
        $cell{broke}->();
    };
    my $why = $@;

    eval { $cell{mend}->() if $cell{mend}; 1 } or $why .= $@;

    Test::More::ok($broke && $why eq '', "$name: it has happened")
        or Test::More::diag($why);

    my @wrong = $buyers->judged($QUIET);
    my $again = $buyers->count('visit', 503);

    push @wrong, "$again visits were told to come again"
        if $cell{unseen} && $again;

    $self->{run}++;
    push @{ $self->{failed} }, $name if @wrong || $why ne '' || !$broke;

    Test::More::ok(!@wrong, $name) or Test::More::diag(join "\n", @wrong);
    Test::More::note(sprintf '%s: %d visits shown a link, %d told to come again',
        $name, $buyers->count('visit', 303), $again);
}


sub closing {
    my ($self) = @_;

    my @failed = @{ $self->{failed} };

    return "$self->{run} cells, " . @failed . ' failed'
        . join '', map { "\n  $_" } @failed;
}

1;
