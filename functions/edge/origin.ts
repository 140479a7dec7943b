import type { ViewId } from "../../core/ids.ts"
import type { PointerDocument } from "../../core/release/pointer-document.ts"
import { formatRevision, type Revision } from "../../core/release/revision.ts"
import { parseViewId } from "../../core/release/view-id.ts"
import { parsePointer } from "./pointer.ts"
import { type Settings, warn } from "./runtime.ts"
import { partName, type Scope, type ViewPart } from "./scope.ts"
import type { Send } from "./send.ts"
import type { Hop } from "./tracing.ts"
import type { Caller } from "./views.ts"

/** `"absent"` is the origin's word; everything that is not an answer is `"unreachable"`. */
export type OriginAnswer<T> = T | "absent" | "unreachable"

/**
 * What the origin looks further than its memory for: a revision that is known to be, or what PostgreSQL says from a time
 * on, by this edge's clock.
 */
export type Wanted = Revision | { sinceMs: number }

/** What is wanted, and which views are here already: others that are small come along, as somebody waits for them. */
const queryOf = (wanted: Wanted | null, held: readonly ViewId[], nowMs: number): string => {
  if (wanted === null) return ""
  // A duration, as clocks differ.
  const what =
    "sinceMs" in wanted
      ? `maxAgeMs=${Math.max(0, nowMs - wanted.sinceMs)}`
      : `atLeast=${formatRevision(wanted)}`
  return `?${what}&has=${held.join(",")}`
}

/** A pointer document, and views that came along, not yet checked. */
export interface ToldPointer {
  document: PointerDocument
  views: readonly { view: ViewId; text: string }[]
}

const viewsOf = (value: unknown): ToldPointer["views"] =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([id, text]) => {
        const view = parseViewId(id)
        return view && typeof text === "string" ? [{ view, text }] : []
      })

/** What the edge asks the read function for itself. */
export interface Origin {
  pointer(
    scope: Scope,
    caller: Pick<Caller, "hop">,
    deadlineMs: number,
    wanted?: Wanted | null,
    held?: readonly ViewId[],
  ): Promise<OriginAnswer<ToldPointer>>
  /** The text, not yet checked to be the view's. */
  view(scope: Scope, part: ViewPart, caller: Pick<Caller, "hop">): Promise<OriginAnswer<string>>
}

/** A view can be 12 MiB: it may take longer than a reader waits, and serve the next one. */
const VIEW_DEADLINES = 4

const problemCode = async (response: Response): Promise<unknown> => {
  const body = (await response.json().catch(() => null)) as { code?: unknown } | null
  return body?.code
}

export const createOrigin = (settings: Settings, send: Send): Origin => {
  const { readOrigin, secret, originDeadlineMs } = settings

  const ask = async <T>(
    path: string,
    hop: Hop,
    deadlineMs: number,
    absentCode: string,
    read: (response: Response) => Promise<T | "unreachable">,
  ): Promise<OriginAnswer<T>> => {
    const headers = new Headers({ "hotswap-edge": secret })
    if (hop.traceparent !== null) headers.set("traceparent", hop.traceparent)
    try {
      const signal = AbortSignal.timeout(deadlineMs)
      const response = await send({ method: "GET", url: readOrigin + path, headers, body: null, signal })
      hop.over(response.status)
      if (response.status === 200) return await read(response)
      // Only the origin's own word makes something absent: a 404 from anything in between does not.
      if (response.status === 404 && (await problemCode(response)) === absentCode) return "absent"
      warn("origin answered uselessly", { path, status: response.status })
    } catch (error) {
      hop.over(null)
      warn("origin unreachable", { path, error: String(error) })
    }
    return "unreachable"
  }

  return {
    pointer: async (scope, caller, deadlineMs, wanted = null, held = []) => {
      // The age counts from before the question was sent: rather a little too old than too young.
      const askedAtMs = Date.now()
      return await ask(
        `/internal/pointer/${scope.name}${queryOf(wanted, held, askedAtMs)}`,
        caller.hop("GET /internal/pointer/{tenantId}/{environment}"),
        deadlineMs,
        "TENANT_NOT_FOUND",
        async (response) => {
          const told = (await response.json()) as { ageMs?: unknown; views?: unknown } | null
          const ageMs = typeof told?.ageMs === "number" && told.ageMs >= 0 ? told.ageMs : Number.NaN
          const document = parsePointer(told, scope, askedAtMs - ageMs)
          if (document === null) warn("origin told no pointer of this scope", { scope: scope.name })
          return document ? { document, views: viewsOf(told?.views) } : "unreachable"
        },
      )
    },
    view: async (scope, part, caller) =>
      await ask(
        `/internal/view/${partName(scope, part)}`,
        caller.hop("GET /internal/view/{tenantId}/{environment}/{view}"),
        originDeadlineMs * VIEW_DEADLINES,
        "VIEW_NOT_FOUND",
        async (response) => await response.text(),
      ),
  }
}
