import { sql } from "drizzle-orm"
import { afterAll, beforeAll, expect, test } from "vitest"
import { ARCHIVED } from "../../../core/backup/tables.ts"
import { sha256Hex } from "../../../core/hash.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { type ScopeState, withSnapshot } from "../../../db/queries/backup-snapshot.ts"
import { judgeArchive } from "../../../functions/backup/judge-archive.ts"
import { checkpointSigner } from "../../../functions/platform/checkpoint-signer.ts"
import { makeCheckpoints } from "../../../functions/relay/checkpoints.ts"
import { resealAged } from "../../../functions/relay/reseal.ts"
import { newKeySet } from "../../audit/world.ts"
import { fill } from "../../isolation/filling.ts"
import { memoryBlobs } from "../../isolation/stores.ts"
import { createWorld, type World } from "../manage/world.ts"
import { localMessenger } from "../notify/world.ts"
import { type ArchiveWorld, archiveWorld } from "./archive-world.ts"

const SLUG = "moving"
const PASSER = "passer.by"

let world: World
let archiving: ArchiveWorld
let changeId: string
beforeAll(async () => {
  world = await createWorld({ messenger: { ...localMessenger(), checkUrl: async () => {} } })
  archiving = archiveWorld(world, world.platform as never)
  await fill(world, SLUG)
})
afterAll(async () => {
  await archiving.close()
  await world.close()
})

const ask = (method: string, path: string, body?: unknown, token?: string) =>
  world.call<Record<string, string>>(method, path, {
    ...(body === undefined ? {} : { body }),
    ...(token && { token }),
  })

interface Seen {
  state: ScopeState
  /** Of each table's rows. */
  hashes: Record<string, string>
}

const look = async (): Promise<Seen> =>
  (await withSnapshot(world.app, SLUG as ScopeId, async ({ state, rows }) => {
    const hashes: Record<string, string> = {}
    for (const { name } of ARCHIVED) {
      let all = ""
      for await (const row of rows(name)) all += `${row}\n`
      hashes[name] = sha256Hex(all)
    }
    return { state, hashes }
  }))!

const edit = (environment: string, key: string, more: Record<string, unknown> = {}) =>
  ask("POST", "/api/v1/changes", { tenantId: SLUG, environment, edits: [{ key, value: "x" }], ...more })

/** A tenant could be made of the archive, which takes over from the last one what seems to be unchanged. */
const archiveMustDo = async () => {
  const made = await archiving.backUp(SLUG)
  if (made === "later") throw new Error("parts are being removed")
  const archive = await archiving.archives.open(SLUG as ScopeId, made.backupId)
  await judgeArchive({ keyRing: world.platform.keyRing! }, archive, { tables: "all" })
}

/** The answer, which must be that it is done. */
const done = async (answer: ReturnType<typeof ask>) => {
  const given = await answer
  if (given.status >= 300) throw new Error(`${given.status}: ${given.text}`)
  return given
}

/** What anybody may do to a tenant, and what is done to it by itself. */
const DONE: Readonly<Record<string, () => Promise<unknown>>> = {
  "a config": () => edit("Development", "fresh"),
  "the same config again": () => edit("Development", "fresh"),
  "a rollout": async () => {
    const strategy = { type: "canary", steps: [{ weightBp: 1_000, holdMs: 60_000 }] }
    changeId = (await done(edit("Development", "rolls", { strategy }))).body.changeId!
  },
  "a rollout that the clock looked at": () =>
    world.system.transaction(({ db }) =>
      db.execute(sql`update hotswap.changes set looks = looks + 1 where change_id = ${changeId}`),
    ),
  "a comment": () => done(ask("POST", `/api/v1/changes/${changeId}/comments`, { text: "why" })),
  "a rollout taken back": () => done(ask("POST", `/api/v1/changes/${changeId}/abort`, {})),
  "a secret": () =>
    done(
      ask("POST", "/api/v1/configs", {
        tenantId: SLUG,
        environment: "QA",
        key: "hidden",
        value: "s",
        secret: true,
      }),
    ),
  "a secret that was read": () => done(ask("GET", `/api/v1/configs/${SLUG}:QA:hidden/secret`)),
  "new keys": () => done(ask("POST", `/api/v1/tenants/${SLUG}/keys/rotate`)),
  "secrets sealed anew": () =>
    resealAged({
      db: world.app,
      system: world.system,
      vault: world.platform.vault!,
      log: world.platform.log,
    }),
  "a policy": () =>
    done(ask("PUT", `/api/v1/tenants/${SLUG}/environments/QA/policy`, { promoteFromAny: true })),
  "a token": () => done(ask("POST", `/api/v1/tenants/${SLUG}/tokens`, { subject: "new", roles: ["viewer"] })),
  "a name": () => done(ask("PATCH", `/api/v1/tenants/${SLUG}`, { displayName: "another" })),
  "an external id": () => done(ask("PATCH", `/api/v1/tenants/${SLUG}`, { externalIds: { guild: "77" } })),
  "another tier": () => done(ask("PATCH", `/api/v1/tenants/${SLUG}`, { tier: "Pro" })),
  "a suspension": () => done(ask("POST", `/api/v1/tenants/${SLUG}/suspend`)),
  "its end": () => done(ask("POST", `/api/v1/tenants/${SLUG}/resume`)),
  "a channel": () =>
    done(
      ask("POST", `/api/v1/tenants/${SLUG}/channels`, {
        type: "webhook",
        url: "https://hooks.example.org/b",
      }),
    ),
  "another retention": () => done(ask("PUT", `/api/v1/tenants/${SLUG}/audit-retention`, { days: 500 })),
  "a review": () =>
    done(
      ask("POST", `/api/v1/tenants/${SLUG}/reports/hipaa/reviews`, {
        from: "2002-01-01T00:00:00Z",
        to: "2002-02-01T00:00:00Z",
        comment: "looked at",
      }),
    ),
  "a checkpoint": () => {
    const { clock, log } = world.platform
    const parts = { system: world.system, blobs: memoryBlobs(), clock, log }
    return makeCheckpoints({ ...parts, signer: checkpointSigner(newKeySet()) })
  },
  "a person's config": async () => {
    const wish = { subject: PASSER, roles: ["engineer"] }
    const { token } = (await done(ask("POST", `/api/v1/tenants/${SLUG}/tokens`, wish))).body
    const body = { tenantId: SLUG, environment: "Development", edits: [{ key: "passing", value: 1 }] }
    await done(ask("POST", "/api/v1/changes", body, token))
  },
  "a person who is forgotten": () =>
    done(ask("POST", `/api/v1/tenants/${SLUG}/persons/erase`, { subject: PASSER })),
  "nothing at all": async () => {},
}

test("whatever is done to a tenant, no table has other rows under the same fingerprint, and its next archive will do", async () => {
  const told: string[] = []
  let before = await look()
  for (const [name, work] of Object.entries(DONE)) {
    await work()
    const after = await look()
    for (const { name: table } of ARCHIVED) {
      if (before.hashes[table] === after.hashes[table]) continue
      told.push(`${name}: ${table}`)
      expect([name, table, after.state.tables[table]]).not.toEqual([name, table, before.state.tables[table]])
    }
    if (JSON.stringify(before.hashes) !== JSON.stringify(after.hashes))
      expect(after.state.fingerprint).not.toBe(before.state.fingerprint)
    await archiveMustDo()
    // What the backup told of itself stands in the audit, and does not count.
    before = await look()
  }
  // Each table but those that only a restore or the years alter was altered by something.
  const altered = new Set(told.map((line) => line.split(": ")[1]))
  const left = ARCHIVED.map(({ name }) => name).filter((name) => !altered.has(name))
  expect(left.sort()).toEqual(["audit_drops", "audit_keys"])
  expect((await look()).state.fingerprint).toBe(before.state.fingerprint)
})
