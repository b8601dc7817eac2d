-- What a document is for: style guides and policies guide the writer and are never content. Told at the ingest by rules,
-- or given by the client; null until it is told, also for documents that a worker of the release before read: the
-- worker's sweep tells those.
alter table brand_documents add column kind text
    check (kind in ('about', 'product', 'case', 'policy', 'style_guide', 'other'));
alter table brand_documents add column kind_given boolean not null default false;

-- Those that the sweep has still to tell: soon none.
create index brand_documents_untold on brand_documents (id) where kind is null and status = 'ready';
