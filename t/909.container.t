# docs/container.md: its configuration runs, and its probe tells what it should.
# tools/debian-check runs the steps of its Dockerfile.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;

my $PAGE = 'docs/container.md';
my $file = example($PAGE, 'dockerfile');
my $port = Payer::Test::free_port();
my $site = serve(in_conf_d(example($PAGE, 'container')),
    [ qr{/run/secrets/}, '/etc/nginx/' ],
    [ qr{/var/lib/payer;}, '/var/lib/nginx/payer;' ],
    [ qr/server shop:8080;/, 'server 127.0.0.1:8081;' ],
    [ qr/127\.0\.0\.1:8088/, "127.0.0.1:$port" ]);

my ($probe) = $file =~ /^HEALTHCHECK CMD (.+)$/m;
my ($store) = $file =~ /^VOLUME (\S+)$/m;

like($probe, qr/\Q?local=1\E/, 'the probe does not ask Payer');
like(example($PAGE, 'container'), qr{payer_store lmdb:\Q$store\E;},
    'the store is on the volume');
unlike($file, qr/secret/, 'the secret is in no layer');
like($file, qr/^STOPSIGNAL SIGQUIT$/m, 'requests are completed');

is($site->curl('https://shop.example/')->{status}, 200, 'the shop is served');
is(healthy(), 0, 'the probe finds nginx healthy');
is(calls()->{token}, undef, 'and Payer was not called');

$site->stop;
isnt(healthy(), 0, 'without nginx the probe fails');

Test::More::done_testing();


sub healthy {
    $site->shell($probe =~ s/8088/$port/r);
    return $?;
}
