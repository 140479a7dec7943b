import { disperse, populate, type Service } from "./people.ts"
import { type Counted, figuresOf, type Report, reportOf } from "./tally.ts"
import { runUsers, usersAt } from "./users.ts"

export interface Load {
  seconds: number
  tenants: number
  seed: number
  /** What the tenants are called, with a number behind it. */
  name: string
  /** They are deleted afterwards. */
  tidy: boolean
}

const TELL_EVERY_MS = 10_000

/** Puts the load on, and says what came of it. `tell` hears how it goes on; `signal` ends it early. */
export const putLoad = async (
  service: Service,
  load: Load,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<Report> => {
  tell(`making ${load.tenants} tenants`)
  const subjects = await populate(service, load.name, load.tenants)
  const calls: Counted[] = []
  const startedAt = performance.now()
  const timer = setInterval(() => {
    const seconds = (performance.now() - startedAt) / 1_000
    const { requests, p95Ms, failed, limited } = figuresOf(calls)
    tell(
      `${Math.round(seconds)} of ${load.seconds} s, ${usersAt(seconds / load.seconds)} users: ${requests} requests, p95 ${p95Ms} ms, ${failed} failed, ${limited} limited`,
    )
  }, TELL_EVERY_MS)
  try {
    const { seconds, seed } = load
    await runUsers({ service, subjects, seconds, seed, count: (call) => calls.push(call), signal })
  } finally {
    clearInterval(timer)
    const left = load.tidy ? await disperse(service, subjects) : 0
    if (left > 0) tell(`${left} of the tenants ${load.name}-… could not be deleted again`)
  }
  return reportOf(calls)
}
