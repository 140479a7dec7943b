import postgres from "postgres"
import { afterAll, beforeEach, expect, test } from "vitest"
import type { ScopeId } from "../../core/ids.ts"
import { checkpointUpTo } from "../../db/queries/audit-checkpoints.ts"
import type { BlobStore } from "../../functions/platform/blob-store.ts"
import { makeCheckpoints } from "../../functions/relay/checkpoints.ts"
import { must } from "../functions/manage/world.ts"
import { type AuditWorld, auditWorld } from "./world.ts"

// Somebody owns the database: its rows, its checkpoints and its heads. They have no key, and the copies are out of reach.

let world: AuditWorld
let admin: ReturnType<typeof postgres>
const opened: (() => Promise<unknown>)[] = []
const scope = "acme" as ScopeId

beforeEach(async () => {
  world = await auditWorld()
  admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  opened.push(() => admin.end(), world.close)
  await world.tenant("acme")
  for (const times of [2, 3]) {
    await world.edit("acme", times)
    await world.sign()
  }
})
afterAll(async () => {
  for (const close of opened.splice(0)) await close()
})

/** Everything after the first checkpoint never was. */
const rollBackTo = async (size: number): Promise<void> => {
  await admin`delete from hotswap.audit_checkpoints where tenant_id = ${scope} and size > ${size}`
  await admin`delete from hotswap.audit_entries where tenant_id = ${scope} and seq > ${size}`
  await admin`
    update hotswap.audit_heads h set (seq, hash, at) = (e.seq, e.hash, e.at) from hotswap.audit_entries e
    where h.tenant_id = ${scope} and e.tenant_id = ${scope} and e.seq = ${size}`
}

const verify = async (body: object = {}) =>
  (await must(world.call("POST", "/api/v1/audit/verify", { body: { tenantId: scope, ...body } }), 200)).body

test("a chain that was set back with its checkpoints, and lives on, is signed no further", async () => {
  const [first] = await world.pieces("acme")
  await rollBackTo(first!.size)
  await world.edit("acme", 1)
  expect(await world.sign()).toBe(0)
  expect(world.logged.at(-1)).toContain("is not what was signed up to")
  await world.edit("acme", 9)
  expect(await world.sign()).toBe(0)
  expect(world.logged.at(-1)).toContain("is not what was signed up to")
})

test("and is not what a note that was kept elsewhere says", async () => {
  const note = (await checkpointUpTo(world.app, scope))!.note
  const [first] = await world.pieces("acme")
  expect(await verify({ note })).toMatchObject({ ok: true })
  await rollBackTo(first!.size)
  expect(await verify()).toMatchObject({ ok: true, signed: first!.size })
  expect(await verify({ note })).toMatchObject({ ok: false, firstBroken: first!.size + 1 })
  await world.edit("acme", 9)
  expect(await verify({ note })).toMatchObject({ ok: false, firstBroken: first!.size + 1 })
  expect(await verify({ note: `${note} ` })).toMatchObject({ ok: false, firstBroken: 1 })
})

test("without its checkpoints a chain is not signed anew from its beginning", async () => {
  await admin`delete from hotswap.audit_checkpoints where tenant_id = ${scope}`
  await admin`update hotswap.audit_entries set hash = sha256(hash) where tenant_id = ${scope} and seq = 1`
  expect(await world.sign()).toBe(0)
  expect(world.logged.at(-1)).toContain("is not what was signed up to")
})

test("what a relay kept a copy of before it fell down is signed by the next one as it was", async () => {
  await world.edit("acme", 2)
  const falling: BlobStore = {
    ...world.blobs,
    putOnce: async (name, bytes) => {
      await world.blobs.putOnce(name, bytes)
      throw new Error("it fell down")
    },
  }
  expect(await makeCheckpoints({ ...world.deps, blobs: falling })).toBe(0)
  const before = (await world.pieces("acme")).at(-1)!.size
  await world.edit("acme", 3)
  expect(await world.sign()).toBe(2)
  const sizes = (await world.pieces("acme")).map(({ size }) => size).filter((size) => size > before)
  expect(sizes).toHaveLength(2)
  expect(sizes[0]! - before).toBeLessThan(sizes[1]! - before)
  expect(await verify()).toMatchObject({ ok: true, signed: sizes[1] })
})

test("two relays that sign at once, without a place for copies, sign one chain", async () => {
  const deps = { ...world.deps, blobs: undefined }
  await world.edit("acme", 1)
  // The other one has read how long the chain is, and it grows and is signed before its word is written.
  const held = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const blobs: Pick<BlobStore, "get" | "putOnce"> = {
    get: async () => null,
    putOnce: async () => {
      ready.resolve()
      await held.promise
      return "written"
    },
  }
  const late = makeCheckpoints({ ...deps, blobs })
  await ready.promise
  await world.edit("acme", 1)
  expect(await makeCheckpoints(deps)).toBe(1)
  held.resolve()
  await late
  expect(await verify()).toMatchObject({ ok: true })
})
