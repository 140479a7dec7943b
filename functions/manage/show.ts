import type { Change, ChangeState, Edit } from "../../core/change/change.ts"
import type { Outcome } from "../../core/change/command.ts"
import type { Policy } from "../../core/change/policy.ts"
import type { VersionRow } from "../../core/change/scope-state.ts"
import { standingOf } from "../../core/change/stages.ts"
import { configDocument } from "../../core/config/config.ts"
import type { Verdict } from "../../core/gate/verdict.ts"
import type { ConfigKey } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import { diffEdits, type EditDifference } from "../../core/release/diff.ts"
import type { Entry } from "../../core/release/release.ts"
import type { Target } from "../platform/stable.ts"

export { stableEntries, type Target } from "../platform/stable.ts"

// Interfaces have no index signature; what goes through here holds nothing but JSON.
const plain = (value: unknown): Json => value as Json

const reasonOf = (status: ChangeState): string | null =>
  "reason" in status ? status.reason : status.state === "rejected" ? "rejected" : null

const weightOf = ({ status, content }: Change): number => {
  if (status.state === "live") return 10_000
  return status.state === "rolling_out" ? (content.plan[status.step]?.weightBp ?? 10_000) : 0
}

/** Whom a rollout has reached by now, besides the share in `weightBp`, and whom it was taken back from. */
const audienceOf = ({ content, status }: Change): Json => {
  if (status.state !== "rolling_out") return null
  const { weightBp, tiers = [], tenants = [] } = content.plan[status.step]!
  return {
    weightBp,
    tiers: [...tiers],
    tenants: [...tenants],
    excluded: (status.tripped ?? []).map(({ tenantId }) => tenantId),
  }
}

const endOf = (status: ChangeState): JsonObject => ({
  at: "at" in status ? status.at : null,
  by: "by" in status ? status.by : null,
  detail: status.state === "cancelled" ? (status.detail ?? null) : null,
})

/**
 * A change as HTTP shows it, without its diff: that needs what its keys were before. `verdict` is what the gate says
 * of the step it is at, where that was asked.
 */
export const showChange = (
  change: Change,
  policy: Pick<Policy, "stages">,
  verdict: Verdict | null = null,
): JsonObject => {
  const { content, status } = change
  const rolling = status.state === "rolling_out" ? status : null
  return {
    changeId: content.changeId,
    tenantId: content.scope,
    environment: content.environment,
    state: status.state,
    reason: reasonOf(status),
    ended: "at" in status ? endOf(status) : null,
    stages: standingOf(change, policy).map(({ role, required, approvals }) => ({
      role,
      required,
      approvals: approvals.map(({ actor, at, comment }) => ({
        subject: actor.subject,
        at,
        comment: comment ?? null,
      })),
    })),
    strategy: plain(content.strategy),
    plan: plain(content.plan),
    step: rolling ? rolling.step : null,
    enteredAt: rolling ? rolling.enteredAt : null,
    paused: rolling?.paused ?? false,
    weightBp: weightOf(change),
    gate: { current: plain(verdict), steps: plain("gate" in status ? (status.gate ?? []) : []) },
    audience: audienceOf(change),
    waitingFor: status.state === "scheduled" ? (status.waitingFor ?? null) : null,
    frozen: plain("frozen" in status ? (status.frozen ?? null) : null),
    signal: plain("signal" in status ? (status.signal ?? null) : null),
    tripped: plain("tripped" in status ? (status.tripped ?? []) : []),
    remindedAt: status.state === "awaiting_approval" ? (status.remindedAt ?? null) : null,
    review: "review" in status && status.review ? plain(status.review) : null,
    contentHash: content.contentHash,
    edits: content.edits.map((edit) => showEdit(edit)),
    base: plain(content.base),
    versions: plain(change.versions ?? null),
    promotedFrom: content.promotedFrom ? plain(content.promotedFrom) : null,
    replaces: content.replaces ?? null,
    author: content.author.subject,
    createdAt: content.createdAt,
    startAt: content.startAt ?? null,
    expiresAt: content.expiresAt,
    comment: content.comment ?? null,
    comments: change.comments.map(({ subject, at, text }) => ({ subject, at, text })),
  }
}

const showEdit = (edit: Edit): JsonObject => ({
  ...(plain(edit) as JsonObject),
  ...(edit.value === undefined ? { delete: true } : {}),
})

export const showAffected = ({ affected }: Outcome): Json =>
  affected.map(({ changeId, state, reason }) => ({ changeId, state, reason }))

/** What the change does to each of its keys, beside what was stable when it was decided. */
export const diffOf = (change: Change, stable: ReadonlyMap<ConfigKey, Entry>): Json =>
  plain(diffEdits(change.content.edits, stable) satisfies EditDifference[])

/** The config that a version makes, for the answer to the request that made it. */
export const configOfVersion = (target: Target, { key, version, author, edit }: VersionRow): JsonObject => {
  const { value = null, schema, locked } = edit
  const entry: Entry = {
    value,
    version,
    ...(locked ? { locked } : {}),
    ...(schema === undefined ? {} : { schema }),
  }
  return { ...(plain(configDocument({ ...target, key }, entry, edit)) as JsonObject), updatedBy: author }
}

/** The entity tag of a version. */
export const etagOf = (version: number): string => `"${version}"`
