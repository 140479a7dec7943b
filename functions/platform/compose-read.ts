import { openReader } from "../../db/reader.ts"
import { type Attempts, createAttempts } from "./attempts.ts"
import type { CachePort } from "./cache.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import type { Reading } from "./reading.ts"
import { postgresReading } from "./reading-postgres.ts"
import { restSender } from "./redis-rest.ts"
import { readSettings, type Settings } from "./settings.ts"
import { createTokenUses, type TokenUses } from "./token-uses.ts"
import { createUsage, type UsageRecorder } from "./usage.ts"
import { createUsageInbox } from "./usage-inbox.ts"

const REQUIRED = ["databaseReadUrl", "redisUrl", "redisToken", "readerPublicKeys", "edgeSecret"] as const

/** The read function's parts: nothing in it can write to the database. */
export interface ReadPlatform extends Basics {
  settings: Pick<
    Settings<(typeof REQUIRED)[number]>,
    | "readerPublicKeys"
    | "edgeSecret"
    | "adminTokenHash"
    | "environments"
    | "cacheTtlSeconds"
    | "viewMemoryMebibytes"
    | "jwtIssuers"
    | "outboundAllow"
  >
  reading: Reading
  cache: CachePort
  attempts: Attempts
  tokenUses: TokenUses
  /** Absent: nobody counts. */
  usage?: UsageRecorder | undefined
  close(): Promise<void>
}

/** Below the time a reader has: so it is the server who gives up first, and the connection stays sound. */
const READ_DEADLINE_MS = 500

/** Throws SettingsError. Nothing is connected before the first request needs it. */
export const composeRead = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): ReadPlatform => {
  const settings = readSettings(variables, REQUIRED)
  const basics = composeBasics("read", overrides, variables)
  const db = openReader({
    url: settings.databaseReadUrl,
    applicationName: "hotswap-read",
    deadlineMs: READ_DEADLINE_MS,
  })
  const send = restSender({ url: settings.redisUrl, token: settings.redisToken })
  return {
    ...basics,
    settings,
    reading: postgresReading(db, settings.environments),
    cache: composeCache(basics, settings, restSender),
    attempts: createAttempts({ ...basics, send }),
    tokenUses: createTokenUses({ ...basics, send }),
    usage: createUsage({ ...basics, inbox: createUsageInbox({ ...basics, send }) }),
    close: () => db.close(),
  }
}
