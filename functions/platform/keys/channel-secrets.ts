import { Refusal } from "../../../core/errors.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { CHANNELS, type Place } from "../../../core/secret/place.ts"
import { Secret } from "../../../core/secret/secret.ts"
import type { Sealed, Vault } from "./vault.ts"

const SEALED = /^hs1\.(\d{1,9})\.([A-Za-z0-9_-]+)$/

const placeOf = (scope: ScopeId, channelId: string): Place => ({
  scope,
  realm: CHANNELS,
  name: channelId,
  version: 1,
})

/** What a channel's messages are signed with or posted to, as it is kept. Throws Refusal SECRET_UNSUPPORTED. */
export const sealChannelSecret = async (
  vault: Vault | undefined,
  scope: ScopeId,
  channelId: string,
  secret: string,
): Promise<string> => {
  if (!vault) throw new Refusal("SECRET_UNSUPPORTED", "There is no key to seal the channel's secret with.")
  const { generation, bytes } = await vault.seal(placeOf(scope, channelId), new Secret(secret))
  return `hs1.${generation}.${Buffer.from(bytes).toString("base64url")}`
}

const sealedIn = (kept: string): Sealed | null => {
  const [, generation, text] = SEALED.exec(kept) ?? []
  return text === undefined ? null : { generation: Number(generation), bytes: Buffer.from(text, "base64url") }
}

/** The channel as messages are sent to it. One that was kept before there were keys is as it was. */
export const withSecret = async <
  Channel extends { tenantId: ScopeId; channelId: string; secret: string | null },
>(
  vault: Vault | undefined,
  channel: Channel,
): Promise<Channel> => {
  const sealed = channel.secret === null ? null : sealedIn(channel.secret)
  if (sealed === null) return channel
  if (!vault) throw new Refusal("SECRET_UNSUPPORTED", "There is no key to open the channel's secret with.")
  const secret = await vault.open(placeOf(channel.tenantId, channel.channelId), sealed)
  return { ...channel, secret: String(secret.reveal()) }
}
