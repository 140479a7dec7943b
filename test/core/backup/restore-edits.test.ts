import { describe, expect, test } from "vitest"
import { derivedUuid } from "../../../core/backup/derived-uuid.ts"
import { migrateEdits } from "../../../core/backup/migrate-edits.ts"
import { type KeptKey, restoreEdits, type WantedKey } from "../../../core/backup/restore-edits.ts"
import { POLICY_KEY } from "../../../core/change/policy.ts"
import type { Environment } from "../../../core/environment.ts"
import type { ConfigKey, ScopeId } from "../../../core/ids.ts"
import type { Json } from "../../../core/json.ts"
import { Secret } from "../../../core/secret/secret.ts"

const kept = (value: Json, more: Partial<KeptKey> = {}): KeptKey => ({
  entry: { value, version: 1 },
  ...more,
})
const wanted = (value: Json, more: Partial<WantedKey> = {}): WantedKey => ({
  entry: { value, version: 1 },
  isOwn: false,
  ...more,
})
const mapOf = <Value>(entries: Record<string, Value>) =>
  new Map(Object.entries(entries)) as Map<ConfigKey, Value>
const WISH = {
  scope: "acme" as ScopeId,
  environment: "Staging" as Environment,
  mayGrant: false,
  comment: "why",
}
const LIMIT = { max: 1, windowMs: 60_000 }

describe("the edits that bring back what was", () => {
  test("say all of a key, what it had not as well, and delete what was not there", () => {
    const { edits } = restoreEdits(
      mapOf({ a: kept(1), gone: kept(1), same: kept({ x: 1, y: 2 }, { owner: "web" }) }),
      mapOf({
        a: wanted(2, { isOwn: true }),
        b: wanted("new", {
          entry: { value: "new", version: 7, schema: { type: "string" }, locked: true },
          description: "said",
        }),
        same: wanted({ y: 2, x: 1 }, { owner: "web" }),
      }),
      WISH,
    )
    const none = { schema: null, description: null, owner: null, locked: false }
    expect(edits).toEqual([
      { key: "a", value: 2, ...none, restores: 1 },
      { key: "b", value: "new", ...none, schema: { type: "string" }, description: "said", locked: true },
      { key: "gone", delete: true },
    ])
  })

  test.each([
    ["value", wanted(2)],
    ["schema", wanted(1, { entry: { value: 1, version: 1, schema: {} } })],
    ["lock", wanted(1, { entry: { value: 1, version: 1, locked: true } })],
    ["description", wanted(1, { description: "other" })],
    ["owner", wanted(1, { owner: "other" })],
  ])("are there when only the %s differs", (_, other) => {
    expect(restoreEdits(mapOf({ a: kept(1) }), mapOf({ a: other }), WISH).edits).toHaveLength(1)
    expect(restoreEdits(mapOf({ a: kept(1) }), mapOf({ a: wanted(1) }), WISH).edits).toEqual([])
  })

  test("seal what has to be sealed anew, say of what is secret now that it was not, and restore nothing then that they are not", () => {
    const marker = { $secret: true, version: 3 }
    const sealed = new Secret("word")
    const { edits } = restoreEdits(
      mapOf({ bare: kept(marker) }),
      mapOf({ anew: wanted(marker, { sealed, isOwn: true }), bare: wanted("word", { isOwn: true }) }),
      WISH,
    )
    expect(edits).toMatchObject([
      { key: "anew", value: sealed, secret: true },
      { key: "bare", value: "word", secret: false, restores: 1 },
    ])
    expect(edits[0]).not.toHaveProperty("restores")
  })

  test("leave what is granted, but for platform admins, for whom it is apart; on the platform nothing is granted", () => {
    const present = mapOf({ a: kept(1), "limit.command": kept(LIMIT) })
    const then = mapOf({ a: wanted(2) })
    const keysOf = (edits: readonly { key: string }[]) => edits.map(({ key }) => key)
    const own = restoreEdits(present, then, WISH)
    expect([keysOf(own.edits), keysOf(own.grants), own.left]).toEqual([["a"], [], ["limit.command"]])
    const admins = restoreEdits(present, then, { ...WISH, mayGrant: true })
    expect([keysOf(admins.edits), keysOf(admins.grants), admins.left]).toEqual([["a"], ["limit.command"], []])
    const platform = restoreEdits(present, then, { ...WISH, scope: "~platform" as ScopeId })
    expect([keysOf(platform.edits), platform.left]).toEqual([["a", "limit.command"], []])
  })

  test("never touch the policy, and tell what it was where it was another", () => {
    const policy = (stages: Json) => ({ [POLICY_KEY]: wanted({ stages }) })
    const now = mapOf<KeptKey>(policy([{ role: "engineer", required: 1 }]))
    const changed = restoreEdits(now, mapOf(policy([])), WISH)
    expect(changed).toMatchObject({ edits: [], grants: [], left: [], policy: { stages: [], comment: "why" } })
    expect(restoreEdits(now, mapOf({}), WISH).policy).toEqual({ comment: "why" })
    expect(restoreEdits(now, mapOf(policy([{ role: "engineer", required: 1 }])), WISH).policy).toBeNull()
  })
})

describe("migrating", () => {
  const edit = (key: string, value: Json) => ({ key: key as ConfigKey, value, schema: null, locked: false })

  test("takes what is not there, what came by a promotion, and what is the same; the rest is the target's own", () => {
    const there = mapOf({ own: kept(1), promoted: kept(1), same: kept(2) })
    const all = [edit("new", 2), edit("own", 2), edit("promoted", 2), edit("same", 2)]
    const { edits, kept: left } = migrateEdits(all, there, new Set(["promoted" as ConfigKey]))
    expect(edits.map(({ key }) => key)).toEqual(["new", "promoted", "same"])
    expect(left).toEqual(["own"])
  })

  test("takes no secret for the same as another", () => {
    const copies = { environment: "QA" as Environment, version: 1 }
    const there = mapOf({ s: kept({ $secret: true, version: 1 }) })
    const secret = { key: "s" as ConfigKey, copies, schema: null, locked: false }
    expect(migrateEdits([secret], there, new Set()).kept).toEqual(["s"])
  })
})

describe("an id that follows from another", () => {
  const from = "01a1ffdb-1ff4-71c2-b213-1bf6ef1c76d7"

  test("is a UUIDv7 of its time, the same each time, and another for other words", () => {
    const id = derivedUuid(from, "Staging", "edits")
    expect(id).toMatch(/^01a1ffdb-1ff4-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(derivedUuid(from, "Staging", "edits")).toBe(id)
    expect(new Set([id, derivedUuid(from, "Staging", "grants"), derivedUuid(from, "QA", "edits")]).size).toBe(
      3,
    )
    expect(derivedUuid("01a1ffdb-1ff4-71c2-b213-1bf6ef1c76d8", "Staging", "edits")).not.toBe(id)
  })
})
