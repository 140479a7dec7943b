import { afterAll, beforeAll, expect, test } from "vitest"
import { cloneWork } from "../../../functions/backup/clone.ts"
import { createRunner } from "../../../functions/backup/runner.ts"
import { createWorld, must, type World } from "../manage/world.ts"
import { type ArchiveWorld, archiveWorld } from "./archive-world.ts"
import { ALL_DUE, QUICK } from "./job-world.ts"

let world: World
let archiving: ArchiveWorld
let work: () => Promise<void>

beforeAll(async () => {
  world = await createWorld()
  archiving = archiveWorld(world, world.platform as never)
  const platform = { ...world.platform, ...archiving, queue: undefined } as never
  const runner = createRunner(platform, { "tenant.clone": cloneWork(platform) }, QUICK)
  work = async () => {
    await runner.run(ALL_DUE())
    await world.platform.background.settled()
  }
})
afterAll(async () => {
  await archiving.close()
  await world.close()
})

const clone = (source: string, body: object, more: object = {}) =>
  world.call<{ jobId: string; code: string }>("POST", `/api/v1/tenants/${source}/clone`, { body, ...more })

/** The job once it has ended. */
const ended = async (asked: ReturnType<typeof clone>) => {
  const { jobId } = (await must(asked, 202)).body
  await work()
  return (await must(world.call("GET", `/api/v1/jobs/${jobId}`), 200)).body
}

test("a tenant is cloned by a job: the clone serves what the source does, has no token of it, and the platform's audit tells", async () => {
  const { tokens } = await world.tenant("first")
  const put = { tenantId: "first", environment: "Staging", key: "a", value: "ä" }
  await must(world.call("POST", "/api/v1/configs", { body: put }), 201)
  const job = await ended(clone("first", { tenantId: "second", name: "Second" }))
  expect(job).toMatchObject({
    state: "succeeded",
    result: { tenantId: "second", how: "clone", rows: { tenants: 1 } },
  })
  expect((await must(world.call("GET", "/api/v1/configs/second:Staging:a"), 200)).body).toMatchObject({
    value: "ä",
  })
  expect((await must(world.call("GET", "/api/v1/tenants/second"), 200)).body).toMatchObject({
    name: "Second",
    externalIds: {},
  })
  expect(
    (await must(world.call<{ items: [] }>("GET", "/api/v1/tenants/second/tokens"), 200)).body.items,
  ).toEqual([])
  const seen = await world.call("GET", "/api/v1/tenants/second", { token: tokens.tenant_admin })
  expect(seen.status).toBe(404)
  const told = await world.call<{ items: { body: object }[] }>(
    "GET",
    "/api/v1/audit?tenantId=~platform&action=tenant.clone",
  )
  expect(JSON.stringify(told.body)).toContain('"second"')
  const backups = await must(world.call<{ items: object[] }>("GET", "/api/v1/tenants/first/backups"), 200)
  expect(backups.body.items, "the archive it was made of stays").toHaveLength(1)
})

test("a clone that is only rehearsed is not there afterwards, and may be made then", async () => {
  await world.tenant("third")
  const rehearsed = await ended(clone("third", { tenantId: "fourth", dryRun: true }))
  expect(rehearsed).toMatchObject({ state: "succeeded", result: { dryRun: true, tenantId: "fourth" } })
  await must(world.call("GET", "/api/v1/tenants/fourth"), 404)
  expect(await ended(clone("third", { tenantId: "fourth" }))).toMatchObject({ state: "succeeded" })
  await must(world.call("GET", "/api/v1/tenants/fourth"), 200)
})

test("an id that is taken, is none, or is kept for trials is refused at once; one taken meanwhile ends the job", async () => {
  await world.tenant("fifth")
  const code = async (body: object) => (await clone("fifth", body)).body.code
  expect(await code({ tenantId: "fifth" })).toBe("TENANT_EXISTS")
  expect(await code({ tenantId: "Not A Slug" })).toBe("TENANT_ID_INVALID")
  expect(await code({ tenantId: "~platform" })).toBe("TENANT_ID_INVALID")
  expect(await code({ tenantId: `drill-${"0".repeat(32)}` })).toBe("TENANT_ID_INVALID")
  expect((await clone("nobody", { tenantId: "sixth" })).body.code).toBe("TENANT_NOT_FOUND")
  const asked = await must(clone("fifth", { tenantId: "sixth" }), 202)
  await world.tenant("sixth")
  await work()
  const job = await world.call("GET", `/api/v1/jobs/${asked.body.jobId}`)
  expect(job.body).toMatchObject({ state: "failed", problem: { code: "TENANT_EXISTS" } })
})

test("a repeated request is the same job, and only the platform's admins may ask", async () => {
  const { tokens } = await world.tenant("seventh")
  const headers = { "idempotency-key": "once" }
  const [one, other] = [
    await clone("seventh", { tenantId: "eighth" }, { headers }),
    await clone("seventh", { tenantId: "eighth" }, { headers }),
  ]
  expect(other.body.jobId).toBe(one.body.jobId)
  await work()
  expect((await clone("seventh", { tenantId: "eighth" }, { headers })).body.jobId).toBe(one.body.jobId)
  for (const token of Object.values(tokens))
    expect((await clone("seventh", { tenantId: "ninth" }, { token })).body.code).toBe("FORBIDDEN")
})
