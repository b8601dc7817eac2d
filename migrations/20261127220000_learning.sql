-- What is learned from people. Verdicts say more; lessons and figures are derived from them, and can be made anew.
alter table feedback
    add column edited_content text,
    add column rater text,
    add column effort jsonb,
    add column distilled jsonb;
comment on column feedback.edited_content is 'The text as the human published it.';
comment on column feedback.effort is 'How much of the text the human changed: shares, by words and by compression.';
comment on column feedback.distilled is
    'What the verdict asks for, read once: null in rows of a release before, until they are read.';
alter table feedback drop constraint feedback_says_something;
alter table feedback
    add constraint feedback_says_something check (
        human_approved is not null or human_score is not null or human_feedback is not null
        or edited_content is not null
    ) not valid,
    add constraint feedback_edited_content_check check (char_length(edited_content) <= 100000) not valid,
    add constraint feedback_rater_check check (char_length(rater) between 1 and 128) not valid;
-- Few: what the first verdict after an upgrade reads.
create index feedback_undistilled on feedback (business_id, created_at) where distilled is null;

alter table generations add column learning jsonb;
comment on column generations.learning is 'What of people''s feedback went into the text; null in texts from before.';

create index generations_replay on generations (business_id) where learning->>'arm' = 'replay';

create table lesson_changes (
    id          bigint generated always as identity primary key,
    business_id text        not null,
    lesson_id   uuid        not null,
    at          timestamptz not null default now(),
    change      jsonb       not null
);
comment on table lesson_changes is 'What people changed of lessons by hand, append-only: a rebuild makes it again.';
create index lesson_changes_business_id on lesson_changes (business_id, id);

create table lessons (
    business_id text  not null,
    lesson_id   uuid  not null unique,
    counts      boolean not null,
    known       jsonb not null,
    primary key (business_id, lesson_id)
);
comment on table lessons is 'Derived from feedback and lesson_changes: any row may be deleted, and a rebuild makes it again.';

create table lesson_uses (
    generation_id uuid        not null references generations on delete cascade,
    lesson_id     uuid        not null,
    business_id   text        not null,
    followed      boolean,
    at            timestamptz not null default now(),
    primary key (generation_id, lesson_id)
);
comment on table lesson_uses is 'Which texts were written with a lesson, and whether they follow it; null where no code can tell.';
create index lesson_uses_lesson on lesson_uses (business_id, lesson_id, at desc);

create table learning_figures (
    business_id  text  not null,
    content_type text  not null,
    figures      jsonb not null,
    calibrator   jsonb not null,
    primary key (business_id, content_type)
);
comment on table learning_figures is 'Derived from feedback; the content type is empty for all of them together.';

alter table learning_state add column snapshot text;
comment on column learning_state.snapshot is 'Names what was learned by now; null where it was never derived.';

-- A verdict can be taken back. The sums lose it without a trace: no row of zeros stays.
create or replace function learning_note_verdict() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        if old.has_human_feedback then
            perform learning_add(old, -1);
        end if;
    end if;
    if new.has_human_feedback then
        perform learning_add(new, 1);
    end if;
    if tg_op = 'UPDATE' then
        if old.has_human_feedback then
            delete from learning_weeks
            where business_id = old.business_id and content_type = old.content_type and with_feedback = 0;
            delete from learning_scores
            where business_id = old.business_id and content_type = old.content_type and texts = 0;
        end if;
    end if;
    return null;
end
$$;
drop trigger learning_note_verdict on reviewer_learning;
create trigger learning_note_verdict after insert on reviewer_learning
    for each row when (new.has_human_feedback) execute function learning_note_verdict();
create trigger learning_note_change after update on reviewer_learning
    for each row when (new.has_human_feedback or old.has_human_feedback) execute function learning_note_verdict();
