-- Vectors of passages, by the model that made them and the hash of what they were made from (heading path, line
-- break, text): a passage that comes again, in a document that is replaced or under another one, is not paid for again.
-- A vector is its numbers as 32-bit floats, little-endian, of length one.
create table embeddings (
    business_id text        not null,
    model       text        not null,
    sha256      bytea       not null check (octet_length(sha256) = 32),
    dimension   integer     not null check (dimension between 1 and 16384),
    vector      bytea       not null check (octet_length(vector) = 4 * dimension),
    created_at  timestamptz not null default now(),
    primary key (business_id, model, sha256)
);
