import { type Database, openDatabase } from "../../db/client.ts"
import type { CachePort } from "./cache.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import { type Ids, systemIds } from "./ids.ts"
import { composeMessenger, type Messenger } from "./messages/messenger.ts"
import type { Pacer } from "./pacer.ts"
import { pacerFor } from "./pacer-aws.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"
import { createSns, type Sns } from "./sns.ts"

const REQUIRED = ["databaseUrl", "databaseSystemUrl", "redisUrl", "redisToken", "readerKeys"] as const

/** What manages: tenants, configs, changes, approvals, tokens. */
export interface ManagePlatform extends Basics {
  settings: Settings<(typeof REQUIRED)[number]>
  ids: Ids
  /** As the role that sees one tenant at a time. */
  db: Database
  /** As the role of the few cross-tenant queries. */
  system: Database
  cache: CachePort
  publisher: Publisher
  messenger: Messenger
  sns: Sns
  /** Absent where a clock in the same process paces rollouts. */
  pacer: Pacer | undefined
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first request needs it. */
export const composeManage = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides & { ids?: Ids } = {},
): ManagePlatform => {
  const settings = readSettings(variables, REQUIRED)
  const basics = composeBasics("manage", overrides)
  const db = openDatabase({ url: settings.databaseUrl, applicationName: "hotswap-manage" })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-manage-system",
    max: 2,
  })
  const cache = composeCache(basics, settings, upstashSender)
  return {
    ...basics,
    settings,
    ids: overrides.ids ?? systemIds,
    db,
    system,
    cache,
    publisher: createPublisher({ reading: pointerReading(db), cache, clock: basics.clock }),
    messenger: composeMessenger(settings),
    pacer: pacerFor(settings, db),
    sns: createSns(),
    close: async () => {
      await Promise.all([db.close(), system.close()])
    },
  }
}
