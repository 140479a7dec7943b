import fc from "fast-check"
import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { SAMPLE_MAX } from "../../core/gate/waves.ts"
import { PLATFORM, type TenantId, tierScope } from "../../core/ids.ts"
import { bucket } from "../../core/release/bucket.ts"
import { readWaves } from "../../db/queries/waves.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { startRollout } from "./rollouts.ts"
import { minute, tally, wavesWorld } from "./waves-world.ts"

let database: OpenTestDatabase
let admin: postgres.Sql
beforeAll(async () => {
  database = await openTestDatabase()
  admin = postgres(database.url("postgres"), { max: 1, onnotice: () => {} })
})
afterAll(async () => {
  await admin.end()
  await database.close()
})
const world = () => wavesWorld(database)

test("the database puts every unit into the very bucket that readers are put into", async () => {
  const words = fc.sample(
    fc.tuple(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 40 })),
    {
      numRuns: 500,
      seed: 1,
    },
  )
  const pairs = words.filter(([one, other]) => !`${one}${other}`.includes("\0"))
  const rows = await admin`select hotswap.bucket(p ->> 0, p ->> 1) as bucket
    from jsonb_array_elements(${admin.json(pairs)}) with ordinality as t (p, nth) order by nth`
  expect(pairs.length).toBeGreaterThan(400)
  expect(rows.map((row) => row.bucket)).toEqual(pairs.map(([change, unit]) => bucket(change, unit)))
})

describe("a tenant's past", () => {
  test("what it reports counts for half as much after ten minutes, and is what its wave is compared with", async () => {
    const { environment, tenant, send } = await world()
    const id = await tenant("past")
    await send(id, [800, 200], minute(0))
    await send(id, [400, 0], minute(10))
    const { changeId } = await startRollout(
      database.app,
      PLATFORM,
      { audience: { tenants: [id] } },
      environment,
    )
    const { waves } = await send(id, [90, 10], minute(20))
    expect(waves).toMatchObject({ scope: PLATFORM, changeId, step: 0, plan: [] })
    expect(waves?.evidence.tenant).toEqual({
      tenantId: id,
      tier: "Pro",
      before: tally(450, 50),
      earlier: tally(0, 0),
      veteran: false,
      after: tally(0, 0),
      recent: tally(100, 10),
      unusable: 0,
      instances: 1,
      failing: 0,
      lastAt: "2026-03-01T00:20:00.000000Z",
    })
  })

  test("without a rollout a report is told so, and repeating it does not make the past longer", async () => {
    const { environment, tenant, record, report, send } = await world()
    const id = await tenant("told")
    const once = await report(id, [100, 0])
    for (let again = 0; again < 3; again++)
      expect((await record(id, [once])).ignored).toEqual([{ index: 0, reason: "no_rollout" }])
    await startRollout(database.app, PLATFORM, { audience: { tenants: [id] } }, environment)
    const { ignored, waves } = await send(id, [1, 0])
    expect(ignored).toEqual([])
    expect(waves?.evidence.tenant?.before).toEqual(tally(100, 0))
  })
})

describe("waves", () => {
  test("tenants that a wave reached are told from those that none did: by name, tier and share", async () => {
    const { environment, tenant, send } = await world()
    const [named, ofTier, other] = [
      await tenant("named"),
      await tenant("tier", "Free"),
      await tenant("other"),
    ]
    for (const id of [named, ofTier, other]) await send(id, [50, 0])
    const { changeId, move } = await startRollout(
      database.app,
      PLATFORM,
      { audience: { tenants: [named], tiers: ["Free"] } },
      environment,
    )
    for (const id of [named, ofTier, other]) await send(id, [9, 1], minute(0))
    const lastAt = "2026-03-01T00:00:00.000000Z"
    const evidence = await readWaves(database.app, PLATFORM, changeId, other)
    expect(evidence).toEqual({
      since: lastAt,
      reached: { tenants: 2, requests: 20, lastAt, sample: expect.anything() },
      control: {
        tenants: 1,
        requests: 10,
        lastAt,
        sample: [{ tier: "Pro", before: tally(50, 0), after: tally(10, 1) }],
      },
      unheard: { tenants: 0, before: tally(0, 0) },
      tenant: null,
    })
    const reached = evidence.reached.sample.map(({ tenantId: id, before }) => ({ id, before }))
    expect(reached).toEqual([named, ofTier].map((id) => ({ id, before: tally(50, 0) })))
    // Its share reaches the third one: what it reported meanwhile is its past now.
    const weightBp = bucket(changeId, other) + 1
    await move({ step: 1, weightBp: weightBp - 1, audience: { tenants: [named], tiers: ["Free"] } })
    // What there is to read grows with the tenants: it is not read for one of whom nothing is judged.
    expect((await send(other, [5, 0])).waves).toBeNull()
    expect(await readWaves(database.app, PLATFORM, changeId, other)).toMatchObject({
      reached: { tenants: 0 },
      control: { tenants: 1, sample: [{ before: tally(50, 0), after: tally(5, 0) }] },
      unheard: { tenants: 2, before: tally(100, 0) },
      tenant: null,
    })
    await move({ step: 2, weightBp, audience: { tenants: [named], tiers: ["Free"] } })
    const { waves } = await send(other, [5, 5], minute(0))
    expect(waves?.step).toBe(2)
    expect(waves?.evidence).toMatchObject({
      reached: { tenants: 1 },
      control: { tenants: 0 },
      unheard: { tenants: 2 },
      tenant: {
        before: tally(65, 1),
        earlier: tally(15, 1),
        veteran: false,
        after: tally(0, 0),
        recent: tally(10, 5),
      },
    })
  })

  test("a tier's rollout counts for that tier's tenants alone", async () => {
    const { environment, tenant, send } = await world()
    const [pro, free] = [await tenant("pro"), await tenant("free", "Free")]
    const scope = tierScope("Pro")
    const { changeId } = await startRollout(database.app, scope, { weightBp: 10_000 }, environment)
    expect((await send(free, [1, 1])).waves).toBeNull()
    expect((await send(pro, [3, 1])).waves).toMatchObject({ scope, changeId })
    expect(await readWaves(database.app, scope, changeId)).toMatchObject({
      reached: { tenants: 1, requests: 4 },
      control: { tenants: 0 },
    })
  })

  test("a reader that still has the revision of before its wave tells of before", async () => {
    const { environment, tenant, revision, send } = await world()
    const id = await tenant("late")
    const old = await revision(id)
    await startRollout(database.app, PLATFORM, { audience: { tenants: [id] } }, environment)
    await send(id, [10, 0], minute(0), { revision: old, instance: "slow" })
    const { waves } = await send(id, [0, 4], minute(0))
    expect(waves?.evidence.tenant).toMatchObject({ before: tally(10, 0), recent: tally(4, 4) })
    await send(id, [10, 0], minute(1), { revision: old, instance: "slow" })
    const again = await send(id, [1, 0], minute(2))
    expect(again.waves?.evidence.tenant).toMatchObject({
      before: tally(10, 0),
      after: tally(4, 4),
      recent: tally(1, 0),
    })
  })

  test("a tenant that was taken out is on neither side, whatever it still reports", async () => {
    const { environment, tenant, revision, send } = await world()
    const [sick, sound] = [await tenant("sick"), await tenant("sound")]
    const audience = { tenants: [sick, sound] }
    const { changeId, move } = await startRollout(database.app, PLATFORM, { audience }, environment)
    await send(sick, [0, 100])
    await send(sound, [100, 0])
    const failing = await revision(sick)
    const tripped = [{ tenantId: sick, at: minute(1), words: "it fails" }]
    await move({ audience: { ...audience, excluded: [sick] }, tripped })
    const late = await send(sick, [0, 50], minute(1), { revision: failing })
    expect(late.ignored).toEqual([{ index: 0, reason: "step_over" }])
    expect((await send(sick, [50, 0], minute(1))).waves).toBeNull()
    expect(await readWaves(database.app, PLATFORM, changeId, sick)).toMatchObject({
      reached: { tenants: 1, requests: 100, sample: [{ tenantId: sound }] },
      control: { tenants: 0 },
      unheard: { tenants: 0 },
      tenant: null,
    })
  })

  test("what is reported of a rollout that has ended is neither usual nor evidence on the next", async () => {
    const { environment, tenant, revision, send } = await world()
    const id = await tenant("ended")
    const audience = { tenants: [id] }
    const { end } = await startRollout(database.app, PLATFORM, { audience }, environment)
    const failing = await revision(id)
    await end()
    const late = await send(id, [0, 100], minute(0), { revision: failing })
    expect(late).toMatchObject({ ignored: [{ index: 0, reason: "step_over" }], waves: null })
    await startRollout(database.app, PLATFORM, { audience }, environment)
    await send(id, [0, 100], minute(0), { revision: failing })
    const { waves } = await send(id, [10, 0], minute(0))
    expect(waves?.evidence.tenant).toMatchObject({ before: tally(0, 0), recent: tally(10, 0) })
  })

  test("instances that never succeed, and reports of what could not be read, are counted in the step", async () => {
    const { environment, tenant, report, record } = await world()
    const id = await tenant("counted")
    await record(id, [await report(id, [0, 9], { instance: "a" })])
    await startRollout(database.app, PLATFORM, { audience: { tenants: [id] } }, environment)
    const { waves } = await record(id, [
      await report(id, [5, 0], { instance: "a" }),
      await report(id, [0, 5], { instance: "b", guard: "invalid" }),
      await report(id, [0, 4], { instance: "c" }),
      await report(id, [0, 0], { instance: "d" }),
    ])
    expect(waves?.evidence.tenant).toMatchObject({ unusable: 1, instances: 3, failing: 1 })
  })

  test("only reports on stable count", async () => {
    const { environment, tenant, send } = await world()
    const id = await tenant("arms")
    await startRollout(database.app, PLATFORM, { audience: { tenants: [id] } }, environment)
    expect((await send(id, [0, 9], minute(0), { arm: "candidate" })).waves).toBeNull()
    expect((await send(id, [9, 0])).waves?.evidence.tenant?.recent).toEqual(tally(9, 0))
  })

  test("what came last is kept apart for five seconds, and each step counts anew", async () => {
    const { environment, tenant, revision, send } = await world()
    const [early, late] = [await tenant("early"), await tenant("late")]
    await send(late, [40, 0])
    const first = { audience: { tenants: [early] } }
    const { changeId, move } = await startRollout(database.app, PLATFORM, first, environment)
    const at = (seconds: number) => minute(seconds / 60)
    await send(early, [1, 0], at(0))
    await send(early, [2, 0], at(4))
    expect((await send(early, [4, 0], at(5))).waves?.evidence.tenant).toMatchObject({
      after: tally(3, 0),
      recent: tally(4, 0),
      instances: 1,
    })
    await send(late, [8, 0], at(6))
    const over = await revision(early)
    await move({ step: 1, audience: { tenants: [early, late] } })
    expect(await send(early, [0, 9], at(7), { revision: over })).toMatchObject({
      ignored: [{ index: 0, reason: "step_over" }],
      waves: null,
    })
    expect(await readWaves(database.app, PLATFORM, changeId, early)).toMatchObject({
      since: null,
      unheard: { tenants: 2 },
      tenant: null,
    })
    await send(early, [16, 0], at(8), { instance: "another" })
    const { waves } = await send(late, [32, 0], at(9))
    expect(waves?.evidence).toMatchObject({
      since: "2026-03-01T00:00:08.000000Z",
      reached: { tenants: 2, requests: 48, lastAt: "2026-03-01T00:00:09.000000Z" },
      control: { tenants: 0 },
      unheard: { tenants: 0 },
    })
    expect(waves?.evidence.reached.sample).toMatchObject([
      {
        tenantId: late,
        before: tally(48, 0),
        earlier: tally(8, 0),
        veteran: false,
        after: tally(0, 0),
        recent: tally(32, 0),
      },
      {
        tenantId: early,
        veteran: true,
        earlier: tally(7, 0),
        after: tally(0, 0),
        recent: tally(16, 0),
        instances: 1,
      },
    ])
  })

  test("of many tenants those with the most requests are shown, and all are counted", async () => {
    const { environment } = await world()
    const { changeId } = await startRollout(database.app, PLATFORM, { weightBp: 5_000 }, environment)
    const insert = (from: number, to: number, reached: boolean) => admin`
      insert into hotswap.gate_tenants (tenant_id, change_id, unit, reached, step, step_since, after_ok, last_at, tier)
      select ${PLATFORM}, ${changeId}, 'unit-' || n, ${reached}, 0, now(), n, now(), 'Pro'
        from generate_series(${from}::int, ${to}::int) n`
    await insert(1, 150, true)
    await insert(201, 350, false)
    const { reached, control } = await readWaves(database.app, PLATFORM, changeId, "unit-7" as TenantId)
    expect([reached.tenants, control.tenants]).toEqual([150, 150])
    expect(reached.sample.map(({ after }) => after.requests)).toEqual(
      Array.from({ length: SAMPLE_MAX }, (_, n) => 150 - n),
    )
    expect(control.sample.map(({ after }) => after.requests)).toEqual(
      Array.from({ length: SAMPLE_MAX }, (_, n) => 350 - n),
    )
    const { tenant } = await readWaves(database.app, PLATFORM, changeId, "unit-7" as TenantId)
    expect(tenant?.after).toEqual(tally(7, 0))
  })
})
