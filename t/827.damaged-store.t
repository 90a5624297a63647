# The store's file is damaged under load: payments are rejected, and all other
# requests are served.
#
#     DAMAGE_SECONDS=n    how long each storm lasts (4)

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Test;
use Payer::Conf;
use Payer::Life;
use Time::HiRes qw(sleep time);

master_on();
workers(2);
log_level('notice');

my $seconds = $ENV{DAMAGE_SECONDS} // 4;

sub rest { return 'location = /static { return 200 static; }' }

# In a process of its own, until the time is over: what was answered how often.
sub hammer {
    my ($url) = @_;
    my $end = time + $seconds;

    my $child = open(my $fh, '-|') // die "fork: $!\n";
    return [ $child, $fh ] if $child;

    my %seen;

    for (my $n = 0; time < $end; $n++) {
        my $r = eval { get($url =~ s/%/$n/r) };
        $seen{ $r ? $r->status : 'lost' }++;
    }

    print map { "$_=$seen{$_} " } sort keys %seen;
    close STDOUT;
    POSIX::_exit(0);
}

sub seen {
    my ($hammer) = @_;
    my $fh = $hammer->[1];
    my $text = do { local $/; <$fh> } // '';
    close $fh;
    return {} unless length $text;
    return { map { split /=/ } split ' ', $text };
}

sub sum_of {
    my %sum;

    for my $seen (map { seen($_) } @_) {
        $sum{$_} += $seen->{$_} for keys %$seen;
    }

    return \%sum;
}

sub damaged_in_a_storm {
    my ($harm) = @_;

    my @workers = sort(worker_pids());
    my @static = map { hammer('/static') } 1 .. 2;
    my @buyers = map { hammer("/checkout?order=$_-%") } 1 .. 3;

    sleep $seconds / 2;
    $harm->(work_dir() . '/payments/data.mdb');

    my $static = sum_of(@static);
    my $buyers = sum_of(@buyers);

    is(join(' ', keys %$static), '200', "of $static->{200} requests for the rest none is lost");
    is(join(' ', sort keys %$buyers), '303 503', 'a buyer gets a link or 503');
    is("@{[ sort(worker_pids()) ]}", "@workers", 'no worker died');

    my $r = get('/checkout?order=late');
    is($r->status, 503, 'the next one gets 503');
    is($r->header('Retry-After'), 1, 'for now');
    is(post('/capture?reference=late')->status, 503, 'nor is anything captured');

    my $created = calls()->{create};
    get("/checkout?order=later-$_") for 1 .. 5;
    is(calls()->{create}, $created, 'nothing is sent to Payer');
}

run_payer_tests();

__DATA__

=== TEST 1: after data.mdb was truncated payments get 503, and other requests are served
--- config perl: checkout() . operations() . rest()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
damaged_in_a_storm(sub { truncate $_[0], 8192 or die "$_[0]: $!\n" });
like(error_log_text(), qr/\[crit\].*data\.mdb" is damaged/, 'the log says what happened');



=== TEST 2: after data.mdb was overwritten payments get 503, and other requests are served
--- config perl: checkout() . operations() . rest()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
damaged_in_a_storm(sub {
    open my $fh, '+<:raw', $_[0] or die "$_[0]: $!\n";
    print $fh "\xff" x -s $_[0];
    close $fh;
});
like(error_log_text(), qr/\[crit\].*data\.mdb" (?:is damaged|was replaced)/, 'the log says what happened');



=== TEST 3: after the directory was deleted payments get 503, and other requests are served
--- config perl: checkout() . operations() . rest()
--- request
GET /checkout?order=1
--- error_code: 303
--- then
damaged_in_a_storm(sub { system('rm', '-r', work_dir() . '/payments') == 0 or die });
like(error_log_text(), qr/\[crit\].*data\.mdb" was deleted/, 'the log says what happened');
