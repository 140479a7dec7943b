import type { TenantId, Tier } from "../ids.ts"
import { ownNamespace, sharedNamespace } from "../provisioning/names.ts"
import type { Backend, BackendTls, Credentials, HealthCheck, Target } from "./deployments.ts"

/** What a tier brings where a backend says nothing itself. */
interface Template {
  /** How many targets a backend may have. */
  targetsMax: number
  /** Where its backends run, if in no place of their own. */
  namespace: (tenantId: TenantId) => string
  timeoutMs: number
  health: Required<HealthCheck>
}

const HEALTH: Template["health"] = {
  path: "/health",
  intervalSeconds: 30,
  timeoutMs: 5_000,
  unhealthyAfter: 2,
  healthyAfter: 1,
}
const TIMEOUT_MS = 30_000

/** By tier. A namespace to itself is what Enterprise buys; the others share one with their tier. */
export const TEMPLATES: Readonly<Record<Tier, Template>> = {
  Free: { targetsMax: 2, namespace: () => sharedNamespace("Free"), timeoutMs: TIMEOUT_MS, health: HEALTH },
  Pro: { targetsMax: 4, namespace: () => sharedNamespace("Pro"), timeoutMs: TIMEOUT_MS, health: HEALTH },
  Enterprise: {
    targetsMax: 8,
    namespace: ownNamespace,
    timeoutMs: TIMEOUT_MS,
    health: { ...HEALTH, unhealthyAfter: 1 },
  },
}

/** A backend with all that its tenant left to the template. */
export interface BackendInForce {
  targets: (Target & { priority: number })[]
  timeoutMs: number
  namespace: string
  tenancy?: Backend["tenancy"]
  health: Required<HealthCheck>
  credentials?: Credentials
  tls?: BackendTls
}

/** What holds for a backend of a tenant's. */
export const inForce = (tier: Tier, tenantId: TenantId, backend: Backend): BackendInForce => {
  const template = TEMPLATES[tier]
  return {
    ...backend,
    targets: backend.targets.map((target) => ({ priority: 0, ...target })),
    timeoutMs: backend.timeoutMs ?? template.timeoutMs,
    namespace: backend.namespace ?? template.namespace(tenantId),
    health: { ...template.health, ...backend.health },
  }
}
