CREATE POLICY "named" ON "hotswap"."external_ids" AS PERMISSIVE FOR SELECT TO "hotswap_read" USING ("hotswap"."external_ids"."external_id" = nullif(current_setting('hotswap.external_id', true), ''));--> statement-breakpoint
grant select on hotswap.external_ids to hotswap_read;
