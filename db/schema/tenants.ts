import { sql } from "drizzle-orm"
import { check, foreignKey, integer, jsonb, primaryKey, text, unique } from "drizzle-orm/pg-core"
import type { Json } from "../../core/json.ts"
import { instant, tenantId } from "./columns.ts"
import { ownRows, rowNamed, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"

/** Every scope: the tenants, and one row each for the platform and the tiers, which have no tier themselves. */
export const tenants = hotswap.table(
  "tenants",
  {
    tenantId: tenantId().primaryKey(),
    name: text("name").notNull(),
    displayName: text("display_name"),
    adminEmail: text("admin_email"),
    tier: text("tier", { enum: ["Free", "Pro", "Enterprise"] }),
    /** A deleted tenant's row stays, so that its id is never given out again. */
    status: text("status", { enum: ["active", "suspended", "deleted"] })
      .notNull()
      .default("active"),
    features: jsonb("features").$type<Record<string, Json>>().notNull().default({}),
    quotas: jsonb("quotas").$type<Record<string, Json>>().notNull().default({}),
    deployments: jsonb("deployments").$type<Json>().notNull().default({}),
    /** Rises with every update; its ETag. */
    version: integer("version").notNull().default(1),
    createdAt: instant("created_at").notNull().default(sql`now()`),
    updatedAt: instant("updated_at").notNull().default(sql`now()`),
  },
  (t) => [
    check("tenants_tier", sql`(${t.tenantId} like '~%') = (${t.tier} is null)`),
    check("tenants_tier_known", sql`${t.tier} in ('Free', 'Pro', 'Enterprise')`),
    check("tenants_status_known", sql`${t.status} in ('active', 'suspended', 'deleted')`),
    ownRows(t.tenantId),
    systemRows(),
  ],
)

/**
 * Names a tenant has elsewhere, such as a guild's id. The one unique constraint in the schema that does not begin
 * with the tenant: an external id must lead to one tenant, so it has to be unique across them. Only the system
 * role can look through them; the read role finds the one it names, and a tenant learns no more than that an id it
 * asked for is taken.
 */
export const externalIds = hotswap.table(
  "external_ids",
  {
    tenantId: tenantId(),
    externalId: text("external_id").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.externalId] }),
    unique("external_ids_one_tenant").on(t.externalId),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
    rowNamed(t.externalId),
    systemRows(),
  ],
)
