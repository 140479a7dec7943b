import { type Database, openDatabase } from "../../db/client.ts"
import type { Archives } from "./archive/archives.ts"
import { composeArchives } from "./archive/compose-archives.ts"
import { countersigned } from "./archive/countersigned.ts"
import { neededBackupBlobs } from "./backup-blobs.ts"
import type { Locations } from "./blob-locations.ts"
import type { CachePort } from "./cache.ts"
import { type CheckpointSigner, checkpointSigner } from "./checkpoint-signer.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import { type Ids, systemIds } from "./ids.ts"
import { composeKeys } from "./keys/compose-keys.ts"
import type { KeyRing } from "./keys/key-ring.ts"
import type { Vault } from "./keys/vault.ts"
import type { Pacer } from "./pacer.ts"
import { pacerFor } from "./pacer-aws.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import type { JobQueue } from "./queue.ts"
import { queueFor } from "./queue-sqs.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings, SettingsError } from "./settings.ts"

const REQUIRED = ["databaseUrl", "databaseSystemUrl", "redisUrl", "redisToken"] as const

/** Of each statement; a transaction that takes longer says how long it may. */
const BULK_LIMIT_MS = 60_000

/** What does jobs: backups and whatever is made of them. */
export interface BackupPlatform extends Basics {
  settings: Settings<(typeof REQUIRED)[number]>
  ids: Ids
  keyRing: KeyRing
  vault: Vault
  /** As the role that sees one tenant at a time. For what takes as long as a request does. */
  db: Database
  /** The same, for snapshots and what is written in one transaction: their statements may take a minute. */
  bulk: Database
  /** As the role of the few cross-tenant queries. */
  system: Database
  cache: CachePort
  publisher: Pick<Publisher, "publish">
  /** Where archives are. */
  blobs: Locations
  archives: Archives
  /** Absent: nothing is signed. */
  signer: CheckpointSigner | undefined
  /** Absent where a clock in the same process looks for what is due. */
  queue: JobQueue | undefined
  /** Absent where a clock in the same process paces rollouts. */
  pacer: Pacer | undefined
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first job needs it. */
export const composeBackup = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides & { ids?: Ids } = {},
): BackupPlatform => {
  const settings = readSettings(variables, REQUIRED)
  const basics = composeBasics("backup", overrides, variables)
  const { databaseUrl: url } = settings
  const db = openDatabase({ url, applicationName: "hotswap-backup", max: 6 })
  const bulk = openDatabase({
    url,
    applicationName: "hotswap-backup-bulk",
    max: 4,
    deadlineMs: BULK_LIMIT_MS,
  })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-backup-system",
    max: 2,
  })
  const cache = composeCache(basics, settings, upstashSender)
  const { keyRing, vault } = composeKeys(variables, settings, { db, clock: basics.clock })
  if (!keyRing || !vault)
    throw new SettingsError([
      "HOTSWAP_KEY_DIRECTORY is not set, nor HOTSWAP_KMS_ALIAS: nothing seals archives",
    ])
  const blobs = neededBackupBlobs(variables, settings, basics.clock, basics.log)
  const signer = settings.auditKey ? checkpointSigner(settings.auditKey) : undefined
  return {
    ...basics,
    keyRing,
    vault,
    settings,
    ids: overrides.ids ?? systemIds,
    db,
    bulk,
    system,
    cache,
    publisher: createPublisher({ reading: pointerReading(db), cache, clock: basics.clock }),
    blobs,
    archives: countersigned(composeArchives({ ...basics, keyRing, settings, db, blobs }), signer),
    signer,
    queue: queueFor(variables, settings, basics.clock),
    pacer: pacerFor(settings, db),
    close: async () => {
      await Promise.all([db.close(), bulk.close(), system.close()])
    },
  }
}
