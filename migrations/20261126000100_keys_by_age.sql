-- Idempotency keys of single jobs by age: those that are a day old are freed in batches, without reading the whole table.
-- Both columns are written when a job is accepted and when its key is freed, and by nothing in between: beginning a job,
-- storing its stages and letting it wait still change no index.
create index jobs_keyed on jobs (created_at) where idempotency_key is not null;
