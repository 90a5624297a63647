package Payer::SlowDisk;

# An nginx whose disk takes its time: t/crash/fsync.c is loaded into it and
# stretches each wait for the disk; the module knows nothing of it.  Has to be
# used before Payer::Test.  What was freed is overwritten, so that who uses it
# all the same does not get away with it.
#
#     use Payer::SlowDisk;
#     use Payer::Test;
#
#     disk_takes(60);         milliseconds, from the next fsync() on

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $figure;


# From now on nginx is one that has the library.

sub import {
    my $caller = caller;

    if (!defined $figure) {
        make_path("$root/build/t");

        my $dir = tempdir('disk-XXXXXX', DIR => "$root/build/t",
            CLEANUP => 1);

        chmod 0755, $dir;
        $figure = "$dir/milliseconds";
        _wrapper($dir, library($dir));

        $ENV{PAYER_TEST_STORE} = 'lmdb';
    }

    no strict 'refs';
    *{"${caller}::disk_takes"} = \&disk_takes;
}


sub _wrapper {
    my ($dir, $library) = @_;

    my $nginx = $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');

    open my $fh, '>', "$dir/nginx" or die "$dir/nginx: $!\n";
    print $fh <<"END_SH";
#!/bin/sh
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
export PAYER_FSYNC_FILE="$figure" LD_PRELOAD="$library"
export MALLOC_PERTURB_=165
exec $nginx "\$@"
END_SH
    close $fh or die "$dir/nginx: $!\n";
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
}


# The library, made in this directory.

sub library {
    my ($dir) = @_;

    make_path($dir);

    system($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -g -Wall -Wextra), '-o',
        "$dir/fsync.so", "$root/t/crash/fsync.c", '-ldl') == 0
        or die "t/crash/fsync.c does not build\n";

    return "$dir/fsync.so";
}


sub disk_takes { says($figure, @_) }


# In one piece, since any worker may read it at any moment.

sub says {
    my ($file, $ms) = @_;

    open my $fh, '>', "$file.new" or die "$file.new: $!\n";
    print $fh $ms;
    close $fh or die "$file.new: $!\n";
    chmod 0644, "$file.new";
    rename "$file.new", $file or die "$file: $!\n";
}

1;
