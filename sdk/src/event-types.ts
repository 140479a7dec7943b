import type { EventData, EventType } from "../../core/usage/event.ts"

type DataOf<Type extends EventType> = Extract<EventData, { type: Type }>["data"]

/** What an event of each type says. Amounts are whole cents. */
export type EventFields = {
  [Type in EventType]: Type extends "metrics"
    ? DataOf<Type>
    : DataOf<Type> & (Type extends "user_login" ? { userId: string } : { userId?: string })
}

export interface EventsClientOptions {
  /** Of the service. */
  url: string
  /** A reader token; one for several tenants tells of each of them. */
  token: string
  /** Whose an event is that was tracked outside of any tenant context. */
  tenantId?: string
  /** So long an event waits for others to go with. Default 1,000. */
  ageMaxMs?: number
  /** So many go together, or as many as are 300,000 characters long. Default 500, which is also the most. */
  batchMax?: number
  /** So many wait at the most, 16 million characters together; what comes then is dropped. Default 10,000. */
  waitingMax?: number
  /**
   * Told of what is dropped, and why, and that the service does not answer: of each once, until events are told again. Default: a
   * warning of the process.
   */
  onError?: (error: Error) => void
  /** The `traceparent` of the running request: `flush` is part of its trace. */
  traceparent?: () => string | undefined
  fetch?: typeof fetch
}

export interface TrackOptions {
  /** Otherwise that of the running request. */
  tenantId?: string
  /** Tracked again under its id it is counted once, whoever tracks it. Made up where there is none. */
  id?: string
  /** When it happened. Default now. */
  at?: Date
}

/** What became of all events that were tracked: each is in one of these. */
export interface EventCounts {
  /** Not told yet. */
  waiting: number
  /** Kept by the service, now or when it was told before. */
  told: number
  dropped: {
    /** There was no room. */
    full: number
    /** It could not be told: no tenant, no JSON, too long. */
    invalid: number
    /** The service does not take it as it is. */
    refused: number
    /** The client was closed before it was known to be kept. */
    late: number
  }
}
