alter table jobs enable trigger audit_full;
alter table generations enable trigger audit_full;
