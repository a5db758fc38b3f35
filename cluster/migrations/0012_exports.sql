-- Exports of a version, to be played elsewhere: what was asked for, how far it is, and where the result lies.

-- `export_id` is derived from what the bytes follow from, so asking twice is one row. `job_id` is the job that makes it now:
-- whoever asks again after it failed or was stopped may get another one, and what an older job brings then is not taken.
create table exports (
    tenant           text not null,
    export_id        text not null,
    package_id       text not null,
    version          integer not null,
    format           text not null,
    options          jsonb not null,
    published        boolean not null default false,  -- whether its files are also served one by one, as a site
    exporter_version integer not null,
    player_version   text not null,
    state            text not null default 'planned' check (state in ('planned', 'ready', 'failed', 'withdrawn')),
    job_id           text not null,
    key              text,
    file_name        text,
    size_bytes       bigint,
    digest           text,
    passport         jsonb,
    problem          jsonb,
    created_at       timestamptz not null default now(),
    ready_at         timestamptz,
    withdrawn_at     timestamptz,
    last_used        timestamptz,
    primary key (tenant, export_id),
    foreign key (tenant, package_id, version) references package_versions,
    check (state <> 'ready' or (key is not null and file_name is not null and size_bytes is not null and digest is not null
                                and passport is not null and ready_at is not null)),
    check ((state = 'withdrawn') = (withdrawn_at is not null))
);
call secure_tenant_table('exports');
create index exports_by_time on exports (tenant, created_at desc, export_id desc);
create index exports_by_package on exports (tenant, package_id, created_at desc, export_id desc);
create index exports_by_state on exports (tenant, state, created_at desc, export_id desc);
create index exports_by_format on exports (tenant, format, created_at desc, export_id desc);
create index exports_of_version on exports (tenant, package_id, version);

-- Garbage collection asks over all tenants which blobs have a row.
create policy counts on exports for select to content_ops using (true);
grant select (tenant, export_id, package_id, version, state, key, published) on exports to content_ops;

insert into queues (name) values ('export');
