# Two orders live through the same random history; the personal data of one of
# them is erased again and again.  All responses stay the same, and in the
# store nothing of a person is left.
#
#     PROPERTY_SEED=n     the same histories again
#     PROPERTY_STEPS=n    how many steps (240)

use strict;
use warnings;

use lib 't/lib';

BEGIN { $ENV{PAYER_TEST_STORE} = 'lmdb' }

use Payer::Test;
use Payer::Conf;

use JSON::PP qw(decode_json);
use Test::More;

our $prices = 'map $arg_price $payer_test_amount { default 10000; low 8000; high 12000; }';

our $seed  = $ENV{PROPERTY_SEED}  // time ^ $$ << 8;
our $steps = $ENV{PROPERTY_STEPS} // 240;

our $LENGTH = 16;       # of a history

# What was said of persons: in each name is the order that it is about.
our @persons;


sub locations {
    my ($lookup) = @_;

    return 'server_name localhost; payer_actor $http_x_actor; payer_timeout 2s; payer_refund_max 15000;'
        . checkout(payer_amount => '$payer_test_amount') . operations() . '
        location = /thanks { payer_verify $arg_order; empty_gif; }
        location /office/  { payer_office; payer_allow 127.0.0.1; payer_office_operate 1; }';
}

sub one_of { return $_[ rand @_ ] }


# A step is what is done to an order, as a function of its name; both get the
# same random numbers.  What it returns is compared.

sub step {
    my ($n, $before) = @_;
    my $kind = one_of(qw(visit visit thanks pay pay read capture capture refund refund cancel release
        again again other reopen order));
    my $key   = "k$n-" . int rand 1000;
    my $faulty = rand() < 0.1;
    my $amount = one_of(undef, 100, 2500, 10000);
    my $price  = one_of('', '', '', 'low', 'high');

    if ($kind eq 'visit') {
        return sub { get("/checkout?order=$_[0]&price=$price") };
    }
    if ($kind eq 'thanks') {
        return sub { get("/thanks?order=$_[0]") };
    }
    if ($kind eq 'pay') {
        return sub {
            my $book = eval { books($_[0]) };
            pay($_[0]) if $book && $book->{status} eq 'INITIATED';
            return get("/thanks?order=$_[0]");
        };
    }
    if ($kind eq 'read') {
        return sub { get("/payment?reference=$_[0]") };
    }
    if ($kind eq 'reopen') {
        return sub { office_post('reopen', $_[0], "reason of $n") };
    }
    if ($kind eq 'order') {
        return sub { get("/office/order?reference=$_[0]", headers => { Host => 'localhost' }) };
    }
    if ($kind eq 'again' || $kind eq 'other') {
        my $op = @$before ? one_of(@$before) : undef;
        return sub { get("/thanks?order=$_[0]") } if !$op;
        return $kind eq 'again' ? $op->(0) : $op->(1);
    }

    my $op = sub {
        my ($more) = @_;

        return sub {
            my ($order) = @_;
            my %json = (reference => $order, reason => person($order, "reason-$n"));
            $json{amount} = $amount + $more if defined $amount && $kind =~ /capture|refund/;
            $json{amount} = 77 if $more && !exists $json{amount} && $kind =~ /capture|refund/;

            return post("/$kind", json => \%json, headers => {
                'Idempotency-Key' => person($order, "key-$key"), 'X-Actor' => person($order, "actor-$n") });
        };
    };

    push @$before, $op;

    return $op->(0) if !$faulty;

    return sub {
        faults("$kind: lost-reply times=1");
        my $r = $op->(0)->(@_);
        sim('DELETE', 'faults');
        return $r;
    };
}


sub person {
    my ($order, $what) = @_;
    my $name = "$what-of-$order\@example.com";

    push @persons, $name;

    return $name;
}


sub office_post {
    my ($what, $order, $why) = @_;

    return post("/office/order/$what", json => { reference => $order, $why ? (reason => person($order, $why)) : () },
        headers => { Host => 'localhost', 'X-Payer-Office' => 1,
            $why ? ('X-Actor' => person($order, 'actor-of-staff')) : () });
}


# The first id of an order is called ID1, and so on: a repeat has the same.
our %ids;

sub id {
    my ($order, $id) = @_;

    return 'ID' . ($ids{$order}{$id} //= 1 + keys %{ $ids{$order} });
}


# A response without what differs between two orders that are alike: names,
# times, and, in the office, who and why.

sub essence {
    my ($order, $r) = @_;
    my $text = join "\n", $r->status, map { $r->header($_) // '' }
        qw(Location Content-Type Idempotency-Replayed Allow);

    $text .= "\n" . without_persons($r->body);
    $text =~ s/\b\Q$order\E\b/ORDER/g;
    $text =~ s/"(?:\w*Date|referenceId|operationId|created|updated|token)":"[^"]*"/"WHEN"/g;
    $text =~ s/([0-9a-f]{40}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/id($order, $1)/ge;

    return $text;
}


# An order in the office, whose history of one second has no order.

sub without_persons {
    my ($body) = @_;
    my $order = eval { decode_json($body) };

    return $body if ref $order ne 'HASH' || !$order->{history};

    my $json = JSON::PP->new->canonical;
    my @history = grep { $_->{what} ne 'erase' } @{ $order->{history} };

    delete @$_{qw(at by reason requestId paymentId)} for @history;
    $order->{history} = [ sort map { $json->encode($_) } @history ];

    return $json->encode($order);
}


# What the store has, as text.

sub store {
    my $file = work_dir() . '/export';

    system("$ENV{TEST_NGINX_ROOT}/build/payer-store export lmdb:" . work_dir() . "/payments >\Q$file\E") == 0
        or die "no export\n";

    open my $fh, '<', $file or die "$file: $!\n";
    return join '', map {s/value=([0-9a-f]*)/'value=' . pack 'H*', $1/re} <$fh>;
}

sub history {
    my ($n) = @_;
    my ($kept, $erased) = map {"o$n$_"} qw(kept erased);
    my (@before, @told);

    get("/checkout?order=$_")->status == 303 or die "no link for $_\n" for $kept, $erased;
    if ($n % 4) { pay($_), get("/thanks?order=$_") for $kept, $erased }

    for my $i (1 .. $LENGTH) {
        my $step = step("$n-$i", \@before);
        my $state = int rand 2**31;
        my %got = map { srand $state; my $r = $step->($_); ($_ => essence($_, $r)) } $kept, $erased;

        push @told, $got{$kept} =~ s/\n.*//sr;

        if ($got{$kept} ne $got{$erased}) {
            fail("history $n, step $i: the responses differ");
            diag("PROPERTY_SEED=$seed PROPERTY_STEPS=$steps\n$got{$kept}\n---\n$got{$erased}");
            return;
        }

        srand $state + 1;

        office_post('erase', $erased) if rand() < 0.4;
    }

    my $r = office_post('erase', $erased);

    return (\@told, $erased, $r->status == 200 && $r->json->{left});
}

run_payer_tests();

__DATA__

=== TEST 1: order/erase changes no response, and leaves no name of a person
--- http_config eval: $::prices
--- config perl: locations()
--- request
GET /
--- then
note("PROPERTY_SEED=$seed PROPERTY_STEPS=$steps");
srand $seed;
my (%statuses, @clean, @open);
for my $n (1 .. $steps / $LENGTH) {
    my ($told, $order, $left) = history($n) or last;
    $statuses{$_}++ for @$told;
    push @{ $left ? \@open : \@clean }, $order;
}
note('statuses: ', join ' ', map {"$_: $statuses{$_}"} sort keys %statuses);
ok($statuses{200} && $statuses{303} && $statuses{402}, 'much was answered');
my $text = store();
my (%found, %kept);
for my $name (@persons) {
    my ($order) = $name =~ /-of-(o\d+(?:kept|erased))@/;
    my $there = index($text, $name) >= 0 || index($text, $name =~ s/@/%40/r) >= 0;
    $kept{$order}++ if $there;
    push @{ $found{$order} }, $name if $there;
}
is_deeply([ map { @{ $found{$_} // [] } } @clean ], [], 'no name of an order that was erased is in the store');
cmp_ok(scalar(grep {/kept/} keys %kept), '>=', 1, 'those of the others are');
note(scalar(@clean), ' orders without an open outcome, ', scalar @open, ' with one');
cmp_ok(scalar @clean, '>=', 1, 'some were erased entirely');
