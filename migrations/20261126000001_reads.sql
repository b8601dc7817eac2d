-- Pages of lists cost what they show, however many jobs there are. A job's row stands in exactly one of four indexes, by
-- whether and how it has ended. They are told apart by columns that change at the end only, and together they take the
-- place of the index over all jobs of a business: accepting a job and ending it write as many entries as before.
--
-- What a release before this one does still works. Its lists of jobs are slower until it is replaced.
alter table jobs add column cancelled_at timestamptz;
comment on column jobs.cancelled_at is 'When the job was cancelled: without it, a cancelled job and one that succeeded differ in the status only.';
update jobs set cancelled_at = finished_at where status = 'cancelled';

-- A release before this one cancels without saying when. To be dropped once there is none any more.
create function jobs_note_cancelled() returns trigger language plpgsql as $$
begin
    update jobs set cancelled_at = finished_at where id = new.id;
    return null;
end
$$;
create trigger jobs_note_cancelled after insert or update of status on jobs
    for each row when (new.status = 'cancelled' and new.cancelled_at is null) execute function jobs_note_cancelled();

create index jobs_open_of on jobs (business_id, kind, id) where finished_at is null;
create index jobs_succeeded_of on jobs (business_id, kind, id)
    where finished_at is not null and error is null and cancelled_at is null;
create index jobs_failed_of on jobs (business_id, kind, id) where error is not null;
create index jobs_cancelled_of on jobs (business_id, kind, id) where cancelled_at is not null;
drop index jobs_business_id;

-- What people thought of a business's texts, added up as verdicts are applied, so that asking for it reads a few rows
-- however many texts there are. Sums are exact (numeric): a verdict that is replaced is taken out again without a trace.
-- A trigger keeps them, so that verdicts that an older release applies count as well. All verdicts of a business are
-- applied under its lock in learning_state; nothing else is locked for long.
create table learning_weeks (
    business_id   text   not null,
    content_type  text   not null,
    week          date   not null,
    with_feedback bigint not null,
    verdicts      bigint not null,
    approved      bigint not null,
    scored        bigint not null,
    scores        numeric not null,
    compared      bigint not null,
    bias          numeric not null,
    distance      numeric not null,
    auto          numeric not null,
    auto_squares  numeric not null,
    human         numeric not null,
    human_squares numeric not null,
    products      numeric not null,
    primary key (business_id, content_type, week)
);
comment on table learning_weeks is 'Sums over the verdicts that hold, by the week in which they were given. learning_rebuild() makes them anew.';
create table learning_scores (
    business_id  text          not null,
    content_type text          not null,
    score        numeric(4, 2) not null,
    texts        bigint        not null,
    primary key (business_id, content_type, score)
);
comment on table learning_scores is 'How many texts have which score, to two decimals: what the median is read from.';
create table learning_counts (
    business_id  text        not null,
    content_type text        not null,
    generations  bigint      not null,
    counted_to   timestamptz not null,
    primary key (business_id, content_type)
);
comment on table learning_counts is 'How many texts there were at a time; only later ones are counted by who asks. Any row may be deleted.';
-- In place of the one by has_human_feedback: it is also written once a text.
create index reviewer_learning_created_at on reviewer_learning (business_id, content_type, created_at);
drop index reviewer_learning_business_id;

create function learning_add(told reviewer_learning, times int) returns void language plpgsql as $$
declare
    human constant numeric := told.human_score;
    auto constant numeric := case when told.human_score is not null then told.auto_score end;
    compared constant numeric := case when auto is not null then told.human_score end;
begin
    insert into learning_weeks as w
    select told.business_id, told.content_type, date_trunc('week', told.reviewed_at, 'UTC')::date, times,
           times * (told.human_approved is not null)::int, times * coalesce(told.human_approved, false)::int,
           times * (human is not null)::int, times * coalesce(human, 0),
           times * (auto is not null)::int, times * coalesce(auto - compared, 0), times * coalesce(abs(auto - compared), 0),
           times * coalesce(auto, 0), times * coalesce(auto * auto, 0),
           times * coalesce(compared, 0), times * coalesce(compared * compared, 0), times * coalesce(auto * compared, 0)
    on conflict (business_id, content_type, week) do update
    set with_feedback = w.with_feedback + excluded.with_feedback, verdicts = w.verdicts + excluded.verdicts,
        approved = w.approved + excluded.approved, scored = w.scored + excluded.scored,
        scores = w.scores + excluded.scores, compared = w.compared + excluded.compared, bias = w.bias + excluded.bias,
        distance = w.distance + excluded.distance, auto = w.auto + excluded.auto,
        auto_squares = w.auto_squares + excluded.auto_squares, human = w.human + excluded.human,
        human_squares = w.human_squares + excluded.human_squares, products = w.products + excluded.products;
    if human is not null then
        insert into learning_scores as s values (told.business_id, told.content_type, human, times)
        on conflict (business_id, content_type, score) do update set texts = s.texts + excluded.texts;
    end if;
end
$$;

create function learning_note_verdict() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        if old.has_human_feedback then
            perform learning_add(old, -1);
        end if;
    end if;
    perform learning_add(new, 1);
    return null;
end
$$;
-- The condition keeps texts that end without a verdict, which is all of them, from calling anything.
create trigger learning_note_verdict after insert or update on reviewer_learning
    for each row when (new.has_human_feedback) execute function learning_note_verdict();

create function learning_rebuild() returns void language plpgsql as $$
begin
    lock table reviewer_learning in share row exclusive mode;
    delete from learning_weeks;
    delete from learning_scores;
    delete from learning_counts;
    insert into learning_weeks
    select business_id, content_type, date_trunc('week', reviewed_at, 'UTC')::date, count(*), count(human_approved),
           count(*) filter (where human_approved), count(human), coalesce(sum(human), 0), count(auto),
           coalesce(sum(auto - human), 0), coalesce(sum(abs(auto - human)), 0), coalesce(sum(auto), 0),
           coalesce(sum(auto * auto), 0), coalesce(sum(human) filter (where auto is not null), 0),
           coalesce(sum(human * human) filter (where auto is not null), 0), coalesce(sum(auto * human), 0)
    from (
        select business_id, content_type, reviewed_at, human_approved, human_score::numeric as human,
               case when human_score is not null then auto_score::numeric end as auto
        from reviewer_learning where has_human_feedback
    ) told group by 1, 2, 3;
    insert into learning_scores
    select business_id, content_type, human_score::numeric(4, 2), count(*)
    from reviewer_learning where has_human_feedback and human_score is not null group by 1, 2, 3;
    insert into learning_counts
    select business_id, content_type, count(*), now() - interval '1 minute'
    from reviewer_learning where created_at <= now() - interval '1 minute' group by 1, 2;
end
$$;
select learning_rebuild();
