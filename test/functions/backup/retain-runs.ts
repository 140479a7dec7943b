import { expect } from "vitest"
import type { ScopeId } from "../../../core/ids.ts"
import type { Database } from "../../../db/client.ts"
import { type RetainDeps, retainOne } from "../../../functions/backup/retain.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import type { ScheduleWorld } from "./schedule-world.ts"

export const partsOf = async ({ archiving }: ScheduleWorld, scope: string): Promise<string[]> => {
  const parts: string[] = []
  for await (const part of archiving.archives.parts(scope as ScopeId)) parts.push(part)
  return parts.sort()
}

class Killed extends Error {}

/** Dies before or after its nth call of database or store: from then on nothing of it gets anywhere. */
const killedAt = (deps: RetainDeps, nth: number, when: "before" | "after") => {
  let calls = 0
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    const own = ++calls
    if (own > nth || (own === nth && when === "before")) throw new Killed()
    const result = await work()
    if (own === nth) throw new Killed()
    return result
  }
  const { db, archives } = deps
  return {
    calls: () => calls,
    deps: {
      ...deps,
      db: {
        ...db,
        transaction: (...given: Parameters<Database["transaction"]>) => call(() => db.transaction(...given)),
      } as Database,
      archives: {
        list: (home: ScopeId) => call(() => archives.list(home)),
        partsNamed: (home: ScopeId) => call(() => archives.partsNamed(home)),
        removeManifest: (home: ScopeId, id: string) => call(() => archives.removeManifest(home, id)),
        removePart: (home: ScopeId, id: string) => call(() => archives.removePart(home, id)),
        parts: (home: ScopeId) => archives.parts(home),
      },
    } satisfies RetainDeps,
  }
}

const mustOpen = async (
  { archiving }: ScheduleWorld,
  scope: ScopeId,
  ids: readonly string[],
): Promise<void> => {
  for (const id of ids) await (await archiving.archives.open(scope, id)).check()
}

const completeOf = async (world: ScheduleWorld, scope: string): Promise<string[]> =>
  (await world.backups(scope)).filter(({ state }) => state === "complete").map(({ id }) => id)

const keep = (world: ScheduleWorld, scope: string, many: number) => world.owner`
  update hotswap.backup_schedules set keep_last = ${many}, keep_daily = 0, keep_weekly = 0, keep_monthly = 0
  where tenant_id = ${scope}`

/** What is left is what is named, by archives that all open. */
const mustBeClean = async (world: ScheduleWorld, scope: ScopeId): Promise<void> => {
  const complete = await completeOf(world, scope)
  await mustOpen(world, scope, complete)
  expect((await world.archiving.archives.list(scope)).sort()).toEqual([...complete].sort())
  expect(await partsOf(world, scope)).toEqual([...(await world.archiving.archives.partsNamed(scope))].sort())
}

/** Retention with something to do, killed at each step of it, every `every`th; returns how often. */
export const retainedAfterKills = async (
  world: ScheduleWorld,
  name: string,
  every: number,
): Promise<number> => {
  const scope = await world.newTenant(name)
  const one = { scope, tier: "Free" as const }
  for (const nth of [1, 2, 3]) {
    await world.put(scope, "changing", `first ${nth}`)
    await world.backUp(scope)
  }
  await keep(world, scope, 2)
  let kills = 0
  for (let nth = 1; ; nth += every) {
    for (const when of ["before", "after"] as const) {
      await world.put(scope, "changing", `${nth} ${when}`)
      await world.backUp(scope)
      const { deps } = killedAt(world.retaining, nth, when)
      const outcome = await retainOne(deps, one).catch((error: unknown) => error)
      await mustOpen(world, scope, await completeOf(world, scope))
      if (!(outcome instanceof Killed)) {
        await mustBeClean(world, scope)
        return kills
      }
      kills++
      // Nobody renews what it said any more.
      await world.expireRemoving(scope)
      await retainOne(world.retaining, one)
      await mustBeClean(world, scope)
    }
  }
}

/** Backups of two contents that come again and again, beside retention that keeps one: what one needs, the other just gave up. */
export const raced = async (
  world: ScheduleWorld,
  name: string,
  rounds: number,
): Promise<{ complete: number; removed: number }> => {
  const scope = await world.newTenant(name)
  await world.backUp(scope)
  await keep(world, scope, 1)
  let isOver = false
  let removed = 0
  const retaining = async (): Promise<void> => {
    while (!isOver) {
      const swept = await retainOne(world.retaining, { scope, tier: "Free" })
      removed += swept?.archives ?? 0
      await mustOpen(world, scope, (await completeOf(world, scope)).slice(-1)).catch(
        async (error: unknown) => {
          // It may have become superfluous between the two looks.
          const [last] = (await completeOf(world, scope)).slice(-1)
          if (last) await mustOpen(world, scope, [last])
          else throw error
        },
      )
    }
  }
  const writing = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      await world.put(scope, "toggled", round % 2 === 0 ? "this" : "that")
      // Whoever writes has a job, which retention sees.
      const jobId = await world.openJob(scope, {}, "backup.create")
      const wish = { jobId, backupId: systemIds.uuid() }
      while ((await world.archiving.backUp(scope, wish)) === "later") await new Promise(setImmediate)
      await world.endJob(jobId, "succeeded")
    }
  }
  await Promise.all([
    writing().finally(() => {
      isOver = true
    }),
    retaining(),
    retaining(),
  ])
  await retainOne(world.retaining, { scope, tier: "Free" })
  await mustBeClean(world, scope)
  return { complete: (await completeOf(world, scope)).length, removed }
}
