import { chunkIndex } from "../../core/release/bucket.ts"
import { membersOf } from "../../core/release/chunk.ts"
import { viewBits } from "../../core/release/view-id.ts"
import { Bounded } from "./bounded.ts"
import { Flights, LATE, waitFor } from "./flights.ts"
import type { Origin, OriginAnswer } from "./origin.ts"
import { pause, SHARED_AFTER_MS } from "./pause.ts"
import type { Arm } from "./pointer.ts"
import { openSharedCache, type RequestLife, surviving, warn } from "./runtime.ts"
import { partName, type Scope, type ViewPart, viewCacheKey } from "./scope.ts"
import type { Hop } from "./tracing.ts"
import { cutView, isViewText } from "./view-check.ts"

/** The text of a view or of one of its chunks; its members are found once and then looked up. */
export class ViewContent {
  readonly text: string
  #members: ReadonlyMap<string, string> | null = null

  constructor(text: string) {
    this.text = text
  }

  get members(): ReadonlyMap<string, string> {
    this.#members ??= membersOf(this.text)
    return this.#members
  }
}

/** Who asks: keeps what was begun alive, and traces what is asked on its behalf. */
export interface Caller extends RequestLife {
  hop(name: string): Hop
}

/** Immutable views by id: from memory, else the Cache API, else the origin, checked on the way in. */
export interface Views {
  remembered(scope: Scope, part: ViewPart): ViewContent | undefined
  /** What of the view is in memory and holds the key, if it is in the view at all. */
  holding(scope: Scope, arm: Arm, key: string): ViewContent | undefined
  /** Waits for it for the origin's deadline, unless told to wait for another time. */
  load(scope: Scope, part: ViewPart, caller: Caller, waitMs?: number): Promise<OriginAnswer<ViewContent>>
  /** Takes a text that was kept elsewhere, if it is the view's; on behalf of a caller the data centre keeps it soon, too. */
  accept(scope: Scope, part: ViewPart, text: string, caller?: Caller): Promise<boolean>
}

const MEMORY_BYTES = 40 * 1_048_576
/** Text and index together come to about this many bytes a character. */
const BYTES_PER_CHARACTER = 2
const CACHE_CONTROL = "public, max-age=604800, immutable"
const LOST_AFTER_MS = 30_000

/** So long after a failure, a view is not asked for again: readers get what there is instead. */
const RETRY_MS = 2_000

export const createViews = (origin: Origin, deadlineMs: number): Views => {
  const memory = new Bounded<ViewContent>(MEMORY_BYTES)
  const failedAtMs = new Bounded<number>(10_000)
  const flights = new Flights<OriginAnswer<ViewContent>>(LOST_AFTER_MS)

  const remember = (scope: Scope, part: ViewPart, text: string): ViewContent => {
    const content = new ViewContent(text)
    memory.set(partName(scope, part), content, text.length * BYTES_PER_CHARACTER + 500)
    return content
  }

  const fromCache = async (scope: Scope, part: ViewPart): Promise<string | null> => {
    const text = await surviving("cache read", async () => {
      const stored = await (await openSharedCache()).match(viewCacheKey(scope, part))
      return stored ? await stored.text() : null
    })
    return text !== null && (await isViewText(text, scope, part)) ? text : null
  }

  const intoCache = async (scope: Scope, part: ViewPart, text: string): Promise<void> => {
    const headers = { "content-type": "application/json", "cache-control": CACHE_CONTROL }
    await surviving("cache write", async () => {
      await (await openSharedCache()).put(viewCacheKey(scope, part), new Response(text, { headers }))
    })
  }

  const fetchPart = async (scope: Scope, part: ViewPart, caller: Caller): Promise<OriginAnswer<string>> => {
    const cached = await fromCache(scope, part)
    if (cached !== null) return cached
    const told = await origin.view(scope, part, caller)
    if (told === "absent" || told === "unreachable") return told
    if (await isViewText(told, scope, part)) {
      caller.waitUntil(intoCache(scope, part, told))
      return told
    }
    warn("origin told another text than the view's", { part: partName(scope, part) })
    return "unreachable"
  }

  const attempt = async (
    scope: Scope,
    part: ViewPart,
    caller: Caller,
  ): Promise<OriginAnswer<ViewContent>> => {
    const text = await fetchPart(scope, part, caller)
    if (text === "absent") return text
    if (text !== "unreachable") return remember(scope, part, text)
    // Of a view that was stored whole, its chunks are there too.
    const whole = part.index === null ? null : await fromCache(scope, { ...part, index: null })
    return whole === null
      ? text
      : remember(scope, part, cutView(whole, viewBits(part.view))[part.index ?? 0]!)
  }

  const attemptSafely: typeof attempt = async (scope, part, caller) => {
    try {
      return await attempt(scope, part, caller)
    } catch (error) {
      warn("view could not be loaded", { part: partName(scope, part), error: String(error) })
      return "unreachable"
    }
  }

  const remembered: Views["remembered"] = (scope, part) => memory.get(partName(scope, part))
  return {
    remembered,
    holding: (scope, { view, bits }, key) =>
      (bits > 0 ? remembered(scope, { view, index: chunkIndex(key, bits) }) : undefined) ??
      remembered(scope, { view, index: null }),
    load: async (scope, part, caller, waitMs = deadlineMs) => {
      const name = partName(scope, part)
      const known = memory.get(name)
      if (known) return known
      if (Date.now() - (failedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < RETRY_MS) return "unreachable"
      const flight = flights.join(name, caller, () => attemptSafely(scope, part, caller))
      // A large view may come too late for this reader; the flight goes on and serves the next one.
      const loaded = await waitFor(flight, waitMs)
      if (loaded !== LATE && loaded !== "unreachable") return loaded
      failedAtMs.set(name, Date.now(), 1)
      return "unreachable"
    },
    accept: async (scope, part, text, caller) => {
      if (!(await isViewText(text, scope, part))) return false
      remember(scope, part, text)
      caller?.waitUntil(pause(SHARED_AFTER_MS).then(() => intoCache(scope, part, text)))
      return true
    },
  }
}
