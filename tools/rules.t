# Each rule of tools/rules finds what it is there for, and nothing else.

use strict;
use warnings;

use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $module = 'ngx_http_payer_module';

my %good = (
    'config' => <<'EOF',
. auto/feature
dir=$ngx_addon_dir/ngx_http_payer_module
ngx_module_deps="$(ls $dir/*.h $dir/*/*.h)"
ngx_module_srcs="$dir/ngx_http_payer_module.c $dir/provider/ngx_http_payer_flow.c"
if [ $ngx_found = yes ]; then
    ngx_module_srcs="$ngx_module_srcs $dir/lib/ngx_http_payer_json.c"
fi
. auto/module
EOF
    'docs/directives.md' => "### payer_zone\n",
    'docs/variables.md'  => "### `\$payer_zone`\n\n### \$payer_url\n",
    't/100.zone.t'       => 'payer_zone payer 1m; return 200 $payer_zone$payer_url;',
    "$module/ngx_http_payer_module.h" => qq(#include "ngx_http_payer_json.h"\n),
    "$module/ngx_http_payer_module.c" => <<'EOF',
#include "ngx_http_payer_module.h"
#include "ngx_http_payer_flow.h"
/* ngx_http_subrequest() is not called here */
static ngx_command_t  ngx_http_payer_commands[] = {
    { ngx_string("payer_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_payer_zone, 0, 0, NULL },
};
static ngx_http_variable_t  ngx_http_payer_vars[] = {
    { ngx_string("payer_zone"), NULL, ngx_http_payer_variable, 0, 0, 0 },
    ngx_http_payer_variable("payer_url", ngx_http_payer_text, 0),
};
static ngx_str_t  ngx_http_payer_other = ngx_string("payer_other");
EOF
    "$module/provider/ngx_http_payer_flow.h" => qq(#include "ngx_http_payer_module.h"\n),
    "$module/provider/ngx_http_payer_flow.c" => <<'EOF',
#include "ngx_http_payer_flow.h"
r->main->count++;
r->write_event_handler = x;
EOF
    "$module/lib/ngx_http_payer_json.h" => "\n",
    "$module/lib/ngx_http_payer_json.c" => <<'EOF',
#include <cjson/cJSON.h>
#include "ngx_http_payer_json.h"
double d = cJSON_GetNumber(x);
EOF
);


sub rules {
    my (%change) = @_;
    my %files = (%good, %change);
    my $dir = tempdir(CLEANUP => 1);

    make_path(map { "$dir/$_" } 'docs', 't',
        map { "$module/$_" } qw(lib provider attic));

    for my $name (keys %files) {
        next unless defined $files{$name};
        open my $fh, '>', "$dir/$name" or die "open $name: $!\n";
        print $fh $files{$name};
        close $fh;
    }

    my $said = `$^X \Q$FindBin::Bin\E/rules \Q$dir\E 2>&1`;

    return ($?, $said);
}


sub added {
    my ($name, $text) = @_;
    return ($name => ($good{$name} // '') . $text);
}


my ($status, $said) = rules();
is($said, '', 'nothing is said about a good tree');
is($status, 0, 'and it passes');

my $c = "$module/ngx_http_payer_module.c";
my $h = "$module/lib/ngx_http_payer_json.h";

my @bad = (
    [ 'cJSON does not', added($c, "#include <cjson/cJSON.h>\n") ],
    [ 'cJSON does not', added($c, "cJSON_Parse(x);\n") ],
    [ 'OpenSSL does not', added($c, "#include <openssl/evp.h>\n") ],
    [ 'OpenSSL does not', added($c, "RAND_bytes(x);\n") ],
    [ 'LMDB does not', added($c, "#include <lmdb.h>\n") ],
    [ 'subrequest does not', added($c, "ngx_http_subrequest(r);\n") ],
    [ "client's body does not",
        added($c, "ngx_http_discard_request_body(r);\n") ],
    [ 'parked request does not', added($c, "r->main->count++;\n") ],
    [ 'parked request does not', added($c, "r->write_event_handler = x;\n") ],
    [ 'floating-point', added($c, "double amount;\n") ],
    [ 'connection of our own', added($c, "connect(fd);\n") ],
    [ 'something that blocks', added($c, "ngx_msleep(5);\n") ],
    [ 'circle: flow -> module.h -> flow',
        added("$module/ngx_http_payer_module.h",
            qq(#include "ngx_http_payer_flow.h"\n)) ],
    [ 'circle: module.h -> json -> module.h',
        added($h, qq(#include "ngx_http_payer_module.h"\n)) ],
    [ 'ngx_http_payer_new.c is not named',
        "$module/lib/ngx_http_payer_new.c" => "\n" ],
    [ 'ngx_http_payer_new.c: stands in no wing',
        "$module/ngx_http_payer_new.c" => "\n" ],
    [ 'attic is no wing', "$module/attic/ngx_http_payer_new.c" => "\n" ],
    [ 'ngx_http_payer_flow.h runs up, from lib to provider',
        added("$module/lib/ngx_http_payer_json.c",
            qq(#include "ngx_http_payer_flow.h"\n)) ],
    [ 'ngx_http_payer_flow.h is not named',
        'config' => $good{config} =~ s/\*\/\*\.h/*\/*json.h/r ],
    [ 'ngx_http_payer_flow.c does not exist',
        "$module/provider/ngx_http_payer_flow.c" => undef ],
    [ 'does not run', 'config' => "exit 1\n" ],
    [ ': payer_zone is not in docs', 'docs/directives.md' => "about \$payer_zone\n" ],
    [ '$payer_zone is not in docs', 'docs/variables.md' => "### \$payer_url\n" ],
    [ '$payer_url is not in docs', 'docs/variables.md' => "### \$payer_zone\n" ],
    [ ': payer_zone is in no test', 't/100.zone.t' => '$payer_zone $payer_url' ],
    [ '$payer_zone is in no test', 't/100.zone.t' => 'payer_zone $payer_url' ],
    [ 'payer_gone does not exist', added('docs/directives.md', "## payer_gone\n") ],
    [ '$payer_gone does not exist', added('docs/variables.md', "## \$payer_gone\n") ],
    [ 'store: does not belong at the top', 'store' => '' ],
    [ "includes <poll.h> before nginx's headers",
        $c => "#include <poll.h>\n$good{$c}" ],
    [ 'no directive is defined', $c => "\n", 'docs/directives.md' => "\n", 'docs/variables.md' => "\n" ],
);

for my $case (@bad) {
    my ($message, %change) = @$case;

    ($status, $said) = rules(%change);
    isnt($status, 0, "fails: $message");
    like($said, qr/\Q$message\E/, "says: $message");
}

done_testing();
