import type { Context, Evaluation } from "../../core/flag/definition.ts"
import type { Json } from "../../core/json.ts"

export type { Context, Evaluation, Json }

/** What `GET /api/v1/configs/tenant/{tenantId}?arms=both` answers: everything of one tenant × environment, at one revision. */
export interface Snapshot {
  tenantId: string
  environment: string
  revision: string
  view: string
  configs: Readonly<Record<string, Json>>
  /** While something rolls out: what its subjects see besides, and how many they are. */
  candidate: {
    view: string
    changeId: string
    step: number
    /** Basis points of subjects, 0 to 10,000. */
    weightBp: number
    set: Readonly<Record<string, Json>>
    unset: readonly string[]
  } | null
}

/** Where the last known good is kept, for a start without the service. */
export interface SnapshotStore {
  load(): Promise<Snapshot | null>
  save(snapshot: Snapshot): Promise<void>
  /** A name for this instance that outlives the process. */
  instanceId?(): Promise<string>
}

export interface HotswapOptions {
  /** Of the edge, such as `https://config.example.com`. */
  url: string
  /** A reader token. */
  token: string
  /** Needed where the token is for several tenants. */
  tenantId: string
  /** The unit that plain configuration is rolled out by; kept across restarts by the store, else made anew. */
  instanceId?: string
  /** Served until something newer is there. */
  bootstrap?: Snapshot
  store?: SnapshotStore
  /** Hear of changes as they happen; without, or while the stream is broken, the service is asked. Default true. */
  stream?: boolean
  /** Tell the service how requests went, so that a bad rollout takes itself back. Default true. */
  report?: boolean
  fetch?: typeof fetch
}

/** What one subject sees at one moment: never half of a change, whatever happens meanwhile. */
export interface View {
  readonly tenantId: string
  readonly environment: string
  readonly revision: string
  readonly arm: "stable" | "candidate"
  /** The value of a config, `undefined` where there is none; of a flag its definition. Frozen. */
  get(key: string): Json | undefined
  /** All keys, flags among them. */
  keys(): Iterable<string>
  /** The keys of flags. */
  flags(): Iterable<string>
  /** Never throws. An unknown flag has the error code FLAG_NOT_FOUND. */
  evaluate(flag: string, context?: Context): Evaluation
  /** Is the flag's value `true`? An unknown flag is off. */
  isEnabled(flag: string, context?: Context): boolean
}

export interface HotswapEvents {
  /** There is something to serve; again when it is no longer stale. */
  ready: { revision: string }
  /** Which keys are not what they were; `types` as the stream names them. */
  changed: { revision: string; keys: readonly string[]; flags: readonly string[] }
  /** The service cannot be reached, and what is served grows old. */
  stale: { since: Date }
  error: { error: Error }
}

/** One tenant × environment, whole, in memory. */
export interface Client {
  /** Once there is something to serve, from wherever; rejects after `timeoutMs` (30 s) if there is not, and when it is closed. */
  ready(timeoutMs?: number): Promise<void>
  readonly isReady: boolean
  /** For this subject, or for the instance itself. Throws if nothing is there yet. */
  view(targetingKey?: string): View
  get(key: string): Json | undefined
  evaluate(flag: string, context?: Context): Evaluation
  isEnabled(flag: string, context?: Context): boolean
  /** How a request that was served from this view went; told to the service in batches. */
  report(view: View, outcome: { ok: boolean; latencyMs?: number }): void
  /** Asks the service now; given a revision that is known to be, or a part of one, for nothing older. */
  reload(atLeast?: string): Promise<void>
  on<Name extends keyof HotswapEvents>(name: Name, listener: (event: HotswapEvents[Name]) => void): () => void
  /** Lets go of the stream and timers, and tells what was not told yet. */
  close(): Promise<void>
}
