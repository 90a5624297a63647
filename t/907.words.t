# Documents and messages are in plain technical English.  The words and phrases
# below had a meaning that only this project knew; they do not come back.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;

# nowhere
my $NEVER = join '|', qw(doors? roads? rooms? deeds? kin leaps? leapt leaping
    bears? bearing words? judges? judged hints? hinted retires? retired tally
    tallies strange heard whoever whomever), 'lets? (?:\w+ )?on', 'good for',
    'good until', 'no concern', 'riddle', 'knows no', 'led away', 'nobody knows',
    'nobody believes', 'by the way', "at Payer's(?! \\w)";

# not in documents for users: payer_verify, lock
my $HOUSE = join '|', qw(gates? ledgers? claims? claimed);
my %INTERNAL = map { ("docs/$_.md" => 1) }
    qw(architecture testing performance scaling releasing);

my @documents = map { s{^\Q@{[root()]}\E/}{}r } glob join ' ',
    map { root() . "/$_" } qw(README.md SECURITY.md CHANGES demo/README.md
        docs/*.md docs/shops/*.md);
my @configurations = map { s{^\Q@{[root()]}\E/}{}r } glob join ' ',
    map { root() . "/$_" } qw(conf/*.conf demo/nginx.conf);
my @sources = map { s{^\Q@{[root()]}\E/}{}r }
    glob root() . '/ngx_http_payer_module/*/*.[ch]';

cmp_ok(scalar @documents, '>', 15, 'the documents can be found');
cmp_ok(scalar @sources, '>', 50, 'the sources can be found');

plain($_, prose($_), $INTERNAL{$_} ? $NEVER : "$NEVER|$HOUSE") for @documents;
plain($_, comments($_), "$NEVER|$HOUSE") for @configurations;
plain($_, messages($_), "$NEVER|$HOUSE") for @sources;

# the test finds what it looks for

ok(found('the buyer is let on', $NEVER), 'a phrase is found');
ok(found('see the claim', "$NEVER|$HOUSE"), 'a word is found');
ok(!found('a password, and roaming', $NEVER), 'a part of a word is none');

Test::More::done_testing();


sub found {
    my ($text, $words) = @_;

    return $text =~ /(?<![\w-])($words)(?![\w-])/i ? $1 : undef;
}


sub plain {
    my ($file, $lines, $words) = @_;
    my @found;

    for my $line (@$lines) {
        my $word = found($line, $words);

        push @found, "\"$word\" in: $line" if defined $word;
    }

    is(join("\n", @found), '', "$file is in plain English");
}


# The sentences of a document, without code, addresses and titles of tests.

sub prose {
    my ($file) = @_;
    my $text = document($file);

    $text =~ s/^ *```.*?^ *```$//gms;
    $text =~ s/<!--.*?-->//gs;
    $text =~ s/`[^`\n]*`(?::(?:\s*"[^"\n]+";?)+)?//g;
    $text =~ s/\]\([^)]*\)/]/g;
    $text =~ s/\n(?![\n|#-])/ /g;

    return [ split /\n+|(?<=\.) +/, $text ];
}


# The comments of a configuration.

sub comments {
    my ($file) = @_;

    return [ document($file) =~ /#(.*)$/mg ];
}


# The texts in a source that are for people: literals of one line with more than
# one word, but for those of the debug log.

sub messages {
    my ($file) = @_;
    my $text = document($file);
    my @lines;

    $text =~ s{/\*.*?\*/}{}gs;
    $text =~ s/\b\w*debug\w*\((?:[^;"]|"(?:[^"\\]|\\.)*")*;//g;

    while ($text =~ /((?:"(?:[^"\\\n]|\\.)*"\s*)+)/g) {
        my $line = join '', $1 =~ /"((?:[^"\\\n]|\\.)*)"/g;
        push @lines, $line if $line =~ /\w \w/ && $line !~ /\\n/;
    }

    return \@lines;
}
