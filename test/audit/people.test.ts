import { createHmac } from "node:crypto"
import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { verifyCsv, verifyJsonl } from "../../core/audit/read-export.ts"
import type { ScopeId } from "../../core/ids.ts"
import { eraseAllAuditPeople, eraseAuditPerson } from "../../db/queries/audit-people.ts"
import { withTenant } from "../../db/tenant.ts"
import { must } from "../functions/manage/world.ts"
import { type AuditWorld, auditWorld, linesOf } from "./world.ts"

const ERIN = 'erin "é" <erin@example.com>'
const scope = "acme" as ScopeId
let world: AuditWorld
let admin: ReturnType<typeof postgres>
let erin: string

interface Listed {
  items: {
    action: string
    actor: { subject: string; tokenId: string; person: string }
    detail?: { subject: string }
  }[]
}

beforeAll(async () => {
  world = await auditWorld()
  admin = postgres(world.url("postgres"), { max: 1, onnotice: () => {} })
  const acme = await world.tenant("acme")
  erin = await acme.issue(ERIN, ["engineer", "compliance"])
  await edit("a")
  await world.sign()
})
afterAll(async () => {
  await admin.end()
  await world.close()
})

const edit = (key: string) =>
  must(
    world.call("POST", "/api/v1/changes", {
      token: erin,
      body: { tenantId: "acme", environment: "Development", edits: [{ key, value: true }] },
    }),
    202,
  )
const list = async (filter = "") =>
  (await must(world.call<Listed>("GET", `/api/v1/audit?tenantId=acme${filter}`), 200)).body.items
const chain = async () =>
  (await admin`select string_agg(body, '') as text from hotswap.audit_entries where tenant_id = 'acme'`)[0]!
    .text
const known = () => ({ scope, keys: world.keys })

describe("a person", () => {
  test("is named to whoever reads the audit, and is not named in the chain", async () => {
    const [latest] = await list()
    expect(latest).toMatchObject({
      actor: { subject: ERIN, person: expect.stringMatching(/^person:[0-9a-f]{64}$/) },
    })
    expect((await list()).find(({ detail }) => detail?.subject === ERIN)?.action).toBe("token.issue")
    expect(await chain()).not.toMatch(/erin|example\.com/)
  })

  test("is found by their name, and by what stands in its place", async () => {
    const byName = await list(`&actor=${encodeURIComponent(ERIN)}`)
    expect(byName.length).toBeGreaterThan(0)
    expect(await list(`&actor=${byName[0]!.actor.person}`)).toEqual(byName)
  })

  test("is named in an export, in both forms, and nobody can be put in their place", async () => {
    const text = await world.exported("acme")
    expect(text).toContain(JSON.stringify(ERIN))
    expect(await verifyJsonl(linesOf(text), known())).toMatchObject({ ok: true })
    const forged = text.replace(JSON.stringify(ERIN), JSON.stringify("mallory"))
    expect(await verifyJsonl(linesOf(forged), known())).toMatchObject({ ok: false })
    const rows = linesOf(await world.exported("acme", "&format=csv"))
    const place = rows.findIndex((row) => row.includes("erin@"))
    expect(await verifyCsv(rows, known())).toMatchObject({ ok: true })
    const other = rows.with(place, rows[place]!.replace("erin@", "anna@"))
    expect(await verifyCsv(other, known())).toMatchObject({ ok: false, firstBroken: place })
    const nobody = rows.with(place, rows[place]!.replace(/"erin[^,]*,/, ","))
    expect(await verifyCsv(nobody, known())).toMatchObject({ ok: false, firstBroken: place })
  })

  test("whose name was written over in the database has none, rather than another's", async () => {
    const { person } = (await list(`&actor=${encodeURIComponent(ERIN)}`))[0]!.actor
    const told = async () => (await list(`&actor=${person}`))[0]!.actor.subject
    await admin`update hotswap.audit_people set subject = 'mallory' where pseudonym = ${person}`
    expect(await told()).toBe(person)
    await admin`update hotswap.audit_people set subject = ${ERIN} where pseudonym = ${person}`
    expect(await told()).toBe(ERIN)
  })

  test("who is erased is named nowhere, and what they did is still proved", async () => {
    const pseudonym = await withTenant(world.app, scope, (tx) => eraseAuditPerson(tx, ERIN))
    const [latest] = await list(`&actor=${pseudonym}`)
    expect(latest!.actor.subject).toBe(pseudonym)
    const text = await world.exported("acme")
    expect(text).not.toContain("erin")
    expect(text).toContain(pseudonym)
    expect(
      await verifyJsonl(linesOf(text), { ...known(), pieces: await world.pieces("acme") }),
    ).toMatchObject({
      ok: true,
    })
    expect(await list(`&actor=${encodeURIComponent(ERIN)}`)).toEqual([])
    expect(await withTenant(world.app, scope, (tx) => eraseAuditPerson(tx, ERIN))).toBeNull()
  })

  test("who comes back is somebody else", async () => {
    const before = (await list()).map(({ actor }) => actor.person)
    await edit("b")
    const [latest] = await list()
    expect(latest!.actor.subject).toBe(ERIN)
    expect(before).not.toContain(latest!.actor.person)
  })

  test("is somebody else in each tenant", async () => {
    await world.tenant("globex")
    const [one] = await list("&action=tenant.create")
    const { body } = await must(
      world.call<Listed>("GET", "/api/v1/audit?tenantId=globex&action=tenant.create"),
      200,
    )
    expect(body.items[0]!.actor.subject).toBe(one!.actor.subject)
    expect(body.items[0]!.actor.person).not.toBe(one!.actor.person)
  })

  test("all at once are erased, and their tenant's audit is whole", async () => {
    expect(await withTenant(world.app, scope, eraseAllAuditPeople)).toBeGreaterThan(1)
    expect(await list()).not.toContainEqual(
      expect.objectContaining({ actor: expect.objectContaining({ subject: ERIN }) }),
    )
    const verdict = await must(
      world.call("POST", "/api/v1/audit/verify", { body: { tenantId: "acme" } }),
      200,
    )
    expect(verdict.body).toMatchObject({ ok: true })
  })
})

test("the clock is nobody, and stands in the chain by its name", async () => {
  const canary = { type: "canary", steps: [{ weightBp: 1_000, holdMs: 1_000 }] }
  const body = { tenantId: "acme", environment: "QA", edits: [{ key: "c", value: 1 }], strategy: canary }
  await must(world.call("POST", "/api/v1/changes", { body }), 202)
  world.moveClock(60_000)
  await world.advance.tick()
  expect(await chain()).toContain('"actor":{"subject":"clock","tokenId":"system"}')
})

test("values stand in the chain as HMACs of their hashes alone, under a key of the tenant's", async () => {
  const text = await chain()
  const { body } = await must(
    world.call<{ items: { contentHash: string }[] }>("GET", "/api/v1/changes?tenantId=acme"),
    200,
  )
  const hashes = body.items.map(({ contentHash }) => contentHash)
  expect(hashes.length).toBeGreaterThan(1)
  for (const hash of hashes) expect(text).not.toContain(hash)
  const releases = await admin`select distinct stable from hotswap.pointers where tenant_id = 'acme'`
  for (const { stable } of releases) expect(text).not.toContain(stable)
  const [key] = await admin`select * from hotswap.audit_keys where tenant_id = 'acme'`
  const secret = Buffer.from(key!.inner_block)
    .subarray(0, 32)
    .map((byte) => byte ^ 0x36)
  for (const hash of hashes)
    expect(text).toContain(`"contentHash":"hmac:${createHmac("sha256", secret).update(hash).digest("hex")}"`)
})
