-- The first schema: tenants and their keys, packages, devices, bundles, jobs, and the two ends of the event flow.
--
-- Every table below has a tenant column that is part of every unique key, and row-level security that is enabled and
-- forced: a role sees the one tenant named by `app.tenant` in its transaction, and none when it is unset (an unset
-- variable reads as the empty string, and no tenant has an empty name). The service's roles own nothing.

create table tenants (
    tenant      text primary key check (tenant ~ '^[a-z0-9][a-z0-9-]{1,38}$'),
    region      text not null check (region in ('us', 'eu', 'me', 'ap')),
    policy      text not null default 'device' check (policy in ('device', 'shared')),
    settings    jsonb not null default '{}',
    limits      jsonb not null default '{}',
    created_at  timestamptz not null default now()
);

-- Public halves and names of the keys in the key service; the private halves never leave it.
create table signing_keys (
    tenant      text not null references tenants,
    kid         text not null,
    purpose     text not null check (purpose in ('signing', 'root')),
    key_name    text not null,
    jwk         jsonb not null,
    status      text not null default 'active' check (status in ('active', 'retired', 'revoked')),
    not_before  timestamptz not null,
    not_after   timestamptz not null,
    primary key (tenant, kid),
    unique (tenant, key_name)
);

create table trust_lists (
    tenant      text not null references tenants,
    version     integer not null,
    document    jsonb not null,
    expires     timestamptz not null,
    primary key (tenant, version)
);

create table revocation_lists (
    tenant        text not null references tenants,
    trust_version integer not null,
    n             integer not null,
    document      text not null,
    signature     jsonb not null,
    expires       timestamptz not null,
    primary key (tenant, trust_version, n)
);

create table packages (
    tenant      text not null references tenants,
    package_id  text not null,
    course_id   text not null,
    created_at  timestamptz not null default now(),
    primary key (tenant, package_id),
    unique (tenant, course_id)
);

create table package_versions (
    tenant          text not null,
    package_id      text not null,
    version         integer not null check (version > 0),
    draft_id        text not null,
    revision        integer not null,
    drafted_at      timestamptz not null,
    state           text not null default 'planned'
                    check (state in ('planned', 'published', 'failed', 'superseded')),
    title           jsonb,
    languages       text[],
    manifest_digest text,
    manifest_bytes  bigint,
    total_bytes     bigint,
    signature       jsonb,
    report          jsonb,
    created_at      timestamptz not null default now(),
    published_at    timestamptz,
    primary key (tenant, package_id, version),
    unique (tenant, package_id, draft_id, revision),
    foreign key (tenant, package_id) references packages
);

-- Blobs below assets/{tenant}/, named by their content.
create table assets (
    tenant      text not null references tenants,
    digest      text not null,
    media_type  text not null,
    size_bytes  bigint not null,
    created_at  timestamptz not null default now(),
    primary key (tenant, digest)
);

-- What a recipe made of a source: the cache that makes a rebuild cost one asset.
create table renditions (
    tenant        text not null,
    source_digest text not null,
    recipe_digest text not null,
    asset_digest  text not null,
    facts         jsonb not null,
    created_at    timestamptz not null default now(),
    primary key (tenant, source_digest, recipe_digest),
    foreign key (tenant, asset_digest) references assets
);

-- What was read from an original, so that a rebuild need not fetch it again.
create table probes (
    tenant        text not null references tenants,
    source_digest text not null,
    kind          text not null,
    facts         jsonb not null,
    primary key (tenant, source_digest, kind)
);

create table version_assets (
    tenant      text not null,
    package_id  text not null,
    version     integer not null,
    digest      text not null,
    primary key (tenant, package_id, version, digest),
    foreign key (tenant, package_id, version) references package_versions,
    foreign key (tenant, digest) references assets
);

create table enrolments (
    tenant        text not null references tenants,
    enrollment_id text not null,
    learner_id    text not null,
    course_id     text not null,
    starts_at     timestamptz,
    ends_at       timestamptz,
    state         text not null default 'active' check (state in ('active', 'cancelled')),
    created_at    timestamptz not null default now(),
    primary key (tenant, enrollment_id)
);
create index enrolments_by_learner on enrolments (tenant, learner_id) where state = 'active';
create index enrolments_by_course on enrolments (tenant, course_id) where state = 'active';

create table devices (
    tenant         text not null references tenants,
    device_id      text not null,
    learner_id     text not null,
    profile        text not null,
    signing_jwk    jsonb not null,
    encryption_jwk jsonb not null,
    state          text not null default 'active' check (state in ('active', 'revoked')),
    registered_at  timestamptz not null default now(),
    primary key (tenant, device_id)
);
create index devices_by_learner on devices (tenant, learner_id) where state = 'active';

-- One challenge, used once and soon too old; its secret opens nothing else.
create table device_challenges (
    tenant        text not null references tenants,
    nonce         text not null,
    learner_id    text not null,
    thumbprint    text not null,
    secret        text not null,
    expires_at    timestamptz not null,
    primary key (tenant, nonce)
);

-- Proofs that were used, until they would be refused for their age anyway.
create table device_proofs (
    tenant      text not null references tenants,
    device_id   text not null,
    jti         text not null,
    expires_at  timestamptz not null,
    primary key (tenant, device_id, jti)
);
create index device_proofs_by_age on device_proofs (expires_at);

create table content_keys (
    tenant      text not null,
    package_id  text not null,
    scope       text not null,
    epoch       integer not null,
    kid         text not null,
    wrapped     text not null,
    created_at  timestamptz not null default now(),
    primary key (tenant, package_id, scope, epoch),
    unique (tenant, kid),
    foreign key (tenant, package_id) references packages
);

-- Planned as rows, drained in batches. `ready` needs a licence row; `superseded` was overtaken by a newer version.
create table bundles (
    tenant        text not null,
    bundle_id     text not null,
    enrollment_id text not null,
    learner_id    text not null,
    device_id     text not null,
    package_id    text not null,
    version       integer not null,
    profile       text not null,
    policy        text not null default 'device',
    lane          text not null default 'interactive' check (lane in ('interactive', 'bulk')),
    state         text not null default 'planned'
                  check (state in ('planned', 'claimed', 'ready', 'superseded', 'failed', 'cancelled')),
    claimed_by    text,
    claimed_until timestamptz,
    attempts      integer not null default 0,
    attempt       text,
    index_path    text,
    index_size    bigint,
    index_digest  text,
    total_bytes   bigint,
    problem       jsonb,
    created_at    timestamptz not null default now(),
    ready_at      timestamptz,
    primary key (tenant, bundle_id),
    unique (tenant, enrollment_id, device_id, package_id, version, profile),
    foreign key (tenant, package_id, version) references package_versions,
    foreign key (tenant, device_id) references devices,
    foreign key (tenant, enrollment_id) references enrolments,
    check (state <> 'ready' or index_path is not null)
);
create index bundles_waiting on bundles (tenant, package_id, version, profile, lane, created_at)
    where state in ('planned', 'claimed');
create index bundles_by_device on bundles (tenant, device_id, created_at desc, bundle_id);
create index bundles_by_time on bundles (tenant, created_at desc, bundle_id);

create table licences (
    tenant      text not null,
    bundle_id   text not null,
    issue       integer not null check (issue > 0),
    document    text not null,
    signature   jsonb not null,
    not_after   timestamptz not null,
    issued_at   timestamptz not null,
    primary key (tenant, bundle_id, issue),
    foreign key (tenant, bundle_id) references bundles
);

create table parts (
    tenant      text not null,
    path        text not null,
    bundle_id   text not null,
    size_bytes  bigint not null,
    digest      text not null,
    primary key (tenant, path),
    foreign key (tenant, bundle_id) references bundles
);
create index parts_by_bundle on parts (tenant, bundle_id);

-- The highest sequence handed out and the highest committed, per device and package: what stops a rollback.
create table device_sequences (
    tenant            text not null,
    device_id         text not null,
    package_id        text not null,
    epoch             integer not null default 1,
    allocated_version integer not null default 0,
    allocated_n       integer not null default 0,
    committed_version integer not null default 0,
    committed_n       integer not null default 0,
    primary key (tenant, device_id, package_id),
    foreign key (tenant, device_id) references devices
);

-- What the API shows of long work; the queue's own rows come and go.
create table jobs (
    tenant      text not null references tenants,
    job_id      text not null,
    kind        text not null,
    subject     jsonb not null,
    state       text not null default 'queued'
                check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    attempt     integer not null default 0,
    starts      integer not null default 0,
    progress    real not null default 0 check (progress between 0 and 1),
    message     text not null default '',
    result      jsonb,
    problem     jsonb,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    primary key (tenant, job_id)
);
create index jobs_by_time on jobs (tenant, created_at desc, job_id);

-- Plain and unpartitioned: a unique key over time slices would forget what it has seen.
create table inbox (
    tenant      text not null,
    event_id    text not null,
    type        text not null,
    received_at timestamptz not null default now(),
    primary key (tenant, event_id)
);

-- The row of a key is locked while an event of that key is numbered, so numbers commit in order.
create table outbox_keys (
    tenant   text not null,
    key      text not null,
    sequence bigint not null,
    primary key (tenant, key)
);

create table outbox (
    tenant       text not null,
    id           uuid not null,
    position     bigint generated always as identity,
    partition    integer not null,
    key          text not null,
    sequence     bigint not null,
    type         text not null,
    data         jsonb not null,
    traceparent  text,
    created_at   timestamptz not null default now(),
    published_at timestamptz,
    primary key (tenant, id),
    unique (tenant, key, sequence)
);
create index outbox_waiting on outbox (partition, position) where published_at is null;

-- Append only; each row names the hash of the one before it.
create table audit_log (
    tenant   text not null references tenants,
    n        bigint not null,
    at       timestamptz not null default now(),
    actor    text not null,
    action   text not null,
    details  jsonb not null default '{}',
    previous text not null,
    hash     text not null,
    primary key (tenant, n)
);

-- Row-level security, the same for every table.
do $$
declare name text;
begin
    for name in select relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
                where nspname = 'public' and relkind = 'r' and relname !~ '^(pgqueuer|migrations)'
    loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy one_tenant on %I to content_api, content_worker
                        using (tenant = current_setting(''app.tenant'', true))
                        with check (tenant = current_setting(''app.tenant'', true))', name);
        execute format('grant select, insert, update, delete on %I to content_api, content_worker', name);
    end loop;
end $$;
revoke update, delete on audit_log, inbox, trust_lists, revocation_lists from content_api, content_worker;

-- The relay carries every tenant's events, and sees nothing else.
create policy all_tenants on outbox to content_relay using (true) with check (true);
grant select, update (published_at) on outbox to content_relay;

-- Operations count: they read the few columns that depth, retention and garbage collection need, of all tenants.
do $$
declare name text;
begin
    foreach name in array array['bundles', 'parts', 'assets', 'package_versions', 'outbox', 'tenants', 'jobs']
    loop execute format('create policy counts on %I for select to content_ops using (true)', name); end loop;
end $$;
grant select (tenant, bundle_id, state, lane, policy, package_id, version, profile, created_at, claimed_until,
              index_path, attempt) on bundles to content_ops;
grant select (tenant, path, bundle_id) on parts to content_ops;
grant select (tenant, digest, created_at) on assets to content_ops;
grant select (tenant, package_id, version, state, manifest_digest) on package_versions to content_ops;
grant select (tenant, position, published_at, created_at, partition) on outbox to content_ops;
grant select (tenant, region) on tenants to content_ops;
grant select (tenant, job_id, kind, state) on jobs to content_ops;

-- A tenant is made by the operator's API call under that tenant's own name.
grant usage on all sequences in schema public to content_api, content_worker;
