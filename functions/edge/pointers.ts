import type { ViewId } from "../../core/ids.ts"
import { LAST_KNOWN_GOOD_MS, type PointerDocument } from "../../core/release/pointer-document.ts"
import { formatRevision, isBehind, type Revision } from "../../core/release/revision.ts"
import { viewBits } from "../../core/release/view-id.ts"
import { Bounded } from "./bounded.ts"
import { Flights, LATE, waitFor } from "./flights.ts"
import { isKeepDue, type LastKnownGood } from "./last-known-good.ts"
import type { Origin, Wanted } from "./origin.ts"
import { pause, SHARED_AFTER_MS } from "./pause.ts"
import { ageOf, type HeldPointer, holdPointer, type StoredPointer, supersedes, viewsIn } from "./pointer.ts"
import { surviving, warn } from "./runtime.ts"
import type { Scope } from "./scope.ts"
import { forgetSharedPointer, readSharedPointer, writeSharedPointer } from "./shared-pointers.ts"
import type { Caller, Views } from "./views.ts"

/** A pointer to answer from; `staleMs` is its age if that is beyond the stated bound. */
export interface Reading {
  pointer: HeldPointer
  staleMs: number | null
}

export interface Pointers {
  /** From memory, while it is young enough to answer without waiting for anyone. */
  ready(scope: Scope, caller: Caller): Reading | null
  /** Waits for a newer one, and answers with the last known good if there is none to be had. */
  obtain(scope: Scope, caller: Caller): Promise<Reading | "absent" | "unreachable">
  /** Asks at once, whatever the age: a view that the pointer names is gone. */
  renew(scope: Scope, caller: Caller): Promise<Reading | "absent" | "unreachable">
  /** For who wants to know what PostgreSQL says, from this time on. */
  reread(scope: Scope, sinceMs: number, caller: Caller): Promise<Reading | "absent" | "unreachable">
  /**
   * For who was told of this revision: waits until it is here. What it gives may yet be older, if the origin does not
   * know of it either.
   */
  reach(scope: Scope, wanted: Revision, caller: Caller): Promise<Reading | "absent" | "unreachable">
  /** Takes up the last known good with its stable view, unless what is held is newer. */
  restore(scope: Scope, caller: Caller): Promise<Reading | null>
}

interface Parts {
  origin: Origin
  views: Views
  lastKnownGood: LastKnownGood
  deadlineMs: number
}

type Refreshed = "current" | "absent" | "unreachable"

/** What ends a refresh without asking the origin: a young pointer, nothing at all, or one that has what is wanted. */
type Need = "young" | "told now" | Wanted

const MEMORY_BYTES = 16 * 1_048_576
const POINTER_BYTES = 4_000
const REVOKED_BYTES = 100
/** After a failure reads are not made to wait again for so long, but are given the last known good. */
const GRACE_MS = 10_000
/** Between two attempts in the background. */
const RETRY_MS = 500
const LOST_AFTER_MS = 30_000
/** Where nothing is known that could be told instead, a late answer is better than none: so many deadlines are waited. */
const PATIENCE = 3
/** What the origin did not know of is not asked for again so soon. */
const UNKNOWN_MS = 5_000
const UNKNOWN_MAX = 1_000
/** A refresh that was under way may have asked before the revision was there. */
const REACHES_MAX = 2
/** How often the origin is asked for a pointer whose views can be had. */
const QUESTIONS_MAX = 3

export const createPointers = ({ origin, views, lastKnownGood, deadlineMs }: Parts): Pointers => {
  const memory = new Bounded<HeldPointer>(MEMORY_BYTES)
  const failedAtMs = new Bounded<number>(10_000)
  const unknownAtMs = new Bounded<number>(UNKNOWN_MAX)
  const refreshes = new Flights<Refreshed>(LOST_AFTER_MS)
  const restores = new Flights<boolean>(LOST_AFTER_MS)

  const held = (scope: Scope): HeldPointer | null => {
    const pointer = memory.get(scope.name)
    return pointer && ageOf(pointer, Date.now()) <= LAST_KNOWN_GOOD_MS ? pointer : null
  }

  /** Compare and set: what is held never goes back. */
  const adopt = (scope: Scope, stored: StoredPointer): boolean => {
    const before = held(scope)
    if (before && !supersedes(stored.document, before)) return false
    const bytes = POINTER_BYTES + stored.document.revoked.length * REVOKED_BYTES
    memory.set(scope.name, holdPointer(stored, before), bytes)
    return true
  }

  const failed = (scope: Scope): "unreachable" => {
    failedAtMs.set(scope.name, Date.now(), 1)
    return "unreachable"
  }
  const failedWithin = (scope: Scope, ms: number): boolean =>
    Date.now() - (failedAtMs.get(scope.name) ?? Number.NEGATIVE_INFINITY) < ms

  const forget = async (scope: Scope, known: boolean): Promise<void> => {
    memory.delete(scope.name)
    if (known) await Promise.all([forgetSharedPointer(scope), lastKnownGood.forget(scope)])
  }

  const keep = async (scope: Scope, stored: StoredPointer, caller: Caller): Promise<void> => {
    const content = await views.load(scope, { view: stored.document.stable, index: null }, caller)
    const text = typeof content === "string" ? null : content.text
    const done =
      text !== null &&
      (await surviving("last known good write", async () => {
        await lastKnownGood.keep(scope, stored, text)
        return true
      }))
    const now = memory.get(scope.name)
    if (!done && now) now.kept = null
  }

  /**
   * A pointer takes over only when its views can be read, so that an origin that dies between the two
   * leaves the one before whole. A large view that nothing came before is fetched by the chunk instead.
   */
  const isReadable = async (scope: Scope, document: PointerDocument, caller: Caller): Promise<boolean> => {
    const before = held(scope)
    const had = viewsIn(before)
    const wanted = [document.stable, document.candidate?.view].filter((view) => view !== undefined)
    const missing = wanted.filter((view) => !had.includes(view) && (before || viewBits(view) === 0))
    const waitMs = before ? deadlineMs : deadlineMs * PATIENCE
    const load = (view: ViewId) => views.load(scope, { view, index: null }, caller, waitMs)
    const loaded = await Promise.all(missing.map(load))
    return loaded.every((content) => typeof content !== "string")
  }

  /** Whoever waits to be told of a move comes first: what others may need of it is written afterwards. */
  const share = async (scope: Scope, caller: Caller, isDue: boolean, isTold: boolean): Promise<void> => {
    if (isTold) await pause(SHARED_AFTER_MS)
    // By then it may be a newer one, which is not to be overwritten, or none.
    const now = memory.get(scope.name)
    if (now) await Promise.all([writeSharedPointer(scope, now), isDue && keep(scope, now, caller)])
  }

  const accept = (scope: Scope, document: PointerDocument, caller: Caller, isTold: boolean): Refreshed => {
    const before = held(scope)
    const due = isKeepDue(document.revision, before?.kept ?? null, Date.now())
    const kept = due ? { revision: document.revision, atMs: Date.now() } : (before?.kept ?? null)
    if (adopt(scope, { document, kept })) caller.waitUntil(share(scope, caller, due, isTold))
    else if (before?.document.revision !== document.revision) {
      warn("origin went back to an older revision", { scope: scope.name, revision: document.revision })
      return failed(scope)
    }
    const pointer = held(scope)
    // An origin that can only tell something old is no reason to make every reader wait for it.
    if (!pointer || ageOf(pointer, Date.now()) > pointer.staleness.staleMs) return failed(scope)
    failedAtMs.delete(scope.name)
    return "current"
  }

  const suffices = (pointer: HeldPointer, need: Need): boolean => {
    if (need === "told now") return false
    if (need !== "young")
      return "sinceMs" in need ? pointer.document.readAtMs >= need.sinceMs : !isBehind(pointer.revision, need)
    return ageOf(pointer, Date.now()) <= pointer.staleness.freshMs
  }

  const adoptShared = async (scope: Scope): Promise<void> => {
    const shared = await readSharedPointer(scope)
    if (shared) adopt(scope, shared)
  }

  const attempt = async (scope: Scope, caller: Caller, need: Need): Promise<Refreshed> => {
    const wanted = typeof need === "string" ? null : need
    if (wanted === null) await adoptShared(scope)
    const known = held(scope)
    if (known && suffices(known, need)) return "current"
    // The pointer may move between two questions and the view it named be gone: then ask for where it is now.
    for (let question = 0; question < QUESTIONS_MAX; question++) {
      const waitMs = known ? deadlineMs : deadlineMs * PATIENCE
      const asking = origin.pointer(scope, caller, waitMs, wanted, viewsIn(known))
      // Who was told of a move is ahead of the cache: that is for when the origin has nothing to say.
      const adopting = wanted === null ? Promise.resolve() : adoptShared(scope)
      caller.waitUntil(adopting)
      const told = await asking
      if (typeof told === "string") await adopting
      if (told === "unreachable") return failed(scope)
      if (told === "absent") {
        caller.waitUntil(forget(scope, held(scope) !== null))
        return "absent"
      }
      const { document } = told
      for (const { view, text } of told.views) await views.accept(scope, { view, index: null }, text, caller)
      const before = held(scope)
      const goesOn = before === null || supersedes(document, before)
      if (!goesOn || (await isReadable(scope, document, caller)))
        return accept(scope, document, caller, wanted !== null)
    }
    return failed(scope)
  }

  const refresh = (scope: Scope, caller: Caller, need: Need = "young"): Promise<Refreshed> =>
    refreshes.join(scope.name, caller, async () => {
      try {
        return await attempt(scope, caller, need)
      } catch (error) {
        warn("refresh failed", { scope: scope.name, error: String(error) })
        return failed(scope)
      }
    })

  const refreshBehind = (scope: Scope, caller: Caller): void => {
    if (!refreshes.isUnderWay(scope.name) && !failedWithin(scope, RETRY_MS)) void refresh(scope, caller)
  }

  const readingOf = (pointer: HeldPointer): Reading => {
    const ageMs = ageOf(pointer, Date.now())
    return { pointer, staleMs: ageMs > pointer.staleness.staleMs ? ageMs : null }
  }

  const restore: Pointers["restore"] = async (scope, caller) => {
    const attemptRestore = async (): Promise<boolean> => {
      const kept = await lastKnownGood.recall(scope)
      if (!kept) return false
      const { document } = kept.pointer
      const isWhole = await views.accept(scope, { view: document.stable, index: null }, kept.stableText)
      return isWhole && (adopt(scope, kept.pointer) || held(scope)?.stable.view === document.stable)
    }
    const flight = restores.join(scope.name, caller, attemptRestore)
    const done = await waitFor(
      flight.catch(() => false),
      deadlineMs,
    )
    const pointer = held(scope)
    return done === true && pointer ? readingOf(pointer) : null
  }

  const awaitRefresh = async (scope: Scope, caller: Caller, need: Need) => {
    const refreshed = refresh(scope, caller, need)
    const outcome = await waitFor(refreshed, deadlineMs)
    if (outcome === "absent") return "absent"
    if (outcome === LATE) failed(scope)
    const pointer = held(scope)
    if (pointer) return readingOf(pointer)
    const restored = await restore(scope, caller)
    if (restored || outcome !== LATE) return restored ?? "unreachable"
    const late = await waitFor(refreshed, deadlineMs * (PATIENCE - 1))
    const arrived = held(scope)
    return late === "absent" ? late : arrived ? readingOf(arrived) : "unreachable"
  }

  const ready: Pointers["ready"] = (scope, caller) => {
    const pointer = memory.get(scope.name)
    if (pointer === undefined) return null
    const ageMs = ageOf(pointer, Date.now())
    if (ageMs > pointer.staleness.staleMs) return null
    if (ageMs > pointer.staleness.freshMs) refreshBehind(scope, caller)
    return { pointer, staleMs: null }
  }

  const obtain: Pointers["obtain"] = async (scope, caller) => {
    const before = held(scope)
    if (before && suffices(before, "young")) return readingOf(before)
    if (!before || !failedWithin(scope, GRACE_MS)) return await awaitRefresh(scope, caller, "young")
    refreshBehind(scope, caller)
    return readingOf(before)
  }

  const reach: Pointers["reach"] = async (scope, wanted, caller) => {
    const name = `${scope.name} ${formatRevision(wanted)}`
    for (let left = REACHES_MAX; ; left--) {
      const pointer = held(scope)
      // What was asked for is here; how old it may be is another matter.
      if (pointer && !isBehind(pointer.revision, wanted))
        return ready(scope, caller) ?? (await obtain(scope, caller))
      const isUnknown = Date.now() - (unknownAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < UNKNOWN_MS
      if (pointer && (isUnknown || failedWithin(scope, RETRY_MS))) return readingOf(pointer)
      const found = await awaitRefresh(scope, caller, wanted)
      if (typeof found === "string") return found
      if (left === 1) {
        const isAnswered = !failedWithin(scope, RETRY_MS)
        if (isAnswered && isBehind(found.pointer.revision, wanted)) unknownAtMs.set(name, Date.now(), 1)
        return found
      }
    }
  }

  const reread: Pointers["reread"] = async (scope, sinceMs, caller) => {
    const before = held(scope)
    if (before && suffices(before, { sinceMs })) return readingOf(before)
    const found = await awaitRefresh(scope, caller, { sinceMs })
    // One that was under way may have asked before.
    if (typeof found === "string" || suffices(found.pointer, { sinceMs })) return found
    return failedWithin(scope, RETRY_MS) ? found : await awaitRefresh(scope, caller, { sinceMs })
  }

  return {
    ready,
    obtain,
    renew: async (scope, caller) => await awaitRefresh(scope, caller, "told now"),
    reach,
    reread,
    restore,
  }
}
