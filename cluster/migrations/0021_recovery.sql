-- A restore leaves to the builders what it cannot make again itself, and tries nothing for ever (docs/recovery.md).
-- compatible: it lets more through than the one before
alter table restore_items drop constraint restore_items_state_check;
-- compatible: it lets more through than the one before
alter table restore_items add constraint restore_items_state_check
    check (state in ('waiting', 'copied', 'same', 'anew', 'lost', 'left'));
alter table restore_items add column tries integer not null default 0;

-- Whoever may add lines to the log of changes writes what a restore believes. So only what changes a row adds its line: the triggers
-- and `log_event` do so as the owner, and nobody else may (docs/event-log.md). A row that has come past the policies of its own table
-- is told of; who made it is not asked again.
alter function log_change() security definer;
alter function log_change() set search_path = public, pg_temp;
create policy triggers on change_log for insert to current_user with check (true);
-- They give a person a pseudonym who has none yet.
create policy triggers on learners to current_user using (true) with check (true);
-- Who could make a trigger of it would make one on a table of the same name as another's.
-- compatible: no version but the owner's migrations makes triggers
revoke execute on function log_change() from public;
-- Its callers name the tenant themselves: it is theirs, or nothing is written.
create or replace function log_event(of_tenant text, event_id text, event jsonb) returns void language sql
security definer set search_path = public, pg_temp as $$
    insert into change_log (tenant, name, key, value)
    select of_tenant, 'received', jsonb_build_object('tenant', of_tenant, 'event_id', event_id),
           case when event #>> '{data,learner_id}' is null or exists (
                    select 1 from learners l where l.tenant = of_tenant and l.learner_id = event #>> '{data,learner_id}')
                then without_learner(of_tenant, event) else event #- '{data,learner_id}' end
    where of_tenant = current_setting('app.tenant', true)
$$;
-- compatible: every version writes by the triggers alone
revoke insert on change_log from content_api, content_worker;
-- compatible: no version of the API has touched them
revoke all on restore_rows, restore_items from content_api;
