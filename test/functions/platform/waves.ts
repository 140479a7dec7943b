import { expect } from "vitest"
import type { Wave } from "../../../core/change/change.ts"
import type { Environment } from "../../../core/environment.ts"
import {
  type ChangeId,
  PLATFORM,
  type ScopeId,
  type TenantId,
  type Tier,
  tierScope,
} from "../../../core/ids.ts"
import { bucket } from "../../../core/release/bucket.ts"
import { viewText } from "../../../core/release/view.ts"
import { loadScope } from "../../../db/queries/scope.ts"
import { createPointerBuilder } from "../../../functions/platform/pointers.ts"
import { postgresReading } from "../../../functions/platform/reading-postgres.ts"
import { noTrace } from "../../../functions/platform/tracing.ts"
import { createRead } from "../../../functions/read/read.ts"
import { memoryCache } from "../../contracts/cache-memory.ts"
import { ENVIRONMENTS, makeTenant } from "../../db/fixtures.ts"
import { createWorld, must } from "../manage/world.ts"
import { EDGE_SECRET, eventOf, jsonOf, READER_PUBLIC_KEYS, readerToken } from "../read/world.ts"
import { handClock } from "./fakes.ts"

const DEVELOPMENT = "Development" as Environment
const KEY = "reached.by"
const AT_ONCE = 8

type World = Awaited<ReturnType<typeof wavesWorld>>
interface Tenant {
  tenantId: TenantId
  tier: Tier
}

/** Management and reading over one PostgreSQL, with so many tenants: one in ten Enterprise, two Pro, the rest Free. */
export const wavesWorld = async (count: number) => {
  const world = await createWorld()
  const clock = handClock(Date.now() + 120_000)
  const reading = postgresReading(world.read, ENVIRONMENTS)
  const tenants: Tenant[] = Array.from({ length: count }, (_, i) => ({
    tenantId: `tenant-${i}` as TenantId,
    tier: i % 10 === 3 ? "Enterprise" : i % 10 === 1 || i % 10 === 7 ? "Pro" : "Free",
  }))
  await inBatches(tenants, ({ tenantId, tier }) => makeTenant(world.app, tenantId, tier))
  const body = { tenantId: PLATFORM, environment: DEVELOPMENT, edits: [{ key: KEY, value: "below" }] }
  await must(world.call("POST", "/api/v1/changes", { body }), 202)
  /** A read function that has just started: nothing in memory, nothing in Redis. */
  const reader = () =>
    createRead({
      clock,
      log: world.platform.log,
      background: world.platform.background,
      trace: noTrace,
      reading,
      cache: memoryCache(clock),
      attempts: world.platform.attempts,
      tokenUses: world.platform.tokenUses,
      settings: {
        readerPublicKeys: READER_PUBLIC_KEYS,
        edgeSecret: EDGE_SECRET,
        adminTokenHash: null,
        environments: ENVIRONMENTS,
        cacheTtlSeconds: 300,
        viewMemoryMebibytes: 192,
        jwtIssuers: [],
        outboundAllow: [],
      },
      close: async () => {},
    })
  const token = await readerToken({ tenants: "*", environment: DEVELOPMENT, nowMs: clock.nowMs() })
  return { ...world, clock, reading, tenants, reader, token }
}

const inBatches = async <Item, Result>(items: readonly Item[], run: (item: Item) => Promise<Result>) => {
  const results: Result[] = []
  for (let at = 0; at < items.length; at += AT_ONCE)
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(run))))
  return results
}

/** A change by waves, and whom each is to have reached, said once more in other words than the rules'. */
interface Rollout {
  scope: ScopeId
  waves: Wave[]
  isReached(tenant: Tenant, step: number, changeId: ChangeId): boolean
  /** Whoever of these comes first buys Enterprise while the second wave is held. */
  buysEnterprise(tenant: Tenant, changeId: ChangeId): boolean
}

const FIRST = ["tenant-0", "tenant-3", "nobody-of-that-name"] as TenantId[]
const held = (...waves: Wave[]): Wave[] => waves.map((wave) => ({ ...wave, holdMs: null }))

export const ROLLOUTS: Record<"platform" | "tier", Rollout> = {
  platform: {
    scope: PLATFORM,
    waves: held(
      { tenants: FIRST },
      { tier: "Enterprise" },
      { weightBp: 3_000 },
      { tier: "Pro" },
      { weightBp: 10_000 },
    ),
    isReached: ({ tenantId, tier }, step, changeId) =>
      FIRST.includes(tenantId) ||
      (step >= 1 && tier === "Enterprise") ||
      (step >= 2 && bucket(changeId, tenantId) < 3_000) ||
      (step >= 3 && tier === "Pro") ||
      step >= 4,
    // Comes into the wave that has just been reached.
    buysEnterprise: ({ tenantId, tier }, changeId) =>
      tier === "Free" && !FIRST.includes(tenantId) && bucket(changeId, tenantId) >= 3_000,
  },
  tier: {
    scope: tierScope("Free"),
    waves: held({ tenants: FIRST }, { weightBp: 4_000 }, { weightBp: 10_000 }),
    isReached: ({ tenantId, tier }, step, changeId) =>
      tier === "Free" &&
      (FIRST.includes(tenantId) || (step >= 1 && bucket(changeId, tenantId) < 4_000) || step >= 2),
    // Leaves the tier, and with it what the tier is trying.
    buysEnterprise: ({ tenantId }) => tenantId === "tenant-0",
  },
}

/** Who reads the new value: by the pointer document, by the hot read, and by what `explain` says. */
const reachedNow = async ({ reading, clock, reader, token, tenants, call }: World, value: string) => {
  const builder = createPointerBuilder({ reading, clock })
  const read = reader()
  const seen = await inBatches(tenants, async ({ tenantId }) => {
    const { pointer, views } = (await builder.build(tenantId, DEVELOPMENT, () => false))!
    const document = JSON.parse(viewText(views.get(pointer.stable)!))
    const hot = jsonOf(await read(eventOf(pathOf(tenantId), { token })))
    const explain = `/api/v1/configs/${tenantId}:${DEVELOPMENT}:${KEY}/explain`
    const explained = (await must(call<{ value: string }>("GET", explain), 200)).body
    return { tenantId, values: [document[KEY], hot.configs[KEY], explained.value] }
  })
  return [0, 1, 2].map((way) =>
    seen.filter(({ values }) => values[way] === value).map(({ tenantId }) => tenantId as string),
  )
}

const reachedAsOf = async ({ reader, token, tenants }: World, value: string, at: string) => {
  const read = reader()
  const seen = await inBatches(tenants, async ({ tenantId }) => {
    const past = await read(eventOf(`${pathOf(tenantId)}&asOf=${encodeURIComponent(at)}`, { token }))
    return { tenantId, was: jsonOf(past).configs[KEY] }
  })
  return seen.filter(({ was }) => was === value).map(({ tenantId }) => tenantId as string)
}

const pathOf = (tenantId: TenantId): string => `/api/v1/configs/tenant/${tenantId}?environment=${DEVELOPMENT}`

/** Takes a change through its waves, and looks at every tenant at each, then and afterwards. */
export const rollThroughWaves = async (world: World, rollout: Rollout): Promise<void> => {
  const { call, tenants } = world
  const { scope, waves } = rollout
  const value = `new of ${scope}`
  const submit = async (submitted: string, more: object = {}) => {
    const body = {
      tenantId: scope,
      environment: DEVELOPMENT,
      edits: [{ key: KEY, value: submitted }],
      ...more,
    }
    return (await must(call<{ changeId: ChangeId }>("POST", "/api/v1/changes", { body }), 202)).body.changeId
  }
  await submit(`old of ${scope}`)
  const changeId = await submit(value, { strategy: { type: "rolling", waves } })
  const advance = (step: number) =>
    must(call("POST", `/api/v1/changes/${changeId}/advance`, { body: { step } }), 200)
  const expectedAt = (step: number): string[] =>
    tenants.filter((tenant) => rollout.isReached(tenant, step, changeId)).map(({ tenantId }) => tenantId)
  const past: { at: string; expected: string[] }[] = []
  for (const step of waves.keys()) {
    if (step > 0) await advance(step - 1)
    const { state } = (await loadScope(world.app, { scope, environment: DEVELOPMENT, keys: [] }))!
    const expected = expectedAt(step)
    for (const reached of await reachedNow(world, value)) expect(reached, `step ${step}`).toEqual(expected)
    past.push({ at: state.pointer.at!, expected })
    if (step === 1)
      await buyEnterprise(world, tenants.find((tenant) => rollout.buysEnterprise(tenant, changeId))!)
  }
  await advance(waves.length - 1)
  const everyone = expectedAt(waves.length)
  for (const reached of await reachedNow(world, value)) expect(reached).toEqual(everyone)
  for (const [step, { at, expected }] of past.entries())
    expect(await reachedAsOf(world, value, at), `as of step ${step}`).toEqual(expected)
}

const buyEnterprise = async ({ call }: World, tenant: Tenant): Promise<void> => {
  await must(call("PATCH", `/api/v1/tenants/${tenant.tenantId}`, { body: { tier: "Enterprise" } }), 200)
  tenant.tier = "Enterprise"
}
