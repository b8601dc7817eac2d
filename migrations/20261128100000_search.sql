-- Jobs are found by the words of their requests. The words stand beside the jobs, not in an index of theirs: such an
-- index is written at the acceptance and again at the end, 0.25 ms each; this table is filled once a job, by the sweep.
-- No key refers to the jobs: it would lock their rows while they are begun. A release before this one leaves the rows of
-- jobs that it removes behind; they are found by nobody, and go with their business.
create table job_words (
    job_id      uuid primary key,
    business_id text not null,
    words       tsvector not null
);
create index job_words_of on job_words (business_id);
create index job_words_words on job_words using gin (words);

-- All texts and numbers of a request and its metadata, and the business as a word of its own: so that the index alone
-- tells what of a business has a word. Of a request of more than 60 kB only its topic: words are bounded in size.
create function job_words(business_id text, payload jsonb, metadata jsonb) returns tsvector
    language sql immutable parallel safe cost 1000 as $$
    select array_to_tsvector(array['=' || business_id])
        || jsonb_to_tsvector('simple', metadata, '["string", "numeric"]')
        || case when octet_length(payload::text) <= 60000
               then jsonb_to_tsvector('simple', payload, '["string", "numeric"]')
               else to_tsvector('simple', left(coalesce(payload ->> 'topic', ''), 2000)) end
$$;

-- What is searched for: all words, the last of which may go on. Null where there is no word.
create function job_query(business_id text, wanted text) returns tsquery
    language sql immutable parallel safe as $$
    select case when business_id is null then query else query && ('''=' || business_id || '''')::tsquery end
    from (select (nullif(plainto_tsquery('simple', wanted)::text, '') || ':*')::tsquery as query) q
$$;

-- Failed and cancelled jobs of all businesses, for operators. Written at such an end only.
create index jobs_failed_by_id on jobs (id) where error is not null;
create index jobs_cancelled_by_id on jobs (id) where cancelled_at is not null;
