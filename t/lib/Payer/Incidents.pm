package Payer::Incidents;

# docs/incidents.md as its tests see it:
#
#     incident('The disk is full')     the log has the line that the page
#                                      promises, and the doctor says its word
#
# In a block with a location /doctor.  Options: get => sub { ... }, which asks
# the doctor in another way.

use strict;
use warnings;

use Exporter qw(import);
use Test::More ();

our @EXPORT = qw(incident incidents);


# title => { log, doctor => { check => status }, command, action }

sub incidents {
    my $file = Payer::Test::root() . '/docs/incidents.md';
    my $text = do { local (@ARGV, $/) = $file; <> };
    my %incident;

    for my $part (split /^## /m, $text) {
        my ($title, $rest) = split /\n/, $part, 2;
        my %say = ($rest // '') =~ /^- (\w+): (.+)$/mg or next;

        $incident{$title} = {
            log     => $say{Log} =~ /^`(.+)`$/ ? "$1" : undef,
            doctor  => { $say{Doctor} =~ /`(\w+)` is `(\w+)`/g },
            command => $say{Command} =~ /^`(.+)`$/ ? "$1" : undef,
            action  => $say{Action},
        };
    }

    return \%incident;
}


sub incident {
    my ($title, %option) = @_;

    my $incident = incidents()->{$title}
        or return Test::More::fail("docs/incidents.md has no \"$title\"");

    _told($incident->{doctor}, %option) if %{ $incident->{doctor} };

    # what the doctor does is logged, too
    _logged($incident->{log}) if defined $incident->{log};
}


sub _told {
    my ($promised, %option) = @_;

    my $r = $option{get} ? $option{get}->()
                         : Payer::Test::get('/doctor', timeout => 15);
    my %checks = map { $_->{name} => $_ } @{ $r->json->{checks} };

    for my $check (sort keys %$promised) {
        Test::More::is($checks{$check}{status} // 'nothing', $promised->{$check},
            "the doctor says of $check: "
                . ($checks{$check}{detail} // 'nothing'));
    }
}


# "..." stands for anything within a line

sub _logged {
    my ($line) = @_;

    my $like = join '.*?', map {quotemeta} split /\.\.\./, $line, -1;

    Test::More::ok(
        Payer::Test::wait_until(
            sub { Payer::Test::error_log_text() =~ /$like/ }),
        "the error log says: $line");
}

1;
