import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type ChangeId, PLATFORM, type ScopeId, type TenantId, tierScope } from "../../core/ids.ts"
import { bucket } from "../../core/release/bucket.ts"
import { readMoves } from "../../db/queries/moves.ts"
import { commitScope } from "../../db/queries/scope.ts"
import { keepTaskToken, takeTaskToken } from "../../db/queries/workflows.ts"
import { countReached, dueChanges, purgeOld } from "../../db/system.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { DEVELOPMENT, directCommit, makeTenant, newChangeId, tenantId } from "./fixtures.ts"
import { loadState } from "./rollouts.ts"

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

const write = async (scope: ScopeId, dueAt: string | null = null): Promise<ChangeId> => {
  const commit = directCommit(await loadState(database.app, scope), "k", 1)
  const [change] = commit.changes
  await commitScope(database.app, { ...commit, changes: [{ ...change!, dueAt }] })
  return change!.change.content.changeId
}
const tenant = async (name: string) => {
  await makeTenant(database.app, name)
  return tenantId(name)
}

describe("what is due", () => {
  const NOW = "2026-01-01T01:00:00.000Z"

  test("changes that are never dealt with keep none of the others from their turn, and still have theirs", async () => {
    const scope = await tenant("stuck")
    const stuck = [
      await write(scope, "2026-01-01T00:00:00.000Z"),
      await write(scope, "2026-01-01T00:00:01.000Z"),
    ]
    const ids = async (limit: number) =>
      (await dueChanges(database.system, NOW, limit)).map(({ changeId }) => changeId)
    expect(await ids(2)).toEqual(stuck)
    const late = await write(scope, "2026-01-01T00:30:00.000Z")
    expect(await ids(2)).toEqual([late, stuck[0]])
    expect(await ids(2)).toEqual([stuck[1], late])
    expect((await ids(9)).sort()).toEqual([...stuck, late].sort())
  })

  test("what is left to do begins anew once the change has become something else", async () => {
    const scope = await tenant("anew")
    const changeId = await write(scope, "2026-01-01T00:10:00.000Z")
    for (let n = 0; n < 3; n++) await dueChanges(database.system, NOW, 100)
    const looks = async () =>
      (await admin`select looks from hotswap.changes where change_id = ${changeId}`)[0]?.looks
    expect(await looks()).toBe(3)
    const state = await loadState(database.app, scope)
    const commit = directCommit(state, "k", 2, changeId)
    const [change] = commit.changes
    const { pointer: _, ...rest } = commit
    await commitScope(database.app, {
      ...rest,
      versions: [],
      changes: [{ ...change!, isNew: false, dueAt: NOW }],
    })
    expect(await looks()).toBe(0)
  })
})

describe("how many a wave has reached", () => {
  const ids = Array.from({ length: 30 }, (_, n) => tenantId(`reach-${n}`))
  beforeAll(async () => {
    for (const [n, id] of ids.entries()) await makeTenant(database.app, id, n < 2 ? "Free" : "Enterprise")
  })
  const nobody = { tiers: [], tenants: [], excluded: [] }
  const inTier = tierScope("Enterprise")
  const changeId = newChangeId(inTier)
  const count = (weightBp: number, audience: object = {}, limit?: number, id: ChangeId = changeId) =>
    countReached(database.system, { weightBp, audience: { ...nobody, ...audience } }, id, limit)

  test("the share, the names and the tiers count, each tenant once and no more than asked for", async () => {
    const byShare = (weightBp: number) =>
      ids.slice(2).filter((id) => bucket(changeId, id) < weightBp) as TenantId[]
    expect(await count(0, {}, 99)).toBe(0)
    expect(await count(5_000, {}, 99)).toBe(byShare(5_000).length)
    expect(await count(10_000, {}, 99)).toBe(28)
    expect(await count(10_000)).toBe(3)
    const [reached] = byShare(5_000)
    const missed = ids.slice(2).find((id) => !byShare(5_000).includes(id))!
    expect(await count(5_000, { tenants: [reached, missed] }, 99)).toBe(byShare(5_000).length + 1)
    expect(await count(0, { tenants: ids.slice(4, 6) }, 99)).toBe(2)
    expect(await count(0, { tiers: ["Enterprise"] }, 99)).toBe(28)
  })

  test("of a tier's rollout only its tenants are reached, of the platform's all; who was taken out was reached", async () => {
    expect(await count(0, { tenants: ids.slice(0, 3) }, 99)).toBe(1)
    const shared = newChangeId(PLATFORM)
    expect(await count(0, { tenants: ids.slice(0, 3) }, 99, shared)).toBe(3)
    expect(await count(0, { tenants: ids.slice(0, 3), excluded: ids.slice(0, 1) }, 99, shared)).toBe(3)
  })
})

describe("workflows", () => {
  test("of many that ask who waits for a change one is told, and the last to wait is the one", async () => {
    const scope = await tenant("waits")
    const changeId = await write(scope)
    await keepTaskToken(database.app, scope, changeId, "first")
    await keepTaskToken(database.app, scope, changeId, "second")
    const taken = await Promise.all(
      Array.from({ length: 5 }, () => takeTaskToken(database.app, scope, changeId)),
    )
    expect(taken.filter((token) => token !== null)).toEqual(["second"])
    const other = await tenant("waits-other")
    await keepTaskToken(database.app, scope, changeId, "third")
    expect(await takeTaskToken(database.app, other, changeId)).toBeNull()
  })
})

test("moves begin with the one in force at that time", async () => {
  const scope = await tenant("moved")
  for (let n = 0; n < 3; n++) await write(scope)
  const all = await readMoves(database.app, scope, DEVELOPMENT, "2000-01-01T00:00:00.000Z")
  expect(all.map(({ seq, cause }) => `${seq} ${cause}`)).toEqual(["1 created", "2 live", "3 live", "4 live"])
  const { pointer } = await loadState(database.app, scope)
  expect(all.at(-1)).toMatchObject({
    at: pointer.at,
    stable: pointer.stable,
    stableChangeId: pointer.stableChangeId,
  })
  const since = all[2]!.at
  expect(await readMoves(database.app, scope, DEVELOPMENT, since)).toEqual(all.slice(2))
  const before = new Date(Date.parse(since) - 1).toISOString()
  expect((await readMoves(database.app, scope, DEVELOPMENT, before))[0]!.seq).toBeLessThan(3)
})

test("what nobody needs any more is forgotten, the rest stays", async () => {
  const scope = await tenant("purged")
  const ended = await write(scope)
  const recent = await write(scope)
  await admin`update hotswap.changes set updated_at = now() - interval '8 days' where change_id = ${ended}`
  for (const changeId of [ended, recent]) {
    await admin`insert into hotswap.gate_steps (tenant_id, change_id, step, environment, since)
      values (${scope}, ${changeId}, 0, ${DEVELOPMENT}, now())`
    for (const instance of ["i", "j"])
      await admin`insert into hotswap.gate_instances (tenant_id, change_id, step, instance, token_id)
        values (${scope}, ${changeId}, 0, ${instance}, 't')`
    await admin`insert into hotswap.gate_tenants (tenant_id, change_id, unit, reached, step, step_since, last_at, tier)
      values (${scope}, ${changeId}, 'u', true, 0, now(), now(), 'Pro')`
    await admin`insert into hotswap.workflow_waits (tenant_id, change_id, task_token)
      values (${scope}, ${changeId}, 't')`
  }
  const settled = (state: string, days: number) =>
    admin`insert into hotswap.deliveries (tenant_id, channel_id, environment, type, change_id, detail, at, state, settled_at)
      values (${scope}, gen_random_uuid(), ${DEVELOPMENT}, 'change.live', 'c', '{}', now(), ${state},
        now() - make_interval(days => ${days}))`
  for (const [state, days] of [
    ["delivered", 29],
    ["delivered", 31],
    ["dead", 89],
    ["dead", 91],
  ] as const)
    await settled(state, days)
  for (const hours of [23, 25])
    await admin`insert into hotswap.gate_readers (tenant_id, environment, instance, token_id, seq, at)
      values (${scope}, ${DEVELOPMENT}, ${`i${hours}`}, 't', 1, now() - make_interval(hours => ${hours}))`
  for (const days of [89, 91])
    await admin`insert into hotswap.jobs (tenant_id, kind, params, created_by, state, ended_at)
      values (${scope}, 'backup.create', '{}', '{}', 'succeeded', now() - make_interval(days => ${days}))`
  await admin`insert into hotswap.jobs (tenant_id, kind, params, created_by, created_at, due_at)
    values (${scope}, 'backup.create', '{}', '{}', now() - interval '1 year', now() - interval '1 year')`
  expect(await purgeOld(database.system)).toBe(8)
  expect(await purgeOld(database.system)).toBe(0)
  const left = async (table: string) =>
    (await admin.unsafe(`select * from hotswap.${table} where tenant_id = '${scope}'`)).length
  expect(
    await Promise.all(["gate_steps", "gate_instances", "gate_tenants", "workflow_waits"].map(left)),
  ).toEqual([2, 2, 1, 1])
  expect(await Promise.all(["gate_readers", "deliveries", "jobs"].map(left))).toEqual([1, 2, 2])
})
