import { join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { TRACE_VARIABLES } from "../core/trace/settings.ts"
import { startCache } from "./cache.ts"
import { composeFunctions, type Functions } from "./compose.ts"
import { startDatabase } from "./database.ts"
import { startEdge } from "./edge.ts"
import { type FunctionHost, startFunctionHost } from "./functions.ts"
import { takeHome } from "./home.ts"
import { keepMasterKey } from "./keys.ts"
import { checkPort } from "./ports.ts"
import { type ScreenFacts, startScreen } from "./screen.ts"
import { auditKeySets, handOverKeySet, keepSecrets, keySets, type Secrets } from "./secrets.ts"
import type { LocalSettings } from "./settings.ts"
import { startSchedules } from "./timers.ts"

export interface LocalOptions {
  /** What is happening, while it starts and while it stops. */
  progress: (line: string) => void
  /** Lines of JSON that the functions and the Worker log. */
  log: (line: string) => void
}

export interface RunningLocal {
  url: string
  screen: string
  /** Lets what is under way end, then stops everything, last what others depend on. */
  stop(): Promise<void>
}

/** For all that is under way, at the edge and past it. Whoever stops this process waits ten seconds at the most. */
const DRAIN_LIMIT_MS = 4_500
/** For what came past the edge, where the edge took all of the time. */
const SHORTEST_GRACE_MS = 250
/**
 * Longer than in production, where each request has a processor of its own: here a crowd of cold readers queues in
 * this one process, which is no reason to tell them that there is no origin.
 */
const ORIGIN_DEADLINE_MS = 10_000
const LOOPBACK = "127.0.0.1"

/** Starts all of Hotswap in this process. What was started is stopped again when a later part does not start. */
export const startLocal = async (settings: LocalSettings, options: LocalOptions): Promise<RunningLocal> => {
  const startedAtMs = performance.now()
  const stops: Stops = []
  const stop = async (): Promise<void> => {
    const drainedAtMs = performance.now() + DRAIN_LIMIT_MS
    for (let part = stops.pop(); part !== undefined; part = stops.pop()) {
      const graceMs = Math.max(SHORTEST_GRACE_MS, drainedAtMs - performance.now())
      await stopPart(part, graceMs, options)
    }
  }
  try {
    stops.push(["the hold on the home", takeHome(settings.home)])
    await checkPort("PORT", settings.port, settings.host)
    await checkPort("ORIGIN_PORT", settings.originPort, LOOPBACK)
    const facts = await startParts(settings, options, stops)
    const screen = startScreen({ ...facts, startedInMs: performance.now() - startedAtMs })
    return { url: facts.url, screen, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** In the order of starting: each is stopped before those above it, which it may still need. */
type Stops = [what: string, stop: (graceMs: number) => unknown, limitMs?: number][]

const startParts = async (
  settings: LocalSettings,
  options: LocalOptions,
  stops: Stops,
): Promise<Omit<ScreenFacts, "startedInMs">> => {
  const secrets = await keepSecrets(settings.home)
  options.progress("Redis: starting")
  const cache = await startCache(settings, secrets)
  stops.push(["Redis", cache.stop])
  options.progress("PostgreSQL: starting, and bringing the schema up to date")
  const database = await startDatabase(settings, secrets, options.progress)
  stops.push(["PostgreSQL", database.stop, 3_000])

  const variables = variablesOf(settings, secrets, database.urls, cache)
  if (variables.HOTSWAP_KEY_DIRECTORY)
    await keepMasterKey(variables.HOTSWAP_KEY_DIRECTORY, database.urls.system)
  options.progress("functions: starting")
  const functions = composeFunctions(variables, options.log)
  stops.push(["the functions", functions.close])
  const origin = await startOrigin(settings, functions, options)
  stops.push(["the functions' host", origin.stop, DRAIN_LIMIT_MS])

  options.progress("edge: starting the Worker")
  const edge = await startEdge({
    directory: join(settings.home, "edge"),
    port: settings.port,
    host: settings.host,
    bindings: bindingsOf(variables, origin, functions),
    onLog: options.log,
    tell: options.progress,
  })
  const schedules = startSchedules(functions.schedules, errorLog(options))
  stops.push([
    "the edge and the schedules",
    () => Promise.all([schedules.stop(), edge.stop()]),
    DRAIN_LIMIT_MS,
  ])
  await untilReady(edge.url)
  return {
    url: edge.url.replace(LOOPBACK, "localhost"),
    originUrl: origin.url.replace(LOOPBACK, "localhost"),
    home: settings.home,
    environments: functions.environments,
    outboundAllow: settings.given.HOTSWAP_OUTBOUND_ALLOW ?? "",
    database: database.description,
    redis: cache.description,
    adminToken: variables.HOTSWAP_ADMIN_TOKEN!,
    tokenGiven: settings.given.HOTSWAP_ADMIN_TOKEN !== undefined,
  }
}

const variablesOf = (
  { given, home }: LocalSettings,
  secrets: Secrets,
  urls: { app: string; read: string; system: string },
  cache: { url: string; token: string },
): Record<string, string> => {
  const { signing, verifying } = keySets(secrets)
  const audit = auditKeySets(secrets)
  return {
    HOTSWAP_ADMIN_TOKEN: secrets.adminToken,
    HOTSWAP_EDGE_SECRET: secrets.edgeSecret,
    HOTSWAP_READER_KEYS: signing,
    HOTSWAP_READER_PUBLIC_KEYS: publicOf(given.HOTSWAP_READER_KEYS) ?? verifying,
    HOTSWAP_AUDIT_KEY: audit.signing,
    HOTSWAP_AUDIT_PUBLIC_KEY: publicOf(given.HOTSWAP_AUDIT_KEY) ?? audit.verifying,
    HOTSWAP_HAND_OVER_KEY: handOverKeySet(secrets),
    HOTSWAP_BLOB_DIRECTORY: join(home, "blobs"),
    HOTSWAP_BACKUP_DIRECTORY: join(home, "backups"),
    ...(given.HOTSWAP_KMS_ALIAS ? {} : { HOTSWAP_KEY_DIRECTORY: join(home, "keys") }),
    ...given,
    DATABASE_URL: urls.app,
    DATABASE_READ_URL: urls.read,
    DATABASE_SYSTEM_URL: urls.system,
    UPSTASH_REDIS_REST_URL: cache.url,
    UPSTASH_REDIS_REST_TOKEN: cache.token,
  }
}

/** The verifying half of a JWK set that was given; a damaged one is complained about by whoever reads it. */
const publicOf = (signing: string | undefined): string | undefined => {
  if (signing === undefined) return undefined
  try {
    const { keys } = JSON.parse(signing) as { keys: Record<string, unknown>[] }
    return JSON.stringify({ keys: keys.map(({ d: _private, ...key }) => key) })
  } catch {
    return undefined
  }
}

const bindingsOf = (
  variables: Readonly<Record<string, string>>,
  origin: FunctionHost,
  functions: Functions,
): Record<string, string> => ({
  READ_ORIGIN: origin.url,
  MANAGE_ORIGIN: origin.url,
  OUTCOMES_ORIGIN: origin.url,
  ROUTER_ORIGIN: origin.url,
  // While it is renewed there are two, of which the Worker says the first.
  EDGE_SECRET: variables.HOTSWAP_EDGE_SECRET!.split(",")[0]!,
  READER_PUBLIC_KEYS: variables.HOTSWAP_READER_PUBLIC_KEYS!,
  HOTSWAP_ENVIRONMENTS: functions.environments.join(","),
  HOTSWAP_CORS_ORIGINS: variables.HOTSWAP_CORS_ORIGINS ?? "",
  ...Object.fromEntries(TRACE_VARIABLES.map((name) => [name, variables[name] ?? ""])),
  ORIGIN_DEADLINE_MS: String(ORIGIN_DEADLINE_MS),
  UPSTASH_REDIS_REST_URL: variables.UPSTASH_REDIS_REST_URL!,
  UPSTASH_REDIS_REST_TOKEN: variables.UPSTASH_REDIS_REST_TOKEN!,
})

const startOrigin = (
  settings: LocalSettings,
  functions: Functions,
  options: LocalOptions,
): Promise<FunctionHost> =>
  startFunctionHost({
    route: functions.route,
    port: settings.originPort,
    log: errorLog(options),
  })

const errorLog = ({ log }: LocalOptions) => ({
  error: (message: string, fields: Record<string, unknown>) => {
    const error = fields.error instanceof Error ? { error: fields.error.stack } : {}
    log(JSON.stringify({ level: "error", function: "local", message, ...fields, ...error }))
  },
})

const READY_ATTEMPTS = 50
const READY_PAUSE_MS = 100

const untilReady = async (url: string): Promise<void> => {
  let last = "no answer"
  for (let i = 0; i < READY_ATTEMPTS; i++) {
    try {
      const answer = await fetch(`${url}/ready`)
      last = `${answer.status} ${await answer.text()}`
      if (answer.ok) return
    } catch (error) {
      last = String(error)
    }
    await wait(READY_PAUSE_MS)
  }
  throw new Error(`it started but does not get ready; the last answer of /ready: ${last}`)
}

const STOP_LIMIT_MS = 500
const TOO_LATE = Symbol("too late")

const stopPart = async (
  [what, stop, limitMs = STOP_LIMIT_MS]: Stops[number],
  graceMs: number,
  { progress }: LocalOptions,
): Promise<void> => {
  const limit = new AbortController()
  const late = wait(limitMs, TOO_LATE, { signal: limit.signal }).catch(() => undefined)
  try {
    if ((await Promise.race([late, stop(graceMs)])) === TOO_LATE)
      progress(`${what}: not done in time, what is left ends with this process`)
  } catch (error) {
    // The rest has to be stopped all the same.
    progress(`${what} did not stop as it should: ${String(error)}`)
  } finally {
    limit.abort()
  }
}
