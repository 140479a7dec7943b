import type { ScopeId } from "../../core/ids.ts"
import {
  type Channel,
  type Delivery,
  type DeliveryOutcome,
  settleDelivery,
  takeDelivery,
} from "../../db/queries/notifications.ts"
import { type DueDelivery, dueDeliveries } from "../../db/system.ts"
import type { NotifyPlatform } from "../platform/compose-notify.ts"
import { withSecret } from "../platform/keys/channel-secrets.ts"
import type { Message } from "../platform/messages/message.ts"
import type { Sent } from "../platform/messages/messenger.ts"
import { traced } from "../platform/tracing.ts"
import { ATTEMPTS_MAX, backoffMs } from "./backoff.ts"

export interface Notify {
  /** Begins to send what is due, as far as there is room, and resolves to how many that are. Waits for none of them. */
  sweep(): Promise<number>
  /** Resolves once nothing is under way. */
  settled(): Promise<void>
}

/** Under way at once: of one scope, so that its slow receivers keep nobody else's messages waiting, and of all. */
const OF_A_SCOPE_MAX = 4
const OF_ALL_MAX = 32
const LOOKED_AT_MAX = 200
/** Well above what a send may take: who still holds one after that has died, and it is sent again. */
const LEASE_MS = 60_000

type Taken = NonNullable<Awaited<ReturnType<typeof takeDelivery>>>

const messageOf = ({ deliveryId, type, at, tenantId, environment, changeId, detail }: Delivery): Message => ({
  id: deliveryId,
  type,
  at,
  tenantId,
  environment,
  changeId,
  detail,
})

const at = (ms: number): string => new Date(ms).toISOString()

/** What is to become of a delivery after this attempt. */
const outcomeOf = (sent: Sent, attempts: number, nowMs: number, chance: number): DeliveryOutcome => {
  switch (sent.kind) {
    case "delivered":
      return { state: "delivered", at: at(nowMs) }
    case "hopeless":
      return { state: "dead", at: at(nowMs), error: sent.words }
    case "failed": {
      if (attempts >= ATTEMPTS_MAX)
        return { state: "dead", at: at(nowMs), error: `Given up after ${attempts} attempts. ${sent.words}` }
      const waitMs = Math.max(backoffMs(attempts, chance), sent.retryAfterMs ?? 0)
      return { state: "pending", dueAt: at(nowMs + waitMs), error: sent.words }
    }
  }
}

/** Sends what commits have left to be told: at least once, each under one id however often, in no promised order. */
export const createNotify = (platform: NotifyPlatform): Notify => {
  const { clock, db, system, messenger, log, chance } = platform
  const underWay = new Map<string, Promise<void>>()
  const countOf = new Map<ScopeId, number>()

  const trySend = async (channel: Channel, delivery: Delivery): Promise<Sent> => {
    try {
      return await messenger.send(
        await withSecret(platform.vault, channel),
        messageOf(delivery),
        clock.nowMs(),
      )
    } catch (error) {
      log.error("a message could not be made", { error, channelId: channel.channelId, type: channel.type })
      return { kind: "failed", words: "Something went wrong on our side.", retryAfterMs: null }
    }
  }

  const attempt = async ({ delivery, channel }: Taken): Promise<void> => {
    const sent = await trySend(channel, delivery)
    const { tenantId, deliveryId, attempts } = delivery
    await settleDelivery(db, tenantId, deliveryId, outcomeOf(sent, attempts, clock.nowMs(), chance()))
  }

  const carryOut = async ({ scope, deliveryId }: DueDelivery): Promise<void> => {
    try {
      const nowMs = clock.nowMs()
      const taken = await takeDelivery(db, scope, deliveryId, at(nowMs), at(nowMs + LEASE_MS))
      if (taken) await attempt(taken)
    } catch (error) {
      // Its lease ends, and then it is taken again.
      log.error("a delivery could not be carried out", { error, scope, deliveryId })
    }
  }

  const hasRoom = ({ scope, deliveryId }: DueDelivery): boolean =>
    underWay.size < OF_ALL_MAX && (countOf.get(scope) ?? 0) < OF_A_SCOPE_MAX && !underWay.has(deliveryId)

  /** Whoever has fewest under way comes first: where there is no room for all, nobody takes it again and again. */
  const byTurns = (dues: readonly DueDelivery[]): readonly DueDelivery[] => {
    const turns = new Map(countOf)
    const placed = dues.map((due) => {
      const turn = turns.get(due.scope) ?? 0
      turns.set(due.scope, turn + 1)
      return { due, turn }
    })
    return placed.toSorted((one, other) => one.turn - other.turn).map(({ due }) => due)
  }

  const begin = (due: DueDelivery): void => {
    const { scope, deliveryId } = due
    countOf.set(scope, (countOf.get(scope) ?? 0) + 1)
    const work = traced(platform, "notify", () => carryOut(due)).finally(() => {
      underWay.delete(deliveryId)
      const left = countOf.get(scope)! - 1
      if (left === 0) countOf.delete(scope)
      else countOf.set(scope, left)
    })
    underWay.set(deliveryId, work)
    platform.background.waitUntil(work)
  }

  return {
    sweep: async () => {
      if (underWay.size >= OF_ALL_MAX) return 0
      const now = at(clock.nowMs())
      let begun = 0
      for (const due of byTurns(await dueDeliveries(system, now, LOOKED_AT_MAX, OF_A_SCOPE_MAX)))
        if (hasRoom(due)) {
          begin(due)
          begun += 1
        }
      return begun
    },
    settled: async () => {
      while (underWay.size > 0) await Promise.all(underWay.values())
    },
  }
}
