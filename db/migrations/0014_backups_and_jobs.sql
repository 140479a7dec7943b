CREATE TABLE "hotswap"."backup_schedules" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"every_hours" integer,
	"keep_last" integer,
	"keep_daily" integer,
	"keep_weekly" integer,
	"keep_monthly" integer,
	"paused" boolean DEFAULT false NOT NULL,
	"next_due_at" timestamptz NOT NULL,
	"last_at" timestamptz,
	"failures" integer DEFAULT 0 NOT NULL,
	"planned_job" uuid,
	"removing_until" timestamptz,
	"retained_at" timestamptz,
	"updated_at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "backup_schedules_every" CHECK ("hotswap"."backup_schedules"."every_hours" between 1 and 8760),
	CONSTRAINT "backup_schedules_keep" CHECK ("hotswap"."backup_schedules"."keep_last" >= 1)
);
--> statement-breakpoint
ALTER TABLE "hotswap"."backup_schedules" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."backups" (
	"tenant_id" text NOT NULL,
	"backup_id" uuid NOT NULL,
	"source" text NOT NULL,
	"origin" text NOT NULL,
	"state" text NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	"created_by" text NOT NULL,
	"job_id" uuid,
	"schema_version" integer DEFAULT 0 NOT NULL,
	"revision" text,
	"fingerprint" "bytea",
	"manifest_hash" "bytea",
	"row_counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"parts" integer DEFAULT 0 NOT NULL,
	"plain_bytes" bigint DEFAULT 0 NOT NULL,
	"packed_bytes" bigint DEFAULT 0 NOT NULL,
	"written_bytes" bigint DEFAULT 0 NOT NULL,
	"locations" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"held" boolean DEFAULT false NOT NULL,
	"verified_at" timestamptz,
	"drilled_at" timestamptz,
	"removed_at" timestamptz,
	CONSTRAINT "backups_tenant_id_backup_id_pk" PRIMARY KEY("tenant_id","backup_id"),
	CONSTRAINT "backups_state_known" CHECK ("hotswap"."backups"."state" in ('writing', 'complete', 'removed')),
	CONSTRAINT "backups_origin_known" CHECK ("hotswap"."backups"."origin" in ('requested', 'scheduled', 'imported', 'hand_over')),
	CONSTRAINT "backups_of_the_scope" CHECK ("hotswap"."backups"."tenant_id" = "hotswap"."backups"."source" or "hotswap"."backups"."tenant_id" = '~platform')
);
--> statement-breakpoint
ALTER TABLE "hotswap"."backups" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."tenant_origins" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"how" text NOT NULL,
	"source" text NOT NULL,
	"backup_id" uuid NOT NULL,
	"job_id" uuid,
	"is_drill" boolean DEFAULT false NOT NULL,
	"result" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "tenant_origins_how_known" CHECK ("hotswap"."tenant_origins"."how" in ('restore', 'clone'))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."tenant_origins" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."jobs" (
	"tenant_id" text NOT NULL,
	"job_id" uuid DEFAULT uuidv7() NOT NULL,
	"kind" text NOT NULL,
	"params" jsonb NOT NULL,
	"state" text DEFAULT 'queued' NOT NULL,
	"progress" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"checkpoint" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"result" jsonb,
	"problem" jsonb,
	"created_at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	"created_by" jsonb NOT NULL,
	"due_at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	"lease_until" timestamptz,
	"worker" uuid,
	"attempts" integer DEFAULT 0 NOT NULL,
	"cancel_requested" boolean DEFAULT false NOT NULL,
	"started_at" timestamptz,
	"ended_at" timestamptz,
	CONSTRAINT "jobs_tenant_id_job_id_pk" PRIMARY KEY("tenant_id","job_id"),
	CONSTRAINT "jobs_state_known" CHECK ("hotswap"."jobs"."state" in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
	CONSTRAINT "jobs_ended" CHECK (("hotswap"."jobs"."state" in ('succeeded', 'failed', 'cancelled')) = ("hotswap"."jobs"."ended_at" is not null)),
	CONSTRAINT "jobs_problem" CHECK (("hotswap"."jobs"."state" = 'failed') = ("hotswap"."jobs"."problem" is not null))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."jobs" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."backup_schedules" ADD CONSTRAINT "backup_schedules_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."backups" ADD CONSTRAINT "backups_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."tenant_origins" ADD CONSTRAINT "tenant_origins_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."jobs" ADD CONSTRAINT "jobs_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "backup_schedules_due" ON "hotswap"."backup_schedules" USING btree ("next_due_at");--> statement-breakpoint
CREATE INDEX "backups_listed" ON "hotswap"."backups" USING btree ("at","tenant_id","backup_id");--> statement-breakpoint
CREATE INDEX "jobs_open" ON "hotswap"."jobs" USING btree ("due_at") WHERE "hotswap"."jobs"."state" in ('queued', 'running');--> statement-breakpoint
CREATE INDEX "jobs_failed" ON "hotswap"."jobs" USING btree ("ended_at") WHERE "hotswap"."jobs"."state" = 'failed';--> statement-breakpoint
CREATE INDEX "jobs_over" ON "hotswap"."jobs" USING btree ("ended_at") WHERE "hotswap"."jobs"."ended_at" is not null;--> statement-breakpoint
CREATE INDEX "jobs_listed" ON "hotswap"."jobs" USING btree ("tenant_id","kind","job_id");--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."backup_schedules" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."backup_schedules"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."backup_schedules"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."backup_schedules" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."backups" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."backups"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."backups"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."backups" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_drop" ON "hotswap"."backups" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING ("hotswap"."backups"."state" = 'removed' and "hotswap"."backups"."removed_at" < now() - interval '100 days');--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."tenant_origins" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."tenant_origins"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."tenant_origins"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."tenant_origins" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."jobs" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."jobs"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."jobs"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."jobs" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."jobs" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
alter table hotswap.jobs force row level security;--> statement-breakpoint
alter table hotswap.backups force row level security;--> statement-breakpoint
alter table hotswap.backup_schedules force row level security;--> statement-breakpoint
alter table hotswap.tenant_origins force row level security;--> statement-breakpoint
select hotswap.make_erasable(name) from unnest(array['jobs', 'backups', 'backup_schedules', 'tenant_origins']) name;--> statement-breakpoint
grant select, insert, update (state, progress, checkpoint, result, problem, due_at, lease_until, worker, attempts,
  cancel_requested, started_at, ended_at, created_by) on hotswap.jobs to hotswap_app;--> statement-breakpoint
grant select (tenant_id, job_id, kind, state, created_at, due_at, lease_until, attempts, ended_at), delete
  on hotswap.jobs to hotswap_system;--> statement-breakpoint
grant select, insert, update (state, at, created_by, schema_version, revision, fingerprint, manifest_hash, row_counts, parts,
  plain_bytes, packed_bytes, written_bytes, locations, held, verified_at, drilled_at, removed_at)
  on hotswap.backups to hotswap_app;--> statement-breakpoint
grant select on hotswap.backups to hotswap_system;--> statement-breakpoint
grant select, insert, update on hotswap.backup_schedules to hotswap_app;--> statement-breakpoint
grant select on hotswap.backup_schedules to hotswap_system;--> statement-breakpoint
grant select, insert on hotswap.tenant_origins to hotswap_app;--> statement-breakpoint
grant select on hotswap.tenant_origins to hotswap_system;--> statement-breakpoint
-- A tenant that is restored brings what was signed of its audit along.
grant insert on hotswap.audit_checkpoints, hotswap.audit_drops to hotswap_app;--> statement-breakpoint
-- Archives say which migration their rows were read under.
grant usage on schema hotswap_migrations to hotswap_app;--> statement-breakpoint
grant select on hotswap_migrations.__drizzle_migrations to hotswap_app;
