import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose"
import { beforeAll, describe, expect, test } from "vitest"
import type { Environment } from "../../../core/environment.ts"
import { PLATFORM, type ScopeId, type TenantId, tokenIdOf } from "../../../core/ids.ts"
import {
  hashToken,
  mintApiToken,
  parseApiToken,
  type ReaderClaims,
  readerSigner,
  readerVerifier,
} from "../../../functions/http/tokens.ts"

const UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
const ACME = "acme-corp" as TenantId
const NOW = new Date("2026-01-01T00:00:00Z")
const ISSUED = NOW.getTime() / 1_000

const CLAIMS: ReaderClaims = {
  tokenId: tokenIdOf(ACME, UUID),
  subject: "shop",
  tenants: [ACME],
  environment: "Production" as Environment,
  issuedAt: ISSUED,
  expiresAt: ISSUED + 3_600,
}

const keyPair = async (kid: string) => {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true })
  const jwk = { ...(await exportJWK(privateKey)), kid }
  return { privateKey, jwk, publicJwk: { kty: jwk.kty!, crv: jwk.crv!, x: jwk.x!, kid } }
}

let own: Awaited<ReturnType<typeof keyPair>>
let verify: ReturnType<typeof readerVerifier>
beforeAll(async () => {
  own = await keyPair("one")
  verify = readerVerifier({ keys: [own.publicJwk] })
})

describe("an API token", () => {
  test("carries the scope that keeps it, and its hash is over all of it", () => {
    for (const scope of [ACME, PLATFORM, "~tier.Pro" as ScopeId]) {
      const { token, ...address } = mintApiToken(scope, UUID)
      expect(parseApiToken(token)).toEqual(address)
      expect(address).toEqual({ scope, tokenId: tokenIdOf(scope, UUID), hash: hashToken(token) })
    }
    expect(mintApiToken(ACME, UUID).token).not.toBe(mintApiToken(ACME, UUID).token)
  })

  test.each([
    "",
    "hs_",
    "hs__",
    `hs_a_b_${"0".repeat(32)}_${"x".repeat(43)}`,
    `hs_acme_${"0".repeat(31)}_${"x".repeat(43)}`,
  ])("is not %s", (text) => {
    expect(parseApiToken(text)).toBeNull()
  })
})

describe("a reader token", () => {
  test("says again what was signed, under any key of the set", async () => {
    const next = await keyPair("two")
    const sign = await readerSigner({ keys: [next.jwk, own.jwk] })
    const token = await sign(CLAIMS)
    expect(await readerVerifier({ keys: [own.publicJwk, next.publicJwk] })(token, NOW)).toEqual(CLAIMS)
    expect(await readerVerifier({ keys: [own.jwk, next.jwk] })(token, NOW)).toEqual(CLAIMS)
    const everyone: ReaderClaims = { ...CLAIMS, tenants: "*" }
    expect(await readerVerifier({ keys: [next.publicJwk] })(await sign(everyone), NOW)).toEqual(everyone)
  })

  test("is not signed without a private key", async () => {
    await expect(readerSigner({ keys: [own.publicJwk] })).rejects.toThrow("HOTSWAP_READER_KEYS")
  })

  const payload = {
    tenants: [ACME],
    env: "Production",
    jti: CLAIMS.tokenId,
    sub: "shop",
    iss: "hotswap",
    aud: "hotswap",
    iat: ISSUED,
    exp: ISSUED + 3_600,
  }
  const header = { alg: "EdDSA", kid: "one", typ: "hotswap-reader+jwt" }
  const signed = async (claims: object, protectedHeader: object = header, key = own.privateKey) =>
    `hsr_${await new SignJWT({ ...claims }).setProtectedHeader(protectedHeader as never).sign(key)}`

  const without = (name: keyof typeof payload) =>
    Object.fromEntries(Object.entries(payload).filter(([key]) => key !== name))
  const FORGED: [string, () => Promise<string>][] = [
    [
      "signed by another key of the same name",
      async () => signed(payload, header, (await keyPair("one")).privateKey),
    ],
    ["under a key that is not in the set", () => signed(payload, { ...header, kid: "other" })],
    ["of another type", () => signed(payload, { ...header, typ: "JWT" })],
    ["of no type", () => signed(payload, { alg: "EdDSA", kid: "one" })],
    ["by another issuer", () => signed({ ...payload, iss: "else" })],
    ["for another audience", () => signed({ ...payload, aud: "else" })],
    ["that has run out", () => signed({ ...payload, exp: ISSUED - 1 })],
    ["that never runs out", () => signed(without("exp"))],
    ["without an id", () => signed(without("jti"))],
    ["with an id that is none", () => signed({ ...payload, jti: "tok" })],
    ["without a subject", () => signed(without("sub"))],
    ["without an environment", () => signed(without("env"))],
    ["without tenants", () => signed(without("tenants"))],
    ["whose tenants are no ids", () => signed({ ...payload, tenants: [1] })],
    ["without a signature", async () => `hsr_${new UnsecuredJWT(payload).encode()}`],
    [
      "whose secret is our public key",
      async () =>
        signed(
          payload,
          { ...header, alg: "HS256" },
          new TextEncoder().encode(own.publicJwk.x.padEnd(64, "x")) as never,
        ),
    ],
    [
      "altered in its payload",
      async () => {
        const [head, , signature] = (await signed(payload)).split(".")
        return [
          head,
          Buffer.from(JSON.stringify({ ...payload, tenants: "*" })).toString("base64url"),
          signature,
        ].join(".")
      },
    ],
    ["without its prefix", async () => (await signed(payload)).slice(4)],
    ["that is no token at all", async () => "hsr_...."],
    ["with a header that is no JSON", async () => "hsr_bm9wZQ.bm9wZQ.bm9wZQ"],
  ]
  test.each(FORGED)("%s is none", async (_what, forge) => {
    expect(await verify(await forge(), NOW)).toBeNull()
  })
})
