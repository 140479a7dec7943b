import { type Attack, bearer, corpTokens, type Right, tokens } from "./attack.ts"
import { hmacSigner, signer } from "./forge.ts"
import { rightPartner } from "./rights.ts"
import type { StrayKey } from "./stray-keys.ts"
import type { WhoWorld } from "./who-world.ts"

const withStray = (pick: (world: WhoWorld) => StrayKey) => (world: WhoWorld) => {
  const { alg, kid, sign } = pick(world)
  return { header: { alg, kid }, sign }
}
/** A key that is as good as the first one, from the same set. */
const rightStray: Right = ({ corp, stray }) => bearer(corp.token(withStray(() => stray.plain)(null as never)))
const ofPartner = (world: WhoWorld, pick: StrayKey): string =>
  world.partner.token({ ...withStray(() => pick)(world), claims: { tenant: "globex" } })
const rightOps: Right = ({ ops }) => bearer(ops.token())
const strayKey: Attack[] = [
  ...corpTokens(
    "Key for something else",
    {
      "one for encryption": withStray(({ stray }) => stray.encrypts),
      "one for wrapping keys": withStray(({ stray }) => stray.wraps),
      "one for PS256": withStray(({ stray }) => stray.pss),
      "one of two with the same name": withStray(({ stray }) => stray.twin),
      "one whose private half is shown too": withStray(({ stray }) => stray.leaked),
      "RSA with 1,024 bits": withStray(({ stray }) => stray.short),
      "EC, of an issuer pinned to RSA": withStray(({ stray }) => stray.curve),
      "EC by its name, RSA by the algorithm": ({ stray }) => ({
        header: { kid: stray.curve.kid },
        sign: stray.plain.sign,
      }),
      "one without a name": ({ stray }) => ({ header: { kid: undefined }, sign: stray.plain.sign }),
      "a shared secret shown by mistake": {
        header: { alg: "HS256", kid: "oct-1" },
        sign: hmacSigner("a secret shown by mistake, 32 by"),
      },
    },
    undefined,
    undefined,
    rightStray,
  ),
  ...tokens(
    "Key for something else",
    {
      "ES256 with P-384": (world) => ofPartner(world, world.stray.p384),
      "ES384 with P-384, of an issuer pinned to ES256": (world) => ofPartner(world, world.stray.p384ByName),
      "ES256 with secp256k1": (world) => ofPartner(world, world.stray.koblitz),
      "ES256 with P-256 named as P-384": (world) =>
        ofPartner(world, { ...world.stray.curve, kid: world.stray.p384.kid }),
    },
    undefined,
    { path: "/api/v1/tenants/globex" },
    rightPartner,
  ),
  ...tokens(
    "Key for something else",
    { "EdDSA with Ed448": ({ ops, stray }) => ops.token(withStray(() => stray.ed448)(null as never)) },
    undefined,
    undefined,
    rightOps,
  ),
]

const bigOf = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString("hex")}`)
const bytesOf = (number: bigint, length: number): Buffer =>
  Buffer.from(number.toString(16).padStart(2 * length, "0"), "hex")
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
const B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
/** The last character of what is no multiple of three bytes carries bits that no byte has. */
export const otherwise = (text: string): string => text.slice(0, -1) + B64[B64.indexOf(text.at(-1)!) ^ 1]!

/** Another text, or another number, for a signature that is right. */
const signature: Attack[] = [
  ...tokens("Signature written otherwise", {
    "RS256, with bits that no byte has": ({ corp }) => otherwise(corp.token()),
    "RS256, with padding": ({ corp }) => `${corp.token()}==`,
    "RS256, with a line feed in its text": ({ corp }) => corp.token().replace(/.{10}$/, (end) => `%0A${end}`),
    "RS256, plus the modulus": ({ corp }) =>
      corp.token({
        sign: (data) => {
          const modulus = bigOf(Buffer.from(corp.jwk.n as string, "base64url"))
          return bytesOf(bigOf(signer("RS256", corp.key)(data)) + modulus, 257)
        },
      }),
    "RS256, with a nought before it": ({ corp }) =>
      corp.token({ sign: (data) => Buffer.concat([Buffer.alloc(1), signer("RS256", corp.key)(data)]) }),
  }),
  ...tokens(
    "Signature written otherwise",
    Object.fromEntries(
      Object.entries<(signed: Buffer, world: WhoWorld, data: string) => Buffer>({
        "ES256, as DER": (_signed, { partner }, data) => signer("ES256 as DER", partner.key)(data),
        "ES256, each half with a nought before it": (signed) =>
          Buffer.concat([
            bytesOf(bigOf(signed.subarray(0, 32)), 33),
            bytesOf(bigOf(signed.subarray(32)), 33),
          ]),
        "ES256, with the group's order added to s": (signed) =>
          Buffer.concat([signed.subarray(0, 32), bytesOf(bigOf(signed.subarray(32)) + P256_ORDER, 33)]),
        "ES256, r and s the group's order": () =>
          Buffer.concat([bytesOf(P256_ORDER, 32), bytesOf(P256_ORDER, 32)]),
        "ES256, r and s exchanged": (signed) => Buffer.concat([signed.subarray(32), signed.subarray(0, 32)]),
      }).map(([name, alter]) => [
        name,
        (world: WhoWorld) =>
          world.partner.token({
            claims: { tenant: "globex" },
            sign: (data) => alter(signer("ES256", world.partner.key)(data), world, data),
          }),
      ]),
    ),
    undefined,
    { path: "/api/v1/tenants/globex" },
    rightPartner,
  ),
  ...tokens(
    "Signature written otherwise",
    {
      "EdDSA, with the group's order added to S": ({ ops }) =>
        ops.token({
          sign: (data) => {
            const signed = signer("EdDSA", ops.key)(data)
            const s = bigOf(Buffer.from(signed.subarray(32)).reverse()) + ED25519_ORDER
            return Buffer.concat([signed.subarray(0, 32), bytesOf(s, 32).reverse()])
          },
        }),
      "EdDSA, with bits that no byte has": ({ ops }) => otherwise(ops.token()),
    },
    undefined,
    undefined,
    rightOps,
  ),
]

/** Signatures by keys that are the issuer's and not for this, and signatures that are right but for how they stand. */
export const KEY_ATTACKS: readonly Attack[] = [...strayKey, ...signature]
