# The tests that docs/security.md names exist: each threat has at least one,
# with its file and title.

use lib 't/lib';
use Payer::Test simulator => 0;
use Payer::Docs;

my $text = document('docs/security.md');
my ($threats, $named) = (0, 0);

for my $row ($text =~ /^(\|.*\|)$/mg) {
    my ($threat, undef, $tests) = map { s/^\s+|\s+$//gr }
        (split /\|/, $row)[1 .. 3];

    next if $threat =~ /^(?:threat|-+)$/;

    $threats++;
    check_tests($threat, $tests // '');
}

cmp_ok($threats, '>=', 40, "$threats threats");
cmp_ok($named, '>=', 80, "$named tests");

check_links('SECURITY.md');

Test::More::done_testing();


# `t/500.verify.t`: "one title"; "another" `t/600.operations.t`: "a third"

sub check_tests {
    my ($threat, $cell) = @_;
    my $n = 0;

    while ($cell =~ /\G\s*`(t\/[^`]+)`:((?:\s*"[^"]+";?)+)/gc) {
        my ($file, $titles) = ($1, $2);
        my $source = -e root() . "/$file" ? document($file) : '';

        for my $title ($titles =~ /"([^"]+)"/g) {
            $n++;
            ok($source =~ /^=== TEST \d+: \Q$title\E\s*$/m
                || $source =~ /'\Q$title\E'/, "$file: $title");
        }
    }

    ok($n && $cell =~ /\G\s*\z/, "shown by tests: $threat")
        or Test::More::diag($cell);

    $named += $n;
}


sub check_links {
    my ($file) = @_;

    for my $target (document($file) =~ /\]\(([^)\s]+)\)/g) {
        ok(-e root() . "/$target", "$file links to $target");
    }
}
