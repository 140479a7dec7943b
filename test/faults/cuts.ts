import { randomBytes } from "node:crypto"
import { exportJWK, generateKeyPair } from "jose"
import postgres from "postgres"
import { textQuery } from "../../db/text-query.ts"
import { createManage } from "../../functions/manage/manage.ts"
import { composeManage } from "../../functions/platform/compose-manage.ts"
import { CONTEXT, eventOf } from "../support/function-events.ts"
import { freshDatabase } from "../support/postgres.ts"
import { type Cut, startCuttingWire } from "./cutting-wire.ts"
import { PROMISED_MS } from "./kill-load.ts"

export interface CutTally {
  /** Conversations that were broken off. */
  cut: number
  /** Answers that said so; the others came before the cut. */
  inDoubt: number
  /** Of those, what had happened all the same. */
  hadHappened: number
  late: number
  uncaught: number
  /** Where it was cut, and what was wrong afterwards. */
  complaints: string[]
}

/** Which write breaks off: an update, decided and committed in a call each, or a transaction of several statements. */
const WRITES = ["update", "transaction"] as const
/** On a connection that has yet to be made, or on one that knows the statements already. */
const CONNECTIONS = ["new", "used"] as const
type Conversation = `${(typeof WRITES)[number]} on a ${(typeof CONNECTIONS)[number]} connection`

const NAME = "hotswap-manage"
const ADMIN = "admin-token-of-a-test-0123456789abcdef"

/** What must not be left of one request for the next; `0` and empty everywhere. */
const traces = textQuery<Record<string, unknown>>(
  `select coalesce(current_setting('hotswap.tenant', true), '') as tenant,
     coalesce(current_setting('hotswap.read_scopes', true), '') as scopes,
     (select count(*)::int from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks,
     (select count(*)::int from pg_cursors) as cursors,
     (select count(*)::int from pg_listening_channels()) as channels,
     (select count(*)::int from pg_settings where source = 'session') as settings,
     pg_my_temp_schema()::int as temporary`,
  [],
)
const NO_TRACE = { tenant: "", scopes: "", locks: 0, cursors: 0, channels: 0, settings: 0, temporary: 0 }

export const createCutWorld = async () => {
  const database = await freshDatabase()
  const url = new URL(database.url("hotswap_app"))
  const wire = await startCuttingWire(Number(url.port))
  url.port = String(wire.port)
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true })
  const platform = composeManage(
    {
      DATABASE_URL: url.href,
      DATABASE_SYSTEM_URL: database.url("hotswap_system"),
      // Nobody is there: publishing is not what is looked at.
      UPSTASH_REDIS_REST_URL: "http://127.0.0.1:1",
      UPSTASH_REDIS_REST_TOKEN: "none",
      HOTSWAP_ADMIN_TOKEN: ADMIN,
      HOTSWAP_READER_KEYS: JSON.stringify({ keys: [{ ...(await exportJWK(privateKey)), kid: "test" }] }),
    },
    { log: { info: () => {}, warn: () => {}, error: () => {} } },
  )
  const manage = createManage(platform)
  const admin = postgres(database.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  const tally: CutTally = { cut: 0, inDoubt: 0, hadHappened: 0, late: 0, uncaught: 0, complaints: [] }
  const count = () => {
    tally.uncaught += 1
  }
  process.on("uncaughtException", count)
  process.on("unhandledRejection", count)

  const ask = async (method: string, path: string, body: unknown, key: string) => {
    const headers = {
      authorization: `Bearer ${ADMIN}`,
      "content-type": "application/json",
      "idempotency-key": key,
    }
    const startedMs = performance.now()
    const reply = await manage.handler(
      eventOf(method, path, { headers, body: JSON.stringify(body) }),
      CONTEXT,
    )
    const isLate = performance.now() - startedMs > PROMISED_MS.write
    if (isLate) tally.late += 1
    return { status: reply.statusCode, body: JSON.parse(reply.body) as Record<string, unknown> }
  }

  let updates = 1
  let tenants = 0
  const writeOf = (write: (typeof WRITES)[number]) => {
    const key = randomBytes(8).toString("hex")
    if (write === "update") {
      const value = ++updates
      return {
        what: `version ${value}`,
        send: () => ask("PUT", "/api/v1/configs/cut:Development:counter", { value }, key),
        isRight: (body: Record<string, unknown>) => body.version === value,
        happened: async () =>
          (await admin`select from hotswap.config_versions where key = 'counter' and version = ${value}`)
            .length,
      }
    }
    const tenantId = `cut-${++tenants}`
    return {
      what: tenantId,
      send: () => ask("POST", "/api/v1/tenants", { tenantId, name: tenantId }, key),
      isRight: (body: Record<string, unknown>) => body.tenantId === tenantId,
      happened: async () => (await admin`select from hotswap.tenants where tenant_id = ${tenantId}`).length,
    }
  }

  const settled = () => platform.background.settled()

  /** Nothing of ours is in a transaction while nobody asks for anything. */
  const openTransactions = async (): Promise<number> => {
    for (;;) {
      const rows = await admin<{ state: string }[]>`
        select state from pg_stat_activity where application_name = ${NAME} and datname = current_database()`
      // What was just cut off may still be noticing it.
      if (!rows.some(({ state }) => state === "active" || state === null))
        return rows.filter(({ state }) => state !== "idle").length
    }
  }

  const prepare = async (connection: (typeof CONNECTIONS)[number], write: (typeof WRITES)[number]) => {
    if (connection === "new") await wire.drop()
    else await sendUntilDone(writeOf(write))
    await settled()
    // A socket's end is noticed, answered and closed in turns of their own.
    for (let turn = 0; turn < 5; turn++) await new Promise((next) => setImmediate(next))
    wire.counted()
  }

  const sendUntilDone = async (write: ReturnType<typeof writeOf>) => {
    for (;;) {
      const answer = await write.send()
      if (answer.status !== 503) return answer
    }
  }

  const once = async (of: Conversation, cut: Cut): Promise<void> => {
    const [kind, connection] = of.split(" on a ") as [(typeof WRITES)[number], string]
    await prepare(connection.startsWith("new") ? "new" : "used", kind)
    const write = writeOf(kind)
    const complain = (what: string) =>
      tally.complaints.push(
        `${of}, ${cut.afterBytes} bytes ${cut.direction}, noticed by ${cut.noticedBy}: ${what}`,
      )
    wire.arm(cut)
    const first = await write.send()
    await settled()
    if (wire.disarm()) tally.cut += 1
    if (first.status === 503) {
      tally.inDoubt += 1
      tally.hadHappened += await write.happened()
    } else if (first.status >= 300) complain(`the first answer was ${first.status}`)
    // In the middle of a message the server waits for the rest, whatever its own timeouts say: TCP's keepalive ends that.
    if (cut.noticedBy !== "both") await wire.drop()
    const again = await sendUntilDone(write)
    if (again.status >= 300 || !write.isRight(again.body))
      complain(`repeated, the answer was ${again.status} ${JSON.stringify(again.body)}`)
    if ((await write.happened()) !== 1) complain(`${write.what} is not there once`)
    await settled()
    const [left] = await platform.db.run(traces, {})
    if (JSON.stringify(left) !== JSON.stringify(NO_TRACE)) complain(`left behind: ${JSON.stringify(left)}`)
    if (cut.noticedBy === "both" && (await openTransactions()) > 0) complain("a transaction was left open")
  }

  const must = async (path: string, body: unknown): Promise<void> => {
    const answer = await ask("POST", path, body, path)
    if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer)}`)
  }
  await must("/api/v1/tenants", { tenantId: "cut", name: "cut" })
  await must("/api/v1/configs", { tenantId: "cut", environment: "Development", key: "counter", value: 1 })

  return {
    tally,
    once,
    /** How many bytes each conversation has in each direction. */
    sizes: async (): Promise<Record<Conversation, Record<Cut["direction"], number>>> => {
      const sizes = {} as Record<Conversation, Record<Cut["direction"], number>>
      for (const write of WRITES)
        for (const connection of CONNECTIONS) {
          await prepare(connection, write)
          await writeOf(write).send()
          sizes[`${write} on a ${connection} connection`] = wire.counted()
          await settled()
        }
      return sizes
    },
    /** Versions and audit entries are without gaps, and as many as they should be. */
    isWhole: async (): Promise<boolean> => {
      const [versions] = await admin`
        select count(*)::int as count, max(version) as last,
          bool_and((edit->'value')::text = version::text) as right
        from hotswap.config_versions where key = 'counter'`
      const [audits] = await admin`
        select bool_and(entries = last) as whole, count(*)::int as scopes from (
          select count(*) as entries, max(seq) as last from hotswap.audit_entries group by tenant_id) chains`
      const isCounted = versions!.count === updates && versions!.last === updates && versions!.right === true
      return isCounted && audits!.whole === true && audits!.scopes === tenants + 1
    },
    close: async () => {
      process.off("uncaughtException", count)
      process.off("unhandledRejection", count)
      await settled()
      await platform.close()
      await Promise.all([wire.close(), admin.end()])
      await database.drop()
    },
  }
}
