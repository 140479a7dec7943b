import { describe, expect, test } from "vitest"
import { readSettings, SettingsError } from "../../../functions/platform/settings.ts"

const KEYS = JSON.stringify({ keys: [{ kty: "OKP", crv: "Ed25519", kid: "a", x: "abc" }] })

const linesOf = (
  variables: Record<string, string>,
  required: Parameters<typeof readSettings>[1] = [],
): string[] => {
  try {
    readSettings(variables, required)
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError)
    return (error as Error).message.split("\n")
  }
}

describe("settings", () => {
  test("what is not set has its default, or is null where nobody needs it", () => {
    expect(readSettings({}, [])).toMatchObject({
      databaseUrl: null,
      readerKeys: null,
      environments: ["Development", "QA", "Staging", "Production"],
      cacheTtlSeconds: 300,
    })
  })

  test("what is set is read as what it is", () => {
    const settings = readSettings(
      {
        DATABASE_READ_URL: "postgres://role:password@host:5432/hotswap",
        HOTSWAP_READER_PUBLIC_KEYS: KEYS,
        HOTSWAP_ENVIRONMENTS: "Test, Live",
        HOTSWAP_CACHE_TTL_SECONDS: "60",
      },
      ["databaseReadUrl", "readerPublicKeys"],
    )
    expect(settings.readerPublicKeys.keys).toHaveLength(1)
    expect(settings).toMatchObject({ environments: ["Test", "Live"], cacheTtlSeconds: 60 })
  })

  test("the start-up token is kept as its hash only", () => {
    const settings = readSettings({ HOTSWAP_ADMIN_TOKEN: "0123456789-0123456789" }, ["adminTokenHash"])
    expect(settings.adminTokenHash).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.stringify(settings)).not.toContain("0123456789-")
  })

  test("a short start-up token is refused on AWS, and its owner's business elsewhere", () => {
    expect(linesOf({ HOTSWAP_ADMIN_TOKEN: "x" })).toEqual([])
    const onAws = { AWS_LAMBDA_FUNCTION_NAME: "hotswap-manage" }
    expect(linesOf({ ...onAws, HOTSWAP_ADMIN_TOKEN: "0123456789012345678" })).toEqual([
      "HOTSWAP_ADMIN_TOKEN is shorter than 20 characters",
    ])
    expect(linesOf({ ...onAws, HOTSWAP_ADMIN_TOKEN: "01234567890123456789" })).toEqual([])
  })

  test("everything that is wrong is told at once, a line each", () => {
    expect(
      linesOf({ DATABASE_URL: "mysql://host", HOTSWAP_CACHE_TTL_SECONDS: "soon" }, ["edgeSecret"]),
    ).toEqual([
      "DATABASE_URL is not a URL like postgres://role:password@host:5432/database",
      "HOTSWAP_EDGE_SECRET is not set",
      "HOTSWAP_CACHE_TTL_SECONDS is not a whole number of seconds from 30 to 86400",
    ])
  })

  test.each([
    [{ HOTSWAP_EDGE_SECRET: "hunter2" }, "HOTSWAP_EDGE_SECRET is shorter than 20 characters"],
    [
      { HOTSWAP_ADMIN_TOKEN: "hunter2 " },
      "HOTSWAP_ADMIN_TOKEN is not 1 to 8192 printable ASCII characters without spaces, or begins with hsr_",
    ],
    [
      { HOTSWAP_ADMIN_TOKEN: "hsr_hunter2" },
      "HOTSWAP_ADMIN_TOKEN is not 1 to 8192 printable ASCII characters without spaces, or begins with hsr_",
    ],
    [{ HOTSWAP_READER_KEYS: "hunter2" }, 'HOTSWAP_READER_KEYS is not JSON; give a JWK set like {"keys":[…]}'],
    [{ HOTSWAP_READER_KEYS: '{"keys":[]}' }, 'HOTSWAP_READER_KEYS is not a JWK set like {"keys":[…]}'],
    [
      { HOTSWAP_READER_KEYS: '{"keys":[{"kty":"RSA","kid":"hunter2"}]}' },
      "HOTSWAP_READER_KEYS holds a key that is not Ed25519 with a kid",
    ],
    [{ UPSTASH_REDIS_REST_URL: "redis://hunter2" }, "UPSTASH_REDIS_REST_URL is not a URL like https://host"],
  ])("%j is told without telling its value", (variables, line) => {
    expect(linesOf(variables)).toEqual([line])
    expect(line).not.toContain("hunter2")
  })
})
