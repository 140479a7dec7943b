import type { Basics } from "../platform/compose.ts"
import type { Settings } from "../platform/settings.ts"
import { type JwtVerifier, jwtVerifier } from "./jwt.ts"
import { createJwtKeys } from "./jwt-keys.ts"
import { lazily } from "./lazily.ts"

/** What checks people's tokens, by the settings; `null` where no issuer is configured. */
export const jwtVerifierOf = (
  platform: Pick<Basics, "clock" | "log" | "background"> & {
    settings: Pick<Settings, "jwtIssuers" | "outboundAllow" | "environments">
  },
): JwtVerifier | null => {
  const { jwtIssuers, outboundAllow, environments } = platform.settings
  if (jwtIssuers.length === 0) return null
  // Only where keys have to be looked up.
  const lookUp = lazily(async () => (await import("./oidc.ts")).issuerKeys(outboundAllow))
  return jwtVerifier({
    issuers: jwtIssuers,
    environments,
    keysOf: (issuer) =>
      createJwtKeys(issuer, { ...platform, fetchKeys: async () => await (await lookUp())(issuer) }),
  })
}
