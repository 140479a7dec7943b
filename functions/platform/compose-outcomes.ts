import { type Database, openDatabase } from "../../db/client.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import type { Pacer } from "./pacer.ts"
import { pacerFor } from "./pacer-aws.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"

const REQUIRED = ["databaseUrl", "databaseSystemUrl", "redisUrl", "redisToken", "readerPublicKeys"] as const

/** What hears the clients: one tenant at a time, and no key that could sign anything. */
export interface OutcomesPlatform extends Basics {
  settings: Pick<Settings<(typeof REQUIRED)[number]>, "environments" | "readerPublicKeys">
  /** As the role that sees one tenant at a time. */
  db: Database
  /** As the role of the few cross-tenant queries: how many tenants a wave has reached. */
  system: Database
  publisher: Publisher
  /** Absent where a clock in the same process paces rollouts. */
  pacer: Pacer | undefined
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first report needs it. */
export const composeOutcomes = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): OutcomesPlatform => {
  const settings = readSettings(variables, REQUIRED)
  const basics = composeBasics("outcomes", overrides)
  const db = openDatabase({ url: settings.databaseUrl, applicationName: "hotswap-outcomes" })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-outcomes-system",
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
