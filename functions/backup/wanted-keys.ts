import type { WantedKey } from "../../core/backup/restore-edits.ts"
import type { Instant } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import type { ConfigKey } from "../../core/ids.ts"
import type { Database } from "../../db/client.ts"
import { findVersionFacts } from "../../db/queries/kept-versions.ts"
import type { OpenArchive } from "../platform/archive/archives.ts"
import type { KeyRing } from "../platform/keys/key-ring.ts"
import type { Vault } from "../platform/keys/vault.ts"
import type { Target } from "../platform/stable.ts"
import { type ArchivedKeys, archivedKeys } from "./archived-keys.ts"
import { type Held, heldAsOf, type KnownKey } from "./kept-keys.ts"
import type { Wanted } from "./restore-into.ts"
import { type OpenSecret, openerHere, openerOfArchive, wantedKey } from "./restore-secrets.ts"

export interface WantedPlatform {
  db: Database
  keyRing: KeyRing
  vault: Vault
}

/** What was stable at a time, of the scope's own history. Every version in it is its own. */
export const wantedAsOf =
  (platform: WantedPlatform, asOf: Instant): Wanted =>
  async (target, present) => {
    const then = await heldAsOf(platform.db, target, asOf)
    const opened = openerHere(platform, target.scope)
    return await wantedOf(target, present, then.keys, new Set(then.keys.keys()), {
      was: opened,
      now: opened,
    })
  }

/** What was stable in the archive's scope when the archive was made, or at `asOf`. Reads the archive once. */
export const wantedOfArchive = async (
  platform: WantedPlatform,
  archive: OpenArchive,
  environments: readonly Environment[],
  asOf: Instant | undefined,
): Promise<Wanted> => {
  const archived: ArchivedKeys = await archivedKeys(archive, environments, asOf)
  const was = await openerOfArchive(platform.keyRing, archive, archived)
  return async (target, present) => {
    const keys = archived.get(target.environment) ?? new Map()
    const own = await ownKeys(platform.db, target, keys)
    const inTarget: OpenSecret = openerHere(platform, target.scope)
    // One of the scope's own is sealed here, whatever keys the archive has.
    const opened = { now: inTarget, was, own: inTarget }
    return await wantedOf(target, present, keys, own, opened)
  }
}

/** Keys whose archived version is one that the scope has itself: made by the same change, to the same. */
const ownKeys = async (
  db: Database,
  { scope, environment }: Target,
  keys: ReadonlyMap<ConfigKey, KnownKey>,
): Promise<Set<ConfigKey>> => {
  const named = [...keys].map(([key, { entry }]) => ({ key, version: entry.version }))
  const found = named.length === 0 ? [] : await findVersionFacts(db, scope, environment, named)
  return new Set(
    found
      .filter(({ key, changeId, checksum }) => {
        const known = keys.get(key)!
        return known.changeId === changeId && known.checksum === checksum
      })
      .map(({ key }) => key),
  )
}

const wantedOf = async (
  target: Target,
  present: Held,
  keys: ReadonlyMap<ConfigKey, KnownKey>,
  own: ReadonlySet<ConfigKey>,
  opened: { was: OpenSecret; now: OpenSecret; own?: OpenSecret },
): Promise<ReadonlyMap<ConfigKey, WantedKey>> => {
  const wanted = new Map<ConfigKey, WantedKey>()
  for (const [key, known] of keys) {
    const isOwn = own.has(key)
    const openers = { now: opened.now, was: isOwn ? (opened.own ?? opened.was) : opened.was }
    wanted.set(key, await wantedKey(target, key, known, isOwn, present.keys.get(key), openers))
  }
  return wanted
}
