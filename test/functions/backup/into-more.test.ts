import { afterAll, beforeAll, expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import { type ConfigKey, changeIdOf, type ScopeId } from "../../../core/ids.ts"
import type { Database } from "../../../db/client.ts"
import { commitScope, loadScope } from "../../../db/queries/scope.ts"
import { restoreWork } from "../../../functions/backup/restore.ts"
import { createRunner } from "../../../functions/backup/runner.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { mutate } from "../../../functions/platform/mutate.ts"
import { directCommit } from "../../db/fixtures.ts"
import { must } from "../manage/world.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"
import { ALL_DUE, QUICK } from "./job-world.ts"

let world: RestoreWorld
beforeAll(async () => {
  world = await createRestoreWorld()
})
afterAll(() => world.close())

const STAGING = { environments: ["Staging"] }

test("what is changed while it is worked out is looked at again: nothing is restored over it unseen", async () => {
  await world.tenant("moving")
  await world.put("moving", "Staging", "a", 1)
  const backup = await world.backUp("moving")
  await world.put("moving", "Staging", "a", 2)
  // Somebody else writes each time that it has looked at what is stable, three times in all.
  let written = 0
  const meddling: Database = {
    ...world.app,
    run: async (query, values) => {
      const rows = await world.app.run(query, values)
      if (written < 3 && JSON.stringify(rows).includes('"state"')) await add(`added.${++written}`)
      return rows
    },
  }
  const add = async (key: string) => {
    const target = { scope: "moving" as ScopeId, environment: "Staging" as Environment }
    const loaded = await loadScope(world.app, { ...target, keys: [key as ConfigKey] })
    await commitScope(world.app, directCommit(loaded!.state, key, 1))
  }
  const platform = { ...(world.jobPlatform as object), bulk: meddling } as never
  const runner = createRunner(world.jobPlatform, { "backup.restore": restoreWork(platform) }, QUICK)
  const path = `/api/v1/backups/${backup}/restore`
  const asked = await must(world.call("POST", path, { body: STAGING }), 202)
  await runner.run(ALL_DUE())
  await world.platform.background.settled()
  const { state, result } = await world.jobSeen(String(asked.body.jobId))
  expect(state).toBe("succeeded")
  expect(written).toBe(3)
  expect(result!.environments).toMatchObject([{ state: "live", set: 1, deleted: 3, unchanged: 0 }])
  expect(Object.keys(await world.configs("moving", "Staging"))).toEqual(["a"])
})

test("the platform and the tiers are restored like tenants, their limits and features with the rest", async () => {
  await world.put("~tier.Pro", "Staging", "limit.command", { max: 5, windowMs: 60_000 })
  await world.put("~tier.Pro", "Staging", "banner", "hello")
  const backup = await world.backUp("~tier.Pro")
  const then = await world.instant()
  await world.put("~tier.Pro", "Staging", "limit.command", { max: 6, windowMs: 60_000 })
  await world.put("~tier.Pro", "Staging", "banner", "bye")
  expect((await world.restore(backup, STAGING)).Staging).toMatchObject({
    state: "live",
    set: 2,
    grants: null,
  })
  expect((await world.configs("~tier.Pro", "Staging")).banner).toMatchObject({ value: "hello" })
  await world.put("~platform", "Staging", "banner", "of all")
  await world.restoreAsOf("~platform", { asOf: then, ...STAGING })
  expect(await world.configs("~platform", "Staging")).toEqual({})
})

test("an archive tells what was at any time before it, and nothing of what came after or before the beginning", async () => {
  await world.tenant("older")
  await world.put("older", "Staging", "a", 1)
  const then = await world.instant()
  await world.put("older", "Staging", "a", 2)
  const backup = await world.backUp("older")
  await world.put("older", "Staging", "a", 3)
  const after = await world.instant()
  expect((await world.restore(backup, { ...STAGING, asOf: then })).Staging).toMatchObject({ set: 1 })
  expect((await world.configs("older", "Staging")).a).toMatchObject({ value: 1 })
  for (const asOf of [after, "2001-01-01T00:00:00Z"]) {
    const path = `/api/v1/backups/${backup}/restore`
    const { problem } = await world.done(world.call("POST", path, { body: { ...STAGING, asOf } }))
    expect(problem).toMatchObject({ code: "AS_OF_INVALID" })
  }
})

test("10,000 configs are one change, and are back in one", async () => {
  await world.tenant("large")
  await world.tenant("copy")
  const [scope, environment] = ["large" as ScopeId, "Staging" as Environment]
  const edits = Array.from({ length: 10_000 }, (_, nth) => ({ key: `key.${nth}` as ConfigKey, value: nth }))
  await mutate(
    { ...world.platform, db: world.archiving.bulk },
    {
      scope,
      environment,
      command: {
        type: "submit",
        changeId: changeIdOf(scope, systemIds.uuid()),
        author: { subject: "somebody", tokenId: "startup", ancestors: [] },
        edits,
      },
      keys: edits.map(({ key }) => key),
      idempotency: null,
      evenSuspended: false,
      reply: () => ({ status: 202, headers: {}, body: {}, stamps: [] }),
    },
  )
  const backup = await world.backUp("large")
  const { Staging } = await world.restore(backup, { ...STAGING, targetTenantId: "copy" })
  expect(Staging).toMatchObject({ state: "live", set: 10_000, deleted: 0, unchanged: 0, diffTruncated: true })
  expect(Staging!.diff).toHaveLength(1_000)
  expect((await world.configs("copy", "Staging"))["key.0"]).toMatchObject({ value: 0 })
})

test("of a tenant that was deleted another is made, while there are backups of it; by nobody but the platform", async () => {
  const { tokens } = await world.tenant("lost")
  await world.put("lost", "Staging", "a", 1)
  const backup = await world.backUp("lost")
  const path = `/api/v1/backups/${backup}/restore`
  const body = { targetTenantId: "found", newName: "Found" }
  const asTenant = await world.call("POST", path, { body, token: tokens.tenant_admin })
  expect([asTenant.status, asTenant.body.code]).toEqual([404, "TENANT_NOT_FOUND"])
  await must(world.call("DELETE", "/api/v1/tenants/lost"), 200)
  expect((await world.call("POST", path, { body: {} })).body).toMatchObject({ code: "TENANT_NOT_FOUND" })
  const named = await world.call("POST", path, { body: { ...body, environments: ["Staging"] } })
  expect(named.body).toMatchObject({ code: "BODY_INVALID", errors: [{ path: "/environments" }] })
  expect(await world.succeeded(world.call("POST", path, { body }))).toMatchObject({ tenantId: "found" })
  expect((await world.configs("found", "Staging")).a).toMatchObject({ value: 1 })
  const renamed = await world.call("POST", path, { body })
  expect(renamed.body).toMatchObject({ code: "BODY_INVALID", errors: [{ path: "/newName" }] })
})
