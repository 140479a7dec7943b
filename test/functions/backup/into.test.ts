import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { must } from "../manage/world.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

let world: RestoreWorld
beforeAll(async () => {
  world = await createRestoreWorld()
})
afterAll(() => world.close())

const said = ({ key, value, schema, description, owner, locked, secret }: Record<string, unknown>) => ({
  key,
  value,
  schema,
  description,
  owner,
  locked,
  secret,
})
const all = async (tenantId: string, environment: string) =>
  Object.values(await world.configs(tenantId, environment)).map(said)

describe("restoring a backup into the tenant that is there", () => {
  test("brings back every value, schema, lock, description and owner as one change, and deletes what came after", async () => {
    await world.tenant("whole")
    const more = { description: "how long", owner: "web", schema: { type: "number" }, locked: true }
    await world.put("whole", "Staging", "timeout", 5, more)
    await world.put("whole", "Staging", "kept", { a: 1 })
    await world.put("whole", "Staging", "gone", "soon")
    await world.put("whole", "Development", "other", true)
    const before = await all("whole", "Staging")
    const backup = await world.backUp("whole")
    await world.put("whole", "Staging", "timeout", "long", {
      schema: null,
      description: null,
      owner: "nobody",
      locked: false,
    })
    await world.put("whole", "Staging", "added", 1)
    await world.remove("whole", "Staging", "gone")

    const { Staging, Development, Production } = await world.restore(backup)
    expect(Staging).toMatchObject({ state: "live", set: 2, deleted: 1, unchanged: 1, left: [], policy: null })
    expect(Staging!.diff.map(({ key, kind }) => `${kind} ${key}`)).toEqual([
      "removed added",
      "added gone",
      "changed timeout",
    ])
    expect(Development).toMatchObject({
      changeId: null,
      state: "unchanged",
      set: 0,
      deleted: 0,
      unchanged: 1,
    })
    expect(Production).toMatchObject({ changeId: null, state: "unchanged", unchanged: 0 })
    expect(await all("whole", "Staging")).toEqual(before)
    const versions = await world.call("GET", `/api/v1/changes/${Staging!.changeId}`)
    expect(versions.body.edits).toContainEqual(expect.objectContaining({ key: "timeout", restores: 1 }))
  })

  test("finds nothing different the second time", async () => {
    await world.tenant("twice")
    await world.put("twice", "Staging", "a", 1)
    const backup = await world.backUp("twice")
    await world.put("twice", "Staging", "a", 2)
    const [first, second] = [await world.restore(backup), await world.restore(backup)]
    expect(first.Staging).toMatchObject({ state: "live", set: 1 })
    expect(second.Staging).toMatchObject({ changeId: null, state: "unchanged", set: 0, unchanged: 1 })
  })

  test("only tells what it would do when asked to, and what is told is what then happens", async () => {
    await world.tenant("dry")
    await world.put("dry", "Staging", "a", 1)
    const backup = await world.backUp("dry")
    await world.put("dry", "Staging", "a", 2)
    await world.put("dry", "Staging", "b", 2)
    const told = await world.restore(backup, { dryRun: true })
    expect((await world.configs("dry", "Staging")).a).toMatchObject({ value: 2 })
    const done = await world.restore(backup)
    expect(told.Staging).toMatchObject({ changeId: null, set: 1, deleted: 1 })
    expect(told.Staging!.diff).toEqual(done.Staging!.diff)
    expect((await world.configs("dry", "Staging")).a).toMatchObject({ value: 1 })
  })

  test("waits in Production for the approvals that any change there owes, and is filed once however often it is asked for", async () => {
    const { tokens } = await world.tenant("asked")
    const filed = await world.put("asked", "Production", "price", 1)
    await must(world.call("POST", `/api/v1/changes/${filed.body.changeId}/break-glass`), 200)
    const backup = await world.backUp("asked")
    const other = await world.put("asked", "Production", "price", 2)
    await must(
      world.call("POST", `/api/v1/approvals/${other.body.changeId}/approve`, { token: tokens.engineer }),
      200,
    )
    await must(
      world.call("POST", `/api/v1/approvals/${other.body.changeId}/approve`, { token: tokens.manager }),
      200,
    )
    await must(
      world.call("POST", `/api/v1/approvals/${other.body.changeId}/approve`, { token: tokens.compliance }),
      200,
    )
    await world.call("POST", `/api/v1/changes/${other.body.changeId}/advance`, { body: { step: 0 } })
    await world.call("POST", `/api/v1/changes/${other.body.changeId}/advance`, { body: { step: 1 } })
    expect((await world.configs("asked", "Production")).price).toMatchObject({ value: 2 })

    const first = (await world.restore(backup, {}, tokens.tenant_admin)).Production!
    expect(first).toMatchObject({ state: "awaiting_approval", set: 1 })
    expect((await world.configs("asked", "Production")).price).toMatchObject({ value: 2 })
    const change = await world.call("GET", `/api/v1/changes/${first.changeId}`)
    expect(change.body).toMatchObject({
      author: "tenant_admin@asked",
      comment: expect.stringContaining(backup),
    })
    const second = (await world.restore(backup, {}, tokens.tenant_admin)).Production!
    expect(second).toMatchObject({ changeId: first.changeId, state: "awaiting_approval" })
  })
})
