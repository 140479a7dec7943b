import { afterAll, beforeAll, expect, test } from "vitest"
import { removeStaleTransfers } from "../../../functions/backup/stale-transfers.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { type ScheduleWorld, scheduleWorld } from "./schedule-world.ts"

let world: ScheduleWorld
beforeAll(async () => {
  world = await scheduleWorld()
  await world.newTenant("slow")
})
afterAll(() => world.close())

const begun = async (): Promise<string> => {
  const backupId = systemIds.uuid()
  await world.owner`insert into hotswap.backups (tenant_id, backup_id, source, origin, state, created_by, at)
    values ('slow', ${backupId}, 'slow', 'requested', 'writing', 'x', now() - interval '25 hours')`
  return backupId
}
const remove = (beforeRemoval: () => Promise<unknown>) =>
  removeStaleTransfers({
    ...world.retaining,
    blobs: {
      ...world.archiving.blobs,
      remove: async (name) => {
        await beforeRemoval()
        return await world.archiving.blobs.remove(name)
      },
    },
  })()

test("an upload that nobody completed in a day is given up; one that is completed at that moment stays", async () => {
  await begun()
  expect(await remove(async () => {})).toEqual({ found: 1, removed: 1 })
  const backupId = await begun()
  await remove(() => world.owner`update hotswap.backups set state = 'complete' where backup_id = ${backupId}`)
  expect((await world.backups("slow")).map(({ state }) => state)).toEqual(["removed", "complete"])
})
