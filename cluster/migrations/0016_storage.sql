-- What is kept, for how long and under whose name: pseudonyms of persons, erasures, legal holds, what was used when, what lies
-- in cold storage, the archive of the audit log, and tenants that are gone (docs/adr/0040).

-- Who is behind a pseudonym. Rows may name a learner; whatever cannot be changed later (the event log's segments, the audit
-- log, blobs, what goes to other regions) names the pseudonym alone, and to erase a person is to delete the row here and to put
-- the pseudonym in place of the name wherever it stands. People who only act (audit entries) have a row, too.
create table learners (
    tenant     text not null references tenants,
    pseudonym  text not null check (pseudonym ~ '^lrn_[0-9a-f]{32}$'),
    learner_id text not null check (learner_id <> ''),
    created_at timestamptz not null default now(),
    primary key (tenant, pseudonym),
    unique (tenant, learner_id)
);
call secure_tenant_table('learners');

-- The pseudonym of a person, made the first time that somebody asks. What is a pseudonym already, or nobody, stays as it is.
create function pseudonym_of(of_tenant text, person text) returns text language plpgsql as $$
declare found text;
begin
    if person is null or person = '' or person ~ '^lrn_[0-9a-f]{32}$' then
        return person;
    end if;
    select l.pseudonym into found from learners l where l.tenant = of_tenant and l.learner_id = person;
    if found is null then
        insert into learners (tenant, pseudonym, learner_id)
        values (of_tenant, 'lrn_' || replace(gen_random_uuid()::text, '-', ''), person)
        on conflict (tenant, learner_id) do nothing returning learners.pseudonym into found;
    end if;
    if found is null then  -- another transaction was first
        select l.pseudonym into found from learners l where l.tenant = of_tenant and l.learner_id = person;
    end if;
    return found;
end $$;

-- A row or an event as it may be kept for good: `learner_id`, at the top or in `data`, is the pseudonym.
create function without_learner(of_tenant text, document jsonb) returns jsonb language sql volatile as $$
    select case when jsonb_typeof(inner_done -> 'learner_id') = 'string'
                then jsonb_set(inner_done, '{learner_id}', to_jsonb(pseudonym_of(of_tenant, inner_done ->> 'learner_id')))
                else inner_done end
    from (select case when jsonb_typeof(document #> '{data,learner_id}') = 'string'
                      then jsonb_set(document, '{data,learner_id}',
                                     to_jsonb(pseudonym_of(of_tenant, document #>> '{data,learner_id}')))
                      else document end as inner_done) as d
$$;

-- Whoever is enrolled or registers a device has a pseudonym from then on; bundles are of those two.
create function name_learner() returns trigger language plpgsql as $$
begin
    perform pseudonym_of(new.tenant, new.learner_id);
    return new;
end $$;
create trigger name_learner before insert on enrolments for each row execute function name_learner();
create trigger name_learner before insert on devices for each row execute function name_learner();

alter table enrolments no force row level security;
alter table devices no force row level security;
alter table learners no force row level security;
insert into learners (tenant, pseudonym, learner_id)
select tenant, 'lrn_' || replace(gen_random_uuid()::text, '-', ''), learner_id
from (select tenant, learner_id from enrolments union select tenant, learner_id from devices) as known
where learner_id <> '';
alter table enrolments force row level security;
alter table devices force row level security;
alter table learners force row level security;

-- Where an erased person's name was, so that what was sent before the erasure and arrives after it is known: a digest under
-- the tenant's salt. Both are forgotten with the row, when nothing from before can arrive any more.
create table erasure_salts (
    tenant text primary key references tenants,
    salt   text not null default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')
);
call secure_tenant_table('erasure_salts');

-- `erasing`: the name is gone from all rows, and what was made for the person is being removed; `held`: what is left of it
-- stays without a name until a hold is released.
create table erasures (
    tenant       text not null references tenants,
    erasure_id   text not null,
    pseudonym    text not null,
    digest       text,              -- null once nothing from before the erasure can arrive any more
    state        text not null default 'erasing' check (state in ('erasing', 'held', 'done')),
    job_id       text not null,
    counts       jsonb not null default '{}',
    requested_at timestamptz not null default now(),
    done_at      timestamptz,
    primary key (tenant, erasure_id),
    unique (tenant, pseudonym),
    check ((state = 'done') = (done_at is not null))
);
call secure_tenant_table('erasures');
create index erasures_by_time on erasures (tenant, requested_at desc, erasure_id desc);
create index erasures_by_state on erasures (tenant, state, requested_at desc, erasure_id desc);
create index erasures_by_digest on erasures (tenant, digest);
create policy counts on erasures for select to content_ops using (true);
grant select (tenant, erasure_id, state, requested_at) on erasures to content_ops;

-- A device of an erased person, while something held still names it: an opaque id and nothing else.
alter table devices add column erased_at timestamptz;

-- Legal holds: of a whole tenant, or of one package. While one is on, nothing it covers is deleted, whoever asks.
create table holds (
    tenant         text not null references tenants,
    hold_id        text not null,
    package_id     text,            -- null: the whole tenant
    reason         text not null,
    by_operator    boolean not null,
    job_id         text not null,   -- that sets or takes away the object store's own lock
    placed_at      timestamptz not null default now(),
    released_at    timestamptz,
    release_reason text,
    primary key (tenant, hold_id),
    foreign key (tenant, package_id) references packages,
    check ((released_at is null) = (release_reason is null))
);
call secure_tenant_table('holds');
create index holds_by_time on holds (tenant, placed_at desc, hold_id desc);
create index holds_by_package on holds (tenant, package_id, placed_at desc, hold_id desc);
create index holds_active on holds (tenant, package_id) where released_at is null;
create policy counts on holds for select to content_ops using (true);
grant select (tenant, package_id, released_at) on holds to content_ops;

-- Whether a package may not be deleted now; without a package, whether anything of the tenant may not.
create function held(of_tenant text, package text default null) returns boolean language sql stable as $$
    select exists (select 1 from holds h where h.tenant = of_tenant and h.released_at is null
                   and (package is null or h.package_id is null or h.package_id = package))
$$;

-- When something was last used, as far as it matters for where its bytes lie. Written at most once a day for each.
create table uses (
    tenant    text not null references tenants,
    kind      text not null check (kind in ('version', 'seal', 'export')),
    subject   text not null,
    last_used timestamptz not null,
    primary key (tenant, kind, subject)
);
call secure_tenant_table('uses');

-- Blobs that are not hot: a key without a row is. `cooling` is on its way there, `thawing` on its way back.
create table cold_objects (
    tenant        text not null references tenants,
    key           text not null,
    size_bytes    bigint not null,
    state         text not null default 'cooling' check (state in ('cooling', 'cold', 'thawing')),
    storage_class text not null,
    job_id        text,             -- that brings it back
    since         timestamptz not null default now(),
    primary key (tenant, key),
    check ((state = 'thawing') <= (job_id is not null))
);
call secure_tenant_table('cold_objects');
create index cold_objects_by_state on cold_objects (tenant, state, key);
create policy counts on cold_objects for select to content_ops using (true);
grant select (tenant, key, size_bytes, state, storage_class) on cold_objects to content_ops;

-- The audit log as it was copied to the archive, stretch by stretch.
create table audit_segments (
    tenant          text not null references tenants,
    first           bigint not null,
    last            bigint not null check (last >= first),
    key             text not null,
    digest          text not null,
    previous_digest text not null,
    archived_at     timestamptz not null default now(),
    primary key (tenant, first)
);
call secure_tenant_table('audit_segments');
revoke update, delete on audit_segments from content_api, content_worker;

-- A tenant that is being deleted serves nobody; of one that is gone its name stays, with its audit log and what it had signed.
alter table tenants add column closed_at timestamptz, add column deleted_at timestamptz;
alter table tenants add check (deleted_at is null or closed_at is not null);
grant select (closed_at, deleted_at) on tenants to content_ops;

-- What the clock calls: when it was called last, so that one of all replicas does it.
alter table queues add column called_at timestamptz;
grant update (called_at) on queues to content_worker;
insert into queues (name) values ('retention'), ('thaw'), ('hold'), ('erasure'), ('deletion');
