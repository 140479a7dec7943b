import type { ChangeState, RollbackReason, Strategy } from "../../core/change/change.ts"
import type { FieldError } from "../../core/errors.ts"
import type { VerdictKind, VerdictNumbers } from "../../core/gate/verdict.ts"
import type { Json } from "../../core/json.ts"
import type { EditDifference } from "../../core/release/diff.ts"

export type { Strategy }
export type State = ChangeState["state"]

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: string
  instance?: string
  errors?: readonly FieldError[]
  /** Of a rollback that needs approval: the change that would do it. */
  draft?: ChangeBody
}

export interface PlanStep {
  weightBp: number
  holdMs: number | null
  tiers?: string[]
  tenants?: string[]
}

export interface Verdict {
  kind: VerdictKind
  words: string
  numbers: VerdictNumbers
}

export interface Stage {
  role: string
  required: number
  approvals: { subject: string; at: string; comment: string | null }[]
}

export interface ChangeListed {
  changeId: string
  tenantId: string
  environment: string
  state: State
  reason: RollbackReason | string | null
  ended: { at: string; by: string | null; detail: string | null } | null
  stages: Stage[]
  strategy: Strategy
  plan: PlanStep[]
  step: number | null
  enteredAt: string | null
  paused: boolean
  weightBp: number
  gate: {
    current: Verdict | null
    steps: (Verdict & { step: number; at: string; overriddenBy?: string })[]
  }
  audience: { weightBp: number; tiers: string[]; tenants: string[]; excluded: string[] } | null
  waitingFor: string | null
  frozen: { name: string; until: string } | null
  signal: { at: string; source: string; summary: string } | null
  tripped: { tenantId: string; at: string; words: string }[]
  remindedAt: string | null
  review: { due: string; by?: string; at?: string; comment?: string } | null
  contentHash: string
  author: string
  createdAt: string
  startAt: string | null
  expiresAt: string
  comment: string | null
  comments: { subject: string; at: string; text: string }[]
  promotedFrom: { environment: string; release: string } | null
  replaces: string | null
  keys: string[]
  editCount: number
}

export interface Change extends Omit<ChangeListed, "keys" | "editCount"> {
  edits: EditBody[]
  versions: Record<string, number> | null
  diff?: EditDifference[]
  conflict?: {
    keys: { key: string; base: Json; now: Json; yours: Json }[]
    draft: ChangeBody
  } | null
}

export interface EditBody {
  key: string
  value?: Json
  schema?: Json
  description?: string | null
  owner?: string | null
  locked?: boolean
  secret?: boolean
  delete?: true
  restores?: number
  ifMatch?: number
}

export interface ChangeBody {
  tenantId: string
  environment: string
  edits?: EditBody[]
  promote?: { from: string; keys?: string[] }
  strategy?: Strategy
  comment?: string
}

export interface Preview {
  valid: boolean
  problem: { code: string; detail: string; errors: FieldError[] } | null
  change: Omit<Change, "changeId"> | null
  stages: { role: string; required: number; mayApprove: string[] }[]
  plan: PlanStep[]
  audience: {
    of: "subjects" | "tenants"
    lookedAt: number
    truncated: boolean
    alters: boolean
    steps: {
      step: number | null
      weightBp: number
      reached: number
      seeing: number
      examples: string[]
      exact: boolean
    }[]
  } | null
}
