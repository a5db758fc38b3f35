-- What is encrypted is a seal: index and parts of a version for a scope, which is a device or, under the policy `shared`, a
-- profile. Bundles name the seal that their licence opens; a seal of a later version goes on using parts of earlier ones.

create table seals (
    tenant        text not null,
    seal_id       text not null,
    package_id    text not null,
    version       integer not null,
    profile       text not null,
    scope         text not null,
    epoch         integer not null,
    state         text not null default 'claimed' check (state in ('claimed', 'ready')),
    attempt       text not null,
    claimed_until timestamptz,
    index_path    text,
    index_size    bigint,
    index_digest  text,
    kids          text[],
    total_bytes   bigint,
    new_bytes     bigint,
    created_at    timestamptz not null default now(),
    ready_at      timestamptz,
    primary key (tenant, seal_id),
    unique (tenant, package_id, profile, scope, version),
    foreign key (tenant, package_id, version) references package_versions,
    check (state <> 'ready' or (index_path is not null and index_size is not null and index_digest is not null
                                and kids is not null and total_bytes is not null and new_bytes is not null))
);
call secure_tenant_table('seals');

create table seal_parts (
    tenant  text not null,
    seal_id text not null,
    number  integer not null,
    path    text not null,
    primary key (tenant, seal_id, number),
    foreign key (tenant, seal_id) references seals,
    foreign key (tenant, path) references parts
);
create index seal_parts_by_path on seal_parts (tenant, path);
call secure_tenant_table('seal_parts');

-- The content key under which the next version is encrypted for a scope; without a row it is the first.
create table scope_epochs (
    tenant     text not null,
    package_id text not null,
    scope      text not null,
    epoch      integer not null,
    reason     text not null,
    begun_at   timestamptz not null default now(),
    primary key (tenant, package_id, scope),
    foreign key (tenant, package_id) references packages
);
call secure_tenant_table('scope_epochs');

alter table bundles add column seal_id text;

-- Bundles that are there each become a seal of their own. The owner sees rows only while security is not forced.
alter table bundles no force row level security;
alter table licences no force row level security;
alter table parts no force row level security;
alter table seals no force row level security;
alter table seal_parts no force row level security;
insert into seals (tenant, seal_id, package_id, version, profile, scope, epoch, state, attempt, index_path, index_size,
                   index_digest, kids, total_bytes, new_bytes, created_at, ready_at)
select tenant, bundle_id, package_id, version, profile,
       case row_number() over (partition by tenant, package_id, profile, device_id, version order by bundle_id)
       when 1 then device_id else device_id || '/' || bundle_id end,
       1, 'ready', attempt, index_path, index_size, index_digest,
       array(select jsonb_object_keys(l.document::jsonb -> 'keys') from licences l
             where l.tenant = b.tenant and l.bundle_id = b.bundle_id and l.issue = 1),
       total_bytes, total_bytes - index_size, created_at, ready_at
from bundles b where state = 'ready';
insert into seal_parts (tenant, seal_id, number, path)
select tenant, bundle_id, row_number() over (partition by tenant, bundle_id order by path) - 1, path from parts;
update bundles set seal_id = bundle_id where state = 'ready';
alter table parts drop column bundle_id;
alter table bundles drop column index_path, drop column index_size, drop column index_digest;
alter table bundles add foreign key (tenant, seal_id) references seals;
alter table bundles add check (state <> 'ready' or seal_id is not null);
create index bundles_by_seal on bundles (tenant, seal_id);
alter table bundles force row level security;
alter table licences force row level security;
alter table parts force row level security;
alter table seals force row level security;
alter table seal_parts force row level security;

create policy counts on seals for select to content_ops using (true);
grant select (tenant, index_path, state, attempt) on seals to content_ops;

-- Who decides how bundles are encrypted: package, else tenant, else the catalog's listing, else the service.
alter table tenants alter column policy drop not null;
alter table packages add column policy text check (policy in ('device', 'shared'));
alter table packages add column listed_policy text check (listed_policy in ('device', 'shared'));
