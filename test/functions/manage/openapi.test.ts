import { readFile } from "node:fs/promises"
import { Ajv2020 } from "ajv/dist/2020.js"
import formats from "ajv-formats"
import { describe, expect, test } from "vitest"
import { PERMISSIONS } from "../../../core/access.ts"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import { createRouter } from "../../../functions/edge/route.ts"
import { currentOpenapi, OPENAPI_FILE } from "../../../functions/manage/write-openapi.ts"

interface Operation {
  operationId: string
  summary: string
  "x-action": string
  security: unknown[]
  parameters?: { name: string; in: string; required?: boolean; schema: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; securitySchemes: object }
}

const document = JSON.parse(await currentOpenapi()) as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
)

const refsOf = (value: unknown): string[] => {
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "$ref" && typeof inner === "string" ? [inner] : refsOf(inner),
  )
}

describe("the reference", () => {
  test("that is committed is the one the routes make (else: node functions/manage/write-openapi.ts)", async () => {
    expect(await readFile(OPENAPI_FILE, "utf8")).toBe(await currentOpenapi())
  })

  test("is OpenAPI 3.1 whose references all lead somewhere and whose schemas all compile", () => {
    expect(document.openapi).toBe("3.1.0")
    const ajv = new Ajv2020({ strict: false })
    formats.default(ajv)
    ajv.addSchema({ $id: "https://hotswap.test/openapi", ...document })
    for (const ref of new Set(refsOf(document))) {
      expect(ref).toMatch(/^#\/components\/schemas\//)
      expect(ajv.getSchema(`https://hotswap.test/openapi${ref}`), ref).toBeDefined()
    }
    for (const { parameters = [] } of operations)
      for (const { schema } of parameters) expect(() => ajv.compile(schema)).not.toThrow()
  })

  test("names each operation once, says what it answers, and declares each parameter of its path", () => {
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    for (const { path, summary, responses, parameters = [] } of operations) {
      expect(summary).not.toBe("")
      expect(Object.keys(responses)).toContain("default")
      const named = [...path.matchAll(/\{(.+?)\}/g)].map(([, name]) => name)
      const declared = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name)
      expect(declared).toEqual(named)
    }
  })

  test("tells which headers of the contract each call heeds", () => {
    for (const { path, method, responses, parameters = [], "x-action": action } of operations) {
      if (action === "public" || path === "/api/v1/configs/tenant/{tenantId}") continue
      // Its reports are numbered, and events have ids: sent twice they count once, whatever the key.
      if (path === "/api/v1/outcomes" || path === "/api/v1/events") continue
      // Whether it may be repeated is the backend's to say.
      if (path.startsWith("/api/v1/route/")) continue
      if (path === "/api/v1/stream" || path.startsWith("/ofrep/")) continue
      const names = parameters.filter((parameter) => parameter.in === "header").map(({ name }) => name)
      expect(names, `${method} ${path}`).toEqual([
        ...(method === "get" || action.endsWith(".read") ? [] : ["Idempotency-Key"]),
        ...("412" in responses ? ["If-Match"] : []),
        ...("304" in responses ? ["If-None-Match"] : []),
        "X-Tenant-ID",
      ])
    }
    const heeding = operations.filter(({ responses }) => "412" in responses)
    expect(heeding.map(({ operationId }) => operationId).toSorted()).toEqual([
      "deleteConfig",
      "deleteFlag",
      "editConfig",
      "inheritPolicy",
      "putDeployments",
      "putProvisioningTemplate",
      "rollBackConfig",
      "setFlag",
      "setPolicy",
      "setRules",
      "updateTenant",
    ])
  })

  test("describes the stream, which the Worker answers by itself at that very path", () => {
    const routed = createRouter(DEFAULT_ENVIRONMENTS)
    const streams = operations.filter(({ path }) => routed(`https://edge.test${path}`).kind === "stream")
    expect(streams.map(({ operationId }) => operationId)).toEqual(["streamRevisions"])
    const [{ method, parameters = [], responses }] = streams as [(typeof operations)[number]]
    expect(method).toBe("get")
    expect(parameters.map(({ name }) => name)).toEqual([
      "environment",
      "with",
      "Last-Event-ID",
      "X-Tenant-ID",
    ])
    expect(Object.keys(responses["200"]?.content ?? {})).toEqual(["text/event-stream"])
  })

  test("describes the remote evaluation protocol at the very paths that the Worker answers", () => {
    const routed = createRouter(DEFAULT_ENVIRONMENTS)
    const kinds = operations
      .filter(({ path }) => path.startsWith("/ofrep/"))
      .map(({ method, path }) => `${method} ${path} ${routed(`https://edge.test${path}`).kind}`)
    expect(kinds).toEqual([
      "post /ofrep/v1/evaluate/flags ofrep",
      "post /ofrep/v1/evaluate/flags/{key} ofrep",
      "get /ofrep/v1/stream ofrepStream",
    ])
  })

  test("has an action of the table of permissions for every route, or says that it is public", () => {
    for (const { path, method, "x-action": action, security } of operations) {
      if (action === "public") expect(path).not.toContain("/api/")
      else expect(Object.keys(PERMISSIONS), `${method} ${path}`).toContain(action)
      expect(security.length).toBe(action === "public" ? 0 : 1)
    }
  })
})
