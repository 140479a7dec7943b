import { generateKeyPairSync } from "node:crypto"
import { describe, expect, test } from "vitest"
import { parseJwtIssuers } from "../../../functions/platform/jwt-issuers.ts"

const pair = generateKeyPairSync("ed25519")
const KEY = { ...pair.publicKey.export({ format: "jwk" }), kid: "a" }
const PRIVATE = { ...pair.privateKey.export({ format: "jwk" }), kid: "a" }
const ISSUER = { issuer: "https://login.example.com/acme/", audience: "hotswap" }
const parse = (...issuers: unknown[]) => parseJwtIssuers(JSON.stringify(issuers))

describe("an issuer of people's tokens", () => {
  test("needs no more than a name and an audience, and then gives no more than its word about tenants", () => {
    expect(parse(ISSUER)).toEqual([
      {
        name: "login.example.com/acme",
        ...ISSUER,
        algorithms: ["RS256", "PS256", "ES256", "EdDSA"],
        keys: { kind: "discovered" },
        claims: { subject: "sub", tenant: "tenant", roles: "roles", environment: "env" },
        tenants: null,
        platformAdmins: false,
        leewaySeconds: 30,
        lifetimeMaxSeconds: 86_400,
      },
    ])
  })

  test.each([
    [{ audience: undefined }, "`audience`"],
    [{ issuer: "" }, "`issuer`"],
    [{ issuer: "hotswap" }, "the service's own"],
    [{ issuer: "corp" }, "https URL"],
    [{ jwksUrl: "file:///etc/keys" }, "https URL"],
    [{ jwksUrl: "https://x.example", jwks: { keys: [KEY] } }, "both given"],
    [{ jwks: { keys: [] } }, "no public key"],
    [{ jwks: { keys: [{ ...KEY, kid: undefined }] } }, "no public key"],
    [{ jwks: { keys: [PRIVATE] } }, "no public key"],
    [{ jwks: { keys: [{ kty: "oct", k: "AAAA", kid: "a" }] } }, "no public key"],
    [{ algorithms: [] }, "`algorithms`"],
    [{ algorithms: ["none"] }, "`algorithms`"],
    [{ algorithms: ["RS256", "HS256"] }, "`algorithms`"],
    [{ algorithms: "RS256" }, "`algorithms`"],
    [{ claims: { sub: "email" } }, "`claims`"],
    [{ claims: { subject: 1 } }, "`subject`"],
    [{ tenants: [] }, "`tenants`"],
    [{ tenants: ["*"] }, "`tenants`"],
    [{ tenants: ["acme"], platformAdmins: true }, "exclude each other"],
    [{ platformAdmins: "true" }, "`platformAdmins`"],
    [{ leewaySeconds: 61 }, "`leewaySeconds`"],
    [{ lifetimeMaxSeconds: 1e9 }, "`lifetimeMaxSeconds`"],
    [{ name: "corp|x" }, "`name`"],
    [{ jwks_uri: "https://x.example" }, "no member `jwks_uri`"],
  ])("with %j does not start", (more, words) => {
    expect(() => parse({ ...ISSUER, ...more })).toThrow(words)
    expect(() => parse({ ...ISSUER, ...more })).toThrow("issuer 1")
  })

  test("has its name and its identifier to itself", () => {
    expect(() => parse(ISSUER, ISSUER)).toThrow("same `name`")
    expect(() => parse(ISSUER, { ...ISSUER, name: "other" })).toThrow("same `issuer`")
    for (const text of ["{}", "[", "null", "[1]"]) expect(() => parseJwtIssuers(text)).toThrow()
  })
})
