import { type Database, openDatabase } from "../../db/client.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"

const REQUIRED = ["databaseUrl", "redisUrl", "redisToken", "readerPublicKeys"] as const

/** What hears the clients: one tenant at a time, and no key that could sign anything. */
export interface OutcomesPlatform extends Basics {
  settings: Pick<Settings<(typeof REQUIRED)[number]>, "environments" | "readerPublicKeys">
  /** As the role that sees one tenant at a time. */
  db: Database
  publisher: Publisher
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
  const cache = composeCache(basics, settings, upstashSender)
  return {
    ...basics,
    settings,
    db,
    publisher: createPublisher({ reading: pointerReading(db), cache, clock: basics.clock }),
    close: () => db.close(),
  }
}
