# payer_reconcile from cron over a UNIX-domain socket: the documented line,
# with a server that redirects http to https.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

# What docs/operations.md shows: a server's lines, and a line of a crontab.

sub documented {
    open my $fh, '<', root() . '/docs/operations.md' or die $!;
    local $/;
    my $text = <$fh>;

    my ($listen) = $text =~ /^(    listen unix:\S+;)$/m or die "no listen\n";
    my ($location) = $text =~ /^(    location = \/payer\/reconcile \{.*?^    \})$/ms
        or die "no location\n";
    my ($line) = $text =~ m{^\*/10 \* \* \* \*  \S+  (curl .*)$}m or die "no line\n";

    return map { s{/run/nginx-payer\.sock}{socket_path()}egr } $listen, $location, $line;
}

sub socket_path { return work_dir() . '/payer.sock' }

sub shop {
    my ($listen, $location) = documented();
    my ($agent) = merchant();

    return "server {\n$listen\nserver_name shop.example;\n" . payer_server()
        . checkout() . "$location\n}\n";
}

run_payer_tests();

__DATA__

=== TEST 1: the documented cron command reads back what is in doubt
--- http_config eval: main::shop()
--- config
    location = /other { return 301 https://$host$request_uri; }
--- request
GET /other
--- error_code: 301
--- after
my $curl = sub { my $out = `@_ 2>&1`; return $out };
my $socket = main::socket_path();

like($curl->("curl -sS -D - --unix-socket $socket 'http://shop.example/checkout?order=1'"), qr/^HTTP\/1.1 303/, 'a link');
pay('1');

my ($line) = (main::documented())[2];
(my $shown = $line) =~ s{ >/dev/null}{};
like($curl->($shown), qr/"settled":1/, 'settled');
is(system("$line 2>/dev/null"), 0, 'and again without an error');
