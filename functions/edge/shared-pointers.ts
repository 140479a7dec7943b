import { LAST_KNOWN_GOOD_MS } from "../../core/release/pointer-document.ts"
import { type KeptNote, parsePointer, type StoredPointer } from "./pointer.ts"
import { openSharedCache, surviving } from "./runtime.ts"
import { pointerCacheKey, type Scope } from "./scope.ts"

// The Cache API, shared by the isolates of one data centre. Every reader judges the age by `readAtMs`
// itself; the lifetime given here only ends what could never be told any more.
const CACHE_CONTROL = `public, max-age=${LAST_KNOWN_GOOD_MS / 1_000}`

const isKeptNote = (value: unknown): value is KeptNote => {
  const note = value as Partial<KeptNote> | null
  return typeof note?.revision === "string" && typeof note.atMs === "number"
}

export const readSharedPointer = async (scope: Scope): Promise<StoredPointer | null> =>
  await surviving("cache read", async () => {
    const response = await (await openSharedCache()).match(pointerCacheKey(scope))
    if (!response) return null
    const stored = (await response.json()) as { document?: { readAtMs?: unknown }; kept?: unknown }
    const document = parsePointer(stored.document, scope, Number(stored.document?.readAtMs))
    return document && { document, kept: isKeptNote(stored.kept) ? stored.kept : null }
  })

export const writeSharedPointer = async (scope: Scope, { document, kept }: StoredPointer): Promise<void> => {
  const headers = { "content-type": "application/json", "cache-control": CACHE_CONTROL }
  await surviving("cache write", async () => {
    const response = new Response(JSON.stringify({ document, kept }), { headers })
    await (await openSharedCache()).put(pointerCacheKey(scope), response)
  })
}

export const forgetSharedPointer = async (scope: Scope): Promise<void> => {
  await surviving("cache delete", async () => await (await openSharedCache()).delete(pointerCacheKey(scope)))
}
