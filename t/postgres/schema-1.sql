-- The schema "payer" of ngx_http_payer_module's PostgreSQL store.
--
-- A superuser runs this file once in each database, and again after an
-- upgrade of the module: what is there stays.  PostgreSQL 14 or newer.
--
-- nginx logs in as the role "payer", which may execute the functions below
-- and nothing else.  Their names carry a version: a newer module adds new ones
-- beside those that older ones use.

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
                        where r.oid = o.owner and r.rolsuper)
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
end $$;

alter role payer set synchronous_commit = on;

create schema if not exists payer;

revoke all on schema payer from public;
grant usage on schema payer to payer;


-- "version" counts the changes of this file, "oldest" is the oldest version
-- whose modules can use it, "host" is the one that the payments are at

create table if not exists payer.format (
    version  int not null,
    oldest   int not null,
    host     text
);

create unique index if not exists format_one on payer.format ((true));

insert into payer.format (version, oldest) values (1, 1)
    on conflict do nothing;


-- A revision is never given twice, so that an entry that was deleted and came
-- back is not taken for what it was.

create sequence if not exists payer.rev;


-- One row for each key.  Without a value and a target it only stands for the
-- key: it may be locked, and it holds a claim.

create table if not exists payer.entry (
    key        text collate "C" primary key,    -- order/4711/10023
    value      bytea,
    target     text collate "C",                -- of an alias: another key
    rev        bigint not null default 0,       -- of the last write
    expires    timestamptz,                     -- null: never
    scope      text collate "C",                -- order/4711/, of the indexes
    updated    bigint,                          -- seconds, as nginx has them
    serial     bigint,                          -- tells those of a second apart
    due        timestamptz,
    attention  bigint not null default 0,
    state      smallint not null default 0,
    owner      bytea,                           -- who has the claim
    until      timestamptz,                     -- and until when
    wrote      uuid                             -- the put that wrote it last
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
-- go on to do so when there are a million rows.  A bitmap scan needs a key, so
-- that with the others switched off nothing is read but what was asked for.


-- What is stored under each of the keys, or under what an alias leads to.

create or replace function payer.get_1(k text[])
returns table (o_n bigint, o_key text, o_value bytea, o_rev bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_indexscan = off
set enable_indexonlyscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off
set plan_cache_mode = force_generic_plan as $$
    select i.n, case when e.target is not null then t.key end,
           case when e.target is null then e.value else t.value end,
           case when e.target is null then e.rev else t.rev end
      from unnest(k) with ordinality i (k, n)
      join payer.entry e on e.key = i.k
      left join payer.entry t on t.key = e.target
     where case when e.target is null then e.value else t.value end is not null
$$;


-- All puts of a batch.  Each is written whole or not at all; "put" numbers the
-- one that an entry belongs to, and ids names it.
--
--     op   0  look only   1  write   2  delete   3  alias of target   4  claim
--     x    the revision that it was made from, of op 0, 1, 2; 0: nothing is
--          there
--     act  0  none   1  take the claim of this key   2  give it back
--
-- Times are seconds from now, the lease is milliseconds.
--
--     rc   0  written   1  a revision differs: this is what is there
--          2  somebody else has a claim, for so many milliseconds

create or replace function payer.put_1(ids uuid[],
    put int[], op int[], key text[], value bytea[], x bigint[], target text[],
    expires bigint[], updated bigint[], due bigint[], attention bigint[],
    state int[], act int[], owner bytea[], lease int[], strict boolean)
returns table (o_put int, o_n bigint, o_rc int, o_rev bigint, o_value bytea,
               o_updated bigint, o_due bigint, o_attention bigint, o_state int,
               o_left int)
language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_indexscan = off
set enable_indexonlyscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_material = off
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    now timestamptz;
    again int[];
    busy int[];
    differs int[];
    skip int[];
    wait int;
begin
    if strict and (current_setting('synchronous_standby_names') = ''
                   or current_setting('synchronous_commit')
                      in ('off', 'local'))
    then
        raise exception 'commits are not replicated' using errcode = '58000';
    end if;

    if cardinality(put_1.key) = 0 then

        -- only to see that a commit gets through

        perform pg_logical_emit_message(true, 'payer', '');
        return;
    end if;

    -- an absent key is locked by a row, too; always in the order of keys

    insert into payer.entry (key, expires, scope)
        select i.k, clock_timestamp() + interval '1 hour',
               substring(i.k from '^[^/]*/[^/]*/')
          from unnest(put_1.key, put_1.act) i (k, a) where i.a <> 2
         group by i.k order by i.k collate "C"
        on conflict (key) do nothing;

    perform from payer.entry e where e.key = any(put_1.key)
        order by e.key for update;

    now := clock_timestamp();

    select array_agg(s.p) filter (where s.again),
           array_agg(s.p) filter (where s.busy and not s.again),
           array_agg(s.p) filter (where s.differs and not s.again
                                        and not s.busy),
           max(s.wait) filter (where s.busy)
      into again, busy, differs, wait
      from (select i.p, coalesce(bool_or(e.wrote = ids[i.p]), false) again,
                   bool_or(i.a = 1 and e.until > now
                           and substr(e.owner, 1, 8) <> substr(i.w, 1, 8))
                       is true busy,
                   bool_or(i.o <= 2 and i.x <> case when e.value is null then 0
                                                    else e.rev end)
                       is true differs,
                   max(extract(epoch from e.until - now) * 1000)
                       filter (where i.a = 1)::int wait
              from unnest(put_1.put, put_1.op, put_1.key, put_1.x, put_1.act,
                          put_1.owner) i (p, o, k, x, a, w)
              left join payer.entry e on e.key = i.k
             group by i.p) s;

    skip := coalesce(again, '{}') || coalesce(busy, '{}')
            || coalesce(differs, '{}');

    update payer.entry e set
        value = case i.o when 1 then i.v when 0 then e.value
                         when 4 then e.value end,
        target = case i.o when 3 then i.t when 0 then e.target
                          when 4 then e.target end,
        rev = coalesce(i.r, e.rev),
        expires = case
            when i.o = 2 then now + interval '1 hour'
            when i.o in (0, 4) then e.expires
            when i.ex is null then null
            when e.value is null and e.target is null
                then now + i.ex * interval '1 second'
            when e.expires is null then null
            else greatest(now + i.ex * interval '1 second', e.expires) end,
        updated = case i.o when 1 then i.up when 0 then e.updated
                           when 4 then e.updated end,
        serial = case when i.o in (0, 4) then e.serial
                      when i.o = 1 and (i.up is not null or i.du is not null
                                        or i.at <> 0 or i.st <> 0)
                      then coalesce(e.serial, i.r) end,
        due = case i.o when 1 then now + i.du * interval '1 second'
                       when 0 then e.due when 4 then e.due end,
        attention = case i.o when 1 then i.at when 0 then e.attention
                             when 4 then e.attention else 0 end,
        state = case i.o when 1 then i.st when 0 then e.state
                         when 4 then e.state else 0 end,
        owner = case when i.a = 1 then i.w
                     when i.a = 2 and e.owner = i.w then null
                     else e.owner end,
        until = case when i.a = 1 then now + i.le * interval '1 millisecond'
                     when i.a = 2 and e.owner = i.w then null
                     else e.until end,
        wrote = case when i.o in (1, 2, 3) then ids[i.p] else e.wrote end
      from (select u.*, case when u.o in (1, 2, 3)
                             then nextval('payer.rev') end r
              from unnest(put_1.put, put_1.op, put_1.key, put_1.value,
                          put_1.target, put_1.expires, put_1.updated,
                          put_1.due, put_1.attention, put_1.state, put_1.act,
                          put_1.owner, put_1.lease)
                   u (p, o, k, v, t, ex, up, du, at, st, a, w, le)
             where u.p <> all(skip)) i
     where e.key = i.k
       and (i.o in (1, 2) or i.a <> 0
            or (i.o = 3 and (e.target is distinct from i.t
                             or (e.expires is not null
                                 and (i.ex is null
                                      or e.expires < now + (i.ex - 86400)
                                                     * interval '1 second')))));

    -- a transaction that has written nothing waits for no standby, so that its
    -- answer would prove nothing

    if pg_current_xact_id_if_assigned() is null then
        perform pg_logical_emit_message(true, 'payer', '');
    end if;

    return query
        select i.p, i.n,
               case when i.p = any(busy) then 2 when i.p = any(differs) then 1
                    else 0 end,
               case when e.value is null then 0 else e.rev end,
               case when i.p = any(differs) and i.o <= 2 then e.value end,
               e.updated,
               floor(extract(epoch from e.due - now))::bigint,
               e.attention, e.state::int,
               case when i.p = any(busy) then wait end
          from unnest(put_1.put, put_1.op, put_1.key)
               with ordinality i (p, o, k, n)
          left join payer.entry e on e.key = i.k
         order by i.n;
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


revoke all on all tables in schema payer from public, payer;
revoke all on all sequences in schema payer from public, payer;
revoke all on all functions in schema payer from public;
grant execute on function
    payer.check_1(text, boolean),
    payer.get_1(text[]),
    payer.put_1(uuid[], int[], int[], text[], bytea[], bigint[], text[],
        bigint[], bigint[], bigint[], bigint[], int[], int[], bytea[], int[],
        boolean),
    payer.scan_1(text, text, int),
    payer.list_1(text, bigint, bigint, bigint, bigint, bigint, int, int),
    payer.due_1(text, int, int, boolean),
    payer.sweep_1(int)
    to payer;

commit;
