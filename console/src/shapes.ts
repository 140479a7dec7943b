import type { Action, Role } from "../../core/access.ts"
import type { FieldError } from "../../core/errors.ts"
import type { Json } from "../../core/json.ts"
import type { ValueDifference } from "../../core/release/diff.ts"

// What the API answers, as far as the console shows it. Every name is the API's own.

export type { EditDifference } from "../../core/release/diff.ts"
export type * from "./change-shapes.ts"
export type * from "./settings-shapes.ts"
export type { Action, FieldError, Json, Role, ValueDifference }

export interface Page<Item> {
  items: Item[]
  nextCursor: string | null
}

export interface Who {
  subject: string
  tokenId: string
  roles: Role[]
  tenants: string[] | "*"
  environment: string | null
  environments: string[]
  actions: Action[]
}

export interface Tenant {
  tenantId: string
  name: string
  displayName: string | null
  tier: string
  status: "active" | "suspended" | "deleted"
  createdAt: string
  updatedAt: string
}

export type Layer = "platform" | "tier" | "tenant"

export interface Flag {
  key: string
  tenantId: string
  environment: string
  configId: string
  layer: Layer
  scope: string
  version: number
  locked: boolean
  description: string | null
  owner: string | null
  updatedAt: string | null
  updatedBy: string | null
  changeId: string | null
  enabled?: boolean
  percentage?: number
  state?: "ENABLED" | "DISABLED"
  variants?: Record<string, Json>
  defaultVariant?: string | null
  targeting?: Json
  prerequisites?: { flag: string; variants: string[] }[]
  [member: string]: unknown
}

export interface Config {
  configId: string
  tenantId: string
  environment: string
  key: string
  value: Json
  type: string
  version: number
  secret: boolean
  description: string | null
  owner: string | null
  schema: Json
  locked: boolean
  updatedAt: string
  updatedBy: string
  changeId: string
}

/** A key of a view, with where it comes from. */
export interface Merged {
  value: Json
  version: number
  locked: boolean
  layer: Layer
}

export interface Version {
  version: number
  deleted: boolean
  value: Json
  schema: Json
  description: string | null
  owner: string | null
  locked: boolean
  restores: number | null
  author: string
  reason: string | null
  at: string
  changeId: string
  checksum: string
}

export interface VersionDiff {
  from: Version
  to: Version
  values: ValueDifference[]
}

export interface Approver {
  subject: string
  role: string
  at: string
  comment: string | null
}

/** Where a value comes from. */
export interface Origin {
  layer: Layer | null
  scope: string | null
  rule: string | null
  version: number | null
  locked?: boolean
  changeId: string | null
  author?: string | null
  at?: string | null
  comment?: string | null
  approvers: Approver[]
  layers: { layer: Layer; scope: string; version: number; value: Json; locked: boolean }[]
}

export interface ConfigExplanation extends Origin {
  key: string
  value: Json
  arm: "stable" | "candidate"
}

export interface ExplanationStep {
  kind: "prerequisite" | "condition" | "split" | "outcome" | "failed"
  path: string
  [member: string]: unknown
}

export interface FlagExplanation extends Origin {
  key: string
  value: Json
  variant: string | null
  reason: string
  errorCode?: string
  errorMessage?: string
  arm: "stable" | "candidate"
  revision: string
  decidedBy: string | null
  bucket: {
    by: string | null
    bucket: number | null
    of: number
    shares: { variant: Json; from: number; to: number }[]
  } | null
  steps: ExplanationStep[]
}

export interface Release {
  release: string
  seq: number
  at: string
  until: string | null
  changeId: string | null
  cause: string
  endedBy: string | null
  returnable: boolean
}

export interface AuditEntry {
  seq: number
  at: string
  action: string
  actor: { subject: string; tokenId: string; person: string | null }
  target: string
  environment?: string
  detail?: Json
  hash: string
  prev: string
}

export interface AuditVerdict {
  ok: boolean
  entries: number
  head: { seq: number; hash: string }
  signed: number
  firstBroken?: number
  reason?: string
}
