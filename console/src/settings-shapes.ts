import type { BackupOrigin, LocationStatus } from "../../core/backup/backup.ts"
import type { NoticeType } from "../../core/change/notice.ts"
import type { FreezeWindow, Policy, PolicyDocument } from "../../core/change/policy.ts"
import type { JobKind, JobProgress, JobState } from "../../core/job/job.ts"
import type { Rule } from "../../core/rule/rule.ts"
import type { Problem } from "./change-shapes.ts"

// What the API answers about how a tenant is set up. Every name is the API's own.

export type { FreezeWindow, JobKind, NoticeType, Policy, PolicyDocument, Rule }

export interface Token {
  tokenId: string
  subject: string
  roles: string[]
  tenants: string[] | "*"
  environment: string | null
  issuedBy: string | null
  createdAt: string
  expiresAt: string
  revokedAt: string | null
  /** Of a list, where it can be known. */
  lastUsedAt?: string | null
  /** In the answer to who issued it, once. */
  token?: string
}

export interface PolicyLayer {
  scope: string
  version: number
  locked: boolean
  document: PolicyDocument
}

export interface PolicyShown {
  policy: Policy
  own: PolicyDocument | null
  version: number
  layers: PolicyLayer[]
}

export interface RulesShown {
  rules: (Rule & { scope: string })[]
  own: Rule[]
  version: number
  broken?: { scope: string; id: string; keys: string[]; failure?: string; arms: string[] }[]
}

export interface Channel {
  channelId: string
  type: "webhook" | "slack" | "email"
  url?: string
  to?: string[]
  environment: string | null
  events: NoticeType[] | null
  createdAt: string
  createdBy: string
  /** Of a webhook, in the answer to who made it, once. */
  secret?: string
}

export interface Delivery {
  deliveryId: string
  channelId: string
  environment: string
  type: NoticeType
  changeId: string
  at: string
  state: "pending" | "delivered" | "dead"
  attempts: number
  dueAt: string | null
  lastError: string | null
}

export interface Backup {
  backupId: string
  source: string
  origin: BackupOrigin
  state: "writing" | "complete" | "removed"
  at: string
  createdBy: string
  rows: Record<string, number>
  packedBytes: number
  writtenBytes: number
  locations: LocationStatus[]
  held: boolean
  verifiedAt: string | null
  drilledAt: string | null
}

export interface BackupSchedule {
  schedule: {
    everyHours: number
    keepLast: number
    keepDaily: number
    keepWeekly: number
    keepMonthly: number
    paused: boolean
  }
  nextDueAt: string | null
  lastAt: string | null
  failures: number
}

export interface Job {
  jobId: string
  kind: JobKind
  state: JobState
  cancelRequested: boolean
  progress: JobProgress
  problem: Problem | null
  createdAt: string
  createdBy: string
  endedAt: string | null
}

type BackendState = "healthy" | "degraded" | "unhealthy" | "unknown"

export interface BackendHealth {
  state: BackendState
  targets: {
    url: string
    region: string | null
    state: BackendState
    since: string | null
    checkedAt: string | null
    latencyMs: number | null
    words: string | null
  }[]
}

export interface TenantHealth {
  at: string
  service: {
    errorRate: number | null
    responseMs: number | null
    uptime: number | null
    lastSecurityAlertAt: string | null
    databaseBytes: number
    storageBytes: number
  }
  deployments: Partial<Record<"metrics" | "logs" | "traces", BackendHealth>>
}
