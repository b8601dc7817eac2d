-- A job removes everything of a business. The rule for kinds only widens: rows that are there need no check, so nothing is
-- locked for longer than a moment. It is marked as checked in a migration of its own.
alter table jobs drop constraint jobs_kind_check;
alter table jobs add constraint jobs_kind_check check (kind in ('generate', 'feedback', 'ingest', 'erase')) not valid;

-- Texts outlive their jobs, which the sweep removes after a while. `generations_job_id_key` finds the text of a job.
alter table generations alter column job_id drop not null;
alter table generations drop constraint generations_job_id_fkey;
alter table generations
    add constraint generations_job_id_fkey foreign key (job_id) references jobs on delete set null not valid;
comment on column generations.job_id is 'The job that wrote the text; null once that job is removed.';

-- For each verdict that is removed, Postgres looks for the row that refers to it.
create index reviewer_learning_feedback_id on reviewer_learning (feedback_id) where feedback_id is not null;
