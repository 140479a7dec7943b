import { type TokenId, tierScope } from "../../core/ids.ts"
import type { ReloadType } from "../../core/release/reload.ts"
import { bothOf, formatRevision, isBehind, isNewer, type Revision } from "../../core/release/revision.ts"
import type { Outlet } from "./event-stream.ts"
import { pause } from "./pause.ts"
import type { HeldPointer } from "./pointer.ts"
import type { Pointers, Reading } from "./pointers.ts"
import { warn } from "./runtime.ts"
import type { Scope } from "./scope.ts"
import type { EventText, Told } from "./stream-events.ts"
import type { Caller } from "./views.ts"

/**
 * What was heard of a scope: where a layer of it has moved to, that something may have been missed, or that all who
 * listen are to be told to look again.
 */
export type Hint = Revision | "look" | { reload: ReloadType }

/** One stream: who listens, and what he was last told. */
export interface Listening {
  tokenId: TokenId
  outlet: Outlet
  /** What he has already. */
  told: Told
  textOf: EventText
  /** When he is let go, if nothing ends it before. */
  endsAtMs: number
}

/** All who listen to one tenant × environment: for all of them together one looks. */
export interface Room {
  enter(listening: Listening): void
  /** `tier`: the scope of the tier that has moved, where it is one; its tenants alone are concerned. */
  hear(hint: Hint, tier?: string): void
  /** The last has left: who comes now needs another. */
  isEmpty(): boolean
  /** Resolves soon after. */
  over: Promise<void>
}

interface Parts {
  pointers: Pick<Pointers, "obtain" | "reach" | "renew" | "reread">
  scope: Scope
  caller: Caller
  /** What makes the configuration of one pointer that of the next, where that is short. */
  stepOf(before: HeldPointer, next: HeldPointer): string | null
}

const COMMENT_MS = 15_000
/** What a message spoke of and the origin did not have yet is asked for again. */
const AGAIN_MS = 1_000
const ASKS = 5
/** What is due for one or the other is looked for so often at the most. */
const ROUND_MS = 1_000

interface Mail {
  isMissing: boolean
  wanted: Revision | null
  reloads: readonly ReloadType[]
}

const NOTHING: Mail = { isMissing: false, wanted: null, reloads: [] }

const added = (mail: Mail, hint: Hint): Mail => {
  if (hint === "look") return { ...mail, isMissing: true }
  if ("reload" in hint) return { ...mail, reloads: [...mail.reloads, hint.reload] }
  return { ...mail, wanted: mail.wanted === null ? hint : bothOf(mail.wanted, hint) }
}

/** One who listens, and when he is next to be written to or let go. */
interface Member extends Listening {
  writtenAtMs: number
}

const dueAtMs = ({ writtenAtMs, endsAtMs }: Member): number =>
  Math.floor(Math.min(writtenAtMs + COMMENT_MS, endsAtMs) / ROUND_MS) * ROUND_MS

const encoder = new TextEncoder()
const COMMENT = encoder.encode(":\n\n")

/** What was made once for all who were told the same before, in the same words. */
const createTexts = (make: (member: Member) => string) => {
  const made = new Map<EventText, Map<Told, Uint8Array>>()
  return (member: Member): Uint8Array => {
    const ofWords = made.get(member.textOf) ?? new Map<Told, Uint8Array>()
    made.set(member.textOf, ofWords)
    const known = ofWords.get(member.told)
    if (known) return known
    const text = encoder.encode(make(member))
    ofWords.set(member.told, text)
    return text
  }
}

/**
 * Tells each of every newer revision until the last has left: at once where a message comes, and else by looking, so often
 * that what is learnt that way is within the bound for everybody who reads.
 */
export const openRoom = ({ pointers, scope, caller, stepOf }: Parts): Room => {
  const members = new Set<Member>()
  const empty = new AbortController()
  let mail = NOTHING
  let waiting = new AbortController()
  let tier: string | null = null
  /** Where everybody was told that things are. */
  let at: HeldPointer | null = null
  let lookAtMs = Date.now()
  /** What a message spoke of and is not here yet, and how often it is still asked for. */
  let owed: Revision | null = null
  let asksLeft = 0
  /** What is to be told of, moved or not, and since when what is told has to be true. */
  const reloads = new Set<ReloadType>()
  let reloadAtMs = 0

  const wake = (): void => waiting.abort()

  const look = (): Promise<Reading | "absent" | "unreachable"> => {
    const { isMissing, wanted, reloads: asked } = mail
    mail = NOTHING
    for (const type of asked) reloads.add(type)
    if (asked.length > 0) reloadAtMs = Date.now()
    if (wanted !== null) {
      owed = owed === null ? wanted : bothOf(owed, wanted)
      asksLeft = ASKS
    }
    if (reloads.size > 0) return pointers.reread(scope, reloadAtMs, caller)
    if (isMissing) return pointers.renew(scope, caller)
    return owed === null ? pointers.obtain(scope, caller) : pointers.reach(scope, owed, caller)
  }

  const write = (member: Member, bytes: Uint8Array): void => {
    member.outlet.write(bytes)
    member.writtenAtMs = Date.now()
  }

  const tell = ({ pointer }: Reading): void => {
    const { revision, staleness, document } = pointer
    const next: Told = { revision, flags: document.flags }
    tier = tierScope(document.tier)
    asksLeft--
    if (owed !== null && (asksLeft === 0 || !isBehind(revision, owed))) owed = null
    lookAtMs = Date.now() + (owed === null ? staleness.staleMs - staleness.rereadMs : AGAIN_MS)
    const before = at
    let step: string | null | undefined
    const stepFor = (told: Told): string | null => {
      if (before === null || formatRevision(told.revision) !== before.document.revision) return null
      if (step === undefined) step = stepOf(before, pointer)
      return step
    }
    const textFor = createTexts(({ textOf, told }) =>
      textOf(isNewer(revision, told.revision) ? next : told, told, reloads, () => stepFor(told)),
    )
    for (const member of members) {
      const { told } = member
      const isNew = isNewer(revision, told.revision)
      if (isNew || reloads.size > 0) {
        const bytes = textFor(member)
        if (bytes.length > 0) write(member, bytes)
      }
      // Of the same revision it may have become known what its flags are.
      if (isNew || document.revision === formatRevision(told.revision)) member.told = next
    }
    if (
      before === null ||
      isNewer(revision, before.revision) ||
      document.revision === before.document.revision
    )
      at = pointer
    reloads.clear()
  }

  /** Is there still something to be told to this one? */
  const hasEnded = (found: Reading | "absent" | "unreachable", { tokenId, endsAtMs }: Member): boolean => {
    if (found === "absent" || Date.now() >= Math.floor(endsAtMs / ROUND_MS) * ROUND_MS) return true
    if (found === "unreachable") return false
    return found.pointer.revoked.has(tokenId) || found.pointer.document.status === "suspended"
  }

  const round = async (): Promise<void> => {
    const found = await look()
    for (const member of members) if (hasEnded(found, member)) member.outlet.close()
    if (typeof found === "string") lookAtMs = Date.now() + AGAIN_MS
    else tell(found)
    const nowMs = Date.now()
    for (const member of members) if (dueAtMs(member) <= nowMs) write(member, COMMENT)
  }

  const run = async (): Promise<void> => {
    while (!empty.signal.aborted) {
      let wakeAtMs = lookAtMs
      for (const member of members) wakeAtMs = Math.min(wakeAtMs, dueAtMs(member))
      waiting = new AbortController()
      if (mail === NOTHING) await pause(wakeAtMs - Date.now(), waiting.signal, empty.signal)
      if (!empty.signal.aborted) await round()
    }
  }

  let isRunning = false
  const over = Promise.withResolvers<void>()
  const end = (): void => {
    for (const { outlet } of members) outlet.close()
    over.resolve()
  }
  return {
    over: over.promise,
    isEmpty: () => empty.signal.aborted,
    enter: (listening) => {
      const member = { ...listening, writtenAtMs: Date.now() }
      members.add(member)
      member.outlet.gone.addEventListener("abort", () => {
        members.delete(member)
        if (members.size === 0) empty.abort()
      })
      lookAtMs = Date.now()
      wake()
      if (isRunning) return
      isRunning = true
      run()
        .catch((error: unknown) => warn("streams have failed", { scope: scope.name, error: String(error) }))
        .finally(end)
    },
    hear: (hint, of) => {
      // Of another tier's sequence number a tenant would seem to be behind, and ask the origin for what it will never have.
      if (of !== undefined && tier !== null && of !== tier) return
      mail = added(mail, hint)
      wake()
    },
  }
}
