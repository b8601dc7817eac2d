alter table jobs disable trigger audit_full;
alter table generations disable trigger audit_full;
