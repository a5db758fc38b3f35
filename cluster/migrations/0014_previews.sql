-- Previews: drafts that nobody has published, to be looked at for a while by who has the link.

-- `preview_id` is derived from the draft's revision and the player, so asking twice is one row. `job_id` is the job that makes it
-- now: whoever asks again after it failed, was stopped or ended gets another one, and what an older job brings then is not taken.
create table previews (
    tenant           text not null,
    preview_id       text not null,
    draft_id         text not null,
    revision         integer not null,
    exporter_version integer not null,
    player_version   text not null,
    state            text not null default 'planned' check (state in ('planned', 'ready', 'failed')),
    job_id           text not null,
    folder           text,         -- below which its files lie: of the attempt that made them
    draft_digest     text,
    report           jsonb,
    problem          jsonb,
    created_at       timestamptz not null default now(),
    ended_at         timestamptz,  -- when it was made, or had failed for good
    expires_at       timestamptz,
    primary key (tenant, preview_id),
    check ((state = 'planned') = (ended_at is null)),
    check ((state = 'ready') = (expires_at is not null)),
    check (state <> 'ready' or (folder is not null and draft_digest is not null and report is not null))
);
call secure_tenant_table('previews');

-- Garbage collection asks over all tenants which files have a row, and whose time is over.
create policy counts on previews for select to content_ops using (true);
grant select (tenant, preview_id, state, folder, ended_at, expires_at) on previews to content_ops;

insert into queues (name) values ('preview');
