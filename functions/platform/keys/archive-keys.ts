import { randomBytes } from "node:crypto"
import type { WrappedArchiveKey } from "../../../core/backup/manifest.ts"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { BACKUPS } from "../../../core/secret/place.ts"
import type { Database } from "../../../db/client.ts"
import { findDataKey, insertDataKey } from "../../../db/queries/secrets.ts"
import type { ArchiveKeys, OpenedKey } from "../archive/key-opening.ts"
import type { Clock } from "../clock.ts"
import { createLru } from "../lru.ts"
import type { KeyRing } from "./key-ring.ts"
import { KEY_BYTES, NotOpened } from "./sealing.ts"
import { KEY_KEPT_MS } from "./vault.ts"

const RING = "ring"
const KEYS_MAX = 2_000
const BASE64 = /^[A-Za-z0-9+/]{1,8192}={0,2}$/

/** Opens keys of archives that another deployment made. */
export type KeyOpener = (source: ScopeId, wrapped: WrappedArchiveKey) => Promise<OpenedKey>

/**
 * Archives are sealed with a data key of their scope's, which stands wrapped before each manifest: the ring opens it
 * without the database. `others` open what is not wrapped by the ring, by what a manifest says (`by`).
 */
export const archiveKeys = (parts: {
  db: Database
  keyRing: KeyRing | undefined
  clock: Clock
  others?: Readonly<Record<string, KeyOpener>>
}): ArchiveKeys => {
  const { db, clock, others = {} } = parts
  const known = createLru<string, { key: Uint8Array; untilMs: number }>(KEYS_MAX)

  const ring = (): KeyRing => {
    if (parts.keyRing) return parts.keyRing
    throw new Refusal("SECRET_UNSUPPORTED", "There is no key ring to seal or open archives with.")
  }

  const unwrapped = async (scope: ScopeId, wrapped: RingWrapped): Promise<Uint8Array> => {
    const { generation, bytes, by } = wrapped
    const place = [scope, generation, by, bytes.toString("base64")].join(" ")
    const found = known.get(place)
    if (found && found.untilMs > clock.nowMs()) return found.key
    const opened = await ring().unwrap({ scope, realm: BACKUPS, generation }, { bytes, by })
    // Copied to memory of its own: what it came in may be a piece of a page that others share.
    const key = new Uint8Array(opened)
    known.set(place, { key, untilMs: clock.nowMs() + KEY_KEPT_MS })
    return key
  }

  const latest = async (scope: ScopeId) => {
    const found = await findDataKey(db, scope, BACKUPS)
    if (found) return found
    const { bytes, by } = await ring().wrap({ scope, realm: BACKUPS, generation: 1 }, randomBytes(KEY_BYTES))
    // Where somebody else made it at this moment, theirs is the one.
    await insertDataKey(db, scope, BACKUPS, { generation: 1, wrapped: bytes, wrappedBy: by })
    return (await findDataKey(db, scope, BACKUPS))!
  }

  return {
    async forWriting(source, kept) {
      const { generation, wrapped, wrappedBy } = kept ?? (await latest(source))
      if (wrapped === null) throw new Refusal("SECRET_SHREDDED", `The keys of "${source}" were destroyed.`)
      const bytes = Buffer.from(wrapped)
      const key = await unwrapped(source, { generation, bytes, by: wrappedBy })
      return { key, wrapped: { by: RING, generation, wrapped: bytes.toString("base64"), wrappedBy } }
    },
    async opened(source, wrapped) {
      if (wrapped.by !== RING) {
        const open = Object.hasOwn(others, wrapped.by) ? others[wrapped.by] : undefined
        if (open) return await open(source, wrapped)
        throw unknown(source, `Its key is of a kind that is not known here, "${wrapped.by}".`)
      }
      try {
        const key = await unwrapped(source, ringWrapped(source, wrapped))
        if (key.length === KEY_BYTES) return { key }
      } catch (error) {
        if (!(error instanceof NotOpened)) throw error
      }
      throw unknown(
        source,
        "The key ring here did not wrap its key, or the manifest's first line was altered.",
      )
    },
  }
}

interface RingWrapped {
  generation: number
  bytes: Buffer
  by: string
}

const ringWrapped = (source: ScopeId, given: WrappedArchiveKey): RingWrapped => {
  const { generation, wrapped, wrappedBy } = given
  const isWell =
    Number.isSafeInteger(generation) &&
    typeof wrapped === "string" &&
    BASE64.test(wrapped) &&
    typeof wrappedBy === "string"
  if (!isWell) throw unknown(source, "Its key is not written as the key ring writes it.")
  return { generation: generation as number, bytes: Buffer.from(wrapped, "base64"), by: wrappedBy }
}

const unknown = (source: ScopeId, detail: string): Refusal =>
  new Refusal("ARCHIVE_KEY_UNKNOWN", `An archive of "${source}" does not open: ${detail}`)
