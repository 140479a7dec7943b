import type { Environment } from "../../../core/environment.ts"
import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import type { SecretToKeep } from "../../../core/secret/edits.ts"
import type { Place } from "../../../core/secret/place.ts"
import type { Secret } from "../../../core/secret/secret.ts"
import type { Database, Runner } from "../../../db/client.ts"
import { findSecret, insertSecrets, type NewSecret } from "../../../db/queries/secrets.ts"
import { inTenant } from "../../../db/tenant.ts"
import type { Vault } from "./vault.ts"

export interface KeepPlatform {
  db: Database
  /** Absent where nothing secret is ever written. */
  vault?: Vault | undefined
}

const unsupported = (): Refusal =>
  new Refusal("SECRET_UNSUPPORTED", "This function has no key to seal a secret with.")

/** Where a config's secret is sealed for. */
export const secretPlace = (
  scope: ScopeId,
  environment: Environment,
  { key, version }: Pick<SecretToKeep, "key" | "version">,
): Place => ({ scope, realm: environment, name: key, version })

/**
 * Seals what a decision has to be kept secret, and keeps it before what names it is written: a commit that fails leaves
 * at most a sealed value that nothing names. `false`: one of the numbers was taken meanwhile, and it is to be decided
 * again.
 */
export const keepSecrets = async (
  { db, vault }: KeepPlatform,
  runner: Runner,
  scope: ScopeId,
  environment: Environment,
  secrets: readonly SecretToKeep[],
): Promise<boolean> => {
  if (secrets.length === 0) return true
  if (!vault) throw unsupported()
  const rows: NewSecret[] = []
  for (const secret of secrets) {
    const value = await plainOf(db, runner, vault, scope, secret)
    const { generation, bytes } = await vault.seal(secretPlace(scope, environment, secret), value)
    const copiedFrom = secret.from.kind === "copy" ? secret.from.source : null
    rows.push({ key: secret.key, version: secret.version, generation, sealed: bytes, copiedFrom })
  }
  return await inTenant(runner, db, scope, (tx) => insertSecrets(tx, environment, rows))
}

const plainOf = async (
  db: Database,
  runner: Runner,
  vault: Vault,
  scope: ScopeId,
  { key, from }: SecretToKeep,
): Promise<Secret> => {
  if (from.kind === "plain") return from.value
  const { environment, version } = from.source
  const found = await inTenant(runner, db, scope, (tx) => findSecret(tx, environment, key, version))
  if (!found) throw new Error(`a marker names value ${version} of ${key}, which is not kept`)
  const place = secretPlace(scope, environment, { key, version })
  return await vault.open(place, { generation: found.generation, bytes: found.sealed })
}
