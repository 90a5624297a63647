# The links in four languages in the documentation: each example is run
# unchanged, and the module accepts its link.

use lib 't/lib';
use Payer::Test;

# Finds the section in whichever document it stands.

our ($SECTION) = map { _slurp($_) =~ /^(## Signed links\n.*?)(?=^## |\z)/ms }
    glob root() . '/docs/*.md';

my %PROGRAM = (
    php    => [qw(php -n)],
    python => ['python3'],
    perl   => [qw(perl -w)],
    sh     => ['sh'],
);


sub _slurp {
    open my $fh, '<', $_[0] or die "open $_[0]: $!\n";
    local $/;
    return <$fh>;
}


# The one block in this language.

sub shown {
    my ($language) = @_;

    my @found = $SECTION =~ /^```\Q$language\E\n(.*?)^```$/msg;

    die "the section shows " . @found . " blocks of $language\n"
        unless @found == 1;

    return $found[0];
}


# Where the shop's address and the key are is another matter in a test.

sub at_home {
    my ($text) = @_;

    $text =~ s{/etc/(?:shop|nginx)/payer-link\.key}{work_dir() . '/link.key'}ge
        or die "no key file is named\n";

    return $text;
}


# The path that the program prints.

sub link_by {
    my ($language, $order) = @_;

    my $code = at_home(shown($language));

    $code =~ s/A-1001/$order/ or die "$language names no order\n";

    my $file = write_file("link.$language", $code);
    my $said = qx(@{ $PROGRAM{$language} } $file 2>&1);

    $said =~ m{\Ahttps://shop\.example(/pay\S+)\n\z}
        or die "$language printed: $said\n";

    return $1;
}


# Both ends of a link: it is taken, and a changed one is not.

sub try_out {
    my ($language, $order) = @_;

    my $link = link_by($language, $order);
    my $r = get($link);

    Test::More::is($r->status, 303, "$language: $link")
        or Test::More::diag($r);
    Test::More::is(books($order)->{amount}, 12900, "$language: paid in full");

    $r = get($link =~ s/amount=12900/amount=100/r);
    Test::More::is($r->status, 403, "$language: not for another amount");
}

write_file('link.key', qx(openssl rand -hex 32), 0600);

run_payer_tests();

__DATA__

=== TEST 1: the link of each documented language is accepted
--- config eval: ::at_home(::shown('nginx'))
--- request
GET /pay
--- error_code: 403
--- after
try_out($_, "B-$_-7") for qw(php python perl sh);



=== TEST 2: the link of each documented language is accepted for an order number that must be escaped
--- config eval: ::at_home(::shown('nginx'))
--- request
GET /pay
--- error_code: 403
--- after
try_out($_, "$_ 10/7:a&b+c%41=x") for qw(php python perl);
