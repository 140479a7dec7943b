import { sql } from "drizzle-orm"
import { bigint, check, foreignKey, integer, primaryKey, text, unique } from "drizzle-orm/pg-core"
import { environment, instant, tenantId } from "./columns.ts"
import { inheritedRows, ownRows } from "./policies.ts"
import { releases } from "./releases.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/** The optimistic lock of a scope × environment: `rev` rises with every commit. */
export const heads = hotswap.table(
  "heads",
  {
    tenantId: tenantId(),
    environment: environment(),
    rev: bigint("rev", { mode: "number" }).notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.environment] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
    inheritedRows(t.tenantId),
  ],
)

/** Append-only history; the pointer of a scope × environment is its last row. */
export const pointers = hotswap.table(
  "pointers",
  {
    tenantId: tenantId(),
    environment: environment(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    at: instant("at").notNull(),
    /** A tenant's tier from then on, so that a read "as of" finds the tier it had. */
    tier: text("tier"),
    stable: text("stable").notNull(),
    stableChangeId: text("stable_change_id"),
    candidateRelease: text("candidate_release"),
    candidateChangeId: text("candidate_change_id"),
    candidateStep: integer("candidate_step"),
    candidateWeightBp: integer("candidate_weight_bp"),
    /** Why it moved. */
    changeId: text("change_id"),
    cause: text("cause").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.environment, t.seq] }),
    unique("pointers_one_at_a_time").on(t.tenantId, t.environment, t.at),
    foreignKey({ columns: [t.tenantId, t.environment], foreignColumns: [heads.tenantId, heads.environment] }),
    foreignKey({ columns: [t.tenantId, t.stable], foreignColumns: [releases.tenantId, releases.releaseId] }),
    foreignKey({
      columns: [t.tenantId, t.candidateRelease],
      foreignColumns: [releases.tenantId, releases.releaseId],
    }),
    check(
      "pointers_whole_candidate",
      sql`num_nulls(${t.candidateRelease}, ${t.candidateChangeId}, ${t.candidateStep}, ${t.candidateWeightBp}) in (0, 4)`,
    ),
    ownRows(t.tenantId),
    inheritedRows(t.tenantId),
  ],
)
