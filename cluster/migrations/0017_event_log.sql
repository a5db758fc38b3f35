-- The event log: every change of a row that a rebuild needs, written by triggers in the transaction of the change, carried
-- to the object store by the archiver and then removed here (docs/event-log.md, ADR 0043).
--
-- A later migration that adds a table of a tenant calls `log_changes` for it, or says in cluster/eventlog/tables.py from what
-- the table follows; a test finds one that does neither.

-- `n` orders the changes of one row: it is taken while the row is locked. Over several rows it says nothing, since
-- transactions commit in another order than they begin; what is not here any more is in the archive, and no position is kept.
create table change_log (
    n           bigint generated always as identity,
    tenant      text not null,
    transaction xid8 not null default pg_current_xact_id(),
    at          timestamptz not null default clock_timestamp(),
    name        text not null,
    key         jsonb not null,
    value       jsonb             -- the row as it is now; null: it was removed
);
create index change_log_by_n on change_log (n);
alter table change_log enable row level security;
alter table change_log force row level security;
create policy one_tenant on change_log to content_api, content_worker
    using (tenant = current_setting('app.tenant', true)) with check (tenant = current_setting('app.tenant', true));
grant select, insert on change_log to content_api, content_worker;
-- What a foreign key removes along is removed by Postgres as the owner of the table, and so are its lines written.
create policy removed_along on change_log for insert to current_user
    with check (tenant = current_setting('app.tenant', true));
create policy archiver on change_log to content_relay using (true);
grant select, delete on change_log to content_relay;
create policy counts on change_log for select to content_ops using (true);
grant select (n, tenant, at, name) on change_log to content_ops;

-- How far the archive is, and of which log: one row. `base` is where the log before was left, if this one does not begin with
-- everything. `behind_since`: the archive has what this database does not know, so nothing is issued until it is reconciled.
create table event_log (
    region       text primary key,
    epoch        integer not null check (epoch > 0),
    sequence     bigint not null default 0,
    digest       text not null default '',
    base         jsonb,
    archived_at  timestamptz,
    behind_since timestamptz,
    behind       text not null default ''
);
alter table event_log enable row level security;
alter table event_log force row level security;
create policy archivers on event_log to content_relay, content_worker using (true) with check (true);
create policy readers on event_log for select to content_api, content_ops using (true);
grant select, insert, update on event_log to content_relay, content_worker;
grant select on event_log to content_api, content_ops;

-- A row as it was written, without what is nobody's business: a trigger for each table that is logged.
-- Arguments: columns whose change alone is not worth a line, and the columns of the primary key.
create function log_change() returns trigger language plpgsql set timezone = 'UTC' as $$
declare
    found  jsonb := case tg_op when 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
    passed text[] := tg_argv[0];
    named  text[] := tg_argv[1];
begin
    if tg_op = 'UPDATE' and found - passed = to_jsonb(old) - passed then
        return null;
    end if;
    insert into change_log (tenant, name, key, value)
    values (found ->> 'tenant', tg_table_name, (select jsonb_object_agg(part, found -> part) from unnest(named) part),
            case when tg_op = 'DELETE' then null
                 -- Who a pseudonym is, is told by this row alone; the archiver keeps it apart, where it can be erased.
                 when tg_table_name <> 'learners' and (found ? 'learner_id' or found -> 'data' ? 'learner_id')
                 then without_learner(found ->> 'tenant', found)
                 else found end);
    return null;
end $$;

-- The reverse of `without_learner`, for rows that come back; of whom nobody is known any more, the pseudonym stays.
create function with_learner(of_tenant text, document jsonb) returns jsonb language plpgsql stable as $$
declare
    person text;
begin
    if document ->> 'learner_id' like 'lrn\_%' then
        select learner_id into person from learners where tenant = of_tenant and pseudonym = document ->> 'learner_id';
        document := case when person is null then document else jsonb_set(document, '{learner_id}', to_jsonb(person)) end;
    end if;
    if document #>> '{data,learner_id}' like 'lrn\_%' then
        select learner_id into person from learners
        where tenant = of_tenant and pseudonym = document #>> '{data,learner_id}';
        document := case when person is null then document
                         else jsonb_set(document, '{data,learner_id}', to_jsonb(person)) end;
    end if;
    return document;
end $$;

-- `call log_changes('name')` after `create table`. `passed`: columns whose change alone is not logged. `logged_when`: a
-- condition on `new`; rows in passing states are not worth a line. What is there already is logged as if it were written now.
create procedure log_changes(name text, passed text[] default '{}', logged_when text default 'true') language plpgsql
set timezone = 'UTC' as $$
declare named text[];
begin
    select array_agg(attname::text order by array_position(indkey::int2[], attnum)) into strict named
    from pg_index join pg_attribute on attrelid = indrelid and attnum = any (indkey)
    where indrelid = name::regclass and indisprimary;
    execute format('create trigger log_changes after insert or update on %I for each row when (%s)
                    execute function log_change(%L, %L)', name, logged_when, passed, named);
    execute format('create trigger log_removals after delete on %I for each row execute function log_change(%L, %L)',
                   name, passed, named);
    -- The owner sees rows only while security is not forced.
    execute format('alter table %I no force row level security', name);
    alter table change_log no force row level security;
    execute format('insert into change_log (tenant, name, key, value)
                    select new.tenant, %L, (select jsonb_object_agg(part, to_jsonb(new) -> part) from unnest(%L::text[]) part),
                           %s from %I new where %s', name, named,
                   case name when 'learners' then 'to_jsonb(new)' else 'without_learner(new.tenant, to_jsonb(new))' end,
                   name, logged_when);
    execute format('alter table %I force row level security', name);
    alter table change_log force row level security;
end $$;
revoke execute on procedure log_changes(text, text[], text) from public;

-- A new epoch begins when a database was restored: what is numbered in it outranks whatever the lost minutes may have
-- numbered (sequences of licences, events of a key). One number a tenant, in place of an update of every row.
alter table tenants add column sequence_epoch integer not null default 1 check (sequence_epoch > 0);

alter table learners no force row level security;  -- whoever has no pseudonym yet gets one here
call log_changes('tenants');
call log_changes('erasure_salts');
call log_changes('signing_keys');
call log_changes('trust_lists');
call log_changes('revocation_lists');
call log_changes('packages');
call log_changes('package_versions');
call log_changes('assets');
call log_changes('renditions');
call log_changes('probes');
call log_changes('version_assets');
call log_changes('enrolments');
call log_changes('devices');
call log_changes('content_keys');
-- Who works on it, and since when, follows from nothing that lasts.
call log_changes('bundles', '{claimed_by, claimed_until, attempts, attempt, traceparent}', $$new.state <> 'claimed'$$);
call log_changes('licences');
call log_changes('parts', '{scrubbed_at}');
call log_changes('seals', '{scrubbed_at}', $$new.state <> 'claimed'$$);
call log_changes('seal_parts');
call log_changes('scope_epochs');
call log_changes('device_sequences');
call log_changes('jobs', '{attempt, starts, progress, message, revision, stages, position, updated_at, traceparent}',
                 $$new.state <> 'running'$$);
call log_changes('inbox');
call log_changes('outbox_keys');
call log_changes('outbox', '{published_at, position}');
call log_changes('audit_log');
call log_changes('webhooks', '{failing_since, updated_at}');
call log_changes('webhook_deliveries', '{attempts, failures, next_attempt_at, log}');
call log_changes('revocations');
call log_changes('licence_events');
call log_changes('renewals');
call log_changes('tamper_reports');
call log_changes('plans');
call log_changes('device_plans');
call log_changes('exports', '{last_used}');
call log_changes('imports');
call log_changes('import_pieces');
call log_changes('erasures');
call log_changes('holds');
call log_changes('uses');
call log_changes('cold_objects');
call log_changes('audit_segments');
call log_changes('learners');  -- last: with those that the rows before have named

-- What the neighbours sent has no table: it goes into the log as it came, the learner apart. Of a learner who is not known,
-- since an erasure came first, nothing is said.
create function log_event(of_tenant text, event_id text, event jsonb) returns void language sql as $$
    insert into change_log (tenant, name, key, value)
    select of_tenant, 'received', jsonb_build_object('tenant', of_tenant, 'event_id', event_id),
           case when event #>> '{data,learner_id}' is null or exists (
                    select 1 from learners l where l.tenant = of_tenant and l.learner_id = event #>> '{data,learner_id}')
                then without_learner(of_tenant, event) else event #- '{data,learner_id}' end
$$;

-- What a restore is at: the rows as the log tells them, before they go to their tables. Neither survives a crash of the
-- server, so they never say that something was read whose rows are gone.
create unlogged table restore_rows (
    tenant text not null,
    name   text not null,
    key    jsonb not null,
    epoch  integer not null,
    n      bigint not null,
    value  jsonb,
    primary key (tenant, name, key)
);
call secure_tenant_table('restore_rows');
create unlogged table restore_segments (
    epoch    integer not null,
    sequence bigint not null,
    changes  bigint not null,
    primary key (epoch, sequence)
);
-- Versions, seals and files whose blobs are missing, to be made again by however many processes help. A claim is a time.
create table restore_items (
    tenant        text not null,
    kind          text not null check (kind in ('version', 'seal', 'export', 'import')),
    subject       text not null,
    state         text not null default 'waiting' check (state in ('waiting', 'copied', 'same', 'anew', 'lost')),
    claimed_until timestamptz,
    missing       integer not null default 1,
    bytes         bigint not null default 0,
    reason        text not null default '',
    primary key (tenant, kind, subject)
);
call secure_tenant_table('restore_items');
create index restore_items_waiting on restore_items (tenant, kind, subject) where state = 'waiting';
-- How far a restore is: what it restores from, and for each step (of a tenant, or of all) what was done.
create table restore_progress (
    source   text not null,
    step     text not null,
    subject  text not null default '',
    done     bigint not null default 0,
    total    bigint,
    result   jsonb,
    begun_at timestamptz not null default now(),
    ended_at timestamptz,
    primary key (source, step, subject)
);
alter table restore_segments enable row level security;
alter table restore_segments force row level security;
alter table restore_progress enable row level security;
alter table restore_progress force row level security;
create policy restores on restore_segments to content_worker using (true) with check (true);
create policy restores on restore_progress to content_worker using (true) with check (true);
create policy readers on restore_progress for select to content_api, content_relay, content_ops using (true);
grant select, insert, update, delete on restore_segments, restore_progress to content_worker;
grant select on restore_progress to content_api, content_relay, content_ops;
