# The queries of docs/grafana.json and the rules of docs/monitoring.md are run
# by Prometheus itself, with data that it has scraped from nginx.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test;
use Payer::Conf;

use HTTP::Tiny;
use JSON::PP ();
use Time::HiRes qw(sleep);

our $PORT = free_port();
our $SHOP = free_port();
our $json = JSON::PP->new->utf8;

our $prometheus;


# The rules in the documentation, as they are to be copied from there.

sub rules {
    my $text = do { local (@ARGV, $/) = root() . '/docs/monitoring.md'; <> };

    my ($rules) = $text =~ /^```yaml\n(groups:\n.*?)^```/ms or die 'no rules';
    return $rules;
}


sub dashboard {
    return $json->decode(
        do { local (@ARGV, $/) = root() . '/docs/grafana.json'; <> });
}


sub start_prometheus {
    my $dir = work_dir();

    write_file('rules.yml', rules());
    write_file('prometheus.yml', <<"EOT");
global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [ rules.yml ]
scrape_configs:
  - job_name: payer
    metrics_path: /metrics
    static_configs: [ { targets: [ "127.0.0.1:@{[ nginx_port() ]}" ] } ]
EOT

    system('rm', '-rf', "$dir/tsdb");

    $prometheus = fork // die "fork: $!\n";

    if ($prometheus == 0) {
        open STDOUT, '>', "$dir/prometheus.log";
        open STDERR, '>&', \*STDOUT;
        exec 'prometheus', "--config.file=$dir/prometheus.yml",
            "--storage.tsdb.path=$dir/tsdb",
            "--web.listen-address=127.0.0.1:$PORT" or POSIX::_exit(1);
    }

    ok(wait_until(sub { ask('api/v1/status/buildinfo') }, 30),
        'Prometheus runs');
}


sub ask {
    my ($path, %form) = @_;

    my $http = HTTP::Tiny->new(timeout => 10);
    my $r = %form ? $http->post_form("http://127.0.0.1:$PORT/$path", \%form)
                  : $http->get("http://127.0.0.1:$PORT/$path");

    return eval { $json->decode($r->{content}) };
}


sub query { return ask('api/v1/query', query => $_[0]) }


# A query that has a result, which is zero for what has not happened.

sub results {
    my ($expr, $name) = @_;

    my $r = query($expr);

    is($r->{status}, 'success', "$name: a query")
        or diag($r->{error} // 'no answer');
    cmp_ok(scalar @{ $r->{data}{result} // [] }, '>', 0,
        "$name: has a result: $expr");
}


END {
    local $?;
    kill 'KILL', $prometheus and waitpid $prometheus, 0 if $prometheus;
}

run_payer_tests();

__DATA__

=== TEST 1: each query of the dashboard and of the alerts has a result
--- http_config perl
"server { listen 127.0.0.1:$SHOP; location / { default_type application/json; return 200 '{\"total\":\"129.00\",\"key\":\"k\"}'; } }"
--- config perl
'payer_sweep 1s; payer_notify /_shop/paid?id=$payer_reference;
location = /_shop/paid { internal; proxy_pass http://127.0.0.1:' . $SHOP . '; }
location = /metrics { payer_metrics; payer_allow 127.0.0.1; }
location = /reconcile { payer_reconcile; payer_allow 127.0.0.1; }
location = /thanks { payer_verify $arg_order; root html; }
location ~ ^/order/(?<number>[0-9]+)$ {
    payer_lookup /_shop/order?id=$number;
    payer_lookup_field $total /total;
    payer_lookup_field $key /key;
    payer_lookup_match $key $arg_key;
    payer_checkout;
    payer_reference $number;
    payer_amount $total major;
    payer_currency SEK;
    payer_return_success /thanks;
    payer_return_fail /failed;
    payer_return_back /cart;
}
location = /_shop/order { internal; proxy_pass http://127.0.0.1:' . $SHOP . '; }'
. checkout() . operations()
--- timeout: 60
--- request
GET /checkout?order=1
--- error_code: 303
--- after
start_prometheus();
ok(wait_until(sub { my $r = query('up == 1'); @{ $r->{data}{result} // [] } }, 20), 'nginx is scraped');

for my $n (1 .. 6) {
    is(get("/checkout?order=$n")->status, 303, 'a checkout');
    is(get("/order/10$n?key=k")->status, 303, 'a lookup');
    pay($n);
    get("/thanks?order=$n");
    is(post('/capture', json => { reference => "$n" })->status, 200, 'a capture');
    sleep 0.7;
}

post('/reconcile');

my $count = 'count_over_time(payer_build_info[5m]) >= 5';
ok(wait_until(sub { my $r = query($count); @{ $r->{data}{result} // [] } }, 30), 'several scrapes');
ok(wait_until(sub { my $r = query('payer_sweep_last_run_timestamp_seconds > 0'); @{ $r->{data}{result} // [] } }, 30), 'the sweep has run');

my $dashboard = dashboard();
cmp_ok(scalar @{ $dashboard->{panels} }, '>', 10, 'panels');

for my $panel (@{ $dashboard->{panels} }) {
    for my $target (@{ $panel->{targets} }) {
        results($target->{expr} =~ s/\$__rate_interval/1m/gr, $panel->{title});

        # what the legend names is a label of the result
        my $r = query($target->{expr} =~ s/\$__rate_interval/1m/gr);
        my $labels = $r->{data}{result}[0]{metric} // {};
        ok(exists $labels->{$_}, "$panel->{title}: $_") for $target->{legendFormat} =~ /\{\{(\w+)\}\}/g;
    }
}

my $rules = ask('api/v1/rules');
my @rules = map { @{ $_->{rules} } } @{ $rules->{data}{groups} };
my @named = rules() =~ /alert: (\w+)/g;

is(scalar @rules, scalar @named, 'each rule is loaded');
ok(wait_until(sub { my @r = map { @{ $_->{rules} } } @{ ask('api/v1/rules')->{data}{groups} }; !grep { $_->{health} ne 'ok' } @r }, 20), 'and evaluated without an error');

# the value that a rule compares
results($_->{query} =~ s/ (?:[<>]|==) [\d.]+\s*\z//r, $_->{name}) for @rules;

is(scalar(grep { $_->{state} eq 'firing' } @rules), 0, 'no alert when all is well');



=== TEST 2: promtool accepts the rules
--- config
    location = /x { return 204; }
--- request
GET /x
--- error_code: 204
--- after
my $file = write_file('rules.yml', rules());
my $said = `promtool check rules $file 2>&1`;
is($?, 0, 'promtool');
like($said, qr/SUCCESS: \d+ rules found/, 'found them');
