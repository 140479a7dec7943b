import type { Role } from "../access.ts"
import type { AuditEntry } from "../audit/entry.ts"
import type { Actor, Approval, Change, Edit, Instant } from "../change/change.ts"
import { editChecksum } from "../change/content-hash.ts"
import type { Judgement } from "../gate/verdict.ts"
import type { ConfigKey } from "../ids.ts"
import type { JsonObject } from "../json.ts"
import { isWithin, type Period } from "./period.ts"
import { listed, type Table } from "./table.ts"

/** What the change did to a key: checksums are SHA-256 over the canonical JSON of the edit, never the value. */
export interface KeyEvidence {
  key: ConfigKey
  does: "create" | "alter" | "delete"
  /** The version in stable when it was submitted; 0: there was none. */
  fromVersion: number
  /** The version it made; `null`: it never started. */
  toVersion: number | null
  /** `null`: there was none, or it is not kept. */
  before: string | null
  after: string
}

/** A thing that happened to the change, as the audit has it. */
export interface StepEvidence {
  /** The number of the entry in the audit. */
  seq: number
  at: Instant
  action: string
  by: string
  tokenId: string
  detail: JsonObject
}

/** What an auditor asks of one change: who wanted it, who agreed, what it was, how it went out, and how it ended. */
export interface ChangeEvidence {
  changeId: string
  environment: string
  state: Change["status"]["state"]
  requester: string
  /** Everybody who issued the requester's token, nearest first. */
  requesterIssuedBy: readonly string[]
  requestedAt: Instant
  contentHash: string
  strategy: string
  /** Approvals that the policy asked for. */
  owed: readonly { role: Role; required: number }[]
  approvals: readonly { subject: string; role: Role; at: Instant }[]
  keys: readonly KeyEvidence[]
  /** What the gate said as each step ended. */
  verdicts: readonly Pick<Judgement, "step" | "at" | "kind" | "words" | "overriddenBy">[]
  /** Everything that happened to it within the period, oldest first. */
  steps: readonly StepEvidence[]
  wentLiveAt: Instant | null
  brokenGlass: {
    by: string
    reviewDue: Instant | null
    reviewedBy: string | null
    reviewedAt: Instant | null
  } | null
  rolledBack: { at: Instant; by: string; reason: string } | null
  /** How it ended without reaching everyone, if it did. */
  ended: { at: Instant; by: string | null; reason: string } | null
}

/** The checksum that a version of a key is kept with; `undefined` where it is not kept. */
export type ChecksumOf = (key: ConfigKey, version: number) => string | undefined

const keyEvidence = (change: Change, edit: Edit, checksumOf: ChecksumOf): KeyEvidence => {
  const { content, versions } = change
  const fromVersion = content.base[edit.key] ?? 0
  const toVersion = versions?.[edit.key] ?? null
  return {
    key: edit.key,
    does: edit.value === undefined ? "delete" : fromVersion === 0 ? "create" : "alter",
    fromVersion,
    toVersion,
    before: fromVersion === 0 ? null : (checksumOf(edit.key, fromVersion) ?? null),
    after: (toVersion === null ? undefined : checksumOf(edit.key, toVersion)) ?? editChecksum(edit),
  }
}

const brokenGlassOf = ({ status }: Change): ChangeEvidence["brokenGlass"] => {
  const by: Actor | undefined = "brokenGlassBy" in status ? status.brokenGlassBy : undefined
  if (by === undefined) return null
  const review = "review" in status ? status.review : undefined
  return {
    by: by.subject,
    reviewDue: review?.due ?? null,
    reviewedBy: review?.by ?? null,
    reviewedAt: review?.at ?? null,
  }
}

const endedOf = ({ status }: Change): ChangeEvidence["ended"] => {
  switch (status.state) {
    case "rejected":
      return { at: status.at, by: status.by, reason: "rejected" }
    case "cancelled":
      return { at: status.at, by: status.by, reason: status.reason }
    case "expired":
      return { at: status.at, by: null, reason: "expired" }
    case "awaiting_approval":
    case "scheduled":
    case "rolling_out":
    case "live":
    case "rolled_back":
      return null
  }
}

const approvalEvidence = ({ actor, role, at }: Approval) => ({ subject: actor.subject, role, at })

const stepEvidence = ({ seq, at, body }: AuditEntry): StepEvidence => ({
  seq,
  at,
  action: body.action,
  by: body.actor.subject,
  tokenId: body.actor.tokenId,
  detail: body.detail ?? {},
})

/**
 * What there is to show of a change. `entries` are its entries in the audit, oldest first; `null` when none of them is
 * within the period.
 */
export const changeEvidence = (
  change: Change,
  entries: readonly AuditEntry[],
  period: Period,
  checksumOf: ChecksumOf,
): ChangeEvidence | null => {
  const within = entries.filter(({ at }) => isWithin(period, at))
  if (within.length === 0) return null
  const { content, status } = change
  return {
    changeId: content.changeId,
    environment: content.environment,
    state: status.state,
    requester: content.author.subject,
    requesterIssuedBy: content.author.ancestors,
    requestedAt: content.createdAt,
    contentHash: content.contentHash,
    strategy: content.strategy.type,
    owed: content.stages.map(({ role, required }) => ({ role, required })),
    approvals: change.approvals.map(approvalEvidence),
    keys: content.edits.map((edit) => keyEvidence(change, edit, checksumOf)),
    verdicts: ("gate" in status ? (status.gate ?? []) : []).map(
      ({ step, at, kind, words, overriddenBy }) => ({
        step,
        at,
        kind,
        words,
        ...(overriddenBy === undefined ? {} : { overriddenBy }),
      }),
    ),
    steps: within.map(stepEvidence),
    wentLiveAt: entries.find(({ body }) => body.action === "change.live")?.at ?? null,
    brokenGlass: brokenGlassOf(change),
    rolledBack:
      status.state === "rolled_back" ? { at: status.at, by: status.by, reason: status.reason } : null,
    ended: endedOf(change),
  }
}

const COLUMNS = [
  "change",
  "environment",
  "state",
  "requester",
  "requested at",
  "owed",
  "approved by",
  "keys",
  "content hash",
  "verdicts",
  "steps",
  "live at",
  "broken glass",
  "rolled back",
  "ended",
] as const

const glassText = (glass: ChangeEvidence["brokenGlass"]): string => {
  if (glass === null) return ""
  const review = glass.reviewedAt
    ? `reviewed by ${glass.reviewedBy} at ${glass.reviewedAt}`
    : `review due ${glass.reviewDue}`
  return `by ${glass.by}, ${review}`
}

/** One row a change. */
export const CHANGE_TABLE: Table<ChangeEvidence> = {
  columns: COLUMNS,
  rowsOf: (item) => [
    [
      item.changeId,
      item.environment,
      item.state,
      item.requester,
      item.requestedAt,
      listed(item.owed.map(({ role, required }) => `${required} ${role}`)),
      listed(item.approvals.map(({ subject, role, at }) => `${subject} as ${role} at ${at}`)),
      listed(
        item.keys.map(
          ({ key, does, fromVersion, toVersion, before, after }) =>
            `${does} ${key} ${fromVersion} (${before ?? "none"}) to ${toVersion ?? "none"} (${after})`,
        ),
      ),
      item.contentHash,
      listed(item.verdicts.map(({ step, kind, at }) => `step ${step} ${kind} at ${at}`)),
      listed(item.steps.map(({ seq, at, action, by }) => `${seq} ${at} ${action} by ${by}`)),
      item.wentLiveAt ?? "",
      glassText(item.brokenGlass),
      item.rolledBack ? `${item.rolledBack.reason} by ${item.rolledBack.by} at ${item.rolledBack.at}` : "",
      item.ended ? `${item.ended.reason} at ${item.ended.at}` : "",
    ],
  ],
}
