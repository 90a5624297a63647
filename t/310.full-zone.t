# A full zone: expired entries are deleted, others are kept, and a request
# without memory is rejected before anything is sent.
#
# t/oom is loaded into nginx: time passes, and what the zone holds and what is
# done under its mutex is watched.

use strict;
use warnings;

use lib 't/lib';
use Payer::Oom;
use Payer::Test;
use Payer::Scenes;

master_on();
workers(1);

# under the mutex nginx's allocator writes to the debug log
log_level('info');

our ($tail, $serial) = ('-' . 'x' x 200, 0);


sub http {
    my ($size, $store) = @_;

    return payer_http() =~ s/payer 1m/payer $size/r
        =~ s/payer_store\K[^;]*/ $store/r . $Payer::Scenes::prices;
}


sub server { return payer_server() . $Payer::Scenes::shop }


sub visit { return get("/checkout?order=$_[0]$tail") }


# New orders until there is no room for another, or the code, which gets each
# of them, says so.  Returns those for which there was.

sub fill {
    my ($code) = @_;
    my @orders;

    while (@orders < 500) {
        my $order = 'n' . ++$serial;

        last if visit($order)->status != 303;
        last if $code && !$code->($order);

        push @orders, $order;
    }

    return @orders;
}


sub pay_and_return {
    my ($order) = @_;

    pay("$order$tail");

    return get("/thanks?order=$order$tail")->status == 200;
}


sub is_paid {
    my ($order) = @_;

    my $to = visit($order)->header('Location') // '';

    return $to =~ m{/thanks$};
}


sub zone_is_sound {
    is(ask_worker('lost')->{lost}, 0, 'no memory of the zone is lost');
    is(watched()->{wrong}, '', 'nothing is wrong under its mutex');
}


run_payer_tests();

__DATA__

=== TEST 1: with a full memory store a new order gets 503, and stored orders are served
--- bare
--- http_config eval: ::http('64k', 'memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /
--- ignore_response
--- after
my @orders = fill();
cmp_ok(scalar @orders, '>', 5, 'some fit');
cmp_ok(scalar @orders, '<', 500, 'then it is full');

my $calls = calls()->{create};
my $r = visit('late');
is($r->status, 503, 'another one is refused');
is($r->header('Retry-After'), 1, 'for now');
is($r->json->{detail}, 'the order could not be stored', 'with the reason');
is(calls()->{create}, $calls, 'and nothing is sent');
like(error_log_text(),
    qr{\[error\].* payer_zone "payer" is full: "order/4711/late},
    'the log names the zone and the order');

is((grep { visit($_)->status == 303 } @orders), @orders,
    'all known ones go on');
is(calls()->{create}, $calls, 'with their links');
zone_is_sound();



=== TEST 2: an operation that cannot be stored is not sent
--- bare
--- http_config eval: ::http('64k', 'memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /
--- ignore_response
--- after
my ($order, $r);
my $done = 0;

# The first of them still find room between the orders.
for my $next (fill()) {
    $order = $next;
    pay("$order$::tail");
    $r = post("/capture?reference=$order$::tail");
    last if $r->status != 200;
    $done++;
}

is($r->status, 503, 'refused');
is(calls()->{capture} // 0, $done, 'nothing is sent');
is($r->json->{detail},
    'the operation could not be stored, and so it was not sent', 'says why');
like(error_log_text(), qr{payer_zone "payer" is full: "order/4711/$order},
    'the log names the order');
zone_is_sound();



=== TEST 3: with a full memory store unpaid orders are deleted 62 days after their last change
--- bare
--- http_config eval: ::http('64k', 'memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /
--- ignore_response
--- after
my @paid = map { visit("p$_"); pay_and_return("p$_"); "p$_" } 1 .. 3;
my @orders = fill();
my $links = calls()->{create};

days_pass(61);
is(visit('late')->status, 503, 'after 61 days there is still no room');
is(calls()->{create}, $links, 'and nothing is sent');

days_pass(2);
my @more = fill();
# in pieces that were of other sizes
cmp_ok(scalar @more, '>=', @orders / 2, 'two days later there is room');
is((grep { is_paid($_) } @paid), 3, 'those that were paid are known');

$links = calls()->{create};
ok(visit($orders[0])->status == 503 || calls()->{create} > $links,
    'the others are forgotten');
zone_is_sound();



=== TEST 4: paid orders are not deleted, regardless of their age
--- bare
--- http_config eval: ::http('64k', 'memory')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /
--- ignore_response
--- after
my @paid = fill(\&pay_and_return);
cmp_ok(scalar @paid, '>', 5, 'some fit');

days_pass(1000);
my @more = fill(\&pay_and_return);
cmp_ok(scalar @more, '<', 3, 'there is no room after years');
is((grep { is_paid($_) } @paid), @paid, 'all that were paid are known');
zone_is_sound();



=== TEST 5: if the zone has no memory for a lock, the request gets 503 and nothing is sent
--- bare
--- http_config eval: ::http('32k', 'lmdb:' . ::work_dir() . '/payments')
--- config eval: ::server()
--- before
forget_all();
--- request
GET /checkout?order=1
--- error_code: 303
--- after
faults('create: delay=0.5 times=0');
my @answers =
    together(map { [ GET => "/checkout?order=c$_$::tail" ] } 1 .. 120);
my @done = grep { $_->status == 303 } @answers;
my @refused = grep { $_->status == 503 } @answers;

cmp_ok(scalar @done, '>', 5, 'some are passed');
cmp_ok(scalar @refused, '>', 5, 'others are refused');
is(@done + @refused, @answers, 'and that is all');
is((grep { $_->json->{detail} ne 'the server is too busy' } @refused), 0,
    'with the reason');
is(calls()->{create}, 1 + @done, 'nothing is sent for them');
like(error_log_text(),
    qr/\[error\].* payer: no memory for a lock in "payer_zone"/,
    'the log says so');

sim('DELETE', 'faults');
is((grep { visit("c$_")->status == 303 } 1 .. 120), 120,
    'then there is room');
zone_is_sound();
