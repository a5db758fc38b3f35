-- What the resources of the API need: versions that are withdrawn, devices that are deactivated, tenants whose settings
-- change, and an index under every list and every filter, in the order in which the list is paged.

alter table package_versions drop constraint package_versions_state_check;
alter table package_versions add constraint package_versions_state_check
    check (state in ('planned', 'published', 'failed', 'superseded', 'withdrawn'));
alter table package_versions add column withdrawn_at timestamptz;
alter table package_versions add column withdrawn_reason text;
alter table package_versions add constraint package_versions_withdrawn_check
    check ((state = 'withdrawn') = (withdrawn_at is not null));

alter table devices add column revoked_at timestamptz;
alter table tenants add column updated_at timestamptz;

create index packages_by_time on packages (tenant, created_at desc, package_id desc);
create index package_versions_by_state on package_versions (tenant, package_id, state, version desc);

-- The two that were there sorted their ids the other way, so that each page had to be sorted.
drop index bundles_by_device;
drop index bundles_by_time;
create index bundles_by_time on bundles (tenant, created_at desc, bundle_id desc);
create index bundles_by_device on bundles (tenant, device_id, created_at desc, bundle_id desc);
create index bundles_by_state on bundles (tenant, state, created_at desc, bundle_id desc);
create index bundles_by_package on bundles (tenant, package_id, created_at desc, bundle_id desc);
create index bundles_by_learner on bundles (tenant, learner_id, created_at desc, bundle_id desc);
create index bundles_by_enrolment on bundles (tenant, enrollment_id, created_at desc, bundle_id desc);

create index devices_by_time on devices (tenant, registered_at desc, device_id desc);
create index devices_of_learner on devices (tenant, learner_id, registered_at desc, device_id desc);
create index devices_by_state on devices (tenant, state, registered_at desc, device_id desc);

create index enrolments_by_time on enrolments (tenant, created_at desc, enrollment_id desc);
create index enrolments_of_learner on enrolments (tenant, learner_id, created_at desc, enrollment_id desc);
create index enrolments_in_course on enrolments (tenant, course_id, created_at desc, enrollment_id desc);
create index enrolments_by_state on enrolments (tenant, state, created_at desc, enrollment_id desc);

-- Operators list the tenants of the region.
grant select (policy, created_at) on tenants to content_ops;
