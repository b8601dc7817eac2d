-- What operators give single businesses of the workers, so that a flush of Redis does not lose it.
create table business_shares (
    business_id  text primary key,
    weight       integer check (weight between 1 and 1000),
    jobs_at_once integer check (jobs_at_once between 0 and 1000000),
    version      bigint generated always as identity,
    updated_at   timestamptz not null default now()
);
comment on table business_shares is 'A business''s turns and its most jobs under way; null for the default, 0 jobs for any number.';
comment on column business_shares.version is 'Grows with every change, so that Redis is never told of an older one last.';
