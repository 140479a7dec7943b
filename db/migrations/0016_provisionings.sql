CREATE TABLE "hotswap"."provisionings" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"revision" integer NOT NULL,
	"document" jsonb NOT NULL,
	"due_at" timestamptz,
	"updated_at" timestamptz DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "hotswap"."provisionings" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."provisionings" ADD CONSTRAINT "provisionings_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "provisionings_due" ON "hotswap"."provisionings" USING btree ("due_at") WHERE "hotswap"."provisionings"."due_at" is not null;--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."provisionings" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."provisionings"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."provisionings"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."provisionings" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."provisionings" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
alter table hotswap.provisionings force row level security;--> statement-breakpoint
select hotswap.make_erasable('provisionings');--> statement-breakpoint
grant select, insert, update (revision, document, due_at, updated_at) on hotswap.provisionings to hotswap_app;--> statement-breakpoint
grant select (tenant_id, due_at), update (due_at) on hotswap.provisionings to hotswap_system;
