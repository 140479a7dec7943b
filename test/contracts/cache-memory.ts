import type { PointerDocument } from "../../core/release/pointer-document.ts"
import { hasBegun, isNewer, parseRevision } from "../../core/release/revision.ts"
import { type View, verifyView } from "../../core/release/view.ts"
import {
  type CachePort,
  CacheUnavailable,
  CLOCK_SKEW_MS,
  type MoveEvent,
} from "../../functions/platform/cache.ts"
import type { Clock } from "../../functions/platform/clock.ts"
import { decodePointer, encodePointer } from "../../functions/platform/pointer-json.ts"

/** A cache in maps, for tests; what is raw in it can be read and spoilt. */
export interface MemoryCache extends CachePort {
  /** `tenant/environment` to the text of the document. */
  pointers: Map<string, { text: string; untilMs: number }>
  /** `tenant/environment/view` to its chunks. */
  views: Map<string, string[]>
  /** `tenant/environment` to the small view that was stored last. */
  last: Map<string, View>
  /** `environment/scope` to how far it has moved. */
  marks: Map<string, { epoch: number; seq: number }>
  events: MoveEvent[]
  down: boolean
  commands: number
}

const mayReplace = (next: PointerDocument, kept: PointerDocument | null): boolean => {
  if (kept === null || isNewer(parseRevision(next.revision)!, parseRevision(kept.revision)!)) return true
  return kept.revision === next.revision && next.readAtMs > kept.readAtMs
}

export const memoryCache = (clock: Clock, ttlSeconds = 300): MemoryCache => {
  const marks = new Map<string, { epoch: number; seq: number }>()
  const isOvertaken = ({ environment, revision, tier }: PointerDocument): boolean => {
    const { epoch, platform, tier: tierSeq } = parseRevision(revision)!
    const ahead = (scope: string, seq: number): boolean => {
      const mark = marks.get(`${environment}/${scope}`)
      return mark !== undefined && mark.epoch === epoch && mark.seq > seq
    }
    return ahead("~platform", platform) || ahead(`~tier.${tier}`, tierSeq)
  }
  const answering = (): void => {
    cache.commands++
    if (cache.down) throw new CacheUnavailable("Redis is down")
  }
  const cache: MemoryCache = {
    pointers: new Map(),
    views: new Map(),
    last: new Map(),
    marks,
    events: [],
    down: false,
    commands: 0,
    async readPointer(tenantId, environment) {
      answering()
      const kept = cache.pointers.get(`${tenantId}/${environment}`)
      if (!kept || kept.untilMs <= clock.nowMs()) return null
      const pointer = decodePointer(kept.text, tenantId, environment)
      if (!pointer || pointer.readAtMs > clock.nowMs() + CLOCK_SKEW_MS) return null
      if (!hasBegun(parseRevision(pointer.revision)!, new Date(clock.nowMs()))) return null
      return isOvertaken(pointer) ? null : pointer
    },
    async readMoved(tenantId, environment) {
      const pointer = await cache.readPointer(tenantId, environment)
      const last = cache.last.get(`${tenantId}/${environment}`)
      const isView = last && verifyView(last.id, tenantId, environment, last.chunks)
      return { pointer, views: new Map(isView ? [[last.id, last]] : []) }
    },
    async readView(tenantId, environment, viewId): Promise<View | null> {
      answering()
      const chunks = cache.views.get(`${tenantId}/${environment}/${viewId}`)
      if (!chunks || !verifyView(viewId, tenantId, environment, chunks)) return null
      return { id: viewId, bits: Math.log2(chunks.length), chunks }
    },
    async store(tenantId, environment, { views = [], pointer, event }) {
      answering()
      if (event) cache.events.push(event)
      for (const view of views) cache.views.set(`${tenantId}/${environment}/${view.id}`, [...view.chunks])
      if (!pointer) return
      const place = `${tenantId}/${environment}`
      for (const view of views) if (view.bits === 0) cache.last.set(place, view)
      const kept = cache.pointers.get(place)
      const live =
        kept && kept.untilMs > clock.nowMs() ? decodePointer(kept.text, tenantId, environment) : null
      if (!mayReplace(pointer, live)) return
      cache.pointers.set(place, { text: encodePointer(pointer), untilMs: clock.nowMs() + ttlSeconds * 1_000 })
    },
    async raiseMark({ scope, environment, epoch, seq }, event) {
      answering()
      if (event) cache.events.push(event)
      const place = `${environment}/${scope}`
      const kept = marks.get(place)
      if (!kept || epoch > kept.epoch || (epoch === kept.epoch && seq > kept.seq))
        marks.set(place, { epoch, seq })
    },
    async ping() {
      answering()
    },
    async forget(tenantId) {
      answering()
      let gone = 0
      for (const kept of [cache.pointers, cache.views, cache.last])
        for (const place of kept.keys()) if (place.startsWith(`${tenantId}/`) && kept.delete(place)) gone++
      return gone
    },
  }
  return cache
}
