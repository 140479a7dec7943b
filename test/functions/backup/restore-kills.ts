import { expect } from "vitest"
import type { TenantId } from "../../../core/ids.ts"
import type { Database } from "../../../db/client.ts"
import type { Connection } from "../../../db/connection.ts"
import { isTenantHere } from "../../../db/queries/restore.ts"
import type { RestorePlatform } from "../../../functions/backup/restore-new.ts"
import { linesOf, type NewTenantWorld, type Side, SOURCE } from "./new-tenant-world.ts"

/** The process ends here. */
class Killed extends Error {}

/** Counts what is asked of anything outside; at the one before `at` the process is gone, and nothing is asked any more. */
const mortal = (side: Side, at: number) => {
  let calls = 0
  const open = new Set<Connection>()
  const call = () => {
    if (++calls < at) return
    // What the server sees of it: its connections close, in the middle of whatever they were at.
    for (const connection of open) connection.destroy()
    throw new Killed()
  }
  const asking = <T extends object>(target: T, names: readonly string[]): T =>
    new Proxy(target, {
      get: (object, name) => {
        const member = Reflect.get(object, name)
        if (!names.includes(String(name))) return member
        return (...given: unknown[]) => {
          call()
          return Reflect.apply(member as (...given: unknown[]) => unknown, object, given)
        }
      },
    })
  const database = (real: Database): Database => ({
    ...asking(real, ["run"]),
    transaction: async (work, ...rest) => {
      call()
      const result = await real.transaction(
        async (connection) => {
          open.add(connection)
          const db = asking(connection.db, ["execute", "insert", "select", "update"])
          const done = await work({ ...asking(connection, ["run"]), db })
          // Before the commit.
          call()
          return done
        },
        ...rest,
      )
      call()
      return result
    },
  })
  const platform: Partial<RestorePlatform> = {
    db: database(side.db),
    bulk: database(side.bulk),
    keyRing: asking(side.keyRing, ["wrap", "unwrap"]),
    publisher: asking(side.publisher, ["publish"]),
    archives: {
      open: async (...given) => {
        call()
        return asking(await side.archives.open(...given), ["rows", "check"])
      },
    },
  }
  return { platform, calls: () => calls }
}

export interface KillTally {
  kills: number
  nothing: number
  everything: number
}

/**
 * Restores under that id again and again, killed at one call after the other; each time all or nothing is there, and the
 * same asked for again leads to the same tenant. Each in a database of its own kind of emptiness: `fresh` gives it.
 */
export const killAtEveryCall = async (
  scene: NewTenantWorld,
  backupId: string,
  targetOf: (nth: number) => TenantId,
  { every, side }: { every: number; side: (nth: number) => Promise<Side> },
): Promise<KillTally> => {
  const tally: KillTally = { kills: 0, nothing: 0, everything: 0 }
  for (let at = 1; ; at += every) {
    const where = await side(at)
    const target = targetOf(at)
    const dying = mortal(where, at)
    const died = await where.restore({ backupId, target }, dying.platform).then(
      () => false,
      (error) => {
        const isKill = error instanceof Killed || /connection/.test(String(error))
        if (!isKill) throw error
        return true
      },
    )
    if (!died) return tally
    tally.kills++
    const isThere = await isTenantHere(where.db, target)
    tally[isThere ? "everything" : "nothing"]++
    const result = await where.restore({ backupId, target })
    expect(result).toMatchObject({ tenantId: target, verbatim: target === SOURCE })
    if (target !== SOURCE) continue
    const restored = await linesOf(await where.archive(target))
    const whole = await linesOf(await scene.here.archives.open(SOURCE, backupId))
    expect(restored, `after a kill at call ${at}`).toEqual(whole)
  }
}
