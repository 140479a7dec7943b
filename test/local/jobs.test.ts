import { sql } from "drizzle-orm"
import { afterEach, expect, test, vi } from "vitest"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { superuserOf } from "./own-postgres.ts"

let running: RunningHotswap | undefined
let home = ""
afterEach(async () => {
  await running?.kill("group")
  await removeHome(home)
})

/** Lets no archive be made until PostgreSQL is stopped. */
const holdUp = async (): Promise<{ waiting: () => Promise<number>; over: Promise<unknown> }> => {
  const database = await superuserOf(home)
  const held = Promise.withResolvers<void>()
  const over = database
    .transaction(async ({ command }) => {
      await command("lock table hotswap.report_reviews in access exclusive mode")
      held.resolve()
      await new Promise(() => {})
    })
    .catch(held.reject)
  await held.promise
  const query = sql`select from pg_locks where not granted and relation = 'hotswap.report_reviews'::regclass`
  const waiting = async () => (await database.transaction(({ db }) => db.execute(query))).length
  return { waiting, over: over.then(() => database.close()) }
}

test("a job that is under way when Hotswap is told to end is done after the next start", {
  timeout: 180_000,
}, async () => {
  home = await temporaryHome()
  running = await startHotswap({ home })
  const tenant = { tenantId: "acme", name: "ACME" }
  expect((await running.call("POST", "/api/v1/tenants", { body: tenant })).status).toBe(201)
  const held = await holdUp()
  const asked = await running.call<{ jobId: string }>("POST", "/api/v1/tenants/acme/backups", { body: {} })
  expect(asked.status).toBe(202)
  const job = async () => {
    const path = `/api/v1/jobs/${asked.body.jobId}`
    return (await running!.call<{ state: string; result: unknown; problem: unknown }>("GET", path)).body
  }
  await vi.waitFor(async () => expect(await held.waiting()).toBeGreaterThan(0), { timeout: 30_000 })
  expect((await job()).state).toBe("running")
  expect(await running.stop()).toBe(0)
  await held.over

  running = await startHotswap({ home })
  await vi.waitFor(async () => expect(await job()).toMatchObject({ state: "succeeded", problem: null }), {
    timeout: 60_000,
    interval: 200,
  })
  const audit = await running.call<{ items: { action: string }[] }>(
    "GET",
    `/api/v1/audit?tenantId=acme&target=${asked.body.jobId}`,
  )
  expect(audit.body.items.map(({ action }) => action)).toEqual(["job.end", "job.create"])
  expect(await running.stop()).toBe(0)
})
