import { createHash } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type AuditEntry, GENESIS } from "../../core/audit/entry.ts"
import { canonical, type Json } from "../../core/json.ts"
import { auditHead, auditRange, listAudit } from "../../db/queries/audit.ts"
import { commitScope, loadScope } from "../../db/queries/scope.ts"
import { updateTenant } from "../../db/queries/tenants.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import { auditOf, DEVELOPMENT, directCommit, ENVIRONMENTS, key, makeTenant, tenantId } from "./fixtures.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase(20)
})
afterAll(() => database.close())

/** The chain as an auditor would compute it, from the published formula alone. */
const expectChain = (entries: readonly AuditEntry[]) => {
  let prev = GENESIS
  for (const [index, { seq, at, body, hash, prev: told }] of entries.entries()) {
    const text = canonical({ at, body, seq } as unknown as Json)
    const bytes = Buffer.concat([Buffer.from([0]), Buffer.from(prev, "hex"), Buffer.from(text)])
    expect({ seq, prev: told, hash }).toEqual({
      seq: index + 1,
      prev,
      hash: createHash("sha256").update(bytes).digest("hex"),
    })
    prev = hash
  }
  return prev
}

const all = (scope: string) => auditRange(database.app, tenantId(scope), { afterSeq: 0, limit: 1_000 })

const editOnce = async (scope: string, environment: (typeof ENVIRONMENTS)[number], name: string) => {
  for (;;) {
    const { state } = (await loadScope(database.app, {
      scope: tenantId(scope),
      environment,
      keys: [key(name)],
    }))!
    if ((await commitScope(database.app, directCommit(state, name, "é\u2028\u{1f600}"))).kind === "committed")
      return
  }
}

test("simultaneous writers in several environments leave one chain that an auditor can recompute", async () => {
  await makeTenant(database.app, "chain")
  await Promise.all(
    ENVIRONMENTS.flatMap((environment) =>
      Array.from({ length: 8 }, () => editOnce("chain", environment, "k")),
    ),
  )
  const entries = await all("chain")
  expect(entries.length).toBe(1 + 16)
  expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).sort())
  expect(await auditHead(database.app, tenantId("chain"))).toEqual({ seq: 17, hash: expectChain(entries) })
})

test("text of every kind is hashed as the bytes that are exported", async () => {
  await makeTenant(database.app, "chain-text")
  const detail = {
    quote: '"\\',
    control: "\u0001\n",
    emoji: "\u{1f600}",
    line: "\u2028",
    number: 1e21,
    nested: [{}, null],
  }
  const patch = { patch: { name: "x" }, environments: ENVIRONMENTS }
  await updateTenant(database.app, tenantId("chain-text"), patch, {
    ...auditOf("tenant.update", "chain-text"),
    detail,
  })
  const entries = await all("chain-text")
  expectChain(entries)
  expect(entries[1]?.body.detail).toEqual(detail)
})

test("a refused commit leaves no entry", async () => {
  await makeTenant(database.app, "chain-refused")
  const { state } = (await loadScope(database.app, {
    scope: tenantId("chain-refused"),
    environment: DEVELOPMENT,
    keys: [],
  }))!
  await commitScope(database.app, directCommit(state, "a", 1))
  await commitScope(database.app, directCommit(state, "a", 2))
  expect((await all("chain-refused")).map(({ body }) => body.action)).toEqual([
    "tenant.create",
    "config.edit",
  ])
})

test("entries are found by actor, action, target, time and page, newest first", async () => {
  await makeTenant(database.app, "chain-list")
  for (const name of ["a", "b", "c"]) await editOnce("chain-list", DEVELOPMENT, name)
  const scope = tenantId("chain-list")
  const seqs = async (filter: Omit<Parameters<typeof listAudit>[2], "limit">, limit = 10) =>
    (await listAudit(database.app, scope, { ...filter, limit })).map(({ seq }) => seq)
  const entries = await all("chain-list")
  expect(await seqs({})).toEqual([4, 3, 2, 1])
  expect(await seqs({ action: "config.edit" }, 2)).toEqual([4, 3])
  expect(await seqs({ action: "config.edit", before: 3 })).toEqual([2])
  expect(await seqs({ actor: "nobody" })).toEqual([])
  expect(await seqs({ actor: "tester", target: entries[2]!.body.target })).toEqual([3])
  expect(await seqs({ from: entries[1]!.at, to: entries[3]!.at })).toEqual([3, 2])
})

test("a tenant without entries has no head", async () => {
  expect(await auditHead(database.app, tenantId("never"))).toBeNull()
})
