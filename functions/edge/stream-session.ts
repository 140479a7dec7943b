import { tierScope } from "../../core/ids.ts"
import type { ReloadType } from "../../core/release/reload.ts"
import { bothOf, formatRevision, isBehind, isNewer, type Revision } from "../../core/release/revision.ts"
import type { Outlet } from "./event-stream.ts"
import { pause } from "./pause.ts"
import type { Pointers, Reading } from "./pointers.ts"
import type { Hear, Hint, Push } from "./push.ts"
import type { Reader } from "./readers.ts"
import type { Scope } from "./scope.ts"
import type { EventText, Told } from "./stream-events.ts"
import type { Caller } from "./views.ts"

/** One stream: who listens, to what, and what he was last told. */
export interface Session {
  scope: Scope
  reader: Reader
  caller: Caller
  outlet: Outlet
  /** What he has already. */
  told: Told
  textOf: EventText
  /** When he is let go, if nothing ends it before. */
  endsAtMs: number
}

interface Parts {
  pointers: Pick<Pointers, "obtain" | "reach" | "renew" | "reread">
  push: Push
}

const COMMENT_MS = 15_000
/** What a message spoke of and the origin did not have yet is asked for again. */
const AGAIN_MS = 1_000
const ASKS = 5

interface Mail {
  isMissing: boolean
  wanted: Revision | null
  reloads: readonly ReloadType[]
}

/** What was heard since somebody last looked, and who waits for more. */
const createMailbox = () => {
  const none: Mail = { isMissing: false, wanted: null, reloads: [] }
  let waiting: AbortController | null = null
  let mail = none
  return {
    put: (hint: Hint): void => {
      if (hint === "look") mail = { ...mail, isMissing: true }
      else if ("reload" in hint) mail = { ...mail, reloads: [...mail.reloads, hint.reload] }
      else mail = { ...mail, wanted: mail.wanted === null ? hint : bothOf(mail.wanted, hint) }
      waiting?.abort()
    },
    take: (): Mail => {
      const taken = mail
      mail = none
      return taken
    },
    /** Until something is put in, it is over, or so long. */
    wait: async (ms: number, over: AbortSignal): Promise<void> => {
      if (mail !== none) return
      waiting = new AbortController()
      await pause(ms, waiting.signal, over)
      waiting = null
    },
  }
}

/** Is there still somebody to be told, and something? */
const hasEnded = (found: Reading | "absent" | "unreachable", { reader }: Session): boolean => {
  if (found === "absent") return true
  if (found === "unreachable") return false
  return found.pointer.revoked.has(reader.tokenId) || found.pointer.document.status === "suspended"
}

/**
 * Tells of each newer revision until the stream ends: at once where a message comes, and else by looking, so often that
 * what is learnt that way is within the bound for everybody who reads. The pointer that reads are answered from
 * has that revision before it is told.
 */
export const runSession = async ({ pointers, push }: Parts, session: Session): Promise<void> => {
  const { scope, caller, outlet, reader } = session
  const endsAtMs = Math.min(session.endsAtMs, reader.expiresAtMs)
  const mailbox = createMailbox()
  let tier: string | null = null
  // Of another tier's sequence number a tenant would seem to be behind, and ask the origin for what it will never have.
  const hear: Hear = (hint, of) => {
    if (of === undefined || tier === null || of === tier) mailbox.put(hint)
  }
  const listening = push.listen(scope, hear, outlet.gone)
  let told = session.told
  let commentAtMs = Date.now() + COMMENT_MS
  let lookAtMs = Date.now()

  /** What a message spoke of and is not here yet, and how often it is still asked for. */
  let owed: Revision | null = null
  let asksLeft = 0

  /** What is to be told of, moved or not, and since when what is told has to be true. */
  const reloads = new Set<ReloadType>()
  let reloadAtMs = 0

  const look = (): Promise<Reading | "absent" | "unreachable"> => {
    const { isMissing, wanted, reloads: asked } = mailbox.take()
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

  const tell = (found: Reading): void => {
    const { revision, staleness, document } = found.pointer
    const next: Told = { revision, flags: document.flags }
    tier = tierScope(document.tier)
    asksLeft--
    if (owed !== null && (asksLeft === 0 || !isBehind(revision, owed))) owed = null
    lookAtMs = Date.now() + (owed === null ? staleness.staleMs - staleness.rereadMs : AGAIN_MS)
    const before = told
    const isNew = isNewer(revision, before.revision)
    // Of the same revision it may have become known what its flags are.
    if (isNew || document.revision === formatRevision(before.revision)) told = next
    if (!isNew && reloads.size === 0) return
    const text = session.textOf(told, before, reloads)
    reloads.clear()
    if (text === "") return
    outlet.write(text)
    commentAtMs = Date.now() + COMMENT_MS
  }

  while (!outlet.gone.aborted) {
    await mailbox.wait(Math.min(lookAtMs, commentAtMs, endsAtMs) - Date.now(), outlet.gone)
    if (Date.now() >= endsAtMs) outlet.close()
    const found = await look()
    if (hasEnded(found, session)) outlet.close()
    if (outlet.gone.aborted) break
    if (typeof found === "string") lookAtMs = Date.now() + AGAIN_MS
    else tell(found)
    if (Date.now() >= commentAtMs) {
      outlet.write(":\n\n")
      commentAtMs = Date.now() + COMMENT_MS
    }
  }
  await listening
}
