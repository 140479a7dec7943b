import { expect, test } from "vitest"
import { startSchedules, type TimerClock } from "../../local/timers.ts"

/** A clock that moves only when told. */
const handClock = (): TimerClock & { turn(ms: number): Promise<void> } => {
  let nowMs = 0
  const timers = new Map<object, { atMs: number; run: () => void }>()
  return {
    setTimeout: (run, ms) => {
      const timer = {}
      timers.set(timer, { atMs: nowMs + ms, run })
      return timer
    },
    clearTimeout: (timer) => void timers.delete(timer as object),
    turn: async (ms) => {
      nowMs += ms
      for (const [timer, { atMs, run }] of timers)
        if (atMs <= nowMs) {
          timers.delete(timer)
          run()
        }
      // Let what the run awaited settle.
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}
const quiet = { error: () => undefined }

test("a scheduled function runs after each interval", async () => {
  const clock = handClock()
  let runs = 0
  const schedules = startSchedules([{ name: "a", everyMs: 100, run: async () => ++runs }], quiet, clock)
  expect(runs).toBe(0)
  await clock.turn(99)
  expect(runs).toBe(0)
  for (let i = 1; i <= 3; i++) {
    await clock.turn(100)
    expect(runs).toBe(i)
  }
  await schedules.stop()
})

test("a run that takes long is never overlapped, and holds up no other function", async () => {
  const clock = handClock()
  const slow = Promise.withResolvers<void>()
  const began = { slow: 0, quick: 0 }
  const schedules = startSchedules(
    [
      {
        name: "slow",
        everyMs: 100,
        run: () => {
          began.slow += 1
          return slow.promise
        },
      },
      { name: "quick", everyMs: 100, run: async () => void began.quick++ },
    ],
    quiet,
    clock,
  )
  for (let i = 0; i < 5; i++) await clock.turn(100)
  expect(began).toEqual({ slow: 1, quick: 5 })
  slow.resolve()
  await clock.turn(0)
  await clock.turn(100)
  expect(began.slow).toBe(2)
  await schedules.stop()
})

test("a run that fails is logged and the next one comes", async () => {
  const clock = handClock()
  const logged: unknown[] = []
  let runs = 0
  const run = async (): Promise<void> => {
    runs += 1
    throw new Error("no")
  }
  const log = {
    error: (_message: string, fields: Record<string, unknown>) => void logged.push(fields.schedule),
  }
  const schedules = startSchedules([{ name: "failing", everyMs: 10, run }], log, clock)
  await clock.turn(10)
  await clock.turn(10)
  expect(runs).toBe(2)
  expect(logged).toEqual(["failing", "failing"])
  await schedules.stop()
})

test("stopping waits for the run under way and starts no other", async () => {
  const clock = handClock()
  const slow = Promise.withResolvers<void>()
  let runs = 0
  const run = (): Promise<void> => {
    runs += 1
    return slow.promise
  }
  const schedules = startSchedules([{ name: "a", everyMs: 10, run }], quiet, clock)
  await clock.turn(10)
  let stopped = false
  const stopping = schedules.stop().then(() => {
    stopped = true
  })
  await clock.turn(10)
  expect(stopped).toBe(false)
  slow.resolve()
  await stopping
  await clock.turn(100)
  expect(runs).toBe(1)
})
