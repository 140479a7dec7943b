import { sql } from "drizzle-orm"
import { bigint, check, foreignKey, integer, jsonb, primaryKey, text, uuid } from "drizzle-orm/pg-core"
import type { JsonObject } from "../../core/json.ts"
import type { ErasureEvidence } from "../../core/report/certificate.ts"
import { instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap } from "./schema.ts"
import { tenants } from "./tenants.ts"

/**
 * That a tenant was deleted, when all of it is to be destroyed, and how far that has got. What stays of an erased
 * tenant: its id, so that it is not given out again, and the certificate. So it leads to no tenant by a foreign key.
 */
export const erasures = hotswap.table(
  "erasures",
  {
    tenantId: tenantId().primaryKey(),
    requestedAt: instant("requested_at").notNull().default(sql`clock_timestamp()`),
    /** The token, which the platform's audit knows the holder of. */
    requestedBy: text("requested_by").notNull(),
    dueAt: instant("due_at").notNull(),
    /** What is told of its audit when the entries are gone; set before anything is destroyed. */
    evidence: jsonb("evidence").$type<ErasureEvidence>(),
    /** Rows destroyed by table, raised by the very transaction that destroys them. */
    counts: jsonb("counts").$type<Record<string, number>>().notNull().default({}),
    /** What was destroyed outside the database. */
    outside: jsonb("outside").$type<JsonObject>().notNull().default({}),
    erasedAt: instant("erased_at"),
    certificate: text("certificate"),
  },
  (t) => [
    check("erasures_certified", sql`num_nulls(${t.erasedAt}, ${t.certificate}) in (0, 2)`),
    // The platform and the tiers are nobody's to destroy.
    check("erasures_of_tenants", sql`${t.tenantId} not like '~%'`),
    ownRows(t.tenantId),
    systemRows(),
    systemRows("update"),
  ],
)

/** That somebody of compliance has looked through a report. */
export const reportReviews = hotswap.table(
  "report_reviews",
  {
    tenantId: tenantId(),
    reviewId: uuid("review_id").notNull(),
    report: text("report", { enum: ["soc2", "gdpr", "hipaa"] }).notNull(),
    /** The period that was looked at. */
    fromAt: instant("from_at").notNull(),
    toAt: instant("to_at").notNull(),
    /** The last entry of the audit that there was then. */
    throughSeq: bigint("through_seq", { mode: "number" }).notNull(),
    /** How much the report told of. */
    items: integer("items").notNull(),
    by: text("by").notNull(),
    comment: text("comment"),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.reviewId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    ownRows(t.tenantId),
  ],
)
