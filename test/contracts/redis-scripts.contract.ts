import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import type { RedisUnderTest } from "./redis.contract.ts"

/** Lua, as far as Hotswap's scripts go and a little further. */
export const scriptContract = ({ run, client }: RedisUnderTest): void => {
  const evaluate = async (script: string, keys: string[] = [], args: string[] = []): Promise<unknown> => {
    const [answer] = await run(["EVAL", script, keys.length, ...keys, ...args])
    return answer instanceof Error ? `fault: ${answer.message}` : answer
  }

  test.each([
    ["a string", "return 'grün'", "grün"],
    ["a number without its fraction", "return {3.9, -3.9, 10 / 4}", [3, -3, 2]],
    ["true as 1, false and nil as null", "return {true, false, 7}", [1, null, 7]],
    ["nothing as null", "local x = 1", null],
    ["a table up to its first nil", "return {1, {2, 'three'}, nil, 4}", [1, [2, "three"]]],
    ["a status", "return redis.status_reply('FINE')", "FINE"],
    ["an error", "return redis.error_reply('BAD it is')", "fault: BAD it is"],
    ["an error without a code as ERR", "return redis.error_reply('bad')", "fault: ERR bad"],
  ])("a script answers with %s", async (_what, script, expected) => {
    expect(await evaluate(script)).toEqual(expected)
  })

  test("KEYS and ARGV are strings, whatever they look like", async () => {
    expect(
      await evaluate("return {KEYS[1], KEYS[2], ARGV[1], type(ARGV[1]), #ARGV}", ["a", "b"], ["1"]),
    ).toEqual(["a", "b", "1", "string", 1])
  })

  test.each([
    ["times in milliseconds add up", "return tonumber(ARGV[1]) + 1", 1700000000001],
    ["counts beyond 32 bits do not wrap", "return 2147483647 + 1", 2147483648],
    [
      "rounding does not bring 32 bits back",
      "return math.floor(2000000000.5) + math.floor(2000000000.5)",
      4000000000,
    ],
    ["lengths multiply beyond 32 bits", "return #ARGV * 4294967296", 4294967296],
    ["a whole quotient prints without a fraction", "return 10 / 2 .. ''", "5"],
    ["a large time prints whole", "return tostring(tonumber(ARGV[1]))", "1700000000000"],
    [
      "%d takes large numbers",
      "return string.format('%d|%5.1f|%s|%%', ARGV[1], 3, 'x')",
      "1700000000000|  3.0|x|%",
    ],
    [
      "unpack and loops work as in Lua 5.1",
      "local s = 0 for i = 1, 3 do s = s + i end return {s, select('#', unpack({1, 2, 3}))}",
      [6, 3],
    ],
  ])("numbers are doubles: %s", async (_what, script, expected) => {
    expect(await evaluate(script, [], ["1700000000000"])).toEqual(expected)
  })

  test("commands answer to a script as Redis documents it", async () => {
    const script = `
      local ok = redis.call('SET', KEYS[1], 10)
      local absent = redis.call('get', 'nothing')
      local list = redis.call('MGET', KEYS[1], 'nothing')
      return {ok.ok, tostring(absent), redis.call('INCR', KEYS[1]), list[1], tostring(list[2]), type(redis.call('STRLEN', KEYS[1]))}`
    expect(await evaluate(script, ["n"])).toEqual(["OK", "false", 11, "10", "false", "number"])
  })

  test("a fault ends the script through call and is handed to it through pcall", async () => {
    await run(["SET", "s", "1"])
    expect(await evaluate("redis.call('LPUSH', KEYS[1], 1) return 'unreached'", ["s"])).toMatch(
      /^fault: WRONGTYPE /,
    )
    expect(await evaluate("return redis.pcall('LPUSH', KEYS[1], 1).err", ["s"])).toMatch(/^WRONGTYPE /)
    expect(await evaluate("return redis.pcall('LPUSH', KEYS[1], 1)", ["s"])).toMatch(/^fault: WRONGTYPE /)
    expect(await evaluate("return redis.call('NOSUCH')")).toMatch(
      /^fault: ERR Unknown Redis command called from script/,
    )
    expect(await evaluate("return redis.call('GET')")).toMatch(
      /^fault: ERR Wrong number of args calling Redis command from script/,
    )
    expect(await evaluate("return redis.call('SUBSCRIBE', 'a')")).toMatch(
      /^fault: ERR This Redis command is not allowed from script/,
    )
    expect(await evaluate("error('told')")).toMatch(/^fault: ERR user_script:1: told/)
    expect(await evaluate("this is no Lua")).toMatch(/^fault: ERR Error compiling script/)
  })

  test("a script has no globals of its own and reaches nothing outside", async () => {
    expect(await evaluate("x = 1")).toMatch(/Attempt to modify a readonly table/)
    expect(await evaluate("return y")).toMatch(/nonexistent global variable 'y'/)
    for (const name of ["io", "require", "dofile", "loadfile", "package", "js"])
      expect(await evaluate(`return ${name}`), name).toMatch(/nonexistent global variable/)
  })

  test("cjson reads and writes JSON", async () => {
    const document = {
      text: 'a/"b"\n',
      list: [1, 2.5, null],
      nested: { yes: true, at: 1700000000000 },
      empty: {},
    }
    const [text] = await run([
      "EVAL",
      "return cjson.encode(cjson.decode(ARGV[1]))",
      0,
      JSON.stringify(document),
    ])
    expect(JSON.parse(text as string)).toEqual(document)
    const script =
      "local d = cjson.decode(ARGV[1]) return {d.list[1], tostring(d.list[3] == cjson.null), d.nested.at, #d.list}"
    expect(await evaluate(script, [], [JSON.stringify(document)])).toEqual([1, "true", 1700000000000, 3])
    expect(await evaluate("return cjson.encode({1, 'x/y', false})")).toBe('[1,"x\\/y",false]')
    expect(await evaluate("return cjson.decode('nope')")).toMatch(/^fault: ERR .*invalid token/)
  })

  test("a script is found again by its SHA-1, through EVALSHA and SCRIPT", async () => {
    const script = "return {KEYS[1], ARGV[1]}"
    const sha = createHash("sha1").update(script).digest("hex")
    await run(["SCRIPT", "FLUSH"])
    const [unknown] = await run(["EVALSHA", sha, 0])
    expect(unknown).toEqual(new Error("NOSCRIPT No matching script. Please use EVAL."))
    expect(await client().scriptLoad(script)).toBe(sha)
    expect(await client().evalsha(sha.toUpperCase(), ["k"], ["v"])).toEqual(["k", "v"])
    expect(await run(["SCRIPT", "EXISTS", sha, "0".repeat(40)])).toEqual([[1, 0]])
    expect(await evaluate("return redis.sha1hex(ARGV[1])", [], [script])).toBe(sha)
  })

  test("the number of keys is checked", async () => {
    expect(
      await run(["EVAL", "return 1", "x"], ["EVAL", "return 1", 3, "a"], ["EVAL", "return 1", -1]),
    ).toEqual([
      new Error("ERR value is not an integer or out of range"),
      new Error("ERR Number of keys can't be greater than number of args"),
      new Error("ERR Number of keys can't be negative"),
    ])
  })

  test("a compare-and-set by script lets the newest win, whoever comes first", async () => {
    const script = `
      local held = redis.call('GET', KEYS[1])
      if held and cjson.decode(held).at >= tonumber(ARGV[2]) then return 0 end
      redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
      return 1`
    const times = [5, 3, 9, 1, 7, 9, 2, 8].map((n) => 1700000000000 + n)
    const won = await Promise.all(
      times.map((at) => client().eval(script, ["pointer"], [JSON.stringify({ at }), String(at), "60000"])),
    )
    expect(won).toContain(1)
    expect(await client().get("pointer")).toBe(JSON.stringify({ at: 1700000000009 }))
  })
}
