-- What the HTTP API remembers of requests: answers that were given under an Idempotency-Key, and each tenant's budget.

-- Written in the transaction of the change that the answer tells of: both are there or neither. No reference to tenants:
-- an operator's token may be of a tenant without a row.
create table idempotency_keys (
    tenant       text not null,
    subject      text not null,
    key          text not null check (length(key) between 1 and 255),
    request      text not null,
    body_digest  text not null,
    status       integer not null check (status between 200 and 299),
    headers      jsonb not null,
    body         text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    primary key (tenant, subject, key)
);
create index idempotency_keys_by_age on idempotency_keys (tenant, expires_at);
call secure_tenant_table('idempotency_keys');

-- Up to when a tenant's budget of requests is spent (content/rate.py). Lost rows mean a full budget, nothing worse.
create table rate_budgets (
    tenant      text primary key,
    spent_until timestamptz not null
);
call secure_tenant_table('rate_budgets');

-- Expired keys are removed tenant by tenant; who has some is counted over all.
create policy counts on idempotency_keys for select to content_ops using (true);
grant select (tenant, expires_at) on idempotency_keys to content_ops;

-- A preflight has no token, so the API must know the origins of all tenants, and nothing else of their settings.
alter table tenants add column cors_origins jsonb generated always as (settings -> 'cors_origins') stored;
grant select (cors_origins) on tenants to content_ops;
