-- Texts by what they had to do without. Most texts are whole: they stand in no entry of it.
create index generations_degraded_of on generations (business_id, generation_id) include (degraded)
    where degraded <> '{}';
