# The functions of the schema: what they read, whose they are, and what nginx
# makes of a schema that somebody has changed.

use strict;
use warnings;

use lib 't/lib';
use Payer::Fleet;

my $fleet = fleet(
    hosts   => 1,
    delay   => 1,
    workers => 1,
    params  => 'durability=local timeout=3s connect_timeout=2s',
);

my $pg = $fleet->pg;

plans();
names_of_others();
schema_of_another();
warnings_of_a_login();
answers();
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


sub schema_text {
    open my $fh, '<', Payer::Fleet::schema() or die "the schema: $!\n";
    local $/;
    return scalar <$fh>;
}


# Whoever may create functions where a superuser finds them.

sub names_of_others {
    $pg->sql('drop view payer.orders');
    $pg->sql('create function public.to_timestamp(bigint) returns timestamptz
        language sql as $$ select now() $$');
    $pg->sql(schema_text());

    is($pg->value("select count(*) from pg_depend d
        join pg_rewrite w on w.oid = d.objid
        join pg_proc p on p.oid = d.refobjid
        where w.ev_class = 'payer.orders'::regclass
          and p.pronamespace = 'public'::regnamespace"), 0,
        'the view uses no function of others');

    $pg->sql('drop function public.to_timestamp(bigint)');
}


sub schema_of_another {
    my $node = $pg->node(0);

    $node->sql('create database other', 'postgres');
    $node->sql('create role shopkeeper', 'postgres');
    $node->sql('create schema payer authorization shopkeeper', 'other');

    ok(!eval { $node->sql(schema_text(), 'other'); 1 },
        'a schema that belongs to somebody else is not used');
    like($@, qr/belongs to shopkeeper/, 'it says to whom');

    $node->sql('alter schema payer owner to postgres', 'other');
    $node->sql('create table payer.entry (key text);
        alter table payer.entry owner to shopkeeper', 'other');

    ok(!eval { $node->sql(schema_text(), 'other'); 1 },
        'a table that belongs to somebody else is not used');

    $node->sql('drop table payer.entry', 'other');
    ok(eval { $node->sql(schema_text(), 'other'); 1 }, 'an empty one is');

    $node->sql('drop database other', 'postgres');
}


sub sells {
    my ($order, $name) = @_;

    ok(wait_until(sub {
        $fleet->get(0, "/checkout?order=$order")->status == 303
    }, 20), $name);
}


# Such as of a collation whose version has changed with the system.

sub warnings_of_a_login {
    $pg->sql("alter role payer set work_mem = '4MB'");
    $pg->sql("update pg_db_role_setting
        set setconfig = array_append(setconfig, 'vacuum_cost_limit=none')
        where setrole = 'payer'::regrole and setdatabase = 0");

    $fleet->start(0);
    sells('warned', 'a server that warns at each login is used');

    unlike($fleet->log_text(0), qr/in doubt|is lost/,
        'and nothing is in doubt');

    $pg->sql('alter role payer reset all');
    $pg->sql('alter role payer set synchronous_commit = on');
}


# A function with this name gives another answer; those who need it get 503,
# and nothing is sent to Payer.

sub answers {
    my $get = 'payer.get_1(k text[])';
    my ($put) = schema_text() =~ /function (payer\.put_1\(.*?\))\nreturns/s;
    my $row = 'table (o_put int, o_n bigint, o_rc int, o_rev bigint,
        o_value bytea, o_updated bigint, o_due bigint, o_attention bigint,
        o_state int, o_left int)';
    my $fields = sub { "select 1, 1::bigint, $_[0], 1::bigint, null::bytea,
        null::bigint, null::bigint, 0::bigint, 0, null::int" };
    my $found = 'table (o_n bigint, o_key text, o_value bytea, o_rev bigint)';

    my @bad = (
        [ 'a column is missing', $get,
            'table (o_n bigint, o_key text, o_value bytea)',
            "select 1::bigint, null::text, '\\x00'::bytea" ],
        [ 'a column has another type', $get,
            'table (o_n bigint, o_key text, o_value text, o_rev bigint)',
            "select 1::bigint, null::text, 'x'::text, 1::bigint" ],
        [ 'a row is of no question', $get, $found,
            "select 99::bigint, null::text, '\\x00'::bytea, 1::bigint" ],
        [ 'a value is larger than any', $get, $found,
            "select 1::bigint, null::text, decode(repeat('00', 5000000),
            'hex'), 1::bigint" ],
        [ 'a write says nothing', $put, $row, $fields->('null::int') ],
        [ 'a write says what is not known', $put, $row, $fields->(7) ],
        [ 'a write has no rows', $put, $row, $fields->(0) . ' where false' ],
        [ 'a write has rows of nobody', $put, $row,
            $fields->(0) . ' from generate_series(1, 9)' ],
    );

    my $orders = 0;

    for my $bad (@bad) {
        my ($name, $function, $columns, $body) = @$bad;

        my $calls = (calls()->{create} // 0);
        $pg->sql("drop function $function");
        $pg->sql("create function $function returns $columns language sql
            security definer as \$\$ $body \$\$;
            grant execute on function $function to payer");

        my $r = $fleet->get(0, '/checkout?order=bad' . $orders++);

        is($r->status, 503, "$name: 503");
        is((calls()->{create} // 0), $calls, "$name: nothing is sent to Payer");

        $pg->sql("drop function $function");
        $pg->sql(schema_text());
    }

    sells('good', 'the schema is as it was: payments go on');

    is(scalar(() = $fleet->log_text(0) =~ /exited on signal/g), 0,
        'no worker process has died');
}
