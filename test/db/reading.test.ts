import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Environment } from "../../core/environment.ts"
import { PLATFORM, type ScopeId, tierScope } from "../../core/ids.ts"
import { EMPTY_RELEASE, readEntry } from "../../core/release/compile.ts"
import { type PointerRead, readChunks, readPointer, readPointerAsOf } from "../../db/queries/reading.ts"
import { commitScope, loadScope, withLockedScope } from "../../db/queries/scope.ts"
import { updateTenant } from "../../db/queries/tenants.ts"
import { type OpenTestDatabase, openTestDatabase } from "../support/database.ts"
import {
  auditOf,
  DEVELOPMENT,
  directCommit,
  ENVIRONMENTS,
  key,
  makeTenant,
  PRODUCTION,
  tenantId,
} from "./fixtures.ts"

let database: OpenTestDatabase
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const edit = async (
  scope: ScopeId,
  name: string,
  value: string | number,
  environment: Environment = DEVELOPMENT,
) => {
  const { state } = (await loadScope(database.app, { scope, environment, keys: [key(name)] }))!
  const commit = directCommit(state, name, value)
  const committed = await commitScope(database.app, commit)
  if (committed.kind !== "committed") throw new Error("conflict")
  return { ...committed, release: commit.pointer!.stable }
}

const stableValue = (read: PointerRead, layer: keyof PointerRead["layers"], name: string) => {
  const { stable } = read.layers[layer]
  return readEntry(read.manifests.get(stable)!, read.chunks, key(name))?.value
}

describe("the pointer as it is", () => {
  test("all three layers come with their manifests and chunks, the tier by the tenant's own", async () => {
    await makeTenant(database.app, "layers", "Pro")
    await edit(PLATFORM, "p", 1)
    await edit(tierScope("Pro"), "t", 2)
    await edit(tierScope("Free"), "t", "not for us")
    await edit(tenantId("layers"), "own", 3)
    const read = (await readPointer(database.read, tenantId("layers"), DEVELOPMENT, []))!
    expect(read.tenant).toEqual({ status: "active", tier: "Pro" })
    expect(read.epoch).toBe(1)
    expect([
      stableValue(read, "platform", "p"),
      stableValue(read, "tier", "t"),
      stableValue(read, "tenant", "own"),
    ]).toEqual([1, 2, 3])
    expect(read.movedAt).toBe(read.layers.tenant.at)
    expect(read.now > read.movedAt!).toBe(true)
  })

  test("chunks of releases the caller knows are left out", async () => {
    await makeTenant(database.app, "known")
    const { release } = await edit(tenantId("known"), "own", 3)
    const without = (await readPointer(database.read, tenantId("known"), DEVELOPMENT, [release]))!
    const [chunk] = without.manifests.get(release)!.chunks
    expect(without.chunks.has(chunk!)).toBe(false)
    expect((await readChunks(database.read, tenantId("known"), [chunk!])).get(chunk!)).toContain('"own"')
  })

  test("a scope that is no tenant has only the layers above it and its own", async () => {
    const tier = (await readPointer(database.read, tierScope("Enterprise"), DEVELOPMENT, []))!
    expect(tier.layers.tenant).toMatchObject({ seq: 0, stable: EMPTY_RELEASE.id })
    expect(tier.tenant.tier).toBeNull()
    await edit(PLATFORM, "p2", 1, PRODUCTION)
    const platform = (await readPointer(database.read, PLATFORM, PRODUCTION, []))!
    expect([platform.layers.platform.seq, platform.layers.tier.seq, platform.layers.tenant.seq]).toEqual([
      1, 0, 0,
    ])
  })

  test("a tenant that does not exist reads as null", async () => {
    expect(await readPointer(database.read, tenantId("nobody"), DEVELOPMENT, [])).toBeNull()
  })

  test("another tenant's chunk is not found, even by its name", async () => {
    await makeTenant(database.app, "secretive")
    await makeTenant(database.app, "curious")
    const { release } = await edit(tenantId("secretive"), "own", "unique to one tenant")
    const [chunk] = (await readPointer(database.read, tenantId("secretive"), DEVELOPMENT, []))!.manifests.get(
      release,
    )!.chunks
    expect((await readChunks(database.read, tenantId("curious"), [chunk!])).size).toBe(0)
  })
})

describe("the pointer as it was", () => {
  test("every time in the past reads as it was then, tier and layers alike", async () => {
    await makeTenant(database.app, "history", "Free")
    const scope = tenantId("history")
    const moments: { at: string; read: PointerRead }[] = []
    const remember = async () => {
      const read = (await readPointer(database.read, scope, DEVELOPMENT, []))!
      moments.push({ at: read.now, read })
    }
    await remember()
    await edit(scope, "a", 1)
    await remember()
    await edit(tierScope("Free"), "of-tier", 1)
    await remember()
    const patch = { patch: { tier: "Pro" as const }, environments: ENVIRONMENTS }
    await updateTenant(database.app, scope, patch, auditOf("tenant.update", scope))
    await remember()
    await edit(scope, "a", 2)
    await edit(PLATFORM, "b", 2)
    await remember()
    expect(new Set(moments.map(({ read }) => JSON.stringify(read.layers))).size).toBe(5)
    for (const { at, read } of moments) {
      const then = await readPointerAsOf(database.read, scope, DEVELOPMENT, at, [])
      expect(then).toMatchObject({
        layers: read.layers,
        manifests: read.manifests,
        chunks: read.chunks,
        movedAt: read.movedAt,
        tenant: read.tenant,
      })
    }
  })

  test("before the tenant there was nothing", async () => {
    await makeTenant(database.app, "young")
    const read = await readPointerAsOf(
      database.read,
      tenantId("young"),
      DEVELOPMENT,
      "2020-01-01T00:00:00Z",
      [],
    )
    expect(read).toMatchObject({ movedAt: null, layers: { tenant: { seq: 0 } } })
  })

  test("a time that has not come is refused", async () => {
    await makeTenant(database.app, "future")
    expect(
      await readPointerAsOf(database.read, tenantId("future"), DEVELOPMENT, "2999-01-01T00:00:00Z", []),
    ).toBe("future")
  })

  test("a commit under way when the past is read cannot appear in it later", async () => {
    await makeTenant(database.app, "in-flight")
    const scope = tenantId("in-flight")
    const held = Promise.withResolvers<void>()
    const written = Promise.withResolvers<string>()
    const writing = withLockedScope(database.app, scope, DEVELOPMENT, async (tx) => {
      const { state } = (await loadScope(tx, { scope, environment: DEVELOPMENT, keys: [key("a")] }))!
      const committed = await commitScope(tx, directCommit(state, "a", 1))
      if (committed.kind === "committed") written.resolve(committed.at)
      await held.promise
    })
    const at = await written.promise
    let answered = false
    const reading = readPointerAsOf(database.read, scope, DEVELOPMENT, at, []).finally(() => {
      answered = true
    })
    // A read that takes no lock comes back while the other waits.
    await readPointer(database.read, scope, DEVELOPMENT, [])
    expect(answered).toBe(false)
    held.resolve()
    await writing
    expect(await reading).toMatchObject({ layers: { tenant: { seq: 2, at } } })
  })
})
