import type { ScopeId } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import { checkQuotas } from "../../core/limits/limit.ts"
import { builtInLimits } from "../../core/limits/tiers.ts"
import type { TenantRow } from "../../db/queries/tenants.ts"
import type { ManageDeps } from "./deps.ts"

const SLUG_MAX = 63

/** "ACME Corporation" → `acme-corporation`. */
export const slugOf = (name: string): string =>
  name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f]/g, "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, SLUG_MAX)
    .replaceAll(/^-+|-+$/g, "")

/** `{discord: "42"}` is kept as `discord:42`, which is also how a request names the tenant by it. */
export const externalIdsOf = (externalIds: Readonly<Record<string, string>>): string[] =>
  Object.entries(externalIds).map(([system, id]) => `${system}:${id}`)

/** Throws Refusal LIMIT_INVALID for one of what is counted here that is none. */
export const quotasOf = (given: Readonly<Record<string, unknown>>): Record<string, Json> => {
  const quotas = given as Record<string, Json>
  checkQuotas(quotas, builtInLimits("Free"))
  return quotas
}

const shownExternalIds = (externalIds: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    externalIds.map((text) => {
      const colon = text.indexOf(":")
      return [text.slice(0, colon), text.slice(colon + 1)]
    }),
  )

export const showTenant = (tenant: TenantRow): JsonObject => ({
  tenantId: tenant.tenantId,
  name: tenant.name,
  displayName: tenant.displayName,
  adminEmail: tenant.adminEmail,
  tier: tenant.tier,
  status: tenant.status,
  quotas: tenant.quotas,
  features: tenant.features,
  deployments: tenant.deployments,
  externalIds: shownExternalIds(tenant.externalIds),
  createdAt: tenant.createdAt,
  updatedAt: tenant.updatedAt,
})

/** Readers learn at once of a new status or tier; the marks stay for the relay, which looks again. */
export const publishEverywhere = (deps: ManageDeps, scope: ScopeId): void => {
  for (const environment of deps.settings.environments)
    deps.background.waitUntil(deps.publisher.publish(scope, environment))
}
