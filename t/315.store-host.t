# A store belongs to the host for which it was created: an order that was paid
# at the test host is not paid.

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} //= 'lmdb' }

use Payer::Test;
use Payer::Conf;

master_on();
workers(1);

# says that the upstream is another host, and reloads
sub is_host {
    my ($host) = @_;

    my $file = $Test::Nginx::Util::ConfFile;
    my $conf = do { local (@ARGV, $/) = $file; <> };

    $conf =~ s/payer_api\s+\/_payer\K[^;]*/ host=$host/ or die "no API\n";
    write_file($file, $conf);
    kill 'HUP', nginx_pid();
}

sub refusals { return scalar(() = error_log_text() =~ /$_[0]/g) }

run_payer_tests();

__DATA__

=== TEST 1: an lmdb store made for the simulator is rejected for the test host and the live host
--- config perl: checkout()
--- alert: data.mdb" was made for
--- request
GET /checkout?order=1
--- error_code: 303
--- then
is_host('stage-b2b.payer.se');
ok(wait_until(sub { refusals(qr{\[emerg\].*/payments/data.mdb" was made for "other 127.0.0.1", and this configuration is for "test stage-b2b.payer.se": choose another directory}) }, 5), 'the reload is refused, with both names');
is(get('/checkout?order=1')->status, 303, 'nginx goes on as it was');



=== TEST 2: a memory store made for the simulator is rejected for the test host at a reload
--- bare
--- http_config perl: payer_http() =~ s/payer_store .*?;/payer_store memory;/r
--- config perl: payer_server() . checkout()
--- alert: has payments of a
--- request
GET /checkout?order=1
--- error_code: 303
--- then
is_host('stage-b2b.payer.se');
ok(wait_until(sub { refusals(qr{\[emerg\].*payer_zone "payer" has payments of a "other" host, and this configuration is for a "test" one}) }, 5), 'the reload is refused');
is(get('/checkout?order=1')->status, 303, 'nginx goes on as it was');



=== TEST 3: a store made for a host other than test and live is accepted with another address
--- config perl: checkout()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
my %old = map { $_ => 1 } worker_pids();
is_host('proxy.example');
ok(wait_until(sub { my @new = worker_pids(); @new && !grep { $old{$_} } @new }, 10), 'reloaded');
is(get('/checkout?order=1')->status, 303, 'and the order is known');
