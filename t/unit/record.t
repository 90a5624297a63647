# The state table and the merge of records: t/unit/record/record.c.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Test::More;

my $root = dirname(abs_path(__FILE__)) . '/../..';
my $out  = "$root/build/t/unit-record";

chdir $root or die "$root: $!";
make_path($out);

my @headers = split /\n/, `fuzz/nginx-headers`;

system($ENV{CC} // 'cc', qw(-g -O1 -Wall -Wextra -Wno-unused-parameter),
    '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined',
    '-Ifuzz', (map { "-I$_" } glob 'ngx_http_payer_module/*/'),
    '-Ingx_http_payer_module', @headers, '-o', "$out/record",
    't/unit/record/record.c',
    (map { "ngx_http_payer_module/payment/ngx_http_payer_$_.c" } qw(record record_codec record_sum codec)),
    'fuzz/nginx_shim.c', 'fuzz/nginx_strings.c', '-lcjson') == 0
    or BAIL_OUT('t/unit/record does not build');

exec "$out/record" or die "$out/record: $!";
