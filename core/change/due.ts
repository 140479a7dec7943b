import type { Change, Instant } from "./change.ts"
import { heldBackBy, holdEndsAt } from "./machine/during.ts"
import { after, isReached } from "./time.ts"

/** How soon the clock looks again at a rollout that the gate holds back. */
const LOOK_AGAIN_MS = 5_000

/**
 * When the clock should look at a change next; `null`: never, unless something happens to it. `now` means
 * at once: it could have started but for what else the same commit did.
 */
export const dueAtOf = (change: Change, now: Instant): Instant | null => {
  const { content, status } = change
  switch (status.state) {
    case "awaiting_approval":
      return content.expiresAt
    case "scheduled":
      // A rollout that is in the way starts what waits for it when it ends.
      if (status.waitingFor !== undefined) return content.expiresAt
      return content.startAt !== undefined && !isReached(content.startAt, now) ? content.startAt : now
    case "rolling_out": {
      const endsAt = holdEndsAt(change)
      const isHeldBack = heldBackBy(change) !== null
      return endsAt !== null && isHeldBack && isReached(endsAt, now) ? after(now, LOOK_AGAIN_MS) : endsAt
    }
    case "live":
    case "rejected":
    case "cancelled":
    case "expired":
    case "rolled_back":
      return null
  }
}
