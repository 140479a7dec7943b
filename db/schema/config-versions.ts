import { foreignKey, integer, jsonb, primaryKey, text } from "drizzle-orm/pg-core"
import type { Edit } from "../../core/change/change.ts"
import { changes } from "./changes.ts"
import { environment, instant, tenantId } from "./columns.ts"
import { inheritedRows, ownRows } from "./policies.ts"
import { hotswap } from "./schema.ts"

/** Append-only: every value a key ever had, without gaps; a delete is a version without a value. */
export const configVersions = hotswap.table(
  "config_versions",
  {
    tenantId: tenantId(),
    environment: environment(),
    key: text("key").notNull(),
    version: integer("version").notNull(),
    changeId: text("change_id").notNull(),
    author: text("author").notNull(),
    reason: text("reason"),
    edit: jsonb("edit").$type<Edit>().notNull(),
    checksum: text("checksum").notNull(),
    at: instant("at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.environment, t.key, t.version] }),
    foreignKey({ columns: [t.tenantId, t.changeId], foreignColumns: [changes.tenantId, changes.changeId] }),
    ownRows(t.tenantId),
    inheritedRows(t.tenantId),
  ],
)
