import { randomBytes } from "node:crypto"
import { type ArchiveRow, invalid } from "../../core/backup/rows.ts"
import type { ScopeId, TenantId } from "../../core/ids.ts"
import type { JsonObject } from "../../core/json.ts"
import { BACKUPS, CHANNELS, placeBytes } from "../../core/secret/place.ts"
import type { KeyRing } from "../platform/keys/key-ring.ts"
import { KEY_BYTES, NotOpened, open, seal } from "../platform/keys/sealing.ts"

const CHANNEL_SECRET = /^hs1\.(\d{1,9})\.([A-Za-z0-9_-]+)$/

const bytesOf = (value: unknown): Uint8Array => Buffer.from((value as string).slice(2), "hex")
/** As `row_to_json` prints bytes. */
const printed = (bytes: Uint8Array): string => `\\x${Buffer.from(bytes).toString("hex")}`

/** What an archive has sealed, opened with the archive's own data keys; the database's are not asked. */
export interface SealedRows {
  /** A row of `data_keys`: its key is known from then on. */
  learn(row: ArchiveRow): Promise<void>
  /** Opens what the row has sealed, to see that it does. Throws Refusal ARCHIVE_INVALID. */
  check(row: ArchiveRow): void
  /** The row of a data key with the key wrapped by the ring that is here, where another had wrapped it. */
  rewrapped(row: ArchiveRow): Promise<string>
  /** A row of `secret_values` for another tenant. */
  resealed(row: ArchiveRow, made: JsonObject, keys: NewKeys): JsonObject
}

/** The first data keys of a tenant that is made, by realm. */
export type NewKeys = ReadonlyMap<string, Uint8Array>

export const sealedRows = (
  source: ScopeId,
  keyRing: Pick<KeyRing, "wrap" | "unwrap">,
  foreign?: KeyRing["unwrap"],
): SealedRows => {
  const keys = new Map<string, Uint8Array>()
  const unwrap = foreign ?? keyRing.unwrap
  const named = (realm: string, generation: number) => `${generation} ${realm}`

  const opened = (row: ArchiveRow): Uint8Array | null => {
    const { table, nth, values } = row
    const part = table === "channels" ? ofChannel(values) : ofSecret(values)
    if (part === null) return null
    const { realm, generation, name, version, sealed } = part
    const key = keys.get(named(realm, generation))
    try {
      if (!key) throw new NotOpened()
      return open(key, sealed, placeBytes({ scope: source, realm, name, version }))
    } catch (error) {
      if (!(error instanceof NotOpened)) throw error
      throw invalid(table, nth, "what it has sealed does not open in its place")
    }
  }

  return {
    learn: async ({ table, nth, values }) => {
      const { realm, generation } = values as { realm: string; generation: number }
      // Whoever brought it knows it: they would open, and could make, every archive of the tenant from here on.
      if (foreign && realm === BACKUPS)
        throw invalid(table, nth, "it brings a key along that seals archives of another deployment's")
      const wrapped = { bytes: bytesOf(values.wrapped), by: values.wrapped_by as string }
      try {
        keys.set(
          named(realm, generation),
          new Uint8Array(await unwrap({ scope: source, realm, generation }, wrapped)),
        )
      } catch (error) {
        if (!(error instanceof NotOpened)) throw error
        throw invalid(
          table,
          nth,
          `the data key ${generation} of ${realm} was wrapped by a key that is not here`,
        )
      }
    },
    check: (row) => {
      opened(row)
    },
    rewrapped: async ({ text, values }) => {
      if (!foreign) return text
      const { realm, generation } = values as { realm: string; generation: number }
      const key = keys.get(named(realm, generation))!
      const { bytes, by } = await keyRing.wrap({ scope: source, realm, generation }, key)
      return JSON.stringify({ ...values, wrapped: printed(bytes), wrapped_by: by })
    },
    resealed: (row, made, newKeys) => {
      const {
        environment: realm,
        key: name,
        version,
      } = made as { environment: string; key: string; version: number }
      const place = { scope: made.tenant_id as TenantId, realm, name, version }
      const sealed = seal(newKeys.get(realm)!, opened(row)!, placeBytes(place))
      return { ...made, generation: 1, sealed: printed(sealed) }
    },
  }
}

const ofSecret = (values: JsonObject) => ({
  realm: values.environment as string,
  generation: values.generation as number,
  name: values.key as string,
  version: values.version as number,
  sealed: bytesOf(values.sealed),
})

/** `null`: the channel has nothing that is sealed. */
const ofChannel = (values: JsonObject) => {
  const [, generation, sealed] = CHANNEL_SECRET.exec((values.secret ?? "") as string) ?? []
  if (generation === undefined) return null
  const bytes = new Uint8Array(Buffer.from(sealed!, "base64url"))
  return {
    realm: CHANNELS,
    generation: Number(generation),
    name: values.channel_id as string,
    version: 1,
    sealed: bytes,
  }
}

/**
 * New data keys for a tenant, with their rows. Wrapped by the ring, which makes the tenant's wrapping key the first time;
 * in a rehearsal not, as that outlives it.
 */
export const newDataKeys = async (
  keyRing: Pick<KeyRing, "wrap">,
  target: TenantId,
  realms: Iterable<string>,
  isRehearsal: boolean,
): Promise<{ keys: NewKeys; rows: JsonObject[] }> => {
  const keys = new Map<string, Uint8Array>()
  const rows: JsonObject[] = []
  for (const realm of realms) {
    const key = randomBytes(KEY_BYTES)
    const wrapped = isRehearsal
      ? { bytes: new Uint8Array(), by: "rehearsal" }
      : await keyRing.wrap({ scope: target, realm, generation: 1 }, key)
    keys.set(realm, key)
    rows.push({
      tenant_id: target,
      realm,
      generation: 1,
      wrapped: printed(wrapped.bytes),
      wrapped_by: wrapped.by,
    })
  }
  return { keys, rows }
}
