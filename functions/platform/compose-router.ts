import { type Database, openDatabase } from "../../db/client.ts"
import { blocksOf } from "./addresses.ts"
import { type Attempts, createAttempts } from "./attempts.ts"
import { type Basics, composeBasics, type Overrides } from "./compose.ts"
import { type Clients, createClients } from "./deployments/clients.ts"
import { composeKeys } from "./keys/compose-keys.ts"
import type { Vault } from "./keys/vault.ts"
import { upstashSender } from "./redis-upstash.ts"
import { readSettings, type Settings } from "./settings.ts"
import { createTokenUses, type TokenUses } from "./token-uses.ts"

const REQUIRED = ["databaseUrl", "databaseSystemUrl", "redisUrl", "redisToken", "readerPublicKeys"] as const
/** Without it every caller would have the address of the edge, and be counted as one. */
const WHEN_DEPLOYED = ["edgeSecret"] as const

/** Below the time a request has: so it is the server who gives up first, and the connection stays sound. */
const STATEMENT_LIMIT_MS = 2_250

/** What passes requests on to tenants' own backends, and looks at how these are. */
export interface RouterPlatform extends Basics {
  settings: Pick<
    Settings<(typeof REQUIRED)[number]>,
    "environments" | "readerPublicKeys" | "edgeSecret" | "adminTokenHash" | "jwtIssuers" | "outboundAllow"
  >
  /** As the role that sees one tenant at a time. */
  db: Database
  /** As the role of the few cross-tenant queries: external ids, and whose deployments are due. */
  system: Database
  attempts: Attempts
  tokenUses: TokenUses
  clients: Clients
  /** Opens the credentials of backends. */
  vault: Vault | undefined
  /** Where this process runs; `null`: nobody said. */
  region: string | null
  /** From 0 to 1, so that not all is looked at together. */
  chance(): number
  close(): Promise<void>
}

/** Throws SettingsError. Nothing is connected before the first request needs it. */
export const composeRouter = (
  variables: Readonly<Record<string, string | undefined>>,
  overrides: Overrides = {},
): RouterPlatform => {
  const settings = readSettings(variables, REQUIRED, WHEN_DEPLOYED)
  const basics = composeBasics("router", overrides, variables)
  const deadlineMs = STATEMENT_LIMIT_MS
  const db = openDatabase({
    url: settings.databaseUrl,
    applicationName: "hotswap-router",
    deadlineMs,
    max: 6,
  })
  const system = openDatabase({
    url: settings.databaseSystemUrl,
    applicationName: "hotswap-router-system",
    deadlineMs,
    max: 1,
  })
  const { vault } = composeKeys(variables, settings, { db, clock: basics.clock })
  const clients = createClients({ ...basics, db, vault, allowed: blocksOf(settings.outboundAllow) })
  const send = upstashSender({ url: settings.redisUrl, token: settings.redisToken })
  return {
    ...basics,
    settings,
    db,
    system,
    attempts: createAttempts({ ...basics, send }),
    tokenUses: createTokenUses({ ...basics, send }),
    clients,
    vault,
    region: settings.region ?? variables.AWS_REGION ?? null,
    chance: Math.random,
    close: async () => {
      clients.close()
      await Promise.all([db.close(), system.close()])
    },
  }
}
