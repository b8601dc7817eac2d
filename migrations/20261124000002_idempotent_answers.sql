-- The first answers to requests with an `Idempotency-Key` that became more than one row of `jobs`, or none: sending
-- them again is answered with the same. Requests that became one job keep their key in its row.
create table idempotent_answers (
    operation   text not null check (operation in ('add_document', 'generate_batch')),
    business_id text not null check (business_id ~ '^[A-Za-z0-9_.:-]{1,128}$'),
    key         text not null check (char_length(key) between 1 and 255),
    fingerprint bytea not null check (octet_length(fingerprint) = 32),
    answer      jsonb not null,
    created_at  timestamptz not null default now(),
    primary key (operation, business_id, key)
);
create index idempotent_answers_created_at on idempotent_answers (created_at);
