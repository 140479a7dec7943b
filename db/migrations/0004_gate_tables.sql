CREATE TABLE "hotswap"."gate_instances" (
	"tenant_id" text NOT NULL,
	"change_id" text NOT NULL,
	"step" integer NOT NULL,
	"instance" text NOT NULL,
	"token_id" text NOT NULL,
	"stable_ok" bigint DEFAULT 0 NOT NULL,
	"stable_errors" bigint DEFAULT 0 NOT NULL,
	"candidate_ok" bigint DEFAULT 0 NOT NULL,
	"candidate_errors" bigint DEFAULT 0 NOT NULL,
	"stable_seq" bigint,
	"candidate_seq" bigint,
	CONSTRAINT "gate_instances_tenant_id_change_id_step_instance_pk" PRIMARY KEY("tenant_id","change_id","step","instance")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."gate_instances" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."gate_steps" (
	"tenant_id" text NOT NULL,
	"change_id" text NOT NULL,
	"step" integer NOT NULL,
	"environment" text NOT NULL,
	"since" timestamptz NOT NULL,
	"stable_at" timestamptz,
	"candidate_at" timestamptz,
	"stable_guards" bigint DEFAULT 0 NOT NULL,
	"candidate_guards" bigint DEFAULT 0 NOT NULL,
	"stable_latency" bigint[] DEFAULT '{}' NOT NULL,
	"candidate_latency" bigint[] DEFAULT '{}' NOT NULL,
	"late" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "gate_steps_tenant_id_change_id_step_pk" PRIMARY KEY("tenant_id","change_id","step")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."gate_steps" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."gate_instances" ADD CONSTRAINT "gate_instances_step" FOREIGN KEY ("tenant_id","change_id","step") REFERENCES "hotswap"."gate_steps"("tenant_id","change_id","step") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."gate_steps" ADD CONSTRAINT "gate_steps_change" FOREIGN KEY ("tenant_id","change_id") REFERENCES "hotswap"."changes"("tenant_id","change_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."gate_instances" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."gate_instances"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."gate_instances"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."gate_steps" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."gate_steps"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."gate_steps"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));