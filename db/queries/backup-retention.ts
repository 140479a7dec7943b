import { and, eq, inArray, ne, or, sql } from "drizzle-orm"
import type { AuditBody } from "../../core/audit/entry.ts"
import { homeOf, isBroken } from "../../core/backup/backup.ts"
import type { KeptArchive } from "../../core/backup/retention.ts"
import type { Instant } from "../../core/change/change.ts"
import { backupIdOf, PLATFORM, type ScopeId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import type { Database } from "../client.ts"
import { backupSchedules, backups } from "../schema/backups.ts"
import { jobs } from "../schema/jobs.ts"
import { type TenantTx, withTenant } from "../tenant.ts"
import { appendAudit } from "./audit.ts"
import { heldSchedule, isFree, type KeptSchedule } from "./backup-schedules.ts"
import type { BackupRow } from "./backups.ts"

/** How long what is unneeded may be taken away without saying again that it still is. */
export const REMOVING_MINUTES = 10
/** An archive that is taken in part by part, by nobody's job, is given up after so long. */
const ABANDONED_HOURS = 24

/** What retention does with a scope, decided under a lock. */
export interface Retained {
  /** Gone from now on for everybody, though still in the store. */
  removed: string[]
  /** Unfinished, and nobody goes on with it. */
  abandoned: string[]
  /**
   * Said while nobody writes there: until then nobody begins to. `null`: an archive is being written, so nothing may be taken out of the
   * store now, as it may rest on any part.
   */
  lease: Instant | null
}

type Choose = (archives: readonly KeptArchive[], own: KeptSchedule, nowMs: number) => readonly KeptArchive[]

/**
 * Rows whose blobs are in the scope's folder: its own, and those taken in as the platform's before it was here. Of those that were
 * removed, which may be many, only these.
 */
const rowsOf = async (tx: TenantTx, removed: readonly string[] = []): Promise<BackupRow[]> => {
  const isWanted = or(
    ne(backups.state, "removed"),
    removed.length === 0 ? undefined : inArray(backups.backupId, [...removed]),
  )
  const ofScope = (own: TenantTx) =>
    own.db
      .select()
      .from(backups)
      .where(
        and(
          eq(backups.tenantId, own.scope),
          eq(backups.source, tx.scope),
          ne(backups.origin, "hand_over"),
          isWanted,
        ),
      )
  const own = (await ofScope(tx)) as BackupRow[]
  if (tx.scope === PLATFORM) {
    const imported = await tx.db
      .select()
      .from(backups)
      .where(
        and(
          eq(backups.tenantId, PLATFORM),
          ne(backups.source, PLATFORM),
          eq(backups.origin, "imported"),
          isWanted,
        ),
      )
    return [...own, ...(imported as BackupRow[])]
  }
  const adopted = (await tx.as(PLATFORM, ofScope)) as BackupRow[]
  return [...own, ...adopted].filter((row) => homeOf(row) === tx.scope)
}

interface OpenJob {
  jobId: string
  text: string
}

const openJobs = async (tx: TenantTx): Promise<OpenJob[]> => {
  const find = (own: TenantTx) =>
    own.db
      .select({ jobId: jobs.jobId, text: sql<string>`${jobs.params}::text || ${jobs.checkpoint}::text` })
      .from(jobs)
      .where(and(eq(jobs.tenantId, own.scope), inArray(jobs.state, ["queued", "running"])))
  const own = await find(tx)
  return tx.scope === PLATFORM ? own : [...own, ...(await tx.as(PLATFORM, find))]
}

/** Does a job that is not over name it? By its id as it is kept or as it is shown. */
const isNamed = (row: BackupRow, open: readonly OpenJob[]): boolean => {
  const shown = backupIdOf(row.tenantId, row.backupId).slice(-32)
  return open.some(({ text }) => text.includes(row.backupId) || text.includes(shown))
}

/** Is somebody still to go on with it? */
const isAlive = (row: BackupRow, open: readonly OpenJob[], nowMs: number): boolean =>
  open.some(({ jobId }) => jobId === row.jobId) ||
  isNamed(row, open) ||
  (row.jobId === null && Date.parse(row.at) > nowMs - ABANDONED_HOURS * 3_600_000)

const keptArchive = (row: BackupRow, open: readonly OpenJob[]): KeptArchive => ({
  backupId: row.backupId,
  at: row.at,
  verified: row.verifiedAt !== null || row.drilledAt !== null,
  broken: isBroken(row.locations),
  held: row.held,
  inUse: isNamed(row, open),
})

/** Marks those that are still in that state and that nobody has held meanwhile. Returns which. */
const markRemoved = async (
  tx: TenantTx,
  ids: readonly string[],
  state: "writing" | "complete",
): Promise<string[]> => {
  if (ids.length === 0) return []
  const mark = async (own: TenantTx): Promise<string[]> => {
    const fits = and(
      eq(backups.tenantId, own.scope),
      inArray(backups.backupId, [...ids]),
      eq(backups.state, state),
      eq(backups.held, false),
    )
    const rows = await own.db
      .update(backups)
      .set({ state: "removed", removedAt: sql`clock_timestamp()` })
      .where(fits)
      .returning({ backupId: backups.backupId })
    return rows.map(({ backupId }) => backupId)
  }
  const own = await mark(tx)
  return tx.scope === PLATFORM ? own : [...own, ...(await tx.as(PLATFORM, mark))]
}

const leased = sql`clock_timestamp() + make_interval(mins => ${sql.raw(String(REMOVING_MINUTES))})`

/**
 * Marks what `choose` gives up, and what was never finished, as removed, and where nobody writes says that parts are being taken away.
 * From the mark on nobody can begin to read them; the blobs go later, after which it may be done again.
 * `null`: somebody else is at it.
 */
export const retainScope = (database: Database, scope: ScopeId, choose: Choose): Promise<Retained | null> =>
  withTenant(database, scope, async (tx) => {
    const own = await heldSchedule(tx)
    if (!(await isFree(tx))) return null
    const [rows, open] = [await rowsOf(tx), await openJobs(tx)]
    const superfluous = choose(
      rows.filter((row) => isOwnComplete(row, scope)).map((row) => keptArchive(row, open)),
      own,
      own.nowMs,
    )
    const writing = rows.filter(({ state }) => state === "writing")
    const dead = writing.filter((row) => !isAlive(row, open, own.nowMs))
    const removed = await markRemoved(tx, idsOf(superfluous), "complete")
    const abandoned = await markRemoved(tx, idsOf(dead), "writing")
    if (removed.length + abandoned.length > 0)
      await appendAudit(tx, [removal(scope, { retention: removed, unfinished: abandoned })])
    if (writing.length > abandoned.length) return { removed, abandoned, lease: null }
    const [row] = await tx.db
      .update(backupSchedules)
      .set({ removingUntil: leased })
      .where(eq(backupSchedules.tenantId, scope))
      .returning({ lease: backupSchedules.removingUntil })
    return { removed, abandoned, lease: row!.lease }
  })

const idsOf = (rows: readonly { backupId: string }[]): string[] => rows.map(({ backupId }) => backupId)

/** Made here, of its own rows: what came from elsewhere stays until a person removes it. */
const isOwnComplete = ({ state, tenantId, origin }: BackupRow, scope: ScopeId): boolean =>
  state === "complete" && tenantId === scope && (origin === "requested" || origin === "scheduled")

const removal = (scope: ScopeId, detail: JsonObject): AuditBody => ({
  action: "backup.remove",
  actor: { subject: "clock", tokenId: "system" },
  target: scope,
  detail,
})

/** Says again that what is unneeded is being taken away. `null`: the time was over, and somebody may be writing by now. */
export const renewRemoving = (database: Database, scope: ScopeId, lease: Instant): Promise<Instant | null> =>
  withTenant(database, scope, async (tx) => {
    const [row] = await tx.db
      .update(backupSchedules)
      .set({ removingUntil: leased })
      .where(
        and(
          eq(backupSchedules.tenantId, scope),
          eq(backupSchedules.removingUntil, lease),
          sql`removing_until > clock_timestamp()`,
        ),
      )
      .returning({ lease: backupSchedules.removingUntil })
    return row?.lease ?? null
  })

/** Archives may be written again; retention is done with the scope for now. */
export const endRemoving = (database: Database, scope: ScopeId, lease: Instant): Promise<void> =>
  withTenant(database, scope, async (tx) => {
    await tx.db
      .update(backupSchedules)
      .set({ removingUntil: null, retainedAt: sql`clock_timestamp()` })
      .where(and(eq(backupSchedules.tenantId, scope), eq(backupSchedules.removingUntil, lease)))
  })

/** Which of these, that the store has, are marked as removed: only those may be taken out of it. */
export const markedRemoved = (
  database: Database,
  scope: ScopeId,
  inStore: readonly string[],
): Promise<string[]> =>
  withTenant(database, scope, async (tx) => {
    const rows = await rowsOf(tx, inStore)
    const stays = new Set(rows.filter(({ state }) => state !== "removed").map(({ backupId }) => backupId))
    const gone = new Set(rows.filter(({ state }) => state === "removed").map(({ backupId }) => backupId))
    return inStore.filter((backupId) => gone.has(backupId) && !stays.has(backupId))
  })
