# The metrics for Prometheus.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Conf;
use Payer::Docs;

master_on();
workers(2);

our $metrics = 'location = /metrics { payer_metrics; payer_allow 127.0.0.1; }';

our $gate = <<'EOT';
location = /thanks {
    payer_verify        $arg_order;
    payer_verify_cache  0;
    try_files           /dev/null @thanks;
}
location @thanks { payer_verify off; return 200 "thank you\n"; }
EOT


# The samples, after a check of every line: name and labels => value.

sub samples {
    my ($r) = @_;

    my $name   = qr/[a-z_]+/;
    my $label  = qr/[a-z]+="[^"\\\n]*"/;
    my $number = qr/\d+(?:\.\d{3})?/;
    my (%sample, %type, %over, @wrong);
    my $family = '';

    like($r->body, qr/\n\z/, 'the last line is complete');

    for my $line (split /\n/, $r->body) {

        if ($line =~ /^# HELP ($name) \S.*\.$/a) {
            push @wrong, "$line: again" if $over{$1}++;
            $family = $1;

        } elsif ($line =~ /^# TYPE ($name) (counter|gauge|histogram)$/a) {
            my ($base, $type) = ($1, $2);

            push @wrong, "$line: not after its HELP" if $base ne $family;
            push @wrong, "$line: not the name of a counter"
                if $type eq 'counter' xor $base =~ /_total$/;
            $type{$base} = $type;

        } elsif ($line =~ /^(($name)(?:\{$label(?:,$label)*\})?) ($number)$/a)
        {
            my ($sample, $base, $value) = ($1, $2, $3);

            $base =~ s/_(?:bucket|sum|count)$//
                if ($type{$family} // '') eq 'histogram';

            push @wrong, "$line: not in its family" if $base ne $family;
            push @wrong, "$line: without a type"    if !$type{$family};
            push @wrong, "$line: again"  if exists $sample{$sample};
            $sample{$sample} = $value;

        } else {
            push @wrong, $line;
        }
    }

    is_deeply(\@wrong, [], 'every line is well-formed');

    return \%sample;
}

# Just the samples that are not 0, of what is counted; durations but for their
# count vary.

sub counted {
    my $sample = samples(get('/metrics'));

    return {
        map { $_ => $sample->{$_} }
        grep { $sample->{$_} && !/^payer_(?:zone|build|store)|_(?:bucket|sum)(?:\{|$)/ }
        keys %$sample
    };
}

sub total {
    my ($name, %label) = @_;

    my $labels = join ',', map { qq($_="$label{$_}") } sort keys %label;
    return samples(get('/metrics'))->{"$name\{$labels}"};
}

run_payer_tests();

__DATA__

=== TEST 1: all counters are present and zero after the start
--- config eval: $::metrics . 'location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }'
--- request
GET /metrics
--- error_code: 200
--- response_headers
Content-Type: text/plain; version=0.0.4; charset=utf-8
Cache-Control: no-store
--- after
my $sample = samples(get('/metrics'));

is_deeply(counted(), {}, 'all of them');
is($sample->{"payer_calls_total{call=\"$_\",outcome=\"unknown\"}"}, 0, $_)
    for qw(create read capture cancel release refund event ack subscriptions
           subscribe unsubscribe);
is((grep { /^payer_operations_total/ } keys %$sample), 20,
   'four operations with five results');
is($sample->{'payer_old_authorizations{client="4711"}'}, 0, 'no old authorization');
is((grep { /^payer_build_info\{version="\d+\.\d+\.\d+",nginx="\d.*"\}$/ }
    keys %$sample), 1, 'the versions');



=== TEST 2: a purchase is counted
--- config perl: checkout() . operations() . $::gate . $::metrics
--- request
GET /checkout?order=1
--- error_code: 303
--- after
get('/checkout?order=1');
is(get('/thanks?order=1')->status, 402, 'not paid');
pay('1');
is(get('/thanks?order=1')->status, 200, 'paid');
is(post('/capture?reference=1')->status, 200, 'captured');

is_deeply(counted(), {
    'payer_token_fetches_total{result="done"}' => 1,
    'payer_calls_total{call="create",outcome="done"}' => 1,
    'payer_calls_total{call="read",outcome="done"}' => 2,
    'payer_calls_total{call="capture",outcome="done"}' => 1,
    'payer_call_duration_seconds_count{call="token"}' => 1,
    'payer_call_duration_seconds_count{call="create"}' => 1,
    'payer_call_duration_seconds_count{call="read"}' => 2,
    'payer_call_duration_seconds_count{call="capture"}' => 1,
    'payer_checkouts_total{link="miss"}' => 1,
    'payer_checkouts_total{link="hit"}' => 1,
    'payer_verifications_total{outcome="unpaid"}' => 1,
    'payer_verifications_total{outcome="paid"}' => 1,
    'payer_operations_total{operation="capture",result="done"}' => 1,
}, 'once each');



=== TEST 3: counters are kept after a reload
--- config perl: checkout() . $::metrics
--- request
GET /checkout?order=1
--- error_code: 303
--- after
reload();
is(total('payer_checkouts_total', link => 'miss'), 1, 'the old one');
get('/checkout?order=2');
is(total('payer_checkouts_total', link => 'miss'), 2, 'and a new one');



=== TEST 4: counters are sums over two worker processes
--- config perl
checkout(add_header => 'X-Pid $pid') . $::metrics
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my (%pid, $n);

# until both workers had some
wait_until(sub {
    my @r = together(map { [ GET => '/checkout?order=1' ] } 1 .. 20);
    $pid{$_->header('X-Pid')}++ for @r;
    $n += @r;
    return keys %pid == 2;
}, 10);

is(keys %pid, 2, 'both have worked');
is(total('payer_checkouts_total', link => 'hit'), $n, 'all are counted');



=== TEST 5: a call that is sent again is counted once
--- config perl: checkout() . operations() . $::metrics
--- faults
create: lost-reply
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $counted = counted();

is($counted->{'payer_resends_total{call="create"}'}, 1, 'one resend');
is($counted->{'payer_calls_total{call="create",outcome="conflict"}'}, 1,
   'which Payer knew');
is($counted->{'payer_calls_total{call="create",outcome="done"}'}, 1,
   'and another call');
is($counted->{'payer_call_duration_seconds_count{call="create"}'}, 3,
   'three sendings');



=== TEST 6: operations are counted by their result
--- config perl: checkout() . operations(payer_tries => 1) . $::metrics
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my %key = (headers => { 'Idempotency-Key' => 'k' });

sub operation {
    total('payer_operations_total', operation => $_[0], result => $_[1]);
}

is(post('/capture?reference=1')->status, 400, 'refused');
is(operation(capture => 'refused'), 1, 'counted');

pay('1');
is(post('/capture?reference=1&amount=100', %key)->status, 200, 'done');
is(post('/capture?reference=1&amount=100', %key)->status, 200, 'repeated');
is(operation(capture => 'done'), 1, 'done once');
is(operation(capture => 'replayed'), 1, 'replayed once');

is(post('/capture?reference=1&amount=200', %key)->status, 422, 'reused');
is(operation(capture => 'not_sent'), 1, 'not sent');

faults('refund: lost-reply');
is(post('/refund?reference=1&amount=50')->status, 504, 'lost');
is(operation(refund => 'unknown'), 1, 'unknown');

faults('refund: status=429');
is(post('/refund?reference=1&amount=50')->status, 503, 'too busy');
is(operation(refund => 'not_sent'), 1, 'not sent');

is(operation(capture => 'unknown'), 0, 'of a refund only');



=== TEST 7: failed token requests and failed calls are counted
--- config perl: checkout() . $::metrics
--- faults
token: status=401
--- request
GET /checkout?order=1
--- error_code: 502
--- after
is(total('payer_token_fetches_total', result => 'failed'), 1, 'no token');
is(total('payer_calls_total', call => 'create', outcome => 'failed'), 1,
   'no call');
is(total('payer_checkouts_total', link => 'miss'), 0, 'no checkout');



=== TEST 8: the buckets of the histogram are cumulative, and the sum is in seconds
--- config perl: checkout() . $::metrics
--- faults
create: delay=0.3
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $sample = samples(get('/metrics'));
my $name = 'payer_call_duration_seconds';

my %bucket = map { /le="(.*)"/ ? ($1 => $sample->{$_}) : () }
    grep { /_bucket\{call="create"/ } keys %$sample;
my @le = sort { $a <=> $b } grep { $_ ne '+Inf' } keys %bucket;

is("@le", '0.050 0.100 0.250 0.500 1.000 2.500 10.000', 'bounds');
is($bucket{'0.250'}, 0, 'it took longer');
is($bucket{'+Inf'}, 1, 'but it ended');
is((grep { $bucket{$le[$_]} > $bucket{$le[$_ + 1]} } 0 .. $#le - 1), 0,
   'each bucket holds the smaller ones');

my $sum = $sample->{qq($name\_sum{call="create"})};
cmp_ok($sum, '>=', 0.29, 'the sum');
cmp_ok($sum, '<', 30, 'in seconds');



=== TEST 9: the pages of the zone are counted
--- config perl: checkout() . $::metrics
--- request
GET /checkout?order=1
--- error_code: 303
--- after
my $before = samples(get('/metrics'));

cmp_ok($before->{payer_zone_pages}, '>', 200, 'a zone of 1m');
cmp_ok($before->{payer_zone_pages}, '<', 257, 'has less than 1m');
cmp_ok($before->{payer_zone_free_pages}, '<', $before->{payer_zone_pages},
       'some are taken');

SKIP: {
    skip 'the orders are not in the zone', 1
        if ($ENV{PAYER_TEST_STORE} // 'memory') ne 'memory';

    get('/checkout?order=' . 'x' x 200 . $_) for 1 .. 30;
    cmp_ok(samples(get('/metrics'))->{payer_zone_free_pages}, '<',
           $before->{payer_zone_free_pages}, 'and then some more');
}



=== TEST 10: no label contains an order, a payment, a client or an address
--- config perl: checkout() . operations() . $::gate . $::metrics
--- request
GET /checkout?order=order-77
--- error_code: 303
--- after
pay('order-77');
get('/thanks?order=order-77');
post('/capture?reference=order-77');

my $body = get('/metrics')->body;
my ($agent, $secret) = merchant();

unlike($body, qr/order-77/, 'the order');
unlike($body, qr/\Q@{[payment('order-77')]}/, 'the payment');
unlike($body, qr/(?<!^payer_old_authorizations\{client=")\Q$agent/m, 'the client, but in its own gauge');
unlike($body, qr/\Q$secret/, 'the secret');
unlike($body, qr{http|/}, 'an address') for $body =~ s/^#.*\n//gmr;



=== TEST 11: HEAD returns the headers only
--- config eval: $::metrics
--- request
HEAD /metrics
--- error_code: 200
--- response_headers
Content-Type: text/plain; version=0.0.4; charset=utf-8
--- response_body



=== TEST 12: other methods are rejected
--- config eval: $::metrics
--- request
POST /metrics
--- error_code: 405
--- response_headers
Allow: GET, HEAD



=== TEST 13: a client that payer_allow does not list is rejected
--- config
    location = /metrics { payer_metrics; payer_allow 10.0.0.0/8; }
--- request
GET /metrics
--- error_code: 403
--- response_body_unlike: payer_calls



=== TEST 14: payer_metrics without payer_allow is rejected
--- config
    location = /metrics { payer_metrics; }
--- must_die
--- error_log
"payer_metrics" in location "/metrics" has no "payer_allow"



=== TEST 15: payer_metrics without payer_zone is rejected
--- bare
--- config eval: $::metrics
--- must_die
--- error_log
payer_zone



=== TEST 16: docs/monitoring.md lists all metrics, and alerts use only these
--- config eval
$::metrics . 'location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
payer_notify /_shop/paid?id=$payer_reference;
location = /_shop/paid { internal; proxy_pass http://127.0.0.1:9; }'
--- request
GET /metrics
--- after
my $text = document('docs/monitoring.md');
my ($table, $alerts) = $text =~ /## Metrics\n(.*)## Alerts\n(.*)/s;

my @families = get('/metrics')->body =~ /^# TYPE (\S+)/gm;
my %listed = map { $_ => 1 } $table =~ /(?:^\| |, )`(payer_\w+)`/gm;

is_deeply([ sort keys %listed ], [ sort @families ], 'the table');

my $sample = samples(get('/metrics'));

for my $expr ($alerts =~ /expr: (.*?)\n +(?:for|annotations):/gs) {
    for my $metric ($expr =~ /\b(payer_\w+(?:\{[^}]*\})?)/g) {
        my ($name) = $metric =~ /^(\w+)/;
        my @found = grep { /^$name(?:\{|$)/ } keys %$sample;

        while ($metric =~ /(\w+)=~?"(.*?)"/g) {
            my ($label, $values) = ($1, $2);
            @found = grep { /\b$label="(?:$values)"/ } @found;
        }

        ok(scalar @found, "$metric exists");
    }
}
