import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PLATFORM, type TokenId, tierScope, tokenIdOf } from "../../core/ids.ts"
import { auditRange } from "../../db/queries/audit.ts"
import { findExternalId } from "../../db/queries/external-ids.ts"
import { readPointer } from "../../db/queries/reading.ts"
import { commitScope, findReply, loadScope } from "../../db/queries/scope.ts"
import {
  createTenant,
  deleteTenant,
  findTenant,
  setTenantStatus,
  type TenantPatch,
  updateTenant,
} from "../../db/queries/tenants.ts"
import { findToken, insertToken, listTokens, type NewToken, revokeToken } from "../../db/queries/tokens.ts"
import {
  clearMark,
  dueChanges,
  listTenants,
  purgeIdempotency,
  resolveExternalId,
  takeMarks,
} from "../../db/system.ts"
import { textQuery } from "../../db/text-query.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { auditOf, DEVELOPMENT, directCommit, ENVIRONMENTS, key, makeTenant, tenantId } from "./fixtures.ts"

const ERASED = { environments: ENVIRONMENTS, erasure: { by: "startup", afterDays: 7 } }

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const make = (id: string, more: object = {}, remember?: Parameters<typeof createTenant>[4]) =>
  createTenant(
    database.app,
    { tenantId: tenantId(id), name: id, tier: "Free", ...more },
    ENVIRONMENTS,
    auditOf("tenant.create", id),
    remember,
  )

const patch = (id: string, patch: TenantPatch, expectedVersion?: number) =>
  updateTenant(
    database.app,
    tenantId(id),
    { patch, environments: ENVIRONMENTS, ...(expectedVersion === undefined ? {} : { expectedVersion }) },
    auditOf("tenant.update", id),
  )

const actions = async (id: string) =>
  (await auditRange(database.app, tenantId(id), { afterSeq: 0, limit: 99 })).map(({ body }) => body.action)

describe("tenants", () => {
  test("a tenant is found as it was made", async () => {
    const more = {
      tier: "Enterprise",
      displayName: "Übergröße",
      adminEmail: "a@b.example",
      features: { a: true },
      quotas: { commands: -1 },
      deployments: [{ metrics: [] }],
      externalIds: ["guild:2", "guild:1"],
    }
    const made = await make("made", more)
    if (made.kind !== "created") throw new Error(made.kind)
    const expected = {
      tenantId: "made",
      name: "made",
      status: "active",
      version: 1,
      ...more,
      externalIds: ["guild:1", "guild:2"],
    }
    expect(made.tenant).toMatchObject(expected)
    expect(await findTenant(database.app, tenantId("made"))).toEqual(made.tenant)
    expect(await resolveExternalId(database.system, "guild:2")).toBe("made")
    expect(await actions("made")).toEqual(["tenant.create"])
  })

  test("an id is given out once, for ever", async () => {
    await make("once")
    expect(await make("once")).toEqual({ kind: "exists" })
    await deleteTenant(database.app, tenantId("once"), ERASED, auditOf("tenant.delete", "once"))
    expect(await findTenant(database.app, tenantId("once"))).toBeNull()
    expect(await readPointer(database.read, tenantId("once"), DEVELOPMENT, [])).toBeNull()
    expect(await make("once")).toEqual({ kind: "exists" })
    expect(await actions("once")).toEqual(["tenant.create", "tenant.delete"])
  })

  test("an external id names one tenant, and whoever asks for a taken one changes nothing", async () => {
    await make("first", { externalIds: ["shared"] })
    expect(await make("second", { externalIds: ["shared"] })).toEqual({ kind: "external_id_taken" })
    expect(await findTenant(database.app, tenantId("second"))).toBeNull()
    await make("third")
    expect(await patch("third", { name: "renamed", externalIds: ["shared"] })).toEqual({
      kind: "external_id_taken",
    })
    expect((await findTenant(database.app, tenantId("third")))?.name).toBe("third")
    await patch("first", { externalIds: [] })
    expect(await patch("third", { externalIds: ["shared"] })).toMatchObject({ kind: "updated" })
    expect(await resolveExternalId(database.system, "shared")).toBe("third")
    expect(await resolveExternalId(database.system, "unknown")).toBeNull()
  })

  test("the read role finds the external id that it names, and can look through none", async () => {
    await make("named", { externalIds: ["guild:named"] })
    expect(await findExternalId(database.read, "guild:named")).toBe("named")
    expect(await findExternalId(database.read, "guild:other")).toBeNull()
    const all = textQuery<{ rows: string }>("select count(*) as rows from hotswap.external_ids", [])
    expect((await database.read.run(all, {}))[0]?.rows).toBe("0")
  })

  test("an update on an old version is refused", async () => {
    await make("versioned")
    expect(await patch("versioned", { name: "n2" }, 1)).toMatchObject({
      kind: "updated",
      tenant: { version: 2, name: "n2" },
    })
    expect(await patch("versioned", { name: "n3" }, 1)).toEqual({ kind: "stale", version: 2 })
    expect(await patch("absent", { name: "n" })).toEqual({ kind: "missing" })
  })

  test("a new tier moves the pointer of every environment and keeps what it serves", async () => {
    await make("moving")
    const before = (await readPointer(database.read, tenantId("moving"), DEVELOPMENT, []))!.layers.tenant
    await patch("moving", { tier: "Pro" })
    for (const environment of ENVIRONMENTS) {
      const read = (await readPointer(database.read, tenantId("moving"), environment, []))!
      expect(read.layers.tenant).toMatchObject({ seq: 2, tier: "Pro", stable: before.stable })
      expect(read.tenant.tier).toBe("Pro")
    }
    await patch("moving", { tier: "Pro" })
    expect((await readPointer(database.read, tenantId("moving"), DEVELOPMENT, []))!.layers.tenant.seq).toBe(2)
  })

  test("a decision made before a suspension is not carried out after it", async () => {
    await make("suspended")
    const { state } = (await loadScope(database.app, {
      scope: tenantId("suspended"),
      environment: DEVELOPMENT,
      keys: [key("a")],
    }))!
    const id = tenantId("suspended")
    await setTenantStatus(database.app, id, "suspended", ENVIRONMENTS, auditOf("tenant.suspend", id))
    expect(await commitScope(database.app, directCommit(state, "a", 1))).toEqual({ kind: "conflict" })
    expect((await readPointer(database.read, id, DEVELOPMENT, []))?.tenant.status).toBe("suspended")
  })

  test("a repeated creation finds the first one's answer, and of two at once one is carried out", async () => {
    const remember = {
      key: "make-1",
      fingerprint: "f",
      reply: () => ({ status: 201, headers: {}, body: { ok: true } }),
    }
    const results = await Promise.all([make("twin-a", {}, remember), make("twin-b", {}, remember)])
    expect(results.map(({ kind }) => kind).sort()).toEqual(["conflict", "created"])
    expect(await findReply(database.app, PLATFORM, "make-1")).toEqual({
      fingerprint: "f",
      reply: { status: 201, headers: {}, body: { ok: true } },
    })
  })
})

describe("tokens", () => {
  const issuer = { subject: "platform", tokenId: "startup" as const, ancestors: [] }
  const token = (scope: string, n: number, more: Partial<NewToken> = {}): NewToken => ({
    tokenId: tokenIdOf(tenantId(scope), n.toString(16).padStart(32, "0")),
    kind: "api",
    subject: "alice",
    roles: ["engineer"],
    tenants: null,
    environment: null,
    secretHash: "ab".repeat(32),
    issuer,
    expiresAt: "2999-01-01T00:00:00.000000Z",
    ...more,
  })
  const insert = (scope: string, n: number, more?: Partial<NewToken>) =>
    insertToken(database.app, tenantId(scope), token(scope, n, more), auditOf("token.issue", scope))
  const revoke = (scope: string, tokenId: TokenId) =>
    revokeToken(database.app, tenantId(scope), tokenId, "bob", ENVIRONMENTS, auditOf("token.revoke", tokenId))

  test("a token is found by its scope and id, with its tenant's status", async () => {
    await makeTenant(database.app, "tok")
    const inserted = await insert("tok", 1)
    if (inserted.kind !== "inserted") throw new Error(inserted.kind)
    expect(inserted.token).toMatchObject(token("tok", 1))
    const found = await findToken(database.app, tenantId("tok"), inserted.token.tokenId)
    expect(found).toEqual({ token: inserted.token, tenantStatus: "active" })
    expect(await findToken(database.read, tenantId("tok"), token("tok", 9).tokenId)).toBeNull()
  })

  test("a token's id leads nowhere from another scope", async () => {
    await makeTenant(database.app, "tok-a")
    await makeTenant(database.app, "tok-b")
    await insert("tok-a", 1)
    expect(await findToken(database.app, tenantId("tok-b"), token("tok-a", 1).tokenId)).toBeNull()
    expect(await revoke("tok-b", token("tok-a", 1).tokenId)).toEqual({ kind: "missing" })
  })

  test("revoking twice is harmless and audited once", async () => {
    await makeTenant(database.app, "tok-revoke")
    await insert("tok-revoke", 1)
    const first = await revoke("tok-revoke", token("tok-revoke", 1).tokenId)
    expect(first).toMatchObject({ kind: "revoked", token: { revokedBy: "bob" } })
    expect(await revoke("tok-revoke", token("tok-revoke", 1).tokenId)).toEqual(first)
    expect(await actions("tok-revoke")).toEqual(["tenant.create", "token.issue", "token.revoke"])
  })

  test("tokens are listed page by page; a tenant that is not there gets none", async () => {
    await makeTenant(database.app, "tok-list")
    for (const n of [1, 2, 3]) await insert("tok-list", n)
    const scope = tenantId("tok-list")
    const [first, second] = await listTokens(database.app, scope, { limit: 2 })
    const rest = await listTokens(database.app, scope, { limit: 2, after: second!.tokenId })
    expect([first, second, ...rest].map((row) => row!.tokenId)).toEqual(
      [1, 2, 3].map((n) => token("tok-list", n).tokenId),
    )
    expect(await insert("tok-nobody", 1)).toEqual({ kind: "missing" })
  })

  test("revoked readers, of the tenant and of many tenants, are told with the pointer, and no other token", async () => {
    await makeTenant(database.app, "tok-readers")
    const reader = { kind: "reader" as const, secretHash: null, roles: ["reader" as const] }
    await insert("tok-readers", 1, reader)
    await insert("tok-readers", 2, reader)
    await insert("tok-readers", 3)
    await insert("~platform", 4, { ...reader, tenants: "*" })
    await insert("~platform", 5, { tenants: "*", roles: ["platform_admin"] })
    await insert("tok-readers", 6, { ...reader, expiresAt: "2020-01-01T00:00:00Z" })
    for (const n of [1, 3, 6]) await revoke("tok-readers", token("tok-readers", n).tokenId)
    for (const n of [4, 5]) await revoke("~platform", token("~platform", n).tokenId)
    const read = await readPointer(database.read, tenantId("tok-readers"), DEVELOPMENT, [])
    expect([...read!.revoked].sort()).toEqual(
      [token("tok-readers", 1).tokenId, token("~platform", 4).tokenId].sort(),
    )
  })
})

describe("across tenants", () => {
  test("tenants are listed by id, page by page, without scopes that are none and without deleted ones", async () => {
    const own = await openTestDatabase()
    try {
      for (const id of ["c", "a", "b", "d"]) await makeTenant(own.app, id, id === "b" ? "Free" : "Pro")
      await deleteTenant(own.app, tenantId("d"), ERASED, auditOf("tenant.delete", "d"))
      const ids = async (filter: Omit<Parameters<typeof listTenants>[1], "limit">, limit = 10) =>
        (await listTenants(own.system, { ...filter, limit })).map((row) => row.tenantId)
      expect(await ids({})).toEqual(["a", "b", "c"])
      expect(await ids({ after: tenantId("a") }, 1)).toEqual(["b"])
      expect(await ids({ tier: "Free" })).toEqual(["b"])
      expect(await ids({ status: "deleted" })).toEqual(["d"])
    } finally {
      await own.close()
    }
  })

  test("a mark stays until it is cleared, and one set again meanwhile stays", async () => {
    const own = await openTestDatabase()
    try {
      await makeTenant(own.app, "marks")
      const [first] = await takeMarks(own.system, 1)
      expect(first).toMatchObject({ scope: "marks" })
      const { state } = (await loadScope(own.app, {
        scope: tenantId("marks"),
        environment: first!.environment,
        keys: [key("a")],
      }))!
      const committed = await commitScope(own.app, directCommit(state, "a", 1))
      expect(await clearMark(own.system, first!)).toBe(false)
      expect((await takeMarks(own.system, 10)).length).toBe(2)
      if (committed.kind !== "committed") throw new Error("conflict")
      expect(await clearMark(own.app, { ...first!, mark: committed.mark! })).toBe(true)
      expect((await takeMarks(own.system, 10)).map(({ environment }) => environment)).not.toContain(
        first!.environment,
      )
    } finally {
      await own.close()
    }
  })

  test("changes are due at their time and not before, and never once their tenant is deleted", async () => {
    await makeTenant(database.app, "due")
    const scope = tenantId("due")
    const { state } = (await loadScope(database.app, { scope, environment: DEVELOPMENT, keys: [key("a")] }))!
    const commit = directCommit(state, "a", 1)
    await commitScope(database.app, {
      ...commit,
      changes: [{ ...commit.changes[0]!, dueAt: "2026-01-01T00:00:01.000Z" }],
    })
    const due = { scope, environment: DEVELOPMENT, changeId: commit.changes[0]!.change.content.changeId }
    expect(await dueChanges(database.system, "2026-01-01T00:00:00.999Z", 10)).not.toContainEqual(due)
    expect(await dueChanges(database.system, "2026-01-01T00:00:01.000Z", 10)).toContainEqual(due)
    await deleteTenant(database.app, scope, ERASED, auditOf("tenant.delete", scope))
    expect(await dueChanges(database.system, "2026-01-01T00:00:01.000Z", 10)).not.toContainEqual(due)
  })

  test("answers are forgotten when they have expired, and their keys can be used again", async () => {
    const own = await openTestDatabase()
    const { default: postgres } = await import("postgres")
    const admin = postgres(own.url("postgres"), { max: 1 })
    try {
      await makeTenant(own.app, "expiry")
      const scope = tenantId("expiry")
      const reply = { status: 200, headers: {}, body: { n: 1 }, stamps: [] }
      const commitOnce = async (fingerprint: string) => {
        const { state } = (await loadScope(own.app, { scope, environment: DEVELOPMENT, keys: [key("a")] }))!
        return (await commitScope(own.app, directCommit(state, "a", 1), { key: "k", fingerprint, reply }))
          .kind
      }
      expect([await commitOnce("one"), await commitOnce("two")]).toEqual(["committed", "conflict"])
      await admin`update hotswap.idempotency_keys set expires_at = now() - interval '1 second'`
      expect(await findReply(own.app, scope, "k")).toBeNull()
      expect(await commitOnce("three")).toBe("committed")
      expect((await findReply(own.app, scope, "k"))?.fingerprint).toBe("three")
      expect(await purgeIdempotency(own.system)).toBe(0)
      await admin`update hotswap.idempotency_keys set expires_at = now() - interval '1 second'`
      expect(await purgeIdempotency(own.system)).toBe(1)
    } finally {
      await admin.end()
      await own.close()
    }
  })

  test("the tiers exist as scopes and are no tenants", async () => {
    expect(await findTenant(database.app, tierScope("Pro") as never)).toMatchObject({ tier: null })
  })
})
