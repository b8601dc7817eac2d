-- What became of a job, so that people can be told. Written by the statements that change its state, in the row that they
-- write anyway; in no index. A release before this one writes none.
alter table jobs add column events jsonb not null default '[]';
comment on column jobs.events is 'Begins, waits, failures of attempts: the first and the latest 49.';

create function job_event(events jsonb, event jsonb) returns jsonb language sql stable parallel safe as $$
    select case when jsonb_array_length(events) >= 50 then events - 1 else events end
        || jsonb_build_array(jsonb_strip_nulls(event) || jsonb_build_object('at', now()))
$$;
