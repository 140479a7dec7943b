import { expect, test } from "vitest"
import type { RedisUnderTest } from "./redis.contract.ts"
import { COLLECTIONS } from "./redis-collections.contract.ts"

/** A guarantee, and the commands that show it: `COMMAND word "quoted word" → JSON of the answer, or the fault`. */
export type Case = [guarantee: string, steps: string]

const STRINGS: Case[] = [
  [
    "a string is kept byte for byte",
    String.raw`
      SET a "grün 🚀\n\"\\" → "OK"
      GET a → "grün 🚀\n\"\\"
      STRLEN a → 13
    `,
  ],
  [
    "an absent key reads as null",
    `
      GET a → null
      TTL a → -2
      TYPE a → "none"
    `,
  ],
  [
    "SET NX and XX look before they write, in any case",
    `
      set a 1 xx → null
      SET a 1 nx → "OK"
      Set a 2 Nx → null
      SET a 3 XX → "OK"
      GET a → "3"
    `,
  ],
  [
    "SET GET answers with what was there",
    `
      SET a 1 GET → null
      SET a 2 get → "1"
      SET a 3 NX GET → "2"
      GET a → "2"
    `,
  ],
  [
    "an expiry is set by EX, PX, EXAT and PXAT, and lost by a plain SET",
    `
      SET a 1 ex 100 → "OK"
      TTL a → 100
      SET a 2 KEEPTTL → "OK"
      TTL a → 100
      SET a 3 → "OK"
      TTL a → -1
      SET a 1 PX 100000 → "OK"
      TTL a → 100
      SET a 1 EXAT 99999999999 → "OK"
      EXPIRETIME a → 99999999999
      SET a 1 PXAT 99999999999999 → "OK"
      PEXPIRETIME a → 99999999999999
    `,
  ],
  [
    "a key whose time has passed is gone",
    `
      SET a 1 → "OK"
      PEXPIREAT a 1 → 1
      GET a → null
      EXISTS a → 0
      DBSIZE → 0
    `,
  ],
  [
    "SET refuses options that contradict each other",
    `
      SET a 1 NX XX → ERR syntax error
      SET a 1 EX 1 KEEPTTL → ERR syntax error
      SET a 1 EX → ERR syntax error
      SET a 1 FOO → ERR syntax error
      SET a 1 EX 0 → ERR invalid expire time in 'set' command
      SET a 1 EX x → ERR value is not an integer or out of range
      GET a → null
    `,
  ],
  [
    "SETEX, PSETEX, SETNX, GETSET, GETDEL and GETEX do as their names say",
    `
      SETEX a 10 1 → "OK"
      TTL a → 10
      PSETEX a 10000 2 → "OK"
      TTL a → 10
      SETNX a 3 → 0
      GETEX a PERSIST → "2"
      TTL a → -1
      GETEX a EX 9 → "2"
      TTL a → 9
      GETSET a 4 → "2"
      TTL a → -1
      GETDEL a → "4"
      GET a → null
      SETEX a 0 1 → ERR invalid expire time in 'setex' command
    `,
  ],
  [
    "counters count, to 64 bits and no further",
    `
      INCR n → 1
      INCRBY n 41 → 42
      DECR n → 41
      DECRBY n 40 → 1
      SET n 9223372036854775806 → "OK"
      EVAL "return redis.call('INCR', 'n') and 1" 0 → 1
      GET n → "9223372036854775807"
      INCR n → ERR increment or decrement would overflow
      SET n 1.5 → "OK"
      INCR n → ERR value is not an integer or out of range
      INCRBY m x → ERR value is not an integer or out of range
    `,
  ],
  [
    "counting keeps the expiry",
    `
      SET n 1 EX 100 → "OK"
      INCR n → 2
      TTL n → 100
      INCRBYFLOAT n 0.5 → "2.5"
      TTL n → 100
    `,
  ],
  [
    "INCRBYFLOAT adds decimals as people do",
    `
      INCRBYFLOAT n 0.1 → "0.1"
      INCRBYFLOAT n 0.2 → "0.3"
      INCRBYFLOAT n -1.3 → "-1"
      INCRBYFLOAT n x → ERR value is not a valid float
    `,
  ],
  [
    "MSET and MGET take many keys",
    `
      MSET a 1 b 2 → "OK"
      SADD s x → 1
      MGET a b c s → ["1","2",null,null]
      MSETNX b 3 c 3 → 0
      GET c → null
      MSET a → ERR wrong number of arguments for 'mset' command
    `,
  ],
  [
    "parts of strings are counted in bytes",
    `
      APPEND a "grün" → 5
      APPEND a ! → 6
      GETRANGE a 0 1 → "gr"
      GETRANGE a -2 -1 → "n!"
      GETRANGE a 9 12 → ""
      SETRANGE a 0 GR → 6
      GET a → "GRün!"
    `,
  ],
]

const KEYS: Case[] = [
  [
    "DEL, UNLINK, EXISTS and TOUCH count the keys that were there",
    `
      MSET a 1 b 2 → "OK"
      EXISTS a a x → 2
      TOUCH a x → 1
      DEL a x → 1
      UNLINK b → 1
      DBSIZE → 0
    `,
  ],
  [
    "EXPIRE obeys NX, XX, GT and LT",
    `
      SET a 1 → "OK"
      EXPIRE a 100 XX → 0
      EXPIRE a 100 nx → 1
      EXPIRE a 50 GT → 0
      EXPIRE a 50 LT → 1
      TTL a → 50
      PERSIST a → 1
      PERSIST a → 0
      EXPIRE x 1 → 0
      EXPIRE a x → ERR value is not an integer or out of range
      EXPIRE a -1 → 1
      GET a → null
    `,
  ],
  [
    "KEYS and SCAN match globs",
    `
      MSET user:1 a user:22 b other c → "OK"
      KEYS user:? → ["user:1"]
      KEYS [n-p]th* → ["other"]
      SCAN 0 MATCH o* COUNT 1000 → ["0",["other"]]
      SCAN 0 TYPE hash COUNT 1000 → ["0",[]]
      SCAN x → ERR invalid cursor
    `,
  ],
  [
    "RENAME takes value and expiry along",
    `
      SET a 1 EX 100 → "OK"
      RENAME a b → "OK"
      TTL b → 100
      RENAME a b → ERR no such key
      SET a 2 → "OK"
      RENAMENX a b → 0
    `,
  ],
  [
    "each kind of value refuses the others' commands, and stays",
    `
      SET s 1 → "OK"
      HSET h f 1 → 1
      GET h → WRONGTYPE Operation against a key holding the wrong kind of value
      INCR h → WRONGTYPE Operation against a key holding the wrong kind of value
      HGET s f → WRONGTYPE Operation against a key holding the wrong kind of value
      SADD s m → WRONGTYPE Operation against a key holding the wrong kind of value
      ZADD h 1 m → WRONGTYPE Operation against a key holding the wrong kind of value
      LPUSH s e → WRONGTYPE Operation against a key holding the wrong kind of value
      TYPE s → "string"
      TYPE h → "hash"
      SET h "now a string" → "OK"
      TYPE h → "string"
    `,
  ],
  [
    "what is no command is refused in Redis's own words",
    `
      NOSUCH a b → ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' 
      GET → ERR wrong number of arguments for 'get' command
      get a b → ERR wrong number of arguments for 'get' command
      SUBSCRIBE a → ERR unknown command 'SUBSCRIBE', with args beginning with: 'a' 
      SHUTDOWN → ERR unknown command 'SHUTDOWN', with args beginning with: 
    `,
  ],
  [
    "PING and ECHO answer",
    `
      PING → "PONG"
      PING a → "a"
      ECHO a → "a"
    `,
  ],
]

/** The commands, answer by answer. */
export const commandContract = ({ run }: Pick<RedisUnderTest, "run">): void => {
  test.each([...STRINGS, ...KEYS, ...COLLECTIONS])("%s", async (_guarantee, text) => {
    const steps = text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => line.trim().split(" → ") as [string, string])
    const answers = await run(...steps.map(([command]) => wordsOf(command)))
    const shown = (answer: unknown): string =>
      answer instanceof Error ? answer.message.trim() : JSON.stringify(answer)
    expect(steps.map(([command], i) => `${command} → ${shown(answers[i])}`)).toEqual(
      steps.map(([command, expected]) => `${command} → ${expected.trim()}`),
    )
  })

  test("TIME tells seconds and microseconds", async () => {
    const [time] = (await run(["TIME"])) as [[string, string]]
    expect(time).toEqual([expect.stringMatching(/^\d{10}$/), expect.stringMatching(/^\d{1,6}$/)])
  })
}

const wordsOf = (command: string): string[] =>
  (command.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).map((word) =>
    word.startsWith('"') ? (JSON.parse(word) as string) : word,
  )
