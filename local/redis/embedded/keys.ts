import { OK, RedisFault, type Reply, Status, syntaxError, wrongArity } from "../reply.ts"
import { type CommandTable, takes } from "./command.ts"
import { type Keyspace, typeOf } from "./keyspace.ts"
import { globToRegExp, parseCount, parseInteger } from "./text.ts"

const each = (keys: readonly string[], holds: (key: string) => boolean): number =>
  keys.reduce((count, key) => count + (holds(key) ? 1 : 0), 0)

const remove = takes(-2, (space, keys) => each(keys, (key) => space.delete(key)))
const exists = takes(-2, (space, keys) => each(keys, (key) => space.find(key) !== undefined))
const flush = takes(-1, (space) => {
  space.clear()
  return OK
})

/** The commands that set when a key expires differ in their unit and in what they count from. */
const expire = (name: string, unitMs: number, from: "now" | "epoch") =>
  takes(-3, (space, [key, amount, ...flags]) => {
    const given = parseInteger(amount!)
    const at = Number(given) * unitMs + (from === "now" ? space.now() : 0)
    if (!Number.isSafeInteger(at)) throw new RedisFault(`ERR invalid expire time in '${name}' command`)
    const only = parseExpireFlags(flags)
    const before = space.expiresAtMs(key!)
    if (before === undefined) return 0
    if (only.has("nx") && before !== Infinity) return 0
    if (only.has("xx") && before === Infinity) return 0
    if (only.has("gt") && at <= before) return 0
    if (only.has("lt") && at >= before) return 0
    space.expireAt(key!, at)
    return 1
  })

const parseExpireFlags = (flags: readonly string[]): Set<string> => {
  const only = new Set(flags.map((flag) => flag.toLowerCase()))
  const unknown = flags.find((flag) => !["nx", "xx", "gt", "lt"].includes(flag.toLowerCase()))
  if (unknown !== undefined) throw new RedisFault(`ERR Unsupported option ${unknown}`)
  if (only.has("nx") && only.size > 1)
    throw new RedisFault("ERR NX and XX, GT or LT options at the same time are not compatible")
  if (only.has("gt") && only.has("lt"))
    throw new RedisFault("ERR GT and LT options at the same time are not compatible")
  return only
}

/** -2 without the key, -1 without an expiry, else what is left of it. */
const timeLeft = (show: (expiresAtMs: number, nowMs: number) => number) =>
  takes(2, (space, [key]) => {
    const expiresAtMs = space.expiresAtMs(key!)
    if (expiresAtMs === undefined) return -2
    return expiresAtMs === Infinity ? -1 : show(expiresAtMs, space.now())
  })

const rename = (space: Keyspace, from: string, to: string): void => {
  const value = space.find(from)
  if (value === undefined) throw new RedisFault("ERR no such key")
  const expiresAtMs = space.expiresAtMs(from)!
  space.delete(from)
  space.put(to, value, expiresAtMs)
}

/** Which elements a SCAN of any kind shows; the whole collection is one page here. */
export const parseScan = (
  args: readonly string[],
  withType: boolean,
): { match: RegExp; type: string | null } => {
  let match = /^/
  let type: string | null = null
  for (let i = 0; i < args.length; i += 2) {
    const option = args[i]!.toLowerCase()
    const value = args[i + 1]
    if (value === undefined) throw syntaxError()
    if (option === "match") match = globToRegExp(value)
    else if (option === "type" && withType) type = value.toLowerCase()
    else if (option !== "count") throw syntaxError()
    else if (parseCount(value) < 1) throw syntaxError()
  }
  return { match, type }
}

/** A page of a scan: everything at the first cursor, after which the scan is over. */
export const scanPage = (cursor: string, elements: () => Reply[]): Reply => {
  if (!/^\d+$/.test(cursor)) throw new RedisFault("ERR invalid cursor")
  return ["0", cursor === "0" ? elements() : []]
}

const scan = takes(-2, (space, [cursor, ...options]) => {
  const { match, type } = parseScan(options, true)
  return scanPage(cursor!, () =>
    [...space.keys()].filter(
      (key) => match.test(key) && (type === null || typeOf(space.find(key)!) === type),
    ),
  )
})

const SECOND_MS = 1_000

export const keyCommands: CommandTable = {
  del: remove,
  unlink: remove,
  exists,
  touch: exists,
  type: takes(2, (space, [key]) => {
    const value = space.find(key!)
    return new Status(value === undefined ? "none" : typeOf(value))
  }),
  keys: takes(2, (space, [pattern]) => {
    const match = globToRegExp(pattern!)
    return [...space.keys()].filter((key) => match.test(key))
  }),
  scan,
  rename: takes(3, (space, [from, to]) => {
    rename(space, from!, to!)
    return OK
  }),
  renamenx: takes(3, (space, [from, to]) => {
    if (space.find(from!) === undefined) throw new RedisFault("ERR no such key")
    if (space.find(to!) !== undefined) return 0
    rename(space, from!, to!)
    return 1
  }),
  expire: expire("expire", SECOND_MS, "now"),
  pexpire: expire("pexpire", 1, "now"),
  expireat: expire("expireat", SECOND_MS, "epoch"),
  pexpireat: expire("pexpireat", 1, "epoch"),
  ttl: timeLeft((expiresAtMs, nowMs) => Math.floor((expiresAtMs - nowMs + 500) / SECOND_MS)),
  pttl: timeLeft((expiresAtMs, nowMs) => expiresAtMs - nowMs),
  expiretime: timeLeft((expiresAtMs) => Math.floor((expiresAtMs + 500) / SECOND_MS)),
  pexpiretime: timeLeft((expiresAtMs) => expiresAtMs),
  persist: takes(2, (space, [key]) => {
    const expiresAtMs = space.expiresAtMs(key!)
    if (expiresAtMs === undefined || expiresAtMs === Infinity) return 0
    space.expireAt(key!, Infinity)
    return 1
  }),
  dbsize: takes(1, (space) => space.count()),
  flushdb: flush,
  flushall: flush,
  ping: takes(-1, (_space, args) => {
    if (args.length > 1) throw wrongArity("ping")
    return args[0] ?? new Status("PONG")
  }),
  echo: takes(2, (_space, [text]) => text!),
  time: takes(1, (space) => {
    const nowMs = space.now()
    return [String(Math.floor(nowMs / SECOND_MS)), String((nowMs % SECOND_MS) * 1_000)]
  }),
}
