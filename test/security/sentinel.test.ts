import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import postgres from "postgres"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type RunningRedis, startRedis } from "../../local/redis/start.ts"
import { type RunningHotswap, removeHome, startHotswap, temporaryHome } from "../support/hotswap.ts"
import { freshDatabase, type TestDatabase } from "../support/postgres.ts"
import { dumpDatabase, dumpFiles, dumpRedis, formsOf, foundIn, type Places } from "./sentinel-search.ts"

const PATIENTLY = { timeout: 20_000, interval: 50 }
const sentinel = (kind: string): string => `${kind}${randomBytes(12).toString("hex")}`
/** Set as secrets, one after the other, and a Slack URL: to be found nowhere. */
const SECRETS = {
  first: sentinel("s1"),
  second: sentinel("s2"),
  refused: sentinel("s3"),
  slack: sentinel("sl"),
}
/** The tenant, which is named nearly everywhere, and a value that is not secret: to be found, or the search is worth nothing. */
const TENANT = sentinel("t")
const PLAIN = sentinel("p")

let database: TestDatabase
let redis: RunningRedis
let hotswap: RunningHotswap
/** What was told to webhook and Slack. */
const told: string[] = []
const receiver = createServer((request, response) => {
  let body = `${request.url!.startsWith("/slack") ? "" : request.url} ${JSON.stringify(request.headers)}`
  request.on("data", (piece) => {
    body += piece
  })
  request.on("end", () => {
    told.push(body)
    response.end()
  })
})
const answers: string[] = []

beforeAll(async () => {
  await new Promise<void>((resolve) => void receiver.listen(0, "127.0.0.1", resolve))
  database = await freshDatabase()
  redis = await startRedis()
  hotswap = await startHotswap({
    home: await temporaryHome(),
    env: {
      DATABASE_URL: database.url("hotswap_app"),
      DATABASE_READ_URL: database.url("hotswap_read"),
      DATABASE_SYSTEM_URL: database.url("hotswap_system"),
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: redis.token,
      HOTSWAP_OUTBOUND_ALLOW: "127.0.0.0/8",
    },
  })
}, 90_000)
afterAll(async () => {
  await hotswap.stop()
  await Promise.all([redis.stop(), database.drop(), removeHome(hotswap.home)])
  receiver.closeAllConnections()
  receiver.close()
})

interface Answer {
  status: number
  text: string
  body: Record<string, never>
}

/** A call through the Worker, whose answer is looked through with the rest unless it is where a secret is told. */
const call = async (
  method: string,
  path: string,
  {
    body,
    raw,
    token = hotswap.adminToken,
    headers = {},
    tells = false,
  }: Record<string, unknown> & {
    token?: string
    headers?: Record<string, string>
    raw?: string
    tells?: boolean
  } = {},
): Promise<Answer> => {
  const response = await fetch(hotswap.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body === undefined && raw === undefined ? {} : { body: raw ?? JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!tells) answers.push(`${JSON.stringify([...response.headers])} ${text}`)
  const isJson =
    /^application\/(problem\+)?json/.test(response.headers.get("content-type") ?? "") && text.startsWith("{")
  return { status: response.status, text, body: isJson ? JSON.parse(text) : {} }
}
const must = async (status: number, ...args: Parameters<typeof call>): Promise<Answer> => {
  const answer = await call(...args)
  expect(answer.status, `${args[0]} ${args[1]}: ${answer.text}`).toBe(status)
  return answer
}

const SCHEMA = { type: "object", properties: { password: { type: "string" } }, required: ["password"] }
const idOf = (environment: string): string => `${TENANT}:${environment}:db`
const secretOf = async (environment: string): Promise<unknown> => {
  const { body } = await must(200, "GET", `/api/v1/configs/${idOf(environment)}/secret`, { tells: true })
  return body.value
}
const issue = async (subject: string, roles: string[], environment?: string): Promise<string> =>
  String(
    (await must(201, "POST", `/api/v1/tenants/${TENANT}/tokens`, { body: { subject, roles, environment } }))
      .body.token,
  )

/** Everything that goes wrong, with the secret in hand. */
const failInEveryWay = async (): Promise<void> => {
  const value = { password: SECRETS.refused }
  const base = { tenantId: TENANT, environment: "Development", key: "db", value, secret: true }
  const put = `/api/v1/configs/${idOf("Development")}`
  const codes = [
    call("POST", "/api/v1/configs", { body: base }),
    call("POST", "/api/v1/configs", { body: { ...base, key: "big", value: SECRETS.refused.repeat(20_000) } }),
    call("POST", "/api/v1/configs", { body: { ...base, key: "odd", value: { $secret: SECRETS.refused } } }),
    call("POST", "/api/v1/configs", { body: { ...base, schema: { type: "nonsense" }, key: "new" } }),
    call("POST", "/api/v1/configs", { body: { ...base, environment: "Nowhere" } }),
    call("POST", "/api/v1/configs", { body: { ...base, tenantId: "nobody" } }),
    call("POST", "/api/v1/configs", { raw: `${JSON.stringify(base)}}` }),
    call("POST", "/api/v1/configs", { raw: JSON.stringify(base).slice(0, -20) }),
    call("POST", "/api/v1/configs", { body: { ...base, unknown: 1 } }),
    call("POST", "/api/v1/configs", { body: base, token: "hs_nobody" }),
    call("PUT", put, { body: { value: { wrong: SECRETS.refused } } }),
    call("PUT", put, { body: { value: SECRETS.refused } }),
    call("PUT", put, { body: { value }, headers: { "if-match": '"99"' } }),
    call("DELETE", "/api/v1/configs", { body: base }),
  ]
  for (const answer of await Promise.all(codes)) expect(answer.status).toBeGreaterThanOrEqual(400)
}

/** What people and applications read of it. */
const readInEveryWay = async (environment: string, reader: string): Promise<void> => {
  const id = idOf(environment)
  for (const path of [
    `/api/v1/configs/${id}`,
    `/api/v1/configs/${id}/versions`,
    `/api/v1/configs/${id}/diff?from=1&to=2`,
    `/api/v1/configs/${id}/explain`,
    `/api/v1/configs?tenantId=${TENANT}&environment=${environment}`,
    `/api/v1/changes?tenantId=${TENANT}`,
    `/api/v1/audit?tenantId=${TENANT}`,
    `/api/v1/audit/export?tenantId=${TENANT}&format=jsonl`,
    `/api/v1/audit/export?tenantId=${TENANT}&format=csv`,
    `/api/v1/tenants/${TENANT}/environments/${environment}/releases`,
    `/api/v1/tenants/${TENANT}/channels`,
    `/api/v1/configs/tenant/${TENANT}?environment=${environment}&detail=full`,
    `/api/v1/configs/tenant/${TENANT}?environment=${environment}&key=db`,
    `/api/v1/tenants/${TENANT}/deliveries`,
  ])
    await call("GET", path)
  for (const query of ["", "&arms=both", "&targetingKey=u1"])
    await must(200, "GET", `/api/v1/configs/tenant/${TENANT}?environment=${environment}${query}`, {
      token: reader,
    })
}

/** From Development to Production, by approvals and a canary, and back. */
const live = async (): Promise<void> => {
  const base = { tenantId: TENANT, environment: "Development" }
  for (const [key, value, secret] of [
    ["db", { password: SECRETS.first }, true],
    ["plain", { text: PLAIN }, false],
  ] as const) {
    const body = { ...base, key, value, schema: key === "db" ? SCHEMA : null, secret }
    const headers = { "idempotency-key": `make-${key}` }
    await must(201, "POST", "/api/v1/configs", { body, headers })
    await must(201, "POST", "/api/v1/configs", { body, headers })
  }
  await failInEveryWay()
  await must(200, "PUT", `/api/v1/configs/${idOf("Development")}`, {
    body: { value: { password: SECRETS.second } },
  })
  const edits = [{ key: "db", value: { password: SECRETS.first } }]
  await must(200, "POST", "/api/v1/changes/preview", { body: { ...base, edits } })
  for (const environment of ["QA", "Staging"]) {
    const from = environment === "QA" ? "Development" : "QA"
    await must(202, "POST", "/api/v1/changes", { body: { tenantId: TENANT, environment, promote: { from } } })
  }
  const reader = await issue("shop", ["reader"], "Production")
  const toProduction = async (): Promise<string> => {
    const promotion = {
      tenantId: TENANT,
      environment: "Production",
      promote: { from: "Staging" },
      approvalRequired: true,
      strategy: { type: "canary", steps: [{ weightBp: 5_000, holdMs: 600_000 }] },
    }
    const { body } = await must(202, "POST", "/api/v1/changes", { body: promotion })
    const id = String(body.changeId)
    for (const role of ["engineer", "manager", "compliance"]) {
      const token = await issue(`${role}-${TENANT}`, [role])
      await must(200, "GET", `/api/v1/changes/${id}`, { token })
      await must(200, "POST", `/api/v1/approvals/${id}/approve`, { body: {}, token })
    }
    await readInEveryWay("Production", reader)
    await must(200, "GET", `/api/v1/configs/tenant/${TENANT}?environment=Production&preview=${id}`)
    await must(200, "POST", `/api/v1/changes/${id}/advance`, { body: { step: 0 } })
    return id
  }
  await toProduction()
  expect(await secretOf("Production")).toEqual({ password: SECRETS.second })
  await must(200, "PUT", `/api/v1/configs/${idOf("Development")}`, {
    body: { value: { password: SECRETS.first } },
  })
  for (const [from, environment] of [
    ["Development", "QA"],
    ["QA", "Staging"],
  ])
    await must(202, "POST", "/api/v1/changes", { body: { tenantId: TENANT, environment, promote: { from } } })
  const changeId = await toProduction()
  expect(await secretOf("Production")).toEqual({ password: SECRETS.first })
  await must(200, "POST", `/api/v1/changes/${changeId}/rollback`, { body: {} })
  expect(await secretOf("Production")).toEqual({ password: SECRETS.second })
  await must(200, "POST", `/api/v1/tenants/${TENANT}/keys/rotate`, { body: {} })
  expect(await secretOf("Production")).toEqual({ password: SECRETS.second })
  await readInEveryWay("Production", reader)
  await readInEveryWay("Development", await issue("dev", ["reader"], "Development"))
}

const spoil = async (channelId: string): Promise<void> => {
  const sql = postgres(database.url("postgres"), { max: 1 })
  await sql`update hotswap.channels set secret = 'hs1.1.AAAA' where channel_id = ${channelId}`
  await sql.end()
}

const PLACES = ["answers", "audit export", "files", "logs", "messages", "Redis"]

test("a secret is found nowhere but where it is read, through the whole of its life, and what is not secret everywhere", async () => {
  await must(201, "POST", "/api/v1/tenants", { body: { tenantId: TENANT, name: TENANT } })
  const { port } = receiver.address() as AddressInfo
  const channels = `/api/v1/tenants/${TENANT}/channels`
  const hook = await must(201, "POST", channels, {
    body: { type: "webhook", url: `http://127.0.0.1:${port}/hook` },
  })
  await must(201, "POST", channels, {
    body: { type: "slack", url: `http://127.0.0.1:${port}/slack/${SECRETS.slack}` },
  })
  await live()
  await expect
    .poll(() => told.filter((text) => text.includes("rolled_back")).length, PATIENTLY)
    .toBeGreaterThan(0)
  const exported = await call("GET", `/api/v1/audit/export?tenantId=${TENANT}&format=jsonl`)
  // What cannot be sent for a reason of ours is logged, with the name of its channel.
  await spoil(String(hook.body.channelId))
  await must(201, "POST", "/api/v1/configs", {
    body: { tenantId: TENANT, environment: "Development", key: "last", value: SECRETS.first, secret: true },
  })
  await expect.poll(() => hotswap.output(), PATIENTLY).toContain(hook.body.channelId)

  const places: Places = new Map([
    ...(await dumpDatabase(database.url("postgres"))),
    ...(await dumpRedis(redis)),
    ...dumpFiles(hotswap.home),
    ["logs", hotswap.output()],
    ["answers", answers.join("\n")],
    ["messages", told.join("\n")],
    ["audit export", exported.text],
  ])
  for (const [name, secret] of Object.entries(SECRETS)) expect(foundIn(places, secret), name).toEqual([])
  const plain = new Set([PLAIN, TENANT, String(hook.body.channelId)].flatMap((text) => foundIn(places, text)))
  expect([...plain].filter((name) => !name.startsWith("table ")).toSorted()).toEqual(PLACES.toSorted())
  const tables = [
    "chunks",
    "config_versions",
    "changes",
    "audit_entries",
    "idempotency_keys",
    "secret_values",
  ]
  for (const table of tables) expect(plain).toContain(`table hotswap.${table}`)
  expect(foundIn(places, PLAIN)).toEqual(
    expect.arrayContaining(["Redis", "answers", "table hotswap.chunks", "table hotswap.idempotency_keys"]),
  )
}, 120_000)

test("the search finds what is encoded as well", () => {
  const buried = (bytes: Buffer): string[] => [
    bytes.toString("base64"),
    bytes.toString("base64url"),
    bytes.toString("hex"),
    bytes.toString("latin1"),
  ]
  for (const before of ["", "a", "ab", "abc"])
    for (const text of buried(Buffer.from(`${before}${PLAIN}xyz`)))
      expect(foundIn(new Map([["there", text]]), PLAIN), text).toEqual(["there"])
  expect(formsOf(PLAIN).every((form) => form.length >= 16)).toBe(true)
})
