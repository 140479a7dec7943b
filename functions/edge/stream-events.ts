import { RELOAD_TYPES, type ReloadType } from "../../core/release/reload.ts"
import { formatRevision, type Revision } from "../../core/release/revision.ts"

/** Where a reader is: the revision, and what names its flags; `undefined` where nobody can tell. */
export interface Told {
  revision: Revision
  flags: string | undefined
}

/**
 * What a stream tells at one time, in the words of its own protocol; empty: nothing. `stepOf` gives what makes the
 * configuration at `before` that at `next`, as members of a JSON object, where that is known and short.
 */
export type EventText = (
  next: Told,
  before: Told | null,
  reloads: ReadonlySet<ReloadType>,
  stepOf: () => string | null,
) => string

/** Which layers moved is what a client may want to know before it reads. */
const layerType = (next: Revision, before: Revision): ReloadType =>
  next.epoch === before.epoch && next.tenant === before.tenant ? "global_config" : "tenant_config"

const isSame = (one: Revision, other: Revision): boolean => formatRevision(one) === formatRevision(other)

/** Are the flags what they were? Where one of the two is not known, nobody may rely on it. */
const sameFlags = (next: Told, before: Told): boolean =>
  next.flags !== undefined && next.flags === before.flags

/** A flag is a config: who hears of configs hears of flags, and who wants to hear of flags alone may. */
const movedTypes = (next: Told, before: Told | null): ReloadType[] => {
  // The first event says where things are.
  if (before === null) return ["tenant_config"]
  if (isSame(next.revision, before.revision)) return []
  const type = layerType(next.revision, before.revision)
  return sameFlags(next, before) ? [type] : [type, "feature_flag"]
}

const dataOf = (revision: string, isReload: boolean, step: string | null): string => {
  const data = JSON.stringify(isReload ? { revision, reload: true } : { revision })
  return step === null ? data : `${data.slice(0, -1)},${step}}`
}

const textWith =
  (tellsSteps: boolean): EventText =>
  (next, before, reloads, stepOf) => {
    const revision = formatRevision(next.revision)
    const moved = movedTypes(next, before)
    return RELOAD_TYPES.filter((type) => moved.includes(type) || reloads.has(type))
      .map((type) => {
        // Once: what is told of flags besides is of the same revision.
        const step = tellsSteps && type === moved[0] ? stepOf() : null
        return `event: ${type}\nid: ${revision}\ndata: ${dataOf(revision, reloads.has(type), step)}\n\n`
      })
      .join("")
  }

/** In whose words a stream tells: which of them is said when it is opened. */
export const WORDS = {
  /** `GET /api/v1/stream`: that something moved. */
  moves: textWith(false),
  /** `GET /api/v1/stream?with=changes`: also what changed by it. */
  changes: textWith(true),
  /** As the protocol's `service/event-streams.yaml` has it: only that flags have changed, and what to ask for next. */
  flags: ((next, before, reloads) => {
    const isSame = before === null || sameFlags(next, before)
    if (isSame && reloads.size === 0) return ""
    const etag = formatRevision(next.revision)
    return `event: message\nid: ${etag}\ndata: ${JSON.stringify({ type: "refetchEvaluation", etag })}\n\n`
  }) satisfies EventText,
} as const satisfies Record<string, EventText>

export type Words = keyof typeof WORDS
