import type { NoticeType } from "../../../core/change/notice.ts"
import type { Json, JsonObject } from "../../../core/json.ts"

/** Something people are told, before it is given the form of a channel. */
export interface Message {
  /** The same however often it is sent. */
  id: string
  type: NoticeType | "channel.test"
  /** ISO 8601 UTC. */
  at: string
  tenantId: string
  environment: string | null
  changeId: string | null
  /** Who is named, when and why. Never a value of configuration. */
  detail: JsonObject
}

const TITLES: Readonly<Record<Message["type"], string>> = {
  "change.approval_requested": "Approval requested",
  "change.approval_reminder": "Approval still owed",
  "change.approved": "Approved",
  "change.rejected": "Rejected",
  "change.cancelled": "Cancelled",
  "change.expired": "Expired",
  "change.started": "Rolling out",
  "change.live": "Live",
  "change.held": "Rollout held back",
  "change.tenant_tripped": "Tenant taken out of a rollout",
  "change.rolled_back": "Rolled back",
  "change.glass_broken": "Glass broken",
  "channel.test": "Test message",
}

/** What a person wants to see, in this order; the rest of the detail is for programs. */
const LABELS: readonly (readonly [name: string, label: string])[] = [
  ["author", "Author"],
  ["who", "By"],
  ["roles", "Waiting for"],
  ["keys", "Keys"],
  ["moved", "Altered meanwhile"],
  ["state", "State"],
  ["tenant", "Tenant"],
  ["source", "Source"],
  ["reason", "Reason"],
  ["words", "Why"],
  ["comment", "Comment"],
]
const LISTED_MAX = 10
const CHARACTERS_MAX = 300

export const clip = (text: string, charactersMax: number): string =>
  text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1).toWellFormed()}…`

/** On one line, with nothing in it that cannot be seen: it goes into headers and headings. */
const plain = (text: string): string =>
  clip(
    text
      .toWellFormed()
      .replaceAll(/[\p{C}\p{Z}]+/gu, " ")
      .trim(),
    CHARACTERS_MAX,
  )

/** `total`: how many there are of which the list may name only some. */
const listed = (list: readonly Json[], total: number): string => {
  const shown = list.slice(0, LISTED_MAX).map((one) => plain(String(one)))
  const more = Math.max(total, list.length) - shown.length
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ")
}

/** Words of the machine's own, as people write them. */
const CODES = new Set(["state", "reason"])

const asText = (detail: JsonObject, name: string): string => {
  const value = detail[name]
  if (Array.isArray(value)) return listed(value, name === "keys" ? Number(detail.keyCount ?? 0) : 0)
  if (typeof value !== "string" && typeof value !== "number") return ""
  return plain(CODES.has(name) ? String(value).replaceAll("_", " ") : String(value))
}

/** One line that says what happened and where. */
export const headline = ({ type, environment, tenantId }: Message): string =>
  `${TITLES[type]}: ${plain(environment === null ? tenantId : `${environment} of ${tenantId}`)}`

/** Names and what they are, as far as there is something to say; each is one line of at most a few hundred characters. */
export const facts = ({ changeId, detail }: Message): readonly (readonly [label: string, text: string])[] =>
  [
    ...LABELS.map(([name, label]) => [label, asText(detail, name)] as const),
    ["Change", changeId === null ? "" : plain(changeId)] as const,
  ].filter(([, text]) => text !== "")

/** Where the change is looked at; `null` where there is no console. */
export const linkOf = ({ changeId }: Message, consoleUrl: string | null): string | null =>
  consoleUrl === null || changeId === null
    ? null
    : `${consoleUrl.replace(/\/+$/, "")}/changes/${encodeURIComponent(changeId)}`
