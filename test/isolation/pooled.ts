import { sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/postgres-js"
import postgres from "postgres"
import { inject } from "vitest"
import type { Database } from "../../db/client.ts"
import { openWith } from "../../db/open.ts"
import { listAudit } from "../../db/queries/audit.ts"
import { listChanges } from "../../db/queries/changes.ts"
import { readPointer } from "../../db/queries/reading.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { askTenant, withTenant } from "../../db/tenant.ts"
import { textQuery } from "../../db/text-query.ts"
import { DEVELOPMENT, directCommit, key, makeTenant, tenantId } from "../db/fixtures.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { bouncerBinary, bouncerKeepsStatements, startBouncer } from "../support/pgbouncer.ts"

export interface PooledTally {
  operations: number
  /** How operations ended that did not succeed, and how often. */
  failed: Record<string, number>
  cancelled: number
  killed: number
  /** Rows, or settings, of somebody else. */
  foreign: string[]
  /** Were statements cancelled and connections killed, and did a third of the operations succeed all the same? */
  isDisturbed: boolean
}

const NAME = "pooled app"
const DEADLINE_MS = 1_000

/** A fixed sequence of numbers in [0, 1): Lehmer's, so that a failure can be run again. */
const sequence = (seed: number) => {
  let state = seed
  return () => {
    state = (state * 48_271) % 0x7fff_ffff
    return state / 0x7fff_ffff
  }
}

const nameOf = (index: number): string => `pooled-${String(index).padStart(3, "0")}`

/** Plans each statement when it is sent: for a pooler that does not keep them. */
const unprepared = (client: postgres.Sql): postgres.Sql =>
  new Proxy(client, {
    get: (target, name) =>
      name === "unsafe"
        ? (text: string, values: never[]) => target.unsafe(text, values, { prepare: false })
        : Reflect.get(target, name),
  })

/** The tenants named in a text that are not this one. */
const othersIn = (text: string, own: string): string[] =>
  (text.match(/pooled-\d\d\d/g) ?? []).filter((name) => name !== own)

type Operation = (database: Database, tenant: string, nth: number) => Promise<string>

const seenTenants = textQuery<{ tenant_id: string }>("select tenant_id from hotswap.tenants", [])

/** Each returns as text whatever it got to see. */
const OPERATIONS: readonly Operation[] = [
  async (database, tenant) => {
    const loaded = await loadScope(database, {
      scope: tenantId(tenant),
      environment: DEVELOPMENT,
      keys: [key("a")],
    })
    return JSON.stringify([loaded?.state, [...(loaded?.state.chunks ?? [])]])
  },
  async (database, tenant, nth) => {
    const scope = tenantId(tenant)
    const loaded = await loadScope(database, { scope, environment: DEVELOPMENT, keys: [key("a")] })
    return JSON.stringify(await commitScope(database, directCommit(loaded!.state, "a", `${tenant}/${nth}`)))
  },
  async (database, tenant) => {
    const read = await readPointer(database, tenantId(tenant), DEVELOPMENT, [])
    return JSON.stringify([...read!.chunks])
  },
  async (database, tenant) => JSON.stringify(await listChanges(database, tenantId(tenant), { limit: 50 })),
  async (database, tenant) => JSON.stringify(await listAudit(database, tenantId(tenant), { limit: 50 })),
  // Asked together with the transaction's beginning.
  (database, tenant) =>
    askTenant(
      database,
      tenantId(tenant),
      (tx) => Promise.all([tx.run(seenTenants, {}), tx.run(seenTenants, {})]),
      async (tx, asked) => JSON.stringify([asked, await tx.run(seenTenants, {})]),
    ),
  // An error of its own, in the middle.
  (database, tenant) =>
    withTenant(database, tenantId(tenant), async ({ db }) => {
      const rows = await db.execute(sql`select tenant_id from hotswap.tenants`)
      if (rows.length > 0) throw new Error(`gave up: ${JSON.stringify(rows)}`)
      return ""
    }),
  // An error of the server's, in the middle.
  (database, tenant) =>
    withTenant(database, tenantId(tenant), async ({ db }) =>
      JSON.stringify(await db.execute(sql`select 1 / 0`)),
    ),
  // Cancelled by somebody, or by its deadline.
  (database, tenant) =>
    withTenant(database, tenantId(tenant), async ({ db }) =>
      JSON.stringify(await db.execute(sql`select tenant_id, pg_sleep(5) from hotswap.tenants`)),
    ),
]

/** What a query outside any transaction of a tenant's sees: nothing, and no setting that somebody left. */
const bare = (database: Database): Promise<string> =>
  database.transaction(async ({ db }) => {
    const [row] = await db.execute(sql`select
      coalesce(current_setting('hotswap.tenant', true), '') || coalesce(current_setting('hotswap.read_scopes', true), '') as setting,
      (select count(*)::int from hotswap.tenants) as rows`)
    return row?.setting === "" && row?.rows === 0 ? "" : JSON.stringify(row)
  })

/**
 * Sixteen connections shared by a hundred tenants, while statements are cancelled, run into their deadlines and fail, and the
 * server's ends of connections are killed.
 */
const shareConnections = async (
  database: OpenTestDatabase,
  options: { operations: number; seed: number; port?: number; prepares?: boolean },
): Promise<PooledTally> => {
  const tally: PooledTally = {
    operations: 0,
    failed: {},
    cancelled: 0,
    killed: 0,
    foreign: [],
    isDisturbed: false,
  }
  const url = new URL(database.url("hotswap_app"))
  if (options.port !== undefined) url.port = String(options.port)
  const pooled = openWith(
    { url: url.href, applicationName: NAME, max: 16, deadlineMs: DEADLINE_MS },
    (client) => drizzle(options.prepares === false ? unprepared(client) : client),
  )
  const admin = postgres(database.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  const random = sequence(options.seed)
  const tenants = Array.from({ length: 100 }, (_, index) => nameOf(index))
  for (const tenant of tenants) await makeTenant(database.app, tenant)

  const disturb = async (kill: boolean): Promise<void> => {
    const act = kill ? "pg_terminate_backend" : "pg_cancel_backend"
    const rows = await admin.unsafe(
      `select ${act}(pid) from pg_stat_activity where application_name = $1 and datname = current_database() and pid in
        (select pid from pg_stat_activity where application_name = $1 order by md5(pid::text || $2) limit 1)`,
      [NAME, String(random())],
    )
    if (kill) tally.killed += rows.length
    else tally.cancelled += rows.length
  }

  const once = async (nth: number): Promise<void> => {
    const tenant = tenants[Math.floor(random() * tenants.length)]!
    const choice = random()
    if (choice < 0.02) return await disturb(true)
    if (choice < 0.07) return await disturb(false)
    // Those that last are few: each holds a connection until it is cancelled.
    const kinds = choice > 0.98 ? OPERATIONS.length : OPERATIONS.length - 1
    const operation = OPERATIONS[choice > 0.98 ? kinds - 1 : Math.floor(random() * kinds)]!
    tally.operations++
    try {
      const seen = await operation(pooled, tenant, nth)
      tally.foreign.push(...othersIn(seen, tenant))
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      tally.failed[code ?? "own"] = (tally.failed[code ?? "own"] ?? 0) + 1
      tally.foreign.push(...othersIn(message, tenant))
    }
    if (nth % 3 === 0) {
      const left = await bare(pooled).catch(() => "")
      if (left !== "") tally.foreign.push(`left behind: ${left}`)
    }
  }

  try {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < options.operations) await once(next++)
    }
    await Promise.all(Array.from({ length: 32 }, worker))
    for (const left of await Promise.all(Array.from({ length: 16 }, () => bare(pooled).catch(() => ""))))
      if (left !== "") tally.foreign.push(`left behind: ${left}`)
    const failed = Object.values(tally.failed).reduce((sum, count) => sum + count, 0)
    tally.isDisturbed =
      tally.killed > 0 && tally.cancelled > 0 && tally.operations - failed > tally.operations / 3
    return tally
  } finally {
    await Promise.all([pooled.close(), admin.end()])
  }
}

export const sharedDirectly = async (options: { operations: number; seed: number }): Promise<PooledTally> => {
  const database = await openTestDatabase()
  try {
    return await shareConnections(database, options)
  } finally {
    await database.close()
  }
}

/** With six connections to the server for the sixteen that come in. */
export const sharedBehindBouncer = async (options: {
  operations: number
  seed: number
}): Promise<PooledTally> => {
  const database = await openTestDatabase()
  const { port, passwords } = inject("postgres")
  const bouncer = await startBouncer({ serverPort: port, users: passwords, poolSize: 6 })
  const prepares = bouncerKeepsStatements(bouncerBinary()!)
  try {
    return await shareConnections(database, { ...options, port: bouncer.port, prepares })
  } finally {
    await bouncer.stop()
    await database.close()
  }
}
