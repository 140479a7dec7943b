import { afterAll, beforeAll, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { must } from "../manage/world.ts"
import { createWavesWorld, ENOUGH_MS, FAILING, HOLD_MS, type Waves, type WavesWorld } from "./waves-world.ts"

let world: WavesWorld
beforeAll(async () => {
  world = await createWavesWorld()
})
afterAll(() => world.close())

const audienceOf = (waves: Waves) => waves.pointer().then(({ candidate }) => candidate?.audience ?? null)

test("the first two tenants that a wave fails are taken out of it, the third takes everyone back", async () => {
  const waves = await world.waves("trips", 5)
  const [one, two, three, fourth] = waves.tenants as [TenantId, TenantId, TenantId, TenantId, TenantId]
  await waves.everyoneFine()
  const first = await waves.fails(one)
  expect(first.wave).toMatchObject({ changeId: waves.changeId, step: 0, kind: "unhealthy" })
  const paused = await waves.show()
  expect(paused).toMatchObject({ state: "rolling_out", paused: true })
  expect(paused.tripped?.map(({ tenantId }) => tenantId)).toEqual([one])
  // It reads stable at once; the others keep the candidate.
  expect(await waves.reads(one)).toBe("stable")
  expect(await waves.reads(fourth)).toBe("candidate")
  await waves.fails(two)
  expect((await audienceOf(waves))?.excluded).toEqual([one, two])
  expect(await waves.reads(fourth)).toBe("candidate")
  await waves.fails(three)
  expect(await waves.show()).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
  for (const tenantId of waves.tenants) expect(await waves.reads(tenantId)).toBe("stable")
})

test("one tenant, whatever it reports and however often, takes nobody out but itself", async () => {
  const waves = await world.waves("alone", 4)
  const [loud, other] = waves.tenants as [TenantId, TenantId]
  await waves.everyoneFine()
  for (let again = 0; again < 4; again++) await waves.fails(loud)
  expect((await waves.show()).tripped?.map(({ tenantId }) => tenantId)).toEqual([loud])
  expect(await waves.show()).toMatchObject({ state: "rolling_out" })
  // Its token speaks for no other.
  const report = await waves.report(other, { ok: 0, errors: 500 })
  const answer = await world.send(
    waves.reader(loud),
    { reports: [report] },
    { headers: { "x-tenant-id": other } },
  )
  expect(answer.status).toBe(404)
  expect((await audienceOf(waves))?.excluded).toEqual([loud])
})

test("a report again, of a step that is over, or of a revision to come alters nothing", async () => {
  const waves = await world.waves("late", 4)
  const [ill] = waves.tenants as [TenantId]
  await waves.everyoneFine()
  const old = await waves.report(ill, { ok: 0, errors: 400 })
  await waves.advance()
  const { seq } = await waves.pointer()
  world.moveClock(ENOUGH_MS)
  const late = await must(world.send(waves.reader(ill), { reports: [old] }), 202)
  expect(late.body).toMatchObject({ accepted: 0, ignored: [{ reason: "step_over" }] })
  const [epoch, platform, ...rest] = old.revision.split(".")
  const ahead = { ...old, revision: [epoch, Number(platform) + 9, ...rest].join("."), seq: old.seq + 1 }
  expect((await world.send(waves.reader(ill), { reports: [ahead] })).body).toMatchObject({
    code: "REVISION_UNKNOWN",
  })
  const fine = await waves.report(ill, { ok: 400, errors: 0 })
  await must(world.send(waves.reader(ill), { reports: [fine] }), 202)
  world.moveClock(ENOUGH_MS)
  const again = await must(world.send(waves.reader(ill), { reports: [fine] }), 202)
  expect(again.body).toMatchObject({ accepted: 0, ignored: [{ reason: "seen" }] })
  expect((await waves.pointer()).seq).toBe(seq)
  expect(await waves.show()).toMatchObject({ state: "rolling_out", step: 1 })
})

test("what befalls everyone takes nobody out", async () => {
  const waves = await world.waves("outage", 4)
  await waves.everyoneFine()
  for (let batch = 0; batch < 3; batch++) {
    for (const tenantId of [...waves.others, ...waves.tenants])
      await waves.tell(tenantId, { ok: 60, errors: 140 })
    world.moveClock(ENOUGH_MS)
  }
  expect(await waves.show()).toMatchObject({ state: "rolling_out", paused: false })
})

test("tenants that trip at the same moment are all taken out, and none is lost", async () => {
  const waves = await world.waves("race", 8)
  const two = waves.tenants.slice(0, 2)
  await waves.everyoneFine()
  for (const tenantId of two) await waves.tell(tenantId, FAILING)
  world.moveClock(ENOUGH_MS)
  const answers = await Promise.all(
    two.flatMap((tenantId) => [waves.tell(tenantId, FAILING), waves.tell(tenantId, FAILING)]),
  )
  expect(answers.every(({ status }) => status === 202)).toBe(true)
  expect((await waves.show()).tripped?.map(({ tenantId }) => tenantId).sort()).toEqual([...two].sort())
  const many = waves.tenants.slice(2)
  for (const tenantId of many) await waves.tell(tenantId, FAILING)
  world.moveClock(ENOUGH_MS)
  await Promise.all(many.map((tenantId) => waves.tell(tenantId, FAILING)))
  const ended = await waves.show()
  expect(ended).toMatchObject({ state: "rolled_back", reason: "unhealthy" })
  // The third was one too many; who came after it found nothing to do.
  expect(ended.tripped).toHaveLength(3)
  const audit = await waves.audit()
  expect(audit.filter(({ action }) => action === "change.rolled_back")).toHaveLength(1)
})

test("the clock goes on to the next wave when those reached have reported enough, and waits until then", async () => {
  const waves = await world.waves("clock", 3)
  const [only] = waves.tenants as [TenantId]
  await waves.tell(only, { ok: 10, errors: 0 })
  world.moveClock(HOLD_MS)
  await world.advance.tick()
  expect(await waves.show()).toMatchObject({ state: "rolling_out", step: 0 })
  await waves.everyoneFine()
  world.moveClock(ENOUGH_MS)
  await world.advance.tick()
  expect(await waves.show()).toMatchObject({ state: "rolling_out", step: 1 })
  for (const tenantId of waves.others) expect(await waves.reads(tenantId)).toBe("candidate")
})
