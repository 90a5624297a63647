# Many checkouts share one transaction of LMDB.  The effect is measured against
# the memory store in the same run, and printed.
#
#     GROUP_COMMIT_ROUNDS=n    64 checkouts each (6)

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Time::HiRes qw(time);

master_on();
workers(1);
worker_connections(512);

my $rounds = $ENV{GROUP_COMMIT_ROUNDS} // 6;

our $fake = $ENV{TEST_NGINX_FAKE_PORT} = free_port();

my ($agent) = merchant();

# Payer's part is played by nginx itself, as the simulator would be what is
# measured.  Two stores in two configurations: the port tells which.
sub stage {
    my ($store) = @_;

    return payer_http() =~ s/payer_store .*?;/payer_store  $store;/r
        =~ s/127\.0\.0\.1:\d+/127.0.0.1:$fake/r
        . <<"EOF";
    server {
        listen 127.0.0.1:$fake;
        default_type application/json;
        location = /oauth2/token {
            return 200 '{"access_token":"t","token_type":"Bearer"}';
        }
        location /api/ {
            return 200 '{"paymentId":"\$request_id","url":"https://payer.example/\$request_id"}';
        }
    }
EOF
}

my %rate;


# The number of the last transaction is in the two meta pages of the file, of
# which the newer one counts.

sub transactions {
    open my $fh, '<:raw', work_dir() . '/payments/data.mdb' or return 0;

    my $last = 0;

    for my $page (0, 1) {
        seek $fh, $page * 4096 + 144, 0;
        read $fh, my $bytes, 8;

        my $id = unpack 'Q<', $bytes;
        $last = $id if $id > $last;
    }

    return $last;
}


sub measure {
    my ($store) = @_;

    get('/checkout?order=token')->status == 303 or die "no checkout\n";

    for my $flight (1, 64) {
        my $n = $rounds * ($flight == 1 ? 16 : 64);
        my $before = $store eq 'lmdb' ? transactions() : 0;
        my ($start, $good, $sent) = (time, 0, 0);

        while ($sent < $n) {
            $good += grep { $_->status == 303 } together(
                map { [ GET => "/checkout?order=$flight-" . $sent++ ] }
                    1 .. $flight);
        }

        $rate{$store}{$flight} = $n / (time - $start);

        is($good, $n, "$store: $n checkouts with $flight in flight");

        next unless $store eq 'lmdb';

        # each checkout writes its intent and then its link
        my $commits = transactions() - $before;

        Test::More::note(sprintf '%d checkouts with %d in flight: %d puts in '
            . '%d transactions', $n, $flight, 2 * $n, $commits);

        if ($flight == 1) {
            is($commits, 2 * $n, 'alone, each put has its own transaction');

        } else {
            cmp_ok($commits, '<', $n / 2,
                   'together, four puts and more share one');
        }
    }
}


sub compare {
    for my $flight (1, 64) {
        Test::More::note(sprintf '%2d in flight: memory %6.0f/s, lmdb '
            . '%6.0f/s, ratio %.2f', $flight, $rate{memory}{$flight},
            $rate{lmdb}{$flight}, $rate{lmdb}{$flight} / $rate{memory}{$flight});
    }

    # A disk that is slow for one is slow for 64, but not 64 times.
    cmp_ok($rate{lmdb}{64}, '>', $rate{lmdb}{1},
           'durable checkouts are faster together than one by one');
}

run_payer_tests();

__DATA__

=== TEST 1: simultaneous checkouts with the memory store, for comparison
--- bare
--- http_config perl: stage('memory')
--- config perl: payer_server() . checkout()
--- log_level: warn
--- request
GET /
--- ignore_response
--- then
measure('memory');



=== TEST 2: simultaneous checkouts with LMDB are written in common transactions
--- bare
--- http_config perl: stage('lmdb:' . work_dir() . '/payments')
--- config perl: payer_server() . checkout()
--- log_level: warn
--- request
GET /
--- ignore_response
--- then
measure('lmdb');
compare();
