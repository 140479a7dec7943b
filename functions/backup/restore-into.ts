import type { Principal } from "../../core/access.ts"
import { derivedUuid } from "../../core/backup/derived-uuid.ts"
import { type RestoreEdits, restoreEdits, type WantedKey } from "../../core/backup/restore-edits.ts"
import type { Change } from "../../core/change/change.ts"
import { isReserved } from "../../core/change/policy.ts"
import type { Environment } from "../../core/environment.ts"
import { Refusal } from "../../core/errors.ts"
import { type ConfigKey, changeIdOf, type ScopeId } from "../../core/ids.ts"
import type { Json, JsonObject } from "../../core/json.ts"
import type { MutatePlatform } from "../platform/mutate.ts"
import type { Target } from "../platform/stable.ts"
import { checkAsAtTheDoor } from "./as-at-the-door.ts"
import { reportOf, toldDiff } from "./change-report.ts"
import { fileWish, type Rehearsed, rehearseWish, type Wish } from "./filing.ts"
import { type Held, heldNow } from "./kept-keys.ts"
import type { WorkContext } from "./work.ts"

/** Where the keys come from that are to be again. */
export type Wanted = (target: Target, present: Held) => Promise<ReadonlyMap<ConfigKey, WantedKey>>

export interface RestoreInto {
  scope: ScopeId
  environments: readonly Environment[]
  wanted: Wanted
  comment: string
  dryRun: boolean
  owner: Principal
}

/** What goes into a change of its own. */
const PARTS = ["edits", "grants"] as const
type Part = (typeof PARTS)[number]

interface Planned extends RestoreEdits {
  base: Held
  wantedKeys: ReadonlySet<ConfigKey>
}

type Settled = Exclude<Rehearsed, { kind: "moved" }>
interface Rehearsal {
  plan: Planned
  parts: Readonly<Record<Part, Settled>>
}

/** Stable may move again while an attempt is at it. */
const ATTEMPTS_MAX = 10
const ERRORS_TOLD_MAX = 100

/**
 * Brings environments of a scope back to what they were, each as a change, two where the platform's grants differ as well.
 * All of them are decided on first: where one is refused, none is filed. What an earlier attempt filed is found by its id.
 * Throws the Refusal of what is in the way of a change.
 */
export const restoreInto = async (
  platform: MutatePlatform,
  restore: RestoreInto,
  { job, checkpoint, progress }: Pick<WorkContext, "job" | "checkpoint" | "progress">,
): Promise<JsonObject[]> => {
  const done = new Map(Object.entries((job.checkpoint.environments ?? {}) as Record<string, JsonObject>))
  const left = restore.environments.filter((environment) => !done.has(environment))
  const steps = left.length * 2
  const rehearsals = new Map<Environment, Rehearsal>()
  for (const [i, environment] of left.entries()) {
    await progress({ step: `comparing ${environment}`, share: i / steps })
    rehearsals.set(environment, await rehearsalOf(platform, restore, job.jobId, environment))
  }
  if (!restore.dryRun) refuseIfAny([...rehearsals.values()])
  for (const [i, environment] of left.entries()) {
    const rehearsal = rehearsals.get(environment)!
    await progress({ step: `restoring ${environment}`, share: (left.length + i) / steps })
    const changes = restore.dryRun
      ? rehearsedChanges(rehearsal)
      : await fileParts(platform, restore, job.jobId, environment, rehearsal)
    done.set(environment, reported(restore, environment, rehearsal, changes))
    if (!restore.dryRun) await checkpoint({ ...job.checkpoint, environments: Object.fromEntries(done) })
  }
  return restore.environments.map((environment) => done.get(environment)!)
}

const planOf = async (
  platform: MutatePlatform,
  { scope, wanted, owner, comment }: RestoreInto,
  environment: Environment,
): Promise<Planned> => {
  const target = { scope, environment }
  const base = await heldNow(platform.db, target)
  const keys = await wanted(target, base)
  const mayGrant = owner.roles.includes("platform_admin")
  const plan = restoreEdits(base.keys, keys, { scope, environment, mayGrant, comment })
  checkAsAtTheDoor(environment, [...plan.edits, ...plan.grants])
  return { ...plan, base, wantedKeys: new Set([...keys.keys()].filter((key) => !isReserved(key))) }
}

const wishOf = (
  { scope, comment }: RestoreInto,
  jobId: string,
  environment: Environment,
  part: Part,
  plan: Planned,
): Wish => ({
  target: { scope, environment },
  changeId: changeIdOf(scope, derivedUuid(jobId, environment, part)),
  edits: plan[part],
  comment,
  base: plan.base.release,
})

const rehearsalOf = async (
  platform: MutatePlatform,
  restore: RestoreInto,
  jobId: string,
  environment: Environment,
): Promise<Rehearsal> => {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const plan = await planOf(platform, restore, environment)
    const rehearse = (part: Part) =>
      rehearseWish(platform, restore.owner, wishOf(restore, jobId, environment, part, plan))
    const parts = { edits: await rehearse("edits"), grants: await rehearse("grants") }
    if (parts.edits.kind !== "moved" && parts.grants.kind !== "moved")
      return { plan, parts: parts as Rehearsal["parts"] }
  }
  throw alwaysMoving(environment)
}

const alwaysMoving = (environment: Environment): Refusal =>
  new Refusal("CHANGE_CONFLICT", `${environment}: it was being changed all the while.`)

const refuseIfAny = (rehearsals: readonly Rehearsal[]): void => {
  const refusals = rehearsals.flatMap(({ parts }) =>
    PARTS.flatMap((part) => {
      const rehearsed = parts[part]
      return rehearsed.kind === "refused" ? [rehearsed.refusal] : []
    }),
  )
  const [first] = refusals
  if (!first) return
  throw new Refusal(first.code, refusals.map(({ message }) => message).join(" "), {
    errors: refusals.flatMap(({ errors }) => [...errors]).slice(0, ERRORS_TOLD_MAX),
    extra: first.extra,
  })
}

type Changes = Readonly<Record<Part, Change | null>>

const rehearsedChanges = ({ parts }: Rehearsal): Changes => {
  const changeOf = (part: Part): Change | null => {
    const rehearsed = parts[part]
    return rehearsed.kind === "would" || rehearsed.kind === "filed" ? rehearsed.change : null
  }
  return { edits: changeOf("edits"), grants: changeOf("grants") }
}

const fileParts = async (
  platform: MutatePlatform,
  restore: RestoreInto,
  jobId: string,
  environment: Environment,
  { plan, parts }: Rehearsal,
): Promise<Changes> => {
  const fileOne = async (part: Part): Promise<Change | null> => {
    const rehearsed = parts[part]
    if (rehearsed.kind === "filed") return rehearsed.change
    if (rehearsed.kind === "nothing") return null
    let current = plan
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const filed = await fileWish(
        platform,
        restore.owner,
        wishOf(restore, jobId, environment, part, current),
      )
      if (filed.kind === "filed") return filed.change
      if (filed.kind === "nothing") return null
      current = await planOf(platform, restore, environment)
    }
    throw alwaysMoving(environment)
  }
  return { edits: await fileOne("edits"), grants: await fileOne("grants") }
}

const problemIn = (rehearsed: Settled): Json =>
  rehearsed.kind === "refused"
    ? {
        code: rehearsed.refusal.code,
        detail: rehearsed.refusal.message,
        errors: rehearsed.refusal.errors.slice(0, ERRORS_TOLD_MAX) as unknown as Json,
      }
    : null

const isFiled = (rehearsed: Settled, dryRun: boolean): boolean => !dryRun || rehearsed.kind === "filed"

const reported = (
  { environments, dryRun }: RestoreInto,
  environment: Environment,
  { plan, parts }: Rehearsal,
  changes: Changes,
): JsonObject => {
  const diffIn = (rehearsed: Settled) =>
    toldDiff(rehearsed.kind === "would" ? rehearsed.diff : [], environments.length * PARTS.length)
  const edits = reportOf(changes.edits, isFiled(parts.edits, dryRun))
  const grants = reportOf(changes.grants, isFiled(parts.grants, dryRun))
  const left = plan.left.filter((key) => plan.wantedKeys.has(key)).length
  const hasGrants = changes.grants !== null || parts.grants.kind === "refused"
  return {
    environment,
    ...edits,
    ...(parts.edits.kind === "refused" ? { state: "refused" } : {}),
    unchanged: plan.wantedKeys.size - edits.set - grants.set - left,
    ...diffIn(parts.edits),
    problem: problemIn(parts.edits),
    grants: hasGrants ? { ...grants, ...diffIn(parts.grants), problem: problemIn(parts.grants) } : null,
    left: [...plan.left],
    policy: plan.policy as unknown as Json,
  }
}
