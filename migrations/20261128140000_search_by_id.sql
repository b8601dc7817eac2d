-- What an id names: the job, or the job that wrote the text.
create function jobs_named(business text, named uuid) returns setof uuid
    language sql stable parallel safe as $$
    select id from jobs where id = named and (business is null or business_id = business)
    union
    select id from jobs where generation_id = named and (business is null or business_id = business)
$$;

-- What is searched for: all words, the last of which may go on. Null where there is no word.
-- * A word with hyphens is also found by its parts: as a whole, `spring-ca` is no beginning of `spring-campaign`.
-- * Eight hexadecimal digits are also the end of an id: it tells jobs apart, and pages show it. Jobs have it as a word
--   with a mark, which no other word has.
create or replace function job_query(business_id text, wanted text) returns tsquery
    language sql immutable parallel safe as $$
    select case when business_id is null then query else query && ('''=' || business_id || '''')::tsquery end
    from (
        select case
                   when wanted ~ '^[0-9A-Fa-f]{8}$' then whole || ('''#' || lower(wanted) || '''')::tsquery
                   when wanted like '%-%' then whole || parts
                   else whole
               end as query
        from (
            select (nullif(plainto_tsquery('simple', wanted)::text, '') || ':*')::tsquery as whole,
                   (nullif(plainto_tsquery('simple', translate(wanted, '-', ' '))::text, '') || ':*')::tsquery as parts
        ) read
    ) q
$$;
