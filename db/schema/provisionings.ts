import { sql } from "drizzle-orm"
import { foreignKey, index, integer, jsonb } from "drizzle-orm/pg-core"
import type { Json } from "../../core/json.ts"
import { instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/**
 * What is made for a tenant in the operator's cluster, and how far that is: a row for each tenant for whom anything ever was.
 * The platform's own row holds the template that plans are made of.
 */
export const provisionings = hotswap.table(
  "provisionings",
  {
    tenantId: tenantId().primaryKey(),
    /** Rises with whatever is altered of it: who decided on an older one writes nothing. */
    revision: integer("revision").notNull(),
    document: jsonb("document").$type<Json>().notNull(),
    /** When somebody is to go on with it; `null`: it waits for people, or is over. */
    dueAt: instant("due_at"),
    updatedAt: instant("updated_at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    index("provisionings_due").on(t.dueAt).where(sql`${t.dueAt} is not null`),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("update"),
  ],
)
