import { type Database, openDatabase } from "../../db/client.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import type { Pacer } from "./pacer.ts"
import { pacerFor } from "./pacer-aws.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"

const REQUIRED = ["databaseUrl", "databaseSystemUrl", "redisUrl", "redisToken"] as const

/** The clock's parts: it finds what is due in every tenant, and changes one tenant at a time. */
export interface AdvancePlatform extends Basics {
  settings: Pick<Settings<(typeof REQUIRED)[number]>, "environments">
  /** As the role that sees one tenant at a time. */
  db: Database
  /** As the role of the few cross-tenant queries. */
  system: Database
  publisher: Pick<Publisher, "publish">
  /** Absent where a clock in the same process paces rollouts. */
  pacer: Pacer | undefined
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first tick needs it. */
export const composeAdvance = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): AdvancePlatform => {
  const settings = readSettings(variables, REQUIRED)
  const basics = composeBasics("advance", overrides, variables)
  const db = openDatabase({ url: settings.databaseUrl, applicationName: "hotswap-advance", max: 4 })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-advance-system",
    max: 1,
  })
  const cache = composeCache(basics, settings, upstashSender)
  return {
    ...basics,
    settings,
    db,
    system,
    publisher: createPublisher({ reading: pointerReading(db), cache, clock: basics.clock }),
    pacer: pacerFor(settings, db),
    close: async () => {
      await Promise.all([db.close(), system.close()])
    },
  }
}
