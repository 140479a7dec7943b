import type { ViewId } from "../../core/ids.ts"
import type { Arm } from "../../core/release/arms.ts"
import { chunkIndex } from "../../core/release/bucket.ts"
import { membersOf } from "../../core/release/chunk.ts"
import {
  bothArmsTag,
  POLL_HEADER,
  type PointerDocument,
  pollPace,
  type Staleness,
  stalenessOf,
} from "../../core/release/pointer-document.ts"
import { parseRevision, type Revision } from "../../core/release/revision.ts"
import { type View, viewDifference, viewText } from "../../core/release/view.ts"
import type { FunctionUrlResult } from "../http/events.ts"
import { JSON_HEADERS } from "./door.ts"
import { configNotFound } from "./refusals.ts"

/** One arm's answer, made once and handed out as it is. */
export interface ArmAnswer {
  view: View
  etag: string
  ok: FunctionUrlResult
  notModified: FunctionUrlResult
  /** The body up to and without the value of `configs`. */
  head: string
  /** Per chunk, key to the text of its value; read when a single key is asked for. */
  members: (ReadonlyMap<string, string> | undefined)[]
}

/** What this process knows of one tenant × environment, complete: the pointer and every view it names. */
export interface Entry {
  pointer: PointerDocument
  revision: Revision
  staleness: Staleness
  stable: ArmAnswer
  candidate: ArmAnswer | null
  /** The answer to `?arms=both`, once somebody has asked. */
  both: ArmAnswer | null
  /** Not before this is it refreshed in the background again. */
  refreshAtMs: number
  /** About how much memory it takes. */
  characters: number
}

/** The headers of a 200; a 304 has the same without a content type. */
export const headersOf = (etag: string, revision: string, arm: Arm): Record<string, string> => ({
  etag,
  "hotswap-revision": revision,
  "hotswap-arm": arm,
  "cache-control": "private, no-cache",
  vary: "Authorization",
})

export const headOf = (
  pointer: Pick<PointerDocument, "tenantId" | "environment" | "revision">,
  view: ViewId,
  arm: Arm,
): string =>
  `{"tenantId":"${pointer.tenantId}","environment":"${pointer.environment}","revision":"${pointer.revision}","view":"${view}","arm":"${arm}","configs":`

export const okOf = (headers: Record<string, string>, body: string): FunctionUrlResult => ({
  statusCode: 200,
  headers: { ...JSON_HEADERS, ...headers },
  body,
  isBase64Encoded: false,
})

const answerOf = (view: View, head: string, tail: string, headers: Record<string, string>): ArmAnswer => ({
  view,
  etag: headers.etag!,
  ok: okOf(headers, `${head}${viewText(view)}${tail}`),
  notModified: { statusCode: 304, headers, body: "", isBase64Encoded: false },
  head,
  members: [],
})

const armAnswer = (pointer: PointerDocument, view: View, arm: Arm): ArmAnswer =>
  answerOf(view, headOf(pointer, view.id, arm), "}", hotHeaders(`W/"${view.id}"`, pointer, arm))

/** Functions name their headers in lower case. */
const POLL = POLL_HEADER.toLowerCase()

const hotHeaders = (etag: string, pointer: PointerDocument, arm: Arm): Record<string, string> => ({
  ...headersOf(etag, pointer.revision, arm),
  [POLL]: pollPace(pointer),
})

/** An entry out of a document and the views it names; parts of `former` that say the same are taken over. */
export const entryOf = (
  pointer: PointerDocument,
  stable: View,
  candidate: View | null,
  former: Entry | null,
): Entry => {
  const isSame = former?.pointer.revision === pointer.revision && former.pointer.moving === pointer.moving
  const same = isSame ? former : null
  const stableAnswer = same?.stable.view.id === stable.id ? same.stable : armAnswer(pointer, stable, "stable")
  const characters = [stable, candidate].reduce(
    (sum, view) => sum + (view?.chunks.reduce((length, chunk) => length + chunk.length, 0) ?? 0),
    0,
  )
  return {
    pointer,
    revision: parseRevision(pointer.revision)!,
    staleness: stalenessOf(pointer),
    stable: stableAnswer,
    candidate:
      candidate &&
      (same?.candidate?.view.id === candidate.id
        ? same.candidate
        : armAnswer(pointer, candidate, "candidate")),
    both: same?.both ?? null,
    refreshAtMs: 0,
    // The chunks, the bodies made of them, and the members of those chunks that are asked for by key.
    characters: 2_048 + 3 * characters,
  }
}

/** Stable, and what the candidate would change about it. */
export const bothOf = (entry: Entry): ArmAnswer => {
  if (entry.both) return entry.both
  const { pointer, stable, candidate } = entry
  const rollout = candidate && pointer.candidate
  const difference = rollout && {
    ...rollout,
    ...viewDifference(stable.view, candidate.view),
  }
  entry.both = answerOf(
    stable.view,
    stable.head,
    `,"candidate":${JSON.stringify(difference)}}`,
    hotHeaders(bothArmsTag(pointer), pointer, "stable"),
  )
  return entry.both
}

/** The text of one key's value, or `undefined`. Costs the same however many keys there are. */
export const valueText = (answer: ArmAnswer, key: string): string | undefined => {
  const index = chunkIndex(key, answer.view.bits)
  answer.members[index] ??= membersOf(answer.view.chunks[index]!)
  return answer.members[index].get(key)
}

/** {@link bothOf} for one key only. Throws CONFIG_NOT_FOUND when neither arm has it. */
export const bothOfKey = (entry: Entry, key: string): FunctionUrlResult => {
  const both = bothOf(entry)
  const before = valueText(entry.stable, key)
  const after = entry.candidate ? valueText(entry.candidate, key) : before
  if (before === undefined && after === undefined) throw configNotFound(key)
  const rollout = entry.candidate && entry.pointer.candidate
  const set = after !== undefined && after !== before ? `{"${key}":${after}}` : "{}"
  const unset = before !== undefined && after === undefined ? [key] : []
  const told =
    rollout && `${JSON.stringify(rollout).slice(0, -1)},"set":${set},"unset":${JSON.stringify(unset)}}`
  const configs = before === undefined ? "{}" : `{"${key}":${before}}`
  return { ...both.ok, body: `${both.head}${configs},"candidate":${told}}` }
}
