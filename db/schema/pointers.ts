import { sql } from "drizzle-orm"
import { bigint, check, foreignKey, integer, jsonb, primaryKey, text, unique } from "drizzle-orm/pg-core"
import type { LayerPolicy } from "../../core/change/scope-state.ts"
import type { Audience } from "../../core/release/release.ts"
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
    /** The scope's own policy as its stable release holds it, copied so that all layers' are read at once. */
    policy: jsonb("policy").$type<Omit<LayerPolicy, "scope">>(),
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
    /** Of the platform and tiers: which tenants get the candidate besides the share, and which do not. */
    candidateAudience: jsonb("candidate_audience").$type<Audience>(),
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
    check(
      "pointers_shared_audience",
      sql`${t.candidateAudience} is null or (${t.candidateRelease} is not null and ${t.tenantId} like '~%')`,
    ),
    ownRows(t.tenantId),
    inheritedRows(t.tenantId),
  ],
)
