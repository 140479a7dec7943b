import { LAST_KNOWN_GOOD_MS } from "../../core/release/pointer-document.ts"
import { isNewer, parseRevision } from "../../core/release/revision.ts"
import { type KeptNote, parsePointer, type StoredPointer } from "./pointer.ts"
import { type KeyValueStore, surviving } from "./runtime.ts"
import type { Scope } from "./scope.ts"

/** What outlives every isolate and data centre: one document for each tenant × environment. */
export interface LastKnownGood {
  /** Writes the pointer with its stable view, unless something newer is kept already. Throws when it cannot. */
  keep(scope: Scope, pointer: StoredPointer, stableText: string): Promise<void>
  /** What is kept, if it is young enough to be told; its view is not yet checked. */
  recall(scope: Scope): Promise<{ pointer: StoredPointer; stableText: string } | null>
  forget(scope: Scope): Promise<void>
}

const LIFETIME_SECONDS = LAST_KNOWN_GOOD_MS / 1_000
/** An unchanged pointer is written this often, so that its age stays well below what may be told. */
const REWRITE_MS = 3_600_000

/** Is it time to write this revision? */
export const isKeepDue = (revision: string, kept: KeptNote | null, nowMs: number): boolean =>
  kept === null || kept.revision !== revision || nowMs - kept.atMs >= REWRITE_MS

const isBackwards = (revision: string, kept: KeptNote | null): boolean => {
  const [next, before] = [parseRevision(revision), parseRevision(kept?.revision ?? "")]
  return next !== null && before !== null && isNewer(before, next)
}

export const createLastKnownGood = (store: KeyValueStore): LastKnownGood => ({
  keep: async (scope, pointer, stableText) => {
    const { revision, readAtMs } = pointer.document
    const { value, metadata } = await store.getWithMetadata<KeptNote>(scope.name, "stream")
    await value?.cancel()
    if (isBackwards(revision, metadata)) return
    // Canonical JSON holds no line break, so the first one is between pointer and view.
    await store.put(scope.name, `${JSON.stringify(pointer.document)}\n${stableText}`, {
      metadata: { revision, atMs: readAtMs } satisfies KeptNote,
      expirationTtl: LIFETIME_SECONDS,
    })
  },
  recall: async (scope) =>
    await surviving("last known good read", async () => {
      const text = await store.get(scope.name, "text")
      const end = text?.indexOf("\n") ?? -1
      if (text === null || end === -1) return null
      const told = JSON.parse(text.slice(0, end)) as { readAtMs?: unknown }
      const document = parsePointer(told, scope, Number(told.readAtMs))
      if (document === null || Date.now() - document.readAtMs > LAST_KNOWN_GOOD_MS) return null
      return { pointer: { document, kept: null }, stableText: text.slice(end + 1) }
    }),
  forget: async (scope) => {
    await surviving("last known good delete", async () => await store.delete(scope.name))
  },
})
