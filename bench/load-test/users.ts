import { setTimeout as pause } from "node:timers/promises"
import { murmur3 } from "../../core/release/bucket.ts"
import { call, kindAt } from "./calls.ts"
import type { Service, Subject } from "./people.ts"
import type { Counted } from "./tally.ts"

/** How many users there are when so much of the run is over, with straight lines between. */
const RAMP: readonly (readonly [share: number, users: number])[] = [
  [0, 10],
  [0.5, 50],
  [0.75, 100],
  [1, 100],
]
const USERS_MAX = 100
/** How long a user thinks between two calls. */
const THINKING_MS = { min: 200, max: 800 }

export const usersAt = (share: number): number => {
  const next = RAMP.findIndex(([until]) => until >= Math.min(1, share))
  if (next <= 0) return RAMP[0]![1]
  const [[from, few], [until, many]] = [RAMP[next - 1]!, RAMP[next]!]
  return Math.floor(few + ((many - few) * (share - from)) / (until - from))
}

/** How much of the run is over when the user comes: the other way round. */
const comesAt = (user: number): number => {
  const next = RAMP.findIndex(([, users]) => users > user)
  if (next <= 0) return 0
  const [[from, few], [until, many]] = [RAMP[next - 1]!, RAMP[next]!]
  return from + ((until - from) * (user + 1 - few)) / (many - few)
}

/** From 0 to 1, the same for the same run, user and number. */
const chanceOf = (seed: number, user: number, nth: number): number =>
  murmur3(`${seed}/${user}/${nth}`) / 2 ** 32

export interface Run {
  service: Service
  subjects: readonly Subject[]
  seconds: number
  seed: number
  /** Told of each call when it is over. */
  count: (call: Counted) => void
  /** Ends it early: nobody begins another call. */
  signal: AbortSignal
}

/** Resolves once every user has the answer to their last call. */
export const runUsers = async (run: Run): Promise<void> => {
  const endsAt = performance.now() + run.seconds * 1_000
  await Promise.all(Array.from({ length: USERS_MAX }, (_, user) => runUser(run, user, endsAt)))
}

const runUser = async (run: Run, user: number, endsAt: number): Promise<void> => {
  const { service, subjects, seconds, seed, count, signal } = run
  const subject = subjects[user % subjects.length]!
  const waits = async (ms: number): Promise<boolean> => {
    if (performance.now() + ms >= endsAt) return false
    return await pause(ms, true, { signal }).catch(() => false)
  }
  let goesOn = await waits(comesAt(user) * seconds * 1_000)
  for (let nth = 0; goesOn; nth += 2) {
    const kind = kindAt(chanceOf(seed, user, nth))
    count({ ...(await call(service, kind, subject, `user-${user}`)), tier: subject.tier })
    goesOn = await waits(
      THINKING_MS.min + (THINKING_MS.max - THINKING_MS.min) * chanceOf(seed, user, nth + 1),
    )
  }
}
