import { join } from "node:path"
import { sql } from "drizzle-orm"
import { DEFAULT_ENVIRONMENTS } from "../../../core/environment.ts"
import type { ScopeId, TenantId } from "../../../core/ids.ts"
import { SCHEDULE_OWNER } from "../../../core/job/job.ts"
import type { Database } from "../../../db/client.ts"
import { insertChannel } from "../../../db/queries/notifications.ts"
import { startPointers } from "../../../db/queries/pointers.ts"
import { tenants } from "../../../db/schema/tenants.ts"
import { withTenant } from "../../../db/tenant.ts"
import { exportScope } from "../../../functions/backup/export.ts"
import { type RestoreNew, type RestorePlatform, restoreAsNew } from "../../../functions/backup/restore-new.ts"
import { createArchives, type OpenArchive } from "../../../functions/platform/archive/archives.ts"
import { severalLocations } from "../../../functions/platform/blob-locations.ts"
import { diskBlobStore } from "../../../functions/platform/blob-store-disk.ts"
import { systemIds } from "../../../functions/platform/ids.ts"
import { archiveKeys } from "../../../functions/platform/keys/archive-keys.ts"
import { sealChannelSecret } from "../../../functions/platform/keys/channel-secrets.ts"
import type { KeyRing } from "../../../functions/platform/keys/key-ring.ts"
import { type AuditWorld, auditWorld } from "../../audit/world.ts"
import { openTestDatabase } from "../../support/database.ts"
import type { Answer } from "../manage/world.ts"

export const CONTEXT = { progress: async () => {}, signal: new AbortController().signal }

type Wish = Partial<RestoreNew> & Pick<RestoreNew, "backupId" | "target">

/** Somewhere that archives are made and restored: a database, with the keys and the archives of the first. */
export interface Side extends RestorePlatform {
  archives: ReturnType<typeof createArchives>
  /** Archives a scope as it is now. */
  archive: (scope: string) => Promise<OpenArchive>
  restore: (wish: Wish, instead?: Partial<RestorePlatform>) => ReturnType<typeof restoreAsNew>
  published: string[]
}

/** Where the archives come from that are restored, unless it is said. */
export const SOURCE = "origin-7c1e" as TenantId

export const newTenantWorld = async () => {
  const world = await auditWorld()
  const others: Awaited<ReturnType<typeof openTestDatabase>>[] = []
  const { clock, log } = world.platform
  const ownKeys = world.platform.keyRing!
  const ownBlobs = severalLocations([
    { name: "primary", store: diskBlobStore(join(world.folder, "archives")) },
  ])
  const side = (db: Database, keyRing = ownKeys, blobs = ownBlobs): Side => {
    const archives = createArchives({ blobs, keys: archiveKeys({ db, keyRing, clock }) })
    const published: string[] = []
    const publish = async (scope: string, environment: string) =>
      published.push(`${scope} ${environment}`) > 0
    const settings = { environments: DEFAULT_ENVIRONMENTS }
    const platform = { db, bulk: db, keyRing, clock, log, archives, settings, publisher: { publish } }
    return {
      ...platform,
      published,
      archive: async (text) => {
        const scope = text as ScopeId
        const backupId = systemIds.uuid()
        await archives.prepare(scope)
        await exportScope(platform, {
          scope,
          backupId,
          options: { includeEmptyTables: true },
          previous: null,
        })
        return await archives.open(scope, backupId)
      },
      restore: (wish, instead = {}) =>
        restoreAsNew(
          { ...platform, ...instead },
          { source: SOURCE, how: "restore", jobId: systemIds.uuid(), by: SCHEDULE_OWNER, ...wish },
          CONTEXT,
        ),
    }
  }
  return {
    world,
    here: side(world.app),
    /** Another database, where there is nothing yet; with the keys and archives of here, or others. */
    elsewhere: async (keyRing?: KeyRing, blobs?: string) => {
      const database = await openTestDatabase()
      others.push(database)
      const store = blobs && severalLocations([{ name: "primary", store: diskBlobStore(blobs) }])
      return { ...side(database.app, keyRing, store || undefined), database }
    },
    close: async () => {
      for (const other of others) await other.close()
      await world.close()
    },
  }
}

export type NewTenantWorld = Awaited<ReturnType<typeof newTenantWorld>>

/** A tenant's row, its pointers, and a chain of the audit that begins long ago. */
export const bareTenant = async ({ app, sign }: AuditWorld, tenantId: TenantId): Promise<void> => {
  await withTenant(app, tenantId, async (tx) => {
    await tx.db.insert(tenants).values({ tenantId, name: "Origin", tier: "Enterprise" })
    await startPointers(tx, DEFAULT_ENVIRONMENTS, "Enterprise")
    const body = `{"action":"old","actor":{"subject":"somebody","tokenId":"startup"},"target":"x"}`
    const bodies = JSON.stringify([body, body, body])
    await tx.db.execute(
      sql`select hotswap.append_audit(${tenantId}, ${bodies}::jsonb, '2020-01-01T00:00:00Z'::timestamptz)`,
    )
  })
  // By themselves, so that they can be dropped because of their age.
  await sign()
}

const done = async <T>(answer: Promise<Answer<T>>): Promise<T> => {
  const given = await answer
  if (given.status >= 300) throw new Error(given.text)
  return given.body
}

const ROLES = ["engineer", "manager", "compliance", "tenant_admin"] as const
const DIRECT = { strategy: { type: "direct" } }

/** Calls about a tenant, by people of it. */
export const peopleOf = async ({ call }: AuditWorld, slug: string) => {
  const tokens: Record<string, string> = {}
  for (const role of ROLES) {
    const body = { subject: `${role}.person`, roles: role === "tenant_admin" ? ["engineer", role] : [role] }
    const issued = await done(call<{ token: string }>("POST", `/api/v1/tenants/${slug}/tokens`, { body }))
    tokens[role] = issued.token
  }
  const ask = (role: (typeof ROLES)[number], method: string, path: string, body: unknown = {}) =>
    done(call(method, path.replace("{tenant}", `/api/v1/tenants/${slug}`), { token: tokens[role]!, body }))
  return {
    ask,
    submit: async (environment: string, edits: unknown[], more: object = {}): Promise<string> => {
      const body = { tenantId: slug, environment, edits, comment: "because", ...more }
      return (await ask("tenant_admin", "POST", "/api/v1/changes", body)).changeId as string
    },
    approve: async (changeId: string) => {
      for (const role of ["engineer", "manager", "compliance"] as const)
        await ask(role, "POST", `/api/v1/approvals/${changeId}/approve`, { comment: "fine" })
    },
  }
}

/**
 * Gives a bare tenant something in every table that archives hold, and changes in every state. What people write holds no
 * tenant's id, so that an id that is found later was not made over.
 */
export const populate = async (world: AuditWorld, slug: string, configs: number): Promise<void> => {
  const { ask, submit, approve } = await peopleOf(world, slug)
  const patch = { externalIds: { guild: "7001" }, displayName: "The first", adminEmail: "a@example.org" }
  await done(world.call("PATCH", `/api/v1/tenants/${slug}`, { body: patch }))

  const many = Array.from({ length: configs }, (_, nth) => ({
    key: `config.${nth}`,
    value: { nth, text: "ä\n" },
  }))
  for (let from = 0; from < many.length; from += 2_500)
    await submit("Development", many.slice(from, from + 2_500), DIRECT)
  const config = {
    key: "number",
    value: 1,
    description: "a number",
    owner: "team",
    schema: { type: "number" },
  }
  for (const environment of ["QA", "Staging"]) await submit(environment, [config], DIRECT)
  await submit("Staging", [{ key: "number", value: 2 }], DIRECT)
  await submit("Staging", [{ key: "pin", value: "correct horse", secret: true }], DIRECT)
  await submit("Staging", [{ key: "pin", value: "battery staple" }], DIRECT)
  await ask("manager", "PUT", "{tenant}/environments/QA/policy", {
    stages: [{ role: "manager", required: 1 }],
  })
  await submit("QA", [{ key: "waits", value: true }])
  await approve(await submit("Production", [config], DIRECT))
  await approve(await submit("Production", [{ key: "number", value: 3 }], DIRECT))
  await ask("manager", "POST", "{tenant}/environments/Production/rollback")
  const rejected = await submit("Production", [{ key: "never", value: 1 }])
  await ask("engineer", "POST", `/api/v1/changes/${rejected}/comments`, { text: "oh" })
  await ask("manager", "POST", `/api/v1/approvals/${rejected}/reject`, { comment: "no" })
  await approve(await submit("Production", [{ key: "number", value: 4 }]))
  await submit("Production", [{ key: "later", value: 1 }])

  await ask("tenant_admin", "PUT", "{tenant}/audit-retention", { days: 90 })
  const period = { from: "2001-01-01T00:00:00Z", to: "2001-02-01T00:00:00Z", comment: "seen" }
  await ask("compliance", "POST", "{tenant}/reports/hipaa/reviews", period)
  await withChannel(world, slug as TenantId)
  await world.sign()
  await world.drop()
}

const withChannel = async ({ app, platform }: AuditWorld, scope: TenantId) => {
  const channelId = systemIds.uuid()
  const secret = await sealChannelSecret(platform.vault, scope, channelId, "a secret of the webhook's")
  const config = { url: "https://hooks.example.org/x" }
  const channel = {
    channelId,
    environment: null,
    type: "webhook",
    config,
    secret,
    events: null,
    createdBy: "somebody",
  } as const
  const actor = { subject: "somebody", tokenId: "startup" }
  await insertChannel(app, scope, channel, { action: "channel.create", actor, target: channelId })
}

/** All of an archive, by table. */
export const linesOf = async (archive: OpenArchive): Promise<Record<string, string[]>> => {
  const lines: Record<string, string[]> = {}
  for (const { name } of archive.manifest.tables) {
    lines[name] = []
    for await (const line of archive.rows(name)) lines[name].push(line)
  }
  return lines
}
