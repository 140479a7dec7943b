// What is deployed are minified files, each with its map beside it. This says in a stack where the source stands. Bundling puts
// it before everything else (infra/constructs/bundling.ts); nothing imports it, and where sources run as they are it has no part.
// `--enable-source-maps` says the same, but reads each map while its file loads, in every cold start. For their sake nothing is
// imported here either: to import `node:module` by name loads all that it exports.

type Places = InstanceType<typeof import("node:module")["SourceMap"]>

/** By the file's address; `null`: there is no map to be read. Empty until somebody reads a stack. */
const maps: Record<string, Places | null> = {}

const HERE = import.meta.url.slice(0, import.meta.url.lastIndexOf("/") + 1)

const readMap = (url: string): Places | null => {
  try {
    const { readFileSync } = process.getBuiltinModule("node:fs")
    const { SourceMap } = process.getBuiltinModule("node:module")
    return new SourceMap(JSON.parse(readFileSync(new URL(`${url}.map`), "utf8")))
  } catch {
    return null
  }
}

/** Bundling puts all of its files into one folder, and nothing else that runs. */
const ours = (frame: NodeJS.CallSite | undefined): string | null => {
  const url = frame?.getFileName()
  return url?.startsWith(HERE) && !url.includes("/", HERE.length) ? url : null
}

const originOf = (frame: NodeJS.CallSite | undefined) => {
  const url = ours(frame)
  if (url === null) return null
  if (maps[url] === undefined) maps[url] = readMap(url)
  const origin = maps[url]?.findOrigin(frame?.getLineNumber() ?? 0, frame?.getColumnNumber() ?? 0)
  return origin && "fileName" in origin ? { ...origin, url } : null
}

/** The name that a function has in the bundle says nothing; its own stands where it is called. */
const nameOf = (frame: NodeJS.CallSite, caller: NodeJS.CallSite | undefined): string | null =>
  originOf(caller)?.name ?? frame.getFunctionName()

const shown = (frame: NodeJS.CallSite, caller: NodeJS.CallSite | undefined): string => {
  const origin = originOf(frame)
  if (!origin) return String(frame)
  const file = process.getBuiltinModule("node:url").fileURLToPath(new URL(origin.fileName, origin.url))
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
