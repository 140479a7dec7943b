import { tierScope } from "../../core/ids.ts"
import { formatRevision, isBehind, isNewer, type Revision } from "../../core/release/revision.ts"
import type { Outlet } from "./event-stream.ts"
import { pause } from "./pause.ts"
import type { Pointers, Reading } from "./pointers.ts"
import type { Hear, Hint, Push } from "./push.ts"
import type { Reader } from "./readers.ts"
import type { Scope } from "./scope.ts"
import type { Caller } from "./views.ts"

/** One stream: who listens, to what, and what he was last told. */
export interface Session {
  scope: Scope
  reader: Reader
  caller: Caller
  outlet: Outlet
  /** What he has already; `null`: nothing. */
  told: Revision | null
  /** When he is let go, if nothing ends it before. */
  endsAtMs: number
}

interface Parts {
  pointers: Pick<Pointers, "obtain" | "reach" | "renew">
  push: Push
}

const COMMENT_MS = 15_000
/** What a message spoke of and the origin did not have yet is asked for again. */
const AGAIN_MS = 1_000
const ASKS = 5

/** The later of each part: whoever is not behind this is behind neither. */
const bothOf = (one: Revision, other: Revision): Revision => {
  if (one.epoch !== other.epoch) return one.epoch > other.epoch ? one : other
  return {
    epoch: one.epoch,
    platform: Math.max(one.platform, other.platform),
    tier: Math.max(one.tier, other.tier),
    tenant: Math.max(one.tenant, other.tenant),
  }
}

/** What was heard since somebody last looked, and who waits for more. */
const createMailbox = () => {
  let waiting: AbortController | null = null
  let isMissing = false
  let wanted: Revision | null = null
  return {
    put: (hint: Hint): void => {
      if (hint === "look") isMissing = true
      else wanted = wanted === null ? hint : bothOf(wanted, hint)
      waiting?.abort()
    },
    take: (): { isMissing: boolean; wanted: Revision | null } => {
      const taken = { isMissing, wanted }
      isMissing = false
      wanted = null
      return taken
    },
    /** Until something is put in, it is over, or so long. */
    wait: async (ms: number, over: AbortSignal): Promise<void> => {
      if (isMissing || wanted !== null) return
      waiting = new AbortController()
      await pause(ms, waiting.signal, over)
      waiting = null
    },
  }
}

/** Which layers moved is what a client may want to know before it reads. */
const typeOf = (next: Revision, before: Revision | null): "tenant_config" | "global_config" =>
  before !== null && next.epoch === before.epoch && next.tenant === before.tenant
    ? "global_config"
    : "tenant_config"

export const eventText = (next: Revision, before: Revision | null): string => {
  const revision = formatRevision(next)
  return `event: ${typeOf(next, before)}\nid: ${revision}\ndata: {"revision":"${revision}"}\n\n`
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

  const look = (): Promise<Reading | "absent" | "unreachable"> => {
    const { isMissing, wanted } = mailbox.take()
    if (wanted !== null) {
      owed = owed === null ? wanted : bothOf(owed, wanted)
      asksLeft = ASKS
    }
    if (isMissing) return pointers.renew(scope, caller)
    return owed === null ? pointers.obtain(scope, caller) : pointers.reach(scope, owed, caller)
  }

  const tell = (found: Reading): void => {
    const { revision, staleness, document } = found.pointer
    tier = tierScope(document.tier)
    asksLeft--
    if (owed !== null && (asksLeft === 0 || !isBehind(revision, owed))) owed = null
    lookAtMs = Date.now() + (owed === null ? staleness.staleMs - staleness.rereadMs : AGAIN_MS)
    if (told !== null && !isNewer(revision, told)) return
    outlet.write(eventText(revision, told))
    told = revision
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
