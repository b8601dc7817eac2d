-- Who may do what. A key's secret is never stored, only its SHA-256: it is random, so a slow hash would add nothing.
create table api_keys (
    id                  text primary key check (id ~ '^[0-9A-Za-z]{12}$'),
    kind                text not null check (kind in ('tenant', 'operator')),
    name                text not null,
    hash                bytea not null unique check (octet_length(hash) = 32),
    -- The secret from before the last rotation, which counts for a while.
    previous_hash       bytea unique check (octet_length(previous_hash) = 32),
    previous_until      timestamptz,
    scopes              text[] not null check (cardinality(scopes) > 0),
    -- Null: every business.
    businesses          text[] check (cardinality(businesses) > 0),
    requests_per_minute int check (requests_per_minute > 0),
    created_by          text,
    created_at          timestamptz not null default now(),
    expires_at          timestamptz,
    revoked_at          timestamptz,
    last_used_at        timestamptz,
    check ((previous_hash is null) = (previous_until is null))
);

-- A browser's login with a key. The cookie holds a secret, the row its SHA-256.
create table sessions (
    hash       bytea primary key check (octet_length(hash) = 32),
    key_id     text not null references api_keys on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_by_end on sessions (expires_at);
create index sessions_by_key on sessions (key_id);

-- One use of one event stream, in place of a key in an address.
create table tickets (
    hash       bytea primary key check (octet_length(hash) = 32),
    key_id     text not null references api_keys on delete cascade,
    job_id     uuid not null,
    expires_at timestamptz not null,
    -- Until when the stream may go on: as long as what showed the key.
    until      timestamptz
);
create index tickets_by_end on tickets (expires_at);

-- Grows with every change that makes a key or a session allow less or more: every API process reads it several times a
-- second, and forgets what it knew of keys.
create table key_revision (
    one      boolean primary key default true check (one),
    revision bigint not null
);
insert into key_revision (revision) values (1);

create function note_key_change() returns trigger language plpgsql as $$
begin
    update key_revision set revision = revision + 1;
    return null;
end $$;

-- Not for `last_used_at`.
create trigger api_keys_changed after insert or delete
    or update of hash, previous_hash, previous_until, scopes, businesses, requests_per_minute, expires_at, revoked_at
    on api_keys for each statement execute function note_key_change();
create trigger sessions_ended after delete on sessions for each row
    when (old.expires_at > now()) execute function note_key_change();

-- What operators and keys have changed: rows are only added. Old ones are removed by retention alone.
create table audit (
    id          bigint generated always as identity primary key,
    at          timestamptz not null default now(),
    -- Null: on the command line, or with COPYDESK_AUTH=open.
    key_id      text,
    key_name    text not null,
    action      text not null,
    -- What was changed, as a path: `queues/generate`, `keys/4fzK9sQ0aBcD`.
    subject     text not null,
    business_id text,
    before      jsonb,
    after       jsonb,
    outcome     text not null check (outcome in ('done', 'failed')),
    peer        text,
    request_id  text
);
create index audit_by_business on audit (business_id, id) where business_id is not null;
create index audit_by_key on audit (key_id, id);
create index audit_by_time on audit (at);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end $$;
create trigger audit_unchanged before update or truncate on audit
    for each statement execute function audit_is_append_only();
-- Retention removes what is older than a day at the least.
create trigger audit_kept before delete on audit
    for each row when (old.at > now() - interval '1 day') execute function audit_is_append_only();
