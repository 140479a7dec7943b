import postgres from "postgres"
import type { TenantId } from "../../../core/ids.ts"
import { createCache } from "../../../functions/platform/cache.ts"
import { keysOfTenant, pointerKey, viewKeys } from "../../../functions/platform/cache-keys.ts"
import { type ErasingDeps, eraseDue } from "../../../functions/platform/erasing.ts"
import { restSender } from "../../../functions/platform/redis-rest.ts"
import type { RedisSender } from "../../../functions/platform/redis-sender.ts"
import { startRedis } from "../../../local/redis/start.ts"
import { auditWorld } from "../../audit/world.ts"
import { must } from "./world.ts"

type Row = Record<string, unknown>

/** Where a column takes only some values. */
const PARTICULAR: Readonly<Record<string, string>> = {
  tier: "'Free'",
  kind: "'reader'",
  state: "'pending'",
  type: "'webhook'",
  report: "'soc2'",
  days: "100",
  generation: "1",
  copied_environment: "null",
  copied_version: "null",
  secret_hash: "null",
  secret: "null",
  note: "'note'",
  size: "1",
  after: "0",
  inner_block: "decode(repeat('00', 64), 'hex')",
  outer_block: "decode(repeat('00', 64), 'hex')",
  hashes: "decode(repeat('00', 32), 'hex')",
}

/** The same, of one table. */
const OF_TABLE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  jobs: { state: "'queued'", problem: "null", ended_at: "null", kind: "'backup.create'" },
  backups: { state: "'complete'", source: "tenant", origin: "'requested'" },
  tenant_origins: { how: "'clone'" },
}

/** A value of that type which says whose it is, as far as it can say anything. */
const cellOf = (
  { table, column, type }: { table: string; column: string; type: string },
  tenantId: string,
  sentinel: string,
): string => {
  const particular = OF_TABLE[table]?.[column] ?? PARTICULAR[column]
  if (column === "tenant_id" || particular === "tenant") return `'${tenantId}'`
  if (particular !== undefined) return particular
  if (type.startsWith("_")) return "'{}'"
  switch (type) {
    case "text":
      return `'${sentinel}'`
    case "jsonb":
      return `'{"said": "${sentinel}"}'`
    case "uuid":
      return "gen_random_uuid()"
    case "bytea":
      return `convert_to('${sentinel}', 'UTF8')`
    case "timestamptz":
      return "now()"
    case "date":
      return "current_date"
    case "bool":
      return "true"
    default:
      return "1"
  }
}

/** Management with a relay beside it that destroys, Redis, a key that signs, and a look at everything there is. */
export const erasureWorld = async () => {
  const world = await auditWorld()
  const admin = postgres(world.url("postgres"), { max: 1, fetch_types: false, onnotice: () => {} })
  const redis = await startRedis()
  const send: RedisSender = restSender({ url: redis.url, token: redis.token, deadlineMs: 10_000 })
  const { clock, log, background } = world.platform
  const cache = createCache({ send, clock, log, background, ttlSeconds: 300 })
  const shredded: string[] = []
  const deps: ErasingDeps = {
    system: world.system,
    db: world.app,
    cache,
    clock,
    log,
    signer: world.signer,
    shred: async (tenantId) => {
      shredded.push(tenantId)
      return { wrappingKeys: shredded.filter((one) => one === tenantId).length === 1 ? 1 : 0 }
    },
  }

  const tables = async (): Promise<string[]> => {
    const rows = await admin`select tablename as name from pg_tables where schemaname = 'hotswap' order by 1`
    return rows.map((row: Row) => row.name as string)
  }
  const ownedTables = async (): Promise<string[]> => {
    const rows = await admin`select table_name as name from information_schema.columns
      where table_schema = 'hotswap' and column_name = 'tenant_id' order by 1`
    return rows.map((row: Row) => row.name as string)
  }

  const columnsOf = async (): Promise<Map<string, { name: string; type: string }[]>> => {
    const columns = await admin`select c.table_name as table, c.column_name as name, c.udt_name as type
      from information_schema.columns c where c.table_schema = 'hotswap' and c.is_generated = 'NEVER'
      order by c.table_name, c.ordinal_position`
    return Map.groupBy(columns as never, ({ table }: { table: string }) => table) as never
  }
  const columns = await columnsOf()

  /** At least one row of the tenant's in every table, each saying whose it is. */
  const fill = async (tenantId: string, sentinel: string): Promise<void> => {
    await world.sign()
    const statements = (await ownedTables())
      .filter((table) => table !== "erasures")
      .map((table) => {
        const list = columns.get(table)!
        const values = list.map(({ name, type }) => cellOf({ table, column: name, type }, tenantId, sentinel))
        return `insert into hotswap.${table} (${list.map(({ name }) => `"${name}"`).join(", ")})
          select ${values.join(", ")} where not exists (select from hotswap.${table} where tenant_id = '${tenantId}')`
      })
    await admin.unsafe(
      `begin; set local session_replication_role = replica; ${statements.join("; ")}; commit`,
    )
  }

  /** Every row of every table, as text, by table: what a dump holds. Bytes that are a text are told as the text. */
  const dump = async (where = "true"): Promise<Record<string, string>> => {
    const parts = (await tables()).map(
      (table) => `select '${table}' as name, coalesce(string_agg(t::text, chr(10) order by t::text), '')
        || coalesce(string_agg((select string_agg(encode(v::bytea, 'escape'), ' ') from jsonb_each_text(to_jsonb(t)) j (k, v)
          where v ~ '^\\\\x([0-9a-f]{2})*$'), ' ' order by t::text), '') as text
        from hotswap.${table} t where ${table === "epoch" ? "true" : where}`,
    )
    const rows = await admin.unsafe(parts.join(" union all "))
    return Object.fromEntries(rows.map(({ name, text }) => [name as string, text as string]))
  }

  const redisText = async (tenantId: string): Promise<string> => {
    const [reply] = await send([["SCAN", "0", "MATCH", "*", "COUNT", "1000"]])
    const keys = (reply as [string, string[]])[1]
    const values = keys.length === 0 ? [] : ((await send([["MGET", ...keys]]))[0] as (string | null)[])
    return `${keys.filter((key) => key.includes(tenantId)).join(" ")} ${values.join(" ")}`
  }

  return {
    ...world,
    admin,
    cache,
    erasing: deps,
    shredded,
    fill,
    dump,
    redisText,
    ownedTables,
    /** Something of the tenant's in Redis. */
    cached: async (tenantId: string, text: string) => {
      const view = `0.${"0".repeat(64)}` as never
      await send([
        ["SET", pointerKey(tenantId as TenantId, "QA" as never), text, "EX", "300"],
        ["SET", viewKeys(tenantId as TenantId, view, 1)[0]!, text, "EX", "300"],
      ])
      return keysOfTenant(tenantId as TenantId)
    },
    /** As if the time of grace were over. */
    letItBeDue: async (tenantId: string) => {
      await admin`update hotswap.erasures set due_at = now() - interval '1 second' where tenant_id = ${tenantId}`
    },
    erase: async (changed: Partial<ErasingDeps> = {}): Promise<number> => {
      await world.sign()
      const told = world.logged.length
      const done = await eraseDue({ ...deps, ...changed })
      const complaint = world.logged.slice(told).find((line) => !line.includes("killed"))
      if (complaint) throw new Error(complaint)
      return done
    },
    erasure: async (tenantId: string) =>
      (await must(world.call("GET", `/api/v1/tenants/${tenantId}/erasure`), 200)).body,
    close: async () => {
      await admin.end()
      await redis.stop()
      await world.close()
    },
  }
}

export type ErasureWorld = Awaited<ReturnType<typeof erasureWorld>>
