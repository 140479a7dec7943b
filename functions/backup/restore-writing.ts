import type { AuditBody } from "../../core/audit/entry.ts"
import { invalid, type TableName } from "../../core/backup/rows.ts"
import { ARCHIVED } from "../../core/backup/tables.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { PLATFORM } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { appendAudit } from "../../db/queries/audit.ts"
import { watchRestored } from "../../db/queries/deployments.ts"
import { isTombstone } from "../../db/queries/erasure.ts"
import { insertOrigin, insertRows, markRestored, whyNotTaken } from "../../db/queries/restore.ts"
import { type TenantTx, withTenant } from "../../db/tenant.ts"
import type { OpenArchive } from "../platform/archive/archives.ts"
import { archivedRows, type Judged } from "./judge-archive.ts"
import type { Making } from "./restore-making.ts"
import type { RestoreContext, RestoreNew, RestorePlatform } from "./restore-parts.ts"

/** So much text goes to the database at a time, or one row. */
const BATCH_CHARACTERS_MAX = 1_048_576
const BATCH_ROWS_MAX = 2_000

/** Altogether; each statement keeps the database's own deadline. */
const LIMIT_MS = 14 * 60_000

/** Everything was as it would be, and nothing stays. */
class Rehearsed extends Error {
  readonly result: JsonObject

  constructor(result: JsonObject) {
    super("a rehearsal")
    this.result = result
  }
}

interface Parts {
  archive: OpenArchive
  judged: Judged
  making: Making
}

interface Written {
  rows: Record<string, number>
  leftOut: Record<string, number>
}

/**
 * Writes all of a tenant in one transaction of its own, bound to it: nobody sees any of it before the end, and whatever goes
 * wrong leaves nothing. `"exists"`: the id is taken. Throws Refusal EXTERNAL_ID_TAKEN, ARCHIVE_INVALID.
 */
export const writeTenant = async (
  { bulk }: RestorePlatform,
  input: RestoreNew,
  parts: Parts,
  context: RestoreContext,
): Promise<JsonObject | "exists"> => {
  const write = async (tx: TenantTx): Promise<JsonObject | "exists"> => {
    // A trial's end is planned before it begins.
    if (!input.isDrill && (await isTombstone(tx))) return "exists"
    const written = await writeRows(tx, parts, context)
    const result = resultOf(input, parts, written)
    await writeFacts(tx, input, parts, result, context)
    if (input.dryRun) throw new Rehearsed(result)
    return result
  }
  try {
    return await withTenant(bulk, input.target, write, { limitMs: LIMIT_MS })
  } catch (error) {
    if (error instanceof Rehearsed) return error.result
    return refusedBy(error)
  }
}

const refusedBy = (error: unknown): "exists" => {
  const refused = whyNotTaken(error)
  if (refused === null) throw error
  if (refused.constraint === "tenants_pkey") return "exists"
  if (refused.constraint === "external_ids_one_tenant")
    throw new Refusal("EXTERNAL_ID_TAKEN", "One of the external ids belongs to another tenant.")
  throw invalid(refused.table || "manifest", null, refused.why)
}

const writeRows = async (
  tx: TenantTx,
  { archive, making }: Parts,
  context: RestoreContext,
): Promise<Written> => {
  const written: Written = { rows: {}, leftOut: {} }
  const total = new Map(archive.manifest.tables.map(({ name, rows }) => [name, rows]))
  const rowsTotal = [...total.values()].reduce((sum, rows) => sum + rows, 0)
  let done = 0
  for (const { name } of ARCHIVED) {
    const table = name as TableName
    const columns = making.columns(table, archive.manifest.schemaVersion)
    const extra = making.extra(table)
    if (extra.length > 0)
      await insertRows(
        tx,
        table,
        Object.keys(extra[0]!),
        extra.map((row) => JSON.stringify(row)),
      )
    let kept = extra.length
    let batch: string[] = []
    let characters = 0
    const flush = async () => {
      if (batch.length > 0) await insertRows(tx, table, columns!, batch)
      kept += batch.length
      batch = []
      characters = 0
      await context.progress({ step: "writing", rows: done, rowsTotal })
    }
    if (columns !== null)
      for await (const row of archivedRows(archive, table, context.signal)) {
        done++
        const text = await making.row(row)
        if (text === null) continue
        if (characters + text.length > BATCH_CHARACTERS_MAX || batch.length === BATCH_ROWS_MAX) await flush()
        batch.push(text)
        characters += text.length
      }
    await flush()
    if (kept > 0) written.rows[table] = kept
    const leftOut = (total.get(table) ?? 0) - (kept - extra.length)
    if (leftOut > 0) written.leftOut[table] = leftOut
  }
  return written
}

const resultOf = (
  { target, source, backupId, how, asOf, dryRun }: RestoreNew,
  { archive, making }: Parts,
  { rows, leftOut }: Written,
): JsonObject => ({
  tenantId: target,
  source,
  backupId,
  how,
  verbatim: target === source,
  at: archive.manifest.at,
  ...(asOf === undefined ? {} : { asOf }),
  dryRun: dryRun ?? false,
  rows,
  leftOut,
  revisions: making.revisions,
  findings: making.findings,
})

/** What the archive does not say: where it came from, that readers are to be told, and who had it done. */
const writeFacts = async (
  tx: TenantTx,
  { target, source, backupId, how, asOf, jobId, by, isDrill = false }: RestoreNew,
  { archive, judged }: Parts,
  result: JsonObject,
  { hold }: RestoreContext,
): Promise<void> => {
  const { at } = archive.manifest
  if (!isDrill) {
    await markRestored(tx, [...judged.judge.environments] as Environment[])
    await watchRestored(tx)
  }
  await insertOrigin(tx, { how, source, backupId, jobId, isDrill, result })
  const audit = (detail: JsonObject): AuditBody => ({
    action: `tenant.${how}`,
    actor: { subject: by.subject, tokenId: by.tokenId },
    target,
    detail: { at, ...(asOf === undefined ? {} : { asOf }), ...detail },
  })
  // Whose archive it was is nothing for the new tenant to know; of a verbatim one the chain stays what it was.
  if (target !== source) await appendAudit(tx, [audit({})])
  if (!isDrill)
    await tx.as(PLATFORM, (platform) => appendAudit(platform, [audit({ source, backupId, jobId })]))
  // Last, as whoever says that the work goes on waits from here to the end of the transaction.
  await hold?.(tx)
}
