import { bothOf, formatRevision, parseRevision, type Revision } from "../../core/release/revision.ts"
import { type Heard, type RedisConnection, subscribe, type UpstashRedis } from "./redis-subscriptions.ts"
import type { Client } from "./types.ts"

export type { RedisConnection, UpstashRedis } from "./redis-subscriptions.ts"

export interface RedisOptions {
  tenantId: string
  environment: string
  /** Of the tenant. Without it moves of the tiers are left to the stream and the poll: whose they are could not be told. */
  tier?: string
  redis: UpstashRedis | RedisConnection
  /** A subscription that is lost is made again; this is only told. */
  onError?: (error: Error) => void
}

export interface RedisEvents {
  /** Lets go of the subscriptions. A connection that was handed in stays open. */
  close(): void
}

/** Where moves of the platform, and of the tiers, are told. */
const SHARED = "hotswap:{~platform}:events"

interface Message {
  environment?: unknown
  revision?: unknown
  /** Of a tier's, on the channel that it shares with the platform. */
  scope?: unknown
}

const parse = (text: string): Message => {
  try {
    return (JSON.parse(text) ?? {}) as Message
  } catch {
    return {}
  }
}

/**
 * Has a client look again as soon as Redis says that something moved, without the way through the edge. What it reads then
 * comes from the service as ever: of Redis nothing is believed but that it is time to look.
 */
export const followRedis = (client: Pick<Client, "reload">, options: RedisOptions): RedisEvents => {
  const { tenantId, environment, tier, redis, onError } = options
  const over = new AbortController()
  const failed = (thrown: unknown): void =>
    onError?.(thrown instanceof Error ? thrown : new Error(String(thrown)))
  /** What was heard while it was being looked; together it is one look more. */
  let next: { atLeast: Revision | null } | null = null
  let isLooking = false

  const work = async (): Promise<void> => {
    isLooking = true
    while (next !== null && !over.signal.aborted) {
      const { atLeast } = next
      next = null
      // The client tells of its failures itself, and asks again.
      await client.reload(atLeast ? formatRevision(atLeast) : undefined).catch(() => undefined)
    }
    isLooking = false
  }

  const look = (atLeast: Revision | null): void => {
    const before = next?.atLeast ?? null
    next = { atLeast: before && atLeast ? bothOf(before, atLeast) : (atLeast ?? before) }
    if (!isLooking) void work()
  }

  const heard: Heard = {
    subscribed: () => look(null),
    failed,
    message: (_, text) => {
      const { environment: where, revision, scope } = parse(text)
      const isMine = scope === undefined || scope === `~tier.${tier}`
      if (where === environment && isMine) look(parseRevision(String(revision)))
    },
  }
  subscribe(redis, [`hotswap:{${tenantId}}:events`, SHARED], heard, over.signal)
  return { close: () => over.abort() }
}
