import { sentinelOf } from "./filling.ts"
import { type Scene, wordsOf } from "./scene.ts"

const SENTINEL = /sentinel-of-([a-z]+)-7c1e/g
/** What could be a cursor, or anything else that hides its words. */
const ENCODED = /[A-Za-z0-9_-]{20,}/g
const READABLE = /^[\x20-\x7e]+$/

/** With all that is written in base64 in it written out. */
const unpacked = (text: string): string =>
  [
    text,
    ...(text.match(ENCODED) ?? [])
      .map((word) => Buffer.from(word, "base64url").toString("latin1"))
      .filter((plain) => READABLE.test(plain)),
  ].join("\n")

/** What in a text can be known only from the rows of a tenant that is none of `sees`. `sent`: what may be repeated. */
export type FindForeign = (text: string, sees: readonly string[] | "*", sent?: string) => string[]

/** `known`: a text that everybody may read, as the reference, whose words are nobody's. */
export const createFinder = async (scene: Scene, known: string): Promise<FindForeign> => {
  const common = new Set(wordsOf(known))
  const marks = new Map([...(await scene.marks())].filter(([word]) => !common.has(word)))
  return (text, sees, sent = "") => {
    if (sees === "*") return []
    const whole = unpacked(text)
    const isForeign = (owner: string | undefined) => owner !== undefined && !sees.includes(owner)
    const words = wordsOf(whole).filter((word) => isForeign(marks.get(word)) && !sent.includes(word))
    const sentinels = [...whole.matchAll(SENTINEL)]
      .map(([, owner]) => owner!)
      .filter((owner) => isForeign(owner) && !sent.includes(sentinelOf(owner)))
      .map(sentinelOf)
    return [...new Set([...words, ...sentinels])]
  }
}
