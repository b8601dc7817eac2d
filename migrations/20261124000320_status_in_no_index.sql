-- A job's status is in no index any more, nor in an index's condition: beginning a job, storing its stages and letting it
-- wait write its row and no index. What was told by the status is told by columns that change at the end only: a job has
-- ended where it has `finished_at`, and failed where it has an error (both are CHECKs). A release before this one works
-- with it; its sweep and its list of dead letters are slower until it is replaced.
create index jobs_unfinished on jobs (id) where finished_at is null;
create index jobs_failed on jobs (id desc) where error is not null and discarded_at is null;
drop index jobs_open;
drop index jobs_dead;
-- Such a write needs room for the new version of the row beside the old one.
alter table jobs set (fillfactor = 70);
