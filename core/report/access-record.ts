import type { AuditEntry } from "../audit/entry.ts"
import type { Instant } from "../change/change.ts"
import type { JsonObject } from "../json.ts"
import { canonical } from "../json.ts"
import type { Table } from "./table.ts"

/** That somebody has had something shown: who, with which token, what and when. */
export interface Access {
  /** The number of the entry in the audit. */
  seq: number
  at: Instant
  subject: string
  tokenId: string
  action: string
  target: string
  environment: string | null
  detail: JsonObject
}

/** Words that an action ends with when something was shown or handed out, and nothing altered. */
const SHOWING: readonly string[] = ["read", "reveal", "export", "preview", "download"]

/** What an action that shows somebody something looks like, as a pattern for a database. */
export const ACCESS_PATTERN = `[.](${SHOWING.join("|")})$`

export const accessOf = ({ seq, at, body }: AuditEntry): Access => ({
  seq,
  at,
  subject: body.actor.subject,
  tokenId: body.actor.tokenId,
  action: body.action,
  target: body.target,
  environment: body.environment ?? null,
  detail: body.detail ?? {},
})

export const ACCESS_TABLE: Table<Access> = {
  columns: ["entry", "at", "who", "token", "action", "what", "environment", "detail"],
  rowsOf: ({ seq, at, subject, tokenId, action, target, environment, detail }) => [
    [String(seq), at, subject, tokenId, action, target, environment ?? "", canonical(detail)],
  ],
}
