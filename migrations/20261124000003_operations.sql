-- What operators do: put a failed job aside, find those that nobody did, and see how many jobs end.
alter table jobs add column discarded_at timestamptz;
alter table jobs add constraint jobs_discarded_has_failed check (discarded_at is null or status = 'failed');
comment on column jobs.discarded_at is 'When an operator put the failed job aside: it is no dead letter any more.';

create index jobs_dead on jobs (id desc) where status = 'failed' and discarded_at is null;
create index jobs_finished_at on jobs (finished_at) where finished_at is not null;
