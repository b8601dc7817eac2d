-- How the queues were: a row a minute for a day, a row an hour for 30 days. Written by the sweep, once for all workers.
create table queue_history (
    kind               text not null,
    step               text not null check (step in ('minute', 'hour')),
    -- The begin of the minute or the hour.
    at                 timestamptz not null,
    ready              bigint not null,
    delayed            bigint not null,
    running            bigint not null,
    waiting            bigint not null,
    oldest_age_seconds double precision,
    ended              bigint not null,
    failed             bigint not null,
    wait_p50           double precision,
    wait_p95           double precision,
    run_p50            double precision,
    run_p95            double precision,
    primary key (kind, step, at)
);
comment on table queue_history is 'Depths are those when the row was written, shortly after its time; what ended, and how long that took, is of its time.';
