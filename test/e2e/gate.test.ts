import { afterAll, beforeAll, expect, test } from "vitest"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"

let hotswap: RunningHotswap
beforeAll(async () => {
  hotswap = await startHotswap({ home: await temporaryHome() })
}, 90_000)
afterAll(async () => {
  await hotswap.stop()
  await removeHome(hotswap.home)
})

const PATIENTLY = { timeout: 20_000, interval: 50 }

interface Shown {
  state: string
  reason: string | null
  gate: { steps: { kind: string; words: string }[] }
}

/** A canary at 10 %, and the application that reads at the edge and says how it fares. */
const begin = async (tenantId: string, holdMs: number) => {
  const { call } = hotswap
  await call("POST", "/api/v1/tenants", { body: { tenantId, name: tenantId } })
  await call("POST", "/api/v1/configs", { body: { tenantId, environment: "QA", key: "k", value: "old" } })
  const issued = await call<{ token: string }>("POST", `/api/v1/tenants/${tenantId}/tokens`, {
    body: { subject: "app", roles: ["reader"], environment: "QA" },
  })
  const { token } = issued.body
  const strategy = { type: "canary", steps: [{ weightBp: 1_000, holdMs }] }
  const change = await call<{ changeId: string }>("POST", "/api/v1/changes", {
    body: { tenantId, environment: "QA", edits: [{ key: "k", value: "new" }], strategy },
  })
  expect(change.status, JSON.stringify(change.body)).toBe(202)
  const path = `/api/v1/configs/tenant/${tenantId}?environment=QA`
  const read = async (subject: number) =>
    (
      await call<{ arm: string; configs: { k: string } }>("GET", `${path}&targetingKey=subject-${subject}`, {
        token,
      })
    ).body
  const { revision } = (await call<{ revision: string }>("GET", path)).body
  const report = (stable: [number, number], candidate: [number, number], seq: number) =>
    call<{ accepted: number; ignored: unknown[]; verdict: { kind: string } }>("POST", "/api/v1/outcomes", {
      token,
      body: {
        reports: (["stable", "candidate"] as const).map((arm) => {
          const [ok, errors] = arm === "stable" ? stable : candidate
          return { revision, arm, instance: "server-1", seq, ok, errors }
        }),
      },
    })
  const show = async () => (await call<Shown>("GET", `/api/v1/changes/${change.body.changeId}`)).body
  return { ...change.body, read, report, show }
}

test("from the report that tips it to the reader who has the old value again, through every part there is", async () => {
  const rollout = await begin("tipped", 600_000)
  let subject = 0
  const next = async () => {
    subject = (subject + 1) % 100
    return await rollout.read(subject)
  }
  await expect.poll(next, PATIENTLY).toMatchObject({ arm: "candidate", configs: { k: "new" } })
  const tipping = await rollout.report([90, 0], [5, 5], 1)
  expect(tipping.status, JSON.stringify(tipping.body)).toBe(202)
  expect(tipping.body).toMatchObject({ accepted: 2, ignored: [], verdict: { kind: "unhealthy" } })
  expect(await rollout.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
  await expect
    .poll(() => rollout.read(subject), PATIENTLY)
    .toMatchObject({
      arm: "stable",
      configs: { k: "old" },
    })
  const audit = await hotswap.call<{ items: { action: string; detail?: { gate?: { words: string } } }[] }>(
    "GET",
    `/api/v1/audit?tenantId=tipped&target=${rollout.changeId}`,
  )
  const entry = audit.body.items.find(({ action }) => action === "change.rolled_back")
  expect(entry?.detail?.gate?.words).toContain("on the candidate 5 of 10 requests failed")
  const again = await rollout.report([90, 0], [5, 5], 1)
  expect(again.body).toMatchObject({ accepted: 0, verdict: null })
})

test("with healthy reports it goes live by itself when the hold is over", async () => {
  const rollout = await begin("thriving", 3_000)
  const answer = await rollout.report([900, 1], [100, 0], 1)
  expect(answer.status, JSON.stringify(answer.body)).toBe(202)
  await expect.poll(async () => (await rollout.show()).state, PATIENTLY).toBe("live")
  expect((await rollout.show()).gate.steps).toMatchObject([{ kind: "healthy" }])
  await expect.poll(() => rollout.read(1), PATIENTLY).toMatchObject({ configs: { k: "new" } })
})
