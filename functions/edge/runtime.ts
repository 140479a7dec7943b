import type { Environment } from "../../core/environment.ts"
import { parseEnvironments } from "../../core/environment.ts"
import type { OpenSpan } from "../../core/trace/tracer.ts"
import { parseWebOrigins } from "../../core/web-origins.ts"
import type { SigningKey } from "./sigv4.ts"

/** The part of Workers KV that is used here. */
export interface KeyValueStore {
  get(key: string, type: "text"): Promise<string | null>
  getWithMetadata<Metadata>(
    key: string,
    type: "stream",
  ): Promise<{ value: ReadableStream | null; metadata: Metadata | null }>
  put(key: string, value: string, options: { metadata: unknown; expirationTtl: number }): Promise<void>
  delete(key: string): Promise<void>
}

/** The part of the Cache API that is used here. */
export interface SharedCache {
  match(url: string): Promise<Response | undefined>
  put(url: string, response: Response): Promise<void>
  delete(url: string): Promise<boolean>
}

/** What a request keeps alive after its answer has gone. */
export interface RequestLife {
  waitUntil(promise: Promise<unknown>): void
  /** Where it is traced: the span around its answer. */
  span?: OpenSpan
}

/** The part of a Durable Object namespace that is used here. */
export interface HubNamespace {
  idFromName(name: string): unknown
  get(id: unknown): { fetch(url: string, init: { method: string; body: string }): Promise<Response> }
}

/** What the Worker is deployed with. */
export interface Bindings {
  /** Base URLs of the read function and of the one that takes all the rest. */
  READ_ORIGIN: string
  MANAGE_ORIGIN: string
  /** Base URL of the function that hears what clients saw; the one that takes all the rest if left out. */
  OUTCOMES_ORIGIN?: string
  /** Base URL of the function that passes on to tenants' backends; the one that takes all the rest if left out. */
  ROUTER_ORIGIN?: string
  /** Tells the origins that it is the edge who asks. */
  EDGE_SECRET: string
  /** JWKS with the public Ed25519 keys of reader tokens. */
  READER_PUBLIC_KEYS: string
  LAST_KNOWN_GOOD: KeyValueStore
  /** What it signs requests to functions with that take no others (all but the manage function); none if left out. */
  AWS_ACCESS_KEY_ID?: string
  AWS_SECRET_ACCESS_KEY?: string
  AWS_REGION?: string
  /** Names in the order of promotion, with commas between. */
  HOTSWAP_ENVIRONMENTS: string
  /** Web pages of these origins may read from a browser; none if left out. */
  HOTSWAP_CORS_ORIGINS?: string
  /** Where Redis tells of moves; without it, or without Redis, streams look for themselves and hear later. */
  STREAM_HUB?: HubNamespace
  UPSTASH_REDIS_REST_URL?: string
  UPSTASH_REDIS_REST_TOKEN?: string
  /** Among how many hubs the tenants are shared out; 4 if left out. */
  STREAM_HUBS?: string
  /** Streams that one hub holds open; 10,000 if left out. */
  STREAMS_MAX?: string
  /** How long a read waits for the origin before it is given the last known good; 3,000 if left out. */
  ORIGIN_DEADLINE_MS?: string
  /** Whom spans are told, as OpenTelemetry's own variables say it; and which: see core/trace/settings.ts. */
  OTEL_EXPORTER_OTLP_ENDPOINT?: string
  OTEL_EXPORTER_OTLP_HEADERS?: string
  OTEL_TRACES_SAMPLER?: string
  OTEL_TRACES_SAMPLER_ARG?: string
  /** Which of the uploaded versions this is; told by `/health`, so that who deploys knows whom he asked. */
  WORKER_VERSION?: { id: string }
}

export interface Settings {
  readOrigin: string
  manageOrigin: string
  outcomesOrigin: string
  routerOrigin: string
  secret: string
  readerKeys: string
  environments: readonly Environment[]
  corsOrigins: readonly string[]
  originDeadlineMs: number
  hubs: number
  streamsMax: number
  /** Requests to the manage function are not signed: people call that one, too. */
  signing: SigningKey | null
}

const HUBS = 4
const STREAMS_MAX = 10_000
const ORIGIN_DEADLINE_MS = 3_000

const baseUrl = (name: string, text: string): string => {
  const { protocol, origin } = new URL(text)
  if (protocol !== "https:" && protocol !== "http:") throw new Error(`${name} is not a web address`)
  return origin
}

const countOf = (name: string, text: string | undefined, otherwise: number): number => {
  const count = Number(text ?? otherwise)
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${name} is not a number above zero`)
  return count
}

const originsOf = (text = ""): readonly string[] => {
  try {
    return text.trim() === "" ? [] : parseWebOrigins(text)
  } catch (error) {
    throw new Error(`HOTSWAP_CORS_ORIGINS ${(error as Error).message}`)
  }
}

export const streamsMaxOf = ({ STREAMS_MAX: text }: Pick<Bindings, "STREAMS_MAX">): number =>
  countOf("STREAMS_MAX", text, STREAMS_MAX)

const signingOf = (bindings: Bindings): SigningKey | null => {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: region } = bindings
  if (!id && !secret && !region) return null
  if (!id || !secret || !region)
    throw new Error("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION belong together")
  return { accessKeyId: id, secretAccessKey: secret, region, service: "lambda" }
}

/** Throws on what would make every answer wrong, so that a bad deployment shows at its first request. */
export const readSettings = (bindings: Bindings): Settings => {
  if (!bindings.EDGE_SECRET) throw new Error("EDGE_SECRET is missing")
  const deadlineMs = Number(bindings.ORIGIN_DEADLINE_MS ?? ORIGIN_DEADLINE_MS)
  if (!(deadlineMs > 0)) throw new Error("ORIGIN_DEADLINE_MS is not a number of milliseconds")
  return {
    readOrigin: baseUrl("READ_ORIGIN", bindings.READ_ORIGIN),
    manageOrigin: baseUrl("MANAGE_ORIGIN", bindings.MANAGE_ORIGIN),
    outcomesOrigin: baseUrl("OUTCOMES_ORIGIN", bindings.OUTCOMES_ORIGIN ?? bindings.MANAGE_ORIGIN),
    routerOrigin: baseUrl("ROUTER_ORIGIN", bindings.ROUTER_ORIGIN ?? bindings.MANAGE_ORIGIN),
    secret: bindings.EDGE_SECRET,
    readerKeys: bindings.READER_PUBLIC_KEYS,
    environments: parseEnvironments(bindings.HOTSWAP_ENVIRONMENTS),
    corsOrigins: originsOf(bindings.HOTSWAP_CORS_ORIGINS),
    originDeadlineMs: deadlineMs,
    hubs: countOf("STREAM_HUBS", bindings.STREAM_HUBS, HUBS),
    streamsMax: streamsMaxOf(bindings),
    signing: signingOf(bindings),
  }
}

/** Opened on each use: workerd ties what a request opened to that request. */
export const openSharedCache = async (): Promise<SharedCache> => {
  const { caches } = globalThis as unknown as { caches: { open(name: string): Promise<SharedCache> } }
  return await caches.open("hotswap")
}

/** Failures of an accelerator are survived, but never unseen. */
export const warn = (message: string, fields: Record<string, unknown>): void =>
  console.warn(JSON.stringify({ level: "warn", message, ...fields }))

/** Runs the accelerator's part; a failure is told and becomes `null`. */
export const surviving = async <T>(what: string, attempt: () => Promise<T>): Promise<T | null> => {
  try {
    return await attempt()
  } catch (error) {
    warn(what, { error: String(error) })
    return null
  }
}
