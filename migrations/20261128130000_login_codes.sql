-- Links that log a browser in, once: what stands for a key for ten minutes. Stored hashed, as keys are.
create table login_codes (
    hash       bytea primary key check (octet_length(hash) = 32),
    key_id     text not null references api_keys on delete cascade,
    expires_at timestamptz not null
);
create index login_codes_by_end on login_codes (expires_at);
