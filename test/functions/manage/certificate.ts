import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto"

// Just enough of DER (ITU-T X.690) for a certificate that a key signs for itself.
const tlv = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  const length =
    body.length < 128 ? Buffer.from([body.length]) : Buffer.from([0x82, body.length >> 8, body.length & 0xff])
  return Buffer.concat([Buffer.from([tag]), length, body])
}
const sequence = (...parts: Uint8Array[]) => tlv(0x30, ...parts)
const SHA256_WITH_RSA = sequence(tlv(0x06, Buffer.from("2a864886f70d01010b", "hex")), tlv(0x05))
const nameOf = (common: string) =>
  sequence(tlv(0x31, sequence(tlv(0x06, Buffer.from("550403", "hex")), tlv(0x0c, Buffer.from(common)))))
const time = (at: Date) => tlv(0x18, Buffer.from(`${at.toISOString().replaceAll(/[-:T]|\..*/g, "")}Z`))

/** A certificate in PEM with the key that it is for, valid from a day before `now` for so many days. */
export const makeCertificate = (now: Date, days = 30): { pem: string; key: KeyObject } => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 })
  const day = 86_400_000
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    SHA256_WITH_RSA,
    nameOf("sns.test"),
    sequence(time(new Date(now.getTime() - day)), time(new Date(now.getTime() + (days - 1) * day))),
    nameOf("sns.test"),
    publicKey.export({ type: "spki", format: "der" }),
  )
  const signature = createSign("RSA-SHA256").update(body).sign(privateKey)
  const der = sequence(body, SHA256_WITH_RSA, tlv(0x03, Buffer.from([0]), signature))
  const lines = der
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n")
  return { pem: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`, key: privateKey }
}
