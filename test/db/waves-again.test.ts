import fc from "fast-check"
import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { OutcomeReport } from "../../core/gate/evidence.ts"
import { PLATFORM, type TenantId, type TokenId } from "../../core/ids.ts"
import { openDatabase } from "../../db/client.ts"
import { recordOutcomes } from "../../db/queries/gate.ts"
import { readWaves } from "../../db/queries/waves.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { startWire } from "../support/wire.ts"
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

test("hearing of a wave and reading what is known of it is one round trip", async () => {
  const { environment, tenant, report } = await world()
  const id = await tenant("counted")
  await startRollout(database.app, PLATFORM, { audience: { tenants: [id] } }, environment)
  const reports = [await report(id, [1, 0]), await report(id, [1, 0])]
  const wire = await startWire(database.url("hotswap_app"))
  const counted = openDatabase({ url: wire.url, applicationName: "counted", max: 1 })
  try {
    const hear = (one: OutcomeReport) =>
      recordOutcomes(counted, {
        tenantId: id,
        environment,
        tokenId: `${id}:tok_0` as TokenId,
        reports: [one],
        at: minute(0),
      })
    await hear(reports[0]!)
    wire.roundTrips()
    expect(await hear(reports[1]!)).toMatchObject({
      waves: { evidence: { tenant: { recent: tally(2, 0) } } },
    })
    expect(wire.roundTrips()).toBe(1)
  } finally {
    await counted.close()
    await wire.close()
  }
})

describe("bringing reports again", () => {
  const shape = fc.record({
    instance: fc.constantFrom("a", "b", "c"),
    seq: fc.integer({ min: 1, max: 12 }),
    ok: fc.nat(20),
    errors: fc.nat(20),
    old: fc.boolean(),
  })

  test("alters nothing, however often and by however many at once, and however it is cut into batches", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(shape, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 3 }),
        async (cut) => {
          const { environment, tenant, revision, record } = await world()
          const [one, other] = [await tenant("one"), await tenant("two")]
          const before = new Map([
            [one, await revision(one)],
            [other, await revision(other)],
          ])
          const { changeId } = await startRollout(
            database.app,
            PLATFORM,
            { audience: { tenants: [one, other] } },
            environment,
          )
          const reportsOf = async (id: TenantId, batch: (typeof cut)[number]) => {
            const now = await revision(id)
            return batch.map(
              ({ old, ...rest }): OutcomeReport => ({
                ...rest,
                arm: "stable",
                revision: old ? before.get(id)! : now,
              }),
            )
          }
          for (const batch of cut) {
            const reports = await reportsOf(one, batch)
            await record(one, reports)
            await Promise.all([record(one, reports), record(one, reports), record(one, reports)])
          }
          await record(other, await reportsOf(other, cut.flat()))
          const last = { instance: "a", seq: 99, ok: 1, errors: 0, old: false } as const
          for (const id of [one, other]) await record(id, await reportsOf(id, [last]))
          const known = async (id: TenantId) => {
            const { recent, instances, failing } = (await readWaves(database.app, PLATFORM, changeId, id))
              .tenant!
            const [usual] = await admin`select ok, errors from hotswap.gate_baselines where tenant_id = ${id}`
            return { recent, instances, failing, ...usual }
          }
          expect(await known(one)).toEqual(await known(other))
        },
      ),
      { numRuns: 12, seed: 2 },
    )
  })

  test("of one report brought by many at once, one counts", async () => {
    const { environment, tenant, report, record, send } = await world()
    const id = await tenant("many")
    await send(id, [1, 0])
    const { changeId } = await startRollout(
      database.app,
      PLATFORM,
      { audience: { tenants: [id] } },
      environment,
    )
    // The first rounds open the connections and make the rows that the others wait for.
    for (let round = 1; round <= 6; round++) {
      const reports = [await report(id, [3, 1]), await report(id, [3, 1])]
      const answers = await Promise.all(Array.from({ length: 10 }, () => record(id, reports)))
      expect(answers.filter(({ ignored }) => ignored.length === 0).length).toBe(1)
      const { tenant: seen } = await readWaves(database.app, PLATFORM, changeId, id)
      expect(seen?.recent).toEqual(tally(8 * round, 2 * round))
    }
  })

  test("many tenants at once are all counted", async () => {
    const { environment, tenant, send } = await world()
    const ids = await Promise.all(Array.from({ length: 12 }, (_, n) => tenant(`crowd${n}`)))
    const { changeId } = await startRollout(database.app, PLATFORM, { weightBp: 10_000 }, environment)
    await Promise.all(ids.map((id) => send(id, [9, 1])))
    const { reached } = await readWaves(database.app, PLATFORM, changeId)
    expect(reached).toMatchObject({ tenants: 12, requests: 120 })
    expect(reached.sample.map(({ recent }) => recent)).toEqual(ids.map(() => tally(10, 1)))
  })

  test("one token speaks for so many instances, a tenant for so many in all; more are told so", async () => {
    const { environment, tenant, revision, record } = await world()
    const id = await tenant("instances")
    await startRollout(database.app, PLATFORM, { audience: { tenants: [id] } }, environment)
    const here = await revision(id)
    const crowd = (from: number, count: number): OutcomeReport[] =>
      Array.from({ length: count }, (_, i) => ({
        revision: here,
        arm: "stable",
        instance: `i-${from + i}`,
        seq: 1,
        ok: 1,
        errors: 0,
      }))
    const refused = async (token: string, from: number, count: number) => {
      const { ignored } = await record(id, crowd(from, count), minute(0), token)
      return ignored.filter(({ reason }) => reason === "too_many_instances").length
    }
    expect(await refused("0", 0, 495)).toBe(0)
    expect(await refused("0", 495, 10)).toBe(5)
    expect(await refused("1", 600, 500)).toBe(0)
    expect(await refused("2", 2_000, 10)).toBe(10)
  })
})
