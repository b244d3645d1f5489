-- The role that Grafana reads with, and the password that stands in the file $GRAFANA_PASSWORD_FILE. For psql; run again,
-- it sets the password anew. What the role may read is said by `vemsync grant --reader grafana`.
\set ON_ERROR_STOP on
\set password `cat "$GRAFANA_PASSWORD_FILE"`
select 'create role grafana login' where not exists (select from pg_roles where rolname = 'grafana') \gexec
alter role grafana password :'password';
