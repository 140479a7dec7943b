import { generateKeyPairSync, randomBytes } from "node:crypto"

const NOWHERE = "127.0.0.1:1"
/** Deployed functions take none that anybody would try. */
const SECRET = randomBytes(24).toString("hex")

const keySet = (name: string): string => {
  const kind = name.includes("HAND_OVER") ? "x25519" : "ed25519"
  const { privateKey, publicKey } =
    kind === "x25519" ? generateKeyPairSync("x25519") : generateKeyPairSync("ed25519")
  const key = (name.includes("PUBLIC") ? publicKey : privateKey).export({ format: "jwk" })
  return JSON.stringify({ keys: [{ ...key, kid: "sample", alg: "EdDSA" }] })
}

const sampleOf = (name: string): string => {
  if (name.endsWith("_BUCKET")) return "a-bucket"
  if (name.endsWith("_ARN"))
    return "arn:aws:states:eu-central-1:123456789012:stateMachine:Hotswap-prod-Rollout"
  if (name.endsWith("_QUEUE_URL")) return "https://sqs.eu-central-1.amazonaws.com/123456789012/a-queue"
  if (name.startsWith("DATABASE")) return `postgres://role:${SECRET}@${NOWHERE}/hotswap`
  if (name.endsWith("_URL")) return `https://${NOWHERE}`
  if (/_(KEYS?)$/.test(name)) return keySet(name)
  return SECRET
}

/** A function's settings as deployed, with a value of the right shape for each that is known only in AWS. It leads nowhere. */
export const sampleSettings = (variables: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      name,
      typeof value === "string" ? value : sampleOf(name),
    ]),
  )
