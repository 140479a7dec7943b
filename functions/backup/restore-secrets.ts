import type { WantedKey } from "../../core/backup/restore-edits.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import type { ConfigKey, ScopeId } from "../../core/ids.ts"
import { canonical, type Json } from "../../core/json.ts"
import type { Entry } from "../../core/release/release.ts"
import { markedVersion } from "../../core/secret/marker.ts"
import { placeBytes } from "../../core/secret/place.ts"
import { Secret } from "../../core/secret/secret.ts"
import type { Database } from "../../db/client.ts"
import { findSecret } from "../../db/queries/secrets.ts"
import { withTenant } from "../../db/tenant.ts"
import type { OpenArchive } from "../platform/archive/archives.ts"
import { secretPlace } from "../platform/keys/keep-secrets.ts"
import type { KeyRing } from "../platform/keys/key-ring.ts"
import { open } from "../platform/keys/sealing.ts"
import type { Vault } from "../platform/keys/vault.ts"
import type { Target } from "../platform/stable.ts"
import type { KnownKey } from "./kept-keys.ts"

/** The plain text of the value that a marker of an environment's key names. */
export type OpenSecret = (environment: Environment, key: ConfigKey, version: number) => Promise<Secret>

const notThere = (environment: Environment, key: ConfigKey, version: number): Refusal =>
  new Refusal("ARCHIVE_INVALID", `secret_values: value ${version} of ${environment}:${key} is not there.`)

/** Opens what is sealed here, for a scope. */
export const openerHere =
  ({ db, vault }: { db: Database; vault: Vault }, scope: ScopeId): OpenSecret =>
  async (environment, key, version) => {
    const found = await withTenant(db, scope, (tx) => findSecret(tx, environment, key, version))
    if (!found) throw notThere(environment, key, version)
    const { generation, sealed } = found
    return await vault.open(secretPlace(scope, environment, { key, version }), { generation, bytes: sealed })
  }

const nameOf = (...parts: readonly unknown[]): string => parts.join("\n")
const bytesOf = (hex: unknown): Uint8Array => Buffer.from(String(hex).replace(/^\\x/, ""), "hex")

interface SealedRow {
  generation: number
  sealed: Uint8Array
}

/**
 * Opens what is sealed in an archive: those values that the keys name, under the data keys that are in it. Only what is asked
 * for is kept in memory, and the plain text of none.
 */
export const openerOfArchive = async (
  keyRing: KeyRing,
  archive: OpenArchive,
  keys: ReadonlyMap<Environment, ReadonlyMap<ConfigKey, KnownKey>>,
): Promise<OpenSecret> => {
  const { source } = archive.manifest
  const values = new Map<string, SealedRow>()
  if ([...keys.values()].some((of) => [...of.values()].some(({ entry }) => isSecret(entry))))
    for await (const line of archive.rows("secret_values")) {
      const row = JSON.parse(line) as Record<string, Json>
      const wanted = keys.get(row.environment as Environment)?.get(row.key as ConfigKey)
      if (wanted && markedVersion(wanted.entry.value) === row.version)
        values.set(nameOf(row.environment, row.key, row.version), {
          generation: row.generation as number,
          sealed: bytesOf(row.sealed),
        })
    }
  const wrapped = new Map<string, { bytes: Uint8Array; by: string }>()
  if (values.size > 0)
    for await (const line of archive.rows("data_keys")) {
      const row = JSON.parse(line) as Record<string, Json>
      if (row.wrapped !== null)
        wrapped.set(nameOf(row.realm, row.generation), {
          bytes: bytesOf(row.wrapped),
          by: row.wrapped_by as string,
        })
    }
  const unwrap: KeyRing["unwrap"] = archive.unwrap ?? ((name, key) => keyRing.unwrap(name, key))
  const dataKeys = new Map<string, Promise<Uint8Array>>()
  const dataKey = (realm: string, generation: number): Promise<Uint8Array> => {
    const name = nameOf(realm, generation)
    const key = wrapped.get(name)
    if (!key)
      throw new Refusal("SECRET_SHREDDED", `The archive has no key ${generation} of ${source} in ${realm}.`)
    const unwrapping = dataKeys.get(name) ?? unwrap({ scope: source, realm, generation }, key)
    dataKeys.set(name, unwrapping)
    return unwrapping
  }
  return async (environment, key, version) => {
    const found = values.get(nameOf(environment, key, version))
    if (!found) throw notThere(environment, key, version)
    const place = secretPlace(source, environment, { key, version })
    const plain = open(await dataKey(environment, found.generation), found.sealed, placeBytes(place))
    return new Secret(JSON.parse(Buffer.from(plain).toString()) as Json)
  }
}

const isSecret = ({ value }: Entry): boolean => markedVersion(value) !== null

const sameText = (left: Secret, right: Secret): boolean =>
  canonical(left.reveal()) === canonical(right.reveal())

const text = (json: Json | undefined): string | undefined =>
  json === undefined ? undefined : canonical(json)

/**
 * The wanted key with what becomes of its secret. One that stands and is the same stays: whoever may restore may read it, so
 * that to compare tells nothing. One of the scope's own stands for itself. Of any other the value is opened where it was and
 * sealed anew; so is one that stands, where another schema judged it.
 */
export const wantedKey = async (
  { environment }: Target,
  key: ConfigKey,
  known: KnownKey,
  isOwn: boolean,
  present: KnownKey | undefined,
  opened: { was: OpenSecret; now: OpenSecret },
): Promise<WantedKey> => {
  const { changeId: _, checksum: __, ...kept } = known
  const { entry } = kept
  const version = markedVersion(entry.value)
  if (version === null) return { ...kept, isOwn }
  const stands = markedVersion(present?.entry.value)
  const isJudged = entry.schema === undefined || text(entry.schema) === text(present?.entry.schema)
  if (isOwn && (stands === null || (stands === version && isJudged))) return { ...kept, isOwn }
  const value = await opened.was(environment, key, version)
  const isThere = stands !== null && isJudged && sameText(value, await opened.now(environment, key, stands))
  const there = {
    ...kept,
    isOwn: isOwn && stands === version,
    entry: { ...entry, value: present?.entry.value ?? null },
  }
  if (isThere) return there
  return isOwn && stands !== version ? { ...kept, isOwn } : { ...kept, isOwn, sealed: value }
}
