import { createHmac, randomBytes } from "node:crypto"
import { linkOf, type Message } from "./message.ts"

const PREFIX = "whsec_"
const SECRET_BYTES = 32
/** How long a secret that was replaced is still signed with. */
export const RETIRING_MS = 86_400_000
const SECRETS = /^(?<current>whsec_\S+)(?: (?<former>whsec_\S+)@(?<until>\S+))?$/

/** A new secret as Standard Webhooks writes it: `whsec_` and base64. */
export const newSecret = (): string => PREFIX + randomBytes(SECRET_BYTES).toString("base64")

/** What is kept of a channel whose secret was replaced now: the new one, and the old one for another day. */
export const rotated = (kept: string, fresh: string, nowMs: number): string => {
  const { current } = SECRETS.exec(kept)?.groups ?? {}
  return `${fresh} ${current}@${new Date(nowMs + RETIRING_MS).toISOString()}`
}

const secretsAt = (kept: string, nowMs: number): string[] => {
  const { current, former, until } = SECRETS.exec(kept)?.groups ?? {}
  if (!current) throw new Error("the channel's secret is not one")
  return former && until && Date.parse(until) > nowMs ? [current, former] : [current]
}

const signatureOf = (secret: string, content: string): string =>
  `v1,${createHmac("sha256", Buffer.from(secret.slice(PREFIX.length), "base64"))
    .update(content)
    .digest("base64")}`

/** Standard Webhooks 1.0: the payload, and headers with a signature for each secret that is in force. */
export const webhookOf = (
  message: Message,
  { secret, nowMs, consoleUrl }: { secret: string; nowMs: number; consoleUrl: string | null },
): { headers: Record<string, string>; body: string } => {
  const { type, at, tenantId, environment, changeId, detail } = message
  const url = linkOf(message, consoleUrl)
  const about = { tenantId, environment, changeId, ...(url ? { url } : {}) }
  const body = JSON.stringify({ type, timestamp: at, data: { ...detail, ...about } })
  const timestamp = Math.floor(nowMs / 1_000)
  const signatures = secretsAt(secret, nowMs).map((one) =>
    signatureOf(one, `${message.id}.${timestamp}.${body}`),
  )
  return {
    headers: {
      "content-type": "application/json; charset=utf-8",
      "user-agent": "Hotswap",
      "webhook-id": message.id,
      "webhook-timestamp": String(timestamp),
      "webhook-signature": signatures.join(" "),
    },
    body,
  }
}
