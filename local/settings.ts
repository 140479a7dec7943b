import { resolve } from "node:path"
import { readTraceSettings, TRACE_VARIABLES } from "../core/trace/settings.ts"
import { readSettings, SettingsError } from "../functions/platform/settings.ts"

type Variables = Readonly<Record<string, string | undefined>>

/** Where data and caches are, if not of our own. */
export interface LocalSettings {
  /** The edge's port; 0 for any that is free. */
  port: number
  /** The port of the functions themselves, without the edge. */
  originPort: number
  /** Which address the edge listens on. */
  host: string
  /** Data, keys and tokens. */
  home: string
  database:
    | { kind: "embedded" }
    /** An owner's URL: it is migrated, and the roles' URLs are made from it. */
    | { kind: "owned"; url: string }
    /** Migrated already, with one URL for each role. */
    | { kind: "roles"; app: string; read: string; system: string }
  redis:
    | { kind: "embedded" }
    | { kind: "server"; url: string }
    | { kind: "upstash"; url: string; token: string }
  /** What the functions read for themselves; only what was set. */
  given: Readonly<Record<string, string>>
}

/** What cannot be started with, in lines that say what to do. */
export class StartError extends Error {
  constructor(lines: string | readonly string[], options?: ErrorOptions) {
    super(typeof lines === "string" ? lines : lines.join("\n"), options)
    this.name = "StartError"
  }
}

const DEFAULT_PORT = 8787
const MAX_PORT = 65_535
const GIVEN = [
  "HOTSWAP_ADMIN_TOKEN",
  "HOTSWAP_EDGE_SECRET",
  "HOTSWAP_READER_KEYS",
  "HOTSWAP_READER_PUBLIC_KEYS",
  "HOTSWAP_ENVIRONMENTS",
  "HOTSWAP_CACHE_TTL_SECONDS",
  "HOTSWAP_VIEW_MEMORY_MIB",
  "HOTSWAP_ERASE_AFTER_DAYS",
  "HOTSWAP_MANAGEMENT_LIMITS",
  "HOTSWAP_PROCESSING",
  "HOTSWAP_OUTBOUND_ALLOW",
  "HOTSWAP_JWT_ISSUERS",
  "HOTSWAP_CORS_ORIGINS",
  "HOTSWAP_AUDIT_KEY",
  "HOTSWAP_AUDIT_PUBLIC_KEY",
  "HOTSWAP_HAND_OVER_KEY",
  "HOTSWAP_TRUSTED_DEPLOYMENTS",
  "HOTSWAP_DEPLOYMENT_NAME",
  "HOTSWAP_BLOB_DIRECTORY",
  "HOTSWAP_BLOB_BUCKET",
  "HOTSWAP_BLOB_ENDPOINT",
  "HOTSWAP_BACKUP_DIRECTORY",
  "HOTSWAP_BACKUP_BUCKET",
  "HOTSWAP_BACKUP_REGION",
  "HOTSWAP_BACKUP_COPY_DIRECTORY",
  "HOTSWAP_BACKUP_COPY_BUCKET",
  "HOTSWAP_BACKUP_COPY_REGION",
  "HOTSWAP_REGION",
  "AWS_REGION",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "HOTSWAP_KEY_DIRECTORY",
  "HOTSWAP_KMS_ALIAS",
  "HOTSWAP_CONSOLE_URL",
  "SMTP_URL",
  "SMTP_FROM",
  ...TRACE_VARIABLES,
] as const

/** Reads the environment variables of `npm start`. Throws StartError with one line for each that is wrong. */
export const readLocalSettings = (variables: Variables): LocalSettings => {
  const problems: string[] = []
  const complain = (line: string): void => void problems.push(line)
  const set = (name: string): string | undefined => variables[name] || undefined
  const port = portOf("PORT", set("PORT"), DEFAULT_PORT, complain)
  const besideIt = port === 0 || port === MAX_PORT ? 0 : port + 1
  const settings: LocalSettings = {
    port,
    originPort: portOf("ORIGIN_PORT", set("ORIGIN_PORT"), besideIt, complain),
    host: set("HOST") ?? "127.0.0.1",
    home: resolve(set("HOTSWAP_HOME") ?? ".hotswap"),
    database: databaseOf(set, complain),
    redis: redisOf(set, complain),
    given: Object.fromEntries(GIVEN.flatMap((name) => (set(name) ? [[name, set(name)!]] : []))),
  }
  if (port !== 0 && settings.originPort === port)
    complain("ORIGIN_PORT is the same as PORT: give each its own")
  complainOfGiven(settings.given, complain)
  if (problems.length > 0) throw new StartError(problems)
  return settings
}

/** What the functions would refuse later is told before anything has started. */
const complainOfGiven = (given: LocalSettings["given"], complain: Complain): void => {
  readTraceSettings(given, complain)
  try {
    readSettings(given, [])
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    for (const line of error.message.split("\n")) complain(line)
  }
}

type Lookup = (name: string) => string | undefined
type Complain = (line: string) => void

const portOf = (name: string, text: string | undefined, otherwise: number, complain: Complain): number => {
  if (text === undefined) return otherwise
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= MAX_PORT) return port
  complain(`${name} is "${text}": give a port from 0 to ${MAX_PORT}, where 0 takes any that is free`)
  return otherwise
}

const databaseOf = (set: Lookup, complain: Complain): LocalSettings["database"] => {
  const names = ["DATABASE_URL", "DATABASE_READ_URL", "DATABASE_SYSTEM_URL"] as const
  for (const name of names)
    checkUrl(
      name,
      set(name),
      ["postgres:", "postgresql:"],
      "postgres://owner:password@host:5432/database",
      complain,
    )
  const [app, read, system] = names.map(set)
  if (app === undefined) {
    if (read ?? system)
      complain("DATABASE_URL is not set, though another of the database's URLs is: set it too")
    return { kind: "embedded" }
  }
  if (read === undefined && system === undefined) return { kind: "owned", url: app }
  if (read !== undefined && system !== undefined) return { kind: "roles", app, read, system }
  complain("set DATABASE_URL alone, as the owner, or DATABASE_READ_URL and DATABASE_SYSTEM_URL as well")
  return { kind: "embedded" }
}

const redisOf = (set: Lookup, complain: Complain): LocalSettings["redis"] => {
  const url = set("UPSTASH_REDIS_REST_URL")
  const token = set("UPSTASH_REDIS_REST_TOKEN")
  const server = set("REDIS_URL")
  checkUrl("UPSTASH_REDIS_REST_URL", url, ["https:", "http:"], "https://name.upstash.io", complain)
  checkUrl("REDIS_URL", server, ["redis:", "rediss:"], "redis://host:6379", complain)
  if ((url === undefined) !== (token === undefined))
    complain("UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN belong together: set both or neither")
  if (url !== undefined && server !== undefined)
    complain("REDIS_URL and UPSTASH_REDIS_REST_URL are both set: leave one out")
  if (url !== undefined && token !== undefined) return { kind: "upstash", url, token }
  return server === undefined ? { kind: "embedded" } : { kind: "server", url: server }
}

/** Never shows the URL itself: it may hold a password. */
const checkUrl = (
  name: string,
  url: string | undefined,
  protocols: readonly string[],
  example: string,
  complain: Complain,
): void => {
  if (url === undefined) return
  if (!URL.canParse(url) || !protocols.includes(new URL(url).protocol))
    complain(`${name} is not a URL like ${example}`)
}
