import { afterAll, beforeAll, expect, test } from "vitest"
import { ATTEMPTS_MAX } from "../../../functions/platform/attempts.ts"
import { openChecksums } from "../manage/checksums.ts"
import { must } from "../manage/world.ts"
import { type Canary, createGateWorld, type GateWorld } from "./world.ts"

let world: GateWorld
let rollout: Canary
let sums: ReturnType<typeof openChecksums>
beforeAll(async () => {
  world = await createGateWorld()
  rollout = await world.canary("acme")
  sums = openChecksums(world.url("postgres"))
})
afterAll(async () => {
  await sums.close()
  await world.close()
})

const good = () => rollout.report("candidate", { ok: 1, errors: 0 })

/** Refused with that code, and not one row altered. */
const refused = async (
  token: string | null,
  body: unknown,
  code: string,
  headers?: Record<string, string>,
) => {
  const before = await sums.read()
  const answer = await world.send(token, body, { ...(headers ? { headers } : {}) })
  expect(answer.body.code, answer.text).toBe(code)
  expect(answer.headers.get("content-type")).toContain("application/problem+json")
  expect(await sums.read()).toEqual(before)
  return answer
}

test("whoever is not an application of the tenant, or is no more, reports nothing", async () => {
  const reports = [await good()]
  await refused(null, { reports }, "UNAUTHENTICATED")
  await refused("hsr_nonsense", { reports }, "UNAUTHENTICATED")
  for (const token of Object.values(rollout.tokens)) await refused(token, { reports }, "FORBIDDEN")
  const revoked = await rollout.issue("gone", ["reader"], "QA")
  const { items } = (
    await must(
      world.call<{ items: { tokenId: string; subject: string }[] }>("GET", "/api/v1/tenants/acme/tokens"),
      200,
    )
  ).body
  const { tokenId } = items.find(({ subject }) => subject === "gone")!
  await must(world.call("DELETE", `/api/v1/tenants/acme/tokens/${tokenId}`), 200)
  await refused(revoked, { reports }, "UNAUTHENTICATED")
})

test("an application names no tenant but its own, and one of several says which", async () => {
  const other = await world.tenant("globex")
  const reports = [await good()]
  await refused(rollout.reader, { reports }, "TENANT_NOT_FOUND", { "x-tenant-id": "globex" })
  await refused(rollout.reader, { reports }, "TENANT_NOT_FOUND", { "x-tenant-id": "nobody" })
  const token = async (tenants: "*" | string[]) => {
    const body = { subject: "edge", roles: ["reader"], tenants, environment: "QA" }
    return (await must(world.call<{ token: string }>("POST", "/api/v1/tokens", { body }), 201)).body.token
  }
  const everywhere = await token("*")
  await refused(everywhere, { reports }, "TENANT_UNNAMED")
  await refused(everywhere, { reports }, "TENANT_NOT_FOUND", { "x-tenant-id": "nobody" })
  const both = await token(["acme", other.tenantId])
  const answer = await world.send(both, { reports }, { headers: { "x-tenant-id": "acme" } })
  expect(answer.body.accepted).toBe(1)
})

test("a token of another environment speaks of that environment only", async () => {
  const elsewhere = await rollout.issue("staging-app", ["reader"], "Staging")
  await refused(elsewhere, { reports: [await good()] }, "REVISION_UNKNOWN")
})

test("a revision from the future refuses the batch, naming it, and nothing of it is counted", async () => {
  const [epoch, platform, tier, tenant] = (await rollout.revision()).split(".").map(Number) as [
    number,
    number,
    number,
    number,
  ]
  for (const revision of [
    `${epoch + 1}.${platform}.${tier}.${tenant}`,
    `${epoch}.${platform + 1}.${tier}.${tenant}`,
    `${epoch}.${platform}.${tier + 1}.${tenant}`,
    `${epoch}.${platform}.${tier}.${tenant + 1}`,
    `${epoch}.${platform}.${tier}.999999999999999`,
  ]) {
    const reports = [await good(), { ...(await good()), revision }]
    const answer = await refused(rollout.reader, { reports }, "REVISION_UNKNOWN")
    expect(answer.status).toBe(422)
    expect(answer.body.errors.map(({ path }) => path)).toEqual(["/reports/1/revision"])
  }
  const before = [{ ...(await good()), revision: `0.${platform}.${tier}.${tenant}` }]
  expect((await world.send(rollout.reader, { reports: before })).body.ignored).toEqual([
    { index: 0, reason: "no_rollout" },
  ])
})

test("what is not a batch of reports is refused, field by field", async () => {
  const report = await good()
  for (const body of [
    "{",
    '{"reports":[],"reports":[]}',
    '{"reports":[{"instance":"\\u0000"}]}',
    '{"reports":[{"seq":1e400}]}',
  ])
    expect((await world.send(rollout.reader, body)).status).toBe(400)
  const wrong: [unknown, string][] = [
    [[], ""],
    [{}, "/reports"],
    [{ reports: [] }, "/reports"],
    [{ reports: {} }, "/reports"],
    [{ reports: Array.from({ length: 501 }, () => report) }, "/reports"],
    [{ reports: [report], more: 1 }, "/more"],
    [{ reports: [7] }, "/reports/0"],
    [{ reports: [report, { ...report, arm: "both" }] }, "/reports/1/arm"],
    ...[
      { revision: "1.2.3" },
      { revision: 4 },
      { instance: "" },
      { instance: "x".repeat(201) },
      { seq: -1 },
      { seq: 1.5 },
      { seq: "1" },
      { ok: -1 },
      { ok: 1_000_001 },
      { errors: 0.5 },
      { errors: null },
      { latency: [[0, 1]] },
      { latency: [[1, -1]] },
      { latency: [[1, 1, 1]] },
      { latency: Array.from({ length: 65 }, () => [1, 1]) },
      { guard: "odd" },
      { surprise: 1 },
    ].map((odd): [unknown, string] => [
      { reports: [{ ...report, ...odd }] },
      `/reports/0/${Object.keys(odd)[0]}`,
    ]),
  ]
  for (const [body, path] of wrong) {
    const answer = await refused(rollout.reader, body, "BODY_INVALID")
    expect(answer.body.errors.map((error) => error.path)).toEqual([path])
  }
  const { ok: _, ...incomplete } = report
  const { body } = await refused(rollout.reader, { reports: [incomplete] }, "BODY_INVALID")
  expect(body.errors).toEqual([{ path: "/reports/0/ok", message: "It is a whole number from 0 to 1000000." }])
  expect(body).toMatchObject({ detail: "/reports/0/ok: It is a whole number from 0 to 1000000." })
})

test("another method or path is none of its business", async () => {
  expect((await world.send(rollout.reader, "", { method: "GET" })).headers.get("allow")).toBe("POST")
})

test("a suspended tenant's reports are refused, and a deleted one's find no tenant", async () => {
  const suspended = await world.canary("suspended")
  await must(world.call("POST", "/api/v1/tenants/suspended/suspend"), 200)
  const reports = [await suspended.report("candidate", { ok: 1, errors: 0 })]
  await refused(suspended.reader, { reports }, "TENANT_SUSPENDED")
  await must(world.call("DELETE", "/api/v1/tenants/suspended"), 200)
  await refused(suspended.reader, { reports }, "TENANT_NOT_FOUND")
})

test("whoever shows token after token that is none is told so, and a reporter goes on", async () => {
  const codes: string[] = []
  for (let at = 0; at <= ATTEMPTS_MAX.address; at++)
    codes.push((await world.send(`guess-${at}`, { reports: [] })).body.code)
  expect(new Set(codes.slice(0, 20))).toEqual(new Set(["UNAUTHENTICATED"]))
  expect(codes.at(-1)).toBe("AUTHENTICATION_LIMITED")
  expect((await world.send(rollout.reader, { reports: [] })).status).not.toBe(429)
})
