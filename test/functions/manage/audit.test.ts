import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openNote, originOf, verifierKey } from "../../../core/audit/checkpoint.ts"
import { verifyConsistency, verifyInclusion } from "../../../core/audit/merkle.ts"
import { readPiece, verifyCsv, verifyJsonl } from "../../../core/audit/read-export.ts"
import type { ScopeId } from "../../../core/ids.ts"
import { type AuditWorld, auditWorld, linesOf } from "../../audit/world.ts"
import { must } from "./world.ts"

let world: AuditWorld
const scope = "acme" as ScopeId
const SENTINEL = "sentinel-5b1e2f"

beforeAll(async () => {
  world = await auditWorld()
  await world.tenant("acme")
  await world.tenant("globex")
  await world.sign()
  await world.edit("acme", 5)
  await world.sign()
  await world.edit("acme", 3)
})
afterAll(() => world.close())

const bytes = (text: string) => Buffer.from(text, "base64")
const known = () => ({ scope, keys: world.keys })

describe("an export", () => {
  test("holds every entry, and is found whole by who has nothing but it and the key", async () => {
    const text = await world.exported("acme")
    const verdict = await verifyJsonl(linesOf(text), known())
    const listed = await must(
      world.call<{ items: { seq: number }[] }>("GET", "/api/v1/audit?tenantId=acme"),
      200,
    )
    expect(verdict).toMatchObject({ ok: true, entries: listed.body.items[0]!.seq, signed: 16 })
    expect(verdict.head.seq).toBe(verdict.entries)
  })

  test("is itself written into the audit, and so in itself", async () => {
    const text = await world.exported("acme")
    expect(linesOf(text).at(-2)).toContain('"action":"audit.export"')
  })

  test("in CSV is whole as well, and checked against the checkpoints asked for apart", async () => {
    const text = await world.exported("acme", "&format=csv")
    const rows = linesOf(text)
    expect(await verifyCsv(rows, { ...known(), pieces: await world.pieces("acme") })).toMatchObject({
      ok: true,
      signed: 16,
    })
    const forged = rows.with(5, rows[5]!.replace("person:", "person:0"))
    expect(await verifyCsv(forged, known())).toMatchObject({ ok: false, firstBroken: 5 })
  })

  test("in CSV is no formula to a spreadsheet, whatever people call themselves", async () => {
    for (const subject of ["=cmd' /C calc'!A0", "+1", "-1", "@SUM(A1)", '"=1+1', "%0d=1", "＝1+1"]) {
      const body = { subject, roles: ["tenant_admin"] }
      const { token } = (
        await must(world.call<{ token: string }>("POST", "/api/v1/tenants/globex/tokens", { body }), 201)
      ).body
      const answer = await must(
        world.call("GET", "/api/v1/audit/export?tenantId=globex&format=csv", { token }),
        200,
      )
      for (const row of linesOf(answer.text))
        for (const cell of row.trimEnd().split(",")) expect(cell, row).not.toMatch(/^"?[=+@|%＝-]/)
    }
    const pieces = await world.pieces("globex")
    const text = await world.exported("globex", "&format=csv")
    const verdict = await verifyCsv(linesOf(text), { scope: "globex" as ScopeId, keys: world.keys, pieces })
    expect(verdict).toMatchObject({ ok: true })
  })

  test("of a stretch of time holds just that, and can be checked too", async () => {
    const all = linesOf(await world.exported("acme"))
    const entries = all.flatMap((line) => {
      const entry = JSON.parse(line) as { seq?: number; at: string }
      return entry.seq === undefined ? [] : [entry]
    })
    const [from, to] = [entries[6]!.at, entries[9]!.at]
    const wanted = entries.filter(({ at }) => at >= from && at < to)
    const last = wanted.at(-1)!.seq!
    const text = await world.exported("acme", `&from=${from}&to=${to}`)
    const verdict = await verifyJsonl(linesOf(text), { ...known(), partial: true })
    expect(verdict).toMatchObject({ ok: true, entries: wanted.length, signed: last, head: { seq: last } })
    expect(await verifyJsonl(linesOf(text), known())).toMatchObject({ ok: false })
    const none = await world.exported("acme", "&from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z")
    expect(await verifyJsonl(linesOf(none), { ...known(), partial: true })).toMatchObject({
      ok: true,
      entries: 0,
    })
  })

  test("is for those who may, about every environment", async () => {
    const acme = await world.tenant("initech")
    const path = "/api/v1/audit/export?tenantId=initech"
    expect((await world.call("GET", path, { token: acme.tokens.engineer })).status).toBe(403)
    const bound = await acme.issue("bound", ["compliance"], "QA")
    expect((await world.call("GET", path, { token: bound })).status).toBe(403)
    await must(world.call("GET", path, { token: acme.tokens.compliance }), 200)
    const foreign = "/api/v1/audit/export?tenantId=acme"
    expect((await world.call("GET", foreign, { token: acme.tokens.compliance })).status).toBe(404)
  })
})

describe("checkpoints", () => {
  const latest = async () =>
    (await must(world.call("GET", "/api/v1/audit/checkpoint/latest?tenantId=acme"), 200)).text

  test("are signed notes of the chain as it is, made when it grew and only then", async () => {
    const checkpoint = openNote(await latest(), originOf(scope), world.keys)
    expect(checkpoint).toMatchObject({ origin: "hotswap/audit/acme", size: 16 })
    await world.sign()
    const grown = openNote(await latest(), originOf(scope), world.keys)!
    expect(grown.size).toBeGreaterThan(16)
    const before = await world.pieces("acme")
    expect(await world.sign()).toBe(0)
    expect(await world.pieces("acme")).toEqual(before)
  })

  test("are kept a second time, where what goes on from each is written once", async () => {
    const pieces = await world.pieces("acme")
    for (const piece of pieces) {
      const name = `audit/acme/${String(piece.after).padStart(16, "0")}`
      const kept = Buffer.from((await world.blobs.get(name))!).toString()
      expect(readPiece(kept)).toMatchObject({ after: piece.after, size: piece.size, note: piece.note })
      expect(await world.blobs.putOnce(name, Buffer.from("another"))).toBe("there")
      expect(Buffer.from((await world.blobs.get(name))!).toString()).toBe(kept)
    }
  })

  test("come with proofs that an entry is among them, and that one goes on from another", async () => {
    const { size, root } = openNote(await latest(), originOf(scope), world.keys)!
    interface Proof {
      entryHash: string
      root: string
      proof: string[]
    }
    for (const seq of [1, 6, size]) {
      const path = `/api/v1/audit/proof?tenantId=acme&seq=${seq}&size=${size}`
      const { body } = await must(world.call<Proof>("GET", path), 200)
      const facts = { entryHash: bytes(body.entryHash), place: seq - 1, size, root }
      expect(verifyInclusion(body.proof.map(bytes), facts)).toBe(true)
    }
    const first = openNote((await world.pieces("acme"))[0]!.note, originOf(scope), world.keys)!
    const path = `/api/v1/audit/consistency?tenantId=acme&from=${first.size}&to=${size}`
    const { body } = await must(world.call<Proof>("GET", path), 200)
    expect(verifyConsistency(body.proof.map(bytes), first, { size, root })).toBe(true)
    for (const beyond of [
      `proof?tenantId=acme&seq=${size + 1}`,
      `consistency?tenantId=acme&from=1&to=${size + 1}`,
    ])
      expect((await must(world.call("GET", `/api/v1/audit/${beyond}`), 404)).body.code).toBe(
        "CHECKPOINT_NOT_FOUND",
      )
  })

  test("are checked with the key that is told, and with no other", async () => {
    const { body } = await must(
      world.call<{ keys: { publicKey: string; verifierKey: string }[] }>(
        "GET",
        "/api/v1/audit/key?tenantId=acme",
      ),
      200,
    )
    const [key] = body.keys
    expect(bytes(key!.publicKey)).toEqual(world.keys.publicKeys[0])
    expect(key!.verifierKey).toBe(verifierKey("hotswap/audit/acme", bytes(key!.publicKey)))
    expect(key!.verifierKey).toMatch(/^hotswap\/audit\/acme\+[0-9a-f]{8}\+AQ?[A-Za-z0-9+/]+=*$/)
    const note = await latest()
    expect(openNote(note, originOf("globex" as ScopeId), world.keys)).toBeNull()
    expect(openNote(note.replace(/\n\d+\n/, "\n99\n"), originOf(scope), world.keys)).toBeNull()
    expect(openNote(note, originOf(scope), { ...world.keys, publicKeys: [Buffer.alloc(32)] })).toBeNull()
  })
})

describe("an entry", () => {
  test("holds no value, whatever was done with it", async () => {
    const tenant = await world.tenant("umbrella")
    const at = (environment: string) => ({ tenantId: "umbrella", environment, key: "k" })
    const value = SENTINEL
    const token = tenant.tokens.engineer
    await must(
      world.call("POST", "/api/v1/configs", { body: { ...at("Development"), value, description: SENTINEL } }),
      201,
    )
    await must(
      world.call("PUT", "/api/v1/configs/umbrella:Development:k", {
        body: { value: [value], comment: SENTINEL },
      }),
      200,
    )
    await must(
      world.call("POST", "/api/v1/configs/umbrella:Development:k/rollback", { body: { toVersion: 1 } }),
      200,
    )
    const promote = { targetEnvironment: "QA", comment: SENTINEL }
    await must(world.call("POST", "/api/v1/configs/umbrella:Development:k/promote", { body: promote }), 202)
    const edits = [{ key: "p", value }]
    const body = { tenantId: "umbrella", environment: "Production", edits, comment: SENTINEL }
    const { changeId } = (
      await must(world.call<{ changeId: string }>("POST", "/api/v1/changes", { body }), 202)
    ).body
    await must(
      world.call("POST", `/api/v1/approvals/${changeId}/approve`, { token, body: { comment: SENTINEL } }),
      200,
    )
    await must(
      world.call("POST", `/api/v1/changes/${changeId}/comments`, { token, body: { text: SENTINEL } }),
      200,
    )
    await must(world.call("DELETE", "/api/v1/configs/umbrella:Development:k"), 200)
    await must(
      world.call("PATCH", "/api/v1/tenants/umbrella", {
        body: { displayName: SENTINEL, features: { [SENTINEL]: true } },
      }),
      200,
    )
    const text = await world.exported("umbrella")
    expect(text.length).toBeGreaterThan(3_000)
    expect(text).not.toContain(SENTINEL)
  })
})
