import { randomBytes } from "node:crypto"
import { exportJWK, generateKeyPair } from "jose"
import postgres from "postgres"
import { startRedis } from "../../local/redis/start.ts"
import { type FunctionsProcess, startFunctions, type TaskAnswer } from "../support/functions-process.ts"
import { freshDatabase } from "../support/postgres.ts"

/** What is stored of one change, without what differs from one run to the next: two pictures that are equal mean the same. */
export interface Picture {
  state: string
  step: number | null
  approvals: number
  versions: number
  /** How its scope is served: does the change stand in stable, in the candidate and at which weight, in neither? */
  served: string
  /** Its audit entries in order. */
  audit: string[]
}

/** PostgreSQL and Redis of a test's own, and processes of functions over them. */
export const createStored = async () => {
  const [database, redis, keys] = await Promise.all([freshDatabase(), startRedis(), readerKeys()])
  const admin = randomBytes(24).toString("hex")
  const environment = {
    DATABASE_URL: database.url("hotswap_app"),
    DATABASE_READ_URL: database.url("hotswap_read"),
    DATABASE_SYSTEM_URL: database.url("hotswap_system"),
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    HOTSWAP_ADMIN_TOKEN: admin,
    ...keys,
  }
  const sql = postgres(database.url("postgres"), { max: 2, fetch_types: false, onnotice: () => {} })
  const started: FunctionsProcess[] = []

  const picture = async (changeId: string): Promise<Picture> => {
    const tenantId = changeId.split(":")[0]!
    const [change] = await sql<{ state: string; status: { step?: number }; approvals: unknown[] }[]>`
      select state, status, approvals from hotswap.changes where tenant_id = ${tenantId} and change_id = ${changeId}`
    const [{ versions }] = (await sql`
      select count(*)::int as versions from hotswap.config_versions
      where tenant_id = ${tenantId} and change_id = ${changeId}`) as unknown as [{ versions: number }]
    const [pointer] = await sql`
      select stable_change_id, candidate_change_id, candidate_weight_bp, cause from hotswap.pointers
      where tenant_id = ${tenantId} and change_id = ${changeId} order by seq desc limit 1`
    const audit = await sql<{ action: string }[]>`
      select action from hotswap.audit_entries where tenant_id = ${tenantId} and target = ${changeId} order by seq`
    const own = (id: unknown) => (id === changeId ? "own" : id === null ? "none" : "other")
    return {
      state: change?.state ?? "absent",
      step: change?.status.step ?? null,
      approvals: change?.approvals.length ?? 0,
      versions,
      served: pointer
        ? `${pointer.cause}: stable ${own(pointer.stable_change_id)}, candidate ${own(pointer.candidate_change_id)} at ${pointer.candidate_weight_bp}`
        : "untouched",
      audit: audit.map(({ action }) => action),
    }
  }

  return {
    admin,
    sql,
    picture,
    start: async (): Promise<FunctionsProcess> => {
      const functions = await startFunctions(environment)
      started.push(functions)
      return functions
    },
    /** The pointer's number in PostgreSQL, in the document that Redis holds, and whether a mark is left for the relay. */
    published: async (tenantId: string, environmentName: string) => {
      const [pointer] = await sql<{ seq: number }[]>`
        select coalesce(max(seq), 0)::int as seq from hotswap.pointers
        where tenant_id = ${tenantId} and environment = ${environmentName}`
      const marks = await sql`
        select from hotswap.outbox where tenant_id = ${tenantId} and environment = ${environmentName}`
      const reply = await fetch(redis.url, {
        method: "POST",
        headers: { authorization: `Bearer ${redis.token}` },
        body: JSON.stringify(["GET", `hotswap:{${tenantId}}:pointer:${environmentName}`]),
      })
      const { result } = (await reply.json()) as { result: string | null }
      const revision = result === null ? null : (JSON.parse(result) as { revision: string }).revision
      return {
        stored: pointer!.seq,
        cached: revision === null ? 0 : Number(revision.split(".")[3]),
        isMarked: marks.length > 0,
      }
    },
    close: async () => {
      await Promise.all(started.map((functions) => functions.stop()))
      await sql.end({ timeout: 5 })
      await Promise.all([database.drop(), redis.stop()])
    },
  }
}
export type Stored = Awaited<ReturnType<typeof createStored>>

const readerKeys = async () => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true })
  const set = async (key: Parameters<typeof exportJWK>[0]) =>
    JSON.stringify({ keys: [{ ...(await exportJWK(key)), kid: "test" }] })
  return { HOTSWAP_READER_KEYS: await set(privateKey), HOTSWAP_READER_PUBLIC_KEYS: await set(publicKey) }
}

/** Asks over HTTP as somebody, and takes an answer of that status only. */
export const asking =
  (functions: FunctionsProcess) =>
  async (token: string, path: string, body: unknown, status?: number): Promise<TaskAnswer> => {
    const answer = await functions.ask({ kind: "request", method: "POST", path, token, body })
    if (status !== undefined && answer.status !== status)
      throw new Error(`${path}: ${answer.status} instead of ${status}: ${JSON.stringify(answer.body)}`)
    return answer
  }
