-- Vendors limit tokens a day too; and each model apart: then `provider` is `provider/model`.
alter table provider_limits add column tokens_per_day bigint check (tokens_per_day >= 0);
comment on column provider_limits.provider is 'The provider, or provider/model for a model with figures of its own.';
