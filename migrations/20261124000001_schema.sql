-- The tables of Copydesk. Rules that the code keeps are CHECKs here too: an illegal state cannot be stored.

create table businesses (
    business_id      text primary key check (business_id ~ '^[A-Za-z0-9_.:-]{1,128}$'),
    name             text not null,
    description      text not null,
    voice            text not null,
    audience         text not null,
    guidelines       text not null,
    banned_phrases   text[] not null,
    default_language text not null,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now()
);
comment on table businesses is 'Profiles of the tenants. Optional: a job may name a business without one.';

create table jobs (
    id                      uuid primary key,
    kind                    text not null check (kind in ('generate', 'feedback', 'ingest')),
    business_id             text not null check (business_id ~ '^[A-Za-z0-9_.:-]{1,128}$'),
    generation_id           uuid,
    status                  text not null default 'queued'
        check (status in ('queued', 'waiting', 'running', 'succeeded', 'failed', 'cancelled')),
    priority                text not null check (priority in ('interactive', 'bulk')),
    payload                 jsonb not null,
    metadata                jsonb not null default '{}',
    idempotency_key         text,
    idempotency_fingerprint bytea,
    attempt                 smallint not null default 1,
    max_attempts            smallint not null check (max_attempts between 1 and 20),
    takeovers               smallint not null default 0,
    lease_epoch             bigint not null default 0,
    lease_owner             text,
    wait_reason             text check (wait_reason in ('rate_limited', 'breaker_open', 'backoff', 'scheduled')),
    wait_provider           text,
    wait_until              timestamptz,
    stage                   text not null default '',
    stages_completed        smallint not null default 0,
    stages_total            smallint not null default 1,
    usage                   jsonb not null default '{}',
    result                  jsonb,
    error                   jsonb,
    traceparent             text not null,
    deadline_at             timestamptz,
    created_at              timestamptz not null default now(),
    started_at              timestamptz,
    finished_at             timestamptz,
    updated_at              timestamptz not null default now(),
    constraint jobs_finished_iff_final
        check ((finished_at is not null) = (status in ('succeeded', 'failed', 'cancelled'))),
    constraint jobs_waiting_has_reason
        check ((status = 'waiting') = (wait_until is not null and wait_reason is not null)),
    constraint jobs_failed_has_error check ((error is not null) = (status = 'failed')),
    constraint jobs_running_has_lease check ((status = 'running') <= (lease_epoch > 0 and lease_owner is not null)),
    constraint jobs_attempt_within_max check (attempt between 1 and max_attempts),
    constraint jobs_idempotency_is_whole check ((idempotency_key is null) = (idempotency_fingerprint is null))
);
comment on table jobs is 'Every accepted job: the truth behind a 202. Redis only coordinates.';
comment on column jobs.lease_epoch is 'Fencing token of the lease under which the job last ran; a write under another one changes no row.';
comment on column jobs.takeovers is 'Workers in a row that vanished with the job before it finished another stage.';

create index jobs_business_id on jobs (business_id, id desc);
create index jobs_generation_id on jobs (generation_id) where generation_id is not null;
-- What the sweep reads: open jobs only, in the order of their acceptance.
create index jobs_open on jobs (id) where status in ('queued', 'waiting', 'running');
create unique index jobs_idempotency on jobs (business_id, kind, idempotency_key) where idempotency_key is not null;

create table stage_results (
    job_id      uuid not null references jobs on delete cascade,
    stage       text not null,
    round       smallint not null check (round >= 0),
    output      jsonb not null,
    usage       jsonb not null,
    started_at  timestamptz not null,
    finished_at timestamptz not null default now(),
    primary key (job_id, stage, round)
);
comment on table stage_results is 'Finished stages: what was paid for once is never paid for again.';

create table generations (
    generation_id   uuid primary key,
    job_id          uuid not null unique references jobs,
    business_id     text not null,
    topic           text not null,
    content_type    text not null,
    voice           text not null,
    language        text not null,
    title           text not null,
    content         text not null,
    sources         jsonb not null,
    review          jsonb,
    lessons_applied jsonb not null,
    degraded        text[] not null,
    models          jsonb not null,
    usage           jsonb not null,
    created_at      timestamptz not null default now()
);
create index generations_business_id on generations (business_id, generation_id desc);
create index generations_content_type on generations (business_id, content_type);

create table feedback (
    feedback_id    uuid primary key,
    generation_id  uuid not null references generations,
    business_id    text not null,
    human_approved boolean,
    human_score    double precision check (human_score between 0 and 10),
    human_feedback text check (char_length(human_feedback) <= 10000),
    created_at     timestamptz not null default now(),
    constraint feedback_says_something
        check (human_approved is not null or human_score is not null or human_feedback is not null)
);
comment on table feedback is 'Every verdict ever given, append-only: what is learned can be rebuilt from it.';
create index feedback_generation_id on feedback (generation_id, created_at desc);
create index feedback_business_id on feedback (business_id, created_at);

create table reviewer_learning (
    generation_id      uuid primary key references generations,
    business_id        text not null,
    content_type       text not null,
    auto_score         double precision,
    has_human_feedback boolean not null default false,
    feedback_id        uuid references feedback,
    human_approved     boolean,
    human_score        double precision,
    human_feedback     text,
    created_at         timestamptz not null default now(),
    reviewed_at        timestamptz,
    constraint reviewer_learning_feedback_is_whole
        check (has_human_feedback = (feedback_id is not null) and has_human_feedback = (reviewed_at is not null))
);
comment on table reviewer_learning is 'A row a generation: the reviewer''s score beside the verdict that holds.';
create index reviewer_learning_business_id on reviewer_learning (business_id, content_type, has_human_feedback);
create index reviewer_learning_has_human_feedback
    on reviewer_learning (business_id, content_type, reviewed_at desc) where has_human_feedback;

create table brand_documents (
    id           uuid primary key,
    business_id  text not null check (business_id ~ '^[A-Za-z0-9_.:-]{1,128}$'),
    external_id  text,
    title        text not null,
    content_type text,
    media_type   text not null check (media_type in ('text/markdown', 'text/plain', 'text/html')),
    url          text,
    body         text not null,
    revision     integer not null default 1,
    status       text not null default 'pending' check (status in ('pending', 'ready', 'failed')),
    error        text,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    constraint brand_documents_failed_has_error check ((status = 'failed') = (error is not null)),
    unique (business_id, external_id)
);
create index brand_documents_business_id on brand_documents (business_id, id desc);
create index brand_documents_content_type on brand_documents (business_id, content_type);

create table chunks (
    document_id  uuid not null references brand_documents on delete cascade,
    ordinal      integer not null,
    business_id  text not null,
    heading_path text not null,
    body         text not null,
    sha256       bytea not null check (octet_length(sha256) = 32),
    primary key (document_id, ordinal)
);
create index chunks_business_id on chunks (business_id);

create table knowledge_versions (
    business_id text primary key,
    version     bigint not null
);
comment on table knowledge_versions is 'Counts up with every change of a business''s passages: caches carry it in their key.';

create table learning_state (
    business_id text primary key,
    applied     bigint not null default 0
);
comment on table learning_state is 'One row a business, locked for update while one of its verdicts is applied: verdicts apply in order.';
