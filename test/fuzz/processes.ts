import { type ChildProcess, fork } from "node:child_process"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { calculateJwkThumbprint, type JWK } from "jose"
import { makeMasterKey } from "../../functions/platform/keys/master-key.ts"
import type { DatabaseRole } from "../../local/postgres/secrets.ts"
import { EDGE_SECRET } from "../support/scripted-origin.ts"
import type { LoopReport, Stall } from "./loop-watch.ts"

/** No turn of the event loop may take longer. */
export const STALL_MS = 100

export interface Memory {
  heapUsed: number
  external: number
  arrayBuffers: number
  rss: number
  /** Open sockets, timers and so on, by node's names for them. */
  resources: Readonly<Record<string, number>>
  descriptors: number | null
}

interface Told {
  kind: "ready" | "answer" | "stall" | "error"
  id?: number
  answer?: unknown
  stall?: Stall
  line?: string
  [more: string]: unknown
}

const startChild = async (
  file: string,
  options: { environment?: Record<string, string>; execArgv?: string[]; on?: (told: Told) => void },
) => {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)), {
    env: { ...process.env, ...options.environment },
    execArgv: options.execArgv ?? [],
    silent: true,
  })
  const said: string[] = []
  child.stderr!.on("data", (data) => said.push(String(data)))
  child.stdout!.resume()
  const waiting = new Map<number, (answer: unknown) => void>()
  const ready = Promise.withResolvers<Told>()
  const gone = once(child, "exit").then(() => new Error(`${file} ended: ${said.join("")}`))
  child.on("message", (told: Told) => {
    if (told.kind === "ready") ready.resolve(told)
    else if (told.kind === "answer") waiting.get(told.id!)?.(told.answer)
    else options.on?.(told)
  })
  let last = 0
  const first = await Promise.race([ready.promise, gone.then((error) => Promise.reject(error))])
  return {
    first,
    ask: <T>(ask: string, more: object = {}): Promise<T> => {
      const id = ++last
      const answered = new Promise<T>((resolve) => waiting.set(id, resolve as (answer: unknown) => void))
      child.send({ id, ask, ...more })
      return Promise.race([answered, gone.then((error) => Promise.reject(error))])
    },
    stop: async (): Promise<void> => {
      if (child.connected) child.disconnect()
      await gone
    },
  }
}

const newKey = async (): Promise<{ signing: string; verifying: string }> => {
  const key = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) as JWK
  const named = { ...key, kid: await calculateJwkThumbprint(key), alg: "EdDSA", use: "sig" }
  const { d: _private, ...open } = named
  return { signing: JSON.stringify({ keys: [named] }), verifying: JSON.stringify({ keys: [open] }) }
}

export interface Processes {
  url: string
  admin: string
  /** Takes webhooks. */
  receiver: string
  redis: { url: string; token: string; kind: string }
  readerKeys: string
  memory(): Promise<Memory>
  loop(): Promise<LoopReport>
  /** The longest turn since this was asked last, milliseconds on the processor. */
  longest(): Promise<number>
  /** The clock, the relay and the messages stand still while it lasts. */
  still<T>(work: () => Promise<T>): Promise<T>
  stop(): Promise<void>
}

/** The functions that answer in one process, whatever else runs by itself in another. */
export const startProcesses = async (
  databaseUrl: (role: DatabaseRole) => string,
  jwtIssuers: string,
  on: (told: { stall?: Stall; error?: string }) => void,
): Promise<Processes> => {
  const hear = (told: Told) =>
    on({ ...(told.stall && { stall: told.stall }), ...(told.line && { error: told.line }) })
  const neighbours = await startChild("./neighbours-child.ts", { on: hear })
  const { redis, receiver } = neighbours.first as unknown as Pick<Processes, "redis" | "receiver">
  const [reader, audit] = [await newKey(), await newKey()]
  const admin = `hsa_${randomBytes(32).toString("base64url")}`
  const keys = await mkdtemp(join(tmpdir(), "hotswap-keys-"))
  makeMasterKey(keys)
  const variables: Record<string, string> = {
    DATABASE_URL: databaseUrl("hotswap_app"),
    DATABASE_READ_URL: databaseUrl("hotswap_read"),
    DATABASE_SYSTEM_URL: databaseUrl("hotswap_system"),
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    HOTSWAP_ADMIN_TOKEN: admin,
    HOTSWAP_EDGE_SECRET: EDGE_SECRET,
    HOTSWAP_READER_KEYS: reader.signing,
    HOTSWAP_READER_PUBLIC_KEYS: reader.verifying,
    HOTSWAP_AUDIT_KEY: audit.signing,
    HOTSWAP_AUDIT_PUBLIC_KEY: audit.verifying,
    HOTSWAP_BLOB_DIRECTORY: await mkdtemp(join(tmpdir(), "hotswap-blobs-")),
    HOTSWAP_BACKUP_DIRECTORY: await mkdtemp(join(tmpdir(), "hotswap-backups-")),
    HOTSWAP_KEY_DIRECTORY: keys,
    HOTSWAP_JWT_ISSUERS: jwtIssuers,
    HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8",
    // Little, so that it is full long before the end, and what grows on is no cache.
    HOTSWAP_VIEW_MEMORY_MIB: "8",
  }
  const profile = process.env.HOTSWAP_FUZZ_PROFILE
  const service = await startChild("./service-child.ts", {
    environment: variables,
    execArgv: ["--expose-gc", ...(profile ? ["--cpu-prof", `--cpu-prof-dir=${profile}`] : [])],
    on: hear,
  }).catch(async (error: unknown) => {
    await neighbours.stop()
    throw error
  })
  await neighbours.ask("run", { variables })
  return {
    url: (service.first as unknown as { url: string }).url,
    admin,
    receiver,
    redis,
    readerKeys: reader.verifying,
    memory: () => service.ask("memory"),
    loop: () => service.ask("loop"),
    longest: () => service.ask("longest"),
    still: async (work) => {
      await neighbours.ask("hold")
      try {
        return await work()
      } finally {
        await neighbours.ask("go")
      }
    },
    stop: async () => {
      await service.stop()
      await neighbours.stop()
    },
  }
}
