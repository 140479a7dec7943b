import { OK, RedisFault, type Reply, syntaxError } from "../reply.ts"
import { type CommandTable, takes } from "./command.ts"
import type { Keyspace } from "./keyspace.ts"
import { parseCount } from "./text.ts"

type End = "left" | "right"

const add = (list: string[], end: End, element: string): void => {
  if (end === "left") list.unshift(element)
  else list.push(element)
}
const take = (list: string[], end: End): string | undefined => (end === "left" ? list.shift() : list.pop())

const listFor = (space: Keyspace, key: string): string[] => {
  const found = space.list(key)
  if (found !== undefined) return found
  const made: string[] = []
  space.put(key, made)
  return made
}

const push = (end: End) =>
  takes(-3, (space, [key, ...elements]) => {
    const list = listFor(space, key!)
    for (const element of elements) add(list, end, element)
    return list.length
  })

const pushIfThere = (end: End) =>
  takes(-3, (space, [key, ...elements]) => {
    const list = space.list(key!)
    if (list === undefined) return 0
    for (const element of elements) add(list, end, element)
    return list.length
  })

const pop = (end: End) =>
  takes(-2, (space, [key, count, ...rest]) => {
    if (rest.length > 0) throw syntaxError()
    const wanted = count === undefined ? 1 : parseCount(count)
    if (wanted < 0) throw new RedisFault("ERR value is out of range, must be positive")
    const list = space.list(key!)
    if (list === undefined) return null
    const taken: string[] = []
    while (taken.length < wanted && list.length > 0) taken.push(take(list, end)!)
    space.deleteIfEmpty(key!)
    return count === undefined ? taken[0]! : taken
  })

const parseEnd = (text: string): End => {
  const end = text.toLowerCase()
  if (end !== "left" && end !== "right") throw syntaxError()
  return end
}

const move = (space: Keyspace, from: string, to: string, fromEnd: End, toEnd: End): Reply => {
  const source = space.list(from)
  if (source === undefined) return null
  space.list(to)
  const element = take(source, fromEnd)!
  add(listFor(space, to), toEnd, element)
  space.deleteIfEmpty(from)
  return element
}

/** Redis's inclusive, possibly negative range as the half-open one of JavaScript. */
export const ranksOf = (start: string, stop: string, length: number): [from: number, to: number] => {
  const absolute = (rank: number): number => (rank < 0 ? length + rank : rank)
  const from = Math.max(absolute(parseCount(start)), 0)
  return [from, Math.max(Math.min(absolute(parseCount(stop)), length - 1) + 1, from)]
}

const removeElements = takes(4, (space, [key, count, element]) => {
  const wanted = parseCount(count!)
  const list = space.list(key!)
  if (list === undefined) return 0
  let gone = 0
  const limit = wanted === 0 ? Infinity : Math.abs(wanted)
  if (wanted < 0) list.reverse()
  for (let i = 0; i < list.length && gone < limit; )
    if (list[i] === element) {
      list.splice(i, 1)
      gone += 1
    } else i += 1
  if (wanted < 0) list.reverse()
  space.deleteIfEmpty(key!)
  return gone
})

export const listCommands: CommandTable = {
  lpush: push("left"),
  rpush: push("right"),
  lpushx: pushIfThere("left"),
  rpushx: pushIfThere("right"),
  lpop: pop("left"),
  rpop: pop("right"),
  llen: takes(2, (space, [key]) => space.list(key!)?.length ?? 0),
  lrange: takes(4, (space, [key, start, stop]) => {
    const list = space.list(key!) ?? []
    return list.slice(...ranksOf(start!, stop!, list.length))
  }),
  lindex: takes(3, (space, [key, index]) => space.list(key!)?.at(parseCount(index!)) ?? null),
  lset: takes(4, (space, [key, index, element]) => {
    const list = space.list(key!)
    if (list === undefined) throw new RedisFault("ERR no such key")
    const given = parseCount(index!)
    const at = given < 0 ? list.length + given : given
    if (at < 0 || at >= list.length) throw new RedisFault("ERR index out of range")
    list[at] = element!
    return OK
  }),
  lrem: removeElements,
  ltrim: takes(4, (space, [key, start, stop]) => {
    const list = space.list(key!)
    const ranks = ranksOf(start!, stop!, list?.length ?? 0)
    if (list === undefined) return OK
    const kept = list.slice(...ranks)
    list.splice(0, list.length, ...kept)
    space.deleteIfEmpty(key!)
    return OK
  }),
  lmove: takes(5, (space, [from, to, fromEnd, toEnd]) =>
    move(space, from!, to!, parseEnd(fromEnd!), parseEnd(toEnd!)),
  ),
  rpoplpush: takes(3, (space, [from, to]) => move(space, from!, to!, "right", "left")),
}
