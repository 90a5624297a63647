package Payer::Weather;

# An nginx whose clock and disk can be told to go wrong.  Has to be used before
# Payer::Test.
#
#     clock_is_off(86400)     the time of day is a day ahead
#     disk_is_full()          the store's file cannot grow
#     disk_is_broken()        nor be written or synced at all
#     disk_is_good()
#     disk_is_slow(50)        each sync of the store takes 50 ms longer
#     failed_writes()         how many there were
#     connections_are_denied(1)   by the system, as SELinux does
#
# t/storm/weather.c is loaded into nginx and does it; the module knows nothing
# of it.

use strict;
use warnings;

use Cwd qw(abs_path);
use Errno qw(EACCES EIO ENOSPC);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

our @EXPORT = qw(
    clock_is_off disk_is_full disk_is_broken disk_is_good disk_is_slow
    failed_writes connections_are_denied
);

my ($file, $dir);

_prepare();


sub _prepare {
    my $root = abs_path(dirname(__FILE__) . '/../../..');

    make_path("$root/build/t");

    $dir = tempdir('weather-XXXXXX', DIR => "$root/build/t", CLEANUP => 1);
    chmod 0755, $dir;
    $file = "$dir/weather";

    open my $fh, '>', $file or die "$file: $!\n";
    print $fh pack 'q6', (0) x 6;
    close $fh;

    system($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -g -Wall -Wextra), '-o',
        "$dir/weather.so", "$root/t/storm/weather.c", '-ldl') == 0
        or die "t/storm/weather.c does not build\n";

    my $nginx = $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');

    open $fh, '>', "$dir/nginx" or die "$dir/nginx: $!\n";
    print $fh <<"EOT";
#!/bin/sh
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
export PAYER_WEATHER="$file"
export LD_PRELOAD="$dir/weather.so\${LD_PRELOAD:+:\$LD_PRELOAD}"
exec $nginx "\$@"
EOT
    close $fh;
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
}


# Other processes have it mapped, so it is changed in place.

sub _set {
    my ($at, $value) = @_;

    open my $fh, '+<:raw', $file or die "$file: $!\n";
    sysseek $fh, 8 * $at, 0;
    syswrite $fh, pack 'q', $value;
    close $fh;
}


sub clock_is_off { _set(0, $_[0]) }


sub disk_is_full {
    _set(2, -s Payer::Test::work_dir() . '/payments/data.mdb');
    _set(1, ENOSPC);
}


sub disk_is_broken {
    _set(2, 0);
    _set(1, EIO);
}


sub disk_is_good { _set(1, 0) }

sub disk_is_slow { _set(4, $_[0]) }


sub connections_are_denied { _set(5, $_[0] ? EACCES : 0) }


sub failed_writes {
    open my $fh, '<:raw', $file or die "$file: $!\n";
    sysread $fh, my $bytes, 32;

    return (unpack 'q4', $bytes)[3];
}

1;
