import { sql } from "drizzle-orm"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import { withTenant } from "../../../db/tenant.ts"
import {
  bareTenant,
  linesOf,
  type NewTenantWorld,
  newTenantWorld,
  peopleOf,
  SOURCE,
} from "./new-tenant-world.ts"

const OPEN = ["awaiting_approval", "scheduled", "rolling_out"]
const ENVIRONMENTS = ["Development", "Staging", "Production"]

let scene: NewTenantWorld
beforeAll(async () => {
  scene = await newTenantWorld()
  await bareTenant(scene.world, SOURCE)
})
afterAll(() => scene.close())

const now = async (): Promise<string> => {
  const rows = await withTenant(scene.world.app, SOURCE, (tx) =>
    tx.db.execute<{ at: string }>(sql`select hotswap.instant(clock_timestamp()) as at`),
  )
  return rows[0]!.at
}

/** All that is stable in a tenant, the secret opened. */
const stableOf = async (tenant: string): Promise<unknown> => {
  // What is not answered is no content: a busy machine's 503 must not be taken for it.
  const told: Record<string, unknown> = {}
  const call = async <Body = Record<string, unknown>>(method: string, path: string, statuses = [200]) => {
    const answer = await scene.world.call<Body>(method, path)
    expect(statuses, `${path}: ${answer.text}`).toContain(answer.status)
    return answer
  }
  for (const environment of ENVIRONMENTS) {
    const path = `/api/v1/configs?tenantId=${tenant}&environment=${environment}&limit=100`
    told[environment] = (await call("GET", path)).body.items
    told[`${environment}'s policy`] = (
      await call("GET", `/api/v1/tenants/${tenant}/environments/${environment}/policy`)
    ).body
  }
  const { body } = await call("GET", `/api/v1/configs/${tenant}:Staging:pin/secret`, [200, 404])
  told.secret = body.value ?? null
  const changes = await call<{ items: { changeId: string; state: string }[] }>(
    "GET",
    `/api/v1/changes?tenantId=${tenant}&limit=100`,
  )
  told.changes = changes.body.items
    .filter(({ state }) => !OPEN.includes(state))
    .map(({ changeId, state }) => `${changeId} ${state}`)
  told.tier = (await call("GET", `/api/v1/tenants/${tenant}`)).body.tier
  return JSON.parse(JSON.stringify(told).replaceAll(tenant, "-"))
}

test("as of any time a tenant is made that reads as its source did then, whatever was under way or was undone since", async () => {
  const { world, here } = scene
  const { ask, submit, approve } = await peopleOf(world, SOURCE)
  const direct = { strategy: { type: "direct" } }
  let rollout = ""
  const steps: (() => Promise<unknown>)[] = [
    () => submit("Development", [{ key: "a", value: 1, description: "first" }], direct),
    () => submit("Staging", [{ key: "pin", value: "one", secret: true }], direct),
    async () => approve(await submit("Production", [{ key: "a", value: 1 }], direct)),
    async () => {
      const edits = [
        { key: "a", value: 2 },
        { key: "b", value: 1 },
      ]
      rollout = await submit("Production", edits)
      await approve(rollout)
    },
    () => submit("Staging", [{ key: "pin", value: "two" }], direct),
    () => ask("manager", "POST", `/api/v1/changes/${rollout}/advance`, { step: 0 }),
    () => ask("manager", "POST", `/api/v1/changes/${rollout}/advance`, { step: 1 }),
    () =>
      ask("manager", "PUT", "{tenant}/environments/Development/policy", {
        stages: [{ role: "manager", required: 1 }],
      }),
    () => world.call("PATCH", `/api/v1/tenants/${SOURCE}`, { body: { tier: "Pro" } }),
    () => ask("manager", "POST", "{tenant}/environments/Production/rollback"),
    () => submit("Development", [{ key: "a", value: 9 }]),
    () => submit("Staging", [{ key: "pin", delete: true }], direct),
  ]
  const then: { at: string; stable: unknown }[] = []
  for (const step of steps) {
    // Changes say by the function's clock when they were made, pointers by the database's.
    world.moveClock(Date.now() - world.platform.clock.nowMs())
    await step()
    then.push({ at: await now(), stable: await stableOf(SOURCE) })
  }
  expect(new Set(then.map(({ stable }) => JSON.stringify(stable))).size).toBeGreaterThan(7)
  const { backupId } = (await here.archive(SOURCE)).manifest
  for (const [nth, { at, stable }] of then.entries()) {
    const target = `then-${nth}` as TenantId
    await here.restore({ backupId, target, asOf: at })
    expect(await stableOf(target), `after step ${nth}`).toEqual(stable)
    const lines = await linesOf(await here.archive(target))
    const states = lines.changes!.map((line) => JSON.parse(line).state)
    expect(states.filter((state) => !["live", "rolled_back"].includes(state))).toEqual([])
    if (nth % 4 !== 2) continue
    // It is a tenant like any other: what it holds may be archived, judged and copied once more.
    const again = (await here.archive(target)).manifest.backupId
    await here.restore({ source: target, backupId: again, target: `again-${nth}` as TenantId })
    expect(await stableOf(`again-${nth}`)).toEqual(stable)
  }
})

test("no time is taken that the archive does not show, nor one under the tenant's own id", async () => {
  const { here } = scene
  const { backupId, at } = (await here.archive(SOURCE)).manifest
  const refused = (target: string, asOf: string) =>
    expect(here.restore({ backupId, target: target as TenantId, asOf })).rejects.toMatchObject({
      code: "RESTORE_UNSUITABLE",
    })
  await refused("never", "2001-01-01T00:00:00Z")
  await refused("later", at.replace(/^\d{4}/, "2999"))
  const there = await scene.elsewhere()
  await expect(there.restore({ backupId, target: SOURCE, asOf: at })).rejects.toMatchObject({
    code: "RESTORE_UNSUITABLE",
  })
  await expect(
    there.restore({ backupId, target: "drill-00000000000070008000000000000000" as TenantId }),
  ).rejects.toMatchObject({ code: "RESTORE_UNSUITABLE" })
})
