# The alerts of docs/monitoring.md fire when they should, and only then: promtool
# plays metrics to them.

use strict;
use warnings;

use lib 't/lib';
use Payer::Test simulator => 0;

use Test::More;

my $docs = root() . '/docs/monitoring.md';

open my $fh, '<', $docs or die "open $docs: $!\n";
my $text = do { local $/; <$fh> };
my ($rules) = $text =~ /^```yaml\n(groups:\n.*?)^```/ms or die "no rules\n";

write_file('rules.yml', $rules);


# What promtool plays: an alert that fires, or does not, at this minute; the
# series have one value each minute.

my @cases;

sub fires { push @cases, [ 1, @_ ] }
sub quiet { push @cases, [ 0, @_ ] }


sub text_of {
    my ($fires, $name, $alert, $minute, $labels, %series) = @_;

    my $input = join '', map {
        "      - series: '$_'\n        values: '$series{$_}'\n"
    } sort keys %series;

    my ($summary) = $rules =~ /alert: $alert\n.*?summary: "?(.*?)"?\n/s
        or die "no alert $alert\n";
    my %labels = $labels =~ /(\w+): (\w+)/g;

    $summary =~ s/\{\{ \$labels\.(\w+) \}\}/$labels{$1}/g;

    my $alerts = $fires
        ? "\n          - exp_labels: { $labels }\n"
            . "            exp_annotations: { summary: \"$summary\" }\n"
        : " []\n";

    return <<"EOT";
  - interval: 1m
    input_series:
$input    alert_rule_test:
      - eval_time: ${minute}m
        alertname: $alert
        exp_alerts:$alerts
EOT
}


sub promtool {
    my $file = write_file('cases.yml',
        "rule_files: [ rules.yml ]\nevaluation_interval: 1m\ntests:\n"
        . join '', map { text_of(@$_) } @_);

    my $said = `promtool test rules $file 2>&1`;

    return ($? == 0, $said);
}


my $total = 'payer_notifications_total';

fires('a notification that is owed for more than an hour',
    'PayerNotificationsOwed', 90, '',
    payer_notifications_oldest_seconds => '0+60x120');
quiet('not one that is owed for less',
    'PayerNotificationsOwed', 50, '',
    payer_notifications_oldest_seconds => '0+60x120');
quiet('nor if nothing is owed',
    'PayerNotificationsOwed', 90, '',
    payer_notifications_oldest_seconds => '0x120');

fires('a notification in conflict',
    'PayerNotificationKept', 30, '',
    "${total}{type=\"paid\",result=\"conflict\"}" => '0x20 1x100');
fires('one that was given up',
    'PayerNotificationKept', 30, '',
    "${total}{type=\"refunded\",result=\"given_up\"}" => '0x20 1x100');
quiet('not one that the shop has not accepted yet',
    'PayerNotificationKept', 30, '',
    "${total}{type=\"paid\",result=\"failed\"}" => '0+1x120',
    "${total}{type=\"paid\",result=\"taken\"}" => '0+1x120');
quiet('an hour later it is quiet again',
    'PayerNotificationKept', 110, '',
    "${total}{type=\"paid\",result=\"conflict\"}" => '0x20 1x100');

fires('a sweep that has not run for three quarters of an hour',
    'PayerSweepMissing', 60, '',
    payer_sweep_last_run_timestamp_seconds => '0+60x10 600x120');
quiet('not one that runs',
    'PayerSweepMissing', 60, '',
    payer_sweep_last_run_timestamp_seconds => '0+60x120');
quiet('nor one that is late for a moment',
    'PayerSweepMissing', 40, '',
    payer_sweep_last_run_timestamp_seconds => '0+60x10 600x120');
fires('one that never ran',
    'PayerSweepMissing', 60, '',
    payer_sweep_last_run_timestamp_seconds => '0x120');

fires('a sweep that is skipped each time',
    'PayerSweepPostponed', 40, '',
    payer_sweep_skipped_total => '0+1x120');
quiet('not one that was skipped once',
    'PayerSweepPostponed', 40, '',
    payer_sweep_skipped_total => '0x10 1x100');

# those of operations, calls and memory

fires('an operation whose outcome is unknown', PayerOutcomeUnknown => 12,
    'operation: capture',
    'payer_operations_total{operation="capture",result="unknown"}' => '0x10 1x20',
    'payer_operations_total{operation="refund",result="unknown"}' => '0x30');
quiet('not one that is done or refused', PayerOutcomeUnknown => 12, '',
    'payer_operations_total{operation="capture",result="unknown"}' => '0x30',
    'payer_operations_total{operation="capture",result="done"}' => '0+1x30',
    'payer_operations_total{operation="capture",result="refused"}' => '0+1x30');

fires('every fifth call fails', PayerUnreachable => 20, '',
    'payer_calls_total{call="read",outcome="failed"}' => '0+10x30',
    'payer_calls_total{call="read",outcome="unknown"}' => '0+10x30',
    'payer_calls_total{call="read",outcome="done"}' => '0+80x30');
quiet('not one of a hundred', PayerUnreachable => 20, '',
    'payer_calls_total{call="read",outcome="failed"}' => '0+1x30',
    'payer_calls_total{call="read",outcome="refused"}' => '0+19x30',
    'payer_calls_total{call="read",outcome="done"}' => '0+80x30');
quiet('nor a failure of a minute', PayerUnreachable => 12, '',
    'payer_calls_total{call="read",outcome="failed"}' => '0x8 20x30',
    'payer_calls_total{call="read",outcome="done"}' => '0+80x30');

fires('no token for ten minutes', PayerNoToken => 15, 'result: failed',
    'payer_token_fetches_total{result="failed"}' => '0+1x30');
quiet('not if one was not fetched', PayerNoToken => 15, '',
    'payer_token_fetches_total{result="failed"}' => '0x10 1x30',
    'payer_token_fetches_total{result="done"}' => '0+1x30');

sub links {
    my (%le) = @_;

    return map {
        +'payer_call_duration_seconds_bucket{call="create",le="' . $_ . '"}'
            => $le{$_}
    } keys %le;
}

fires('links that take ten seconds', PayerSlow => 25, '',
    links('2.500' => '0+1x40', '10.000' => '0+10x40', '+Inf' => '0+10x40'));
quiet('not one of a hundred', PayerSlow => 25, '',
    links('2.500' => '0+99x40', '10.000' => '0+100x40', '+Inf' => '0+100x40'));

fires('buyers who get 503', PayerBuyersTurnedAway => 20, '',
    'payer_verifications_total{outcome="unknown"}' => '0+10x30');
quiet('not those who have not paid', PayerBuyersTurnedAway => 20, '',
    'payer_verifications_total{outcome="unknown"}' => '0+1x30',
    'payer_verifications_total{outcome="unpaid"}' => '0+10x30');

fires('authorizations that are old', PayerOldAuthorizations => 90,
    'client: c4711', 'payer_old_authorizations{client="c4711"}' => '2x100');
quiet('not those that are captured soon', PayerOldAuthorizations => 90, '',
    'payer_old_authorizations{client="c4711"}' => '2x50 0x50');

fires('lookups that fail', PayerLookupsFail => 20, '',
    'payer_lookups_total{result="failed"}' => '0+10x30');
quiet('not those of orders that do not exist', PayerLookupsFail => 20, '',
    'payer_lookups_total{result="failed"}' => '0x30',
    'payer_lookups_total{result="not_found"}' => '0+100x30');

fires('a database that is down', PayerStoreDown => 12, '',
    payer_store_up => '1x9 0x10');
quiet('not one that is up again', PayerStoreDown => 20, '',
    payer_store_up => '1x9 0x3 1x20');

fires('a zone that is nearly full', PayerZoneFull => 30, '',
    payer_zone_free_pages => '5x60', payer_zone_pages => '100x60');
quiet('not one with room', PayerZoneFull => 30, '',
    payer_zone_free_pages => '50x60', payer_zone_pages => '100x60');

my ($all) = promtool(@cases);

for my $case (@cases) {
    my ($fires, $name, $alert) = @$case;
    my ($ok, $said) = $all ? 1 : promtool($case);

    ok($ok, "$alert: $name") or diag($said);
}

my %tried = map { $_->[2] => 1 } grep { $_->[0] } @cases;

is(join(' ', grep { !$tried{$_} } $rules =~ /alert: (\w+)/g), '',
    'each alert has fired');

done_testing();
