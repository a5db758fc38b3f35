-- Bundles that are made anew, and a login that may look at how much there is of them.

-- A version may be encrypted for a scope more than once: `making` names the job that asked for it anew. Bundles go over from
-- the seal before to the new one, one by one, with their new licences; what none names any more is removed.
alter table seals add column making text not null default '';
alter table seals drop constraint seals_tenant_package_id_profile_scope_version_key;
alter table seals add unique (tenant, package_id, profile, scope, version, making);

-- Where a job that walks through rows by their key goes on.
alter table jobs add column position jsonb;
create index bundles_made on bundles (tenant, package_id, version, profile, policy, bundle_id) where state = 'ready';

insert into queues (name) values ('rebundle');

-- Analysts read: which bundles, seals and parts there are and how large they are, of the one tenant that their transaction
-- names. No licence, no key, nothing of learners but ids, and no way to write.
do $$
declare name text;
begin
    foreach name in array array['bundles', 'seals', 'seal_parts', 'parts', 'scope_epochs', 'licences', 'package_versions']
    loop execute format('create policy analysts on %I for select to content_analyst
                         using (tenant = current_setting(''app.tenant'', true))', name); end loop;
end $$;
grant select (tenant, bundle_id, device_id, package_id, version, profile, policy, state, lane, total_bytes, created_at,
              ready_at, seal_id) on bundles to content_analyst;
grant select (tenant, seal_id, package_id, version, profile, scope, epoch, state, index_path, index_size, index_digest,
              total_bytes, new_bytes, created_at, ready_at, making) on seals to content_analyst;
grant select on seal_parts to content_analyst;
grant select (tenant, path, size_bytes, digest) on parts to content_analyst;
grant select (tenant, package_id, scope, epoch, begun_at) on scope_epochs to content_analyst;
grant select (tenant, bundle_id, issue, not_after, issued_at) on licences to content_analyst;
grant select (tenant, package_id, version, state, total_bytes, published_at) on package_versions to content_analyst;
