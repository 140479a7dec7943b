import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import postgres from "postgres"
import type { PostgresServer } from "../../local/postgres.ts"

/** What the driver does by itself under the same kills. */
export interface StockTally {
  acknowledged: number
  /** Acknowledged, and not there afterwards. */
  lost: number
  /** The process ended of an error that nothing could catch; it was started again each time. */
  crashes: number
  /** Transactions that had no answer after 3 seconds, and queries that had none after 1. */
  late: { write: number; read: number }
  /** Of these, without any answer after {@link GIVEN_UP_MS}: a caller without a deadline waits on. */
  neverAnswered: number
  /** Kills after which no write succeeded for {@link RECOVERY_LIMIT_MS}. */
  notRecovered: number
  /** From the server's taking connections again to the first write that succeeded. */
  recoveryMs: number[]
}

export const GIVEN_UP_MS = 6_000
const RECOVERY_LIMIT_MS = 5_000

/** What the child tells: what it was told, or what it waits for in vain. */
export type StockMessage =
  | { kind: "acknowledged"; id: string; startedMs: number }
  | { kind: "late"; what: "write" | "read" }
  | { kind: "given_up" }

const CHILD = fileURLToPath(new URL("./stock-driver-child.ts", import.meta.url))
const DATABASE = "stock"
const REST_MS = 5

export const nowMs = (): number => performance.timeOrigin + performance.now()

/** Writers and readers on the driver's own pool, just as its documentation shows, in a process of their own. */
export const startStock = async (server: PostgresServer) => {
  const owner = postgres(server.url("hotswap_owner"), { max: 1, fetch_types: false, onnotice: () => {} })
  await owner.unsafe(`create database ${DATABASE}`)
  await owner.end()
  const url = server.url("hotswap_owner", DATABASE)
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  await sql`create table kept (id text primary key)`
  await sql.end()

  const acknowledged: string[] = []
  const tally: StockTally = {
    acknowledged: 0,
    lost: 0,
    crashes: 0,
    late: { write: 0, read: 0 },
    neverAnswered: 0,
    notRecovered: 0,
    recoveryMs: [],
  }
  let isStopping = false
  let acceptingMs: number | null = null
  let child: ChildProcess

  const hear = (message: StockMessage): void => {
    if (message.kind === "late") tally.late[message.what] += 1
    else if (message.kind === "given_up") tally.neverAnswered += 1
    else {
      acknowledged.push(message.id)
      if (acceptingMs !== null) {
        tally.recoveryMs.push(Math.max(0, nowMs() - acceptingMs))
        acceptingMs = null
      }
    }
  }
  const launch = (): void => {
    child = fork(CHILD, { env: { ...process.env, STOCK_URL: url }, execArgv: [], silent: true })
    child.stdout!.resume()
    child.stderr!.resume()
    child.on("message", hear)
    child.once("exit", () => {
      if (isStopping) return
      tally.crashes += 1
      launch()
    })
  }
  launch()

  const end = async (): Promise<void> => {
    if (isStopping) return
    isStopping = true
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  }
  return {
    /** Waits for a write of its own, as nobody is to be judged before he had the time. */
    recovered: async (): Promise<void> => {
      acceptingMs = nowMs()
      const until = acceptingMs + RECOVERY_LIMIT_MS
      while (acceptingMs !== null && nowMs() < until) await pause(REST_MS)
      if (acceptingMs !== null) tally.notRecovered += 1
      acceptingMs = null
    },
    end,
    /** Ends it, and looks for what it was told is stored. */
    stop: async (last: PostgresServer): Promise<StockTally> => {
      await end()
      const after = postgres(last.url("hotswap_owner", DATABASE), { max: 1, fetch_types: false })
      const kept = new Set((await after<{ id: string }[]>`select id from kept`).map(({ id }) => id))
      await after.end()
      tally.acknowledged = acknowledged.length
      tally.lost = acknowledged.filter((id) => !kept.has(id)).length
      return tally
    },
  }
}
