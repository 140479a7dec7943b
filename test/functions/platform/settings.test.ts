import { generateKeyPairSync, randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import { readSettings, SettingsError } from "../../../functions/platform/settings.ts"

const KEYS = JSON.stringify({ keys: [{ kty: "OKP", crv: "Ed25519", kid: "a", x: "abc" }] })

const KEY = generateKeyPairSync("x25519").publicKey.export({ format: "jwk" }).x!
const receivingKeys = (more: object) =>
  JSON.stringify({ keys: [{ kty: "OKP", crv: "X25519", kid: "a", x: KEY, ...more }] })
const ARN = "arn:aws:states:eu-central-1:123456789012"
const QUEUE_URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"

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
      eraseAfterDays: 7,
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
    expect(linesOf({ ...onAws, HOTSWAP_ADMIN_TOKEN: "kW3r0zVb-Qm7hT2xLpYd" })).toEqual([])
  })

  test("what would do on a laptop is refused where it is deployed, a line each, however it is deployed", () => {
    const weak = {
      DATABASE_URL: "postgres://hotswap_app:postgres@db/hotswap",
      DATABASE_READ_URL: "postgres://hotswap_read@db/hotswap",
      DATABASE_SYSTEM_URL: "postgres://hotswap_system:PassWord@db/hotswap",
      UPSTASH_REDIS_REST_URL: "http://redis:8080",
      UPSTASH_REDIS_REST_TOKEN: "example_token_for_redis",
      HOTSWAP_EDGE_SECRET: "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      HOTSWAP_ADMIN_TOKEN: "changeme-changeme-1234",
    }
    const password = "holds no password, or one that anybody would try"
    const known = "is one that anybody would try: take one made by chance"
    expect(linesOf(weak)).toEqual([])
    for (const deployed of [{ HOTSWAP_STAGE: "prod" }, { AWS_LAMBDA_FUNCTION_NAME: "hotswap-manage" }])
      expect(linesOf({ ...weak, ...deployed })).toEqual([
        `DATABASE_URL ${password}`,
        `DATABASE_READ_URL ${password}`,
        `DATABASE_SYSTEM_URL ${password}`,
        "UPSTASH_REDIS_REST_URL is not https: what is sent there could be read on the way",
        `UPSTASH_REDIS_REST_TOKEN ${known}`,
        `HOTSWAP_EDGE_SECRET ${known}`,
        `HOTSWAP_ADMIN_TOKEN ${known}`,
      ])
  })

  test("keys of issuers are fetched through https where it is deployed, and kept ones need no fetching", () => {
    const issuers = (...all: object[]) => JSON.stringify(all.map((one) => ({ audience: "hotswap", ...one })))
    const clear = [
      issuers({ issuer: "http://login.example.com" }),
      issuers({ issuer: "https://a.example" }, { issuer: "corp", jwksUrl: "http://login.example.com/keys" }),
    ]
    for (const HOTSWAP_JWT_ISSUERS of clear) {
      expect(linesOf({ HOTSWAP_JWT_ISSUERS })).toEqual([])
      expect(linesOf({ HOTSWAP_JWT_ISSUERS, HOTSWAP_STAGE: "prod" })).toEqual([
        "HOTSWAP_JWT_ISSUERS has keys fetched without https: others could be put in their place",
      ])
    }
    const kept = { issuer: "http://login.example.com", jwks: JSON.parse(KEYS) as object }
    expect(linesOf({ HOTSWAP_JWT_ISSUERS: issuers(kept), HOTSWAP_STAGE: "prod" })).toEqual([])
  })

  test("what only a deployment needs is missed only there", () => {
    expect(() => readSettings({}, [], ["edgeSecret"])).not.toThrow()
    expect(() => readSettings({ HOTSWAP_STAGE: "prod" }, [], ["edgeSecret"])).toThrow(
      /^HOTSWAP_EDGE_SECRET is not set$/,
    )
  })

  test("while the edge's secret is being renewed neither of the two may be one that anybody would try", () => {
    const [made, other] = [randomBytes(32).toString("base64url"), randomBytes(32).toString("base64url")]
    const onAws = { HOTSWAP_STAGE: "prod" }
    expect(linesOf({ ...onAws, HOTSWAP_EDGE_SECRET: `${made},${other}` })).toEqual([])
    expect(linesOf({ ...onAws, HOTSWAP_EDGE_SECRET: `${made},${"ab".repeat(12)}` })).toEqual([
      "HOTSWAP_EDGE_SECRET is one that anybody would try: take one made by chance",
    ])
  })

  test("deployed, a database is spoken to encrypted and verified, or on the same machine", () => {
    const onAws = { HOTSWAP_STAGE: "prod" }
    const at = (place: string) =>
      linesOf({ ...onAws, DATABASE_URL: `postgres://hotswap_app:kW3r0zVbQm7@${place}` })
    const refused = expect.stringContaining("DATABASE_URL does not ask for sslmode=verify-full")
    for (const place of [
      "db.example.com/hotswap",
      "db/hotswap?sslmode=require",
      "10.0.0.1/hotswap?sslmode=disable",
    ])
      expect(at(place), place).toEqual([refused])
    for (const place of [
      "db.example.com/hotswap?sslmode=verify-full",
      "127.0.0.1/hotswap",
      "[::1]:5432/hotswap",
    ])
      expect(at(place), place).toEqual([])
  })

  test("a secret made by chance is deployed", () => {
    const secrets = ["HOTSWAP_ADMIN_TOKEN", "HOTSWAP_EDGE_SECRET", "UPSTASH_REDIS_REST_TOKEN"]
    for (let round = 0; round < 200; round++) {
      const made = Object.fromEntries(secrets.map((name) => [name, randomBytes(32).toString("base64url")]))
      expect(linesOf({ ...made, HOTSWAP_STAGE: "prod" })).toEqual([])
    }
  })

  test.each([
    "*",
    "null",
    "https://*.example.com",
    "https://console.example.com/",
    "https://console.example.com/path",
    "https://Console.example.com",
    "http://console.example.com",
    "https://user@console.example.com",
    "https://console.example.com:443",
    "console.example.com",
    "https://a.example;https://b.example",
  ])("%j is no origin whose pages may call", (text) => {
    expect(linesOf({ HOTSWAP_CORS_ORIGINS: text })).toEqual([
      "HOTSWAP_CORS_ORIGINS is not a list of origins like https://console.example.com,https://host:8443",
    ])
  })

  test("origins are taken as they are", () => {
    const HOTSWAP_CORS_ORIGINS = "https://console.example.com, http://localhost:5173"
    expect(readSettings({ HOTSWAP_CORS_ORIGINS }, []).corsOrigins).toEqual([
      "https://console.example.com",
      "http://localhost:5173",
    ])
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
      { HOTSWAP_EDGE_SECRET: `${"hunter2".repeat(3)},hunter2` },
      "HOTSWAP_EDGE_SECRET is shorter than 20 characters",
    ],
    [
      { HOTSWAP_EDGE_SECRET: ["a", "b", "c"].map((each) => each.repeat(20)).join(",") },
      "HOTSWAP_EDGE_SECRET holds more than 2 secrets",
    ],
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

  test.each([
    ["HOTSWAP_ERASE_AFTER_DAYS", ["0", "365"], ["366", "1.5", "-1", "soon"]],
    ["HOTSWAP_CACHE_TTL_SECONDS", ["30", "86400"], ["29", "86401", "60.5"]],
    ["HOTSWAP_VIEW_MEMORY_MIB", ["8", "8192"], ["7", "8193", "much"]],
    ["HOTSWAP_MANAGEMENT_LIMITS", ["on", "off"], ["ON", "true", "0"]],
    ["HOTSWAP_OUTBOUND_ALLOW", ["10.0.0.0/8", "10.0.0.0/8, fd00::/8"], ["10.0.0.0", "10.0.0.0/33", "host/8"]],
    ["HOTSWAP_DEPLOYMENT_NAME", ["EU 1", "a"], [" a", "a/b", "a".repeat(101)]],
    ["HOTSWAP_BLOB_DIRECTORY", ["/var/blobs"], ["blobs", "./blobs"]],
    ["HOTSWAP_BLOB_BUCKET", ["hotswap-blobs"], ["Hotswap", "a.b", "-a-"]],
    ["HOTSWAP_BACKUP_REGION", ["eu-central-1"], ["EU", "eu central"]],
    ["HOTSWAP_STATE_MACHINE_ARN", [`${ARN}:stateMachine:pacer`], [`${ARN}:activity:pacer`, "pacer"]],
    ["HOTSWAP_BACKUP_QUEUE_URL", [QUEUE_URL], ["arn:aws:sqs:eu-central-1:123456789012:jobs"]],
    ["HOTSWAP_KMS_ALIAS", ["hotswap/prod"], ["aws/s3", "alias hotswap", "/a", "a".repeat(151)]],
    ["HOTSWAP_TRUSTED_DEPLOYMENTS", [`${KEY}, ${KEY}`], ["", "somebody"].map((other) => `${KEY},${other}`)],
    ["HOTSWAP_HAND_OVER_KEY", [receivingKeys({ d: KEY })], [receivingKeys({}), KEYS]],
    ["HOTSWAP_CONSOLE_URL", ["https://console.example.com"], ["console.example.com", "ftp://host"]],
  ])("%s takes %j and nothing like %j, told by its name", (name, right, wrong) => {
    for (const text of right) expect([text, linesOf({ [name]: text })]).toEqual([text, []])
    for (const text of wrong)
      expect([text, linesOf({ [name]: text })]).toEqual([text, [expect.stringMatching(`^${name} \\S`)]])
  })
})

describe("what the operator says for records of processing", () => {
  const subprocessor = { name: "Mailer Ltd", purpose: "mail", country: "IE" }
  const says = {
    processor: "Hotswap GmbH, Berlin",
    subprocessors: [subprocessor, { ...subprocessor, safeguards: "SCC" }],
    transfers: [],
    securityMeasures: ["Everything is sealed"],
  }
  const read = (processing: unknown) =>
    linesOf({ HOTSWAP_PROCESSING: typeof processing === "string" ? processing : JSON.stringify(processing) })

  test("is taken as it is said", () => {
    const settings = readSettings({ HOTSWAP_PROCESSING: JSON.stringify(says) }, [])
    expect(settings.processing).toEqual(says)
  })

  test.each([
    ["text that is no JSON", "{", "is not JSON"],
    ["a list", [], "is not an object"],
    ["a name that is none", { processors: "x" }, "processors"],
    ["a name of every object", { constructor: "x" }, "constructor"],
    ["nothing said", { processor: "" }, "processor"],
    ["too much said", { location: "x".repeat(1_001) }, "location"],
    ["a list of something else", { securityMeasures: [1] }, "securityMeasures"],
    ["a list without an end", { securityMeasures: Array(101).fill("x") }, "securityMeasures"],
    ["somebody without a country", { subprocessors: [{ name: "a", purpose: "b" }] }, "subprocessors"],
    ["more than is asked", { subprocessors: [{ ...subprocessor, secret: "x" }] }, "subprocessors"],
    ["a transfer without a ground", { transfers: [{ country: "US", safeguards: "" }] }, "transfers"],
  ])("is refused with %s, which is named", (_what, processing, named) => {
    expect(read(processing)).toEqual([expect.stringMatching(`^HOTSWAP_PROCESSING .*${named}`)])
  })
})
