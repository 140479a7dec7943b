import type { JetStreamClient, JsMsg } from "@nats-io/jetstream"
import { headers } from "@nats-io/nats-core"
import type { TenantResolver } from "./middleware/resolve.ts"

/** Whose message is it? `null`: it does not say. May throw `TenantRefusal`. */
export type MessageResolver = (message: JsMsg) => ReturnType<TenantResolver>

/** By a part of the subject, counted from 0: of `orders.acme.created`, the part 1. */
export const bySubject =
  (part: number): MessageResolver =>
  ({ subject }) =>
    subject.split(".")[part] || null

/** By a header that the publisher, who is trusted, has set. */
export const byMessageHeader =
  (name = "X-Tenant-ID"): MessageResolver =>
  (message) =>
    message.headers?.get(name) || null

/** A message that is given up. */
export interface DeadLetter {
  message: JsMsg
  tenantId: string | null
  reason: string
  deliveries: number
}

/** Puts dead letters on a subject, with their own headers and what became of them; once, also where it is tried again. */
export const toSubject =
  (jetstream: JetStreamClient, subject: string): ((letter: DeadLetter) => Promise<void>) =>
  async ({ message, tenantId, reason, deliveries }) => {
    const { stream, streamSequence, timestampNanos } = {
      ...message.info,
      timestampNanos: message.timestampNanos,
    }
    const letter = headers()
    // What a publisher asks of the server holds for its own message only.
    for (const [name, values] of message.headers ?? [])
      if (!/^nats-/i.test(name)) for (const value of values) letter.append(name, value)
    letter.set("Hotswap-Dead-Reason", reason.replaceAll(/[\r\n]+/g, " ").slice(0, 1_000))
    letter.set("Hotswap-Dead-Subject", message.subject)
    letter.set("Hotswap-Dead-Stream", stream)
    letter.set("Hotswap-Dead-Sequence", String(streamSequence))
    letter.set("Hotswap-Dead-Deliveries", String(deliveries))
    if (tenantId !== null) letter.set("Hotswap-Dead-Tenant", tenantId)
    const msgID = `dead/${stream}/${streamSequence}/${timestampNanos}`
    await jetstream.publish(subject, message.data, { headers: letter, msgID })
  }
