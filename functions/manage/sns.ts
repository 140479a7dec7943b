import { createVerify, X509Certificate } from "node:crypto"
import { z } from "@hono/zod-openapi"
import { Refusal } from "../../core/errors.ts"
import { parseBody } from "../http/body.ts"
import { isSnsUrl, type Sns } from "../platform/sns.ts"

const TYPES = ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"] as const

const Message = z.looseObject({
  Type: z.enum(TYPES),
  MessageId: z.string().max(200),
  TopicArn: z.string().max(300),
  Subject: z.string().nullish(),
  Message: z.string(),
  Timestamp: z.iso.datetime(),
  SignatureVersion: z.enum(["1", "2"]),
  Signature: z.base64().min(1).max(1_400),
  SigningCertURL: z.string().max(500),
  SubscribeURL: z.string().max(2_000).optional(),
  Token: z.string().optional(),
})
/** https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html */
export type SnsMessage = z.output<typeof Message>

/** Was it SNS that sent this? `null` for what does not even look like it: somebody who has to show a token. */
export const looksLikeSns = (text: string): Record<string, unknown> | null => {
  let body: unknown
  try {
    body = parseBody(text)
  } catch {
    return null
  }
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body)
  const type = isObject ? (body as { Type?: unknown }).Type : undefined
  return (TYPES as readonly unknown[]).includes(type) ? (body as Record<string, unknown>) : null
}

const invalid = (detail: string, cause?: unknown): Refusal =>
  new Refusal("SIGNATURE_INVALID", detail, { cause })

const AGE_MS_MAX = 3_600_000

/** Too old, it could be a message that somebody kept. */
const checkAge = ({ Timestamp }: SnsMessage, nowMs: number): void => {
  if (Math.abs(nowMs - Date.parse(Timestamp)) > AGE_MS_MAX)
    throw invalid("The message is not of the last hour.")
}

/** What is signed, in this order: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html */
const signedText = (message: SnsMessage): string => {
  const names =
    message.Type === "Notification"
      ? (["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"] as const)
      : (["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"] as const)
  return names
    .filter((name) => message[name] !== undefined && message[name] !== null)
    .map((name) => `${name}\n${message[name]}\n`)
    .join("")
}

const CERTIFICATE_PATH = /^\/[A-Za-z0-9._-]{1,200}\.pem$/
const ALGORITHMS = { "1": "RSA-SHA1", "2": "RSA-SHA256" } as const

const certificateOf = async (sns: Sns, url: string, nowMs: number): Promise<X509Certificate> => {
  if (!isSnsUrl(url) || !CERTIFICATE_PATH.test(new URL(url).pathname))
    throw invalid("SigningCertURL is not a certificate of Amazon SNS over https.")
  const pem = await sns.certificate(url)
  if (pem === null) throw invalid("There is no certificate at SigningCertURL.")
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (error) {
    throw invalid("What is at SigningCertURL is no certificate.", error)
  }
  const isValid = Date.parse(certificate.validFrom) <= nowMs && nowMs <= Date.parse(certificate.validTo)
  if (!isValid) throw invalid("The certificate at SigningCertURL is not valid now.")
  return certificate
}

/** The message as it was signed. Throws SIGNATURE_INVALID; ORIGIN_UNAVAILABLE if the certificate could not be read. */
export const verifiedMessage = async (
  sns: Sns,
  body: Record<string, unknown>,
  nowMs: number,
): Promise<SnsMessage> => {
  const read = Message.safeParse(body)
  if (!read.success) {
    const names = [...new Set(read.error.issues.map(({ path }) => path.join(".")))]
    throw invalid(`It is not a signed message of Amazon SNS: ${names.join(", ")}.`)
  }
  const message = read.data
  checkAge(message, nowMs)
  const { publicKey } = await certificateOf(sns, message.SigningCertURL, nowMs)
  const verify = createVerify(ALGORITHMS[message.SignatureVersion]).update(signedText(message))
  const isSigned =
    publicKey.asymmetricKeyType === "rsa" && verify.verify(publicKey, message.Signature, "base64")
  if (!isSigned) throw invalid("The signature is not that of this message.")
  return message
}

/** Where to confirm the subscription. Throws SIGNATURE_INVALID for what leads elsewhere. */
export const subscribeUrl = ({ SubscribeURL = "" }: SnsMessage): string => {
  const isOurs =
    isSnsUrl(SubscribeURL) && new URL(SubscribeURL).searchParams.get("Action") === "ConfirmSubscription"
  if (!isOurs) throw invalid("SubscribeURL is not one of Amazon SNS that confirms a subscription.")
  return SubscribeURL
}
