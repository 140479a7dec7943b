import { type Database, openDatabase } from "../../db/client.ts"
import type { CachePort } from "./cache.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"

const REQUIRED = ["databaseReadUrl", "databaseSystemUrl", "redisUrl", "redisToken"] as const

/** The relay's parts: it reads pointers, takes marks away, and writes to Redis. */
export interface RelayPlatform extends Basics {
  settings: Settings<(typeof REQUIRED)[number]>
  system: Database
  cache: CachePort
  publisher: Publisher
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first sweep needs it. */
export const composeRelay = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): RelayPlatform => {
  const settings = readSettings(variables, REQUIRED)
  const basics = composeBasics("relay", overrides)
  const reading = openDatabase({
    url: settings.databaseReadUrl,
    applicationName: "hotswap-relay-read",
    max: 4,
  })
  const system = openDatabase({ url: settings.databaseSystemUrl, applicationName: "hotswap-relay", max: 2 })
  const cache = composeCache(basics, settings, upstashSender)
  return {
    ...basics,
    settings,
    system,
    cache,
    publisher: createPublisher({ reading: pointerReading(reading), cache, clock: basics.clock }),
    close: async () => {
      await Promise.all([reading.close(), system.close()])
    },
  }
}
