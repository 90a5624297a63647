# The alerts of docs/monitoring.md about notifications and background work fire
# when they should, and only then: promtool plays metrics to them.

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


# Plays the series, one value each minute, and returns whether the alert fires
# at this minute, and what promtool says if it is wrong.

sub fires {
    my ($alert, $minute, $labels, %series) = @_;

    my $input = join '', map {
        "      - series: '$_'\n        values: '$series{$_}'\n"
    } sort keys %series;

    my ($summary) = $rules =~ /alert: $alert\n.*?summary: "?(.*?)"?\n/s
        or die "no alert $alert\n";

    my $firing = "          - exp_labels: { $labels }\n"
        . "            exp_annotations: { summary: \"$summary\" }\n";

    my %said;

    for my $case ([ yes => $firing ], [ no => '' ]) {
        my ($name, $expected) = @$case;
        my $alerts = $expected ? "\n$expected" : " []\n";

        my $file = write_file("$name.yml", <<"EOT");
rule_files: [ rules.yml ]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
$input    alert_rule_test:
      - eval_time: ${minute}m
        alertname: $alert
        exp_alerts:$alerts
EOT
        $said{$name} = `promtool test rules $file 2>&1`;
        $said{"$name ok"} = $? == 0;
    }

    die "neither nor: $said{yes}\n$said{no}\n"
        if $said{'yes ok'} == $said{'no ok'};

    return $said{'yes ok'};
}


my $total = 'payer_notifications_total';

ok(fires('PayerNotificationsOwed', 90, '',
    payer_notifications_oldest_seconds => '0+60x120'),
    'a notification that is owed for more than an hour');
ok(!fires('PayerNotificationsOwed', 50, '',
    payer_notifications_oldest_seconds => '0+60x120'),
    'not one that is owed for less');
ok(!fires('PayerNotificationsOwed', 90, '',
    payer_notifications_oldest_seconds => '0x120'), 'nor if nothing is owed');

ok(fires('PayerNotificationKept', 30, '',
    "${total}{type=\"paid\",result=\"conflict\"}" => '0x20 1x100'),
    'a notification in conflict');
ok(fires('PayerNotificationKept', 30, '',
    "${total}{type=\"refunded\",result=\"given_up\"}" => '0x20 1x100'),
    'one that was given up');
ok(!fires('PayerNotificationKept', 30, '',
    "${total}{type=\"paid\",result=\"failed\"}" => '0+1x120',
    "${total}{type=\"paid\",result=\"taken\"}" => '0+1x120'),
    'not one that the shop has not accepted yet');
ok(!fires('PayerNotificationKept', 110, '',
    "${total}{type=\"paid\",result=\"conflict\"}" => '0x20 1x100'),
    'an hour later it is quiet again');

ok(fires('PayerSweepMissing', 60, '',
    payer_sweep_last_run_timestamp_seconds => '0+60x10 600x120'),
    'a sweep that has not run for three quarters of an hour');
ok(!fires('PayerSweepMissing', 60, '',
    payer_sweep_last_run_timestamp_seconds => '0+60x120'),
    'not one that runs');
ok(!fires('PayerSweepMissing', 40, '',
    payer_sweep_last_run_timestamp_seconds => '0+60x10 600x120'),
    'nor one that is late for a moment');
ok(fires('PayerSweepMissing', 60, '',
    payer_sweep_last_run_timestamp_seconds => '0x120'),
    'one that never ran');

ok(fires('PayerSweepPostponed', 40, '',
    payer_sweep_skipped_total => '0+1x120'), 'a sweep that is skipped each time');
ok(!fires('PayerSweepPostponed', 40, '',
    payer_sweep_skipped_total => '0x10 1x100'), 'not one that was skipped once');

done_testing();
