import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openChecksums } from "./checksums.ts"
import { createWorld, must, type World } from "./world.ts"

interface Checked {
  valid: boolean
  problem: { code: string; detail: string; errors: object[] } | null
  rules: { id: string; holds: boolean; arms: string[]; keys: string[]; failure?: string }[]
  breaking?: { tenants: number; lookedAt: number; truncated: boolean; examples: object[] }
}
interface Rule {
  id: string
  description: string
  require: object
}

const POOL: Rule = {
  id: "pool-bounds",
  description: "The pool's minimum is at most its maximum.",
  require: { "<=": [{ var: "pool.min" }, { var: "pool.max" }] },
}
const NAMED: Rule = { id: "named", description: "It has a name.", require: { "!": [{ missing: ["name"] }] } }
const FREE: Rule = { id: "free", description: "Nothing is asked.", require: { "!": [{ var: "nothing" }] } }

let world: World
let checksums: ReturnType<typeof openChecksums>
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  checksums = openChecksums(world.url("postgres"))
  acme = await world.tenant("acme", "Pro")
})
afterAll(async () => {
  await checksums.close()
  await world.close()
})

const pathOf = (scope: string, environment: string, more = "") =>
  `/api/v1/tenants/${scope}/environments/${environment}/rules${more}`
const change = (tenantId: string, environment: string, values: object, more: object = {}) => {
  const edits = Object.entries(values).map(([key, value]) => ({ key, value }))
  return must(
    world.call<{ changeId: string }>("POST", "/api/v1/changes", {
      body: { tenantId, environment, edits, strategy: { type: "direct" }, ...more },
    }),
    202,
  )
}
const put = (scope: string, environment: string, rules: Rule[], status = 200) =>
  must(world.call<Checked["problem"]>("PUT", pathOf(scope, environment), { body: { rules } }), status)

/** What a check says; it must have written nothing. */
const check = async (scope: string, environment: string, rules: unknown, token?: string) => {
  const before = await checksums.read()
  const options = { body: { rules }, ...(token === undefined ? {} : { token }) }
  const answer = await world.call<Checked>("POST", pathOf(scope, environment, "/check"), options)
  expect(await checksums.read()).toEqual(before)
  return answer
}
const checked = async (...asked: Parameters<typeof check>) => (await must(check(...asked), 200)).body

describe("a check of rules", () => {
  test("says of each whether it holds for what is there, about which configs, and what a PUT would be refused with", async () => {
    await change("acme", "Staging", { "pool.min": 5, "pool.max": 2 })
    const told = await checked("acme", "Staging", [FREE, POOL, NAMED], acme.tokens.manager)
    expect(told.rules).toEqual([
      { id: "free", description: FREE.description, keys: ["nothing"], holds: true, arms: [] },
      {
        id: "pool-bounds",
        description: POOL.description,
        keys: ["pool.min", "pool.max"],
        holds: false,
        arms: ["stable"],
      },
      { id: "named", description: NAMED.description, keys: ["name"], holds: false, arms: ["stable"] },
    ])
    const refused = (await put("acme", "Staging", [FREE, POOL, NAMED], 422)).body!
    expect([told.valid, told.problem]).toEqual([
      false,
      { code: "RULE_BROKEN", detail: refused.detail, errors: refused.errors },
    ])
    await change("acme", "Staging", { "pool.max": 7, name: "a" })
    expect(await checked("acme", "Staging", [FREE, POOL, NAMED])).toMatchObject({
      valid: true,
      problem: null,
    })
  })

  test("takes what is in force already, broken or not, for nothing to refuse anybody for", async () => {
    await put("acme", "Staging", [POOL])
    expect(await checked("acme", "Staging", [POOL])).toMatchObject({ valid: true, rules: [{ holds: true }] })
    await must(world.call("POST", "/api/v1/tenants/acme/environments/Staging/rollback", { body: {} }), 200)
    const told = await checked("acme", "Staging", [POOL, FREE])
    expect([told.valid, told.rules.map(({ holds }) => holds)]).toEqual([true, [false, true]])
  })

  test("asks each arm", async () => {
    await change("acme", "QA", { "pool.min": 1, "pool.max": 2 })
    await change("acme", "QA", { "pool.max": 0 }, { strategy: { type: "blue_green" } })
    const told = await checked("acme", "QA", [POOL])
    expect([told.valid, told.rules[0]!.arms]).toEqual([false, ["candidate"]])
  })

  test("of the platform or a tier says at which tenants one would not hold", async () => {
    await world.tenant("globex", "Pro")
    await world.tenant("hooli", "Free")
    await change("globex", "Development", { "pool.min": 5 })
    await change("hooli", "Development", { "pool.min": 5 })
    const ofTier = await checked("~tier.Pro", "Development", [POOL])
    const globex = {
      tenantId: "globex",
      rules: [
        {
          scope: "~tier.Pro",
          id: "pool-bounds",
          description: POOL.description,
          keys: ["pool.min", "pool.max"],
        },
      ],
    }
    expect(ofTier).toMatchObject({
      valid: true,
      breaking: { tenants: 1, lookedAt: 2, truncated: false, examples: [globex] },
    })
    expect((await checked("~platform", "Development", [POOL])).breaking).toMatchObject({
      tenants: 2,
      lookedAt: 3,
    })
    expect((await checked("acme", "Development", [POOL])).breaking).toBeUndefined()
  })

  test("is for those who may write rules, and refuses what is none", async () => {
    expect((await check("acme", "QA", [POOL], acme.tokens.engineer)).status).toBe(403)
    expect((await check("~platform", "QA", [POOL], acme.tokens.manager)).status).toBe(404)
    const refused = await check("acme", "QA", [{ id: "x" }])
    expect([refused.status, (refused.body as unknown as { code: string }).code]).toEqual([
      422,
      "RULE_INVALID",
    ])
  })
})

test("the preview of a promotion names the rules about it that are not in force where it goes", async () => {
  await world.tenant("umbrella", "Pro")
  await change("umbrella", "QA", { "pool.min": 1, "pool.max": 2, name: "a", other: 1 })
  await put("umbrella", "QA", [POOL, NAMED, FREE])
  await put(
    "umbrella",
    "Staging",
    [
      { ...NAMED, description: "It has another name." },
      { ...FREE, id: "elsewhere" },
    ],
    422,
  )
  await change("umbrella", "Staging", { name: "b" })
  await put("umbrella", "Staging", [{ ...NAMED, description: "It has another name." }])
  const preview = async (body: object) =>
    (
      await must(
        world.call<{ valid: boolean; rulesMissing?: object[] }>("POST", "/api/v1/changes/preview", {
          body: { tenantId: "umbrella", environment: "Staging", ...body },
        }),
        200,
      )
    ).body
  const all = await preview({ promote: { from: "QA" } })
  const pool = {
    scope: "umbrella",
    id: "pool-bounds",
    description: POOL.description,
    keys: ["pool.min", "pool.max"],
    there: "none",
  }
  const named = {
    scope: "umbrella",
    id: "named",
    description: NAMED.description,
    keys: ["name"],
    there: "other",
  }
  expect([all.valid, all.rulesMissing]).toEqual([true, [pool, named]])
  const some = await preview({ promote: { from: "QA", keys: ["pool.min", "other"] } })
  expect(some.rulesMissing).toEqual([pool])
  expect((await preview({ promote: { from: "QA", keys: ["other"] } })).rulesMissing).toEqual([])
  expect((await preview({ edits: [{ key: "pool.min", value: 3 }] })).rulesMissing).toBeUndefined()
})
