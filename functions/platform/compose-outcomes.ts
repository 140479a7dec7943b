import { type Database, openDatabase } from "../../db/client.ts"
import { type Attempts, createAttempts } from "./attempts.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import type { Pacer } from "./pacer.ts"
import { pacerFor } from "./pacer-aws.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"
import { createUsage, type UsageRecorder } from "./usage.ts"
import { createUsageInbox, type UsageInbox } from "./usage-inbox.ts"

const REQUIRED = ["databaseUrl", "databaseSystemUrl", "redisUrl", "redisToken", "readerPublicKeys"] as const
/** Without it every caller would have the address of the edge, and be counted as one. */
const WHEN_DEPLOYED = ["edgeSecret"] as const

/** Below the time a request has: so it is the server who gives up first, and the connection stays sound. */
const STATEMENT_LIMIT_MS = 2_250

/** What hears the clients: one tenant at a time, and no key that could sign anything. */
export interface OutcomesPlatform extends Basics {
  settings: Pick<
    Settings<(typeof REQUIRED)[number]>,
    | "environments"
    | "readerPublicKeys"
    | "edgeSecret"
    | "adminTokenHash"
    | "jwtIssuers"
    | "outboundAllow"
    | "eventDays"
  >
  /** As the role that sees one tenant at a time. */
  db: Database
  /** As the role of the few cross-tenant queries: how many tenants a wave has reached. */
  system: Database
  publisher: Pick<Publisher, "publish">
  attempts: Attempts
  /** Where what the edge counted goes; absent: nowhere. */
  inbox?: Pick<UsageInbox, "put"> | undefined
  /** Absent: nobody counts. */
  usage?: UsageRecorder | undefined
  /** Absent where a clock in the same process paces rollouts. */
  pacer: Pacer | undefined
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first report needs it. */
export const composeOutcomes = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): OutcomesPlatform => {
  const settings = readSettings(variables, REQUIRED, WHEN_DEPLOYED)
  const basics = composeBasics("outcomes", overrides, variables)
  const db = openDatabase({
    url: settings.databaseUrl,
    applicationName: "hotswap-outcomes",
    deadlineMs: STATEMENT_LIMIT_MS,
  })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-outcomes-system",
    deadlineMs: STATEMENT_LIMIT_MS,
    max: 1,
  })
  const cache = composeCache(basics, settings, upstashSender)
  const send = upstashSender({ url: settings.redisUrl, token: settings.redisToken })
  const inbox = createUsageInbox({ ...basics, send })
  return {
    ...basics,
    settings,
    db,
    system,
    publisher: createPublisher({ reading: pointerReading(db), cache, clock: basics.clock }),
    pacer: pacerFor(settings, db),
    attempts: createAttempts({ ...basics, send }),
    inbox,
    usage: createUsage({ ...basics, inbox }),
    close: async () => {
      await Promise.all([db.close(), system.close()])
    },
  }
}
