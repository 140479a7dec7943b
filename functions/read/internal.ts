import { type Environment, parseEnvironment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { parseTenantId, type TenantId } from "../../core/ids.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { type View, viewText } from "../../core/release/view.ts"
import { parseViewId } from "../../core/release/view-id.ts"
import type { FunctionUrlEvent, FunctionUrlResult } from "../http/events.ts"
import { isEdge } from "../http/from-edge.ts"
import { type CachePort, CacheUnavailable } from "../platform/cache.ts"
import { JSON_HEADERS, jsonResult, routeUnknown } from "./door.ts"
import type { Entry } from "./entry.ts"
import type { Pointers } from "./pointers.ts"
import { tenantNotFound } from "./refusals.ts"

interface InternalDeps {
  settings: { edgeSecret: string; environments: readonly Environment[] }
  cache: CachePort
  pointers: Pointers
}

const segmentsOf = (path: string): string[] => {
  try {
    return path.split("/").slice(2).map(decodeURIComponent)
  } catch {
    throw routeUnknown()
  }
}

/** Larger ones are fetched by themselves, or by the chunk. */
const ALONG_CHARACTERS_MAX = 65_536

/** The small views that the edge, which says which it has, would have to ask for next. */
const viewsAlong = (entry: Entry, has: string | null): { views?: Record<string, string> } => {
  if (has === null) return {}
  const known = has.split(",")
  const missing = [entry.stable, entry.candidate].filter((arm) => arm && !known.includes(arm.view.id))
  const texts = missing.map((arm) => [arm!.view.id, viewText(arm!.view)] as const)
  return { views: Object.fromEntries(texts.filter(([, text]) => text.length <= ALONG_CHARACTERS_MAX)) }
}

const pointerResult = (pointers: Pointers, entry: Entry, has: string | null): FunctionUrlResult => {
  const { readAtMs: _, ...pointer } = entry.pointer
  const { pollMs } = entry.staleness
  return jsonResult(200, { ...pointer, ageMs: pointers.ageMs(entry), pollMs, ...viewsAlong(entry, has) })
}

/** The pointer documents and views that the edge asks for. To everybody else there is no such route. */
export const createInternal = (
  deps: InternalDeps,
): ((event: FunctionUrlEvent) => Promise<FunctionUrlResult>) => {
  const { settings, pointers } = deps

  const findView = async (
    tenantId: TenantId,
    environment: Environment,
    text: string,
  ): Promise<View | null> => {
    const viewId = parseViewId(text)
    if (!viewId) return null
    const entry = await pointers.of(tenantId, environment)
    const known = [entry?.stable, entry?.candidate].find((answer) => answer?.view.id === viewId)
    if (known) return known.view
    // Not one of now: a view of a moment ago, which the edge's own document still names.
    try {
      return await deps.cache.readView(tenantId, environment, viewId)
    } catch (error) {
      if (error instanceof CacheUnavailable) return null
      throw error
    }
  }

  const viewResult = async (
    tenantId: TenantId,
    environment: Environment,
    wanted: string,
    index: string | undefined,
  ): Promise<FunctionUrlResult> => {
    const view = await findView(tenantId, environment, wanted)
    const body = index === undefined ? view && viewText(view) : view?.chunks[Number(index)]
    if (!view || body === null || body === undefined)
      throw new Refusal("VIEW_NOT_FOUND", "No view of that id is served or kept any more.")
    return {
      statusCode: 200,
      headers: { ...JSON_HEADERS, "cache-control": "no-store" },
      body,
      isBase64Encoded: false,
    }
  }

  const entryFor = async (tenantId: TenantId, environment: Environment, query: URLSearchParams) => {
    const wanted = parseRevision(query.get("atLeast") ?? "")
    if (wanted) return await pointers.reaching(tenantId, environment, wanted)
    const maxAgeMs = query.get("maxAgeMs")
    const entry = await pointers.of(tenantId, environment)
    const isTooOld = entry && maxAgeMs !== null && !(pointers.ageMs(entry) <= Number(maxAgeMs))
    return isTooOld ? await pointers.latest(tenantId, environment) : entry
  }

  return async (event) => {
    if (!isEdge(event, settings.edgeSecret)) throw routeUnknown()
    const [kind, tenantText = "", environmentText = "", viewId, index, ...rest] = segmentsOf(event.rawPath)
    const tenantId = parseTenantId(tenantText)
    const environment = parseEnvironment(environmentText, settings.environments)
    if (rest.length > 0) throw routeUnknown()
    if (!tenantId || !environment) throw tenantNotFound(tenantText)
    if (kind === "view" && viewId !== undefined) return await viewResult(tenantId, environment, viewId, index)
    if (kind !== "pointer" || viewId !== undefined) throw routeUnknown()
    const query = new URLSearchParams(event.rawQueryString)
    const entry = await entryFor(tenantId, environment, query)
    if (!entry) throw tenantNotFound(tenantText)
    return pointerResult(pointers, entry, query.get("has"))
  }
}
