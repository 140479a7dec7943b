import { RedisFault, type Reply, syntaxError } from "../reply.ts"
import { type CommandTable, takes } from "./command.ts"
import { parseScan, scanPage } from "./keys.ts"
import type { Keyspace } from "./keyspace.ts"
import { ranksOf } from "./lists.ts"
import { type Scored, SortedSet } from "./sorted-set.ts"
import { formatScore, parseBound, parseCount, parseScore } from "./text.ts"

const NONE = new SortedSet()

const sortedSetFor = (space: Keyspace, key: string): SortedSet => {
  const found = space.sortedSet(key)
  if (found !== undefined) return found
  const made = new SortedSet()
  space.put(key, made)
  return made
}

type AddFlag = "nx" | "xx" | "gt" | "lt" | "ch" | "incr"
const ADD_FLAGS: ReadonlySet<string> = new Set(["nx", "xx", "gt", "lt", "ch", "incr"])

const parseAdd = (args: readonly string[]): { flags: ReadonlySet<AddFlag>; scored: Scored[] } => {
  let start = 0
  while (start < args.length && ADD_FLAGS.has(args[start]!.toLowerCase())) start += 1
  const flags = new Set(args.slice(0, start).map((flag) => flag.toLowerCase() as AddFlag))
  const rest = args.slice(start)
  if (rest.length === 0 || rest.length % 2 !== 0) throw syntaxError()
  if (flags.has("nx") && flags.has("xx"))
    throw new RedisFault("ERR XX and NX options at the same time are not compatible")
  if ((flags.has("gt") && flags.has("lt")) || (flags.has("nx") && (flags.has("gt") || flags.has("lt"))))
    throw new RedisFault("ERR GT, LT, and/or NX options at the same time are not compatible")
  if (flags.has("incr") && rest.length > 2)
    throw new RedisFault("ERR INCR option supports a single increment-element pair")
  const scored: Scored[] = []
  for (let i = 0; i < rest.length; i += 2) scored.push({ score: parseScore(rest[i]!), member: rest[i + 1]! })
  return { flags, scored }
}

const add = takes(-4, (space, [key, ...args]) => {
  const { flags, scored } = parseAdd(args)
  if (flags.has("xx") && space.sortedSet(key!) === undefined) return flags.has("incr") ? null : 0
  const set = sortedSetFor(space, key!)
  let added = 0
  let changed = 0
  let last: number | null = null
  for (const { member, score: given } of scored) {
    const before = set.score(member)
    const score = flags.has("incr") ? (before ?? 0) + given : given
    if (Number.isNaN(score)) throw new RedisFault("ERR resulting score is not a number (NaN)")
    if (before === undefined ? flags.has("xx") : flags.has("nx")) continue
    if (
      before !== undefined &&
      ((flags.has("gt") && score <= before) || (flags.has("lt") && score >= before))
    )
      continue
    if (before === undefined) added += 1
    else if (before !== score) changed += 1
    set.put(member, score)
    last = score
  }
  space.deleteIfEmpty(key!)
  if (flags.has("incr")) return last === null ? null : formatScore(last)
  return flags.has("ch") ? added + changed : added
})

/** The ranks whose scores lie between two bounds. */
const ranksByScore = (set: SortedSet, min: string, max: string): [from: number, to: number] => {
  const low = parseBound(min)
  const high = parseBound(max)
  const from = set.firstRank(low.score, low.exclusive)
  return [from, Math.max(set.firstRank(high.score, !high.exclusive), from)]
}

interface RangeOptions {
  byScore: boolean
  reverse: boolean
  withScores: boolean
  limit: { offset: number; count: number } | null
}

const parseRangeOptions = (args: readonly string[], fixed: Partial<RangeOptions>): RangeOptions => {
  const options: RangeOptions = { byScore: false, reverse: false, withScores: false, limit: null, ...fixed }
  const chosen = fixed.byScore === undefined
  for (let i = 0; i < args.length; i++) {
    const option = args[i]!.toLowerCase()
    if (option === "withscores") options.withScores = true
    else if (option === "byscore" && chosen) options.byScore = true
    else if (option === "rev" && chosen) options.reverse = true
    else if (option === "limit" && i + 2 < args.length)
      options.limit = { offset: parseCount(args[++i]!), count: parseCount(args[++i]!) }
    else throw syntaxError()
  }
  if (options.limit !== null && !options.byScore)
    throw new RedisFault(
      "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
    )
  return options
}

const flat = (entries: readonly Scored[], withScores: boolean): Reply[] =>
  entries.flatMap(({ member, score }) => (withScores ? [member, formatScore(score)] : [member]))

const range = (space: Keyspace, args: readonly string[], fixed: Partial<RangeOptions>): Reply => {
  const [key, first, second, ...rest] = args as [string, string, string, ...string[]]
  const options = parseRangeOptions(rest, fixed)
  // Bounds are judged even where there is no key.
  const bounds: [string, string] = options.byScore && options.reverse ? [second, first] : [first, second]
  const set = space.sortedSet(key) ?? NONE
  if (options.byScore) {
    const entries = set.all().slice(...ranksByScore(set, ...bounds))
    if (options.reverse) entries.reverse()
    const { offset, count } = options.limit ?? { offset: 0, count: -1 }
    if (offset < 0) return []
    return flat(entries.slice(offset, count < 0 ? undefined : offset + count), options.withScores)
  }
  const ordered = options.reverse ? set.all().toReversed() : set.all()
  return flat(ordered.slice(...ranksOf(...bounds, set.size)), options.withScores)
}

const ranges = (fixed: Partial<RangeOptions>) => takes(-4, (space, args) => range(space, args, fixed))

const rankFrom = (end: "lowest" | "highest") =>
  takes(3, (space, [key, member]) => {
    const set = space.sortedSet(key!)
    const rank = set?.rank(member!) ?? null
    return rank === null ? null : end === "lowest" ? rank : set!.size - 1 - rank
  })

const popFrom = (end: "lowest" | "highest") =>
  takes(-2, (space, [key, count, ...rest]) => {
    if (rest.length > 0) throw syntaxError()
    const set = space.sortedSet(key!)
    const wanted = count === undefined ? 1 : parseCount(count)
    if (wanted < 0) throw new RedisFault("ERR value is out of range, must be positive")
    if (set === undefined) return []
    const entries = end === "lowest" ? set.all().slice(0, wanted) : set.all().toReversed().slice(0, wanted)
    for (const { member } of entries) set.delete(member)
    space.deleteIfEmpty(key!)
    return flat(entries, true)
  })

const removeRanks = (ranks: (set: SortedSet, first: string, second: string) => [number, number]) =>
  takes(4, (space, [key, first, second]) => {
    const set = space.sortedSet(key!) ?? NONE
    const gone = set.deleteRanks(...ranks(set, first!, second!))
    space.deleteIfEmpty(key!)
    return gone
  })

const scoreOf = (space: Keyspace, key: string, member: string): Reply => {
  const score = space.sortedSet(key)?.score(member)
  return score === undefined ? null : formatScore(score)
}

export const sortedSetCommands: CommandTable = {
  zadd: add,
  zincrby: takes(4, (space, [key, amount, member]) => add.run(space, [key!, "incr", amount!, member!])),
  zscore: takes(3, (space, [key, member]) => scoreOf(space, key!, member!)),
  zmscore: takes(-3, (space, [key, ...members]) => members.map((member) => scoreOf(space, key!, member))),
  zcard: takes(2, (space, [key]) => space.sortedSet(key!)?.size ?? 0),
  zcount: takes(4, (space, [key, min, max]) => {
    const [from, to] = ranksByScore(space.sortedSet(key!) ?? NONE, min!, max!)
    return to - from
  }),
  zrem: takes(-3, (space, [key, ...members]) => {
    const set = space.sortedSet(key!)
    const gone = members.filter((member) => set?.delete(member)).length
    space.deleteIfEmpty(key!)
    return gone
  }),
  zrank: rankFrom("lowest"),
  zrevrank: rankFrom("highest"),
  zrange: ranges({}),
  zrevrange: ranges({ byScore: false, reverse: true }),
  zrangebyscore: ranges({ byScore: true, reverse: false }),
  zrevrangebyscore: ranges({ byScore: true, reverse: true }),
  zremrangebyscore: removeRanks(ranksByScore),
  zremrangebyrank: removeRanks((set, start, stop) => ranksOf(start, stop, set.size)),
  zpopmin: popFrom("lowest"),
  zpopmax: popFrom("highest"),
  zscan: takes(-3, (space, [key, cursor, ...options]) => {
    const { match } = parseScan(options, false)
    const set = space.sortedSet(key!) ?? NONE
    return scanPage(cursor!, () =>
      flat(
        set.all().filter(({ member }) => match.test(member)),
        true,
      ),
    )
  }),
}
