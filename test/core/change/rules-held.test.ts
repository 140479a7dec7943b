import { describe, expect, test } from "vitest"
import type { PolicyDocument } from "../../../core/change/policy.ts"
import { POLICY_KEY } from "../../../core/change/policy.ts"
import { type ScopeId, tierScope } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import type { LayerEntries } from "../../../core/release/view.ts"
import type { Rule } from "../../../core/rule/rule.ts"
import { engineer, manager, officer } from "./people.ts"
import { actor, canary, candidateValue, person } from "./rollouts.ts"
import { editing, key, World } from "./world.ts"

const POOL: Rule = {
  id: "pool-bounds",
  description: "The pool's minimum is at most its maximum.",
  require: { "<=": [{ var: "min" }, { var: "max" }] },
}
const REGION: Rule = { id: "region", description: "There is a region.", forbid: { missing: ["region"] } }

const NONE: Rule = { id: "none", description: "Some are kept.", forbid: { "===": [{ var: "max" }, 0] } }

const layer = (name: LayerEntries["layer"], values: Record<string, Json>, locked = false): LayerEntries => ({
  layer: name,
  entries: new Map(
    Object.entries(values).map(([name, value]) => [
      key(name),
      { value, version: 1, ...(locked && { locked }) },
    ]),
  ),
})
const inheriting = (scope: string, document: PolicyDocument) => ({
  scope: scope as ScopeId,
  version: 1,
  locked: false,
  document,
})
const refuse = (world: World, values: Record<string, Json>, rest = {}) =>
  world.refuse(world.submitCommand(editing(values), rest))

describe("a rule of one's own", () => {
  test("refuses a change that would break it, naming it, what it is about, and nothing of any value", () => {
    const world = new World()
    world.set({ min: 1, max: 5 })
    world.setRules([POOL, { ...POOL, id: "twin" }])
    const refused = refuse(world, { min: 666 })
    expect(refused).toMatchObject({
      code: "RULE_BROKEN",
      detail: "It would break 2 rules: pool-bounds, twin.",
    })
    expect(refused.errors).toMatchObject([
      { path: "min", rule: "pool-bounds", scope: "acme-corp", keys: ["min", "max"] },
      { rule: "twin" },
    ])
    expect(JSON.stringify(refused)).not.toContain("666")
    world.set({ min: 666, max: 667 })
    expect(world.refuse(world.submitCommand([{ key: key("max"), delete: true }])).code).toBe("RULE_BROKEN")
    world.set({ other: 1 })
  })

  test("is refused itself where what exists breaks it, on either arm, and taken once that is mended", () => {
    const world = new World()
    world.set({ min: 9, max: 5, other: 1 })
    const rules = (of: readonly Rule[]) =>
      world.submitCommand([{ key: POLICY_KEY, value: { rules: of } as unknown as Json, part: "rules" }])
    expect(world.refuse(rules([POOL])).errors).toMatchObject([{ rule: "pool-bounds", keys: ["min", "max"] }])
    world.set({ min: 4 })
    const rolling = world.set({ max: 3 }, canary)
    expect(world.refuse(rules([POOL])).errors?.[0]?.message).toContain(`beside what ${rolling} rolls out`)
    world.do({ type: "abort", changeId: rolling, by: person })
    world.do(rules([POOL]))
    expect(world.policies[0]?.document).toEqual({ rules: [POOL] })
  })

  test("is asked again when what waited starts: what breaks it by then is cancelled, and says by what", () => {
    const world = new World({ environment: "Production" })
    world.policy = { ...world.policy, strategy: { type: "direct" } }
    const approve = (id: ReturnType<World["set"]>) => world.approve(id, engineer, manager, officer)
    approve(world.set({ min: 1, max: 5 }))
    approve(world.setRules([POOL]))
    const [low, high] = [world.set({ max: 2 }), world.set({ min: 4 })]
    approve(low)
    approve(high)
    expect([world.stateOf(low), world.stateOf(high)]).toEqual(["live", "cancelled"])
    expect(world.change(high).status).toMatchObject({
      reason: "invalid",
      detail: "RULE_BROKEN: It would break a rule: pool-bounds.",
    })
  })

  test("holds for what rolls out and for what goes live beside it", () => {
    const world = new World()
    world.set({ min: 1, max: 5 })
    world.setRules([POOL])
    expect(refuse(world, { min: 6 }, canary).code).toBe("RULE_BROKEN")
    const rolling = world.set({ min: 4 }, canary)
    const refused = refuse(world, { max: 3 })
    expect(refused.errors?.[0]?.message).toContain(`beside what ${rolling} rolls out`)
    expect([world.value("max"), candidateValue(world, "min")]).toEqual([5, 4])
  })

  test("holds for those who break glass", () => {
    const world = new World({ environment: "Production" })
    const low = world.set({ max: 0 }, { strategy: { type: "direct" } })
    world.approve(
      world.set({ min: 1, other: 1 }, { strategy: { type: "direct" } }),
      engineer,
      manager,
      officer,
    )
    world.approve(world.setRules([NONE]), engineer, manager, officer)
    expect(world.refuse({ type: "break_glass", changeId: low, actor, roles: ["manager"] }).code).toBe(
      "RULE_BROKEN",
    )
    expect(world.stateOf(low)).toBe("awaiting_approval")
  })

  test("is in nobody's way who goes back, and holds again from the next change on", () => {
    const world = new World()
    world.set({ max: 5 })
    const low = world.set({ max: 2 })
    world.setRules([{ ...POOL, require: { "<=": [{ var: "max" }, 4] } }])
    world.do({ type: "rollback_to", actor, asOf: world.now, toRelease: world.moves[0]!.stable })
    expect([world.value("max"), world.stateOf(low), world.policies.length]).toEqual([5, "rolled_back", 1])
    world.set({ other: 1 })
    const [error] = refuse(world, { max: 6 }).errors ?? []
    expect(error?.rule).toBe("pool-bounds")
    world.set({ max: 3 })
  })

  test("stays when the rest of the policy is said anew or not at all, and the rest when the rules are", () => {
    const world = new World()
    world.submit([{ key: POLICY_KEY, value: { promoteFromAny: true }, part: "members" }])
    world.set({ region: "eu" })
    world.setRules([REGION])
    world.submit([{ key: POLICY_KEY, value: { expiresAfterMs: 60_000 }, part: "members" }])
    expect(world.policies[0]?.document).toEqual({ expiresAfterMs: 60_000, rules: [REGION] })
    world.submit([{ key: POLICY_KEY, delete: true, part: "members" }])
    expect(world.policies[0]?.document).toEqual({ rules: [REGION] })
    world.setRules([])
    expect(world.policies).toEqual([])
    const none = world.submitCommand([{ key: POLICY_KEY, value: { rules: [] }, part: "rules" }])
    expect(world.refuse(none).code).toBe("CHANGE_EMPTY")
  })
})

describe("a rule that is inherited", () => {
  const world = (values: Record<string, Json>, locked = false) => {
    const made = new World()
    made.policies = [inheriting("~platform", { rules: [POOL] }), inheriting("~tier.Pro", { rules: [REGION] })]
    made.farther = [layer("platform", values, locked), layer("tier", {})]
    return made
  }

  test("is asked of all layers together, as readers have them: nobody is without it by rules of their own", () => {
    const acme = world({ max: 5, region: "eu" })
    acme.setRules([{ ...POOL, require: true, when: { var: "min" } }])
    expect(refuse(acme, { min: 6 }).errors).toMatchObject([{ scope: "~platform", rule: "pool-bounds" }])
    acme.set({ min: 6, max: 7 })
    const locked = world({ max: 5, region: "eu" }, true)
    expect(refuse(locked, { min: 6, max: 7 }).errors).toMatchObject([{ scope: "~platform" }])
  })

  test("is to be mended by whoever breaks it, though it was broken before", () => {
    const acme = world({ region: "eu" })
    acme.policies = []
    acme.set({ min: 9, max: 5 })
    acme.policies = [inheriting("~platform", { rules: [POOL] })]
    acme.set({ other: 1 })
    expect(refuse(acme, { max: 6 }).errors).toMatchObject([{ scope: "~platform", rule: "pool-bounds" }])
    acme.set({ max: 10 })
  })

  test("holds nobody up who did not break it, and is not broken a second time once it holds", () => {
    const acme = world({ min: 9, max: 5 })
    acme.set({ other: 1 })
    acme.set({ max: 6 })
    acme.set({ max: 10 })
    expect(refuse(acme, { max: 8 }).errors).toMatchObject([{ scope: "~platform", rule: "pool-bounds" }])
  })

  test("is asked of the platform and the tiers themselves only where they held", () => {
    const pro = new World({ scope: tierScope("Pro") })
    pro.farther = [layer("platform", { max: 5 })]
    pro.setRules([POOL, REGION])
    expect(refuse(pro, { min: 6 }).errors).toMatchObject([{ scope: "~tier.Pro", rule: "pool-bounds" }])
    pro.set({ min: 4, other: "what its tenants bring it need not have" })
    pro.set({ region: "eu" })
    expect(pro.refuse(pro.submitCommand([{ key: key("region"), delete: true }])).code).toBe("RULE_BROKEN")
  })
})
