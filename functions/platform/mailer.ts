import type { Transporter } from "nodemailer"
import { NotReached } from "./outbound.ts"
import type { Mailbox, SmtpServer } from "./smtp-url.ts"

export interface Mail {
  /** Becomes the Message-ID: the same again for the same message. */
  id: string
  /** What it belongs to: mails of one thread are shown together. */
  thread: string
  to: readonly string[]
  subject: string
  text: string
  html: string
}

/** Hands mail in to the operator's server, which tenants cannot name. */
export interface Mailer {
  /**
   * Resolves to the recipients that the server did not take, where it took others. Throws {@link MailRefused}, or
   * {@link NotReached} with the reason in words. Safe to repeat: the Message-ID stays the same.
   */
  send(mail: Mail, deadlineMs: number): Promise<readonly string[]>
}

/** The server will not have this mail, however often it is tried. */
export class MailRefused extends Error {
  constructor(words: string, options?: ErrorOptions) {
    super(words, options)
    this.name = "MailRefused"
  }
}

/** Opens nothing yet: each mail has a connection of its own. */
export const createMailer = (server: SmtpServer, from: Mailbox): Mailer => {
  const domain = from.address.slice(from.address.indexOf("@") + 1)
  let transport: Promise<Transporter> | undefined
  return {
    send: async (mail, deadlineMs) => {
      transport ??= openTransport(server)
      const idOf = (name: string) => `<${name.replaceAll(/[^A-Za-z0-9._-]/g, ".")}@${domain}>`
      try {
        const { rejected } = await (await transport).sendMail({
          from,
          to: mail.to.map((address) => ({ name: "", address })),
          subject: mail.subject,
          text: mail.text,
          html: mail.html,
          messageId: idOf(mail.id),
          references: idOf(mail.thread),
          headers: { "Auto-Submitted": "auto-generated" },
          signal: AbortSignal.timeout(deadlineMs),
        })
        return (rejected ?? []).map((one: string | { address: string }) =>
          typeof one === "string" ? one : one.address,
        )
      } catch (error) {
        throw failureOf(error)
      }
    },
  }
}

/** Loaded with the first mail: most instances never send one. */
const openTransport = async ({ host, port, tls, auth }: SmtpServer): Promise<Transporter> => {
  const { createTransport } = await import("nodemailer")
  return createTransport({
    host,
    port,
    secure: tls === "wrapped",
    requireTLS: tls === "required",
    ignoreTLS: tls === "none",
    ...(auth ? { auth } : {}),
    // A mail is made of text only: nothing in it may have files or addresses of ours read.
    disableFileAccess: true,
    disableUrlAccess: true,
    socketCloseTimeout: 0,
  })
}

const PERMANENT = 500
const WORDS: Readonly<Record<string, string>> = {
  EABORT: "The mail server did not answer in time.",
  EAUTH: "The mail server did not accept the service's own credentials.",
  ETLS: "The mail server offers no TLS that can be trusted.",
  ECONNECTION: "The mail server cannot be reached.",
  ESOCKET: "The connection to the mail server failed.",
  EDNS: "The mail server's name does not resolve.",
  ETIMEDOUT: "The mail server did not answer in time.",
}

const failureOf = (thrown: unknown): Error => {
  const error = thrown as { code?: unknown; responseCode?: unknown }
  const code = typeof error.code === "string" ? error.code : "unknown"
  const status = typeof error.responseCode === "number" ? error.responseCode : null
  if (code === "EENVELOPE" || code === "EMESSAGE") {
    const words = `The mail server did not take the message${status === null ? "" : ` (${status})`}.`
    return status !== null && status >= PERMANENT
      ? new MailRefused(words, { cause: thrown })
      : new NotReached(words, { cause: thrown })
  }
  return new NotReached(WORDS[code] ?? `The mail server failed (${code}).`, { cause: thrown })
}
