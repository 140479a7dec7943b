import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { ReaderKeys, RunningEdge } from "../../support/edge.ts"
import { createReaderKeys, PATIENTLY, startEdge } from "../../support/edge.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

let origin: ScriptedOrigin
let edge: RunningEdge
let keys: ReaderKeys
let token: string
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hotswap-edge-"))
  origin = await startOrigin()
  keys = await createReaderKeys()
  token = await keys.issue()
  edge = await startEdge({
    origin: origin.url,
    jwks: keys.jwks,
    cacheDirectory: join(directory, "cache"),
    kvDirectory: join(directory, "kv"),
  })
})
afterAll(async () => {
  await edge?.dispose()
  await origin?.close()
  await rm(directory, { recursive: true, force: true })
})

/** All that the Worker's Cache API and KV have on disk: databases, their logs, and blobs. */
const stored = async (): Promise<string> => {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = await Promise.all(files.map((file) => readFile(file, "latin1")))
  return texts.join("\n")
}

const read = async (path: string, headers: Record<string, string> = {}, bearer = token) =>
  await edge.get(`/api/v1/configs/tenant/${path}`, bearer, { headers })

describe("what is stored", () => {
  test("is views and pointers of hot reads, and nothing else that ever passed through", async () => {
    const sentinel = (what: string) => `sentinel-${what}-7f3a`
    const plant = (path: string, status: number, what: string) =>
      origin.answers(path, (_, response) => {
        // Temptation: the origin itself says that this may be stored.
        const headers = { "cache-control": "public, max-age=3600", "x-sentinel": sentinel(`${what}-header`) }
        response.writeHead(status, { "content-type": "application/json", ...headers })
        response.end(JSON.stringify({ what: sentinel(what), code: "INTERNAL" }))
      })
    plant("/api/v1/audit", 200, "audit")
    plant("/api/v1/approvals", 200, "approvals")
    plant("/api/v1/configs/acme:Production:a/secret", 200, "secret")
    plant("/api/v1/changes", 201, "post")
    plant("/api/v1/configs/tenant/forwarded", 200, "forwarded")
    plant("/api/v1/missing", 404, "missing")
    plant("/internal/pointer/failing/Production", 500, "failing")
    plant("/internal/pointer/nobody/Production", 404, "nobody")
    plant("/internal/pointer/partial/Production", 206, "partial")
    const { stable } = origin.says({ tenantId: "viewless" })
    plant(`/internal/view/viewless/Production/${stable}`, 200, "wrong-view")

    const secret = sentinel("token")
    for (const path of [
      "/api/v1/audit",
      "/api/v1/approvals",
      "/api/v1/configs/acme:Production:a/secret",
      "/api/v1/configs/tenant/forwarded?detail=full",
      "/api/v1/missing",
    ])
      for (let i = 0; i < 2; i++) await edge.get(path, secret)
    await edge.get("/api/v1/changes", secret, { method: "POST", body: sentinel("body") })
    for (const tenantId of ["failing", "nobody", "partial", "viewless"]) await read(tenantId)

    // Last, something that is stored: when it is there, all that came before would be.
    origin.says({ tenantId: "stored", configs: { a: "wanted-7f3a" } })
    await read(`stored?targetingKey=${sentinel("subject")}`, { "x-note": sentinel("request") })
    await expect.poll(stored, PATIENTLY).toContain("wanted-7f3a")
    await expect
      .poll(async () => [...(await edge.lastKnownGood()).keys()], PATIENTLY)
      .toEqual(["stored/Production"])

    const all = await stored()
    expect(all).not.toContain("sentinel-")
    expect(all).not.toContain(token)
    expect(all).not.toContain(token.split(".")[2])
    expect(all).toContain("https://cache.hotswap.internal/1/pointer/stored/Production")
  })

  test("is what somebody was told of, too, once he has it", async () => {
    origin.says({ tenantId: "told", revision: "1.0.0.1" })
    await read("told")
    origin.says({ tenantId: "told", revision: "1.0.0.2", configs: { a: "moved-7f3a" } })
    const answer = await read("told", { "hotswap-at-least": "1.0.0.2" })
    expect(await answer.json()).toMatchObject({ revision: "1.0.0.2", configs: { a: "moved-7f3a" } })
    const kept = async () => (await edge.lastKnownGood()).get("told/Production")
    await expect.poll(kept, PATIENTLY).toMatch(/"revision":"1\.0\.0\.2".*moved-7f3a/s)
    await expect.poll(stored, PATIENTLY).toMatch(/"document":\{[^\n]*"revision":"1\.0\.0\.2"/)
  })

  test("no call but the two internal ones is answered from a store", async () => {
    for (let i = 1; i <= 3; i++) {
      await edge.get("/api/v1/tenants", "hs_x")
      expect(origin.paths("/api/v1/tenants")).toHaveLength(i)
    }
  })
})

describe("whose it is", () => {
  test("two tenants with equal keys and values never share an entry", async () => {
    const views = ["left", "right"].map(
      (tenantId) => origin.says({ tenantId, configs: { same: "value" } }).stable,
    )
    expect(views[0]).not.toBe(views[1])
    for (const [i, tenantId] of ["left", "right"].entries())
      expect(await (await read(tenantId)).json()).toMatchObject({ tenantId, view: views[i] })
    expect(origin.paths("/internal/view/left/")).toEqual([`/internal/view/left/Production/${views[0]}`])
    expect(origin.paths("/internal/view/right/")).toEqual([`/internal/view/right/Production/${views[1]}`])
  })

  test("nor do two environments of one tenant", async () => {
    const staging = await keys.issue({ environment: "Staging" as never })
    origin.says({ tenantId: "twice", configs: { where: "production" } })
    origin.says({ tenantId: "twice", environment: "Staging", configs: { where: "staging" } })
    expect(await (await read("twice")).json()).toMatchObject({ configs: { where: "production" } })
    expect(await (await read("twice", {}, staging)).json()).toMatchObject({ configs: { where: "staging" } })
    expect(await (await read("twice")).json()).toMatchObject({ configs: { where: "production" } })
  })

  test("nothing in a client's headers or query reaches the entry that others read", async () => {
    const { stable } = origin.says({ tenantId: "victim", configs: { a: "right" } })
    origin.says({ tenantId: "evil", configs: { a: "wrong" } })
    const answers: unknown[] = []
    for (const [query, headers] of [
      ["?cachebuster=1", {}],
      ["?environment=PRODUCTION&cachebuster=2", {}],
      ["?tenantId=evil&view=0.bad", {}],
      ["#evil", {}],
      ["", { "x-forwarded-host": "evil.example", forwarded: "host=evil.example" }],
      ["", { "x-forwarded-proto": "http", "x-original-url": "/api/v1/configs/tenant/evil" }],
      ["", { "x-http-method-override": "POST", "cf-connecting-ip": "6.6.6.6" }],
      ["", { "cache-control": "no-cache", pragma: "no-cache", range: "bytes=0-3" }],
      ["", { accept: "text/html", "accept-language": "xx" }],
    ] as [string, Record<string, string>][]) {
      const response = await read(`victim${query}`, headers)
      expect(response.status).toBe(200)
      answers.push(await response.json())
    }
    for (const answer of answers)
      expect(answer).toMatchObject({ tenantId: "victim", view: stable, configs: { a: "right" } })
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(origin.paths("/internal/pointer/victim/")).toHaveLength(1)
    expect(origin.paths("/internal/view/victim/")).toHaveLength(1)
    // X-Tenant-ID contradicting the path is forwarded, and leaves no trace either.
    await read("victim", { "x-tenant-id": "evil" })
    expect(await (await read("victim")).json()).toMatchObject({ configs: { a: "right" } })
  })

  test("a URL that one reader may read is judged anew for the next", async () => {
    origin.says({ tenantId: "judged" })
    expect((await read("judged")).status).toBe(200)
    const stranger = await keys.issue({ tenants: ["other"] as never })
    expect((await read("judged", {}, stranger)).status).toBe(404)
    expect((await read("judged", {}, `${token.slice(0, -4)}AAAA`)).status).toBe(401)
  })
})
