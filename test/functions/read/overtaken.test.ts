import { expect, test } from "vitest"
import { leftMs } from "../../../db/deadline.ts"
import { acmeWorld, jsonOf, VIEW } from "./world.ts"

type World = ReturnType<typeof acmeWorld>

/** PostgreSQL looks at once and answers its first question only when it is let to. */
const holdFirstAnswer = (world: World) => {
  const held = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const { readPointer } = world.reading
  let isFirst = true
  world.reading.readPointer = async (...question) => {
    const answer = await readPointer(...question)
    if (isFirst) {
      isFirst = false
      asked.resolve()
      await held.promise
    }
    return answer
  }
  return { asked: asked.promise, release: held.resolve }
}

const limitOf = (result: { body: string }) => jsonOf(result as never).configs["limit.b"]

const overtake = async (world: World) => {
  const reader = await world.reader()
  const person = world.apiToken(["viewer"]).token
  return async () => {
    const { asked, release } = holdFirstAnswer(world)
    const slow = world.call(VIEW, reader)
    await asked
    world.database.move("acme-corp" as never, { "limit.b": 8 })
    const overtaking = await world.call(VIEW, person)
    release()
    return { overtaking, slow: await slow }
  }
}

test("a read that another one overtakes answers with what that one brought, not with an error", async () => {
  const world = acmeWorld()
  const { overtaking, slow } = await (await overtake(world))()
  expect(limitOf(overtaking)).toBe(8)
  expect([slow.statusCode, limitOf(slow)]).toEqual([200, 8])
})

test("nor does it take its reader back to what was in memory before", async () => {
  const world = acmeWorld()
  const run = await overtake(world)
  await world.call(VIEW, await world.reader())
  await world.background.settled()
  world.cache.pointers.clear()
  world.clock.advance(10_000)
  const { overtaking, slow } = await run()
  expect([limitOf(overtaking), limitOf(slow)]).toEqual([8, 8])
  expect(world.log.lines.filter(({ level }) => level === "error")).toEqual([])
})

test("what is read ahead for those to come has more time than the request that began it", async () => {
  const world = acmeWorld()
  const reader = await world.reader()
  const had: number[] = []
  const { readPointer } = world.reading
  world.reading.readPointer = async (...question) => {
    had.push(leftMs())
    return await readPointer(...question)
  }
  await world.call(VIEW, reader)
  world.clock.advance(9_000)
  await world.call(VIEW, reader)
  await world.background.settled()
  const [first, ahead, ...more] = had
  expect(first).toBeLessThan(1_000)
  expect([ahead, more]).toEqual([Number.POSITIVE_INFINITY, []])
})
