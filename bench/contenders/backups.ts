import type { ScopeId, TenantId } from "../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../core/job/job.ts"
import { createArchive } from "../../functions/backup/create.ts"
import { restoreAsNew } from "../../functions/backup/restore-new.ts"
import { type BackupPlatform, composeBackup } from "../../functions/platform/compose-backup.ts"
import { systemIds } from "../../functions/platform/ids.ts"

/** What the bench has this process do. */
export type Order =
  | { what: "back up"; scopes: readonly string[]; atOnce: number }
  | { what: "restore"; source: string; backupId: string }

export interface Made {
  backupId: string
  millis: number
  plainBytes: number
  packedBytes: number
  writtenBytes: number
}

export interface Done {
  millis: number
  /** Of the processor, by this process. */
  cpuMillis: number
  /** How far the memory of this process rose above what it was when it began. */
  rssGrowthBytes: number
  made: Made[]
}

const QUIET = { info: () => {}, warn: () => {}, error: () => {} }
const CONTEXT = { progress: async () => {}, signal: new AbortController().signal }
const SAMPLE_MS = 20

const backUp = async (platform: BackupPlatform, scope: string): Promise<Made> => {
  const start = performance.now()
  const made = await createArchive(
    platform,
    {
      scope: scope as ScopeId,
      backupId: systemIds.uuid(),
      origin: "scheduled",
      by: SCHEDULE_OWNER,
      jobId: systemIds.uuid(),
      includeEmptyTables: false,
    },
    CONTEXT,
  )
  if (made === "later") throw new Error(`${scope} cannot be backed up now`)
  const { backupId, plainBytes, packedBytes, writtenBytes } = made
  return { backupId, plainBytes, packedBytes, writtenBytes, millis: performance.now() - start }
}

const doAll = async (platform: BackupPlatform, order: Order): Promise<Made[]> => {
  if (order.what === "restore") {
    const { source, backupId } = order
    await restoreAsNew(
      platform,
      {
        source: source as ScopeId,
        backupId,
        target: source as TenantId,
        how: "restore",
        jobId: systemIds.uuid(),
        by: SCHEDULE_OWNER,
      },
      CONTEXT,
    )
    return []
  }
  const left = [...order.scopes].reverse()
  const made: Made[] = []
  const work = async () => {
    for (let scope = left.pop(); scope !== undefined; scope = left.pop())
      made.push(await backUp(platform, scope))
  }
  await Promise.all(Array.from({ length: order.atOnce }, work))
  return made
}

const measured = async (platform: BackupPlatform, order: Order): Promise<Done> => {
  const before = process.memoryUsage.rss()
  let peak = before
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  const watch = setInterval(look, SAMPLE_MS)
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  const made = await doAll(platform, order)
  const millis = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  look()
  clearInterval(watch)
  return { millis, cpuMillis: (user + system) / 1000, rssGrowthBytes: peak - before, made }
}

const platform = composeBackup(JSON.parse(process.argv[2]!) as Record<string, string>, { log: QUIET })
process.on("message", (order: Order) => {
  measured(platform, order).then(
    (done) => process.send!(done),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.once("disconnect", () => process.exit(0))
