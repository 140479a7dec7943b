import { OK, RedisFault, type Reply, wrongArity } from "../reply.ts"
import { type CommandTable, pairs, takes } from "./command.ts"
import { parseScan, scanPage } from "./keys.ts"
import type { Keyspace } from "./keyspace.ts"
import { addDecimals, fitsInt64, parseInteger, parseScore } from "./text.ts"

const hashFor = (space: Keyspace, key: string): Map<string, string> => {
  const found = space.hash(key)
  if (found !== undefined) return found
  const made = new Map<string, string>()
  space.put(key, made)
  return made
}

const setFields = (name: string, reply: (added: number) => Reply) =>
  takes(-4, (space, [key, ...args]) => {
    if (args.length % 2 !== 0) throw wrongArity(name)
    const hash = hashFor(space, key!)
    const before = hash.size
    for (const [field, value] of pairs(args)) hash.set(field, value)
    return reply(hash.size - before)
  })

const integerField = (text: string | undefined): bigint => {
  try {
    return parseInteger(text ?? "0")
  } catch {
    throw new RedisFault("ERR hash value is not an integer")
  }
}

const decimalField = (text: string | undefined): string => {
  try {
    parseScore(text ?? "0")
    return text ?? "0"
  } catch {
    throw new RedisFault("ERR hash value is not a float")
  }
}

export const hashCommands: CommandTable = {
  hset: setFields("hset", (added) => added),
  hmset: setFields("hmset", () => OK),
  hsetnx: takes(4, (space, [key, field, value]) => {
    if (space.hash(key!)?.has(field!)) return 0
    hashFor(space, key!).set(field!, value!)
    return 1
  }),
  hget: takes(3, (space, [key, field]) => space.hash(key!)?.get(field!) ?? null),
  hmget: takes(-3, (space, [key, ...fields]) => {
    const hash = space.hash(key!)
    return fields.map((field) => hash?.get(field) ?? null)
  }),
  hgetall: takes(2, (space, [key]) => [...(space.hash(key!) ?? [])].flat()),
  hkeys: takes(2, (space, [key]) => [...(space.hash(key!)?.keys() ?? [])]),
  hvals: takes(2, (space, [key]) => [...(space.hash(key!)?.values() ?? [])]),
  hlen: takes(2, (space, [key]) => space.hash(key!)?.size ?? 0),
  hexists: takes(3, (space, [key, field]) => (space.hash(key!)?.has(field!) ? 1 : 0)),
  hstrlen: takes(3, (space, [key, field]) => Buffer.byteLength(space.hash(key!)?.get(field!) ?? "")),
  hdel: takes(-3, (space, [key, ...fields]) => {
    const hash = space.hash(key!)
    const gone = fields.filter((field) => hash?.delete(field)).length
    space.deleteIfEmpty(key!)
    return gone
  }),
  hincrby: takes(4, (space, [key, field, amount]) => {
    const by = parseInteger(amount!)
    const sum = integerField(space.hash(key!)?.get(field!)) + by
    if (!fitsInt64(sum)) throw new RedisFault("ERR increment or decrement would overflow")
    hashFor(space, key!).set(field!, String(sum))
    return Number(sum)
  }),
  hincrbyfloat: takes(4, (space, [key, field, amount]) => {
    parseScore(amount!)
    const sum = addDecimals(decimalField(space.hash(key!)?.get(field!)), amount!)
    hashFor(space, key!).set(field!, sum)
    return sum
  }),
  hscan: takes(-3, (space, [key, cursor, ...options]) => {
    const { match } = parseScan(options, false)
    const hash = space.hash(key!)
    return scanPage(cursor!, () => [...(hash ?? [])].filter(([field]) => match.test(field)).flat())
  }),
}
