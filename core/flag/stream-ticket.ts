import { type Environment, parseEnvironment } from "../environment.ts"
import { parseTenantId, parseTokenId, type TenantId, type TokenId } from "../ids.ts"
import type { Json } from "../json.ts"
import { parseRevision } from "../release/revision.ts"

/**
 * What opens a stream without a header, as a browser's `EventSource` can send none. It stands in a URL, so it is good for
 * little and not for long: it lets its holder hear that flags of one tenant × environment have changed, and nothing else.
 */
export interface StreamTicket {
  tenantId: TenantId
  environment: Environment
  /** The reader token it was made for, which may be revoked, and when that expires. */
  tokenId: TokenId
  tokenExpiresAtSeconds: number
  /** What the holder has seen already. */
  revision: string
  flags: string
  /** Until then a stream may be opened with it; one that is open goes on. */
  expiresAtSeconds: number
}

/** A ticket is to be used at once. */
export const TICKET_SECONDS = 60
/** Of the secret that the edge and its origin share, the part that tickets are signed with is derived by this name. */
export const TICKET_KEY_NAME = "hotswap stream ticket 1"

/** HMAC-SHA-256 in hex, with a key derived from the edge's secret. */
export type Sign = (text: string) => string | Promise<string>

/** Begins every ticket of this form. */
const FORM = "1"

const fieldsOf = (ticket: StreamTicket): Json[] => [
  ticket.tenantId,
  ticket.environment,
  ticket.tokenId,
  ticket.tokenExpiresAtSeconds,
  ticket.revision,
  ticket.flags,
  ticket.expiresAtSeconds,
]

/** All of it is ASCII, by what each field may be. */
const packed = (fields: readonly Json[]): string =>
  btoa(JSON.stringify(fields)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")

const unpacked = (text: string): Json => {
  try {
    return JSON.parse(atob(text.replaceAll("-", "+").replaceAll("_", "/"))) as Json
  } catch {
    return null
  }
}

export const writeTicket = async (ticket: StreamTicket, sign: Sign): Promise<string> => {
  const text = `${FORM}.${packed(fieldsOf(ticket))}`
  return `${text}.${await sign(text)}`
}

/** Takes the same time wherever the two differ. */
const sameText = (one: string, other: string): boolean => {
  let difference = one.length ^ other.length
  for (let at = 0; at < one.length; at++) difference |= one.charCodeAt(at) ^ other.charCodeAt(at)
  return difference === 0
}

const TICKET = /^(1\.([\w-]{1,2000}))\.([0-9a-f]{64})$/

/** What a ticket says, if it is one of ours; `null` otherwise. Whether it is still good is for the caller to judge. */
export const readTicket = async (
  text: string,
  sign: Sign,
  environments: readonly Environment[],
): Promise<StreamTicket | null> => {
  const [, signed, payload, signature] = TICKET.exec(text) ?? []
  if (signed === undefined || payload === undefined || signature === undefined) return null
  if (!sameText(signature, await sign(signed))) return null
  const fields = unpacked(payload)
  if (!Array.isArray(fields)) return null
  const [tenant, named, token, tokenExpiresAtSeconds, revision, flags, expiresAtSeconds] = fields
  const tenantId = parseTenantId(String(tenant))
  const environment = parseEnvironment(String(named), environments)
  const id = parseTokenId(String(token))
  if (!tenantId || !environment || !id || !parseRevision(String(revision))) return null
  return {
    tenantId,
    environment,
    tokenId: id.tokenId,
    tokenExpiresAtSeconds: Number(tokenExpiresAtSeconds),
    revision: String(revision),
    flags: String(flags),
    expiresAtSeconds: Number(expiresAtSeconds),
  }
}
