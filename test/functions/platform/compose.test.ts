import { afterAll, beforeAll, expect, test } from "vitest"
import { composeManage } from "../../../functions/platform/compose-manage.ts"
import { composeOutcomes } from "../../../functions/platform/compose-outcomes.ts"
import { composeRead } from "../../../functions/platform/compose-read.ts"
import { composeRelay } from "../../../functions/platform/compose-relay.ts"
import { composeRouter } from "../../../functions/platform/compose-router.ts"
import { SettingsError } from "../../../functions/platform/settings.ts"
import { createRead } from "../../../functions/read/read.ts"
import { createRelay } from "../../../functions/relay/relay.ts"
import { startRedis } from "../../../local/redis/start.ts"
import { freshDatabase } from "../../support/postgres.ts"
import { ADMIN_TOKEN, eventOf, READER_PUBLIC_KEYS } from "../read/world.ts"
import { silentLog } from "./fakes.ts"

let variables: Record<string, string>
let stop: () => Promise<void>

beforeAll(async () => {
  const [database, redis] = await Promise.all([freshDatabase(), startRedis()])
  variables = {
    DATABASE_URL: database.url("hotswap_app"),
    DATABASE_READ_URL: database.url("hotswap_read"),
    DATABASE_SYSTEM_URL: database.url("hotswap_system"),
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    HOTSWAP_READER_KEYS: JSON.stringify(READER_PUBLIC_KEYS),
    HOTSWAP_READER_PUBLIC_KEYS: JSON.stringify(READER_PUBLIC_KEYS),
    HOTSWAP_EDGE_SECRET: "0123456789-0123456789",
    HOTSWAP_ADMIN_TOKEN: ADMIN_TOKEN,
  }
  stop = async () => {
    await Promise.all([database.drop(), redis.stop()])
  }
})
afterAll(() => stop())

test("the read function, composed of environment variables, is ready and answers", async () => {
  const platform = composeRead(variables, { log: silentLog() })
  const read = createRead(platform)
  expect((await read(eventOf("/ready"))).statusCode).toBe(200)
  const absent = await read(eventOf("/api/v1/configs/tenant/nobody?environment=QA", { token: ADMIN_TOKEN }))
  expect(JSON.parse(absent.body).code).toBe("TENANT_NOT_FOUND")
  await platform.background.settled()
  await platform.close()
})

test("the relay, composed of environment variables, sweeps", async () => {
  const platform = composeRelay(variables, { log: silentLog() })
  expect(await createRelay(platform).sweep()).toEqual({ published: 0, left: 0 })
  await platform.close()
})

test("the manager's parts reach the database and Redis", async () => {
  const platform = composeManage(variables, { log: silentLog() })
  expect(await platform.publisher.publish("nobody" as never, "QA" as never)).toBe(true)
  await platform.cache.ping()
  expect(platform.ids.uuid()).toMatch(/^[0-9a-f-]{36}$/)
  await platform.close()
})

test.each([
  ["read", composeRead],
  ["manage", composeManage],
  ["relay", composeRelay],
] as const)("%s does not start without what it needs, and says all of it", (_, compose) => {
  expect(() => compose({})).toThrow(SettingsError)
  expect(() => compose({})).toThrow(/_URL is not set\n(.*\n)*UPSTASH_REDIS_REST_TOKEN is not set/)
})

test.each([
  ["read", composeRead],
  ["manage", composeManage],
  ["outcomes", composeOutcomes],
  ["router", composeRouter],
] as const)("%s is not deployed without what it knows the edge by", (_, compose) => {
  const { HOTSWAP_EDGE_SECRET: _edge, ...others } = variables
  expect(() => compose({ ...others, HOTSWAP_STAGE: "prod" })).toThrow(/^HOTSWAP_EDGE_SECRET is not set$/m)
})

test("the read function needs no connection that could write", () => {
  const {
    DATABASE_URL: _app,
    DATABASE_SYSTEM_URL: _system,
    HOTSWAP_READER_KEYS: _keys,
    ...readOnly
  } = variables
  expect(() => composeRead(readOnly)).not.toThrow()
})
