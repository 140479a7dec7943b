import { afterAll, beforeAll, expect, test } from "vitest"
import type { ReaderKeys, RunningEdge } from "../../support/edge.ts"
import { createReaderKeys, startEdge } from "../../support/edge.ts"
import { type ScriptedOrigin, startOrigin } from "../../support/scripted-origin.ts"

/**
 * workerd sees that a client has left only when it next writes to it, but a Worker that drops what it asked
 * another Worker is seen at once: the edge's request is cancelled with all its I/O that nothing keeps alive.
 */
const LEAVING = `export default {
  async fetch(request, { EDGE }) {
    const until = request.headers.get("x-leave-when-answered")
    if (!until) return await EDGE.fetch(request)
    const leaving = new AbortController()
    EDGE.fetch(request, { signal: leaving.signal }).catch(() => {})
    await fetch(until)
    leaving.abort()
    return new Response("left")
  },
}`

let origin: ScriptedOrigin
let edge: RunningEdge
let keys: ReaderKeys
let token: string

beforeAll(async () => {
  origin = await startOrigin()
  keys = await createReaderKeys()
  token = await keys.issue()
  edge = await startEdge({ origin: origin.url, jwks: keys.jwks, before: LEAVING })
})
afterAll(async () => {
  await edge?.dispose()
  await origin?.close()
})

const read = async (tenantId: string, query = "") => {
  const response = await edge.get(`/api/v1/configs/tenant/${tenantId}${query}`, token)
  return [response.status, ((await response.json()) as { configs: unknown }).configs]
}
const crowd = (tenantId: string, query = "") => Array.from({ length: 100 }, () => read(tenantId, query))
const answers = (value: unknown) => Array.from({ length: 100 }, () => [200, value])

test("100 cold readers make the origin tell the pointer once and the view once", async () => {
  origin.says({ tenantId: "crowd", configs: { a: 1 } })
  const hold = origin.holds("/internal/pointer/crowd/")
  const readers = crowd("crowd")
  await hold.arrived
  hold.release()
  expect(await Promise.all(readers)).toEqual(answers({ a: 1 }))
  expect(origin.paths("/internal/pointer/crowd/")).toHaveLength(1)
  expect(origin.paths("/internal/view/crowd/")).toHaveLength(1)
})

test("100 cold readers of one key of a large tenant make the origin tell its chunk once", async () => {
  const configs = Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`k${i}`, "x".repeat(100)]))
  const { stable } = origin.says({ tenantId: "wide", configs })
  expect(await Promise.all(crowd("wide", "?key=k7"))).toEqual(answers({ k7: "x".repeat(100) }))
  expect(origin.paths("/internal/pointer/wide/")).toHaveLength(1)
  expect(origin.paths(`/internal/view/wide/Production/${stable}/`)).toHaveLength(1)
})

/** A reader that leaves as soon as the origin has been asked `held` for it, and is gone before that is answered. */
const lead = async (tenantId: string, held: string) => {
  origin.says({ tenantId, configs: { a: 1 } })
  const hold = origin.holds(held)
  const left = Promise.withResolvers<void>()
  origin.answers(`/leave/${tenantId}`, (_, response) => {
    left.promise.then(() => response.end())
  })
  const headers = { "x-leave-when-answered": `${origin.url}/leave/${tenantId}` }
  const leader = edge.get(`/api/v1/configs/tenant/${tenantId}`, token, { headers })
  await hold.arrived
  const leave = async () => {
    left.resolve()
    expect(await (await leader).text()).toBe("left")
  }
  return { hold, leave }
}

test.each([
  ["the pointer is on its way", "/internal/pointer/leader-a/", "leader-a"],
  ["the view is on its way", "/internal/view/leader-b/", "leader-b"],
])("the reader that leads leaves while %s, and the others get their answer", async (_, held, tenantId) => {
  const { hold, leave } = await lead(tenantId, held)
  const followers = crowd(tenantId)
  // The followers are in the Worker once a request sent after them has been answered.
  await edge.get("/health")
  await leave()
  hold.release()
  expect(await Promise.all(followers)).toEqual(answers({ a: 1 }))
  expect(origin.paths(`/internal/pointer/${tenantId}/`)).toHaveLength(1)
  expect(origin.paths(`/internal/view/${tenantId}/`)).toHaveLength(1)
})

test("what a lone reader that left had asked for is there for the next one", async () => {
  const { hold, leave } = await lead("lone", "/internal/pointer/lone/")
  await leave()
  hold.release()
  expect(await read("lone")).toEqual([200, { a: 1 }])
  expect(origin.paths("/internal/pointer/lone/")).toHaveLength(1)
})
