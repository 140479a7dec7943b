import type { TenantId } from "../../core/ids.ts"
import { type Database, openDatabase } from "../../db/client.ts"
import { backupBlobsOf, blobsAt } from "./backup-blobs.ts"
import type { BlobStore } from "./blob-store.ts"
import type { CachePort } from "./cache.ts"
import { type CheckpointSigner, checkpointSigner } from "./checkpoint-signer.ts"
import { type Basics, composeBasics, composeCache, type Overrides } from "./compose.ts"
import { composeKeys } from "./keys/compose-keys.ts"
import type { Vault } from "./keys/vault.ts"
import { createPublisher, type Publisher } from "./publish.ts"
import { pointerReading } from "./reading-postgres.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"
import { shredKeys } from "./shred.ts"
import { createUsageInbox, type UsageInbox } from "./usage-inbox.ts"

const REQUIRED = ["databaseReadUrl", "databaseSystemUrl", "redisUrl", "redisToken"] as const

/** The relay's parts: it reads pointers, takes marks away, writes to Redis, and signs audit chains. */
export interface RelayPlatform extends Basics {
  settings: Settings<(typeof REQUIRED)[number]>
  system: Database
  /** As the role that sees one tenant at a time; absent: nothing is erased. */
  db?: Database | undefined
  /** Absent: nothing is sealed anew. */
  vault?: Vault | undefined
  cache: CachePort
  publisher: Pick<Publisher, "publish">
  /** Absent: no audit chain is signed. */
  signer?: CheckpointSigner | undefined
  /** Where what functions counted waits; absent: only events are added up. */
  inbox?: UsageInbox | undefined
  blobs?: BlobStore | undefined
  /** Where archives are kept: those of whoever is erased go too. */
  backups?: BlobStore | undefined
  /** Destroys the keys that a tenant's secrets are sealed with. */
  shred?: ((tenantId: TenantId) => Promise<Readonly<Record<string, number>>>) | undefined
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first sweep needs it. */
export const composeRelay = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): RelayPlatform => {
  const settings = readSettings(variables, REQUIRED)
  const basics = composeBasics("relay", overrides, variables)
  const reading = openDatabase({
    url: settings.databaseReadUrl,
    applicationName: "hotswap-relay-read",
    max: 4,
  })
  const system = openDatabase({ url: settings.databaseSystemUrl, applicationName: "hotswap-relay", max: 2 })
  const db = settings.databaseUrl
    ? openDatabase({ url: settings.databaseUrl, applicationName: "hotswap-relay-app", max: 1 })
    : undefined
  const keys = db && composeKeys(variables, settings, { db, clock: basics.clock })
  const cache = composeCache(basics, settings, upstashSender)
  return {
    ...basics,
    settings,
    system,
    db,
    vault: keys?.vault,
    cache,
    publisher: createPublisher({ reading: pointerReading(reading), cache, clock: basics.clock }),
    inbox: createUsageInbox({
      ...basics,
      send: upstashSender({ url: settings.redisUrl, token: settings.redisToken }),
    }),
    signer: settings.auditKey ? checkpointSigner(settings.auditKey) : undefined,
    blobs: blobsAt(
      { bucket: settings.blobBucket, directory: settings.blobDirectory },
      ...([variables, settings, basics.clock] as const),
    ),
    backups: backupBlobsOf(variables, settings, basics.clock, basics.log),
    shred: db && (async (tenantId) => ({ ...(await shredKeys({ db, ...keys }, tenantId)) })),
    close: async () => {
      await Promise.all([reading.close(), system.close(), db?.close()])
    },
  }
}
