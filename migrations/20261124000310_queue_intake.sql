-- Queues that operators paused or drained, so that a flush of Redis does not resume them.
create table queue_intake (
    kind       text primary key,
    intake     text not null check (intake in ('open', 'draining', 'paused')),
    version    bigint generated always as identity,
    updated_at timestamptz not null default now()
);
comment on table queue_intake is 'Which jobs of a kind workers are handed: all (also where there is no row), those under way, or none.';
comment on column queue_intake.version is 'Grows with every change, so that Redis is never told of an older one last.';
