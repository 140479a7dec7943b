import { readFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { fileURLToPath } from "node:url"

// What is deployed is one minified file, with its map beside it. This says in a stack where the source stands. Bundling puts
// it before everything else (infra/constructs/bundling.ts); nothing imports it, and where sources run as they are it has no part.
// `--enable-source-maps` says the same, but reads the map while the bundle loads, in every cold start.

/** `undefined`: nobody has read a stack yet; `null`: there is no map to be read. */
let map: SourceMap | null | undefined

const readMap = (): SourceMap | null => {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${import.meta.filename}.map`, "utf8")))
  } catch {
    return null
  }
}

const isOurs = (frame: NodeJS.CallSite | undefined): frame is NodeJS.CallSite =>
  frame?.getFileName() === import.meta.url

const originOf = (line: number | null, column: number | null) => {
  if (map === undefined) map = readMap()
  const origin = map?.findOrigin(line ?? 0, column ?? 0)
  return origin && "fileName" in origin ? origin : null
}

/** The name that a function has in the bundle says nothing; its own stands where it is called. */
const nameOf = (frame: NodeJS.CallSite, caller: NodeJS.CallSite | undefined): string | null => {
  const called = isOurs(caller) ? originOf(caller.getLineNumber(), caller.getColumnNumber())?.name : undefined
  return called ?? frame.getFunctionName()
}

const shown = (frame: NodeJS.CallSite, caller: NodeJS.CallSite | undefined): string => {
  const origin = isOurs(frame) ? originOf(frame.getLineNumber(), frame.getColumnNumber()) : null
  if (!origin) return String(frame)
  const file = fileURLToPath(new URL(origin.fileName, import.meta.url))
  const place = `${file}:${origin.lineNumber}:${origin.columnNumber}`
  const name = nameOf(frame, caller)
  return name ? `${name} (${place})` : place
}

const headOf = (error: Error): string => {
  try {
    return Error.prototype.toString.call(error)
  } catch {
    return "Error"
  }
}

Error.prepareStackTrace = (error, frames) =>
  [headOf(error), ...frames.map((frame, nth) => `    at ${shown(frame, frames[nth + 1])}`)].join("\n")
