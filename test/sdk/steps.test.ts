import { afterEach, expect, test, vi } from "vitest"
import type { Json, Snapshot } from "../../sdk/src/types.ts"
import { answerWith, candidateOf, connectTo, eventOf, scriptService, snapshotOf } from "./scripted.ts"

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()))
})

/** What leads from one snapshot to the next, as the service's stream tells it. */
const stepOf = (from: Snapshot, to: Snapshot): string => {
  const set = Object.entries(to.configs).filter(([key, value]) => from.configs[key] !== value)
  const unset = Object.keys(from.configs).filter((key) => !(key in to.configs))
  const { revision, view, candidate } = to
  const step = { from: from.view, view, poll: "10;stream=30", set: Object.fromEntries(set), unset, candidate }
  return `event: tenant_config\nid: ${revision}\ndata: ${JSON.stringify({ revision, ...step })}\n\n`
}

const start = async (first: Snapshot) => {
  const service = scriptService({ read: () => answerWith(first) })
  const { client, told } = connectTo(service)
  open.push(client)
  await client.ready()
  await vi.waitFor(() => expect(service.open()).toBe(1))
  return { service, client, told }
}

const all = (
  client: Awaited<ReturnType<typeof start>>["client"],
  unit?: string,
): Record<string, Json | undefined> => {
  const view = client.view(unit)
  return Object.fromEntries([...view.keys()].map((key) => [key, view.get(key)]))
}

test("a client goes on from what it holds by what the stream tells, and asks nobody", async () => {
  const one = snapshotOf(1, { configs: { a: 1, b: 2 } })
  const two = snapshotOf(2, { configs: { b: 3, c: 4 } })
  const three = snapshotOf(3, {
    ...two,
    view: two.view,
    revision: "1.0.0.3",
    candidate: candidateOf({ c: 5 }, 10_000),
  })
  const { service, client, told } = await start(one)
  expect(service.of("/stream")[0]?.path).toBe("/api/v1/stream?with=changes")
  service.say(stepOf(one, two))
  await vi.waitFor(() => expect(client.view().revision).toBe("1.0.0.2"))
  expect(all(client)).toEqual({ b: 3, c: 4 })
  service.say(stepOf(two, three))
  await vi.waitFor(() => expect(client.view().revision).toBe("1.0.0.3"))
  expect(all(client)).toEqual({ b: 3, c: 5 })
  expect(told.changed.map(({ revision, keys }) => [revision, [...keys].sort()])).toEqual([
    ["1.0.0.2", ["a", "b", "c"]],
    ["1.0.0.3", ["c"]],
  ])
  expect(service.of("/configs/")).toHaveLength(1)
})

test("what does not go on from what is held is read instead, and nothing is ever taken back", async () => {
  const [one, two, three] = [snapshotOf(1), snapshotOf(2), snapshotOf(3)]
  const { service, client } = await start(one)
  service.answer.read = () => answerWith(three)
  service.say(stepOf(two, three))
  await vi.waitFor(() => expect(client.get("k")).toBe(3))
  expect(service.of("/configs/")).toHaveLength(2)
  // Late, and told twice.
  service.say(stepOf(one, two) + stepOf(three, { ...two, revision: "1.0.0.2" }) + eventOf("1.0.0.4"))
  service.answer.read = () => answerWith(snapshotOf(4))
  await vi.waitFor(() => expect(client.get("k")).toBe(4))
})

test("while the service is asked nothing is gone on from, so that no answer is taken for one about something else", async () => {
  const [one, two] = [snapshotOf(1), snapshotOf(2)]
  const { service, client } = await start(one)
  const asked = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  service.answer.read = async () => {
    asked.resolve()
    await answered.promise
    // Of the first view, which is in force again.
    service.answer.read = () => answerWith({ ...one, revision: "1.0.0.3" })
    return new Response(null, { status: 304, headers: { "hotswap-revision": "1.0.0.3" } })
  }
  service.say(eventOf("1.0.0.1"))
  await asked.promise
  service.say(stepOf(one, two))
  answered.resolve()
  await vi.waitFor(() => expect(client.view().revision).toBe("1.0.0.3"))
  expect(client.get("k")).toBe(1)
})
