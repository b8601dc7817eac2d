create table accepted (
    id uuid primary key,
    business_id text not null,
    payload jsonb not null,
    status text not null default 'queued',
    created_at timestamptz not null default now()
);
