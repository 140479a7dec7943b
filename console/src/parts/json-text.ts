import type { Json } from "../shapes.ts"

/** What JSON cannot be read, in a sentence of the browser's. */
export const readJson = (text: string): { value: Json } | { wrong: string } => {
  try {
    return { value: JSON.parse(text) as Json }
  } catch (error) {
    return { wrong: text.trim() === "" ? "It is empty." : `It is no JSON: ${(error as Error).message}` }
  }
}

export interface JsonPlace {
  from: number
  to: number
  /** Counted from 1. */
  line: number
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g

/** The pointers into a JSON text, each with where in the text its value stands. */
const rangesIn = (text: string): Map<string, [from: number, to: number]> => {
  const ranges = new Map<string, [number, number]>()
  const tokens = [...text.matchAll(TOKEN)]
  let at = 0
  const isAt = (...marks: string[]): boolean => marks.includes(tokens[at]![0])
  const value = (pointer: string): void => {
    const from = tokens[at]!.index
    const holdsNames = isAt("{")
    if (isAt("{", "[")) {
      at++
      for (let nth = 0; !isAt("}", "]"); nth++) {
        if (isAt(",")) at++
        let name = String(nth)
        if (holdsNames) {
          name = (JSON.parse(tokens[at]![0]) as string).replaceAll("~", "~0").replaceAll("/", "~1")
          at += 2
        }
        value(`${pointer}/${name}`)
      }
    }
    const last = tokens[at++]!
    ranges.set(pointer, [from, last.index + last[0].length])
  }
  value("")
  return ranges
}

/** Where in a JSON text stands what a pointer names, or what would hold it; `null` where the text is no JSON. */
export const placeIn = (text: string, pointer: string): JsonPlace | null => {
  if (pointer !== "" && !pointer.startsWith("/")) return null
  if ("wrong" in readJson(text)) return null
  const ranges = rangesIn(text)
  let nearest = pointer
  while (!ranges.has(nearest)) nearest = nearest.slice(0, nearest.lastIndexOf("/"))
  const [from, to] = ranges.get(nearest)!
  return { from, to, line: text.slice(0, from).split("\n").length }
}
