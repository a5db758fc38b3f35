-- What the relay knows of the stream it publishes to. A stream that was made anew, or that has lost its newest messages,
-- is recognised by it, and the outbox fills it again (docs/adr/0021). It is nobody's data: no tenant, one row a stream.

create table event_streams (
    name          text primary key,
    created       timestamptz not null,
    last_sequence bigint not null,
    refilled_at   timestamptz
);

alter table event_streams enable row level security;
alter table event_streams force row level security;
create policy relays on event_streams to content_relay using (true) with check (true);
grant select, insert, update on event_streams to content_relay;
