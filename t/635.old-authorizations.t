# Money that was authorized long ago and not captured is warned of, before the
# authorization runs out.
#
# t/crash/points.c is loaded into nginx and puts its clock forward.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

use lib 't/lib';

our $shift;

BEGIN {
    my $root = abs_path(dirname(__FILE__) . '/..');

    make_path("$root/build/t");

    my $dir = tempdir('clock-XXXXXX', DIR => "$root/build/t", CLEANUP => 1);
    $shift = "$dir/shift";

    system($ENV{CC} // 'cc', qw(-shared -fPIC -O1 -Wall -Wextra), '-o',
        "$dir/points.so", "$root/t/crash/points.c", '-ldl') == 0
        or die "t/crash/points.c does not build\n";

    my $nginx = $ENV{TEST_NGINX_BINARY}
        || (-x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx');

    open my $fh, '>', "$dir/nginx" or die "$dir/nginx: $!\n";
    print $fh <<"EOT";
#!/bin/sh
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
export PAYER_CRASH_SHIFT="\$(cat "$shift" 2>/dev/null)"
export LD_PRELOAD="$dir/points.so"
exec $nginx "\$@"
EOT
    close $fh;
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
    $ENV{PAYER_TEST_STORE}  = 'lmdb';
}

use Payer::Test;
use Payer::Conf;
use Payer::Life;

master_on();

our $back_office = <<'EOT';
location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
location = /metrics   { payer_metrics;   payer_allow 127.0.0.1; }
EOT


# The server is started again so many days later.

sub days_later {
    my ($days) = @_;

    write_file($shift, $days * 86400);
    restart('QUIT');
    unlink $shift;
}

sub authorized {
    for my $order (@_) {
        get("/checkout?order=$order")->status == 303 or die "no link\n";
        pay($order);
    }
    reconcile('/reconcile')->{settled} == @_ or die "not authorized\n";
}

sub gauge {
    my ($value) = get('/metrics')->body =~ /^payer_old_authorizations (.*)$/m;
    return $value;
}

sub warned { return error_log_text() =~ /payer: (\d+ payments of .* and not captured)/ }

run_payer_tests();

__DATA__

=== TEST 1: an authorization of six days is old
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
authorized('1', '2');
days_later(6);

is(gauge(), 0, 'nobody has looked yet');
is(reconcile('/reconcile')->{oldAuthorizations}, 2, 'reconcile tells');
is(gauge(), 2, 'the gauge shows it');
is((warned())[0], '2 payments of client "4711" are authorized for more than '
    . '5 days and not captured', 'and the log');

post('/reconcile?days=7');
is(gauge(), 0, 'for seven days none was authorized');



=== TEST 2: one of four days is not
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
authorized('1');
days_later(4);

is(reconcile('/reconcile')->{oldAuthorizations}, 0, 'reconcile tells');
is(gauge(), 0, 'the gauge shows it');
ok(!warned(), 'and the log is silent');



=== TEST 3: a walk in several calls adds up, and the next one begins anew
--- config perl: checkout() . $::back_office
--- request
GET /
--- after
authorized('1', '2', '3');
days_later(6);

# what is in doubt makes it stop in the middle
get("/checkout?order=$_") for '0', '2a', '4';

for (1 .. 2) {
    my ($calls, $old, $next) = (0, 0, '');

    while (defined $next) {
        my $page = post("/reconcile?limit=1$next")->json;

        $old += $page->{oldAuthorizations};
        $calls++;
        is(gauge(), $old, "what $calls calls have seen");
        $next = $page->{next} ? "&after=$page->{next}" : undef;
    }

    cmp_ok($calls, '>', 2, 'several calls');
    is($old, 3, 'three in all');
}
