import type { Json, JsonObject } from "../json.ts"
import { markedVersion } from "../secret/marker.ts"

/** What a tenant may have backends of its own for. */
export const BACKENDS = ["metrics", "logs", "traces"] as const
export type BackendName = (typeof BACKENDS)[number]

/** What is done at a backend: asked, or given something to keep. */
export type Use = "query" | "write"

/** One address of a backend. */
export interface Target {
  /** Without a slash at its end, a query, a user or a password. */
  url: string
  /** Where it stands; the nearest is asked first. */
  region?: string
  /** Among those that are as near, the lowest first; 0 if left out. */
  priority?: number
  /** What it is for, where a cluster parts the two; both if left out. */
  use?: Use
}

/** How a target's health is looked at; what is left out is the template's. */
export interface HealthCheck {
  path?: string
  intervalSeconds?: number
  timeoutMs?: number
  /** So many failures in a row make it unhealthy, so many successes healthy again. */
  unhealthyAfter?: number
  healthyAfter?: number
}

/** A secret is its text on the way in, and a marker wherever it is kept or shown. */
export type Credentials =
  | { type: "bearer"; token: Json }
  | { type: "basic"; username: string; password: Json }

/** Whom it takes for the backend, and what it shows the backend. Certificates and key in PEM. */
export interface BackendTls {
  /** Who must have signed the backend's certificate, in the place of those whom everybody trusts. */
  ca?: string
  certificate?: Json
  key?: Json
}

/** A tenant's own backend. */
export interface Backend {
  targets: Target[]
  /** Until the backend has begun to answer. */
  timeoutMs?: number
  /** Where it runs in its cluster. */
  namespace?: string
  /** Whose data it is among those that the backend holds. */
  tenancy?: { accountId: number; projectId?: number }
  health?: HealthCheck
  credentials?: Credentials
  tls?: BackendTls
}

/** A tenant's deployments: what it says of its own backends. */
export type Deployments = { [Name in BackendName]?: Backend }

/** From the least to the most, of what is a number. */
export const BOUNDS = {
  priority: [0, 1_000],
  timeoutMs: [100, 120_000],
  accountId: [0, 4_294_967_295],
  projectId: [0, 4_294_967_295],
  intervalSeconds: [10, 3_600],
  healthTimeoutMs: [100, 10_000],
  unhealthyAfter: [1, 10],
  healthyAfter: [1, 10],
} as const satisfies Record<string, readonly [number, number]>

/** A path as it stands in a URL: nothing in it has to be escaped, and nothing leads upwards. */
export const PLAIN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)*$/

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isNumber = (value: Json | undefined, bounds: keyof typeof BOUNDS): boolean => {
  const [least, most] = BOUNDS[bounds]
  return (
    value === undefined ||
    (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
  )
}

const isText = (value: Json | undefined): boolean => value === undefined || typeof value === "string"
const isSecret = (value: Json | undefined): boolean => value === undefined || markedVersion(value) !== null

const isTarget = (value: Json): boolean =>
  isObject(value) &&
  typeof value.url === "string" &&
  targetUrl(value.url) === value.url &&
  isText(value.region) &&
  isNumber(value.priority, "priority") &&
  [undefined, "query", "write"].includes(value.use as Use | undefined)

const isHealth = (value: JsonObject): boolean =>
  (value.path === undefined || (typeof value.path === "string" && PLAIN_PATH.test(value.path))) &&
  isNumber(value.intervalSeconds, "intervalSeconds") &&
  isNumber(value.timeoutMs, "healthTimeoutMs") &&
  isNumber(value.unhealthyAfter, "unhealthyAfter") &&
  isNumber(value.healthyAfter, "healthyAfter")

const isTenancy = (value: JsonObject): boolean =>
  value.accountId !== undefined &&
  isNumber(value.accountId, "accountId") &&
  isNumber(value.projectId, "projectId")

const isCredentials = (value: JsonObject): boolean =>
  value.type === "bearer"
    ? markedVersion(value.token) !== null
    : value.type === "basic" && typeof value.username === "string" && markedVersion(value.password) !== null

const isTls = (value: JsonObject): boolean =>
  isText(value.ca) && isSecret(value.certificate) && isSecret(value.key)

const optional = (value: Json | undefined, is: (value: JsonObject) => boolean): boolean =>
  value === undefined || (isObject(value) && is(value))

const isBackend = (value: Json | undefined): boolean =>
  isObject(value) &&
  Array.isArray(value.targets) &&
  value.targets.every(isTarget) &&
  isNumber(value.timeoutMs, "timeoutMs") &&
  isText(value.namespace) &&
  optional(value.tenancy, isTenancy) &&
  optional(value.health, isHealth) &&
  optional(value.credentials, isCredentials) &&
  optional(value.tls, isTls)

/**
 * A target's URL as it is kept, or `null`: http or https, a host, perhaps a port and the beginning of a path, and nothing
 * else.
 */
export const targetUrl = (text: string): string | null => {
  const url = URL.parse(text)
  if (url === null || !["https:", "http:"].includes(url.protocol) || url.hostname === "") return null
  const path = url.pathname.replace(/\/$/, "")
  if (`${url.username}${url.password}${url.search}${url.hash}` !== "" || !PLAIN_PATH.test(path)) return null
  return url.origin + path
}

/** What is kept, as it can be used: what was not written by the route that checks it, an archive's, may be anything. */
export const readDeployments = (kept: Json): Deployments => {
  if (!isObject(kept)) return {}
  const usable = BACKENDS.filter((name) => Object.hasOwn(kept, name) && isBackend(kept[name]))
  return Object.fromEntries(usable.map((name) => [name, kept[name] as unknown as Backend]))
}

/** The members of a backend that are secret, by the member they are in. */
const SECRET_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  credentials: ["token", "password"],
  tls: ["certificate", "key"],
}

/** The same deployments with what `put` gives in the place of each secret. `name`: what it is sealed under. */
export const withSecrets = (
  deployments: Deployments,
  put: (name: string, value: Json) => Json,
): Deployments => {
  const inBackend = (name: BackendName, backend: Backend): Backend => {
    const made = { ...backend } as unknown as JsonObject
    for (const [member, secret] of Object.entries(SECRET_MEMBERS)) {
      const part = made[member]
      if (!isObject(part)) continue
      made[member] = Object.fromEntries(
        Object.entries(part).map(([field, value]) => [
          field,
          secret.includes(field) ? put(`${name}.${field}`, value) : value,
        ]),
      )
    }
    return made as unknown as Backend
  }
  return Object.fromEntries(
    BACKENDS.flatMap((name) => {
      const backend = deployments[name]
      return backend === undefined ? [] : [[name, inBackend(name, backend)]]
    }),
  )
}

/** Every secret of deployments, with what stands in its place. */
export const secretsOf = (deployments: Deployments): Map<string, Json> => {
  const found = new Map<string, Json>()
  withSecrets(deployments, (name, value) => {
    found.set(name, value)
    return value
  })
  return found
}
