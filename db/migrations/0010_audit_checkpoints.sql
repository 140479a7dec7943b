CREATE TABLE "hotswap"."audit_checkpoints" (
	"tenant_id" text NOT NULL,
	"size" bigint NOT NULL,
	"after" bigint NOT NULL,
	"note" text NOT NULL,
	"frontier" "bytea" NOT NULL,
	"hashes" "bytea" NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "audit_checkpoints_tenant_id_size_pk" PRIMARY KEY("tenant_id","size"),
	CONSTRAINT "audit_checkpoints_grow" CHECK ("hotswap"."audit_checkpoints"."size" > "hotswap"."audit_checkpoints"."after" and length("hotswap"."audit_checkpoints"."hashes") = 32 * ("hotswap"."audit_checkpoints"."size" - "hotswap"."audit_checkpoints"."after"))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."audit_checkpoints" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."audit_drops" (
	"tenant_id" text NOT NULL,
	"through" bigint NOT NULL,
	"note" text NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "audit_drops_tenant_id_through_pk" PRIMARY KEY("tenant_id","through")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."audit_drops" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."audit_retention" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"days" integer NOT NULL,
	"updated_at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "audit_retention_days" CHECK ("hotswap"."audit_retention"."days" between 90 and 36500)
);
--> statement-breakpoint
ALTER TABLE "hotswap"."audit_retention" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."audit_checkpoints" ADD CONSTRAINT "audit_checkpoints_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."audit_drops" ADD CONSTRAINT "audit_drops_checkpoint" FOREIGN KEY ("tenant_id","through") REFERENCES "hotswap"."audit_checkpoints"("tenant_id","size") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."audit_retention" ADD CONSTRAINT "audit_retention_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."audit_entries" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_drop" ON "hotswap"."audit_entries" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING ("hotswap"."audit_entries"."at" < now() - interval '90 days' and "hotswap"."audit_entries"."seq" <= (select max(d.through) from hotswap.audit_drops d where d.tenant_id = "hotswap"."audit_entries"."tenant_id") and "hotswap"."audit_entries"."at" < now() - (select make_interval(days => r.days) from hotswap.audit_retention r where r.tenant_id = "hotswap"."audit_entries"."tenant_id"));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."audit_heads" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."audit_checkpoints" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."audit_checkpoints"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."audit_checkpoints"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."audit_checkpoints" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."audit_checkpoints" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."audit_drops" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."audit_drops"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."audit_drops"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."audit_drops" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."audit_drops" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."audit_retention" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."audit_retention"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."audit_retention"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."audit_retention" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
alter table hotswap.audit_checkpoints force row level security;--> statement-breakpoint
alter table hotswap.audit_drops force row level security;--> statement-breakpoint
alter table hotswap.audit_retention force row level security;--> statement-breakpoint
grant select on hotswap.audit_checkpoints, hotswap.audit_drops to hotswap_app;--> statement-breakpoint
grant select, insert, delete, update (days, updated_at) on hotswap.audit_retention to hotswap_app;--> statement-breakpoint
grant select (tenant_id, seq, hash, at), delete on hotswap.audit_entries to hotswap_system;--> statement-breakpoint
grant select (tenant_id, seq) on hotswap.audit_heads to hotswap_system;--> statement-breakpoint
grant select, insert on hotswap.audit_checkpoints, hotswap.audit_drops to hotswap_system;--> statement-breakpoint
grant select on hotswap.audit_retention to hotswap_system;
--> statement-breakpoint
CREATE TABLE "hotswap"."audit_keys" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"inner_block" "bytea" NOT NULL,
	"outer_block" "bytea" NOT NULL,
	CONSTRAINT "audit_keys_blocks" CHECK (length("hotswap"."audit_keys"."inner_block") = 64 and length("hotswap"."audit_keys"."outer_block") = 64)
);
--> statement-breakpoint
ALTER TABLE "hotswap"."audit_keys" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."audit_people" (
	"tenant_id" text NOT NULL,
	"pseudonym" text NOT NULL,
	"subject" text NOT NULL,
	"salt" "bytea" NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "audit_people_tenant_id_pseudonym_pk" PRIMARY KEY("tenant_id","pseudonym"),
	CONSTRAINT "audit_people_subject" UNIQUE("tenant_id","subject")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."audit_people" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."audit_keys" ADD CONSTRAINT "audit_keys_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."audit_people" ADD CONSTRAINT "audit_people_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."audit_keys" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."audit_keys"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."audit_keys"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."audit_people" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."audit_people"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."audit_people"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
alter table hotswap.audit_keys force row level security;--> statement-breakpoint
alter table hotswap.audit_people force row level security;--> statement-breakpoint
grant select, insert, delete on hotswap.audit_keys, hotswap.audit_people to hotswap_app;--> statement-breakpoint
-- Who a subject is in this scope's audit: a commitment that only the row's salt opens. Its caller holds the lock of the audit head.
create function hotswap.audit_pseudonym(p_tenant text, p_subject text) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  known text;
  fresh bytea;
begin
  select p.pseudonym into known from hotswap.audit_people p where p.tenant_id = p_tenant and p.subject = p_subject;
  if found then return known; end if;
  fresh := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
  known := 'person:' || encode(sha256(fresh || convert_to(p_subject, 'UTF8')), 'hex');
  insert into hotswap.audit_people (tenant_id, pseudonym, subject, salt) values (p_tenant, known, p_subject, fresh);
  return known;
end $$;
--> statement-breakpoint
-- HMAC-SHA256 (RFC 2104) of the text under the scope's key. Its caller holds the lock of the audit head.
create function hotswap.audit_bound(p_tenant text, p_text text) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  key hotswap.audit_keys;
  fresh bytea;
begin
  select * into key from hotswap.audit_keys k where k.tenant_id = p_tenant;
  if not found then
    fresh := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    key.inner_block := decode(repeat('36', 64), 'hex');
    key.outer_block := decode(repeat('5c', 64), 'hex');
    for nth in 0 .. 31 loop
      key.inner_block := set_byte(key.inner_block, nth, get_byte(fresh, nth) # 54);
      key.outer_block := set_byte(key.outer_block, nth, get_byte(fresh, nth) # 92);
    end loop;
    insert into hotswap.audit_keys values (p_tenant, key.inner_block, key.outer_block);
  end if;
  return 'hmac:' || encode(sha256(key.outer_block || sha256(key.inner_block || convert_to(p_text, 'UTF8'))), 'hex');
end $$;
--> statement-breakpoint
-- An entry comes as its text, in which "\u0000p0" stands for the first of `people` and "\u0000b0" for the first of `bound`: no
-- text of a caller's can hold U+0000. A string is an entry as it is, of functions that are older than this.
create or replace function hotswap.append_audit(p_tenant text, p_bodies jsonb, p_at timestamptz) returns timestamptz
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  head hotswap.audit_heads;
  entry_text text;
  entry_hash bytea;
  entry_body text;
  given jsonb;
begin
  if p_bodies = '[]' then return p_at; end if;
  select * into head from hotswap.audit_heads h where h.tenant_id = p_tenant for update;
  if not found then
    insert into hotswap.audit_heads values (p_tenant, 0, decode(repeat('00', 32), 'hex'), p_at)
      on conflict do nothing;
    select * into strict head from hotswap.audit_heads h where h.tenant_id = p_tenant for update;
  end if;
  -- Another environment of the tenant may have come first with a later time: the chain never goes back.
  head.at := greatest(p_at, head.at);
  for nth in 0 .. jsonb_array_length(p_bodies) - 1 loop
    given := p_bodies -> nth;
    if jsonb_typeof(given) = 'string' then
      entry_body := given #>> '{}';
    else
      entry_body := given ->> 'text';
      for place in 0 .. jsonb_array_length(given -> 'people') - 1 loop
        entry_body := replace(entry_body, '"\u0000p' || place || '"',
          '"' || hotswap.audit_pseudonym(p_tenant, given -> 'people' ->> place) || '"');
      end loop;
      for place in 0 .. jsonb_array_length(given -> 'bound') - 1 loop
        entry_body := replace(entry_body, '"\u0000b' || place || '"',
          '"' || hotswap.audit_bound(p_tenant, given -> 'bound' ->> place) || '"');
      end loop;
    end if;
    head.seq := head.seq + 1;
    entry_text := '{"at":"' || to_char(head.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
      || '","body":' || entry_body || ',"seq":' || head.seq || '}';
    entry_hash := sha256('\x00'::bytea || head.hash || convert_to(entry_text, 'UTF8'));
    insert into hotswap.audit_entries (tenant_id, seq, at, body, prev, hash)
      values (p_tenant, head.seq, head.at, entry_body, head.hash, entry_hash);
    head.hash := entry_hash;
  end loop;
  update hotswap.audit_heads h set seq = head.seq, hash = head.hash, at = head.at where h.tenant_id = p_tenant;
  return head.at;
end $$;
--> statement-breakpoint
revoke all on function hotswap.audit_pseudonym, hotswap.audit_bound from public;
--> statement-breakpoint
grant execute on function hotswap.audit_pseudonym, hotswap.audit_bound to hotswap_app;
