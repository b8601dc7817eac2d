-- What the migration before added holds for all rows. Reads and writes go on meanwhile.
alter table feedback validate constraint feedback_says_something;
alter table feedback validate constraint feedback_edited_content_check;
alter table feedback validate constraint feedback_rater_check;
