package Payer::SlowDisk;

# An nginx on a disk on which each fsync() takes longer: what waits for the
# store waits for so long.  Has to be used before Payer::Test.
#
#     use Payer::SlowDisk ms => 60;
#     use Payer::Test;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);


sub import {
    my (undef, %option) = @_;

    my $root = abs_path(dirname(__FILE__) . '/../../..');

    make_path("$root/build/t");

    my $dir = tempdir('disk-XXXXXX', DIR => "$root/build/t", CLEANUP => 1);

    chmod 0755, $dir;

    system($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -g -Wall -Wextra), '-o',
        "$dir/sync.so", "$root/t/hostile/sync.c", '-ldl') == 0
        or die "t/hostile/sync.c does not build\n";

    my $nginx = $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');

    open my $fh, '>', "$dir/nginx" or die "$dir/nginx: $!\n";
    print $fh <<"END_SH";
#!/bin/sh
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
export HOSTILE_SYNC_MS=$option{ms}
export LD_PRELOAD="$dir/sync.so"
exec $nginx "\$@"
END_SH
    close $fh or die "$dir/nginx: $!\n";
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
    $ENV{PAYER_TEST_STORE} = 'lmdb';
}

1;
