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
grant select (tenant_id, due_at), update (due_at) on hotswap.deployment_states to hotswap_system;
