import { createHash } from "node:crypto"
import fc from "fast-check"
import { entryHash, entryText } from "../../core/audit/chain.ts"
import type { AuditBody } from "../../core/audit/entry.ts"
import { entryLine } from "../../core/audit/export.ts"
import { linesOf } from "./world.ts"

/** One entry as an attacker holds it. */
export interface Held {
  seq: number
  at: string
  body: AuditBody
  prev: string
  hash: string
}

/** What somebody does who may write whatever they like, but cannot sign. */
export interface Tampering {
  kind: "edit" | "delete" | "truncate" | "insert" | "swap" | "rewrite"
  /** Whether every hash from there on is made anew, so that the chain in itself is whole. */
  rehashed: boolean
  place: number
  other: number
  nonce: number
}

export const tamperings = (): fc.Arbitrary<Tampering> =>
  fc.record({
    kind: fc.constantFrom<Tampering["kind"][]>("edit", "delete", "truncate", "insert", "swap", "rewrite"),
    rehashed: fc.boolean(),
    place: fc.nat(),
    other: fc.nat(),
    nonce: fc.nat(),
  })

const hashOf = (nonce: number): string => createHash("sha256").update(String(nonce)).digest("hex")

const forged = ({ body }: Held, nonce: number): AuditBody => {
  const choices: AuditBody[] = [
    { ...body, actor: { ...body.actor, subject: `mallory ${nonce}` } },
    { ...body, action: `${body.action}.not` },
    { ...body, target: `${body.target} ` },
    { ...body, detail: { ...body.detail, nonce } },
    { ...body, requestId: `r${nonce}` },
  ]
  return choices[nonce % choices.length]!
}

const edited = (entry: Held, nonce: number): Held => {
  const choices: Held[] = [
    { ...entry, body: forged(entry, nonce) },
    { ...entry, at: `2020-01-01T00:00:00.${String(nonce % 1_000_000).padStart(6, "0")}Z` },
    { ...entry, hash: hashOf(nonce) },
    { ...entry, prev: hashOf(nonce) },
  ]
  return choices[nonce % choices.length]!
}

/** The chain made whole in itself again from that place on. */
const rehash = (entries: readonly Held[], place: number, firstSeq: number): Held[] => {
  let prev = place === 0 ? entries[0]!.prev : entries[place - 1]!.hash
  return entries.map((entry, nth) => {
    if (nth < place) return entry
    const seq = firstSeq + nth
    const hash = entryHash(prev, entryText(entry.at, entry.body, seq))
    const next = { ...entry, seq, prev, hash }
    prev = hash
    return next
  })
}

/** What becomes of the entries, and the number of the first that is not what it was; `null`: nothing was altered. */
export const tamper = (
  entries: readonly Held[],
  { kind, rehashed, place: anywhere, other, nonce }: Tampering,
): { entries: Held[]; firstBroken: number } | null => {
  const firstSeq = entries[0]!.seq
  const place = anywhere % entries.length
  const seq = firstSeq + place
  const entry = entries[place]!
  const again = (altered: Held[], from = place) =>
    rehashed && from < altered.length ? rehash(altered, from, firstSeq) : altered
  switch (kind) {
    case "edit": {
      const altered = rehashed ? { ...entry, body: forged(entry, nonce) } : edited(entry, nonce)
      return { entries: again(entries.with(place, altered)), firstBroken: seq }
    }
    case "delete":
      return { entries: again(entries.toSpliced(place, 1)), firstBroken: seq }
    case "truncate":
      return { entries: entries.slice(0, place), firstBroken: seq }
    case "insert": {
      const made = { ...entry, body: forged(entry, nonce) }
      const altered = entries.toSpliced(place, 0, made)
      return { entries: rehashed ? rehash(altered, place, firstSeq) : altered, firstBroken: seq }
    }
    case "swap": {
      const with_ = other % entries.length
      if (with_ === place) return null
      const low = Math.min(place, with_)
      const altered = entries.with(place, entries[with_]!).with(with_, entry)
      return { entries: again(altered, low), firstBroken: firstSeq + low }
    }
    case "rewrite": {
      const altered = entries.map((one, nth) =>
        nth < place ? one : { ...one, body: forged(one, nonce + nth) },
      )
      return { entries: again(altered), firstBroken: seq }
    }
  }
}

const isEntry = (line: string): boolean => line.startsWith('{"at"')

export const entriesOf = (text: string): Held[] =>
  linesOf(text)
    .filter(isEntry)
    .map((line) => JSON.parse(line) as Held)

const bodyText = (entry: Held): string =>
  entryText("", entry.body, 0).slice('{"at":"","body":'.length, -',"seq":0}'.length)

/** The export with these entries in the place of its own, and an end that fits. */
export const withEntries = (text: string, entries: readonly Held[]): string => {
  const lines = linesOf(text)
  const own = lines.map((line, at) => (isEntry(line) ? at : -1)).filter((at) => at >= 0)
  const written = entries.map((entry) => entryLine({ ...entry, body: bodyText(entry) }))
  const kept = lines.map((line, at) => {
    const nth = own.indexOf(at)
    if (nth < 0) return line
    const isLast = nth === own.length - 1
    return isLast ? written.slice(nth).join("") : (written[nth] ?? "")
  })
  const last = entries.at(-1)
  const head = JSON.parse(lines[0]!) as { after: { seq: number; hash: string } }
  const end = last ? { seq: last.seq, hash: last.hash } : head.after
  return kept.with(-1, `{"end":{"hash":"${end.hash}","seq":${end.seq}}}\n`).join("")
}

/** One character of the export altered, taken away or added; the entry it belongs to, if it is an entry's. */
export const tamperByte = (
  text: string,
  { place, other, nonce }: Tampering,
): { text: string; firstBroken: number | null } | null => {
  const at = place % text.length
  const character = String.fromCharCode(32 + (other % 95))
  const choices = [
    text.slice(0, at) + character + text.slice(at + 1),
    text.slice(0, at) + text.slice(at + 1),
    text.slice(0, at) + character + text.slice(at),
  ]
  const altered = choices[nonce % choices.length]!
  if (altered === text) return null
  const start = text.lastIndexOf("\n", at - 1) + 1
  const line = text.slice(start, text.indexOf("\n", at))
  // Without its end a line becomes one with the next.
  const isOwn = isEntry(line) && text[at] !== "\n" && at > start
  return { text: altered, firstBroken: isOwn ? (JSON.parse(line) as Held).seq : null }
}
