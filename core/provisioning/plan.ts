import { BACKENDS, type BackendName, type Deployments } from "../deployment/deployments.ts"
import { Refusal } from "../errors.ts"
import { sha256Hex } from "../hash.ts"
import type { TenantId, Tier } from "../ids.ts"
import { canonical, type Json } from "../json.ts"
import { type HelmRelease, workloadOf } from "./charts.ts"
import { documentsOf, type KubernetesDocument } from "./documents.ts"
import { ownNamespace, type Place, sharedNamespace, tenancyOf } from "./names.ts"
import type { ProvisioningTemplate } from "./template.ts"

/** What is to be made for a tenant, and where its requests are then led. The same of the same, whoever asks and when. */
export interface Plan {
  tier: Tier
  backends: BackendName[]
  /** In the order in which they are to be applied; before the releases. */
  documents: KubernetesDocument[]
  releases: HelmRelease[]
  /** What the tenant's deployments say of these backends once it is active; what is not among them is gone. */
  deployments: Deployments
  retentionDays: number
}

/** Names a plan by all that it is. */
export const digestOf = (plan: Plan): string => sha256Hex(canonical(plan as unknown as Json))

/**
 * What a tenant's tier asks for these backends; none: nothing. Throws Refusal TEMPLATE_INCOMPLETE where it is to have room at a
 * backend of the platform's, and there is none.
 */
export const planOf = (
  tenantId: TenantId,
  tier: Tier,
  wanted: readonly BackendName[],
  template: ProvisioningTemplate,
): Plan => {
  const backends = BACKENDS.filter((name) => wanted.includes(name))
  const shape = template.tiers[tier]
  const { retentionDays } = shape
  if (shape.kind === "shared") {
    const missing = backends.find((name) => (template.shared[name] ?? []).length === 0)
    if (missing !== undefined)
      throw new Refusal(
        "TEMPLATE_INCOMPLETE",
        `Tenants of ${tier} have room at the platform's ${missing}, and the template names none.`,
      )
    const tenancy = tenancyOf(tenantId)
    const deployments = Object.fromEntries(
      backends.map((name) => [name, { targets: template.shared[name]!, tenancy }]),
    )
    return { tier, backends, documents: [], releases: [], deployments, retentionDays }
  }
  const isOwn = shape.namespace === "tenant"
  const namespace = isOwn ? ownNamespace(tenantId) : sharedNamespace(tier)
  const place: Place = { tenantId, tier, namespace, isOwn }
  const workloads = backends.map((name) => ({ name, ...workloadOf(place, name, shape, template) }))
  const releases = workloads.map(({ release }) => release)
  return {
    tier,
    backends,
    documents: releases.length === 0 ? [] : documentsOf(place, template, releases),
    releases,
    deployments: Object.fromEntries(workloads.map(({ name, backend }) => [name, { ...backend, namespace }])),
    retentionDays,
  }
}

/** What is made, by name: `NetworkPolicy hotswap-pro/t-acme-isolation`, `release hotswap-pro/t-acme-metrics`. */
const namedIn = ({ documents, releases }: Plan): Map<string, Json> =>
  new Map<string, Json>([
    ...documents.map((document): [string, Json] => {
      const { namespace, name } = document.metadata
      return [
        `${document.kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`,
        document as unknown as Json,
      ]
    }),
    ...releases.map((release): [string, Json] => [
      `release ${release.namespace}/${release.name}`,
      release as unknown as Json,
    ]),
  ])

/** What of it is this tenant's alone, so that it goes with the tenant: not the namespace of a tier. */
export const ownOf = (plan: Plan): string[] => {
  const shared = `Namespace ${sharedNamespace(plan.tier)}`
  return [...namedIn(plan).keys()].filter((name) => name !== shared)
}

/** What one plan would make of what another made, by name. */
export interface PlanDifference {
  added: string[]
  altered: string[]
  same: string[]
}

export const differenceOf = (before: Plan | null, after: Plan): PlanDifference => {
  const there = before ? namedIn(before) : new Map<string, Json>()
  const difference: PlanDifference = { added: [], altered: [], same: [] }
  for (const [name, made] of namedIn(after)) {
    const kept = there.get(name)
    if (kept === undefined) difference.added.push(name)
    else difference[canonical(kept) === canonical(made) ? "same" : "altered"].push(name)
  }
  return difference
}
