import { BACKENDS, type BackendName, type Target, targetUrl } from "../deployment/deployments.ts"
import { type FieldError, Refusal } from "../errors.ts"
import type { Tier } from "../ids.ts"

/** What a tenant of a tier gets for each of its backends. */
export interface TierShape {
  /** `shared`: room at a backend of the platform's; `own`: a workload to itself. */
  kind: "shared" | "own"
  /** `tenant`: a namespace to itself; `tier`: one with the others of its tier. */
  namespace: "tier" | "tenant"
  /** Of metrics, from two on as a cluster that keeps each sample twice. Logs and traces have one. */
  replicas: number
  /** Of each pod. */
  cpuMillis: number
  memoryMi: number
  /** Of each volume. */
  storageGi: number
  retentionDays: number
}

/** What the platform says of how tenants' backends are made. */
export interface ProvisioningTemplate {
  tiers: Record<Tier, TierShape>
  /** The platform's own backends, where tenants without one of their own have room. */
  shared: { [Name in BackendName]?: Target[] }
  /** Where a workload is reached from Hotswap, with `{name}`, `{namespace}`, `{backend}` and `{port}` in it. */
  address: string
  /** Blocks of addresses that Hotswap's requests come from: nobody else gets through to a workload. */
  callers: string[]
  /** The cluster's own, if left out. */
  storageClass?: string
}

/** From the least to the most. */
export const TEMPLATE_BOUNDS = {
  replicas: [1, 9],
  cpuMillis: [10, 64_000],
  memoryMi: [64, 262_144],
  storageGi: [1, 16_384],
  retentionDays: [1, 3_650],
} as const satisfies Record<string, readonly [number, number]>

/** What holds until the platform says something else. It has no shared backends to name. */
export const DEFAULT_TEMPLATE: ProvisioningTemplate = {
  tiers: {
    Free: {
      kind: "shared",
      namespace: "tier",
      replicas: 1,
      cpuMillis: 100,
      memoryMi: 256,
      storageGi: 5,
      retentionDays: 7,
    },
    Pro: {
      kind: "own",
      namespace: "tier",
      replicas: 1,
      cpuMillis: 250,
      memoryMi: 1_024,
      storageGi: 20,
      retentionDays: 30,
    },
    Enterprise: {
      kind: "own",
      namespace: "tenant",
      replicas: 3,
      cpuMillis: 1_000,
      memoryMi: 4_096,
      storageGi: 100,
      retentionDays: 395,
    },
  },
  shared: {},
  address: "http://{name}.{namespace}.svc.cluster.local:{port}",
  callers: ["10.0.0.0/8"],
}

const PLACEHOLDER = /\{([^{}]*)\}/g
const PLACEHOLDERS = ["name", "namespace", "backend", "port"]

/** Where a workload of that name is. */
export const addressOf = (
  { address }: Pick<ProvisioningTemplate, "address">,
  values: Readonly<Record<"name" | "namespace" | "backend" | "port", string>>,
): string => address.replaceAll(PLACEHOLDER, (_, name: keyof typeof values) => values[name])

const addressErrors = (template: ProvisioningTemplate): FieldError[] => {
  const path = "/address"
  const named = [...template.address.matchAll(PLACEHOLDER)].map(([, name]) => name!)
  const unknown = named.find((name) => !PLACEHOLDERS.includes(name))
  if (unknown !== undefined)
    return [{ path, message: `"{${unknown}}" is none of ${PLACEHOLDERS.join(", ")}.` }]
  // Two tenants at one address without a tenancy would be one tenant.
  if (!named.includes("name"))
    return [{ path, message: "It needs {name}: two tenants' workloads must never be at the same address." }]
  const example = addressOf(template, { name: "t-x", namespace: "hotswap-x", backend: "metrics", port: "1" })
  return targetUrl(example) === null
    ? [{ path, message: "Expected http or https, a host and a plain path; no user, query or fragment." }]
    : []
}

const sharedErrors = ({ shared }: ProvisioningTemplate): FieldError[] =>
  BACKENDS.flatMap((name) =>
    (shared[name] ?? []).flatMap(({ url }, nth) =>
      targetUrl(url) === url
        ? []
        : [
            {
              path: `/shared/${name}/${nth}/url`,
              message: "Expected http or https, a host and a plain path without a slash at its end.",
            },
          ],
    ),
  )

/** Throws Refusal TEMPLATE_INVALID for one that would make what does not work, or what one tenant has of another. */
export const checkTemplate = (template: ProvisioningTemplate): void => {
  const errors = [...addressErrors(template), ...sharedErrors(template)]
  if (errors.length > 0) throw new Refusal("TEMPLATE_INVALID", errors[0]!.message, { errors })
}
