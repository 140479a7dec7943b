import type { Backend, BackendName, Use } from "./deployments.ts"

/** What is done at a path of a backend. `under`: what a cluster's path has before it, where it parts its tenants by path. */
interface Passed {
  use: Use
  under?: "prometheus" | "influx" | "opentelemetry"
}

const QUERY: Passed = { use: "query", under: "prometheus" }
const WRITE: Passed = { use: "write", under: "prometheus" }
const LOGS_QUERY: Passed = { use: "query" }
const LOGS_WRITE: Passed = { use: "write" }

const all = (paths: readonly string[], passed: Passed): [string, Passed][] =>
  paths.map((path) => [path, passed])

const LOGSQL = [
  "facets",
  "field_names",
  "field_values",
  "hits",
  "query",
  "stats_query",
  "stats_query_range",
  "stream_field_names",
  "stream_field_values",
  "stream_ids",
  "streams",
  "tail",
].map((name) => `/select/logsql/${name}`)

/**
 * What is passed on to each kind of backend, `*` for one part that may be anything: what its users ask and give it. What
 * administers it, deletes, or shows its insides is not among it, whatever a later version calls that.
 */
const PATHS: Readonly<Record<BackendName, ReadonlyMap<string, Passed>>> = {
  metrics: new Map([
    ...all(
      [
        "/api/v1/query",
        "/api/v1/query_range",
        "/api/v1/series",
        "/api/v1/labels",
        "/api/v1/label/*/values",
        "/api/v1/metadata",
        "/api/v1/export",
        "/api/v1/export/csv",
        "/api/v1/export/native",
        "/api/v1/format_query",
        "/api/v1/status/buildinfo",
      ],
      QUERY,
    ),
    ...all(
      [
        "/api/v1/write",
        "/api/v1/import",
        "/api/v1/import/csv",
        "/api/v1/import/native",
        "/api/v1/import/prometheus",
      ],
      WRITE,
    ),
    ...all(["/write", "/api/v2/write"], { use: "write", under: "influx" }),
    ...all(["/opentelemetry/v1/metrics"], { use: "write", under: "opentelemetry" }),
  ]),
  logs: new Map([
    ...all(LOGSQL, LOGS_QUERY),
    ...all(
      [
        "/insert/elasticsearch/_bulk",
        "/insert/jsonline",
        "/insert/loki/api/v1/push",
        "/insert/opentelemetry/v1/logs",
      ],
      LOGS_WRITE,
    ),
  ]),
  traces: new Map([
    ...all(
      [
        ...LOGSQL,
        "/select/jaeger/api/dependencies",
        "/select/jaeger/api/services",
        "/select/jaeger/api/services/*/operations",
        "/select/jaeger/api/traces",
        "/select/jaeger/api/traces/*",
      ],
      LOGS_QUERY,
    ),
    ...all(["/insert/opentelemetry/v1/traces"], LOGS_WRITE),
  ]),
}

/** A request that may be passed on. */
export interface PassedPath extends Passed {
  /** As it is sent, its parts escaped anew. */
  path: string
}

const METHODS: Readonly<Record<Use, readonly string[]>> = {
  query: ["GET", "HEAD", "POST"],
  write: ["POST"],
}

/** A part of a path, unescaped; `null`: it would be read as something else by whoever comes after. */
const partOf = (escaped: string): string | null => {
  try {
    const part = decodeURIComponent(escaped)
    return part === "" || part === "." || part === ".." || /[/\\]|\p{Cc}/u.test(part) ? null : part
  } catch {
    return null
  }
}

/** What a path of a backend is for, and how it is sent on. `null`: nothing that is passed on. */
export const passedPath = (backend: BackendName, rawPath: string): PassedPath | null => {
  const parts = rawPath.slice(1).split("/").map(partOf)
  if (!rawPath.startsWith("/") || parts.includes(null)) return null
  for (const [pattern, passed] of PATHS[backend]) {
    const wanted = pattern.slice(1).split("/")
    if (wanted.length !== parts.length || !wanted.every((part, nth) => part === "*" || part === parts[nth]))
      continue
    return { ...passed, path: `/${parts.map((part) => encodeURIComponent(part!)).join("/")}` }
  }
  return null
}

/** The methods that what is done there takes. */
export const methodsOf = (use: Use): readonly string[] => METHODS[use]

const accountOf = ({ accountId, projectId }: NonNullable<Backend["tenancy"]>): string =>
  projectId === undefined ? String(accountId) : `${accountId}:${projectId}`

const OF_CLUSTER: Readonly<Record<Use, string>> = { query: "select", write: "insert" }

/**
 * Where a request goes at the backend, and what says whose data it is about. VictoriaMetrics' cluster parts its tenants by path
 * (docs.victoriametrics.com/cluster-victoriametrics, "URL format"), VictoriaLogs and VictoriaTraces by the headers
 * `AccountID` and `ProjectID` ("Multitenancy"); without a tenancy all of the backend is the tenant's.
 */
export const addressed = (
  backend: BackendName,
  { path, use, under }: PassedPath,
  tenancy: Backend["tenancy"],
): { path: string; headers: Record<string, string> } => {
  if (tenancy === undefined) return { path, headers: {} }
  if (backend !== "metrics") {
    const { accountId, projectId = 0 } = tenancy
    return { path, headers: { accountid: String(accountId), projectid: String(projectId) } }
  }
  const below = under === "opentelemetry" ? path : `/${under}${path}`
  return { path: `/${OF_CLUSTER[use]}/${accountOf(tenancy)}${below}`, headers: {} }
}
