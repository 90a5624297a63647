package Payer::Memory;

# What is in the memory of a process, as Linux shows it below /proc.
#
#     my $why = unreadable($pid);         # a reason, or undef
#
#     found($pid, secret => 'text', ...)  # { secret => [ where, ... ], ... }
#     dumped($pid, ...)                   # the same, but only of what a core
#                                         # dump would get
#     in_file($core, ...)                 # names of those that the file has
#
# What a core dump does not get is marked in smaps by the kernel itself.

use strict;
use warnings;
no warnings 'portable';    # 64 bits are what addresses have here

use Exporter qw(import);

# What is larger is no memory but addresses, which a sanitizer has reserved.
my $RESERVED = 1 << 30;

our @EXPORT = qw(unreadable found dumped in_file);


sub unreadable {
    my ($pid) = @_;

    for my $file (qw(smaps mem)) {
        open my $fh, '<', "/proc/$pid/$file" or return "$file: $!";
        $file eq 'mem' or defined readline $fh or return "$file: $!";
    }

    return undef;
}


sub found {
    my ($pid, %texts) = @_;
    return _search($pid, \%texts, sub { 1 });
}


sub dumped {
    my ($pid, %texts) = @_;
    return _search($pid, \%texts, sub { $_[0]{flags} !~ /\bdd\b/ });
}


sub _search {
    my ($pid, $texts, $wanted) = @_;
    my %found;

    open my $mem, '<:raw', "/proc/$pid/mem" or die "mem of $pid: $!\n";

    for my $area (_areas($pid)) {
        next unless $area->{mode} =~ /^r/ && $area->{name} !~ /^\[v/;
        next if $area->{to} - $area->{from} > $RESERVED;
        next unless $wanted->($area);

        my $bytes = _read_area($mem, @$area{qw(from to)});

        for my $name (keys %$texts) {
            push @{ $found{$name} }, "$area->{from} $area->{name}"
                if index($bytes, $texts->{$name}) >= 0;
        }
    }

    return \%found;
}


# Each mapping: from, to, mode, name, flags.

sub _areas {
    my ($pid) = @_;
    my @areas;

    open my $fh, '<', "/proc/$pid/smaps" or die "smaps of $pid: $!\n";

    while (my $line = <$fh>) {
        if ($line =~ /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/) {
            push @areas, { from => hex $1, to => hex $2, mode => $3,
                name => $4, flags => '' };

        } elsif ($line =~ /^VmFlags: (.*)/) {
            $areas[-1]{flags} = $1;
        }
    }

    return @areas;
}


# What was never touched cannot be read, and there is nothing in it.

sub _read_area {
    my ($mem, $from, $to) = @_;
    my $bytes = '';

    sysseek $mem, $from, 0 or return '';

    while ($from + length $bytes < $to) {
        sysread $mem, $bytes, $to - $from - length $bytes, length $bytes
            or last;
    }

    return $bytes;
}


sub in_file {
    my ($file, %texts) = @_;

    open my $fh, '<:raw', $file or die "open $file: $!\n";
    my $bytes = do { local $/; <$fh> };

    return grep { index($bytes, $texts{$_}) >= 0 } sort keys %texts;
}

1;
