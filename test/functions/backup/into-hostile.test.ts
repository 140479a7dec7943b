import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Forgery, forge, withEntries } from "./forged.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

let world: RestoreWorld
let backup: string
let admin: string
beforeAll(async () => {
  world = await createRestoreWorld()
  const { tokens } = await world.tenant("victim")
  admin = tokens.tenant_admin
  await world.put("victim", "Staging", "a", 1)
  await world.put("victim", "Staging", "secret", "mine", { secret: true })
  backup = await world.backUp("victim")
  await world.put("victim", "Staging", "a", 2)
})
afterAll(() => world.close())

const restoring = async (forgery: Forgery) => {
  const forged = await forge(world, backup, forgery)
  const path = `/api/v1/backups/${forged}/restore`
  return world.done(world.call("POST", path, { body: { environments: ["Staging"] }, token: admin }))
}
const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`

describe("an archive that is sealed well and holds what no config could be is refused, with what and where", () => {
  const entries: [string, Record<string, string>, string, RegExp][] = [
    ["a key that is none", { "no key": '{"value":1,"version":1}' }, "KEY_INVALID", /^Staging: "no key"/],
    ["a value too deep", { k: `{"value":${deep(65)},"version":1}` }, "JSON_TOO_DEEP", /Staging: k|levels/],
    ["nesting without end", { k: `{"value":${deep(50_000)},"version":1}` }, "JSON_TOO_DEEP", /levels/],
    ["U+0000", { k: '{"value":"a\\u0000b","version":1}' }, "JSON_NUL", /^Staging: k/],
    ["half a pair", { k: '{"value":"\\ud800","version":1}' }, "JSON_LONE_SURROGATE", /^Staging: k/],
    [
      "a value too large",
      { k: `{"value":"${"x".repeat(300_000)}","version":1}` },
      "VALUE_TOO_LARGE",
      /^Staging: /,
    ],
    ["no version", { k: '{"value":1}' }, "ARCHIVE_INVALID", /Staging: k is no config/],
    ["a lock that is none", { k: '{"value":1,"version":1,"locked":"yes"}' }, "ARCHIVE_INVALID", /Staging: k/],
    [
      "a flag that does not evaluate",
      { k: '{"value":{"state":"ENABLED","variants":{"on":1},"defaultVariant":"off"},"version":1}' },
      "FLAG_INVALID",
      /^Staging: .*k/,
    ],
    [
      "a flag that needs one that is not there",
      {
        k: '{"value":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","prerequisites":[{"flag":"is.not","variants":["on"]}]},"version":1}',
      },
      "FLAG_INVALID",
      /^Staging: .*is\.not/,
    ],
    [
      "a schema that is none",
      { k: '{"value":1,"version":1,"schema":{"type":"nonsense"}}' },
      "SCHEMA_INVALID",
      /^Staging: /,
    ],
    [
      "a value against its schema",
      { k: '{"value":1,"version":1,"schema":{"type":"string"}}' },
      "SCHEMA_VIOLATION",
      /^Staging: .*k/,
    ],
    [
      "something like a marker",
      { k: '{"value":{"$secret":true},"version":1}' },
      "SECRET_MARKER",
      /^Staging: .*"k"/,
    ],
    [
      "a marker of nothing",
      { k: '{"value":{"$secret":true,"version":9},"version":1}' },
      "ARCHIVE_INVALID",
      /value 9 of Staging:k/,
    ],
  ]
  test.each(entries)("%s", async (_, held, code, detail) => {
    const { state, problem } = await restoring(withEntries("Staging", held))
    expect([state, problem?.code]).toEqual(["failed", code])
    expect(problem!.detail).toMatch(detail)
    expect((await world.configs("victim", "Staging")).a).toMatchObject({ value: 2 })
  })

  const rows: [string, Forgery][] = [
    [
      "a chunk that its name is not the hash of",
      (table, row) => (table === "chunks" ? { ...row, text: '{"a":{"value":6,"version":1}}' } : row),
    ],
    [
      "a release that its name is not the hash of",
      (table, row) =>
        table === "releases" ? { ...row, manifest: { bits: 0, chunks: [], keys: 0, bytes: 0 } } : row,
    ],
    ["a release that is not there", (table, row) => (table === "releases" ? null : row)],
    ["a chunk that is not there", (table, row) => (table === "chunks" ? null : row)],
    ["a pointer without a time", (table, row) => (table === "pointers" ? { ...row, at: "soon" } : row)],
    ["no tenant", (table, row) => (table === "tenants" ? null : row)],
  ]
  test.each(rows)("%s", async (_, forgery) => {
    const { state, problem } = await restoring(forgery)
    expect([state, problem?.code]).toEqual(["failed", "ARCHIVE_INVALID"])
  })

  test("what the platform grants is left as it is for whoever may not grant, and a policy is never put in force", async () => {
    const held = {
      "limit.command": '{"value":{"max":-1,"windowMs":60000},"version":1}',
      "~policy": '{"value":{"stages":[]},"version":1}',
      "~other": '{"value":1,"version":1}',
      a: '{"value":2,"version":9}',
    }
    const { result } = await restoring(withEntries("Staging", held))
    const [staging] = result!.environments as Record<string, unknown>[]
    expect(staging).toMatchObject({ left: ["limit.command"], grants: null, set: 0, deleted: 1 })
    expect(Object.keys(await world.configs("victim", "Staging"))).toEqual(["a"])
  })
})
