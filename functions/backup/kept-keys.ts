import type { KeptKey } from "../../core/backup/restore-edits.ts"
import type { Instant } from "../../core/change/change.ts"
import { Refusal } from "../../core/errors.ts"
import { type ChangeId, type ConfigKey, layerOf, type ReleaseId } from "../../core/ids.ts"
import { allEntries } from "../../core/release/compile.ts"
import type { Entry } from "../../core/release/release.ts"
import type { Database } from "../../db/client.ts"
import { findVersionFacts, type VersionFacts } from "../../db/queries/kept-versions.ts"
import { type PointerRead, readChunks, readPointer, readPointerAsOf } from "../../db/queries/reading.ts"
import type { Target } from "../platform/stable.ts"

/** A key as a release has it, with what its version is known by. */
export interface KnownKey extends KeptKey {
  changeId?: ChangeId
  checksum?: string
}

/** What a scope's stable release holds. */
export interface Held {
  release: ReleaseId
  keys: ReadonlyMap<ConfigKey, KnownKey>
}

/** What is stable now. Throws Refusal TENANT_NOT_FOUND. */
export const heldNow = async (db: Database, target: Target): Promise<Held> =>
  await heldIn(db, target, await readPointer(db, target.scope, target.environment, []))

/** What was stable at that time; nothing, before anything was. Throws Refusal TENANT_NOT_FOUND, AS_OF_INVALID. */
export const heldAsOf = async (db: Database, target: Target, at: Instant): Promise<Held> => {
  const read = await readPointerAsOf(db, target.scope, target.environment, at, [])
  if (read === "future") throw new Refusal("AS_OF_INVALID", `${at} is yet to come.`)
  return await heldIn(db, target, read)
}

const heldIn = async (db: Database, target: Target, read: PointerRead | null): Promise<Held> => {
  if (!read) throw new Refusal("TENANT_NOT_FOUND", `There is no tenant "${target.scope}".`)
  const { stable } = read.layers[layerOf(target.scope)]
  const manifest = read.manifests.get(stable)
  if (!manifest) throw new Error(`the release ${stable} came without its manifest`)
  const chunks = new Map(read.chunks)
  const missing = [...new Set(manifest.chunks)].filter((id) => !chunks.has(id))
  if (missing.length > 0)
    for (const [id, text] of await readChunks(db, target.scope, missing)) chunks.set(id, text)
  return { release: stable, keys: await withFacts(db, target, allEntries(manifest, chunks)) }
}

const withFacts = async (
  db: Database,
  { scope, environment }: Target,
  entries: ReadonlyMap<ConfigKey, Entry>,
): Promise<ReadonlyMap<ConfigKey, KnownKey>> => {
  const named = [...entries].map(([key, { version }]) => ({ key, version }))
  const found = named.length === 0 ? [] : await findVersionFacts(db, scope, environment, named)
  const facts = new Map(found.map((fact) => [fact.key, fact]))
  return new Map([...entries].map(([key, entry]) => [key, knownKey(entry, facts.get(key))]))
}

export const knownKey = (
  entry: Entry,
  facts: Pick<VersionFacts, "changeId" | "checksum" | "description" | "owner"> | undefined,
): KnownKey => ({
  entry,
  ...(facts && { changeId: facts.changeId, checksum: facts.checksum }),
  ...(facts?.description != null && { description: facts.description }),
  ...(facts?.owner != null && { owner: facts.owner }),
})
