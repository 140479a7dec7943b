import { expect, test } from "vitest"
import { BACKENDS, type BackendName } from "../../../core/deployment/deployments.ts"
import { addressed, passedPath } from "../../../core/deployment/paths.ts"

const ASKED: readonly [BackendName, string, "query" | "write"][] = [
  ["metrics", "/api/v1/query", "query"],
  ["metrics", "/api/v1/label/__name__/values", "query"],
  ["metrics", "/api/v1/write", "write"],
  ["metrics", "/api/v1/import/prometheus", "write"],
  ["metrics", "/write", "write"],
  ["logs", "/select/logsql/tail", "query"],
  ["logs", "/insert/jsonline", "write"],
  ["traces", "/select/jaeger/api/services/check%20out/operations", "query"],
  ["traces", "/insert/opentelemetry/v1/traces", "write"],
]

test.each(ASKED)("of %s, %s is passed on as a %s", (backend, path, use) => {
  expect(passedPath(backend, path)).toMatchObject({ use, path })
})

const INSIDES = [
  "/",
  "",
  "/metrics",
  "/flags",
  "/vmui/",
  "/debug/pprof/heap",
  "/-/reload",
  "/snapshot/create",
  "/internal/force_merge",
  "/internal/resetRollupResultCache",
  "/api/v1/admin/tsdb/delete_series",
  "/api/v1/status/tsdb",
  "/delete/run_task",
  "/select/7/prometheus/api/v1/query",
  "/insert/7/prometheus/api/v1/import",
  "/insert/multitenant/prometheus/api/v1/import",
  "/select/0/prometheus/api/v1/query",
  "/admin/tenants",
]

test.each(INSIDES)("nobody reaches %s of any backend", (path) => {
  for (const backend of BACKENDS) expect(passedPath(backend, path)).toBeNull()
})

const DISGUISED = [
  "/api/v1/../../snapshot/create",
  "/api/v1/label/../query",
  "/api/v1/label/%2e%2e/values",
  "/api/v1/label/a%2fb/values",
  "/api/v1/label/a%5cb/values",
  "/api/v1/label/%00/values",
  "/api/v1/label/%zz/values",
  "/api/v1/label//values",
  "/api/v1//query",
  "//api/v1/query",
  "/api/v1/query/",
  "\\api\\v1\\query",
]

test.each(DISGUISED)("%s is taken for nothing else", (path) => {
  expect(passedPath("metrics", path)).toBeNull()
})

test("what is spelt another way goes on in one spelling", () => {
  expect(passedPath("metrics", "/api/v1/%71uery")?.path).toBe("/api/v1/query")
  expect(passedPath("metrics", "/api/v1/label/a?b#c/values")?.path).toBe("/api/v1/label/a%3Fb%23c/values")
})

test("a cluster is told whose data it is: of metrics by the path, of logs and traces by headers", () => {
  const of = (backend: BackendName, path: string) => passedPath(backend, path)!
  const tenancy = { accountId: 7, projectId: 2 }
  expect(addressed("metrics", of("metrics", "/api/v1/query"), tenancy)).toEqual({
    path: "/select/7:2/prometheus/api/v1/query",
    headers: {},
  })
  expect(addressed("metrics", of("metrics", "/api/v1/write"), { accountId: 7 }).path).toBe(
    "/insert/7/prometheus/api/v1/write",
  )
  expect(addressed("metrics", of("metrics", "/write"), tenancy).path).toBe("/insert/7:2/influx/write")
  expect(addressed("metrics", of("metrics", "/opentelemetry/v1/metrics"), tenancy).path).toBe(
    "/insert/7:2/opentelemetry/v1/metrics",
  )
  for (const backend of ["logs", "traces"] as const)
    expect(addressed(backend, of(backend, "/select/logsql/query"), { accountId: 7 })).toEqual({
      path: "/select/logsql/query",
      headers: { accountid: "7", projectid: "0" },
    })
  expect(addressed("logs", of("logs", "/select/logsql/query"), undefined).headers).toEqual({})
})
