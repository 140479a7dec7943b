CREATE TABLE "hotswap"."erasures" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"requested_at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	"requested_by" text NOT NULL,
	"due_at" timestamptz NOT NULL,
	"evidence" jsonb,
	"counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"outside" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"erased_at" timestamptz,
	"certificate" text,
	CONSTRAINT "erasures_certified" CHECK (num_nulls("hotswap"."erasures"."erased_at", "hotswap"."erasures"."certificate") in (0, 2))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."erasures" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."report_reviews" (
	"tenant_id" text NOT NULL,
	"review_id" uuid NOT NULL,
	"report" text NOT NULL,
	"from_at" timestamptz NOT NULL,
	"to_at" timestamptz NOT NULL,
	"through_seq" bigint NOT NULL,
	"items" integer NOT NULL,
	"by" text NOT NULL,
	"comment" text,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "report_reviews_tenant_id_review_id_pk" PRIMARY KEY("tenant_id","review_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."report_reviews" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."report_reviews" ADD CONSTRAINT "report_reviews_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."erasures" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."erasures"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."erasures"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."erasures" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."erasures" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."report_reviews" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."report_reviews"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."report_reviews"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
-- What was deleted before has its time of grace from now on.
alter table hotswap.tenants no force row level security;--> statement-breakpoint
insert into hotswap.erasures (tenant_id, requested_by, due_at)
  select tenant_id, 'startup', clock_timestamp() + interval '7 days' from hotswap.tenants where status = 'deleted';--> statement-breakpoint
alter table hotswap.tenants force row level security;--> statement-breakpoint
alter table hotswap.erasures force row level security;--> statement-breakpoint
alter table hotswap.report_reviews force row level security;--> statement-breakpoint
grant select, insert, update (due_at, erased_at, certificate) on hotswap.erasures to hotswap_app;--> statement-breakpoint
grant select, update (evidence, counts, outside) on hotswap.erasures to hotswap_system;--> statement-breakpoint
grant select, insert, update (by, comment) on hotswap.report_reviews to hotswap_app;--> statement-breakpoint
grant select (hash) on hotswap.audit_heads to hotswap_system;--> statement-breakpoint
-- What belongs to a tenant can be destroyed with it, by the system role, which sees of such rows only their keys, and
-- only once the erasure is due and has begun. For every table made later, too: a test finds the one that was forgotten.
create function hotswap.make_erasable(p_table text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare keys text;
begin
  select string_agg(quote_ident(a.attname), ', ') into strict keys
    from pg_constraint k cross join unnest(k.conkey) n
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n
    where k.conrelid = format('hotswap.%I', p_table)::regclass and k.contype = 'p';
  execute format('create policy system_erase on hotswap.%I for all to hotswap_system
    using (tenant_id in (select e.tenant_id from hotswap.erasures e
      where e.due_at <= now() and e.erased_at is null and e.evidence is not null))
    with check (false)', p_table);
  execute format('grant select (%s), delete on hotswap.%I to hotswap_system', keys, p_table);
end $$;
--> statement-breakpoint
do $$
declare name text;
begin
  for name in select table_name from information_schema.columns
      where table_schema = 'hotswap' and column_name = 'tenant_id' and table_name <> 'erasures' order by 1 loop
    perform hotswap.make_erasable(name);
  end loop;
end $$;
--> statement-breakpoint
-- The content of a change and of a version stays what it was, but for the names of people in it: these are theirs to
-- have taken out.
create function hotswap.without_names(p_content jsonb) returns jsonb
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select (p_content - 'author' - 'comment' - 'owner') || case when p_content ? 'edits'
    then jsonb_build_object('edits', (select coalesce(jsonb_agg(e - 'owner' order by n), '[]')
      from jsonb_array_elements(p_content -> 'edits') with ordinality l (e, n)))
    else '{}' end
$$;
--> statement-breakpoint
create function hotswap.names_only() returns trigger
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if hotswap.without_names(to_jsonb(new) -> tg_argv[0]) is distinct from hotswap.without_names(to_jsonb(old) -> tg_argv[0]) then
    raise exception 'what a % holds is not altered', tg_table_name using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
--> statement-breakpoint
create trigger changes_names_only before update of content on hotswap.changes
  for each row execute function hotswap.names_only('content');--> statement-breakpoint
create trigger config_versions_names_only before update of edit on hotswap.config_versions
  for each row execute function hotswap.names_only('edit');--> statement-breakpoint
grant update (content) on hotswap.changes to hotswap_app;--> statement-breakpoint
grant update (author, reason, edit) on hotswap.config_versions to hotswap_app;--> statement-breakpoint
grant update (subject, issuer) on hotswap.tokens to hotswap_app;--> statement-breakpoint
grant update (created_by) on hotswap.channels to hotswap_app;--> statement-breakpoint
grant update (detail) on hotswap.deliveries to hotswap_app;--> statement-breakpoint
-- New functions belong to everyone until that is taken away.
revoke execute on all functions in schema hotswap from public;--> statement-breakpoint
grant execute on function hotswap.without_names to hotswap_app;
