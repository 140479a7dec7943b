import type { ChangeState, Instant } from "../../core/change/change.ts"
import type { Commit } from "../../core/change/scope-state.ts"
import type { ChangeId } from "../../core/ids.ts"
import { unhurried } from "../../db/deadline.ts"
import type { Background } from "./background.ts"

/**
 * Tells whoever paces rollouts what has happened. Both calls may be lost, late or repeated: the sweeper finds what
 * is due for itself, and the database lets each step be taken once.
 */
export interface Pacer {
  /** A change was submitted and stays open: something is to watch it from here on. Twice is once. */
  begin(changeId: ChangeId): Promise<void>
  /** It has left what was waited for. Nothing where nobody waits. */
  moved(changeId: ChangeId): Promise<void>
}

/** What a change waits for next: nothing any more, the time it is due, or somebody who moves it. */
export type Awaited = "nothing" | "clock" | "somebody"

/** `dueAt`: when the clock should look at it next, as kept with it. */
export const awaitedBy = (status: ChangeState, dueAt: Instant | null): Awaited => {
  switch (status.state) {
    case "awaiting_approval":
      return "somebody"
    case "scheduled":
      // What it waits for may end at any time; it is due only when it lapses.
      return status.waitingFor === undefined ? "clock" : "somebody"
    case "rolling_out":
      return dueAt === null ? "somebody" : "clock"
    case "live":
    case "rejected":
    case "cancelled":
    case "expired":
    case "rolled_back":
      return "nothing"
  }
}

/** Tells the pacer, if there is one, what a commit did to changes; nobody waits for it, and its failure is only logged. */
export const pace = (
  { pacer, background }: { pacer?: Pacer | undefined; background: Background },
  { changes }: Pick<Commit, "changes">,
): void => {
  if (pacer === undefined) return
  for (const { change, isNew, dueAt } of changes) {
    const { changeId } = change.content
    const awaited = awaitedBy(change.status, dueAt)
    // A token taken from the database has to get back there, whatever time is left to the request.
    if (isNew && awaited !== "nothing") background.waitUntil(unhurried(() => pacer.begin(changeId)))
    if (!isNew && awaited !== "somebody") background.waitUntil(unhurried(() => pacer.moved(changeId)))
  }
}
