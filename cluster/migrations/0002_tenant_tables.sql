-- How a table of a tenant is secured, once for all migrations that follow: `call secure_tenant_table('name')` after
-- `create table`. The table must have a column `tenant`, which must be part of its every unique key.

create procedure secure_tenant_table(name text) language plpgsql as $$
begin
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy one_tenant on %I to content_api, content_worker
                    using (tenant = current_setting(''app.tenant'', true))
                    with check (tenant = current_setting(''app.tenant'', true))', name);
    execute format('grant select, insert, update, delete on %I to content_api, content_worker', name);
end $$;
revoke execute on procedure secure_tenant_table(text) from public;
