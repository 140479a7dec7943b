import type { Scene } from "./scene.ts"
import type { FindForeign } from "./words.ts"

/** Redis tags its keys, the edge names its by path, an audit's copy and an archive stand in its folder, a message has an address. */
const ownerOf = (name: string): string | null =>
  /\{(~?[a-z]+)\}/.exec(name)?.[1] ??
  /^(?:https:\/\/cache\.hotswap\.internal\/1\/(?:pointer|view)\/)?([a-z]+)\/[A-Z]/.exec(name)?.[1] ??
  /^(?:audit|backups)\/(~?[a-z.]+)\//i.exec(name)?.[1] ??
  /sentinel-of-([a-z]+)-7c1e/.exec(name)?.[1] ??
  null

/** How far the platform and the tiers have moved, which everybody may know; and hashes of who failed to say who they are. */
const SHARED = /^hotswap:(marks|failed):/

/** What is named by its content has the same name wherever that content is. */
const HASH = /^[0-9a-f]{64}$/

/** Every place that keeps or tells anything, as pairs of a name and what is under it. */
const places = async ({
  worker,
  names,
  rowsOf,
}: Scene): Promise<[string, Iterable<readonly [string, string]>][]> => {
  const rows = Object.keys(names).map(async (slug) => [`{${slug}}`, await rowsOf(slug)] as const)
  const commands = [...worker.commands].map((command) => {
    const [name, ...words] = JSON.parse(command) as string[]
    // A script comes before the key that it is for.
    const key = words.find((word) => word.startsWith("hotswap:")) ?? ""
    return [key, `${name} ${words.join(" ")}`] as const
  })
  return [
    ["Redis", await worker.redisKeys()],
    ["Redis, once,", commands.filter(([key]) => key !== "")],
    ["the edge's cache", worker.edgeCache],
    ["the last known good", worker.lastKnownGood],
    ["the blobs", worker.blobs],
    ["the messages", worker.told],
    ["the rows", await Promise.all(rows)],
  ]
}

/** What names its owner and holds anything of another tenant's. */
export const keptFaults = async (scene: Scene, find: FindForeign): Promise<string[]> => {
  const faults: string[] = []
  for (const [place, entries] of await places(scene)) {
    let count = 0
    for (const [name, text] of entries) {
      count++
      const owner = ownerOf(name)
      if (owner === null && !SHARED.test(name)) faults.push(`${place}: ${name} names no tenant`)
      const words = find(text, [owner ?? ""]).filter((word) => !HASH.test(word))
      for (const word of words.slice(0, 3)) faults.push(`${place}: ${name} holds ${word}`)
    }
    if (count === 0) faults.push(`${place}: there is nothing to look at`)
  }
  return faults
}
