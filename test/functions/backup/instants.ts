import { expect } from "vitest"
import type { ScopeId } from "../../../core/ids.ts"
import { createWorld, type World } from "../manage/world.ts"
import { type ArchiveWorld, archiveWorld } from "./archive-world.ts"
import { judge, tablesOf } from "./one-instant.ts"
import { startWriters, type Writers } from "./writers.ts"

interface Seen {
  archives: number
  rows: number
  writes: number
  /** How many of them show another state than the one before. */
  moved: number
}

/** Archives tenants that often each while they are written to, and judges each archive by what is in it. */
export const exportWhileWriting = async (tenants: number, exports: number): Promise<Seen> => {
  const world = await createWorld()
  const archiving = archiveWorld(world, { ...world.platform, keyRing: world.platform.keyRing! })
  const seen: Seen = { archives: 0, rows: 0, writes: 0, moved: 0 }
  try {
    // One after the other: what one has written in all this time would take longer to read each time.
    for (let nth = 0; nth < tenants; nth++)
      await watch(world, archiving, `busy-${nth}` as ScopeId, exports, seen)
  } finally {
    await archiving.close()
    await world.close()
  }
  return seen
}

const watch = async (
  world: World,
  archiving: ArchiveWorld,
  scope: ScopeId,
  exports: number,
  seen: Seen,
): Promise<void> => {
  const writers = await startWriters(world, scope)
  try {
    let entries = 0
    for (let nth = 0; nth < exports; nth++) {
      const told = await judgeOne(archiving, scope, writers)
      seen.archives += 1
      seen.rows += told.rows
      if (told.entries > entries) seen.moved += 1
      entries = told.entries
    }
  } finally {
    await writers.stop()
  }
  seen.writes += writers.writes()
}

const judgeOne = async (
  archiving: ArchiveWorld,
  scope: ScopeId,
  { counters }: Writers,
): Promise<{ rows: number; entries: number }> => {
  const before = counters.map(({ done }) => done)
  const made = await archiving.backUp(scope)
  const after = counters.map(({ asked }) => asked)
  if (made === "later") throw new Error("parts are being removed")
  const archive = await archiving.archives.open(scope, made.backupId)
  await archive.check()
  const tables = await tablesOf(archive)
  const { faults, effectives, audit } = judge(archive, tables)
  expect(faults).toEqual([])
  for (const [nth, { environment, key }] of counters.entries()) {
    const value = Number(effectives.get(environment)?.get(key)?.value ?? 0)
    const twin = Number(effectives.get(environment)?.get(`${key}.twin`)?.value ?? 0)
    // What was written together is there together; what was answered before is there, what was not asked yet is not.
    expect([nth, twin]).toEqual([nth, value])
    expect(value).toBeGreaterThanOrEqual(before[nth]!)
    expect(value).toBeLessThanOrEqual(after[nth]!)
  }
  const rows = [...tables.values()].reduce((sum, table) => sum + table.length, 0)
  return { rows, entries: audit.length }
}
