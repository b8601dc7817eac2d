-- External ids are compared in Unicode's form NFC from now on. Ids that were stored in another form are brought into it,
-- the one that changed last where several become one, unless a document has the id in NFC already. Those that are left
-- stay as they are and say so. Only ids that are not ASCII are looked at, and nothing is locked but the rows that change.
with other_form as (
    select id, business_id, normalize(external_id, nfc) as external_id,
           row_number() over (
               partition by business_id, normalize(external_id, nfc) order by updated_at desc, id desc
           ) as place
    from brand_documents
    where octet_length(external_id) > char_length(external_id) and external_id is not nfc normalized
), decided as (
    select o.id, o.external_id, o.place = 1 and not exists (
               select from brand_documents d where d.business_id = o.business_id and d.external_id = o.external_id
           ) as takes_it
    from other_form o
)
update brand_documents d
set external_id = case when takes_it then decided.external_id else d.external_id end,
    warnings = case when takes_it then d.warnings else d.warnings || jsonb_build_array(jsonb_build_object(
        'code', 'same_external_id',
        'detail', 'Another document has the same external_id in Unicode''s form NFC, in which ids are compared now: what is '
            || 'added under this id replaces that one. Delete this document, or add it again under another external_id '
            || 'and delete this one.'
    )) end
from decided
where d.id = decided.id;
