# The hostile harness: a short run of `make hostile`, and a proof that it finds
# faults.
#
#     HOSTILE_SECONDS=n   how long each way to store payments is tried (1: one
#                         round of it)
#     HOSTILE_SEED=n      where it begins

use strict;
use warnings;

use lib 't/lib';

use Cwd qw(abs_path);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use Test::More;

use Payer::Front qw(has_http3);
use Payer::Hostile;
use Payer::HostilePlan;

my $seed = $ENV{HOSTILE_SEED} // 1;
my $seconds = $ENV{HOSTILE_SECONDS} // 1;

make_path('build/t');

$ENV{TEST_NGINX_BINARY} //= -x '/usr/sbin/nginx' ? '/usr/sbin/nginx' : 'nginx';

# a run has one of its own, which stays if something was found
my $dir = abs_path(tempdir('880.hostile-XXXXXX', DIR => 'build/t'));
my $module = $ENV{PAYER_MODULE} // 'build/ngx_http_payer_module.so';


# What a seed makes of the first connections, without what sends it.

sub drawn {
    my @c = Payer::HostilePlan->new(@_)->connections(8, qw(h1 h1s h2 h2s));

    delete $_->{random} for @c;
    return \@c;
}

is_deeply(drawn(5), drawn(5), 'a seed draws the same again');
isnt(drawn(6)->[0]{at}, drawn(5)->[0]{at}, 'and another one others');

my %seen = map { $_->{kind} => 1 } map { @{ $_->{requests} } }
    Payer::HostilePlan->new($seed)->connections(200, qw(h1 h2));

is(join(' ', sort keys %seen), 'cancel capture checkout events frame gate'
    . ' json lookup metrics payment reconcile refund release shop stream subscriptions'
    . ' thanks uri', 'every handler is asked');


for my $mode ('memory', 'slow lmdb') {
    my @findings = hostile(seed => $seed, seconds => $seconds, mode => $mode,
        waves => 2, dir => $dir, http3 => has_http3(),
        say => sub { note @_ });

    is(scalar @findings, 0, "$mode: nothing is found");
    diag($_) for @findings;
}


# With a fault in it the module has to fail.  The seeds are some that find it
# soon; where they do not, the next ones do.

my %looks_like = (
    smuggle  => qr{exited\ on\ signal|Sanitizer|runtime\ error
                   |taken\ for\ a\ request|request\ count\ is\ zero}x,
    announce => qr/bytes of a body were announced|bytes of several clients/,
);

my %soon = (smuggle => 5, announce => 4);

for my $fault (sort keys %looks_like) {
    SKIP: {
        my $tree = $module =~ m{^(.*)/objs/[^/]+$} ? $1 : 'build/nginx';

        skip 'the module is not one of its own', 1
            if $module eq 'static' || !-e "$tree/objs/Makefile";

        my $planted = `t/hostile/plant $tree $fault $dir/$fault`;

        chomp $planted;

        if ($? != 0) {
            fail("$fault: the fault is planted");
            next;
        }

        my @findings = hostile(seed => $soon{$fault}, seconds => 120,
            dir => $dir, mode => 'memory', waves => 1, module => $planted,
            say => sub { note @_ }, stop => $looks_like{$fault});

        my $found = grep { /$looks_like{$fault}/ } @findings;

        ok($found, "$fault: the fault is found");
        diag(@findings ? join "\n", @findings : 'nothing is found')
            if !$found;
    }
}

remove_tree($dir) if Test::More->builder->is_passing;
done_testing();
