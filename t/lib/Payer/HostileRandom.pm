package Payer::HostileRandom;

# Random numbers that a seed repeats, whatever else a process does: each
# stream is independent of the others, so that a change of timing in one
# connection does not change what another one sends.
#
#     my $random = Payer::HostileRandom->new(4711);
#     $random->int(10)            0 to 9
#     $random->chance(0.2)        true in one case of five
#     $random->between(0.1, 0.5)
#     $random->pick(@list)
#     $random->weighted(a => 3, b => 1)
#     $random->stream('label')    another stream, from the same seed

use strict;
use warnings;

use Digest::MD5 qw(md5);


sub new {
    my ($class, $seed) = @_;

    my $state = unpack 'N', md5("hostile $seed");

    return bless { seed => $seed, state => $state || 1 }, $class;
}


sub stream {
    my ($self, $label) = @_;

    return ref($self)->new("$self->{seed}/$label");
}


# xorshift, 32 bits

sub _next {
    my ($self) = @_;

    my $x = $self->{state};

    $x ^= ($x << 13) & 0xffffffff;
    $x ^= $x >> 17;
    $x ^= ($x << 5) & 0xffffffff;

    return $self->{state} = $x;
}


sub int { return $_[0]->_next % $_[1] }

sub fraction { return $_[0]->_next / 4294967296 }

sub chance { return $_[0]->fraction < $_[1] }

sub between { return $_[1] + ($_[2] - $_[1]) * $_[0]->fraction }

sub pick { my ($self, @list) = @_; return $list[ $self->int(scalar @list) ] }


sub weighted {
    my ($self, @pairs) = @_;

    my $sum = 0;
    $sum += $pairs[ 2 * $_ + 1 ] for 0 .. $#pairs / 2;

    my $at = $self->fraction * $sum;

    while (my ($value, $weight) = splice @pairs, 0, 2) {
        return $value if ($at -= $weight) < 0 || !@pairs;
    }

    return;
}


# The bytes in pieces, cut at random places: also right behind the header of a
# request, right before its end, and at each byte.

sub cut {
    my ($self, $bytes, $pieces, @places) = @_;

    my %at;
    my $length = length $bytes;

    return ($bytes) if $length < 2;

    for (1 .. $pieces - 1) {
        my $place = @places && $self->chance(0.5)
                  ? $self->pick(@places) + $self->pick(-1, 0, 0, 0, 1)
                  : 1 + $self->int($length - 1);

        $at{$place} = 1 if $place > 0 && $place < $length;
    }

    my ($from, @cut) = (0);

    for my $place ((sort { $a <=> $b } keys %at), $length) {
        push @cut, substr $bytes, $from, $place - $from;
        $from = $place;
    }

    return @cut;
}

1;
