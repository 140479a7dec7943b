import { expect, test } from "vitest"
import type { RedisUnderTest } from "./redis.contract.ts"

/** The wire protocol itself, and the client that the service uses on it. */
export const restContract = ({ running, client, post, run }: RedisUnderTest): void => {
  test("a command is posted as an array and answers with its result", async () => {
    const answer = await post("/", ["SET", "a", 1, "EX", 60])
    expect(answer.status).toBe(200)
    expect(answer.headers.get("content-type")).toBe("application/json")
    expect(await answer.json()).toEqual({ result: "OK" })
    expect(await (await post("/", ["MGET", "a", "b"])).json()).toEqual({ result: ["1", null] })
  })

  test("a fault answers 400 with Redis's own text", async () => {
    const answer = await post("/", ["INCR"])
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual({ error: "ERR wrong number of arguments for 'incr' command" })
  })

  test.each([
    ["no JSON", "SET a 1"],
    ["no array", { command: "SET" }],
    ["nothing", []],
    ["a nested command", [["SET", ["a"]]]],
    ["null", ["SET", "a", null]],
  ])("a body of %s is refused and does nothing", async (_what, body) => {
    const answer = await post("/", body)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual({ error: expect.stringMatching(/^ERR /) })
    expect(await run(["DBSIZE"])).toEqual([0])
  })

  test.each([
    ["no token", {}],
    ["another token", { authorization: "Bearer another" }],
    ["another scheme", { authorization: "Basic another" }],
  ])("nothing is served to %s", async (_what, headers) => {
    const answer = await fetch(running().url, {
      method: "POST",
      headers,
      body: JSON.stringify(["SET", "a", "1"]),
    })
    expect(answer.status).toBe(401)
    expect(await answer.json()).toEqual({ error: expect.stringMatching(/^WRONGPASS /) })
    expect(await run(["GET", "a"])).toEqual([null])
  })

  test("with Upstash-Encoding every string but OK is base64, at any depth", async () => {
    const encoding = { "upstash-encoding": "base64" }
    const base64 = (text: string): string => Buffer.from(text).toString("base64")
    expect(await (await post("/", ["SET", "a", "grün"], encoding)).json()).toEqual({ result: "OK" })
    expect(await (await post("/", ["PING"], encoding)).json()).toEqual({ result: base64("PONG") })
    expect(
      await (await post("/", ["EVAL", "return {'x', {redis.call('GET', 'a'), 1}}", 0], encoding)).json(),
    ).toEqual({
      result: [base64("x"), [base64("grün"), 1]],
    })
    expect(await (await post("/pipeline", [["GET", "a"], ["NOSUCH"]], encoding)).json()).toEqual([
      { result: base64("grün") },
      { error: expect.stringMatching(/^ERR unknown command/) },
    ])
  })

  test("a pipeline runs to its end although one command fails", async () => {
    expect(await run(["SET", "a", "x"], ["INCR", "a"], ["GET", "a"])).toEqual([
      "OK",
      new Error("ERR value is not an integer or out of range"),
      "x",
    ])
  })

  test("a transaction runs as one, and not at all when a command in it cannot exist", async () => {
    const done = await post("/multi-exec", [
      ["SET", "a", "1"],
      ["LPUSH", "a", "x"],
      ["INCR", "a"],
    ])
    expect(await done.json()).toEqual([
      { result: "OK" },
      { error: expect.stringMatching(/^WRONGTYPE /) },
      { result: 2 },
    ])
    for (const impossible of [["NOSUCH"], ["GET"], ["SUBSCRIBE", "a"], ["WATCH", "a"]]) {
      const discarded = await post("/multi-exec", [["SET", "a", "9"], impossible])
      expect(discarded.status).toBe(400)
      expect(await discarded.json()).toEqual({ error: expect.stringMatching(/^EXECABORT /) })
    }
    expect(await run(["GET", "a"])).toEqual(["2"])
  })

  test("transactions of many clients do not mix", async () => {
    const rounds = Array.from({ length: 20 }, async () => {
      const answer = await post("/multi-exec", [
        ["INCR", "n"],
        ["INCR", "n"],
      ])
      return (await answer.json()) as [{ result: number }, { result: number }]
    })
    for (const [first, second] of await Promise.all(rounds)) expect(second.result).toBe(first.result + 1)
  })

  test("a command may be a path, with the body as its last word", async () => {
    expect(await (await post("/set/a", "from the body")).json()).toEqual({ result: "OK" })
    const headers = { authorization: `Bearer ${running().token}` }
    expect(await (await fetch(`${running().url}/get/a`, { headers })).json()).toEqual({
      result: "from the body",
    })
  })

  test("the client's commands, pipelines and transactions work", async () => {
    await client().hset("h", { a: "1", b: "grün" })
    expect(await client().hget("h", "b")).toBe("grün")
    expect(await client().pipeline().set("a", "1").incr("a").get("a").exec()).toEqual(["OK", 2, "2"])
    expect(await client().multi().set("a", "5").incr("a").exec()).toEqual(["OK", 6])
    expect(await client().zadd("z", { score: 1, member: "a" }, { score: 2, member: "b" })).toBe(2)
    expect(await client().set("a", "1", { ex: 60, nx: true })).toBeNull()
    await expect(client().lpush("a", "x")).rejects.toThrow("WRONGTYPE")
  })

  test("a message published reaches subscribers of the channel and of a pattern, and nobody else", async () => {
    const heard: string[] = []
    const exact = client().subscribe<string>("news:a")
    const pattern = client().psubscribe<string>("news:*")
    const other = client().subscribe<string>("other")
    for (const subscription of [exact, pattern, other])
      await new Promise((resolve) =>
        subscription.on(subscription === pattern ? "psubscribe" : "subscribe", resolve),
      )
    const both = new Promise<void>((resolve) => {
      const note = (line: string): void => {
        if (heard.push(line) === 2) resolve()
      }
      exact.on("message", ({ channel, message }) => note(`${channel} ${message}`))
      pattern.on("pmessage", ({ pattern: by, channel, message }) => note(`${by} ${channel} ${message}`))
      other.on("message", () => note("other"))
    })
    expect(await client().publish("news:a", '{"x":"a,b"}')).toBe(2)
    await both
    expect(heard.sort()).toEqual(['news:* news:a {"x":"a,b"}', 'news:a {"x":"a,b"}'])
    await Promise.all([exact, pattern, other].map((subscription) => subscription.unsubscribe()))
  })

  test("a subscription that was left is no longer counted", async () => {
    const leaving = new AbortController()
    const answer = await fetch(`${running().url}/subscribe/gone`, {
      method: "POST",
      headers: { authorization: `Bearer ${running().token}` },
      signal: leaving.signal,
    })
    const reader = answer.body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("data: subscribe,gone,1\n\n")
    expect(await client().publish("gone", "1")).toBe(1)
    leaving.abort()
    await expect.poll(() => client().publish("gone", "2")).toBe(0)
  })
}
