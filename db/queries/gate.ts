import type { ChangeContent, ChangeState, Instant, Plan } from "../../core/change/change.ts"
import type { Environment } from "../../core/environment.ts"
import {
  type ArmEvidence,
  countedOf,
  type Evidence,
  INSTANCES_MAX,
  type InstanceGroup,
  NO_EVIDENCE,
  type OutcomeReport,
  TOKEN_INSTANCES_MAX,
} from "../../core/gate/evidence.ts"
import type { WaveEvidence } from "../../core/gate/waves.ts"
import type { ChangeId, ScopeId, TenantId, TokenId } from "../../core/ids.ts"
import type { Arm } from "../../core/release/arms.ts"
import { parseRevision } from "../../core/release/revision.ts"
import { toInstant } from "../instant.ts"
import type { Runner } from "../open.ts"
import { textQuery } from "../text-query.ts"
import { type WaveEvidenceRow, waveEvidenceOf } from "./waves.ts"

/** Why a report does not count: over, sent before, about no rollout at all, or of one instance too many. */
export type IgnoredReason = "step_over" | "seen" | "no_rollout" | "too_many_instances"

/** The rollout that is under way, and all that was reported of its step. */
export interface WatchedRollout {
  changeId: ChangeId
  step: number
  plan: Plan
  status: ChangeState
  /** What the change's policy asks of the gate other than the default. */
  gate?: ChangeContent["gate"]
  evidence: Evidence
  /** Of the step before, where everyone was switched over at once and nobody is left to compare with. */
  before?: Evidence
}

/** The platform's or tier's rollout that a wave has brought to this tenant, as its reports see it. */
export interface WatchedWaves extends Omit<WatchedRollout, "evidence" | "before"> {
  scope: ScopeId
  evidence: WaveEvidence
}

export type Recorded =
  | { kind: "missing" }
  | { kind: "suspended" }
  /** The token was. */
  | { kind: "revoked" }
  /** The report at this place names a revision that was never given out; nothing was recorded. */
  | { kind: "unknown_revision"; index: number }
  | {
      kind: "recorded"
      ignored: readonly { index: number; reason: IgnoredReason }[]
      rollout: WatchedRollout | null
      waves: WatchedWaves | null
    }

type GroupRow = [Arm, boolean, boolean, number, number, number]

interface EvidenceRow {
  since: string
  stableAt: string | null
  candidateAt: string | null
  stableGuards: number
  candidateGuards: number
  stableLatency: number[]
  candidateLatency: number[]
  groups: GroupRow[]
  pairedExpected: number
}

type RolloutRow = Omit<WatchedRollout, "gate" | "evidence" | "before"> & {
  gate: ChangeContent["gate"] | null
  evidence: EvidenceRow | null
  before: EvidenceRow | null
}
type WavesRow = Omit<WatchedWaves, "gate" | "evidence"> & {
  gate: ChangeContent["gate"] | null
  evidence: WaveEvidenceRow
}

type RecordedRow =
  | { refused: "suspended" | "revoked" | "unknown_revision"; index?: number }
  | {
      refused?: never
      reasons: [number, IgnoredReason][]
      rollout: RolloutRow | null
      waves: WavesRow | null
    }

const record = textQuery<{ recorded: string | null }>(
  "select hotswap.record_outcomes($1, $2, $3, $4::text::jsonb, $5::text::timestamptz, $6::text::int, $7::text::int) as recorded",
  ["scope", "environment", "token", "reports", "at", "instancesMax", "tokenInstancesMax"],
)

const read = textQuery<{ evidence: string | null }>(
  "select hotswap.read_gate($1, $2, $3::text::int) as evidence",
  ["scope", "changeId", "step"],
)

/**
 * Adds a batch of reports to the evidence of the step that is under way, and reads that evidence, in one round trip.
 * Recording the same batch again alters nothing. Revisions must be well formed.
 */
export const recordOutcomes = async (
  runner: Runner,
  batch: {
    tenantId: TenantId
    environment: Environment
    tokenId: TokenId
    reports: readonly OutcomeReport[]
    at: Instant
  },
): Promise<Recorded> => {
  const [row] = await runner.run(record, {
    scope: batch.tenantId,
    environment: batch.environment,
    token: batch.tokenId,
    reports: JSON.stringify(batch.reports.map(reportRow)),
    at: batch.at,
    instancesMax: String(INSTANCES_MAX),
    tokenInstancesMax: String(TOKEN_INSTANCES_MAX),
  })
  if (!row || row.recorded === null) return { kind: "missing" }
  const recorded = JSON.parse(row.recorded) as RecordedRow
  if (recorded.refused === "unknown_revision") return { kind: "unknown_revision", index: recorded.index ?? 0 }
  if (recorded.refused !== undefined) return { kind: recorded.refused }
  const { reasons, rollout, waves } = recorded
  return {
    kind: "recorded",
    ignored: reasons.map(([index, reason]) => ({ index, reason })),
    rollout: rollout && rolloutOf(rollout),
    waves: waves && wavesOf(waves),
  }
}

const rolloutOf = ({ gate, evidence, before, ...rollout }: RolloutRow): WatchedRollout => ({
  ...rollout,
  ...(gate && { gate }),
  evidence: evidenceOf(evidence),
  ...(before && { before: evidenceOf(before) }),
})

const wavesOf = ({ gate, evidence, ...waves }: WavesRow): WatchedWaves => ({
  ...waves,
  ...(gate && { gate }),
  evidence: waveEvidenceOf(evidence),
})

/** What was reported of one step of a change. */
export const readGate = async (
  runner: Runner,
  scope: ScopeId,
  changeId: ChangeId,
  step: number,
): Promise<Evidence> => {
  const [row] = await runner.run(read, { scope, changeId, step: String(step) })
  return evidenceOf(row?.evidence ? (JSON.parse(row.evidence) as EvidenceRow) : null)
}

const reportRow = (report: OutcomeReport, i: number) => {
  const { arm, instance, seq, guard } = report
  const { epoch, platform, tier, tenant } = parseRevision(report.revision)!
  return {
    i,
    epoch,
    platform,
    tier,
    tenant,
    arm,
    instance,
    seq,
    guard: guard !== undefined,
    ...countedOf(report),
  }
}

const evidenceOf = (row: EvidenceRow | null): Evidence => {
  if (row === null) return NO_EVIDENCE
  const groups = row.groups.map(
    ([arm, paired, succeeds, errorsEach, instances, requests]): InstanceGroup => ({
      arm,
      paired,
      succeeds,
      errorsEach,
      instances,
      requests,
    }),
  )
  return {
    since: toInstant(row.since),
    arms: {
      stable: armOf("stable", groups, row.stableGuards, row.stableAt, row.stableLatency),
      candidate: armOf("candidate", groups, row.candidateGuards, row.candidateAt, row.candidateLatency),
    },
    groups,
    pairedExpected: row.pairedExpected,
  }
}

const armOf = (
  arm: Arm,
  groups: readonly InstanceGroup[],
  guards: number,
  at: Instant | null,
  latency: readonly number[],
): ArmEvidence => {
  const own = groups.filter((group) => group.arm === arm)
  return {
    requests: own.reduce((sum, { requests }) => sum + requests, 0),
    errors: own.reduce((sum, { errorsEach, instances }) => sum + errorsEach * instances, 0),
    guards,
    lastAt: at === null ? null : toInstant(at),
    latency,
  }
}
