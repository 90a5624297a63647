# The demo starts where paths have a space, and a quotation mark.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Cwd        qw(abs_path);
use Demo;
use File::Path qw(make_path remove_tree);
use HTTP::Tiny;
use Test::More;

my $build = abs_path("$FindBin::RealBin/../../build");
my $dir   = "$build/demo \"in a hurry\".$$";
my $owner = $$;
my $demo;

END {
    my $code = $?;

    if ($$ == $owner) {
        $demo->stop if $demo;
        remove_tree($dir);
    }

    $? = $code;
}

make_path($dir);
symlink "$build/ngx_http_payer_module.so", "$dir/the module.so" or die "symlink: $!\n";
$ENV{MODULE} = "$dir/the module.so";

$demo = Demo->new(run => "$dir/a run", port => 0, events => 0);
ok(eval { $demo->start; 1 }, 'it starts') or diag($@);

is(HTTP::Tiny->new(timeout => 10)->get($demo->url . '/')->{status}, 200, 'the shop is served');

done_testing();
