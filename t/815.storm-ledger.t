# The checks of the storms can fail: each rule is violated once, with made-up
# answers and books.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Payer::HTTP qw(response);
use Payer::Ledger;
use Test::More;

my $json = JSON::PP->new->canonical;
my $page = 'http://payer/widget/1';


sub said {
    my ($status, $headers, $body, $error) = @_;

    my $head = join "\r\n", "HTTP/1.1 $status X",
        map({ "$_: $headers->{$_}" } sort keys %{ $headers // {} });

    return response({
        method => 'GET', start => 0, time => 0, error => $error,
        got => $status ? "$head\r\n\r\n" . ($body // '') : '',
    });
}


sub problem { said($_[0], {}, $json->encode({ detail => $_[1] })) }

my %good = (
    visit   => said(303, { Location => $page }),
    unpaid  => said(402),
    pay     => said(200, {}, '{"outcome":"authorized"}'),
    thanks  => said(200),
    capture => said(200),
    sold    => said(303, { Location => '/thanks?order=1' }),
    again   => said(303, { Location => $page }),
    replay  => said(200, { 'Idempotency-Replayed' => 'true' }),
);


# A ledger that was told all this, of one order.

sub told {
    my ($rules, @told) = @_;
    my $ledger = Payer::Ledger->new(%$rules);

    while (my ($step, $answer) = splice @told, 0, 2) {
        $ledger->take('1', $step, $answer);
    }

    return $ledger;
}


sub good { map { $_ => $good{$_} } @_ }


# Payer's books of an order that was paid and captured, with changes.

sub payment {
    return {
        url => $page, live => 0, authorized => 100,
        operations => [ { operationType => 'CAPTURE' } ], @_,
    };
}


sub open_link { payment(live => 1, authorized => 0, operations => [], @_) }


sub audit {
    my ($ledger, @payments) = @_;
    return join '; ', $ledger->audit({ 1 => \@payments });
}

my @whole = good(qw(visit unpaid pay thanks capture sold replay));
my @open = good(qw(visit again));

my $ledger = told({}, @whole);
is_deeply([ $ledger->said ], [], 'what is right is right');
is($ledger->count->{right}, 6, 'and counted, but for what the buyer does');
is(audit($ledger, payment()), '', 'and so are the books');
is(audit(told({}, @open), open_link()), '', 'and those of an open order');

# answers

my @wrong = (
    [ 'no answer'                     => visit   => said(0, {}, '', 'closed') ],
    [ 'half an answer'                => thanks  => said(200, { 'Content-Length' => 9 }, 'x') ],
    [ 'a page of errors'              => visit   => said(500) ],
    [ 'another place'                 => visit   => said(303, { Location => '/cart' }) ],
    [ 'thanks to who has not paid'    => visit   => $good{sold} ],
    [ 'an open gate'                  => unpaid  => said(200) ],
    [ 'a shut gate'                   => thanks  => said(402) ],
    [ 'a declined card'               => pay     => said(200, {}, '{"outcome":"declined"}') ],
    [ 'a refused capture'             => capture => said(409) ],
    [ 'a page for a paid order'       => sold    => $good{visit} ],
    [ 'a forgotten capture'           => replay  => said(409) ],
    [ 'a capture that was not kept'   => replay  => said(200) ],
    [ 'what only a storm may refuse'  => visit   => problem(503, 'the disk') ],
);

for (@wrong) {
    my ($name, $step, $answer) = @$_;
    is(told({})->take('1', $step, $answer), 'wrong', "wrong: $name");
}

my $other = said(303, { Location => 'http://payer/widget/2' });

is(told({}, @open)->take('1', 'visit', $other), 'wrong', 'wrong: another link');
is(told({ replace => 1 }, @open)->take('1', 'visit', $other), 'right',
   'unless links are replaced');

# what a storm allows, and no more

is(told({ closed => 1 })->take('1', 'visit', said(0, {}, '', 'closed')),
   'closed', 'a worker may be killed');
is(told({ closed => 1 })->take('1', 'visit', said(0, {}, '', 'timed out')),
   'wrong', 'but nobody waits for ever');

my %refused = (refused => qr/^503 the disk/);

is(told(\%refused)->take('1', 'visit', problem(503, 'the disk')), 'refused',
   'a full disk may be said');
is(told(\%refused)->take('1', 'visit', problem(503, 'the clock')), 'wrong',
   'and nothing else');

$ledger = told({ closed => 1, %refused });
$ledger->calm;
is($ledger->take('1', 'visit', problem(503, 'the disk')), 'wrong',
   'nor afterwards');
is($ledger->take('1', 'visit', said(0, {}, '', 'closed')), 'wrong',
   'when nobody is killed, either');

# records and books

my @books = (
    [ qr/is forgotten/          => [ good(qw(visit)) ], open_link() ],
    [ qr/is forgotten/          => [ good(qw(visit pay capture)) ], payment() ],
    [ qr/Payer does not know/   => \@open, open_link(url => 'other') ],
    [ qr/paid, but not in/      => \@whole ],
    [ qr/dead before it is/     => \@open, open_link(live => 0) ],
    [ qr/paid twice/            => \@whole, payment(), payment() ],
    [ qr/captured twice/        => \@whole, payment(operations => [
                                      ({ operationType => 'CAPTURE' }) x 2 ]) ],
    [ qr/captured, but not in/  => \@whole, payment(operations => []) ],
    [ qr/a live link for a paid/ => \@whole, payment(live => 1) ],
    [ qr/paid, but not in/      => \@whole, payment(authorized => 0) ],
    [ qr/two live links/        => [ @open, visit => $other ], open_link(),
                                   open_link(url => 'http://payer/widget/2') ],
);

for (@books) {
    my ($sentence, $told, @payments) = @$_;
    like(audit(told({ replace => 1 }, @$told), @payments), $sentence,
         "lost: $sentence");
}

like(audit(told({}, @open, visit => $other), open_link(),
           open_link(url => 'http://payer/widget/2', live => 0)),
     qr/two links were given out/, 'lost: a link, for another one');

done_testing();
