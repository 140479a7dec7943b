import { generateKeyPairSync } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { fetchIssuerKeys } from "../../../functions/http/oidc.ts"
import { blocksOf } from "../../../functions/platform/addresses.ts"
import { createOutbound } from "../../../functions/platform/outbound.ts"
import { startIssuerServer } from "../../security/forge.ts"

const pair = generateKeyPairSync("ed25519")
const KEY = { ...pair.publicKey.export({ format: "jwk" }), kid: "a" }
const PRIVATE = { ...pair.privateKey.export({ format: "jwk" }), kid: "b" }
const SECRET = { kty: "oct", k: "AAAA", kid: "c" }

let server: Awaited<ReturnType<typeof startIssuerServer>>
beforeAll(async () => {
  server = await startIssuerServer()
})
afterAll(() => server.close())

const here = createOutbound({ allowed: blocksOf(["127.0.0.0/8"]) })
const discovered = (issuer: string, outbound = here) =>
  fetchIssuerKeys(outbound, { issuer, keys: { kind: "discovered" } })
const at = (path: string, document: unknown): string => {
  server.documents.set(path, document)
  return `${server.url}${path}`
}

describe("discovery", () => {
  test("leads from the issuer to its public keys, and to no others", async () => {
    const issuer = `${server.url}/good`
    server.discover(issuer, [
      PRIVATE,
      SECRET,
      { ...KEY, use: "enc", kid: "d" },
      { ...KEY, kid: undefined },
      KEY,
    ])
    expect(await discovered(issuer)).toEqual([KEY])
  })

  test("believes no document that is another issuer's", async () => {
    at("/evil/.well-known/openid-configuration", {
      issuer: `${server.url}/good`,
      jwks_uri: `${server.url}/good/keys`,
    })
    await expect(discovered(`${server.url}/evil`)).rejects.toThrow("another issuer's")
  })

  test.each([
    ["no document", undefined],
    ["what is not JSON", "<html>"],
    ["null", "null"],
    ["no address of keys", { issuer: "here" }],
  ])("takes %s for no keys", async (_name, document) => {
    const issuer = `${server.url}/broken`
    const known = document && typeof document === "object" ? { ...document, issuer } : document
    server.documents.set("/broken/.well-known/openid-configuration", known)
    await expect(discovered(issuer)).rejects.toThrow()
  })

  test("reaches nothing that is not public, be it the issuer or where it sends us", async () => {
    server.discover(`${server.url}/inside`, [KEY])
    const before = server.asked.length
    const outside = createOutbound({ allowed: [] })
    for (const host of [
      server.url,
      server.url.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
      "http://169.254.169.254",
    ])
      await expect(discovered(`${host}/inside`, outside)).rejects.toThrow("public addresses")
    expect(server.asked.length).toBe(before)
    const issuer = `${server.url}/sends`
    at("/sends/.well-known/openid-configuration", {
      issuer,
      jwks_uri: "http://169.254.169.254/latest/meta-data",
    })
    await expect(discovered(issuer)).rejects.toThrow("public addresses")
    at("/sends/.well-known/openid-configuration", { issuer, jwks_uri: "file:///etc/passwd" })
    await expect(discovered(issuer)).rejects.toThrow("https")
  })
})

test("keys at an address of their own need no discovery", async () => {
  const url = at("/keys", { keys: [KEY] })
  expect(await fetchIssuerKeys(here, { issuer: "anybody", keys: { kind: "url", url } })).toEqual([KEY])
  server.documents.set("/keys", { keys: [SECRET] })
  const none = fetchIssuerKeys(here, { issuer: "anybody", keys: { kind: "url", url } })
  await expect(none).rejects.toThrow("no usable key")
})
