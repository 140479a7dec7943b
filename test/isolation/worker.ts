import { exportJWK, generateKeyPair, type JSONWebKeySet } from "jose"
import { vi } from "vitest"
import { parseJobId } from "../../core/ids.ts"
import { requestCancel } from "../../db/queries/jobs.ts"
import { createWork } from "../../functions/backup/create.ts"
import { createRunner } from "../../functions/backup/runner.ts"
import { createEdge } from "../../functions/edge/edge.ts"
import type { FunctionUrlHandler } from "../../functions/http/events.ts"
import { createManage } from "../../functions/manage/manage.ts"
import { createNotify } from "../../functions/notify/notify.ts"
import { createOutcomes } from "../../functions/outcomes/outcomes.ts"
import { composeArchives } from "../../functions/platform/archive/compose-archives.ts"
import { severalLocations } from "../../functions/platform/blob-locations.ts"
import { createCache } from "../../functions/platform/cache.ts"
import { checkpointSigner } from "../../functions/platform/checkpoint-signer.ts"
import { createClients } from "../../functions/platform/deployments/clients.ts"
import type { Messenger } from "../../functions/platform/messages/messenger.ts"
import { UrlRefused } from "../../functions/platform/outbound.ts"
import { createPublisher } from "../../functions/platform/publish.ts"
import { pointerReading, postgresReading } from "../../functions/platform/reading-postgres.ts"
import type { RedisReply, RedisSender } from "../../functions/platform/redis-sender.ts"
import { createRead } from "../../functions/read/read.ts"
import { makeCheckpoints } from "../../functions/relay/checkpoints.ts"
import { countUsage } from "../../functions/relay/usage.ts"
import { createRouter } from "../../functions/router/router.ts"
import { embeddedRedis } from "../../local/redis/embedded/server.ts"
import { CONTEXT, createWorld, type World } from "../functions/manage/world.ts"
import { eventOf } from "../support/function-events.ts"
import { EDGE_SECRET } from "../support/scripted-origin.ts"
import { cacheStorage, keyValues, memoryBlobs } from "./stores.ts"

/** A request as a probe sends it. */
export interface Sent {
  method: string
  /** Path and query, as they are on the wire. */
  path: string
  headers: Readonly<Record<string, string>>
  body: string | null
  /** Through the Worker, or straight at the read function's own address. */
  door: "worker" | "origin"
}

/** What came of it: the answer, and what was logged meanwhile. */
export interface Got {
  status: number
  headers: string
  text: string
  logged: string
}

const READ = "https://read.test"
const MANAGE = "https://manage.test"
const OUTCOMES = "https://outcomes.test"
const ROUTER = "https://router.test"
const WORKER = "https://worker.test"

const withoutPrivate = (jwks: { keys: readonly object[] }): string =>
  JSON.stringify({
    keys: jwks.keys.map((key) => ({ ...key, d: undefined, key_ops: undefined, alg: "EdDSA" })),
  })

const wholeOf = async (pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

const signingKeys = async (): Promise<JSONWebKeySet> => {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true })
  return { keys: [{ ...(await exportJWK(privateKey)), kid: "audit" }] }
}

export type Worker = Awaited<ReturnType<typeof createWorker>>

/**
 * The Worker and the three functions behind it in this process, over a real PostgreSQL and the embedded Redis: no
 * sockets but the database's, so that a hundred thousand requests take minutes. Everything that keeps or tells
 * anything can be looked into.
 */
export const createWorker = async (settings: Partial<World["platform"]["settings"]> = {}) => {
  /** By the address or the tenant that it was sent to. */
  const told: [string, string][] = []
  const messenger: Messenger = {
    mails: true,
    checkUrl: async (url) => {
      if (!url.startsWith("https://")) throw new UrlRefused("url", "it is not https")
    },
    send: async ({ config }, message) => {
      told.push([JSON.stringify(config), JSON.stringify(message)])
      return { kind: "delivered", words: "taken" }
    },
  }
  const auditKeys = await signingKeys()
  const world = await createWorld({ messenger, settings: { ...settings, auditPublicKey: auditKeys } })
  const { platform } = world
  const redis = embeddedRedis()
  /** Each that was sent, once. */
  const commands = new Set<string>()
  const send: RedisSender = async (batch) => {
    for (const command of batch) commands.add(JSON.stringify(command))
    const outcomes = await redis.run(batch as never, "plain")
    return outcomes.map((outcome) => {
      if ("error" in outcome) throw new Error(outcome.error)
      return outcome.result as RedisReply
    })
  }
  const lines: string[] = []
  const keep = (message: string, fields: Record<string, unknown> = {}) => {
    const shown = Object.entries(fields).map(([name, value]) => [
      name,
      value instanceof Error ? String(value.stack) : value,
    ])
    lines.push(`${message} ${JSON.stringify(Object.fromEntries(shown))}`)
  }
  const log = { info: keep, warn: keep, error: keep }
  // How often one may fail to say who one is has its own tests: here it would only be in the way.
  const blobs = memoryBlobs()
  const places = severalLocations([{ name: "primary", store: blobs }])
  const archives = composeArchives({ ...platform, blobs: places, settings: { handOverKey: null } })
  const basics = {
    ...platform,
    log,
    attempts: { failed: () => false, isFlood: () => false },
    archiving: { archives, blobs: places },
  }
  const cache = createCache({ ...basics, send, ttlSeconds: 300 })
  const publisher = createPublisher({
    reading: pointerReading(world.read),
    cache,
    clock: platform.clock,
  })
  const edgeSettings = { ...platform.settings, readerPublicKeys: world.readerKeys, edgeSecret: EDGE_SECRET }
  const manage = createManage({ ...basics, publisher } as never)
  const read = createRead({
    ...basics,
    cache,
    reading: postgresReading(world.read, platform.settings.environments),
    settings: { ...edgeSettings, cacheTtlSeconds: 300 },
    close: async () => {},
  } as never)
  const outcomes = createOutcomes({ ...basics, publisher, settings: edgeSettings } as never)
  const clients = createClients({ ...platform, allowed: [] })
  const router = createRouter({ ...basics, clients, settings: edgeSettings } as never)
  const origins: Record<string, FunctionUrlHandler> = {
    [READ]: (event) => read(event),
    [MANAGE]: manage.handler,
    [OUTCOMES]: outcomes,
    [ROUTER]: router,
  }

  const answer = async (request: Request): Promise<Response> => {
    const { origin, pathname, search } = new URL(request.url)
    const body = request.method === "GET" || request.method === "HEAD" ? undefined : await request.text()
    const event = {
      ...eventOf(request.method, pathname, {
        headers: Object.fromEntries(request.headers),
        ...(body === undefined ? {} : { body }),
      }),
      rawQueryString: search.slice(1),
    }
    const result = await origins[origin]!(event, CONTEXT as never)
    const bare = [204, 304].includes(result.statusCode) || request.method === "HEAD"
    const pieces = result.pieces && (await wholeOf(result.pieces))
    const bytes =
      (pieces as Uint8Array<ArrayBuffer> | undefined) ??
      (result.isBase64Encoded ? Buffer.from(result.body, "base64") : result.body)
    return new Response(bare ? null : bytes, { status: result.statusCode, headers: result.headers as never })
  }

  const shared = cacheStorage()
  const lastKnownGood = keyValues()
  vi.stubGlobal("caches", shared.caches)
  vi.stubGlobal("fetch", (input: Request | string, init?: RequestInit) => answer(new Request(input, init)))
  const warn = vi.spyOn(console, "warn").mockImplementation((line: string) => {
    lines.push(line)
  })
  const edge = createEdge({
    READ_ORIGIN: READ,
    MANAGE_ORIGIN: MANAGE,
    OUTCOMES_ORIGIN: OUTCOMES,
    ROUTER_ORIGIN: ROUTER,
    EDGE_SECRET,
    READER_PUBLIC_KEYS: withoutPrivate(world.readerKeys),
    HOTSWAP_ENVIRONMENTS: platform.settings.environments.join(","),
    LAST_KNOWN_GOOD: lastKnownGood.store as never,
  })

  const textOf = async (response: Response): Promise<string> => {
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return await response.text()
    // A stream has no end: what it begins with tells whose it is.
    const reader = response.body!.getReader()
    let text = ""
    while (!text.includes("data:") && text.length < 1_000) {
      const { value, done } = await reader.read()
      if (done) break
      text += new TextDecoder().decode(value)
    }
    await reader.cancel()
    return text
  }

  /** So that there never are too many, which whoever asks next would be told. */
  const endJob = async (location: string | null): Promise<void> => {
    const job = parseJobId(location?.split("/api/v1/jobs/")[1] ?? "")
    const audit = { action: "job.cancel", actor: { subject: "clock", tokenId: "system" }, target: "" }
    if (job) await requestCancel(world.app, job.scope, job.uuid, audit)
  }

  const ask = async ({ method, path, headers, body, door }: Sent): Promise<Got> => {
    const begin = lines.length
    const later: Promise<unknown>[] = []
    const life = { waitUntil: (promise: Promise<unknown>) => void later.push(promise) }
    const base = door === "worker" ? WORKER : READ
    const request = new Request(base + path, { method, headers, ...(body === null ? {} : { body }) })
    const response = await (door === "worker" ? edge.answer(request, life) : answer(request))
    const text = await textOf(response)
    await Promise.allSettled(later)
    await platform.background.settled()
    await endJob(response.headers.get("location"))
    return {
      status: response.status,
      headers: [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"),
      text,
      logged: lines.slice(begin).join("\n"),
    }
  }

  /** Makes the backups that were asked for. Returns the name of a part of the tenant's. */
  const backUp = async (slug: string): Promise<string> => {
    const making = { ...basics, bulk: world.app, blobs: places, archives }
    const runner = createRunner(making as never, { "backup.create": createWork(making as never) })
    await runner.run(platform.clock.nowMs() + 60_000)
    const [part] = [...blobs.kept.keys()].filter((name) => name.startsWith(`backups/${slug}/parts/`))
    if (part === undefined) throw new Error(`no backup of ${slug} was made: ${lines.at(-1)}`)
    return part.split("/").at(-1)!
  }

  /** And what happened there, which is counted. */
  const tellEvents = async (slug: string, headers: Record<string, string>): Promise<void> => {
    const userId = `user.${slug}.7c1e`
    const happened = [
      { type: "user_login", data: { userId } },
      { type: "error", data: { type: `error.${slug}.7c1e`, userId } },
      {
        type: "api_request",
        data: { path: `/${slug}/7c1e`, method: "GET", status: 200, durationMs: 1, userId },
      },
    ]
    const body = JSON.stringify({ events: happened.map((event) => ({ tenantId: slug, ...event })) })
    const told = await ask({ method: "POST", path: "/api/v1/events", headers, body, door: "worker" })
    if (told.status !== 202) throw new Error(`${told.text} ${told.logged}`)
    const { clock } = platform
    await countUsage({
      system: world.system,
      db: world.app,
      inbox: undefined,
      clock,
      log,
      metricTenants: 100,
    })
  }

  /** What the application of a tenant does: it reads, and says how that went. Returns the id of what it read. */
  const report = async (slug: string, token: string): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` }
    const path = `/api/v1/configs/tenant/${slug}`
    const read = await ask({ method: "GET", path, headers, body: null, door: "worker" })
    const [, view] = /^etag: W\/"(.*)"$/m.exec(read.headers) ?? []
    const { revision } = JSON.parse(read.text) as { revision: string }
    const reports = ["stable", "candidate"].map((arm) => ({
      ...{ revision, arm, instance: `web.${slug}.7c1e`, seq: 1 },
      ...{ ok: 20, errors: 0 },
    }))
    const body = JSON.stringify({ reports })
    const told = await ask({ method: "POST", path: "/api/v1/outcomes", headers, body, door: "worker" })
    if (view === undefined || told.status !== 202) throw new Error(`${read.text} ${told.text} ${told.logged}`)
    await tellEvents(slug, headers)
    return view
  }

  /** Every key of Redis with its value. */
  const redisKeys = async (): Promise<Map<string, string>> => {
    const one = async (...words: string[]) => {
      const [outcome] = await redis.run([words] as never, "plain")
      return (outcome as { result: unknown }).result
    }
    const keys = (await one("KEYS", "*")) as string[]
    const values = new Map<string, string>()
    for (const key of keys) {
      const command = (await one("TYPE", key)) === "hash" ? "HGETALL" : "GET"
      values.set(key, JSON.stringify(await one(command, key)))
    }
    return values
  }

  const sign = () =>
    makeCheckpoints({
      ...{ system: world.system, signer: checkpointSigner(auditKeys), blobs, log },
      clock: world.platform.clock,
    })
  const notify = async () => {
    const sender = createNotify({ ...basics, messenger, chance: () => 0.5 } as never)
    while ((await sender.sweep()) > 0) await sender.settled()
  }

  return {
    world,
    routes: manage.routes,
    ask,
    report,
    backUp,
    sign,
    notify,
    commands,
    told,
    blobs: blobs.kept,
    redisKeys,
    edgeCache: shared.kept,
    lastKnownGood: lastKnownGood.kept,
    close: async () => {
      warn.mockRestore()
      vi.unstubAllGlobals()
      await redis.close()
      await world.close()
    },
  }
}
