import fc from "fast-check"
import type { Stage, Strategy } from "../../../core/change/change.ts"
import type { Command, EditInput } from "../../../core/change/command.ts"
import { type FreezeWindow, POLICY_KEY, type PolicyDocument } from "../../../core/change/policy.ts"
import { type ChangeId, isTenant, PLATFORM, type TenantId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import {
  admin,
  alice,
  alicesHelper,
  bob,
  bobsHelper,
  carol,
  dan,
  engineer,
  manager,
  officer,
} from "./people.ts"
import { DIRECT, key, MINUTE_MS, type World } from "./world.ts"

const PEOPLE = [alice, bob, carol, dan, alicesHelper, bobsHelper, engineer, manager, officer, admin]
const KEYS = ["a", "b", "c", "d"].map(key)
/** Must be found in no audit entry and no notice: values are configuration, and configuration is not for either. */
export const SENTINEL = "not-for-the-audit"
const CANARY: Strategy = {
  type: "canary",
  steps: [
    { weightBp: 0, holdMs: null },
    { weightBp: 1_000, holdMs: MINUTE_MS },
    { weightBp: 5_000, holdMs: 2 * MINUTE_MS },
  ],
}
const BLUE_GREEN: Strategy = { type: "blue_green", bakeMs: MINUTE_MS }
const tenants = (...names: string[]) => names as TenantId[]
const WAVES: Strategy = {
  type: "rolling",
  waves: [
    { tenants: tenants("t0", "t1"), holdMs: MINUTE_MS },
    { tier: "Pro", holdMs: null },
    { weightBp: 3_000 },
    { weightBp: 10_000, holdMs: MINUTE_MS },
  ],
}
export const gradualFor = ({ scope }: World, number: number): Strategy =>
  isTenant(scope) ? (number % 2 === 0 ? CANARY : BLUE_GREEN) : WAVES

export const CHAINS: readonly (readonly Stage[])[] = [
  [],
  [{ role: "manager", required: 1 }],
  [{ role: "engineer", required: 2 }],
  [
    { role: "engineer", required: 1 },
    { role: "compliance", required: 1 },
  ],
]

/** From 12:01 and before 12:06, every day; and the whole of 2 March. */
const FREEZES: readonly FreezeWindow[] = [
  {
    name: "noon",
    timeZone: "UTC",
    days: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    from: "12:01",
    until: "12:06",
  },
  { name: "second", timeZone: "UTC", from: "2026-03-02T00:00", until: "2026-03-03T00:00" },
]
const MONTH_BEGINS_MS = Date.parse("2026-03-01T00:00:00.000Z")
const DAY_MS = 24 * 3_600_000

/** The like by arithmetic. */
export const isFrozen = (windows: readonly FreezeWindow[], nowMs: number): boolean => {
  const dayMs = (nowMs - MONTH_BEGINS_MS) % DAY_MS
  const day = Math.floor((nowMs - MONTH_BEGINS_MS) / DAY_MS)
  return windows.some(({ name }) =>
    name === "noon" ? dayMs >= 721 * MINUTE_MS && dayMs < 726 * MINUTE_MS : day === 1,
  )
}

const documentOf = (world: World, number: number, isFlagged: boolean): PolicyDocument => ({
  stages: CHAINS[number % CHAINS.length]!,
  ...(number % 3 === 0 ? { freezes: FREEZES.slice(0, 1 + (number % 2)) } : {}),
  ...(number % 5 === 1 ? { freezes: [] } : {}),
  ...(number % 4 === 1 ? { allowedStrategies: ["direct"] } : {}),
  ...(number % 4 === 2 ? { strategy: gradualFor(world, number) } : {}),
  ...(number % 5 === 2 ? { breakGlass: [] } : {}),
  ...(number % 5 === 3 ? { breakGlass: ["engineer", "manager"] } : {}),
  ...(isFlagged ? { remindEveryMs: number % 2 === 0 ? null : MINUTE_MS } : {}),
  ...(number % 6 === 4 ? { rollbackWindowMs: 3 * MINUTE_MS, gate: { requestsMin: 5 } } : {}),
})

export const step = fc.record({
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom("submit", "submit", "approve", "approve", "approve") },
    { weight: 5, arbitrary: fc.constantFrom("tick", "sweep", "pass", "advance", "advance", "clock") },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        "reject",
        "cancel",
        "pause",
        "resume",
        "abort",
        "verdict",
        "rollback",
        "rollback_to",
        "rollback_to",
        "withdraw",
        "signal",
        "trip",
        "trip",
      ),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "break_glass",
        "review",
        "tier",
        "comment",
        "remind",
        "inherit",
        "policy",
        "policy",
        "elsewhere",
      ),
    },
  ),
  who: fc.nat(PEOPLE.length - 1),
  /** Which change, counted from the newest. */
  which: fc.nat(4),
  keys: fc.uniqueArray(fc.nat(KEYS.length - 1), { minLength: 1, maxLength: 3 }),
  number: fc.nat(11),
  isFlagged: fc.boolean(),
})
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

const OF_ROLLOUT = ["advance", "clock", "pause", "resume", "abort", "verdict", "signal", "trip"]

/** The change a command is about: the one it makes sense for, or just any. */
const aim = ({ changes, pointer }: World, { what, which, isFlagged }: Step): ChangeId | undefined => {
  const any = [...changes.keys()].at(-1 - which)
  if (!isFlagged && what !== "trip") return any
  if (what === "rollback") return pointer.stableChangeId ?? any
  if (what === "approve")
    return [...changes].find(([, { change }]) => change.status.state === "awaiting_approval")?.[0] ?? any
  return OF_ROLLOUT.includes(what) ? (pointer.candidate?.changeId ?? any) : any
}

const submission = (world: World, { who, keys, number, isFlagged }: Step): Command =>
  world.submitCommand(
    keys.map((index): EditInput => {
      const input = { key: KEYS[index]! }
      return number % 4 === 3 ? { ...input, delete: true } : { ...input, value: `${SENTINEL} ${number}` }
    }),
    {
      ...(number % 3 === 0 ? { strategy: gradualFor(world, number) } : {}),
      ...(number % 3 === 1 ? { strategy: DIRECT } : {}),
      ...(number > 9 ? { startAt: new Date(world.nowMs + MINUTE_MS).toISOString() } : {}),
      approvalRequired: isFlagged && number % 5 === 0,
    },
    PEOPLE[who],
  )

const rollbackTo = (world: World, { who, which, number, isFlagged }: Step): Command => {
  const { actor } = PEOPLE[who]!
  const toRelease = world.history.at(-1 - which)?.stable
  if (isFlagged && toRelease) return { type: "rollback_to", actor, toRelease }
  if (number % 3 === 0) return { type: "rollback_to", actor }
  const ago = [1, MINUTE_MS, 10 * MINUTE_MS, 30 * 3_600_000][number % 4]!
  return { type: "rollback_to", actor, asOf: new Date(world.nowMs - ago).toISOString() }
}

export const commandOf = (world: World, each: Step): Command | null => {
  const { what, who, which, number, isFlagged } = each
  const { actor, roles } = PEOPLE[who]!
  if (what === "submit") return submission(world, each)
  if (what === "policy") {
    const value = documentOf(world, number, isFlagged) as unknown as Json
    const edit = number === 11 ? { key: POLICY_KEY, delete: true as const } : { key: POLICY_KEY, value }
    return world.submitCommand([edit], {}, PEOPLE[who])
  }
  if (what === "rollback_to") return rollbackTo(world, each)
  if (what === "tier")
    return isTenant(world.scope) ? { type: "tier", tier: isFlagged ? "Free" : "Pro", actor } : null
  const changeId = aim(world, each)
  if (changeId === undefined) return null
  const stepSeen = isFlagged ? (world.pointer.candidate?.step ?? 0) : number % 3
  switch (what) {
    case "approve":
      return { type: "approve", changeId, actor, roles }
    case "advance":
      return { type: "advance", changeId, step: stepSeen, by: { kind: "person", actor } }
    case "clock":
      return { type: "advance", changeId, step: stepSeen, by: { kind: "clock" } }
    case "abort":
      return { type: "abort", changeId, by: { kind: "person", actor } }
    case "verdict":
      return { type: "abort", changeId, by: { kind: "clock" }, reason: "unhealthy" }
    case "comment":
      return { type: "comment", changeId, actor, text: `${SENTINEL}, says ${number}` }
    case "signal": {
      const verdict = (["hold", "hold", "healthy", "unhealthy"] as const)[number % 4]!
      return { type: "signal", changeId, actor, verdict, source: "alarms", summary: `Slow ${number % 2}.` }
    }
    case "trip": {
      const tenantId = `t${number % 4}` as TenantId
      const at = number < 11 ? (world.pointer.candidate?.step ?? 0) : stepSeen
      return { type: "trip", changeId, tenantId, step: at, words: "It fails.", reached: which }
    }
    case "break_glass":
      return { type: what, changeId, actor, roles }
    case "reject":
    case "cancel":
    case "pause":
    case "resume":
    case "rollback":
    case "review":
    case "withdraw":
    case "remind":
      return { type: what, changeId, actor }
    case "tick":
      return { type: "tick", changeId }
    default:
      return null
  }
}

/** Somebody else's policy changes: nothing of this scope is written. */
export const inherit = (world: World, { number, isFlagged, who }: Step): void => {
  if (world.scope === PLATFORM) return
  const own = world.policies.filter(({ scope }) => scope === world.scope)
  const version = world.rev + 1
  const document = documentOf(world, number, isFlagged)
  world.policies =
    number === 11 ? own : [{ scope: PLATFORM, version, locked: who % 2 === 0, document }, ...own]
}
