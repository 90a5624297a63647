package Bench;

# What the rows of the table share: whether there is time for all of it, the
# stage, and what was found out so far.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Time::HiRes qw(time);

use Rig;

our @EXPORT_OK = qw(median);
use Exporter 'import';


sub new ($class, %args) {
    return bless { full => $args{full}, rig => Rig->new, found => {},
        began => time }, $class;
}


sub rig   ($self) { $self->{rig} }
sub full  ($self) { $self->{full} }
sub found ($self) { $self->{found} }

# the first where there are minutes, the second where there are hours
sub either ($self, $quick, $full) { $self->{full} ? $full : $quick }


sub seconds ($self) { time - $self->{began} }


sub say ($self, $format, @values) {
    printf STDERR "%6.1f s  $format\n", $self->seconds, @values;
}


sub median (@values) {
    my @sorted = sort { $a <=> $b } @values;
    my $half   = int(@sorted / 2);

    return if !@sorted;
    return $sorted[$half] if @sorted % 2;
    return ($sorted[ $half - 1 ] + $sorted[$half]) / 2;
}


# Measures all systems in turn, as often as "rounds" says, each round in
# another order, so that what the machine does meanwhile meets all of them.
# Returns for each name and each value of what "measure" returned the list of
# its values, by round.

sub in_turn ($self, $rounds, $names, $measure) {
    my @names = @$names;
    my %all;

    for my $round (1 .. $rounds) {
        for my $name (@names) {
            my $came = $measure->($name);

            push @{ $all{$name}{$_} }, $came->{$_} for keys %$came;
        }

        push @names, shift @names;
    }

    return \%all;
}


# The median, over the rounds, of one value in relation to the same value of
# another system in the same round.

sub ratio ($all, $name, $other, $value) {
    my ($of, $to) = map { $all->{$_}{$value} } $name, $other;

    return median(map { $to->[$_] ? $of->[$_] / $to->[$_] : () } 0 .. $#$of);
}


1;
