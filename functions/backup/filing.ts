import type { Principal } from "../../core/access.ts"
import type { Change } from "../../core/change/change.ts"
import type { EditInput, Submit } from "../../core/change/command.ts"
import type { ScopeState } from "../../core/change/scope-state.ts"
import { Refusal } from "../../core/errors.ts"
import type { ChangeId, ReleaseId } from "../../core/ids.ts"
import { diffEdits, type EditDifference } from "../../core/release/diff.ts"
import { neededChecker } from "../platform/flag-needs.ts"
import { type MutatePlatform, type Mutation, mutate, rehearse } from "../platform/mutate.ts"
import { stableEntries, type Target } from "../platform/stable.ts"

/** A change that a job is to file, in somebody's name. */
export interface Wish {
  target: Target
  /** Which it will be: the same in every attempt, so that it is filed once. */
  changeId: ChangeId
  edits: readonly EditInput[]
  promotedFrom?: Submit["promotedFrom"]
  comment: string
  /** The stable release that the edits were worked out on. */
  base: ReleaseId
}

/** What would come of it. */
export type Rehearsed =
  /** An earlier attempt filed it, or somebody filed the very same, and it is open. */
  | { kind: "filed"; change: Change }
  | { kind: "would"; change: Change; diff: readonly EditDifference[] }
  | { kind: "nothing" }
  | { kind: "refused"; refusal: Refusal }
  /** Stable is another by now. */
  | { kind: "moved" }

export type Filed = { kind: "filed"; change: Change } | { kind: "nothing" } | { kind: "moved" }

class Moved extends Error {}
class Known extends Error {
  readonly change: Change

  constructor(change: Change) {
    super("it is filed already")
    this.change = change
  }
}

const mutationOf = (platform: MutatePlatform, owner: Principal, wish: Wish): Mutation => {
  const { target, changeId, edits, promotedFrom, comment, base } = wish
  const { subject, tokenId, ancestors, roles } = owner
  const isAdmin = roles.includes("platform_admin")
  const checkNeeded = neededChecker(platform, target, edits)
  return {
    ...target,
    idempotency: null,
    evenSuspended: isAdmin,
    command: {
      type: "submit",
      changeId,
      author: { subject, tokenId, ancestors },
      mayGrant: isAdmin,
      edits,
      promotedFrom,
      comment,
    },
    changeId,
    keys: edits.map(({ key }) => key),
    check: (state: ScopeState) => {
      const known = state.changes.get(changeId)
      if (known) throw new Known(known)
      if (state.pointer.stable !== base) throw new Moved()
      return checkNeeded(state)
    },
    reply: () => ({ status: 202, headers: {}, body: {}, stamps: [] }),
  }
}

/** It says what is there already: nothing is left to do. */
const isNothing = (code: string): boolean => code === "CHANGE_EMPTY"

const told = ({ environment }: Target, { code, message, errors, extra }: Refusal): Refusal =>
  new Refusal(code, `${environment}: ${message}`, { errors, ...(extra ? { extra } : {}) })

/** Decides on the change without filing it: everything that would be in its way is known then. */
export const rehearseWish = async (
  platform: MutatePlatform,
  owner: Principal,
  wish: Wish,
): Promise<Rehearsed> => {
  try {
    const { state, decision } = await rehearse(platform, mutationOf(platform, owner, wish))
    if (decision.kind === "refused") {
      const { code, detail, errors = [] } = decision
      if (isNothing(code)) return { kind: "nothing" }
      return { kind: "refused", refusal: told(wish.target, new Refusal(code, detail, { errors })) }
    }
    if (decision.kind !== "commit" || !decision.change) throw new Error(`undecided: ${decision.kind}`)
    const { change } = decision
    const same = [...state.changes.values()].find((open) => isSame(open, change))
    if (same) return { kind: "filed", change: same }
    const { edits } = change.content
    const keys = edits.map(({ key }) => key)
    return { kind: "would", change, diff: diffEdits(edits, stableEntries(state, keys)) }
  } catch (error) {
    if (error instanceof Known) return { kind: "filed", change: error.change }
    if (error instanceof Moved) return { kind: "moved" }
    if (error instanceof Refusal) return { kind: "refused", refusal: told(wish.target, error) }
    throw error
  }
}

/** One that waits, of the same content: to file another would have people approve the same twice. */
const isSame = ({ content, status }: Change, change: Change): boolean =>
  (status.state === "awaiting_approval" || status.state === "scheduled" || status.state === "rolling_out") &&
  content.contentHash === change.content.contentHash

/**
 * Files the change the way that every change takes: it is live, waits for approvals or rolls out, as its policy has it. Throws
 * the Refusal of what is in its way.
 */
export const fileWish = async (platform: MutatePlatform, owner: Principal, wish: Wish): Promise<Filed> => {
  try {
    const outcome = await mutate(platform, mutationOf(platform, owner, wish))
    if (outcome.kind !== "committed" || !outcome.decided.change)
      throw new Error(`a submission came to ${outcome.kind}`)
    return { kind: "filed", change: outcome.decided.change }
  } catch (error) {
    if (error instanceof Known) return { kind: "filed", change: error.change }
    if (error instanceof Moved) return { kind: "moved" }
    if (!(error instanceof Refusal)) throw error
    if (isNothing(error.code)) return { kind: "nothing" }
    // Another writer was there between: as good as if stable had moved.
    if (error.code === "CHANGE_CONFLICT") return { kind: "moved" }
    throw told(wish.target, error)
  }
}
