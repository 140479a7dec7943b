import { may, type Principal } from "../../core/access.ts"
import {
  BACKENDS,
  type BackendName,
  type Deployments,
  readDeployments,
} from "../../core/deployment/deployments.ts"
import { shownHealth } from "../../core/deployment/health.ts"
import { type FreshSecret, settled } from "../../core/deployment/settle.ts"
import { inForce } from "../../core/deployment/template.ts"
import { Refusal } from "../../core/errors.ts"
import type { TenantId, Tier } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import { DEPLOYMENTS } from "../../core/secret/place.ts"
import { type DeploymentsKept, findDeployments, lastDeploymentSecrets } from "../../db/queries/deployments.ts"
import { tenantNotFound } from "../http/permit.ts"
import { blocksOf } from "../platform/addresses.ts"
import { checkReach } from "../platform/deployments/reach.ts"
import { UrlRefused } from "../platform/outbound.ts"
import { createResolve } from "../platform/resolve.ts"
import { DeploymentsHealth } from "./deployment-shapes.ts"
import type { ManageDeps } from "./deps.ts"

const isVouching = (principal: Principal, scope: TenantId): boolean =>
  may(principal, "backend.vouch", { scope, environment: null })

/** Throws ADDRESS_FORBIDDEN for a target that nothing would be sent to. */
export const mustBeReachable = async (
  { settings }: ManageDeps,
  deployments: Deployments,
  names: readonly BackendName[],
  vouched: readonly BackendName[],
): Promise<void> => {
  const resolve = createResolve()
  const check = async (name: BackendName, url: string, nth: number): Promise<void> => {
    const allowed = vouched.includes(name) ? blocksOf(settings.outboundAllow) : []
    await checkReach(url, allowed, resolve).catch((error: unknown) => {
      if (!(error instanceof UrlRefused)) throw error
      const errors = [{ path: `/${name}/targets/${nth}/url`, message: error.message }]
      throw new Refusal("ADDRESS_FORBIDDEN", error.message, { errors })
    })
  }
  await Promise.all(
    names.flatMap((name) => deployments[name]?.targets.map(({ url }, nth) => check(name, url, nth)) ?? []),
  )
}

const sealedOf = async (
  { vault }: ManageDeps,
  tenantId: TenantId,
  fresh: readonly FreshSecret[],
): Promise<DeploymentsKept["secrets"]> => {
  if (fresh.length > 0 && !vault)
    throw new Refusal("SECRET_UNSUPPORTED", "There is no key to seal the credentials with.")
  return await Promise.all(
    fresh.map(async ({ key, version, value }) => {
      const place = { scope: tenantId, realm: DEPLOYMENTS, name: key, version }
      const { generation, bytes } = await vault!.seal(place, value)
      return { key, version, generation, sealed: bytes, copiedFrom: null }
    }),
  )
}

/** What is to be written when somebody sets a tenant's deployments, and the version that it was made of. */
interface ToKeep {
  document: Deployments
  kept: DeploymentsKept
  version: number
}

/**
 * What is to be written of deployments that are asked for. What the platform set is the platform's to alter: it may be where
 * only this network reaches. Throws TENANT_NOT_FOUND, FORBIDDEN, DEPLOYMENT_INVALID, ADDRESS_FORBIDDEN and what secrets throw.
 *
 * @param tier the tenant's from then on, where that is altered as well.
 */
export const deploymentsToKeep = async (
  deps: ManageDeps,
  principal: Principal,
  tenantId: TenantId,
  asked: unknown,
  tier?: Tier,
): Promise<ToKeep> => {
  const row = await findDeployments(deps.db, tenantId)
  if (!row) throw tenantNotFound(tenantId)
  const last = await lastDeploymentSecrets(deps.db, tenantId)
  const { document, fresh, altered } = settled(row.deployments, asked as Deployments, last, tier ?? row.tier)
  const vouches = isVouching(principal, tenantId)
  const others = altered.filter((name) => row.vouched.includes(name))
  if (!vouches && others.length > 0)
    throw new Refusal("FORBIDDEN", `The platform set ${others.join(" and ")}: it alone alters that.`)
  // What the tenant had set stays the tenant's, though the platform sends it along: its names lead where the tenant says.
  const isVouched = (name: BackendName) => row.vouched.includes(name) || (vouches && altered.includes(name))
  const vouched = BACKENDS.filter((name) => document[name] && isVouched(name))
  await mustBeReachable(deps, document, altered, vouched)
  const secrets = await sealedOf(deps, tenantId, fresh)
  return { document, kept: { secrets, vouched }, version: row.version }
}

/** The same for a tenant that is to be made. Its credentials come later, as there is nothing yet to seal them under. */
export const deploymentsOfNew = async (
  deps: ManageDeps,
  asked: unknown,
  tier: Tier,
): Promise<{ document: Deployments; vouched: BackendName[] }> => {
  const { document, fresh } = settled({}, asked as Deployments, new Map(), tier)
  if (fresh.length > 0) {
    const message = "Credentials are set with PUT …/deployments, once the tenant is there."
    const errors = fresh.map(({ key }) => ({ path: key, message }))
    throw new Refusal("DEPLOYMENT_INVALID", message, { errors })
  }
  const vouched = BACKENDS.filter((name) => document[name])
  await mustBeReachable(deps, document, vouched, vouched)
  return { document, vouched }
}

/** Deployments as HTTP shows them: as they were set, and what holds besides. */
export const showDeployments = (
  tenantId: TenantId,
  tier: Tier,
  document: Json,
  vouched: readonly BackendName[],
): JsonObject => {
  const deployments = readDeployments(document)
  const inForceOf = (name: BackendName): JsonObject => {
    const { timeoutMs, namespace, health } = inForce(tier, tenantId, deployments[name]!)
    return { timeoutMs, namespace, health: { ...health }, vouched: vouched.includes(name) }
  }
  const names = BACKENDS.filter((name) => deployments[name])
  return {
    tenantId,
    deployments: deployments as unknown as JsonObject,
    inForce: Object.fromEntries(names.map((name) => [name, inForceOf(name)])),
  }
}

/** How a tenant's deployments are, as they were looked at last: a part of its health. */
export const deploymentsHealth = {
  schema: DeploymentsHealth,
  /** Throws TENANT_NOT_FOUND. */
  read: async ({ db, clock }: ManageDeps, tenantId: TenantId): Promise<JsonObject> => {
    const row = await findDeployments(db, tenantId)
    if (!row) throw tenantNotFound(tenantId)
    return shownHealth(row.deployments, row.statuses, clock.nowMs())
  },
}
