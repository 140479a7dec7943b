import type { Change, Frozen, Instant } from "./change.ts"
import { remindAt } from "./machine/approving.ts"
import { heldBackBy, holdEndsAt } from "./machine/during.ts"
import type { Policy } from "./policy.ts"
import { after, isReached } from "./time.ts"

/** How soon the clock looks again at what the gate, or a rollout of another scope, holds back. */
const LOOK_AGAIN_MS = 5_000
/** The like for a freeze: one that is inherited may be lifted, and nobody tells the scopes that stand on it. */
const FROZEN_LOOK_AGAIN_MS = 600_000

/**
 * When the clock should look at a change next; `null`: never, unless something happens to it. `now` means
 * at once: it could have started but for what else the same commit did.
 */
export const dueAtOf = (change: Change, now: Instant, policy: Policy): Instant | null => {
  const { content, status } = change
  switch (status.state) {
    case "awaiting_approval":
      return first(content.expiresAt, remindAt(change, policy))
    case "scheduled":
      return first(content.expiresAt, startsAt(change, now))
    case "rolling_out":
      return goesOnAt(change, now)
    case "live":
    case "rejected":
    case "cancelled":
    case "expired":
    case "rolled_back":
      return null
  }
}

const first = (one: Instant, other: Instant | null): Instant =>
  other === null || isReached(one, other) ? one : other

const startsAt = ({ content, status }: Change, now: Instant): Instant | null => {
  if (status.state !== "scheduled") return null
  const { waitingFor, frozen } = status
  if (frozen !== undefined && !isReached(frozen.until, now)) return thawsAt(frozen, now)
  if (waitingFor !== undefined)
    // A rollout of this scope starts what waits for it when it ends; one of another cannot.
    return waitingFor.startsWith(`${content.scope}:`) ? null : after(now, LOOK_AGAIN_MS)
  return content.startAt !== undefined && !isReached(content.startAt, now) ? content.startAt : now
}

const goesOnAt = (change: Change, now: Instant): Instant | null => {
  const endsAt = holdEndsAt(change)
  if (endsAt === null || !isReached(endsAt, now)) return endsAt
  if (heldBackBy(change) !== null) return after(now, LOOK_AGAIN_MS)
  const { status } = change
  const frozen = status.state === "rolling_out" ? status.frozen : undefined
  return frozen !== undefined && !isReached(frozen.until, now) ? thawsAt(frozen, now) : endsAt
}

const thawsAt = ({ until }: Frozen, now: Instant): Instant => first(until, after(now, FROZEN_LOOK_AGAIN_MS))
