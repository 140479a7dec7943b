import fc from "fast-check"
import { expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { startPass } from "../../../core/provisioning/pass.ts"
import { ownOf, planOf } from "../../../core/provisioning/plan.ts"
import {
  advanced,
  applied,
  isUnderWay,
  type Provisioning,
  type ProvisioningEvent,
  remainsOf,
  type State,
} from "../../../core/provisioning/state.ts"
import { DEFAULT_TEMPLATE } from "../../../core/provisioning/template.ts"

const NOW_MS = 1_700_000_000_000
const TENANT = "acme-corp" as TenantId
const PRO = planOf(TENANT, "Pro", ["metrics"], DEFAULT_TEMPLATE)
const ENTERPRISE = planOf(TENANT, "Enterprise", ["metrics"], DEFAULT_TEMPLATE)
const FORMER = { deployments: { metrics: { targets: [{ url: "http://shared" }] } }, vouched: [] }
const MOVE = { sinceMs: NOW_MS - 86_400_000 }

const EVENTS: Record<ProvisioningEvent["type"], ProvisioningEvent> = {
  confirm: { type: "confirm" },
  probed: { type: "probed", probe: { nonce: 1, atMs: NOW_MS } },
  validated: { type: "validated" },
  passed: { type: "passed", pass: startPass(MOVE.sinceMs, NOW_MS) },
  moved: { type: "moved" },
  activated: { type: "activated" },
  settled: { type: "settled" },
  missed: { type: "missed", words: "no" },
  failed: { type: "failed", reason: "unhealthy", words: "no" },
  retry: { type: "retry" },
  cancel: { type: "cancel", leaveBehind: false },
  retired: { type: "retired" },
}

const apply = (before: Provisioning | null, plan = PRO, move: Provisioning["move"] = MOVE) =>
  applied(before, plan, { move, former: FORMER, nowMs: NOW_MS })
const after = (events: readonly (keyof typeof EVENTS)[], from = apply(null)): Provisioning =>
  events.reduce((before, name) => advanced(before, EVENTS[name], NOW_MS), from)

const codeOf = (work: () => unknown): string => {
  try {
    work()
    return "taken"
  } catch (error) {
    return (error as { code: string }).code
  }
}

const ACTIVE = after(["confirm", "validated", "moved", "activated", "settled"])

type Place = State | `failed ${"moving" | "activating" | "settling"}`

/** How each state is come to. */
const AT: Record<Place, Provisioning> = {
  applying: apply(null),
  validating: after(["confirm"]),
  moving: after(["confirm", "validated"]),
  activating: after(["confirm", "validated", "moved"]),
  settling: after(["confirm", "validated", "moved", "activated"]),
  active: ACTIVE,
  retiring: after(["confirm", "validated", "activated"], apply(ACTIVE, ENTERPRISE, null)),
  failed: after(["confirm", "failed"]),
  "failed moving": after(["confirm", "validated", "failed"]),
  "failed activating": after(["confirm", "validated", "moved", "failed"]),
  "failed settling": after(["confirm", "validated", "moved", "activated", "failed"]),
  cancelled: after(["cancel"]),
}

/** What each event makes of each state; whatever is not named is refused. */
const MOVES: Record<Place, Partial<Record<keyof typeof EVENTS, State>>> = {
  applying: { confirm: "validating", cancel: "cancelled" },
  validating: {
    probed: "validating",
    validated: "moving",
    missed: "validating",
    failed: "failed",
    cancel: "cancelled",
  },
  moving: { passed: "moving", moved: "activating", missed: "moving", failed: "failed", cancel: "cancelled" },
  activating: { activated: "settling", missed: "activating", failed: "failed", cancel: "cancelled" },
  settling: { passed: "settling", settled: "active", missed: "settling", failed: "failed" },
  active: {},
  retiring: { retired: "active" },
  failed: { retry: "validating", cancel: "cancelled" },
  "failed moving": { retry: "moving", cancel: "cancelled" },
  "failed activating": { retry: "validating", cancel: "cancelled" },
  "failed settling": { retry: "settling" },
  cancelled: { retired: "cancelled" },
}

test.each(Object.keys(AT) as Place[])("%s: every event moves it as it should, or is refused", (name) => {
  for (const [event, value] of Object.entries(EVENTS)) {
    const expected = MOVES[name][event as keyof typeof EVENTS]
    if (expected === undefined)
      expect(
        codeOf(() => advanced(AT[name], value, NOW_MS)),
        event,
      ).toBe("PROVISIONING_STATE")
    else expect(advanced(AT[name], value, NOW_MS).standing.state, event).toBe(expected)
  }
})

test("without metrics to bring over it is active as soon as the tenant is led there", () => {
  const without = apply(null, PRO, null)
  expect(after(["confirm", "validated"], without).standing.state).toBe("activating")
  expect(after(["confirm", "validated", "activated"], without).standing.state).toBe("active")
})

test("a plan that makes nothing waits for nobody", () => {
  expect(apply(null, planOf(TENANT, "Pro", [], DEFAULT_TEMPLATE), null).standing.state).toBe("validating")
})

test("a newer plan takes the place of one that is not over, but never while samples are still to follow", () => {
  for (const [name, at] of Object.entries(AT)) {
    if (name.endsWith("settling"))
      expect(
        codeOf(() => apply(at)),
        name,
      ).toBe("PROVISIONING_STATE")
    else expect(apply(at).number, name).toBe(at.number + 1)
  }
  const left = advanced(AT.settling, { type: "cancel", leaveBehind: true }, NOW_MS)
  expect(left.standing.state).toBe("active")
})

test("whatever happens, nothing that is in use is said to be for taking away, and nothing made is forgotten but by being told so", () => {
  const step = fc.oneof(
    fc.constantFrom(...Object.values(EVENTS)),
    fc.constantFrom("Pro" as const, "Enterprise" as const, "nothing" as const),
    fc.constant<ProvisioningEvent>({ type: "cancel", leaveBehind: true }),
  )
  const plans = {
    Pro: PRO,
    Enterprise: ENTERPRISE,
    nothing: planOf(TENANT, "Pro", [], DEFAULT_TEMPLATE),
  }
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      let at = apply(null, PRO, null)
      let led = new Set<string>()
      for (const one of steps) {
        const before = at
        try {
          at = typeof one === "string" ? apply(at, plans[one], null) : advanced(at, one, NOW_MS)
        } catch (error) {
          expect((error as { code: string }).code).toBe("PROVISIONING_STATE")
          continue
        }
        if (typeof one !== "string" && one.type === "activated") led = new Set(ownOf(at.plan))
        const remains = new Set(remainsOf(at))
        expect([...led].filter((name) => remains.has(name))).toEqual([])
        expect([...led].every((name) => at.made.includes(name))).toBe(true)
        if (typeof one === "string" || one.type !== "retired")
          expect(before.made.every((name) => at.made.includes(name))).toBe(true)
        expect(isUnderWay(at)).toBe(
          ["validating", "moving", "activating", "settling"].includes(at.standing.state),
        )
        expect(JSON.parse(JSON.stringify(at))).toEqual(at)
      }
    }),
    { numRuns: 100 },
  )
})
