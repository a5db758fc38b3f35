-- Keys that are rotated, what is taken back, licences that are issued again, and what was found changed.

-- Who signed what: a rotation signs anew what a revoked key had signed, and an old key is listed as long as it is needed.
alter table licences add column kid text;
alter table package_versions add column signed_by text;
alter table licences no force row level security;
alter table package_versions no force row level security;
create function pg_temp.kid_of(signature jsonb) returns text language sql immutable as $$
    select (convert_from(decode(rpad(h, (length(h) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb) ->> 'kid'
    from (select translate(split_part(signature ->> 'tree_head', '.', 1), '-_', '+/') as h) as head
$$;
update licences set kid = pg_temp.kid_of(signature);
update package_versions set signed_by = pg_temp.kid_of(signature) where signature is not null;
alter table licences force row level security;
alter table package_versions force row level security;
alter table licences alter column kid set not null;
create index licences_by_kid on licences (tenant, kid, bundle_id);

-- A key leaves the trust list when nothing needs it any more; its row stays.
alter table signing_keys add column dropped_at timestamptz;

-- What a tenant has taken back. A row is listed once the list that names it is signed; `until` is when no licence can need
-- the entry any more (none: for good).
create table revocations (
    tenant     text not null references tenants,
    kind       text not null check (kind in ('bundle', 'device', 'package', 'version', 'kid')),
    subject    text not null,
    cause      text not null check (cause in ('operator', 'enrolment', 'device', 'returned', 'emergency')),
    reason     text not null default '',
    revoked_at timestamptz not null default now(),
    until      timestamptz,
    listed     integer[],
    primary key (tenant, kind, subject)
);
call secure_tenant_table('revocations');
create index revocations_by_time on revocations (tenant, revoked_at desc, kind desc, subject desc);
create index revocations_by_kind on revocations (tenant, kind, revoked_at desc, subject desc);
create index revocations_unlisted on revocations (tenant) where listed is null;
create policy counts on revocations for select to content_ops using (true);
grant select (tenant, listed) on revocations to content_ops;
alter table packages add column revoked_at timestamptz;

-- The life of a licence: what its device did with it. The status (LCP's words) follows from these and the clock.
alter table bundles add column registered_at timestamptz, add column returned_at timestamptz;
create table licence_events (
    tenant    text not null,
    bundle_id text not null,
    n         integer not null,
    type      text not null check (type in ('register', 'renew', 'return', 'revoke', 'cancel')),
    at        timestamptz not null default now(),
    device_id text,
    primary key (tenant, bundle_id, n),
    foreign key (tenant, bundle_id) references bundles
);
call secure_tenant_table('licence_events');

-- Licences that are to be issued again with a later end; drained in batches with one signature.
create table renewals (
    tenant       text not null,
    bundle_id    text not null,
    not_after    timestamptz not null,
    requested_at timestamptz not null default now(),
    primary key (tenant, bundle_id),
    foreign key (tenant, bundle_id) references bundles
);
call secure_tenant_table('renewals');
create policy counts on renewals for select to content_ops using (true);
grant select (tenant, requested_at) on renewals to content_ops;

-- What devices and the service itself found changed.
create table tamper_reports (
    tenant      text not null references tenants,
    report_id   text not null,
    source      text not null check (source in ('device', 'scrub')),
    device_id   text,
    bundle_id   text,
    code        text not null,
    path        text,
    details     jsonb not null default '{}',
    jws         text,
    healed      boolean,
    observed_at timestamptz not null,
    received_at timestamptz not null default now(),
    primary key (tenant, report_id)
);
call secure_tenant_table('tamper_reports');
create index tamper_reports_by_time on tamper_reports (tenant, received_at desc, report_id desc);
create index tamper_reports_by_device on tamper_reports (tenant, device_id, received_at desc);

alter table parts add column scrubbed_at timestamptz;
create index parts_by_scrub on parts (tenant, scrubbed_at nulls first, path);
alter table seals add column scrubbed_at timestamptz;
create index seals_by_scrub on seals (tenant, scrubbed_at nulls first, seal_id) where state = 'ready';

insert into queues (name) values ('rotation'), ('licence');
