-- Texts that were made anew, so that none is made anew twice by the same word of an operator. A release before this one
-- writes texts without it: they were not made anew.
alter table generations add column regenerated_by uuid;
comment on column generations.regenerated_by is 'The job that makes the text anew, as a generation of its own.';
-- Those that had to do without something and were not made anew: what operators count, and take the oldest of.
create index generations_to_regenerate on generations (generation_id) include (degraded, business_id, created_at)
    where degraded <> '{}' and regenerated_by is null;
