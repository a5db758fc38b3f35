-- A restore leaves to the builders what it cannot make again itself, and tries nothing for ever (docs/recovery.md).
-- compatible: it lets more through than the one before
alter table restore_items drop constraint restore_items_state_check;
-- compatible: it lets more through than the one before
alter table restore_items add constraint restore_items_state_check
    check (state in ('waiting', 'copied', 'same', 'anew', 'lost', 'left'));
alter table restore_items add column tries integer not null default 0;

-- Whoever may add lines to the log of changes writes what a restore believes. So only what changes a row adds its line: the triggers
-- and `log_event` do so as the owner, within the tenant of the transaction, and nobody else may (docs/security.md).
alter function log_change() security definer;
alter function log_change() set search_path = public, pg_temp;
alter function log_event(text, text, jsonb) security definer;
alter function log_event(text, text, jsonb) set search_path = public, pg_temp;
-- Who could make a trigger of it would make one on a table of the same name as another's.
-- compatible: no version but the owner's migrations makes triggers
revoke execute on function log_change() from public;
-- They give a person a pseudonym who has none yet.
create policy logged on learners to current_user
    using (tenant = current_setting('app.tenant', true)) with check (tenant = current_setting('app.tenant', true));
-- compatible: every version writes by the triggers alone
revoke insert on change_log from content_api, content_worker;
-- compatible: no version of the API has touched them
revoke all on restore_rows, restore_items from content_api;
