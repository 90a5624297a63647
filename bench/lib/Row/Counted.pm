package Row::Counted;

# Instructions and system calls of one request, see Count: of nginx alone, of
# the module, and of the peers.

use strict;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

use Count;


sub measure ($class, $bench) {
    my @peers = qw(lua njs);

    add_peer($bench->rig, $_) for @peers;

    my $count = Count->new(requests => $bench->either([ 200, 500 ],
        [ 200, 1200 ]));

    my @names = (
        qw(floor_return floor_proxy floor_bodyless floor_get floor_verify),
        'verify memory', 'lookup memory', 'paid memory', 'notified memory',
        map { ("repeated $_", "first $_") } qw(memory lmdb), @peers,
    );

    for my $name (@names) {
        my $found = $bench->found->{counted}{$name} = {
            instructions => $count->instructions($name),
            calls        => $count->system_calls($name),
        };

        $bench->say('counted, %s: %.0f instructions, %.2f system calls',
            $name, @$found{qw(instructions calls)});
    }
}


sub add_peer ($rig, $name) {
    my $configuration = sub ($subject, $provider) {
        return $rig->configuration($name, under => 1, unbound => 1,
            port => $subject, provider => $provider, zone => '64m');
    };

    $Count::SUBJECTS{"repeated $name"} = {
        configuration => $configuration,
        request       => sub ($n) { Count::visit(1) },
    };

    $Count::SUBJECTS{"first $name"} = {
        configuration => $configuration,
        request       => sub ($n) { Count::visit($n) },
    };
}


1;
