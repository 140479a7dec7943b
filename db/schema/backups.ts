import { sql } from "drizzle-orm"
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgPolicy,
  primaryKey,
  text,
  uuid,
} from "drizzle-orm/pg-core"
import type { BackupOrigin, LocationStatus } from "../../core/backup/backup.ts"
import type { JsonObject } from "../../core/json.ts"
import { hash, instant, tenantId } from "./columns.ts"
import { ownRows, systemRows } from "./policies.ts"
import { hotswap, systemRole } from "./schema.ts"
import { tenants } from "./tenants.ts"

const count = (name: string) => bigint(name, { mode: "number" }).notNull().default(0)

/** Archives that were made or taken in here. What is in one, its manifest says; this is for lists, retention and drills. */
export const backups = hotswap.table(
  "backups",
  {
    /** Of one that came from elsewhere: `~platform`. */
    tenantId: tenantId(),
    /** Rises with time. */
    backupId: uuid("backup_id").notNull(),
    /** The scope whose rows are in it, which need not be here any more. */
    source: text("source").notNull(),
    origin: text("origin").$type<BackupOrigin>().notNull(),
    state: text("state").$type<"writing" | "complete" | "removed">().notNull(),
    /** The instant that the archive shows. */
    at: instant("at").notNull().default(sql`clock_timestamp()`),
    createdBy: text("created_by").notNull(),
    jobId: uuid("job_id"),
    /** The number of the migration that its rows were read under. */
    schemaVersion: integer("schema_version").notNull().default(0),
    revision: text("revision"),
    /** Two archives of one fingerprint hold the same rows. */
    fingerprint: hash("fingerprint"),
    manifestHash: hash("manifest_hash"),
    rowCounts: jsonb("row_counts").$type<Record<string, number>>().notNull().default({}),
    parts: integer("parts").notNull().default(0),
    plainBytes: count("plain_bytes"),
    packedBytes: count("packed_bytes"),
    /** Of these, what no earlier archive had stored already. */
    writtenBytes: count("written_bytes"),
    locations: jsonb("locations").$type<LocationStatus[]>().notNull().default([]),
    /** Retention leaves it alone. */
    held: boolean("held").notNull().default(false),
    /** When all of it was last read and found whole; when it was last restored for trial and found the same. */
    verifiedAt: instant("verified_at"),
    drilledAt: instant("drilled_at"),
    removedAt: instant("removed_at"),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.backupId] }),
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("backups_state_known", sql`${t.state} in ('writing', 'complete', 'removed')`),
    check("backups_origin_known", sql`${t.origin} in ('requested', 'scheduled', 'imported', 'hand_over')`),
    check("backups_of_the_scope", sql`${t.tenantId} = ${t.source} or ${t.tenantId} = '~platform'`),
    index("backups_listed").on(t.at, t.tenantId, t.backupId),
    ownRows(t.tenantId),
    // There is no configuration in it.
    systemRows(),
    // What was given up long ago, and is in no place any more.
    pgPolicy("system_drop", {
      as: "permissive",
      for: "delete",
      to: systemRole,
      using: sql`${t.state} = 'removed' and ${t.removedAt} < now() - interval '100 days'`,
    }),
  ],
)

/** How often a tenant is backed up and what is kept. Where a field is null the tier's default holds. */
export const backupSchedules = hotswap.table(
  "backup_schedules",
  {
    tenantId: tenantId().primaryKey(),
    everyHours: integer("every_hours"),
    keepLast: integer("keep_last"),
    keepDaily: integer("keep_daily"),
    keepWeekly: integer("keep_weekly"),
    keepMonthly: integer("keep_monthly"),
    paused: boolean("paused").notNull().default(false),
    nextDueAt: instant("next_due_at").notNull(),
    lastAt: instant("last_at"),
    /** In a row. */
    failures: integer("failures").notNull().default(0),
    /** The one that the planner made last, until it has seen how that ended. */
    plannedJob: uuid("planned_job"),
    /** Until then parts that no manifest names are taken away, and nothing new is written. */
    removingUntil: instant("removing_until"),
    /** When retention last looked. */
    retainedAt: instant("retained_at"),
    updatedAt: instant("updated_at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("backup_schedules_every", sql`${t.everyHours} between 1 and 8760`),
    check("backup_schedules_keep", sql`${t.keepLast} >= 1`),
    index("backup_schedules_due").on(t.nextDueAt),
    ownRows(t.tenantId),
    systemRows(),
  ],
)

/** Of a tenant that did not begin here empty: what it was made from. */
export const tenantOrigins = hotswap.table(
  "tenant_origins",
  {
    tenantId: tenantId().primaryKey(),
    how: text("how").$type<"restore" | "clone">().notNull(),
    source: text("source").notNull(),
    backupId: uuid("backup_id").notNull(),
    jobId: uuid("job_id"),
    /** A trial, which is removed again. */
    isDrill: boolean("is_drill").notNull().default(false),
    /** What was answered to whoever had it made: whoever repeats that is answered the same. */
    result: jsonb("result").$type<JsonObject>().notNull().default({}),
    at: instant("at").notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    foreignKey({ columns: [t.tenantId], foreignColumns: [tenants.tenantId] }),
    check("tenant_origins_how_known", sql`${t.how} in ('restore', 'clone')`),
    ownRows(t.tenantId),
    systemRows(),
  ],
)
