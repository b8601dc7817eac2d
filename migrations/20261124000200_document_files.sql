-- Documents that are no text: PDF and Word files are kept as they came, in `file`, and `body` is empty. The language is
-- what the ingest took the text for: its passages are found whatever endings its words have.
alter table brand_documents drop constraint brand_documents_media_type_check;
alter table brand_documents add constraint brand_documents_media_type_check check (
    media_type in (
        'text/markdown', 'text/plain', 'text/html', 'application/pdf',
        'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
    )
);
alter table brand_documents add column file bytea;
alter table brand_documents add constraint brand_documents_text_or_file check (file is null or body = '');
alter table brand_documents add column language text;
