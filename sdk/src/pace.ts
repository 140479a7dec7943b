/** How often to ask, in seconds. */
interface Pace {
  alone: number
  withStream: number
}

/** Until the service says another. */
export const FIRST_PACE: Pace = { alone: 10, withStream: 30 }

const within = (seconds: number): number => Math.min(3_600, Math.max(1, seconds))

/** What `Hotswap-Poll: 10;stream=30` says. */
export const paceOf = (header: string | null): Pace => {
  const [alone = FIRST_PACE.alone, withStream = alone] = header?.match(/\d+/g)?.map(Number) ?? []
  return { alone: within(alone), withStream: within(withStream) }
}

/** Clients that began together do not go on together; none asks later than its pace. */
const JITTER = 0.2

export const pauseMsOf = ({ alone, withStream }: Pace, isStreaming: boolean): number =>
  (isStreaming ? withStream : alone) * 1_000 * (1 - JITTER * Math.random())
