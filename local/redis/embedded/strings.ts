import { notAFloat, OK, RedisFault, type Reply, syntaxError, wrongArity } from "../reply.ts"
import { type CommandTable, pairs, takes } from "./command.ts"
import type { Keyspace } from "./keyspace.ts"
import { addDecimals, fitsInt64, parseCount, parseInteger, parseScore } from "./text.ts"

interface SetOptions {
  only: "nx" | "xx" | null
  get: boolean
  /** `keep` leaves the expiry; a function gives the new one. */
  expiry: "none" | "keep" | ((nowMs: number) => number)
}

const SECOND_MS = 1_000
const MAX_STRING_BYTES = 512 * 1024 * 1024

const expiryOf = (option: string, amount: string | undefined, command: string) => {
  if (amount === undefined) throw syntaxError()
  const given = Number(parseInteger(amount))
  const ms = option.startsWith("p") ? given : given * SECOND_MS
  if (given <= 0 || !Number.isSafeInteger(ms))
    throw new RedisFault(`ERR invalid expire time in '${command}' command`)
  return (nowMs: number): number => (option.endsWith("at") ? ms : nowMs + ms)
}

const parseSetOptions = (args: readonly string[]): SetOptions => {
  const options: SetOptions = { only: null, get: false, expiry: "none" }
  for (let i = 0; i < args.length; i++) {
    const option = args[i]!.toLowerCase()
    const expiryFree = options.expiry === "none"
    if ((option === "nx" || option === "xx") && (options.only ?? option) === option) options.only = option
    else if (option === "get") options.get = true
    else if (option === "keepttl" && expiryFree) options.expiry = "keep"
    else if (["ex", "px", "exat", "pxat"].includes(option) && expiryFree)
      options.expiry = expiryOf(option, args[++i], "set")
    else throw syntaxError()
  }
  return options
}

const set = takes(-3, (space, [key, value, ...flags]) => {
  const options = parseSetOptions(flags)
  const before = options.get ? (space.string(key!) ?? null) : null
  const there = space.find(key!) !== undefined
  if ((options.only === "nx" && there) || (options.only === "xx" && !there)) return before
  const { expiry } = options
  const expiresAtMs =
    expiry === "none" ? Infinity : expiry === "keep" ? space.expiresAtMs(key!) : expiry(space.now())
  space.put(key!, value!, expiresAtMs)
  return options.get ? before : OK
})

const setWithExpiry = (option: "ex" | "px", name: string) =>
  takes(4, (space, [key, amount, value]) => {
    space.put(key!, value!, expiryOf(option, amount, name)(space.now()))
    return OK
  })

const getAndExpire = takes(-2, (space, [key, flag, amount, ...rest]) => {
  const value = space.string(key!) ?? null
  const option = flag?.toLowerCase()
  if (option === undefined) return value
  if (rest.length > 0 || (option === "persist" && amount !== undefined)) throw syntaxError()
  if (option === "persist") space.expireAt(key!, Infinity)
  else if (["ex", "px", "exat", "pxat"].includes(option))
    space.expireAt(key!, expiryOf(option, amount, "getex")(space.now()))
  else throw syntaxError()
  return value
})

/** Adds to a counter. Its text stays exact to 64 bits; the reply is a JavaScript number. */
const addTo = (space: Keyspace, key: string, amount: bigint): Reply => {
  const sum = parseInteger(space.string(key) ?? "0") + amount
  if (!fitsInt64(sum)) throw new RedisFault("ERR increment or decrement would overflow")
  space.replaceString(key, String(sum))
  return Number(sum)
}

const setMany = (space: Keyspace, args: readonly string[]): void => {
  for (const [key, value] of pairs(args)) space.put(key, value)
}

const paired = (name: string, run: (space: Keyspace, args: readonly string[]) => Reply) =>
  takes(-3, (space, args) => {
    if (args.length % 2 !== 0) throw wrongArity(name)
    return run(space, args)
  })

const bytesOf = (space: Keyspace, key: string): Buffer => Buffer.from(space.string(key) ?? "", "utf8")

const range = takes(4, (space, [key, start, end]) => {
  const bytes = bytesOf(space, key!)
  const from = parseCount(start!)
  const to = parseCount(end!)
  if (from < 0 && to < 0 && from > to) return ""
  const last = Math.max(to < 0 ? bytes.length + to : to, 0)
  return bytes.subarray(Math.max(from < 0 ? bytes.length + from : from, 0), last + 1).toString("utf8")
})

const setRange = takes(4, (space, [key, offset, value]) => {
  const at = parseCount(offset!)
  if (at < 0) throw new RedisFault("ERR offset is out of range")
  const before = bytesOf(space, key!)
  const added = Buffer.from(value!, "utf8")
  if (added.length === 0) return before.length
  if (at + added.length > MAX_STRING_BYTES)
    throw new RedisFault("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
  const bytes = Buffer.alloc(Math.max(before.length, at + added.length))
  before.copy(bytes)
  added.copy(bytes, at)
  space.replaceString(key!, bytes.toString("utf8"))
  return bytes.length
})

export const stringCommands: CommandTable = {
  set,
  get: takes(2, (space, [key]) => space.string(key!) ?? null),
  getset: takes(3, (space, [key, value]) => {
    const before = space.string(key!) ?? null
    space.put(key!, value!)
    return before
  }),
  getdel: takes(2, (space, [key]) => {
    const value = space.string(key!) ?? null
    space.delete(key!)
    return value
  }),
  getex: getAndExpire,
  setnx: takes(3, (space, [key, value]) => {
    if (space.find(key!) !== undefined) return 0
    space.put(key!, value!)
    return 1
  }),
  setex: setWithExpiry("ex", "setex"),
  psetex: setWithExpiry("px", "psetex"),
  mget: takes(-2, (space, keys) =>
    keys.map((key) => {
      const value = space.find(key)
      return typeof value === "string" ? value : null
    }),
  ),
  mset: paired("mset", (space, args) => {
    setMany(space, args)
    return OK
  }),
  msetnx: paired("msetnx", (space, args) => {
    if (pairs(args).some(([key]) => space.find(key) !== undefined)) return 0
    setMany(space, args)
    return 1
  }),
  append: takes(3, (space, [key, value]) => {
    const text = (space.string(key!) ?? "") + value!
    space.replaceString(key!, text)
    return Buffer.byteLength(text)
  }),
  strlen: takes(2, (space, [key]) => Buffer.byteLength(space.string(key!) ?? "")),
  getrange: range,
  substr: range,
  setrange: setRange,
  incr: takes(2, (space, [key]) => addTo(space, key!, 1n)),
  decr: takes(2, (space, [key]) => addTo(space, key!, -1n)),
  incrby: takes(3, (space, [key, amount]) => addTo(space, key!, parseInteger(amount!))),
  decrby: takes(3, (space, [key, amount]) => addTo(space, key!, -parseInteger(amount!))),
  incrbyfloat: takes(3, (space, [key, amount]) => {
    const before = space.string(key!) ?? "0"
    for (const text of [before, amount!]) if (Number.isNaN(parseScore(text))) throw notAFloat()
    const sum = addDecimals(before, amount!)
    space.replaceString(key!, sum)
    return sum
  }),
}
