import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { Ledger } from "../../bench/verdict/ledger.ts"
import type { OutcomeReport } from "../../core/gate/evidence.ts"
import type { TokenId } from "../../core/ids.ts"
import { type Database, openDatabase } from "../../db/client.ts"
import { readGate, recordOutcomes } from "../../db/queries/gate.ts"
import { type Canary, createGateWorld, type GateWorld } from "../functions/outcomes/world.ts"
import { startWire, type Wire } from "../support/wire.ts"

let world: GateWorld
let rollout: Canary
let revision: string
let wire: Wire
let counted: Database
beforeAll(async () => {
  world = await createGateWorld()
  rollout = await world.canary("counted")
  revision = await rollout.revision()
  wire = await startWire(world.url("hotswap_app"))
  counted = openDatabase({ url: wire.url, applicationName: "counted", max: 1 })
})
afterAll(async () => {
  await counted.close()
  await wire.close()
  await world.close()
})

const TOKEN = "counted:tok_0" as TokenId
const record = (
  database: Database,
  tenant: Pick<Canary, "tenantId">,
  reports: readonly OutcomeReport[],
  { at = "2026-03-01T00:00:00.000Z", tokenId = TOKEN } = {},
) =>
  recordOutcomes(database, {
    tenantId: tenant.tenantId as never,
    environment: "QA" as never,
    tokenId,
    reports,
    at,
  })

test("recording a batch and reading what it comes to is one round trip", async () => {
  const report = (seq: number): OutcomeReport => ({
    revision,
    arm: "stable",
    instance: "i",
    seq,
    ok: 1,
    errors: 0,
  })
  await record(counted, rollout, [report(1)])
  wire.roundTrips()
  await record(counted, rollout, [report(2), report(3)])
  expect(wire.roundTrips()).toBe(1)
})

const report = fc.record({
  arm: fc.constantFrom("stable" as const, "candidate" as const),
  instance: fc.constantFrom("a", "b", "c", "d"),
  ok: fc.nat(3_000),
  errors: fc.nat(3_000),
  latency: fc.array(fc.tuple(fc.integer({ min: 1, max: 90_000 }), fc.nat(50)), { maxLength: 3 }),
  guard: fc.constantFrom("unparsable" as const, undefined),
})

test("the database gathers the very evidence that the simulation is judged by, however it is cut into batches", async () => {
  let tenant = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(report, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
      async (batches) => {
        tenant += 1
        const one = await world.canary(`same-${tenant}`)
        const here = await one.revision()
        const ledger = new Ledger()
        let seq = 0
        for (const [index, batch] of batches.entries()) {
          const at = `2026-03-01T00:00:0${index}.000Z`
          const reports = batch.map(({ guard, ...rest }): OutcomeReport => {
            seq += 1
            return { revision: here, seq, ...rest, ...(guard ? { guard } : {}) }
          })
          for (const each of reports) ledger.add(each, at)
          await record(world.app, one, reports, { at })
        }
        const kept = await readGate(world.app, one.tenantId as never, one.changeId as never, 0)
        expect(comparable(kept)).toEqual(comparable(ledger.evidence()))
      },
    ),
    { numRuns: 15, seed: 1 },
  )
})

type Evidence = ReturnType<Ledger["evidence"]>
const comparable = ({ since, groups, arms, pairedExpected }: Evidence) => ({
  since: since && Date.parse(since),
  groups: groups.map((group) => JSON.stringify(Object.entries(group).sort())).sort(),
  arms: Object.entries(arms).map(([arm, { lastAt, ...rest }]) => ({
    arm,
    ...rest,
    lastAt: lastAt && Date.parse(lastAt),
  })),
  pairedExpected: Math.round(pairedExpected * 1e6),
})

test("one token speaks for so many instances, a step for so many in all; more are told so", async () => {
  const crowded = await world.canary("crowded")
  const here = await crowded.revision()
  const crowd = (from: number, count: number): OutcomeReport[] =>
    Array.from({ length: count }, (_, i) => ({
      revision: here,
      arm: "stable",
      instance: `i-${from + i}`,
      seq: 1,
      ok: 1,
      errors: 0,
    }))
  const tooMany = async (tokenId: string, from: number, count: number) => {
    const recorded = await record(world.app, crowded, crowd(from, count), { tokenId: tokenId as TokenId })
    if (recorded.kind !== "recorded") throw new Error(recorded.kind)
    return recorded.ignored.filter(({ reason }) => reason === "too_many_instances").length
  }
  expect(await tooMany("crowded:tok_0", 0, 500)).toBe(0)
  expect(await tooMany("crowded:tok_0", 500, 10)).toBe(10)
  expect(await tooMany("crowded:tok_1", 500, 500)).toBe(0)
  expect(await tooMany("crowded:tok_2", 1_000, 10)).toBe(10)
})
