import { expect, test } from "vitest"
import { playSwitches, tallySwitches } from "../../../bench/verdict/blue-green.ts"
import { playPlatforms, tallyPlatforms } from "../../../bench/verdict/platform-tally.ts"
import type { JudgedStep } from "../../../core/gate/judge.ts"
import {
  type ControlEvidence,
  NO_WAVE_EVIDENCE,
  type TenantEvidence,
  type WaveEvidence,
} from "../../../core/gate/waves.ts"
import { judgeTenant, judgeWaves } from "../../../core/gate/waves-judge.ts"
import type { TenantId } from "../../../core/ids.ts"

const at = (second: number) => new Date(Date.parse("2026-03-01T00:00:00Z") + second * 1_000).toISOString()
const STEP: JudgedStep = { index: 0, weightBp: 1_000, steps: 3, enteredAt: at(0), holdMs: 60_000 }
const NOW = at(20)

const tally = (requests: number, errors: number) => ({ requests, errors })

const tenant = (more: Partial<TenantEvidence> = {}): TenantEvidence => ({
  tenantId: "acme" as TenantId,
  tier: "Pro",
  before: tally(1_000, 5),
  earlier: tally(0, 0),
  veteran: false,
  after: tally(400, 2),
  recent: tally(100, 1),
  unusable: 0,
  instances: 4,
  failing: 0,
  lastAt: NOW,
  ...more,
})

const control = (after = tally(400, 2), count = 20): ControlEvidence[] =>
  Array.from({ length: count }, () => ({ tier: "Pro", before: tally(1_000, 5), after }))

const evidence = (
  reached: readonly TenantEvidence[],
  others: readonly ControlEvidence[] = control(),
  more: Partial<WaveEvidence> = {},
): WaveEvidence => ({
  since: at(1),
  reached: {
    tenants: reached.length,
    requests: reached.reduce((sum, { after, recent }) => sum + after.requests + recent.requests, 0),
    lastAt: NOW,
    sample: reached,
  },
  control: { tenants: others.length, requests: 400 * others.length, lastAt: NOW, sample: others },
  unheard: { tenants: 0, before: tally(0, 0) },
  tenant: reached[0] ?? null,
  ...more,
})

const FAILED = { after: tally(400, 60), recent: tally(100, 15) }
const kindOf = (given: WaveEvidence) => judgeTenant(given, STEP, NOW).kind

test("a tenant that fails more than it used to, while others do not, is taken out", () => {
  expect(kindOf(evidence([tenant(FAILED)]))).toBe("unhealthy")
  expect(kindOf(evidence([tenant()]))).toBe("healthy")
})

test("what befalls those that no wave has reached is not the candidate's doing", () => {
  expect(kindOf(evidence([tenant(FAILED)], control(tally(400, 50))))).toBe("healthy")
  // One of them that is sick by itself excuses nobody.
  const [sick] = control(tally(400, 300), 1)
  expect(kindOf(evidence([tenant(FAILED)], [...control(), sick!]))).toBe("unhealthy")
})

test("trouble of one tier is told by the few that are of it", () => {
  const free = control(tally(400, 60), 2).map((one) => ({ ...one, tier: "Free" as const }))
  expect(kindOf(evidence([tenant({ ...FAILED, tier: "Free" })], [...control(), ...free]))).toBe("healthy")
})

test("what is over is not held against the candidate, and one report alone convicts nobody", () => {
  expect(kindOf(evidence([tenant({ ...FAILED, recent: tally(100, 1) })]))).toBe("healthy")
  expect(kindOf(evidence([tenant({ after: tally(0, 0), recent: tally(400, 400) })]))).toBe("healthy")
})

test("when everyone is reached, those reached earlier tell what befalls all", () => {
  const veterans = Array.from({ length: 5 }, (_, i) =>
    tenant({ tenantId: `old-${i}` as TenantId, veteran: true, earlier: tally(500, 3) }),
  )
  expect(kindOf(evidence([tenant(FAILED), ...veterans], []))).toBe("unhealthy")
  const ill = veterans.map((one) => ({ ...one, ...FAILED }))
  expect(kindOf(evidence([tenant(FAILED), ...ill], []))).toBe("healthy")
  // Nobody tells a veteran; it is held until a person decides, or nobody has for three minutes.
  const alone = evidence([tenant({ ...FAILED, veteran: true, earlier: tally(500, 3) })], [])
  expect(kindOf(alone)).toBe("hold")
  expect(judgeTenant(alone, STEP, at(60 + 180)).kind).toBe("unhealthy")
})

test("without a past and without others only the guards speak", () => {
  const unknown = { before: tally(0, 0) }
  expect(kindOf(evidence([tenant({ ...unknown, ...FAILED })], []))).toBe("unwatched")
  expect(kindOf(evidence([tenant({ ...unknown, failing: 3 })], []))).toBe("unhealthy")
  expect(kindOf(evidence([tenant({ ...unknown, unusable: 2 })], []))).toBe("unhealthy")
  expect(kindOf(evidence([tenant({ ...unknown, unusable: 1 })], []))).toBe("hold")
})

test("the waves wait for enough reports, are held while a tenant may be failed, and go on unwatched where nobody reports", () => {
  const wavesAt = (given: WaveEvidence, second: number) => judgeWaves(given, STEP, at(second)).kind
  expect(wavesAt(evidence([tenant()]), 20)).toBe("healthy")
  expect(wavesAt(evidence([tenant(FAILED), tenant()]), 20)).toBe("hold")
  expect(wavesAt(evidence([tenant({ after: tally(5, 0), recent: tally(5, 0) })]), 20)).toBe("waiting")
  expect(wavesAt(evidence([tenant({ after: tally(5, 0), recent: tally(5, 0) })]), 361)).toBe("unwatched")
  expect(wavesAt(NO_WAVE_EVIDENCE, 20)).toBe("unwatched")
  expect(wavesAt(evidence([]), 20)).toBe("unwatched")
})

test("a verdict's words fit what was counted: one tenant, several, or nothing that is old enough", () => {
  const [one, two] = [[tenant()], [tenant(), tenant({ tenantId: "globex" as TenantId })]]
  expect(judgeWaves(evidence(one), STEP, NOW).words).toBe(
    "One tenant reports the candidate, which does not fail it.",
  )
  expect(judgeWaves(evidence(two), STEP, NOW).words).toMatch(/^2 tenants report the candidate/)
  expect(judgeTenant(evidence(one), STEP, NOW).words).toContain("2 of 400 requests failed")
  const unsettled = judgeTenant(evidence([tenant({ after: tally(0, 0) })]), STEP, NOW)
  expect(unsettled.words).toMatch(/^Nothing yet that this tenant reported .* is old enough/)
})

test("those reached falling silent while others report holds the waves, and in the end takes everyone back", () => {
  const quietFor = (seconds: number) => {
    const others = { tenants: 20, requests: 8_000, lastAt: at(20 + seconds), sample: control() }
    const { reached } = evidence([tenant()])
    return judgeWaves(evidence([tenant()], [], { reached, control: others }), STEP, at(20 + seconds)).kind
  }
  expect([quietFor(10), quietFor(40), quietFor(181)]).toEqual(["healthy", "hold", "unhealthy"])
})

test("simulated platforms: bad waves are taken back, good ones are not, through outages and sick tenants", () => {
  const { precision, recall, falseAlarms } = tallyPlatforms(playPlatforms(24, 7))
  expect({ precision, recall, falseAlarms }).toEqual({ precision: 1, recall: 1, falseAlarms: 0 })
})

test("simulated switches: most bad ones are switched back, and good ones seldom", () => {
  const { falseAlarms, recall } = tallySwitches(playSwitches(40, 7))
  expect(falseAlarms).toBeLessThanOrEqual(1)
  expect(recall).toBeGreaterThan(0.9)
})
