import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"

interface Taken {
  errors?: unknown
  applied: string | null
  verdict: string | null
  state: string | null
  words: string
  code: string
}
interface Change {
  changeId: string
  state: string
  reason: string | null
  paused: boolean
  signal: { source: string; summary: string } | null
}

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme")
})
afterAll(() => world.close())

const HOLDING = { type: "canary", steps: [{ weightBp: 1_000, holdMs: null }] }
const rollOut = async (environment = "QA") => {
  const edits = [{ key: "k", value: world.platform.ids.uuid() }]
  const body = { tenantId: "acme", environment, edits, strategy: HOLDING }
  const made = await must(world.call<Change>("POST", "/api/v1/changes", { body }), 202)
  expect(made.body.state).toBe("rolling_out")
  return made.body.changeId
}
const end = async (changeId: string) => await world.call("POST", `/api/v1/changes/${changeId}/abort`)
const read = async (changeId: string) =>
  (await must(world.call<Change>("GET", `/api/v1/changes/${changeId}`), 200)).body
const ofChange = (changeId: string) => `/api/v1/changes/${changeId}/signals`
const OF_QA = "/api/v1/tenants/acme/environments/QA/signals"
const signal = (path: string, body: unknown, token: string | null = acme.tokens.engineer) =>
  world.call<Taken>("POST", path, { token, body })
const FIRING = { source: "a watch", status: "firing", summary: "errors at 7 %" }

describe("an alarm with a token", () => {
  test("that fires rolls the change back, and is kept with it", async () => {
    const changeId = await rollOut()
    const { body } = await must(signal(ofChange(changeId), FIRING), 200)
    expect(body).toMatchObject({ applied: changeId, verdict: "unhealthy", state: "rolled_back" })
    expect(await read(changeId)).toMatchObject({
      state: "rolled_back",
      reason: "unhealthy",
      signal: { source: "a watch", summary: "errors at 7 %" },
    })
  })

  test("that warns pauses it, once, and that is over alters nothing", async () => {
    const changeId = await rollOut()
    const warning = { ...FIRING, status: "warning" }
    expect((await must(signal(ofChange(changeId), warning), 200)).body).toMatchObject({
      verdict: "hold",
      state: "rolling_out",
    })
    expect(await read(changeId)).toMatchObject({ paused: true, signal: { source: "a watch" } })
    expect((await must(signal(ofChange(changeId), warning), 202)).body).toMatchObject({
      applied: null,
      words: expect.stringContaining("held back by that already"),
    })
    const resolved = { ...FIRING, status: "resolved" }
    expect((await must(signal(ofChange(changeId), resolved), 202)).body.applied).toBeNull()
    expect(await read(changeId)).toMatchObject({ state: "rolling_out", paused: true })
    await end(changeId)
  })

  test("that knows no change is put to what rolls out, and to nothing where nothing does", async () => {
    const none = await must(signal(OF_QA, FIRING), 202)
    expect(none.body).toMatchObject({ applied: null, verdict: "unhealthy" })
    const changeId = await rollOut()
    expect((await must(signal(OF_QA, FIRING), 200)).body.applied).toBe(changeId)
    expect((await read(changeId)).state).toBe("rolled_back")
    const late = await must(signal(ofChange(changeId), FIRING), 202)
    expect(late.body).toMatchObject({ applied: null, words: expect.stringContaining("does not roll out") })
  })

  test.each([
    ["nothing of ours", { colour: "red" }],
    ["a status that there is not", { ...FIRING, status: "burning" }],
    ["no summary", { source: "a", status: "firing" }],
    ["another version of Alertmanager's", { version: "3", alerts: [{ status: "firing" }] }],
    ["no alerts", { version: "4", alerts: [] }],
    ["a message of SNS, which has a signature in place of a token", { Type: "Notification", Message: "{}" }],
  ])("is refused in no known form: %s", async (_what, body) => {
    expect((await must(signal(OF_QA, body), 400)).body.code).toBe("SIGNAL_INVALID")
  })

  test("that is in no known form is answered field by field, in words", async () => {
    const body = { verdict: "hold", source: "checkout", status: "bad" }
    expect((await must(signal(OF_QA, body), 400)).body.errors).toEqual([
      { path: "/status", message: 'Expected one of "firing"|"resolved"|"warning".' },
      { path: "/summary", message: "It is required." },
      { path: "/verdict", message: "There is no such field: the body takes source, status, summary." },
    ])
  })

  test("is that of somebody who may: not of a viewer, nor of one bound elsewhere", async () => {
    const changeId = await rollOut()
    const bound = await acme.issue("bound@acme", ["engineer"], "Staging")
    for (const token of [acme.tokens.viewer, bound])
      for (const path of [ofChange(changeId), OF_QA])
        expect((await must(signal(path, FIRING, token), 403)).body.code).toBe("FORBIDDEN")
    expect((await read(changeId)).state).toBe("rolling_out")
    await end(changeId)
  })
})

describe("a webhook of Alertmanager", () => {
  const alert = (status: string, severity?: string) => ({
    status,
    labels: { alertname: "HighErrors", ...(severity ? { severity } : {}) },
    annotations: { summary: "many errors" },
    startsAt: "2026-01-01T00:00:00Z",
    generatorURL: "http://prometheus",
  })
  test.each([
    ["of which one is grave", [alert("firing", "warning"), alert("firing", "critical")], "unhealthy"],
    ["without a severity", [alert("firing")], "unhealthy"],
    ["of warnings only", [alert("firing", "warning"), alert("resolved", "critical")], "hold"],
    ["that is over", [alert("resolved", "critical")], "healthy"],
  ])("%s", async (_what, alerts, verdict) => {
    const changeId = await rollOut()
    const webhook = { version: "4", groupKey: "{}", status: "firing", receiver: "hotswap", alerts }
    const { body } = await signal(OF_QA, webhook)
    expect(body.verdict).toBe(verdict)
    const change = await read(changeId)
    expect([change.state, change.paused]).toEqual(
      verdict === "unhealthy" ? ["rolled_back", false] : ["rolling_out", verdict === "hold"],
    )
    if (verdict === "unhealthy")
      expect(change.signal).toMatchObject({ source: "Alertmanager", summary: "many errors" })
    await end(changeId)
  })
})

test("nothing of all that was unforeseen", () => {
  expect(world.logged).toEqual([])
})
