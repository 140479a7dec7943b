import { expect, test } from "vitest"
import { keepRunning, type Part } from "../../local/keep-running.ts"

interface Fake extends Part {
  number: number
  end(): void
}

/** Parts that end when told to, and a start that fails as often as it is asked to. */
const fakes = () => {
  const started: Fake[] = []
  const world = {
    started,
    stopped: [] as number[],
    befores: [] as (number | null)[],
    told: [] as string[],
    pauses: [] as number[],
    failures: 0,
    onPause: async (): Promise<void> => {},
    keep: () =>
      keepRunning<Fake>({
        name: "It",
        meaning: "see its log",
        start: async (before) => {
          world.befores.push(before?.number ?? null)
          if (world.failures-- > 0) throw new Error("no")
          const { promise, resolve } = Promise.withResolvers<void>()
          const number = started.length + 1
          const part = {
            number,
            exited: promise,
            end: resolve,
            stop: async () => void world.stopped.push(number),
          }
          started.push(part)
          return part
        },
        tell: (line) => world.told.push(line),
        pause: async (ms) => {
          world.pauses.push(ms)
          await world.onPause()
        },
      }),
  }
  return world
}

test("what ends by itself is told once, cleared away, and the next takes its place", async () => {
  const world = fakes()
  const { first, stop } = await world.keep()
  expect(first.number).toBe(1)
  world.started[0]!.end()
  await expect.poll(() => world.told).toEqual(["It has ended, see its log", "It is back"])
  expect(world.befores).toEqual([null, 1])
  expect(world.stopped).toEqual([1])
  await stop()
  expect(world.stopped, "the one that runs").toEqual([1, 2])
})

test("it is tried as often as it takes, after pauses that double up to ten seconds", async () => {
  const world = fakes()
  const { stop } = await world.keep()
  world.failures = 9
  world.started[0]!.end()
  await expect.poll(() => world.told.at(-1)).toBe("It is back")
  expect(world.pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
  expect(world.told.filter((line) => line === "It does not start again: no")).toHaveLength(9)
  await stop()
})

test("what ends again and again is not started without a pause", async () => {
  const world = fakes()
  const { stop } = await world.keep()
  for (let i = 0; i < 4; i++) {
    world.started.at(-1)!.end()
    await expect.poll(() => world.started.length).toBe(i + 2)
  }
  expect(world.pauses).toEqual([100, 200, 400])
  await stop()
})

test("the first start fails as it fails, and nothing is tried again", async () => {
  const world = fakes()
  world.failures = 1
  await expect(world.keep()).rejects.toThrow("no")
  expect(world.befores).toEqual([null])
})

test("whoever stops it while it is away gets no other", async () => {
  const world = fakes()
  const { stop } = await world.keep()
  const paused = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  world.onPause = () => {
    paused.resolve()
    return goOn.promise
  }
  world.failures = 1
  world.started[0]!.end()
  await paused.promise
  const stopped = stop()
  goOn.resolve()
  await stopped
  expect(world.started).toHaveLength(1)
})
