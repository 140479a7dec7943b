import { sha256Bytes } from "../hash.ts"
import { canonical, type Json, type JsonObject } from "../json.ts"
import type { AuditBody } from "./entry.ts"

// What may have to be forgotten stays out of the chain. Where a person was named stands a pseudonym, where a hash of values
// stood that somebody could guess stands an HMAC; what opens them is kept beside the chain, and can be erased.

/** An entry on its way into the chain: `text` has a mark for each of `people` and of `bound`, and the database fills them in. */
export interface ApartBody {
  text: string
  /** Subjects, for each of which a pseudonym is put. */
  people: string[]
  /** Texts, for each of which an HMAC under the scope's key is put. */
  bound: string[]
}

/** Who a pseudonym is. */
export interface AuditPerson {
  pseudonym: string
  subject: string
  /** 32 bytes. */
  salt: Uint8Array
}

/** The clock is nobody. */
const NOBODY = "system"
const JWT = "jwt:"

const PSEUDONYM = /^person:[0-9a-f]{64}$/

export const isPseudonym = (text: string): boolean => PSEUDONYM.test(text)

/** `person:` and the hex of `SHA-256(salt ‖ subject)`. */
const pseudonymWith = (salt: Uint8Array, subject: string): string =>
  `person:${Buffer.from(sha256Bytes(salt, Buffer.from(subject))).toString("hex")}`

/** Whether the pseudonym was made of that subject and that salt. */
export const isCalled = ({ pseudonym, subject, salt }: AuditPerson): boolean =>
  pseudonymWith(salt, subject) === pseudonym

/** Marks hold U+0000, which no text from outside can. Each text is marked once. */
const marking = (kind: "p" | "b") => {
  const texts: string[] = []
  const mark = (text: string): string => {
    const known = texts.indexOf(text)
    return `\0${kind}${known >= 0 ? known : texts.push(text) - 1}`
  }
  return { texts, mark }
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Takes apart who acted, `detail.subject`, and the hashes of content that stand in a detail. */
export const apart = (body: AuditBody): ApartBody => {
  const people = marking("p")
  const bound = marking("b")
  const { subject, tokenId } = body.actor
  const actor =
    tokenId === NOBODY
      ? body.actor
      : {
          subject: people.mark(subject),
          tokenId: tokenId === `${JWT}${subject}` ? people.mark(subject) : tokenId,
        }
  const over = (object: JsonObject, name: string, mark: (text: string) => string): JsonObject => {
    const text = object[name]
    return typeof text === "string" ? { ...object, [name]: mark(text) } : object
  }
  let detail = body.detail
  if (detail) {
    detail = over(detail, "subject", people.mark)
    detail = over(over(detail, "contentHash", bound.mark), "release", bound.mark)
    if (isObject(detail.promotedFrom))
      detail = { ...detail, promotedFrom: over(detail.promotedFrom, "release", bound.mark) }
  }
  const marked = { ...body, actor, ...(detail ? { detail } : {}) }
  return { text: canonical(marked as unknown as Json), people: people.texts, bound: bound.texts }
}

/** The pseudonyms where a person may stand. */
export const pseudonymsIn = ({ actor, detail }: AuditBody): string[] =>
  [actor.subject, detail?.subject].filter((text) => typeof text === "string").filter(isPseudonym)

/** With the names of those who are known; a pseudonym stays for whoever is not. */
export const named = (body: AuditBody, names: ReadonlyMap<string, string>): AuditBody => {
  const { subject, tokenId } = body.actor
  const name = names.get(subject)
  const told = body.detail?.subject
  const who = typeof told === "string" ? names.get(told) : undefined
  return {
    ...body,
    actor:
      name === undefined
        ? body.actor
        : { subject: name, tokenId: tokenId === subject ? `${JWT}${name}` : tokenId },
    ...(body.detail && who !== undefined ? { detail: { ...body.detail, subject: who } } : {}),
  }
}
