-- The schema "payer" of ngx_http_payer_module's PostgreSQL store.
--
-- A superuser, or whoever may create roles and a schema, runs this file once in
-- each database, and again after an upgrade of the module: what is there
-- stays.  PostgreSQL 14 or newer.
--
-- nginx logs in as the role "payer", which may execute the functions below
-- and nothing else.  Their names carry a version: a newer module adds new ones
-- beside those that older ones use.  They run with the rights of the role
-- "payer_owner", which cannot log in, and may use the tables below.

begin;

-- Names mean what the server means by them, whatever others have put into the
-- schemas that a superuser looks into.

set local search_path = pg_catalog, pg_temp;

do $$
declare
    other text;
begin
    -- What belongs to somebody else could have functions that run with the
    -- rights of whoever runs this file.

    if exists (select from pg_roles r where r.rolname = 'payer_owner'
                  and (r.rolcanlogin or r.rolsuper)) then
        raise exception 'there is a role "payer_owner" already, which can log '
            'in or is a superuser';
    end if;

    select o.owner::regrole::text into other
      from (select n.nspowner owner from pg_namespace n
             where n.nspname = 'payer'
            union
            select c.relowner from pg_class c
             where c.relnamespace = to_regnamespace('payer')
            union
            select p.proowner from pg_proc p
             where p.pronamespace = to_regnamespace('payer')) o
     where o.owner <> (select r.oid from pg_roles r
                        where r.rolname = current_user)
       and not exists (select from pg_roles r
                        where r.oid = o.owner
                         and (r.rolsuper or r.rolname = 'payer_owner'))
     limit 1;

    if other is not null then
        raise exception 'the schema "payer" is there already, and belongs to '
            '%: look at what is in it, and drop it', other;
    end if;

    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the encoding of this database is %, not UTF8',
            current_setting('server_encoding');
    end if;

    if not exists (select from pg_catalog.pg_roles where rolname = 'payer') then
        create role payer login;
    end if;

    if not exists (select from pg_roles where rolname = 'payer_owner') then
        create role payer_owner nologin;
    end if;

    -- who is no superuser gives to this role what belongs to it as a member

    if not pg_has_role(current_user, 'payer_owner', 'member') then
        execute format('grant payer_owner to %I', current_user);
    end if;

    -- without it the state of standbys is not seen, only that there are some

    begin
        grant pg_read_all_stats to payer_owner;
    exception when insufficient_privilege then
        raise notice 'the role "payer_owner" cannot see which standbys are '
            'synchronous: grant pg_read_all_stats to payer_owner';
    end;

    begin
        alter role payer set synchronous_commit = on;
    exception when insufficient_privilege then
        raise notice 'synchronous_commit of the role "payer" stays as it is';
    end;
end $$;

create schema if not exists payer;

revoke all on schema payer from public;
grant usage on schema payer to payer, payer_owner;


-- "version" counts the changes of this file, "oldest" is the oldest version
-- whose modules can use it, "host" is the one that the payments are at

create table if not exists payer.format (
    version  int not null,
    oldest   int not null,
    host     text
);

create unique index if not exists format_one on payer.format ((true));

insert into payer.format (version, oldest) values (2, 2)
    on conflict do nothing;

-- what the first version brought is still there if it was: "oldest" stays

update payer.format set version = 2 where version < 2;


-- Tells entries of a second apart, and revisions of those that no put writes.

create sequence if not exists payer.rev;


-- One row for each key.  Without a value and a target it only stands for the
-- key: it may be locked, and it holds a claim.

create table if not exists payer.entry (
    key        text collate "C" primary key,    -- order/4711/10023
    value      bytea,
    target     text collate "C",                -- of an alias: another key
    rev        bigint not null default 0,       -- names the last write
    expires    timestamptz,                     -- null: never
    scope      text collate "C",                -- order/4711/, of the indexes
    updated    bigint,                          -- seconds, as nginx has them
    serial     bigint,                          -- tells those of a second apart
    due        timestamptz,
    attention  bigint not null default 0,
    state      smallint not null default 0,
    owner      bytea,                           -- who has the claim
    until      timestamptz,                     -- and until when
    wrote      uuid                             -- the same, of version 1
) with (fillfactor = 80);

create index if not exists entry_listed on payer.entry
    (scope, updated, serial) where updated is not null;
create index if not exists entry_attention on payer.entry
    (scope, updated, serial)
    where updated is not null and attention <> 0;
create index if not exists entry_due on payer.entry (scope, due)
    where due is not null;
create index if not exists entry_expires on payer.entry (expires)
    where expires is not null;


-- the part of a key as far as the second slash; null: it is in no index

create or replace function payer.scope(k text) returns text
language sql immutable strict parallel safe set search_path = pg_catalog as $$
    select substring(k from '^[^/]*/[^/]*/')
$$;


-- What a connection is checked by.  "fault" is why it cannot be used.

create or replace function payer.check_1(want_host text, strict boolean)
returns table (o_version int, o_oldest int, o_clock bigint, o_timeline bigint,
               o_writable boolean, o_host text, o_fault text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    f payer.format;
begin
    select * into f from payer.format;

    o_version := f.version;
    o_oldest := f.oldest;
    o_host := f.host;
    o_clock := extract(epoch from clock_timestamp()) * 1000;
    o_timeline := 0;
    o_writable := not pg_is_in_recovery()
                  and current_setting('transaction_read_only') = 'off';

    if not o_writable then
        return next;
        return;
    end if;

    begin
        o_timeline := ('x' || substr(pg_walfile_name(pg_current_wal_lsn()),
                                     1, 8))::bit(32)::bigint;
    exception when others then
        o_timeline := 0;                -- a service that does not tell
    end;

    if f.host is null and want_host <> '' then
        update payer.format set host = want_host where host is null;
        o_host := want_host;
    end if;

    if strict then
        if current_setting('synchronous_standby_names') = '' then
            o_fault := 'commits are not replicated: '
                       'synchronous_standby_names is empty';

        elsif current_setting('synchronous_commit') in ('off', 'local') then
            o_fault := 'commits are not replicated: synchronous_commit is '
                       || current_setting('synchronous_commit');

        elsif not exists (select from pg_stat_get_wal_senders() s
                           where s.sync_state is null
                              or s.sync_state in ('sync', 'quorum')) then
            o_fault := 'no synchronous standby is connected';
        end if;
    end if;

    return next;
end $$;


-- The settings of the functions below choose the plans.  A plan is made when
-- a connection is new and kept: in an empty table it would read all of it, and
-- go on to do so when there are a million rows.  Those that look up a key need
-- no more than that a table is not read as a whole; for the others, a bitmap
-- scan needs a key, so that with the rest switched off nothing is read but
-- what was asked for.


-- What is stored under each of the keys, or under what an alias leads to.

create or replace function payer.get_2(k text[])
returns table (o_n bigint, o_key text, o_value bytea, o_rev bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off
set plan_cache_mode = force_generic_plan as $$
declare
    e record;
begin
    for i in 1 .. cardinality(k) loop
        o_key := null;

        select t.value, t.rev, t.target into e
          from payer.entry t where t.key = k[i];

        if e.target is not null then
            o_key := e.target;

            select t.value, t.rev into e
              from payer.entry t where t.key = o_key;
        end if;

        if e.value is not null then
            o_n := i;
            o_value := e.value;
            o_rev := e.rev;
            return next;
        end if;
    end loop;
end $$;


-- A row of put_2().  "put" numbers the put that it belongs to, "n" the rows of
-- that; each put is written whole or not at all.
--
--     op   0  look only   1  write   2  delete   3  alias of target   4  claim
--     made_from  the revision that it was made from, of op 0, 1, 2; 0: nothing
--          is there
--     rev  names the put, and is the revision of what it writes; no other one
--          has it
--     act  0  none   1  take the claim of this key   2  give it back
--
-- Times are seconds from now, the lease is milliseconds.

do $$
begin
    if to_regtype('payer.change_2') is null then
        create type payer.change_2 as (
            put        int,
            n          int,
            single     boolean,                 -- none but aliases beside it
            op         int,
            key        text,
            value      bytea,
            made_from  bigint,
            rev        bigint,
            target     text,
            expires    bigint,
            updated    bigint,
            due        bigint,
            attention  bigint,
            state      int,
            act        int,
            owner      bytea,
            lease      int
        );
    end if;
end $$;


-- Whether a row is written (op 1), if there is none.

create or replace function payer.insert_2(c payer.change_2) returns boolean
language plpgsql as $$
begin
    insert into payer.entry (key, value, rev, expires, scope, updated, serial,
                             due, attention, state, owner, until)
        values (c.key, c.value, c.rev,
                clock_timestamp() + c.expires * interval '1 second',
                substring(c.key from '^[^/]*/[^/]*/'), c.updated,
                case when c.updated is not null or c.due is not null
                          or c.attention <> 0 or c.state <> 0
                     then nextval('payer.rev') end,
                clock_timestamp() + c.due * interval '1 second',
                c.attention, c.state,
                case when c.act = 1 then c.owner end,
                case when c.act = 1
                     then clock_timestamp() + c.lease * interval '1 ms' end)
        on conflict (key) do nothing;

    return found;
end $$;


-- Whether a row is written (op 1), if that may be done.  An entry is dropped a
-- month after it expires: that may be a day too early, which saves to write to
-- the indexes.

create or replace function payer.update_2(c payer.change_2) returns boolean
language plpgsql as $$
begin
    update payer.entry t set
        value = c.value,
        target = null,
        rev = c.rev,
        expires = case
            when c.expires is null then null
            when t.value is null and t.target is null
                then clock_timestamp() + c.expires * interval '1 second'
            when t.expires is null or t.expires > clock_timestamp()
                                   + (c.expires - 86400) * interval '1 second'
                then t.expires
            else clock_timestamp() + c.expires * interval '1 second' end,
        updated = c.updated,
        serial = case when c.updated is not null or c.due is not null
                           or c.attention <> 0 or c.state <> 0
                      then coalesce(t.serial, nextval('payer.rev')) end,
        due = clock_timestamp() + c.due * interval '1 second',
        attention = c.attention,
        state = c.state,
        owner = case when c.act = 1 then c.owner
                     when c.act = 2 and t.owner = c.owner then null
                     else t.owner end,
        until = case when c.act = 1
                     then clock_timestamp() + c.lease * interval '1 ms'
                     when c.act = 2 and t.owner = c.owner then null
                     else t.until end
      where t.key = c.key
        and c.made_from = case when t.value is null then 0 else t.rev end
        and (c.act <> 1 or t.until is null or t.until <= clock_timestamp()
             or substr(t.owner, 1, 8) = substr(c.owner, 1, 8));

    return found;
end $$;


-- The same of the other ops: what is there was locked before.

create or replace function payer.other_2(c payer.change_2) returns void
language plpgsql as $$
begin
    if c.op = 3 then
        insert into payer.entry as t (key, target, rev, expires, scope)
            values (c.key, c.target, c.rev,
                    clock_timestamp() + c.expires * interval '1 second',
                    substring(c.key from '^[^/]*/[^/]*/'))
            on conflict (key) do update set
                value = null, target = excluded.target, rev = excluded.rev,
                expires = case
                    when excluded.expires is null then null
                    when t.value is null and t.target is null
                        then excluded.expires
                    when t.expires is null then null
                    else greatest(t.expires, excluded.expires) end,
                updated = null, serial = null, due = null, attention = 0,
                state = 0
            where t.target is distinct from excluded.target
               or (t.expires is not null
                   and (excluded.expires is null
                        or t.expires < excluded.expires - interval '1 day'));
        return;
    end if;

    if c.op = 2 then
        update payer.entry t
           set value = null, target = null, rev = c.rev, updated = null,
               serial = null, due = null, attention = 0, state = 0,
               expires = clock_timestamp() + interval '1 hour'
         where t.key = c.key;
    end if;

    if c.act = 1 then
        update payer.entry t
           set owner = c.owner,
               until = clock_timestamp() + c.lease * interval '1 ms'
         where t.key = c.key;

    elsif c.act = 2 then
        update payer.entry t set owner = null, until = null
         where t.key = c.key and t.owner = c.owner;
    end if;
end $$;


-- All puts of a batch, whose rows are in the order of their keys.  The last row
-- of the answer is of no put and has the number of rows whose puts were
-- written.  The others say why one was not: "left" is for how many
-- milliseconds somebody else has the claim, or, if it is null, this is what is
-- there instead.

create or replace function payer.put_2(changes payer.change_2[],
    strict boolean)
returns table (o_put int, o_n int, o_left int, o_rev bigint, o_value bytea,
               o_updated bigint, o_due bigint, o_attention bigint, o_state int)
language plpgsql security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
    c payer.change_2;
    e payer.entry;
    done int[] := '{}';         -- puts of a single row that are written
    again int[] := '{}';        -- those that were, when they came before
    busy int[] := '{}';
    differs int[] := '{}';
    rows int := cardinality(changes);
begin
    if strict and (current_setting('synchronous_standby_names') = ''
                   or current_setting('synchronous_commit')
                      in ('off', 'local'))
    then
        raise exception 'commits are not replicated' using errcode = '58000';
    end if;

    -- What is there is locked, and always in the same order.

    foreach c in array changes loop

        continue when c.op = 3;

        -- as a rule there is only one row, and nothing has changed

        if c.single and c.op = 1 then
            if c.made_from = 0 and payer.insert_2(c) or payer.update_2(c) then
                done := done || c.put;
                continue;
            end if;
        end if;

        select * into e from payer.entry t where t.key = c.key for update;

        if not found then
            continue when c.op = 4 and c.act = 2;

            -- an absent key is locked by a row, too

            insert into payer.entry (key, expires, scope)
                values (c.key, clock_timestamp() + interval '1 hour',
                        substring(c.key from '^[^/]*/[^/]*/'))
                on conflict (key) do nothing;

            select * into e from payer.entry t where t.key = c.key for update;

            if not found then
                raise exception 'an entry was dropped meanwhile'
                    using errcode = '40001';
            end if;
        end if;

        if e.rev = c.rev and c.op in (1, 2) then
            again := again || c.put;

        elsif c.act = 1 and e.until > clock_timestamp()
              and substr(e.owner, 1, 8) <> substr(c.owner, 1, 8)
        then
            busy := busy || c.put;

        elsif c.op <= 2
              and c.made_from <> (case when e.value is null then 0
                                       else e.rev end)
        then
            differs := differs || c.put;
        end if;
    end loop;

    foreach c in array changes loop

        continue when c.put = any(again) or c.put = any(busy)
            or c.put = any(differs) or (c.put = any(done) and c.op = 1);

        if c.op <> 1 then
            perform payer.other_2(c);

        elsif not payer.update_2(c) then
            raise exception 'an entry has changed meanwhile'
                using errcode = '40001';
        end if;
    end loop;

    -- a transaction that has written nothing waits for no standby, so that its
    -- answer would prove nothing

    if pg_current_xact_id_if_assigned() is null then
        perform pg_logical_emit_message(true, 'payer', '');
    end if;

    if cardinality(busy) > 0 or cardinality(differs) > 0 then

        for c in select * from unnest(changes)
                  where put = any(busy || differs) and put <> all(again)
                  order by put, n
        loop
            rows := rows - 1;

            select * into e from payer.entry t where t.key = c.key;

            if c.put = any(busy) then
                continue when c.act <> 1;

                o_left := greatest(0, extract(epoch from e.until
                                              - clock_timestamp()) * 1000);
            else
                continue when c.op > 2
                    or c.made_from = case when e.value is null then 0
                                          else e.rev end;

                o_left := null;
                o_rev := case when e.value is null then 0 else e.rev end;
                o_value := e.value;
                o_updated := e.updated;
                o_due := floor(extract(epoch from e.due - clock_timestamp()));
                o_attention := e.attention;
                o_state := e.state;
            end if;

            o_put := c.put;
            o_n := c.n;
            return next;
        end loop;
    end if;

    o_put := 0;
    o_n := 0;
    o_left := null;
    o_rev := rows;
    o_value := null;
    return next;
end $$;


-- Keys in order; an alias is followed.  No more than a page of bytes.

create or replace function payer.scan_1(prefix text, after text, n int)
returns table (o_key text, o_value bytea, o_rev bigint, o_updated bigint,
               o_due bigint, o_attention bigint, o_state int)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_sort = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    r record;
    items int := 0;
    bytes bigint := 0;
begin
    for r in select (f.e).* from (
                 select case when e.target is null then e else t end e
                   from payer.entry e
                   left join payer.entry t on t.key = e.target
                  where e.key >= prefix and e.key > after
                    and e.key < prefix || chr(1114111)
                  order by e.key) f
    loop
        continue when r.value is null;

        exit when items = n or bytes + length(r.value) > 1048576;

        items := items + 1;
        bytes := bytes + length(r.value);

        o_key := r.key;
        o_value := r.value;
        o_rev := r.rev;
        o_updated := r.updated;
        o_due := floor(extract(epoch from r.due - clock_timestamp()));
        o_attention := r.attention;
        o_state := r.state;
        return next;
    end loop;
end $$;


-- What was updated last, the newest first, behind a place.  A row without a
-- key says where the next page begins.

create or replace function payer.list_1(prefix text, states bigint,
    need bigint, since bigint, place_updated bigint, place_serial bigint,
    n int, looks int)
returns table (o_key text, o_value bytea, o_rev bigint, o_updated bigint,
               o_due bigint, o_attention bigint, o_state int, o_serial bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_sort = off
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    c refcursor;
    r payer.entry;
    items int := 0;
    seen int := 0;
    bytes bigint := 0;
    more boolean := false;
begin
    if need = 0 then
        open c no scroll for
            select * from payer.entry e
             where e.scope = prefix and e.updated is not null
               and (e.updated, e.serial) < (place_updated, place_serial)
             order by e.updated desc, e.serial desc;
    else
        open c no scroll for
            select * from payer.entry e
             where e.scope = prefix and e.updated is not null
               and e.attention <> 0
               and (e.updated, e.serial) < (place_updated, place_serial)
             order by e.updated desc, e.serial desc;
    end if;

    loop
        fetch c into r;
        exit when not found or r.updated < since;

        if items = n or seen = looks then
            more := true;
            exit;
        end if;

        if r.value is not null
           and (states = 0 or (states >> (r.state & 63)) & 1 = 1)
           and (need = 0 or r.attention & need <> 0)
        then
            if bytes + length(r.value) > 1048576 then
                more := true;
                exit;
            end if;

            items := items + 1;
            bytes := bytes + length(r.value);

            o_key := r.key;
            o_value := r.value;
            o_rev := r.rev;
            o_updated := r.updated;
            o_due := floor(extract(epoch from r.due - clock_timestamp()));
            o_attention := r.attention;
            o_state := r.state;
            o_serial := r.serial;
            return next;
        end if;

        seen := seen + 1;
        place_updated := r.updated;
        place_serial := r.serial;
    end loop;

    if more then
        o_key := null;
        o_value := null;
        o_updated := place_updated;
        o_serial := place_serial;
        return next;
    end if;
end $$;


-- Entries whose time has come, the oldest first.  Each is leased: it comes
-- again after so many seconds.  Hosts take different ones.

create or replace function payer.due_1(prefix text, n int, lease int,
    strict boolean)
returns table (o_key text, o_value bytea, o_rev bigint, o_updated bigint,
               o_due bigint, o_attention bigint, o_state int)
language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_sort = off
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    r payer.entry;
    now timestamptz := clock_timestamp();
    bytes bigint := 0;
begin
    if strict and (current_setting('synchronous_standby_names') = ''
                   or current_setting('synchronous_commit')
                      in ('off', 'local'))
    then
        raise exception 'commits are not replicated' using errcode = '58000';
    end if;

    for r in select * from payer.entry e
              where e.scope = prefix and e.due <= now and e.value is not null
              order by e.due limit n for update skip locked
    loop
        exit when bytes + length(r.value) > 1048576;

        bytes := bytes + length(r.value);

        update payer.entry e
           set due = now + lease * interval '1 second',
               rev = nextval('payer.rev')
         where e.key = r.key
        returning e.rev into o_rev;

        o_key := r.key;
        o_value := r.value;
        o_updated := r.updated;
        o_due := lease;
        o_attention := r.attention;
        o_state := r.state;
        return next;
    end loop;
end $$;


-- Drops what expired 31 days ago, and rows that stand for nothing any more.

create or replace function payer.sweep_1(n int) returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_sort = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off
set plan_cache_mode = force_generic_plan as $$
declare
    dropped int;
begin
    delete from payer.entry d where d.key in (
        select e.key from payer.entry e
         where e.expires < now() - case when e.value is null
                                             and e.target is null
                                        then interval '0'
                                        else interval '31 days' end
           and (e.until is null or e.until < now())
         order by e.expires limit n for update skip locked);

    get diagnostics dropped = row_count;
    return dropped;
end $$;


-- The orders, for people: grant select on payer.orders to whom it concerns.

create or replace function payer.number(v bytea, o int) returns bigint
language sql immutable strict parallel safe set search_path = pg_catalog as $$
    select sum(get_byte(v, o + i)::numeric * power(256::numeric, i))::numeric
           - case when get_byte(v, o + 7) > 127 then 18446744073709551616
                  else 0 end
      from generate_series(0, 7) i
$$;

create or replace function payer.word(v bytea, n int) returns text
language plpgsql immutable strict parallel safe set search_path = pg_catalog
as $$
declare
    o int := case get_byte(v, 2) when 1 then 56 when 2 then 72 else 112 end;
    len int;
begin
    for i in 0 .. n loop
        if o + 2 > length(v) then
            return null;
        end if;

        len := get_byte(v, o) + 256 * get_byte(v, o + 1);

        if i = n then
            return convert_from(substr(v, o + 3, len), 'UTF8');
        end if;

        o := o + 2 + len;
    end loop;
end $$;

create or replace view payer.orders as
    select split_part(e.key, '/', 2) merchant,
           payer.word(e.value, 0) reference,
           payer.word(e.value, 1) payment_id,
           (array['creating', 'initiated', 'expired', 'cancelled',
                  'authorized', 'partially_captured', 'fully_captured',
                  'released', 'refunded', 'ended'])[get_byte(e.value, 3)] state,
           get_byte(e.value, 4) & 1 = 1 outcome_open,
           payer.word(e.value, 3) currency,
           payer.number(e.value, 8) amount,
           nullif(payer.number(e.value, 16), -1) authorized,
           nullif(payer.number(e.value, 24), -1) captured,
           to_timestamp(payer.number(e.value, 32)) created,
           to_timestamp(payer.number(e.value, 40)) updated,
           e.expires
      from (select * from payer.entry
             where key >= 'order/' and key < 'order0'
               and length(value) >= 56 and substr(value, 1, 2) = 'PR'
            offset 0) e;


revoke all on all tables in schema payer from public, payer;
revoke all on all sequences in schema payer from public, payer;
revoke all on all functions in schema payer from public;
grant execute on function
    payer.check_1(text, boolean),
    payer.get_2(text[]),
    payer.put_2(payer.change_2[], boolean),
    payer.scan_1(text, text, int),
    payer.list_1(text, bigint, bigint, bigint, bigint, bigint, int, int),
    payer.due_1(text, int, int, boolean),
    payer.sweep_1(int)
    to payer;


-- The functions belong to a role that has no more than it needs, those of
-- older versions, too.

grant select, insert, update, delete on payer.entry to payer_owner;
grant select, update on payer.format to payer_owner;
grant usage on sequence payer.rev to payer_owner;
grant create on schema payer to payer_owner;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid from pg_proc p
              where p.pronamespace = 'payer'::regnamespace
                and p.proowner <> 'payer_owner'::regrole
    loop
        execute format('alter function %s owner to payer_owner', f);
    end loop;
end $$;

revoke create on schema payer from payer_owner;

commit;
