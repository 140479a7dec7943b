import { generateKeyPairSync, randomBytes } from "node:crypto"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { text as textOf } from "node:stream/consumers"
import { makeMasterKey } from "../../functions/platform/keys/master-key.ts"
import { composeFunctions } from "../../local/compose.ts"
import { startRedis } from "../../local/redis/start.ts"
import { CONTEXT, eventOf } from "./function-events.ts"
import type { Call } from "./hotswap.ts"
import { freshDatabase } from "./postgres.ts"

/** All functions in this process, composed from settings as they are where they are deployed, without a Worker in front. */
export interface DeploymentHere {
  adminToken: string
  /** Takes the place of the global one; a job that is begun is done once it is answered. */
  fetch(input: string, init?: RequestInit): Promise<Response>
  /** A call with the admin's token unless told otherwise. */
  call: Call
  stop(): Promise<void>
}

const keySet = (type: "ed25519" | "x25519"): string => {
  const { privateKey } = type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type)
  return JSON.stringify({ keys: [{ ...privateKey.export({ format: "jwk" }), kid: "1" }] })
}

const folder = (name: string): Promise<string> => mkdtemp(join(tmpdir(), `hotswap-${name}-`))

export const startDeployment = async (
  more: Readonly<Record<string, string>> = {},
): Promise<DeploymentHere> => {
  const [database, redis, keys] = await Promise.all([freshDatabase(), startRedis(), folder("keys")])
  makeMasterKey(keys)
  // As the ones that are made: none begins with a dash, as options do.
  const adminToken = `hsa_${randomBytes(24).toString("base64url")}`
  const [readers, audit] = [keySet("ed25519"), keySet("ed25519")]
  const functions = composeFunctions(
    {
      DATABASE_URL: database.url("hotswap_app"),
      DATABASE_READ_URL: database.url("hotswap_read"),
      DATABASE_SYSTEM_URL: database.url("hotswap_system"),
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: redis.token,
      HOTSWAP_ADMIN_TOKEN: adminToken,
      HOTSWAP_EDGE_SECRET: randomBytes(24).toString("base64url"),
      HOTSWAP_READER_KEYS: readers,
      HOTSWAP_READER_PUBLIC_KEYS: readers,
      HOTSWAP_AUDIT_KEY: audit,
      HOTSWAP_AUDIT_PUBLIC_KEY: audit,
      HOTSWAP_HAND_OVER_KEY: keySet("x25519"),
      HOTSWAP_BLOB_DIRECTORY: await folder("blobs"),
      HOTSWAP_BACKUP_DIRECTORY: await folder("backups"),
      HOTSWAP_KEY_DIRECTORY: keys,
      ...more,
    },
    () => undefined,
  )
  const jobs = functions.schedules.find(({ name }) => name === "jobs")!
  const fetchHere = async (input: string, init: RequestInit = {}): Promise<Response> => {
    const { pathname, search } = new URL(input)
    const { method = "GET", body } = init
    const event = eventOf(method, pathname + search, {
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(typeof body === "string" ? { body } : {}),
    })
    const reply = await functions.route(method, pathname).handler(event, CONTEXT)
    const text = typeof reply.body === "string" ? reply.body : await textOf(Readable.from(reply.body))
    // One that failed in passing is gone on with while somebody asks for it.
    if (reply.statusCode === 202 || pathname.startsWith("/api/v1/jobs/")) await jobs.run()
    await functions.settled()
    return new Response(text === "" ? null : text, { status: reply.statusCode, headers: reply.headers })
  }
  const call = async (method: string, path: string, options: Parameters<Call>[2] = {}) => {
    const { body, token = adminToken, headers = {} } = options
    const answer = await fetchHere(`http://here${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text === "" ? null : JSON.parse(text) }
  }
  return {
    adminToken,
    fetch: fetchHere,
    call: call as Call,
    stop: async () => {
      await functions.close()
      await Promise.all([database.drop(), redis.stop()])
    },
  }
}
