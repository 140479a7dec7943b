import { RemovalPolicy } from "aws-cdk-lib"
import { RetentionDays } from "aws-cdk-lib/aws-logs"

export const STAGES = ["dev", "staging", "prod"] as const
/** One deployment of the whole service. Not an environment: each stage serves all of them. */
export type Stage = (typeof STAGES)[number]

/** How one function is sized. */
export interface FunctionSize {
  memoryMb: number
  timeoutSeconds: number
  /** The most that may run at once; absent takes from what the account has left. */
  concurrency?: number
}

export const HANDLERS = [
  "read",
  "manage",
  "outcomes",
  "advance",
  "relay",
  "notify",
  "backup",
  "router",
  "migrate",
] as const
/** A folder under `functions/` with a `handler.ts`. */
export type HandlerName = (typeof HANDLERS)[number]

/** A PostgreSQL that this deployment makes, in a network of its own. */
export interface AuroraSettings {
  kind: "aurora"
  /** In Aurora's units of about 2 GiB of memory each; what is used is paid. The most says how many may connect: some 205 for each. */
  capacityMin: number
  capacityMax: number
  /** Is there a second one, in another zone, that takes over within a minute? */
  hasStandby: boolean
  /** As it was at any second of so many days. What was erased is in there as long. */
  restoreDays: number
  /** One for each zone, or a cheaper one for both. */
  natGateways: 1 | 2
  /** No other network that this one is ever joined with may have the same addresses. */
  cidr: string
}

/** `connection`: a PostgreSQL 18 anywhere that is reached over the internet; its URLs are in the secret `database`. */
export type DatabaseSettings = AuroraSettings | { kind: "connection" }

/** Who can remove what is locked. `compliance`: not even the account's owner. `governance`: who has a right of its own to. */
export type LockMode = "compliance" | "governance"

export interface BackupSettings {
  /** How long nobody can remove what was written. Not longer than an erasure may take to be complete. */
  lockDays: number
  lockMode: LockMode
  /** How long what was removed, by whomever, can be brought back where only the lifecycle destroys. */
  removedKeptDays: number
  /** The region of the second location, another than the service's; `null`: there is none. */
  copyRegion: string | null
  /** Jobs are done by so many functions at once at the most: what the database has room for. At least two. */
  workersMax: number
}

/** Copies of the audit's checkpoints. They hold hashes, and nothing of a person. */
export interface CheckpointSettings {
  /**
   * Their buckets, by number; copies are written to the last. After the database was set back on purpose the next is added: what the
   * one before holds was signed of entries that are gone, and nothing else is ever signed in their place.
   */
  buckets: readonly number[]
  lockDays: number
  lockMode: LockMode
}

/** Whom the functions tell what they traced; the Worker has its own in wrangler.jsonc. */
export interface TraceExport {
  /** Takes OTLP over HTTP, such as `https://otlp.example.com`. */
  endpoint: string
  /** Of the traces that begin at a function: from 0 to 1. Of those that the Worker began it has decided. */
  ratio: number
  /** Is what opens the endpoint in the secret `otlp`? */
  hasHeaders: boolean
}

export interface StageSettings {
  stage: Stage
  /** Or only by hand, then nothing else has a role for it. */
  isDeployedByWorkflows: boolean
  /** In the order of promotion; the last is the one customers use. */
  environments: readonly string[]
  /** How long the cache keeps what nobody renews: read only while the database is down. */
  cacheTtlSeconds: number
  functions: Record<HandlerName, FunctionSize>
  database: DatabaseSettings
  /** Raised whenever a secret of the stage was altered: functions are given what it holds by the deployment after. */
  credentialsRevision: number
  /**
   * Access keys of the Worker's identity, by number; the last is the one it is given. To renew it, the next number is added
   * and deployed, the Worker uploaded, the old number taken out and deployed: nobody is turned away meanwhile.
   */
  edgeKeys: readonly number[]
  /** From a tenant's deletion until all of it is destroyed. */
  eraseAfterDays: number
  /** How long events and statistics of tenants are kept. */
  eventDays: number
  /** So many tenants have metrics under their own name. */
  metricTenants: number
  /** Are a tenant's requests to what manages limited, by its tier? */
  managementLimits: boolean
  backups: BackupSettings
  checkpoints: CheckpointSettings
  /** Signing keys of the deployments whose tenants are taken in, as they show them; none: who takes one in says which. */
  trustedDeployments: readonly string[]
  /** Who mail is from; its server is in the secret `smtp`. `null`: none is sent. */
  mailFrom: string | null
  /** Whose word about people is taken, as `HOTSWAP_JWT_ISSUERS` has it. */
  jwtIssuers: readonly Readonly<Record<string, unknown>>[]
  /** Web pages of these origins may call from a browser. */
  corsOrigins: readonly string[]
  /** Addresses that messages, and backends that the platform vouches for, are reached at although they are not public. */
  outboundAllow: readonly string[]
  /** Where the links in messages lead; `null`: they have none. */
  consoleUrl: string | null
  /** `null`: nothing is traced. */
  traces: TraceExport | null
  /** Who is told by mail when an alarm goes off or is over; each confirms it once. Others subscribe to the topic. */
  alarmMails: readonly string[]
  logRetention: RetentionDays
  /** What becomes of logs and keys when the stack is deleted. */
  removalPolicy: RemovalPolicy
}

/**
 * - `read` answers from memory in a few milliseconds, so one instance carries hundreds of requests a second and the
 *   ceiling is there to keep its connections (one each) below what the database takes.
 * - `manage` parses bodies of up to 8 MiB and validates whole releases; 1769 MB is one full processor.
 * - `outcomes` adds to a few counters, most of its time waiting for the database: one round trip a batch.
 * - `advance` is asked by every change's state machine for a moment at a time; one of them looks all minute at what
 *   the others left. What finds no room is tried again.
 * - `backup` packs and seals, so it has one full processor, and takes as long as a function may; what is not done then is
 *   gone on with. Eight at once are woken by the queue, the rest are schedules'.
 * - `relay` runs alone: a second one would find nothing left to do and hold a connection for it. Two, so that the next
 *   minute's run need not wait for one that is slow to end. `notify` likewise; it waits for receivers, mostly.
 * - `router` waits for tenants' backends, for as long as one of their answers takes; one of them looks all minute at how they are.
 */
const PRODUCTION_SIZES: StageSettings["functions"] = {
  read: { memoryMb: 1024, timeoutSeconds: 10, concurrency: 100 },
  manage: { memoryMb: 1769, timeoutSeconds: 30, concurrency: 50 },
  outcomes: { memoryMb: 1024, timeoutSeconds: 10, concurrency: 20 },
  advance: { memoryMb: 512, timeoutSeconds: 60, concurrency: 10 },
  relay: { memoryMb: 512, timeoutSeconds: 70, concurrency: 2 },
  notify: { memoryMb: 512, timeoutSeconds: 75, concurrency: 2 },
  backup: { memoryMb: 1769, timeoutSeconds: 900, concurrency: 14 },
  router: { memoryMb: 1024, timeoutSeconds: 300, concurrency: 40 },
  migrate: { memoryMb: 512, timeoutSeconds: 900, concurrency: 1 },
}

/** An account that has never asked for more may run ten at once and reserve none of them. */
const withoutReservations = (sizes: StageSettings["functions"]): StageSettings["functions"] => {
  const free = ({ memoryMb, timeoutSeconds }: FunctionSize): FunctionSize => ({ memoryMb, timeoutSeconds })
  return {
    read: free(sizes.read),
    manage: free(sizes.manage),
    outcomes: free(sizes.outcomes),
    advance: free(sizes.advance),
    relay: free(sizes.relay),
    notify: free(sizes.notify),
    backup: free(sizes.backup),
    router: free(sizes.router),
    migrate: free(sizes.migrate),
  }
}

/**
 * All functions at once have up to 1,450 connections: `manage` 50 × 12, `outcomes` 20 × 11, `backup` 14 × 12, `router` 40 × 7,
 * `read` 100 × 1, the rest fewer than 80.
 */
const AURORA: AuroraSettings = {
  kind: "aurora",
  capacityMin: 1,
  capacityMax: 16,
  hasStandby: true,
  restoreDays: 7,
  natGateways: 2,
  cidr: "10.20.0.0/16",
}
const TRIAL_AURORA: AuroraSettings = {
  ...AURORA,
  capacityMin: 0.5,
  capacityMax: 4,
  hasStandby: false,
  restoreDays: 1,
  natGateways: 1,
  cidr: "10.21.0.0/16",
}

/** Seven days, as an erasure begins seven days after a tenant was deleted. */
const BACKUPS: BackupSettings = {
  lockDays: 7,
  lockMode: "compliance",
  removedKeptDays: 30,
  copyRegion: "eu-west-1",
  workersMax: 8,
}
/** What is tried out can be thrown away. */
const TRIAL_BACKUPS: BackupSettings = { ...BACKUPS, lockDays: 1, lockMode: "governance", removedKeptDays: 1 }

/** A report is about a year, and asked for after it. */
const CHECKPOINTS: CheckpointSettings = { buckets: [1], lockDays: 500, lockMode: "compliance" }
const TRIAL_CHECKPOINTS: CheckpointSettings = { buckets: [1], lockDays: 1, lockMode: "governance" }

const ENVIRONMENTS = ["Development", "QA", "Staging", "Production"]

export const SETTINGS: Record<Stage, StageSettings> = {
  dev: {
    stage: "dev",
    isDeployedByWorkflows: false,
    environments: ENVIRONMENTS,
    database: { kind: "connection" },
    cacheTtlSeconds: 300,
    credentialsRevision: 1,
    edgeKeys: [1],
    eraseAfterDays: 7,
    eventDays: 90,
    metricTenants: 1_000,
    managementLimits: true,
    backups: { ...TRIAL_BACKUPS, copyRegion: null },
    checkpoints: TRIAL_CHECKPOINTS,
    trustedDeployments: [],
    functions: withoutReservations(PRODUCTION_SIZES),
    mailFrom: null,
    jwtIssuers: [],
    corsOrigins: [],
    outboundAllow: [],
    consoleUrl: null,
    traces: null,
    alarmMails: [],
    logRetention: RetentionDays.ONE_WEEK,
    removalPolicy: RemovalPolicy.DESTROY,
  },
  staging: {
    stage: "staging",
    isDeployedByWorkflows: true,
    environments: ENVIRONMENTS,
    database: TRIAL_AURORA,
    cacheTtlSeconds: 300,
    credentialsRevision: 1,
    edgeKeys: [1],
    eraseAfterDays: 7,
    eventDays: 90,
    metricTenants: 1_000,
    managementLimits: true,
    backups: TRIAL_BACKUPS,
    checkpoints: TRIAL_CHECKPOINTS,
    trustedDeployments: [],
    functions: withoutReservations(PRODUCTION_SIZES),
    mailFrom: null,
    jwtIssuers: [],
    corsOrigins: [],
    outboundAllow: [],
    consoleUrl: null,
    traces: null,
    alarmMails: [],
    logRetention: RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  },
  prod: {
    stage: "prod",
    isDeployedByWorkflows: true,
    environments: ENVIRONMENTS,
    database: AURORA,
    cacheTtlSeconds: 300,
    credentialsRevision: 1,
    edgeKeys: [1],
    eraseAfterDays: 7,
    eventDays: 90,
    metricTenants: 1_000,
    managementLimits: true,
    backups: BACKUPS,
    checkpoints: CHECKPOINTS,
    trustedDeployments: [],
    functions: PRODUCTION_SIZES,
    mailFrom: null,
    jwtIssuers: [],
    corsOrigins: [],
    outboundAllow: [],
    consoleUrl: null,
    traces: null,
    alarmMails: [],
    logRetention: RetentionDays.ONE_YEAR,
    removalPolicy: RemovalPolicy.RETAIN,
  },
}
