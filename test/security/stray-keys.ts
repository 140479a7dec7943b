import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { signer } from "./forge.ts"

/** A key that an issuer shows, and tokens signed with it that must not pass. */
export interface StrayKey {
  alg: string
  kid: string
  sign: (data: string) => Buffer
}

type Pair = { publicKey: KeyObject; privateKey: KeyObject }
type Shown = Record<string, unknown>

const shown = ({ publicKey }: Pair, more: Shown): Shown => ({
  ...publicKey.export({ format: "jwk" }),
  ...more,
})
const stray = (
  alg: string,
  kid: string,
  way: Parameters<typeof signer>[0],
  { privateKey }: Pair,
): StrayKey => ({
  alg,
  kid,
  sign: signer(way, privateKey),
})

/** Keys beside the right ones in the sets of three issuers: meant for something else, too weak, or of another curve. */
export const createStrayKeys = () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 })
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" })
  const koblitz = generateKeyPairSync("ec", { namedCurve: "secp256k1" })
  const ed448 = generateKeyPairSync("ed448")
  return {
    shown: {
      corp: [
        shown(rsa, { kid: "rsa-plain" }),
        shown(rsa, { kid: "rsa-enc", use: "enc" }),
        shown(rsa, { kid: "rsa-wrap", key_ops: ["wrapKey"] }),
        shown(rsa, { kid: "rsa-pss", alg: "PS256" }),
        shown(rsa, { kid: "rsa-twin" }),
        shown(short, { kid: "rsa-twin" }),
        shown(rsa, {}),
        { ...rsa.privateKey.export({ format: "jwk" }), kid: "rsa-leaked" },
        shown(short, { kid: "rsa-short" }),
        shown(p256, { kid: "ec-stray" }),
        {
          kty: "oct",
          k: Buffer.from("a secret shown by mistake, 32 by").toString("base64url"),
          kid: "oct-1",
        },
      ],
      partner: [shown(p384, { kid: "ec-384" }), shown(koblitz, { kid: "ec-k1" })],
      ops: [shown(ed448, { kid: "ed-448" })],
    },
    /** The one that is right, so that the others are refused for what they are. */
    plain: stray("RS256", "rsa-plain", "RS256", rsa),
    encrypts: stray("RS256", "rsa-enc", "RS256", rsa),
    wraps: stray("RS256", "rsa-wrap", "RS256", rsa),
    pss: stray("RS256", "rsa-pss", "RS256", rsa),
    twin: stray("RS256", "rsa-twin", "RS256", rsa),
    leaked: stray("RS256", "rsa-leaked", "RS256", rsa),
    short: stray("RS256", "rsa-short", "RS256", short),
    curve: stray("ES256", "ec-stray", "ES256", p256),
    p384: stray("ES256", "ec-384", "ES256", p384),
    p384ByName: stray("ES384", "ec-384", "ES384", p384),
    koblitz: stray("ES256", "ec-k1", "ES256", koblitz),
    ed448: stray("EdDSA", "ed-448", "EdDSA", ed448),
  }
}
