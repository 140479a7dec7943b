import { setTimeout as pause } from "node:timers/promises"
import { epochOf } from "../../core/release/revision.ts"
import { checkRoles } from "../../db/check-roles.ts"
import { migrate, wasLockedOut } from "../../db/migrate.ts"
import type { Basics } from "../platform/compose.ts"
import { readSettings } from "../platform/settings.ts"

const REQUIRED = ["databaseOwnerUrl", "databaseUrl", "databaseReadUrl", "databaseSystemUrl"] as const

/** So long everybody else may have to wait behind a migration for a table. */
const LOCK_WAIT_MS = 3_000
/** Then whoever waited has so long to get on, before the migration tries again. */
const PAUSE_MS = 5_000

interface MigrateOptions {
  variables: Readonly<Record<string, string | undefined>>
  /** When it has to be over, by the clock. */
  untilMs: number
  lockWaitMs?: number
  pauseMs?: number
  folder?: string
}

const passwordIn = (url: string): string => decodeURIComponent(new URL(url).password)

/**
 * Brings the database up to date as its owner, and then connects as each role the way that functions will. Returns how many
 * migrations it applied; throws what the deployment is to be stopped with.
 */
export const bringUpToDate = async (
  { clock, log }: Pick<Basics, "clock" | "log">,
  { variables, untilMs, lockWaitMs = LOCK_WAIT_MS, pauseMs = PAUSE_MS, folder }: MigrateOptions,
): Promise<number> => {
  const { databaseOwnerUrl, databaseUrl, databaseReadUrl, databaseSystemUrl } = readSettings(
    variables,
    REQUIRED,
  )
  const passwords = {
    appPassword: passwordIn(databaseUrl),
    readPassword: passwordIn(databaseReadUrl),
    systemPassword: passwordIn(databaseSystemUrl),
  }
  const attempt = (): Promise<number> =>
    migrate(databaseOwnerUrl, passwords, {
      firstEpoch: epochOf(clock.now()),
      lockWaitMs,
      statementLimitMs: Math.max(1, Math.ceil(untilMs - clock.nowMs())),
      ...(folder === undefined ? {} : { folder }),
    })
  const untilNotLockedOut = async (): Promise<number> => {
    for (;;)
      try {
        return await attempt()
      } catch (error) {
        if (!wasLockedOut(error) || clock.nowMs() + pauseMs + lockWaitMs >= untilMs) throw error
        log.warn("somebody has a table that a migration needs: it is tried again", { error })
        await pause(pauseMs)
      }
  }
  const applied = await untilNotLockedOut()
  const wrong = await checkRoles({
    hotswap_app: databaseUrl,
    hotswap_read: databaseReadUrl,
    hotswap_system: databaseSystemUrl,
  })
  if (wrong.length > 0) throw new Error(wrong.join("; "))
  log.info("the database is up to date", { applied })
  return applied
}
