import { createHash } from "node:crypto"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { ScopeId } from "../../../core/ids.ts"
import { withSecret } from "../../../functions/platform/keys/channel-secrets.ts"
import { KEY_KEPT_MS } from "../../../functions/platform/keys/vault.ts"
import { shredKeys } from "../../../functions/platform/shred.ts"
import { resealAged } from "../../../functions/relay/reseal.ts"
import { localMessenger } from "../notify/world.ts"
import { createWorld, must, type World } from "./world.ts"

let world: World
let owner: postgres.Sql
beforeAll(async () => {
  world = await createWorld({ messenger: localMessenger() })
  owner = postgres(world.url("hotswap_owner"), { max: 1, onnotice: () => {} })
  await owner`alter table hotswap.channels no force row level security`
  for (const table of ["secret_values", "data_keys"])
    await owner.unsafe(`alter table hotswap.${table} no force row level security`)
})
afterAll(async () => {
  await owner.end()
  await world.close()
})

const keep = (tenantId: string, key: string, value: string, environment = "Development") =>
  must(
    world.call("POST", "/api/v1/configs", { body: { tenantId, environment, key, value, secret: true } }),
    201,
  )
const read = async (tenantId: string, key: string): Promise<unknown> =>
  (await must(world.call("GET", `/api/v1/configs/${tenantId}:Development:${key}/secret`), 200)).body.value
const rotate = (tenantId: string, headers = {}) =>
  world.call<{ keys: { realm: string; generation: number }[] }>(
    "POST",
    `/api/v1/tenants/${tenantId}/keys/rotate`,
    { body: {}, headers },
  )
const reseal = () =>
  resealAged({ db: world.app, system: world.system, vault: world.platform.vault!, log: world.platform.log })
const generations = async (tenantId: string): Promise<number[]> => {
  const rows = await owner<{ generation: number }[]>`
    select generation from hotswap.secret_values where tenant_id = ${tenantId} order by key, version`
  return rows.map(({ generation }) => generation)
}

test("new keys seal what comes, and what there was is sealed anew, a part at a time, as often as asked", async () => {
  const { tenantId } = await world.tenant("turning")
  const keys = ["a", "b", "c"]
  for (const key of keys) await keep(tenantId, key, `of ${key}`)
  const before = await owner`select wrapped_by, wrapped from hotswap.data_keys where tenant_id = ${tenantId}`
  const rotated = await must(rotate(tenantId), 200)
  expect(rotated.body.keys).toEqual([{ realm: "Development", generation: 2 }])
  const after = await owner`select wrapped_by, wrapped from hotswap.data_keys
    where tenant_id = ${tenantId} order by generation`
  expect(new Set(after.map((row) => row.wrapped_by)).size).toBe(1)
  expect(after[0]!.wrapped_by).not.toBe(before[0]!.wrapped_by)

  await keep(tenantId, "d", "of d")
  expect(await generations(tenantId)).toEqual([1, 1, 1, 2])
  for (const key of [...keys, "d"]) expect(await read(tenantId, key)).toBe(`of ${key}`)
  expect(await reseal()).toBe(3)
  expect(await generations(tenantId)).toEqual([2, 2, 2, 2])
  expect(await reseal()).toBe(0)
  for (const key of [...keys, "d"]) expect(await read(tenantId, key)).toBe(`of ${key}`)
})

test("a rotation that is repeated is done once, and is in the audit trail", async () => {
  const { tenantId } = await world.tenant("repeated")
  await keep(tenantId, "a", "x")
  const headers = { "idempotency-key": "one" }
  const first = await must(rotate(tenantId, headers), 200)
  expect((await must(rotate(tenantId, headers), 200)).body).toEqual(first.body)
  const path = `/api/v1/audit?tenantId=${tenantId}&action=secret.rotate`
  const { body } = await must(world.call<{ items: unknown[] }>("GET", path), 200)
  expect(body.items).toMatchObject([{ detail: { keys: [{ realm: "Development", generation: 2 }] } }])
})

test("of many rotations at once each that is told done has made a generation of its own", async () => {
  const { tenantId } = await world.tenant("at-once")
  await keep(tenantId, "a", "x")
  const answers = await Promise.all(Array.from({ length: 6 }, () => rotate(tenantId)))
  const done = answers.filter(({ status }) => status === 200)
  expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true)
  const made = done.map(({ body }) => body.keys[0]!.generation)
  expect(new Set(made).size).toBe(done.length)
  await reseal()
  world.moveClock(KEY_KEPT_MS)
  expect(await read(tenantId, "a")).toBe("x")
})

test("what a webhook is signed with and where Slack listens is sealed, also what was kept before there were keys", async () => {
  const { tenantId } = await world.tenant("told")
  const path = `/api/v1/tenants/${tenantId}/channels`
  const hook = await must(
    world.call<{ channelId: string; secret: string }>("POST", path, {
      body: { type: "webhook", url: "http://127.0.0.1:9/" },
    }),
    201,
  )
  const slack = await must(
    world.call<{ channelId: string }>("POST", path, {
      body: { type: "slack", url: "http://127.0.0.1:9/services/of-slack" },
    }),
    201,
  )
  await owner`update hotswap.channels set secret = 'http://127.0.0.1:9/services/of-old'
    where channel_id = ${slack.body.channelId}`
  const kept = async (): Promise<Record<string, string>> => {
    const rows = await owner`select channel_id, secret from hotswap.channels where tenant_id = ${tenantId}`
    return Object.fromEntries(rows.map((row) => [row.channel_id, row.secret]))
  }
  const opened = async (channelId: string) =>
    (
      await withSecret(world.platform.vault, {
        tenantId: tenantId as ScopeId,
        channelId,
        secret: (await kept())[channelId]!,
      })
    ).secret
  expect(Object.values(await kept()).filter((text) => text.startsWith("hs1."))).toHaveLength(1)
  expect(await opened(slack.body.channelId)).toContain("of-old")
  await reseal()
  for (const text of Object.values(await kept())) expect(text).toMatch(/^hs1\.1\.[\w-]+$/)
  expect(await opened(slack.body.channelId)).toContain("of-old")
  expect(await opened(hook.body.channelId)).toBe(hook.body.secret)

  await must(rotate(tenantId), 200)
  await reseal()
  for (const text of Object.values(await kept())) expect(text).toMatch(/^hs1\.2\.[\w-]+$/)
  expect(await opened(hook.body.channelId)).toBe(hook.body.secret)
})

test("a channel's secret opens for no other channel", async () => {
  const { tenantId } = await world.tenant("swapped")
  const path = `/api/v1/tenants/${tenantId}/channels`
  const body = { type: "slack", url: "http://127.0.0.1:9/services/mine" }
  const made = await must(world.call<{ channelId: string }>("POST", path, { body }), 201)
  const [row] = await owner`select secret from hotswap.channels where channel_id = ${made.body.channelId}`
  const moved = { tenantId: tenantId as ScopeId, channelId: crypto.randomUUID(), secret: String(row!.secret) }
  await expect(withSecret(world.platform.vault, moved)).rejects.toThrow("does not open")
})

test("of a shredded tenant nothing is read, set or sealed anew, and others go on", async () => {
  const [gone, stays] = [await world.tenant("shredded"), await world.tenant("staying")]
  await keep(gone.tenantId, "a", "x")
  await keep(stays.tenantId, "a", "y")
  await must(rotate(gone.tenantId), 200)
  await must(rotate(stays.tenantId), 200)
  const counts = await shredKeys(world.platform, gone.tenantId as ScopeId)
  expect(counts).toEqual({ wrappingKeys: 2, dataKeys: 2, values: 1 })
  const path = `/api/v1/configs/${gone.tenantId}:Development:a/secret`
  expect((await world.call("GET", path)).body.code).toBe("SECRET_SHREDDED")
  const set = await world.call("PUT", `/api/v1/configs/${gone.tenantId}:Development:a`, {
    body: { value: "z" },
  })
  expect(set.body.code).toBe("SECRET_SHREDDED")
  expect((await rotate(gone.tenantId)).body).toMatchObject({ code: "SECRET_SHREDDED" })
  expect(await reseal()).toBe(1)
  expect(world.logged.filter((line) => line.includes("sealed anew"))).toEqual([])
  expect(await read(stays.tenantId, "a")).toBe("y")
})

test("what a request was is told apart by no hash that could be guessed from", async () => {
  const { tenantId } = await world.tenant("guessed")
  const body = { tenantId, environment: "Development", key: "pin", value: "1234", secret: true }
  const ask = () => world.call("POST", "/api/v1/configs", { body, headers: { "idempotency-key": "k" } })
  const first = await must(ask(), 201)
  expect((await ask()).body).toEqual(first.body)
  const other = { ...body, value: "1235" }
  const reused = await world.call("POST", "/api/v1/configs", {
    body: other,
    headers: { "idempotency-key": "k" },
  })
  expect(reused.body.code).toBe("IDEMPOTENCY_KEY_REUSED")
  await owner`alter table hotswap.idempotency_keys no force row level security`
  const [row] =
    await owner`select fingerprint, body from hotswap.idempotency_keys where tenant_id = ${tenantId}`
  const parts = ["POST", "/api/v1/configs", "", JSON.stringify(body)]
  const plain = createHash("sha256")
  for (const part of parts) plain.update(`${Buffer.byteLength(part)}:`).update(part)
  expect(row!.fingerprint).toMatch(/^[0-9a-f]{64}$/)
  expect(row!.fingerprint).not.toBe(plain.digest("hex"))
  expect(row!.body).not.toContain("1234")
})
