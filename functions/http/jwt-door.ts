import { blocksOf } from "../platform/addresses.ts"
import type { Basics } from "../platform/compose.ts"
import { createOutbound } from "../platform/outbound.ts"
import type { Settings } from "../platform/settings.ts"
import { type JwtVerifier, jwtVerifier } from "./jwt.ts"
import { createJwtKeys } from "./jwt-keys.ts"
import { fetchIssuerKeys } from "./oidc.ts"

/** What checks people's tokens, by the settings; `null` where no issuer is configured. */
export const jwtVerifierOf = (
  platform: Pick<Basics, "clock" | "log" | "background"> & {
    settings: Pick<Settings, "jwtIssuers" | "outboundAllow" | "environments">
  },
): JwtVerifier | null => {
  const { jwtIssuers, outboundAllow, environments } = platform.settings
  if (jwtIssuers.length === 0) return null
  const outbound = createOutbound({ allowed: blocksOf(outboundAllow) })
  return jwtVerifier({
    issuers: jwtIssuers,
    environments,
    keysOf: (issuer) =>
      createJwtKeys(issuer, { ...platform, fetchKeys: () => fetchIssuerKeys(outbound, issuer) }),
  })
}
