-- What a device is to get where the whole course has no room: the space it asked for, and for each version the plan that
-- follows. A plan that differs from the plain profile has a name of its own (`planned_profile`), which stands for the profile
-- in bundles, seals and licences.

create table plans (
    tenant          text not null,
    package_id      text not null,
    version         integer not null,
    profile         text not null,
    space_bytes     bigint not null check (space_bytes > 0),
    planned_profile text,                  -- null: not even the smallest bundle of this version fits
    choices         jsonb not null,
    bytes           bigint not null,       -- of the planned bundle, or of the smallest there is
    created_at      timestamptz not null default now(),
    primary key (tenant, package_id, version, profile, space_bytes),
    foreign key (tenant, package_id, version) references package_versions
);
create index plans_by_name on plans (tenant, package_id, version, planned_profile, space_bytes);
call secure_tenant_table('plans');

-- `space_bytes` is null once a device went back to the plain profile. `round` counts how often it has got something else
-- for the same version: each is another bundle with a later sequence, so that a device never takes an older one for newer.
create table device_plans (
    tenant      text not null,
    device_id   text not null,
    package_id  text not null,
    space_bytes bigint check (space_bytes > 0),
    round       integer not null default 0,
    asked_at    timestamptz not null default now(),
    primary key (tenant, device_id, package_id),
    foreign key (tenant, device_id) references devices,
    foreign key (tenant, package_id) references packages
);
create index device_plans_by_package on device_plans (tenant, package_id, space_bytes);
call secure_tenant_table('device_plans');

alter table bundles add column plan_round integer not null default 0;
do $$
declare name text;
begin
    select conname into strict name from pg_constraint where conrelid = 'bundles'::regclass and contype = 'u';
    execute format('alter table bundles drop constraint %I', name);
end $$;
alter table bundles add unique (tenant, enrollment_id, device_id, package_id, version, profile, plan_round);

-- What a device goes on using is looked for by scope alone.
create index seals_by_scope on seals (tenant, package_id, scope, version desc);
