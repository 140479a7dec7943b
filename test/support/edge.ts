import { generateKeyPairSync, randomUUID } from "node:crypto"
import type { Readable } from "node:stream"
import { build } from "esbuild"
import { exportJWK, type JWK } from "jose"
import { Log, LogLevel, Miniflare } from "miniflare"
import type { Environment } from "../../core/environment.ts"
import { type ScopeId, tokenIdOf } from "../../core/ids.ts"
import { type ReaderClaims, readerSigner } from "../../functions/http/tokens.ts"
import { EDGE_SECRET } from "./scripted-origin.ts"
import { ROOT } from "./source-tree.ts"

/** The newest that this workerd knows. */
const COMPATIBILITY_DATE = "2026-07-30"

/** A Worker's source as one module, as it would be deployed. */
const bundleWorker = async (entry: string): Promise<string> => {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    logLevel: "silent",
  })
  return outputFiles[0]!.text
}

let bundled: Promise<string> | undefined
const bundleEdge = (): Promise<string> => {
  bundled ??= bundleWorker("functions/edge/worker.ts")
  return bundled
}

/** For `expect.poll`: what goes on behind an answer may take a while on a busy machine. */
export const PATIENTLY = { timeout: 15_000, interval: 20 }

// ---- tokens

export interface ReaderKeys {
  jwks: string
  /** A reader token; the defaults read everything of Production for an hour. */
  issue(claims?: Partial<ReaderClaims>): Promise<string>
}

export const createReaderKeys = async (kid = "reader-1"): Promise<ReaderKeys> => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const described = { kid, alg: "EdDSA", use: "sig" }
  const sign = await readerSigner({ keys: [{ ...(await exportJWK(privateKey)), ...described } as JWK] })
  return {
    jwks: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), ...described }] }),
    issue: async (claims = {}) => {
      const now = Math.floor(Date.now() / 1_000)
      return await sign({
        tokenId: tokenIdOf("~platform" as ScopeId, randomUUID()),
        subject: "app",
        tenants: "*",
        environment: "Production" as Environment,
        issuedAt: now,
        expiresAt: now + 3_600,
        ...claims,
      })
    },
  }
}

// ---- the Worker

export interface EdgeOptions {
  /** Plays the read function, and the manage function too unless that has one of its own. */
  origin: string
  manageOrigin?: string
  /** Hears what clients saw; the manage function unless given. */
  outcomesOrigin?: string
  jwks: string
  /** Where Cache API and KV are kept; each left out is kept in memory and gone with the Worker. */
  cacheDirectory?: string
  kvDirectory?: string
  deadlineMs?: number
  /** Where the Worker hears of moves. */
  redis?: { url: string; token: string }
  /** Bindings besides those that every test has. */
  bindings?: Readonly<Record<string, string>>
  /** A Worker that every request passes on its way; it finds the edge as its binding `EDGE`. */
  before?: string
  /** Gets what the Worker writes to its log, as it comes. */
  onLog?: (text: string) => void
}

export interface RunningEdge {
  url: string
  get(path: string, token?: string, init?: RequestInit): Promise<Response>
  /** What KV holds, by name. */
  lastKnownGood(): Promise<ReadonlyMap<string, string>>
  /** Ends workerd; again does nothing. */
  dispose(): Promise<void>
}

/** Miniflare types its namespaces by a package that is not needed for anything else. */
interface Namespace {
  list(): Promise<{ keys: { name: string }[] }>
  get(name: string): Promise<string | null>
}

const edgeWorker = async ({
  origin,
  manageOrigin,
  outcomesOrigin,
  jwks,
  deadlineMs,
  redis,
  bindings,
}: EdgeOptions) => ({
  name: "edge",
  modules: true as const,
  script: await bundleEdge(),
  compatibilityDate: COMPATIBILITY_DATE,
  bindings: {
    READ_ORIGIN: origin,
    MANAGE_ORIGIN: manageOrigin ?? origin,
    ...(outcomesOrigin === undefined ? {} : { OUTCOMES_ORIGIN: outcomesOrigin }),
    EDGE_SECRET,
    READER_PUBLIC_KEYS: jwks,
    HOTSWAP_ENVIRONMENTS: "Development,QA,Staging,Production",
    ...(deadlineMs === undefined ? {} : { ORIGIN_DEADLINE_MS: String(deadlineMs) }),
    ...(redis && { UPSTASH_REDIS_REST_URL: redis.url, UPSTASH_REDIS_REST_TOKEN: redis.token }),
    ...bindings,
  },
  durableObjects: { STREAM_HUB: { className: "StreamHub", useSQLite: true } },
  kvNamespaces: ["LAST_KNOWN_GOOD"],
})

const workerBefore = (script: string) => ({
  name: "before",
  modules: true as const,
  script,
  compatibilityDate: COMPATIBILITY_DATE,
  serviceBindings: { EDGE: "edge" },
})

/** Nothing counts what runs in workerd, so while coverage is counted the Worker runs here. */
const isCounted = process.env.HOTSWAP_COVERAGE === "1"

/** The Worker in real workerd, on a port of its own. */
export const startEdge = async (options: EdgeOptions): Promise<RunningEdge> => {
  const { cacheDirectory, kvDirectory, before, onLog = () => {} } = options
  const edge = await edgeWorker(options)
  const miniflare = new Miniflare({
    workers: before === undefined ? [edge] : [workerBefore(before), edge],
    cf: false,
    log: new Log(LogLevel.NONE),
    // What it warns of is expected here.
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      for (const written of [stdout, stderr]) written.setEncoding("utf8").on("data", onLog)
    },
    ...(cacheDirectory ? { cachePersist: cacheDirectory } : {}),
    ...(kvDirectory ? { kvPersist: kvDirectory } : {}),
  })
  const there = (await miniflare.ready).origin
  const here =
    isCounted && before === undefined
      ? await (await import("./edge-here.ts")).serveEdgeHere(miniflare, edge.bindings, onLog)
      : null
  const url = here?.url ?? there
  let disposed: Promise<void> | undefined
  return {
    url,
    get: async (path, token, init = {}) => {
      const headers = new Headers(init.headers)
      if (token !== undefined) headers.set("authorization", `Bearer ${token}`)
      return await fetch(url + path, { redirect: "manual", ...init, headers })
    },
    lastKnownGood: async () => {
      const namespace = (await miniflare.getKVNamespace("LAST_KNOWN_GOOD", "edge")) as unknown as Namespace
      const { keys } = await namespace.list()
      const texts = keys.map(async ({ name }) => [name, (await namespace.get(name)) ?? ""] as const)
      return new Map(await Promise.all(texts))
    },
    dispose: async () => {
      disposed ??= (here?.close() ?? Promise.resolve()).then(() => miniflare.dispose())
      await disposed
    },
  }
}
