package Payer::Oom;

# nginx with t/oom/ loaded into it: allocations that fail on demand, and eyes
# on the zone's mutex and memory.  To be used before Payer::Test, since it
# says which nginx is tested; it needs master_on() and one worker.
#
#     use Payer::Oom;
#     use Payer::Test;
#
#     fail_nth(3, 0)          the third allocation from now on fails (1: and
#                             all after it)
#     fail_none()             no more; returns how many were counted, how many
#                             of them failed, and the first of these
#     spare_nginx()           what nginx itself allocates does not fail
#     watched()               all that is known: heap, locks, wrongs, wrong,
#                             slots, lost, chunks
#     ask_worker('lost')      looks for lost memory of the zone
#     ask_worker('bad', 1)    a misdeed of t/oom/bad.c
#     forget_wrongs()         looks for others than the ones so far
#     days_pass(31)           for nginx, from now on
#     forget_all()            before nginx starts

use strict;
use warnings;

use Cwd            qw(abs_path);
use Exporter       qw(import);
use File::Basename qw(dirname);
use File::Path     qw(make_path);
use File::Temp     qw(tempdir);

our @EXPORT = qw(
    fail_nth fail_none watched ask_worker forget_wrongs forget_all days_pass
    spare_nginx
);

# oom_control_t, as t/oom/oom.h has it
my @NUMBERS = qw(nth on count failed heap locks wrongs slots ask lost chunks
    passed spare);
my $TEXT    = 128;
my $SIZE    = 8 * @NUMBERS + 2 * $TEXT + 32768 * 32;

my %at = map { $NUMBERS[$_] => 8 * $_ } 0 .. $#NUMBERS;
my %ASK = (lost => 1, bad => 2);

my ($dir, $file);


sub _prepare {
    if (($ENV{PAYER_MODULE} // '') eq 'static') {
        print "1..0 # SKIP no way to come between nginx and a part of it\n";
        exit 0;
    }

    my $root = abs_path(dirname(__FILE__) . '/../../..');

    make_path("$root/build/t");

    # the workers' user opens the file
    $dir = tempdir('oom-XXXXXX', DIR => "$root/build/t", CLEANUP => 1);
    chmod 0755, $dir;

    my @cc = ($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -g -Wall -Wextra));
    my @headers = split /\n/, `"$root/fuzz/nginx-headers"`;

    _run(@cc, '-o', "$dir/oom.so",
        (map { "$root/t/oom/$_.c" } qw(patch heap alloc lock time)), '-ldl');
    _run(@cc, '-Wno-unused-parameter', @headers, '-Wl,-z,now', '-o',
        "$dir/bad.so", "$root/t/oom/bad.c");

    open $file, '+>', "$dir/control" or die "$dir/control: $!\n";
    binmode $file;
    truncate $file, $SIZE or die "$dir/control: $!\n";

    my $nginx = $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');

    open my $fh, '>', "$dir/nginx" or die "$dir/nginx: $!\n";
    print $fh <<"EOT";
#!/bin/sh
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
export PAYER_OOM_FILE="$dir/control" PAYER_OOM_BAD="$dir/bad.so"
export LD_PRELOAD="$dir/oom.so"
exec $nginx "\$@"
EOT
    close $fh;
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
}


sub _run { system(@_) == 0 or die "@_ fails\n" }


# Everything in one write or read: nginx has the file mapped.

sub _set {
    my ($name, @numbers) = @_;

    sysseek $file, $at{$name}, 0;
    syswrite $file, pack 'q*', @numbers;
}


sub watched {
    sysseek $file, 0, 0;
    sysread $file, my $bytes, 8 * @NUMBERS + 2 * $TEXT;

    my %all;
    (@all{@NUMBERS}, @all{qw(what wrong)}) =
        unpack 'q' . @NUMBERS . "Z${TEXT}Z$TEXT", $bytes;

    return \%all;
}


sub fail_nth {
    my ($nth, $on) = @_;

    _set(on => $on, 0, 0);
    _set(nth => $nth);
}


sub fail_none {
    _set(nth => 0);

    my $all = watched();

    return @$all{qw(count failed what)};
}


# Done by the worker before it waits for its next event: one is made for it.

sub ask_worker {
    my ($what, $n) = @_;

    _set(ask => $ASK{$what} + ($n // 0));

    Payer::Test::wait_until(
        sub { Payer::Test::get('/'); watched()->{ask} == 0 }, 5)
        or die "the worker does not answer\n";

    return watched();
}


sub spare_nginx { _set(spare => 1) }


sub days_pass {
    my ($days) = @_;

    _set(passed => watched()->{passed} + 86400 * $days);

    # the worker looks at the clock when something happens
    Payer::Test::get('/') for 1 .. 2;
}


sub forget_wrongs {
    _set(wrongs => 0);

    sysseek $file, 8 * @NUMBERS + $TEXT, 0;
    syswrite $file, "\0" x $TEXT;
}


sub forget_all {
    sysseek $file, 0, 0;
    syswrite $file, "\0" x $SIZE;
}

_prepare();

1;
