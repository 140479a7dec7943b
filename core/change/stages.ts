import type { Role } from "../access.ts"
import { isTenant, type ScopeId } from "../ids.ts"
import type { Actor, Approval, Change, ChangeContent, Stage } from "./change.ts"
import type { Policy } from "./policy.ts"

/** A stage with the approvals that count towards it. */
export interface StageStanding extends Stage {
  approvals: readonly Approval[]
}

/** Why somebody's approval does not count besides those given already; `null` when it does. */
export type Objection = "own" | "related" | "twice"

/**
 * Two tokens of which one was issued, at whatever remove, by the other's holder are not two people.
 * The platform's start-up token has to issue everyone's first token and is excepted.
 */
const descends = (token: Actor, issuer: Actor): boolean =>
  issuer.tokenId !== "startup" && token.ancestors.includes(issuer.subject)

const related = (one: Actor, other: Actor): boolean => descends(one, other) || descends(other, one)

/**
 * May `actor` stand beside the author and those who approved before? Which way the tokens descend does
 * not matter: issuing a token, acting through it and then approving oneself is one person twice.
 */
export const objection = (author: Actor, earlier: readonly Actor[], actor: Actor): Objection | null => {
  if (actor.subject === author.subject) return "own"
  if (earlier.some(({ subject }) => subject === actor.subject)) return "twice"
  return [author, ...earlier].some((other) => related(actor, other)) ? "related" : null
}

const requiredOf = (stages: readonly Stage[], role: Role): number =>
  stages.reduce((sum, stage) => (stage.role === role ? sum + stage.required : sum), 0)

/** The stages fixed when the change was submitted, and what the policy has come to ask for since. */
const stagesOf = (
  content: Pick<ChangeContent, "stages">,
  policy: Pick<Policy, "stages">,
): readonly Stage[] => {
  const stages = [...content.stages]
  for (const role of new Set(policy.stages.map((stage) => stage.role))) {
    const missing = requiredOf(policy.stages, role) - requiredOf(stages, role)
    if (missing <= 0) continue
    const last = stages.findLastIndex((stage) => stage.role === role)
    if (last === -1) stages.push({ role, required: missing })
    else stages[last] = { role, required: stages[last]!.required + missing }
  }
  return stages
}

/** Where the approvals stand: derived each time, so that no stored cursor can disagree with them. */
export const standingOf = (
  change: Pick<Change, "approvals"> & { content: Pick<ChangeContent, "author" | "stages"> },
  policy: Pick<Policy, "stages">,
): readonly StageStanding[] => {
  const standing = stagesOf(change.content, policy).map((stage) => ({
    ...stage,
    approvals: [] as Approval[],
  }))
  const counted: Actor[] = []
  for (const approval of change.approvals) {
    if (objection(change.content.author, counted, approval.actor) !== null) continue
    const stage = standing.find(
      ({ role, required, approvals }) => role === approval.role && approvals.length < required,
    )
    if (stage === undefined) continue
    stage.approvals.push(approval)
    counted.push(approval.actor)
  }
  return standing
}

/** The first stage that still owes approvals; stages are satisfied in order. `null` when none does. */
export const owedStage = (standing: readonly StageStanding[]): StageStanding | null =>
  standing.find((stage) => stage.approvals.length < stage.required) ?? null

/**
 * May someone with these roles give the approval that `role` owes? The platform and its tiers have no roles
 * but the platform's admins, who stand for any there (still each person once), and for none in a tenant.
 */
export const holds = (roles: readonly Role[], role: Role, scope: ScopeId): boolean =>
  roles.includes(role) || (!isTenant(scope) && roles.includes("platform_admin"))
