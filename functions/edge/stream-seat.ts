import type { TokenId } from "../../core/ids.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { createOutlet, type Outlet } from "./event-stream.ts"
import { WORDS, type Words } from "./stream-events.ts"
import type { Room } from "./stream-room.ts"

/** A stream that was let in, as it is handed from the Worker to the hub. */
export interface Opening {
  tokenId: TokenId
  /** When he is let go, if nothing ends it before. */
  endsAtMs: number
  words: Words
  /** What he has already; of its flags, what named them where that is known. */
  revision: string
  flags: string | null
  /** What he is told first of all. */
  text: string
}

const RETRY_MS = 1_000
const RETRY_SPREAD_MS = 2_000
/** The more of them there are, the longer they take to come back when all are let go at once. */
const RETRY_SPREAD_EACH_MS = 1

/** Opens the stream, and has the room tell it of what comes; `others` are open beside it. */
export const seat = (room: Room, opening: Opening, others: number): Outlet => {
  const { tokenId, endsAtMs, words, revision, flags, text } = opening
  const outlet = createOutlet()
  const spreadMs = RETRY_SPREAD_MS + RETRY_SPREAD_EACH_MS * others
  outlet.write(`retry: ${Math.round(RETRY_MS + spreadMs * Math.random())}\n\n${text}`)
  const told = { revision: parseRevision(revision)!, flags: flags ?? undefined }
  room.enter({ tokenId, outlet, told, textOf: WORDS[words], endsAtMs })
  return outlet
}
