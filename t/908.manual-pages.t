# The manual pages of the packages, made from docs/ by tools/man.

use strict;
use warnings;

use Test::More;

plan skip_all => 'man is not installed' if !grep { -x "$_/man" } split /:/, $ENV{PATH};

$ENV{SOURCE_DATE_EPOCH} = 1_000_000_000;
mkdir $_ for 'build', 'build/man';

my $module = page('ngx_http_payer_module', 7, 'payments',
    'docs/directives.md', 'docs/variables.md');

open my $doc, '<', 'docs/directives.md' or die $!;
my @directives = map { /^### (payer_\w+)/ ? $1 : () } <$doc>;

cmp_ok(scalar @directives, '>', 40, 'the document has directives');
is(join(' ', grep { $module !~ /^ +\Q$_\E\n/m } @directives), '',
    'each of them is a section of the page');
like($module, qr/Syntax: payer_link_ttl time;\n +Default: payer_link_ttl 30d;/,
    'with its syntax');
like($module, qr/\$payer_ticket/, 'variables are in it');
like($module, qr/2001-09-09/, 'the date is that of the sources');
is(join("\n", grep { /\]\(|```|\*\*|<br>|^\|/ } split /\n/, $module), '',
    'nothing of Markdown is left');

my $tool = page('payer-store', 8, 'payments',
    'docs/operations.md#Viewing and moving the store');

like($tool, qr/^ +payer-store export STORE \[PREFIX\]\n/m, 'commands of the tool');
unlike($tool, qr/payer_reconcile/, 'the page ends with the part of the document');

system("tools/man a 7 b 'docs/operations.md#No such part' 2>build/man/error");
isnt($?, 0, 'a part that is not there is an error');

done_testing();


# As a terminal shows it; groff's warnings are faults.

sub page {
    my ($name, $section, @arguments) = @_;
    my $file = "build/man/$name.$section";

    is(system("tools/man $name $section " . join(' ', map { "'$_'" } @arguments)
        . " >$file"), 0, "$name($section) is made");

    my $said = `LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l $file 2>&1 >$file.txt`;
    is($said, '', 'and formatted without a warning');

    open my $in, '<:encoding(UTF-8)', "$file.txt" or die "$file.txt: $!";
    local $/;

    return <$in> =~ s/\x{2010}/-/gr =~ s/.\x08//gr;
}
