-- A trace goes on where work waits in a row, and who serves may look which migrations have run.

alter table jobs add column traceparent text;
alter table bundles add column traceparent text;
grant select on migrations to content_api, content_worker, content_relay, content_ops;
