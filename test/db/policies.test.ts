import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Commit, LayerPolicy } from "../../core/change/scope-state.ts"
import type { Environment } from "../../core/environment.ts"
import { PLATFORM, type ScopeId, tierScope } from "../../core/ids.ts"
import { readPolicies } from "../../db/queries/policies.ts"
import { readPointer, readPointerAsOf } from "../../db/queries/reading.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { DEVELOPMENT, directCommit, makeTenant, newChangeId, PRODUCTION, tenantId } from "./fixtures.ts"
import { loadState, rollingCommit, startRollout } from "./rollouts.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const PRO = tierScope("Pro")
const FREE = tierScope("Free")
/** Each test of shared scopes has an environment of its own: rollouts there are in each other's way. */
let made = 0
const freshEnvironment = (): Environment => {
  made += 1
  return `Stage${made}` as Environment
}

const policy = (version: number, strategy: "direct" | "canary" = "direct") => ({
  version,
  locked: false,
  document: { allowedStrategies: [strategy] },
})

const set = async (scope: ScopeId, environment: Environment, own: Commit["policy"]) => {
  const state = await loadState(database.app, scope, environment)
  const { policy: _, ...commit } = directCommit(state, "k", 1)
  const done = await commitScope(database.app, own === undefined ? commit : { ...commit, policy: own })
  expect(done.kind).toBe("committed")
}

describe("policies", () => {
  test("a scope is loaded with its own policy and those above it, farthest first, of no other scope or environment", async () => {
    const environment = freshEnvironment()
    const id = tenantId("layered")
    await makeTenant(database.app, id, "Pro")
    await makeTenant(database.app, "layered-other", "Pro")
    await set(id, environment, policy(3))
    await set(tenantId("layered-other"), environment, policy(9))
    await set(FREE, environment, policy(8))
    await set(PRO, environment, policy(2))
    await set(PLATFORM, environment, { ...policy(1), locked: true })
    await set(PLATFORM, freshEnvironment(), policy(7))
    const all: LayerPolicy[] = [
      { scope: PLATFORM, ...policy(1), locked: true },
      { scope: PRO, ...policy(2) },
      { scope: id, ...policy(3) },
    ]
    const seen = async (scope: ScopeId) => (await loadState(database.app, scope, environment)).policies
    expect(await seen(id)).toEqual(all)
    expect(await seen(PRO)).toEqual(all.slice(0, 2))
    expect(await seen(PLATFORM)).toEqual(all.slice(0, 1))
    for (const scope of [id, PRO, PLATFORM])
      expect(await readPolicies(database.app, scope, environment)).toEqual(await seen(scope))
    expect(await readPolicies(database.app, id, DEVELOPMENT)).toEqual([])
  })

  test("a policy stays until a commit says otherwise, and null takes it away", async () => {
    await makeTenant(database.app, "kept")
    const id = tenantId("kept")
    const own = async () => (await loadState(database.app, id)).policies
    await set(id, DEVELOPMENT, policy(1))
    await set(id, DEVELOPMENT, undefined)
    expect(await own()).toEqual([{ scope: id, ...policy(1) }])
    await set(id, DEVELOPMENT, null)
    expect(await own()).toEqual([])
  })

  test.each<[string, ScopeId, Commit["policy"]]>([
    ["the platform's is made", PLATFORM, policy(1)],
    ["the tier's is altered", PRO, policy(2)],
    ["the tier's is taken away", PRO, null],
  ])(
    "a decision made before an inherited policy moved is a conflict and writes nothing: %s",
    async (_, scope, next) => {
      const environment = freshEnvironment()
      const id = tenantId(`stale-${made}`)
      await makeTenant(database.app, id, "Pro")
      await set(PRO, environment, policy(1))
      const before = await loadState(database.app, id, environment)
      await set(scope, environment, next)
      expect(await commitScope(database.app, directCommit(before, "k", 1))).toEqual({ kind: "conflict" })
      const after = await loadState(database.app, id, environment)
      expect(after.rev).toBe(before.rev)
      expect((await commitScope(database.app, directCommit(after, "k", 1))).kind).toBe("committed")
    },
  )

  test("another tier's policy, another environment's and one's own are no conflict", async () => {
    const environment = freshEnvironment()
    const id = tenantId("unmoved")
    await makeTenant(database.app, id, "Pro")
    await set(id, environment, policy(1))
    const before = await loadState(database.app, id, environment)
    await set(FREE, environment, policy(1))
    await set(PLATFORM, freshEnvironment(), policy(1))
    expect((await commitScope(database.app, directCommit(before, "k", 1))).kind).toBe("committed")
  })

  test("a conflict takes no idempotency key", async () => {
    const environment = freshEnvironment()
    const id = tenantId("keyless")
    await makeTenant(database.app, id, "Pro")
    const before = await loadState(database.app, id, environment)
    await set(PLATFORM, environment, policy(1))
    const reply = { status: 200, headers: {}, body: {}, stamps: [] }
    const stale = await commitScope(database.app, directCommit(before, "k", 1), {
      key: "once",
      fingerprint: "f",
      reply,
    })
    expect(stale.kind).toBe("conflict")
    const again = await loadScope(database.app, { scope: id, environment, keys: [], idempotencyKey: "once" })
    expect(again?.replay).toBeNull()
  })
})

describe("rollouts of the platform and tiers", () => {
  test("the audience of a candidate is read back as it was written, now and as of then", async () => {
    const environment = freshEnvironment()
    await makeTenant(database.app, "reader", "Pro")
    const audience = { tiers: ["Pro" as const], tenants: [tenantId("a")], excluded: [tenantId("b")] }
    await startRollout(database.app, PLATFORM, { weightBp: 500, audience }, environment)
    const state = await loadState(database.app, PLATFORM, environment)
    expect(state.pointer.candidate).toMatchObject({ weightBp: 500, audience })
    const now = await readPointer(database.read, tenantId("reader"), environment, [])
    expect(now?.layers.platform.candidate?.audience).toEqual(audience)
    const at = state.pointer.at!
    const then = await readPointerAsOf(database.read, tenantId("reader"), environment, at, [])
    expect(then).toMatchObject({ layers: { platform: { candidate: { audience } } } })
  })

  test("one scope sees the rollout of another, of its environment only; a tenant sees none", async () => {
    const environment = freshEnvironment()
    await makeTenant(database.app, "unaware", "Pro")
    const { changeId, end } = await startRollout(database.app, PRO, { weightBp: 500 }, environment)
    const elsewhere = async (scope: ScopeId, where = environment) =>
      (await loadState(database.app, scope, where)).elsewhere
    expect(await elsewhere(PLATFORM)).toEqual({ scope: PRO, changeId })
    expect(await elsewhere(FREE)).toEqual({ scope: PRO, changeId })
    expect([
      await elsewhere(PRO),
      await elsewhere(tenantId("unaware")),
      await elsewhere(PLATFORM, PRODUCTION),
    ]).toEqual([null, null, null])
    await end()
    expect(await elsewhere(PLATFORM)).toBeNull()
  })

  test("of shared scopes that begin a rollout at once exactly one does, the others are conflicts and write nothing", async () => {
    for (let round = 0; round < 10; round++) {
      const environment = freshEnvironment()
      const scopes = [PLATFORM, PRO, FREE, tierScope("Enterprise")]
      const states = await Promise.all(scopes.map((scope) => loadState(database.app, scope, environment)))
      const results = await Promise.all(
        states.map((state) =>
          commitScope(database.app, rollingCommit(state, newChangeId(state.scope), { weightBp: 500 })),
        ),
      )
      expect(results.map(({ kind }) => kind).sort()).toEqual([
        "committed",
        "conflict",
        "conflict",
        "conflict",
      ])
      const after = await Promise.all(scopes.map((scope) => loadState(database.app, scope, environment)))
      const moved = after.filter(({ rev }) => rev > 0)
      expect(moved.map(({ pointer }) => pointer.candidate !== null)).toEqual([true])
    }
  })

  test("the rollout that runs moves on, and a direct change elsewhere passes it", async () => {
    const environment = freshEnvironment()
    const { move } = await startRollout(database.app, PRO, { weightBp: 500 }, environment)
    await move({ step: 1, weightBp: 1_000 })
    const platform = await loadState(database.app, PLATFORM, environment)
    expect((await commitScope(database.app, directCommit(platform, "k", 1))).kind).toBe("committed")
  })
})

test("changes that are asked for are loaded whatever their state, and those of others are not", async () => {
  await makeTenant(database.app, "asked")
  await makeTenant(database.app, "asked-other")
  const write = async (id: string) => {
    const commit = directCommit(await loadState(database.app, tenantId(id)), "k", 1)
    await commitScope(database.app, commit)
    return commit.changes[0]!.change.content.changeId
  }
  const [first, second, third, foreign] = [
    await write("asked"),
    await write("asked"),
    await write("asked"),
    await write("asked-other"),
  ]
  const request = { scope: tenantId("asked"), environment: DEVELOPMENT, keys: [] }
  const loaded = await loadScope(database.app, { ...request, changeId: first, changes: [third, foreign] })
  expect([...loaded!.state.changes.keys()].sort()).toEqual([first, third].sort())
  expect(loaded!.state.changes.has(second)).toBe(false)
})
