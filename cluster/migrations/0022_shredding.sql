-- What the event log has of a content key ends with the learner (docs/event-log.md): a segment cannot be erased, but what it holds
-- can be made noise. Each learner has a secret. It is kept where the name is, in this row and in the object beside the log, and
-- goes where the name goes. Of a key of a learner's device the log has only what was sealed under it.
alter table learners add column secret text;  -- without one, of a log from before: then nothing is sealed
alter table learners alter column secret set default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');

-- Whoever is here already gets one, and the archiver hears of it.
alter table learners no force row level security;
alter table change_log no force row level security;
update learners set secret = replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
-- compatible: as they were before this migration
alter table learners force row level security;
-- compatible: as they were before this migration
alter table change_log force row level security;

-- `wrapped`, sealed under the secret of the learner whose device it is for, behind that learner's pseudonym. Null: a shared key, or
-- one of before.
alter table content_keys add column sealed text;
