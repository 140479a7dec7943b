CREATE TABLE "hotswap"."data_keys" (
	"tenant_id" text NOT NULL,
	"realm" text NOT NULL,
	"generation" integer NOT NULL,
	"wrapped" "bytea",
	"wrapped_by" text NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "data_keys_tenant_id_realm_generation_pk" PRIMARY KEY("tenant_id","realm","generation"),
	CONSTRAINT "data_keys_generation" CHECK ("hotswap"."data_keys"."generation" >= 1)
);
--> statement-breakpoint
ALTER TABLE "hotswap"."data_keys" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."secret_values" (
	"tenant_id" text NOT NULL,
	"environment" text NOT NULL,
	"key" text NOT NULL,
	"version" integer NOT NULL,
	"generation" integer NOT NULL,
	"sealed" "bytea" NOT NULL,
	"copied_environment" text,
	"copied_version" integer,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "secret_values_tenant_id_environment_key_version_pk" PRIMARY KEY("tenant_id","environment","key","version"),
	CONSTRAINT "secret_values_copied" CHECK (num_nulls("hotswap"."secret_values"."copied_environment", "hotswap"."secret_values"."copied_version") in (0, 2))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."secret_values" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."channels" ADD COLUMN "generation" integer GENERATED ALWAYS AS (case when secret is null then null when secret like 'hs1.%' then split_part(secret, '.', 2)::int else 0 end) STORED;--> statement-breakpoint
ALTER TABLE "hotswap"."data_keys" ADD CONSTRAINT "data_keys_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."secret_values" ADD CONSTRAINT "secret_values_data_key" FOREIGN KEY ("tenant_id","environment","generation") REFERENCES "hotswap"."data_keys"("tenant_id","realm","generation") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."channels" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."data_keys" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."data_keys"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."data_keys"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."data_keys" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."secret_values" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."secret_values"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."secret_values"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."secret_values" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
alter table hotswap.data_keys force row level security;--> statement-breakpoint
alter table hotswap.secret_values force row level security;--> statement-breakpoint
grant select, insert, update (wrapped, wrapped_by) on hotswap.data_keys to hotswap_app;--> statement-breakpoint
grant select, insert, update (generation, sealed) on hotswap.secret_values to hotswap_app;--> statement-breakpoint
grant select (tenant_id, realm, generation, wrapped_by) on hotswap.data_keys to hotswap_system;--> statement-breakpoint
grant select (tenant_id, environment, generation) on hotswap.secret_values to hotswap_system;--> statement-breakpoint
grant select (tenant_id, generation) on hotswap.channels to hotswap_system;
