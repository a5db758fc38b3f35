-- Imports: packages that other tools made, uploaded into quarantine, read in a sandbox, and published as versions.

-- What a course's package is made from, for good: drafts of the authoring service, or imported packages. A version of the
-- other origin finds no row that its foreign key could name.
alter table packages add column kind text not null default 'course' check (kind in ('course', 'scorm'));
alter table packages add unique (tenant, package_id, kind);

-- `state`: the file is being uploaded; its job waits or works (`importing`); a version came of it (`accepted`); it was in
-- order, but one that was handed in later had been published meanwhile (`superseded`); the package was not taken and the
-- report says why (`refused`); we failed, were told to stop, or nobody ended the upload (`failed`).
-- `cuts` counts how often the importer broke off while it read this file.
create table imports (
    tenant       text not null references tenants,
    import_id    text not null,
    file_name    text not null,
    size_bytes   bigint not null check (size_bytes > 0),
    piece_bytes  bigint not null check (piece_bytes > 0),
    digest       text,             -- as the uploader says it; once the file was read, as it is
    course_id    text,             -- as asked for; once the file was read, as it is
    state        text not null default 'uploading'
                 check (state in ('uploading', 'importing', 'accepted', 'superseded', 'refused', 'failed')),
    upload_id    text not null,    -- of the multipart upload in the object store
    job_id       text,
    cuts         integer not null default 0,
    package_id   text,
    version      integer,
    edition      text,
    title        text,
    report       jsonb,
    problem      jsonb,
    created_at   timestamptz not null default now(),
    completed_at timestamptz,      -- when the upload was ended; who came later counts as newer
    ended_at     timestamptz,
    removed_at   timestamptz,      -- since when the uploaded file is gone
    primary key (tenant, import_id),
    check ((state = 'uploading') <= (completed_at is null and job_id is null)),
    check ((state = 'importing') <= (completed_at is not null and job_id is not null)),
    check ((state in ('uploading', 'importing')) = (ended_at is null)),
    check ((state = 'accepted') = (version is not null and package_id is not null)),
    check ((state in ('accepted', 'superseded', 'refused')) <= (report is not null))
);
call secure_tenant_table('imports');
create index imports_by_time on imports (tenant, created_at desc, import_id desc);
create index imports_by_state on imports (tenant, state, created_at desc, import_id desc);
create index imports_by_course on imports (tenant, course_id, created_at desc, import_id desc);
create index imports_kept on imports (created_at) where removed_at is null;

-- The pieces of an upload for which somebody asked: what the store was told to check each against.
create table import_pieces (
    tenant    text not null,
    import_id text not null,
    number    integer not null check (number between 1 and 10000),
    digest    text not null,
    primary key (tenant, import_id, number),
    foreign key (tenant, import_id) references imports on delete cascade
);
call secure_tenant_table('import_pieces');

-- A version comes from a draft or from an import, and of either kind all of its origin is told.
alter table package_versions
    alter column draft_id drop not null,
    alter column revision drop not null,
    alter column drafted_at drop not null,
    add column import_id text,
    add column kind text not null generated always as (case when import_id is null then 'course' else 'scorm' end) stored,
    add check (num_nonnulls(draft_id, revision, drafted_at) = case when import_id is null then 3 else 0 end),
    add unique (tenant, import_id),
    add foreign key (tenant, import_id) references imports,
    add foreign key (tenant, package_id, kind) references packages (tenant, package_id, kind);

-- Garbage collection asks over all tenants which uploads have a row, and whose time is over.
create policy counts on imports for select to content_ops using (true);
grant select (tenant, import_id, state, upload_id, created_at, removed_at) on imports to content_ops;

insert into queues (name) values ('import');
