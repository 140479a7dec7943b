import { execFileSync } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import postgres from "postgres"
import { isAlive } from "../../local/postgres/processes.ts"
import { type PostgresServer, startPostgres } from "../../local/postgres.ts"
import { copyCluster, emptyHome, type RunningHotswap, removeHome, startHotswap } from "../support/hotswap.ts"
import type { Standstill } from "../support/standstill.ts"
import { type Counter, ENVIRONMENT, type Late, type LoadTally, PROMISED_MS, startLoad } from "./kill-load.ts"
import { type StockTally, startStock } from "./stock-driver.ts"

export interface KillReport {
  kills: { postmaster: number; backend: number }
  /** Node had ended, whatever the reason. */
  crashes: number
  /** Versions whose value is not their number: something was lost, or applied twice. */
  wrongVersions: number
  /** Tenants whose audit trail has a gap, does not verify, or does not agree with the versions. */
  wrongAudits: number
  load: Omit<LoadTally, "late">
  /** Answers later than promised for a reason of our own; and those that were, as the machine did not run who asked or answered. */
  late: number
  lateForStandstills: number
  recoveryMs: Record<"accepting" | "write" | "read" | "writeAfterAccepting" | "readAfterAccepting", number[]>
  stock: StockTally | null
}

const TENANTS = 4
const KEYS_EACH = 2
/** Writes between two kills. */
const BETWEEN_KILLS = 25
const STARTUP_WAIT_MS = 5
const PROTOCOL = 196_608

/** A fixed sequence of numbers in [0, 1): Lehmer's, so that a failure can be run again. */
const sequence = (seed: number) => {
  let state = seed
  return () => {
    state = (state * 48_271) % 0x7fff_ffff
    return state / 0x7fff_ffff
  }
}

/** Does the server take connections: does it ask who comes, instead of saying that it is starting up? */
const accepts = (port: number): Promise<boolean> =>
  new Promise((answer) => {
    const socket = connect(port, "127.0.0.1")
    const parameters = Buffer.from("user\0postgres\0database\0postgres\0\0")
    const head = Buffer.alloc(8)
    head.writeUInt32BE(parameters.length + 8, 0)
    head.writeUInt32BE(PROTOCOL, 4)
    const say = (isAccepting: boolean) => {
      socket.destroy()
      answer(isAccepting)
    }
    socket.once("connect", () => socket.write(Buffer.concat([head, parameters])))
    socket.once("data", (data) => say(data[0] === "R".charCodeAt(0)))
    socket.once("error", () => say(false))
    socket.once("close", () => say(false))
  })

/** The processes that serve connections of ours. */
const backendsOf = (postmaster: number): number[] =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter(
      (found) =>
        found !== null && Number(found[2]) === postmaster && /hotswap_app|hotswap_read/.test(found[3]!),
    )
    .map((found) => Number(found![1]))

const createCounters = async (hotswap: RunningHotswap): Promise<Counter[]> => {
  const must = async (method: string, path: string, body: unknown) => {
    const answer = await hotswap.call<{ token: string }>(method, path, { body })
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const counters: Counter[] = []
  for (let i = 0; i < TENANTS; i++) {
    const tenantId = `counting-${i}`
    await must("POST", "/api/v1/tenants", { tenantId, name: tenantId })
    const tokens = `/api/v1/tenants/${tenantId}/tokens`
    const { token } = await must("POST", tokens, { subject: "writer", roles: ["engineer"] })
    const reader = { subject: "shop", roles: ["reader"], environment: ENVIRONMENT }
    const { token: readerToken } = await must("POST", tokens, reader)
    for (let j = 0; j < KEYS_EACH; j++) {
      const key = `counter.n${i}x${j}`
      await must("POST", "/api/v1/configs", { tenantId, environment: ENVIRONMENT, key, value: 1 })
      counters.push({ tenantId, key, token, readerToken, acknowledged: 1 })
    }
  }
  return counters
}

/** Every version holds its own number as its value, and there are as many as were acknowledged: nothing lost, nothing twice. */
const countWrongVersions = async (sql: postgres.Sql, counters: readonly Counter[]): Promise<number> => {
  let wrong = 0
  for (const { tenantId, key, acknowledged } of counters) {
    const rows = await sql<{ version: number; value: unknown }[]>`
      select version, edit->'value' as value from hotswap.config_versions
      where tenant_id = ${tenantId} and environment = ${ENVIRONMENT} and key = ${key} order by version`
    wrong += Math.abs(rows.length - acknowledged)
    wrong += rows.filter(({ version, value }, i) => version !== i + 1 || Number(value) !== version).length
  }
  return wrong
}

const countWrongAudits = async (
  sql: postgres.Sql,
  hotswap: RunningHotswap,
  counters: readonly Counter[],
): Promise<number> => {
  let wrong = 0
  for (const tenantId of new Set(counters.map((counter) => counter.tenantId))) {
    const [kept] = (await sql`
      select count(*)::int as entries, max(seq)::int as last,
        (select count(*)::int from hotswap.changes c where c.tenant_id = ${tenantId}) as changes,
        count(*) filter (where action = 'change.live')::int as live
      from hotswap.audit_entries where tenant_id = ${tenantId}`) as unknown as [Record<string, number>]
    const { body } = await hotswap.call("POST", "/api/v1/audit/verify", { body: { tenantId }, origin: true })
    const isWhole = kept.entries === kept.last && body.ok === true && body.entries === kept.entries
    if (!isWhole || kept.live !== kept.changes) wrong += 1
  }
  return wrong
}

const readStandstills = async (path: string): Promise<Standstill[]> =>
  (await readFile(path, "utf8").catch(() => ""))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Standstill)

/** Would it have come in time, had the machine run both ends of it? */
const isExcused =
  (standstills: readonly Standstill[]) =>
  ({ kind, fromMs, ms }: Late): boolean => {
    const overlapMs = (one: Standstill) =>
      Math.max(0, Math.min(one.fromMs + one.ms, fromMs + ms) - Math.max(one.fromMs, fromMs))
    return ms - standstills.reduce((sum, one) => sum + overlapMs(one), 0) <= PROMISED_MS[kind]
  }

/**
 * Kills PostgreSQL with -9 again and again, the postmaster and a random backend by turns, while writers and readers are at
 * the functions over HTTP; on the same server, side by side with the stock driver if that is asked for.
 */
export const killPostgres = async (
  kills: number,
  { seed, withStock }: { seed: number; withStock: boolean },
): Promise<KillReport> => {
  const random = sequence(seed)
  const directory = await mkdtemp(join(tmpdir(), "hotswap-kills-"))
  await copyCluster(directory)
  const home = await emptyHome()
  let server: PostgresServer = await startPostgres({ directory, durability: "full" })
  const { port } = server
  const standstills = join(directory, "standstills")
  const hotswap = await startHotswap({
    home,
    env: {
      DATABASE_URL: server.url("hotswap_owner"),
      NODE_OPTIONS: `--import ${new URL("../support/standstill.ts", import.meta.url).href}`,
      HOTSWAP_TEST_STANDSTILLS: standstills,
    },
  })
  const counters = await createCounters(hotswap)
  const load = startLoad(hotswap.call, counters)
  const stock = withStock ? await startStock(server) : null
  const recoveryMs: KillReport["recoveryMs"] = {
    accepting: [],
    write: [],
    read: [],
    writeAfterAccepting: [],
    readAfterAccepting: [],
  }
  const report: Pick<KillReport, "kills" | "crashes"> = { kills: { postmaster: 0, backend: 0 }, crashes: 0 }

  const killOnce = async (what: keyof KillReport["kills"]): Promise<void> => {
    const backends = backendsOf(server.pid)
    const victim = what === "postmaster" ? server.pid : backends[Math.floor(random() * backends.length)]!
    load.killed()
    const killedMs = performance.now()
    process.kill(victim, "SIGKILL")
    report.kills[what] += 1
    const restarted =
      what === "backend"
        ? Promise.resolve(server)
        : server.exited
            .then(() => server.stop())
            .then(() => startPostgres({ directory, durability: "full", port }))
    restarted.catch(() => {})
    // Others are ended by the postmaster a moment after one of them was: until then it takes connections as before.
    if (what === "backend") while (backends.some((pid) => pid !== victim && isAlive(pid))) await pause(1)
    while (!(await accepts(port))) await pause(STARTUP_WAIT_MS)
    const acceptingMs = performance.now() - killedMs
    recoveryMs.accepting.push(acceptingMs)
    load.accepting()
    const stockRecovered = stock?.recovered()
    server = await restarted
    while (load.recoveredMs("write") === null || load.recoveredMs("read") === null)
      await pause(STARTUP_WAIT_MS)
    for (const kind of ["write", "read"] as const) {
      const ms = load.recoveredMs(kind)!
      recoveryMs[kind].push(ms)
      recoveryMs[`${kind}AfterAccepting`].push(Math.max(0, ms - acceptingMs))
    }
    await stockRecovered
  }

  try {
    for (let round = 0; round < kills; round++) {
      const before = load.tally.acknowledged
      while (load.tally.acknowledged < before + BETWEEN_KILLS) await pause(STARTUP_WAIT_MS)
      await pause(random() * 30)
      await killOnce(round % 2 === 0 ? "postmaster" : "backend")
      if (!isAlive(hotswap.pid)) {
        report.crashes += 1
        throw new Error(`Hotswap ended after ${round + 1} kills: ${hotswap.output().slice(-2_000)}`)
      }
    }
    await load.stop()
    const stockTally = (await stock?.stop(server)) ?? null
    const sql = postgres(server.url("postgres", "hotswap"), {
      max: 1,
      fetch_types: false,
      onnotice: () => {},
    })
    const wrongVersions = await countWrongVersions(sql, counters)
    const wrongAudits = await countWrongAudits(sql, hotswap, counters)
    await sql.end()
    const { late, ...tally } = load.tally
    const excused = late.filter(
      isExcused([...load.standstills, ...(await readStandstills(standstills))]),
    ).length
    return {
      ...report,
      wrongVersions,
      wrongAudits,
      load: tally,
      late: late.length - excused,
      lateForStandstills: excused,
      recoveryMs,
      stock: stockTally,
    }
  } finally {
    await stock?.end()
    await hotswap.stop()
    await server.stop()
    await removeHome(home)
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
