import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { CHANNELS } from "../../core/secret/place.ts"
import type { Database } from "../../db/client.ts"
import { type AgedRealm, agedChannels, agedRealms, resealChannel } from "../../db/queries/secret-upkeep.ts"
import { agedSecrets, resealSecret } from "../../db/queries/secrets.ts"
import { sealChannelSecret, withSecret } from "../platform/keys/channel-secrets.ts"
import { secretPlace } from "../platform/keys/keep-secrets.ts"
import type { Vault } from "../platform/keys/vault.ts"
import type { Log } from "../platform/log.ts"

export interface ResealDeps {
  /** As the role that sees one tenant at a time. */
  db: Database
  system: Database
  vault: Vault
  log: Log
}

const REALMS_MAX = 50
/** Of one realm at a time: each is opened and sealed in this process. */
const BATCH = 200

/**
 * Seals anew what keys before the latest have sealed, and channels that were never sealed: some of each realm, each
 * by itself, so that it may stop anywhere and be done again. Returns how many.
 */
export const resealAged = async (deps: ResealDeps): Promise<number> => {
  let done = 0
  for (const realm of await agedRealms(deps.system, REALMS_MAX))
    try {
      done += realm.realm === CHANNELS ? await resealChannels(deps, realm) : await resealValues(deps, realm)
    } catch (error) {
      // One that cannot be opened, as its keys were destroyed, keeps no other from its turn.
      if (!(error instanceof Refusal && error.code === "SECRET_SHREDDED"))
        deps.log.error("secrets could not be sealed anew", { error, scope: realm.scope, realm: realm.realm })
    }
  return done
}

const resealValues = async ({ db, vault }: ResealDeps, aged: AgedRealm): Promise<number> => {
  const { scope, generation } = aged
  const environment = aged.realm as Environment
  const secrets = await agedSecrets(db, scope, environment, generation, BATCH)
  let done = 0
  for (const secret of secrets) {
    const place = secretPlace(scope, environment, secret)
    const value = await vault.open(place, { generation: secret.generation, bytes: secret.sealed })
    const anew = await vault.seal(place, value)
    // This process may not have heard of the latest key yet.
    if (anew.generation <= secret.generation) return done
    const sealed = { ...secret, generation: anew.generation, sealed: anew.bytes }
    await resealSecret(db, scope, environment, sealed, secret.generation)
    done++
  }
  return done
}

const resealChannels = async (
  { db, vault }: ResealDeps,
  { scope, generation }: AgedRealm,
): Promise<number> => {
  const aged = await agedChannels(db, scope, generation)
  for (const channel of aged) {
    const { secret } = await withSecret(vault, channel)
    await resealChannel(db, channel, await sealChannelSecret(vault, scope, channel.channelId, secret))
  }
  return aged.length
}
