import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
} from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export type Claims = Record<string, unknown>
/** What a forger makes a token of; text is taken as it is, so that it need not be JSON. */
export interface Parts {
  header?: Claims | string
  claims?: Claims | string
  /** How it is signed, whatever the header says; the issuer's own way unless given. */
  sign?: (data: string) => Buffer
}

const part = (content: Claims | string): string =>
  Buffer.from(typeof content === "string" ? content : JSON.stringify(content)).toString("base64url")

type Sign = (data: string) => Buffer
const SIGNERS: Readonly<
  Record<
    "RS1" | "RS256" | "PS256" | "RS384" | "ES256" | "ES256 as DER" | "ES384" | "EdDSA",
    (key: KeyObject) => Sign
  >
> = {
  RS1: (key: KeyObject) => (data: string) => signWith("sha1", Buffer.from(data), key),
  RS256: (key: KeyObject) => (data: string) => signWith("sha256", Buffer.from(data), key),
  PS256: (key: KeyObject) => (data: string) =>
    signWith("sha256", Buffer.from(data), {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    }),
  RS384: (key: KeyObject) => (data: string) => signWith("sha384", Buffer.from(data), key),
  ES256: (key: KeyObject) => (data: string) =>
    signWith("sha256", Buffer.from(data), { key, dsaEncoding: "ieee-p1363" }),
  "ES256 as DER": (key: KeyObject) => (data: string) => signWith("sha256", Buffer.from(data), key),
  ES384: (key: KeyObject) => (data: string) =>
    signWith("sha384", Buffer.from(data), { key, dsaEncoding: "ieee-p1363" }),
  EdDSA: (key: KeyObject) => (data: string) => signWith(null, Buffer.from(data), key),
}

export const signer = (algorithm: keyof typeof SIGNERS, key: KeyObject) => SIGNERS[algorithm](key)
export const hmacSigner = (secret: string | Buffer) => (data: string) =>
  createHmac("sha256", secret).update(data).digest()

const keyOf = (type: "rsa" | "ec" | "ed25519"): KeyObject => {
  if (type === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
  if (type === "ec") return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
  return generateKeyPairSync("ed25519").privateKey
}

/** One issuer with its key, and tokens as it would sign them. */
export const createIssuer = (
  issuer: string,
  audience: string,
  type: "rsa" | "ec" | "ed25519",
  nowMs: () => number,
) => {
  const algorithm = ({ rsa: "RS256", ec: "ES256", ed25519: "EdDSA" } as const)[type]
  const key = keyOf(type)
  const kid = `${type}-1`
  const publicKey = createPublicKey(key)
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" }
  const seconds = (): number => Math.floor(nowMs() / 1_000)
  const usualHeader: Claims = { alg: algorithm, kid, typ: "JWT" }
  const usualClaims = (): Claims => ({
    iss: issuer,
    aud: audience,
    sub: "alice",
    tenant: "acme",
    roles: ["viewer"],
    iat: seconds(),
    exp: seconds() + 600,
  })
  const build = (header: Claims | string, claims: Claims | string, sign = signer(algorithm, key)): string => {
    const data = `${part(header)}.${part(claims)}`
    return `${data}.${sign(data).toString("base64url")}`
  }
  return {
    issuer,
    audience,
    algorithm,
    key,
    publicKey,
    jwk,
    seconds,
    usualHeader,
    usualClaims,
    build,
    /** A token that is right but for what is given; `undefined` leaves a member out. */
    token: ({ header = {}, claims = {}, sign }: Parts = {}): string =>
      build(
        typeof header === "string" ? header : { ...usualHeader, ...header },
        typeof claims === "string" ? claims : { ...usualClaims(), ...claims },
        sign,
      ),
  }
}
export type Issuer = ReturnType<typeof createIssuer>

/** Serves documents over HTTP as issuers do, and counts what it is asked for. */
export const startIssuerServer = async () => {
  const documents = new Map<string, unknown>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const found = documents.get(request.url!)
    const status = found === undefined ? 404 : 200
    response.writeHead(status, { "content-type": "application/json" })
    response.end(typeof found === "string" ? found : JSON.stringify(found ?? {}))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    documents,
    asked,
    /** An issuer found by OpenID Connect discovery. */
    discover: (issuer: string, keys: readonly unknown[]) => {
      const path = new URL(issuer).pathname
      documents.set(`${path}/.well-known/openid-configuration`, { issuer, jwks_uri: `${url}${path}/keys` })
      documents.set(`${path}/keys`, { keys })
    },
    close: async () => {
      const closed = once(server, "close")
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
