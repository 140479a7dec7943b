import { generateKeyPairSync } from "node:crypto"
import { mkdirSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgres from "postgres"
import { migrate } from "../db/migrate.ts"
import { createManage } from "../functions/manage/manage.ts"
import { composeManage } from "../functions/platform/compose-manage.ts"
import { makeMasterKey } from "../functions/platform/keys/master-key.ts"
import { startPostgres } from "../local/postgres.ts"

/** A database with tenants in it, an empty one beside it, and where archives are kept. */
export interface BackupWorld {
  /** What a backup function of the first database, and of the empty one, is composed of. */
  variables: Readonly<Record<"full" | "empty", Record<string, string>>>
  /** As somebody who may read every row of the first. */
  superUrl: string
  stop: () => Promise<void>
}

export interface Tenant {
  tenantId: string
  configs: number
  /** How many of them one change makes. */
  configsAChange: number
}

const ADMIN = "the-start-up-token-of-a-bench"
const QUIET = { info: () => {}, warn: () => {}, error: () => {} }
/** Tenants that are made at a time. */
const MAKERS = 6

export const startBackupWorld = async (tenants: readonly Tenant[]): Promise<BackupWorld> => {
  const directory = await mkdtemp(join(tmpdir(), "hotswap-bench-backup-"))
  const server = await startPostgres({ directory: join(directory, "postgres"), durability: "full" })
  const keys = join(directory, "keys")
  mkdirSync(keys, { mode: 0o700 })
  makeMasterKey(keys)
  const superUrl = server.url("postgres")
  await inSql(superUrl, "create database empty owner hotswap_owner")
  const variablesOf = (database: string): Record<string, string> => ({
    DATABASE_URL: server.url("hotswap_app", database),
    DATABASE_SYSTEM_URL: server.url("hotswap_system", database),
    UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9",
    UPSTASH_REDIS_REST_TOKEN: "bench-redis-token",
    HOTSWAP_READER_KEYS: readerKeys(),
    HOTSWAP_ADMIN_TOKEN: ADMIN,
    HOTSWAP_KEY_DIRECTORY: keys,
    HOTSWAP_BACKUP_DIRECTORY: join(directory, "archives"),
  })
  const { hotswap_app, hotswap_read, hotswap_system } = server.passwords
  const passwords = { appPassword: hotswap_app, readPassword: hotswap_read, systemPassword: hotswap_system }
  for (const database of ["hotswap", "empty"]) await migrate(server.url("hotswap_owner", database), passwords)
  const variables = { full: variablesOf("hotswap"), empty: variablesOf("empty") }
  await fill(variables.full, tenants)
  await inSql(superUrl, "vacuum analyze")
  return {
    variables,
    superUrl,
    stop: async () => {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const inSql = async (url: string, statement: string): Promise<void> => {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
  await sql.unsafe(statement)
  await sql.end()
}

const readerKeys = (): string => {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" })
  return JSON.stringify({ keys: [{ ...jwk, kid: "bench", alg: "EdDSA" }] })
}

const DOMAINS = ["billing", "search", "checkout", "mail", "quota"]

const editOf = (nth: number) => ({
  key: `${DOMAINS[nth % DOMAINS.length]}.setting_${nth}`,
  value:
    nth % 3 === 0
      ? nth % 2 === 0
      : {
          limit: nth * 7,
          windowSeconds: 60,
          note: `what setting ${nth} is for`,
          tags: ["eu", `team-${nth % 17}`],
        },
})

/** As people would, by changes: so there is a history, and an audit of it. */
const fill = async (variables: Record<string, string>, tenants: readonly Tenant[]): Promise<void> => {
  const platform = composeManage(variables, { log: QUIET })
  const { app } = createManage(platform)
  const post = async (path: string, body: unknown): Promise<void> => {
    const headers = { authorization: `Bearer ${ADMIN}` }
    const answer = await app.request(path, { method: "POST", headers, body: JSON.stringify(body) })
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  }
  const left = [...tenants]
  const make = async (): Promise<void> => {
    for (let tenant = left.pop(); tenant; tenant = left.pop()) {
      const { tenantId, configs, configsAChange } = tenant
      await post("/api/v1/tenants", { tenantId, name: tenantId })
      for (let from = 0; from < configs; from += configsAChange) {
        const count = Math.min(configsAChange, configs - from)
        const edits = Array.from({ length: count }, (_, nth) => editOf(from + nth))
        await post("/api/v1/changes", { tenantId, environment: "Development", edits })
      }
    }
  }
  await Promise.all(Array.from({ length: MAKERS }, make))
  await platform.background.settled()
  await platform.close()
}
