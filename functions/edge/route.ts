import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { parseOfrepPath } from "../../core/flag/ofrep.ts"
import { OFREP_STREAM_PATH } from "../../core/flag/ofrep-bulk.ts"
import { type ConfigKey, parseConfigKey, parseTenantId, type TenantId } from "../../core/ids.ts"
import { misspeltParameter } from "../../core/release/view-parameters.ts"
import { Bounded } from "./bounded.ts"

/** What a hot read asks for. */
export interface ViewRequest {
  kind: "view"
  tenantId: TenantId
  /** `null`: the one the token is bound to. */
  environment: Environment | null
  key: ConfigKey | null
  targetingKey: string | null
  bothArms: boolean
}

/** What flags are to be evaluated: all of them, or the one of this key. */
export interface OfrepRequest {
  kind: "ofrep"
  key: string | null
  /** `null`: the one the token is bound to. */
  environment: Environment | null
  /** What the client was told of, and wants to see now. */
  wanted: string | null
  /** Is it to be told where it hears of changes? */
  streams: boolean
}

export type Route =
  | ViewRequest
  | OfrepRequest
  | { kind: "ofrepStream"; ticket: string | null }
  | { kind: "health" }
  | { kind: "stream" }
  | { kind: "hidden"; path: string }
  | { kind: "forward" }

const VIEW_PATH = /^\/api\/v1\/configs\/tenant\/([^/]+)$/
/** What is below this is read from the read function. */
export const VIEWS_PATH = "/api/v1/configs/tenant/"
/** As is what is below this. */
export const OFREP_PATH = "/ofrep/"
/** What these name is for the function that hears what clients saw, and what happened at tenants. */
export const OUTCOMES_PATHS: readonly string[] = ["/api/v1/outcomes", "/api/v1/events"]
/** What is below this is for the function that passes on to tenants' backends. */
export const ROUTE_PATH = "/api/v1/route/"
const STREAM_PATH = "/api/v1/stream"
/** Questions that only the origin answers. */
const ORIGIN_ONLY = ["asOf", "detail", "preview"]
const ANSWERED = ["environment", "key", "targetingKey", "arms"]

const decode = (text: string): string | null => {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** One by one: an escape that is none must not hide those that are. */
const ESCAPED = /%([0-9a-f]{2})/gi
const unescaped = (_: string, hex: string): string => String.fromCharCode(Number.parseInt(hex, 16))

/**
 * Is it one of the origin's internal routes, however it is spelt? Forwarded requests carry the edge's
 * secret, so such a path must never be passed on.
 */
const isInternal = (pathname: string): boolean => {
  let path = pathname
  for (let round = 0; round < 3; round++) path = path.replaceAll(ESCAPED, unescaped)
  const parts: string[] = []
  for (const part of path.split(/[/\\]+/)) {
    if (part === "..") parts.pop()
    else if (part !== "" && part !== ".") parts.push(part)
  }
  return parts[0]?.toLowerCase() === "internal"
}

/** The hot read that the edge may answer, or `null`: whatever is odd about it is for the origin to say. */
const viewRequest = (url: URL, environments: readonly Environment[]): ViewRequest | null => {
  const tenantId = parseTenantId(VIEW_PATH.exec(url.pathname)?.[1] ?? "")
  const query = url.searchParams
  if (!tenantId || decode(url.search) === null || ORIGIN_ONLY.some((name) => query.has(name))) return null
  // Given twice, empty or nearly right, a parameter is a mistake that deserves the origin's explanation.
  if (ANSWERED.some((name) => query.getAll(name).length > 1 || query.get(name) === "")) return null
  if ([...query.keys()].some((name) => misspeltParameter(name) !== null)) return null
  const named = query.get("environment")
  const environment = named === null ? null : parseEnvironment(named, environments)
  const keyText = query.get("key")
  const key = keyText === null ? null : parseConfigKey(keyText)
  const arms = query.get("arms")
  if ((named && !environment) || (keyText && !key) || (arms !== null && arms !== "both")) return null
  return {
    kind: "view",
    tenantId,
    environment,
    key,
    targetingKey: query.get("targetingKey"),
    bothArms: arms !== null,
  }
}

const ONCE = ["environment", "flagConfigEtag", "eventStreams"]

const ofrepRequest = (url: URL, environments: readonly Environment[]): OfrepRequest | null => {
  const asked = parseOfrepPath(url.pathname)
  const query = url.searchParams
  if (!asked || ONCE.some((name) => query.getAll(name).length > 1)) return null
  const named = query.get("environment")
  const environment = named === null ? null : parseEnvironment(named, environments)
  if (named !== null && environment === null) return null
  const [wanted, streams] = [query.get("flagConfigEtag"), query.get("eventStreams") !== "none"]
  return { kind: "ofrep", key: asked.key, environment, wanted, streams }
}

const parseRoute = (address: string, environments: readonly Environment[]): Route => {
  const url = new URL(address)
  if (url.pathname === "/health") return { kind: "health" }
  if (url.pathname === STREAM_PATH) return { kind: "stream" }
  if (isInternal(url.pathname)) return { kind: "hidden", path: url.pathname }
  if (url.pathname === OFREP_STREAM_PATH) {
    const [ticket = null, ...others] = url.searchParams.getAll("ticket")
    return { kind: "ofrepStream", ticket: others.length === 0 ? ticket : null }
  }
  const ofrep = ofrepRequest(url, environments)
  if (ofrep) return ofrep
  return viewRequest(url, environments) ?? { kind: "forward" }
}

const REMEMBERED_CHARACTERS = 1_000_000
const REMEMBERED_ADDRESS_MAX = 1_000

/**
 * Where a request goes, by its URL alone. Remembered by the whole URL, so that a hot address is parsed
 * once; what is remembered says only how to read the address, never what to answer.
 */
export const createRouter = (environments: readonly Environment[]): ((address: string) => Route) => {
  const remembered = new Bounded<Route>(REMEMBERED_CHARACTERS)
  return (address) => {
    const known = remembered.get(address)
    if (known !== undefined) return known
    const route = parseRoute(address, environments)
    // A ticket is for once, and its address for nobody's memory.
    if (address.length <= REMEMBERED_ADDRESS_MAX && route.kind !== "ofrepStream")
      remembered.set(address, route, address.length + 200)
    return route
  }
}
