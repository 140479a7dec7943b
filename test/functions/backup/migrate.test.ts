import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { JsonObject } from "../../../core/json.ts"
import { must } from "../manage/world.ts"
import { createRestoreWorld, type RestoreWorld } from "./into-world.ts"

let world: RestoreWorld
beforeAll(async () => {
  world = await createRestoreWorld()
})
afterAll(() => world.close())

const asked = (tenantId: string, body: object, token?: string) =>
  world.call("POST", `/api/v1/tenants/${tenantId}/migrate`, { body, ...(token && { token }) })
const migrate = (tenantId: string, body: object, token?: string): Promise<JsonObject> =>
  world.succeeded(asked(tenantId, { from: "Development", to: "QA", ...body }, token))
const values = async (tenantId: string, environment: string) =>
  Object.fromEntries(
    Object.values(await world.configs(tenantId, environment)).map(({ key, value }) => [key, value]),
  )

describe("migrating one environment to the next", () => {
  test("promotes every key as one change, with its schema and lock, and keeps what the target has of its own", async () => {
    await world.tenant("moving")
    await world.put("moving", "Development", "shared", 1, { schema: { type: "number" }, locked: true })
    await world.put("moving", "Development", "url", "https://dev.example")
    await world.put("moving", "Development", "same", "same")
    await world.put("moving", "QA", "url", "https://qa.example")
    await world.put("moving", "QA", "same", "same")
    await world.put("moving", "QA", "only.here", true)
    const result = await migrate("moving", {})
    expect(result).toMatchObject({ state: "live", set: 1, deleted: 0, unchanged: 1, kept: ["url"] })
    expect((result.diff as JsonObject[]).map(({ key, kind }) => `${kind} ${key}`)).toEqual(["added shared"])
    expect(await values("moving", "QA")).toEqual({
      shared: 1,
      url: "https://qa.example",
      same: "same",
      "only.here": true,
    })
    expect((await world.configs("moving", "QA")).shared).toMatchObject({
      locked: true,
      schema: { type: "number" },
    })
    const change = await world.call("GET", `/api/v1/changes/${result.changeId}`)
    expect(change.body.promotedFrom).toMatchObject({ environment: "Development", versions: { shared: 1 } })
  })

  test("goes on promoting what it promoted before, a key that was restored to that among it", async () => {
    await world.tenant("again")
    await world.put("again", "Development", "a", 1)
    await world.put("again", "Development", "b", 1)
    await migrate("again", {})
    const then = await world.instant()
    await world.put("again", "QA", "b", "by hand")
    await world.put("again", "Development", "a", 2)
    await world.put("again", "Development", "b", 2)
    expect(await migrate("again", {})).toMatchObject({ set: 1, kept: ["b"] })
    expect(await values("again", "QA")).toEqual({ a: 2, b: "by hand" })
    await world.restoreAsOf("again", { asOf: then, environments: ["QA"] })
    expect(await values("again", "QA")).toEqual({ a: 1, b: 1 })
    expect(await migrate("again", {})).toMatchObject({ set: 2, kept: [] })
    expect(await migrate("again", {})).toMatchObject({ changeId: null, state: "unchanged", unchanged: 2 })
  })

  test("overwrites them, or takes some keys only, when it is told to", async () => {
    await world.tenant("told")
    for (const key of ["a", "b", "c"]) await world.put("told", "Development", key, 1)
    await world.put("told", "QA", "a", 2)
    expect(await migrate("told", { keys: ["a", "b"] })).toMatchObject({ set: 1, kept: ["a"] })
    expect(await migrate("told", { keys: ["a"], overwrite: true })).toMatchObject({ set: 1, kept: [] })
    expect(await values("told", "QA")).toEqual({ a: 1, b: 1 })
    const missing = await world.done(asked("told", { from: "Development", to: "QA", keys: ["a", "is.not"] }))
    expect(missing.problem).toMatchObject({ code: "PROMOTION_EMPTY", errors: [{ path: "is.not" }] })
  })

  test("tells what it would do and does nothing, in a dry run", async () => {
    await world.tenant("dry")
    await world.put("dry", "Development", "a", 1)
    const told = await migrate("dry", { dryRun: true })
    expect(told).toMatchObject({ changeId: null, state: "live", set: 1 })
    expect(told.diff).toMatchObject([{ key: "a", kind: "added", after: 1 }])
    expect(await values("dry", "QA")).toEqual({})
  })

  test("opens secrets in the one and seals them in the other; one that was set there by hand is its own", async () => {
    await world.tenant("sealed")
    await world.put("sealed", "Development", "s", "of dev", { secret: true })
    await world.put("sealed", "Development", "t", "of dev", { secret: true })
    await world.put("sealed", "QA", "t", "of qa", { secret: true })
    expect(await migrate("sealed", {})).toMatchObject({ set: 1, kept: ["t"] })
    const plain = async (key: string) =>
      (await must(world.call("GET", `/api/v1/configs/sealed:QA:${key}/secret`), 200)).body.value
    expect([await plain("s"), await plain("t")]).toEqual(["of dev", "of qa"])
    expect(await migrate("sealed", {})).toMatchObject({ state: "unchanged", unchanged: 1, kept: ["t"] })
  })

  test("leaves what the platform grants where it is", async () => {
    await world.tenant("granted")
    await world.put("granted", "Development", "limit.command", { max: 3, windowMs: 60_000 })
    await world.put("granted", "Development", "a", 1)
    expect(await migrate("granted", {})).toMatchObject({ set: 1 })
    expect(await values("granted", "QA")).toEqual({ a: 1 })
  })
})

describe("a migration goes by the policy as any promotion", () => {
  test("to Production it waits for approvals, and nobody approves their own", async () => {
    const { tokens } = await world.tenant("owed")
    await world.put("owed", "Staging", "a", 1)
    const result = await migrate("owed", { from: "Staging", to: "Production" }, tokens.engineer)
    expect(result).toMatchObject({ state: "awaiting_approval", set: 1 })
    const again = await migrate("owed", { from: "Staging", to: "Production" }, tokens.engineer)
    expect(again.changeId).toBe(result.changeId)
    const own = await world.call("POST", `/api/v1/approvals/${result.changeId}/approve`, {
      token: tokens.engineer,
    })
    expect(own.body).toMatchObject({ code: "APPROVAL_OWN" })
    expect(await values("owed", "Production")).toEqual({})
  })

  test("it follows the order of environments, unless the policy lets it skip some", async () => {
    await world.tenant("order")
    await world.put("order", "Development", "a", 1)
    await world.put("order", "Staging", "a", 1)
    for (const [from, to] of [
      ["Development", "Staging"],
      ["Staging", "Development"],
      ["Staging", "Staging"],
    ])
      expect((await world.done(asked("order", { from, to, overwrite: true }))).problem?.code).toBe(
        "PROMOTION_BACKWARDS",
      )
    await must(
      world.call("PUT", "/api/v1/tenants/order/environments/Staging/policy", {
        body: { promoteFromAny: true },
      }),
      200,
    )
    await world.put("order", "Development", "b", 1)
    expect(await migrate("order", { to: "Staging" })).toMatchObject({ state: "live", set: 1 })
  })

  test("who may not submit there, or read where it is from, is refused at the door", async () => {
    const { tokens, issue } = await world.tenant("door")
    const body = { from: "Development", to: "QA" }
    expect((await asked("door", body, tokens.viewer)).status).toBe(403)
    expect((await asked("door", body, tokens.compliance)).status).toBe(403)
    expect((await asked("door", body, await issue("bound", ["engineer"], "QA"))).body).toMatchObject({
      code: "FORBIDDEN",
    })
    expect((await asked("door", { from: "Nowhere", to: "QA" })).body.code).toBe("ENVIRONMENT_UNKNOWN")
    expect((await asked("door", { to: "QA" })).body.code).toBe("BODY_INVALID")
    expect((await world.done(asked("door", body))).problem?.code).toBe("PROMOTION_EMPTY")
  })
})
