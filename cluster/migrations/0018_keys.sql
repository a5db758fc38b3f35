-- What became of a key in the key service, and drills of the night of the stolen key.

-- Copied to every region; disabled everywhere; when it is gone for good.
alter table signing_keys
    add column replicated_at timestamptz,
    add column disabled_at   timestamptz,
    add column deletion_at   timestamptz;
create policy counts on signing_keys for select to content_ops using (true);
grant select (tenant, kid, purpose, status, not_before, not_after, dropped_at, replicated_at, disabled_at)
    on signing_keys to content_ops;

-- One row per drill; `record` is what the audit log is told at its end.
create table drills (
    tenant   text not null references tenants,
    kid      text not null,
    new_kid  text not null,
    cause    text not null check (cause in ('calendar', 'operator')),
    began_at timestamptz not null,
    ended_at timestamptz,
    passed   boolean,
    record   jsonb not null default '{}',
    primary key (tenant, kid),
    check ((ended_at is null) = (passed is null))
);
call secure_tenant_table('drills');
create policy counts on drills for select to content_ops using (true);
grant select (tenant, began_at, ended_at, passed) on drills to content_ops;
call log_changes('drills');
