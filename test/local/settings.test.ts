import { resolve } from "node:path"
import { expect, test } from "vitest"
import { readLocalSettings, StartError } from "../../local/settings.ts"

const problemsOf = (variables: Record<string, string>): string[] => {
  try {
    readLocalSettings(variables)
    return []
  } catch (error) {
    if (error instanceof StartError) return error.message.split("\n")
    throw error
  }
}

test("nothing has to be set", () => {
  expect(readLocalSettings({})).toEqual({
    port: 8787,
    originPort: 8788,
    host: "127.0.0.1",
    home: resolve(".hotswap"),
    database: { kind: "embedded" },
    redis: { kind: "embedded" },
    given: {},
  })
})

test("an empty variable is as good as none", () => {
  expect(readLocalSettings({ PORT: "", DATABASE_URL: "", HOTSWAP_ADMIN_TOKEN: "" })).toEqual(
    readLocalSettings({}),
  )
})

test("the origin is beside the edge, and anywhere when the edge is", () => {
  expect(readLocalSettings({ PORT: "9000" }).originPort).toBe(9001)
  expect(readLocalSettings({ PORT: "0" }).originPort).toBe(0)
  expect(readLocalSettings({ PORT: "65535" }).originPort).toBe(0)
  expect(readLocalSettings({ PORT: "9000", ORIGIN_PORT: "7000" }).originPort).toBe(7000)
})

test("real servers are named by their URLs", () => {
  const url = "postgres://owner:pw@db:5432/hotswap"
  expect(readLocalSettings({ DATABASE_URL: url }).database).toEqual({ kind: "owned", url })
  expect(
    readLocalSettings({ DATABASE_URL: url, DATABASE_READ_URL: url, DATABASE_SYSTEM_URL: url }).database,
  ).toEqual({ kind: "roles", app: url, read: url, system: url })
  expect(readLocalSettings({ REDIS_URL: "redis://r:6379" }).redis).toEqual({
    kind: "server",
    url: "redis://r:6379",
  })
  expect(
    readLocalSettings({ UPSTASH_REDIS_REST_URL: "https://u", UPSTASH_REDIS_REST_TOKEN: "t" }).redis,
  ).toEqual({ kind: "upstash", url: "https://u", token: "t" })
})

test("a start-up token of any length is taken", () => {
  expect(readLocalSettings({ HOTSWAP_ADMIN_TOKEN: "x" }).given).toEqual({ HOTSWAP_ADMIN_TOKEN: "x" })
})

test("what the functions read is passed on only where it was set", () => {
  expect(readLocalSettings({ HOTSWAP_ENVIRONMENTS: "A,B", UNRELATED: "x" }).given).toEqual({
    HOTSWAP_ENVIRONMENTS: "A,B",
  })
})

test.each([
  [{ PORT: "http" }, /^PORT is "http": give a port from 0 to 65535/],
  [{ PORT: "70000" }, /^PORT is "70000"/],
  [{ ORIGIN_PORT: "-1" }, /^ORIGIN_PORT is "-1"/],
  [{ PORT: "9000", ORIGIN_PORT: "9000" }, /^ORIGIN_PORT is the same as PORT/],
  [{ DATABASE_URL: "mysql://x" }, /^DATABASE_URL is not a URL like postgres:/],
  [{ DATABASE_READ_URL: "postgres://x/y" }, /^DATABASE_URL is not set/],
  [{ DATABASE_URL: "postgres://x/y", DATABASE_READ_URL: "postgres://x/y" }, /^set DATABASE_URL alone/],
  [{ REDIS_URL: "localhost" }, /^REDIS_URL is not a URL like redis:/],
  [{ UPSTASH_REDIS_REST_URL: "https://u" }, /belong together/],
  [
    { UPSTASH_REDIS_REST_URL: "https://u", UPSTASH_REDIS_REST_TOKEN: "t", REDIS_URL: "redis://r" },
    /both set/,
  ],
  [{ HOTSWAP_ENVIRONMENTS: "One,one" }, /^HOTSWAP_ENVIRONMENTS .*named twice/],
  [{ HOTSWAP_CACHE_TTL_SECONDS: "soon" }, /^HOTSWAP_CACHE_TTL_SECONDS is not a whole number/],
  [{ HOTSWAP_READER_KEYS: "{}" }, /^HOTSWAP_READER_KEYS is not a JWK set/],
  [{ HOTSWAP_ADMIN_TOKEN: "two words" }, /^HOTSWAP_ADMIN_TOKEN is not .* without spaces/],
  [{ HOTSWAP_EDGE_SECRET: "short" }, /^HOTSWAP_EDGE_SECRET is shorter than 20/],
])("%o is refused in one line that says what to do", (variables, line) => {
  expect(problemsOf(variables as Record<string, string>)).toEqual([expect.stringMatching(line)])
})

test("everything that is wrong is told at once, and no password with it", () => {
  const lines = problemsOf({
    PORT: "x",
    DATABASE_URL: "mysql://u:hidden@h/d",
    REDIS_URL: "http://u:hidden@h",
  })
  expect(lines).toHaveLength(3)
  expect(lines.join()).not.toContain("hidden")
})
