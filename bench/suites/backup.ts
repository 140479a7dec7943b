import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { constants, createGzip, createZstdCompress } from "node:zlib"
import postgres from "postgres"
import { ARCHIVED } from "../../core/backup/tables.ts"
import { type BackupWorld, startBackupWorld } from "../backup-world.ts"
import type { Done, Order } from "../contenders/backups.ts"
import { quantile, round } from "../statistics.ts"
import type { Report, Suite } from "./suite.ts"

/** Smaller numbers for trying: `HOTSWAP_BENCH_BACKUP=50,200,1000` is 50 tenants of 200 configs, and one of 1,000. */
const [TENANTS, CONFIGS, LARGE] = (process.env.HOTSWAP_BENCH_BACKUP ?? "1000,200,10000")
  .split(",")
  .map(Number) as [number, number, number]
/** Of the fleet's tenants, how many configs one change makes. */
const EACH = 4
/** As many backups as a function has under way. */
const AT_ONCE = 4
const MB = 1_000_000
const MIB = 1_048_576
const MEMORY_MAX_BYTES = 128 * MIB
const UNCHANGED_MAX = 0.05
const RESTORE_MAX_MS = 10_000

const fleet = Array.from({ length: TENANTS }, (_, nth) => `tenant-${nth}`)
const large = "large-tenant"

/** A backup function in a process of its own, so that its memory is its own. */
const startFunction = (variables: Record<string, string>) => {
  const child = fork(new URL("../contenders/backups.ts", import.meta.url), [JSON.stringify(variables)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  })
  return { ask: (order: Order) => ask(child, order), stop: () => stop(child) }
}

const ask = (child: ChildProcess, order: Order): Promise<Done> =>
  new Promise((resolve, reject) => {
    child.once("message", (done) => {
      child.removeAllListeners("exit")
      resolve(done as Done)
    })
    child.once("exit", (code) => reject(new Error(`the backup function ended with ${code}`)))
    child.send(order)
  })

const stop = async (child: ChildProcess): Promise<void> => {
  const ended = once(child, "exit")
  child.disconnect()
  await ended
}

const sumOf = ({ made }: Done, name: "plainBytes" | "packedBytes" | "writtenBytes"): number =>
  made.reduce((sum, one) => sum + one[name], 0)

/**
 * The nearest thing to `pg_dump -Fc` that needs no client of the server's version: COPY of the same rows, compressed as that
 * does it (gzip, table by table), and with zstd. A dump's table of contents would come on top.
 */
const copied = async (superUrl: string, tenants: readonly string[]) => {
  const sizes = { gzipBytes: 0, zstdBytes: 0, millis: 0 }
  const names = tenants.map((name) => `'${name}'`).join(", ")
  for (const { name } of ARCHIVED) {
    const rows = `copy (select * from hotswap.${name} where tenant_id in (${names})) to stdout`
    const start = performance.now()
    sizes.gzipBytes += await packedBytes(superUrl, rows, createGzip())
    sizes.millis += performance.now() - start
    const zstd = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } })
    sizes.zstdBytes += await packedBytes(superUrl, rows, zstd)
  }
  return sizes
}

const packedBytes = async (url: string, rows: string, packer: Transform): Promise<number> => {
  // A connection for each: the driver may leave one paused at the end of what was copied.
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  const bytes = countBytes(packer)
  await pipeline(await sql.unsafe(rows).readable(), packer)
  await sql.end({ timeout: 0 })
  return await bytes
}

const countBytes = async (stream: AsyncIterable<Uint8Array>): Promise<number> => {
  let bytes = 0
  for await (const piece of stream) bytes += piece.length
  return bytes
}

interface Told {
  name: string
  first: Done
  second: Done
  tenants: readonly string[]
}

const tell = async (
  report: Report,
  world: BackupWorld,
  { name, first, second, tenants }: Told,
): Promise<void> => {
  const plain = sumOf(first, "plainBytes")
  const each = first.made.map(({ millis }) => millis)
  report.figure({
    suite: "backup",
    name: `${name}: the first backup`,
    values: {
      seconds: round(first.millis / 1000),
      cpuMsEach: round(first.cpuMillis / tenants.length, 1),
      tenantsASecond: round(tenants.length / (first.millis / 1000), 1),
      plainMb: round(plain / MB, 1),
      mbASecond: round(plain / MB / (first.millis / 1000), 1),
      p50Ms: round(quantile(each, 0.5), 1),
      p99Ms: round(quantile(each, 0.99), 1),
    },
  })
  const growth = Math.max(first.rssGrowthBytes, second.rssGrowthBytes)
  report.figure({
    suite: "backup",
    name: `${name}: memory while it is made`,
    values: { rssGrowthMib: round(growth / MIB, 1) },
    goal: { text: "rises by ≤ 128 MiB", met: growth <= MEMORY_MAX_BYTES },
  })
  const peer = await copied(world.superUrl, tenants)
  report.figure({
    suite: "backup",
    name: `${name}: size, beside COPY of the same rows`,
    values: {
      storedMb: round(sumOf(first, "writtenBytes") / MB),
      copyGzipMb: round(peer.gzipBytes / MB),
      copyZstdMb: round(peer.zstdBytes / MB),
      ofGzip: round(sumOf(first, "writtenBytes") / peer.gzipBytes),
      copyGzipSeconds: round(peer.millis / 1000),
    },
  })
  const [time, bytes] = [
    second.millis / first.millis,
    sumOf(second, "writtenBytes") / sumOf(first, "writtenBytes"),
  ]
  report.figure({
    suite: "backup",
    name: `${name}: the second, nothing has changed`,
    values: {
      seconds: round(second.millis / 1000),
      eachMs: round(
        quantile(
          second.made.map(({ millis }) => millis),
          0.5,
        ),
        1,
      ),
      cpuMsEach: round(second.cpuMillis / tenants.length, 1),
      timeShare: round(time, 3),
      bytesShare: round(bytes, 3),
    },
    goal: {
      text: "≤ 5 % of the first's time and bytes",
      met: time <= UNCHANGED_MAX && bytes <= UNCHANGED_MAX,
    },
  })
}

/** What backing up a fleet and one large tenant costs, once, again, and back. */
export const backup: Suite = {
  name: "backup",
  run: async (report) => {
    const world = await startBackupWorld([
      { tenantId: large, configs: LARGE, configsAChange: 100 },
      { tenantId: "warm-up", configs: CONFIGS, configsAChange: EACH },
      ...fleet.map((tenantId) => ({ tenantId, configs: CONFIGS, configsAChange: EACH })),
    ])
    // The database's own watching keeps no process alive, and this one waits for it to end.
    const alive = setInterval(() => {}, 1_000)
    try {
      await restore(report, world, await measure(report, world))
    } finally {
      await world.stop()
      clearInterval(alive)
    }
  },
}

/** Returns the large tenant's archive. */
const measure = async (report: Report, world: BackupWorld): Promise<string> => {
  const worker = startFunction(world.variables.full)
  try {
    const backUp = (scopes: readonly string[]) => worker.ask({ what: "back up", scopes, atOnce: AT_ONCE })
    // What is loaded and compiled the first time is not what is measured.
    for (let nth = 0; nth < 10; nth++) await backUp(["warm-up"])
    for (const [name, tenants] of [
      [`one tenant of ${LARGE} configs`, [large]],
      [`${TENANTS} tenants × ${CONFIGS} configs`, fleet],
    ] as const) {
      const first = await backUp(tenants)
      await tell(report, world, { name, first, second: await backUp(tenants), tenants })
    }
    return (await backUp([large])).made[0]!.backupId
  } finally {
    await worker.stop()
  }
}

const restore = async (report: Report, world: BackupWorld, backupId: string): Promise<void> => {
  const worker = startFunction(world.variables.empty)
  try {
    const { millis, rssGrowthBytes } = await worker.ask({ what: "restore", source: large, backupId })
    report.figure({
      suite: "backup",
      name: `one tenant of ${LARGE} configs restored, in a new database`,
      values: { seconds: round(millis / 1000), rssGrowthMib: round(rssGrowthBytes / MIB, 1) },
      goal: { text: "< 10 s", met: millis < RESTORE_MAX_MS },
    })
  } finally {
    await worker.stop()
  }
}
