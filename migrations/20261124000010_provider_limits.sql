-- Limits that operators set while Copydesk runs, so that a flush of Redis does not lose them.
create table provider_limits (
    provider          text primary key,
    calls_per_minute  bigint check (calls_per_minute between 1 and 1000000),
    tokens_per_minute bigint check (tokens_per_minute >= 0),
    calls_per_day     bigint check (calls_per_day >= 0),
    calls_at_once     bigint check (calls_at_once >= 0),
    micro_usd_per_day bigint check (micro_usd_per_day >= 0),
    version           bigint generated always as identity,
    updated_at        timestamptz not null default now()
);
comment on table provider_limits is 'What an operator set in place of the configured limits; null for the configured one, 0 for no limit.';
comment on column provider_limits.version is 'Grows with every change, so that Redis is never told of an older one last.';

-- A job also waits because its business has used up its budget.
alter table jobs drop constraint jobs_wait_reason_check;
alter table jobs add constraint jobs_wait_reason_check
    check (wait_reason in ('rate_limited', 'over_budget', 'breaker_open', 'backoff', 'scheduled'));
