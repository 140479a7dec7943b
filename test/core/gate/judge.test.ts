import { expect, test } from "vitest"
import { Ledger } from "../../../bench/verdict/ledger.ts"
import { countedOf, latencyBucket, NO_EVIDENCE } from "../../../core/gate/evidence.ts"
import { type JudgedStep, judge } from "../../../core/gate/judge.ts"
import type { Verdict } from "../../../core/gate/verdict.ts"
import type { Arm } from "../../../core/release/arms.ts"

const START = Date.parse("2026-03-01T00:00:00.000Z")
const at = (second: number) => new Date(START + second * 1_000).toISOString()
const STEP: JudgedStep = { index: 0, steps: 2, weightBp: 1_000, enteredAt: at(0), holdMs: 120_000 }

type Seen = [instance: string, arm: Arm, ok: number, errors: number]

const ledgerOf = (seen: readonly Seen[], second = 1): Ledger => {
  const ledger = new Ledger()
  for (const [instance, arm, ok, errors] of seen) ledger.add({ instance, arm, ok, errors }, at(second))
  return ledger
}
const verdictOn = (seen: readonly Seen[], second = 2, step: Partial<JudgedStep> = {}): Verdict =>
  judge(ledgerOf(seen).evidence(), { ...STEP, ...step }, at(second))

/** So many instances that are each on one arm. */
const fleet = (count: number, arm: Arm, ok: number, errors: number): Seen[] =>
  Array.from({ length: count }, (_, i) => [`${arm}-${i}`, arm, ok, errors])

test("nobody's word is nobody's word", () => {
  expect(judge(NO_EVIDENCE, STEP, at(500))).toMatchObject({ kind: "unwatched" })
  expect(verdictOn([["a", "stable", 100, 0]], 2, { weightBp: 0 })).toMatchObject({ kind: "unwatched" })
})

test("what fails both arms alike is no candidate's fault, however much it is", () => {
  expect(
    verdictOn([
      ["a", "stable", 450, 450],
      ["a", "candidate", 50, 50],
    ]).kind,
  ).toBe("healthy")
})

test("one server that serves both arms is enough to tell", () => {
  expect(
    verdictOn([
      ["a", "stable", 180, 0],
      ["a", "candidate", 10, 10],
    ]).kind,
  ).toBe("unhealthy")
})

test("a sick server that serves both arms accuses neither, even with a mixture of its own", () => {
  expect(
    verdictOn([
      ["sick", "stable", 0, 300],
      ["sick", "candidate", 0, 100],
      ["b", "stable", 900, 1],
      ["b", "candidate", 60, 0],
    ]).kind,
  ).toBe("healthy")
})

test("one sick application of many on the candidate does not roll it back; many failing do", () => {
  const others = [...fleet(90, "stable", 100, 0), ...fleet(9, "candidate", 100, 0)]
  expect(verdictOn([...others, ["sick", "candidate", 0, 500]]).kind).toBe("healthy")
  expect(verdictOn([...fleet(90, "stable", 100, 0), ...fleet(10, "candidate", 80, 20)]).kind).toBe(
    "unhealthy",
  )
})

test("a sick application on stable does not hide a bad candidate", () => {
  const seen: Seen[] = [
    ...fleet(90, "stable", 100, 0),
    ["sick", "stable", 0, 5_000],
    ...fleet(10, "candidate", 80, 20),
  ]
  expect(verdictOn(seen).kind).toBe("unhealthy")
})

test("where one or two instances are all there is, failing holds, and rolls back when nobody decides", () => {
  const seen: Seen[] = [...fleet(9, "stable", 100, 0), ["only", "candidate", 50, 50]]
  expect(verdictOn(seen).kind).toBe("hold")
  expect(verdictOn(seen, 179).kind).toBe("hold")
  expect(verdictOn(seen, 181).kind).toBe("unhealthy")
  expect(verdictOn(seen, 100_000, { holdMs: null }).kind).toBe("hold")
})

test("three instances on which everything fails end it at once, unless everything fails on stable as well", () => {
  const failing = fleet(3, "candidate", 0, 5)
  expect(verdictOn(failing).words).toBe("On 3 instances everything fails on the candidate.")
  expect(verdictOn([...failing, ...fleet(20, "stable", 0, 5)]).kind).not.toBe("unhealthy")
  expect(verdictOn(fleet(3, "candidate", 1, 5)).kind).not.toBe("unhealthy")
})

test("a configuration that cannot be used ends it at once, unless stable's cannot either", () => {
  const ledger = ledgerOf([["a", "stable", 100, 0]])
  ledger.add({ instance: "a", arm: "candidate", ok: 0, errors: 0, guard: "invalid" }, at(1))
  expect(judge(ledger.evidence(), STEP, at(2)).kind).toBe("unhealthy")
  ledger.add({ instance: "a", arm: "stable", ok: 0, errors: 0, guard: "invalid" }, at(1))
  expect(judge(ledger.evidence(), STEP, at(2)).kind).toBe("hold")
})

test("a suspicion holds until more is known", () => {
  const seen: Seen[] = [
    ["a", "stable", 1_800, 6],
    ["a", "candidate", 193, 7],
  ]
  const verdict = verdictOn(seen)
  expect(verdict.kind).toBe("hold")
  expect(verdict.numbers.likelihoodRatio).toBeGreaterThanOrEqual(50)
  expect(verdict.numbers.likelihoodRatio).toBeLessThan(verdict.numbers.rollBackAt)
})

test("the more steps a plan has, the more each asks before it acts", () => {
  const seen: Seen[] = [
    ["a", "stable", 180, 0],
    ["a", "candidate", 15, 5],
  ]
  expect(verdictOn(seen, 2, { steps: 1 }).kind).toBe("unhealthy")
  expect(verdictOn(seen, 2, { steps: 20 }).kind).toBe("hold")
})

test("few instances, each on one arm, may all be on stable: only the last step may not be passed unheard", () => {
  const ledger = ledgerOf(fleet(5, "stable", 100, 0), 1)
  for (const [instance, arm, ok, errors] of fleet(5, "stable", 500, 0))
    ledger.add({ instance, arm, ok, errors }, at(119))
  expect(judge(ledger.evidence(), STEP, at(120)).kind).toBe("unwatched")
  expect(judge(ledger.evidence(), { ...STEP, index: 1 }, at(120)).kind).toBe("hold")
  for (const [instance, arm, ok, errors] of fleet(5, "stable", 500, 0))
    ledger.add({ instance, arm, ok, errors }, at(185))
  expect(judge(ledger.evidence(), { ...STEP, index: 1 }, at(186)).kind).toBe("unhealthy")
})

test("a report counts for no more than a thousand requests, its shares as they were", () => {
  expect(countedOf({ ok: 300_000, errors: 100_000 })).toMatchObject({ ok: 750, errors: 250 })
  expect(countedOf({ ok: 3, errors: 1 })).toMatchObject({ ok: 3, errors: 1 })
  expect(countedOf({ ok: 0, errors: 0, latency: [[10, 9_000]] }).latency[latencyBucket(10)]).toBe(1_000)
})

test("times fall into buckets whose bounds rise by the root of two", () => {
  expect([0.1, 1, 1.2, 2, 2.1, 4, 46_000, 3_600_000].map(latencyBucket)).toEqual([0, 0, 1, 2, 3, 4, 31, 32])
})
