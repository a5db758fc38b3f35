-- Which of two releases of the API side by side accepted a job, so that failed jobs can be laid at the right door
-- (docs/release.md): empty for what no request asked for, and where there is only one release.
alter table jobs add column asked_by text not null default '' check (asked_by in ('', 'stable', 'canary'));
