CREATE TABLE "hotswap"."deployment_states" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"vouched" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"statuses" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"checked_at" timestamptz,
	"due_at" timestamptz DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "hotswap"."deployment_states" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."deployment_states" ADD CONSTRAINT "deployment_states_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "deployment_states_due" ON "hotswap"."deployment_states" USING btree ("due_at");--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."deployment_states" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."deployment_states"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."deployment_states"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."deployment_states" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."deployment_states" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
alter table hotswap.deployment_states force row level security;--> statement-breakpoint
select hotswap.make_erasable('deployment_states');--> statement-breakpoint
grant select, insert, update (vouched, statuses, checked_at, due_at), delete on hotswap.deployment_states to hotswap_app;--> statement-breakpoint
grant select (tenant_id, due_at), update (due_at) on hotswap.deployment_states to hotswap_system;--> statement-breakpoint
CREATE TABLE "hotswap"."tenant_events" (
	"tenant_id" text NOT NULL,
	"event_id" text NOT NULL,
	"type" text NOT NULL,
	"at" timestamptz NOT NULL,
	"received_at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	"user_id" text,
	"data" jsonb NOT NULL,
	"counted" boolean DEFAULT false NOT NULL,
	CONSTRAINT "tenant_events_tenant_id_event_id_pk" PRIMARY KEY("tenant_id","event_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."tenant_events" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."usage_meters" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"labelled" boolean DEFAULT false NOT NULL,
	"window_at" timestamptz,
	"refused" integer DEFAULT 0 NOT NULL,
	"told" boolean DEFAULT false NOT NULL,
	"measured_at" timestamptz
);
--> statement-breakpoint
ALTER TABLE "hotswap"."usage_meters" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."usage_metrics" (
	"tenant_id" text NOT NULL,
	"metric" text NOT NULL,
	"labels" text NOT NULL,
	"value" double precision DEFAULT 0 NOT NULL,
	"buckets" bigint[],
	"until" timestamptz,
	CONSTRAINT "usage_metrics_tenant_id_metric_labels_pk" PRIMARY KEY("tenant_id","metric","labels")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."usage_metrics" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."usage_requests" (
	"tenant_id" text NOT NULL,
	"day" date NOT NULL,
	"route" text NOT NULL,
	"method" text NOT NULL,
	"status" integer NOT NULL,
	"user_id" text NOT NULL,
	"count" bigint DEFAULT 0 NOT NULL,
	"duration_ms" double precision DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_requests_tenant_id_day_route_method_status_user_id_pk" PRIMARY KEY("tenant_id","day","route","method","status","user_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."usage_requests" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."usage_slots" (
	"tenant_id" text NOT NULL,
	"slot" timestamptz NOT NULL,
	"kind" text NOT NULL,
	"count" bigint DEFAULT 0 NOT NULL,
	"failed" bigint DEFAULT 0 NOT NULL,
	"amount_cents" bigint DEFAULT 0 NOT NULL,
	"duration_ms" double precision DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_slots_tenant_id_slot_kind_pk" PRIMARY KEY("tenant_id","slot","kind")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."usage_slots" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."usage_sources" (
	"tenant_id" text NOT NULL,
	"instance" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "usage_sources_tenant_id_instance_pk" PRIMARY KEY("tenant_id","instance")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."usage_sources" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."usage_users" (
	"tenant_id" text NOT NULL,
	"day" date NOT NULL,
	"user_key" "bytea" NOT NULL,
	CONSTRAINT "usage_users_tenant_id_day_user_key_pk" PRIMARY KEY("tenant_id","day","user_key")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."usage_users" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."tenant_events" ADD CONSTRAINT "tenant_events_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."usage_meters" ADD CONSTRAINT "usage_meters_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."usage_metrics" ADD CONSTRAINT "usage_metrics_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."usage_requests" ADD CONSTRAINT "usage_requests_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."usage_slots" ADD CONSTRAINT "usage_slots_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."usage_sources" ADD CONSTRAINT "usage_sources_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."usage_users" ADD CONSTRAINT "usage_users_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "tenant_events_uncounted" ON "hotswap"."tenant_events" USING btree ("received_at") WHERE not "hotswap"."tenant_events"."counted";--> statement-breakpoint
CREATE INDEX "tenant_events_old" ON "hotswap"."tenant_events" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "tenant_events_of_user" ON "hotswap"."tenant_events" USING btree ("tenant_id","user_id") WHERE "hotswap"."tenant_events"."user_id" is not null;--> statement-breakpoint
CREATE INDEX "usage_meters_labelled" ON "hotswap"."usage_meters" USING btree ("measured_at") WHERE "hotswap"."usage_meters"."labelled";--> statement-breakpoint
CREATE INDEX "usage_metrics_scraped" ON "hotswap"."usage_metrics" USING btree ("metric","tenant_id","labels");--> statement-breakpoint
CREATE INDEX "usage_requests_old" ON "hotswap"."usage_requests" USING btree ("day");--> statement-breakpoint
CREATE INDEX "usage_slots_old" ON "hotswap"."usage_slots" USING btree ("slot");--> statement-breakpoint
CREATE INDEX "usage_users_of_key" ON "hotswap"."usage_users" USING btree ("tenant_id","user_key");--> statement-breakpoint
CREATE INDEX "usage_users_old" ON "hotswap"."usage_users" USING btree ("day");--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."tenant_events" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."tenant_events"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."tenant_events"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."tenant_events" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."tenant_events" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."tenant_events" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."tenant_events" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."usage_meters" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."usage_meters"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."usage_meters"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."usage_meters" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."usage_meters" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."usage_meters" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."usage_metrics" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."usage_metrics"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."usage_metrics"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."usage_metrics" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."usage_metrics" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."usage_metrics" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."usage_requests" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."usage_requests"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."usage_requests"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."usage_requests" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."usage_requests" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."usage_requests" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."usage_requests" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."usage_slots" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."usage_slots"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."usage_slots"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."usage_slots" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."usage_slots" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."usage_slots" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."usage_slots" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."usage_sources" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."usage_sources"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."usage_sources"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."usage_sources" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."usage_sources" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."usage_sources" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."usage_sources" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."usage_users" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."usage_users"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."usage_users"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."usage_users" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."usage_users" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_insert" ON "hotswap"."usage_users" AS PERMISSIVE FOR INSERT TO "hotswap_system" WITH CHECK (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."usage_users" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
-- Written by hand from here on: drizzle-kit knows neither FORCE nor grants nor functions.
do $$
declare name text;
begin
  foreach name in array array['tenant_events', 'usage_slots', 'usage_requests', 'usage_users', 'usage_metrics',
      'usage_meters', 'usage_sources'] loop
    execute format('alter table hotswap.%I force row level security', name);
    perform hotswap.make_erasable(name);
  end loop;
end $$;
--> statement-breakpoint
-- What is told is kept by a tenant's own role, which alters no more of it than names; what it comes to is added up by the
-- system role, of all tenants at once, and by nobody else.
grant select, insert, update (user_id) on hotswap.tenant_events to hotswap_app;
--> statement-breakpoint
grant select on hotswap.usage_slots, hotswap.usage_metrics, hotswap.usage_meters to hotswap_app;
--> statement-breakpoint
-- Erasing a person takes a row away and adds what it counted to another.
grant select, insert, delete, update (count, duration_ms) on hotswap.usage_requests to hotswap_app;
--> statement-breakpoint
grant select, insert, delete on hotswap.usage_users to hotswap_app;
--> statement-breakpoint
grant select (type, at, received_at, user_id, data, counted), insert, update (counted) on hotswap.tenant_events to hotswap_system;
--> statement-breakpoint
grant select, insert, update (count, failed, amount_cents, duration_ms) on hotswap.usage_slots to hotswap_system;
--> statement-breakpoint
grant select, insert, update (count, duration_ms) on hotswap.usage_requests to hotswap_system;
--> statement-breakpoint
grant insert on hotswap.usage_users to hotswap_system;
--> statement-breakpoint
grant select, insert, update (value, buckets, until) on hotswap.usage_metrics to hotswap_system;
--> statement-breakpoint
grant select, insert, update (labelled, window_at, refused, told, measured_at) on hotswap.usage_meters to hotswap_system;
--> statement-breakpoint
grant select, insert, update (seq, at) on hotswap.usage_sources to hotswap_system;
--> statement-breakpoint
-- Keeps what was told of one tenant, in one round trip: what of it is new. Null: there is no such tenant.
create function hotswap.record_events(p_scope text, p_token text, p_events jsonb) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  tenant_status text;
  kept integer;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  perform set_config('hotswap.read_scopes', '~platform', true);
  select t.status into tenant_status from hotswap.tenants t where t.tenant_id = p_scope and t.status <> 'deleted';
  if not found then return null; end if;
  if tenant_status <> 'active' then return json_build_object('refused', tenant_status); end if;
  if exists (select from hotswap.tokens k where k.tenant_id in (p_scope, '~platform') and k.token_id = p_token
      and k.revoked_at is not null) then
    return json_build_object('refused', 'revoked');
  end if;
  -- In one order, so that two who tell the same do not wait for each other.
  insert into hotswap.tenant_events (tenant_id, event_id, type, at, user_id, data)
    select p_scope, e.id, e.type, e.at, e."userId", e.data
    from jsonb_to_recordset(p_events) as e (id text, type text, at timestamptz, "userId" text, data jsonb)
    order by e.id
    on conflict do nothing;
  get diagnostics kept = row_count;
  return json_build_object('kept', kept);
end $$;
--> statement-breakpoint
create function hotswap.add_buckets(one bigint[], other bigint[]) returns bigint[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case when one is null then other when other is null then one else
    array(select coalesce(a, 0) + coalesce(b, 0)
      from unnest(one, other) with ordinality as t (a, b, nth) order by nth) end
$$;
--> statement-breakpoint
-- About how many bytes the rows are that a tenant has in the tables whose rows its role may read: of each the average of a
-- thousand, times how many there are, up to a million. Without indexes.
create function hotswap.measure_rows(p_scope text) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  name text;
  columns text;
  sizes text;
  many bigint;
  one double precision;
  bytes double precision := 0;
begin
  perform set_config('hotswap.tenant', p_scope, true);
  for name, columns, sizes in
    select c.relname, string_agg(quote_ident(a.attname), ', '),
      string_agg(format('coalesce(pg_column_size(t.%I), 0)', a.attname), ' + ')
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'hotswap'::regnamespace and c.relkind = 'r' and has_column_privilege(a.attrelid, a.attnum, 'SELECT')
    group by c.relname having bool_or(a.attname = 'tenant_id')
  loop
    execute format('select count(*) from (select from hotswap.%I t where t.tenant_id = $1 limit 1000000) t', name)
      into many using p_scope;
    continue when many = 0;
    -- A row has a header and a place in its page besides.
    execute format('select avg(28 + %s) from (select %s from hotswap.%I t where t.tenant_id = $1 limit 1000) t',
      sizes, columns, name) into one using p_scope;
    bytes := bytes + many * one;
  end loop;
  return round(bytes);
end $$;
--> statement-breakpoint
-- contract: new functions belong to everyone until that is taken away; nobody has used these yet
revoke execute on function hotswap.record_events, hotswap.add_buckets, hotswap.measure_rows from public;
--> statement-breakpoint
grant execute on function hotswap.record_events, hotswap.measure_rows to hotswap_app;
--> statement-breakpoint
grant execute on function hotswap.add_buckets to hotswap_system;
