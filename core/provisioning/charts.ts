import type { Backend, BackendName } from "../deployment/deployments.ts"
import type { JsonObject } from "../json.ts"
import { nameOf, type Place, TENANT_LABEL } from "./names.ts"
import { addressOf, type ProvisioningTemplate, type TierShape } from "./template.ts"

/** A workload, as `helm upgrade --install` takes it. */
export interface HelmRelease {
  name: string
  namespace: string
  repository: string
  chart: string
  /** Of the chart, exactly. */
  version: string
  values: JsonObject
  /** What it comes to, for the quota around it. */
  pods: number
  cpuMillis: number
  memoryMi: number
  volumes: number
  storageGi: number
  /** Where Hotswap's requests arrive. */
  ports: number[]
}

const REPOSITORY = "https://victoriametrics.github.io/helm-charts"

/** Charts of one node, by what they are for (github.com/VictoriaMetrics/helm-charts, 2026-08-22). */
const SINGLE: Readonly<Record<BackendName, { chart: string; version: string; port: number }>> = {
  metrics: { chart: "victoria-metrics-single", version: "0.45.0", port: 8428 },
  logs: { chart: "victoria-logs-single", version: "0.13.9", port: 9428 },
  traces: { chart: "victoria-traces-single", version: "0.1.11", port: 10428 },
}
const CLUSTER = { chart: "victoria-metrics-cluster", version: "0.49.0", insertPort: 8480, selectPort: 8481 }

/** A sample that is written twice, as when data is brought over and that is repeated, is one. */
const ONCE = { "dedup.minScrapeInterval": "1ms" }
/** Each sample is on two nodes: one may be away. */
const COPIES = 2

/** A workload, and how its tenant's requests are led there. */
export interface Workload {
  release: HelmRelease
  backend: Pick<Backend, "targets" | "tenancy">
}

const resourcesOf = ({ cpuMillis, memoryMi }: TierShape): JsonObject => ({
  requests: { cpu: `${cpuMillis}m`, memory: `${memoryMi}Mi` },
  limits: { memory: `${memoryMi}Mi` },
})

const volumeOf = ({ storageGi }: TierShape, { storageClass }: ProvisioningTemplate): JsonObject => ({
  enabled: true,
  size: `${storageGi}Gi`,
  ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
})

/** Runs as what may do nothing. */
const accountOf = ({ tenantId }: Place): JsonObject => ({
  create: false,
  name: nameOf(tenantId),
  automountToken: false,
})

const single = (
  place: Place,
  name: BackendName,
  shape: TierShape,
  template: ProvisioningTemplate,
): Workload => {
  const { chart, version, port } = SINGLE[name]
  const release = `${nameOf(place.tenantId)}-${name}`
  const { namespace } = place
  const address = addressOf(template, { name: release, namespace, backend: name, port: String(port) })
  return {
    release: {
      name: release,
      namespace,
      repository: REPOSITORY,
      chart,
      version,
      values: {
        ...(name === "metrics" ? { rbac: { create: false } } : {}),
        serviceAccount: accountOf(place),
        server: {
          fullnameOverride: release,
          retentionPeriod: `${shape.retentionDays}d`,
          ...(name === "metrics" ? { extraArgs: ONCE } : {}),
          podLabels: { [TENANT_LABEL]: place.tenantId },
          resources: resourcesOf(shape),
          persistentVolume: volumeOf(shape, template),
        },
      },
      pods: 1,
      cpuMillis: shape.cpuMillis,
      memoryMi: shape.memoryMi,
      volumes: 1,
      storageGi: shape.storageGi,
      ports: [port],
    },
    backend: { targets: [{ url: address }] },
  }
}

const cluster = (place: Place, shape: TierShape, template: ProvisioningTemplate): Workload => {
  const release = `${nameOf(place.tenantId)}-metrics`
  const { namespace } = place
  const partOf = (part: string, more: JsonObject): JsonObject => ({
    fullnameOverride: `${release}-${part}`,
    replicaCount: shape.replicas,
    podLabels: { [TENANT_LABEL]: place.tenantId },
    resources: resourcesOf(shape),
    ...more,
  })
  const at = (part: string, port: number): string =>
    addressOf(template, { name: `${release}-${part}`, namespace, backend: "metrics", port: String(port) })
  return {
    release: {
      name: release,
      namespace,
      repository: REPOSITORY,
      chart: CLUSTER.chart,
      version: CLUSTER.version,
      values: {
        serviceAccount: accountOf(place),
        vminsert: partOf("vminsert", { extraArgs: { replicationFactor: COPIES } }),
        vmselect: partOf("vmselect", { extraArgs: { ...ONCE, replicationFactor: COPIES } }),
        vmstorage: partOf("vmstorage", {
          retentionPeriod: `${shape.retentionDays}d`,
          extraArgs: ONCE,
          persistentVolume: volumeOf(shape, template),
        }),
      },
      pods: 3 * shape.replicas,
      cpuMillis: shape.cpuMillis,
      memoryMi: shape.memoryMi,
      volumes: shape.replicas,
      storageGi: shape.storageGi,
      ports: [CLUSTER.insertPort, CLUSTER.selectPort],
    },
    backend: {
      targets: [
        { url: at("vminsert", CLUSTER.insertPort), use: "write" },
        { url: at("vmselect", CLUSTER.selectPort), use: "query" },
      ],
      // A cluster always asks whose data it is.
      tenancy: { accountId: 0 },
    },
  }
}

/** What runs for one backend of a tenant's. */
export const workloadOf = (
  place: Place,
  name: BackendName,
  shape: TierShape,
  template: ProvisioningTemplate,
): Workload =>
  name === "metrics" && shape.replicas >= COPIES
    ? cluster(place, shape, template)
    : single(place, name, shape, template)
