package Payer::Crash;

# An nginx whose worker process is killed at a point that is named.  Has to be
# used before Payer::Test, and behind Payer::Weather if that is used, too.
#
#     crash('commit-ends 2', sub { get('/checkout?order=1') })
#                             runs the code, during which a worker process dies
#                             at this point; returns what the code does, when
#                             another one has taken its place
#     crash('told-ends 1 id=1 server', sub { ... })
#                             the master process dies, too, and nginx is
#                             started again
#     seconds_later(600)      nginx is restarted, with its clock so far ahead
#
# t/crash/points.c is loaded into nginx and does the killing, and says which
# points there are; the module knows nothing of it.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Time::HiRes qw(sleep);

use Payer::Life;

our @EXPORT = qw(crash seconds_later);

my $point;

_prepare();


sub _prepare {
    my $root = abs_path(dirname(__FILE__) . '/../../..');

    make_path("$root/build/t");

    # the workers' user has to remove the file
    my $dir = tempdir('crash-XXXXXX', DIR => "$root/build/t", CLEANUP => 1);
    chmod 0777, $dir;
    $point = "$dir/point";

    system($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -g -Wall -Wextra), '-o',
        "$dir/points.so", "$root/t/crash/points.c", '-ldl') == 0
        or die "t/crash/points.c does not build\n";

    my $nginx = $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');

    open my $fh, '>', "$dir/nginx" or die "$dir/nginx: $!\n";
    print $fh <<"EOT";
#!/bin/sh
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
export PAYER_CRASH_FILE="$point" PAYER_CRASH_PORT=\$TEST_NGINX_SIM_PORT
export PAYER_CRASH_SHOP=\$TEST_NGINX_SHOP_PORT
export PAYER_CRASH_SHIFT="\$(cat "$point.shift" 2>/dev/null)"
export LD_PRELOAD="$dir/points.so\${LD_PRELOAD:+:\$LD_PRELOAD}"
exec $nginx "\$@"
EOT
    close $fh;
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
}


sub crash {
    my ($where, $code) = @_;

    open my $fh, '>', "$point.new" or die "$point: $!\n";
    print $fh "$where\n";
    close $fh;
    rename "$point.new", $point or die "$point: $!\n";

    my $r = eval { $where =~ / server\z/ ? _killed_all($code) : killed($code) };

    if (-e $point || $@) {
        unlink $point;
        Test::More::fail("nginx dies at $where: " . ($@ || 'it does not'));
    }

    return $r;
}


sub _killed_all {
    my ($code) = @_;

    my @all = (Payer::Test::nginx_pid(), Payer::Test::worker_pids());
    my $result = $code->();

    Payer::Test::wait_until(sub { !-e $point }, 10) or return $result;

    # without its master another worker process would go on
    sleep 0.05;
    kill 'KILL', grep { alive($_) } @all;
    Payer::Test::wait_until(sub { !grep { alive($_) } @all }, 10)
        or die "nginx does not end\n";

    start();

    return $result;
}


# Payer stays in the present.

sub seconds_later {
    my ($seconds) = @_;

    open my $fh, '>', "$point.shift" or die "$point.shift: $!\n";
    print $fh $seconds;
    close $fh;

    restart('QUIT');
    unlink "$point.shift";
}

1;
