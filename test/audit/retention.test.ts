import { sql } from "drizzle-orm"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { originOf } from "../../core/audit/checkpoint.ts"
import { verifyInclusion } from "../../core/audit/merkle.ts"
import { verifyJsonl } from "../../core/audit/read-export.ts"
import type { ScopeId } from "../../core/ids.ts"
import { lastDrop } from "../../db/queries/audit-checkpoints.ts"
import { dropEntries } from "../../db/queries/audit-signing.ts"
import { withTenant } from "../../db/tenant.ts"
import { must } from "../functions/manage/world.ts"
import { type AuditWorld, auditWorld, linesOf } from "./world.ts"

// A tier's chain begins when something is first written to it: it can be made to begin long ago.
const SCOPE = "~tier.Pro" as ScopeId
const OLD = 9
let world: AuditWorld

const append = (at: string, count: number) =>
  withTenant(world.app, SCOPE, async (tx) => {
    const body = `{"action":"old","actor":{"subject":"somebody","tokenId":"startup"},"target":"x"}`
    const bodies = JSON.stringify(Array.from({ length: count }, () => body))
    await tx.db.execute(sql`select hotswap.append_audit(${SCOPE}, ${bodies}::jsonb, ${at}::timestamptz)`)
  })

const verify = async () =>
  (await must(world.call("POST", "/api/v1/audit/verify", { body: { tenantId: SCOPE } }), 200)).body
const retain = (days: number | null) =>
  must(world.call("PUT", `/api/v1/tenants/${SCOPE}/audit-retention`, { body: { days } }), 200)

beforeAll(async () => {
  world = await auditWorld()
  await append("2020-01-01T00:00:00Z", OLD)
  await world.sign()
  await append("2020-02-01T00:00:00Z", 2)
  await world.edit(SCOPE, 2)
  await world.sign()
})
afterAll(() => world.close())

test("without a retention nothing is dropped, however old", async () => {
  expect(await world.drop()).toBe(0)
})

test("what its scope decides to keep while it is about to be dropped is kept, and not said to be gone", async () => {
  const drop = dropEntries(world.system, { scope: SCOPE, through: OLD, note: "dropped" })
  await expect(drop).rejects.toThrow("kept")
  expect(await lastDrop(world.app, SCOPE)).toBeNull()
})

test("what is older is dropped up to a checkpoint, and the rest is whole to whoever checks it", async () => {
  await retain(90)
  expect(await world.drop()).toBe(OLD)
  expect(await world.drop()).toBe(0)
  const { body } = await must(world.call("GET", `/api/v1/tenants/${SCOPE}/audit-retention`), 200)
  expect(body).toEqual({ days: 90, droppedThrough: OLD })
  expect(await verify()).toMatchObject({ ok: true })
  const known = { scope: SCOPE, keys: world.keys }
  const text = await world.exported(SCOPE)
  expect(await verifyJsonl(linesOf(text), known)).toMatchObject({ ok: true })
  const pieces = await world.pieces(SCOPE)
  expect(await verifyJsonl(linesOf(text), { ...known, pieces })).toMatchObject({ ok: true })
  const [head, ...rest] = linesOf(text)
  const wordless = [`${JSON.stringify({ ...JSON.parse(head!), drop: null })}\n`, ...rest]
  expect(await verifyJsonl(wordless, known)).toMatchObject({ ok: false, firstBroken: 1 })
})

test("a note that was kept from before is held against what is left, or is said to be of no use", async () => {
  const text = await world.exported(SCOPE)
  const pieces = await world.pieces(SCOPE)
  const known = { scope: SCOPE, keys: world.keys }
  const [kept] = pieces
  const other = (size: number) =>
    world.signer.sign({
      origin: originOf(SCOPE),
      size,
      root: new Uint8Array(32).fill(7),
      chain: "0".repeat(64),
      at: "2020-01-01T00:00:00.000000Z",
    })
  const told = (...notes: string[]) => verifyJsonl(linesOf(text), { ...known, notes })
  expect(await told(kept!.note)).toMatchObject({ ok: true })
  expect(await told(other(kept!.size))).toMatchObject({ ok: false })
  expect(await told(other(kept!.size), kept!.note)).toMatchObject({ ok: false })
  expect(await told(other(kept!.size - 1))).toMatchObject({ ok: false })
  const all = { ...known, pieces, notes: [other(kept!.size - 1)] }
  expect(await verifyJsonl(linesOf(text), all)).toMatchObject({ ok: false })
})

test("that an entry was there can be proved although it is gone", async () => {
  const { body } = await must(
    world.call<{ entryHash: string; root: string; proof: string[]; size: number }>(
      "GET",
      `/api/v1/audit/proof?tenantId=${SCOPE}&seq=3`,
    ),
    200,
  )
  const bytes = (text: string) => Buffer.from(text, "base64")
  const facts = { entryHash: bytes(body.entryHash), place: 2, size: body.size, root: bytes(body.root) }
  expect(verifyInclusion(body.proof.map(bytes), facts)).toBe(true)
})

test("the database lets nobody who runs drop what is younger, or was not signed away", async () => {
  const system = postgres(world.url("hotswap_system"), { max: 1, onnotice: () => {} })
  const app = postgres(world.url("hotswap_app"), { max: 1, onnotice: () => {} })
  try {
    expect((await system`delete from hotswap.audit_entries returning seq`).length).toBe(0)
    await expect(app`delete from hotswap.audit_entries`).rejects.toThrow(/permission denied/)
    await expect(system`update hotswap.audit_checkpoints set note = ''`).rejects.toThrow(/permission denied/)
    await expect(system`select body from hotswap.audit_entries`).rejects.toThrow(/permission denied/)
  } finally {
    await Promise.all([system.end(), app.end()])
  }
})

test("what was written yesterday is not signed away, even if its rows say that it is old", async () => {
  const admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  const whole = await admin`
    select seq, at::text as at from hotswap.audit_entries where tenant_id = ${SCOPE} order by seq`
  try {
    await admin`update hotswap.audit_entries set at = '2020-03-01' where tenant_id = ${SCOPE}`
    const before = world.logged.length
    expect(await world.drop()).toBe(0)
    expect(world.logged.slice(before).join()).toContain("too young")
    expect(await admin`select from hotswap.audit_entries where tenant_id = ${SCOPE}`).toHaveLength(
      whole.length,
    )
  } finally {
    for (const { seq, at } of whole)
      await admin`update hotswap.audit_entries set at = ${at}::text::timestamptz where tenant_id = ${SCOPE} and seq = ${seq}`
    await admin.end()
  }
})

test("less than 90 days cannot be asked for, and for ever can", async () => {
  const path = `/api/v1/tenants/${SCOPE}/audit-retention`
  expect((await must(world.call("PUT", path, { body: { days: 89 } }), 400)).body.code).toBe("BODY_INVALID")
  expect((await retain(null)).body).toEqual({ days: null, droppedThrough: OLD })
})

test("a chain that lost entries by other means is signed no further", async () => {
  const admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  try {
    await world.edit(SCOPE, 2)
    const [{ seq } = {}] = await admin`
      select max(seq) - 1 as seq from hotswap.audit_entries where tenant_id = ${SCOPE}`
    await admin`delete from hotswap.audit_entries where tenant_id = ${SCOPE} and seq = ${seq}`
    const before = world.logged.length
    expect(await world.sign()).toBe(0)
    expect(world.logged.slice(before).join()).toContain("is missing")
    expect(await verify()).toMatchObject({ ok: false, firstBroken: Number(seq) })
  } finally {
    await admin.end()
  }
})
