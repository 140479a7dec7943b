import { type Database, openDatabase } from "../../db/client.ts"
import type { Archives } from "./archive/archives.ts"
import { composeArchives } from "./archive/compose-archives.ts"
import { type Attempts, createAttempts } from "./attempts.ts"
import { backupBlobsOf } from "./backup-blobs.ts"
import type { BlobStore } from "./blob-store.ts"
import type { CachePort } from "./cache.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import type { ConsoleFiles } from "./console-files.ts"
import { createGrants, type GrantsReader } from "./grants.ts"
import { type Ids, systemIds } from "./ids.ts"
import { composeKeys, type Keys } from "./keys/compose-keys.ts"
import { createLimits, LIMITS_DEADLINE_MS, type Limits } from "./limits.ts"
import { createManagementGuard, type ManagementGuard } from "./management-guard.ts"
import { composeMessenger, type Messenger } from "./messages/messenger.ts"
import type { Pacer } from "./pacer.ts"
import { pacerFor } from "./pacer-aws.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import type { JobQueue } from "./queue.ts"
import { queueFor } from "./queue-sqs.ts"
import { pointerReading } from "./reading-postgres.ts"
import { restSender } from "./redis-rest.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"
import { createSns, type Sns } from "./sns.ts"
import { createTokenUses, type TokenUses } from "./token-uses.ts"
import { createUsage, type UsageRecorder } from "./usage.ts"
import { createUsageInbox } from "./usage-inbox.ts"

const REQUIRED = ["databaseUrl", "databaseSystemUrl", "redisUrl", "redisToken", "readerKeys"] as const
/** Without it every caller would have the address of the edge, and be counted as one. */
const WHEN_DEPLOYED = ["edgeSecret"] as const

/** Below the time a request has: so it is the server who gives up first, and the connection stays sound. */
const STATEMENT_LIMIT_MS = 2_250

/** What manages: tenants, configs, changes, approvals, tokens. */
export interface ManagePlatform extends Basics, Keys {
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
  attempts: Attempts
  tokenUses: TokenUses
  /** Absent: nobody counts. */
  usage?: UsageRecorder | undefined
  limits: Limits
  grants: GrantsReader
  /** Absent where requests to what manages are not limited. */
  managementGuard: ManagementGuard | undefined
  /** Absent where a clock in the same process paces rollouts. */
  pacer: Pacer | undefined
  /** Absent where a clock in the same process looks for jobs that are due. */
  queue: JobQueue | undefined
  /** Archives, where they go part by part over HTTP; absent where none are kept. */
  archiving: { archives: Archives; blobs: BlobStore } | undefined
  /** The console, where this process builds it; absent: what stands beside the code. */
  consoleFiles?: (() => Promise<ConsoleFiles>) | undefined
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first request needs it. */
export const composeManage = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides & { ids?: Ids; consoleFiles?: () => Promise<ConsoleFiles> } = {},
): ManagePlatform => {
  const settings = readSettings(variables, REQUIRED, WHEN_DEPLOYED)
  const basics = composeBasics("manage", overrides, variables)
  const db = openDatabase({
    url: settings.databaseUrl,
    applicationName: "hotswap-manage",
    deadlineMs: STATEMENT_LIMIT_MS,
  })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-manage-system",
    deadlineMs: STATEMENT_LIMIT_MS,
    max: 2,
  })
  const keys = composeKeys(variables, settings, { db, clock: basics.clock })
  const blobs = backupBlobsOf(variables, settings, basics.clock, basics.log)
  const cache = composeCache(basics, settings, upstashSender)
  const send = upstashSender({ url: settings.redisUrl, token: settings.redisToken })
  const counting = { url: settings.redisUrl, token: settings.redisToken, deadlineMs: LIMITS_DEADLINE_MS }
  const limits = createLimits({ ...basics, send: restSender(counting) })
  const grants = createGrants({ db })
  return {
    ...basics,
    ...keys,
    settings,
    ids: overrides.ids ?? systemIds,
    db,
    system,
    cache,
    publisher: createPublisher({ reading: pointerReading(db), cache, clock: basics.clock }),
    messenger: composeMessenger(settings),
    pacer: pacerFor(settings, db),
    queue: queueFor(variables, settings, basics.clock),
    archiving: blobs && { blobs, archives: composeArchives({ ...basics, ...keys, settings, db, blobs }) },
    consoleFiles: overrides.consoleFiles,
    sns: createSns(),
    attempts: createAttempts({ ...basics, send }),
    tokenUses: createTokenUses({ ...basics, send }),
    usage: createUsage({ ...basics, inbox: createUsageInbox({ ...basics, send }) }),
    limits,
    grants,
    managementGuard: settings.managementLimits
      ? createManagementGuard({ ...basics, limits, grants, environments: settings.environments })
      : undefined,
    close: async () => {
      await Promise.all([db.close(), system.close()])
    },
  }
}
