import { createSign, type KeyObject } from "node:crypto"

export const TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
export const CERTIFICATE_URL = `https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-${"a".repeat(32)}.pem`

export type Envelope = Record<string, unknown>

const NAMES: Readonly<Record<string, readonly string[]>> = {
  Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
  SubscriptionConfirmation: [
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
  ],
}

/** What Amazon SNS posts: https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html */
export const signed = (key: KeyObject, nowMs: number, fields: Envelope = {}): Envelope => {
  const envelope: Envelope = {
    Type: "Notification",
    MessageId: crypto.randomUUID(),
    TopicArn: TOPIC,
    Subject: "ALARM: errors",
    Message: alarm("ALARM"),
    Timestamp: new Date(nowMs).toISOString(),
    SignatureVersion: "1",
    SigningCertURL: CERTIFICATE_URL,
    ...fields,
  }
  const names = NAMES[String(envelope.Type)] ?? NAMES.SubscriptionConfirmation!
  const text = names.flatMap((name) => (envelope[name] === undefined ? [] : [`${name}\n${envelope[name]}\n`]))
  const algorithm = envelope.SignatureVersion === "1" ? "RSA-SHA1" : "RSA-SHA256"
  const Signature = createSign(algorithm).update(text.join("")).sign(key, "base64")
  return { ...envelope, Signature }
}

/** What CloudWatch puts into a notification. */
export const alarm = (state: string): string =>
  JSON.stringify({
    AlarmName: "checkout errors",
    NewStateValue: state,
    NewStateReason: "Threshold Crossed: 3 datapoints were over 5.0",
    AWSAccountId: "123456789012",
    Region: "EU (Frankfurt)",
  })
