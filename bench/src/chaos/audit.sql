-- The history of a run: every write to jobs, finished stages and results, with the process that made it.
-- Independent of what the code believes that it wrote.

create schema audit;

create table audit.writes (
    seq        bigint generated always as identity primary key,
    writer     text not null,
    job_id     uuid not null,
    old_status text,
    status     text not null,
    old_epoch  bigint,
    epoch      bigint not null,
    -- Why it waits, where the write made it wait, and until when.
    waits_for  text,
    waits_until timestamptz,
    at         timestamptz not null default clock_timestamp()
);
create function audit.note_write() returns trigger language plpgsql as $$
begin
    insert into audit.writes (writer, job_id, old_status, status, old_epoch, epoch, waits_for,
                              waits_until)
    values (coalesce(current_setting('copydesk.writer', true), ''), new.id,
            case when tg_op = 'UPDATE' then old.status end, new.status,
            case when tg_op = 'UPDATE' then old.lease_epoch end, new.lease_epoch, new.wait_reason,
            new.wait_until);
    return null;
end $$;
create trigger audit_write after insert or update on jobs for each row execute function audit.note_write();

-- Before the insertion, so that a second attempt to store a stage shows although it changes nothing.
create table audit.stages (
    seq        bigint generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    job_id     uuid not null,
    stage      text not null,
    round      smallint not null,
    started_at timestamptz not null,
    llm_calls  bigint not null,
    writer     text not null,
    -- The job's at that time.
    epoch      bigint not null
);
create function audit.note_stage() returns trigger language plpgsql as $$
begin
    insert into audit.stages (job_id, stage, round, started_at, llm_calls, writer, epoch)
    values (new.job_id, new.stage, new.round, new.started_at, coalesce((new.usage->'calls'->>'groq')::bigint, 0),
            coalesce(current_setting('copydesk.writer', true), ''),
            (select lease_epoch from jobs where id = new.job_id));
    return new;
end $$;
create trigger audit_stage before insert on stage_results for each row execute function audit.note_stage();

create table audit.results (
    seq       bigint generated always as identity primary key,
    operation text not null,
    job_id    uuid not null
);
create function audit.note_result() returns trigger language plpgsql as $$
begin
    insert into audit.results (operation, job_id) values (tg_op, coalesce(new.job_id, old.job_id));
    return null;
end $$;
create trigger audit_result after insert or update or delete on generations
    for each row execute function audit.note_result();

-- A disk that is full, as clients see it: enabled for a while, it refuses every new row with SQLSTATE 53100.
-- The sequence counts the refusals: it alone survives their rollback.
create sequence audit.refused;
create function audit.refuse() returns trigger language plpgsql as $$
begin
    perform nextval('audit.refused');
    raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
end $$;
create trigger audit_full before insert or update on jobs for each statement execute function audit.refuse();
create trigger audit_full before insert or update on generations for each statement execute function audit.refuse();
alter table jobs disable trigger audit_full;
alter table generations disable trigger audit_full;
