# The schema: what its functions read, whose they are, who can create it, how an
# older one becomes the newer one, and what nginx makes of one that somebody has
# changed.

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
rights();
names_of_others();
schema_of_another();
no_superuser();
upgrade();
warnings_of_a_login();
answers();
done_testing();


# One call of put_2() that writes these keys, each by a put of its own.

sub put_of {
    my ($keys) = @_;

    return "select count(*) from payer.put_2(array(select
        row(row_number() over (), 0, row_number() over () % 2 = 0, 1, k,
            '\\x00', 0, 1, null, 86400, 1, null, 0, 0, 0, null, 0)
        ::payer.change_2 from $keys), false);";
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
            "select count(*) from payer.get_2(array(select k from $_));"
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


# What each of these functions may do, and those who call them.

sub rights {
    is($pg->value("select count(*) from pg_proc
        where pronamespace = 'payer'::regnamespace
          and proowner <> 'payer_owner'::regrole"), 0,
        'all functions belong to a role of their own');
    is($pg->value("select rolcanlogin or rolsuper or rolcreaterole
        or rolcreatedb or rolreplication or rolbypassrls
        from pg_roles where rolname = 'payer_owner'"), 'f',
        'which cannot log in, and has no attributes');
    is($pg->value("select count(*) from pg_proc
        where pronamespace = 'payer'::regnamespace and prosecdef
          and not array_to_string(proconfig, ' ')
              ~ 'search_path=pg_catalog, pg_temp'"), 0,
        'they find nothing but what the server has');

    my @rights = map { join ' ', @$_ } $pg->sql(<<'    END');
        select c.relname, string_agg(p, ' ' order by p)
          from pg_class c,
               unnest(array['select', 'insert', 'update', 'delete', 'truncate',
                            'references', 'trigger']) p
         where c.relkind in ('r', 'v') and c.relnamespace
               not in ('pg_catalog'::regnamespace,
                       'information_schema'::regnamespace)
           and has_table_privilege('payer_owner', c.oid, p)
         group by c.relname order by c.relname
    END

    is("@rights", 'entry delete insert select update format select update',
        'they can use the two tables, and not change them');
    is($pg->value("select has_schema_privilege('payer_owner', 'payer',
        'create')"), 'f', 'and create nothing there');
    is($pg->value("select pg_has_role('payer', 'payer_owner', 'member')"), 'f',
        'the role of nginx is no member of it');
    is($pg->value("select pg_has_role('payer_owner', 'pg_read_all_stats',
        'usage')"), 't', 'it sees which standbys are synchronous');

    $pg->sql('create role alice; grant usage on schema payer to alice;
        grant select on payer.orders to alice');
    is($pg->value("set role alice; select count(*) from payer.orders"), 0,
        'a person may be allowed to see the orders');

    $pg->sql('alter role payer_owner login');
    ok(!eval { $pg->sql(schema_text()); 1 },
        'a role of this name that can log in is not used');
    like($@, qr/a role "payer_owner" already, which can log in/,
        'it says so');
    $pg->sql('alter role payer_owner nologin');
}


# As with a database that is rented: the owner of the database creates roles,
# and is no superuser.

sub no_superuser {
    my $node = $pg->node(0);

    my $as = "set client_min_messages = warning;
        set session authorization tenant;\n";

    $node->sql('create role tenant createrole', 'postgres');
    $node->sql('create database rented owner tenant', 'postgres');

    # both roles are there already, and as a rule created by it

    $node->sql('grant payer_owner to tenant', 'postgres');

    for my $time ('for the first time', 'once more') {
        ok(eval { $node->sql($as . schema_text(), 'rented'); 1 },
            "the owner of a database creates the schema $time") or diag($@);
    }

    is($node->value("select count(*) from pg_proc
        where pronamespace = 'payer'::regnamespace
          and proowner <> 'payer_owner'::regrole", 'rented'), 0,
        'with functions of that role');
    is($node->value("set session authorization payer;
        select o_rev from payer.put_2(array[row(1, 0, true, 1, 'order/1/a',
            '\\x00', 0, 1, null, 86400, 1, null, 0, 0, 0, null, 0)
            ::payer.change_2], false)", 'rented'), 1, 'which work');

    $node->sql('drop database rented', 'postgres');
    $node->sql('drop role tenant', 'postgres');
}


# The schema of the first version, with an entry that its functions wrote.

sub upgrade {
    $pg->sql('drop schema payer cascade');
    $pg->sql(old_schema());
    $pg->as_payer(old_put('old', 1, 0));

    $fleet->start(0);

    ok(wait_until(sub {
        $fleet->get(0, '/doctor?local=1')->body
            =~ /its schema has version 1, this module needs 2/
    }, 20), 'an older schema is not used');
    is($fleet->get(0, '/checkout?order=soon')->status, 503,
        'payments get 503');

    $pg->sql(schema_text());
    sells('soon', 'after an upgrade of the schema they go on');

    is($pg->value("select encode(o_value, 'escape')
        from payer.get_2(array['order/4711/old'])"), 'value 1',
        'what was stored is there');
    is($pg->value('select version || $$ $$ || oldest from payer.format'),
        '2 1', 'older modules can use it, too');
    is($pg->value("select count(*) from pg_proc
        where pronamespace = 'payer'::regnamespace
          and proowner <> 'payer_owner'::regrole"), 0,
        'the rights of their functions are the same');

    # each sees what the other one has written

    my $rev = $pg->value("select o_rev
        from payer.get_2(array['order/4711/old'])");
    my $new = sub {
        my ($name, $from) = @_;

        return $pg->as_payer("select o_put, o_rev from payer.put_2(array[row(1,
            0, true, 1, 'order/4711/old', '\\x00', $from, $name, null, 86400,
            1, null, 0, 0, 0, null, 0)::payer.change_2], false)");
    };

    is($new->(77, $rev), '0|1', 'a newer module writes over an older one');
    is($pg->as_payer(old_put('old', 2, $rev)), '1|77',
        'an older one is told of that');
    is($pg->as_payer(old_put('old', 3, 77)) =~ s/\|.*//r, '0',
        'and writes over it');
    like($new->(78, 77), qr/\A1\|\d+\n0\|0\z/, 'which the newer one is told');

    $fleet->stop(0);
    $pg->sql('drop schema payer cascade');
    $pg->sql(schema_text());

    is($pg->value('select version || $$ $$ || oldest from payer.format'),
        '2 2', 'a new schema has nothing for older modules');
}


sub old_schema {
    open my $fh, '<', root() . '/t/postgres/schema-1.sql' or die "$!\n";
    local $/;
    return scalar <$fh>;
}


sub old_put {
    my ($order, $n, $from) = @_;

    return "select o_rc, o_rev from payer.put_1(array[gen_random_uuid()],
        array[1], array[1], array['order/4711/$order'],
        array['value $n'::bytea], array[$from\::bigint], array[null::text],
        array[86400::bigint], array[1::bigint], array[null::bigint],
        array[0::bigint], array[0], array[0], array[null::bytea], array[0],
        false)";
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

    $fleet->stop(0);

    $pg->sql('alter role payer reset all');
    $pg->sql('alter role payer set synchronous_commit = on');
}


# A function with this name gives another answer; those who need it get 503,
# and nothing is sent to Payer.

sub answers {
    my $get = 'payer.get_2(k text[])';
    my $put = 'payer.put_2(changes payer.change_2[], strict boolean)';
    my $row = 'table (o_put int, o_n int, o_left int, o_rev bigint,
        o_value bytea, o_updated bigint, o_due bigint, o_attention bigint,
        o_state int)';
    my $fields = sub { "select $_[0], $_[1], $_[2]::int, $_[3]::bigint,
        null::bytea, null::bigint, null::bigint, 0::bigint, 0" };
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
        [ 'a write says nothing', $put, $row, $fields->(0, 0, 'null', 'null') ],
        [ 'a write says that more was done', $put, $row,
            $fields->(0, 0, 'null', 99) ],
        [ 'a write says that less was done', $put, $row,
            $fields->(0, 0, 'null', 0) ],
        [ 'a write has no rows', $put, $row,
            $fields->(0, 0, 'null', 1) . ' where false' ],
        [ 'a write has rows of nobody', $put, $row,
            $fields->(9, 0, 'null', 1) . ' union all '
            . $fields->(0, 0, 'null', 1) ],
        [ 'a write has a row that was not sent', $put, $row,
            $fields->(1, 5, 'null', 1) . ' union all '
            . $fields->(0, 0, 'null', 0) ],
        [ 'a write has two outcomes', $put, $row,
            $fields->(1, 0, 5, 'null') . ' union all '
            . $fields->(1, 0, 'null', 7) . ' union all '
            . $fields->(0, 0, 'null', 0) ],
    );

    my $orders = 0;

    $fleet->start(0);
    sells('before', 'with the functions as they are, payments go on');

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
