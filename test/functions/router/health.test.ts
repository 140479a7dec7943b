import { afterAll, beforeAll, expect, test } from "vitest"
import { must } from "../manage/world.ts"
import { createRouterWorld, type RouterWorld, startUpstream, type Upstream } from "./world.ts"

let world: RouterWorld
const upstreams: Upstream[] = []
const start = async (...args: Parameters<typeof startUpstream>): Promise<Upstream> => {
  const upstream = await startUpstream(...args)
  upstreams.push(upstream)
  return upstream
}
beforeAll(async () => {
  world = await createRouterWorld()
})
afterAll(async () => {
  await Promise.all(upstreams.map((upstream) => upstream.stop().catch(() => {})))
  await world.close()
})

interface Health {
  metrics: {
    state: string
    targets: { url: string; state: string; since: string; checkedAt: string; ageMs: number; words: string }[]
  }
}
const INTERVAL_MS = 31_000

const check = async (tenantId: string, token = world.adminToken) =>
  await world.call<Health>("POST", `/api/v1/tenants/${tenantId}/deployments/check`, { body: {}, token })
/** Asked again within two seconds it is what was seen. */
const checked = async (tenantId: string) => {
  world.moveClock(2_000)
  return (await must(check(tenantId), 200)).body.metrics
}
const sweep = async () => {
  world.moveClock(INTERVAL_MS * 1.1)
  return await world.watch.sweep()
}
const statusesOf = (path: Upstream): string[] => path.heard.map(({ url }) => url)

test("a target that is killed is unhealthy, and healthy when it is back, as often as that happens", async () => {
  const steady = await start("steady")
  const dying = await start("dying")
  const { tenantId } = await world.tenantWith("dying", [{ url: steady.url }, { url: dying.url }])
  const port = Number(new URL(dying.url).port)
  expect((await checked(tenantId)).state).toBe("healthy")
  await dying.stop()
  const killed = await checked(tenantId)
  expect([killed.state, ...killed.targets.map(({ state }) => state)]).toEqual([
    "degraded",
    "healthy",
    "unhealthy",
  ])
  expect(killed.targets[1]!.words).toBe("The host does not accept connections.")
  await start("dying", undefined, port)
  expect((await checked(tenantId)).state).toBe("healthy")
  expect(steady.heard.every(({ url, method }) => `${method} ${url}` === "GET /health")).toBe(true)
})

test("by its clock each tenant's targets are looked at once in their interval, by whichever process comes first", async () => {
  const backend = await start("watched")
  const { tenantId } = await world.tenantWith("watched", [{ url: `${backend.url}/base` }], {
    health: { path: "/ready", intervalSeconds: 30 },
  })
  await world.watch.sweep()
  backend.heard.length = 0
  world.moveClock(INTERVAL_MS * 1.1)
  await Promise.all([world.watch.sweep(), world.watch.sweep(), world.watch.sweep()])
  expect(statusesOf(backend)).toEqual(["/base/ready"])
  await world.watch.sweep()
  expect(backend.heard).toHaveLength(1)
  await sweep()
  expect(backend.heard).toHaveLength(2)
  await must(world.put(tenantId, {}), 200)
  await sweep()
  expect(backend.heard).toHaveLength(2)
})

test("as many failures in a row as the tenant says make a target unhealthy, and queries then begin elsewhere", async () => {
  const failing = await start("failing")
  const other = await start("other")
  const { tenantId, tokens } = await world.tenantWith("counted", [{ url: failing.url }, { url: other.url }], {
    health: { unhealthyAfter: 2 },
  })
  const stateAfterSweep = async () => {
    await sweep()
    const row = await world.statusOf(tenantId)
    return row.metrics![failing.url]!.state
  }
  const ask = async () => (await world.route(tokens.viewer, "/metrics/api/v1/labels")).text
  expect(await stateAfterSweep()).toBe("healthy")
  failing.answer = (response, { url }) =>
    void response.writeHead(url === "/health" ? 500 : 200).end(url === "/health" ? "" : '"failing"')
  expect(await stateAfterSweep()).toBe("healthy")
  expect(await ask()).toBe('"failing"')
  expect(await stateAfterSweep()).toBe("unhealthy")
  expect(await ask()).toBe('"other"')
  failing.answer = (response) => void response.end('"failing"')
  expect(await stateAfterSweep()).toBe("healthy")
  expect(await ask()).toBe('"failing"')
})

test("one that does not answer, redirects or never ends is looked at no longer than it may take, and in nobody's way", async () => {
  const silent = await start("silent")
  const endless = await start("endless")
  const redirecting = await start("redirecting")
  silent.answer = () => {}
  endless.answer = (response) => void response.writeHead(200).write("x")
  redirecting.answer = (response) => void response.writeHead(302, { location: endless.url }).end()
  const { tenantId } = await world.tenantWith(
    "odd",
    [silent, endless, redirecting].map(({ url }) => ({ url })),
    { health: { timeoutMs: 1_500 } },
  )
  const { targets } = await checked(tenantId)
  expect(targets.map(({ state, words }) => `${state}: ${words}`)).toEqual([
    "unhealthy: It did not answer in time.",
    "healthy: It answered 200.",
    "unhealthy: It answered 302. Redirects are not followed.",
  ])
})

test("what is told says how old it is, and whoever asks at once again is told the same without another look", async () => {
  const backend = await start("asked")
  const { tenantId, tokens } = await world.tenantWith("asked", [{ url: backend.url }])
  const first = await checked(tenantId)
  world.moveClock(1_500)
  const second = (await must(check(tenantId, tokens.engineer), 200)).body.metrics
  expect(backend.heard).toHaveLength(1)
  expect([first.targets[0]!.ageMs, second.targets[0]!.ageMs]).toEqual([0, 1_500])
  expect((await check(tenantId, tokens.viewer)).status).toBe(403)
})
