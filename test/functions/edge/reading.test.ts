import { request as httpRequest } from "node:http"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bucket } from "../../../core/release/bucket.ts"
import type { ReaderKeys, RunningEdge } from "../../support/edge.ts"
import { createReaderKeys, startEdge } from "../../support/edge.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

let origin: ScriptedOrigin
let edge: RunningEdge
let keys: ReaderKeys
let token: string

beforeAll(async () => {
  origin = await startOrigin()
  keys = await createReaderKeys()
  token = await keys.issue()
  edge = await startEdge({ origin: origin.url, jwks: keys.jwks })
})
afterAll(async () => {
  await edge?.dispose()
  await origin?.close()
})

const read = async (tenantId: string, query = "", headers: Record<string, string> = {}) =>
  await edge.get(`/api/v1/configs/tenant/${tenantId}${query}`, token, { headers })

const CHANGE = "acme:chg_00000000000070008000000000000001"
/** A subject that a share of 5,000 basis points reaches, and one that it does not. */
const subjectOf = (reached: boolean): string => {
  for (let i = 0; ; i++) if (bucket(CHANGE, `subject-${i}`) < 5_000 === reached) return `subject-${i}`
}

describe("a hot read", () => {
  test("is answered in the shape and with the headers of the contract", async () => {
    const { stable } = origin.says({
      tenantId: "shape",
      revision: "1.2.3.4",
      configs: { a: 1, b: { c: [true] } },
    })
    const response = await read("shape", "?environment=production")
    expect(await response.json()).toEqual({
      tenantId: "shape",
      environment: "Production",
      revision: "1.2.3.4",
      view: stable,
      arm: "stable",
      configs: { a: 1, b: { c: [true] } },
    })
    expect(response.status).toBe(200)
    expect(response.headers.get("etag")).toBe(`W/"${stable}"`)
    expect(response.headers.get("hotswap-revision")).toBe("1.2.3.4")
    expect(response.headers.get("hotswap-arm")).toBe("stable")
    expect(response.headers.get("cache-control")).toBe("private, no-cache")
    expect(response.headers.get("vary")?.toLowerCase()).toContain("authorization")
    expect(response.headers.get("hotswap-stale")).toBeNull()
  })

  test("costs the origin one pointer and one view, and nothing when repeated while fresh", async () => {
    origin.says({ tenantId: "once" })
    for (let i = 0; i < 5; i++) expect((await read("once")).status).toBe(200)
    expect(origin.paths("/internal/pointer/once/")).toHaveLength(1)
    expect(origin.paths("/internal/view/once/")).toHaveLength(1)
  })

  test("takes the environment from the token when none is named", async () => {
    origin.says({ tenantId: "bound", environment: "Staging", configs: { where: "staging" } })
    const staging = await keys.issue({ environment: "Staging" as never })
    const response = await edge.get("/api/v1/configs/tenant/bound", staging)
    expect(await response.json()).toMatchObject({ environment: "Staging", configs: { where: "staging" } })
  })

  test("answers 304 with revision and arm to a client that has the view", async () => {
    const { stable } = origin.says({ tenantId: "known", revision: "1.0.0.9" })
    for (const tag of [`W/"${stable}"`, `"other", W/"${stable}"`, `"${stable}"`, "*"]) {
      const response = await read("known", "", { "if-none-match": tag })
      expect(response.status).toBe(304)
      expect(await response.text()).toBe("")
      expect(response.headers.get("hotswap-revision")).toBe("1.0.0.9")
      expect(response.headers.get("hotswap-arm")).toBe("stable")
      expect(response.headers.get("etag")).toBe(`W/"${stable}"`)
    }
    expect((await read("known", "", { "if-none-match": 'W/"0.other"' })).status).toBe(200)
  })

  test("answers HEAD as GET, without the body", async () => {
    const { stable } = origin.says({ tenantId: "head" })
    const response = await edge.get("/api/v1/configs/tenant/head", token, { method: "HEAD" })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe("")
    expect(response.headers.get("etag")).toBe(`W/"${stable}"`)
  })

  test("tells OPTIONS what it takes", async () => {
    const response = await edge.get("/api/v1/configs/tenant/acme", undefined, { method: "OPTIONS" })
    expect([response.status, response.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"])
  })
})

describe("one key", () => {
  test("is answered alone, and CONFIG_NOT_FOUND when the view does not have it", async () => {
    origin.says({ tenantId: "single", configs: { a: 1, b: { deep: ["}"] } } })
    expect(await (await read("single", "?key=b")).json()).toMatchObject({ configs: { b: { deep: ["}"] } } })
    const absent = await read("single", "?key=c")
    expect([absent.status, ((await absent.json()) as { code: string }).code]).toEqual([
      404,
      "CONFIG_NOT_FOUND",
    ])
  })

  test("of a large tenant costs the origin one chunk, and each chunk once", async () => {
    const configs = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [
        `feature.number-${i}`,
        { enabled: true, note: `number ${i}` },
      ]),
    )
    const { stable } = origin.says({ tenantId: "large", configs })
    const bits = Number(stable[0])
    expect(bits).toBeGreaterThan(0)
    for (let i = 0; i < 3; i++) {
      const response = await read("large", "?key=feature.number-77")
      expect(await response.json()).toMatchObject({ configs: { "feature.number-77": { note: "number 77" } } })
    }
    const chunks = origin.paths(`/internal/view/large/Production/${stable}/`)
    expect(chunks).toHaveLength(1)
    expect((await read("large", "?key=feature.absent")).status).toBe(404)
  })

  test("of a large tenant is the same as in its whole view", async () => {
    const configs = Object.fromEntries(
      Array.from({ length: 4_000 }, (_, i) => [`k${i}`, "x".repeat(100) + i]),
    )
    origin.says({ tenantId: "same", configs })
    const whole = (await (await read("same")).json()) as { configs: Record<string, string> }
    expect(whole.configs).toEqual(configs)
    for (const key of ["k0", "k1999", "k3999"])
      expect(await (await read("same", `?key=${key}`)).json()).toMatchObject({
        configs: { [key]: configs[key] },
      })
  })
})

describe("the arms", () => {
  const candidate = { configs: { a: 2, c: 3 }, weightBp: 5_000, changeId: CHANGE, step: 1 }

  test("the candidate goes to the subjects whose bucket its share has reached, and to no one else", async () => {
    const ids = origin.says({ tenantId: "arms", configs: { a: 1, b: 1 }, candidate })
    const reached = await read("arms", `?targetingKey=${subjectOf(true)}`)
    expect(await reached.json()).toMatchObject({
      arm: "candidate",
      view: ids.candidate,
      configs: { a: 2, c: 3 },
    })
    expect(reached.headers.get("hotswap-arm")).toBe("candidate")
    expect(reached.headers.get("etag")).toBe(`W/"${ids.candidate}"`)
    for (const query of ["", `?targetingKey=${subjectOf(false)}`])
      expect(await (await read("arms", query)).json()).toMatchObject({
        arm: "stable",
        configs: { a: 1, b: 1 },
      })
  })

  test("arms=both is the stable view and what the candidate would change about it", async () => {
    const ids = origin.says({
      tenantId: "both",
      configs: { a: 1, b: 1, same: 0 },
      candidate: { ...candidate, configs: { a: 2, c: 3, same: 0 } },
    })
    const response = await read("both", "?arms=both")
    expect(await response.json()).toMatchObject({
      arm: "stable",
      view: ids.stable,
      configs: { a: 1, b: 1, same: 0 },
      candidate: {
        view: ids.candidate,
        changeId: CHANGE,
        step: 1,
        weightBp: 5_000,
        set: { a: 2, c: 3 },
        unset: ["b"],
      },
    })
    expect(response.headers.get("etag")).toBe(`W/"${ids.stable}+${ids.candidate}/${CHANGE}/1/5000"`)
    const one = (await (await read("both", "?arms=both&key=a")).json()) as Record<string, unknown>
    expect(one).toMatchObject({ configs: { a: 1 }, candidate: { set: { a: 2 }, unset: [] } })
    expect((await read("both", "?arms=both&key=nowhere")).status).toBe(404)
  })

  test("arms=both says so when there is no candidate", async () => {
    origin.says({ tenantId: "alone", configs: { a: 1 } })
    expect(await (await read("alone", "?arms=both")).json()).toMatchObject({
      configs: { a: 1 },
      candidate: null,
    })
  })
})

describe("what only the origin answers", () => {
  test.each([
    "?asOf=2026-01-01T00:00:00Z",
    "?detail=full",
    "?preview=acme:chg_00000000000070008000000000000001",
    "?arms=neither",
    "?environment=Nowhere",
    "?environment=",
    "?key=a&key=b",
    "?key=%20",
    "?targetingKey=%ff",
    "?asof=2026-01-01T00:00:00Z",
  ])("%s is forwarded, each time", async (query) => {
    const path = `/api/v1/configs/tenant/odd${query}`
    for (let i = 0; i < 2; i++)
      expect(await (await edge.get(path, token)).json()).toMatchObject({ forwarded: path })
    expect(origin.calls.filter((call) => call.path === path)).toHaveLength(2)
  })

  test("a read whose X-Tenant-ID names another tenant is the origin's to judge", async () => {
    const path = "/api/v1/configs/tenant/acme?key=a"
    const response = await edge.get(path, token, { headers: { "x-tenant-id": "globex" } })
    expect(await response.json()).toMatchObject({ forwarded: path })
  })
})

describe("besides", () => {
  test("/health is the Worker's own, /ready the origin's", async () => {
    expect(await (await edge.get("/health")).json()).toEqual({ status: "ok" })
    expect(await (await edge.get("/ready")).json()).toMatchObject({ forwarded: "/ready" })
  })

  test("the trace of the request that asks the origin goes with the question", async () => {
    origin.says({ tenantId: "traced" })
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await read("traced", "", { traceparent })
    const asked = origin.calls.filter(({ path }) => path.includes("/traced/"))
    expect(asked.map(({ headers }) => headers.traceparent)).toEqual([traceparent, traceparent])
  })

  test("a path that would reach an internal route never leaves the Worker, however it is spelt", async () => {
    const { hostname, port } = new URL(edge.url)
    const status = (path: string) =>
      new Promise((resolve, reject) => {
        httpRequest({ hostname, port, path }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on("error", reject)
          .end()
      })
    const before = origin.calls.length
    for (const path of [
      "/internal/pointer/acme/Production",
      "//internal/pointer/acme/Production",
      "/./internal/pointer/acme/Production",
      "/INTERNAL/pointer/acme/Production",
      "/%69nternal/pointer/acme/Production",
      "/%2569nternal/pointer/acme/Production",
      "/x/..%2finternal/pointer/acme/Production",
      "/api/v1/configs/tenant/..%2f..%2f..%2f..%2finternal/pointer/acme/Production",
      "/%5cinternal%5cpointer",
    ])
      expect(await status(path)).toBe(404)
    expect(origin.calls.length).toBe(before)
  })
})
