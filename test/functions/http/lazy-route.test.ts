import { expect, test } from "vitest"
import { lazily } from "../../../functions/http/lazily.ts"
import { lazyRoute } from "../../../functions/http/lazy-route.ts"
import { json, type Route, route } from "../../../functions/http/route.ts"

const declared = (path: string): Route =>
  route({
    method: "get",
    path,
    operationId: "says",
    tag: "Test",
    summary: "Says its path",
    action: "tenant.list",
    replies: { 200: { description: "The path" } },
    run: async () => json(200, path),
  })

test("what many ask for at once is made once, and kept", async () => {
  let made = 0
  const get = lazily(async () => ++made)
  expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1])
  expect(await get()).toBe(1)
})

test("what failed is not remembered: all who waited hear of it, and the next to ask has it made anew", async () => {
  let made = 0
  const get = lazily(async () => {
    if (++made === 1) throw new Error("there is no disk")
    return made
  })
  const outcomes = await Promise.allSettled([get(), get()])
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"])
  expect(await get()).toBe(2)
})

test("a route is found by its name among those that are declared with it, and nothing stands for one that is not", async () => {
  const group = async () => [declared("/one"), declared("/two")]
  const two = lazyRoute("GET /two", group)
  expect(two).toMatchObject({ method: "GET", path: "/two" })
  expect((await two.load()).path).toBe("/two")
  await expect(lazyRoute("GET /three", group).load()).rejects.toThrow("GET /three is declared nowhere")
  await expect(lazyRoute("POST /two", group).load()).rejects.toThrow("POST /two is declared nowhere")
})
