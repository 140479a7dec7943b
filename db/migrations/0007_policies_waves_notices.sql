CREATE TABLE "hotswap"."gate_baselines" (
	"tenant_id" text NOT NULL,
	"environment" text NOT NULL,
	"ok" double precision DEFAULT 0 NOT NULL,
	"errors" double precision DEFAULT 0 NOT NULL,
	"at" timestamptz NOT NULL,
	CONSTRAINT "gate_baselines_tenant_id_environment_pk" PRIMARY KEY("tenant_id","environment")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."gate_baselines" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."gate_readers" (
	"tenant_id" text NOT NULL,
	"environment" text NOT NULL,
	"instance" text NOT NULL,
	"token_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamptz NOT NULL,
	"change_id" text,
	"step" integer,
	"ok" bigint DEFAULT 0 NOT NULL,
	"errors" bigint DEFAULT 0 NOT NULL,
	"guards" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "gate_readers_tenant_id_environment_instance_pk" PRIMARY KEY("tenant_id","environment","instance")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."gate_readers" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."gate_tenants" (
	"tenant_id" text NOT NULL,
	"change_id" text NOT NULL,
	"unit" text NOT NULL,
	"reached" boolean NOT NULL,
	"before_ok" double precision DEFAULT 0 NOT NULL,
	"before_errors" double precision DEFAULT 0 NOT NULL,
	"earlier_ok" bigint DEFAULT 0 NOT NULL,
	"earlier_errors" bigint DEFAULT 0 NOT NULL,
	"step" integer NOT NULL,
	"step_since" timestamptz NOT NULL,
	"after_ok" bigint DEFAULT 0 NOT NULL,
	"after_errors" bigint DEFAULT 0 NOT NULL,
	"recent_ok" bigint DEFAULT 0 NOT NULL,
	"recent_errors" bigint DEFAULT 0 NOT NULL,
	"recent_since" timestamptz,
	"unusable" integer DEFAULT 0 NOT NULL,
	"instances" integer DEFAULT 0 NOT NULL,
	"failing" integer DEFAULT 0 NOT NULL,
	"last_at" timestamptz NOT NULL,
	"tier" text NOT NULL,
	"veteran" boolean DEFAULT false NOT NULL,
	CONSTRAINT "gate_tenants_tenant_id_change_id_unit_pk" PRIMARY KEY("tenant_id","change_id","unit")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."gate_tenants" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."channels" (
	"tenant_id" text NOT NULL,
	"channel_id" uuid NOT NULL,
	"environment" text,
	"type" text NOT NULL,
	"config" jsonb NOT NULL,
	"secret" text,
	"events" jsonb,
	"created_at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	"created_by" text NOT NULL,
	CONSTRAINT "channels_tenant_id_channel_id_pk" PRIMARY KEY("tenant_id","channel_id"),
	CONSTRAINT "channels_type_known" CHECK ("hotswap"."channels"."type" in ('webhook', 'slack', 'email'))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."channels" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."deliveries" (
	"tenant_id" text NOT NULL,
	"delivery_id" uuid DEFAULT uuidv7() NOT NULL,
	"channel_id" uuid NOT NULL,
	"environment" text NOT NULL,
	"type" text NOT NULL,
	"change_id" text NOT NULL,
	"detail" jsonb NOT NULL,
	"at" timestamptz NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"due_at" timestamptz,
	"last_error" text,
	"settled_at" timestamptz,
	CONSTRAINT "deliveries_tenant_id_delivery_id_pk" PRIMARY KEY("tenant_id","delivery_id"),
	CONSTRAINT "deliveries_state_known" CHECK ("hotswap"."deliveries"."state" in ('pending', 'delivered', 'dead'))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."deliveries" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."workflow_waits" (
	"tenant_id" text NOT NULL,
	"change_id" text NOT NULL,
	"task_token" text NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "workflow_waits_tenant_id_change_id_pk" PRIMARY KEY("tenant_id","change_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."workflow_waits" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."changes" ADD COLUMN "looks" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "hotswap"."heads" ADD COLUMN "policy" jsonb;--> statement-breakpoint
ALTER TABLE "hotswap"."pointers" ADD COLUMN "candidate_audience" jsonb;--> statement-breakpoint
ALTER TABLE "hotswap"."gate_baselines" ADD CONSTRAINT "gate_baselines_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."gate_readers" ADD CONSTRAINT "gate_readers_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."gate_tenants" ADD CONSTRAINT "gate_tenants_change" FOREIGN KEY ("tenant_id","change_id") REFERENCES "hotswap"."changes"("tenant_id","change_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."channels" ADD CONSTRAINT "channels_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."deliveries" ADD CONSTRAINT "deliveries_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."workflow_waits" ADD CONSTRAINT "workflow_waits_change" FOREIGN KEY ("tenant_id","change_id") REFERENCES "hotswap"."changes"("tenant_id","change_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "gate_readers_at" ON "hotswap"."gate_readers" USING btree ("at");--> statement-breakpoint
CREATE INDEX "deliveries_due" ON "hotswap"."deliveries" USING btree ("due_at" NULLS FIRST) WHERE "hotswap"."deliveries"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "deliveries_settled" ON "hotswap"."deliveries" USING btree ("settled_at") WHERE "hotswap"."deliveries"."settled_at" is not null;--> statement-breakpoint
ALTER TABLE "hotswap"."pointers" ADD CONSTRAINT "pointers_shared_audience" CHECK ("hotswap"."pointers"."candidate_audience" is null or ("hotswap"."pointers"."candidate_release" is not null and "hotswap"."pointers"."tenant_id" like '~%'));--> statement-breakpoint
CREATE POLICY "system_update" ON "hotswap"."changes" AS PERMISSIVE FOR UPDATE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."gate_instances" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."gate_instances" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."gate_baselines" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."gate_baselines"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."gate_baselines"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."gate_readers" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."gate_readers"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."gate_readers"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."gate_readers" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."gate_readers" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."gate_tenants" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."gate_tenants"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."gate_tenants"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."gate_tenants" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."gate_tenants" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."channels" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."channels"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."channels"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."deliveries" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."deliveries"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."deliveries"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."deliveries" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."deliveries" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."workflow_waits" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."workflow_waits"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."workflow_waits"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."workflow_waits" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."workflow_waits" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);