import type { Change } from "../../core/change/change.ts"
import type { Command, DecideContext, Decision, Outcome } from "../../core/change/command.ts"
import { decide } from "../../core/change/decide.ts"
import type { Policy } from "../../core/change/policy.ts"
import type { Commit, Move, Reply, ScopeState } from "../../core/change/scope-state.ts"
import { after } from "../../core/change/time.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { type ChangeId, type ConfigKey, layerOf, type ReleaseId, type ScopeId } from "../../core/ids.ts"
import type { Database, Runner } from "../../db/client.ts"
import { unhurried } from "../../db/deadline.ts"
import { readMoves } from "../../db/queries/moves.ts"
import { commitScope, loadScope, withLockedScope } from "../../db/queries/scope.ts"
import { lastSecrets } from "../../db/queries/secrets.ts"
import { clearMark } from "../../db/system.ts"
import { inTenant } from "../../db/tenant.ts"
import type { Background } from "./background.ts"
import { traceChanges } from "./change-spans.ts"
import type { Clock } from "./clock.ts"
import { keepSecrets } from "./keys/keep-secrets.ts"
import type { Vault } from "./keys/vault.ts"
import { readLayers } from "./layers.ts"
import type { Log } from "./log.ts"
import type { Metrics } from "./metric-log.ts"
import { type Pacer, pace } from "./pacer.ts"
import { policyIn } from "./policies.ts"
import { type Idempotency, replayOf } from "./replay.ts"
import { reportsFor } from "./reports.ts"
import { type Tracing, traced } from "./tracing.ts"
import { createTurns } from "./turns.ts"

export interface MutatePlatform {
  db: Database
  clock: Clock
  log: Log
  background: Background
  settings: { readonly environments: readonly Environment[] }
  publisher: { publish(scope: ScopeId, environment: Environment): Promise<boolean> }
  /** Absent where a clock in the same process looks often enough. */
  pacer?: Pacer | undefined
  /** Absent where nothing secret is ever written. */
  vault?: Vault | undefined
  /** Absent: nobody makes metrics of what is told. */
  metrics?: Metrics | undefined
  /** Absent: nothing is traced. */
  tracing?: Tracing | undefined
}

/** A reply whose fields named in `stamps` get the time of the commit. */
export interface StampedReply extends Reply {
  stamps: readonly string[]
}

export interface Decided {
  state: ScopeState
  commit: Commit
  change: Change | null
  result: Outcome
}

interface Where {
  scope: ScopeId
  environment: Environment
}

export interface Mutation extends Where {
  command: Command
  /** Keys whose entries the decision rests on. */
  keys: readonly ConfigKey[]
  changeId?: ChangeId
  requestId?: string
  idempotency: Idempotency | null
  /** Platform admins act on suspended tenants too; so does the clock. */
  evenSuspended: boolean
  /** Throws a refusal that the rules of a change do not know of, such as a config that is not there. */
  check?: (state: ScopeState) => void | Promise<void>
  reply: (decided: Decided) => StampedReply
}

export type Mutated =
  | { kind: "replayed"; reply: Reply }
  | { kind: "committed"; reply: Reply; decided: Decided; at: string; mark: string | null }
  /** Nothing was due: only messengers hear this. */
  | { kind: "nothing" }

/** What to load besides what the mutation names. */
interface More {
  allChunks: boolean
  releases: readonly ReleaseId[]
  keys: readonly ConfigKey[]
  changes: readonly ChangeId[]
  secrets: readonly ConfigKey[]
  inherited: readonly ConfigKey[]
}

type Attempt = Mutated | { kind: "conflict" }

const NO_MORE: More = { allChunks: false, releases: [], keys: [], changes: [], secrets: [], inherited: [] }
/** A decision asks for each kind of thing once at most, or twice where what it was given leads on. */
const LOADS_MAX = 8
const TURN_LIMIT_MS = 250
/** Writers of one scope × environment in this process would only be in each other's way; those of others still may be. */
const turns = createTurns(TURN_LIMIT_MS)

const load = async (runner: Runner, mutation: Mutation, more: More) => {
  const loaded = await loadScope(runner, {
    scope: mutation.scope,
    environment: mutation.environment,
    keys: [...new Set([...mutation.keys, ...more.keys])],
    ...(mutation.changeId ? { changeId: mutation.changeId } : {}),
    releases: more.releases,
    changes: more.changes,
    allChunks: more.allChunks,
    ...(mutation.idempotency ? { idempotencyKey: mutation.idempotency.key } : {}),
  })
  if (!loaded) throw new Refusal("TENANT_NOT_FOUND", `There is no tenant "${mutation.scope}".`)
  return loaded
}

/** What a decision rests on besides the state: the time, the policy, and what was reported or was stable. */
const contextOf = async (
  platform: MutatePlatform,
  { command, requestId }: Mutation,
  state: ScopeState,
  runner: Runner,
  { secrets, inherited }: More,
): Promise<DecideContext> => {
  const now = platform.clock.now().toISOString()
  const policy = policyIn(platform, state)
  return {
    now,
    environments: platform.settings.environments,
    policy,
    requestId,
    ...(await reportsFor(command, state, runner)),
    ...(secrets.length === 0
      ? {}
      : {
          secrets: await inTenant(runner, platform.db, state.scope, (tx) =>
            lastSecrets(tx, state.environment, secrets),
          ),
        }),
    ...(inherited.length === 0 ? {} : { inherited: await inheritedBy(runner, state, inherited) }),
    ...(command.type === "rollback_to" ? { moves: await movesSince(state, now, policy, runner) } : {}),
  }
}

/** What the layers that a scope stands on have of these keys, as its readers get them now. */
const inheritedBy = async (
  runner: Runner,
  state: ScopeState,
  keys: readonly ConfigKey[],
): Promise<NonNullable<DecideContext["inherited"]>> => {
  const layered = await readLayers({ db: runner }, state, null)
  const own = layerOf(state.scope)
  const layers = [...(await layered.entriesOf(keys))].filter(([layer]) => layer !== own)
  return { keys: new Set(keys), layers: layers.map(([layer, entries]) => ({ layer, entries })) }
}

const movesSince = (
  { scope, environment }: ScopeState,
  now: string,
  { rollbackWindowMs }: Policy,
  runner: Runner,
): Promise<Move[]> => readMoves(runner, scope, environment, after(now, -rollbackWindowMs))

/** Did the pointer move between the reading of the state and that of its moves? */
const isOutrun = ({ pointer }: ScopeState, { moves }: DecideContext): boolean =>
  moves !== undefined && (moves.at(-1)?.seq ?? 0) !== pointer.seq

const moreFor = (decision: Decision, more: More): More | null => {
  switch (decision.kind) {
    case "needs_all_chunks":
      return { ...more, allChunks: true }
    case "needs_releases":
      return { ...more, releases: [...more.releases, ...decision.releases] }
    case "needs_keys":
      return { ...more, keys: [...more.keys, ...decision.keys] }
    case "needs_changes":
      return { ...more, changes: [...more.changes, ...decision.changes] }
    case "needs_secrets":
      return { ...more, secrets: decision.keys }
    case "needs_inherited":
      return { ...more, inherited: decision.keys }
    default:
      return null
  }
}

/** Loads and decides, loading again with what the decision turns out to rest on. */
const settle = async (platform: MutatePlatform, mutation: Mutation, runner: Runner) => {
  let more = NO_MORE
  for (let loads = 0; loads < LOADS_MAX; loads++) {
    const { state, replay } = await load(runner, mutation, more)
    const kept = replayOf(replay, mutation.idempotency)
    if (kept) return { kind: "replayed" as const, reply: kept.reply }
    if (state.status === "suspended" && !mutation.evenSuspended)
      throw new Refusal("TENANT_SUSPENDED", `The tenant "${mutation.scope}" is suspended.`)
    await mutation.check?.(state)
    const context = await contextOf(platform, mutation, state, runner, more)
    if (isOutrun(state, context)) return { kind: "conflict" as const }
    const decision = decide(state, mutation.command, context)
    const next = moreFor(decision, more)
    if (!next) return { kind: "decided" as const, state, decision }
    more = next
  }
  throw new Error(`${mutation.command.type} still asks for more after ${LOADS_MAX} loads`)
}

const refuse = (decision: Extract<Decision, { kind: "refused" }>): Refusal =>
  new Refusal(decision.code, decision.detail, {
    ...(decision.errors ? { errors: decision.errors } : {}),
    ...(decision.extra ? { extra: decision.extra } : {}),
  })

const stamped = ({ stamps, ...reply }: StampedReply, at: string): Reply => ({
  ...reply,
  body: { ...reply.body, ...Object.fromEntries(stamps.map((name) => [name, at])) },
})

const attempt = async (platform: MutatePlatform, mutation: Mutation, runner: Runner): Promise<Attempt> => {
  const settled = await settle(platform, mutation, runner)
  if (settled.kind !== "decided") return settled
  const { state, decision } = settled
  if (decision.kind === "nothing") return decision
  if (decision.kind === "refused") throw refuse(decision)
  if (decision.kind !== "commit") throw new Error(`undecided: ${decision.kind}`)
  const { scope, environment, secrets = [] } = decision.commit
  if (!(await keepSecrets(platform, runner, scope, environment, secrets))) return { kind: "conflict" }
  const decided: Decided = { state, ...decision }
  const reply = mutation.reply(decided)
  const kept = mutation.idempotency ? { ...mutation.idempotency, reply } : undefined
  const committed = await commitScope(runner, decision.commit, kept)
  if (committed.kind === "conflict") return committed
  return {
    kind: "committed",
    reply: stamped(reply, committed.at),
    decided,
    at: committed.at,
    mark: committed.mark,
  }
}

/**
 * Brings what is cached up to date at once and takes the mark away; where that fails, the relay finds the
 * mark and it is a little later.
 */
const publish = async (platform: MutatePlatform, where: Where, mark: string): Promise<void> => {
  try {
    if (await platform.publisher.publish(where.scope, where.environment))
      await clearMark(platform.db, { ...where, mark })
  } catch (error) {
    platform.log.warn("publishing failed; the relay will", { ...where, error })
  }
}

/** Rollouts that nobody asked to be taken back: the gate or a signal did, or whoever paced them failed. */
const countTakenBack = ({ metrics }: MutatePlatform, { audit }: Commit): void => {
  const taken = audit.filter(
    ({ action, detail }) =>
      action === "change.rolled_back" && (detail?.reason === "unhealthy" || detail?.reason === "timed_out"),
  )
  if (taken.length > 0) metrics?.tell({ RolloutsTakenBack: taken.length })
}

/**
 * The one way anything about a scope × environment is altered: load, decide, commit; after a conflict
 * once more with the scope locked, so that the second time can only succeed or be refused for a reason.
 * Throws what is refused.
 */
export const mutate = (platform: MutatePlatform, mutation: Mutation): Promise<Mutated> =>
  turns(`${mutation.environment}/${mutation.scope}`, () =>
    traced(platform, `change ${mutation.command.type}`, () => mutateNow(platform, mutation)),
  )

const mutateNow = async (platform: MutatePlatform, mutation: Mutation): Promise<Mutated> => {
  let outcome = await attempt(platform, mutation, platform.db)
  if (outcome.kind === "conflict")
    outcome = await withLockedScope(platform.db, mutation.scope, mutation.environment, (locked) =>
      attempt(platform, mutation, locked),
    )
  if (outcome.kind === "conflict")
    throw new Refusal("CHANGE_CONFLICT", "The same configuration was being changed at the same moment.")
  const { scope, environment } = mutation
  const mark = outcome.kind === "committed" ? outcome.mark : null
  if (mark !== null)
    platform.background.waitUntil(
      unhurried(() => traced(platform, "publish", () => publish(platform, { scope, environment }, mark))),
    )
  if (outcome.kind === "committed") {
    traceChanges(outcome.decided.commit)
    pace(platform, outcome.decided.commit)
    countTakenBack(platform, outcome.decided.commit)
  }
  return outcome
}

/** Decides without writing: what would come of it, refusals included. */
export const rehearse = async (platform: MutatePlatform, mutation: Mutation) => {
  const settled = await settle(platform, { ...mutation, idempotency: null }, platform.db)
  if (settled.kind !== "decided") throw new Error(`a rehearsal came to nothing: ${settled.kind}`)
  return settled
}
