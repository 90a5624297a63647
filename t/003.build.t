# What `make` does with the flags and the files that it finds.  nginx's tree is
# a stand-in: its configure writes down what it gets, and its Makefile does
# nothing but that.

use strict;
use warnings;

use Cwd        qw(getcwd);
use File::Path qw(make_path remove_tree);
use Test::More;

my $top = getcwd();
my $dir = "$top/build/test build.$$";    # with a space, as people have them

END { chdir $top; remove_tree($dir) if $dir }

stand_in();
$ENV{NGINX_SRC} = "$dir/nginx";
delete @ENV{qw(CC CFLAGS CPPFLAGS LDFLAGS MAKEFLAGS MFLAGS MAKELEVEL JOBS)};

chdir "$dir/tree" or die "$dir/tree: $!";

my ($said, $args) = build();
is($?, 0, 'it is built in a directory with a space') or diag($said);
like($args, qr/-O2 .* -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 /, 'with hardening');
like($args, qr/-Wl,-z,now/, 'also by the linker');

($said, $args) = build();
is("$?$said", '0', 'a second time it does nothing');

($said, $args) = build('CFLAGS=-O3 -D_FORTIFY_SOURCE=3', 'CPPFLAGS=-DA_WORD', 'LDFLAGS=-Wl,-O1');
is($?, 0, 'flags of the command line') or diag($said);
like($args, qr/ -DA_WORD -O3 -D_FORTIFY_SOURCE=3/, 'are added');
unlike($args, qr/_FORTIFY_SOURCE=2/, 'and nothing is defined twice');
like($args, qr/-Wl,-z,now -Wl,-O1/, 'of the linker, too');
is(made('flags'), "of configure\n", "nginx's own Makefile keeps its flags");

($said, $args) = build('CFLAGS=-O0 -g');
unlike($args, qr/_FORTIFY_SOURCE/, 'no fortified functions without optimization');

($said, $args) = build('CC=clang -pipe');
like($args, qr/--with-cc=clang -pipe$/m, 'a compiler with an option');

build('-j8', '-k');
is(made('makeflags'), "\n", 'flags of make are not passed on');

unlink glob 'build/*.so';
($said, $args) = with_umask(077, sub { build() });
is($?, 0, 'it is built with umask 077') or diag($said);

($said) = make('install', "DESTDIR=$dir/dest dir");
is($?, 0, 'and installed to a directory with a space') or diag($said);
is(mode("$dir/dest dir/$_->[0]"), $_->[1], "$_->[0] can be read")
    for [ 'usr/lib/nginx/modules/ngx_http_payer_module.so', '644' ],
    [ 'usr/lib/nginx/modules/ngx_http_payer_postgres_module.so', '644' ],
    [ 'usr/lib/nginx/modules', '755' ], [ 'etc/nginx/payer_api.conf', '644' ],
    [ 'etc/nginx', '755' ], [ 'usr/sbin/payer-store', '755' ];

write_file("$dir/no-postgres", '');
build();
($said) = make('install', "DESTDIR=$dir/dest2");
is($?, 0, 'without libpq, too') or diag($said);
ok(!-e "$dir/dest2/usr/lib/nginx/modules/ngx_http_payer_postgres_module.so",
    'then there is one module');

($said) = make('clean');
ok(!-e 'build', 'all that was made is in build/');

SKIP: {
    skip 'nobody else may read this directory', 2
        if !$> && system('setpriv', '--reuid=65534', 'test', '-r', "$dir/tree/Makefile");

    mkdir 'build', 0555;
    ($said) = make_as_nobody('all');
    isnt($?, 0, 'a build directory of somebody else is an error');
    like($said, qr{/build belongs to \w+: remove it}, 'which says so');
}

done_testing();


# A copy of what is needed to build, and nginx's tree.

sub stand_in {
    make_path("$dir/tree/tools", "$dir/tree/fuzz", map { "$dir/nginx/$_" } qw(auto src/core));

    for (qw(Makefile config conf ngx_http_payer_module tools/build-module)) {
        system('cp', '-R', $_, "$dir/tree/$_") == 0 or die "cp $_\n";
    }

    # the tool for stores is not looked at here
    write_file("$dir/tree/tools/build-payer-store", <<'END', 0755);
#!/bin/sh
[ -e "$1" ] || install -m 755 /dev/null "$1"
END
    write_file("$dir/nginx/conf_flags", "NGX_CONF_FLAGS=( --with-compat )\n");
    write_file("$dir/nginx/auto/modules", '');
    write_file("$dir/nginx/src/core/nginx.h", qq{#define NGINX_VERSION "1.2.3"\n});
    
    # -k, where make got it
    write_file("$dir/nginx/configure", <<'END', 0755);
#!/bin/sh
mkdir -p objs
printf '%s\n' "$@" >objs/arguments
cat >objs/Makefile <<'EOT'
CFLAGS = of configure
modules:
	@echo "$(CFLAGS)" >objs/flags
	@echo "$(findstring k,$(firstword $(MAKEFLAGS)))" >objs/makeflags
	@echo module >objs/ngx_http_payer_module.so
	@test -e ../../../no-postgres && rm -f objs/*postgres* \
	    || echo postgres >objs/ngx_http_payer_postgres_module.so
EOT
END
}


sub write_file {
    my ($file, $text, $mode) = @_;

    open my $fh, '>', $file or die "$file: $!\n";
    print {$fh} $text;
    close $fh or die "$file: $!\n";
    chmod $mode, $file if $mode;
}


# What make says, and what configure got.

sub build {
    return (make('all', @_), made('arguments'));
}


# Root may write everywhere.

sub make_as_nobody {
    return make(@_) if $>;
    return make('--nobody', @_);
}


sub make {
    my @command = ('timeout', 60, 'make', 'INSTALL=:', grep { $_ ne '--nobody' } @_);

    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        $( = $) = '65534 65534', $< = $> = 65534 if @command != @_ + 4;
        exec @command or die "make: $!\n";
    }

    my $text = join '', <$out>;
    close $out;
    return $text =~ s/^(?:make\[?|built ).*\n//gmr;
}


sub made {
    my ($name) = @_;

    open my $fh, '<', "build/nginx/objs/$name" or return '';
    local $/;
    return <$fh>;
}


sub with_umask {
    my ($mask, $code) = @_;

    my $old = umask $mask;
    my @got = $code->();
    umask $old;
    return @got;
}


sub mode { return sprintf '%o', ((stat $_[0])[2] // 0) & 07777 }
