CREATE SCHEMA "hotswap";
--> statement-breakpoint
CREATE TABLE "hotswap"."audit_entries" (
	"tenant_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamptz NOT NULL,
	"body" text NOT NULL,
	"prev" "bytea" NOT NULL,
	"hash" "bytea" NOT NULL,
	"actor" text GENERATED ALWAYS AS ((body::jsonb #>> '{actor,subject}')) STORED,
	"action" text GENERATED ALWAYS AS ((body::jsonb ->> 'action')) STORED,
	"target" text GENERATED ALWAYS AS ((body::jsonb ->> 'target')) STORED,
	CONSTRAINT "audit_entries_tenant_id_seq_pk" PRIMARY KEY("tenant_id","seq")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."audit_entries" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."audit_heads" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"seq" bigint NOT NULL,
	"hash" "bytea" NOT NULL,
	"at" timestamptz NOT NULL
);
--> statement-breakpoint
ALTER TABLE "hotswap"."audit_heads" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."changes" (
	"tenant_id" text NOT NULL,
	"change_id" text NOT NULL,
	"environment" text NOT NULL,
	"content" jsonb NOT NULL,
	"key_hashes" bigint[] NOT NULL,
	"state" text NOT NULL,
	"pending" boolean GENERATED ALWAYS AS (state in ('awaiting_approval', 'scheduled', 'rolling_out') or (status ? 'review' and not (status -> 'review') ? 'at')) STORED,
	"status" jsonb NOT NULL,
	"approvals" jsonb NOT NULL,
	"comments" jsonb NOT NULL,
	"versions" jsonb,
	"due_at" timestamptz,
	"updated_at" timestamptz NOT NULL,
	CONSTRAINT "changes_tenant_id_change_id_pk" PRIMARY KEY("tenant_id","change_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."changes" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."config_versions" (
	"tenant_id" text NOT NULL,
	"environment" text NOT NULL,
	"key" text NOT NULL,
	"version" integer NOT NULL,
	"change_id" text NOT NULL,
	"author" text NOT NULL,
	"reason" text,
	"edit" jsonb NOT NULL,
	"checksum" text NOT NULL,
	"at" timestamptz NOT NULL,
	CONSTRAINT "config_versions_tenant_id_environment_key_version_pk" PRIMARY KEY("tenant_id","environment","key","version")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."config_versions" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."epoch" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"epoch" integer DEFAULT 1 NOT NULL,
	CONSTRAINT "epoch_one_row" CHECK ("hotswap"."epoch"."only")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."epoch" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."idempotency_keys" (
	"tenant_id" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"status" integer NOT NULL,
	"headers" jsonb NOT NULL,
	"body" text NOT NULL,
	"stamps" jsonb NOT NULL,
	"at" timestamptz NOT NULL,
	"expires_at" timestamptz DEFAULT now() + interval '24 hours' NOT NULL,
	CONSTRAINT "idempotency_keys_tenant_id_key_pk" PRIMARY KEY("tenant_id","key")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."idempotency_keys" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."chunks" (
	"tenant_id" text NOT NULL,
	"chunk_id" text NOT NULL,
	"text" text NOT NULL,
	CONSTRAINT "chunks_tenant_id_chunk_id_pk" PRIMARY KEY("tenant_id","chunk_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."chunks" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."external_ids" (
	"tenant_id" text NOT NULL,
	"external_id" text NOT NULL,
	CONSTRAINT "external_ids_tenant_id_external_id_pk" PRIMARY KEY("tenant_id","external_id"),
	CONSTRAINT "external_ids_one_tenant" UNIQUE("external_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."external_ids" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."heads" (
	"tenant_id" text NOT NULL,
	"environment" text NOT NULL,
	"rev" bigint NOT NULL,
	CONSTRAINT "heads_tenant_id_environment_pk" PRIMARY KEY("tenant_id","environment")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."heads" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."outbox" (
	"tenant_id" text NOT NULL,
	"environment" text NOT NULL,
	"mark" uuid DEFAULT gen_random_uuid() NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "outbox_tenant_id_environment_pk" PRIMARY KEY("tenant_id","environment")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."outbox" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."pointers" (
	"tenant_id" text NOT NULL,
	"environment" text NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamptz NOT NULL,
	"tier" text,
	"stable" text NOT NULL,
	"stable_change_id" text,
	"candidate_release" text,
	"candidate_change_id" text,
	"candidate_step" integer,
	"candidate_weight_bp" integer,
	"change_id" text,
	"cause" text NOT NULL,
	CONSTRAINT "pointers_tenant_id_environment_seq_pk" PRIMARY KEY("tenant_id","environment","seq"),
	CONSTRAINT "pointers_one_at_a_time" UNIQUE("tenant_id","environment","at"),
	CONSTRAINT "pointers_whole_candidate" CHECK (num_nulls("hotswap"."pointers"."candidate_release", "hotswap"."pointers"."candidate_change_id", "hotswap"."pointers"."candidate_step", "hotswap"."pointers"."candidate_weight_bp") in (0, 4))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."pointers" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."releases" (
	"tenant_id" text NOT NULL,
	"release_id" text NOT NULL,
	"manifest" jsonb NOT NULL,
	"at" timestamptz DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "releases_tenant_id_release_id_pk" PRIMARY KEY("tenant_id","release_id")
);
--> statement-breakpoint
ALTER TABLE "hotswap"."releases" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."tenants" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"display_name" text,
	"admin_email" text,
	"tier" text,
	"status" text DEFAULT 'active' NOT NULL,
	"features" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"quotas" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"deployments" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamptz DEFAULT now() NOT NULL,
	"updated_at" timestamptz DEFAULT now() NOT NULL,
	CONSTRAINT "tenants_tier" CHECK (("hotswap"."tenants"."tenant_id" like '~%') = ("hotswap"."tenants"."tier" is null)),
	CONSTRAINT "tenants_tier_known" CHECK ("hotswap"."tenants"."tier" in ('Free', 'Pro', 'Enterprise')),
	CONSTRAINT "tenants_status_known" CHECK ("hotswap"."tenants"."status" in ('active', 'suspended', 'deleted'))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."tenants" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "hotswap"."tokens" (
	"tenant_id" text NOT NULL,
	"token_id" text NOT NULL,
	"kind" text NOT NULL,
	"subject" text NOT NULL,
	"roles" jsonb NOT NULL,
	"tenants" jsonb,
	"environment" text,
	"secret_hash" text,
	"issuer" jsonb NOT NULL,
	"created_at" timestamptz DEFAULT now() NOT NULL,
	"expires_at" timestamptz NOT NULL,
	"revoked_at" timestamptz,
	"revoked_by" text,
	CONSTRAINT "tokens_tenant_id_token_id_pk" PRIMARY KEY("tenant_id","token_id"),
	CONSTRAINT "tokens_secret" CHECK (("hotswap"."tokens"."kind" = 'api') = ("hotswap"."tokens"."secret_hash" is not null))
);
--> statement-breakpoint
ALTER TABLE "hotswap"."tokens" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "hotswap"."audit_entries" ADD CONSTRAINT "audit_entries_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."audit_heads" ADD CONSTRAINT "audit_heads_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."changes" ADD CONSTRAINT "changes_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."config_versions" ADD CONSTRAINT "config_versions_tenant_id_change_id_changes_tenant_id_change_id_fk" FOREIGN KEY ("tenant_id","change_id") REFERENCES "hotswap"."changes"("tenant_id","change_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."idempotency_keys" ADD CONSTRAINT "idempotency_keys_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."chunks" ADD CONSTRAINT "chunks_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."external_ids" ADD CONSTRAINT "external_ids_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."heads" ADD CONSTRAINT "heads_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."outbox" ADD CONSTRAINT "outbox_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."pointers" ADD CONSTRAINT "pointers_tenant_id_environment_heads_tenant_id_environment_fk" FOREIGN KEY ("tenant_id","environment") REFERENCES "hotswap"."heads"("tenant_id","environment") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."pointers" ADD CONSTRAINT "pointers_tenant_id_stable_releases_tenant_id_release_id_fk" FOREIGN KEY ("tenant_id","stable") REFERENCES "hotswap"."releases"("tenant_id","release_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."pointers" ADD CONSTRAINT "pointers_tenant_id_candidate_release_releases_tenant_id_release_id_fk" FOREIGN KEY ("tenant_id","candidate_release") REFERENCES "hotswap"."releases"("tenant_id","release_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."releases" ADD CONSTRAINT "releases_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "hotswap"."tokens" ADD CONSTRAINT "tokens_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "hotswap"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_entries_at" ON "hotswap"."audit_entries" USING btree ("tenant_id","at");--> statement-breakpoint
CREATE INDEX "audit_entries_target" ON "hotswap"."audit_entries" USING btree ("tenant_id","target","seq");--> statement-breakpoint
CREATE INDEX "changes_pending" ON "hotswap"."changes" USING btree ("tenant_id","environment") WHERE "hotswap"."changes"."pending";--> statement-breakpoint
CREATE INDEX "changes_listed" ON "hotswap"."changes" USING btree ("tenant_id","state","change_id");--> statement-breakpoint
CREATE INDEX "changes_due" ON "hotswap"."changes" USING btree ("due_at") WHERE "hotswap"."changes"."due_at" is not null;--> statement-breakpoint
CREATE INDEX "idempotency_keys_expiry" ON "hotswap"."idempotency_keys" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "outbox_oldest" ON "hotswap"."outbox" USING btree ("at");--> statement-breakpoint
CREATE INDEX "tokens_revoked_readers" ON "hotswap"."tokens" USING btree ("tenant_id") WHERE "hotswap"."tokens"."kind" = 'reader' and "hotswap"."tokens"."revoked_at" is not null;--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."audit_entries" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."audit_entries"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."audit_entries"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."audit_heads" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."audit_heads"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."audit_heads"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."changes" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."changes"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."changes"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."changes" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."config_versions" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."config_versions"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."config_versions"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "inherited" ON "hotswap"."config_versions" AS PERMISSIVE FOR SELECT TO "hotswap_app", "hotswap_read" USING ("hotswap"."config_versions"."tenant_id" like '~%' and "hotswap"."config_versions"."tenant_id" = any(string_to_array(current_setting('hotswap.read_scopes', true), ',')));--> statement-breakpoint
CREATE POLICY "everyone" ON "hotswap"."epoch" AS PERMISSIVE FOR SELECT TO "hotswap_app", "hotswap_read", "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."idempotency_keys" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."idempotency_keys"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."idempotency_keys"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."idempotency_keys" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."idempotency_keys" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."chunks" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."chunks"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."chunks"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "inherited" ON "hotswap"."chunks" AS PERMISSIVE FOR SELECT TO "hotswap_app", "hotswap_read" USING ("hotswap"."chunks"."tenant_id" like '~%' and "hotswap"."chunks"."tenant_id" = any(string_to_array(current_setting('hotswap.read_scopes', true), ',')));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."external_ids" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."external_ids"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."external_ids"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."external_ids" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."heads" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."heads"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."heads"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "inherited" ON "hotswap"."heads" AS PERMISSIVE FOR SELECT TO "hotswap_app", "hotswap_read" USING ("hotswap"."heads"."tenant_id" like '~%' and "hotswap"."heads"."tenant_id" = any(string_to_array(current_setting('hotswap.read_scopes', true), ',')));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."outbox" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."outbox"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."outbox"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."outbox" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "system_delete" ON "hotswap"."outbox" AS PERMISSIVE FOR DELETE TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."pointers" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."pointers"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."pointers"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "inherited" ON "hotswap"."pointers" AS PERMISSIVE FOR SELECT TO "hotswap_app", "hotswap_read" USING ("hotswap"."pointers"."tenant_id" like '~%' and "hotswap"."pointers"."tenant_id" = any(string_to_array(current_setting('hotswap.read_scopes', true), ',')));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."releases" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."releases"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."releases"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "inherited" ON "hotswap"."releases" AS PERMISSIVE FOR SELECT TO "hotswap_app", "hotswap_read" USING ("hotswap"."releases"."tenant_id" like '~%' and "hotswap"."releases"."tenant_id" = any(string_to_array(current_setting('hotswap.read_scopes', true), ',')));--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."tenants" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."tenants"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."tenants"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "system_select" ON "hotswap"."tenants" AS PERMISSIVE FOR SELECT TO "hotswap_system" USING (true);--> statement-breakpoint
CREATE POLICY "own_tenant" ON "hotswap"."tokens" AS PERMISSIVE FOR ALL TO "hotswap_app", "hotswap_read" USING ("hotswap"."tokens"."tenant_id" = nullif(current_setting('hotswap.tenant', true), '')) WITH CHECK ("hotswap"."tokens"."tenant_id" = nullif(current_setting('hotswap.tenant', true), ''));--> statement-breakpoint
CREATE POLICY "inherited" ON "hotswap"."tokens" AS PERMISSIVE FOR SELECT TO "hotswap_app", "hotswap_read" USING ("hotswap"."tokens"."tenant_id" like '~%' and "hotswap"."tokens"."tenant_id" = any(string_to_array(current_setting('hotswap.read_scopes', true), ',')) and "hotswap"."tokens"."kind" = 'reader' and "hotswap"."tokens"."revoked_at" is not null);