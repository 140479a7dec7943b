import type { JWK } from "jose"
import { blocksOf } from "../platform/addresses.ts"
import { type JwtIssuer, usableKeys } from "../platform/jwt-issuers.ts"
import { createOutbound, type Outbound } from "../platform/outbound.ts"

const DEADLINE_MS = 3_000
const WELL_KNOWN = "/.well-known/openid-configuration"

const readJson = async (outbound: Pick<Outbound, "get">, url: string): Promise<unknown> => {
  const reply = await outbound.get({ url, headers: { accept: "application/json" }, deadlineMs: DEADLINE_MS })
  if (reply.status !== 200) throw new Error(`${new URL(url).pathname} answered ${reply.status}`)
  return JSON.parse(reply.body)
}

/** Where the keys are, by OpenID Connect Discovery 1.0: the document must be the issuer's own (section 4.3). */
const discoveredUrl = async (outbound: Pick<Outbound, "get">, issuer: string): Promise<string> => {
  const document = (await readJson(outbound, issuer.replace(/\/$/, "") + WELL_KNOWN)) as {
    issuer?: unknown
    jwks_uri?: unknown
  } | null
  if (document?.issuer !== issuer) throw new Error("the discovery document is another issuer's")
  if (typeof document.jwks_uri !== "string") throw new Error("the discovery document names no jwks_uri")
  return document.jwks_uri
}

/**
 * The keys that an issuer shows at this moment. Throws when it cannot be reached, when its URLs lead to where they may
 * not, or when there is no usable key among what it shows.
 */
export const fetchIssuerKeys = async (
  outbound: Pick<Outbound, "get">,
  { issuer, keys }: Pick<JwtIssuer, "issuer" | "keys">,
): Promise<readonly JWK[]> => {
  const url = keys.kind === "url" ? keys.url : await discoveredUrl(outbound, issuer)
  const usable = usableKeys(await readJson(outbound, url))
  if (usable.length === 0) throw new Error("there is no usable key in the set")
  return usable
}

/** {@link fetchIssuerKeys} to where the settings let requests go. */
export const issuerKeys = (allowed: Parameters<typeof blocksOf>[0]) => {
  const outbound = createOutbound({ allowed: blocksOf(allowed) })
  return (issuer: Parameters<typeof fetchIssuerKeys>[1]) => fetchIssuerKeys(outbound, issuer)
}
