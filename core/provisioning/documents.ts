import type { JsonObject } from "../json.ts"
import type { HelmRelease } from "./charts.ts"
import { nameOf, type Place, TENANT_LABEL } from "./names.ts"
import type { ProvisioningTemplate } from "./template.ts"

/** A document of Kubernetes', as `kubectl apply` takes it. */
export interface KubernetesDocument {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels: Record<string, string> }
  [member: string]: unknown
}

const labelsOf = ({ tenantId, tier }: Place): Record<string, string> => ({
  "app.kubernetes.io/managed-by": "hotswap",
  "hotswap.dev/tier": tier.toLowerCase(),
  [TENANT_LABEL]: tenantId,
})

const within = (
  place: Place,
  apiVersion: string,
  kind: string,
  name: string,
  members: JsonObject,
): KubernetesDocument => ({
  apiVersion,
  kind,
  metadata: { name, namespace: place.namespace, labels: labelsOf(place) },
  ...members,
})

/** One that a tier shares bears no tenant's name: it would change hands with every plan. */
const namespaceOf = (place: Place): KubernetesDocument => {
  const { [TENANT_LABEL]: tenant, ...ofTier } = labelsOf(place)
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: place.namespace,
      labels: {
        ...ofTier,
        ...(place.isOwn ? { [TENANT_LABEL]: tenant! } : {}),
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
      },
    },
  }
}

/** While a pod is replaced there are two of it. */
const ROOM = 2

const quota = (place: Place, releases: readonly HelmRelease[]): KubernetesDocument => {
  const sum = (of: (release: HelmRelease) => number): number =>
    releases.reduce((total, release) => total + of(release), 0)
  const memory = `${ROOM * sum(({ pods, memoryMi }) => pods * memoryMi)}Mi`
  return within(place, "v1", "ResourceQuota", "hotswap", {
    spec: {
      hard: {
        "requests.cpu": `${ROOM * sum(({ pods, cpuMillis }) => pods * cpuMillis)}m`,
        "requests.memory": memory,
        "limits.memory": memory,
        "requests.storage": `${sum(({ volumes, storageGi }) => volumes * storageGi)}Gi`,
        persistentvolumeclaims: String(sum(({ volumes }) => volumes)),
      },
    },
  })
}

/** A pod that says nothing of what it needs would not be let in beside a quota. */
const limitRange = (place: Place): KubernetesDocument =>
  within(place, "v1", "LimitRange", "hotswap", {
    spec: {
      limits: [
        {
          type: "Container",
          default: { memory: "256Mi" },
          defaultRequest: { cpu: "50m", memory: "128Mi" },
        },
      ],
    },
  })

const ofTenant = ({ tenantId }: Place): JsonObject => ({ matchLabels: { [TENANT_LABEL]: tenantId } })

const isolation = (place: Place, { callers }: ProvisioningTemplate, ports: number[]): KubernetesDocument => {
  const tcp = ports.map((port) => ({ protocol: "TCP", port }))
  const dns = ["UDP", "TCP"].map((protocol) => ({ protocol, port: 53 }))
  return within(place, "networking.k8s.io/v1", "NetworkPolicy", `${nameOf(place.tenantId)}-isolation`, {
    spec: {
      podSelector: ofTenant(place),
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { from: callers.map((cidr) => ({ ipBlock: { cidr } })), ports: tcp },
        { from: [{ podSelector: ofTenant(place) }] },
      ],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
              podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
            },
          ],
          ports: dns,
        },
        { to: [{ podSelector: ofTenant(place) }] },
      ],
    },
  })
}

/** For what somebody starts there besides. */
const nothingElse = (place: Place): KubernetesDocument =>
  within(place, "networking.k8s.io/v1", "NetworkPolicy", "nothing-else", {
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  })

/** What workloads run as: it may do nothing, and is told no token of the cluster's. */
const account = (place: Place): KubernetesDocument =>
  within(place, "v1", "ServiceAccount", nameOf(place.tenantId), { automountServiceAccountToken: false })

/** Whoever is in the tenant's group looks at what runs, and at nothing that is secret. */
const lookers = (place: Place): KubernetesDocument[] => {
  const name = `${nameOf(place.tenantId)}-look`
  const verbs = ["get", "list", "watch"]
  return [
    within(place, "rbac.authorization.k8s.io/v1", "Role", name, {
      rules: [
        {
          apiGroups: [""],
          resources: ["pods", "pods/log", "services", "persistentvolumeclaims", "events"],
          verbs,
        },
        { apiGroups: ["apps"], resources: ["statefulsets", "deployments"], verbs },
      ],
    }),
    within(place, "rbac.authorization.k8s.io/v1", "RoleBinding", name, {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [
        { apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: `hotswap:tenant:${place.tenantId}` },
      ],
    }),
  ]
}

/**
 * All that stands around a tenant's workloads, in the order in which it is made. Where a namespace is shared there is
 * nothing in it that is about all of it: no quota, and nobody of one tenant looks into it.
 */
export const documentsOf = (
  place: Place,
  template: ProvisioningTemplate,
  releases: readonly HelmRelease[],
): KubernetesDocument[] => {
  const ports = [...new Set(releases.flatMap((release) => release.ports))].sort((left, right) => left - right)
  const around = [account(place), isolation(place, template, ports)]
  return place.isOwn
    ? [
        namespaceOf(place),
        quota(place, releases),
        limitRange(place),
        nothingElse(place),
        ...around,
        ...lookers(place),
      ]
    : [namespaceOf(place), ...around]
}
