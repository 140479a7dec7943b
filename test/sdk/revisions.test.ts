import fc from "fast-check"
import { expect, test } from "vitest"
import { isNewer, parseRevision } from "../../core/release/revision.ts"
import type { Snapshot } from "../../sdk/src/types.ts"
import {
  type Asked,
  answerWith,
  candidateOf,
  connectTo,
  eventOf,
  refusal,
  scriptService,
  snapshotOf,
} from "./scripted.ts"

const PROPERTY = { seed: 20_261_121, numRuns: 200 }

const turn = () => new Promise((resolve) => setImmediate(resolve))
const settle = async () => {
  for (let count = 0; count < 8; count++) await turn()
}

/** Everything a service, its caches and the network between may do with the revisions there are. */
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.record({ answer: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ event: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ failure: fc.constantFrom(500, 503, 429, 401) }) },
  { weight: 1, arbitrary: fc.constant({ nonsense: true }) },
  { weight: 1, arbitrary: fc.constant({ cut: true }) },
)

/** A history of ten revisions: of the platform, of the tier, a change of tier, of the tenant, a restored database. */
const HISTORY = [
  "1.0.5.1",
  "1.1.5.1",
  "1.1.6.1",
  "1.1.0.2",
  "1.1.1.2",
  "1.1.1.3",
  "1.2.1.3",
  "1.2.1.4",
  "2.0.0.1",
  "2.0.1.1",
]
/** Two of them after each other say the same. */
const at = (index: number): Snapshot => ({ ...snapshotOf(index >> 1), revision: HISTORY[index]! })
/** As a service answers that is at this revision. */
const answerAt = (index: number, { headers }: Asked): Response => {
  const snapshot = at(index)
  if (headers.get("if-none-match") !== `W/"${snapshot.view}"`) return answerWith(snapshot)
  return new Response(null, { status: 304, headers: { "hotswap-revision": snapshot.revision } })
}

test("no order of answers, events, failures and cuts takes a client back, and in the end it has the newest", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 30 }), async (happenings) => {
      let answer = (asked: Asked): Response => answerAt(0, asked)
      const service = scriptService({ read: (asked) => answer(asked) })
      const { client, told } = connectTo(service, { report: false })
      await settle()
      const seen = [client.view().revision]
      for (const happens of happenings) {
        if ("event" in happens) service.say(eventOf(HISTORY[happens.event]!))
        else if ("cut" in happens) service.cut()
        else {
          if ("answer" in happens) answer = (asked) => answerAt(happens.answer, asked)
          if ("failure" in happens) answer = () => refusal(happens.failure)
          if ("nonsense" in happens) answer = () => Response.json({ configs: null })
          await client.reload().catch(() => undefined)
        }
        await settle()
        const { revision } = client.view()
        if (revision !== seen.at(-1)) seen.push(revision)
      }
      const revisions = seen.map((each) => parseRevision(each)!)
      for (const [index, each] of revisions.slice(1).entries())
        expect(isNewer(each, revisions[index]!)).toBe(true)
      for (const { revision } of told.changed) expect(seen).toContain(revision)
      answer = (asked) => answerAt(9, asked)
      await client.reload()
      expect(client.view().revision).toBe(HISTORY[9])
      expect(client.get("k")).toBe(4)
      await client.close()
    }),
    PROPERTY,
  )
}, 60_000)

test("of the same revision a candidate that could not be had before is taken up, and not given up again", async () => {
  let snapshot = snapshotOf(1)
  const service = scriptService({ read: () => answerWith(snapshot) })
  const { client } = connectTo(service, { stream: false })
  await client.ready()
  snapshot = snapshotOf(1, { candidate: candidateOf({ k: "new" }, 10_000) })
  await client.reload()
  expect(client.get("k")).toBe("new")
  snapshot = snapshotOf(1)
  await client.reload()
  expect(client.get("k")).toBe("new")
  await client.close()
})

test("what was kept of another environment gives way to what the token is for, however new it looks", async () => {
  const bootstrap = snapshotOf(900, { environment: "Staging" })
  const service = scriptService({ read: () => answerWith(snapshotOf(5)) })
  const { client } = connectTo(service, { bootstrap })
  expect(client.get("k")).toBe(900)
  await settle()
  expect(client.view()).toMatchObject({ environment: "Production", revision: "1.0.0.5" })
  expect(service.of("stream")[0]!.headers.get("last-event-id")).toBe("1.0.0.5")
  await client.close()
})

test("it starts with what it is given, or has kept, whichever is newer, before anything is asked", async () => {
  const service = scriptService({ read: () => Promise.reject(new TypeError("fetch failed")) })
  const alone = connectTo(service, { bootstrap: snapshotOf(3) })
  expect(alone.client.isReady).toBe(true)
  expect(alone.client.get("k")).toBe(3)
  for (const [kept, expected] of [
    [2, 3],
    [4, 4],
  ] as const) {
    const store = { load: async () => snapshotOf(kept), save: async () => {} }
    const { client } = connectTo(service, { bootstrap: snapshotOf(3), store })
    await settle()
    expect(client.get("k")).toBe(expected)
    await client.close()
  }
  await alone.client.close()
})

test("a store that fails is told as an error, and costs nothing else", async () => {
  const store = {
    load: () => Promise.reject(new Error("cannot be read")),
    save: () => Promise.reject(new Error("cannot be written")),
  }
  const { client, told } = connectTo(scriptService({}), { store, stream: false })
  await client.ready()
  await settle()
  expect(told.error.map(({ error }) => error.message)).toEqual(["cannot be read", "cannot be written"])
  expect(client.get("k")).toBe(1)
  await client.close()
})

test("a change tells of the keys that are not what they were, of whoever's arm, and keeps the others as they are", async () => {
  const deep = { list: [1] }
  const flag = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" }
  let snapshot = snapshotOf(1, { configs: { k: 1, deep, flag } })
  const { client, told } = connectTo(scriptService({ read: () => answerWith(snapshot) }), { stream: false })
  await client.ready()
  const before = client.get("deep")
  snapshot = snapshotOf(2, { configs: { k: 2, deep, flag, added: true } })
  await client.reload()
  expect(told.changed).toEqual([{ revision: "1.0.0.2", keys: ["k", "added"], flags: [] }])
  expect(client.get("deep")).toBe(before)
  snapshot = snapshotOf(3, {
    ...snapshot,
    revision: "1.0.0.3",
    candidate: candidateOf({ flag: { ...flag, defaultVariant: "off" } }),
  })
  await client.reload()
  expect(told.changed[1]).toEqual({ revision: "1.0.0.3", keys: ["flag"], flags: ["flag"] })
  await client.close()
})

test("before anything is there a flag is off with a reason, and whatever would be wrong is not said", async () => {
  const { client } = connectTo(scriptService({ read: () => refusal(503) }), { stream: false })
  expect(client.isReady).toBe(false)
  expect(client.isEnabled("flag")).toBe(false)
  expect(client.evaluate("flag")).toMatchObject({ reason: "ERROR", errorCode: "GENERAL" })
  expect(() => client.get("k")).toThrow("nothing to serve")
  expect(() => client.view()).toThrow("nothing to serve")
  await expect(client.ready(5)).rejects.toThrow("nothing to serve")
  await client.close()
})

test("the bootstrap stays the caller's own", async () => {
  const bootstrap = snapshotOf(1, { configs: { deep: { list: [1] } } })
  const { client } = connectTo(scriptService({ read: () => refusal(503) }), { bootstrap, stream: false })
  const own = bootstrap.configs.deep as { list: number[] }
  own.list.push(2)
  expect(client.get("deep")).toEqual({ list: [1] })
  await client.close()
})
