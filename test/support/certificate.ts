import { generateKeyPairSync, sign } from "node:crypto"

// DER, as far as one self-signed certificate takes it: RFC 5280, section 4.1.

const tlv = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const SEQUENCE = 0x30
const sequence = (...parts: Buffer[]) => tlv(SEQUENCE, ...parts)
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, "hex"))
const integer = (value: number) => tlv(0x02, Buffer.from([value]))
const time = (text: string) => tlv(0x18, Buffer.from(text))

const COMMON_NAME = "550403"
const ALTERNATIVE_NAMES = "551d11"
const ECDSA_WITH_SHA256 = "2a8648ce3d040302"

/** A certificate for these names, signed with its own key: whoever is told to trust it accepts it. PEM. */
export const selfSigned = (names: readonly string[]): { cert: string; key: string } => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const algorithm = sequence(oid(ECDSA_WITH_SHA256))
  const name = sequence(tlv(0x31, sequence(oid(COMMON_NAME), tlv(0x0c, Buffer.from("test")))))
  const alternatives = sequence(...names.map((one) => tlv(0x82, Buffer.from(one))))
  const extensions = sequence(sequence(oid(ALTERNATIVE_NAMES), tlv(0x04, alternatives)))
  const content = sequence(
    tlv(0xa0, integer(2)),
    integer(1),
    algorithm,
    name,
    sequence(time("20200101000000Z"), time("21200101000000Z")),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, extensions),
  )
  const signature = tlv(0x03, Buffer.from([0]), sign("sha256", content, privateKey))
  const der = sequence(content, algorithm, signature)
  const lines = der.toString("base64").match(/.{1,64}/g)!
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  }
}
