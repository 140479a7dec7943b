import { canonical, type JsonObject } from "../json.ts"
import { bothArmsTag, type PointerDocument } from "../release/pointer-document.ts"
import type { Context } from "./definition.ts"
import { TICKET_SECONDS } from "./stream-ticket.ts"

// What is told of all flags at once, and when it need not be told again.

/** Where the stream is that a ticket opens. */
export const OFREP_STREAM_PATH = "/ofrep/v1/stream"
/** A page that nobody looks at for so long may leave its stream, as the protocol proposes. */
const INACTIVITY_SECONDS = 120
/** A ticket that is older than this when its answer is asked for again might come too late. */
const SPARE_SECONDS = 10

/** What names the flags of a tenant × environment; by the views where nobody has told. */
export const flagsName = (document: Pick<PointerDocument, "flags" | "stable" | "candidate">): string =>
  document.flags ?? bothArmsTag(document)

/**
 * What an answer about all flags depends on, to be hashed for its entity tag: whose flags they are, the flags, the arm, who
 * asks, and the time where a rule reads it.
 */
export const tagText = (
  document: Pick<PointerDocument, "tenantId" | "environment" | "flags" | "stable" | "candidate">,
  arm: string,
  context: Context,
  timedSeconds: number | null,
): string => {
  const { tenantId, environment } = document
  return canonical([tenantId, environment, flagsName(document), arm, context, timedSeconds])
}

/** When the ticket of an answer that is given now is no longer good. */
export const ticketExpiry = (nowSeconds: number): number => nowSeconds + TICKET_SECONDS

/**
 * The entity tag of an answer. Of one that came with a ticket it also says for how long that is good: a client whose
 * stream is lost asks for the flags again, and would be left with its old ticket if it were told that nothing has changed.
 */
export const writeTag = (digest: string, ticketExpiresAtSeconds: number | null): string =>
  ticketExpiresAtSeconds === null ? `W/"${digest}"` : `W/"${digest}.${ticketExpiresAtSeconds}"`

const OPAQUE = /"([0-9a-f]+)(?:\.(\d{1,15}))?"/g

/** The tag of `If-None-Match` that is this answer's, and with which the client needs nothing new; `null`: none is. */
export const knownTag = (
  ifNoneMatch: string | null | undefined,
  digest: string,
  nowSeconds: number,
  needsTicket: boolean,
): string | null => {
  for (const [, named, expiry] of (ifNoneMatch ?? "").matchAll(OPAQUE)) {
    const expiresAtSeconds = expiry === undefined ? null : Number(expiry)
    const isLate = expiresAtSeconds !== null && expiresAtSeconds - SPARE_SECONDS <= nowSeconds
    if (named === digest && !(needsTicket && isLate)) return writeTag(digest, expiresAtSeconds)
  }
  return null
}

/** `flags`: a JSON array's text. `ticket`: for the stream at this site, where there is one. */
export const bulkBody = (
  flags: string,
  { tenantId, environment }: Pick<PointerDocument, "tenantId" | "environment">,
  stream: { site: string; ticket: string } | null,
): string => {
  const metadata: JsonObject = { tenantId, environment }
  const told = stream && [
    {
      type: "sse",
      url: `${stream.site}${OFREP_STREAM_PATH}?ticket=${stream.ticket}`,
      inactivityDelaySec: INACTIVITY_SECONDS,
    },
  ]
  const streams = told ? `,"eventStreams":${JSON.stringify(told)}` : ""
  return `{"flags":${flags},"metadata":${JSON.stringify(metadata)}${streams}}`
}
