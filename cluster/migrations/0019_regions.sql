-- What other regions have told of their tenants (CONTENT_GLOBAL, docs/regions.md): where a tenant lives, what it took back, what
-- of its was found changed. Opaque ids alone; nothing here refers to a tenant of this region. Written by the relay pool, from a
-- stream that can be heard again: not part of the event log.

create table foreign_tenants (
    tenant   text primary key,
    region   text not null check (region in ('us', 'eu', 'me', 'ap')),
    heard_at timestamptz not null default now()
);
call secure_tenant_table('foreign_tenants');

create table foreign_revocations (
    tenant    text not null references foreign_tenants,
    kind      text not null check (kind in ('bundle', 'device', 'package', 'version', 'kid')),
    subject   text not null,
    issued_at timestamptz not null,
    heard_at  timestamptz not null default now(),
    primary key (tenant, kind, subject)
);
call secure_tenant_table('foreign_revocations');

create table foreign_reports (
    tenant      text not null references foreign_tenants,
    report_id   text not null,
    source      text not null check (source in ('device', 'scrub')),
    code        text not null,
    observed_at timestamptz not null,
    heard_at    timestamptz not null default now(),
    primary key (tenant, report_id)
);
call secure_tenant_table('foreign_reports');

revoke insert, update, delete on foreign_tenants, foreign_revocations, foreign_reports from content_api;
