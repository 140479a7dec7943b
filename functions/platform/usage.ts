import { randomUUID } from "node:crypto"
import type { TenantId } from "../../core/ids.ts"
import { type LimitAsked, type RequestSeen, UsageMeters } from "../../core/usage/meters.ts"
import { unhurried } from "../../db/deadline.ts"
import type { Background } from "./background.ts"
import type { Clock } from "./clock.ts"
import type { UsageInbox } from "./usage-inbox.ts"

/**
 * Counts what is asked of tenants, in memory, and hands it on behind the requests: nobody waits for it. Whatever a process has not
 * handed on when it ends is not counted: what it saw in the last seconds, more while Redis is away.
 */
export interface UsageRecorder {
  request(seen: RequestSeen): void
  read(tenantId: TenantId, isHit: boolean, durationMs: number): void
  limit(tenantId: TenantId, asked: LimitAsked): void
  refused(tenantId: TenantId): void
  /** Hands on what there is. Never throws: what could not be handed on is kept. */
  flush(): Promise<void>
}

export const createUsage = (deps: {
  clock: Clock
  background: Background
  inbox: Pick<UsageInbox, "put">
}): UsageRecorder => {
  const { clock, inbox } = deps
  const meters = new UsageMeters(randomUUID())
  let flight: Promise<void> | null = null

  const hand = async (): Promise<void> => {
    const batch = meters.begin(clock.nowMs())
    if (batch === null) return
    // The breaker has logged it. What was not taken for certain is handed on again, under the same number.
    meters.ended(batch, await inbox.put(batch).catch(() => false))
  }

  const flush = (): Promise<void> => {
    flight ??= hand().finally(() => {
      flight = null
    })
    return flight
  }

  const handInTime = (): void => {
    if (flight === null && meters.isDue(clock.nowMs())) deps.background.waitUntil(unhurried(flush))
  }

  return {
    request(seen) {
      meters.request(seen)
      handInTime()
    },
    read: (tenantId, isHit, durationMs) => meters.read(tenantId, isHit, durationMs),
    limit(tenantId, asked) {
      meters.limit(tenantId, asked)
      handInTime()
    },
    refused(tenantId) {
      meters.refused(tenantId)
      handInTime()
    },
    flush,
  }
}
