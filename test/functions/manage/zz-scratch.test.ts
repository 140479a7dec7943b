import { afterAll, beforeAll, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"
import { alarm, signed, TOPIC } from "./sns.ts"
import { makeCertificate } from "./certificate.ts"
const cert = makeCertificate(new Date()); const X509 = cert.pem; const makeKey = cert.key

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld({ sns: { certificate: async () => X509, confirm: async () => {} } as never })
  acme = await world.tenant("acme", "Pro")
})
afterAll(() => world.close())
const show = (name: string, a: { status: number; body: any }) => console.log(name, a.status, JSON.stringify(a.body).slice(0, 900))
const P = (s: string, e: string) => `/api/v1/tenants/${s}/environments/${e}/policy`
const local = (ms: number) => new Date(ms).toISOString().slice(0, 16)
const get = async (id: string) => (await world.call<any>("GET", `/api/v1/changes/${id}`)).body
const submit = (env: string, key: string, value: unknown, more: object = {}, tenantId = "acme", token: string | undefined = undefined) =>
  world.call<any>("POST", "/api/v1/changes", { ...(token ? { token } : {}), body: { tenantId, environment: env, edits: [{ key, value }], ...more } })
const run = async (name: string, f: () => Promise<void>) => { try { await f() } catch (e) { console.log(name, "THREW", String(e).slice(0, 1500)) } }

test("probes", async () => {
  await run("year 10000", async () => {
    const freezes = [{ name: "x", timeZone: "America/New_York", from: "2026-01-01T00:00", until: "9999-12-31T23:59" }]
    const c = await submit("QA", "k0", 1, { strategy: { type: "canary", steps: [{ weightBp: 1000, holdMs: 1000 }] } })
    show("put", await world.call("PUT", P("acme", "QA"), { body: { freezes } }))
    world.moveClock(5_000)
    await world.advance.tick()
    console.log(world.logged.slice(-1))
    show("after", await world.call("GET", `/api/v1/changes/${c.body.changeId}`))
    await world.call("POST", `/api/v1/changes/${c.body.changeId}/abort`)
    show("put", await world.call("DELETE", P("acme", "QA")))
  })
  await run("inherited freeze lifted", async () => {
    const now = world.platform.clock.nowMs()
    const freezes = [{ name: "x", timeZone: "UTC", from: local(now - 3600_000), until: local(now + 5 * 24 * 3600_000) }]
    show("put", await world.call("PUT", P("~platform", "QA"), { body: { freezes } }))
    const c = await submit("QA", "k1", 1)
    show("submitted", c)
    show("del", await world.call("DELETE", P("~platform", "QA")))
    world.moveClock(3600_000)
    await world.advance.tick()
    console.log("after 1h", (await get(c.body.changeId)).state)
    world.moveClock(24 * 3600_000)
    await world.advance.tick()
    console.log("after 25h", (await get(c.body.changeId)).state)
    await submit("QA", "other", 1)
    console.log("after another", (await get(c.body.changeId)).state)
  })
  await run("tightened and loosened", async () => {
    const startAt = new Date(world.platform.clock.nowMs() + 3600_000).toISOString()
    const c = await submit("Staging", "k2", 1, { startAt })
    show("put", await world.call("PUT", P("acme", "Staging"), { body: { stages: [{ role: "compliance", required: 1 }] } }))
    console.log("tight", (await get(c.body.changeId)).state)
    const eased = await world.call<any>("PUT", P("acme", "Staging"), { body: { stages: [] } })
    show("eased", await world.call("POST", `/api/v1/approvals/${eased.body.changeId}/approve`, { token: acme.tokens.compliance }))
    const g = await get(c.body.changeId)
    console.log("eased", g.state, g.stages)
    world.moveClock(2 * 3600_000)
    await world.advance.tick()
    console.log("later", (await get(c.body.changeId)).state)
  })
  await run("policy drafts", async () => {
    const p1 = await world.call<any>("PUT", P("acme", "Development"), { body: { expiresAfterMs: 100_000 } })
    const rb = await world.call<any>("POST", `/api/v1/changes/${p1.body.changeId}/rollback`)
    show("rollback policy", rb)
    if (rb.body.draft) show("post draft", await world.call("POST", "/api/v1/changes", { body: rb.body.draft }))
  })
  await run("policy conflict", async () => {
    await must(world.call("PUT", P("acme", "Staging"), { body: { stages: [{ role: "compliance", required: 1 }] } }), 200)
    const a = await world.call<any>("PUT", P("acme", "Staging"), { body: { stages: [{ role: "manager", required: 1 }] } })
    const b = await world.call<any>("PUT", P("acme", "Staging"), { body: { stages: [{ role: "engineer", required: 1 }] } })
    await must(world.call("POST", `/api/v1/approvals/${a.body.changeId}/approve`, { token: acme.tokens.compliance }), 200)
    const g = await get(b.body.changeId)
    console.log(g.state, g.reason, JSON.stringify(g.conflict))
    show("post draft", await world.call("POST", "/api/v1/changes", { body: g.conflict.draft }))
  })
  await run("leak", async () => {
    show("plat", await world.call("PUT", P("~platform", "Production"), { body: { strategy: { type: "rolling", waves: [{ tenants: ["globex", "acme"] }, { weightBp: 10000 }] } } }))
    const list = await world.call<any>("GET", "/api/v1/changes?tenantId=~platform&environment=Production")
    console.log(list.body.items?.[0]?.state)
    const dev = await world.call<any>("PUT", P("~platform", "Development"), { body: { strategy: { type: "rolling", waves: [{ tenants: ["globex", "acme"] }, { weightBp: 10000 }] } } })
    console.log(dev.status)
    show("viewer sees", await world.call("GET", P("acme", "Development"), { token: acme.tokens.viewer }))
  })
  await run("repeat hold", async () => {
    const c = await submit("Development", "k5", 1, { strategy: { type: "canary", steps: [{ weightBp: 1000, holdMs: null }] } })
    const S = `/api/v1/changes/${c.body.changeId}/signals`
    show("w1", await world.call("POST", S, { body: { source: "a", status: "warning", summary: "s" } }))
    show("w2", await world.call("POST", S, { body: { source: "a", status: "warning", summary: "s" } }))
    show("pause w comment", await world.call("POST", `/api/v1/changes/${c.body.changeId}/resume`, { body: { comment: "because" } }))
    show("adv", await world.call("POST", `/api/v1/changes/${c.body.changeId}/advance`, { body: { step: 0, comment: "override because" } }))
  })
  await run("sns", async () => {
    for (const e of ["Development", "QA"]) show("topics", await world.call("PUT", P("acme", e), { body: { snsTopics: [TOPIC] } }))
    const c1 = await submit("Development", "s1", 1, { strategy: { type: "canary", steps: [{ weightBp: 1000, holdMs: null }] } })
    const c2 = await submit("QA", "s1", 1, { strategy: { type: "canary", steps: [{ weightBp: 1000, holdMs: null }] } })
    const m = signed(makeKey, world.platform.clock.nowMs())
    for (const e of ["Development", "QA"]) show(e, await world.call("POST", `/api/v1/tenants/acme/environments/${e}/signals`, { token: null, body: m }))
    console.log((await get(c1.body.changeId)).state, (await get(c2.body.changeId)).state)
    const c3 = await submit("QA", "s2", 1, { strategy: { type: "canary", steps: [{ weightBp: 1000, holdMs: null }] } })
    console.log(c3.body.state)
    for (const bad of ["\u0000", "\ud800"]) {
      const Message = JSON.stringify({ AlarmName: "a" + bad, NewStateValue: "ALARM", NewStateReason: "r" + bad })
      show("bad", await world.call("POST", `/api/v1/tenants/acme/environments/QA/signals`, { token: null, body: signed(makeKey, world.platform.clock.nowMs(), { Message }) }))
    }
  })
}, 120_000)
