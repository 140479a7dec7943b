import { afterAll, beforeAll, expect, test } from "vitest"
import { parseJobId } from "../../../core/ids.ts"
import { findJob } from "../../../db/queries/jobs.ts"
import { restoreWork } from "../../../functions/backup/restore.ts"
import { must } from "../manage/world.ts"
import { UNDISTURBED } from "./archive-world.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

let world: RestoreWorld
let backup: string
beforeAll(async () => {
  world = await createRestoreWorld()
  await world.tenant("acme")
  await world.put("acme", "Staging", "a", 1)
  backup = await world.backUp("acme")
})
afterAll(() => world.close())

const ask = async (targetTenantId: string): Promise<string> => {
  const path = `/api/v1/backups/${backup}/restore`
  return String((await must(world.call("POST", path, { body: { targetTenantId } }), 202)).body.jobId)
}

/** An attempt whose end nobody hears of, as the process is killed before it can say. */
const attempt = async (jobId: string) => {
  const { scope, uuid } = parseJobId(jobId)!
  const job = (await findJob(world.app, scope, uuid))!
  return await restoreWork(world.jobPlatform)({
    ...{ ...UNDISTURBED, job },
    ...{ checkpoint: async () => {}, hold: async () => {} },
  })
}

test("a tenant that was made is not brought back to what it was by the next attempt, which answers the same", async () => {
  const jobId = await ask("made")
  const first = await attempt(jobId)
  await world.put("made", "Staging", "b", 2)
  await world.work()
  const { state, result } = await world.jobSeen(jobId)
  expect({ state, result }).toEqual({ state: "succeeded", result: first.kind === "done" && first.result })
  expect(Object.keys(await world.configs("made", "Staging"))).toEqual(["a", "b"])
})

test("a tenant that somebody makes meanwhile under the id that was asked for keeps what it has", async () => {
  const jobId = await ask("taken")
  await world.tenant("taken")
  await world.put("taken", "Staging", "b", 2)
  await world.work()
  expect(await world.jobSeen(jobId)).toMatchObject({ state: "failed", problem: { code: "TENANT_EXISTS" } })
  expect(Object.keys(await world.configs("taken", "Staging"))).toEqual(["b"])
})
