-- Jobs that can be followed, cancelled and tried again; queues that can be paused; webhooks and their delivery log.

alter table jobs drop constraint jobs_state_check;
alter table jobs add constraint jobs_state_check
    check (state in ('queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'));
alter table jobs add column revision bigint not null default 1;
alter table jobs add column stages jsonb not null default '[]';
drop index jobs_by_time;
create index jobs_by_time on jobs (tenant, created_at desc, job_id desc);
create index jobs_by_state on jobs (tenant, state, created_at desc, job_id desc);
create index jobs_by_kind on jobs (tenant, kind, created_at desc, job_id desc);
-- A column, not an expression: `->>` is not leakproof, so behind row-level security no index on it would ever be used.
alter table jobs add column package_id text generated always as (subject ->> 'package_id') stored;
create index jobs_by_package on jobs (tenant, package_id, created_at desc, job_id desc);

-- Every visible change of a job gets the next number (what Last-Event-ID resumes from) and wakes who follows it; a
-- change of state that `tasks.jobs.TRANSITIONS` does not know is refused. The payload names the job without telling
-- who listens anything about tenants.
create function job_changes() returns trigger language plpgsql as $$
begin
    if new.state <> old.state and not (old.state, new.state) in (
        ('queued', 'running'), ('queued', 'succeeded'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('running', 'queued'), ('running', 'succeeded'), ('running', 'failed'), ('running', 'cancelling'),
        ('cancelling', 'cancelled'), ('failed', 'queued'), ('cancelled', 'queued'))
    then
        raise exception 'a job does not go from % to %', old.state, new.state using errcode = 'check_violation';
    end if;
    if (new.state, new.attempt, new.progress, new.message, new.stages, new.result, new.problem) is distinct from
       (old.state, old.attempt, old.progress, old.message, old.stages, old.result, old.problem)
    then
        new.revision := old.revision + 1;
        perform pg_notify('content_jobs', encode(sha256(convert_to(new.tenant || '/' || new.job_id, 'UTF8')), 'hex'));
    end if;
    return new;
end $$;
create trigger job_changes before update on jobs for each row execute function job_changes();

-- When a bundle was last asked for: `created_at` stays when one that failed is planned anew.
alter table bundles add column planned_at timestamptz not null default now();

-- The work queues of the service, not of a tenant: the one table without a tenant column, since it holds none of theirs.
create table queues (
    name      text primary key,
    paused_at timestamptz,
    paused_by text
);
insert into queues (name) values ('build'), ('bundle'), ('webhook');
grant select, update (paused_at, paused_by) on queues to content_api;
grant select on queues to content_worker, content_ops;

-- Where a tenant wants to be told. Secrets are wrapped by the key service, with the tenant as context.
create table webhooks (
    tenant          text not null references tenants,
    webhook_id      text not null,
    url             text not null,
    types           text[] not null check (cardinality(types) > 0),
    description     text not null default '',
    state           text not null default 'active' check (state in ('active', 'paused', 'disabled')),
    reason          text not null default '',
    secret          text not null,
    previous_secret text,
    previous_until  timestamptz,
    failing_since   timestamptz,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    primary key (tenant, webhook_id)
);
call secure_tenant_table('webhooks');
create index webhooks_by_time on webhooks (tenant, created_at desc, webhook_id desc);

-- One row for each event that a webhook is owed, written in the transaction of the event. A claim is `next_attempt_at`
-- moved behind the attempt's longest end: what a killed process held falls due again by itself.
create table webhook_deliveries (
    tenant          text not null,
    webhook_id      text not null,
    event_id        text not null,
    type            text not null,
    event_at        timestamptz not null default now(),
    data            jsonb not null,
    state           text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts        integer not null default 0,
    failures        integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    log             jsonb not null default '[]',
    created_at      timestamptz not null default now(),
    ended_at        timestamptz,
    primary key (tenant, webhook_id, event_id),
    foreign key (tenant, webhook_id) references webhooks on delete cascade
);
call secure_tenant_table('webhook_deliveries');
create index webhook_deliveries_due on webhook_deliveries (next_attempt_at) where state = 'pending';
create index webhook_deliveries_by_time on webhook_deliveries (tenant, webhook_id, created_at desc, event_id desc);
create index webhook_deliveries_by_state
    on webhook_deliveries (tenant, webhook_id, state, created_at desc, event_id desc);
create index webhook_deliveries_ended on webhook_deliveries (tenant, ended_at) where ended_at is not null;
create policy counts on webhook_deliveries for select to content_ops using (true);
grant select (tenant, webhook_id, state, next_attempt_at, created_at) on webhook_deliveries to content_ops;
grant select (created_at) on jobs to content_ops;
