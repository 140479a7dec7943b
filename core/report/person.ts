import type { Json, JsonObject } from "../json.ts"

/** Somebody who is to be forgotten: what they are called, and what stands in its place from then on. */
export interface Person {
  names: readonly string[]
  pseudonym: string
}

/** In the place of what they wrote. */
export const ERASED_TEXT = "[erased]"
/** In the place of their address; nothing is ever delivered there (RFC 2606). */
export const ERASED_ADDRESS = "erased@erased.invalid"

/** Members that hold who somebody is and nothing else. */
const WHO: readonly string[] = [
  "subject",
  "author",
  "by",
  "who",
  "owner",
  "ancestors",
  "overriddenBy",
  "revoked_by",
  "created_by",
]
/** Members that somebody wrote. */
const WRITTEN: readonly string[] = ["comment", "text", "detail"]
/** Members in which others may name somebody. */
const TOLD: readonly string[] = [...WRITTEN, "summary", "words"]
/** Recipients of mail. */
const ADDRESSES = "to"
const JWT = "jwt:"

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isThem = ({ names }: Person, value: Json | undefined): boolean =>
  typeof value === "string" && names.includes(value)

const WORD = /[\p{L}\p{N}_]/u

/** The text with every mention as a word of its own replaced; part of a longer word is somebody else. */
const withoutMentions = (text: string, { names, pseudonym }: Person): string => {
  let result = text
  for (const name of names)
    for (let at = result.indexOf(name); at !== -1; ) {
      const end = at + name.length
      const isPart = WORD.test(result[at - 1] ?? "") || WORD.test(result[end] ?? "")
      if (!isPart) result = result.slice(0, at) + pseudonym + result.slice(end)
      at = result.indexOf(name, isPart ? end : at + pseudonym.length)
    }
  return result
}

/** Is it theirs: done by them, or by an actor who is them? */
const isTheirs = (object: JsonObject, person: Person): boolean =>
  Object.entries(object).some(
    ([name, value]) =>
      (WHO.includes(name) && isThem(person, value)) ||
      (["actor", "author", "brokenGlassBy"].includes(name) &&
        isObject(value) &&
        isThem(person, value.subject)),
  )

const memberWithout = (name: string, value: Json, person: Person, theirs: boolean): Json => {
  if (typeof value === "string") {
    if (WHO.includes(name)) return isThem(person, value) ? person.pseudonym : value
    if (name === "tokenId")
      return value.startsWith(JWT) && isThem(person, value.slice(JWT.length))
        ? `${JWT}${person.pseudonym}`
        : value
    if (theirs && WRITTEN.includes(name)) return ERASED_TEXT
    return TOLD.includes(name) ? withoutMentions(value, person) : value
  }
  if (Array.isArray(value) && (WHO.includes(name) || name === ADDRESSES)) {
    const instead = name === ADDRESSES ? ERASED_ADDRESS : person.pseudonym
    return value.map((item) => (isThem(person, item) ? instead : item))
  }
  return withoutPerson(value, person)
}

/**
 * The same without the person: where they are named stands the pseudonym, where they wrote something stands that it was
 * erased. Values of configuration, ids and states are left as they are.
 */
export const withoutPerson = (value: Json, person: Person): Json => {
  if (Array.isArray(value)) return value.map((item) => withoutPerson(item, person))
  if (!isObject(value)) return value
  const theirs = isTheirs(value, person)
  return Object.fromEntries(
    // What a key holds is the tenant's, whatever its members are called.
    Object.entries(value).map(([name, member]) => [
      name,
      name === "value" || name === "schema" ? member : memberWithout(name, member, person, theirs),
    ]),
  )
}
