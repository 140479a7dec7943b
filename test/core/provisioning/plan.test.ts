import fc from "fast-check"
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1"
import { Role, RoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1"
import { LimitRange, Namespace, ResourceQuota, ServiceAccount } from "kubernetes-models/v1"
import { expect, test } from "vitest"
import { BACKENDS, type BackendName, readDeployments } from "../../../core/deployment/deployments.ts"
import { parseTenantId, type TenantId, TIERS, type Tier } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import type { KubernetesDocument } from "../../../core/provisioning/documents.ts"
import { nameOf, ownNamespace, sharedNamespace, tenancyOf } from "../../../core/provisioning/names.ts"
import { differenceOf, digestOf, ownOf, planOf } from "../../../core/provisioning/plan.ts"
import {
  checkTemplate,
  DEFAULT_TEMPLATE,
  type ProvisioningTemplate,
} from "../../../core/provisioning/template.ts"

const TEMPLATE: ProvisioningTemplate = {
  ...DEFAULT_TEMPLATE,
  shared: {
    metrics: [
      { url: "http://vminsert.shared.svc:8480", use: "write" },
      { url: "http://vmselect.shared.svc:8481", use: "query" },
    ],
    logs: [{ url: "http://vlogs.shared.svc:9428" }],
    traces: [{ url: "http://vtraces.shared.svc:10428" }],
  },
}
const plan = (
  tenantId: string,
  tier: Tier,
  backends: readonly BackendName[] = BACKENDS,
  template = TEMPLATE,
) => planOf(tenantId as TenantId, tier, backends, template)

const KINDS = { LimitRange, Namespace, NetworkPolicy, ResourceQuota, Role, RoleBinding, ServiceAccount }
/** Throws where Kubernetes would not take it. */
const validate = (document: KubernetesDocument): void => {
  const Model = KINDS[document.kind as keyof typeof KINDS]
  new Model(document as never).validate()
}

const DNS_LABEL = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const slug = fc
  .stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
  .filter((text) => parseTenantId(text) !== null)

test.each(TIERS)("what a tenant of %s gets is what is written down", async (tier) => {
  const text = `${JSON.stringify(plan("acme-corp", tier), null, 2)}\n`
  await expect(text).toMatchFileSnapshot(`../../golden/provisioning/${tier.toLowerCase()}.txt`)
})

test("Kubernetes takes every document, whatever the tenant is called and the template asks for", () => {
  const number = (most: number) => fc.integer({ min: 1, max: most })
  const shape = fc.record({
    kind: fc.constant("own" as const),
    namespace: fc.constantFrom("tier" as const, "tenant" as const),
    replicas: number(9),
    cpuMillis: number(64_000),
    memoryMi: number(262_144),
    storageGi: number(16_384),
    retentionDays: number(3_650),
  })
  const backends = fc.subarray([...BACKENDS])
  fc.assert(
    fc.property(slug, shape, backends, (tenantId, Pro, wanted) => {
      const made = plan(tenantId, "Pro", wanted, {
        ...TEMPLATE,
        tiers: { ...TEMPLATE.tiers, Pro },
      })
      for (const document of made.documents) validate(document)
      for (const { name } of made.releases) expect(name).toMatch(DNS_LABEL)
      expect(readDeployments(made.deployments as unknown as Json)).toEqual(made.deployments)
    }),
    { numRuns: 60 },
  )
})

test("the check of documents finds one that Kubernetes would not take", () => {
  const [first] = plan("acme-corp", "Enterprise").documents
  expect(() => validate({ ...first!, apiVersion: "v2" })).toThrow()
  const policy = plan("acme-corp", "Pro").documents.find(({ kind }) => kind === "NetworkPolicy")!
  expect(() => validate({ ...policy, spec: { podSelector: [], policyTypes: "Ingress" } })).toThrow()
})

test("no two tenants share a name, a namespace of their own, a tenancy or an address, whatever they are called", () => {
  const long = "a".repeat(63)
  const hashed = ownNamespace(long as TenantId).slice("hotswap-".length)
  const ids = [
    long,
    `${"a".repeat(62)}b`,
    hashed,
    nameOf(long as TenantId).slice("t-".length),
    ...["free", "pro", "enterprise", "a", "a-metrics", "a-metrics-vmselect", "1"],
  ] as TenantId[]
  for (const of of [ownNamespace, nameOf, (id: TenantId) => JSON.stringify(tenancyOf(id))])
    expect(new Set(ids.map(of)).size).toBe(ids.length)
  for (const id of ids) {
    expect(ownNamespace(id)).toMatch(DNS_LABEL)
    expect(TIERS.map(sharedNamespace)).not.toContain(ownNamespace(id))
    // A StatefulSet's longest, which still leaves room for the hash of its revision in a label.
    expect(`${nameOf(id)}-metrics-vmstorage`.length).toBeLessThanOrEqual(52)
  }
  const made = ids.map((id) => plan(id, "Pro"))
  expect(new Set(made.flatMap(ownOf)).size).toBe(made.flatMap(ownOf).length)
  const urls = made.flatMap(({ deployments }) =>
    Object.values(deployments).flatMap(({ targets }) => targets.map(({ url }) => url)),
  )
  expect(new Set(urls).size).toBe(urls.length)
})

test("the namespace of a tier goes with no tenant, one of a tenant's own does", () => {
  expect(ownOf(plan("acme-corp", "Pro"))).not.toContain("Namespace hotswap-pro")
  expect(ownOf(plan("acme-corp", "Enterprise"))).toContain("Namespace hotswap-acme-corp")
})

test("a plan is named by all that it is, and says what it alters of another", () => {
  const before = plan("acme-corp", "Pro", ["metrics"])
  expect(digestOf(plan("acme-corp", "Pro", ["metrics"]))).toBe(digestOf(before))
  const larger = { ...TEMPLATE.tiers.Pro, storageGi: 50 }
  const after = plan("acme-corp", "Pro", ["metrics"], {
    ...TEMPLATE,
    tiers: { ...TEMPLATE.tiers, Pro: larger },
  })
  expect(digestOf(after)).not.toBe(digestOf(before))
  expect(differenceOf(before, after).altered).toEqual(["release hotswap-pro/t-acme-corp-metrics"])
  expect(differenceOf(before, before)).toMatchObject({ added: [], altered: [] })
  expect(differenceOf(null, before).same).toEqual([])
  expect(plan("acme-corp", "Enterprise", [])).toMatchObject({ documents: [], releases: [], deployments: {} })
})

const codeOf = (work: () => unknown): string => {
  try {
    work()
    return "taken"
  } catch (error) {
    return (error as { code: string }).code
  }
}

test.each([
  ["an address that two tenants would have", { address: "http://backends.internal:8428" }],
  ["an address with what nobody fills in", { address: "http://{name}.{cluster}" }],
  ["an address that is none", { address: "ftp://{name}" }],
  ["an address with a query", { address: "http://{name}/?x=1" }],
  ["a shared backend that is none", { shared: { metrics: [{ url: "http://user@host" }] } }],
])("a template with %s is refused", (_, part) => {
  expect(codeOf(() => checkTemplate({ ...TEMPLATE, ...part }))).toBe("TEMPLATE_INVALID")
  expect(codeOf(() => checkTemplate(TEMPLATE))).toBe("taken")
})

test("a tier that shares a backend has none where the platform names none", () => {
  expect(codeOf(() => plan("acme-corp", "Free", ["metrics"], DEFAULT_TEMPLATE))).toBe("TEMPLATE_INCOMPLETE")
})
