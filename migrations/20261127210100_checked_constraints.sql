-- What the migration before added holds for all rows. Reads and writes go on meanwhile.
alter table jobs validate constraint jobs_kind_check;
alter table generations validate constraint generations_job_id_fkey;
