import type { JsonObject } from "../../../core/json.ts"
import { blocksOf } from "../addresses.ts"
import { createMailer, type Mailer, MailRefused } from "../mailer.ts"
import { createOutbound, NotReached, type Outbound, type OutboundReply, UrlRefused } from "../outbound.ts"
import { SettingsError } from "../settings.ts"
import type { Mailbox, SmtpServer } from "../smtp-url.ts"
import { mailOf } from "./email.ts"
import type { Message } from "./message.ts"
import { slackOf } from "./slack.ts"
import { webhookOf } from "./webhook.ts"

/**
 * Where a message goes, as channels are kept: a webhook's URL or a mail's recipients in `config`; in `secret` what a
 * webhook is signed with, or Slack's whole URL.
 */
export interface Target {
  type: "webhook" | "slack" | "email"
  config: JsonObject
  secret: string | null
}

/** What came of sending. The words are for people, and repeat nothing that the other side sent. */
export type Sent =
  | { kind: "delivered"; words: string }
  /** Another time, and not before this many milliseconds if the receiver said so. */
  | { kind: "failed"; words: string; retryAfterMs: number | null }
  /** It would come to the same every time. */
  | { kind: "hopeless"; words: string }

/** Sends one message, once. */
export interface Messenger {
  /** Never throws for what the other side does. */
  send(target: Target, message: Message, nowMs: number): Promise<Sent>
  /** Throws `UrlRefused` for a URL that would not be sent to. */
  checkUrl(url: string): Promise<void>
  /** Has the operator set up a mail server? */
  readonly mails: boolean
}

export interface MessengerSettings {
  outboundAllow: readonly string[]
  consoleUrl: string | null
  smtpServer: SmtpServer | null
  smtpFrom: Mailbox | null
}

const SEND_DEADLINE_MS = 10_000
const RETRY_AFTER_MAX_MS = 3_600_000

/** Throws SettingsError where only half of the mail's settings is there. */
export const composeMessenger = (settings: MessengerSettings): Messenger => {
  const { outboundAllow, consoleUrl, smtpServer, smtpFrom } = settings
  if ((smtpServer === null) !== (smtpFrom === null))
    throw new SettingsError(["SMTP_URL and SMTP_FROM belong together: set both or neither"])
  return createMessenger({
    outbound: createOutbound({ allowed: blocksOf(outboundAllow) }),
    mailer: smtpServer && smtpFrom ? createMailer(smtpServer, smtpFrom) : null,
    consoleUrl,
  })
}

export const createMessenger = (parts: {
  outbound: Outbound
  mailer: Mailer | null
  consoleUrl: string | null
}): Messenger => {
  const carry = { webhook: sendWebhook, slack: sendSlack, email: sendMail }
  return {
    mails: parts.mailer !== null,
    checkUrl: (url) => parts.outbound.check(url),
    send: async (target, message, nowMs) => {
      try {
        return await carry[target.type](parts, target, message, nowMs)
      } catch (error) {
        if (error instanceof UrlRefused || error instanceof MailRefused)
          return { kind: "hopeless", words: error.message }
        if (error instanceof NotReached) return { kind: "failed", words: error.message, retryAfterMs: null }
        throw error
      }
    },
  }
}

type Parts = Parameters<typeof createMessenger>[0]
type Carry = (parts: Parts, target: Target, message: Message, nowMs: number) => Promise<Sent>

const sendWebhook: Carry = async ({ outbound, consoleUrl }, { config, secret }, message, nowMs) => {
  const request = webhookOf(message, { secret: String(secret), nowMs, consoleUrl })
  const reply = await outbound.post({ url: String(config.url), ...request, deadlineMs: SEND_DEADLINE_MS })
  if (reply.status === 410)
    return { kind: "hopeless", words: "The receiver answered 410: it wants no more of these." }
  return settled(reply, nowMs)
}

/** With these Slack says that the URL or the message itself is at fault. */
const SLACK_HOPELESS = new Set([400, 403, 404, 410])
const SLACK_CODE = /^[a-z_]{1,60}$/

const sendSlack: Carry = async ({ outbound, consoleUrl }, { secret }, message, nowMs) => {
  const headers = { "content-type": "application/json; charset=utf-8", "user-agent": "Hotswap" }
  const body = slackOf(message, consoleUrl)
  const reply = await outbound.post({ url: String(secret), headers, body, deadlineMs: SEND_DEADLINE_MS })
  if (!SLACK_HOPELESS.has(reply.status)) return settled(reply, nowMs)
  const code = SLACK_CODE.test(reply.body) ? `: ${reply.body}` : ""
  return { kind: "hopeless", words: `Slack answered ${reply.status}${code}.` }
}

const sendMail: Carry = async ({ mailer, consoleUrl }, { config }, message) => {
  if (mailer === null)
    return { kind: "failed", words: "No mail server is set up any more.", retryAfterMs: null }
  const to = config.to as string[]
  const refused = await mailer.send(mailOf(message, to, consoleUrl), SEND_DEADLINE_MS)
  // Those who have it would get it again.
  const words =
    refused.length === 0 ? "" : ` The mail server refused ${refused.length} of ${to.length} recipients.`
  return { kind: "delivered", words: `The mail server took it.${words}` }
}

const settled = ({ status, retryAfter }: OutboundReply, nowMs: number): Sent => {
  if (status >= 200 && status < 300) return { kind: "delivered", words: `The receiver answered ${status}.` }
  const redirect = status >= 300 && status < 400 ? " Redirects are not followed." : ""
  const asked = (status === 429 || status === 503) && retryAfter !== null
  return {
    kind: "failed",
    words: `The receiver answered ${status}.${redirect}`,
    retryAfterMs: asked ? waitOf(retryAfter, nowMs) : null,
  }
}

/** RFC 9110, section 10.2.3: seconds, or a date. */
const waitOf = (text: string, nowMs: number): number | null => {
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(0, waitMs), RETRY_AFTER_MAX_MS)
}
