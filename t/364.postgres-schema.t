# The functions of the schema: what they read, what else they may be called
# with, and who may call them.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;

my $fleet = fleet(hosts => 1, delay => 1);
my $pg    = $fleet->pg;

plans();

done_testing();


# One call of put_1() that writes these keys, each by a put of its own.

sub put_of {
    my ($keys) = @_;

    my $n = "(select count(*)::int from $keys)";
    my %fill = (int => '0', bigint => 'null', text => 'null', bytea => 'null');

    my $same = sub {
        my ($type, $value) = (@_, $fill{ $_[0] });
        return "array_fill($value\::$type, array[$n])";
    };

    return 'select count(*) from payer.put_1(' . join(', ',
        "array(select gen_random_uuid() from $keys)",
        "array(select (row_number() over ())::int from $keys)",
        $same->('int', 1),                      # op: write
        "array(select k from $keys order by k)",
        $same->('bytea', "'\\x00'"),
        $same->('bigint', 0),                   # made from nothing
        $same->('text'),
        $same->('bigint'), $same->('bigint'), $same->('bigint'),
        $same->('bigint', 0), $same->('int'), $same->('int'),
        $same->('bytea'), $same->('int'), 'false') . ');';
}


# A plan is made when a connection is new, as a rule of an empty table, and
# kept while that grows: all of them have to look up keys in the index.

sub plans {
    my $rounds = 40;
    my $each = 50;
    my @keys = map {
        my $from = $_ * $each;
        my $to = $from + $each - 1;

        "(select 'order/1/' || lpad(i::text, 8, '0') k"
            . " from generate_series($from, $to) i) k"
    } 1 .. $rounds;

    my @sql = map {
        put_of($_),
            "select count(*) from payer.get_1(array(select k from $_));"
    } @keys;

    push @sql, "select count(*) from payer.scan_1('order/1/', '', 10);",
        "select count(*) from payer.list_1('order/1/', 0, 0, 0, 1, 1, 10, 9);",
        "select count(*) from payer.due_1('order/1/', 10, 60, false);",
        'select payer.sweep_1(10);';

    $pg->as_payer(join "\n", @sql);

    my ($read) = $pg->sql(<<'    END');
        select coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0), n_tup_ins
          from pg_stat_user_tables
         where schemaname = 'payer' and relname = 'entry'
    END

    my ($seq, $index, $rows) = @$read;

    is($rows, $rounds * $each, 'all rows were written');
    is($seq, 0, 'no call reads the whole table');
    cmp_ok($index, '<', 10 * $rows, 'no call reads a whole index');
}
