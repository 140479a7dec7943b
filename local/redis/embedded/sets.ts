import { RedisFault, type Reply } from "../reply.ts"
import { type CommandTable, takes } from "./command.ts"
import { parseScan, scanPage } from "./keys.ts"
import type { Keyspace } from "./keyspace.ts"
import { parseCount } from "./text.ts"

const setFor = (space: Keyspace, key: string): Set<string> => {
  const found = space.set(key)
  if (found !== undefined) return found
  const made = new Set<string>()
  space.put(key, made)
  return made
}

type Combine = (sets: readonly Set<string>[]) => Set<string>
const union: Combine = (sets) => new Set(sets.flatMap((set) => [...set]))
const intersection: Combine = ([first, ...rest]) =>
  new Set([...first!].filter((member) => rest.every((set) => set.has(member))))
const difference: Combine = ([first, ...rest]) =>
  new Set([...first!].filter((member) => !rest.some((set) => set.has(member))))

const combined = (space: Keyspace, keys: readonly string[], combine: Combine): Set<string> =>
  combine(keys.map((key) => space.set(key) ?? new Set()))

const show = (combine: Combine) => takes(-2, (space, keys) => [...combined(space, keys, combine)])
const store = (combine: Combine) =>
  takes(-3, (space, [target, ...keys]) => {
    const result = combined(space, keys, combine)
    space.delete(target!)
    if (result.size > 0) space.put(target!, result)
    return result.size
  })

/** SPOP and SRANDMEMBER may give any members; these give the oldest. */
const some = (set: Set<string> | undefined, count: string | undefined): string[] => {
  const wanted = count === undefined ? 1 : parseCount(count)
  if (wanted < 0) throw new RedisFault("ERR value is out of range, must be positive")
  return [...(set ?? [])].slice(0, wanted)
}
const oneOrMany = (members: string[], count: string | undefined): Reply =>
  count === undefined ? (members[0] ?? null) : members

export const setCommands: CommandTable = {
  sadd: takes(-3, (space, [key, ...members]) => {
    const set = setFor(space, key!)
    const before = set.size
    for (const member of members) set.add(member)
    return set.size - before
  }),
  srem: takes(-3, (space, [key, ...members]) => {
    const set = space.set(key!)
    const gone = members.filter((member) => set?.delete(member)).length
    space.deleteIfEmpty(key!)
    return gone
  }),
  smembers: takes(2, (space, [key]) => [...(space.set(key!) ?? [])]),
  sismember: takes(3, (space, [key, member]) => (space.set(key!)?.has(member!) ? 1 : 0)),
  smismember: takes(-3, (space, [key, ...members]) => {
    const set = space.set(key!)
    return members.map((member) => (set?.has(member) ? 1 : 0))
  }),
  scard: takes(2, (space, [key]) => space.set(key!)?.size ?? 0),
  spop: takes(-2, (space, [key, count]) => {
    const set = space.set(key!)
    const members = some(set, count)
    for (const member of members) set?.delete(member)
    space.deleteIfEmpty(key!)
    return oneOrMany(members, count)
  }),
  srandmember: takes(-2, (space, [key, count]) => {
    const set = space.set(key!)
    return oneOrMany(some(set, count?.replace(/^-/, "")), count)
  }),
  smove: takes(4, (space, [from, to, member]) => {
    const source = space.set(from!)
    if (source === undefined) return 0
    space.set(to!)
    if (!source.delete(member!)) return 0
    setFor(space, to!).add(member!)
    space.deleteIfEmpty(from!)
    return 1
  }),
  sunion: show(union),
  sinter: show(intersection),
  sdiff: show(difference),
  sunionstore: store(union),
  sinterstore: store(intersection),
  sdiffstore: store(difference),
  sscan: takes(-3, (space, [key, cursor, ...options]) => {
    const { match } = parseScan(options, false)
    const set = space.set(key!)
    return scanPage(cursor!, () => [...(set ?? [])].filter((member) => match.test(member)))
  }),
}
