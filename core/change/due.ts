import type { Change, Instant } from "./change.ts"
import { holdEndsAt } from "./machine/during.ts"
import { isReached } from "./time.ts"

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
    case "rolling_out":
      return holdEndsAt(change)
    case "live":
    case "rejected":
    case "cancelled":
    case "expired":
    case "rolled_back":
      return null
  }
}
