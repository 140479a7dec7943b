import { RELOAD_TYPES, type ReloadType } from "../../core/release/reload.ts"
import { formatRevision, type Revision } from "../../core/release/revision.ts"

/** Where a reader is: the revision, and what names its flags; `undefined` where nobody can tell. */
export interface Told {
  revision: Revision
  flags: string | undefined
}

/** What a stream tells at one time, in the words of its own protocol; empty: nothing. */
export type EventText = (next: Told, before: Told | null, reloads: ReadonlySet<ReloadType>) => string

/** Which layers moved is what a client may want to know before it reads. */
const layerType = (next: Revision, before: Revision): ReloadType =>
  next.epoch === before.epoch && next.tenant === before.tenant ? "global_config" : "tenant_config"

const isSame = (one: Revision, other: Revision): boolean => formatRevision(one) === formatRevision(other)

/** Are the flags what they were? Where one of the two is not known, nobody may rely on it. */
export const sameFlags = (next: Told, before: Told): boolean =>
  next.flags !== undefined && next.flags === before.flags

/** A flag is a config: who hears of configs hears of flags, and who wants to hear of flags alone may. */
const movedTypes = (next: Told, before: Told | null): ReloadType[] => {
  // The first event says where things are.
  if (before === null) return ["tenant_config"]
  if (isSame(next.revision, before.revision)) return []
  const type = layerType(next.revision, before.revision)
  return sameFlags(next, before) ? [type] : [type, "feature_flag"]
}

/** The stream's own events: `GET /api/v1/stream`. */
export const eventText: EventText = (next, before, reloads) => {
  const revision = formatRevision(next.revision)
  const moved = movedTypes(next, before)
  return RELOAD_TYPES.filter((type) => moved.includes(type) || reloads.has(type))
    .map((type) => {
      const data = JSON.stringify(reloads.has(type) ? { revision, reload: true } : { revision })
      return `event: ${type}\nid: ${revision}\ndata: ${data}\n\n`
    })
    .join("")
}
