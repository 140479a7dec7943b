-- Written by hand: drizzle-kit knows neither FORCE nor grants. The roles themselves, with their passwords and
-- attributes, are made by db/migrate.ts before this runs.

-- The scopes that are no tenants, and the first epoch. Before FORCE, while the owner may still write.
insert into hotswap.tenants (tenant_id, name) values
  ('~platform', 'Platform'), ('~tier.Free', 'Free'), ('~tier.Pro', 'Pro'), ('~tier.Enterprise', 'Enterprise');
--> statement-breakpoint
insert into hotswap.epoch default values;
--> statement-breakpoint
-- The owner obeys the policies as well. It has none, so it sees no row: migrations that move data say so with
-- NO FORCE around them.
do $$
declare name text;
begin
  for name in select tablename from pg_tables where schemaname = 'hotswap' loop
    execute format('alter table hotswap.%I force row level security', name);
  end loop;
end $$;
--> statement-breakpoint
revoke all on schema hotswap from public;
--> statement-breakpoint
grant usage on schema hotswap to hotswap_app, hotswap_read, hotswap_system;
--> statement-breakpoint
-- What is only ever appended to has neither UPDATE nor DELETE; elsewhere UPDATE names its columns.
grant select, insert on
  hotswap.tenants, hotswap.external_ids, hotswap.heads, hotswap.pointers, hotswap.releases, hotswap.chunks,
  hotswap.config_versions, hotswap.changes, hotswap.tokens, hotswap.audit_entries, hotswap.audit_heads,
  hotswap.outbox, hotswap.idempotency_keys
  to hotswap_app;
--> statement-breakpoint
grant select on hotswap.epoch to hotswap_app, hotswap_read, hotswap_system;
--> statement-breakpoint
grant update (name, display_name, admin_email, tier, status, features, quotas, deployments, version, updated_at)
  on hotswap.tenants to hotswap_app;
--> statement-breakpoint
grant delete on hotswap.external_ids to hotswap_app;
--> statement-breakpoint
grant update (rev) on hotswap.heads to hotswap_app;
--> statement-breakpoint
grant update (state, status, approvals, comments, versions, due_at, updated_at) on hotswap.changes to hotswap_app;
--> statement-breakpoint
grant update (revoked_at, revoked_by) on hotswap.tokens to hotswap_app;
--> statement-breakpoint
grant update (seq, hash, at) on hotswap.audit_heads to hotswap_app;
--> statement-breakpoint
grant update (mark, at), delete on hotswap.outbox to hotswap_app;
--> statement-breakpoint
grant update (fingerprint, status, headers, body, stamps, at, expires_at) on hotswap.idempotency_keys to hotswap_app;
--> statement-breakpoint
grant select on
  hotswap.tenants, hotswap.heads, hotswap.pointers, hotswap.releases, hotswap.chunks, hotswap.config_versions,
  hotswap.changes, hotswap.tokens
  to hotswap_read;
--> statement-breakpoint
grant select on hotswap.tenants, hotswap.external_ids, hotswap.outbox to hotswap_system;
--> statement-breakpoint
grant select (tenant_id, change_id, environment, state, due_at) on hotswap.changes to hotswap_system;
--> statement-breakpoint
grant select (tenant_id, key, expires_at), delete on hotswap.idempotency_keys to hotswap_system;
--> statement-breakpoint
grant delete on hotswap.outbox to hotswap_system;
