package Plot;

# The systems next to each other as a picture: four panels of bars, each in
# relation to nginx alone.  SVG without anything from elsewhere.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use List::Util qw(max);

use constant {
    WIDTH  => 860,
    PANEL  => 420,      # width of one
    HEIGHT => 190,      # and its height
    TOP    => 60,
    LABEL  => 126,      # for the names left of the bars
    BAR    => 20,
    GAP    => 7,
};

# name, title, colour
my @SYSTEMS = (
    [ floor  => 'nginx alone',    '#8a8f98' ],
    [ memory => 'module, memory', '#1f6f54' ],
    [ lmdb   => 'module, lmdb',   '#4aa583' ],
    [ lua    => 'Lua',            '#3b62a8' ],
    [ njs    => 'njs',            '#c08a2d' ],
);

# title, where the values come from, and which
my @PANELS = (
    [
        'Repeated visit: instructions, × return 303',
        \&instructions, 'repeated', 'floor_return'
    ],
    [
        'First visit: instructions, × proxy_pass',
        \&instructions, 'first', 'floor_proxy'
    ],
    [
        'First visit, 32 connections: processor time, × proxy_pass',
        \&value, 'processor/first', 'ratio'
    ],
    [ 'Memory for each checkout in flight, KB', \&value, 'memory', 'kb' ],
);


sub svg ($found) {
    my $height = TOP + 2 * HEIGHT + 10;
    my $body   = '';

    for my $i (0 .. $#PANELS) {
        my ($title, $of, @args) = @{ $PANELS[$i] };
        my %values;

        for my $name (map { $_->[0] } @SYSTEMS) {
            my $value = $of->($found, $name, @args);
            $values{$name} = $value if defined $value;
        }

        $body .= panel($i % 2 * (WIDTH - PANEL), TOP + int($i / 2) * HEIGHT,
            $title, \%values);
    }

    my $size = sprintf 'width="%d" height="%d"', WIDTH, $height;

    return <<"EOF";
<svg xmlns="http://www.w3.org/2000/svg" $size font-family="sans-serif" font-size="12">
<rect $size fill="#ffffff"/>
<text x="10" y="24" font-size="17" font-weight="bold" fill="#1b1e23">What a checkout costs</text>
<text x="10" y="42" fill="#5b616b">Shorter is better. The broken line is nginx alone.</text>
$body</svg>
EOF
}


sub instructions ($found, $name, $visit, $floor) {
    my $counted = $found->{counted};
    my $is = $counted->{ $name eq 'floor' ? $floor : "$visit $name" };
    my $to = $counted->{$floor};

    return $is && $to ? $is->{instructions} / $to->{instructions} : undef;
}


sub value ($found, $name, $as, $what) { return $found->{$as}{$name}{$what} }


sub panel ($x, $y, $title, $values) {
    my $scale = (PANEL - LABEL - 60) / (max(values %$values) || 1);
    my $left  = $x + LABEL;
    my $top   = $y + 34;
    my $text  = label($x + 10, $y + 22, $title, 'font-weight="bold"');

    for my $i (0 .. $#SYSTEMS) {
        my ($name, $title, $colour) = @{ $SYSTEMS[$i] };
        my $value = $values->{$name} // next;
        my $at    = $top + $i * (BAR + GAP);
        my $width = $value * $scale;

        $text .= label($left - 8, $at + 15, $title, 'text-anchor="end"')
            . sprintf(qq(<rect x="%d" y="%d" width="%.1f" height="%d" )
                . qq(fill="%s"/>\n), $left, $at, $width, BAR, $colour)
            . label($left + $width + 6, $at + 15, sprintf '%.2f', $value);
    }

    return $text if !$values->{floor};

    return $text . sprintf qq(<path d="M%.1f %dV%d" stroke="#8a8f98" )
        . qq(stroke-dasharray="3 3"/>\n), $left + $values->{floor} * $scale,
        $top - 4, $top + @SYSTEMS * (BAR + GAP);
}


sub label ($x, $y, $text, $more = '') {
    return sprintf qq(<text x="%.1f" y="%d" fill="#1b1e23" %s>%s</text>\n),
        $x, $y, $more, $text;
}


1;
