import { sql } from "drizzle-orm"
import { foreignKey, jsonb, primaryKey, text } from "drizzle-orm/pg-core"
import type { Manifest } from "../../core/release/release.ts"
import { instant, tenantId } from "./columns.ts"
import { inheritedRows, ownRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** Append-only: a release is named by the hash of its manifest. */
export const releases = hotswap.table(
  "releases",
  {
    tenantId: tenantId(),
    releaseId: text("release_id").notNull(),
    manifest: jsonb("manifest").$type<Manifest>().notNull(),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.releaseId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
    inheritedRows(t.tenantId),
  ],
)

/** Append-only: a chunk is named by the hash of its text, which is kept byte for byte. */
export const chunks = hotswap.table(
  "chunks",
  {
    tenantId: tenantId(),
    chunkId: text("chunk_id").notNull(),
    text: text("text").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.chunkId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
    inheritedRows(t.tenantId),
  ],
)
