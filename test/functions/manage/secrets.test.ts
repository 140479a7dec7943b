import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createWorld, must, type World } from "./world.ts"

let world: World
let acme: Awaited<ReturnType<World["tenant"]>>
beforeAll(async () => {
  world = await createWorld()
  acme = await world.tenant("acme")
})
afterAll(() => world.close())

let counted = 0
const fresh = (): string => `key-${++counted}`
const idOf = (key: string, environment = "Development"): string => `acme:${environment}:${key}`

const create = (key: string, more: object, environment = "Development") =>
  world.call("POST", "/api/v1/configs", {
    token: acme.tokens.engineer,
    body: { tenantId: "acme", environment, key, ...more },
  })
const put = (key: string, body: object) =>
  world.call("PUT", `/api/v1/configs/${idOf(key)}`, { token: acme.tokens.engineer, body })
const plain = async (key: string, query = "", environment = "Development") => {
  const path = `/api/v1/configs/${idOf(key, environment)}/secret${query}`
  return await world.call<{ value: unknown; code?: string; secretVersion: number; version: number }>(
    "GET",
    path,
    {
      token: acme.tokens.tenant_admin,
    },
  )
}
const made = async (value: unknown, more: object = {}): Promise<string> => {
  const key = fresh()
  await must(create(key, { value, secret: true, ...more }), 201)
  return key
}

test("a secret reads as a marker, and in plain text at its own route", async () => {
  const key = fresh()
  const created = await must(create(key, { value: "s3cr3t", secret: true }), 201)
  expect(created.body).toMatchObject({ value: { $secret: true, version: 1 }, type: "secret", secret: true })
  const shown = await must(world.call("GET", `/api/v1/configs/${idOf(key)}`), 200)
  expect(shown.body.value).toEqual({ $secret: true, version: 1 })
  const read = await must(plain(key), 200)
  expect(read.body).toMatchObject({ value: "s3cr3t", version: 1, secretVersion: 1 })
  expect(read.headers.get("cache-control")).toBe("no-store")
})

test.each([null, 0, false, "", [], {}, { a: [1, "ü", { b: null }] }, "\ud83d\ude00"])(
  "what is sealed comes back as it was: %j",
  async (value) => {
    const key = await made(value)
    expect((await must(plain(key), 200)).body.value).toEqual(value)
  },
)

test("a secret stays one until its value is set anew and said to be none", async () => {
  const key = await made("one")
  expect((await must(put(key, { value: "two" }), 200)).body.value).toEqual({ $secret: true, version: 2 })
  expect((await must(put(key, { description: "said" }), 200)).body.value).toEqual({
    $secret: true,
    version: 2,
  })
  expect((await must(plain(key), 200)).body).toMatchObject({ value: "two", version: 3, secretVersion: 2 })
  expect((await put(key, { secret: false })).body.code).toBe("SECRET_VALUE_NEEDED")
  expect((await must(put(key, { value: "three", secret: false }), 200)).body.value).toBe("three")
  expect((await plain(key)).body.code).toBe("SECRET_NONE")
  expect((await must(plain(key, "?version=1"), 200)).body.value).toBe("one")
})

test("what is in plain text becomes secret only with another value", async () => {
  const key = fresh()
  await must(create(key, { value: "known" }), 201)
  expect((await put(key, { secret: true })).body.code).toBe("SECRET_VALUE_NEEDED")
  expect((await must(put(key, { value: "unknown", secret: true }), 200)).body.value).toEqual({
    $secret: true,
    version: 2,
  })
})

test("what was read can be sent back as it was read, and stays what it is", async () => {
  const key = await made("kept")
  const { body } = await must(world.call("GET", `/api/v1/configs/${idOf(key)}`), 200)
  const answer = await must(put(key, { value: body.value, description: "read and sent" }), 200)
  expect(answer.body.value).toEqual({ $secret: true, version: 1 })
  expect((await must(plain(key), 200)).body.value).toBe("kept")
})

test("nobody makes a value that reads like a secret", async () => {
  const key = await made("real")
  const forged = [{ $secret: true, version: 7 }, { $secret: true, version: 1, more: 1 }, { $secret: "no" }]
  for (const value of forged) {
    expect((await create(fresh(), { value })).body.code, JSON.stringify(value)).toBe("SECRET_MARKER")
    expect((await create(fresh(), { value, secret: true })).body.code).toBe("SECRET_MARKER")
    expect((await put(key, { value })).body.code).toBe("SECRET_MARKER")
  }
  expect((await must(plain(key), 200)).body.value).toBe("real")
})

test("setting a secret to what it is already is told by nothing", async () => {
  const key = await made("same")
  const answer = await must(put(key, { value: "same" }), 200)
  expect(answer.body.version).toBe(2)
})

test("a secret is held to its schema before it is sealed, and what is wrong repeats nothing of it", async () => {
  const schema = {
    type: "object",
    properties: { pin: { type: "string", pattern: "^[0-9]{4}$" } },
    required: ["pin"],
  }
  const key = await made({ pin: "1234" }, { schema })
  for (const value of [{ pin: "sentinel" }, { sentinel: 1 }, "sentinel"]) {
    const answer = await put(key, { value })
    expect(answer.body.code).toBe("SCHEMA_VIOLATION")
    expect(answer.text).not.toContain("sentinel")
  }
  expect((await must(plain(key), 200)).body.value).toEqual({ pin: "1234" })
})

test("no other schema is tried on a secret to find out what it is", async () => {
  const key = await made("abc")
  expect((await put(key, { schema: { pattern: "^a" } })).body.code).toBe("SECRET_VALUE_NEEDED")
  await must(put(key, { value: "xyz", schema: { pattern: "^x" } }), 200)
  const back = { tenantId: "acme", environment: "Development" }
  const edits = [{ key, value: { $secret: true, version: 1 }, restores: 1 }]
  await must(world.call("POST", "/api/v1/changes", { body: { ...back, edits } }), 202)
  const { body } = await must(world.call("GET", `/api/v1/configs/${idOf(key)}`), 200)
  expect(body).toMatchObject({ value: { $secret: true, version: 1 }, schema: null })
})

test("an earlier secret comes back with its version, and a later one does not", async () => {
  const key = await made("first")
  await must(put(key, { value: "second" }), 200)
  const path = `/api/v1/configs/${idOf(key)}/rollback`
  const rolled = await must(world.call("POST", path, { body: { toVersion: 1 } }), 200)
  expect(rolled.body.value).toEqual({ $secret: true, version: 1 })
  expect((await must(plain(key), 200)).body).toMatchObject({ value: "first", version: 3, secretVersion: 1 })
})

test("promoting a secret seals it for the other environment, once", async () => {
  const key = await made("promoted")
  const promote = { tenantId: "acme", environment: "QA", promote: { from: "Development", keys: [key] } }
  const change = await must(world.call("POST", "/api/v1/changes", { body: promote }), 202)
  expect(change.body.state).toBe("live")
  expect((await must(plain(key, "", "QA"), 200)).body.value).toBe("promoted")
  expect((await world.call("POST", "/api/v1/changes", { body: promote })).body.code).toBe("CHANGE_EMPTY")
  await must(put(key, { value: "later" }), 200)
  await must(world.call("POST", "/api/v1/changes", { body: promote }), 202)
  expect((await must(plain(key, "", "QA"), 200)).body.value).toBe("later")
})

test("each environment and each tenant, the platform and the tiers too, seals with a key of its own", async () => {
  const key = fresh()
  await must(create(key, { value: "x", secret: true }), 201)
  await must(create(key, { value: "x", secret: true }, "QA"), 201)
  for (const tenantId of ["~platform", "~tier.Pro"])
    await must(
      world.call("POST", "/api/v1/configs", {
        body: { tenantId, environment: "Development", key, value: "of all", secret: true },
      }),
      201,
    )
  const read = await must(world.call("GET", `/api/v1/configs/~platform:Development:${key}/secret`), 200)
  expect(read.body.value).toBe("of all")
})

test("every read of a secret is in the audit trail, and nobody reads where it cannot be", async () => {
  const key = await made("watched")
  await must(plain(key), 200)
  const path = `/api/v1/audit?tenantId=acme&action=secret.read&target=${idOf(key)}`
  const { body } = await must(world.call<{ items: unknown[] }>("GET", path), 200)
  expect(body.items).toMatchObject([
    { actor: { subject: "tenant_admin@acme" }, detail: { version: 1, secretVersion: 1 } },
  ])
  const owner = postgres(world.url("hotswap_owner"), { max: 1, onnotice: () => {} })
  await owner`create function hotswap.blocked() returns trigger language plpgsql as 'begin raise exception ''blocked''; end'`
  await owner`create trigger blocked before insert on hotswap.audit_entries execute function hotswap.blocked()`
  try {
    await expect(plain(key)).rejects.toThrow("500")
  } finally {
    await owner`drop trigger blocked on hotswap.audit_entries`
    await owner`drop function hotswap.blocked()`
    await owner.end()
  }
  expect((await must(plain(key), 200)).body.value).toBe("watched")
})

test.each(["viewer", "engineer", "manager", "compliance"] as const)("a %s reads no secret", async (role) => {
  const key = await made("mine")
  const answer = await world.call("GET", `/api/v1/configs/${idOf(key)}/secret`, { token: acme.tokens[role] })
  expect(answer.body.code).toBe("FORBIDDEN")
})

test("two who set a secret at the same moment each seal a value of their own, and one of them is last", async () => {
  const key = await made("zero")
  const values = ["a", "b", "c", "d", "e"]
  const answers = await Promise.all(values.map((value) => put(key, { value })))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  const read = await Promise.all(
    [2, 3, 4, 5, 6].map((version) => must(plain(key, `?version=${version}`), 200)),
  )
  expect(read.map(({ body }) => body.value).toSorted()).toEqual(values)
})

test("a preview seals nothing", async () => {
  const key = fresh()
  const edits = [{ key, value: "looked at", secret: true }]
  const body = { tenantId: "acme", environment: "Development", edits }
  const answer = await must(world.call("POST", "/api/v1/changes/preview", { body }), 200)
  expect(answer.body).toMatchObject({ valid: true })
  expect(answer.text).not.toContain("looked at")
  expect((await must(create(key, { value: "x", secret: true }), 201)).body.value).toEqual({
    $secret: true,
    version: 1,
  })
})
