-- What may be wrong with a document's text, and the version of the readers that read it; null until it is read, and for
-- documents that were read before there were versions. Those can be read again.
alter table brand_documents add column warnings jsonb not null default '[]';
alter table brand_documents add column reader_version int;
