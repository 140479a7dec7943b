import { bearer, type Right } from "./attack.ts"
import type { Claims } from "./forge.ts"

export const TO_CONFIGS = { method: "POST", path: "/api/v1/configs" }
export const CONFIG = { tenantId: "acme", key: "k", value: 1, environment: "Production" }

export const rightPartner: Right = ({ partner }) => ({
  path: "/api/v1/tenants/globex",
  ...bearer(partner.token({ claims: { tenant: "globex" } })),
})
export const PLATFORM_ADMIN = { tenant: "*", roles: ["platform_admin"] }
export const rightAdmin: Right = ({ ops }) => ({
  path: "/api/v1/tenants",
  ...bearer(ops.token({ claims: PLATFORM_ADMIN })),
})
/** Somebody of corp's who has these claims, and asks for something else than a look at their tenant. */
export const rightly =
  (more: Claims, sent: Parameters<typeof asked>[0]): Right =>
  ({ corp }) => ({ ...asked(sent), ...bearer(corp.token({ claims: more })) })
let serial = 0
/** What is made is new each time. */
export const asked = (sent: { method?: string; path: string; config?: object }) => {
  const { config, ...rest } = sent
  serial++
  return config === undefined ? rest : { ...rest, body: { ...config, key: `key-${serial}` } }
}
