import type { ScopeId } from "../ids.ts"
import { canonical, type Json, type JsonObject } from "../json.ts"
import { type ChainHead, GENESIS_HEAD } from "./chain.ts"
import { originOf } from "./checkpoint.ts"
import type { AuditBody } from "./entry.ts"
import type { AuditPerson } from "./people.ts"
import type { Beginning, KeptEntry, SignedPiece } from "./verify.ts"

// An export as lines of canonical JSON: where it begins, each checkpoint and each person before the entries that they are
// of, the entries, and where it ends. Every byte is checked: a line that is not just what would be written again was altered.

export const EXPORT_FORMAT = "hotswap-audit/1"

/** Which stretch of the chain was asked for; both `null`: all of it. */
export interface Stretch {
  from: string | null
  to: string | null
}

export type ExportHead = Beginning & Stretch & { scope: ScopeId }
const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64")

const line = (object: JsonObject): string => `${canonical(object)}\n`

export const headLine = ({ scope, head, base, drop, from, to }: ExportHead): string =>
  line({
    after: { seq: head.seq, hash: head.hash },
    base: base && { note: base.note, frontier: base64(base.frontier) },
    drop,
    format: EXPORT_FORMAT,
    from,
    origin: originOf(scope),
    to,
  })

export const pieceLine = ({ after, size, note, hashes }: SignedPiece): string =>
  line({ checkpoint: { after, size, note, hashes: base64(hashes) } })

export const entryLine = ({ seq, at, body, prev, hash }: KeptEntry): string =>
  `{"at":"${at}","body":${body},"hash":"${hash}","prev":"${prev}","seq":${seq}}\n`

export const endLine = ({ seq, hash }: ChainHead): string => line({ end: { seq, hash } })

export const personLine = ({ pseudonym, subject, salt }: AuditPerson): string =>
  line({ person: { pseudonym, salt: base64(salt), subject } })

export const CSV_HEAD =
  "seq,at,action,actor,name,token,target,environment,changeId,requestId,detail,prev,hash,salt,body\r\n"

/** Where a row of CSV has what it is checked by. */
export const CSV_CELLS = { seq: 0, at: 1, name: 4, prev: 11, hash: 12, salt: 13, body: 14 } as const

/** What a spreadsheet would take for a formula begins with an apostrophe. The last column is exact. */
export const csvCell = (text: string): string => {
  const safe = /^[=+\-@\t\r\n|%＝＋－＠]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** `who`: the actor, if it is still known who that is. */
export const csvLine = ({ seq, at, body, prev, hash }: KeptEntry, who: AuditPerson | null): string => {
  const { action, actor, target, environment, changeId, requestId, detail } = JSON.parse(body) as AuditBody
  const cells = [
    ...[String(seq), at, action, actor.subject, who?.subject ?? "", actor.tokenId, target],
    ...[environment ?? "", changeId ?? "", requestId ?? "", detail ? canonical(detail as Json) : ""],
    ...[prev, hash, who ? base64(who.salt) : "", body],
  ]
  return `${cells.map(csvCell).join(",")}\r\n`
}

/** Where a chain begins of which everything is there. */
export const WHOLE: Beginning = { head: GENESIS_HEAD, base: null, drop: null }
