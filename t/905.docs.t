# The documents agree with the code: each directive and variable has an entry
# with the right contexts, arguments and default, each log message is
# explained, and no link is broken.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;

use File::Basename qw(dirname);

# what a default in nginx.conf is in the code
my %unit = (ms => 1, s => 1000, m => 60_000, h => 3600_000, d => 86400_000);

my $code = join '', map { document("ngx_http_payer_module/$_") } sources();
my $table = document('ngx_http_payer_module/ngx_http_payer_module.c');
my $directives = document('docs/directives.md');
my $variables = document('docs/variables.md');

$code =~ s{/\*.*?\*/}{}gs;

check_directives();
check_variables();
check_calls();
check_log('docs/log-messages.md');
check_problems('docs/answers.md');
check_links();
check_examples();
check_wings();
check_version();
check_numbers();

Test::More::done_testing();


sub sources {
    my $dir = root() . '/ngx_http_payer_module';
    return map { substr $_, length("$dir/") } sort glob "$dir/*.c $dir/*/*.c";
}


# The directive table: name, flags.

sub check_directives {
    my $any = join '|', map { "NGX_HTTP_${_}_CONF" } qw(MAIN SRV LOC);
    my (%flags, @order);

    while ($table =~ /\{ \s* ngx_string\("(payer_\w+)"\), \s* ([A-Z0-9_|\s]+),/gx) {
        my ($name, $flags) = ($1, $2);
        $flags =~ s/NGX_HTTP_PAYER_ANY_CONF/$any/;
        $flags{$name} = { map { $_ => 1 } $flags =~ /(\w+)/g };
    }

    ok(keys %flags > 20, 'the directive table can be read');

    my %entry = entries($directives);

    for my $name (sort keys %flags) {
        my $entry = $entry{$name};

        ok(defined $entry, "$name has an entry in docs/directives.md") or next;

        my ($context) = $entry =~ /^Context: (.+)$/m;
        is($context, contexts($flags{$name}), "$name - contexts");

        my ($syntax) = $entry =~ /^Syntax: (.+?;<br>\n(?:\*\*.+?;<br>\n)*)/m;
        is(span($syntax, $name), wanted($flags{$name}),
            "$name - arguments of: " . ($syntax // ''));

        my ($default) = $entry =~ /^Default: (.+?)<br>$/m;
        check_default($name, $default);

        like($entry, qr/^\*This directive appeared in version \d+\.\d+\.\d+\.\*$/m,
            "$name - appeared in");

        my ($example) = $entry =~ /^```nginx\n(.*?)^```$/ms;
        like($example // '', qr/(?<!\S)\Q$name\E[ ;]/, "$name - example");
        like($directives, qr/\[$name\]\(#$name\)/, "$name - in the overview");
    }

    my @names = $directives =~ /^### (\S+)/gm;
    is("@names", join(' ', sort keys %flags),
        'no entry is of another directive, and all are in order');
}


sub entries {
    my ($text) = @_;
    return $text =~ /^### (\S+)\n(.*?)(?=^### |\z)/gms;
}


sub contexts {
    my ($flags) = @_;

    return join ', ',
        ('http') x !!$flags->{NGX_HTTP_MAIN_CONF},
        ('server') x !!$flags->{NGX_HTTP_SRV_CONF},
        ('location') x !!$flags->{NGX_HTTP_LOC_CONF},
        ('if in location') x !!$flags->{NGX_HTTP_LIF_CONF};
}


# How many arguments all lines of the syntax show, as "1", "1-2" or "1-".

sub span {
    my ($syntax, $name) = @_;

    my @lines = map { arguments($_, $name) } ($syntax // '') =~ /^(.+);<br>$/mg;
    my @min = sort { $a <=> $b } map { /^(\d+)/ ? $1 : return $_ } @lines;
    my @max = sort { $a <=> $b } map { /(\d*)$/ ? $1 || 1000 : () } @lines;

    return 'no syntax' unless @lines;
    return 0 if $lines[0] eq '0';
    return $max[-1] == 1000 ? "$min[0]-"
        : $min[0] == $max[-1] ? $min[0] : "$min[0]-$max[-1]";
}


# How many arguments a line shows.

sub arguments {
    my ($syntax, $name) = @_;

    return 'no syntax' unless defined $syntax;
    return "not of $name" unless $syntax =~ s/^\*\*\Q$name\E\*\*//;

    my $more = $syntax =~ s/ \.\.\.$//;
    my $optional = () = $syntax =~ /\[[^\]]*\]/g;

    $syntax =~ s/\[[^\]]*\]//g;

    # alternatives are one argument; so are a word and what follows it
    $syntax =~ s/\s*\|\s*/|/g;
    my $min = () = $syntax =~ /\S+/g;
    my $max = $min + $optional;

    return $more ? "$min-" : $min == $max ? $min : "$min-$max";
}


sub wanted {
    my ($flags) = @_;

    return 0 if $flags->{NGX_CONF_NOARGS};
    return 1 if $flags->{NGX_CONF_FLAG};
    return '1-' if $flags->{NGX_CONF_1MORE};
    return '2-' if $flags->{NGX_CONF_2MORE};

    my $take = join '',
        map { /^NGX_CONF_TAKE(\d+)$/ ? $1 : () } sort keys %$flags;

    return $take =~ /^(\d)$/ ? $1 : join '-', (split //, $take)[0, -1];
}


# A time, a number or a flag is merged with the default that is told.

sub check_default {
    my ($name, $default) = @_;

    ok(defined $default, "$name - default") or return;

    my ($type, $value) = $code =~ /
        ngx_string\("$name"\), [^}]*? ngx_conf_set_(msec|sec|num|flag)_slot,
        [^}]*? offsetof\(ngx_http_payer_loc_conf_t,\s*(\w+)\)/x or return;

    my ($merged) = $code =~ /
        ngx_conf_merge_\w+\(conf->$value,\s*prev->$value,\s*([^;]+)\);/x;
    my ($told) = $default =~ /^\Q$name\E (\S+);$/;

    $merged = eval $merged;
    $merged *= 1000 if $type eq 'sec';

    $told = $told eq 'on' ? 1 : 0 if $type eq 'flag';
    $told = $1 * $unit{$2}
        if $type =~ /sec/ && $told =~ /^(\d+)(ms|s|m|h|d)$/;

    is($told, $merged, "$name - default as in the code");
}


sub check_variables {
    my @defined = $code =~ /ngx_http_payer_variable\("(payer_\w+)"/g;
    my %entry = entries($variables);

    ok(@defined > 10, 'the table of variables can be read');

    my @names = $variables =~ /^### (\S+)/gm;
    is("@names", join(' ', map {"\$$_"} sort @defined),
        'docs/variables.md has them all, no others, and in order');

    like($entry{$_}, qr/^\*This variable appeared in version \d+\.\d+\.\d+\.\*$/m,
        "$_ - appeared in") for @names;
}


# The paths of Payer's API stand in two places.

sub check_calls {
    my ($types) = $code =~ /ngx_http_payer_call_types\[\] = \{(.*?)\n\};/s;
    my %entry = entries($directives);

    my %path = $types =~ /
        \{ \s* ngx_string\("(\w+)"\), [^{}]*? ngx_string\("(\/[^"]+)"\)/gx;

    ok(keys %path > 10, 'the table of calls can be read');

    for my $name (sort keys %path) {
        like($entry{payer_path}, qr/^\|.*`$name`.*\| `\Q$path{$name}\E`/m,
            "payer_path - $name is $path{$name}");
    }
}


# Every line for the log of a server that runs, by its longest piece without
# a value in it.

sub check_log {
    my ($file) = @_;

    my $text = document($file);
    my $n = 0;

    $text =~ s/\s+/ /g;

    while ($code =~ /(?:ngx_log_error|ngx_http_payer_log)\((?:NGX_LOG_\w+|level),[^"]*?((?:"(?:[^"\\]|\\.)*"\s*)+)/g) {
        my $format = $1;

        $format =~ s/(?<!\\)"\s+"//g;
        $format =~ s/^"//;
        $format =~ s/"\s*\z//;
        $format =~ s/\\"/"/g;

        $format =~ s/,? in %s:%ui\z//;

        my ($piece) = sort { length $b <=> length $a }
            split /%[A-Za-z0-9.*]+/, $format;

        $piece =~ s/\s+/ /g;
        $piece =~ s/^ | $//g;

        ok(index($text, $piece) >= 0, "$file explains: $piece");
        $n++;
    }

    ok($n > 15, 'the lines for the log can be found');
}


# The types of problems are in a table.

sub check_problems {
    my ($file) = @_;

    my %type = map { $_ => 1 } $code =~ /\btype = "([a-z-]+)";/g;
    my %told = map { $_ => 1 } document($file) =~ /^\| `([a-z-]+)` \| \d/gm;

    ok(keys %type > 4, 'the types of problems can be found');
    is(join(' ', sort keys %told), join(' ', sort keys %type),
        "$file has them all, and no others");
}


# Links between documents, with their headings.

sub check_links {
    my @files = ('README.md', 'demo/README.md', map { s{^\Q@{[root()]}\E/}{}r }
        glob root() . '/docs/*.md ' . root() . '/docs/shops/*.md');
    my %linked;

    for my $file (@files) {
        my $text = document($file);

        $text =~ s/^```.*?^```$//gms;

        while ($text =~ /\]\(([^)\s]+)\)/g) {
            my ($path, $anchor) = split /#/, $1, 2;

            next if $path =~ m{^https?://};

            my $target = length $path ? dirname($file) . "/$path" : $file;
            my $there = -e root() . "/$target";

            ok($there, "$file links to $target") or next;
            $linked{$target} = 1 if $file eq 'docs/README.md';
            next unless defined $anchor;

            my %anchors = map { anchor($_) => 1 }
                document($target) =~ /^#+ (.+)$/gm;

            ok($anchors{$anchor}, "$file links to $target#$anchor");
        }
    }

    ok($linked{$_}, "docs/README.md links to $_")
        for grep { m{^docs/} && $_ ne 'docs/README.md' } @files;
}


# As the usual renderers make it.

sub anchor {
    my ($heading) = @_;

    $heading = lc $heading;
    $heading =~ s/[^\w\- ]//g;
    $heading =~ s/ /-/g;

    return $heading;
}


# Each example with a name is run by a test.

sub check_examples {
    my @tests = map {
        open my $fh, '<', $_ or die "open $_: $!\n"; local $/; <$fh>
    } glob root() . '/t/*.t ' . root() . '/t/*/*.t';

    for my $file ('README.md', map { s{^\Q@{[root()]}\E/}{}r }
        glob root() . '/docs/*.md')
    {
        my %examples = examples($file);

        for my $name (sort keys %examples) {
            my @runs = grep { /\Q$file\E/ && /(?<![\w-])\Q$name\E(?![\w-])/ }
                @tests;

            ok(@runs, "a test runs $name of $file");
        }
    }
}


# The picture of the wings is what the includes say now.

sub check_wings {
    my $drawn = `\Q@{[ root() ]}\E/tools/wings`;

    is($?, 0, 'tools/wings draws the wings');
    is(document('docs/wings.svg'), $drawn, 'docs/wings.svg is what it draws');
    unlike($drawn, qr/#c00/, 'no arrow of the picture runs up');
}


# The version that the module names to Payer is the newest one of CHANGES.

sub check_version {
    my ($version) = document('ngx_http_payer_module/ngx_http_payer_module.h')
        =~ /NGX_HTTP_PAYER_VERSION\s+"([\d.]+)"/;
    my ($newest) = document('CHANGES') =~ /ngx_http_payer_module ([\d.]+)/;

    is($version, $newest, 'the version is that of CHANGES');
}


# Each file of t/ has a number of its own, in a range of docs/testing.md.

sub check_numbers {
    my @ranges = map { [ split / to / ] }
        document('docs/testing.md') =~ /^\| (\d{3} to \d{3}) \|/mg;
    my %files;

    push @{ $files{ substr $_, 0, 3 } }, $_
        for map { s{.*/}{}r } glob root() . '/t/[0-9]*.t';

    cmp_ok(scalar keys %files, '>', 80, 'the test files can be found');

    for my $number (sort keys %files) {
        my @topics = grep { $_->[0] <= $number && $number <= $_->[1] } @ranges;

        is("@{ $files{$number} }", $files{$number}[0], "$number is used once");
        is(scalar @topics, 1, "$number is in one range of docs/testing.md");
    }
}
