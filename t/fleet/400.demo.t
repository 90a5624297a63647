# The demo with STORE=postgresql.  The whole purchase, with the death of one
# nginx, is for `make fleet` and for `make demo-check STORE=postgresql`.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;

sub said {
    my ($command) = @_;

    return scalar qx(timeout 120 env $command 2>&1 </dev/null);
}

for my $command ('make -s INSTALL=: demo STORE=redis',
    'make -s INSTALL=: demo-check STORE=redis',
    'STORE=redis demo/run', 'STORE=redis demo/check')
{
    my $text = said($command);

    isnt $?, 0, "$command fails";
    like $text, qr/unknown STORE=redis: it can be lmdb or postgresql/,
        'and says which stores there are';
}

like said('grep ^demo-postgresql: packages.txt'), qr/\bpostgresql\b/,
    'the package of the database is listed';
like said('make -n INSTALL=install demo STORE=postgresql'),
    qr/install build demo demo-postgresql$/m, 'and installed for it';
unlike said('make -n INSTALL=install demo'), qr/demo-postgresql/,
    'and not for the demo without it';

SKIP: {
    skip 'set FLEET_FULL=1 for the whole purchase', 2 unless $ENV{FLEET_FULL};

    local $ENV{DEMO_RUN} = work_dir() . '/demo';
    my $text = said('STORE=postgresql demo/check');

    is $?, 0, 'a whole purchase with two nginx instances' or diag $text;
    like $text, qr/host1 has ended.*the next buyer gets a link/s,
        'one of which is killed';
}

done_testing;
